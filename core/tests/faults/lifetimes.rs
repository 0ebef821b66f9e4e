//! Tokens with unusual lifetimes, types and characters: faults 16 to 24.

use crate::common::*;
use planetkey::clock::Clock;
use planetkey::{Reason, Result, Status};
use serde_json::{Value, json};
use std::time::Duration;

/// Returns the token that a session returns for this response, and when it expires, in seconds from
/// now.
fn served(members: Value) -> Result<(String, i64)> {
    let bench = bench();
    bench.fake.answers(token(&members));
    let token = bench.session.access_token()?;
    Ok((token.to_string(), token.expires_at().unwrap() - i64::try_from(NOW).unwrap()))
}

fn status(members: Value) -> Status {
    served(members).unwrap_err().status()
}

#[test]
fn f016_expires_in_of_every_type() {
    let life = |expires_in: Value| {
        served(json!({"access_token": "t", "expires_in": expires_in})).map(|(_, life)| life)
    };
    for hour in [json!("3600"), json!(3600.0), json!(3600)] {
        assert_eq!(life(hour).unwrap(), 3600);
    }
    for unusable in [json!(0), json!(-1)] {
        assert_eq!(life(unusable).unwrap_err().reason(), Some(Reason::LifetimeUnusable));
    }
    assert_eq!(life(json!(1e300)).unwrap(), 10 * 365 * 24 * 3600);
    assert_eq!(life(Value::Null).unwrap(), 300);
    assert_eq!(served(json!({"access_token": "t"})).unwrap().1, 300);
}

/// Other clients refresh five minutes before the expiry. For a shorter lifetime they send a request
/// with every call.
#[test]
fn f017_a_very_short_lifetime_causes_no_storm() {
    for life in [10u64, 60, 200] {
        let bench = bench();
        bench.fake.always(move |number| {
            Ok(token(&json!({"access_token": format!("t-{number}"), "expires_in": life})))
        });
        for _ in 0..20 {
            bench.token();
        }
        assert_eq!(bench.fake.count(), 1, "lifetime {life}");
        // The token is due but valid: one refresh in the background, and no caller waits.
        bench.clock.sleep(std::time::Duration::from_millis(life * 900));
        for _ in 0..20 {
            assert!(["t-1", "t-2"].contains(&bench.token().as_str()));
        }
        bench.wait_token("t-2");
        for _ in 0..20 {
            bench.token();
        }
        assert_eq!(bench.fake.count(), 2, "lifetime {life}");
    }
}

#[test]
fn f018_a_lifetime_of_one_second_is_requested_once_a_second() {
    let bench = bench();
    bench.fake.always(|number| {
        Ok(token(&json!({"access_token": format!("t-{number}"), "expires_in": 1})))
    });
    assert_eq!(bench.token(), "t-1");
    bench.clock.sleep(std::time::Duration::from_millis(950));
    for _ in 0..20 {
        let error = bench.session.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Unavailable);
        assert!(error.message().contains("too short"), "{error}");
        assert_eq!(error.retry_after(), Some(Duration::from_millis(50)));
    }
    bench.clock.sleep(std::time::Duration::from_millis(50));
    assert_eq!(bench.token(), "t-2");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f019_token_type_missing_upper_case_or_unknown() {
    served(json!({"access_token": "t", "token_type": "BEARER"})).unwrap();
    assert_eq!(status(json!({"access_token": "t", "token_type": "mac"})), Status::Protocol);
    assert_eq!(status(json!({"access_token": "t", "token_type": null})), Status::Protocol);
    let bench = bench();
    bench.fake.answers(json_answer(200, &json!({"access_token": "t"})));
    assert_eq!(bench.session.access_token().unwrap_err().status(), Status::Protocol);
}

#[test]
fn f020_a_token_that_is_invalid_in_a_header_is_refused() {
    for bad in ["", "a b", "a\nb", "a\r\nX: y", "é", "a\u{0}"] {
        let bench = bench();
        bench.fake.answers(token(&json!({"access_token": bad, "expires_in": 60})));
        assert_eq!(
            bench.session.headers(SENTINEL_HUB).unwrap_err().status(),
            Status::Protocol,
            "{bad:?}"
        );
        assert!(bench.session.access_token_cached().unwrap().is_none());
    }
}

#[test]
fn f021_a_token_of_64_kib_is_accepted_and_a_larger_one_is_not() {
    let long = "x".repeat(64 * 1024);
    let bench = bench();
    bench.fake.answers(token(&json!({"access_token": long, "expires_in": 60})));
    let authorization = bench.session.headers(SENTINEL_HUB).unwrap();
    assert_eq!(authorization.header_value().unwrap().len(), "Bearer ".len() + long.len());
    assert_eq!(status(json!({"access_token": "x".repeat(256 * 1024 + 1)})), Status::Protocol);
    // The same over a socket.
    let simulator = simulator();
    simulator
        .script("m2m.token", &json!([{"token_response": {"set": {"access_token": long}}}]))
        .unwrap();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    assert_eq!(&*session.access_token().unwrap(), long);
}

/// A server that returns the same token until it expires, with a decreasing lifetime.
#[test]
fn f022_receiving_the_same_token_again_causes_no_loop() {
    let bench = bench();
    let clock = bench.clock.clone();
    bench.fake.always(move |_| {
        let left = 600_000u64.saturating_sub(clock.now().unix_ms - NOW * 1000) as f64 / 1000.0;
        Ok(token(&json!({"access_token": "the-same", "expires_in": left})))
    });
    let first = bench.session.access_token().unwrap();
    assert_eq!(
        (&*first, first.expires_at()),
        ("the-same", Some(i64::try_from(NOW + 600).unwrap()))
    );
    // Each refresh comes when three quarters of the remaining lifetime have passed, and returns no
    // new token.
    for generation in 2..=4 {
        let left = 600_000 - bench.elapsed_ms();
        bench.clock.sleep(std::time::Duration::from_millis(left * 76 / 100));
        for _ in 0..20 {
            assert_eq!(bench.token(), "the-same");
        }
        eventually(|| {
            bench
                .session
                .access_token_cached()
                .unwrap()
                .is_some_and(|token| token.generation() == generation)
        });
        assert_eq!(bench.session.access_token().unwrap().expires_at(), first.expires_at());
    }
    assert_eq!(bench.fake.count(), 4);
    // The token has expired, and the server still returns the same one.
    bench.clock.sleep(std::time::Duration::from_secs(9));
    for _ in 0..20 {
        assert_eq!(bench.session.access_token().unwrap_err().status(), Status::Protocol);
    }
    assert_eq!(bench.fake.count(), 5);
}

/// `expires_in` is an hour and the token's own `exp` a minute. Both are measured on the server's
/// clock.
#[test]
fn f023_the_earlier_of_expires_in_and_exp_counts() {
    let with_date = |exp: u64, date: u64| {
        let bench = bench();
        let mut answer =
            token(&json!({"access_token": jwt(&json!({"exp": exp})), "expires_in": 3600}));
        answer.date = Some(date);
        bench.fake.answers(answer);
        bench
            .session
            .access_token()
            .map(|token| token.expires_at().unwrap() - i64::try_from(NOW).unwrap())
    };
    assert_eq!(with_date(NOW + 60, NOW).unwrap(), 60);
    assert_eq!(with_date(NOW + 7200, NOW).unwrap(), 3600);
    let error = with_date(NOW - 60, NOW).unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::Protocol, Some(Reason::LifetimeUnusable))
    );
    assert!(error.message().contains("clock"), "{error}");
    // A token with both `iat` and `exp` states its lifetime without any clock.
    let life = served(
        json!({"access_token": jwt(&json!({"iat": 1000, "exp": 1060})), "expires_in": 3600}),
    )
    .unwrap()
    .1;
    assert_eq!(life, 60);
}

#[test]
fn f024_a_narrowed_scope_is_logged_and_no_error() {
    let logs = logs();
    let (fake, clock) = (Fake::new(), std::sync::Arc::new(planetkey::clock::ManualClock::new(NOW)));
    let session = planetkey::Session::from_m2m(
        CLIENT_ID,
        CLIENT_SECRET,
        &options(&fake, &clock)
            .with(|it| it.scopes = Some(vec!["planet".into(), "f024-refused".into()])),
    )
    .unwrap();
    assert_eq!(session.status().scopes(), ["planet", "f024-refused"], "what will be requested");
    fake.answers(token(&json!({"access_token": "t", "expires_in": 60, "scope": "planet"})));
    session.access_token().unwrap();
    assert_eq!(fake.seen()[0].field("scope").as_deref(), Some("planet f024-refused"));
    assert_eq!(session.status().scopes(), ["planet"]);
    assert_eq!(logs.with(log::Level::Warn, "f024-refused").len(), 1);
}
