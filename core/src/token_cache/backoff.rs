//! When the next attempt is allowed after a failure. Pure functions: no state, no clock.

use crate::error::{Error, Reason, Status};
use crate::http::retry_after::MAX_RETRY_AFTER;
use std::time::Duration;

/// No failure prevents the next attempt for longer than this, except a permanent one.
pub(super) const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// A token with a lifetime shorter than twice this is still requested at most once in this time.
pub(super) const MIN_SPACING: Duration = Duration::from_secs(1);

/// The longest wait after this many failures in a row: it doubles, up to a limit.
pub(super) fn longest(failures: u32) -> Duration {
    (MIN_SPACING * (1 << failures.clamp(1, 10).saturating_sub(1))).min(MAX_BACKOFF)
}

/// The wait after this many failures in a row: at least half of the longest. `fraction` is a random
/// number from 0 to 1, which spreads the attempts of processes that failed together.
///
/// With the repetitions inside the first attempt a server gets at most 12 requests in the first
/// minute and 4 in each later one.
fn jittered(failures: u32, fraction: f64) -> Duration {
    longest(failures).mul_f64(0.5 + 0.5 * fraction)
}

/// Whether the cache notices that another process logged in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginNoticed {
    /// The file version changes, or the client needs no login.
    Yes,
    /// The storage has no versions, so it is read again, which costs no request.
    No,
}

/// The wait after a token provider failed this many times in a row. Its cause is not known, so no
/// failure is permanent.
pub(super) fn wait_after_provider(error: &Error, failures: u32, fraction: f64) -> Duration {
    match error.retry_after() {
        Some(asked) => asked.clamp(MIN_SPACING, MAX_RETRY_AFTER),
        None => jittered(failures, fraction),
    }
}

/// The wait until the next attempt after this failure; `None`: until the configuration or the saved
/// session changes.
pub(super) fn wait_after(
    error: &Error,
    failures: u32,
    fraction: f64,
    noticed: LoginNoticed,
) -> Option<Duration> {
    match error.status() {
        Status::LoginRequired if noticed == LoginNoticed::No => Some(MIN_SPACING),
        // What the server asked for, or the rest of a wait that another process shared.
        _ if error.retry_after().is_some() => {
            error.retry_after().map(|asked| asked.clamp(MIN_SPACING, MAX_RETRY_AFTER))
        }
        // The server has received nothing: as soon as the network is back, the next call works.
        Status::Unavailable if !error.has_reached_server() => {
            Some(jittered(failures, fraction).min(MIN_SPACING))
        }
        Status::Unavailable
        | Status::Timeout
        | Status::Protocol
        | Status::Storage
        | Status::Internal
        | Status::Cancelled => Some(jittered(failures, fraction)),
        _ if error.retryable()
            || matches!(error.reason(), Some(Reason::Tls | Reason::ProxyAuthentication)) =>
        {
            Some(jittered(failures, fraction))
        }
        _ => None,
    }
}
