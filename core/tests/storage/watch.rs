//! A session notices within a second what other processes do to its files: faults 74 and 75.

use crate::common::*;
use planetkey::{Reason, Session, Status};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn reason(session: &Session) -> String {
    session.access_token().unwrap_err().reason().unwrap().to_string()
}

#[test]
fn a_logout_by_another_process_is_noticed_within_a_second() {
    let home = Home::new();
    home.seed(&json!({}));
    let (ours, theirs) = (home.user(), home.user());
    assert_eq!(ask(&ours), SEEDED);
    assert!(theirs.logout(planetkey::Revoke::No).unwrap().removed);
    home.clock.advance(std::time::Duration::from_millis(999));
    assert_eq!(ask(&ours), SEEDED, "looked at once a second");
    home.clock.advance(std::time::Duration::from_millis(1));
    assert!(ours.access_token_cached().unwrap().is_none());
    assert_eq!((reason(&ours).as_str(), reason(&theirs).as_str()), ("logged_out", "logged_out"));
    assert!(!ours.is_initialized() && !ours.status().is_initialized());
    assert_eq!(reason(&home.user()), "never_logged_in", "a later session finds no logout");
    assert_eq!(home.fake.count(), 0);
}

#[test]
fn a_login_by_another_process_is_noticed_within_a_second() {
    let home = Home::new();
    let session = home.user();
    assert_eq!(reason(&session), "never_logged_in");
    for number in 0..3 {
        let name = format!("login-{number}");
        home.seed(&json!({"access_token": name}));
        home.advance(1);
        assert_eq!(ask(&session), name);
        assert!(session.is_initialized());
        assert!(
            session.logout(planetkey::Revoke::No).unwrap().removed
                && !session.logout(planetkey::Revoke::No).unwrap().removed
        );
        assert_eq!(reason(&session), "logged_out");
    }
    // The same after the session was revoked.
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    home.advance(1);
    assert_eq!(reason(&session), "revoked");
    home.seed(&json!({"access_token": "login-again", "refresh_token": "refresh-again"}));
    home.advance(1);
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("login-again", 1));
}

/// What a look knows of the failure record counts only as long as that file does not change.
#[test]
fn a_look_reads_a_failure_record_that_has_changed() {
    let home = Home::new();
    home.seed(&json!({}));
    let (ours, theirs) = (home.user(), home.user());
    assert_eq!(ask(&ours), SEEDED);
    home.fake.answers(token(&json!({"access_token": "second", "refresh_token": "refresh-2"})));
    theirs.refresh().unwrap();
    home.advance(1);
    assert_eq!(ask(&ours), "second");
    // The record now says that the refresh token is revoked. The session does not change.
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert_eq!(theirs.refresh().unwrap_err().reason(), Some(Reason::Revoked));
    let (file, copy) = (home.token_file(), home.token_file().with_extension("copy"));
    std::fs::copy(&file, &copy).unwrap();
    std::fs::rename(&copy, &file).unwrap();
    home.advance(1);
    assert_eq!(ask(&ours), "second");
    home.advance(100_000);
    assert!(!ours.is_initialized(), "a session that cannot be refreshed has expired");
    assert_eq!(home.fake.count(), 2);
}

/// A process that only calls `status` and never asks for a token notices the change, too.
#[test]
fn status_checks_the_file_as_often_as_a_call_does() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert!(session.status().is_initialized());
    assert_eq!(session.status().expires_at(), Some(i64::try_from(NOW + 3600).unwrap()));
    home.user().logout(planetkey::Revoke::No).unwrap();
    home.advance(1);
    assert!(!session.status().is_initialized() && session.status().expires_at().is_none());
    home.seed(&json!({"_exp": NOW + 60}));
    home.advance(1);
    assert_eq!(session.status().expires_at(), Some(i64::try_from(NOW + 60).unwrap()));
    assert_eq!(home.fake.count(), 0);
}

/// A caller that waited for the refresh gets the token or the logout error, whichever comes first.
fn served_or_told(refreshed: planetkey::Result<()>) {
    if let Err(error) = refreshed {
        assert_eq!(error.reason(), Some(Reason::LoggedOut), "{error}");
    }
}

/// A logout during a refresh waits for it. The result of the refresh does not restore the session.
#[test]
fn a_logout_during_a_refresh_deletes_its_tokens() {
    let home = Home::new();
    home.seed(&json!({}));
    let (ours, theirs) = (home.user(), home.user());
    assert_eq!(ask(&ours), SEEDED);
    home.fake.close();
    std::thread::scope(|scope| {
        let refresh = scope.spawn(|| ours.refresh());
        home.fake.wait_held(1);
        let logouts: Vec<_> = [&ours, &theirs]
            .into_iter()
            .map(|session| scope.spawn(|| session.logout(planetkey::Revoke::No).unwrap().removed))
            .collect();
        assert!(home.token_file().exists());
        home.fake.open();
        served_or_told(refresh.join().unwrap());
        let removed: Vec<bool> = logouts.into_iter().map(|logout| logout.join().unwrap()).collect();
        assert!(removed.contains(&true), "{removed:?}");
    });
    home.advance(1);
    for session in [&ours, &theirs] {
        assert_eq!(session.access_token().unwrap_err().status(), Status::LoginRequired);
    }
    assert!(!home.token_file().exists());
}

/// The same without a lock file: neither the application's storage nor planetkey has a lock.
#[test]
fn a_logout_during_a_refresh_without_a_lock_deletes_its_tokens() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({})));
    let mut options = home.options();
    options.storage = Some(vault.clone());
    let session = user(&options);
    assert_eq!(ask(&session), SEEDED);
    let waiting = Arc::new(AtomicBool::new(false));
    let asked = waiting.clone();
    let leaving = session.with_interrupt(Arc::new(move || {
        asked.store(true, Ordering::Relaxed);
        false
    }));
    home.fake.close();
    std::thread::scope(|scope| {
        let refresh = scope.spawn(|| session.refresh());
        home.fake.wait_held(1);
        let logout = scope.spawn(move || leaving.logout(planetkey::Revoke::No).unwrap().removed);
        eventually(|| waiting.load(Ordering::Relaxed) || logout.is_finished());
        assert!(!logout.is_finished() && vault.text.lock().unwrap().is_some());
        home.fake.open();
        served_or_told(refresh.join().unwrap());
        assert!(logout.join().unwrap());
    });
    assert_eq!(
        (reason(&session).as_str(), vault.text.lock().unwrap().is_none()),
        ("logged_out", true)
    );
}

#[test]
fn f074_a_deleted_file_is_a_logout() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    std::fs::remove_file(home.token_file()).unwrap();
    home.advance(1);
    assert_eq!(reason(&session), "logged_out");
    // A process that has not read the session yet reports that the user never logged in, also if
    // the directory was deleted.
    assert_eq!(reason(&home.user()), "never_logged_in");
    home.seed(&json!({}));
    home.advance(1);
    assert_eq!(ask(&session), SEEDED);
    std::fs::remove_dir_all(home.path().join(".planet")).unwrap();
    home.advance(1);
    assert_eq!(reason(&session), "logged_out");
    assert_eq!(home.fake.count(), 0);
    // An M2M client gets a new token the same way as the first.
    let m2m = home.m2m();
    assert_eq!(ask(&m2m), "access-1");
    std::fs::remove_file(home.m2m_token_file()).unwrap();
    home.advance(1);
    assert_eq!(ask(&m2m), "access-2");
    assert!(home.m2m_token_file().exists());
}

/// A file that holds neither an access token nor a refresh token is not a session.
#[test]
fn f074_a_file_without_tokens_is_a_logout() {
    for nothing in [
        json!({}),
        json!({"id_token": "id", "scope": "planet"}),
        json!({"access_token": "", "refresh_token": null}),
    ] {
        let home = Home::new();
        home.seed(&json!({}));
        let session = home.user();
        assert_eq!(ask(&session), SEEDED);
        home.write(&home.token_file(), &nothing);
        home.advance(1);
        assert_eq!(reason(&session), "logged_out", "{nothing}");
        assert!(!session.is_initialized());
    }
}

#[test]
fn f075_a_login_of_another_user_replaces_the_session() {
    let home = Home::new();
    let of = |who: &str| jwt(&json!({"sub": who, "iat": NOW, "exp": NOW + 3600}));
    home.seed(&json!({"access_token": of("ann"), "refresh_token": "refresh-of-ann"}));
    let session = home.user();
    assert_eq!(ask(&session), of("ann"));
    home.seed(&json!({"access_token": of("bob"), "refresh_token": "refresh-of-bob", "_exp": NOW, "_iat": NOW - 3600}));
    home.advance(1);
    assert_eq!(ask(&session), of("bob"));
    // The same if Bob's access token has expired and Ann's is still valid.
    let over = jwt(&json!({"sub": "bob", "iat": NOW - 3600, "exp": NOW}));
    home.seed(&json!({"access_token": over, "refresh_token": "refresh-of-bob"}));
    home.advance(1);
    assert_eq!(
        (ask(&session).as_str(), home.sent()),
        ("access-1", vec!["refresh-of-bob".to_owned()])
    );
}

#[test]
fn f075_a_session_of_another_client_in_the_same_file_is_not_used() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    // Another client has saved its session there. The user of the session in memory is no longer
    // logged in here.
    let other = user_as("another-client", &home.options());
    home.seed(&json!({"access_token": "of-the-other", "refresh_token": "refresh-of-the-other"}));
    other.refresh().unwrap();
    home.advance(1);
    let error = session.access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::LoginRequired, Some(Reason::NeverLoggedIn))
    );
    assert!(error.message().contains("another client or server"), "{error}");
    assert!(session.access_token_cached().unwrap().is_none() && !session.is_initialized());
    assert_eq!((home.fake.count(), home.refresh_token().as_str()), (1, "refresh-1"));
    home.seed(&json!({"access_token": "back-again"}));
    home.advance(1);
    assert_eq!(ask(&session), "back-again");
}

#[test]
fn a_refresh_after_a_logout_by_another_process_has_the_reason_logged_out() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    home.user().logout(planetkey::Revoke::No).unwrap();
    let error = session.refresh().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::LoggedOut), "{error}");
}

#[test]
fn after_a_new_login_tokens_are_refreshed_in_the_background_again() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    home.advance(2900);
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert_eq!(ask(&session), SEEDED);
    eventually(|| home.fake.count() == 1 && planetkey::session::settle(std::time::Duration::ZERO));
    home.seed(&json!({"_iat": NOW + 2900, "_exp": NOW + 2900 + 600, "expires_in": 600, "access_token": "new-login", "refresh_token": "new"}));
    home.advance(1);
    assert_eq!(ask(&session), "new-login");
    home.advance(550);
    assert_eq!(ask(&session), "new-login");
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert_eq!(home.fake.count(), 2);
}
