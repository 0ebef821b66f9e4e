//! OAuth 2.0, one file per idea, without state. Each returns a checked response or an error.

pub mod authorization_code;
pub mod client_authentication;
pub mod client_credentials;
pub mod device_code;
pub(crate) mod endpoint_request;
pub mod id_token;
pub mod introspection;
pub mod jose;
pub mod jwks;
pub mod metadata;
pub mod pkce;
pub mod refresh_token;
pub mod revocation;
pub mod token_endpoint;
pub mod userinfo;

use crate::deployment::InsecureLoopback;
use crate::error::{Error, Result};

/// Parses an endpoint of an authorization server: https, or http to loopback if that is allowed
/// (RFC 6749 3.1, 3.2; RFC 8414 2).
///
/// Errors: MISCONFIGURED.
pub(crate) fn endpoint(
    text: &str,
    what: &str,
    insecure_loopback: InsecureLoopback,
) -> Result<url::Url> {
    let url = url::Url::parse(text).map_err(|_| {
        Error::misconfigured(format!("the {what} is not a URL; give it as https://..."))
    })?;
    let loopback = crate::http::is_loopback(&url);
    let acceptable = match url.scheme() {
        "https" => true,
        "http" => loopback && insecure_loopback == InsecureLoopback::Allowed,
        _ => false,
    };
    if !acceptable {
        let hint = if loopback {
            "; for a test server on this machine set allow_insecure_loopback"
        } else {
            ""
        };
        return Err(Error::misconfigured(format!("the {what} must be an https URL{hint}")));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(Error::misconfigured(format!(
            "the {what} must hold neither user information nor a fragment"
        )));
    }
    Ok(url)
}
