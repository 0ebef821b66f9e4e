//! The userinfo endpoint (OpenID Connect Core 5.3): the user whom an access token represents.

use super::endpoint_request;
use crate::error::{Error, Reason, Result, Status};
use crate::http::CallContext;
use crate::secret::Secret;
use serde_json::{Map, Value};

/// Requests the claims of the user whom the access token represents.
///
/// Blocks; uses the network. Errors: LOGIN_REQUIRED with the HTTP status 401 if the token is not
/// accepted, which a refresh may fix; MISCONFIGURED (403: the scope `openid` is missing),
/// UNAVAILABLE, TIMEOUT, PROTOCOL (not JSON, no `sub`).
pub fn request(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    access_token: &Secret,
) -> Result<Map<String, Value>> {
    let authorization = Secret::from(format!("Bearer {}", access_token.expose()));
    let (request, response) = endpoint_request::get(call, endpoint, Some(authorization))?;
    let refused =
        || endpoint_request::unsuccessful(&request, &response, call.clock().now().unix_ms);
    match response.status {
        _ if response.is_success() => {}
        401 => {
            let message = "the userinfo endpoint does not accept the access token; log in again";
            return Err(endpoint_request::reworded(&refused(), Status::LoginRequired, message)
                .with_reason(Reason::Expired));
        }
        403 => {
            let message = "the access token does not open the userinfo endpoint, which takes the scope openid; log in again with it and \
                           all other scopes that are needed";
            return Err(endpoint_request::reworded(&refused(), Status::Misconfigured, message));
        }
        _ => return Err(refused()),
    }
    let Value::Object(members) = endpoint_request::json(&request, &response)?.take() else {
        return Err(Error::protocol("the userinfo response is not a JSON object"));
    };
    match members.get("sub").and_then(Value::as_str) {
        Some(subject) if !subject.is_empty() => Ok(members),
        _ => Err(Error::protocol("the userinfo response names no sub (OpenID Connect Core 5.3.2)")),
    }
}

/// Checks that userinfo is about the user of the ID token. Otherwise it must not be used (OpenID
/// Connect Core 5.3.2).
///
/// Errors: TOKEN_INVALID with reason `bad_subject`.
pub fn check_subject(members: &Map<String, Value>, id_token_subject: &str) -> Result<()> {
    if members.get("sub").and_then(Value::as_str) == Some(id_token_subject) {
        return Ok(());
    }
    let message = "the userinfo response is about another user than the ID token, so it is not used; log in again";
    Err(Error::new(Status::TokenInvalid, message).with_reason(Reason::BadSubject))
}
