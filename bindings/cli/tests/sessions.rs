//! Saved sessions: shared by runs of the command, refreshed and deleted.

use std::process::{Child, Stdio};

use crate::common::{KEY, Run, Scene, finish};
use planetkey::Status;
use serde_json::{Value, json};

const USER_TOKEN: &str = ".planet/planet-user/token.json";
const M2M_TOKEN: &str = ".planet/planet-m2m-simulator-client/token.json";

fn run(scene: &Scene, arguments: &[&str]) -> Run {
    finish(&mut scene.bare(arguments), b"")
}

/// A user logged in this many seconds ago, with Planet's own tools.
fn logged_in(scene: &Scene, age: u64) -> Value {
    let session = scene.simulator.seed_session(&json!({"age": age})).unwrap();
    scene.file(USER_TOKEN, session.to_string());
    session
}

fn start(scene: &Scene, arguments: &[&str]) -> Child {
    let mut command = scene.command(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn two_runs_share_one_token() {
    let scene = Scene::new();
    let url = scene.sentinel_hub("/api/v1/catalog");
    let first = scene.run(["header", &url]);
    let second = scene.run(["header", &url]);
    assert_eq!(first.line(), second.line());
    assert_eq!(
        scene.run(["print-access-token"]).line(),
        first.line().strip_prefix("Authorization: Bearer ").unwrap()
    );
    assert_eq!(scene.token_requests(), 1);
    let status = scene.run(["status"]).stdout;
    assert!(status.contains("\n   token     valid for "), "{status}");
}

#[test]
fn eight_concurrent_runs_send_one_request() {
    let scene = Scene::new();
    let url = scene.sentinel_hub("/api/v1/catalog");
    scene.simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    let runs: Vec<_> = (0..8).map(|_| start(&scene, &["header", &url])).collect();
    assert!(scene.simulator.wait_held("gate", 1, std::time::Duration::from_secs(30)));
    scene.simulator.release("gate");
    let mut lines: Vec<_> = runs
        .into_iter()
        .map(|run| {
            let output = run.wait_with_output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        })
        .collect();
    lines.dedup();
    assert_eq!((lines.len(), scene.token_requests()), (1, 1));
}

#[test]
fn without_saving_nothing_is_written_or_shared() {
    let scene = Scene::new();
    let url = scene.sentinel_hub("/x");
    let first = scene.run(["--no-save", "header", &url]).line().to_owned();
    assert_ne!(scene.run(["header", &url, "--no-save"]).line(), first);
    assert_eq!(scene.token_requests(), 2);
    assert!(!scene.has(".planet"));
    for command in ["login", "refresh", "logout"] {
        assert!(
            scene.run([command, "--no-save"]).failed(Status::InvalidArgument).contains("--no-save")
        );
    }
}

#[test]
fn refresh_gets_a_token_and_prints_nothing() {
    let scene = Scene::new();
    let token =
        || serde_json::from_str::<Value>(&scene.read(M2M_TOKEN)).unwrap()["access_token"].clone();
    assert_eq!(scene.run(["refresh"]).silent(), "");
    let first = token();
    let told = scene.run(["refresh", "--json"]).json();
    assert_eq!(told["profile"], Value::Null, "the client is the environment's");
    assert!(told["expires_at"].as_i64().unwrap() > 1_700_000_000);
    assert_ne!(token(), first);
    assert_eq!(scene.token_requests(), 2);
    assert_eq!(told.as_object().unwrap().len(), 2);
    scene.run(["--auth-api-key", KEY, "refresh"]).failed(Status::Unsupported);
}

#[test]
fn refresh_rotates_a_user_session_and_saves_it() {
    let scene = Scene::new();
    let before = logged_in(&scene, 0);
    let told = run(&scene, &["refresh", "--profile", "planet-user", "--json"]).json();
    assert_eq!(told["profile"], "planet-user");
    let after: Value = serde_json::from_str(&scene.read(USER_TOKEN)).unwrap();
    let family = scene.simulator.session_of(before["refresh_token"].as_str().unwrap()).unwrap();
    assert_ne!(after["refresh_token"], before["refresh_token"]);
    assert_eq!(
        (&family["refresh_token"], &family["rotations"], &family["active"]),
        (&after["refresh_token"], &json!(1), &json!(true))
    );
    // The command counts from its request, and the file has the server's time: a second may pass in
    // between.
    let (told, saved) = (told["expires_at"].as_i64().unwrap(), after["_exp"].as_i64().unwrap());
    assert!((saved - 1..=saved).contains(&told), "{told} and {saved}");
    // The default session has the same sources.
    run(&scene, &["refresh"]).silent();
    assert_eq!(scene.simulator.count("user.token").unwrap(), 2);
}

/// A CDN compresses the response with a wrong header, and the server detects reuse.
#[test]
fn i10_03_a_compressed_rotation_is_saved_by_the_command() {
    let scene = Scene::new();
    let before = logged_in(&scene, 4_000);
    let family = || scene.simulator.session_of(before["refresh_token"].as_str().unwrap()).unwrap();
    let step = json!({"content_coding": "gzip", "headers": {"Content-Type": "text/html"}, "fault": "no_last_chunk"});
    scene.simulator.script("user.token", &json!([step, step])).unwrap();
    run(&scene, &["--profile", "planet-user", "print-access-token"]).line();
    run(&scene, &["refresh", "--profile", "planet-user"]).silent();
    let after: Value = serde_json::from_str(&scene.read(USER_TOKEN)).unwrap();
    assert_eq!(
        (&family()["refresh_token"], &family()["rotations"]),
        (&after["refresh_token"], &json!(2))
    );
    // An unreadable response is an error, and the refresh token that was sent is not sent again.
    let step = json!({"content_coding": "gzip", "headers": {"Content-Encoding": "br"}});
    scene.simulator.script("user.token", &json!([step])).unwrap();
    let ended = run(&scene, &["refresh", "--profile", "planet-user"]);
    let message = ended.failed(Status::Protocol);
    assert!(message.contains("Content-Encoding br, which is not supported"), "{message}");
    assert_eq!(
        (&family()["active"], scene.simulator.count("user.token").unwrap()),
        (&json!(true), 3)
    );
    assert_eq!(scene.simulator.count("user.reuse").unwrap(), 0);
}

#[test]
fn a_refresh_in_the_background_is_saved_before_the_command_exits() {
    let scene = Scene::new();
    let before = logged_in(&scene, 3_000);
    scene.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let mut command = scene.bare(["--profile", "planet-user", "print-access-token"]);
    let child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The valid token is printed at once, and the command exits after the new one was saved.
    assert!(scene.simulator.wait_held("gate", 1, std::time::Duration::from_secs(30)));
    scene.simulator.release("gate");
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap().trim_end(),
        before["access_token"].as_str().unwrap()
    );
    let after: Value = serde_json::from_str(&scene.read(USER_TOKEN)).unwrap();
    let family = scene.simulator.session_of(before["refresh_token"].as_str().unwrap()).unwrap();
    assert_eq!(family["refresh_token"], after["refresh_token"]);
    assert_ne!(after["refresh_token"], before["refresh_token"]);
}

#[test]
fn logout_deletes_a_user_session_once() {
    let scene = Scene::new();
    logged_in(&scene, 0);
    run(&scene, &["--profile", "planet-user", "print-access-token"]).line();
    assert_eq!(
        run(&scene, &["logout", "--profile", "planet-user"]).silent(),
        "planetkey: logged out, and the refresh token was revoked\n"
    );
    assert!(!scene.has(USER_TOKEN));
    let message = run(&scene, &["--profile", "planet-user", "print-access-token"])
        .failed(Status::LoginRequired)
        .to_owned();
    assert!(message.contains("planet-user"), "{message}");
    assert_eq!(
        run(&scene, &["logout", "--profile", "planet-user"]).silent(),
        "planetkey: no user was logged in\n"
    );
    assert_eq!(
        run(&scene, &["logout", "--json"]).json(),
        json!({"removed": false, "revocation": "none", "revocation_error": null})
    );
    logged_in(&scene, 0);
    assert_eq!(
        run(&scene, &["logout", "--json"]).json(),
        json!({"removed": true, "revocation": "revoked", "revocation_error": null})
    );
}

#[test]
fn logout_leaves_the_m2m_client_and_the_api_key() {
    let scene = Scene::new();
    finish(&mut scene.command(["login"]), b"").silent();
    assert!(scene.has(M2M_TOKEN));
    assert_eq!(run(&scene, &["logout"]).silent(), "planetkey: logged out\n");
    assert!(
        !scene.has(M2M_TOKEN) && scene.has(".planet/planet-m2m-simulator-client/auth_client.json")
    );
    run(&scene, &["print-access-token"]).line();
    assert_eq!(scene.token_requests(), 2);
    scene.profile("keys", &json!({"client_type": "static_apikey", "api_key": KEY}));
    let message =
        run(&scene, &["logout", "--profile", "keys"]).failed(Status::Unsupported).to_owned();
    assert!(message.contains("planetkey profile delete"), "{message}");
}

#[test]
fn a_failure_delays_the_next_run() {
    let scene = Scene::new();
    let step = json!({"status": 429, "headers": {"Retry-After": "600"}});
    scene.simulator.script("m2m.token", &json!({"steps": [step], "repeat": true})).unwrap();
    scene.run(["print-access-token"]).failed(Status::Unavailable);
    let requests = scene.token_requests();
    scene.run(["print-access-token"]).failed(Status::Unavailable);
    scene.run(["refresh"]).failed(Status::Unavailable);
    assert_eq!(scene.token_requests(), requests);
}

#[cfg(unix)]
#[test]
fn a_read_only_disk_is_reported_and_the_command_succeeds() {
    let scene = Scene::new();
    // A file instead of the directory: no user can write below it, not even root.
    scene.file(".planet", "");
    let run = scene.run(["print-access-token"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1), "{run:?}");
    assert!(
        run.stderr.starts_with("planetkey: note: ") && run.stderr.lines().count() == 1,
        "{run:?}"
    );
}

#[test]
fn f133_standard_output_holds_only_the_result() {
    let scene = Scene::new();
    let session = logged_in(&scene, 0);
    let token = session["access_token"].as_str().unwrap();
    assert_eq!(run(&scene, &["print-access-token"]).line(), token);
    // An id without its secret causes a note, which is on standard error.
    let mut command = scene.bare(["print-access-token"]);
    let noted = finish(command.env("PL_AUTH_CLIENT_ID", "x"), b"");
    assert_eq!((noted.code, noted.stdout), (0, format!("{token}\n")));
    assert!(noted.stderr.starts_with("planetkey: note: "), "{}", noted.stderr);
    for (arguments, input) in [
        (&["login", "--auth-api-key", KEY][..], ""),
        (&["login", "--auth-api-key-file", "-", "--profile", "x", "-y"], KEY),
        (&["profile", "set", "x"], ""),
        (&["profile", "copy", "x", "y"], ""),
        (&["profile", "delete", "y", "--yes"], ""),
        (&["refresh", "--profile", "planet-user"], ""),
        (&["logout", "--profile", "planet-user"], ""),
        (&["reset", "--yes"], ""),
    ] {
        finish(&mut scene.bare(arguments), input.as_bytes()).silent();
    }
}
