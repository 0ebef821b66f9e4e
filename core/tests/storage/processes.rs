//! Other processes and threads with the same session: faults 93 to 95, 117 and 118.

use super::child_process;
use crate::common::*;
use planetkey::Session;
use serde_json::json;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// If a busy computer stops a writer for this long, the incomplete file may count as damaged.
const TOO_LONG: Duration = Duration::from_millis(200);

/// Lets all processes ask for the token at the same time, and asserts that all get the same one.
fn all_ask(mut processes: Vec<Child>) -> (Vec<Child>, String) {
    for process in &mut processes {
        process.tell("ask");
    }
    let answers: Vec<String> = processes.iter().map(Child::hear).collect();
    assert!(
        !answers[0].contains(' ') && answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
    let token = answers[0].clone();
    (processes, token)
}

fn started(number: usize, command: impl Fn() -> Command) -> Vec<Child> {
    let processes: Vec<Child> = (0..number).map(|_| Child::spawn(&mut command())).collect();
    for process in &processes {
        assert_eq!(process.hear(), "ready");
    }
    processes
}

#[test]
fn f093_processes_at_expiry_send_a_rotating_token_once() {
    for number in [8, 16] {
        let planet = Planet::new();
        let seeded = planet.seed_expired();
        // The server is slow, so that all processes want to refresh during one refresh.
        planet
            .simulator
            .script("user.token", &json!({"steps": [{"delay_ms": 50}], "repeat": true}))
            .unwrap();
        let processes = started(number, || child_process::of_user(&planet));
        let (processes, first) = all_ask(processes);
        assert_eq!(planet.requests(), 1, "{number} processes");
        planet.assert_alive(&seeded, 1);
        // An API has refused the token in all processes at once. The processes hold the old token
        // and again make one request.
        let mut session = planet.tokens();
        session["expires_in"] = json!(3600);
        for round in 2..=5 {
            // The next expiry: the file says that the token has expired, and each process reads it
            // at most once a second.
            let over = expired_copy(&planet);
            planet.write(&over);
            let later = started(number / 2, || child_process::of_user(&planet));
            let (later, token) = all_ask(later);
            assert_ne!(token, first);
            later.into_iter().for_each(Child::end);
            assert_eq!(planet.requests(), round, "{number} processes");
            planet.assert_alive(&seeded, round);
        }
        processes.into_iter().for_each(Child::end);
    }
}

/// Returns the saved session with an expired access token.
fn expired_copy(planet: &Planet) -> serde_json::Value {
    let mut tokens = planet.tokens();
    tokens["access_token"] = json!("opaque-and-expired");
    tokens["_iat"] = json!(NOW - 1_000_000_000);
    tokens["_exp"] = json!(NOW - 999_996_400);
    tokens
}

#[test]
fn f093_processes_of_an_m2m_client_send_one_request() {
    for number in [8, 16] {
        let planet = Planet::new();
        planet
            .simulator
            .script("m2m.token", &json!({"steps": [{"delay_ms": 50}], "repeat": true}))
            .unwrap();
        let (processes, _) = all_ask(started(number, || child_process::of_m2m(&planet)));
        assert_eq!(planet.simulator.count("m2m.token").unwrap(), 1, "{number} processes");
        processes.into_iter().for_each(Child::end);
    }
}

/// Threads of several sessions, which share nothing but the file.
#[test]
fn f093_threads_of_several_sessions_send_one_request() {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    let sessions: Vec<Session> = (0..8).map(|_| planet.session()).collect();
    planet.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let waiting = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..64)
            .map(|number| {
                let (session, waiting) = (&sessions[number % 8], &waiting);
                scope.spawn(move || {
                    waiting.fetch_add(1, Ordering::Relaxed);
                    session.access_token().unwrap().to_string()
                })
            })
            .collect();
        eventually(|| waiting.load(Ordering::Relaxed) == 64);
        assert!(planet.simulator.wait_held("gate", 1, PATIENCE));
        planet.simulator.release("gate");
        let tokens: Vec<String> =
            threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0]));
    });
    assert_eq!(planet.requests(), 1);
    planet.assert_alive(&seeded, 1);
}

#[test]
fn f094_a_rotation_by_another_process_is_adopted_without_a_request() {
    let planet = Planet::new();
    let seeded = planet.seed(&json!({}));
    let (mut options, clock) =
        (planet.options(), Arc::new(planetkey::clock::ManualClock::new(now())));
    options.runtime.clock = clock.clone();
    let ours = Session::from_profile("planet-user", &options).unwrap();
    assert_eq!(ask(&ours), seeded["access_token"].as_str().unwrap());
    let mut theirs = Child::spawn(&mut child_process::of_user(&planet));
    assert_eq!(theirs.hear(), "ready");
    for rotations in 1..=3 {
        assert_eq!(theirs.ask("refresh"), "refreshed");
        let refreshed = theirs.ask("ask");
        // The session notices the rotation when it next checks the file, or during the refresh if
        // it did not check before.
        match rotations {
            1 | 3 => clock.advance(std::time::Duration::from_secs(1)),
            _ => {
                let old = ask(&ours);
                assert!(ours.invalidate(&old).unwrap());
            }
        }
        assert_eq!(ask(&ours), refreshed);
        assert_eq!(planet.requests(), rotations);
        planet.assert_alive(&seeded, rotations);
    }
    theirs.end();
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Sets the flag on drop.
struct Raised<'a>(&'a AtomicBool);

impl Drop for Raised<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A program that writes as Planet's SDK does: truncates, is interrupted, writes in place, without
/// a pause and without a lock.
///
/// A file that stays incomplete for a quarter of a second counts as damaged. If a busy computer
/// stops the writer for that long, the run proves nothing and is repeated.
#[test]
fn f095_a_program_that_rewrites_the_file_without_pause_causes_no_error() {
    while rewrite_without_pause() >= TOO_LONG {}
}

/// One run. Returns the longest time for which the file was incomplete. An error fails the test,
/// unless this time was too long.
fn rewrite_without_pause() -> Duration {
    let home = Home::new();
    home.seed(&json!({}));
    let stop = AtomicBool::new(false);
    let rewrites = AtomicUsize::new(0);
    let (errors, incomplete) = std::thread::scope(|scope| {
        let (file, stop, rewrites) = (home.token_file(), &stop, &rewrites);
        let writer = scope.spawn(move || {
            use std::io::Write;
            let mut longest = Duration::ZERO;
            for number in 0.. {
                let members =
                    seeded(&json!({"access_token": format!("theirs-{number}"), "refresh_token": format!("their-{number}")}));
                let bytes = sdk_bytes(&members);
                let since = Instant::now();
                let mut writer = std::fs::File::create(&file).unwrap();
                // The file is empty for a while, then half written, as on a slow disk.
                std::thread::yield_now();
                writer.write_all(&bytes[..bytes.len() / 2]).unwrap();
                std::thread::yield_now();
                writer.write_all(&bytes[bytes.len() / 2..]).unwrap();
                drop(writer);
                longest = longest.max(since.elapsed());
                // The file is whole for as long as it is incomplete. On a busy computer the writer
                // loses the processor at these calls: without this one it would always be
                // incomplete meanwhile.
                std::thread::yield_now();
                rewrites.fetch_add(1, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
            longest
        });
        let errors = {
            // The writer stops, also if this panics.
            let _end = Raised(stop);
            read_while_rewritten(&home, || {
                rewrites.load(Ordering::Relaxed) > 100 || writer.is_finished()
            })
        };
        (errors, writer.join().unwrap())
    });
    if incomplete < TOO_LONG {
        assert_eq!(errors, Vec::<String>::new());
        let listing = home.listing();
        assert!(!listing.iter().any(|name| name.contains("corrupt")), "{listing:?}");
        // The last write counts.
        home.advance(1);
        assert_eq!(ask(&home.user()), home.tokens()["access_token"].as_str().unwrap());
    }
    incomplete
}

/// The errors of a session opened before, of those opened now, and of refreshes in between: 300
/// rounds, and as many more as the writer needs for 100 files on a busy computer.
fn read_while_rewritten(home: &Home, has_enough: impl Fn() -> bool) -> Vec<String> {
    let mut errors = Vec::new();
    let old = home.user();
    for round in 0.. {
        if round >= 300 && has_enough() {
            break;
        }
        for session in [&old, &home.user()] {
            if let Err(error) = session.access_token() {
                errors.push(format!("{round}: {error}"));
            }
        }
        if round % 10 == 0
            && let Err(error) = old.refresh()
        {
            errors.push(format!("{round}: {error}"));
        }
        // All of this is within the lifetime of a token.
        if round < 300 {
            home.advance(1);
        }
    }
    errors
}

/// The file stays empty for as long as a refresh takes. The refresh waits for the writer and uses
/// what it wrote.
#[test]
fn f095_a_file_that_is_empty_for_a_moment_is_reread() {
    let home = Home::new();
    home.seed(&json!({}));
    let whole = std::fs::read(home.token_file()).unwrap();
    let writer = std::fs::File::create(home.token_file()).unwrap();
    let session = home.user();
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| ask(&session));
        // The reader has found the empty file, and holds the lock.
        let lock = home.file("token.json.lock");
        eventually(|| std::fs::read_to_string(&lock).is_ok_and(|note| note.contains("pid")));
        use std::io::Write;
        (&writer).write_all(&whole).unwrap();
        assert_eq!(asked.join().unwrap(), SEEDED);
    });
    assert_eq!(home.fake.count(), 0);
}

/// Threads of 64 KiB, as some servers have, read the deepest documents that are accepted. Without
/// optimisation the limit is lower.
#[test]
fn f117_small_stacks_are_enough() {
    let home = Home::new();
    let depths: &[usize] = if cfg!(debug_assertions) { &[1, 20] } else { &[20, 126, 127, 500] };
    for &depth in depths {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let mut text = serde_json::to_string(&seeded(&json!({}))).unwrap();
        text.insert_str(1, &format!("\"deep\": {deep}, "));
        home.seed(&json!({}));
        std::fs::write(home.token_file(), &text).unwrap();
        let process = Child::spawn(&mut child_process::playing("small stack", &home));
        let answer = process.hear();
        if depth < 127 {
            assert_eq!(answer, SEEDED, "{depth}");
        } else {
            assert!(
                answer.contains("LOGIN_REQUIRED") && answer.contains("damaged"),
                "{depth}: {answer}"
            );
        }
        process.end();
        let _ = std::fs::remove_file(home.token_file());
    }
}

/// Prepares the test binary so that every user can run it, and a home that belongs to another user.
fn nobodys(command: Command, directory: &Path) -> Command {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.join("program");
    std::fs::copy(command.get_program(), &program).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut other = Command::new(program);
    other.args(command.get_args()).uid(65_534).gid(65_534);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    other
}

fn give(path: &Path, owner: u32) {
    for entry in std::fs::read_dir(path).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            give(&entry, owner);
        }
        chown(&entry, Some(owner), Some(owner)).unwrap();
    }
    chown(path, Some(owner), Some(owner)).unwrap();
}

/// The owner of the files changes while a process runs. That is equivalent to a process that
/// changes its user.
#[test]
fn f118_lost_permissions_are_a_typed_error() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let planet = Planet::new();
    let seeded = planet.seed(&json!({}));
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(planet.simulator.deployment_path(), directory.path().join("deployment.json"))
        .unwrap();
    let mut command = nobodys(child_process::of_user(&planet), directory.path());
    command.env("PLANETKEY_DEPLOYMENT", directory.path().join("deployment.json"));
    give(planet.home(), 65_534);
    let mut process = Child::spawn(&mut command);
    assert_eq!(process.hear(), "ready");
    assert_eq!(process.ask("ask"), seeded["access_token"].as_str().unwrap());
    // The files cannot be written any more: the session lives in memory, and its status says so.
    let profile = planet.home().join(".planet/planet-user");
    chown(&profile, Some(0), Some(0)).unwrap();
    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o755)).unwrap();
    // Without this, the file could still be rewritten in place.
    chown(planet.token_file(), Some(0), Some(0)).unwrap();
    std::fs::set_permissions(planet.token_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(process.ask("refresh"), "refreshed");
    let notes = process.ask("notes");
    assert!(
        notes.contains("lives in this process only") && notes.contains("owner and permissions"),
        "{notes}"
    );
    let answer = process.ask("logout");
    assert!(
        answer.starts_with("STORAGE no_access: ") && answer.contains("owner and permissions"),
        "{answer}"
    );
    // The files cannot be read any more: the error of a process that starts now says what to check.
    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o700)).unwrap();
    let mut later = Child::spawn(&mut command);
    assert_eq!(later.hear(), "ready");
    let answer = later.ask("ask");
    assert!(
        answer.starts_with("STORAGE no_access: ") && answer.contains("owner and permissions"),
        "{answer}"
    );
    // A readable file of another user is another user's session.
    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o755)).unwrap();
    chown(planet.token_file(), Some(1), Some(1)).unwrap();
    std::fs::set_permissions(planet.token_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let answer = later.ask("ask");
    assert!(answer.starts_with("STORAGE"), "{answer}");
    let mut last = Child::spawn(&mut command);
    assert_eq!(last.hear(), "ready");
    let answer = last.ask("ask");
    assert!(
        answer.starts_with("STORAGE -: ") && answer.contains("belongs to another user"),
        "{answer}"
    );
    for process in [process, later, last] {
        process.end();
    }
}
