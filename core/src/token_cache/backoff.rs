//! When the next attempt is allowed after a failure. Pure functions: no state, no clock.

use crate::error::{Error, Reason, Status};
use crate::http::retry_after::MAX_RETRY_AFTER_MS;

/// No failure keeps a session from asking again longer than this, except a permanent one.
pub(super) const MAX_BACKOFF_MS: u64 = 30_000;
/// A token that lives shorter than twice this is still not asked for more often than once in this time.
pub(super) const MIN_SPACING_MS: u64 = 1_000;

/// The longest wait after so many failures in a row: it doubles, up to a limit.
pub(super) fn longest_ms(failures: u32) -> u64 {
    (MIN_SPACING_MS << failures.clamp(1, 10).saturating_sub(1)).min(MAX_BACKOFF_MS)
}

/// The wait after so many failures in a row: at least half of the longest. `fraction` is a random number from 0 to 1, which keeps
/// processes that failed together from asking again together.
///
/// With the repetitions inside the first attempt a server gets at most 12 requests in the first minute and 4 in each later one.
fn jittered_ms(failures: u32, fraction: f64) -> u64 {
    (longest_ms(failures) as f64 * (0.5 + 0.5 * fraction)) as u64
}

/// Milliseconds until the next attempt after this failure; `None`: until the configuration or the saved session changes. `is_noticed`: a
/// login of another process is noticed. If not, the storage is read again, which costs no request.
pub(super) fn wait_of(error: &Error, failures: u32, fraction: f64, is_noticed: bool) -> Option<u64> {
    match error.status() {
        Status::LoginRequired if !is_noticed => Some(MIN_SPACING_MS),
        _ => wait_ms(error, failures, fraction),
    }
}

fn wait_ms(error: &Error, failures: u32, fraction: f64) -> Option<u64> {
    match error.status() {
        // What the server asked for, or what is left of the wait that another process has told.
        _ if error.retry_after_ms().is_some() => {
            error.retry_after_ms().map(|asked| asked.clamp(MIN_SPACING_MS, MAX_RETRY_AFTER_MS))
        }
        // The server has seen nothing, so nobody is bothered: when the network is back, the next call works at once.
        Status::Unavailable if !error.has_reached_server() => Some(jittered_ms(failures, fraction).min(MIN_SPACING_MS)),
        Status::Unavailable | Status::Timeout | Status::Protocol | Status::Storage | Status::Internal | Status::Cancelled => {
            Some(jittered_ms(failures, fraction))
        }
        _ if error.retryable() || matches!(error.reason(), Some(Reason::Tls | Reason::ProxyAuthentication)) => {
            Some(jittered_ms(failures, fraction))
        }
        _ => None,
    }
}
