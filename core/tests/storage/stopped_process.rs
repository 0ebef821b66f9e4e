//! A process that is stopped during a refresh: fault 83.

use super::child_process;
use crate::common::*;
use planetkey::{Session, Status};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

/// Starts a process that has begun to refresh, with its request held at the server's gate.
fn refreshing(planet: &Planet) -> Child {
    planet.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let mut holder = Child::spawn(&mut child_process::of_user(planet));
    assert_eq!(holder.hear(), "ready");
    holder.tell("refresh");
    assert!(planet.simulator.wait_held("gate", 1, PATIENCE));
    holder
}

#[test]
fn f083_while_the_holder_is_stopped_valid_tokens_are_served() {
    let planet = Planet::new();
    // The token is due, so each process that reads it also starts a background refresh.
    let seeded = planet.seed(&json!({"age": 3000}));
    let token = seeded["access_token"].as_str().unwrap();
    let mut holder = refreshing(&planet);
    holder.signal(Signal::STOP);
    let session = Session::from_profile(
        "planet-user",
        &planet.options().with(|it| it.timeout = Some(Duration::from_millis(200))),
    )
    .unwrap();
    let mut other = Child::spawn(&mut child_process::of_user(&planet));
    assert_eq!(other.hear(), "ready");
    for _ in 0..20 {
        assert_eq!(ask(&session), token);
        assert_eq!(other.ask("ask"), token);
    }
    assert_eq!(planet.requests(), 1);
    holder.signal(Signal::CONT);
    planet.simulator.release("gate");
    assert_eq!(holder.hear(), "refreshed");
    let refreshed = holder.ask("ask");
    assert_ne!(refreshed, token);
    // The other process has waited for the same lock in the background, and uses the saved token.
    let started = std::time::Instant::now();
    while other.ask("ask") != refreshed {
        assert!(started.elapsed() < PATIENCE, "the other process did not notice the refresh");
    }
    assert_eq!(planet.requests(), 1);
    planet.assert_alive(&seeded, 1);
    holder.end();
    other.end();
}

#[test]
fn f083_while_the_holder_is_stopped_other_processes_time_out_and_name_it() {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    let mut holder = refreshing(&planet);
    holder.signal(Signal::STOP);
    let session = Session::from_profile(
        "planet-user",
        &planet.options().with(|it| it.timeout = Some(Duration::from_millis(50))),
    )
    .unwrap();
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
    let named = format!("process {}", holder.id());
    assert!(error.message().contains(&named), "{error}");
    let mut other =
        Child::spawn(&mut child_process::impatient(child_process::of_user(&planet), 50));
    assert_eq!(other.hear(), "ready");
    let answer = other.ask("ask");
    assert!(answer.starts_with("TIMEOUT") && answer.contains(&named), "{answer}");
    assert_eq!(
        planet.requests(),
        1,
        "the token that may have been used up is not sent by anybody else"
    );
    // The stopped process continues and saves its token.
    holder.signal(Signal::CONT);
    planet.simulator.release("gate");
    assert_eq!(holder.hear(), "refreshed");
    let refreshed = holder.ask("ask");
    assert_eq!(ask(&planet.session()), refreshed);
    // A session that failed reads the file again after a second of its own clock, which does not
    // advance here. So a new session reads it.
    let later = Session::from_profile("planet-user", &planet.options()).unwrap();
    assert_eq!(ask(&later), refreshed);
    assert_eq!(planet.requests(), 1);
    planet.assert_alive(&seeded, 1);
    holder.end();
    other.end();
}

/// Sessions that failed recover by themselves when the holder of the lock has continued.
#[test]
fn f083_a_process_that_timed_out_is_served_afterwards() {
    let planet = Planet::new();
    planet.seed_expired();
    let mut holder = refreshing(&planet);
    holder.signal(Signal::STOP);
    let (clock, mut options) =
        (std::sync::Arc::new(planetkey::clock::ManualClock::new(now())), planet.options());
    options.runtime.clock = clock.clone();
    options.timeout = Some(std::time::Duration::from_millis(50));
    let session = Session::from_profile("planet-user", &options).unwrap();
    assert_eq!(session.access_token().unwrap_err().status(), Status::Timeout);
    eventually(|| session.access_token().unwrap_err().message().contains("token.json.lock"));
    holder.signal(Signal::CONT);
    planet.simulator.release("gate");
    assert_eq!(holder.hear(), "refreshed");
    clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(
        ask_patiently(&session),
        holder.ask("ask"),
        "by one read of the file, although the next refresh would have to wait"
    );
    assert_eq!(planet.requests(), 1);
    holder.end();
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
