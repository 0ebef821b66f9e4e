//! Client configurations: profile directories, sentinelhub's file, and the fields of
//! `auth_client.json`.

use super::environment::with_variables;
use crate::common::*;
use planetkey::profile::HOME_VARIABLE;
use planetkey::{Options, Reason, Session, Status};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn m2m(id: &str) -> Value {
    json!({"client_type": "oidc_client_credentials_secret", "client_id": id, "client_secret": "SECRET-profile"})
}

fn at_home(home: &Path, fake: &Arc<Fake>, more: &[(&'static str, &str)]) -> Options {
    let home = (HOME_VARIABLE, home.to_str().unwrap().to_owned());
    with_variables(
        fake,
        more.iter().map(|(name, value)| (*name, (*value).to_owned())).chain([home]),
    )
}

#[test]
fn a_profile_is_the_directory_with_its_name() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    write(&home.path().join(".planet/machine/auth_client.json"), &m2m("by-directory").to_string());
    let options = at_home(home.path(), &fake, &[]);
    for name in ["machine", "MACHINE", "Machine"] {
        let session = Session::from_profile(name, &options).unwrap();
        let status = session.status();
        assert_eq!(
            (status.profile(), status.sources()[0].client_id.as_deref()),
            (Some(name), Some("by-directory"))
        );
        session.access_token().unwrap();
    }
    // All names are of one profile, and its tokens are saved once.
    assert_eq!(fake.count(), 1);
    // A later error names the profile.
    write(&home.path().join(".planet/other/auth_client.json"), &m2m("other").to_string());
    fake.answers(oauth_error(401, "invalid_client"));
    assert_eq!(
        Session::from_profile("Other", &options).unwrap().access_token().unwrap_err().profile(),
        Some("Other")
    );
}

/// The client of Planet's own SDK can be opened before a user has logged in. Its calls then report
/// that a login is required.
#[test]
fn a_user_profile_opens_and_its_calls_require_a_login() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    let user = json!({"client_type": "oidc_auth_code", "client_id": "x"});
    write(&home.path().join(".planet/user/auth_client.json"), &user.to_string());
    for name in ["planet-user", "Planet-User", "user"] {
        let by_environment = at_home(home.path(), &fake, &[("PL_AUTH_PROFILE", name)]);
        for session in [
            Session::from_profile(name, &at_home(home.path(), &fake, &[])).unwrap(),
            Session::from_defaults(&by_environment).unwrap(),
        ] {
            let error = session.headers(PLANET).unwrap_err();
            assert_eq!(
                (error.status(), error.reason()),
                (Status::LoginRequired, Some(Reason::NeverLoggedIn)),
                "{error}"
            );
            assert_eq!(error.profile(), Some(name));
            assert!(!session.is_initialized());
        }
    }
    assert_eq!(fake.count(), 0, "there is nothing to ask with");
}

#[test]
fn the_api_key_of_a_profile_is_sent_in_the_configured_form() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    for (name, config, header) in [
        ("basic", json!({"client_type": "static_apikey", "api_key": "KEY"}), "Basic S0VZOg=="),
        (
            "scheme",
            json!({"client_type": "static_apikey", "api_key": "KEY", "bearer_token_prefix": "api-key"}),
            "api-key KEY",
        ),
        ("old", json!({"client_type": "planet_legacy", "api_key": "KEY"}), "api-key KEY"),
    ] {
        write(
            &home.path().join(".planet").join(name).join("auth_client.json"),
            &config.to_string(),
        );
        let session = Session::from_profile(name, &at_home(home.path(), &fake, &[])).unwrap();
        assert_eq!(session.headers(PLANET).unwrap().header_value(), Some(header));
    }
}

#[test]
fn an_unusable_profile_is_an_error_and_no_other_credential_is_chosen() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    let planet = home.path().join(".planet");
    write(&planet.join("broken/auth_client.json"), "{\"client_secret\": \"SECRET-profile\"");
    write(&planet.join("nothing/auth_client.json"), &json!({"client_type": "none"}).to_string());
    write(
        &planet.join("odd/auth_client.json"),
        &json!({"client_type": "carrier_pigeon"}).to_string(),
    );
    write(
        &planet.join("secretless/auth_client.json"),
        &json!({"client_type": "oidc_client_credentials_secret", "client_id": "x"}).to_string(),
    );
    write(&planet.join("sealed/auth_client.sops.json"), "{}");
    write(&planet.join("binary/auth_client.json"), "");
    std::fs::write(planet.join("binary/auth_client.json"), b"\xff\xfe").unwrap();
    for (name, status) in [
        ("missing", Status::Misconfigured),
        ("broken", Status::Misconfigured),
        ("nothing", Status::Unsupported),
        ("odd", Status::Misconfigured),
        ("secretless", Status::Misconfigured),
        ("sealed", Status::Unsupported),
        ("binary", Status::Misconfigured),
        ("legacy", Status::LoginRequired),
        ("planet-m2m", Status::Misconfigured),
        ("..", Status::InvalidArgument),
        (".hidden", Status::InvalidArgument),
        ("../machine", Status::InvalidArgument),
        ("a/b", Status::InvalidArgument),
        ("a\\b", Status::InvalidArgument),
        ("C:x", Status::InvalidArgument),
        ("a b", Status::InvalidArgument),
        ("a\nb", Status::InvalidArgument),
        ("", Status::InvalidArgument),
    ] {
        let error = Session::from_profile(name, &at_home(home.path(), &fake, &[])).unwrap_err();
        assert_eq!(error.status(), status, "{name}: {error}");
        assert!(!format!("{error:?}").contains("SECRET-profile"));
        if name.is_empty() {
            continue;
        }
        // The same by the environment, although an API key is present.
        let options =
            at_home(home.path(), &fake, &[("PL_AUTH_PROFILE", name), ("PL_API_KEY", "KEY")]);
        // An error names a variable that was pasted wrongly.
        let status = if name.contains('\n') { Status::Misconfigured } else { status };
        assert_eq!(Session::from_defaults(&options).unwrap_err().status(), status, "{name}");
    }
    let homeless = with_variables(&fake, [("PL_AUTH_PROFILE", "machine")]);
    let error = Session::from_defaults(&homeless).unwrap_err();
    assert!(
        error.status() == Status::Misconfigured && error.message().contains(HOME_VARIABLE),
        "{error}"
    );
}

#[test]
fn the_client_of_sentinelhubs_file_is_used() {
    let (home, xdg, fake) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Fake::new());
    let config = "[default-profile]\nsh_client_id = \"plain\"\nsh_client_secret = \"SECRET-toml\"\n\
        sh_token_url = \"https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token\"\n\
        [elsewhere]\nsh_client_id = \"other\"\nsh_client_secret = \"SECRET-toml\"\nsh_token_url = \"https://as.example/token\"\n\
        [empty]\nsh_client_id = \"\"\n";
    write(&home.path().join(".config/sentinelhub/config.toml"), config);
    let open = |profile: &str| {
        Session::from_defaults(&at_home(home.path(), &fake, &[("SH_PROFILE", profile)]))
    };
    let session = open("default-profile").unwrap();
    session.headers(SENTINEL_HUB).unwrap();
    assert_eq!(fake.seen()[0].field("client_id").as_deref(), Some("plain"));
    assert_eq!(
        fake.seen()[0].url,
        "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token"
    );
    // Another server's token is not for Planet's hosts. The secret goes in the body, as with
    // sentinelhub-py.
    let session = open("elsewhere").unwrap();
    assert_eq!(session.headers(SENTINEL_HUB).unwrap_err().status(), Status::HostRefused);
    session.access_token().unwrap();
    let seen = fake.seen();
    assert_eq!(
        (seen[1].url.as_str(), seen[1].field("client_secret").as_deref()),
        ("https://as.example/token", Some("SECRET-toml"))
    );
    // A file that names Planet's own server means that server, whatever the deployment.
    let text =
        std::fs::read_to_string(home.path().join(".config/sentinelhub/config.toml")).unwrap();
    let planet = "https://services.sentinel-hub.com/auth/realms/main/protocol/openid-connect/token";
    let named = format!(
        "{text}\n[planet]\nsh_client_id = \"p\"\nsh_client_secret = \"SECRET-toml\"\nsh_token_url = \"{planet}\"\n"
    );
    write(&home.path().join(".config/sentinelhub/config.toml"), &named);
    let mut options = at_home(home.path(), &fake, &[("SH_PROFILE", "planet")]);
    options.deployment = Some("copernicus-data-space".into());
    Session::from_defaults(&options).unwrap().access_token().unwrap();
    assert_eq!(fake.seen()[2].url, planet);
    let error = open("missing").unwrap_err();
    assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("missing")));
    // A section without id and secret contains no client, and is not an error.
    let empty = open("empty").unwrap().status();
    assert!(
        empty.sources().is_empty() && empty.notes()[0].contains("the profile empty of"),
        "{:?}",
        empty.notes()
    );
    // XDG_CONFIG_HOME moves the file.
    let moved = at_home(
        home.path(),
        &fake,
        &[("SH_PROFILE", "empty"), ("XDG_CONFIG_HOME", xdg.path().to_str().unwrap())],
    );
    assert!(Session::from_defaults(&moved).unwrap_err().message().contains("cannot be read"));
    write(&xdg.path().join("sentinelhub/config.toml"), "[empty]\nsh_client_secret = SECRET-toml");
    let error = Session::from_defaults(&moved).unwrap_err();
    assert!(
        error.status() == Status::Misconfigured && !error.message().contains("SECRET-toml"),
        "{error}"
    );
}

#[test]
fn every_field_of_a_client_configuration_is_checked() {
    let options = options(&Fake::new(), &Arc::new(planetkey::clock::ManualClock::new(NOW)));
    for (field, bad, status) in [
        ("client_type", json!(null), Status::Misconfigured),
        ("client_type", json!(5), Status::Misconfigured),
        ("client_id", json!(null), Status::Misconfigured),
        ("client_id", json!(["x"]), Status::Misconfigured),
        ("client_secret", json!(""), Status::Misconfigured),
        ("scopes", json!("planet"), Status::Misconfigured),
        ("scopes", json!([1]), Status::Misconfigured),
        ("scopes", json!(["offline_access"]), Status::InvalidArgument),
        ("audiences", json!(["a", "b"]), Status::Misconfigured),
        ("token_endpoint_auth_method", json!("client_secret_jwt"), Status::Misconfigured),
        ("extra", json!({"x": 1}), Status::Misconfigured),
        ("extra", json!({"scope": "offline_access"}), Status::InvalidArgument),
        ("extra", json!({"audience": "another"}), Status::InvalidArgument),
        ("extra", json!({"grant_type": "password"}), Status::InvalidArgument),
        ("client_assertion_audience", json!("anyone"), Status::Misconfigured),
        ("auth_server", json!("not a url"), Status::Misconfigured),
        ("auth_server", json!("https://as.example/?x=1"), Status::Misconfigured),
        ("auth_server", json!("https://user@as.example/"), Status::Misconfigured),
        ("token_endpoint", json!("https://as.example/t#f"), Status::Misconfigured),
    ] {
        let mut config = m2m("x");
        config[field] = bad.clone();
        let error = Session::from_client_config(&config.to_string(), &options).unwrap_err();
        assert_eq!(error.status(), status, "{field} {bad}: {error}");
    }
    let mut config = m2m("x");
    config["a_field_of_tomorrow"] = json!({"deep": [1, 2]});
    Session::from_client_config(&format!("\u{feff}{config}"), &options).unwrap();
    for bad in [
        "",
        "null",
        "[]",
        "5",
        "{",
        &"{\"a\":".repeat(100_000),
        &format!("{{\"x\": \"{}\"}}", "y".repeat(2_000_000)),
    ] {
        assert_eq!(
            Session::from_client_config(bad, &options).unwrap_err().status(),
            Status::Misconfigured
        );
    }
}
