//! Listing and showing profiles.

use super::home::*;
use planetkey::Status;
use planetkey::profile::list::Listed;
use serde_json::{Value, json};

fn names(home: &Home) -> Vec<String> {
    let mut names: Vec<_> = home.profiles().list().map(|listed| listed.unwrap().name).collect();
    names.sort();
    names
}

#[test]
fn only_directories_with_a_client_configuration_are_profiles() {
    let home = Home::new();
    assert_eq!(names(&home), ["planet-user"]);
    home.profile("one", &m2m("1")).write(".planet/sealed/auth_client.sops.json", "{}");
    home.profile("both", &m2m("2")).write(".planet/both/auth_client.sops.json", "{}");
    home.write(".planet/tokens-only/token.json", "{}")
        .write(".planet/file", "")
        .profile(".hidden", &m2m("h"));
    home.profile("planet-user", &m2m("shadowed")).profile("Upper Case", &m2m("u"));
    std::fs::create_dir_all(home.join(".planet/empty")).unwrap();
    // A damaged profile is listed, and its summary says why it cannot be used.
    home.write(".planet/broken/auth_client.json", "{");
    assert_eq!(names(&home), ["both", "broken", "one", "planet-user", "sealed"]);
    home.write(".planet/legacy/token.json", r#"{"key": "K"}"#);
    assert_eq!(names(&home), ["both", "broken", "legacy", "one", "planet-user", "sealed"]);
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "ONE"}"#);
    let listed: Vec<_> = home.profiles().list().map(Result::unwrap).collect();
    assert_eq!(listed[0], Listed { name: "planet-user".into(), built_in: true, selected: false });
    assert!(listed.contains(&Listed { name: "one".into(), built_in: false, selected: true }));
    assert_eq!(listed.iter().filter(|listed| listed.selected).count(), 1);
    // `.planet` may be something other than a directory.
    let odd = Home::new();
    odd.write(".planet", "not a directory");
    assert_eq!(names(&odd), ["planet-user"]);
}

/// The iterator reads each profile when it reaches it, so that the first of very many is returned
/// at once.
#[cfg(unix)]
#[test]
fn f089_ten_thousand_profiles_are_listed_one_by_one() {
    const MANY: usize = 10_000;
    let home = Home::new();
    home.profile("profile-0", &m2m("x"));
    // Links to one directory, because as many real directories would keep the disk busy for half a
    // minute.
    for number in 1..MANY {
        std::os::unix::fs::symlink("profile-0", home.join(&format!(".planet/profile-{number}")))
            .unwrap();
    }
    assert_eq!(home.profiles().list().count(), 1 + MANY);
    let mut list = home.profiles().list();
    let first: Vec<_> = list.by_ref().take(11).map(|listed| listed.unwrap().name).collect();
    assert_eq!(first.len(), 11);
    // The target of the other links disappears before the iterator has read them.
    std::fs::remove_dir_all(home.join(".planet/profile-0")).unwrap();
    assert_eq!(list.count(), 0);
}

#[test]
fn a_summary_holds_no_secret_and_reports_bad_files() {
    let home = Home::new();
    let mut config = m2m("the-client");
    config["auth_server"] = json!("https://as.example/");
    home.profile("machine", &config);
    config["issuer"] = json!("https://issuer.example");
    home.profile("issued", &config)
        .write(".planet/issued/token.json", r#"{"access_token": "opaque", "_exp": 1800003600.5}"#);
    home.profile("keyed", &json!({"client_type": "static_apikey", "api_key": "SECRET-key"}));
    home.profile("keyless", &json!({"client_type": "static_apikey"}));
    home.write(".planet/broken/auth_client.json", r#"{"client_secret": "SECRET-broken"#)
        .write(".planet/broken/token.json", "{");
    // {"exp": 1800000000}
    let token = format!("e30.{}.c2ln", "eyJleHAiOiAxODAwMDAwMDAwfQ");
    home.write(
        ".planet/planet-user/token.json",
        json!({"access_token": token, "_exp": 5, "refresh_token": "SECRET-r"}).to_string(),
    );
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "machine"}"#);
    let profiles = home.profiles();
    let summary = |name: &str| {
        let summary = profiles.summary(name).unwrap();
        assert!(!format!("{summary:?} {}", summary.to_json()).contains("SECRET-"));
        summary.to_json()
    };
    let file = |name: &str| {
        home.join(&format!(".planet/{name}/auth_client.json")).to_str().unwrap().to_owned()
    };
    assert_eq!(
        summary("machine"),
        json!({"name": "machine", "built_in": false, "selected": true, "client_type": "oidc_client_credentials_secret",
            "client_id": "the-client", "issuer": "https://as.example/", "has_session": false, "expires_at": null,
            "file": file("machine"), "problem": null})
    );
    let issued = summary("ISSUED");
    assert_eq!(
        (&issued["issuer"], &issued["expires_at"]),
        (&json!("https://issuer.example"), &json!(1_800_003_600))
    );
    assert_eq!(
        (&issued["has_session"], &issued["selected"], &issued["name"]),
        (&json!(true), &json!(false), &json!("ISSUED"))
    );
    assert_eq!(
        (&summary("keyed")["has_session"], &summary("keyless")["has_session"]),
        (&json!(true), &json!(false))
    );
    let broken = summary("broken");
    assert!(
        broken["problem"].as_str().unwrap().contains("auth_client.json")
            && broken["client_type"] == Value::Null,
        "{broken}"
    );
    assert_eq!((&broken["has_session"], &broken["expires_at"]), (&json!(true), &Value::Null));
    assert_eq!(
        summary("planet-user"),
        json!({"name": "planet-user", "built_in": true, "selected": false, "client_type": "oidc_device_code",
            "client_id": "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees", "issuer": "https://login.planet.com/", "has_session": true,
            "expires_at": 1_800_000_000, "file": null, "problem": null})
    );
    assert!(summary("planet-m2m")["problem"].as_str().unwrap().contains("only a form"));
    assert_eq!(profiles.summary("missing").unwrap_err().status(), Status::Misconfigured);
}

#[test]
fn secrets_are_shown_only_with_reveal() {
    let home = Home::new();
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "client_id": "id", "_comment": "hello", "_hidden": true,
        "auth_server": "https://as.example/", "token_endpoint": "https://as.example/token", "jwks_endpoint": "https://as.example/jwks",
        "token_endpoint_auth_method": "client_secret_post", "client_privkey_file": "key.pem", "bearer_token_prefix": "api-key",
        "scopes": ["planet"], "audiences": [],
        "client_secret": "SECRET-1", "client_privkey": "SECRET-2", "client_privkey_password": "SECRET-3", "api_key": "SECRET-4",
        "user_password": "SECRET-5", "password": "SECRET-6", "key": "SECRET-7", "jwt": "SECRET-8", "refresh_token": "SECRET-9",
        "extra": {"organization": "org", "My_Secret_Thing": "SECRET-10", "list": [{"token": ["SECRET-11"]}], "secret": {"x": "SECRET-12"}},
    });
    home.profile("x", &config);
    let shown = home.profiles().show("X", false).unwrap();
    assert!(!shown.to_string().contains("SECRET"), "{shown:#}");
    for (name, value) in config.as_object().unwrap() {
        match value.to_string().contains("SECRET") {
            true if name != "extra" => assert_eq!(shown["config"][name], "[redacted]", "{name}"),
            true => {}
            false => assert_eq!(&shown["config"][name], value, "{name}"),
        }
    }
    assert_eq!(shown["config"]["extra"]["organization"], "org");
    assert_eq!(
        (&shown["name"], &shown["built_in"], &shown["selected"], &shown["file"]),
        (
            &json!("X"),
            &json!(false),
            &json!(false),
            &json!(home.join(".planet/x/auth_client.json").to_str())
        )
    );
    assert_eq!(home.profiles().show("x", true).unwrap()["config"], config);
    let user = home.profiles().show("planet-user", false).unwrap();
    assert_eq!(
        (&user["config"]["scopes"], &user["file"]),
        (&json!(["planet", "offline_access"]), &Value::Null)
    );
    for (name, status) in [
        ("missing", Status::Misconfigured),
        ("planet-m2m", Status::Misconfigured),
        ("..", Status::InvalidArgument),
    ] {
        assert_eq!(home.profiles().show(name, true).unwrap_err().status(), status);
    }
}

#[test]
fn an_unreadable_session_is_reported_as_a_problem() {
    let home = Home::new();
    home.profile("mine", &m2m("1"))
        .write(".planet/mine/token.json", r#"{"access_token": "a", "_exp": 4000000000}"#);
    let summary = home.profiles().summary("mine").unwrap();
    assert_eq!(
        (summary.has_session, summary.expires_at, summary.problem),
        (true, Some(4_000_000_000), None)
    );
    for damaged in ["garbage", "", r#"{"access_token": 1}"#] {
        home.write(".planet/mine/token.json", damaged);
        let summary = home.profiles().summary("mine").unwrap();
        assert_eq!((summary.expires_at, summary.client_id.as_deref()), (None, Some("1")));
        assert!(
            summary.problem.as_deref().is_some_and(|problem| problem.contains("token.json")),
            "{:?}",
            summary.problem
        );
    }
}
