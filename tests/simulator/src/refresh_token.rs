//! The refresh token grant (RFC 6749 6), with rotation and reuse detection.

use std::io;

use serde_json::Value;

use crate::authorization_server::{Call, refusal};
use crate::client_authentication::{invalid_request, value};
use crate::http::Response;
use crate::sessions::Verified;
use crate::state::State;
use crate::token_endpoint::Form;
use crate::user_tokens::{Issue, has_scope, new_refresh_token};

pub(crate) fn respond(
    call: &Call,
    state: &mut State,
    client: &str,
    form: &Form,
) -> Result<Value, Response> {
    let token = value(form, "refresh_token")
        .ok_or_else(|| invalid_request("Missing form parameter: refresh_token"))?;
    let issuer = call.server.issuer(call.origin);
    let overlap =
        state.behaviour.overlap_for(call.request.header("user-agent").unwrap_or_default());
    // The same error for every reason, as Auth0 responds.
    let invalid_grant = || refusal(400, "invalid_grant", "Unknown or invalid refresh token.");
    let verified =
        state.sessions.verify(token, client, &issuer, overlap).ok_or_else(invalid_grant)?;
    let session = state.sessions.get(verified.session).ok_or_else(invalid_grant)?;
    let scope = match value(form, "scope") {
        None => session.scope.clone(),
        Some(part) if part.split_ascii_whitespace().all(|one| has_scope(&session.scope, one)) => {
            part.to_owned()
        }
        Some(_) => return Err(refusal(400, "invalid_scope", "The scope exceeds what was granted")),
    };
    if value(form, "audience").is_some_and(|audience| session.audience.as_deref() != Some(audience))
    {
        return Err(refusal(400, "invalid_target", "The audience is not the one that was granted"));
    }
    refresh(call, state, token, &verified, &scope)
        .map_err(|error| refusal(500, "server_error", &error.to_string()))
}

fn refresh(
    call: &Call,
    state: &mut State,
    token: &str,
    verified: &Verified,
    scope: &str,
) -> io::Result<Value> {
    let next = match &verified.successor {
        Some(successor) => Some(successor.clone()),
        None if state.behaviour.rotation => Some(new_refresh_token()?),
        None => None,
    };
    let refresh_token = next.as_deref();
    let issue = Issue {
        session: verified.session,
        scope,
        age: 0,
        refresh_token,
        nonce: None,
        changes: call.changes,
    };
    let response = issue.respond(call.shared, state)?;
    let lifetime = state.behaviour.refresh_token_lifetime;
    match (&verified.successor, &next) {
        (Some(_), _) => state.sessions.repeat(verified.session),
        (None, Some(successor)) => state.sessions.rotate(token, successor, lifetime),
        // Without rotation the token stays valid.
        (None, None) => {}
    }
    Ok(response)
}
