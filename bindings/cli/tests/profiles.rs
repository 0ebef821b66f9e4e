//! `planetkey profile` and `planetkey reset`.

use crate::common::{KEY, OTHER_KEY, Run, SECRET, Scene, finish};
use planetkey::Status;
use serde_json::{Value, json};

fn run(scene: &Scene, arguments: &[&str]) -> Run {
    finish(&mut scene.bare(arguments), b"")
}

/// A home with an M2M client, an API key, and directories that are no profiles.
fn scene() -> Scene {
    let scene = Scene::new();
    let machine = json!({
        "client_type": "oidc_client_credentials_secret", "client_id": "machine", "client_secret": SECRET,
        "auth_server": "https://services.sentinel-hub.com/auth/realms/main", "scopes": [],
        "odd": {"api_key": KEY, "fine": "shown"},
    });
    scene.profile("machine", &machine);
    scene.profile("keys", &json!({"client_type": "static_apikey", "api_key": OTHER_KEY}));
    scene.file(".planet/empty/token.json.lock", "");
    scene.file(".planet.json", "{\n  \"PL_AUTH_PROFILE\": \"Machine\",\n  \"key\": \"v2\"\n}");
    scene
}

#[test]
fn list_prints_the_names_and_marks_the_default_one() {
    let scene = scene();
    let listed = run(&scene, &["profile", "list"]);
    assert_eq!((listed.code, listed.stderr.as_str()), (0, ""));
    assert_eq!(listed.stdout, "  keys\n* machine\n  planet-user\n");
    assert_eq!(
        run(&scene, &["profile", "list", "--json"]).json(),
        json!([
            {"name": "keys", "built_in": false, "selected": false},
            {"name": "machine", "built_in": false, "selected": true},
            {"name": "planet-user", "built_in": true, "selected": false},
        ])
    );
    let empty = Scene::new();
    assert_eq!(run(&empty, &["profile", "list"]).stdout, "  planet-user\n");
    assert!(!empty.has(".planet"), "looking writes nothing");
}

#[test]
fn list_describes_each_profile_within_80_columns_and_without_secrets() {
    let scene = scene();
    scene.file(
        ".planet/machine/token.json",
        json!({"access_token": "opaque", "_exp": 1}).to_string(),
    );
    scene.file(".planet/broken/auth_client.json", format!("{{\"client_secret\": \"{SECRET}"));
    let long = run(&scene, &["profile", "list", "-l"]);
    assert_eq!((long.code, long.stderr.as_str()), (0, ""));
    let machine = format!(
        "machine (the default)\n   type      oidc_client_credentials_secret\n   client    machine\n   \
         issuer    https://services.sentinel-hub.com/auth/realms/main\n   session   saved; its access token has expired\n   \
         file      {}/.planet/machine/auth_client.json\n\n",
        scene.home.path().display()
    );
    assert!(long.stdout.contains(&machine), "{}", long.stdout);
    assert!(
        long.stdout.contains("\nplanet-user (built in)\n   type      oidc_device_code\n"),
        "{}",
        long.stdout
    );
    assert!(long.stdout.contains("\n   problem   "), "{}", long.stdout);
    assert!(long.stdout.lines().all(|line| line.chars().count() <= 80), "{}", long.stdout);
    let json = run(&scene, &["profile", "list", "--long", "--json"]);
    let names: Vec<_> =
        json.json().as_array().unwrap().iter().map(|profile| profile["name"].clone()).collect();
    assert_eq!(names, ["broken", "keys", "machine", "planet-user"]);
    assert_eq!(json.json()[2]["expires_at"], 1);
    for secret in [SECRET, KEY, OTHER_KEY, "opaque"] {
        assert!(!long.stdout.contains(secret) && !json.stdout.contains(secret), "{secret}");
    }
}

#[test]
fn show_hides_secrets_by_default() {
    let scene = scene();
    let shown = run(&scene, &["profile", "show", "MACHINE"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""));
    let config = "Client configuration\n   auth_server   https://services.sentinel-hub.com/auth/realms/main\n   client_id     machine\n   \
         client_secret [redacted]\n   client_type   oidc_client_credentials_secret\n   \
         odd           {\"api_key\":\"[redacted]\",\"fine\":\"shown\"}\n   scopes        []\n";
    assert!(shown.stdout.ends_with(config), "{}", shown.stdout);
    assert!(!shown.stdout.contains(SECRET) && !shown.stdout.contains(KEY));
    // Without a name: the default profile, or that of the option.
    assert!(run(&scene, &["profile", "show"]).stdout.starts_with("Machine (the default)\n"));
    assert!(run(&scene, &["profile", "show", "--profile", "keys"]).stdout.starts_with("keys\n"));
    let hidden = run(&scene, &["profile", "show", "machine", "--json"]).json();
    assert_eq!(
        (&hidden["config"]["client_secret"], &hidden["selected"]),
        (&json!("[redacted]"), &json!(true))
    );
    let revealed =
        run(&scene, &["profile", "show", "machine", "--json", "--reveal-secrets"]).json();
    assert_eq!(
        revealed["config"],
        serde_json::from_str::<Value>(&scene.read(".planet/machine/auth_client.json")).unwrap()
    );
    assert!(
        run(&scene, &["profile", "show", "keys", "--reveal-secrets"]).stdout.contains(OTHER_KEY)
    );
    run(&scene, &["profile", "show", "missing"]).failed(Status::Misconfigured);
    let nothing = Scene::new();
    assert!(
        run(&nothing, &["profile", "show"])
            .failed(Status::InvalidArgument)
            .contains("name a profile")
    );
}

#[test]
fn text_of_a_profile_cannot_control_the_terminal() {
    let scene = Scene::new();
    let config =
        json!({"client_type": "static_apikey", "api_key": KEY, "a\u{1b}[31mb": "c\u{1b}[2J\nd"});
    scene.profile("mine", &config);
    for arguments in [&["profile", "show", "mine"][..], &["profile", "list", "--long"]] {
        let shown = run(&scene, arguments);
        assert!(
            shown.code == 0 && !shown.stdout.contains('\u{1b}') && !shown.stdout.contains("\nd"),
            "{shown:?}"
        );
    }
}

#[test]
fn set_chooses_the_default_profile_and_preserves_the_rest_of_the_file() {
    let scene = scene();
    assert_eq!(
        run(&scene, &["profile", "set", "Keys"]).silent(),
        "planetkey: Keys is now the default profile\n"
    );
    assert_eq!(
        scene.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"keys\",\n  \"key\": \"v2\"\n}"
    );
    assert_eq!(run(&scene, &["print-api-key"]).line(), OTHER_KEY);
    run(&scene, &["profile", "set", "planet-user"]).silent();
    run(&scene, &["profile", "set", "missing"]).failed(Status::Misconfigured);
    run(&scene, &["profile", "set", "../keys"]).failed(Status::InvalidArgument);
    run(&scene, &["profile", "set"]).failed(Status::InvalidArgument);
    assert_eq!(
        scene.read(".planet.json"),
        "{\n  \"PL_AUTH_PROFILE\": \"planet-user\",\n  \"key\": \"v2\"\n}"
    );
    // A file that cannot be parsed is not overwritten.
    scene.file(".planet.json", "{\"key\": \"v2");
    run(&scene, &["profile", "set", "keys"]).failed(Status::Misconfigured);
    assert_eq!(scene.read(".planet.json"), "{\"key\": \"v2");
}

#[test]
fn copy_copies_the_clients_bytes_and_no_tokens() {
    let scene = scene();
    let odd = "{ \"z\": 1.50, \"client_type\": \"pigeon\",\n\"a\": {\"n\": null} }\n";
    scene.file(".planet/odd/auth_client.json", odd);
    scene.file(".planet/odd/token.json", "{}");
    let copied = run(&scene, &["profile", "copy", "odd", "Copy"]);
    let file = scene.home.path().join(".planet/copy/auth_client.json");
    assert_eq!(copied.silent(), format!("planetkey: copied odd to {}\n", file.display()));
    assert_eq!(scene.read(".planet/copy/auth_client.json"), odd);
    assert!(!scene.has(".planet/copy/token.json"));
    let arguments = ["--deployment", "planet", "profile", "copy", "planet-user", "second"];
    run(&scene, &arguments).silent();
    assert_eq!(
        scene.read(".planet/second/auth_client.json"),
        "{\n  \"_comment\": \"OIDC/OAuth server used by Planet Public API endpoints\",\n  \"audiences\": [\n    \
         \"https://api.planet.com/\"\n  ],\n  \"auth_server\": \"https://login.planet.com/\",\n  \
         \"client_id\": \"49lHVBYlXCdfIYqE1B9zeXt0iFHSXees\",\n  \"client_type\": \"oidc_device_code\",\n  \"scopes\": [\n    \
         \"planet\",\n    \"offline_access\"\n  ]\n}"
    );
    for (from, to, status) in [
        ("odd", "copy", Status::InvalidArgument),
        ("odd", "planet-user", Status::InvalidArgument),
        ("missing", "x", Status::Misconfigured),
        ("planet-m2m", "x", Status::Misconfigured),
    ] {
        run(&scene, &["profile", "copy", from, to]).failed(status);
    }
}

#[test]
fn delete_must_be_confirmed_and_deletes_everything() {
    let scene = scene();
    scene.file(".planet/machine/token.json", "{}");
    let message =
        run(&scene, &["profile", "delete", "machine"]).failed(Status::InvalidArgument).to_owned();
    assert!(message.contains("--yes"), "{message}");
    assert!(scene.has(".planet/machine/token.json"));
    assert_eq!(
        run(&scene, &["profile", "delete", "machine", "--yes"]).silent(),
        "planetkey: deleted machine\n"
    );
    assert!(!scene.has(".planet/machine"));
    assert_eq!(scene.read(".planet.json"), "{\n  \"key\": \"v2\"\n}");
    run(&scene, &["profile", "delete", "machine", "-y"]).failed(Status::Misconfigured);
    run(&scene, &["profile", "delete", "planet-user", "-y"]).failed(Status::InvalidArgument);
}

#[test]
fn reset_must_be_confirmed_and_renames_everything() {
    let scene = scene();
    let preferences = scene.read(".planet.json");
    assert!(run(&scene, &["reset"]).failed(Status::InvalidArgument).contains("--yes"));
    run(&scene, &["reset", "--json"]).failed(Status::InvalidArgument);
    assert!(scene.has(".planet.json") && scene.has(".planet/keys"));
    let moved = run(&scene, &["reset", "--yes", "--json"]).json();
    assert!(!scene.has(".planet.json") && !scene.has(".planet"));
    let [file, directory] = moved.as_array().unwrap().as_slice() else { panic!("{moved}") };
    let name = |value: &Value| {
        value
            .as_str()
            .unwrap()
            .strip_prefix(&format!("{}/", scene.home.path().display()))
            .unwrap()
            .to_owned()
    };
    assert_eq!(
        (name(&file["from"]).as_str(), name(&directory["from"]).as_str()),
        (".planet.json", ".planet")
    );
    assert_eq!(scene.read(&name(&file["to"])), preferences);
    assert!(scene.has(&format!("{}/keys/auth_client.json", name(&directory["to"]))));
    // `YYYY-MM-DD-HHMMSS`, as the SDK has it.
    let to = name(&file["to"]);
    let time = to.strip_prefix(".planet.json-").unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    assert_eq!(shape, "0000-00-00-000000");
    assert_eq!(
        run(&scene, &["reset", "-y"]).silent(),
        "planetkey: nothing is configured, so nothing was renamed\n"
    );
    assert_eq!(run(&scene, &["reset", "-y", "--json"]).json(), json!([]));
}

#[test]
fn options_that_these_commands_do_not_use_are_refused() {
    let scene = scene();
    for arguments in [
        &["profile"][..],
        &["profile", "lst"],
        &["profile", "list", "more"],
        &["profile", "list", "--auth-api-key", OTHER_KEY],
        &["profile", "set", "keys", "--auth-client-id", "x"],
        &["profile", "list", "--profile", "keys"],
        &["profile", "set", "keys", "--profile", "keys"],
        &["profile", "show", "keys", "--profile", "machine"],
        &["reset", "--yes", "--profile", "keys"],
        &["reset", "--yes", "--auth-api-key-file", "-"],
    ] {
        run(&scene, arguments).failed(Status::InvalidArgument);
    }
    assert!(
        run(&scene, &["profile", "lst"])
            .failed(Status::InvalidArgument)
            .contains("did you mean list")
    );
    assert!(scene.has(".planet/keys"));
}

#[test]
fn profiles_are_those_of_the_storage_root() {
    let scene = scene();
    let root = scene.home.path().join("elsewhere");
    let option = ["--storage-root", root.to_str().unwrap()];
    run(&scene, &[&option[..], &["profile", "copy", "keys", "mine"]].concat()).silent();
    assert!(scene.has("elsewhere/.planet/mine/auth_client.json") && !scene.has(".planet/mine"));
    // Clients of the home directory are read, and never written.
    let listed = run(&scene, &[&option[..], &["profile", "list"]].concat());
    assert_eq!(listed.stdout, "  keys\n* machine\n  mine\n  planet-user\n");
    run(&scene, &[&option[..], &["profile", "delete", "keys", "-y"]].concat())
        .failed(Status::Misconfigured);
    run(&scene, &[&option[..], &["reset", "-y"]].concat()).silent();
    assert!(
        scene.has(".planet/keys") && scene.has(".planet.json") && !scene.has("elsewhere/.planet")
    );
}

#[test]
fn help_of_each_command_fits_and_has_examples() {
    let scene = Scene::new();
    for command in
        ["list", "show", "set", "copy", "delete", "", "login", "refresh", "logout", "reset"]
    {
        let arguments = match command {
            "" => vec!["profile", "--help"],
            "list" | "show" | "set" | "copy" | "delete" => vec!["profile", command, "--help"],
            _ => vec![command, "--help"],
        };
        let help = run(&scene, &arguments);
        assert_eq!((help.code, help.stderr.as_str()), (0, ""), "{command:?}");
        assert!(
            help.stdout.contains("Examples:") && help.stdout.contains("--auth-profile"),
            "{}",
            help.stdout
        );
        assert!(
            help.stdout.contains("--storage-root") && help.stdout.contains("--no-save"),
            "{}",
            help.stdout
        );
        assert!(help.stdout.ends_with('\n') && !help.stdout.ends_with("\n\n"), "{command:?}");
        let long = help.stdout.lines().find(|line| line.chars().count() > 80);
        assert_eq!(long, None, "{command:?}");
    }
    // The option names of Planet's SDK.
    let help = run(&scene, &["login", "--help"]).stdout;
    for option in [
        "--auth-profile",
        "--auth-client-id",
        "--auth-client-secret",
        "--auth-api-key",
        "--scope",
        "--sops",
        "-y, --yes",
        "-n, --no",
    ] {
        assert!(help.contains(option), "{option}: {help}");
    }
    assert!(run(&scene, &["profile", "list", "--help"]).stdout.contains("-l, --long"));
}

#[test]
fn a_session_that_cannot_be_read_is_a_problem_of_the_list_and_a_note_of_the_status() {
    let scene = Scene::new();
    let file = scene.file(".planet/planet-user/token.json", "garbage");
    let listed = run(&scene, &["profile", "list", "--long"]);
    assert!(listed.stdout.contains("session   saved, but may not be usable"), "{listed:?}");
    assert!(
        listed.stdout.contains("problem") && listed.stdout.contains("token.json"),
        "{listed:?}"
    );
    let told = run(&scene, &["status", "--json"]).json();
    assert!(
        told["notes"][0].as_str().unwrap().contains("the session that is saved cannot be used"),
        "{told}"
    );
    assert!(run(&scene, &["status"]).stdout.contains("is damaged"));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "garbage");
}
