//! The client credentials grant (RFC 6749 4.4), with Keycloak's responses.

use std::io;

use serde_json::{Map, Value, json};

use crate::authorization_server::{Call, apply, members, refusal};
use crate::client_authentication::value;
use crate::http::{Response, now};
use crate::state::State;
use crate::token_endpoint::Form;
use crate::tokens::{merge, random_text};

pub(crate) fn respond(
    call: &Call,
    state: &mut State,
    client: &str,
    form: &Form,
) -> Result<Value, Response> {
    if state.clients.get(client).is_some_and(|client| client.is_public()) {
        let description = "Public client not allowed to retrieve service account";
        return Err(refusal(401, "unauthorized_client", description));
    }
    let scope = value(form, "scope").unwrap_or_default();
    check_scope(state, scope)?;
    let issuer = call.server.issuer(call.origin);
    let grant = Grant { issuer: &issuer, client, scope, audience: value(form, "audience") };
    grant.issue(call, state).map_err(|error| refusal(500, "server_error", &error.to_string()))
}

fn check_scope(state: &State, scope: &str) -> Result<(), Response> {
    let allowed = |scope: &str| match &state.behaviour.scopes {
        // Offline access needs a user.
        _ if scope == "offline_access" => false,
        Some(scopes) => scopes.iter().any(|known| known == scope),
        None => true,
    };
    if scope.split_ascii_whitespace().all(allowed) {
        return Ok(());
    }
    let description = format!("Invalid scopes: {scope}");
    Err(refusal(400, "invalid_scope", &description))
}

/// The grant of an M2M client.
struct Grant<'a> {
    issuer: &'a str,
    client: &'a str,
    scope: &'a str,
    audience: Option<&'a str>,
}

impl Grant<'_> {
    fn issue(&self, call: &Call, state: &mut State) -> io::Result<Value> {
        let behaviour = &state.behaviour;
        let expires_in = call.changes.and_then(|changes| changes.expires_in.clone());
        let lifetime =
            expires_in.as_ref().and_then(Value::as_u64).unwrap_or(behaviour.token_lifetime);
        let audience =
            self.audience.map(str::to_owned).or_else(|| behaviour.default_audience.clone());
        // Keycloak grants its default scopes to a request without scope.
        let scope = if self.scope.is_empty() { "email profile" } else { self.scope };
        let now = now();
        let key = format!("{} {} {audience:?} {scope}", self.issuer, self.client);
        let same = behaviour.same_token.then(|| state.latest.get(&key).cloned());
        let (token, expiry) = match same.flatten() {
            Some(same) => same,
            None => {
                let expiry = now.saturating_add(lifetime);
                let mut claims = service_claims(self.issuer, self.client, scope, expiry)?;
                if let Some(audience) = audience {
                    claims.insert("aud".to_owned(), json!(audience));
                }
                if let Some(changes) = call.changes {
                    merge(&mut claims, &changes.claims);
                }
                (call.shared.keys.sign(&claims)?, expiry)
            }
        };
        state.issued.insert(token.clone());
        state.latest.insert(key, (token.clone(), expiry));
        let mut response = json!({
            "access_token": token,
            "expires_in": expires_in.unwrap_or_else(|| json!(expiry.saturating_sub(now))),
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": scope,
        });
        apply(&mut response, call.changes);
        Ok(response)
    }
}

/// The claims of a token of a service account.
pub(crate) fn service_claims(
    issuer: &str,
    client: &str,
    scope: &str,
    expiry: u64,
) -> io::Result<Map<String, Value>> {
    Ok(members(json!({
        "iss": issuer,
        "sub": format!("service-account-{client}"),
        "azp": client,
        "client_id": client,
        "typ": "Bearer",
        "iat": now(),
        "exp": expiry,
        "jti": random_text(16)?,
        "scope": scope,
    })))
}
