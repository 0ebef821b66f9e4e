//! Logout.

use super::people::*;
use planetkey::{Reason, Revocation, Session, Status};
use serde_json::json;

#[test]
fn a114_a_logout_revokes_removes_and_is_seen_by_others() {
    let people = People::new();
    let refresh_token = people.seed("user|ada")["refresh_token"].as_str().unwrap().to_owned();
    let (runtime, clock) = crate::common::real_network();
    let other =
        Session::from_profile("planet-user", &people.options().with(|it| it.runtime = runtime))
            .unwrap();
    assert!(other.is_initialized());
    let out = people.user().logout(planetkey::Revoke::Yes).unwrap();
    assert!(out.removed && matches!(out.revocation, Revocation::Revoked), "{out:?}");
    assert!(!people.token_file("planet-user").exists());
    assert_eq!(people.simulator.session_of(&refresh_token).unwrap()["revoked"], "revocation");
    let form = crate::common::form(&people.simulator, "user.revoke", 0);
    assert!(form.contains(&("token_type_hint".to_owned(), "refresh_token".to_owned())), "{form:?}");
    clock.advance(std::time::Duration::from_secs(2));
    let error = other.access_token().unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::LoginRequired, Some(Reason::LoggedOut)));
}

#[test]
fn a112_a_server_that_is_away_leaves_a_logout_here_and_an_open_question() {
    for step in [
        json!({"status": 503, "headers": {"Retry-After": 7}}),
        json!({"fault": "reset_before_read"}),
        json!({"status": 400}),
    ] {
        let people = People::new();
        people.seed("user|ada");
        people.simulator.script("user.revoke", &json!({"steps": [step], "repeat": true})).unwrap();
        let out = people.user().logout(planetkey::Revoke::Yes).unwrap();
        assert!(out.removed && matches!(out.revocation, Revocation::Unknown(_)), "{out:?}");
        assert!(!people.token_file("planet-user").exists());
    }
}

#[test]
fn a_logout_without_revocation_asks_nobody() {
    let people = People::new();
    people.seed("user|ada");
    assert!(matches!(
        people.user().logout(planetkey::Revoke::No).unwrap().revocation,
        Revocation::NotAsked
    ));
    assert_eq!(people.simulator.count("user.revoke").unwrap(), 0);
}
