//! Another program rotates the refresh token between the moment at which it was read and the moment at which it would be sent.

use crate::common::*;
use planetkey::{Options, Session, Status};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What Planet's SDK writes when it has rotated the token: an access token that is valid, or has expired already.
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

/// A client whose token endpoint has to be looked up.
fn without_endpoint(options: &Options) -> Session {
    let mut config = person_config(PERSON_CLIENT);
    config.as_object_mut().unwrap().remove("token_endpoint");
    let options = Options { profile: Some(PERSON.to_owned()), ..options.clone() };
    Session::from_client_config(&config.to_string(), &options).unwrap()
}

fn metadata() -> Value {
    json!({"issuer": "https://login.planet.com/", "token_endpoint": PERSON_ENDPOINT})
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
    // One that has expired since is refreshed with the new refresh token.
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
        assert_eq!(ask(&home.person()), "theirs-1", "{status}");
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

/// A program that rewrites the file before each attempt does not keep the caller busy for ever.
#[test]
fn i10_01_a_file_that_changes_before_each_send_ends_in_an_error() {
    let home = expired_home();
    let file = home.token_file();
    home.fake.always(move |number| {
        rotation(file.clone(), number, false)();
        Ok(busy(429, Some("0")))
    });
    let error = home.person().access_token().unwrap_err();
    assert!(error.retryable(), "{error}");
    let mut sent = home.sent();
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), home.fake.count(), "no refresh token was sent twice");
}
