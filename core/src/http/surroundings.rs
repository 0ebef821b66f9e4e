//! What the process's environment says of the way to a server: for messages, because reqwest and rustls read it themselves.

use super::MAX_CA_BYTES;
use crate::file;
use std::path::Path;
use url::Url;

/// The variable that names the proxy for this https address, and what it holds.
pub(super) fn proxy_for(url: &Url) -> Option<(&'static str, String)> {
    let names: [&str; 4] = match url.scheme() {
        "https" => ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"],
        _ => ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"],
    };
    let (name, value) = names.into_iter().find_map(|name| Some((name, set(name)?)))?;
    (!is_exempt(url.host_str()?)).then_some((name, value))
}

/// A proxy as it may be told: scheme, host and port, without the user name and password that it may hold.
pub(super) fn shown(proxy: &str) -> Option<(String, String)> {
    let with_scheme = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    let url = Url::parse(&with_scheme).ok()?;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    Some((url.scheme().to_owned(), format!("{}://{}{port}", url.scheme(), url.host_str()?)))
}

/// Whether requests can go through proxies of this scheme.
pub(crate) fn is_supported(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

/// The files of CA certificates that the environment names and that do nothing, because they are not there or hold none.
pub(super) fn useless_ca_files() -> Vec<String> {
    let useless = |name: &&str| {
        let path = set(name)?;
        let why = match file::read_named(Path::new(&path), MAX_CA_BYTES) {
            Err(_) => "cannot be read",
            Ok(pem) if !pem.windows(MARK.len()).any(|window| window == MARK) => "holds no certificate",
            Ok(_) => return None,
        };
        Some(format!("the file that {name} names {why}, so it does nothing: {}", crate::text::one_line(&path, 200)))
    };
    ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].iter().filter_map(useless).collect()
}

const MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// `NO_PROXY`, as far as it is about names.
fn is_exempt(host: &str) -> bool {
    let list = set("NO_PROXY").or_else(|| set("no_proxy")).unwrap_or_default();
    list.split(',').map(str::trim).any(|entry| {
        let name = entry.trim_start_matches('.');
        entry == "*" || !name.is_empty() && (host == name || host.strip_suffix(name).is_some_and(|rest| rest.ends_with('.')))
    })
}
