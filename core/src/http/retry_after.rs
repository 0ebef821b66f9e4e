//! `Retry-After` (RFC 9110 10.2.3).

use std::time::UNIX_EPOCH;

/// No longer wait is honoured: every message, and every process that shares it, says the same.
pub const MAX_RETRY_AFTER_MS: u64 = 3_600_000;
const MAX_SECONDS: u64 = MAX_RETRY_AFTER_MS / 1000;

/// Milliseconds to wait from `now` (Unix seconds): seconds or an HTTP date; a date in the past is 0, garbage is nothing.
pub fn parse(value: &str, now: u64) -> Option<u64> {
    let value = value.trim();
    let seconds = if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        value.parse().unwrap_or(MAX_SECONDS)
    } else {
        let date = httpdate::parse_http_date(value).ok()?;
        date.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()).saturating_sub(now)
    };
    Some(seconds.min(MAX_SECONDS) * 1000)
}
