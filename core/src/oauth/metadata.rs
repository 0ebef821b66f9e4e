//! Authorization server metadata (RFC 8414) and its OpenID Connect form.

use super::endpoint_request;
use crate::deployment::InsecureLoopback;
use crate::error::{Error, Reason, Result};
use crate::http::CallContext;
use serde_json::Value;

/// The members of a server's metadata that planetkey uses.
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    /// Equal to the configured issuer, byte for byte.
    pub issuer: String,
    /// The endpoint to which a user's browser is sent (RFC 6749 3.1).
    pub authorization_endpoint: Option<String>,
    /// The endpoint where tokens are requested.
    pub token_endpoint: Option<String>,
    /// The endpoint where a device login starts (RFC 8628 3.1).
    pub device_authorization_endpoint: Option<String>,
    /// The endpoint where tokens are revoked (RFC 7009 2).
    pub revocation_endpoint: Option<String>,
    /// The endpoint where a token is introspected (RFC 7662 2).
    pub introspection_endpoint: Option<String>,
    /// The endpoint where userinfo is requested (OpenID Connect Core 5.3).
    pub userinfo_endpoint: Option<String>,
    /// The URL of the keys that sign ID tokens.
    pub jwks_uri: Option<String>,
    /// How clients may authenticate at the token endpoint. `None` means client_secret_basic (RFC
    /// 8414 2).
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// The algorithms that ID tokens are signed with.
    pub id_token_signing_alg_values_supported: Option<Vec<String>>,
    /// Whether every authorization response names its issuer (RFC 9207 3).
    pub authorization_response_iss_parameter_supported: bool,
}

/// The two well-known URLs of an issuer. The OpenID form appends; RFC 8414 3.1 inserts between host
/// and path.
///
/// Errors: MISCONFIGURED if the issuer is not an https URL without query and fragment (RFC 8414 2).
pub fn well_known_urls(issuer: &str, insecure_loopback: InsecureLoopback) -> Result<[url::Url; 2]> {
    let url = super::endpoint(issuer, "issuer", insecure_loopback)?;
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

/// Requests the metadata of a server, first in the OpenID form, then in the form of RFC 8414 if the
/// first does not exist. `issuer` is the issuer that the document must name.
///
/// Blocks; uses the network. Errors: PROTOCOL (`issuer_mismatch`, not JSON), MISCONFIGURED (no
/// metadata there), UNAVAILABLE, TIMEOUT.
pub fn fetch(
    call: &CallContext<'_>,
    server: &str,
    issuer: &str,
    insecure_loopback: InsecureLoopback,
) -> Result<Metadata> {
    for url in well_known_urls(server, insecure_loopback)? {
        let (request, response) = endpoint_request::get(call, &url, None)?;
        match response.status {
            200..=299 => {
                let document = endpoint_request::json(&request, &response)?;
                return parse(&document, issuer, insecure_loopback);
            }
            400..=499 if response.status != 429 => continue,
            _ => {
                return Err(endpoint_request::unsuccessful(
                    &request,
                    &response,
                    call.clock().now().unix_ms,
                ));
            }
        }
    }
    Err(Error::misconfigured(format!(
        "{} publishes no metadata; check the issuer, or configure token_endpoint",
        crate::text::one_line(server, 200)
    ))
    // The document may be missing only temporarily.
    .with_retryable(true))
}

/// Requests the document in the form of RFC 8414 from a server that also has the OpenID form,
/// because some servers name certain endpoints only in this form. `None` if it does not exist or is
/// invalid.
///
/// Blocks; uses the network. Errors: UNAVAILABLE, TIMEOUT, MISCONFIGURED, as [`Http::send`].
pub(crate) fn fetch_rfc8414(
    call: &CallContext<'_>,
    server: &str,
    issuer: &str,
    insecure_loopback: InsecureLoopback,
) -> Result<Option<Metadata>> {
    let [_, url] = well_known_urls(server, insecure_loopback)?;
    let (request, response) = endpoint_request::get(call, &url, None)?;
    let document =
        endpoint_request::json(&request, &response).ok().filter(|_| response.is_success());
    Ok(document.and_then(|document| parse(&document, issuer, insecure_loopback).ok()))
}

/// Checks a metadata document. If its issuer is not the configured one, nothing of the document is
/// used (RFC 8414 3.3).
///
/// Errors: PROTOCOL with reason `issuer_mismatch`, or for an endpoint that is not https.
pub fn parse(
    document: &Value,
    issuer: &str,
    insecure_loopback: InsecureLoopback,
) -> Result<Metadata> {
    let text = |member: &str| document.get(member).and_then(Value::as_str);
    let named = text("issuer").unwrap_or("");
    if named.is_empty() || named != issuer {
        return Err(Error::protocol(format!(
            "the server names itself '{}', not '{}'; set the issuer exactly as the server writes it",
            crate::text::one_line(named, 200),
            crate::text::one_line(issuer, 200)
        ))
        .with_reason(Reason::IssuerMismatch));
    }
    let endpoint = |member: &str| match text(member).filter(|endpoint| !endpoint.is_empty()) {
        None => Ok(None),
        Some(endpoint) => super::endpoint(
            endpoint,
            &format!("{member} in the server's metadata"),
            insecure_loopback,
        )
        .map(|_| Some(endpoint.to_owned()))
        .map_err(|error| Error::protocol(error.message())),
    };
    let list = |member: &str| {
        let values = document.get(member).and_then(Value::as_array)?;
        Some(values.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let iss = "authorization_response_iss_parameter_supported";
    Ok(Metadata {
        issuer: named.to_owned(),
        authorization_endpoint: endpoint("authorization_endpoint")?,
        token_endpoint: endpoint("token_endpoint")?,
        device_authorization_endpoint: endpoint("device_authorization_endpoint")?,
        revocation_endpoint: endpoint("revocation_endpoint")?,
        introspection_endpoint: endpoint("introspection_endpoint")?,
        userinfo_endpoint: endpoint("userinfo_endpoint")?,
        jwks_uri: endpoint("jwks_uri")?,
        token_endpoint_auth_methods_supported: list("token_endpoint_auth_methods_supported"),
        id_token_signing_alg_values_supported: list("id_token_signing_alg_values_supported"),
        authorization_response_iss_parameter_supported: document
            .get(iss)
            .and_then(Value::as_bool)
            .unwrap_or(false),
    })
}
