//! Another program rotates the refresh token after this process read it and before this process
//! sends it.

use crate::common::*;
use planetkey::storage::Step;
use planetkey::{Options, Session, Status};
use rustix::io::Errno;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Returns a function that writes what Planet's SDK saves after a rotation. `valid` is whether the
/// new access token is valid or has expired.
fn rotation(file: PathBuf, number: u64, valid: bool) -> impl Fn() {
    move || {
        let expires = if valid { NOW + 3600 } else { NOW };
        let changes = json!({
            "access_token": format!("theirs-{number}"), "refresh_token": format!("their-refresh-{number}"),
            "_iat": NOW - 3600 + number, "_exp": expires,
        });
        sdk_write(&file, &sdk_bytes(&seeded(&changes)));
    }
}

fn expired_home() -> Home {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home
}

/// Opens a session of a client whose token endpoint must be discovered.
fn without_endpoint(options: &Options) -> Session {
    let mut config = user_config(USER_CLIENT);
    config.as_object_mut().unwrap().remove("token_endpoint");
    let options = options.clone().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
    Session::from_client_config(&config.to_string(), &options).unwrap()
}

fn metadata() -> Value {
    json!({"issuer": "https://login.planet.com/", "token_endpoint": USER_ENDPOINT})
}

#[test]
fn i10_01_a_token_that_was_rotated_while_metadata_was_fetched_is_not_sent() {
    let home = expired_home();
    let rotate = rotation(home.token_file(), 1, true);
    home.fake.then(move || {
        rotate();
        Ok(json_answer(200, &metadata()))
    });
    assert_eq!(ask(&without_endpoint(&home.options())), "theirs-1");
    assert_eq!(home.fake.count(), 1, "no refresh token was sent");
    // If the other program's access token has expired since, it is refreshed with the new refresh
    // token.
    let home = expired_home();
    let rotate = rotation(home.token_file(), 1, false);
    home.fake.then(move || {
        rotate();
        Ok(json_answer(200, &metadata()))
    });
    let session = without_endpoint(&home.options());
    let token = ask(&session);
    assert_eq!(home.sent()[1..], ["their-refresh-1"], "{token}");
    assert_eq!(home.refresh_token(), "refresh-1");
}

#[test]
fn i10_01_a_token_that_was_rotated_while_retry_after_passed_is_not_sent_again() {
    for status in [429, 503] {
        let home = expired_home();
        let rotate = rotation(home.token_file(), 1, true);
        home.fake.then(move || {
            rotate();
            Ok(busy(status, Some("1")))
        });
        assert_eq!(ask(&home.user()), "theirs-1", "{status}");
        assert_eq!(home.sent(), [SEEDED_REFRESH], "{status}");
    }
}

#[test]
fn i10_01_a_session_that_was_deleted_meanwhile_is_not_refreshed() {
    let home = expired_home();
    let file = home.token_file();
    home.fake.then(move || {
        std::fs::remove_file(&file).unwrap();
        Ok(json_answer(200, &metadata()))
    });
    let error = without_endpoint(&home.options()).access_token().unwrap_err();
    assert_eq!((error.status(), home.fake.count()), (Status::LoginRequired, 1), "{error}");
    assert!(!home.token_file().exists());
}

/// A program that rewrites the file before each attempt does not block the caller for ever.
#[test]
fn i10_01_a_file_that_changes_before_each_send_ends_in_an_error() {
    let home = expired_home();
    let file = home.token_file();
    home.fake.always(move |number| {
        rotation(file.clone(), number, false)();
        Ok(busy(429, Some("0")))
    });
    let error = home.user().access_token().unwrap_err();
    assert!(error.retryable(), "{error}");
    let mut sent = home.sent();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), home.fake.count(), "no refresh token was sent twice");
}

/// A process was stopped between the response and the save. It finds the session of a later login,
/// whose access token has expired meanwhile.
#[test]
fn i10_01_a_login_during_a_refresh_stays_although_its_access_token_has_expired() {
    let home = expired_home();
    let log_in = rotation(home.token_file(), 7, false);
    home.fake.then(move || {
        log_in();
        Ok(token(&rotated(1)))
    });
    let session = home.user();
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Storage, true), "{error}");
    assert_eq!(home.refresh_token(), "their-refresh-7", "the login was not undone");
    home.advance(30);
    assert!(ask(&session).starts_with("access-"));
    assert_eq!(home.sent(), [SEEDED_REFRESH, "their-refresh-7"]);
}

/// Returns a session whose refreshed tokens are in memory only, and whose disk works again.
fn unsaved(home: &Home) -> Session {
    let disk = ScriptedDisk::failing(Step::Write, Errno::NOSPC);
    let session = home.user_on(&disk);
    session.refresh().unwrap();
    assert_ne!(home.refresh_token(), "refresh-1");
    disk.recovers();
    session
}

#[test]
fn i10_01_a_login_during_a_refresh_from_memory_stays() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = unsaved(&home);
    let log_in = rotation(home.token_file(), 7, true);
    home.fake.then(move || {
        log_in();
        Ok(token(&rotated(2)))
    });
    session.refresh().unwrap();
    assert_eq!(ask(&session), "theirs-7");
    assert_eq!(home.refresh_token(), "their-refresh-7", "the login was not undone");
}

#[test]
fn i10_01_unsaved_tokens_do_not_hide_a_rotation_by_another_process() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = unsaved(&home);
    // Another process logs in. The SDK rotates that refresh token while this process sends it, and
    // the server refuses the old one.
    rotation(home.token_file(), 7, false)();
    let rotate = rotation(home.token_file(), 8, true);
    home.fake.then(move || {
        rotate();
        Ok(oauth_error(400, "invalid_grant"))
    });
    session.refresh().unwrap();
    assert_eq!(ask(&session), "theirs-8");
    assert_eq!(home.sent().last().map(String::as_str), Some("their-refresh-7"));
    assert!(session.is_initialized());
}
