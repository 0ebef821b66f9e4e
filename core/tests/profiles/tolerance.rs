//! Files that other programs wrote.

use super::home::*;
use planetkey::profile::client_config::ClientConfig;
use planetkey::profile::{load, planet_json};
use planetkey::storage::sops::Encryption;
use serde_json::json;

/// A file of a newer schema version: the known members are used, and the file is not changed.
#[test]
fn f072_a_newer_schema_is_used_and_not_rewritten() {
    let home = Home::new();
    let mut config = m2m("known");
    config["schema_version"] = json!(99);
    config["scopes_of_tomorrow"] = json!({"deep": [1, null, {"__kept": true}]});
    home.profile("newer", &config);
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "newer", "schema_version": 99}"#);
    let before = home.tree();
    assert!(
        matches!(load::open(&home.root(), "newer").unwrap().config, ClientConfig::OAuth(client) if client.client_id == "known")
    );
    assert_eq!(planet_json::read(&home.root()).0.profile.as_deref(), Some("newer"));
    assert!(home.profiles().summary("newer").unwrap().problem.is_none());
    assert_eq!(home.tree(), before);
    // A copy has all members, to the byte.
    home.profiles().copy("newer", "copied", Encryption::AsBefore).unwrap();
    assert_eq!(
        home.read(".planet/copied/auth_client.json"),
        home.read(".planet/newer/auth_client.json")
    );
    home.profiles().set_default("copied").unwrap();
    assert_eq!(
        home.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"copied\",\n  \"schema_version\": 99\n}"
    );
}

#[test]
fn f073_byte_order_marks_line_ends_and_zero_bytes_are_accepted() {
    let home = Home::new();
    let dress = |text: &str| {
        [
            b"\xef\xbb\xbf".as_slice(),
            text.replace('\n', "\r\n").as_bytes(),
            b"\r\n\0\0\0\0".as_slice(),
        ]
        .concat()
    };
    home.write(".planet/odd/auth_client.json", dress(&format!("{:#}", m2m("x"))));
    home.write(".planet/keyed/auth_client.json", dress("{\n\"client_type\": \"static_apikey\"\n}"));
    home.write(".planet/keyed/token.json", dress("{\n\"api_key\": \"KEY\"\n}"));
    home.write(".planet.json", dress("{\n\"PL_AUTH_PROFILE\": \"odd\", \"other\": 1\n}"));
    let root = home.root();
    assert!(
        matches!(load::open(&root, "odd").unwrap().config, ClientConfig::OAuth(client) if client.client_id == "x")
    );
    let keyed = load::open(&root, "keyed").unwrap().config;
    assert!(matches!(keyed, ClientConfig::ApiKey { api_key, .. } if api_key.expose() == "KEY"));
    let (read, notes) = planet_json::read(&root);
    assert_eq!((read.profile.as_deref(), notes.len()), (Some("odd"), 0));
    // A new write has no such marks, because Planet's SDK does not read a byte order mark.
    planet_json::set_profile(&root, "keyed").unwrap();
    assert_eq!(
        home.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"keyed\",\n  \"other\": 1\n}"
    );
    home.profiles().copy("odd", "clean", Encryption::AsBefore).unwrap();
    let copied = home.read(".planet/clean/auth_client.json");
    assert!(copied.starts_with("{\n  \"client_id\": \"x\"") && copied.ends_with('}'), "{copied}");
}
