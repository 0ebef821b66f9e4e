//! Logout: the server revokes the refresh token, and the session is deleted for every process.

use super::cancel::interruptibly;
use super::revocation::Revocation;
use super::user_source::UserSource;
use super::{Interrupt, Session};
use crate::client::Endpoint;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Retry};
use crate::oauth::revocation;
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::token_cache::{TokenCache, Wait};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A server that does not respond delays the logout for at most this long.
const LONGEST_REVOCATION: Duration = Duration::from_secs(10);

/// Whether a logout revokes the refresh token at its server (RFC 7009).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revoke {
    /// The server revokes it before the session is deleted here.
    #[default]
    Yes,
    /// The session is deleted here only.
    No,
}

impl From<bool> for Revoke {
    fn from(revoke: bool) -> Self {
        if revoke { Revoke::Yes } else { Revoke::No }
    }
}

/// What a logout did.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogoutResult {
    /// Whether there was a session.
    pub removed: bool,
    /// What happened to its refresh token.
    pub revocation: Revocation,
}

impl LogoutResult {
    /// Why it is unknown whether the server revoked the refresh token.
    pub fn revocation_error(&self) -> Option<&Error> {
        match &self.revocation {
            Revocation::Unknown(error) => Some(error),
            _ => None,
        }
    }
}

impl Session {
    /// Deletes the tokens in memory and on disk, so that each process has to log in again. The
    /// client's configuration stays: an M2M client gets new tokens with the next call.
    ///
    /// With [`Revoke::Yes`] the server revokes the refresh token first (RFC 7009). If the server
    /// cannot be reached, the session is still deleted, and the result holds the error.
    ///
    /// Blocks until a refresh in progress has completed; uses the network with [`Revoke::Yes`].
    /// Errors: UNSUPPORTED if the session holds no tokens, TIMEOUT, CANCELLED, STORAGE.
    pub fn logout(&self, revoke: Revoke) -> Result<LogoutResult> {
        self.tokens()?;
        let mut out = LogoutResult::default();
        for cache in self.token_caches() {
            let one = log_out(cache, revoke, self.timeout, self.interrupt.clone())?;
            out.removed |= one.removed;
            if !matches!(one.revocation, Revocation::NotAsked)
                && !matches!(out.revocation, Revocation::Unknown(_))
            {
                out.revocation = one.revocation;
            }
        }
        Ok(out)
    }
}

/// Revokes the refresh token, then deletes the tokens in memory and on disk.
///
/// Blocks until a refresh in progress has completed. Errors: TIMEOUT, CANCELLED, STORAGE;
/// UNAVAILABLE if called from inside a refresh.
fn log_out(
    cache: &Arc<TokenCache>,
    revoke: Revoke,
    timeout: Duration,
    interrupt: Option<Interrupt>,
) -> Result<LogoutResult> {
    let deadline = Instant::now() + timeout;
    let wait = Wait { timeout, interrupt: interrupt.as_deref() };
    let revoke = (revoke == Revoke::Yes).then_some(|refresh_token| match refresh_token {
        Ok(Some(refresh_token)) => {
            let left = deadline.saturating_duration_since(Instant::now()).min(LONGEST_REVOCATION);
            revoke_at_server(cache, refresh_token, "refresh_token", Wait { timeout: left, ..wait })
        }
        Ok(None) => Ok(Revocation::NotAsked),
        // A session that cannot be read may hold a refresh token.
        Err(error) => Ok(Revocation::Unknown(error)),
    });
    let (removed, revocation) = cache.clear(wait, revoke)?;
    Ok(LogoutResult { removed, revocation: revocation.unwrap_or(Revocation::NotAsked) })
}

/// Revokes a token; `hint` is its type (RFC 7009 2.1). Errors: CANCELLED before anything was sent.
/// A request that was sent is not undone.
fn revoke_at_server(
    cache: &Arc<TokenCache>,
    token: Secret,
    hint: &'static str,
    wait: Wait<'_>,
) -> Result<Revocation> {
    let deadline = cache.now().monotonic + wait.timeout;
    let this = cache.clone();
    let prepared = interruptibly(wait, "the logout", move || {
        let (call, client) = (CallContext::new(this.http(), Retry::Never, deadline), this.client());
        let endpoint = client.required_endpoint(Endpoint::Revocation, &call)?;
        Ok((endpoint, client.token_endpoint(&call)?.1))
    });
    let (endpoint, authentication) = match prepared {
        Ok(prepared) => prepared,
        Err(error) if error.status() == Status::Cancelled => {
            return Err(Error::new(
                Status::Cancelled,
                "the caller cancelled the logout; the session is as it was",
            ));
        }
        Err(error) => return Ok(Revocation::Unknown(error)),
    };
    let this = cache.clone();
    let outcome = interruptibly(wait, "revoking the token", move || {
        let call = CallContext::new(this.http(), Retry::Never, deadline);
        revocation::revoke(&call, &endpoint, &authentication, &token, hint)
    });
    Ok(match outcome {
        Ok(revocation::TokenRevocation::Revoked) => Revocation::Revoked,
        Ok(
            revocation::TokenRevocation::Unknown(error)
            | revocation::TokenRevocation::Unsupported(error),
        )
        | Err(error) => Revocation::Unknown(error),
    })
}

impl UserSource {
    /// Revokes tokens that will not be used. Returns what became of the refresh token, else of the
    /// access token. Most servers revoke the access token together with the refresh token, but they
    /// need not (RFC 7009 2.1), so it is revoked as well. Blocks; uses the network.
    pub(super) fn revoke(&self, received: &Members) -> Revocation {
        let wait = Wait { timeout: LONGEST_REVOCATION, interrupt: None };
        let revoke = |hint| {
            let token = received.text(hint).map(Secret::from)?;
            Some(
                revoke_at_server(self.cache(), token, hint, wait)
                    .unwrap_or_else(Revocation::Unknown),
            )
        };
        match (revoke("refresh_token"), || revoke("access_token")) {
            (Some(Revocation::Revoked), access_token) => {
                if let Some(Revocation::Unknown(error)) = access_token() {
                    log::info!(
                        "the refresh token was revoked, the access token beside it could not be: {error}"
                    );
                }
                Revocation::Revoked
            }
            (None, access_token) => access_token().unwrap_or(Revocation::NotAsked),
            (Some(unknown), _) => unknown,
        }
    }
}
