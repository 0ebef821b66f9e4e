//! The introspection endpoint (RFC 7662).

use serde_json::{Map, Value, json};

use crate::authorization_server::{Call, apply, members};
use crate::client_authentication::{invalid_request, value};
use crate::http::Response;
use crate::resource_server::live_claims;
use crate::state::State;
use crate::token_endpoint::read_form;

/// The claims of an access token that the response repeats.
const CLAIMS: [&str; 8] = ["iss", "sub", "aud", "iat", "exp", "jti", "scope", "nbf"];

pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut state = call.shared.lock();
    let client = call.authenticate(&mut state, &form)?;
    let token =
        value(&form, "token").ok_or_else(|| invalid_request("Missing form parameter: token"))?;
    // The response does not say why a token is inactive (2.2).
    let mut response = active(call, &state, &client, token)
        .map_or_else(|| json!({"active": false}), Value::Object);
    apply(&mut response, call.changes);
    Ok(Response::json(200, &response))
}

/// The response for a valid token of this server that the client may introspect.
fn active(call: &Call, state: &State, client: &str, token: &str) -> Option<Map<String, Value>> {
    let session = state.sessions.get(state.sessions.find(token)?)?;
    if session.issuer != call.server.issuer(call.origin) {
        return None;
    }
    // A public client does not authenticate, so it may introspect only its own tokens.
    let public = state.clients.get(client).is_none_or(|client| client.is_public());
    if public && session.client != client {
        return None;
    }
    let mut response = members(json!({
        "active": true,
        "client_id": session.client,
        "username": session.user.name,
    }));
    if state.sessions.is_access_token(token) {
        let claims = live_claims(call.shared, state, token).ok()?;
        response.insert("token_type".to_owned(), json!("Bearer"));
        response.extend(claims.into_iter().filter(|(name, _)| CLAIMS.contains(&name.as_str())));
        return Some(response);
    }
    let expiry = state.sessions.refresh_token_expiry(token)?;
    response.extend(members(
        json!({"iss": session.issuer, "sub": session.user.subject, "scope": session.scope}),
    ));
    if let Some(expiry) = expiry {
        response.insert("exp".to_owned(), json!(expiry));
    }
    Some(response)
}
