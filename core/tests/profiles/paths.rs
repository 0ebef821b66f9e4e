//! Names of profiles, and the storage root.

use super::home::*;
use planetkey::Status;
use planetkey::profile::client_config::ClientConfig;
use planetkey::profile::store::M2mLogin;
use planetkey::profile::{
    FixedEnvironment, HOME_VARIABLE, Profiles, Root, load, names, planet_json, precedence,
};
use planetkey::storage::sops::Encryption;
use planetkey::{deployment::Deployment, secret::Secret};
use serde_json::json;
use std::path::Path;

fn client_id(root: &Root, profile: &str) -> String {
    match load::open(root, profile).unwrap().config {
        ClientConfig::OAuth(client) => client.client_id.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_profile_name_is_one_directory_name() {
    let long = "x".repeat(201);
    let bad = [
        "", ".", "..", ".hidden", "../x", "a/b", "a\\b", "C:x", "a b", "a\nb", "a\tb", "a\0b",
        "\u{a0}", "/", "x/..", &long,
    ];
    let home = Home::new();
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "../elsewhere"}"#);
    let (root, profiles) = (home.root(), home.profiles());
    for name in bad {
        assert_eq!(names::check(name).unwrap_err().status(), Status::InvalidArgument, "{name:?}");
        let refusals = [
            names::directory(name).map(drop),
            load::open(&root, name).map(drop),
            load::raw_document(&root, name).map(drop),
            root.token_file(name).map(drop),
            root.profile_directory(name).map(drop),
            profiles.set_default(name),
            profiles.copy("planet-user", name, Encryption::AsBefore).map(drop),
            profiles.copy(name, "x", Encryption::AsBefore).map(drop),
            profiles.delete(name),
            profiles.summary(name).map(drop),
            profiles.show(name, true).map(drop),
        ];
        for refusal in refusals {
            assert_eq!(refusal.unwrap_err().status(), Status::InvalidArgument, "{name:?}");
        }
    }
    for good in [
        "x",
        "_PL_API_KEY",
        "planet-m2m-0123",
        "a..b",
        "é",
        "x".repeat(200).as_str(),
        "a.b",
        "~",
        "-x",
    ] {
        names::check(good).unwrap();
    }
    // An invalid name in a file is skipped with a note.
    let (found, notes) = precedence::find(&home.environment(&[]), &root).unwrap();
    assert!(found.is_empty() && notes[0].contains("PL_AUTH_PROFILE"), "{notes:?}");
    assert_eq!(home.tree().len(), 1, "nothing was written");
}

#[test]
fn the_tokens_of_an_m2m_client_have_their_own_directory() {
    assert_eq!(names::m2m_profile("Mixed-CASE").as_deref(), Some("planet-m2m-mixed-case"));
    for unfit in ["", "a/b", "https://client.example/", "a b", "..\\x", &"x".repeat(200)] {
        assert_eq!(names::m2m_profile(unfit), None, "{unfit:?}");
    }
    assert!(
        names::is_built_in("Planet-User")
            && names::is_built_in("legacy")
            && !names::is_built_in("planet-m2m-x")
    );
}

#[test]
fn f086_names_that_differ_by_case_are_one_profile() {
    let home = Home::new();
    home.profile("work", &m2m("the-one"));
    let (root, profiles) = (home.root(), home.profiles());
    for name in ["work", "Work", "WORK"] {
        assert_eq!(client_id(&root, name), "the-one");
        assert_eq!(root.token_file(name).unwrap(), Some(home.join(".planet/work/token.json")));
        assert_eq!(load::open(&root, name).unwrap().name, name);
    }
    // A second profile that differs only in case cannot be created.
    assert_eq!(
        profiles.copy("work", "WORK", Encryption::AsBefore).unwrap_err().status(),
        Status::InvalidArgument
    );
    let login = M2mLogin {
        client_id: "Mixed-Case".into(),
        client_secret: Secret::from("s"),
        ..M2mLogin::default()
    };
    profiles.save_m2m(&login, Encryption::AsBefore).unwrap();
    let error = profiles
        .save_m2m(&M2mLogin { client_id: "MIXED-CASE".into(), ..login }, Encryption::AsBefore)
        .unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument, "another client, in the same directory");
    let directories: Vec<_> = std::fs::read_dir(home.join(".planet"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(directories.len(), 2, "{directories:?}");
    assert_eq!(client_id(&root, "planet-m2m-mixed-case"), "Mixed-Case");
    // A directory that no profile name can open is not listed, unless the file system ignores case.
    home.profile("Upper", &m2m("unreachable"));
    let is_reached = load::open(&root, "upper").is_ok();
    let listed: Vec<_> =
        profiles.list().map(|listed| listed.unwrap().name).filter(|name| name == "upper").collect();
    assert_eq!(listed.len(), usize::from(is_reached));
}

#[test]
fn f087_without_a_home_directory_the_error_says_what_to_set() {
    let environment = FixedEnvironment::new([(HOME_VARIABLE, "")]);
    let root = Root::new(&environment, None).unwrap();
    assert!(!root.has_place());
    let profiles = Profiles::new(root.clone(), Deployment::planet().unwrap());
    let secret = Secret::from("KEY");
    let failures = [
        root.place().map(drop),
        root.profile_directory("x").map(drop),
        load::open(&root, "x").map(drop),
        planet_json::set_profile(&root, "x"),
        profiles.save_api_key(&secret, Encryption::AsBefore).map(drop),
        profiles.delete("x"),
        profiles.reset(&planetkey::clock::SystemClock).map(drop),
    ];
    for failure in failures {
        let error = failure.unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(
            error.message().contains(HOME_VARIABLE)
                && error.message().contains("PLANETKEY_STORAGE_ROOT"),
            "{error}"
        );
    }
    assert_eq!(root.token_file("x").unwrap(), None);
    assert!(!root.has_session("planet-user").unwrap());
    // The user's profile can be opened nevertheless: its session is then in memory.
    assert!(load::open(&root, "planet-user").unwrap().built_in);
    let (found, _) = precedence::find(&environment, &root).unwrap();
    assert!(found.is_empty());
    assert_eq!(
        profiles.list().map(|listed| listed.unwrap().name).collect::<Vec<_>>(),
        ["planet-user"]
    );
}

#[test]
fn f087_a_changed_home_does_not_affect_an_open_session() {
    let (before, after) = (Home::new(), Home::new());
    before.profile("x", &m2m("before"));
    after.profile("x", &m2m("after"));
    let (old, new) = (before.root(), after.root());
    assert_eq!((client_id(&old, "x"), client_id(&new, "x")), ("before".into(), "after".into()));
    // A relative path is resolved from the current directory of the process.
    let relative =
        Root::new(&FixedEnvironment::new([(HOME_VARIABLE, "some/where")]), None).unwrap();
    assert!(relative.place().unwrap().is_absolute());
    assert!(
        Root::new(&before.environment(&[]), Some("below".as_ref()))
            .unwrap()
            .place()
            .unwrap()
            .is_absolute()
    );
}

#[cfg(unix)]
#[test]
fn f087_paths_may_hold_spaces_and_any_bytes() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let directory = tempfile::tempdir().unwrap();
    let odd = directory.path().join(OsString::from_vec(b"a home \xff of mine".to_vec()));
    std::fs::create_dir(&odd).unwrap();
    let by_home = FixedEnvironment::new([(HOME_VARIABLE, odd.as_os_str().to_owned())]);
    let by_root = FixedEnvironment::new([("PLANETKEY_STORAGE_ROOT", odd.as_os_str().to_owned())]);
    for environment in [by_home, by_root] {
        let root = Root::new(&environment, None).unwrap();
        let profiles = Profiles::new(root.clone(), Deployment::planet().unwrap());
        let name = profiles.save_api_key(&Secret::from("KEY"), Encryption::AsBefore).unwrap();
        profiles.set_default(&name).unwrap();
        assert_eq!(profiles.selected().as_deref(), Some("_PL_API_KEY"));
        assert_eq!(root.token_file("x").unwrap().unwrap(), odd.join(".planet/x/token.json"));
        let (found, _) = precedence::find(&environment, &root).unwrap();
        assert_eq!(found[0].source, ".planet.json: PL_AUTH_PROFILE");
        assert!(profiles.summary(&name).unwrap().has_session);
    }
    let config = odd.join(".config/sentinelhub/config.toml");
    std::fs::create_dir_all(config.parent().unwrap()).unwrap();
    std::fs::write(config, "[default-profile]\nsh_client_id = \"sh\"\nsh_client_secret = \"s\"\n")
        .unwrap();
    let moved = FixedEnvironment::new([("XDG_CONFIG_HOME", odd.join(".config").into_os_string())]);
    let (found, _) = precedence::find(&moved, &Root::new(&moved, None).unwrap()).unwrap();
    assert_eq!(found[0].source, "sentinelhub config.toml: default-profile");
}

/// The home is read-only, for example in a container: all files are written below the storage root.
#[test]
fn f088_a_storage_root_replaces_the_home_directory() {
    let (home, place) = (Home::new(), Home::new());
    home.profile("shared", &m2m("of-the-home"));
    home.profile("both", &m2m("of-the-home")).write(".planet/both/token.json", "{}");
    home.write(".planet/planet-user/token.json", r#"{"access_token": "t", "refresh_token": "r"}"#);
    home.write(
        ".planet/static/token.json",
        r#"{"api_key": "K", "bearer_token_prefix": "api-key"}"#,
    );
    home.profile("static", &json!({"client_type": "static_apikey"}));
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "shared", "PL_API_KEY": "HOME-KEY"}"#);
    place.profile("both", &m2m("of-the-root"));
    let before = home.tree();
    let by_variable = Root::new(
        &home.environment(&[("PLANETKEY_STORAGE_ROOT", place.path().to_str().unwrap())]),
        None,
    );
    let nowhere = [("PLANETKEY_STORAGE_ROOT", "nowhere")];
    let by_option = Root::new(&home.environment(&nowhere), Some(place.path()));
    for root in [by_variable.unwrap(), by_option.unwrap()] {
        assert_eq!(root.place().unwrap(), place.path());
        // The configuration is read from both, the storage root first.
        assert_eq!(
            (client_id(&root, "shared"), client_id(&root, "both")),
            ("of-the-home".into(), "of-the-root".into())
        );
        assert_eq!(planet_json::read(&root).0.profile.as_deref(), Some("shared"));
        // The session is not: of two copies of a rotating refresh token, one would end the other.
        assert_eq!(root.token_file("both").unwrap(), Some(place.join(".planet/both/token.json")));
        assert!(!root.has_session("both").unwrap() && !root.has_session("planet-user").unwrap());
        assert_eq!(load::open(&root, "static").unwrap_err().status(), Status::LoginRequired);
        let (found, _) = precedence::find(&home.environment(&[]), &root).unwrap();
        let sources: Vec<_> = found.iter().map(|found| found.source.as_str()).collect();
        assert_eq!(sources, [".planet.json: PL_AUTH_PROFILE", ".planet.json: PL_API_KEY"]);
        let profiles = Profiles::new(root, Deployment::planet().unwrap());
        let mut listed: Vec<_> = profiles.list().map(|listed| listed.unwrap().name).collect();
        listed.sort();
        assert_eq!(listed, ["both", "planet-user", "shared", "static"]);
        let error = profiles.delete("shared").unwrap_err();
        assert!(
            error.status() == Status::Misconfigured && error.message().contains("home directory"),
            "{error}"
        );
    }
    let root = Root::new(&home.environment(&[]), Some(place.path())).unwrap();
    let profiles = Profiles::new(root.clone(), Deployment::planet().unwrap());
    profiles.copy("shared", "mine", Encryption::AsBefore).unwrap();
    profiles.save_api_key(&Secret::from("KEY"), Encryption::AsBefore).unwrap();
    profiles.set_default("mine").unwrap();
    assert_eq!(planet_json::read(&root).0.profile.as_deref(), Some("mine"));
    profiles.delete("mine").unwrap();
    profiles.reset(&planetkey::clock::SystemClock).unwrap();
    assert_eq!(home.tree(), before);
    // A storage root that is the home directory is the home directory.
    let same = Root::new(&home.environment(&[]), Some(home.path())).unwrap();
    assert!(same.has_session("planet-user").unwrap());
    // Without a home the storage root is enough.
    let homeless = Root::new(&FixedEnvironment::default(), Some(home.path())).unwrap();
    assert_eq!(client_id(&homeless, "shared"), "of-the-home");
    assert_eq!(
        Root::new(&home.environment(&[]), Some("".as_ref())).unwrap_err().status(),
        Status::InvalidArgument
    );
    let empty = Root::new(&home.environment(&[("PLANETKEY_STORAGE_ROOT", "")]), None).unwrap();
    assert_eq!(empty.place().unwrap(), Path::new(home.path()));
}
