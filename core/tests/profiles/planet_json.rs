//! The file `.planet.json`.

use super::home::*;
use planetkey::Status;
use planetkey::profile::{planet_json, precedence};
use planetkey::secret::Secret;
use serde_json::json;

#[test]
fn all_members_that_the_sdk_writes_are_read() {
    let home = Home::new();
    assert_eq!(
        format!("{:?}", planet_json::read(&home.root())),
        format!("{:?}", (planet_json::Preferences::default(), [""; 0]))
    );
    let all = json!({"PL_AUTH_PROFILE": "p", "PL_AUTH_CLIENT_ID": "id", "PL_AUTH_CLIENT_SECRET": "SECRET", "PL_API_KEY": "K", "key": "V2"});
    home.write(".planet.json", all.to_string());
    let (read, notes) = planet_json::read(&home.root());
    let secret = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.expose().to_owned());
    assert_eq!((read.profile.as_deref(), read.client_id.as_deref()), (Some("p"), Some("id")));
    let secrets = [&read.client_secret, &read.api_key, &read.key].map(secret);
    assert_eq!(secrets, ["SECRET", "K", "V2"].map(|text| Some(text.to_owned())));
    assert!(notes.is_empty() && !format!("{read:?}").contains("SECRET"));
    // Version 2 of the SDK wrote the file without a space.
    home.write(".planet.json", r#"{"key":"V2"}"#);
    assert_eq!(secret(&planet_json::read(&home.root()).0.key).as_deref(), Some("V2"));
}

#[test]
fn problems_of_the_file_are_notes() {
    let home = Home::new();
    home.write(
        ".planet.json",
        json!({"PL_AUTH_PROFILE": 5, "PL_API_KEY": ["SECRET-list"], "key": null, "PL_AUTH_CLIENT_ID": ""}).to_string(),
    );
    let (read, notes) = planet_json::read(&home.root());
    assert!(
        read.profile.is_none()
            && read.api_key.is_none()
            && read.key.is_none()
            && read.client_id.is_none()
    );
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("PL_AUTH_PROFILE") && notes[1].contains("PL_API_KEY"), "{notes:?}");
    for broken in ["", "{", "[]", "\"SECRET-text\"", "{\"key\": \"SECRET-torn"] {
        home.write(".planet.json", broken);
        let (found, notes) =
            precedence::find(&home.environment(&[("PL_API_KEY", "KEY")]), &home.root()).unwrap();
        assert_eq!((found.len(), notes.len()), (1, 1));
        assert!(notes[0].contains(".planet.json") && !notes[0].contains("SECRET"), "{notes:?}");
    }
}

#[test]
fn selecting_a_profile_preserves_the_other_members() {
    let home = Home::new();
    planet_json::set_profile(&home.root(), "mine").unwrap();
    assert_eq!(home.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"mine\"\n}");
    home.write(
        ".planet.json",
        "{\"key\":\"K\u{e9}Y\", \"zeta\": {\"b\": [], \"a\": {}, \"n\": null}, \"__x\": 1, \"n\": null, \"A\": 1.50}",
    );
    planet_json::set_profile(&home.root(), "mine").unwrap();
    // As the SDK writes it: json.dumps(..., indent=2, sort_keys=True), without null and without
    // members that start with two underscores.
    let wanted = "{\n  \"A\": 1.5,\n  \"PL_AUTH_PROFILE\": \"mine\",\n  \"key\": \"K\\u00e9Y\",\n  \"zeta\": {\n    \"a\": {},\n    \"b\": [],\n    \"n\": null\n  }\n}";
    assert_eq!(home.read(".planet.json"), wanted);
    #[cfg(unix)]
    assert_eq!(mode(&home.join(".planet.json")), 0o600);
    // Selecting the same profile again writes nothing.
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "mine"}"#);
    planet_json::set_profile(&home.root(), "mine").unwrap();
    assert_eq!(home.read(".planet.json"), r#"{"PL_AUTH_PROFILE": "mine"}"#);
}

#[test]
fn an_unreadable_file_is_not_overwritten() {
    let home = Home::new();
    for broken in ["{\"key\": \"K\"", "[]", "KEY"] {
        home.write(".planet.json", broken);
        let error = planet_json::set_profile(&home.root(), "mine").unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(
            error.message().contains(".planet.json") && !error.message().contains('"'),
            "{error}"
        );
        assert_eq!(home.read(".planet.json"), broken);
    }
    // An empty file, of an interrupted write, holds nothing that could be lost.
    for empty in ["", "\0\0\0", " \n"] {
        home.write(".planet.json", empty);
        planet_json::set_profile(&home.root(), "mine").unwrap();
        assert_eq!(home.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"mine\"\n}");
    }
}
