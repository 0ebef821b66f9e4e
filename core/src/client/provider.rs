//! Tokens that something else obtains: a broker, a scheduler, another language's vault.

use crate::authorize::CredentialClass;
use crate::clock::{Moment, millis};
use crate::credential::{TokenSet, is_bearer_token};
use crate::deployment::{Deployment, Subject};
use crate::error::{Error, Result, Status};
use crate::jwt;
use crate::oauth::token_endpoint::{DEFAULT_LIFETIME_S, MAX_LIFETIME_S};
use crate::secret::Secret;
use crate::secret_json::Members;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Obtains access tokens for a session: a program's own code instead of a client of planetkey.
///
/// The session asks for a token when it has no valid one, and in the background when three quarters
/// of the last token's lifetime have passed. It calls the provider on a thread of its own, never
/// twice at the same time, and callers that wait for the token share the result. A caller whose
/// deadline passes gets TIMEOUT; the provider continues, and its token is used when it arrives.
///
/// Errors: all callers get the provider's error unchanged. After a failure the session waits before
/// it asks again: as long as the error's `retry_after` says, else 1 second, and twice as long after
/// each further failure, up to 30 seconds.
///
/// A provider may use other sessions. A call that would wait for its own session fails with
/// UNAVAILABLE.
pub trait TokenProvider: Send + Sync {
    /// A token that is valid now.
    ///
    /// Errors: any; UNAVAILABLE says that a later attempt may succeed. The message must hold no
    /// secret.
    fn token(&self, request: &ProviderRequest<'_>) -> Result<ProvidedToken>;
}

impl<F> TokenProvider for F
where
    F: Fn(&ProviderRequest<'_>) -> Result<ProvidedToken> + Send + Sync,
{
    fn token(&self, request: &ProviderRequest<'_>) -> Result<ProvidedToken> {
        self(request)
    }
}

/// What a session asks its [`TokenProvider`] for.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ProviderRequest<'a> {
    /// How long the provider may take: the session's timeout, or that of the caller if it is
    /// longer. Callers share one call, and each waits no longer than its own deadline, so a shorter
    /// one is not passed on.
    pub timeout: Duration,
    /// The last token, if an API refused it with 401. A provider that caches tokens must not return
    /// it again.
    pub rejected_token: Option<&'a str>,
}

impl fmt::Debug for ProviderRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = if self.rejected_token.is_some() { ", after a 401" } else { "" };
        write!(f, "ProviderRequest(within {:?}{after})", self.timeout)
    }
}

/// An access token that a [`TokenProvider`] obtained.
#[derive(Clone, Debug)]
pub struct ProvidedToken {
    access_token: Secret,
    expiry: Expiry,
}

#[derive(Clone, Copy, Debug)]
enum Expiry {
    In(Duration),
    AtUnixSeconds(u64),
    Unknown,
}

impl ProvidedToken {
    /// A token that expires this long from now. It does not depend on the local clock.
    pub fn expires_in(access_token: impl Into<Secret>, lifetime: Duration) -> Self {
        ProvidedToken { access_token: access_token.into(), expiry: Expiry::In(lifetime) }
    }

    /// A token that expires at this time in Unix seconds, by the local clock.
    pub fn expires_at(access_token: impl Into<Secret>, unix_seconds: u64) -> Self {
        let expiry = Expiry::AtUnixSeconds(unix_seconds);
        ProvidedToken { access_token: access_token.into(), expiry }
    }

    /// A token that says itself when it expires: a JWT with the claim `exp`. Any other token is
    /// used for 5 minutes.
    pub fn of_unknown_expiry(access_token: impl Into<Secret>) -> Self {
        ProvidedToken { access_token: access_token.into(), expiry: Expiry::Unknown }
    }

    /// The token set of this token. Errors: MISCONFIGURED for a token that no header can carry;
    /// UNAVAILABLE for one that has expired.
    fn received(self, now: Moment) -> Result<TokenSet> {
        let token = self.access_token.expose();
        if !is_bearer_token(token) {
            return Err(Error::misconfigured(
                "the token provider returned a token that is empty, too long, or holds characters \
                 that no bearer token may have; return the token alone, without `Bearer`",
            ));
        }
        let lifetime = self.lifetime(now)?;
        let mut members = Map::new();
        members.insert("access_token".to_owned(), Value::from(token));
        members.insert("token_type".to_owned(), Value::from("Bearer"));
        Ok(TokenSet {
            lifetime,
            scopes: Vec::new(),
            members: Members(members),
            access_token: self.access_token,
        })
    }

    /// What the provider stated, or the token's own `exp` if that is earlier.
    fn lifetime(&self, now: Moment) -> Result<Duration> {
        let now_s = now.unix_ms / 1000;
        let expired = |ago: u64| {
            Error::new(
                Status::Unavailable,
                format!(
                    "the token provider returned a token that expired {ago} s ago; it must return \
                     one that is valid now"
                ),
            )
        };
        let jwt::Times { exp, iat } = jwt::times(self.access_token.expose());
        let stated = match self.expiry {
            Expiry::In(lifetime) if lifetime < Duration::from_millis(1) => return Err(expired(0)),
            Expiry::In(lifetime) => Some(lifetime),
            Expiry::AtUnixSeconds(at) => {
                let left = at.saturating_mul(1000).saturating_sub(now.unix_ms);
                if left == 0 {
                    return Err(expired(now_s.saturating_sub(at)));
                }
                Some(Duration::from_millis(left))
            }
            Expiry::Unknown => None,
        };
        let by_exp = exp.map(|exp| Duration::from_secs(exp.saturating_sub(now_s)));
        let whole = match (exp, iat) {
            (Some(exp), Some(iat)) if exp > iat => Duration::from_secs(exp - iat),
            _ => Duration::MAX,
        };
        let lifetime = match (stated, by_exp) {
            // The local clock may be wrong. What the provider stated does not depend on it.
            (Some(stated), Some(left)) if !left.is_zero() => stated.min(left),
            (Some(stated), _) => stated,
            (None, Some(left)) if left.is_zero() => {
                return Err(expired(exp.map_or(0, |exp| now_s.saturating_sub(exp))));
            }
            (None, Some(left)) => left,
            (None, None) => {
                log::debug!(
                    "the token provider states no expiry; its token is used for {DEFAULT_LIFETIME_S} s"
                );
                Duration::from_secs(DEFAULT_LIFETIME_S)
            }
        };
        let lifetime = lifetime.min(whole).min(Duration::from_secs(MAX_LIFETIME_S));
        Ok(Duration::from_millis(millis(lifetime)))
    }
}

/// A token provider, and what its tokens are by their issuer.
pub(crate) struct Provider {
    callback: Arc<dyn TokenProvider>,
    issuers: Vec<(String, Subject)>,
}

impl Provider {
    pub(super) fn new(callback: Arc<dyn TokenProvider>, deployment: &Deployment) -> Self {
        let servers = &deployment.authorization_servers;
        let issuers = servers.iter().map(|server| (server.issuer.clone(), server.subject));
        Provider { callback, issuers: issuers.collect() }
    }

    /// Calls the provider, which may take any time.
    ///
    /// Errors: those of the provider; MISCONFIGURED and UNAVAILABLE for a token that cannot be
    /// used.
    pub(crate) fn request(
        &self,
        request: &ProviderRequest<'_>,
        now: impl FnOnce() -> Moment,
    ) -> Result<TokenSet> {
        self.callback.token(request)?.received(now())
    }

    /// What kind of token this is: by its issuer if it names one, else that of a user.
    pub(crate) fn kind_of(&self, token: &str) -> CredentialClass {
        let Some(issuer) = jwt::issuer(token) else { return CredentialClass::Token(Subject::User) };
        let is_it = |known: &str| known.trim_end_matches('/') == issuer.trim_end_matches('/');
        self.issuers
            .iter()
            .find(|(known, _)| is_it(known))
            .map_or(CredentialClass::ForeignToken, |(_, subject)| CredentialClass::Token(*subject))
    }
}
