//! The three forms of an API key (Planet's authentication page): HTTP Basic, `Authorization:
//! api-key`, and the `api_key` query parameter.

use crate::credential::ApiKey;
use crate::secret::{Secret, equal_in_constant_time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The name of the query parameter.
pub(super) const PARAMETER: &str = "api_key";

/// HTTP Basic (RFC 7617): the key as user name, UTF-8, with an empty password.
pub(crate) fn basic(key: &ApiKey) -> Secret {
    let pair = Secret::from(format!("{}:", key.expose()));
    Secret::from(format!("Basic {}", STANDARD.encode(pair.expose())))
}

/// The `api-key` scheme.
pub(crate) fn header(key: &ApiKey) -> Secret {
    Secret::from(format!("api-key {}", key.expose()))
}

/// The query form. Replaces an existing `api_key`, and preserves everything else byte for byte,
/// including `{z}/{x}/{y}`.
pub(crate) fn signed_url(url: &str, key: &ApiKey) -> Secret {
    let stripped = strip_api_key(url);
    let (before, fragment) = split_fragment(&stripped);
    // Separators at the end separate nothing. Signing a URL again must not remove one each time.
    let (before, separator) = match (before.find('?'), before.trim_end_matches('&')) {
        (None, _) => (before, "?"),
        (Some(at), before) if at + 1 == before.len() => (before, ""),
        (Some(_), before) => (before, "&"),
    };
    let value: String = percent_encode(key.expose());
    Secret::from(format!("{before}{separator}{PARAMETER}={value}{fragment}"))
}

/// The URL without its `api_key` parameters. Everything else is unchanged.
pub fn strip_api_key(url: &str) -> String {
    let (before, fragment) = split_fragment(url);
    let Some((base, query)) = before.split_once('?') else {
        return url.to_owned();
    };
    if !query.split('&').any(|pair| is_named(pair, PARAMETER)) {
        return url.to_owned();
    }
    let pairs: Vec<&str> = query.split('&').filter(|pair| !is_named(pair, PARAMETER)).collect();
    let separator = if pairs.is_empty() { "" } else { "?" };
    format!("{base}{separator}{}{fragment}", pairs.join("&"))
}

/// Whether two URLs carry the same key in their query. Clients may percent-encode it differently.
pub(crate) fn is_same_in_url(left: &str, right: &str) -> bool {
    let key = |url| {
        let mut pairs = url::form_urlencoded::parse(query(url)?.as_bytes());
        pairs.find(|(name, _)| name == PARAMETER).map(|(_, key)| Secret::from(key.into_owned()))
    };
    match (key(left), key(right)) {
        (Some(left), Some(right)) => equal_in_constant_time(left.expose(), right.expose()),
        _ => false,
    }
}

/// The query of a URL, if it has one.
pub(crate) fn query(url: &str) -> Option<&str> {
    split_fragment(url).0.split_once('?').map(|(_, query)| query)
}

/// Whether a `name=value` pair has this name, as a server would read it.
pub(crate) fn is_named(pair: &str, name: &str) -> bool {
    let written = pair.split('=').next().unwrap_or("");
    written == name
        || written.contains('%')
            && url::form_urlencoded::parse(written.as_bytes())
                .next()
                .is_some_and(|(decoded, _)| decoded == name)
}

fn split_fragment(url: &str) -> (&str, &str) {
    url.split_at(url.find('#').unwrap_or(url.len()))
}

/// Encodes everything except the unreserved characters of RFC 3986 2.3.
fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}
