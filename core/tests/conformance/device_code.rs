//! The device flow: assertions 78 to 91.

use crate::common::*;
use planetkey::clock::Monotonic;
use planetkey::credential::TokenSet;
use planetkey::deployment::InsecureLoopback;
use planetkey::http::{HttpMethod, Response, TransportFailure};
use planetkey::oauth::device_code::{DeviceAuthorization, Poll, Schedule, authorize, parse, poll};
use planetkey::secret::Secret;
use planetkey::{Error, Reason, Result, Status};
use serde_json::{Value, json};
use std::time::Duration;

const DEVICE_CODE: &str = "DEVICE-CODE-THAT-MUST-BE-HIDDEN";

/// Returns a device authorization response with these changes; `null` removes a member.
fn document(changes: &Value) -> Value {
    let mut document = json!({
        "device_code": DEVICE_CODE, "user_code": "WDJB-MJHT", "verification_uri": "https://as.example/device",
        "verification_uri_complete": "https://as.example/device?user_code=WDJB-MJHT", "expires_in": 900, "interval": 5,
    });
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}

fn read(changes: &Value) -> Result<DeviceAuthorization> {
    parse(&document(changes), InsecureLoopback::Refused)
}

const THIRTY_SECONDS: Duration = Duration::from_secs(30);

fn at(milliseconds: u64) -> Monotonic {
    Monotonic::from_millis(milliseconds)
}

fn schedule(interval: u64) -> Schedule {
    Schedule::new(&read(&json!({ "interval": interval })).unwrap(), at(1_000_000))
}

/// Polls once, and the server returns this response.
fn asked(response: Response) -> Result<Poll> {
    let wire = Wire::new();
    wire.fake.answers(response);
    let outcome = ask(&wire);
    assert_eq!(wire.fake.count(), 1, "one poll is one request");
    outcome
}

fn ask(wire: &Wire) -> Result<Poll> {
    poll(
        &wire.call(),
        &endpoint("token"),
        &public_client(),
        &Secret::from(DEVICE_CODE),
        &scopes(&["planet"]),
    )
}

#[test]
fn a078_the_client_authenticates_as_at_the_token_endpoint() {
    for (client, proof) in clients() {
        let wire = Wire::new();
        wire.fake.answers(json_answer(200, &document(&json!({}))));
        let extra = [("organization".to_owned(), "one".to_owned())];
        let wanted = scopes(&["planet", "offline_access"]);
        let audience = Some("https://api.planet.com/");
        authorize(
            &wire.call(),
            &endpoint("device"),
            &client,
            &wanted,
            audience,
            &extra,
            InsecureLoopback::Refused,
        )
        .unwrap();
        poll(&wire.call(), &endpoint("token"), &client, &Secret::from(DEVICE_CODE), &wanted)
            .unwrap();
        for seen in wire.fake.seen() {
            assert_eq!(seen.method, HttpMethod::Post);
            match proof {
                "Basic" => assert!(seen.authorization.unwrap().starts_with("Basic ")),
                field => assert!(
                    seen.field(field).is_some() && seen.authorization.is_none(),
                    "{field}: {}",
                    seen.body
                ),
            }
        }
        let seen = &wire.fake.seen()[0];
        assert_eq!(seen.field("scope").as_deref(), Some("planet offline_access"));
        assert_eq!(seen.field("audience").as_deref(), audience);
        assert_eq!(seen.field("organization").as_deref(), Some("one"));
        let seen = &wire.fake.seen()[1];
        assert_eq!(
            seen.field("grant_type").as_deref(),
            Some("urn:ietf:params:oauth:grant-type:device_code")
        );
        assert_eq!(seen.field("device_code").as_deref(), Some(DEVICE_CODE));
    }
    // Refusals are typed, and a request that may be sent twice is repeated.
    let begin = |response: Response| {
        let wire = Wire::new();
        wire.fake.answers(response).answers(json_answer(200, &document(&json!({}))));
        authorize(
            &wire.call(),
            &endpoint("device"),
            &public_client(),
            &[],
            None,
            &[],
            InsecureLoopback::Refused,
        )
    };
    let refused = begin(oauth_error(401, "invalid_client")).unwrap_err();
    assert_eq!(
        (refused.status(), refused.message().contains(CLIENT_ID)),
        (Status::Misconfigured, true),
        "{refused}"
    );
    assert_eq!(begin(oauth_error(200, "access_denied")).unwrap_err().status(), Status::Denied);
    assert_eq!(begin(answer(200, "text/html", "captive")).unwrap_err().status(), Status::Protocol);
    begin(busy(503, None)).unwrap();
}

#[test]
fn a079_required_members_are_checked_and_the_old_name_is_accepted() {
    let all = read(&json!({})).unwrap();
    assert_eq!(
        (
            all.device_code.expose(),
            all.user_code.as_str(),
            all.verification_uri.as_str(),
            all.expires_in,
            all.interval
        ),
        (
            DEVICE_CODE,
            "WDJB-MJHT",
            "https://as.example/device",
            Duration::from_secs(900),
            Duration::from_secs(5)
        )
    );
    assert_eq!(
        all.verification_uri_complete.as_deref(),
        Some("https://as.example/device?user_code=WDJB-MJHT")
    );
    for name in ["device_code", "user_code", "verification_uri", "expires_in"] {
        for wrong in [Value::Null, json!(""), json!([]), json!({})] {
            let error = read(&json!({ name: wrong })).unwrap_err();
            assert_eq!(error.status(), Status::Protocol, "{name} {wrong}");
            assert!(error.message().contains(name), "{error}");
        }
    }
    let old = json!({"verification_uri": null, "verification_url": "https://as.example/old", "verification_uri_complete": null});
    let old = read(&old).unwrap();
    assert_eq!(
        (old.verification_uri.as_str(), old.verification_uri_complete),
        ("https://as.example/old", None)
    );
    for expires_in in [json!(0), json!(-1), json!("soon"), json!("NaN"), json!(true)] {
        assert_eq!(
            read(&json!({ "expires_in": expires_in })).unwrap_err().status(),
            Status::Protocol,
            "{expires_in}"
        );
    }
    for (expires_in, ms) in [
        (json!("600"), 600_000),
        (json!(0.5), 500),
        (json!(1e300), 86_400_000),
        (json!("inf"), 86_400_000),
    ] {
        assert_eq!(
            read(&json!({ "expires_in": expires_in })).unwrap().expires_in,
            Duration::from_millis(ms),
            "{expires_in}"
        );
    }
}

#[test]
fn a080_the_interval_is_five_seconds_unless_the_server_says_otherwise() {
    for interval in [
        Value::Null,
        json!(0),
        json!(-1),
        json!(-1e300),
        json!("often"),
        json!("NaN"),
        json!([5]),
        json!(false),
    ] {
        assert_eq!(
            read(&json!({ "interval": interval })).unwrap().interval,
            Duration::from_secs(5),
            "{interval}"
        );
    }
    let stated = [
        (json!(1), 1_000),
        (json!("7"), 7_000),
        (json!(7.5), 8_000),
        (json!(0.001), 1_000),
        (json!(60), 60_000),
    ];
    for (interval, ms) in stated {
        assert_eq!(
            read(&json!({ "interval": interval })).unwrap().interval,
            Duration::from_millis(ms),
            "{interval}"
        );
    }
    for interval in [json!(61), json!(1e300), json!("inf")] {
        assert_eq!(
            read(&json!({ "interval": interval })).unwrap().interval,
            Duration::from_secs(60),
            "{interval}"
        );
    }
}

#[test]
fn a081_the_interval_counts_from_the_end_of_a_poll() {
    let mut schedule = schedule(5);
    assert_eq!(schedule.next(), at(1_005_000), "and from the start to the first");
    // The poll started in time and took twelve seconds.
    schedule.polled(&Poll::Pending, at(1_017_000));
    assert_eq!(schedule.next(), at(1_022_000));
}

#[test]
fn a082_authorization_pending_does_not_change_the_interval() {
    assert!(matches!(asked(oauth_error(400, "authorization_pending")), Ok(Poll::Pending)));
    let mut schedule = schedule(7);
    for number in 1..10 {
        schedule.polled(&Poll::Pending, at(1_000_000 + number * 7_000));
        assert_eq!(schedule.next(), at(1_000_000 + (number + 1) * 7_000));
    }
}

#[test]
fn a083_slow_down_adds_five_seconds_permanently() {
    let smaller = json!({"error": "slow_down", "interval": 1});
    assert!(matches!(asked(json_answer(400, &smaller)), Ok(Poll::SlowDown)));
    let mut schedule = schedule(5);
    let mut now = at(1_005_000);
    for (outcome, wait) in [
        (Poll::SlowDown, 10_000),
        (Poll::Pending, 10_000),
        (Poll::SlowDown, 15_000),
        (Poll::Pending, 15_000),
        (unreachable(None), 30_000),
        (Poll::Pending, 15_000),
    ] {
        schedule.polled(&outcome, now);
        assert_eq!(schedule.next() - now, Duration::from_millis(wait), "{outcome:?}");
        now = schedule.next();
    }
    // Any number of times: the standard has no upper limit.
    for _ in 0..30 {
        schedule.polled(&Poll::SlowDown, now);
    }
    assert_eq!(schedule.next() - now, Duration::from_millis(165_000));
}

fn unreachable(retry_after_ms: Option<u64>) -> Poll {
    let retry_after = retry_after_ms.map(Duration::from_millis);
    Poll::Unreachable { retry_after, error: Error::new(Status::Unavailable, "away") }
}

#[test]
fn a084_an_unreachable_server_is_polled_less_often() {
    for failure in [
        TransportFailure::TimedOut(true),
        TransportFailure::TimedOut(false),
        TransportFailure::NotSent("refused".into()),
        TransportFailure::Ambiguous("reset".into()),
    ] {
        let wire = Wire::new();
        wire.fake.fails(failure);
        let Ok(Poll::Unreachable { error, .. }) = ask(&wire) else { panic!("it is no end") };
        assert!(matches!(error.status(), Status::Unavailable | Status::Timeout), "{error}");
        assert_eq!(wire.fake.count(), 1);
    }
    for status in [429, 500, 502, 503, 504, 408] {
        assert!(
            matches!(asked(busy(status, None)), Ok(Poll::Unreachable { retry_after: None, .. })),
            "{status}"
        );
    }
    let mut schedule = schedule(5);
    let mut now = at(1_005_000);
    for wait in [10_000, 20_000, 40_000, 80_000, 120_000, 120_000] {
        schedule.polled(&unreachable(None), now);
        assert_eq!(schedule.next() - now, Duration::from_millis(wait));
        now = schedule.next();
    }
    schedule.polled(&Poll::Pending, now);
    assert_eq!(schedule.next() - now, Duration::from_millis(5_000), "it answers again");
    for _ in 0..1000 {
        schedule.polled(&unreachable(Some(u64::MAX)), at(u64::MAX - 1));
    }
    assert_eq!(schedule.next(), at(u64::MAX));
}

#[test]
fn a085_any_other_error_ends_the_polling() {
    for (name, status, reason) in [
        ("access_denied", Status::Denied, None),
        ("expired_token", Status::LoginRequired, Some(Reason::Expired)),
        ("invalid_grant", Status::LoginRequired, Some(Reason::Expired)),
        ("invalid_client", Status::Misconfigured, None),
        ("invalid_request", Status::Misconfigured, None),
        ("unsupported_grant_type", Status::Misconfigured, None),
        ("a_new_error", Status::Misconfigured, None),
        ("server_error", Status::Unavailable, None),
    ] {
        let error = asked(oauth_error(400, name)).unwrap_err();
        assert_eq!(
            (error.status(), error.reason(), error.oauth_error()),
            (status, reason, Some(name))
        );
        assert_eq!(error.http_status(), Some(400));
    }
    assert_eq!(asked(answer(404, "text/html", "no")).unwrap_err().status(), Status::Protocol);
    assert_eq!(asked(answer(200, "text/html", "captive")).unwrap_err().status(), Status::Protocol);
    // The states of the login count with any HTTP status.
    for status in [200, 401, 403, 428] {
        assert!(
            matches!(asked(oauth_error(status, "authorization_pending")), Ok(Poll::Pending)),
            "{status}"
        );
        assert!(matches!(asked(oauth_error(status, "slow_down")), Ok(Poll::SlowDown)), "{status}");
    }
    let granted =
        asked(token(&json!({"access_token": "t", "refresh_token": "r", "expires_in": 60})));
    let Ok(Poll::Granted(TokenSet { access_token, scopes, .. })) = granted else {
        panic!("{granted:?}")
    };
    assert_eq!((access_token.expose(), scopes), ("t", vec!["planet".to_owned()]));
    // A login whose access token cannot be used has failed.
    let unusable = token(&json!({"access_token": "two words", "refresh_token": "r"}));
    // Its tokens are valid at the server, and are revoked.
    match asked(unusable) {
        Ok(Poll::Unusable { error, .. }) => assert_eq!(error.status(), Status::Protocol),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a086_the_expiry_is_on_the_monotonic_clock() {
    let authorization = read(&json!({"expires_in": 600})).unwrap();
    let mut schedule = Schedule::new(&authorization, at(5_000));
    assert_eq!(schedule.expires(), at(605_000));
    for outcome in [Poll::SlowDown, unreachable(Some(3_600_000)), Poll::Pending] {
        schedule.polled(&outcome, at(100_000));
        assert_eq!(schedule.expires(), at(605_000), "{outcome:?}");
    }
    // A schedule uses one clock only: it is computed from the given numbers.
    assert_eq!(Schedule::new(&authorization, Monotonic::NEVER).expires(), at(u64::MAX));
}

/// The error is final and says what the user must do. No new device authorization starts by itself.
#[test]
fn a087_an_expired_code_is_not_replaced_automatically() {
    let wire = Wire::new();
    wire.fake.answers(oauth_error(400, "expired_token"));
    let error = ask(&wire).unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::LoginRequired, Some(Reason::Expired)));
    assert!(error.message().contains("log in again") && !error.retryable(), "{error}");
    assert_eq!(wire.fake.count(), 1);
}

/// A program that shows a login always has the user code, also if the address contains it.
#[test]
fn a088_there_is_always_a_user_code_to_show() {
    assert_eq!(read(&json!({})).unwrap().user_code, "WDJB-MJHT");
    let missing = read(&json!({"user_code": null})).unwrap_err();
    assert_eq!(missing.status(), Status::Protocol, "the address that holds it is not enough");
}

#[test]
fn a089_a_shown_address_is_https_in_printable_ascii() {
    let wrong = [
        "http://as.example/device",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://as.example@evil.example/",
        "https://as.example/\u{1b}[31m",
        "https://as.example/\r\nhttps://evil.example",
        "https://as.example/\u{202e}live",
        "https://\u{430}s.example/",
        "https://as.example\\@evil.example/",
        " https://as.example/",
        "as.example/device",
        "http://127.0.0.1/device",
    ];
    for uri in wrong {
        for name in ["verification_uri", "verification_uri_complete"] {
            let error = read(&json!({ name: uri })).unwrap_err();
            assert_eq!(error.status(), Status::Protocol, "{name} {uri:?}");
            assert!(error.message().contains(name) && !error.message().contains(uri), "{error}");
        }
        assert!(
            read(&json!({"verification_uri": null, "verification_url": uri})).is_err(),
            "{uri:?}"
        );
    }
    assert!(
        read(&json!({"verification_uri": format!("https://as.example/{}", "x".repeat(3000))}))
            .is_err()
    );
    let loopback = document(
        &json!({"verification_uri": "http://127.0.0.1:8080/device", "verification_uri_complete": null}),
    );
    assert_eq!(
        parse(&loopback, InsecureLoopback::Allowed).unwrap().verification_uri,
        "http://127.0.0.1:8080/device"
    );
    // Exactly as the server wrote it, because the user types it.
    for uri in
        ["https://as.example", "https://as.example/app#/device", "HTTPS://as.example/%E2%82%AC"]
    {
        assert_eq!(read(&json!({ "verification_uri": uri })).unwrap().verification_uri, uri);
    }
    for user_code in ["AB\u{1b}[2J", "AB\nCD", "\u{202e}AB", "AB\u{200b}CD", &"A".repeat(101)] {
        assert_eq!(
            read(&json!({ "user_code": user_code })).unwrap_err().status(),
            Status::Protocol,
            "{user_code:?}"
        );
    }
    assert_eq!(read(&json!({"user_code": "ÄB 12"})).unwrap().user_code, "ÄB 12");
}

#[test]
fn a090_a_device_code_is_a_secret() {
    let logs = logs();
    let wire = Wire::new();
    wire.fake
        .answers(json_answer(200, &document(&json!({}))))
        .answers(busy(503, None))
        .answers(oauth_error(400, "slow_down"));
    let authorization = authorize(
        &wire.call(),
        &endpoint("device"),
        &public_client(),
        &[],
        None,
        &[],
        InsecureLoopback::Refused,
    )
    .unwrap();
    let polls = [ask(&wire).unwrap(), ask(&wire).unwrap()];
    let error =
        parse(&document(&json!({"expires_in": null})), InsecureLoopback::Refused).unwrap_err();
    for shown in [format!("{authorization:?}"), format!("{polls:?}"), format!("{error:?}")] {
        assert!(!shown.contains(DEVICE_CODE), "{shown}");
    }
    assert_eq!(logs.with(log::Level::Trace, DEVICE_CODE), Vec::<String>::new());
}

#[test]
fn a091_retry_after_is_the_shortest_wait() {
    let Ok(Poll::Unreachable { retry_after: Some(THIRTY_SECONDS), error }) =
        asked(busy(503, Some("30")))
    else {
        panic!("the wait is handed on")
    };
    assert_eq!(error.retry_after(), Some(Duration::from_millis(30_000)));
    let mut schedule = schedule(5);
    schedule.polled(&unreachable(Some(30_000)), at(1_005_000));
    assert_eq!(schedule.next(), at(1_035_000), "more than the doubled interval");
    schedule.polled(&unreachable(Some(1_000)), at(1_035_000));
    assert_eq!(schedule.next(), at(1_055_000), "and never less than that");
    schedule.polled(&unreachable(Some(300_000)), at(1_055_000));
    assert_eq!(schedule.next(), at(1_355_000), "whatever the backoff's upper end");
}
