//! Refusals, unexpected refresh tokens, and unusual headers: faults 25 to 32 and 35 to 40.

use crate::common::*;
use planetkey::clock::{ManualClock, Monotonic};
use planetkey::http::{CallContext, Http, Retry};
use planetkey::oauth::client_authentication::ClientAuthentication;
use planetkey::oauth::client_credentials::ClientCredentialsRequest;
use planetkey::{Session, Status};
use serde_json::{Value, json};
use std::sync::Arc;

/// Checks the later requests of a session whose first token response contains this refresh token.
fn refreshes_after(refresh_token: &[Value]) {
    let bench = bench();
    for (number, refresh_token) in refresh_token.iter().enumerate() {
        let name = format!("with-refresh-{number}");
        let body = json!({"access_token": name, "expires_in": 600, "refresh_token": refresh_token, "refresh_expires_in": 1800});
        bench.fake.answers(token(&body));
        assert_eq!(bench.token(), name);
        bench.advance(600);
    }
    assert_eq!(bench.token(), "token-1");
    let seen = bench.fake.seen();
    assert_eq!(seen.len(), refresh_token.len() + 1);
    for request in &seen {
        // A refresh repeats the grant (RFC 6749 4.4.3), byte for byte.
        assert_eq!(request.field("grant_type").as_deref(), Some("client_credentials"));
        assert_eq!(request.body, seen[0].body);
        assert!(!request.body.contains("SECRET-REFRESH"));
    }
    assert!(!bench.session.status().to_json().to_string().contains("SECRET-REFRESH"));
}

#[test]
fn f025_an_m2m_client_needs_no_refresh_token() {
    refreshes_after(&[]);
    refreshes_after(&[json!("SECRET-REFRESH"), Value::Null]);
    // The storage never gets the refresh token, because the result of the grant does not contain
    // it.
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    fake.answers(token(&json!({"access_token": "t", "refresh_token": "SECRET-REFRESH", "x": 1})));
    let http = Http::new(fake, clock, Arc::new(Fixed(0x80)));
    let client = ClientAuthentication::ClientSecretPost {
        client_id: CLIENT_ID.into(),
        client_secret: CLIENT_SECRET.into(),
    };
    let endpoint = "https://as.example/token".parse().unwrap();
    let tokens = ClientCredentialsRequest::default()
        .request(&CallContext::new(&http, Retry::Never, Monotonic::NEVER), &endpoint, &client)
        .unwrap();
    assert!(tokens.members.0.contains_key("x") && !tokens.members.0.contains_key("refresh_token"));
}

#[test]
fn f026_an_empty_or_null_refresh_token_changes_nothing() {
    refreshes_after(&[json!("SECRET-REFRESH"), json!(""), Value::Null]);
}

#[test]
fn f027_the_same_refresh_token_again_changes_nothing() {
    refreshes_after(&[json!("SECRET-REFRESH"), json!("SECRET-REFRESH")]);
}

#[test]
fn f028_invalid_grant_fails_fast_until_an_explicit_refresh() {
    let bench = bench();
    bench.fake.answers(oauth_error(400, "invalid_grant"));
    for _ in 0..20 {
        let error = bench.session.access_token().unwrap_err();
        assert_eq!((error.status(), error.reason()), (Status::Misconfigured, None));
    }
    assert_eq!(bench.fake.count(), 1);
    // Once the server accepts the client again, an explicit refresh makes the session work.
    bench.session.refresh().unwrap();
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn f029_invalid_client_does_not_end_a_valid_token() {
    let bench = bench();
    assert_eq!(bench.token(), "token-1");
    bench.advance(3000);
    bench.fake.always(|_| Ok(oauth_error(401, "invalid_client")));
    bench.token();
    bench.fake.wait_requests(2);
    for _ in 0..20 {
        assert_eq!(bench.token(), "token-1");
    }
    bench.advance(500);
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 2, "after a permanent refusal no request is sent");
    bench.advance(100);
    for _ in 0..20 {
        let error = bench.session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.oauth_error()),
            (Status::Misconfigured, Some("invalid_client"))
        );
    }
    assert_eq!(bench.fake.count(), 2);
}

/// Returns the status that a caller gets for this refusal, and the number of requests for twenty
/// calls over an hour.
fn refused(http_status: u16, error: &'static str) -> (Status, Option<String>, usize) {
    let bench = bench();
    bench.fake.always(move |_| Ok(oauth_error(http_status, error)));
    let first = bench.session.access_token().unwrap_err();
    for _ in 0..19 {
        bench.advance(180);
        let again = bench.session.access_token().unwrap_err();
        assert_eq!((again.status(), again.reason()), (first.status(), first.reason()));
    }
    (first.status(), first.reason().map(|reason| reason.name().to_owned()), bench.fake.count())
}

#[test]
fn f030_refusals_of_client_grant_and_scope_are_permanent() {
    for error in [
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_request",
        "invalid_target",
    ] {
        assert_eq!(refused(400, error), (Status::Misconfigured, None, 1), "{error}");
    }
    assert_eq!(refused(403, "access_denied"), (Status::Denied, None, 1));
}

#[test]
fn f031_interaction_required_is_login_required() {
    for error in [
        "interaction_required",
        "login_required",
        "mfa_required",
        "consent_required",
        "account_selection_required",
    ] {
        assert_eq!(
            refused(400, error),
            (Status::LoginRequired, Some("expired".to_owned()), 1),
            "{error}"
        );
    }
}

#[test]
fn f032_unknown_errors_are_permanent_with_400_and_transient_with_5xx() {
    assert_eq!(refused(400, "a_new_error"), (Status::Misconfigured, None, 1));
    assert_eq!(refused(401, "a_new_error"), (Status::Misconfigured, None, 1));
    let (status, _, requests) = refused(503, "a_new_error");
    assert_eq!(status, Status::Unavailable);
    assert!(requests >= 20, "requested again after each pause, {requests} times");
    let (status, ..) = refused(400, "temporarily_unavailable");
    assert_eq!(status, Status::Unavailable);
}

/// A gateway before the server may respond for a while. The client is not at fault, and the next
/// attempt may succeed.
#[test]
fn f032_the_refusal_of_a_gateway_is_temporary() {
    for (status, body) in
        [(403, "Forbidden"), (408, "timeout"), (425, "too early"), (404, "not_here")]
    {
        let bench = bench();
        bench.fake.answers(oauth_error(status, body));
        assert_eq!(bench.session.access_token().unwrap_err().http_status(), Some(status));
        bench.advance(60);
        assert_eq!(bench.token(), "token-1", "after {status}");
    }
}

/// Metadata that worked for months is gone: the token endpoint that it named is still used.
#[test]
fn f035_the_last_valid_metadata_is_used_if_the_server_fails() {
    let logs = logs();
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": "https://f035.example",
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    });
    let session =
        Session::from_client_config(&config.to_string(), &options(&fake, &clock)).unwrap();
    fake.answers(json_answer(
        200,
        &json!({"issuer": "https://f035.example", "token_endpoint": "https://f035.example/token"}),
    ));
    session.access_token().unwrap();
    clock.advance(std::time::Duration::from_secs(90 * 24 * 3600));
    fake.answers(answer(404, "text/html", "gone")).answers(answer(404, "text/html", "gone"));
    session.access_token().unwrap();
    let urls: Vec<String> = fake.seen().into_iter().map(|seen| seen.url).collect();
    assert_eq!(urls.len(), 5);
    assert_eq!(
        (urls[1].as_str(), urls[4].as_str()),
        ("https://f035.example/token", "https://f035.example/token")
    );
    let warned = logs.with(log::Level::Warn, "last good copy");
    assert_eq!(warned.iter().filter(|line| line.contains("f035.example")).count(), 1, "{warned:?}");
}

#[test]
fn f037_a_307_does_not_send_the_secret_again() {
    let (simulator, other) = (simulator(), simulator());
    for status in [307, 308] {
        let step = json!([{"status": status, "headers": {"Location": other.token_endpoint()}}]);
        simulator.script("m2m.token", &step).unwrap();
        let error = simulator_session(&simulator, &simulator_options(&simulator))
            .access_token()
            .unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(status)));
    }
    assert_eq!(other.count("connections").unwrap(), 0);
}

#[test]
fn f038_cookies_are_not_stored() {
    let simulator = simulator();
    let step = json!({"steps": [{"headers": {"Set-Cookie": "session=SECRET; Path=/"}, "token_response": {}}], "repeat": true});
    simulator.script("m2m.token", &step).unwrap();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    session.access_token().unwrap();
    session.refresh().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    assert_eq!(header(&simulator, "m2m.token", 1, "cookie"), None);
}

/// The `Date` of a server or a gateway is wrong by hours: the token has its stated lifetime, and
/// the log reports the difference.
#[test]
fn f039_a_wrong_date_header_does_not_change_the_lifetime() {
    let logs = logs();
    for (offset, start) in [(-9099, "90"), (18_000, "180")] {
        let simulator = simulator();
        simulator.change_settings(&json!({ "date_offset_s": offset })).unwrap();
        let session = simulator_session(&simulator, &simulator_options(&simulator));
        let before =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let expires_at = session.access_token().unwrap().expires_at().unwrap();
        assert!(
            expires_at >= i64::try_from(before + 3590).unwrap(),
            "{offset}: {} s",
            expires_at - i64::try_from(before).unwrap()
        );
        session.access_token().unwrap();
        let warned = logs.with(log::Level::Warn, &format!("differ by {start}"));
        assert_eq!(warned.len(), 1, "{warned:?}");
    }
}

#[test]
fn f040_a_revoked_grant_causes_no_loop() {
    let bench = bench();
    bench.fake.always(|_| Ok(oauth_error(400, "invalid_grant")));
    for _ in 0..20 {
        let error = bench.session.headers(SENTINEL_HUB).unwrap_err();
        assert_eq!(
            (error.status(), error.reason(), error.retryable()),
            (Status::Misconfigured, None, false)
        );
        bench.advance(60);
    }
    assert_eq!(bench.fake.count(), 1);
    // The same for a session that had a token before.
    let had = options(&bench.fake, &bench.clock);
    let session = m2m(&had);
    assert_eq!(session.access_token().unwrap_err().status(), Status::Misconfigured);
}
