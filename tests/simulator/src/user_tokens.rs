//! What a user's client is answered: access token, refresh token and, with `openid`, ID token.

use std::io;

use serde_json::{Map, Value, json};

use crate::authorization_server::{apply, members};
use crate::http::now;
use crate::script::Changes;
use crate::state::{Shared, State};
use crate::tokens::{merge, random_text};

/// Seconds that an ID token lives.
const ID_TOKEN_LIFE: u64 = 36_000;

/// A token response to make.
pub(crate) struct Issue<'a> {
    /// The number of the family.
    pub(crate) family: usize,
    /// The granted scope or a part of it.
    pub(crate) scope: &'a str,
    /// How many seconds ago it is supposed to have been issued.
    pub(crate) age: u64,
    pub(crate) refresh_token: Option<&'a str>,
    pub(crate) changes: Option<&'a Changes>,
}

impl Issue<'_> {
    /// The answer; its access token belongs to the family from now on.
    pub(crate) fn answer(&self, shared: &Shared, state: &mut State) -> io::Result<Value> {
        let expires_in = self.changes.and_then(|changes| changes.expires_in.clone());
        let life = expires_in.as_ref().and_then(Value::as_u64).unwrap_or(state.behaviour.token_life);
        let issued = now().saturating_sub(self.age);
        let key = format!("family {} {}", self.family, self.scope);
        let same = state.behaviour.same_token.then(|| state.latest.get(&key).cloned()).flatten();
        let left = same.as_ref().map_or(life, |(_, expiry)| expiry.saturating_sub(now()));
        let (token, expiry) = match same {
            Some(same) => same,
            None => {
                let expiry = issued.saturating_add(life);
                (shared.key.sign(&Map::new(), &self.claims(state, issued, expiry)?)?, expiry)
            }
        };
        let mut answer = json!({
            "access_token": token,
            "expires_in": expires_in.unwrap_or_else(|| json!(left)),
            "token_type": "Bearer",
            "scope": self.scope,
        });
        if let Some(refresh_token) = self.refresh_token {
            answer["refresh_token"] = json!(refresh_token);
        }
        if has_scope(self.scope, "openid") {
            answer["id_token"] = json!(shared.key.sign(&Map::new(), &self.id_claims(state, issued)?)?);
        }
        apply(&mut answer, self.changes);
        state.issued.insert(token.clone());
        state.sessions.add_access_token(self.family, &token);
        state.latest.insert(key, (token, expiry));
        Ok(answer)
    }

    fn claims(&self, state: &State, issued: u64, expiry: u64) -> io::Result<Map<String, Value>> {
        let family = state.sessions.family(self.family).ok_or_else(gone)?;
        let mut claims = members(json!({
            "iss": family.issuer,
            "sub": family.subject,
            "azp": family.client,
            "iat": issued,
            "exp": expiry,
            "jti": random_text(16)?,
            "scope": self.scope,
        }));
        if let Some(audience) = &family.audience {
            // As Auth0 does: whoever may know the user may ask for more about them.
            let userinfo = format!("{}userinfo", family.issuer);
            let open = has_scope(self.scope, "openid");
            claims.insert("aud".to_owned(), if open { json!([audience, userinfo]) } else { json!(audience) });
        }
        if let Some(changes) = self.changes {
            merge(&mut claims, &changes.claims);
        }
        Ok(claims)
    }

    fn id_claims(&self, state: &State, issued: u64) -> io::Result<Map<String, Value>> {
        let family = state.sessions.family(self.family).ok_or_else(gone)?;
        Ok(members(json!({
            "iss": family.issuer,
            "sub": family.subject,
            "aud": family.client,
            "iat": issued,
            "exp": issued.saturating_add(ID_TOKEN_LIFE),
            "auth_time": family.since,
        })))
    }
}

fn gone() -> io::Error {
    io::Error::other("there is no such family")
}

pub(crate) fn has_scope(scope: &str, wanted: &str) -> bool {
    scope.split_ascii_whitespace().any(|one| one == wanted)
}

/// A new refresh token: nothing that could be read.
pub(crate) fn new_refresh_token() -> io::Result<String> {
    Ok(format!("v1.{}", random_text(32)?))
}
