//! Logout.

use super::scene::*;
use crate::common::*;
use planetkey::{Reason, Revocation, Session, Status};
use serde_json::json;

#[test]
fn a114_a_logout_revokes_and_deletes_and_other_processes_notice() {
    let scene = Scene::new();
    let refresh_token = scene.seed("user|ada")["refresh_token"].as_str().unwrap().to_owned();
    let (runtime, clock) = crate::common::real_network();
    let other =
        Session::from_profile("planet-user", &scene.options().with(|it| it.runtime = runtime))
            .unwrap();
    assert!(other.is_initialized());
    let out = scene.user().logout(planetkey::Revoke::Yes).unwrap();
    assert!(out.removed && matches!(out.revocation, Revocation::Revoked), "{out:?}");
    assert!(!scene.token_file("planet-user").exists());
    assert_eq!(scene.simulator.session_of(&refresh_token).unwrap()["revoked"], "revocation");
    let form = crate::common::form(&scene.simulator, "user.revoke", 0);
    assert!(form.contains(&("token_type_hint".to_owned(), "refresh_token".to_owned())), "{form:?}");
    clock.advance(std::time::Duration::from_secs(2));
    let error = other.access_token().unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::LoginRequired, Some(Reason::LoggedOut)));
}

#[test]
fn a112_without_the_server_a_logout_deletes_and_reports_an_unknown_revocation() {
    for step in [
        json!({"status": 503, "headers": {"Retry-After": 7}}),
        json!({"fault": "reset_before_read"}),
        json!({"status": 400}),
    ] {
        let scene = Scene::new();
        scene.seed("user|ada");
        scene.simulator.script("user.revoke", &json!({"steps": [step], "repeat": true})).unwrap();
        let out = scene.user().logout(planetkey::Revoke::Yes).unwrap();
        assert!(out.removed && matches!(out.revocation, Revocation::Unknown(_)), "{out:?}");
        assert!(!scene.token_file("planet-user").exists());
    }
}

#[test]
fn a_logout_without_revocation_sends_no_request() {
    let scene = Scene::new();
    scene.seed("user|ada");
    assert!(matches!(
        scene.user().logout(planetkey::Revoke::No).unwrap().revocation,
        Revocation::NotAsked
    ));
    assert_eq!(scene.simulator.count("user.revoke").unwrap(), 0);
}

#[test]
fn a_logout_deletes_temporary_and_damaged_copies() {
    let home = Home::new();
    home.seed(&json!({}));
    for name in [".token.json.abc123.tmp", "token.json.corrupt-1"] {
        std::fs::copy(home.token_file(), home.file(name)).unwrap();
    }
    std::fs::write(home.file("token.sops.json"), "{}").unwrap();
    std::fs::remove_file(home.file("token.sops.json")).unwrap();
    home.user().logout(planetkey::Revoke::No).unwrap();
    let left: Vec<_> = home
        .listing()
        .into_iter()
        .filter(|n| {
            std::fs::read_to_string(home.file(n)).unwrap_or_default().contains(SEEDED_REFRESH)
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
