//! Ctrl-C, SIGTERM and SIGHUP while the command waits for a token.

#![cfg(unix)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{Scene, finish};
use serde_json::{Value, json};

fn start(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn send(child: &Child, signal: &str) {
    assert!(
        Command::new("kill")
            .args([format!("-{signal}"), child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
}

/// A user session has expired, and its refresh waits for the server's response.
fn refreshing(scene: &Scene) -> (Child, Value) {
    let session = scene.simulator.seed_session(&json!({"age": 4000})).unwrap();
    scene.file(".planet/planet-user/token.json", session.to_string());
    scene.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let child = start(&mut scene.bare(["print-access-token"]));
    assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
    (child, session)
}

/// How the command ended: the signal, and the rest of its standard error.
fn ended(mut child: Child) -> (Option<i32>, String) {
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    (child.wait().unwrap().signal(), errors)
}

#[test]
fn a_refresh_in_progress_is_saved_before_a_signal_ends_the_command() {
    for (signal, number) in [("INT", 2), ("TERM", 15), ("HUP", 1)] {
        let scene = Scene::new();
        let (mut child, session) = refreshing(&scene);
        send(&child, signal);
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(errors.any(|line| line.contains("a request for tokens is in progress")));
        scene.simulator.release("gate");
        assert_eq!(
            (child.wait().unwrap().signal(), scene.simulator.count("user.token").unwrap()),
            (Some(number), 1)
        );
        // The next command uses the new tokens.
        let next = finish(&mut scene.bare(["print-access-token"]), b"");
        assert_ne!(next.line(), session["access_token"].as_str().unwrap());
        assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
    }
}

/// Waits until the command ends, by a signal or not, and checks that the next command uses the
/// token that it saved.
fn wait_until_saved(scene: &Scene, child: &mut Child, session: &Value, signal: Option<i32>) {
    assert_eq!(
        (child.wait().unwrap().signal(), scene.simulator.count("user.token").unwrap()),
        (signal, 1)
    );
    let next = finish(&mut scene.bare(["print-access-token"]), b"");
    assert_ne!(next.line(), session["access_token"].as_str().unwrap());
    assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
}

#[test]
fn i9_09_a_closed_terminal_ends_the_command_after_the_rotated_token_is_saved() {
    let scene = Scene::new();
    let (mut child, session) = refreshing(&scene);
    // Nothing can be written to the terminal from now on.
    drop(child.stderr.take());
    drop(child.stdout.take());
    send(&child, "HUP");
    wait_for_signal(&child, 1);
    scene.simulator.release("gate");
    wait_until_saved(&scene, &mut child, &session, Some(1));
}

#[test]
fn i9_09_a_signal_that_nohup_ignores_stays_ignored() {
    let scene = Scene::new();
    let session = scene.simulator.seed_session(&json!({"age": 4000})).unwrap();
    scene.file(".planet/planet-user/token.json", session.to_string());
    scene.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let command = scene.bare(["print-access-token"]);
    let mut ignoring = Command::new("sh");
    ignoring
        .args(["-c", "trap '' HUP; exec \"$@\"", "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    ignoring.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = start(&mut ignoring);
    assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
    send(&child, "HUP");
    scene.simulator.release("gate");
    wait_until_saved(&scene, &mut child, &session, None);
}

/// Waits until the signal is no longer pending, which means that the command has received it.
fn wait_for_signal(child: &Child, number: u32) {
    let is_pending = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        status
            .lines()
            .filter_map(|line| {
                line.strip_prefix("ShdPnd:").or_else(|| line.strip_prefix("SigPnd:"))
            })
            .any(|mask| u64::from_str_radix(mask.trim(), 16).unwrap() & (1 << (number - 1)) != 0)
    };
    while is_pending() {
        std::thread::yield_now();
    }
}

#[test]
fn a_second_signal_ends_the_command_at_once() {
    let scene = Scene::new();
    let (mut child, _) = refreshing(&scene);
    send(&child, "INT");
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(errors.any(|line| line.contains("Ctrl-C again")));
    send(&child, "INT");
    assert_eq!((child.wait().unwrap().signal(), scene.simulator.held("gate")), (Some(2), 1));
}

#[test]
fn the_command_does_not_wait_for_the_refresh_of_an_m2m_client() {
    let scene = Scene::new();
    scene.simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    let child = start(&mut scene.command(["header", &scene.sentinel_hub("/x")]));
    assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
    send(&child, "INT");
    let (signal, errors) = ended(child);
    assert_eq!((signal, scene.simulator.held("gate")), (Some(2), 1), "{errors}");
    assert!(errors.starts_with("planetkey: CANCELLED: "), "{errors}");
}
