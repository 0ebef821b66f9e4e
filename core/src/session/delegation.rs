//! Access tokens for other processes, which have no session of their own: the workers of a
//! scheduler. They get tokens by `from_token_provider`, and never a secret or a refresh token.

use super::Session;
use super::choice::Choice;
use crate::authorize::Target;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use crate::token_cache::{CachedToken, TokenCache};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A token of which less is left is replaced: the session of a worker has margins of its own.
const SHORTEST: Duration = Duration::from_secs(5);

/// An access token for another process.
#[derive(Debug)]
pub struct DelegatedToken {
    /// The token.
    pub access_token: Secret,
    /// How long it is valid. Not a time, because the clocks of two machines may differ.
    pub expires_in: Duration,
}

/// The source whose tokens are delegated, with the hosts that it serves.
struct Delegated<'a> {
    choice: Choice<'a>,
    cache: &'a Arc<TokenCache>,
    hosts: Vec<String>,
}

impl Session {
    /// The access token for a worker, refreshed if it expires soon. `rejected`: the token that an
    /// API refused there. Of several workers that report the same token the first one takes it out
    /// of use, and all share one token request.
    ///
    /// Blocks only if there is no such token. Errors: UNSUPPORTED if the session has no access
    /// token for any host; HOST_REFUSED if the token of a provider may go to none; as
    /// [`Session::authorize`].
    #[doc(hidden)]
    pub fn delegated_token(&self, rejected: Option<&str>) -> Result<DelegatedToken> {
        let delegated = self.delegated(rejected)?;
        let mut token = delegated.choice.source.current(None, self.wait())?;
        if delegated.ends_soon(&token) && delegated.cache.invalidate(token.token()) {
            token = delegated.choice.source.current(None, self.wait())?;
        }
        self.delegate(&delegated, &token)
    }

    /// As [`Session::delegated_token`], but never blocks: `None` if it would have to.
    #[doc(hidden)]
    pub fn delegated_token_cached(&self, rejected: Option<&str>) -> Result<Option<DelegatedToken>> {
        let delegated = self.delegated(rejected)?;
        let Some(token) = delegated.choice.source.cached(None) else { return Ok(None) };
        if delegated.ends_soon(&token) && delegated.cache.invalidate(token.token()) {
            return Ok(None);
        }
        self.delegate(&delegated, &token).map(Some)
    }

    /// What a worker needs to open a session that sends the tokens where this one does, as JSON:
    /// `deployment`, `allowed_hosts` and `allow_insecure_loopback`. It holds no secret.
    ///
    /// Errors: UNSUPPORTED if the session has no access token for any host.
    #[doc(hidden)]
    pub fn delegation_policy(&self) -> Result<Value> {
        let Delegated { cache, hosts, .. } = self.delegated(None)?;
        let is_insecure = |host: &String| {
            let url = format!("http://{host}/");
            Target::parse(&url).is_ok_and(|target| self.choose(&target).is_ok())
        };
        // The issuer of a JWT decides where it goes. That of the session has these hosts, and a
        // token of any other goes there by `allowed_hosts`, which takes no ports.
        let servers: Vec<Value> = cache
            .issuer()
            .map(|issuer| json!({"subject": "m2m", "issuer": issuer}))
            .into_iter()
            .collect();
        let without_port: Vec<&String> = hosts.iter().filter(|host| !host.contains(':')).collect();
        Ok(json!({
            "allow_insecure_loopback": hosts.iter().any(is_insecure),
            "allowed_hosts": without_port,
            "deployment": {
                "name": self.shared.deployment,
                "authorization_servers": servers,
                "resource_servers": [
                    {"hosts": hosts, "user_token": "yes", "m2m_token": "yes", "api_key": "no"}
                ],
            },
        }))
    }

    /// The first source of access tokens that a host gets, after a token that an API refused was
    /// taken out of use.
    fn delegated(&self, rejected: Option<&str>) -> Result<Delegated<'_>> {
        if let Some(token) = rejected {
            self.invalidate(token)?;
        }
        let policy = &self.shared.policy;
        let mut hosts: Vec<String> =
            self.sources().flat_map(|source| source.hosts(policy)).collect();
        hosts.sort();
        hosts.dedup();
        let served: Vec<_> = hosts.into_iter().filter_map(|host| self.host_status(host)).collect();
        let first = served.iter().find_map(|host| {
            let source = self.sources().nth(host.source_index)?;
            Some((host.source_index, source, source.tokens()?))
        });
        let (index, source, cache) = first.ok_or_else(|| {
            Error::new(
                Status::Unsupported,
                "the session has no access token for any host, and API keys do not go to the workers; use an M2M client or a user's login",
            )
        })?;
        let hosts = served.into_iter().filter(|host| host.source_index == index);
        let choice = Choice { index, source, under_development: false, now: None };
        Ok(Delegated { choice, cache, hosts: hosts.map(|host| host.host).collect() })
    }

    fn delegate(&self, delegated: &Delegated<'_>, token: &CachedToken) -> Result<DelegatedToken> {
        if let Some(host) = delegated.hosts.first() {
            let url = format!("https://{host}/");
            self.check(&Target::parse(&url)?, &delegated.choice, token)?;
        }
        Ok(DelegatedToken {
            access_token: Secret::from(token.token()),
            expires_in: delegated.left(token),
        })
    }
}

impl Delegated<'_> {
    fn left(&self, token: &CachedToken) -> Duration {
        token.lifetime.saturating_sub(token.age(self.cache.http().clock()))
    }

    /// Whether the token is too short for a worker. A server that issues tokens for a few seconds
    /// is not asked for each.
    fn ends_soon(&self, token: &CachedToken) -> bool {
        self.left(token) < SHORTEST.min(token.lifetime / 2)
    }
}
