//! The userinfo endpoint (OpenID Connect Core 5.3).

use serde_json::{Value, json};

use crate::authorization_server::{Call, apply};
use crate::http::Response;
use crate::resource_server::{bearer, live_claims};
use crate::tokens::names;
use crate::user::User;
use crate::user_tokens::has_scope;

pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    if call.request.method != "GET" && call.request.method != "POST" {
        return Err(Response::new(405).with("Allow", "GET, POST"));
    }
    let headers = call.request.header_values("authorization");
    let token = match headers.as_slice() {
        [header] => bearer(header),
        _ => None,
    };
    let token = token
        .ok_or_else(|| Response::new(401).with("WWW-Authenticate", "Bearer realm=\"userinfo\""))?;
    let issuer = call.server.issuer(call.origin);
    let state = call.shared.lock();
    let claims = live_claims(call.shared, &state, token)
        .map_err(|reason| refusal(401, "invalid_token", reason))?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    if text("iss") != issuer {
        return Err(refusal(401, "invalid_token", "the issuer is not this server"));
    }
    if !has_scope(text("scope"), "openid") {
        return Err(refusal(403, "insufficient_scope", "the token has no scope openid"));
    }
    if !names(claims.get("aud"), &format!("{issuer}userinfo")) {
        return Err(refusal(401, "invalid_token", "the audience is not the userinfo endpoint"));
    }
    let session = state.sessions.find(token).and_then(|number| state.sessions.get(number));
    let user =
        session.map_or_else(|| User::with_subject(text("sub")), |session| session.user.clone());
    let mut response = Value::Object(user.claims(text("scope")));
    apply(&mut response, call.changes);
    Ok(Response::json(200, &response))
}

/// RFC 6750 3.1.
fn refusal(status: u16, error: &str, description: &str) -> Response {
    let challenge = format!(
        "Bearer realm=\"userinfo\", error=\"{error}\", error_description=\"{description}\""
    );
    let body = json!({"error": error, "error_description": description});
    Response::json(status, &body).with("WWW-Authenticate", &challenge)
}
