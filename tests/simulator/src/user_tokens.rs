//! Token responses for users: access token, refresh token and, with `openid`, ID token.

use std::io;

use jsonwebtoken::Algorithm;
use serde_json::{Map, Value, json};

use crate::authorization_server::{Call, apply, members};
use crate::http::now;
use crate::keys::Signer;
use crate::script::Changes;
use crate::sessions::Session;
use crate::state::{Shared, State};
use crate::token_endpoint::GrantType;
use crate::tokens::{merge, random_text};
use crate::user::User;

/// Lifetime of ID tokens in seconds.
const ID_TOKEN_LIFE: u64 = 36_000;

/// A user's consent for a client.
#[derive(Clone)]
pub(crate) struct Grant {
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) user: User,
    pub(crate) scope: String,
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    /// When the user logged in.
    pub(crate) since: u64,
}

impl Grant {
    /// Starts the session. Returns its number and the token response.
    pub(crate) fn open(self, call: &Call, state: &mut State) -> io::Result<(usize, Value)> {
        let lifetime = state.behaviour.refresh_token_lifetime;
        self.open_with(call.shared, state, 0, lifetime, call.changes)
    }

    /// The same with an age and a lifetime of the refresh token.
    pub(crate) fn open_with(
        self,
        shared: &Shared,
        state: &mut State,
        age: u64,
        refresh_token_lifetime: Option<u64>,
        changes: Option<&Changes>,
    ) -> io::Result<(usize, Value)> {
        let Self { issuer, client, user, scope, audience, nonce, since } = self;
        let may_refresh = state
            .clients
            .get(&client)
            .is_some_and(|client| client.may_use(GrantType::RefreshToken));
        // Without `offline_access` there is no refresh token.
        let refresh_token = (may_refresh && has_scope(&scope, "offline_access"))
            .then(new_refresh_token)
            .transpose()?;
        let session =
            state.sessions.open(Session::new(issuer, client, user, scope.clone(), audience, since));
        let refresh_token = refresh_token.as_deref();
        let issue =
            Issue { session, scope: &scope, age, refresh_token, nonce: nonce.as_deref(), changes };
        let response = issue.respond(shared, state)?;
        if let Some(token) = refresh_token {
            state.sessions.begin(session, token, refresh_token_lifetime);
        }
        Ok((session, response))
    }
}

/// The parts of a token response.
pub(crate) struct Issue<'a> {
    /// The number of the session.
    pub(crate) session: usize,
    /// The granted scope or a part of it.
    pub(crate) scope: &'a str,
    /// Age of the token in seconds.
    pub(crate) age: u64,
    pub(crate) refresh_token: Option<&'a str>,
    /// The nonce that the ID token repeats.
    pub(crate) nonce: Option<&'a str>,
    pub(crate) changes: Option<&'a Changes>,
}

impl Issue<'_> {
    /// The response. Its access token belongs to the session from now on.
    pub(crate) fn respond(&self, shared: &Shared, state: &mut State) -> io::Result<Value> {
        let expires_in = self.changes.and_then(|changes| changes.expires_in.clone());
        let lifetime =
            expires_in.as_ref().and_then(Value::as_u64).unwrap_or(state.behaviour.token_lifetime);
        let issued = now().saturating_sub(self.age);
        let key = format!("session {} {}", self.session, self.scope);
        let same = state.behaviour.same_token.then(|| state.latest.get(&key).cloned()).flatten();
        let left = same.as_ref().map_or(lifetime, |(_, expiry)| expiry.saturating_sub(now()));
        let (token, expiry) = match same {
            Some(same) => same,
            None => {
                let expiry = issued.saturating_add(lifetime);
                (shared.keys.sign(&self.claims(state, issued, expiry)?)?, expiry)
            }
        };
        let mut response = json!({
            "access_token": token,
            "expires_in": expires_in.unwrap_or_else(|| json!(left)),
            "token_type": "Bearer",
            "scope": self.scope,
        });
        if let Some(refresh_token) = self.refresh_token {
            response["refresh_token"] = json!(refresh_token);
        }
        if has_scope(self.scope, "openid") {
            response["id_token"] = json!(self.id_token(shared, state, issued)?);
        }
        apply(&mut response, self.changes);
        state.issued.insert(token.clone());
        state.sessions.add_access_token(self.session, &token);
        state.latest.insert(key, (token, expiry));
        Ok(response)
    }

    fn claims(&self, state: &State, issued: u64, expiry: u64) -> io::Result<Map<String, Value>> {
        let session = state.sessions.get(self.session).ok_or_else(gone)?;
        let mut claims = members(json!({
            "iss": session.issuer,
            "sub": session.user.subject,
            "azp": session.client,
            "iat": issued,
            "exp": expiry,
            "jti": random_text(16)?,
            "scope": self.scope,
        }));
        // As Auth0 does: with `openid` the token is also valid at the userinfo endpoint.
        let userinfo =
            has_scope(self.scope, "openid").then(|| format!("{}userinfo", session.issuer));
        match (&session.audience, userinfo) {
            (Some(audience), Some(userinfo)) => {
                claims.insert("aud".to_owned(), json!([audience, userinfo]))
            }
            (Some(audience), None) => claims.insert("aud".to_owned(), json!(audience)),
            (None, Some(userinfo)) => claims.insert("aud".to_owned(), json!(userinfo)),
            (None, None) => None,
        };
        if let Some(changes) = self.changes {
            merge(&mut claims, &changes.claims);
        }
        Ok(claims)
    }

    fn id_token(&self, shared: &Shared, state: &State, issued: u64) -> io::Result<String> {
        let mut claims = self.id_claims(state, issued)?;
        // The first algorithm of the metadata.
        let algorithm =
            state.behaviour.id_token_algorithms.first().copied().unwrap_or(Algorithm::RS256);
        let Some(changes) = self.changes.map(|changes| &changes.id_token) else {
            return shared.keys.sign_as(algorithm, Signer::Current, &Map::new(), &claims);
        };
        merge(&mut claims, &changes.claims);
        shared.keys.sign_as(algorithm, changes.signer, &changes.header, &claims)
    }

    fn id_claims(&self, state: &State, issued: u64) -> io::Result<Map<String, Value>> {
        let session = state.sessions.get(self.session).ok_or_else(gone)?;
        let mut claims = members(json!({
            "iss": session.issuer,
            "aud": session.client,
            "iat": issued,
            "exp": issued.saturating_add(ID_TOKEN_LIFE),
            "auth_time": session.since,
        }));
        claims.extend(session.user.claims(self.scope));
        if let Some(nonce) = self.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        Ok(claims)
    }
}

fn gone() -> io::Error {
    io::Error::other("there is no such session")
}

pub(crate) fn has_scope(scope: &str, wanted: &str) -> bool {
    scope.split_ascii_whitespace().any(|one| one == wanted)
}

/// A new opaque refresh token.
pub(crate) fn new_refresh_token() -> io::Result<String> {
    Ok(format!("v1.{}", random_text(32)?))
}
