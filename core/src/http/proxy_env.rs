//! What the environment says about the connection to a server: proxies and CA certificates.
//!
//! The variables are read once, when a session is opened. A C host may call `setenv` at any time,
//! which races with `getenv` on another thread. The HTTP client and the TLS library therefore never
//! read the environment themselves.

use super::certificates::{Bundle, Roots};
use super::no_proxy::NoProxy;
use crate::environment::{Environment, FixedEnvironment};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::text::one_line;
use std::path::PathBuf;
use url::Url;

const HTTPS: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
/// In a CGI program `HTTP_PROXY` is the header `Proxy` of a request, which any client can send.
const HTTP: [&str; 4] = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];

/// The variables that a session was opened with.
#[derive(Clone, Debug)]
pub struct ProxyEnvironment {
    https: Option<NamedVariable<Secret>>,
    http: Option<NamedVariable<Secret>>,
    no_proxy: NoProxy,
    /// `REQUESTS_CA_BUNDLE` or `CURL_CA_BUNDLE`.
    bundle: Option<NamedVariable<PathBuf>>,
    /// The variable that a language's runtime reads itself, such as `NODE_EXTRA_CA_CERTS`.
    extra: Option<NamedVariable<PathBuf>>,
    pub(super) roots: Roots,
}

/// A variable and its value.
#[derive(Clone, Debug)]
struct NamedVariable<T> {
    name: &'static str,
    value: T,
}

/// How a request reaches its server.
#[derive(Debug)]
pub(super) enum Route {
    Direct,
    Proxy(Proxy),
    /// As the system's settings say, on systems that have them.
    #[cfg(any(windows, target_vendor = "apple"))]
    System,
}

/// A proxy, and the variable or option that names it.
#[derive(Clone, Debug)]
pub(super) struct Proxy {
    pub(super) origin: &'static str,
    pub(super) url: Secret,
    /// Scheme, host and port, without the user name and password that the URL may hold.
    pub(super) shown: String,
}

impl Default for ProxyEnvironment {
    /// No variable is set.
    fn default() -> Self {
        ProxyEnvironment::of(&FixedEnvironment::default(), None)
    }
}

impl ProxyEnvironment {
    /// Reads the variables, and `extra_ca_variable`. An unusable value is an error of the request
    /// that needs it.
    pub fn of(environment: &dyn Environment, extra_ca_variable: Option<&'static str>) -> Self {
        let is_cgi = environment.raw("REQUEST_METHOD").is_some();
        let no_proxy = ["no_proxy", "NO_PROXY"]
            .into_iter()
            .find_map(|name| environment.raw(name))
            .unwrap_or_default();
        let path = |name| {
            let value = environment.raw(name).filter(|value| !value.is_empty())?;
            Some(NamedVariable { name, value: PathBuf::from(value) })
        };
        ProxyEnvironment {
            https: first(environment, HTTPS.iter()),
            http: first(environment, HTTP.iter().filter(|name| !is_cgi || **name != "HTTP_PROXY")),
            no_proxy: NoProxy::from_text(&no_proxy.to_string_lossy()),
            bundle: ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].into_iter().find_map(path),
            extra: extra_ca_variable.and_then(path),
            roots: Roots::of(environment),
        }
    }

    /// Errors: MISCONFIGURED if the variable does not hold a usable proxy.
    pub(super) fn route_to(&self, url: &Url) -> Result<Route> {
        let named = if url.scheme() == "https" { &self.https } else { &self.http };
        match named {
            _ if self.no_proxy.exempts(url) => Ok(Route::Direct),
            #[cfg(any(windows, target_vendor = "apple"))]
            None => Ok(Route::System),
            #[cfg(not(any(windows, target_vendor = "apple")))]
            None => Ok(Route::Direct),
            // As with curl, an empty value switches the proxy off.
            Some(named) if named.value.expose().is_empty() => Ok(Route::Direct),
            Some(named) => Proxy::new(named.name, named.value.expose()).map(Route::Proxy),
        }
    }

    /// The CA certificates to trust in addition to the system's, if a variable names some.
    pub(super) fn bundle(&self) -> Option<Bundle> {
        self.bundle.as_ref().map(NamedVariable::bundle)
    }

    /// The CA certificates of the language's runtime.
    pub(super) fn extra(&self) -> Option<Bundle> {
        self.extra.as_ref().map(NamedVariable::bundle)
    }

    /// The note on `SSL_CERT_FILE` for a message about certificates, if that file has no effect.
    pub(super) fn useless_roots(&self) -> Option<String> {
        let path = self.roots.file.as_ref().filter(|_| self.roots.is_named)?;
        let why = match std::fs::read(path) {
            Err(_) => "cannot be read",
            Ok(pem) if !pem.windows(MARK.len()).any(|window| window == MARK) => {
                "holds no certificate"
            }
            Ok(_) => return None,
        };
        let path = one_line(&path.to_string_lossy(), 200);
        Some(format!("the file that SSL_CERT_FILE names {why}, so it does nothing: {path}"))
    }
}

impl NamedVariable<PathBuf> {
    fn bundle(&self) -> Bundle {
        Bundle { what: format!("{} names", self.name), path: self.value.clone() }
    }
}

const MARK: &[u8] = b"-----BEGIN ";

impl Proxy {
    /// Errors: MISCONFIGURED, without the value, which may hold a password.
    pub(super) fn new(origin: &'static str, value: &str) -> Result<Self> {
        let value = value.trim();
        let with_scheme =
            if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
        let url = Url::parse(&with_scheme).ok().filter(Url::has_host).ok_or_else(|| {
            Error::misconfigured(format!(
                "{origin} is not the URL of a proxy; set it to http://host:port, or unset it"
            ))
        })?;
        if !is_supported(url.scheme()) {
            return Err(Error::misconfigured(format!(
                "{origin} names a proxy of the scheme {}, which is not supported; name an http proxy, http://host:port",
                one_line(url.scheme(), 20)
            )));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default());
        Ok(Proxy { origin, url: Secret::from(with_scheme), shown })
    }
}

/// Whether requests can go through proxies of this scheme.
pub(crate) fn is_supported(scheme: &str) -> bool {
    matches!(scheme, "http" | "https")
}

/// The first of these variables that is set, even if it is empty.
fn first<'a>(
    environment: &dyn Environment,
    names: impl IntoIterator<Item = &'a &'static str>,
) -> Option<NamedVariable<Secret>> {
    names.into_iter().find_map(|name| {
        let value = environment.raw(name)?;
        Some(NamedVariable { name, value: Secret::from(value.to_string_lossy().trim()) })
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn way(variables: &[(&str, &str)], url: &str) -> std::result::Result<String, String> {
        let surroundings =
            ProxyEnvironment::of(&FixedEnvironment::new(variables.iter().copied()), None);
        match surroundings.route_to(&url.parse().unwrap()) {
            Ok(Route::Proxy(proxy)) => Ok(format!("{} {}", proxy.origin, proxy.shown)),
            Ok(_) => Ok("direct".into()),
            Err(error) => Err(error.message().to_owned()),
        }
    }

    #[test]
    fn i10_12_the_lower_case_variable_decides_first_as_with_curl() {
        let both = [
            ("HTTPS_PROXY", "http://upper:1"),
            ("https_proxy", "http://u:p@lower:2"),
            ("ALL_PROXY", "http://all:3"),
        ];
        assert_eq!(way(&both, "https://a.example/").unwrap(), "https_proxy http://lower:2");
        assert_eq!(way(&both[..1], "https://a.example/").unwrap(), "HTTPS_PROXY http://upper:1");
        assert_eq!(way(&both, "http://a.example/").unwrap(), "ALL_PROXY http://all:3");
        assert_eq!(
            way(&[("all_proxy", "host:4")], "https://a.example/").unwrap(),
            "all_proxy http://host:4"
        );
        // An empty value switches the proxy off.
        assert_eq!(
            way(&[("https_proxy", ""), ("HTTPS_PROXY", "http://upper:1")], "https://a.example/")
                .unwrap(),
            "direct"
        );
        // In a CGI program any client can set HTTP_PROXY.
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil:1")];
        assert_eq!(way(&cgi, "http://a.example/").unwrap(), "direct");
        assert_eq!(way(&cgi[1..], "http://a.example/").unwrap(), "HTTP_PROXY http://evil:1");
    }

    #[test]
    fn i10_12_a_proxy_that_cannot_be_used_names_its_variable_and_not_its_password() {
        for value in [
            "http://",
            "http://user:SECRET@:1",
            "socks5://user:SECRET@host:1",
            "http://user:SECRET@host:port",
            "::",
        ] {
            let message = way(&[("HTTPS_PROXY", value)], "https://a.example/").unwrap_err();
            assert!(
                message.contains("HTTPS_PROXY") && !message.contains("SECRET"),
                "{value}: {message}"
            );
            // A request that does not need it succeeds.
            assert_eq!(way(&[("HTTPS_PROXY", value)], "http://a.example/").unwrap(), "direct");
            assert_eq!(
                way(&[("HTTPS_PROXY", value), ("NO_PROXY", "a.example")], "https://a.example/")
                    .unwrap(),
                "direct"
            );
        }
    }
}
