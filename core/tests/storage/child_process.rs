//! The roles that the test binary plays when it is started again as another process.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::profile::HOME_VARIABLE;
use planetkey::storage::{Disk, Step};
use planetkey::{Options, Result, Session};
use serde_json::json;
use std::io;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PLAYER: &str = "storage::child_process::child_process";
const PROFILE: &str = "PLANETKEY_TEST_PROFILE";
const TIMEOUT_MS: &str = "PLANETKEY_TEST_TIMEOUT_MS";
const STEP: &str = "PLANETKEY_TEST_STEP";
const ROUND: &str = "PLANETKEY_TEST_ROUND";

/// Returns a process that opens the session of `planet-user` in this home and obeys commands: ask,
/// refresh, logout, notes.
pub fn of_user(planet: &Planet) -> Command {
    session(planet, "planet-user")
}

/// Returns the same process with the simulator's M2M client.
pub fn of_m2m(planet: &Planet) -> Command {
    let settings = planet.simulator.settings();
    let mut command = session(planet, "");
    command
        .env("PL_AUTH_CLIENT_ID", &settings.client_id)
        .env("PL_AUTH_CLIENT_SECRET", &settings.client_secret);
    command
}

fn session(planet: &Planet, profile: &str) -> Command {
    let mut command = child(PLAYER, "session");
    command
        .env(PROFILE, profile)
        .env(HOME_VARIABLE, planet.home())
        .env("PLANETKEY_DEPLOYMENT", planet.simulator.deployment_path());
    for name in planetkey_simulator::Simulator::removed_environment() {
        command.env_remove(name);
    }
    command
}

pub fn impatient(mut command: Command, timeout_ms: u64) -> Command {
    command.env(TIMEOUT_MS, timeout_ms.to_string());
    command
}

/// Returns a process that repeatedly refreshes the session of [`Home`] and ends at the n-th step of
/// the disk: by a signal, or as by `exit`.
pub fn ending_at(home: &Home, round: usize, step: usize, how: &str) -> Command {
    let mut command = child(PLAYER, how);
    command
        .env(HOME_VARIABLE, home.path())
        .env(ROUND, round.to_string())
        .env(STEP, step.to_string());
    command
}

/// Returns a process that plays another role in this home.
pub fn playing(role: &str, home: &Home) -> Command {
    let mut command = child(PLAYER, role);
    command.env(HOME_VARIABLE, home.path());
    command
}

fn number(name: &str) -> Option<usize> {
    std::env::var(name).ok().map(|number| number.parse().unwrap())
}

#[test]
fn child_process() {
    match role().as_deref() {
        None => {}
        Some("session") => obey(&open()),
        Some(how @ ("kill" | "exit")) => end_at_step(how),
        Some("sessions") => hold_many_sessions(),
        Some("settle") => settle(),
        Some("small stack") => small_stack(),
        Some(role) => panic!("{role}"),
    }
}

fn open() -> Session {
    let timeout_ms = number(TIMEOUT_MS).map(|number| u64::try_from(number).unwrap());
    let options = Options::default().with(|it| {
        it.allow_insecure_loopback = Some(true);
        it.timeout = (timeout_ms).map(Duration::from_millis);
    });
    match std::env::var(PROFILE).unwrap().as_str() {
        "" => Session::from_defaults(&options).unwrap(),
        profile => Session::from_profile(profile, &options).unwrap(),
    }
}

fn obey(session: &Session) {
    tell("ready");
    while let Some(order) = hear() {
        let answer = |result: Result<String>| {
            tell(&result.unwrap_or_else(|error| {
                format!(
                    "{} {}: {}",
                    error.status(),
                    error.reason().map_or("-", planetkey::Reason::name),
                    error.message()
                )
            }));
        };
        match order.as_str() {
            "ask" => answer(session.access_token().map(|token| token.to_string())),
            "refresh" => answer(session.refresh().map(|()| "refreshed".to_owned())),
            "logout" => {
                answer(session.logout(planetkey::Revoke::No).map(|out| out.removed.to_string()))
            }
            "notes" => tell(&session.status().notes().join("; ")),
            order => panic!("{order}"),
        }
    }
    assert!(planetkey::session::settle(std::time::Duration::from_millis(5_000)));
}

/// Ends the process before the n-th disk step, counted over all refreshes.
struct Ending {
    left: AtomicUsize,
    how: String,
}

impl Disk for Ending {
    fn before(&self, _: Step) -> io::Result<()> {
        if self.left.fetch_sub(1, Ordering::Relaxed) > 1 {
            return Ok(());
        }
        if self.how == "exit" {
            std::process::exit(0);
        }
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)
            .unwrap();
        loop {
            std::thread::park();
        }
    }
}

/// Returns options for a process in the home that the parent process created.
fn options_of_parent(home: &Home) -> Options {
    let mut options = home.options_with(&home.fake, &Arc::new(ManualClock::new(NOW)));
    options.storage_root = Some(std::env::var(HOME_VARIABLE).unwrap().into());
    options
}

fn end_at_step(how: &str) {
    let home = Home::new();
    let round = number(ROUND).unwrap();
    home.fake.always(move |number| {
        let names = json!({"access_token": format!("a-{round}-{number}"), "refresh_token": format!("r-{round}-{number}")});
        let mut members = names;
        members["expires_in"] = json!(3600);
        // Longer than a block, so that a partial write would be detected.
        members["padding"] = json!("x".repeat(10_000));
        Ok(token(&members))
    });
    let mut options = options_of_parent(&home);
    options.runtime.disk = Some(Arc::new(Ending {
        left: AtomicUsize::new(number(STEP).unwrap()),
        how: how.to_owned(),
    }));
    let session = user(&options);
    loop {
        session.refresh().unwrap();
    }
}

/// Returns the resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn hold_many_sessions() {
    const HANDLES: usize = 100_000;
    // Opening one session is slow without optimisation.
    const SESSIONS: usize = if cfg!(debug_assertions) { 5_000 } else { 100_000 };
    let home = Home::new();
    let options = home.options();
    let first = user(&options);
    let before = resident();
    let handles: Vec<Session> = (0..HANDLES).map(|_| first.clone()).collect();
    tell(&((resident() - before) / HANDLES).to_string());
    drop(handles);
    let before = resident();
    let sessions: Vec<Session> = (0..SESSIONS).map(|_| user(&options)).collect();
    tell(&((resident() - before) / SESSIONS).to_string());
    tell(&std::fs::read_dir("/proc/self/task").unwrap().count().to_string());
    tell(&std::fs::read_dir("/proc/self/fd").unwrap().count().to_string());
    drop(sessions);
    // Freed memory is used again.
    let before = resident();
    for _ in 0..SESSIONS {
        drop(user(&options));
    }
    tell(&(resident().saturating_sub(before) / SESSIONS).to_string());
}

/// Tests that the end of a process waits for a refresh whose new refresh token must be saved.
fn settle() {
    let home = Home::new();
    let session = user(&options_of_parent(&home));
    assert!(planetkey::session::settle(std::time::Duration::ZERO), "no refresh is in progress");
    home.fake.close();
    let impatient = session.with_timeout(std::time::Duration::from_millis(20));
    assert_eq!(impatient.refresh().unwrap_err().status(), planetkey::Status::Timeout);
    home.fake.wait_held(1);
    assert!(
        !planetkey::session::settle(std::time::Duration::from_millis(20)),
        "a refresh is in progress"
    );
    let fake = home.fake.clone();
    let opener = std::thread::spawn(move || fake.open());
    assert!(planetkey::session::settle(std::time::Duration::from_millis(60_000)));
    opener.join().unwrap();
    tell("settled");
}

/// Reads the deepest document that is accepted, on a thread with a very small stack.
fn small_stack() {
    let home = Home::new();
    let options = options_of_parent(&home);
    let reader = std::thread::Builder::new().stack_size(64 * 1024).spawn(move || {
        let session = user(&options);
        let token = session
            .access_token()
            .map_or_else(|error| error.to_string(), |token| token.to_string());
        repeats(&session, "other", 401, Some(&"Bearer a=\"".repeat(10_000)));
        let refreshed = session.refresh();
        assert!(refreshed.is_ok() || token.contains("LOGIN_REQUIRED"), "{refreshed:?}");
        token
    });
    tell(&reader.unwrap().join().unwrap());
}
