//! Authorization server metadata (RFC 8414) and its OpenID Connect form.

use crate::error::{Error, Result};
use crate::http::{Form, Http, Method, Patience, Replay, Request};
use serde_json::Value;

/// What a server says of itself, as far as clients here need it.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Equal to the configured issuer, byte for byte.
    pub issuer: String,
    /// Where tokens are asked for.
    pub token_endpoint: Option<String>,
    /// How clients may authenticate there; nothing said means client_secret_basic (RFC 8414 2).
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// The two well-known URLs of an issuer: the OpenID form appends, RFC 8414 3.1 inserts between host and path.
///
/// Errors: MISCONFIGURED when the issuer is not an https URL without query and fragment (RFC 8414 2).
pub fn well_known_urls(issuer: &str, allow_insecure_loopback: bool) -> Result<[url::Url; 2]> {
    let url = super::endpoint(issuer, "issuer", allow_insecure_loopback)?;
    if url.query().is_some() {
        return Err(Error::misconfigured("the issuer must not have a query (RFC 8414 2)"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    let with_path = |path: String| {
        let mut url = url.clone();
        url.set_path(&path);
        url
    };
    Ok([
        with_path(format!("{path}/.well-known/openid-configuration")),
        with_path(format!("/.well-known/oauth-authorization-server{path}")),
    ])
}

/// Asks the server, in the OpenID form first and in the form of RFC 8414 when that is not there. `issuer` is what the answer must name.
///
/// Blocks; uses the network. Errors: PROTOCOL (`issuer_mismatch`, not JSON), MISCONFIGURED (no metadata there), UNAVAILABLE, TIMEOUT.
pub fn fetch(
    http: &Http,
    server: &str,
    issuer: &str,
    allow_insecure_loopback: bool,
    patience: Patience,
    deadline_ms: u64,
) -> Result<Metadata> {
    for url in well_known_urls(server, allow_insecure_loopback)? {
        let request = Request { method: Method::Get, url, authorization: None, form: Form::default(), replay: Replay::Safe };
        let response = http.send(&request, patience, deadline_ms)?;
        match response.status {
            200 => {
                let place = crate::http::place(&request);
                let document: Value = match serde_json::from_slice(&response.body.0) {
                    Ok(document) if response.is_json() => document,
                    _ => {
                        let media_type = response.media_type.as_deref().unwrap_or("no media type");
                        return Err(Error::protocol(format!(
                            "{place} answered 200 with {media_type} that is no JSON; check the issuer"
                        ))
                        .with_http_status(200)
                        .with_retryable(true));
                    }
                };
                return parse(&document, issuer, allow_insecure_loopback);
            }
            400..=499 if response.status != 429 => continue,
            _ => return Err(super::token_endpoint::unsuccessful(&request, &response, http.clock().now().unix_ms)),
        }
    }
    Err(Error::misconfigured(format!(
        "{} publishes no metadata; check the issuer, or configure token_endpoint",
        crate::error::one_line(server, 200)
    ))
    // It may be away for a moment only.
    .with_retryable(true))
}

/// Checks a metadata document. The issuer must be the configured one, or nothing of the document is used (RFC 8414 3.3).
///
/// Errors: PROTOCOL with reason `issuer_mismatch`, or for an endpoint that is not https.
pub fn parse(document: &Value, issuer: &str, allow_insecure_loopback: bool) -> Result<Metadata> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    let named = text("issuer").unwrap_or("");
    if named.is_empty() || named != issuer {
        return Err(Error::protocol(format!(
            "the server names itself '{}', not '{}'; set the issuer exactly as the server writes it",
            crate::error::one_line(named, 200),
            crate::error::one_line(issuer, 200)
        ))
        .with_reason("issuer_mismatch"));
    }
    let token_endpoint = text("token_endpoint").map(str::to_owned);
    if let Some(endpoint) = &token_endpoint {
        super::endpoint(endpoint, "token_endpoint in the server's metadata", allow_insecure_loopback)
            .map_err(|error| Error::protocol(error.message()))?;
    }
    let methods = document.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
    Ok(Metadata {
        issuer: named.to_owned(),
        token_endpoint,
        token_endpoint_auth_methods_supported: methods
            .map(|methods| methods.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
    })
}
