//! The session of a user who logs in: its tokens, and the user whom they name.

use super::revocation::Revocation;
use super::source::Source;
use super::{Interrupt, Session};
use crate::client::Client;
use crate::credential::TokenSet;
use crate::error::{Error, Reason, Result, Status};
use crate::http::Http;
use crate::jwt;
use crate::oauth::id_token::Claims;
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::storage::Stored;
use crate::token_cache::{Pending, TokenCache, Wait};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// A login by a different user than the one whose session is saved.
#[derive(Clone, Debug)]
pub(crate) struct OtherUser {
    /// The `sub` of the saved session.
    pub(crate) saved: String,
    /// The e-mail address of the saved session's user, else its `sub`; one line.
    pub(crate) saved_name: String,
    /// The e-mail address of the new user, else the `sub`; one line.
    pub(crate) new_name: String,
}

/// The result of a login, without a secret.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LoginResult {
    /// Whether the user was prompted; `false` if the session was valid or could be refreshed.
    pub prompted: bool,
    /// The user: the `sub` of the ID token, else of the access token if that is a JWT.
    pub subject: Option<String>,
    /// The user's e-mail address, if the scope `email` was granted.
    pub email: Option<String>,
    /// The granted scopes.
    pub scopes: Vec<String>,
    /// Unix seconds at which the access token expires.
    pub expires_at: Option<i64>,
    /// The profile that the session belongs to.
    pub profile: Option<String>,
    /// Where the session is saved; `None` if it lives in this process only.
    pub file: Option<PathBuf>,
    /// The store that the session is saved in, without its password, if it is in none of the files.
    pub store: Option<String>,
}

impl LoginResult {
    /// The result as JSON, with the names of the fields.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({
            "prompted": self.prompted,
            "subject": self.subject,
            "email": self.email,
            "scopes": self.scopes,
            "expires_at": self.expires_at,
            "profile": self.profile,
            "file": self.file.as_ref().map(|file| file.display().to_string()),
            "store": self.store,
        })
    }
}

/// Whether an expired ID token is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expiry {
    Checked,
    Ignored,
}

/// The user whose tokens these are, as the tokens' claims say.
pub(super) struct UserClaims {
    pub(super) subject: Option<String>,
    pub(super) email: Option<String>,
}

impl UserClaims {
    pub(super) fn of(tokens: &TokenSet) -> UserClaims {
        let claim = |name: &str| tokens.id_token().and_then(|token| jwt::text_claim(token, name));
        let of_access_token = || jwt::text_claim(tokens.access_token.expose(), "sub");
        UserClaims { subject: claim("sub").or_else(of_access_token), email: claim("email") }
    }

    fn name(&self) -> String {
        let name = self.email.as_ref().or(self.subject.as_ref());
        name.map_or_else(|| "an unknown user".to_owned(), |name| crate::text::one_line(name, 100))
    }
}

/// The source of a session that a user logs in to: its tokens, and how long a call waits for them.
#[derive(Clone)]
pub(crate) struct UserSource {
    cache: Arc<TokenCache>,
    timeout: Duration,
    interrupt: Option<Interrupt>,
}

impl Session {
    /// The source whose tokens belong to a user. If no user has logged in yet, the one that a login
    /// would fill.
    ///
    /// Errors: UNSUPPORTED.
    pub(crate) fn user_source(&self) -> Result<UserSource> {
        let sources = self.shared.sources.iter().chain(&self.shared.to_log_in);
        let mut caches =
            sources.filter_map(Source::tokens).filter(|cache| !cache.client().is_m2m());
        let cache = caches.next().ok_or_else(|| {
            Error::new(
                Status::Unsupported,
                "this session has no user login; open the profile of a user, such as planet-user",
            )
        })?;
        Ok(UserSource {
            cache: cache.clone(),
            timeout: self.timeout,
            interrupt: self.interrupt.clone(),
        })
    }

    /// The user whose session is saved, as its own tokens say; `None` if no user has logged in. The
    /// session may have expired or been revoked since.
    ///
    /// Uses no network, and reads the session's file.
    pub fn logged_in(&self) -> Option<LoginResult> {
        let user = self.user_source().ok()?;
        let stored = user.saved_tokens()?;
        let expires_at = i64::try_from(stored.expires_unix_ms / 1000).ok();
        Some(user.logged_in(
            UserClaims::of(&stored.tokens),
            stored.tokens.scopes.clone(),
            expires_at,
        ))
    }

    /// Revokes the tokens of a login that could not be saved, and discards them from memory. For
    /// programs that exit after a login. Returns why they were not saved, and what became of the
    /// refresh token; `None` if everything was saved. What is on disk stays.
    ///
    /// Blocks; uses the network.
    pub fn revoke_unsaved(&self) -> Option<(Error, Revocation)> {
        let user = self.user_source().ok()?;
        let unsaved = user.cache.discard_unsaved()?;
        let revocation = user.revoke(&unsaved.tokens.tokens.members);
        Some((unsaved.error.clone(), revocation))
    }
}

impl UserSource {
    pub(crate) fn client(&self) -> &Client {
        self.cache.client()
    }

    pub(crate) fn http(&self) -> &Http {
        self.cache.http()
    }

    pub(crate) fn profile(&self) -> Option<&str> {
        self.cache.profile()
    }

    pub(crate) fn wait(&self) -> Wait<'_> {
        Wait { timeout: self.timeout, interrupt: self.interrupt.as_deref() }
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The callback that a waiting call asks whether its caller has cancelled.
    pub(crate) fn interrupt(&self) -> Option<Interrupt> {
        self.interrupt.clone()
    }

    pub(crate) fn cache(&self) -> &Arc<TokenCache> {
        &self.cache
    }

    /// The same source with another interrupt callback.
    pub(crate) fn with_interrupt(&self, interrupt: Interrupt) -> UserSource {
        UserSource { interrupt: Some(interrupt), ..self.clone() }
    }

    /// The current session, refreshed if necessary.
    ///
    /// Errors: as [`Session::access_token`].
    pub(crate) fn current(&self) -> Result<LoginResult> {
        let token = self.cache.current(self.wait())?;
        let claims = match self.saved_tokens() {
            Some(stored) => UserClaims::of(&stored.tokens),
            None => UserClaims { subject: jwt::text_claim(token.token(), "sub"), email: None },
        };
        Ok(self.logged_in(claims, token.scopes.clone(), token.expires_at))
    }

    /// Whether it is certain, without prompting the user, that there is no session.
    pub(crate) fn has_no_session(&self) -> bool {
        self.cache.has_no_session()
    }

    /// Whether the saved session can no longer be refreshed because the server revoked its refresh
    /// token.
    pub(crate) fn is_revoked(&self) -> bool {
        self.saved_tokens().is_some_and(|tokens| self.cache.is_revoked(&tokens))
    }

    /// The tokens that are saved now, as far as they can be read without waiting.
    pub(super) fn saved_tokens(&self) -> Option<Arc<Stored>> {
        self.cache.tokens()
    }

    fn logged_in(
        &self,
        claims: UserClaims,
        scopes: Vec<String>,
        expires_at: Option<i64>,
    ) -> LoginResult {
        let is_saved = self.cache.unsaved_because().is_none();
        LoginResult {
            prompted: false,
            subject: claims.subject,
            email: claims.email,
            scopes,
            expires_at,
            profile: self.cache.profile().map(str::to_owned),
            file: self.cache.file().filter(|_| is_saved).map(Path::to_path_buf),
            store: self.cache.store_status().filter(|_| is_saved).map(|store| store.name),
        }
    }

    /// Replaces the saved session with the tokens of a login, for all processes: verifies them,
    /// saves them under the lock, and publishes them.
    ///
    /// `nonce` is that of the authorization request. `accept` is asked before the session of a
    /// different user is replaced, while no lock is held. Tokens that cannot be saved on disk stay
    /// in memory, and the session's status says so. Blocks; uses the network for the keys of an ID
    /// token. Errors: TOKEN_INVALID, PROTOCOL, DENIED (`other_user`), UNAVAILABLE, TIMEOUT,
    /// CANCELLED.
    pub(crate) fn save_login(
        &self,
        tokens: TokenSet,
        nonce: Option<&str>,
        accept: &dyn Fn(&OtherUser) -> Result<bool>,
    ) -> Result<LoginResult> {
        if let Err(error) = self.verify(&tokens, nonce) {
            self.revoke_unwanted(&tokens.members);
            return Err(error.with_profile(self.profile()));
        }
        let claims = UserClaims::of(&tokens);
        let mut accepted: Option<String> = None;
        loop {
            if let Some(other) = self.other_user(&claims)
                && accepted.as_ref() != Some(&other.saved)
            {
                match accept(&other) {
                    Ok(true) => accepted = Some(other.saved),
                    refusal => {
                        self.revoke_unwanted(&tokens.members);
                        return Err(refusal
                            .err()
                            .unwrap_or_else(|| refused(&other))
                            .with_profile(self.profile()));
                    }
                }
            }
            let received = Stored::received(tokens.clone(), self.cache.now());
            // The login has its tokens already, so a refresh in progress gets the full time to
            // complete.
            let wait = Wait { timeout: self.timeout.max(super::DEFAULT_TIMEOUT), ..self.wait() };
            let replaced = self.cache.replace(&received, wait, || {
                // Another process may have saved a login while `accept` ran without the lock.
                self.other_user(&claims).is_none_or(|other| accepted.as_ref() == Some(&other.saved))
            });
            if replaced.inspect_err(|_| self.revoke_unwanted(&tokens.members))? {
                let expires_at = i64::try_from(received.expires_unix_ms / 1000).ok();
                return Ok(LoginResult {
                    prompted: true,
                    ..self.logged_in(claims, tokens.scopes.clone(), expires_at)
                });
            }
        }
    }

    fn verify(&self, tokens: &TokenSet, nonce: Option<&str>) -> Result<Option<Claims>> {
        match tokens.id_token() {
            Some(id_token) => self
                .verify_id_token(Secret::from(id_token), nonce.map(str::to_owned), Expiry::Checked)
                .map(Some),
            // OpenID Connect Core 3.1.3.3 requires an ID token; the device grant (RFC 8628) does
            // not mention it.
            None if nonce.is_some() && tokens.scopes.iter().any(|scope| scope == "openid") => {
                Err(Error::protocol(
                    "openid was granted, and the answer holds no id_token (OpenID Connect Core 3.1.3.3)",
                ))
            }
            None => Ok(None),
        }
    }

    fn other_user(&self, claims: &UserClaims) -> Option<OtherUser> {
        let saved = UserClaims::of(&self.saved_tokens()?.tokens);
        let (old, new) = (saved.subject.as_ref()?, claims.subject.as_ref()?);
        (old != new).then(|| OtherUser {
            saved: old.clone(),
            saved_name: saved.name(),
            new_name: claims.name(),
        })
    }

    /// Revokes the tokens of a login that will not be used (RFC 7009). The caller does not wait for
    /// it, but the end of the process waits a short time. A failure is only logged, because the
    /// caller gets the error of the login.
    pub(crate) fn revoke_unwanted(&self, received: &Members) {
        if received.text("refresh_token").or(received.text("access_token")).is_none() {
            return;
        }
        // Without the caller's interrupt: the caller has returned, and what its callback owns must
        // not be held for this.
        let (user, pending) = (UserSource { interrupt: None, ..self.clone() }, Pending::new());
        let received = received.clone();
        let spawned = crate::threads::spawn("planetkey-revocation", move || {
            let _pending = pending;
            if let Revocation::Unknown(error) = user.revoke(&received) {
                log::warn!("the tokens of a login that failed could not be revoked: {error}");
            }
        });
        if let Err(error) = spawned {
            log::warn!("the tokens of a login that failed could not be revoked: {error}");
        }
    }
}

fn refused(other: &OtherUser) -> Error {
    Error::new(
        Status::Denied,
        format!(
            "{} has logged in, and the saved session is that of {}: nothing was changed; log out first, log in to another profile, or allow \
             another subject",
            other.new_name, other.saved_name
        ),
    )
    .with_reason(Reason::OtherUser)
}
