//! The revocation endpoint (RFC 7009).

use crate::authorization_server::{Call, refusal};
use crate::client_authentication::{invalid_request, value};
use crate::http::Response;
use crate::sessions::End;
use crate::token_endpoint::read_form;

/// A refresh token ends its session, an access token only itself. The hint is not needed. An
/// unknown token counts as revoked (2.2).
pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut state = call.shared.lock();
    let client = call.authenticate(&mut state, &form)?;
    let token =
        value(&form, "token").ok_or_else(|| invalid_request("Missing form parameter: token"))?;
    let issuer = call.server.issuer(call.origin);
    let number = state.sessions.find(token);
    let Some((number, session)) =
        number.and_then(|number| Some((number, state.sessions.get(number)?)))
    else {
        return Ok(Response::new(200));
    };
    if session.issuer != issuer {
        return Ok(Response::new(200));
    }
    if session.client != client {
        return Err(refusal(400, "invalid_grant", "The token was issued to another client"));
    }
    if state.sessions.is_access_token(token) {
        state.revoked.insert(token.to_owned());
    } else {
        state.sessions.end(number, End::Revocation);
    }
    Ok(Response::new(200))
}
