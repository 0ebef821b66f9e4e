//! `Retry-After` (RFC 9110 10.2.3).

use std::time::{Duration, UNIX_EPOCH};

/// A longer wait is reduced to this, in every message and in every process that shares it.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// The wait from `now` (Unix seconds) that a header's value asks for: seconds or an HTTP date. It
/// is zero for a date in the past; `None` for an invalid value.
pub fn parse(value: &str, now: u64) -> Option<Duration> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().unwrap_or(u64::MAX)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).saturating_sub(now)
    };
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}
