//! Errors about a profile: the message names its file, and the file of the key.

use super::environment::with_variables;
use crate::common::*;
use planetkey::profile::HOME_VARIABLE;
use planetkey::{Error, Options, Reason, Session, Status};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

struct Place {
    home: TempDir,
    fake: Arc<Fake>,
}

impl Place {
    fn new() -> Self {
        Place { home: tempfile::tempdir().unwrap(), fake: Fake::new() }
    }

    fn options(&self) -> Options {
        with_variables(&self.fake, [(HOME_VARIABLE, self.home.path().to_str().unwrap())])
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes a profile with these changes to the usual configuration, and returns its file.
    fn profile(&self, usual: &Value, changes: &Value) -> PathBuf {
        let mut config = usual.clone();
        for (name, value) in changes.as_object().unwrap() {
            config[name] = value.clone();
        }
        self.write(".planet/mine/auth_client.json", config.to_string())
    }

    fn open(&self) -> Result<Session, Error> {
        Session::from_profile("mine", &self.options())
    }
}

fn m2m() -> Value {
    json!({"client_type": "oidc_client_credentials_pubkey", "auth_server": "https://as.example/", "client_id": "id",
        "token_endpoint": "https://as.example/token"})
}

fn openssl(directory: &Path, arguments: &[&str]) -> Option<Output> {
    match Command::new("openssl").args(arguments).current_dir(directory).output() {
        Ok(output) => Some(output),
        Err(error) => {
            println!("skipped: openssl cannot be run: {error}");
            None
        }
    }
}

/// Returns the command that a message advises, between its backquotes.
fn advised(error: &Error) -> Vec<String> {
    let command = error.message().split('`').nth(1).unwrap();
    command.split(' ').map(str::to_owned).collect()
}

#[test]
fn i10_31_the_advice_for_an_encrypted_key_works_for_both_kinds() {
    let pem = include_str!("../data/client-rsa.pem");
    for (kind, arguments) in [
        (
            "BEGIN ENCRYPTED PRIVATE KEY",
            ["pkcs8", "-topk8", "-in", "plain.pem", "-out", "key.pem", "-passout", "pass:secret"]
                .as_slice(),
        ),
        (
            "Proc-Type: 4,ENCRYPTED",
            &[
                "rsa",
                "-traditional",
                "-aes256",
                "-in",
                "plain.pem",
                "-out",
                "key.pem",
                "-passout",
                "pass:secret",
            ],
        ),
    ] {
        let place = Place::new();
        place.write("plain.pem", pem);
        let Some(output) = openssl(place.home.path(), arguments) else { return };
        assert!(output.status.success(), "{output:?}");
        let key = place.path("key.pem");
        assert!(std::fs::read_to_string(&key).unwrap().contains(kind));
        let of_key = json!({"client_privkey_file": key});
        place.profile(&m2m(), &of_key);
        let by_file = place.open().map(drop).unwrap_err();
        let config = place.profile(
            &m2m(),
            &json!({"client_privkey_file": key, "client_privkey_password": "secret"}),
        );
        let by_password = place.open().map(drop).unwrap_err();
        for error in [by_file, by_password] {
            assert_eq!(error.status(), Status::Unsupported);
            for file in [&config, &key] {
                assert!(error.message().contains(file.to_str().unwrap()), "{error}");
            }
            // As the user would run it, with the password that openssl asks for.
            let words = advised(&error);
            let words = words.iter().skip(1).map(|word| match word.as_str() {
                "KEY" => "key.pem",
                "PLAIN" => "decrypted.pem",
                word => word,
            });
            let arguments: Vec<&str> = words.chain(["-passin", "pass:secret"]).collect();
            let output = openssl(place.home.path(), &arguments).unwrap();
            assert!(output.status.success(), "{kind}: {output:?}");
            place.profile(&m2m(), &json!({"client_privkey_file": place.path("decrypted.pem")}));
            place.open().unwrap().access_token().unwrap();
        }
    }
}

#[test]
fn i10_31_an_error_about_a_key_file_names_profile_and_key() {
    let place = Place::new();
    let curve = include_str!("../data/client-ec-p384.pem");
    for (name, text) in [
        ("none.pem", None),
        ("words.pem", Some("hidden".as_bytes())),
        ("bytes.pem", Some(b"\xff\xfe")),
        ("curve.pem", Some(curve.as_bytes())),
    ] {
        let key = place.path(name);
        text.map(|text| place.write(name, text));
        let config = place.profile(&m2m(), &json!({"client_privkey_file": key}));
        let error = place.open().map(drop).unwrap_err();
        assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("mine")));
        for part in [config.to_str().unwrap(), key.to_str().unwrap(), "client_privkey_file"] {
            assert!(error.message().contains(part), "{name}: {error}");
        }
        assert!(!error.message().contains("hidden"), "{error}");
    }
}

#[test]
fn i10_31_an_error_about_the_issuer_names_the_file() {
    let user = json!({"client_type": "oidc_client_credentials_secret", "auth_server": "https://as.example/", "client_id": "id",
        "client_secret": "s"});
    for changes in [
        json!({"auth_server": "as.example"}),
        json!({"auth_server": "http://as.example/"}),
        json!({"auth_server": "https://as.example/?a=b"}),
        json!({"issuer": "", "auth_server": "https://user@as.example/"}),
        json!({"token_endpoint": "as.example/token"}),
        json!({"revocation_endpoint": "http://as.example/revoke"}),
    ] {
        let place = Place::new();
        let config = place.profile(&user, &changes);
        let error = place.open().map(drop).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{error}");
        assert!(error.message().starts_with(config.to_str().unwrap()), "{changes}: {error}");
        // The same for the profile that the environment selects.
        let variables =
            [(HOME_VARIABLE, place.home.path().to_str().unwrap()), ("PL_AUTH_PROFILE", "mine")];
        let error =
            Session::from_defaults(&with_variables(&place.fake, variables)).map(drop).unwrap_err();
        assert!(
            error.message().contains("PL_AUTH_PROFILE")
                && error.message().contains(config.to_str().unwrap()),
            "{error}"
        );
    }
    // Errors that only the server can detect.
    let place = Place::new();
    let config = place.profile(&user, &json!({}));
    place.fake.answers(json_answer(
        200,
        &json!({"issuer": "https://other.example/", "token_endpoint": "https://as.example/token"}),
    ));
    let error = place.open().unwrap().access_token().unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::Protocol, Some(Reason::IssuerMismatch)));
    for part in [config.to_str().unwrap(), "'https://other.example/'", "'https://as.example/'"] {
        assert!(error.message().contains(part), "{error}");
    }
    let place = Place::new();
    let config = place.profile(&user, &json!({}));
    place.fake.answers(answer(404, "text/html", "")).answers(answer(404, "text/html", ""));
    let error = place.open().unwrap().access_token().unwrap_err();
    assert_eq!(error.status(), Status::Misconfigured);
    assert!(error.message().starts_with(config.to_str().unwrap()), "{error}");
}

/// Planet's SDK uses such a session, and sends its refresh token to a server that did not issue it.
#[test]
fn i10_31_the_refusal_of_another_issuers_session_names_both() {
    let place = Place::new();
    let user = json!({"client_type": "oidc_device_code", "auth_server": "https://as.example/", "client_id": "id",
        "token_endpoint": "https://as.example/token", "scopes": ["planet", "offline_access"]});
    let config = place.profile(&user, &json!({}));
    let token_of = |issuer: &str| jwt(&json!({"iss": issuer, "exp": NOW + 3000, "iat": NOW - 600}));
    let saved = |issuer: &str| json!({"access_token": token_of(issuer), "refresh_token": "hidden", "token_type": "Bearer", "scope": "planet"});
    let file = place.write(".planet/mine/token.json", saved("https://login.example/").to_string());
    let error = place.open().unwrap().access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.reason(), error.profile()),
        (Status::LoginRequired, Some(Reason::NeverLoggedIn), Some("mine"))
    );
    for part in [
        file.to_str().unwrap(),
        config.to_str().unwrap(),
        "'https://login.example/'",
        "'https://as.example/'",
        "set issuer to",
        "log in to the profile 'mine'",
    ] {
        assert!(error.message().contains(part), "{part}: {error}");
    }
    assert!(!error.message().contains("hidden") && place.fake.count() == 0, "{error}");
    // As the message advises if both names are of one server.
    place.profile(&user, &json!({"issuer": "https://login.example/"}));
    assert_eq!(*place.open().unwrap().access_token().unwrap(), token_of("https://login.example/"));
    assert_eq!(place.fake.count(), 0);
}
