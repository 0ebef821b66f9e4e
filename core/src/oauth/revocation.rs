//! Token revocation (RFC 7009).

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Form, Replay};
use crate::secret::Secret;

/// What became of a token.
#[derive(Debug)]
pub enum Revocation {
    /// It is not accepted any more, or never was: the server says the same to both (RFC 7009 2.2).
    Revoked,
    /// The server could not be asked or is in trouble: the token must be taken for alive (RFC 7009 2.2.1).
    Unknown(Error),
    /// The server does not revoke tokens of this kind.
    Unsupported(Error),
}

/// Asks the server to accept a token no more; `token_type_hint` is `refresh_token` or `access_token`.
///
/// Blocks; uses the network. Errors: MISCONFIGURED (invalid_client, ...), PROTOCOL, and what else refuses the request itself.
pub fn revoke(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    token: &Secret,
    token_type_hint: &str,
) -> Result<Revocation> {
    let mut form = Form::default();
    form.add("token", token.expose())?;
    form.add("token_type_hint", token_type_hint)?;
    let error = match endpoint_request::post(call, endpoint, authentication, form, Replay::Safe) {
        // The body says nothing more (RFC 7009 2.2).
        Ok((_, response)) if matches!(response.status, 200 | 204) => return Ok(Revocation::Revoked),
        Ok((request, response)) => endpoint_request::refused(&request, &response, authentication, call.clock().now().unix_ms),
        Err(error) => error,
    };
    if error.oauth_error() == Some("unsupported_token_type") {
        let message = "the authorization server does not revoke tokens of this kind; they end at their expiry";
        return Ok(Revocation::Unsupported(endpoint_request::reworded(&error, Status::Unsupported, message)));
    }
    match error.status() {
        Status::Unavailable | Status::Timeout => Ok(Revocation::Unknown(error)),
        _ => Err(error),
    }
}
