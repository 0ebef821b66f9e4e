//! A process that ends in the middle of a write: faults 69 and 116.

use super::child_process;
use crate::common::*;
use serde_json::Value;
use std::time::{Duration, SystemTime};

/// The lock, then six steps for each of the two files.
const STEPS_OF_A_RENEWAL: usize = 13;
const ALL: [&str; 3] = ["token.json", "token.json.lock", "token.planetkey.json"];

/// Ends a process this many times, at every step in turn, and checks the files that it left.
fn ends(rounds: usize, how: &str) {
    let home = Home::new();
    home.seed(&serde_json::json!({}));
    for round in 0..rounds {
        let before = home.refresh_token();
        // In its first refresh or its second.
        let step = round % (2 * STEPS_OF_A_RENEWAL) + 1;
        let status = child_process::ending_at(&home, round, step, how)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        match how {
            "kill" => assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(9),
                "{status}"
            ),
            _ => assert!(status.success(), "{status}"),
        }
        let tokens = home.tokens();
        let (access_token, refresh_token) =
            (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
        // The file is the old one, or the complete new one.
        let is_new = (1..=2).any(|number| refresh_token == format!("r-{round}-{number}"));
        assert!(
            refresh_token == before || is_new,
            "{before} became {refresh_token} at step {step}"
        );
        if is_new {
            assert_eq!(tokens["padding"].as_str().map(str::len), Some(10_000));
            assert_eq!(
                access_token.replacen('a', "r", 1),
                refresh_token,
                "both of the same answer"
            );
        }
        if home.failure_record_file().exists() {
            assert!(
                matches!(home.failure_record()["dead"], Value::Array(_)),
                "{}",
                home.failure_record()
            );
        }
        // The session works with the files that remain.
        let session = home.user();
        assert_eq!(ask(&session), access_token, "round {round}, step {step}");
        for name in home.listing() {
            let is_temporary = name.starts_with(".token.") && name.ends_with(".tmp");
            assert!(is_temporary || ALL.contains(&name.as_str()), "{name}");
        }
    }
    assert_eq!(home.fake.count(), 0);
    // Temporary files that the processes left are deleted when they are old.
    let hours_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    let left = home.listing().into_iter().filter(|name| name.ends_with(".tmp"));
    let left = left
        .inspect(|name| {
            std::fs::File::open(home.file(name)).unwrap().set_modified(hours_ago).unwrap()
        })
        .count();
    assert!(
        how == "exit" || left > rounds / 3,
        "{left} temporary files: this test kills where it says"
    );
    home.user().refresh().unwrap();
    assert_eq!(home.listing(), ALL);
}

/// Kills a thousand processes, spread over all steps.
#[test]
fn f069_kill_9_at_every_step_leaves_the_old_file_or_the_new_one() {
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| ends(250, "kill"));
        }
    });
}

/// Ends the process as a SIGTERM handler does that calls `exit` during the write of a refresh.
#[test]
fn f116_exit_at_every_step_leaves_the_old_file_or_the_new_one() {
    ends(2 * STEPS_OF_A_RENEWAL, "exit");
}
