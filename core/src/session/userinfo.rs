//! The user who is logged in: ID token, userinfo, introspection.

use super::Session;
use super::cancel::interruptibly;
use super::user_source::{Expiry, UserSource};
use crate::client::{Endpoint, WantedKeys};
use crate::error::{Error, Reason, Result};
use crate::http::{CallContext, Retry};
use crate::oauth::id_token::{self, Claims, Expected, Verification};
use crate::oauth::{endpoint_request, introspection, userinfo};
use crate::secret::Secret;
use serde_json::{Map, Value};

impl Session {
    /// The server's claims about the user who is logged in (OpenID Connect Core 5.3): `sub`, and
    /// depending on the scopes, name, e-mail address and more. The subject is compared with that of
    /// the session.
    ///
    /// Blocks; uses the network. Errors: UNSUPPORTED if this session has no user login or the
    /// server has no such endpoint, LOGIN_REQUIRED, MISCONFIGURED (the scope `openid` was not
    /// granted), TOKEN_INVALID (`bad_subject`), UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn userinfo(&self) -> Result<Map<String, Value>> {
        let user = self.user_source()?;
        user.userinfo().map_err(|error| error.with_profile(user.profile()))
    }

    /// The claims of the session's ID token, verified with the server's keys: which user logged in,
    /// and when. The ID token may be older than the access token, so its expiry is not checked.
    ///
    /// Blocks; uses the network if the keys are not cached. Errors: UNSUPPORTED if this session has
    /// no user login, LOGIN_REQUIRED if no user has logged in, MISCONFIGURED if the scope `openid`
    /// was not requested, TOKEN_INVALID, UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn id_token_claims(&self) -> Result<Map<String, Value>> {
        let user = self.user_source()?;
        user.id_token_claims().map_err(|error| error.with_profile(user.profile()))
    }

    /// The server's information about a token (RFC 7662), such as `active`. The default is the
    /// session's own access token.
    ///
    /// Blocks; uses the network. Errors: INVALID_ARGUMENT, UNSUPPORTED if the session holds no
    /// tokens or the server has no such endpoint, MISCONFIGURED, UNAVAILABLE, TIMEOUT, CANCELLED,
    /// PROTOCOL.
    pub fn introspect(&self, token: Option<&str>) -> Result<Map<String, Value>> {
        let tokens = self.tokens()?.clone();
        let (token, hint) = match token {
            Some("") => {
                return Err(Error::invalid_argument(
                    "give the token that is asked about, or none for the session's own",
                ));
            }
            Some(token) => (Secret::from(token), None),
            None => (Secret::from(tokens.current(self.wait())?.token()), Some("access_token")),
        };
        let timeout = self.timeout;
        interruptibly(self.wait(), "the introspection", move || {
            let call = CallContext::within(tokens.http(), Retry::WithinDeadline, timeout);
            let endpoint = tokens.client().required_endpoint(Endpoint::Introspection, &call)?;
            let (_, authentication) = tokens.client().token_endpoint(&call)?;
            let response =
                introspection::introspect(&call, &endpoint, &authentication, &token, hint)?;
            Ok(response.members)
        })
    }
}

impl UserSource {
    fn userinfo(&self) -> Result<Map<String, Value>> {
        let snapshot = self.cache().current(self.wait())?;
        let members = match self.ask_userinfo(snapshot.token()) {
            Err(error)
                if error.http_status() == Some(401)
                    && self.takes_another_token(snapshot.token()) =>
            {
                self.ask_userinfo(self.cache().current(self.wait())?.token())
            }
            answer => answer,
        }?;
        let stored = self.saved_tokens();
        let id_token = stored.as_ref().and_then(|stored| stored.tokens.id_token());
        if let Some(subject) = id_token.and_then(|token| crate::jwt::text_claim(token, "sub")) {
            userinfo::check_subject(&members, &subject)?;
        }
        Ok(members)
    }

    /// Takes a refused token out of use, unless another caller has already done so. Returns whether
    /// another token is or will be available.
    fn takes_another_token(&self, refused: &str) -> bool {
        let cache = self.cache();
        cache.invalidate(refused) || !cache.holds(refused) || cache.is_rejected()
    }

    fn ask_userinfo(&self, access_token: &str) -> Result<Map<String, Value>> {
        let (user, token) = (self.clone(), Secret::from(access_token));
        interruptibly(self.wait(), "asking for userinfo", move || {
            let call = CallContext::within(user.http(), Retry::WithinDeadline, user.timeout());
            let endpoint = user.client().required_endpoint(Endpoint::Userinfo, &call)?;
            userinfo::request(&call, &endpoint, &token).map_err(|error| match error.http_status() {
                Some(403) => endpoint_request::reworded(
                    &error,
                    error.status(),
                    &format!(
                        "the access token does not open the userinfo endpoint; {}",
                        user.log_in_with_openid()
                    ),
                )
                .with_reason(Reason::MissingScope),
                _ => error,
            })
        })
    }

    /// What to do about a session without the scope `openid`. It names all scopes, because a login
    /// requests only those that it names: one with `openid` alone would lose the others.
    fn log_in_with_openid(&self) -> String {
        let mut scopes: Vec<&str> = self.client().scopes().iter().map(String::as_str).collect();
        for scope in ["openid", "profile", "email"] {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        let scopes = crate::text::one_line(&scopes.join(" "), 300);
        format!("log in again with the scopes {scopes}")
    }

    fn id_token_claims(&self) -> Result<Map<String, Value>> {
        // A logged-out user has no ID token either.
        self.cache().current(self.wait())?;
        let stored = self.saved_tokens();
        let id_token =
            stored.as_ref().and_then(|stored| stored.tokens.id_token()).ok_or_else(|| {
                let message = format!("the session has no ID token; {}", self.log_in_with_openid());
                Error::misconfigured(message).with_reason(Reason::MissingScope)
            })?;
        self.verify_id_token(Secret::from(id_token), None, Expiry::Ignored).map(|claims| claims.0)
    }

    /// Errors: TOKEN_INVALID, UNSUPPORTED if the server publishes no keys, UNAVAILABLE, TIMEOUT,
    /// CANCELLED, PROTOCOL.
    pub(super) fn verify_id_token(
        &self,
        id_token: Secret,
        nonce: Option<String>,
        expiry: Expiry,
    ) -> Result<Claims> {
        let user = self.clone();
        interruptibly(self.wait(), "verifying the ID token", move || {
            let (http, client) = (user.http(), user.client());
            let call = CallContext::within(http, Retry::WithinDeadline, user.timeout());
            let algorithms =
                client.id_token_algorithms(id_token::named_algorithm(id_token.expose()), &call)?;
            for wanted in [WantedKeys::Cached, WantedKeys::Newer] {
                let keys = client.keys(&call, wanted)?;
                let expected = Expected {
                    issuer: client.issuer(),
                    client_id: client.client_id(),
                    nonce: nonce.as_deref(),
                    algorithms: &algorithms,
                    now: http.clock().now().unix_ms / 1000,
                    check_expiry: expiry == Expiry::Checked,
                };
                if let Verification::Valid(claims) =
                    id_token::verify(id_token.expose(), &keys, &expected)
                        .map_err(|error| client.of_issuer(error))?
                {
                    return Ok(claims);
                }
            }
            Err(id_token::unknown_key())
        })
    }
}
