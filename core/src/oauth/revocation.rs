//! Token revocation (RFC 7009).

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Form, Replay};
use crate::secret::Secret;

/// The result of a revocation.
#[derive(Debug)]
pub enum TokenRevocation {
    /// The server no longer accepts the token, or never did: it responds the same to both (RFC 7009
    /// 2.2).
    Revoked,
    /// The server was unreachable or failed: the token must be assumed to be valid (RFC 7009
    /// 2.2.1).
    Unknown(Error),
    /// The server does not revoke tokens of this kind.
    Unsupported(Error),
}

/// Asks the server to revoke a token; `token_type_hint` is `refresh_token` or `access_token`.
///
/// Blocks; uses the network. Errors: MISCONFIGURED (invalid_client, ...), PROTOCOL, and other
/// refusals of the request itself.
pub fn revoke(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    token: &Secret,
    token_type_hint: &str,
) -> Result<TokenRevocation> {
    let mut form = Form::default();
    form.add("token", token.expose())?;
    form.add("token_type_hint", token_type_hint)?;
    let error = match endpoint_request::post(call, endpoint, authentication, form, Replay::Safe) {
        // The body has no further meaning (RFC 7009 2.2).
        Ok((_, response)) if matches!(response.status, 200 | 204) => {
            return Ok(TokenRevocation::Revoked);
        }
        Ok((request, response)) => endpoint_request::refused(
            &request,
            &response,
            authentication,
            call.clock().now().unix_ms,
        ),
        Err(error) => error,
    };
    if error.oauth_error() == Some("unsupported_token_type") {
        let message = "the authorization server does not revoke tokens of this kind; they end at their expiry";
        return Ok(TokenRevocation::Unsupported(endpoint_request::reworded(
            &error,
            Status::Unsupported,
            message,
        )));
    }
    match error.status() {
        Status::Unavailable | Status::Timeout => Ok(TokenRevocation::Unknown(error)),
        _ => Err(error),
    }
}
