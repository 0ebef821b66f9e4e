//! Clocks that are wrong or jump: faults 56 to 60 and 63, for sessions in memory.

use crate::common::*;
use planetkey::clock::ManualClock;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// Opens a session on a computer whose clock is off by this many seconds. The server's clock is
/// right.
fn with_clock_off_by(seconds: i64) -> Bench {
    let bench = bench();
    let server_now = NOW.checked_add_signed(-seconds).unwrap();
    bench.fake.always(move |number| {
        let claims = json!({"iat": server_now, "exp": server_now + 3600, "jti": number});
        let mut answer = token(&json!({"access_token": jwt(&claims), "expires_in": 3600}));
        answer.date = Some(server_now);
        Ok(answer)
    });
    bench
}

#[test]
fn f056_with_a_clock_an_hour_behind_a_token_is_used_for_its_lifetime() {
    let bench = with_clock_off_by(-3600);
    let first = bench.token();
    bench.advance(2000);
    assert_eq!(bench.token(), first);
    assert_eq!(bench.fake.count(), 1);
    bench.advance(1596);
    assert_ne!(
        bench.token(),
        first,
        "refreshed before the server's expiry, an hour after the receipt"
    );
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f057_a_clock_an_hour_ahead_causes_no_extra_requests() {
    let bench = with_clock_off_by(3600);
    let first = bench.token();
    for _ in 0..20 {
        assert_eq!(bench.token(), first);
        bench.advance(60);
    }
    assert_eq!(bench.fake.count(), 1);
    // Without `expires_in` the lifetime follows from the server's `Date`.
    let bench = crate::common::bench();
    let mut answer = token(&json!({"access_token": jwt(&json!({"exp": NOW})) }));
    answer.date = Some(NOW - 3600);
    bench.fake.answers(answer);
    for _ in 0..20 {
        bench.token();
        bench.advance(60);
    }
    assert_eq!(bench.fake.count(), 1);
}

#[test]
fn f058_a_jump_forward_by_a_day_costs_one_request() {
    let bench = bench();
    bench.token();
    bench.clock.set_unix(NOW + 86_400);
    for _ in 0..20 {
        assert_eq!(bench.token(), "token-2");
    }
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f059_a_jump_back_by_a_day_does_not_prolong_a_token() {
    let bench = bench();
    bench.token();
    bench.clock.set_unix(NOW - 86_400);
    assert_eq!(bench.token(), "token-1");
    bench.advance(2000);
    assert_eq!(bench.token(), "token-1");
    bench.advance(1595);
    assert_eq!(bench.token(), "token-2", "it expired by the clock that does not jump");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f060_time_asleep_counts() {
    let bench = bench();
    bench.token();
    bench.clock.suspend(Duration::from_secs(8 * 3600));
    assert_eq!(bench.session.access_token_cached().unwrap().as_deref(), None);
    assert_eq!(bench.token(), "token-2");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f063_far_dates_do_not_overflow() {
    for now in [0, u64::from(u32::MAX) - 10, 2_147_483_647, 253_402_300_800, u64::MAX / 2000] {
        let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(now)));
        let claims = json!({"exp": u64::MAX, "iat": u64::MAX});
        let mut answer = token(&json!({"access_token": jwt(&claims), "expires_in": u64::MAX}));
        answer.date = Some(u64::MAX);
        fake.answers(answer);
        let session = m2m(&options(&fake, &clock));
        let expires_at = session.access_token().unwrap().expires_at().unwrap();
        assert!(expires_at > 0, "{now}");
        clock.advance(Duration::from_secs(20 * 365 * 24 * 3600));
        session.access_token().unwrap();
        assert!(session.status().to_json().is_object());
    }
}
