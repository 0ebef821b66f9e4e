//! The tokens of an M2M client on disk: which files belong to the client, and which to a user.

use crate::common::*;
use planetkey::Session;
use serde_json::json;
use std::path::Path;

/// The configuration of an M2M client, as Planet's SDK saves it.
fn m2m_config() -> serde_json::Value {
    json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": "https://services.sentinel-hub.com/auth/realms/main",
        "token_endpoint": "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token",
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    })
}

/// Asserts that two processes share the tokens in this directory, also if a server gave the M2M
/// client a refresh token.
fn assert_shared(home: &Home, directory: &Path, open: impl Fn() -> Session) {
    let file = directory.join("token.json");
    home.write(&file, &seeded(&json!({"scope": ""})));
    assert_eq!(
        (ask(&open()).as_str(), home.fake.count()),
        (SEEDED, 0),
        "what Planet's SDK has saved is used"
    );
    home.advance(3600);
    home.fake.always(|number| Ok(token(&rotated(number))));
    let first = open();
    let token = ask(&first);
    assert_eq!((token.starts_with("access-"), home.fake.count()), (true, 1), "{token}");
    assert_eq!(read_json(&file)["access_token"], json!(token));
    assert_eq!((ask(&open()), home.fake.count()), (token, 1));
    assert_eq!(first.status().notes(), &[] as &[String]);
}

#[test]
fn i10_09_an_m2m_client_shares_its_file_although_it_holds_a_refresh_token() {
    let home = Home::new();
    assert_shared(&home, home.m2m_token_file().parent().unwrap(), || home.m2m());

    // A profile of its own, opened by name, and named as the storage of the same client.
    let home = Home::new();
    let directory = home.path().join(".planet/cluster");
    home.write(&directory.join("auth_client.json"), &m2m_config());
    assert_shared(&home, &directory, || Session::from_profile("cluster", &home.options()).unwrap());
    let home = Home::new();
    let directory = home.path().join(".planet/cluster");
    home.write(&directory.join("auth_client.json"), &m2m_config());
    let named = home.options().with(|it| it.profile = Some("cluster".into()));
    assert_shared(&home, &directory, || {
        Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &named).unwrap()
    });
}

#[test]
fn i10_09_a_user_session_in_a_shared_profile_is_not_replaced_by_an_m2m_client() {
    let home = Home::new();
    home.seed(&json!({"scope": ""}));
    let before = home.tokens();
    let options = home.options().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
    let session = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).unwrap();
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("access-1", 1));
    assert_eq!(home.tokens(), before);
}

#[test]
fn an_m2m_client_does_not_overwrite_a_user_session() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let options = home.options().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
    let _ = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).map(|session| ask(&session));
    assert_eq!(home.tokens()["refresh_token"], SEEDED_REFRESH);
}

#[test]
fn an_m2m_client_does_not_send_a_users_token() {
    let home = Home::new();
    home.seed(&json!({}));
    let options = home.options().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
    let got = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).map(|session| ask(&session));
    assert_ne!(got.unwrap(), SEEDED);
}

#[test]
fn an_m2m_client_with_scopes_does_not_use_a_saved_token_without_them() {
    let home = Home::new();
    home.write(&home.m2m_token_file(), &seeded(&json!({"scope": null, "refresh_token": null})));
    let session = Session::from_m2m(
        CLIENT_ID,
        CLIENT_SECRET,
        &home.options().with(|it| it.scopes = Some(vec!["orders".into()])),
    )
    .unwrap();
    assert_ne!(ask(&session), SEEDED);
}
