//! How an authorization server can fail the refresh of a user's session: faults 3, 9, 25 to 29, 40
//! and 44.

use crate::common::*;
use planetkey::http::TransportFailure;
use planetkey::profile::HOME_VARIABLE;
use planetkey::{Error, Reason, Session, Status};
use serde_json::{Value, json};
use std::time::Duration;

const PLAYER: &str = "faults::refresh::child_process";

/// Returns a home whose session must be refreshed before use.
fn expired() -> Home {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home
}

fn what(error: &Error) -> (Status, Option<Reason>) {
    (error.status(), error.reason())
}

#[test]
fn f003_sessions_with_the_same_files_share_retry_after() {
    let home = expired();
    home.fake.answers(busy(503, Some("600")));
    let (first, second) = (home.user(), home.user());
    assert_eq!(
        first.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(600_000))
    );
    home.advance(100);
    // A session that was open before and one that is opened now, also with an explicit refresh.
    for session in [&second, &home.user()] {
        for error in [session.access_token().unwrap_err(), session.refresh().unwrap_err()] {
            assert_eq!((error.status(), error.http_status()), (Status::Unavailable, Some(503)));
            assert_eq!(error.retry_after(), Some(Duration::from_millis(500_000)));
            assert!(error.retryable() && error.message().contains("503"), "{error}");
        }
    }
    assert_eq!(home.fake.count(), 1);
    home.advance(499);
    assert_eq!(
        home.user().access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(1000))
    );
    home.advance(1);
    assert_eq!(ask(&second), "access-1");
    assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("access-1", 2));
    assert_eq!(home.failure_record().get("not_before"), None, "a wait that has passed is deleted");
    // The same for an M2M client. Callers with a valid token are not affected.
    let m2m = home.m2m();
    assert_eq!(ask(&m2m), "access-2");
    home.fake.answers(busy(429, Some("86400")));
    assert_eq!(m2m.refresh().unwrap_err().http_status(), Some(429));
    let later = home.m2m();
    assert_eq!(ask(&later), "access-2");
    home.advance(3599);
    let left = later.access_token().unwrap_err().retry_after().map(|wait| wait.as_millis() as u64);
    assert_eq!((left, home.fake.count()), (Some(1000), 4), "for an hour at most");
}

#[test]
fn f003_another_process_shares_retry_after() {
    let planet = Planet::new();
    planet.seed_expired();
    planet
        .simulator
        .script("user.token", &json!([{"status": 503, "headers": {"Retry-After": "900"}}]))
        .unwrap();
    let error = planet.session().access_token().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_millis(900_000)));
    let process = Child::spawn(
        child(PLAYER, "ask")
            .env(HOME_VARIABLE, planet.home())
            .env("PLANETKEY_DEPLOYMENT", planet.simulator.deployment_path()),
    );
    let answer = process.hear();
    process.end();
    let wait: u64 =
        answer.strip_prefix("UNAVAILABLE ").unwrap_or_else(|| panic!("{answer}")).parse().unwrap();
    assert!((600_000..=900_000).contains(&wait), "{wait}");
    assert_eq!(planet.requests(), 1);
}

#[test]
fn child_process() {
    if role().is_none() {
        return;
    }
    let options = planetkey::Options::default().with(|it| it.allow_insecure_loopback = Some(true));
    let session = Session::from_profile("planet-user", &options).unwrap();
    match session.access_token() {
        Ok(token) => tell(&token),
        Err(error) => tell(&format!(
            "{} {}",
            error.status(),
            error.retry_after().unwrap_or_default().as_millis()
        )),
    }
}

/// An unreadable success may have used up the refresh token. The file is read again, and the same
/// token is not sent again at once.
#[test]
fn f009_a_truncated_success_is_an_ambiguous_refresh() {
    for body in ["{\"access_token\": \"half", "", "[]", "{\"token_type\": \"Bearer\"}"] {
        let home = expired();
        home.fake.answers(answer(200, "application/json", body));
        let error = home.user().access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.is_ambiguous(), home.fake.count()),
            (Status::Protocol, true, 1),
            "{body:?}"
        );
        // The refresh token stays saved, because the server may still accept it. It is sent again
        // after a while.
        assert_eq!(home.refresh_token(), SEEDED_REFRESH);
        home.advance(3600);
        assert_eq!(ask(&home.user()), "access-1", "{body:?}");
        assert_eq!(
            (home.sent(), home.refresh_token().as_str()),
            (vec![SEEDED_REFRESH.to_owned(); 2], "refresh-1")
        );
    }
    let home = expired();
    home.fake.always(|_| Ok(answer(200, "application/json", "{\"access_token\"")));
    let session = home.user();
    for _ in 0..20 {
        assert_eq!(session.access_token().unwrap_err().status(), Status::Protocol);
        assert_eq!(home.user().access_token().unwrap_err().status(), Status::Protocol);
    }
    assert_eq!((home.fake.count(), home.refresh_token().as_str()), (1, SEEDED_REFRESH), "no storm");
    // Before the second attempt another program saved a newer token.
    let home = expired();
    let (file, newer) = (
        home.token_file(),
        sdk_bytes(&seeded(&json!({"access_token": "other", "refresh_token": "next"}))),
    );
    home.fake.then(move || {
        sdk_write(&file, &newer);
        Ok(answer(200, "application/json", "{\"access"))
    });
    assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("other", 1));
}

#[test]
fn f025_a_response_without_a_refresh_token_preserves_the_old_one() {
    let planet = Planet::new();
    planet.simulator.change_settings(&json!({"rotation": false})).unwrap();
    let seeded = planet.seed_expired();
    for requests in 1..=3 {
        planet.session().refresh().unwrap();
        assert_eq!(
            (planet.requests(), &planet.tokens()["refresh_token"]),
            (requests, &seeded["refresh_token"])
        );
    }
    assert_eq!(planet.session_of(&seeded)["active"], true);
}

#[test]
fn f026_an_empty_or_null_refresh_token_preserves_the_old_one() {
    for odd in [json!(""), Value::Null] {
        let home = expired();
        home.fake.answers(token(
            &json!({"access_token": "odd", "expires_in": 3600, "refresh_token": odd}),
        ));
        let session = home.user();
        assert_eq!(
            (ask(&session).as_str(), home.refresh_token().as_str()),
            ("odd", SEEDED_REFRESH)
        );
        assert!(session.is_initialized());
        session.refresh().unwrap();
        assert_eq!(home.sent(), [SEEDED_REFRESH; 2]);
    }
}

#[test]
fn f027_receiving_the_same_refresh_token_again_is_accepted() {
    let home = expired();
    for number in 0..3 {
        let members = json!({"access_token": format!("again-{number}"), "expires_in": 3600, "refresh_token": SEEDED_REFRESH});
        home.fake.answers(token(&members));
        let session = home.user();
        session.refresh().unwrap();
        assert_eq!(ask(&session), format!("again-{number}"));
    }
    assert_eq!(home.sent(), [SEEDED_REFRESH; 3]);
}

/// A server with a stale replica refuses a token that another program just received.
#[test]
fn f028_after_invalid_grant_only_another_refresh_token_is_sent() {
    // The file is unchanged: there is no second attempt, although it would succeed.
    let home = expired();
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let session = home.user();
    assert_eq!(
        what(&session.access_token().unwrap_err()),
        (Status::LoginRequired, Some(Reason::Revoked))
    );
    assert_eq!(home.fake.count(), 1);
    // The file changes a moment after the refusal: it is read repeatedly for a while before the
    // refusal is final.
    let home = expired();
    let session = home.user();
    let (file, clock) = (home.token_file(), home.clock.clone());
    let newer =
        sdk_bytes(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": "next"})));
    let late = std::sync::Arc::new(LateWriter { clock, file, newer, after_ms: 60 });
    let mut options = home.options();
    options.runtime.clock = late;
    drop(session);
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert_eq!(ask(&user(&options)), "access-1");
    assert_eq!(home.sent(), [SEEDED_REFRESH, "next"]);
    // One more attempt in total, not one for each change.
    let home = expired();
    for number in 0..5 {
        let members = seeded(
            &json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": format!("other-{number}")}),
        );
        let (file, bytes) = (home.token_file(), sdk_bytes(&members));
        home.fake.then(move || {
            sdk_write(&file, &bytes);
            Ok(oauth_error(400, "invalid_grant"))
        });
    }
    assert_eq!(home.user().access_token().unwrap_err().reason(), Some(Reason::Revoked));
    assert_eq!(home.sent(), [SEEDED_REFRESH, "other-0"]);
}

#[test]
fn f029_invalid_client_does_not_change_the_session() {
    let home = expired();
    let before = std::fs::read(home.token_file()).unwrap();
    home.fake.always(|_| Ok(oauth_error(401, "invalid_client")));
    let session = home.user();
    for _ in 0..20 {
        let error = session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.oauth_error()),
            (Status::Misconfigured, Some("invalid_client"))
        );
        home.advance(60);
    }
    assert_eq!(home.fake.count(), 1);
    assert_eq!(std::fs::read(home.token_file()).unwrap(), before);
    // After the client is corrected the session continues.
    home.fake.always(|number| Ok(token(&rotated(number))));
    assert!(ask(&home.user()).starts_with("access-"));
    assert_eq!(home.sent(), [SEEDED_REFRESH; 2]);
}

/// A copy of the session is used on another computer. The server revokes both, and no process
/// continues to try.
#[test]
fn f040_a_session_revoked_for_reuse_causes_no_loop() {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    let elsewhere = tempfile::tempdir().unwrap();
    let copy = elsewhere.path().join(".planet/planet-user/token.json");
    std::fs::create_dir_all(copy.parent().unwrap()).unwrap();
    std::fs::copy(planet.token_file(), &copy).unwrap();
    let ours = planet.session();
    ours.access_token().unwrap();
    let theirs =
        Session::from_profile("planet-user", &planet.options_at(elsewhere.path())).unwrap();
    assert_eq!(
        what(&theirs.access_token().unwrap_err()),
        (Status::LoginRequired, Some(Reason::Revoked))
    );
    assert_eq!(
        (
            planet.simulator.count("user.reuse").unwrap(),
            planet.session_of(&seeded)["active"] == false
        ),
        (1, true)
    );
    // This process learns it at its next refresh, and every process that opens the session later
    // gets the same error.
    for _ in 0..5 {
        let error = ours.refresh().unwrap_err();
        assert_eq!(what(&error), (Status::LoginRequired, Some(Reason::Revoked)));
        assert!(!error.retryable() && error.message().contains("planet-user"), "{error}");
        assert_eq!(planet.session().refresh().unwrap_err().reason(), Some(Reason::Revoked));
        assert_eq!(theirs.refresh().unwrap_err().reason(), Some(Reason::Revoked));
    }
    assert_eq!(planet.requests(), 3);
}

#[test]
fn f044_after_a_lost_response_the_token_is_sent_again_if_the_server_accepts_it() {
    let planet = Planet::new();
    planet.simulator.change_settings(&json!({"overlap_ms": 60_000})).unwrap();
    let seeded = planet.seed_expired();
    planet.simulator.script("user.token", &json!([{"fault": "lose_response"}])).unwrap();
    let session = planet.session();
    session.access_token().unwrap();
    assert_eq!((planet.requests(), planet.simulator.count("user.repeats").unwrap()), (2, 1));
    planet.assert_alive(&seeded, 1);
    session.refresh().unwrap();
    planet.assert_alive(&seeded, 2);
}

#[test]
fn f044_a_lost_response_ends_the_session_if_the_server_detects_reuse() {
    let planet = Planet::new();
    planet.seed_expired();
    planet.simulator.script("user.token", &json!([{"fault": "lose_response"}])).unwrap();
    let session = planet.session();
    for _ in 0..10 {
        let error = session.access_token().unwrap_err();
        assert_eq!(what(&error), (Status::LoginRequired, Some(Reason::Revoked)), "{error}");
        assert_eq!(planet.session().refresh().unwrap_err().reason(), Some(Reason::Revoked));
    }
    assert_eq!(
        (planet.requests(), planet.simulator.count("user.reuse").unwrap()),
        (2, 1),
        "once more, and no loop"
    );
}

/// A missing response is not always a rotation: a request that the server did not process is
/// repeated.
#[test]
fn f044_a_request_that_was_lost_is_repeated_once() {
    for fault in ["reset_after_read", "close_after_read"] {
        let planet = Planet::new();
        let seeded = planet.seed_expired();
        planet.simulator.script("user.token", &json!([{ "fault": fault }])).unwrap();
        planet.session().access_token().unwrap();
        assert_eq!(planet.requests(), 2, "{fault}");
        planet.assert_alive(&seeded, 1);
    }
    let home = expired();
    home.fake.always(|_| Err(TransportFailure::Ambiguous("reset".into())));
    let session = home.user();
    for _ in 0..20 {
        let error = session.access_token().unwrap_err();
        assert_eq!((error.status(), error.is_ambiguous()), (Status::Unavailable, true));
    }
    assert_eq!(home.fake.count(), 2);
    // A request that certainly did not arrive is repeated, as with every grant.
    let home = expired();
    home.fake
        .fails(TransportFailure::NotSent("refused".into()))
        .fails(TransportFailure::NotSent("refused".into()));
    assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("access-1", 3));
}

/// A token that another program rotated meanwhile is used, and the old one is not sent again.
#[test]
fn f044_after_a_timeout_a_rotation_by_another_program_is_adopted() {
    let home = expired();
    let (file, newer) = (
        home.token_file(),
        sdk_bytes(&seeded(&json!({"access_token": "other", "refresh_token": "next"}))),
    );
    home.fake.then(move || {
        sdk_write(&file, &newer);
        Err(TransportFailure::TimedOut(true))
    });
    assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("other", 1));
}

#[test]
fn a_rotated_refresh_token_with_an_unusable_access_token_is_saved() {
    for members in [
        json!({"access_token": "a", "refresh_token": "refresh-9", "expires_in": 0}),
        json!({"access_token": "a b", "refresh_token": "refresh-9", "expires_in": 3600}),
        json!({"access_token": "a", "refresh_token": "refresh-9", "expires_in": 3600, "token_type": "N_A"}),
    ] {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        home.fake.answers(token(&members));
        let session = home.user();
        ask(&session);
        home.advance(31);
        ask(&session);
        assert_eq!(home.sent()[..2], [SEEDED_REFRESH, "refresh-9"], "{members}");
    }
}

#[test]
fn a_timeout_of_one_process_does_not_fail_a_process_with_more_time() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake
        .fails(planetkey::http::TransportFailure::TimedOut(true))
        .fails(planetkey::http::TransportFailure::TimedOut(true));
    let _ = ask(&user(&home.options().with(|it| it.timeout = Some(Duration::from_millis(50)))));
    let patient = home.user();
    let outcome = ask(&patient);
    assert!(outcome.starts_with("access-"), "{outcome}");
}
