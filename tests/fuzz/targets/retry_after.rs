//! `Retry-After`: the first line is the time in Unix seconds, the rest is the header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::http::{Response, retry_after};
use planetkey_fuzz::{answer, first_line, text};
use std::time::Duration;

const LONGEST: Duration = Duration::from_secs(3600);

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let (now, value) = first_line(text);
    let now: u64 = now.parse().unwrap_or(1_800_000_000);
    let wait = retry_after::parse(value, now);
    assert!(wait.is_none_or(|wait| wait <= LONGEST && wait.subsec_nanos() == 0), "{wait:?}");
    // Surrounding white space is ignored.
    assert_eq!(wait, retry_after::parse(&format!(" \t{value} "), now));

    let trimmed = value.trim();
    let is_number = !trimmed.is_empty() && trimmed.bytes().all(|byte| byte.is_ascii_digit());
    let expected = if is_number {
        // Without parsing the number: more than eight digits are more than an hour.
        let digits = trimmed.trim_start_matches('0');
        let seconds = if digits.len() > 8 { u64::MAX } else { digits.parse().unwrap_or(0) };
        Some(Duration::from_secs(seconds).min(LONGEST))
    } else {
        httpdate::parse_http_date(trimmed).ok().map(|date| {
            let date =
                date.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
            Duration::from_secs(date.saturating_sub(now)).min(LONGEST)
        })
    };
    assert_eq!(wait, expected);

    // As in a response: measured by the server's own clock if known.
    let response = Response { retry_after: Some(value.to_owned()), ..answer(503, b"") };
    assert_eq!(
        response.retry_after(now.saturating_mul(1000)),
        retry_after::parse(value, now.saturating_mul(1000) / 1000)
    );
    let dated = Response { date: Some(now), ..response };
    assert_eq!(dated.retry_after(0), wait);
});
