//! A process that is stopped while it renews: fault 83.

use super::child;
use crate::common::*;
use planetkey::{Session, Status};
use rustix::process::Signal;
use serde_json::json;
use std::time::Duration;

/// A process that has begun to renew, with its request held at the server's gate.
fn renewing(planet: &Planet) -> Child {
    planet.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let mut holder = Child::spawn(&mut child::user(planet));
    assert_eq!(holder.hear(), "ready");
    holder.tell("refresh");
    assert!(planet.simulator.wait_held("gate", 1, PATIENCE));
    holder
}

#[test]
fn f083_while_the_holder_is_stopped_valid_tokens_are_served() {
    let planet = Planet::new();
    // Due already: whoever reads it sets out to renew as well, beside its callers.
    let seeded = planet.seed(&json!({"age": 3000}));
    let token = seeded["access_token"].as_str().unwrap();
    let mut holder = renewing(&planet);
    holder.signal(Signal::STOP);
    let session =
        Session::from_profile("planet-user", &planet.options().with(|it| it.timeout = Some(Duration::from_millis(200)))).unwrap();
    let mut other = Child::spawn(&mut child::user(&planet));
    assert_eq!(other.hear(), "ready");
    for _ in 0..20 {
        assert_eq!(ask(&session), token);
        assert_eq!(other.ask("ask"), token);
    }
    assert_eq!(planet.requests(), 1);
    holder.signal(Signal::CONT);
    planet.simulator.release("gate");
    assert_eq!(holder.hear(), "refreshed");
    let renewed = holder.ask("ask");
    assert_ne!(renewed, token);
    // The other, which has been waiting for the same lock in the background, takes what is there.
    let started = std::time::Instant::now();
    while other.ask("ask") != renewed {
        assert!(started.elapsed() < PATIENCE, "the other never learnt of the renewal");
    }
    assert_eq!(planet.requests(), 1);
    planet.assert_alive(&seeded, 1);
    holder.end();
    other.end();
}

#[test]
fn f083_while_the_holder_is_stopped_others_time_out_and_name_it() {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    let mut holder = renewing(&planet);
    holder.signal(Signal::STOP);
    let session =
        Session::from_profile("planet-user", &planet.options().with(|it| it.timeout = Some(Duration::from_millis(50)))).unwrap();
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
    let named = format!("process {}", holder.id());
    assert!(error.message().contains(&named), "{error}");
    let mut other = Child::spawn(&mut child::hasty(child::user(&planet), 50));
    assert_eq!(other.hear(), "ready");
    let answer = other.ask("ask");
    assert!(answer.starts_with("TIMEOUT") && answer.contains(&named), "{answer}");
    assert_eq!(planet.requests(), 1, "the token that may have been used up is not sent by anybody else");
    // It goes on where it was stopped, and all is well.
    holder.signal(Signal::CONT);
    planet.simulator.release("gate");
    assert_eq!(holder.hear(), "refreshed");
    let renewed = holder.ask("ask");
    assert_eq!(ask(&planet.session()), renewed);
    // What is on disk is looked at again within a second of the clock that those who were turned away go by.
    let later = Session::from_profile("planet-user", &planet.options()).unwrap();
    assert_eq!(ask(&later), renewed);
    assert_eq!(planet.requests(), 1);
    planet.assert_alive(&seeded, 1);
    holder.end();
    other.end();
}

/// Those who were turned away come back by themselves when the holder has gone on.
#[test]
fn f083_whoever_was_turned_away_is_served_afterwards() {
    let planet = Planet::new();
    planet.seed_expired();
    let mut holder = renewing(&planet);
    holder.signal(Signal::STOP);
    let (clock, mut options) = (std::sync::Arc::new(planetkey::clock::ManualClock::new(now())), planet.options());
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
        "by one look at the file, although the next renewal would have to wait"
    );
    assert_eq!(planet.requests(), 1);
    holder.end();
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
