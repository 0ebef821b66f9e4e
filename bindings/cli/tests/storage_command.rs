//! A profile whose session a program saves: login, use, status and logout.

// A terminal that controls the command is made by Linux's setsid.
#![cfg(target_os = "linux")]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use crate::common::terminal::Session;
use crate::common::user::{BROWSER_CLIENT, BROWSER_PROFILE, word_after};
use crate::common::{Scene, finish};
use planetkey::child::SECRET_VARIABLES;
use serde_json::Value;

const GRANTS: [&str; 3] =
    ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];
const HELPER: &str = "#!/bin/sh
env > \"$0.environment\"
case $2 in
    get) cat \"$0.secret\" 2>/dev/null || echo '{}' ;;
    store) cat > \"$0.secret\" ;;
    erase) rm -f \"$0.secret\" ;;
esac
";

/// The profile of a user whose session this program saves. Returns the program.
fn with_helper(scene: &Scene, script: &str) -> PathBuf {
    scene.with_browser_client(&GRANTS);
    let program = scene.file("bin/helper", script);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let file = format!(".planet/{BROWSER_PROFILE}/auth_client.json");
    let mut config: Value = serde_json::from_str(&scene.read(&file)).unwrap();
    config["storage_command"] = serde_json::json!(["helper", "--for-work"]);
    scene.file(&file, config.to_string());
    program
}

fn command(scene: &Scene, arguments: &[&str]) -> Command {
    let mut command = scene.bare(arguments.iter().chain(&["--auth-profile", BROWSER_PROFILE]));
    let bin = scene.home.path().join("bin");
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command
}

#[test]
fn a_user_logs_in_and_no_file_holds_the_session() {
    let scene = Scene::new().quick();
    let program = with_helper(&scene, HELPER);
    let secret = program.with_extension("secret");
    // What Planet's own tools left there is replaced.
    scene.file(&format!(".planet/{BROWSER_PROFILE}/token.json"), "{\"access_token\": \"old\"}");
    let mut login = command(&scene, &["login", "--device"]);
    for name in SECRET_VARIABLES {
        login.env(name, format!("SECRET-of-{name}"));
    }
    let mut session = Session::start(login, true);
    session.wait_for("enter the code.");
    scene.decides(&word_after(&session.screen, "activate?user_code="), "ada", true);
    let (code, _, screen) = session.end();
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("the session is saved in the store storage_command helper"),
        "{screen}"
    );
    let environment = std::fs::read_to_string(program.with_extension("environment")).unwrap();
    assert!(!environment.contains("SECRET-of-") && environment.contains("PATH="), "{environment}");

    let saved: Value = serde_json::from_slice(&std::fs::read(&secret).unwrap()).unwrap();
    assert_eq!(saved["profile"], BROWSER_PROFILE);
    let token = saved["session"]["access_token"].as_str().unwrap();
    assert!(!scene.has(&format!(".planet/{BROWSER_PROFILE}/token.json")));
    let run = finish(&mut command(&scene, &["print-access-token"]), b"");
    assert_eq!((run.code, run.stdout.trim_end()), (0, token), "{}", run.stderr);
    let run = finish(&mut command(&scene, &["status"]), b"");
    assert!(run.stdout.contains("storage_command helper, holds session"), "{}", run.stdout);
    assert!(!run.stdout.contains("for-work") && run.stdout.contains(BROWSER_CLIENT));
    let run = finish(&mut command(&scene, &["status", "--json"]), b"");
    let status: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(status["sources"][0]["store"]["name"], "storage_command helper");
    assert_eq!(status["logged_in"]["subject"], "user|ada");
    let run = finish(&mut command(&scene, &["logout"]), b"");
    assert_eq!((run.code, secret.exists()), (0, false), "{}", run.stderr);
}

#[test]
fn a_program_that_fails_ends_a_login_before_the_user_is_asked() {
    let scene = Scene::new().quick();
    with_helper(&scene, "#!/bin/sh\necho 'the key ring is locked' >&2\nexit 1\n");
    for arguments in [&["login", "--device"][..], &["login", "--device", "--force"]] {
        let (code, _, screen) = Session::start(command(&scene, arguments), true).end();
        assert_eq!(code, planetkey::Status::Storage.number(), "{screen}");
        assert!(screen.contains("\"the key ring is locked\""), "{screen}");
        assert!(!screen.contains("enter the code"), "{screen}");
    }
    assert_eq!(scene.simulator.count("user.device").unwrap(), 0);
}
