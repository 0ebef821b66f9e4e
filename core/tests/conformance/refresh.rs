//! Refresh tokens: assertions 60 to 68.

use crate::common::*;
use planetkey::storage::Step;
use planetkey::{Reason, Status};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

#[test]
fn a060_a_refresh_sends_no_scope() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    session.refresh().unwrap();
    home.fake
        .answers(token(&json!({"access_token": "narrow", "expires_in": 60, "scope": "planet"})));
    session.refresh().unwrap();
    // The request names neither the configured scopes nor those of the last response, so the scopes
    // of the original grant still apply.
    session.refresh().unwrap();
    for seen in home.fake.seen() {
        assert_eq!(seen.url, USER_ENDPOINT);
        let mut names: Vec<String> = url::form_urlencoded::parse(seen.body.as_bytes())
            .map(|(name, _)| name.into_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["client_id", "grant_type", "refresh_token"]);
        assert_eq!(seen.field("grant_type").as_deref(), Some("refresh_token"));
    }
    // The server agrees: it grants all scopes again.
    let planet = Planet::new();
    let seeded = planet.seed(&json!({"age": 3600, "scope": "planet offline_access openid"}));
    let session = planet.session();
    session.access_token().unwrap();
    assert_eq!(session.status().scopes(), ["planet", "offline_access", "openid"]);
    assert_eq!(
        form(&planet.simulator, "user.token", 0).iter().find(|(name, _)| name == "scope"),
        None
    );
    planet.assert_alive(&seeded, 1);
}

/// During every step of the write no caller has the new access token. After the write all callers
/// have it, and the file has the new refresh token.
#[test]
fn a061_the_new_refresh_token_is_saved_before_the_new_access_token_is_returned() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::sound();
    let session = home.user_on(&disk);
    assert_eq!(ask(&session), SEEDED);
    let (reader, file, early) =
        (OnceLock::new(), home.token_file(), Arc::new(AtomicBool::new(false)));
    reader.set(session.clone()).unwrap();
    let seen_early = early.clone();
    disk.does(move |_| {
        let cached =
            reader.get().unwrap().access_token_cached().unwrap().map(|token| token.to_string());
        let is_saved = read_json(&file)["refresh_token"] == "refresh-1";
        if cached.as_deref() != Some(SEEDED) && !is_saved {
            seen_early.store(true, Ordering::Relaxed);
        }
        Ok(())
    });
    session.refresh().unwrap();
    assert!(disk.steps().contains(&Step::Rename) && !early.load(Ordering::Relaxed));
    assert_eq!((ask(&session).as_str(), home.refresh_token().as_str()), ("access-1", "refresh-1"));
    // The saved refresh token is sent the next time.
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1"]);
}

#[test]
fn a062_a_refresh_token_that_the_response_omits_is_preserved() {
    let home = Home::new();
    home.seed(&json!({"id_token": "id-0", "vendor": {"deep": [1, 2]}}));
    let session = home.user();
    for (number, refresh_token) in [Value::Null, json!("")].into_iter().enumerate() {
        let name = format!("kept-{number}");
        home.fake.answers(token(
            &json!({"access_token": name, "expires_in": 60, "refresh_token": refresh_token}),
        ));
        session.refresh().unwrap();
        assert_eq!(ask(&session), name);
        let tokens = home.tokens();
        assert_eq!(
            (&tokens["refresh_token"], &tokens["access_token"]),
            (&json!(SEEDED_REFRESH), &json!(name))
        );
        // Other members of the session stay as well. Members about the old access token do not.
        assert_eq!(
            (&tokens["id_token"], &tokens["vendor"]),
            (&json!("id-0"), &json!({"deep": [1, 2]}))
        );
        assert_eq!((&tokens["expires_in"], &tokens["_exp"]), (&json!(60), &json!(NOW + 60)));
    }
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH; 3]);
    // A server without rotation leaves the refresh token out of its responses.
    let planet = Planet::new();
    planet.simulator.change_settings(&json!({"rotation": false})).unwrap();
    let seeded = planet.seed_expired();
    let session = planet.session();
    session.access_token().unwrap();
    session.refresh().unwrap();
    assert_eq!(planet.tokens()["refresh_token"], seeded["refresh_token"]);
    assert_eq!((planet.requests(), planet.session_of(&seeded)["active"] == true), (2, true));
}

#[test]
fn i10_02_a_refresh_token_that_is_not_a_string_does_not_replace_the_saved_one() {
    for wrong in [json!(5), json!([]), json!(true), json!({}), json!(null), json!("")] {
        let home = Home::new();
        home.seed(&json!({}));
        let session = home.user();
        home.fake.answers(token(
            &json!({"access_token": "next", "refresh_token": wrong, "id_token": 7}),
        ));
        session.refresh().unwrap();
        assert_eq!(
            (ask(&session).as_str(), home.refresh_token().as_str()),
            ("next", SEEDED_REFRESH),
            "{wrong}"
        );
        // The file can be read, and the refresh token is sent again.
        assert_eq!(ask(&home.user()), "next", "{wrong}");
        session.refresh().unwrap();
        assert_eq!(home.sent(), [SEEDED_REFRESH, SEEDED_REFRESH], "{wrong}");
    }
}

#[test]
fn a063_a_refresh_token_goes_to_its_own_issuer_and_client_only() {
    let home = Home::new();
    home.seed(&json!({}));
    home.user().refresh().unwrap();
    let others = [
        json!({"client_id": "another-client"}),
        json!({"auth_server": "https://other.example/", "token_endpoint": "https://other.example/token"}),
        json!({"issuer": "https://other.example/"}),
    ];
    for change in others {
        let mut config = user_config(USER_CLIENT);
        for (name, value) in change.as_object().unwrap() {
            config[name] = value.clone();
        }
        let options = home.options().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
        let session =
            planetkey::Session::from_client_config(&config.to_string(), &options).unwrap();
        for _ in 0..3 {
            let error = session.access_token().unwrap_err();
            assert_eq!(
                (error.status(), error.reason()),
                (Status::LoginRequired, Some(Reason::NeverLoggedIn)),
                "{change}"
            );
            assert!(error.message().contains("another client or server"), "{error}");
        }
        assert_eq!(session.refresh().unwrap_err().status(), Status::LoginRequired);
        assert!(!session.is_initialized());
    }
    assert_eq!(
        (home.fake.count(), home.refresh_token().as_str()),
        (1, "refresh-1"),
        "nothing was sent, nothing lost"
    );
    assert_eq!(ask(&home.user()), "access-1");
}

/// A refusal is final only if no other process has saved another token meanwhile.
#[test]
fn a064_invalid_grant_counts_if_the_file_is_unchanged() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let (file, rotated_by_other) = (
        home.token_file(),
        sdk_bytes(&seeded(&json!({"access_token": "other", "refresh_token": "next"}))),
    );
    home.fake.then(move || {
        sdk_write(&file, &rotated_by_other);
        Ok(oauth_error(400, "invalid_grant"))
    });
    let session = home.user();
    assert_eq!(ask(&session), "other", "another program had rotated it");
    assert_eq!((home.fake.count(), home.refresh_token().as_str()), (1, "next"));
    // The other process's access token has expired as well: its refresh token is tried, once.
    let (file, stale) =
        (home.token_file(), sdk_bytes(&seeded(&json!({"_exp": NOW, "refresh_token": "third"}))));
    home.fake.then(move || {
        sdk_write(&file, &stale);
        Ok(oauth_error(400, "invalid_grant"))
    });
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "next", "third"]);
    assert_eq!(home.refresh_token(), "refresh-1");
    // No process has changed the file: now the refusal is final.
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let error = session.refresh().unwrap_err();
    assert_eq!(
        (error.status(), error.reason(), error.oauth_error()),
        (Status::LoginRequired, Some(Reason::Revoked), Some("invalid_grant"))
    );
    assert_eq!(home.fake.count(), 4);
}

#[test]
fn a065_no_process_sends_a_revoked_refresh_token_again() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.always(|_| Ok(oauth_error(400, "invalid_grant")));
    let session = home.user();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                assert_eq!(session.access_token().unwrap_err().reason(), Some(Reason::Revoked))
            });
        }
    });
    assert_eq!(home.fake.count(), 1);
    // Nor by a process that opens the session later, nor by an explicit refresh, nor after a day.
    for _ in 0..3 {
        let later = home.user();
        for _ in 0..3 {
            home.advance(86_400);
            assert_eq!(later.access_token().unwrap_err().reason(), Some(Reason::Revoked));
            assert_eq!(later.refresh().unwrap_err().reason(), Some(Reason::Revoked));
            assert_eq!(session.refresh().unwrap_err().reason(), Some(Reason::Revoked));
        }
    }
    assert_eq!(home.fake.count(), 1);
    // The failure record does not contain the token.
    let record = std::fs::read_to_string(home.failure_record_file()).unwrap();
    assert!(!record.contains(SEEDED_REFRESH) && record.contains("dead"), "{record}");
    // A new login has another token.
    home.fake.always(|number| Ok(token(&rotated(number))));
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": "refresh-of-a-new-login"}));
    home.advance(1);
    assert!(ask(&session).starts_with("access-"));
    assert_eq!(home.sent()[1], "refresh-of-a-new-login");
}

#[test]
fn a066_the_error_of_an_ended_session_names_the_profile() {
    let home = Home::new();
    let error = |session: &planetkey::Session, reason: &str| {
        let error = session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason().map(Reason::name)),
            (Status::LoginRequired, Some(reason)),
            "{error}"
        );
        assert_eq!(error.profile(), Some(USER_PROFILE));
        assert!(
            error.message().ends_with("log in to the profile 'someone'")
                && !error.message().contains("planetkey"),
            "{error}"
        );
        assert!(!error.retryable());
    };
    error(&home.user(), "never_logged_in");
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": null}));
    error(&home.user(), "expired");
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    error(&home.user(), "revoked");
    let session = home.user();
    assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
    error(&session, "logged_out");
}

/// A session without a refresh token ends when its access token expires, and not before.
#[test]
fn a_session_that_has_not_expired_is_not_called_expired() {
    let home = Home::new();
    home.seed(&json!({"refresh_token": null}));
    let session = home.user();
    let error = session.refresh().unwrap_err();
    assert_eq!((error.status(), home.fake.count()), (Status::LoginRequired, 0));
    assert!(
        error.message().contains("offline_access") && !error.message().contains("expired"),
        "{error}"
    );
    assert_eq!(ask(&session), SEEDED);
    home.advance(3600);
    let error = session.refresh().unwrap_err();
    assert!(error.message().contains("the access token expired"), "{error}");
}

/// M2M clients repeat their grant (RFC 6749 4.4.3): a refresh token in the response is neither
/// saved nor sent.
#[test]
fn a067_the_refresh_token_of_an_m2m_client_is_ignored_on_disk_too() {
    let home = Home::new();
    let session = home.m2m();
    assert_eq!(ask(&session), "access-1");
    let kept = read_json(&home.m2m_token_file());
    assert_eq!((&kept["access_token"], kept.get("refresh_token")), (&json!("access-1"), None));
    // A refresh token that another program saved there is not sent either.
    home.advance(3600);
    home.write(&home.m2m_token_file(), &seeded(&json!({})));
    assert_eq!(ask(&home.m2m()), "access-2");
    for seen in home.fake.seen() {
        assert_eq!(seen.field("grant_type").as_deref(), Some("client_credentials"));
        assert_eq!(seen.field("refresh_token"), None);
    }
}

#[test]
fn a068_all_processes_use_a_token_for_its_whole_lifetime() {
    let home = Home::new();
    home.seed(&json!({}));
    for _ in 0..20 {
        // Another process each time, and each of them asks often.
        let (user, m2m) = (home.user(), home.m2m());
        for _ in 0..20 {
            assert_eq!(ask(&user), SEEDED);
            assert_eq!(ask(&m2m), "access-1");
            user.headers(PLANET).unwrap();
        }
        home.advance(100);
    }
    assert_eq!(home.fake.count(), 1, "the first token of the M2M client");
}

/// OpenID Connect Core 12.2.
#[test]
fn an_id_token_of_another_user_in_a_refresh_is_not_used() {
    let home = Home::new();
    let id_token =
        |subject: &str| jwt(&json!({"iss": "https://login.planet.com/", "sub": subject}));
    home.write(&home.token_file(), &seeded(&json!({"id_token": id_token("ada")})));
    for (theirs, kept) in [("bob", "ada"), ("ada", "ada")] {
        let answer = json!({"access_token": format!("access-{theirs}"), "refresh_token": format!("refresh-{theirs}"),
            "token_type": "Bearer", "expires_in": 3600, "id_token": id_token(theirs)});
        home.fake.answers(token(&answer));
        home.user().refresh().unwrap();
        let text = std::fs::read_to_string(home.token_file()).unwrap();
        assert!(
            text.contains(&id_token(kept)) && text.contains(&format!("refresh-{theirs}")),
            "{text}"
        );
    }
}
