//! The command's secrets do not leak through children or core dumps, and untrusted text does not
//! control the terminal.

#![cfg(target_os = "linux")]

use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::common::terminal::Session;
use crate::common::user::{USER_TOKEN, word_after};
use crate::common::{Scene, finish};
use planetkey::Status;
use planetkey::child::SECRET_VARIABLES;
use serde_json::{Value, json};

const OTHER: u32 = 65534;

fn program(scene: &Scene, name: &str, script: &str) -> PathBuf {
    let path = scene.file(name, format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// All secret variables, each with its own value, and the usual directories of programs after
/// these.
fn with_secrets(command: &mut Command, directories: &str) {
    for name in SECRET_VARIABLES {
        command.env(name, format!("SECRET-of-{name}"));
    }
    command.env("PATH", format!("{directories}:/usr/bin:/bin")).env("HARMLESS", "inherited");
}

fn wait_for(path: &Path) -> String {
    while !path.exists() {
        std::thread::yield_now();
    }
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn i9_14d_sops_inherits_no_secret() {
    let scene = Scene::new();
    let seen = scene.home.path().join("seen");
    let config = r#"{"client_type": "static_apikey", "api_key": "PLAKsealed"}"#;
    program(&scene, "bin/sops", &format!("env > '{}'\necho '{config}'", seen.display()));
    scene.file(".planet/sealed/auth_client.sops.json", r#"{"sops": {}}"#);
    let mut command = scene.bare(["profile", "show", "sealed"]);
    with_secrets(&mut command, scene.home.path().join("bin").to_str().unwrap());
    let run = finish(&mut command, b"");
    assert_eq!(run.code, 0, "{run:?}");
    let seen = wait_for(&seen);
    assert!(seen.contains("HARMLESS=inherited") && !seen.contains("SECRET-of"), "{seen}");
}

#[test]
fn sops_inherits_no_name_of_a_file_with_a_secret() {
    let scene = Scene::new();
    let seen = scene.home.path().join("seen");
    let config = r#"{"client_type": "static_apikey", "api_key": "PLAKsealed"}"#;
    program(&scene, "bin/sops", &format!("env > '{}'\necho '{config}'", seen.display()));
    scene.file(".planet/sealed/auth_client.sops.json", r#"{"sops": {}}"#);
    let mut command = scene.bare(["profile", "show", "sealed"]);
    for name in SECRET_VARIABLES {
        command.env(format!("{name}_FILE"), format!("/SECRET-of-{name}"));
    }
    let directory = scene.home.path().join("bin");
    command.env("PATH", format!("{}:/usr/bin:/bin", directory.display()));
    let run = finish(command.env("HARMLESS", "inherited"), b"");
    assert_eq!(run.code, 0, "{run:?}");
    let seen = wait_for(&seen);
    assert!(seen.contains("HARMLESS=inherited") && !seen.contains("SECRET-of"), "{seen}");
}

#[test]
fn i9_14d_the_browser_inherits_no_secret() {
    let scene = Scene::new().quick();
    let seen = scene.home.path().join("seen");
    let browser = program(
        &scene,
        "bin/browser",
        &format!("env > '{0}.new'\nmv '{0}.new' '{0}'", seen.display()),
    );
    let mut command = scene.bare(["login", "--profile", "planet-user"]);
    with_secrets(command.env("BROWSER", browser), "/nowhere");
    let mut session = Session::start(command, true);
    session.wait_for("A browser was opened");
    let seen = wait_for(&seen);
    assert!(seen.contains("HARMLESS=inherited") && !seen.contains("SECRET-of"), "{seen}");
    let _ = session.child.kill();
}

#[test]
fn i9_14e_a_browser_in_a_relative_directory_is_not_started() {
    let scene = Scene::new().quick();
    program(
        &scene,
        "mybrowser",
        &format!("touch '{}'", scene.home.path().join("started").display()),
    );
    for (browser, path) in [
        ("mybrowser", ".:/usr/bin:/bin"),
        ("mybrowser", ":/usr/bin:/bin"),
        ("./mybrowser", "/usr/bin:/bin"),
    ] {
        let mut command = scene.bare(["login", "--device", "--force"]);
        command.env("BROWSER", browser).env("PATH", path).current_dir(scene.home.path());
        let mut session = Session::start(command, true);
        session.wait_for("enter the code.");
        assert!(
            !session.screen.contains("A browser was opened"),
            "{browser} {path}: {}",
            session.screen
        );
        scene.decides(&word_after(&session.screen, "activate?user_code="), "ada", true);
        assert_eq!(session.end().0, 0);
        assert!(!scene.has("started"));
    }
}

#[test]
fn i10_18_the_error_about_a_quoted_or_pasted_value_names_its_source() {
    let scene = Scene::new();
    for (before, after, found) in [
        ("\"", "\"", "starts with a double quote"),
        ("\u{feff}", "", "starts with a byte order mark"),
        ("", "\u{200b}", "contains U+200B ZERO WIDTH SPACE"),
        ("x\n", "", "contains a line break"),
    ] {
        let bad = format!("{before}hidden-value{after}");
        let told = |told: &str, place: &str| {
            assert!(
                told.contains(place) && told.contains(found) && told.contains("remove"),
                "{place}: {told}"
            );
            assert!(!told.contains("hidden"), "{told}");
        };
        for name in ["PL_API_KEY", "PL_AUTH_PROFILE", "PL_AUTH_CLIENT_SECRET", "SH_CLIENT_ID"] {
            let run = finish(scene.command(["print-access-token"]).env(name, &bad), b"");
            told(run.failed(Status::Misconfigured), &format!("the environment variable {name} "));
        }
        for option in ["--profile", "--auth-client-id", "--auth-client-secret", "--auth-api-key"] {
            told(
                scene.run([option, &bad, "print-access-token"]).failed(Status::InvalidArgument),
                &format!("{option} "),
            );
        }
        let file = scene.file("secret", &bad);
        let path = file.to_str().unwrap();
        for option in ["--auth-client-secret-file", "--auth-api-key-file"] {
            let run = scene.run(["--auth-client-id", "id", option, path, "print-access-token"]);
            told(run.failed(Status::InvalidArgument), path);
            // Nor is it saved.
            let id = (option == "--auth-client-secret-file")
                .then_some(["--auth-client-id", "id"])
                .into_iter()
                .flatten();
            let run = scene.afresh(["login", "--no-verify", option, path].into_iter().chain(id));
            told(run.failed(Status::InvalidArgument), path);
        }
    }
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
    // Only a pair around the whole value is refused.
    let run = finish(scene.command(["print-api-key"]).env("PL_API_KEY", "a\"b'c"), b"");
    assert_eq!(run.line(), "a\"b'c");
}

#[test]
fn i10_17_a_text_browser_is_not_started_in_the_terminal() {
    let scene = Scene::new().quick();
    program(
        &scene,
        "bin/lynx",
        &format!("touch '{}'", scene.home.path().join("started").display()),
    );
    let mut command = scene.bare(["login"]);
    command
        .env("BROWSER", "lynx")
        .env("PATH", format!("{}:/usr/bin:/bin", scene.home.path().join("bin").display()));
    let mut session = Session::start(command, true);
    session.wait_for("enter the code.");
    assert!(
        !session.screen.contains("A browser was opened") && !scene.has("started"),
        "{}",
        session.screen
    );
    scene.decides(&word_after(&session.screen, "activate?user_code="), "ada", true);
    assert_eq!((session.end().0, scene.has(USER_TOKEN)), (0, true));
}

#[test]
fn i9_14f_core_dumps_of_the_command_are_off() {
    let scene = Scene::new();
    scene.simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    let plain = scene.command(["header", &scene.sentinel_hub("/x")]);
    // A shell that allows core dumps, up to its own limit.
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", "ulimit -c unlimited 2> /dev/null; exec \"$@\"", "sh"])
        .arg(plain.get_program())
        .args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
    let soft_and_hard = |text: String| {
        let line =
            text.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
        let mut words = line.split_whitespace().skip(4).map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    let (soft, hard) =
        soft_and_hard(std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap());
    let (_, own_hard) = soft_and_hard(std::fs::read_to_string("/proc/self/limits").unwrap());
    assert_eq!(soft, "0");
    // Children may raise it again.
    assert!(hard == "unlimited" || hard == own_hard, "{hard}");
    let _ = child.kill();
    let _ = child.wait();
}

/// The files in /proc of a process that is not dumpable belong to root. The command does not need
/// them.
#[test]
fn i9_14f_the_memory_of_an_ordinary_users_command_cannot_be_read() {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can start the command as another user");
        return;
    }
    let scene = Scene::new();
    let place = scene.home.path();
    std::fs::set_permissions(place, std::fs::Permissions::from_mode(0o755)).unwrap();
    let copy = place.join("planetkey");
    std::fs::copy(env!("CARGO_BIN_EXE_planetkey"), &copy).unwrap();
    let home = place.join("home");
    std::fs::create_dir(&home).unwrap();
    chown(&home, Some(OTHER), Some(OTHER)).unwrap();
    let environment = scene.simulator.environment();
    // Other users cannot read the files of the simulator.
    let deployment = environment
        .iter()
        .find(|(name, _)| *name == "PLANETKEY_DEPLOYMENT")
        .map(|(_, path)| path.clone())
        .unwrap();
    let own = place.join("deployment.json");
    std::fs::copy(deployment, &own).unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new(copy);
    command.args(["header", &scene.sentinel_hub("/x")]).env_clear().envs(environment);
    command
        .env("HOME", &home)
        .env("PLANETKEY_DEPLOYMENT", own)
        .current_dir("/")
        .uid(OTHER)
        .gid(OTHER);
    scene.simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
    assert_eq!(std::fs::metadata(format!("/proc/{}/mem", child.id())).unwrap().uid(), 0);
    scene.simulator.release("gate");
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stdout.starts_with(b"Authorization: Bearer "),
        "{output:?}"
    );
}

#[test]
fn i9_14a_no_text_of_a_file_or_a_user_changes_the_direction_of_the_terminal() {
    let scene = Scene::new();
    let bad = "a\u{202e}b\u{2066}c\u{ad}d\u{61c}e\u{2800}f\u{e0041}g\u{3164}h";
    let config = json!({"client_type": "oidc_client_credentials_secret", "client_id": bad, "client_secret": "s", "auth_server": "https://a.example/", "odd\u{202e}": bad});
    scene.profile(&format!("x{bad}"), &config);
    let name = format!("x{bad}");
    let hidden = |text: &str| text.chars().any(|c| c != '\n' && planetkey::text::is_invisible(c));
    for arguments in [
        &["profile", "list"][..],
        &["profile", "list", "--long"],
        &["profile", "list", "--json"],
        &["profile", "list", "--long", "--json"],
        &["profile", "show", &name],
        &["profile", "show", &name, "--json"],
        &["status", "--auth-profile", &name],
        &["status", "--json", "--auth-profile", &name],
        &["profile", "set", &name],
        &["profile", "set", &format!("y{bad}")],
        &["header", "https://api.planet.com/", "--deployment", &format!("/{bad}")],
        &["header", &format!("https://{bad}/")],
        &["--x\u{202e}y"],
    ] {
        let run = finish(&mut scene.bare(arguments), b"");
        assert!(!hidden(&run.stdout) && !hidden(&run.stderr), "{arguments:?} {run:?}");
        assert!(!run.stdout.is_empty() || !run.stderr.is_empty());
    }
    // JSON is the same document.
    let shown: Value = finish(&mut scene.bare(["profile", "show", &name, "--json"]), b"").json();
    assert_eq!(shown["config"]["client_id"], bad);
    // What a server says of a user.
    let scene = Scene::new();
    scene.saved("user|\u{202e}ada", 1);
    for arguments in [
        &["userinfo"][..],
        &["userinfo", "--json"],
        &["introspect"],
        &["introspect", "--json"],
        &["status"],
    ] {
        let run = finish(&mut scene.bare(arguments), b"");
        assert!(!hidden(&run.stdout) && !hidden(&run.stderr), "{arguments:?} {run:?}");
    }
}
