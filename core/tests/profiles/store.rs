//! Writing profiles: the exact bytes of Planet's SDK 3.7.0 with planet-auth 2.3.2, as its own
//! commands wrote them.

use super::home::*;
use planetkey::Status;
use planetkey::clock::ManualClock;
use planetkey::deployment::Deployment;
use planetkey::profile::client_config::ClientConfig;
use planetkey::profile::store::{M2mLogin, Renamed};
use planetkey::profile::{Profiles, load};
use planetkey::secret::Secret;
use planetkey::storage::sops::Encryption;
use serde_json::json;
use std::time::Duration;

fn m2m_login(id: &str, secret: &str) -> M2mLogin {
    M2mLogin { client_id: id.into(), client_secret: Secret::from(secret), ..M2mLogin::default() }
}

/// `planet auth login --auth-api-key PLAKvector`
#[test]
fn a_login_with_an_api_key_writes_what_the_sdk_writes() {
    let home = Home::new();
    let profiles = home.profiles();
    let name = profiles.save_api_key(&Secret::from("PLAKvector"), Encryption::AsBefore).unwrap();
    assert_eq!(
        home.read(".planet/_pl_api_key/auth_client.json"),
        "{\n  \"api_key\": \"PLAKvector\",\n  \"bearer_token_prefix\": \"api-key\",\n  \"client_type\": \"static_apikey\"\n}"
    );
    assert!(!home.has(".planet.json"), "choosing it is another decision");
    profiles.set_default(&name).unwrap();
    assert_eq!(home.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"_PL_API_KEY\"\n}");
    #[cfg(unix)]
    {
        assert_eq!(mode(&home.join(".planet/_pl_api_key/auth_client.json")), 0o600);
        assert_eq!(mode(&home.join(".planet/_pl_api_key")), 0o700);
        assert_eq!(mode(&home.join(".planet")), 0o700);
    }
    // Another key replaces it.
    profiles.save_api_key(&Secret::from("ANOTHER"), Encryption::AsBefore).unwrap();
    let config = load::open(&home.root(), &name).unwrap().config;
    assert!(
        matches!(config, ClientConfig::ApiKey { api_key, as_header: true } if api_key.expose() == "ANOTHER")
    );
    for bad in ["", "a b", "a:b", "a\n"] {
        assert_eq!(
            profiles.save_api_key(&Secret::from(bad), Encryption::AsBefore).unwrap_err().status(),
            Status::InvalidArgument
        );
    }
}

/// `initialize_auth_client_context(auth_client_id_opt=..., auth_client_secret_opt=...,
/// save_profile_config=True)`
#[test]
fn an_m2m_login_writes_what_the_sdk_writes() {
    let home = Home::new();
    let profiles = home.profiles();
    let name =
        profiles.save_m2m(&m2m_login("Mixed-Case", "s\u{e9}cret"), Encryption::AsBefore).unwrap();
    assert_eq!(name, "planet-m2m-Mixed-Case");
    let wanted = "{\n  \"_comment\": \"OIDC/OAuth server used by Planet Public API endpoints\",\n  \"_hidden\": true,\n  \"audiences\": [\n    \
        \"https://api.planet.com/\"\n  ],\n  \"auth_server\": \"https://services.sentinel-hub.com/auth/realms/main\",\n  \
        \"client_id\": \"Mixed-Case\",\n  \"client_secret\": \"s\\u00e9cret\",\n  \"client_type\": \"oidc_client_credentials_secret\",\n  \
        \"scopes\": []\n}";
    assert_eq!(home.read(".planet/planet-m2m-mixed-case/auth_client.json"), wanted);
    profiles.set_default(&name).unwrap();
    assert_eq!(home.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"planet-m2m-Mixed-Case\"\n}");
    let login = M2mLogin {
        scopes: vec!["planet".into()],
        profile: Some("Work".into()),
        ..m2m_login("id", "s")
    };
    assert_eq!(profiles.save_m2m(&login, Encryption::AsBefore).unwrap(), "Work");
    let ClientConfig::OAuth(client) = load::open(&home.root(), "work").unwrap().config else {
        panic!()
    };
    assert_eq!((client.client_id.as_str(), client.scopes), ("id", vec!["planet".to_owned()]));
    // Another deployment has another server, and the SDK's comment does not apply to it.
    let copernicus =
        Profiles::new(home.root(), Deployment::from_text("copernicus-data-space").unwrap());
    copernicus
        .save_m2m(
            &M2mLogin { profile: Some("cdse".into()), ..m2m_login("id", "s") },
            Encryption::AsBefore,
        )
        .unwrap();
    let cdse = home.read(".planet/cdse/auth_client.json");
    assert!(
        cdse.contains("identity.dataspace.copernicus.eu")
            && !cdse.contains("_comment")
            && !cdse.contains("audiences"),
        "{cdse}"
    );
    let none = Deployment::from_json(
        r#"{"name": "x", "authorization_servers": [], "resource_servers": []}"#,
    )
    .unwrap();
    let error = Profiles::new(home.root(), none)
        .save_m2m(&m2m_login("id", "s"), Encryption::AsBefore)
        .unwrap_err();
    assert_eq!(error.status(), Status::Misconfigured);
    let before = home.tree();
    let with_profile =
        |profile: &str| M2mLogin { profile: Some(profile.into()), ..m2m_login("id", "s") };
    let offline = M2mLogin { scopes: vec!["offline_access".into()], ..m2m_login("id", "s") };
    for bad in [
        m2m_login("", "s"),
        m2m_login("id", ""),
        m2m_login("a/b", "s"),
        offline,
        with_profile("planet-user"),
        with_profile("../x"),
    ] {
        assert_eq!(
            profiles.save_m2m(&bad, Encryption::AsBefore).unwrap_err().status(),
            Status::InvalidArgument,
            "{bad:?}"
        );
    }
    assert_eq!(home.tree(), before);
    profiles
        .save_m2m(
            &M2mLogin { profile: Some("odd".into()), ..m2m_login("a/b", "s") },
            Encryption::AsBefore,
        )
        .unwrap();
}

/// `planet auth profile copy planet-user Mine`, and of other profiles.
#[test]
fn a_profile_is_copied_byte_for_byte() {
    let home = Home::new();
    let profiles = home.profiles();
    profiles.copy("planet-user", "Mine", Encryption::AsBefore).unwrap();
    let wanted = "{\n  \"_comment\": \"OIDC/OAuth server used by Planet Public API endpoints\",\n  \"audiences\": [\n    \
        \"https://api.planet.com/\"\n  ],\n  \"auth_server\": \"https://login.planet.com/\",\n  \
        \"client_id\": \"49lHVBYlXCdfIYqE1B9zeXt0iFHSXees\",\n  \"client_type\": \"oidc_device_code\",\n  \"scopes\": [\n    \"planet\",\n    \
        \"offline_access\"\n  ]\n}";
    assert_eq!(home.read(".planet/mine/auth_client.json"), wanted);
    profiles.copy("legacy", "old", Encryption::AsBefore).unwrap();
    let wanted = "{\n  \"_comment\": \"Planet legacy JWT auth server used by Planet Public API endpoints\",\n  \"_hidden\": true,\n  \
        \"client_type\": \"planet_legacy\",\n  \"legacy_auth_endpoint\": \"https://api.planet.com/v0/auth/login\"\n}";
    assert_eq!(home.read(".planet/old/auth_client.json"), wanted);
    // Any content in any format is copied to the byte, and without tokens.
    let odd = "{ \"z\": 1.50, \"client_type\": \"pigeon\",\n\"__x\": null, \"a\": {\"n\": null}, \"big\": 123456789012345678901234567890 }\n";
    home.write(".planet/odd/auth_client.json", odd).write(".planet/odd/token.json", "{}");
    assert_eq!(
        profiles.copy("ODD", "Odd-Copy", Encryption::AsBefore).unwrap(),
        home.join(".planet/odd-copy/auth_client.json")
    );
    assert_eq!(home.read(".planet/odd-copy/auth_client.json"), odd);
    assert!(!home.has(".planet/odd-copy/token.json"));
    #[cfg(unix)]
    assert_eq!(mode(&home.join(".planet/odd-copy/auth_client.json")), 0o600);
    home.write(".planet/sealed/auth_client.sops.json", "{\"sops\": {}}");
    for (from, to, status) in [
        ("missing", "x", Status::Misconfigured),
        ("planet-m2m", "x", Status::Misconfigured),
        ("odd", "mine", Status::InvalidArgument),
        ("odd", "MINE", Status::InvalidArgument),
        ("odd", "odd", Status::InvalidArgument),
        ("odd", "sealed", Status::InvalidArgument),
        ("odd", "planet-user", Status::InvalidArgument),
        ("odd", "Legacy", Status::InvalidArgument),
    ] {
        assert_eq!(
            profiles.copy(from, to, Encryption::AsBefore).unwrap_err().status(),
            status,
            "{from} to {to}"
        );
    }
    home.write(".planet/torn/auth_client.json", "{\"client_secret\": \"SECRET");
    let error = profiles.copy("torn", "x", Encryption::AsBefore).unwrap_err();
    assert!(
        error.status() == Status::Misconfigured && !error.message().contains("SECRET"),
        "{error}"
    );
    assert!(!home.has(".planet/x"));
}

/// `planet auth profile set MINE`
#[test]
fn only_an_existing_profile_can_be_selected() {
    let home = Home::new();
    home.profile("mine", &m2m("x")).profile("nothing", &json!({"client_type": "none"}));
    let profiles = home.profiles();
    profiles.set_default("MINE").unwrap();
    assert_eq!(home.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"mine\"\n}");
    assert_eq!(profiles.selected().as_deref(), Some("mine"));
    for (name, status) in [
        ("missing", Status::Misconfigured),
        ("planet-m2m", Status::Misconfigured),
        ("nothing", Status::Unsupported),
    ] {
        assert_eq!(profiles.set_default(name).unwrap_err().status(), status, "{name}");
    }
    assert_eq!(profiles.selected().as_deref(), Some("mine"));
    // A profile whose user must still log in can be selected.
    for name in ["planet-user", "legacy"] {
        profiles.set_default(name).unwrap();
        assert_eq!(profiles.selected().as_deref(), Some(name));
    }
}

#[test]
fn deleting_a_profile_deletes_only_its_own_files() {
    let home = Home::new();
    let config = m2m("x");
    home.profile("gone", &config).profile("stays", &config);
    let files = [
        "auth_client.sops.json",
        "token.json",
        "token.sops.json",
        "token.json.lock",
        "token.planetkey.json",
    ];
    let more = [
        "token.json.corrupt-5",
        ".token.json.AbCdEf.tmp",
        ".auth_client.json.AbCdEf.tmp",
        "token.json.lease/until_unix_ms",
    ];
    for file in files.into_iter().chain(more) {
        home.write(&format!(".planet/gone/{file}"), "SECRET");
    }
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "Gone", "key": "K"}"#);
    let profiles = home.profiles();
    profiles.delete("GONE").unwrap();
    assert!(!home.has(".planet/gone"), "{:?}", home.tree().keys());
    assert_eq!(home.read(".planet.json"), "{\n  \"key\": \"K\"\n}");
    assert!(home.has(".planet/stays/auth_client.json"));
    // Files that are not part of the profile stay with its directory, and so does another selected
    // profile.
    profiles.set_default("stays").unwrap();
    home.profile("keeps", &config)
        .write(".planet/keeps/private-key.pem", "KEY")
        .write(".planet/keeps/token.json", "{}");
    profiles.delete("keeps").unwrap();
    assert_eq!(std::fs::read_dir(home.join(".planet/keeps")).unwrap().count(), 1);
    assert!(home.has(".planet/keeps/private-key.pem"));
    assert_eq!(profiles.selected().as_deref(), Some("stays"));
    for (name, status) in [
        ("gone", Status::Misconfigured),
        ("keeps", Status::Misconfigured),
        ("planet-user", Status::InvalidArgument),
        ("LEGACY", Status::InvalidArgument),
    ] {
        let error = profiles.delete(name).unwrap_err();
        assert_eq!((error.status(), error.profile()), (status, Some(name)), "{error}");
    }
    // Tokens without a configuration, which a client without a profile leaves, count as a profile
    // and can be deleted.
    home.write(".planet/planet-m2m-x/token.json", "{}");
    profiles.delete("planet-m2m-x").unwrap();
    assert!(!home.has(".planet/planet-m2m-x"));
    // A damaged `.planet.json` does not prevent the deletion of a secret.
    home.write(".planet.json", "{").profile("last", &config);
    profiles.delete("last").unwrap();
    assert!(!home.has(".planet/last") && home.read(".planet.json") == "{");
}

#[test]
fn a_reset_renames_all_configuration_and_returns_the_names() {
    let home = Home::new();
    let clock = ManualClock::new(1_709_251_199); // 2024-02-29 23:59:59 UTC
    let profiles = home.profiles();
    assert_eq!(profiles.reset(&clock).unwrap(), []);
    let fill = || {
        home.profile("x", &m2m("x")).write(".planet.json", "not even JSON");
    };
    fill();
    let before = home.tree();
    let moved = profiles.reset(&clock).unwrap();
    let to = |name: &str| home.join(name);
    assert_eq!(
        moved,
        [
            Renamed { from: to(".planet.json"), to: to(".planet.json-2024-02-29-235959") },
            Renamed { from: to(".planet"), to: to(".planet-2024-02-29-235959") },
        ]
    );
    let after = home.tree();
    assert_eq!(
        after.values().collect::<Vec<_>>(),
        before.values().collect::<Vec<_>>(),
        "nothing is lost"
    );
    assert!(!home.has(".planet") && !home.has(".planet.json"));
    assert_eq!(profiles.reset(&clock).unwrap(), []);
    // Twice within a second.
    fill();
    let again = profiles.reset(&clock).unwrap();
    assert_eq!(again[1].to, to(".planet-2024-02-29-235959-2"));
    assert!(
        home.has(".planet-2024-02-29-235959/x/auth_client.json")
            && home.has(".planet-2024-02-29-235959-2/x/auth_client.json")
    );
    for (seconds, wanted) in [
        (1, "2024-03-01-000000"),
        (306 * 86_400 - 1, "2024-12-31-235959"),
        (1, "2025-01-01-000000"),
    ] {
        clock.advance(Duration::from_secs(seconds));
        fill();
        assert_eq!(profiles.reset(&clock).unwrap()[1].to, to(&format!(".planet-{wanted}")));
    }
    clock.set_unix(0);
    fill();
    assert!(profiles.reset(&clock).unwrap()[1].to.ends_with(".planet-1970-01-01-000000"));
}
