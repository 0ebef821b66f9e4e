//! `planetkey login`: which credential is saved where, what is verified before, and the prompts.

use std::collections::BTreeMap;
use std::path::Path;

use crate::common::{KEY, OTHER_CLIENT, OTHER_KEY, OTHER_SECRET, Run, SECRET, Scene, finish};
use planetkey::Status;
use serde_json::json;

/// What `planet auth login --auth-api-key` of Planet's SDK 3.7.0 writes.
const KEY_PROFILE: &str = "{\n  \"api_key\": \"PLAKoption91bc\",\n  \"bearer_token_prefix\": \"api-key\",\n  \"client_type\": \"static_apikey\"\n}";
const CLIENT_FILE: &str = ".planet/planet-m2m-option-client/auth_client.json";
const CLIENT_TOKEN: &str = ".planet/planet-m2m-option-client/token.json";

/// Every file of the home with its content.
fn tree(scene: &Scene) -> BTreeMap<String, Vec<u8>> {
    fn walk(directory: &Path, root: &Path, tree: &mut BTreeMap<String, Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, root, tree),
                false => {
                    let name = path.strip_prefix(root).unwrap().display().to_string();
                    tree.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
    }
    let mut tree = BTreeMap::new();
    walk(scene.home.path(), scene.home.path(), &mut tree);
    tree
}

fn login(scene: &Scene, arguments: &[&str], input: &str) -> Run {
    finish(&mut scene.bare(["login"].iter().chain(arguments)), input.as_bytes())
}

fn with_client<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["--auth-client-id", OTHER_CLIENT, "--auth-client-secret-file", "-"], more].concat()
}

#[test]
fn an_api_key_from_a_file_is_saved_as_the_sdk_saves_it() {
    let scene = Scene::new();
    let file = scene.file("key.txt", format!("{OTHER_KEY}\n"));
    let run = login(&scene, &["--auth-api-key-file", file.to_str().unwrap()], "");
    assert_eq!(
        run.silent(),
        "planetkey: the API key is saved in the profile _PL_API_KEY\nplanetkey: _PL_API_KEY is now the default profile\n"
    );
    assert_eq!(scene.read(".planet/_pl_api_key/auth_client.json"), KEY_PROFILE);
    assert_eq!(scene.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"_PL_API_KEY\"\n}");
    assert_eq!(tree(&scene).len(), 3, "the key's own file and two more: {:?}", tree(&scene).keys());
    #[cfg(unix)]
    for (name, wanted) in [
        (".planet", 0o700),
        (".planet/_pl_api_key", 0o700),
        (".planet/_pl_api_key/auth_client.json", 0o600),
        (".planet.json", 0o600),
    ] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(scene.home.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, wanted, "{name}");
    }
    assert_eq!(finish(&mut scene.bare(["print-api-key"]), b"").line(), OTHER_KEY);
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn an_api_key_comes_from_standard_input_or_the_environment() {
    for arguments in [&["--auth-api-key-file", "-"][..], &["--with-api-key"], &[]] {
        let scene = Scene::new();
        let mut command = scene.bare(["login"].iter().chain(arguments));
        if arguments.len() < 2 {
            command.env("PL_API_KEY", OTHER_KEY);
        }
        let run = finish(&mut command, format!("{OTHER_KEY}\n").as_bytes());
        assert!(!run.silent().contains("note"), "{arguments:?}: {run:?}");
        assert_eq!(
            scene.read(".planet/_pl_api_key/auth_client.json"),
            KEY_PROFILE,
            "{arguments:?}"
        );
    }
}

#[test]
fn a_secret_in_the_arguments_is_used_with_a_warning() {
    let scene = Scene::new();
    let run = login(&scene, &["--auth-api-key", OTHER_KEY, "--json"], "");
    assert_eq!(run.code, 0, "{run:?}");
    assert!(
        run.stderr.starts_with("planetkey: note: ") && run.stderr.contains("--auth-api-key-file"),
        "{run:?}"
    );
    assert_eq!(scene.read(".planet/_pl_api_key/auth_client.json"), KEY_PROFILE);
    let run = login(
        &scene,
        &["--auth-client-id", OTHER_CLIENT, "--auth-client-secret", OTHER_SECRET, "-n"],
        "",
    );
    assert!(run.silent().contains("--auth-client-secret-file"), "{run:?}");
    assert!(!run.stderr.contains(OTHER_SECRET) && !run.stderr.contains(OTHER_KEY));
}

#[test]
fn a_client_is_verified_by_one_request_whose_token_is_saved() {
    let scene = Scene::new();
    let run = login(&scene, &with_client(&[]), &format!("{OTHER_SECRET}\n"));
    assert!(
        run.silent()
            .contains("the client works and is saved in the profile planet-m2m-option-client"),
        "{run:?}"
    );
    assert_eq!((scene.token_requests(), scene.last_client().as_str()), (1, OTHER_CLIENT));
    let config: serde_json::Value = serde_json::from_str(&scene.read(CLIENT_FILE)).unwrap();
    assert_eq!(config["client_type"], "oidc_client_credentials_secret");
    assert_eq!(config["client_secret"], OTHER_SECRET);
    assert_eq!(
        scene.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"planet-m2m-option-client\"\n}"
    );
    let token: serde_json::Value = serde_json::from_str(&scene.read(CLIENT_TOKEN)).unwrap();
    // The next command uses the token.
    let printed = finish(&mut scene.bare(["print-access-token"]), b"");
    assert_eq!(printed.line(), token["access_token"]);
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn a_client_of_planet_is_saved_with_the_bytes_of_the_sdk() {
    let scene = Scene::new();
    let arguments = [
        "--deployment",
        "planet",
        "--auth-client-id",
        "Mixed-Case",
        "--auth-client-secret-file",
        "-",
        "--no-verify",
    ];
    let run = login(&scene, &arguments, "s\u{e9}cret");
    assert!(
        run.silent()
            .contains("the client is saved, not verified, in the profile planet-m2m-Mixed-Case"),
        "{run:?}"
    );
    assert_eq!(
        scene.read(".planet/planet-m2m-mixed-case/auth_client.json"),
        "{\n  \"_comment\": \"OIDC/OAuth server used by Planet Public API endpoints\",\n  \"_hidden\": true,\n  \"audiences\": [\n    \
         \"https://api.planet.com/\"\n  ],\n  \"auth_server\": \"https://services.sentinel-hub.com/auth/realms/main\",\n  \
         \"client_id\": \"Mixed-Case\",\n  \"client_secret\": \"s\\u00e9cret\",\n  \"client_type\": \"oidc_client_credentials_secret\",\n  \
         \"scopes\": []\n}"
    );
    assert_eq!(
        scene.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"planet-m2m-Mixed-Case\"\n}"
    );
    assert!(!scene.has(".planet/planet-m2m-mixed-case/token.json"));
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn a_refused_client_is_not_saved() {
    let scene = Scene::new();
    let run = login(&scene, &with_client(&[]), "wrong-secret-91bc");
    let message = run.failed(Status::Misconfigured);
    assert!(message.contains(OTHER_CLIENT) && !message.contains("wrong-secret-91bc"), "{message}");
    assert_eq!(tree(&scene), BTreeMap::new());
    // The same if the server cannot be reached.
    scene
        .simulator
        .script("m2m.token", &json!({"steps": [{"fault": "stall"}], "repeat": true}))
        .unwrap();
    login(&scene, &with_client(&["--timeout-ms", "200"]), OTHER_SECRET).failed(Status::Timeout);
    assert_eq!(tree(&scene), BTreeMap::new());
    // Existing files are unchanged.
    scene.simulator.reset();
    let client = json!({"client_id": OTHER_CLIENT, "client_secret": OTHER_SECRET});
    scene.simulator.register_client(&client).unwrap();
    login(&scene, &with_client(&[]), OTHER_SECRET).silent();
    let before = tree(&scene);
    login(&scene, &with_client(&["-y"]), "wrong-secret-91bc").failed(Status::Misconfigured);
    assert_eq!(tree(&scene), before);
}

#[test]
fn a_client_may_come_from_the_environment_whole_or_by_its_id() {
    for arguments in [&[][..], &["--auth-client-id", "simulator-client"]] {
        let scene = Scene::new();
        let mut command = scene.command(["login"].iter().chain(arguments));
        let run = finish(&mut command, b"");
        assert!(run.silent().contains("planet-m2m-simulator-client"), "{run:?}");
        assert!(
            scene.read(".planet/planet-m2m-simulator-client/auth_client.json").contains(SECRET)
        );
    }
    // The secret of one client is never tried for another.
    let scene = Scene::new();
    let run = finish(&mut scene.command(["login", "--auth-client-id", OTHER_CLIENT]), b"");
    assert!(run.failed(Status::InvalidArgument).contains("--auth-client-secret-file"), "{run:?}");
    assert_eq!(scene.token_requests(), 0);
}

#[test]
fn a_named_profile_holds_a_client_or_a_key() {
    let scene = Scene::new();
    login(
        &scene,
        &with_client(&["--profile", "Work", "--scope", "a:read", "--scope", "b:read"]),
        OTHER_SECRET,
    )
    .silent();
    assert_eq!(scene.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"work\"\n}");
    let config: serde_json::Value =
        serde_json::from_str(&scene.read(".planet/work/auth_client.json")).unwrap();
    assert_eq!(config["scopes"], json!(["a:read", "b:read"]));
    let form = scene.simulator.requests("m2m.token").unwrap().pop().unwrap()["form"].to_string();
    assert!(form.contains("a:read b:read"), "{form}");

    login(&scene, &["--auth-profile", "keys", "--auth-api-key-file", "-", "--no"], OTHER_KEY)
        .silent();
    assert_eq!(scene.read(".planet/keys/auth_client.json"), KEY_PROFILE);
    assert_eq!(
        finish(&mut scene.bare(["--profile", "keys", "print-api-key"]), b"").line(),
        OTHER_KEY
    );
    // The credential of the environment, in a new profile.
    finish(&mut scene.command(["login", "--profile", "fresh", "-n"]), b"").silent();
    assert!(scene.read(".planet/fresh/auth_client.json").contains("simulator-client"));
    for name in ["../x", "", "a b", "planet-user", "Legacy"] {
        login(&scene, &["--profile", name, "--auth-api-key-file", "-", "-n"], OTHER_KEY)
            .failed(Status::InvalidArgument);
    }
}

#[test]
fn another_default_profile_is_replaced_only_on_request() {
    let scene = Scene::new();
    login(&scene, &["--auth-api-key-file", "-"], KEY).silent();
    let before = tree(&scene);
    // Without a terminal no request is sent and nothing is written.
    let run = login(&scene, &with_client(&[]), OTHER_SECRET);
    let message = run.failed(Status::InvalidArgument);
    assert!(
        message.contains("--yes") && message.contains("--no") && message.contains("_PL_API_KEY"),
        "{message}"
    );
    assert_eq!((tree(&scene), scene.token_requests()), (before, 0));
    let run = login(&scene, &with_client(&["--json"]), OTHER_SECRET);
    run.failed(Status::InvalidArgument);

    for (flag, chosen) in
        [("-n", "_PL_API_KEY"), ("--no", "_PL_API_KEY"), ("-y", "planet-m2m-option-client")]
    {
        login(&scene, &with_client(&[flag]), OTHER_SECRET).silent();
        assert_eq!(
            scene.read(".planet.json"),
            format!("{{\n  \"PL_AUTH_PROFILE\": \"{chosen}\"\n}}"),
            "{flag}"
        );
    }
    // The same profile in another case is not another profile.
    scene.file(".planet.json", r#"{"PL_AUTH_PROFILE": "PLANET-m2m-OPTION-client", "key": "x"}"#);
    login(&scene, &with_client(&[]), OTHER_SECRET).silent();
    assert_eq!(
        scene.read(".planet.json"),
        r#"{"PL_AUTH_PROFILE": "PLANET-m2m-OPTION-client", "key": "x"}"#
    );
    login(&scene, &with_client(&["-y", "-n"]), OTHER_SECRET).failed(Status::InvalidArgument);
}

#[test]
fn the_profile_of_another_client_is_not_replaced() {
    let scene = Scene::new();
    let config = json!({"client_type": "oidc_client_credentials_secret", "client_id": "some-client", "client_secret": "theirs"});
    scene.profile("work", &config);
    scene.profile("broken", &json!("not an object"));
    let before = tree(&scene);
    for arguments in [
        &with_client(&["--profile", "work"])[..],
        &["--profile", "work", "--auth-api-key-file", "-"],
    ] {
        let run = login(&scene, arguments, "x");
        assert!(run.failed(Status::InvalidArgument).contains("delete it first"), "{run:?}");
    }
    login(&scene, &with_client(&["--profile", "broken"]), "x").failed(Status::Misconfigured);
    assert_eq!((tree(&scene), scene.token_requests()), (before, 0));
}

#[test]
fn a_new_secret_of_the_same_client_replaces_only_the_old_one() {
    let scene = Scene::new();
    let mut config = json!({
        "_note": "ours", "client_type": "oidc_client_credentials_secret", "client_id": OTHER_CLIENT,
        "client_secret": "old", "scopes": ["a:read"], "auth_server": scene.simulator.m2m_issuer(), "zeta": [1.50],
    });
    scene.profile("work", &config);
    login(&scene, &with_client(&["--profile", "work"]), OTHER_SECRET).silent();
    config["client_secret"] = OTHER_SECRET.into();
    let now: serde_json::Value =
        serde_json::from_str(&scene.read(".planet/work/auth_client.json")).unwrap();
    assert_eq!(now, config);
    let key = json!({"client_type": "static_apikey", "api_key": "old", "bearer_token_prefix": "api-key", "_note": "ours"});
    scene.profile("keys", &key);
    login(&scene, &["--profile", "keys", "--auth-api-key-file", "-", "-n"], OTHER_KEY).silent();
    let now: serde_json::Value =
        serde_json::from_str(&scene.read(".planet/keys/auth_client.json")).unwrap();
    assert_eq!((now["api_key"].as_str(), now["_note"].as_str()), (Some(OTHER_KEY), Some("ours")));
}

#[test]
fn a_login_with_an_existing_profile_uses_its_credential() {
    let scene = Scene::new();
    login(&scene, &with_client(&["--profile", "work"]), OTHER_SECRET).silent();
    let token = scene.read(".planet/work/token.json");
    for arguments in [&["--profile", "work"][..], &[]] {
        let run = login(&scene, arguments, "");
        assert!(
            run.silent().contains("the saved client still works in the profile work"),
            "{run:?}"
        );
    }
    assert_eq!(scene.token_requests(), 3, "each login tries the client out");
    assert_ne!(scene.read(".planet/work/token.json"), token);
    let run = login(&scene, &["--profile", "work", "--no-verify", "--json"], "");
    assert_eq!((&run.json()["profile"], &run.json()["verified"]), (&json!("work"), &json!(false)));
    assert_eq!(scene.token_requests(), 3);
    let mut command = scene.bare(["login"]);
    let run = finish(command.env("PL_AUTH_PROFILE", "work"), b"");
    assert!(run.silent().contains("the profile work"), "{run:?}");
    login(&scene, &["--profile", "missing"], "").failed(Status::Misconfigured);
    login(&scene, &["--profile", "work", "--scope", "x"], "").failed(Status::InvalidArgument);
}

#[test]
fn a_login_prints_what_was_saved_as_json() {
    let scene = Scene::new();
    let run = login(&scene, &["--auth-api-key-file", "-", "--json"], OTHER_KEY);
    let file = scene.home.path().join(".planet/_pl_api_key/auth_client.json");
    let wanted = json!({
        "profile": "_PL_API_KEY", "client_type": "static_apikey", "verified": false, "default": true,
        "file": file, "expires_at": null,
    });
    assert_eq!(run.json(), wanted);
    let run = login(&scene, &with_client(&["--json", "--no"]), OTHER_SECRET);
    let told = run.json();
    assert_eq!(
        (&told["verified"], &told["default"], &told["profile"]),
        (&json!(true), &json!(false), &json!("planet-m2m-option-client"))
    );
    assert!(told["expires_at"].is_i64(), "{told}");
    assert!(!run.stdout.contains(OTHER_SECRET) && !run.stdout.contains("eyJ"));
}

#[test]
fn contradicting_options_are_invalid() {
    let scene = Scene::new();
    for arguments in [
        &["--auth-api-key-file", "-", "--auth-client-id", "x"][..],
        &["--with-api-key", "--auth-client-id", "x"],
        &["--with-api-key", "--auth-api-key", OTHER_KEY],
        &["--auth-client-secret", OTHER_SECRET],
        &["--auth-client-secret-file", "-"],
        &["--auth-api-key", OTHER_KEY, "--scope", "x"],
        &["--auth-api-key", OTHER_KEY, "--api-key-transport", "query"],
        &["--auth-api-key", OTHER_KEY, "--no-save"],
        &["--auth-api-key", "a b"],
        &["--auth-api-key", ""],
        &["--auth-client-id", "a/b", "--auth-client-secret-file", "-"],
        &["--auth-client-id", "x", "--auth-client-secret-file", "-", "--scope", "offline_access"],
        &["--with-api-key"],
        &["--auth-client-id", "x"],
        &[OTHER_KEY],
        &["--storage-root", "", "--auth-api-key-file", "-"],
    ] {
        let run = login(&scene, arguments, OTHER_SECRET);
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Status::InvalidArgument.number(), ""),
            "{arguments:?}: {run:?}"
        );
        assert!(
            !run.stderr.contains(OTHER_SECRET) && !run.stderr.contains(OTHER_KEY),
            "{arguments:?}: {run:?}"
        );
    }
    assert_eq!((tree(&scene), scene.simulator.count("connections").unwrap()), (BTreeMap::new(), 0));
}

#[test]
fn a_login_names_credentials_with_higher_precedence() {
    let scene = Scene::new();
    let mut command = scene.bare(["login", "--auth-api-key-file", "-"]);
    let run = finish(command.env("PL_API_KEY", KEY), OTHER_KEY.as_bytes());
    assert!(
        run.silent().ends_with(
            "planetkey: note: the credential of the environment (PL_API_KEY) takes precedence over this profile\n"
        ),
        "{run:?}"
    );
}

#[test]
fn the_storage_root_replaces_the_home_directory() {
    let scene = Scene::new();
    let root = scene.home.path().join("elsewhere");
    let option = ["--storage-root", root.to_str().unwrap()];
    login(&scene, &[&option[..], &["--auth-api-key-file", "-"]].concat(), OTHER_KEY).silent();
    assert!(
        scene.has("elsewhere/.planet/_pl_api_key/auth_client.json")
            && scene.has("elsewhere/.planet.json")
    );
    assert!(!scene.has(".planet") && !scene.has(".planet.json"));
    assert_eq!(
        finish(&mut scene.bare(option.iter().chain(&["print-api-key"])), b"").line(),
        OTHER_KEY
    );
    let mut command = scene.bare(["print-api-key"]);
    assert_eq!(finish(command.env("PLANETKEY_STORAGE_ROOT", &root), b"").line(), OTHER_KEY);
    finish(&mut scene.bare(["print-api-key"]), b"").failed(Status::LoginRequired);
}

/// A stub of sops that records how it was called.
#[cfg(unix)]
#[test]
fn a119_no_secret_is_in_the_arguments_of_a_child() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    let calls = scene.home.path().join("calls");
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >> '{}'\ntr '\\0' ' ' < /proc/$PPID/cmdline >> '{0}'\n\
         if [ \"$1\" = -d ]; then sed -n 's/.*\"data\": \"\\([^\"]*\\)\".*/\\1/p' \"$2\" | base64 -d; exit; fi\n\
         printf '{{\"data\": \"%s\", \"sops\": {{}}}}' \"$(base64 -w0)\"\n",
        calls.display()
    );
    let program = scene.file("bin/sops", script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path =
        format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = |arguments: &[&str], input: &str| {
        let mut command = scene.bare(arguments);
        finish(command.env("PATH", &path), input.as_bytes())
    };
    run(&["login", "--sops", "--auth-api-key-file", "-"], OTHER_KEY).silent();
    let arguments: Vec<_> = ["login", "--sops", "-n"].into_iter().chain(with_client(&[])).collect();
    run(&arguments, OTHER_SECRET).silent();
    assert!(
        scene.has(".planet/_pl_api_key/auth_client.sops.json")
            && !scene.has(".planet/_pl_api_key/auth_client.json")
    );
    assert_eq!(run(&["--profile", "_PL_API_KEY", "print-api-key"], "").line(), OTHER_KEY);
    run(&["profile", "copy", "_PL_API_KEY", "copy"], "").silent();
    assert!(scene.has(".planet/copy/auth_client.sops.json"));
    let calls = std::fs::read_to_string(calls).unwrap();
    assert!(calls.contains("encrypt") && calls.contains("login"), "{calls}");
    for secret in [OTHER_KEY, OTHER_SECRET] {
        assert!(!calls.contains(secret), "{calls}");
        for (name, content) in tree(&scene) {
            let found = content.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} in {name}");
        }
    }
    // Without the program the profile is not saved as plain text instead.
    let mut command =
        scene.bare(["login", "--profile", "sealed", "--sops", "-n", "--auth-api-key-file", "-"]);
    finish(command.env("PATH", "/nowhere"), OTHER_KEY.as_bytes()).failed(Status::Unsupported);
    assert!(!scene.has(".planet/sealed"));
}
