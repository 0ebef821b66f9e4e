//! A server that is busy or failing: faults 1 to 6.

use crate::common::*;
use planetkey::clock::{Clock, ManualClock};
use planetkey::http::retry_after;
use planetkey::{Session, Status};
use planetkey_simulator::Simulator;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

/// Opens a session with the built-in Planet behind the simulator's proxy, and a clock that sleeps
/// without waiting.
fn planet(simulator: &Simulator, timeout_ms: Option<u64>) -> (Session, Arc<ManualClock>) {
    let (runtime, clock) = real_network();
    let options = planet_options(simulator).with(|it| {
        it.timeout = (timeout_ms).map(Duration::from_millis);
        it.runtime = runtime;
    });
    let settings = simulator.settings();
    let session =
        Session::from_m2m(&settings.client_id, &settings.client_secret, &options).unwrap();
    (session, clock)
}

#[test]
fn f001_a_server_error_is_retried_once() {
    let simulator = simulator();
    for (number, status) in (1..).zip([500, 502, 503, 504]) {
        let (session, clock) = planet(&simulator, None);
        let before = clock.now().monotonic;
        simulator.script("m2m.token", &json!([{ "status": status }])).unwrap();
        session.access_token().unwrap();
        assert_eq!(simulator.count("m2m.token").unwrap(), 2 * number, "{status}");
        let waited = (clock.now().monotonic - before).as_millis();
        assert!((1..1000).contains(&waited), "a short wait with jitter, not {waited} ms");
    }
    let (session, _) = planet(&simulator, None);
    simulator.script("m2m.token", &json!([{"status": 502}, {"status": 502}])).unwrap();
    let error = session.access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.http_status(), error.retryable()),
        (Status::Unavailable, Some(502), true)
    );
    assert_eq!(simulator.count("m2m.token").unwrap(), 10);
}

#[test]
fn f002_a_call_waits_for_retry_after_only_within_its_deadline() {
    let simulator = simulator();
    let step = json!([{"status": 503, "headers": {"Retry-After": "2"}}]);
    simulator.script("m2m.token", &step).unwrap();
    let (session, clock) = planet(&simulator, None);
    let before = clock.now().monotonic;
    session.access_token().unwrap();
    assert!(clock.now().monotonic - before >= Duration::from_secs(2));
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    simulator.script("m2m.token", &step).unwrap();
    let (session, clock) = planet(&simulator, Some(1900));
    let before = clock.now().monotonic;
    let error = session.access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.retry_after()),
        (Status::Unavailable, Some(Duration::from_secs(2)))
    );
    assert_eq!(
        clock.now().monotonic,
        before,
        "no call waits for a response that cannot arrive in time"
    );
    assert_eq!(simulator.count("m2m.token").unwrap(), 3);
}

/// The first error and all later ones name the same wait, in this process and in the next.
#[test]
fn i10_10_a_retry_after_of_days_is_one_hour_in_every_error() {
    for asked in ["31622400", "86400", "3601"] {
        let home = Home::new();
        home.fake.answers(busy(429, Some(asked)));
        for session in [home.m2m(), home.m2m()] {
            for _ in 0..2 {
                let error = session.access_token().unwrap_err();
                assert_eq!(
                    (error.status(), error.retry_after()),
                    (Status::Unavailable, Some(Duration::from_millis(3_600_000))),
                    "{asked}"
                );
            }
        }
        assert_eq!(home.fake.count(), 1, "{asked}");
        home.advance(3600);
        assert_eq!(ask(&home.m2m()), "access-1", "{asked}");
    }
}

#[test]
fn f003_a_long_retry_after_is_returned_without_a_wait() {
    let bench = bench();
    bench.fake.answers(busy(503, Some("86400")));
    for _ in 0..20 {
        let error = bench.session.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Unavailable);
        assert_eq!(error.retry_after(), Some(Duration::from_millis(3_600_000)));
    }
    assert_eq!((bench.fake.count(), bench.elapsed_ms()), (1, 0));
    // Twenty seconds would fit the deadline, but a caller should learn of so long a wait at once.
    let shorter = crate::common::bench();
    shorter.fake.answers(busy(503, Some("20")));
    assert_eq!(
        shorter.session.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(20_000))
    );
    assert_eq!((shorter.fake.count(), shorter.elapsed_ms()), (1, 0));
    // The cap: a mistaken header stops a service for an hour and not for a day.
    bench.advance(3599);
    assert_eq!(
        bench.session.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(1000))
    );
    assert_eq!(bench.fake.count(), 1);
    bench.advance(1);
    assert_eq!(bench.token(), "token-1");
}

#[test]
fn f004_retry_after_may_be_a_date_in_the_past_or_invalid() {
    assert_eq!(retry_after::parse("120", NOW), Some(Duration::from_secs(120)));
    assert_eq!(retry_after::parse(" 7 ", NOW), Some(Duration::from_secs(7)));
    let date = |seconds: u64| {
        httpdate::fmt_http_date(UNIX_EPOCH + std::time::Duration::from_secs(seconds))
    };
    assert_eq!(retry_after::parse(&date(NOW + 90), NOW), Some(Duration::from_secs(90)));
    assert_eq!(retry_after::parse(&date(NOW - 90), NOW), Some(Duration::ZERO));
    for garbage in ["", "soon", "-5", "1.5", "5s", "Fri, 99 Foo 2026 00:00:00 GMT", "\u{661}"] {
        assert_eq!(retry_after::parse(garbage, NOW), None, "{garbage:?}");
    }
    let longest = retry_after::MAX_RETRY_AFTER;
    for absurd in ["99999999999999999999999", "18446744073709551615", "4000000000"] {
        assert_eq!(retry_after::parse(absurd, NOW), Some(longest), "{absurd}");
    }
    // The date is read relative to the server's clock, which is an hour ahead of this one.
    let bench = bench();
    let server_now = NOW + 3600;
    let mut answer = busy(503, Some(&date(server_now + 5)));
    answer.date = Some(server_now);
    bench.fake.answers(answer);
    bench.token();
    assert_eq!(bench.elapsed_ms(), 5000);
    // An invalid header is ignored.
    let bench = crate::common::bench();
    bench.fake.answers(busy(503, Some("soon")));
    bench.token();
    assert!(bench.elapsed_ms() < 1000);
}

#[test]
fn f005_429_without_retry_after_backs_off_from_one_second() {
    for random in [0x00, 0x80, 0xff] {
        let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
        let times = Arc::new(Mutex::new(Vec::new()));
        for _ in 0..3 {
            let (clock, times) = (clock.clone(), times.clone());
            fake.then(move || {
                times.lock().unwrap().push(clock.now().monotonic);
                Ok(busy(429, None))
            });
        }
        let mut options = options(&fake, &clock);
        options.runtime.random = Arc::new(Fixed(random));
        let error = m2m(&options).access_token().unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::Unavailable, Some(429)));
        let times = times.lock().unwrap().clone();
        assert_eq!(times.len(), 3);
        let waits: Vec<Duration> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits[0] >= Duration::from_secs(1) && waits[1] > waits[0], "{waits:?}");
    }
}

#[test]
fn f006_429_while_a_token_is_valid_delays_no_caller() {
    let bench = bench();
    assert_eq!(bench.token(), "token-1");
    bench.advance(3000);
    bench.fake.answers(busy(429, Some("60")));
    assert_eq!(bench.token(), "token-1");
    bench.fake.wait_requests(2);
    // The call joins the refresh, or gets its recorded failure.
    assert_eq!(bench.session.refresh().unwrap_err().http_status(), Some(429));
    for _ in 0..20 {
        assert_eq!(bench.token(), "token-1");
    }
    bench.advance(59);
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 2, "not before the time that the server named");
    bench.advance(1);
    assert_eq!(bench.token(), "token-1");
    bench.wait_token("token-2");
    assert_eq!(bench.fake.count(), 3);
}
