//! Keys, ids, secrets and names that were quoted or pasted wrongly: the error names their source
//! before a request is sent.

use super::environment::with_variables;
use crate::common::*;
use planetkey::profile::HOME_VARIABLE;
use planetkey::{ApiKeyTransport, Error, Named, Result, Session, Status};
use serde_json::{Value, json};
use std::time::Duration;

/// The characters around the value, and how a message describes them.
const FLAWS: [(&str, &str, &str); 8] = [
    ("\"", "\"", "starts with a double quote"),
    ("'", "'", "starts with a single quote"),
    ("\u{201c}", "\u{201d}", "starts with a typographic double quote"),
    ("\u{feff}", "", "starts with a byte order mark"),
    ("", "\u{200b}", "contains U+200B ZERO WIDTH SPACE"),
    ("", "\r\n", "contains a line break"),
    ("x\n", "", "contains a line break"),
    ("", "\u{a0}", "ends with U+00A0 NO-BREAK SPACE"),
];

/// No part of this value may be in a message.
const VALUE: &str = "hidden-0123456789";

fn says(error: &Error, place: &str, found: &str) {
    let message = error.message();
    assert!(
        message.contains(place) && message.contains(found) && message.contains("remove"),
        "{place}, {found}: {error}"
    );
    assert!(!message.contains("hidden"), "{error}");
}

fn value(before: &str, after: &str) -> String {
    format!("{before}{VALUE}{after}")
}

#[test]
fn i10_18_the_error_names_the_variable_and_the_problem() {
    let pairs =
        [("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"), ("SH_CLIENT_ID", "SH_CLIENT_SECRET")];
    for (before, after, found) in FLAWS {
        let bad = value(before, after);
        let mut cases: Vec<(&str, Vec<(&'static str, &str)>)> = Vec::new();
        for (id, secret) in pairs {
            cases.push((id, vec![(id, &bad), (secret, "s")]));
            cases.push((secret, vec![(id, "id"), (secret, &bad)]));
        }
        for name in [
            "PL_API_KEY",
            "PLANET_API_KEY",
            "PL_AUTH_PROFILE",
            "SH_PROFILE",
            "PLANETKEY_DEPLOYMENT",
            "PLANETKEY_STORAGE_ROOT",
        ] {
            cases.push((name, vec![(name, &bad)]));
        }
        for (name, variables) in cases {
            let fake = Fake::new();
            let error =
                Session::from_defaults(&with_variables(&fake, variables)).map(drop).unwrap_err();
            assert_eq!(error.status(), Status::Misconfigured, "{error}");
            says(&error, &format!("the environment variable {name} "), found);
            assert_eq!(fake.count(), 0);
        }
    }
    // As docker's --env-file passes it.
    let error =
        Session::from_defaults(&with_variables(&Fake::new(), [("PL_API_KEY", "\"PLAKhidden\"")]))
            .unwrap_err();
    says(&error, "PL_API_KEY", "--env-file");
}

#[test]
fn i10_18_the_error_names_the_argument_and_the_problem() {
    let fake = Fake::new();
    let options = with_variables::<&str>(&fake, []);
    for (before, after, found) in FLAWS {
        let bad = value(before, after);
        let scopes =
            |scope: &str| options.clone().with(|it| it.scopes = Some(vec![scope.to_owned()]));
        let audience = options.clone().with(|it| it.audience = Some(bad.clone()));
        let named = Named {
            client_id: Some(bad.clone()),
            client_secret: Some("s".into()),
            ..Named::default()
        };
        let opened: [(&str, Result<Session>); 7] = [
            ("api_key", Session::from_api_key(&bad, ApiKeyTransport::Header, &options)),
            ("client_id", Session::from_m2m(&bad, "s", &options)),
            ("client_secret", Session::from_m2m("id", &bad, &options)),
            ("a scope", Session::from_m2m("id", "s", &scopes(&bad))),
            ("audience", Session::from_m2m("id", "s", &audience)),
            ("profile", Session::from_profile(&bad, &options)),
            ("client_id", Session::from_named(&named, &options)),
        ];
        for (name, outcome) in opened {
            let error = outcome.map(drop).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{error}");
            says(&error, name, found);
        }
    }
    assert_eq!(fake.count(), 0);
}

#[test]
fn i10_18_the_error_names_the_file_and_the_problem() {
    let home = tempfile::tempdir().unwrap();
    let options = || with_variables(&Fake::new(), [(HOME_VARIABLE, home.path().to_str().unwrap())]);
    let write = |path: &str, text: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let m2m = json!({"client_type": "oidc_client_credentials_secret", "client_id": "id", "client_secret": "s",
        "auth_server": "https://as.example/", "scopes": ["a"], "audiences": ["b"], "extra": {"more": "c"}});
    for (before, after, found) in FLAWS {
        let bad = value(before, after);
        for (member, changed) in [
            ("client_id", json!(bad)),
            ("client_secret", json!(bad)),
            ("auth_server", json!(bad)),
            ("scopes", json!([bad])),
            ("audiences", json!([bad])),
            ("more", json!({"more": bad})),
        ] {
            let mut config = m2m.clone();
            config[if member == "more" { "extra" } else { member }] = changed;
            let path = write(".planet/machine/auth_client.json", &config.to_string());
            let error = Session::from_profile("machine", &options()).map(drop).unwrap_err();
            assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("machine")));
            says(
                &error,
                &format!("{}: {member} in the client configuration ", path.display()),
                found,
            );
            let error =
                Session::from_client_config(&config.to_string(), &options()).map(drop).unwrap_err();
            says(&error, member, found);
        }
        // An API key in either file of its profile.
        let path = write(
            ".planet/key/auth_client.json",
            &json!({"client_type": "static_apikey", "api_key": bad}).to_string(),
        );
        let error = Session::from_profile("key", &options()).map(drop).unwrap_err();
        says(&error, path.to_str().unwrap(), found);
        write(".planet/key/auth_client.json", &json!({"client_type": "static_apikey"}).to_string());
        let path = write(".planet/key/token.json", &json!({"api_key": bad}).to_string());
        let error = Session::from_profile("key", &options()).map(drop).unwrap_err();
        says(&error, path.to_str().unwrap(), found);
        // A setting of the user for all programs is skipped, with a note.
        let chosen = json!({"PL_AUTH_CLIENT_ID": "id", "PL_AUTH_CLIENT_SECRET": bad, "PL_API_KEY": bad, "key": "KEY"});
        write(".planet.json", &chosen.to_string());
        let session = Session::from_defaults(&options()).unwrap();
        let notes = session.status().notes().join("\n");
        for name in ["PL_AUTH_CLIENT_SECRET in .planet.json ", "PL_API_KEY in .planet.json "] {
            assert!(
                notes.contains(&format!("{name}{found}")) && !notes.contains("hidden"),
                "{notes}"
            );
        }
        assert_eq!(session.api_key().unwrap(), "KEY");
        write(".planet.json", "{}");
        // sentinelhub's file.
        let quoted = Value::from(bad.clone()).to_string();
        write(
            ".config/sentinelhub/config.toml",
            &format!("[mine]\nsh_client_id = \"id\"\nsh_client_secret = {quoted}\n"),
        );
        let options = with_variables(
            &Fake::new(),
            [(HOME_VARIABLE, home.path().to_str().unwrap()), ("SH_PROFILE", "mine")],
        );
        let error = Session::from_defaults(&options).map(drop).unwrap_err();
        says(&error, "config.toml has a wrong sh_client_secret", found);
    }
}

#[test]
fn a_valid_secret_is_sent_unchanged() {
    for secret in ["a\"b'c", "\"abc", "abc'", "a b", " abc ", "pässwört", "=&+%?#\\`"] {
        let fake = Fake::new();
        let options =
            with_variables(&fake, [("PL_AUTH_CLIENT_ID", "id"), ("PL_AUTH_CLIENT_SECRET", secret)]);
        Session::from_defaults(&options).unwrap().access_token().unwrap();
        let sent = &fake.seen()[0];
        assert!(
            sent.field("client_secret").as_deref() == Some(secret) || sent.authorization.is_some(),
            "{secret}"
        );
    }
}

/// A lifetime that is not a number does not count as ten years.
#[test]
fn i10_18_an_infinite_expires_in_is_refused_and_the_rotated_refresh_token_is_saved() {
    for unusable in
        [json!("Infinity"), json!("inf"), json!("1e999"), json!("NaN"), json!("-inf"), json!(-1)]
    {
        let bench = bench();
        bench.fake.answers(token(&json!({"access_token": "a", "expires_in": unusable})));
        let error = bench.session.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{unusable}");
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        home.fake.answers(token(
            &json!({"access_token": "a", "refresh_token": "rotated", "expires_in": unusable}),
        ));
        let session = home.user();
        let _ = session.access_token();
        assert_eq!(home.refresh_token(), "rotated", "{unusable}");
        home.advance(31);
        session.access_token().unwrap();
        assert_eq!(home.sent()[..2], [SEEDED_REFRESH, "rotated"], "{unusable}");
    }
    // The same for the lifetime in a file that another program saved.
    let home = Home::new();
    home.seed(&json!({"_iat": null, "_exp": null, "expires_in": "Infinity"}));
    let expires_at = home.user().access_token_cached().unwrap().unwrap().expires_at().unwrap();
    assert_eq!(expires_at, i64::try_from(NOW + 300).unwrap());
}

#[test]
fn a_builder_opens_sessions_with_its_options() {
    let builder = Session::builder().save(false).timeout(Duration::from_secs(5));
    let session = builder.from_api_key("KEY", ApiKeyTransport::Header).unwrap();
    assert_eq!(session.authorize(PLANET).unwrap().header_value(), Some("api-key KEY"));
    for refused in [
        builder.clone().timeout(Duration::ZERO),
        builder.clone().timeout(Duration::from_secs(24 * 3600 + 1)),
        builder.clone().storage_root(""),
        builder.clone().allowed_hosts(["https://tiles.example.org"]),
        builder.clone().scopes(["planet"]),
        builder.profile("mine"),
    ] {
        let error = refused.from_api_key("KEY", ApiKeyTransport::Basic).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{error}");
    }
}
