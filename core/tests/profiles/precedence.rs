//! Which credentials are found, and in which order (design, section 5).

use super::home::*;
use planetkey::profile::client_config::ClientConfig;
use planetkey::profile::precedence::{self, FoundCredential, Level};
use planetkey::{Result, Status};
use serde_json::{Map, json};

fn find(home: &Home, variables: &[(&str, &str)]) -> Result<(Vec<FoundCredential>, Vec<String>)> {
    precedence::find(&home.environment(variables), &home.root())
}

fn sources(found: &[FoundCredential]) -> Vec<&str> {
    found.iter().map(|found| found.source.as_str()).collect()
}

const ENVIRONMENT: [(&str, &[(&str, &str)]); 6] = [
    ("environment: PL_AUTH_PROFILE", &[("PL_AUTH_PROFILE", "env-profile")]),
    (
        "environment: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET",
        &[("PL_AUTH_CLIENT_ID", "env-client"), ("PL_AUTH_CLIENT_SECRET", "s")],
    ),
    ("environment: PL_API_KEY", &[("PL_API_KEY", "ENV-KEY-1")]),
    ("environment: PLANET_API_KEY", &[("PLANET_API_KEY", "ENV-KEY-2")]),
    (
        "environment: SH_CLIENT_ID, SH_CLIENT_SECRET",
        &[("SH_CLIENT_ID", "sh-client"), ("SH_CLIENT_SECRET", "s")],
    ),
    ("environment: SH_PROFILE", &[("SH_PROFILE", "named")]),
];

const PREFERENCES: [(&str, &[(&str, &str)]); 4] = [
    (".planet.json: PL_AUTH_PROFILE", &[("PL_AUTH_PROFILE", "file-profile")]),
    (
        ".planet.json: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET",
        &[("PL_AUTH_CLIENT_ID", "file-client"), ("PL_AUTH_CLIENT_SECRET", "s")],
    ),
    (".planet.json: PL_API_KEY", &[("PL_API_KEY", "FILE-KEY")]),
    (".planet.json: key", &[("key", "V2-KEY")]),
];

/// Tests every combination of sources: the order is that of the design, and no source disables
/// another.
#[test]
fn every_combination_of_credentials_has_the_documented_order() {
    let toml = "[default-profile]\nsh_client_id = \"toml-client\"\nsh_client_secret = \"s\"\n\
        [named]\nsh_client_id = \"named-client\"\nsh_client_secret = \"s\"\n";
    let mut combinations = 0;
    for files in 0..64 {
        let home = Home::new();
        home.profile("env-profile", &m2m("env-profile-client"))
            .profile("file-profile", &m2m("file-profile-client"));
        let chosen = PREFERENCES
            .iter()
            .enumerate()
            .filter(|(bit, _)| files & (1 << bit) != 0)
            .map(|(_, one)| one);
        let preferences: Map<_, _> = chosen
            .clone()
            .flat_map(|(_, members)| members.iter())
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        if !preferences.is_empty() {
            home.write(".planet.json", json!(preferences).to_string());
        }
        let in_files: Vec<&str> = chosen.map(|(source, _)| *source).collect();
        let (has_toml, has_user) = (files & 16 != 0, files & 32 != 0);
        let named = &toml[toml.find("[named]").unwrap()..];
        home.write(".config/sentinelhub/config.toml", if has_toml { toml } else { named });
        if has_user {
            home.write(
                ".planet/planet-user/token.json",
                r#"{"access_token": "t", "refresh_token": "r"}"#,
            );
        }
        for variables in 0..64 {
            let chosen = ENVIRONMENT
                .iter()
                .enumerate()
                .filter(|(bit, _)| variables & (1 << bit) != 0)
                .map(|(_, one)| one);
            let environment: Vec<_> =
                chosen.clone().flat_map(|(_, variables)| variables.iter().copied()).collect();
            let mut wanted: Vec<&str> = chosen.map(|(source, _)| *source).collect();
            wanted.extend(&in_files);
            if has_toml && variables & 32 == 0 {
                wanted.push("sentinelhub config.toml: default-profile");
            }
            if has_user {
                wanted.push("built-in profile: planet-user");
            }
            let (found, notes) = find(&home, &environment).unwrap();
            assert_eq!(sources(&found), wanted);
            assert!(found.is_sorted_by_key(|found| found.level));
            let no_user = if wanted.is_empty() {
                vec!["planet-user: no user has logged in".to_owned()]
            } else {
                Vec::new()
            };
            assert_eq!(notes, no_user);
            combinations += 1;
        }
    }
    assert_eq!(combinations, 4096);
}

#[test]
fn a_found_credential_names_its_source_and_token_profile() {
    let home = Home::new();
    home.profile("env-profile", &m2m("env-profile-client"))
        .profile("file-profile", &m2m("file-profile-client"));
    home.profile("keyed", &json!({"client_type": "static_apikey", "api_key": "PROFILE-KEY", "bearer_token_prefix": "api-key"}));
    let members = PREFERENCES
        .iter()
        .flat_map(|(_, members)| members.iter())
        .map(|(name, value)| ((*name).to_owned(), json!(value)));
    home.write(".planet.json", json!(members.collect::<Map<_, _>>()).to_string());
    home.write(
        ".config/sentinelhub/config.toml",
        "[default-profile]\nsh_client_id = \"toml-client\"\nsh_client_secret = \"s\"\n",
    );
    home.write(".planet/planet-user/token.json", "{}");
    let variables: Vec<_> =
        ENVIRONMENT[..5].iter().flat_map(|(_, variables)| variables.iter().copied()).collect();
    let (found, _) = find(&home, &variables).unwrap();
    let what = |found: &FoundCredential| match &found.config {
        ClientConfig::OAuth(client) => client.client_id.clone(),
        ClientConfig::ApiKey { api_key, as_header } => format!("{} {as_header}", api_key.expose()),
    };
    let all: Vec<_> = found
        .iter()
        .map(|found| {
            (what(found), found.profile.as_deref(), found.token_profile.as_deref(), found.level)
        })
        .collect();
    let user = "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees";
    let wanted = [
        ("env-profile-client", Some("env-profile"), Some("env-profile"), Level::Environment),
        ("env-client", None, Some("planet-m2m-env-client"), Level::Environment),
        ("ENV-KEY-1 false", None, None, Level::Environment),
        ("ENV-KEY-2 false", None, None, Level::Environment),
        ("sh-client", None, Some("planet-m2m-sh-client"), Level::Environment),
        ("file-profile-client", Some("file-profile"), Some("file-profile"), Level::Files),
        ("file-client", None, Some("planet-m2m-file-client"), Level::Files),
        ("FILE-KEY false", None, None, Level::Files),
        ("V2-KEY false", None, None, Level::Files),
        ("toml-client", Some("default-profile"), Some("planet-m2m-toml-client"), Level::Files),
        (user, Some("planet-user"), Some("planet-user"), Level::BuiltIn),
    ];
    assert_eq!(
        all,
        wanted.map(|(what, profile, tokens, level)| (what.to_owned(), profile, tokens, level))
    );
    let (found, _) = find(&home, &[("PL_AUTH_PROFILE", "Keyed")]).unwrap();
    assert_eq!(
        (what(&found[0]), found[0].profile.as_deref()),
        ("PROFILE-KEY true".into(), Some("Keyed"))
    );
    assert_eq!(found[0].token_profile, None);
    let (found, _) =
        find(&home, &[("PL_AUTH_CLIENT_ID", "a/b"), ("PL_AUTH_CLIENT_SECRET", "s")]).unwrap();
    assert_eq!(found[0].token_profile, None, "this id is no name of a directory");
}

#[test]
fn a_session_is_listed_once() {
    let home = Home::new();
    home.write(".planet/planet-user/token.json", "{}").profile("planet-m2m-x", &m2m("x"));
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "Planet-User"}"#);
    let (found, notes) = find(&home, &[]).unwrap();
    assert_eq!((sources(&found), notes.len()), (vec![".planet.json: PL_AUTH_PROFILE"], 0));
    let (found, _) = find(&home, &[("PL_AUTH_PROFILE", "planet-user")]).unwrap();
    assert_eq!(sources(&found), ["environment: PL_AUTH_PROFILE"]);
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "planet-m2m-x", "PL_AUTH_CLIENT_ID": "X", "PL_AUTH_CLIENT_SECRET": "s"}"#);
    let (found, _) = find(&home, &[]).unwrap();
    assert_eq!(sources(&found), [".planet.json: PL_AUTH_PROFILE", "built-in profile: planet-user"]);
}

/// A variable in the environment is deliberate: no other credential replaces it.
#[test]
fn an_unusable_profile_of_the_environment_is_an_error() {
    let home = Home::new();
    home.write(".planet.json", r#"{"PL_API_KEY": "KEY"}"#)
        .profile("nothing", &json!({"client_type": "none"}));
    for (name, status) in [
        ("missing", Status::Misconfigured),
        ("nothing", Status::Unsupported),
        ("planet-m2m", Status::Misconfigured),
        ("legacy", Status::LoginRequired),
        ("../x", Status::InvalidArgument),
    ] {
        let error = find(&home, &[("PL_AUTH_PROFILE", name), ("PL_API_KEY", "KEY")]).unwrap_err();
        assert_eq!((error.status(), error.profile()), (status, Some(name)), "{error}");
    }
    // A profile whose user has not logged in yet is valid, because a login is possible.
    let (found, _) = find(&home, &[("PL_AUTH_PROFILE", "planet-user")]).unwrap();
    assert_eq!(sources(&found), ["environment: PL_AUTH_PROFILE", ".planet.json: PL_API_KEY"]);
    let error = find(&home, &[("SH_PROFILE", "missing")]).unwrap_err();
    assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("missing")));
}

/// An error in a file becomes a note, and disables no other source.
#[test]
fn an_unusable_profile_of_a_file_is_a_note() {
    let home = Home::new();
    home.profile("nothing", &json!({"client_type": "none"}))
        .profile("user", &json!({"client_type": "oidc_auth_code", "client_id": "x"}));
    home.write(".planet/broken/auth_client.json", r#"{"client_secret": "SECRET-broken"#);
    for (name, says) in [
        ("missing", "there is no profile"),
        ("nothing", "type none"),
        ("planet-m2m", "only a form"),
        ("legacy", "no API key"),
        ("../x", "name"),
        ("broken", "auth_client.json"),
        ("user", "no user has logged in to the profile user"),
        ("planet-user", "no user has logged in to the profile planet-user"),
    ] {
        home.write(".planet.json", json!({"PL_AUTH_PROFILE": name, "key": "KEY"}).to_string());
        let (found, notes) = find(&home, &[]).unwrap();
        assert_eq!(sources(&found), [".planet.json: key"], "{name}");
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(
            notes[0].starts_with(".planet.json: PL_AUTH_PROFILE was ignored")
                && notes[0].contains(says),
            "{notes:?}"
        );
        assert!(!notes[0].contains("SECRET-"));
        // Without other credentials the note explains why none was found.
        home.write(".planet.json", json!({"PL_AUTH_PROFILE": name}).to_string());
        let (found, notes) = find(&home, &[]).unwrap();
        assert!(found.is_empty() && notes[0].contains(says), "{notes:?}");
        assert_eq!(
            notes.iter().filter(|note| note.contains("planet-user")).count(),
            1,
            "{notes:?}"
        );
    }
    // With a session the user's profile is used.
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "user", "key": "KEY"}"#)
        .write(".planet/user/token.json", "{}");
    assert_eq!(
        sources(&find(&home, &[]).unwrap().0),
        [".planet.json: PL_AUTH_PROFILE", ".planet.json: key"]
    );
}

#[test]
fn id_and_secret_of_different_levels_are_never_combined() {
    let home = Home::new();
    let note = |present: &str, absent: &str, place: &str| {
        format!("{present} is set{place} without {absent} and was ignored; set both")
    };
    let (id, secret) = ("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET");
    for (in_file, in_environment) in [(id, secret), (secret, id)] {
        home.write(
            ".planet.json",
            json!({in_file: "SECRET-half", "PL_API_KEY": "KEY"}).to_string(),
        );
        let (found, notes) = find(&home, &[(in_environment, "SECRET-half")]).unwrap();
        assert_eq!(sources(&found), [".planet.json: PL_API_KEY"]);
        assert_eq!(
            notes,
            [note(in_environment, in_file, ""), note(in_file, in_environment, " in .planet.json")]
        );
    }
    for (line, says) in [
        ("sh_client_id = \"x\"", "sh_client_secret"),
        ("sh_client_secret = \"SECRET-half\"", "sh_client_id"),
    ] {
        home.write(".config/sentinelhub/config.toml", format!("[default-profile]\n{line}\n"));
        let (found, notes) = find(&home, &[]).unwrap();
        assert_eq!(sources(&found), [".planet.json: PL_API_KEY"]);
        let last = notes.last().unwrap();
        assert!(
            last.contains("config.toml") && last.contains(says) && !last.contains("SECRET-half"),
            "{notes:?}"
        );
    }
}

#[test]
fn a_sentinelhub_section_without_credentials_is_no_error() {
    let home = Home::new();
    home.write(".planet.json", r#"{"key": "KEY"}"#);
    for file in [
        "",
        "[other]\nsh_client_id = \"x\"\nsh_client_secret = \"s\"\n",
        "[default-profile]\nsh_client_id = \"\"\ninstance_id = \"i\"\n",
    ] {
        home.write(".config/sentinelhub/config.toml", file);
        let (found, notes) = find(&home, &[]).unwrap();
        assert_eq!((sources(&found), notes.len()), (vec![".planet.json: key"], 0));
    }
    home.write(
        ".config/sentinelhub/config.toml",
        "[default-profile]\nsh_client_secret = SECRET-unquoted\n",
    );
    let (found, notes) = find(&home, &[]).unwrap();
    assert_eq!(sources(&found), [".planet.json: key"]);
    assert!(notes[0].contains("not valid TOML") && !notes[0].contains("SECRET"), "{notes:?}");
    // The named section is the only one of that file that is used.
    let two = "[default-profile]\nsh_client_id = \"d\"\nsh_client_secret = \"s\"\n[mine]\nsh_client_id = \"m\"\nsh_client_secret = \"s\"\n";
    home.write(".config/sentinelhub/config.toml", two);
    let (found, _) = find(&home, &[("SH_PROFILE", "mine")]).unwrap();
    assert_eq!(sources(&found), ["environment: SH_PROFILE", ".planet.json: key"]);
}
