//! The flight under every schedule that the explorer finds: `cargo test -p planetkey --features shuttle --lib`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::flight::{Blocked, Flight, Purpose, State, Wait};
use crate::error::{Error, Result, Status};
use crate::storage::Failure;
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;
use std::sync::Arc;
use std::time::Duration;

const ITERATIONS: usize = 2_000;
const WAIT: Wait<'static> = Wait { timeout: Duration::from_secs(3600), interrupt: None };

/// A session reduced to what the flight needs: the current token, which of them are rejected, how many flights there were.
struct Session {
    flight: Arc<Flight<u32>>,
    token: Mutex<Option<u32>>,
    rejected: Mutex<Vec<u32>>,
    flights: AtomicU32,
    outcome: fn(u32) -> Result<u32>,
}

impl Session {
    fn new(outcome: fn(u32) -> Result<u32>) -> Arc<Self> {
        Arc::new(Session {
            flight: Arc::new(Flight::new()),
            token: Mutex::new(None),
            rejected: Mutex::new(Vec::new()),
            flights: AtomicU32::new(0),
            outcome,
        })
    }

    fn flights(&self) -> u32 {
        self.flights.load(Ordering::SeqCst)
    }

    fn is_rejected(&self, token: u32) -> bool {
        self.rejected.lock().unwrap().contains(&token)
    }

    /// As a renewal does it: on a thread of its own, landed by a guard also when it panics.
    fn take_off(self: &Arc<Self>, state: &mut State<u32>) -> Result<()> {
        state.check_blocked(0, Purpose { asked: false, needs_token: false, timeout_ms: 0 })?;
        let number = state.take_off();
        let this = self.clone();
        thread::spawn(move || {
            struct Landing(Arc<Session>, u64, Option<Result<u32>>);
            impl Drop for Landing {
                fn drop(&mut self) {
                    let result = self.2.take().unwrap_or_else(|| Err(Error::new(Status::Internal, "ended early")));
                    let mut state = self.0.flight.lock();
                    if let Err(error) = &result {
                        let failure = Failure { error: error.clone(), lets_callers_pass: false, timeout_ms: None };
                        state.blocked = Some(Blocked { until_ms: None, failure });
                    }
                    self.0.flight.land(state, self.1, result, false);
                }
            }
            let mut landing = Landing(this.clone(), number, None);
            let flight = this.flights.fetch_add(1, Ordering::SeqCst) + 1;
            let result = (this.outcome)(flight);
            if let Ok(token) = result {
                *this.token.lock().unwrap() = Some(token);
            }
            if flight != 99 {
                landing.2 = Some(result);
            }
        });
        Ok(())
    }

    fn current(self: &Arc<Self>) -> Result<u32> {
        let ready = || self.token.lock().unwrap().filter(|token| !self.is_rejected(*token));
        if let Some(token) = ready() {
            return Ok(token);
        }
        self.flight
            .join(WAIT, ready, |token| self.is_rejected(*token), |state, _| self.take_off(state))
            .map(|(token, _)| token)
            .map_err(|missed| missed.error)
    }
}

fn callers(session: &Arc<Session>, number: usize) -> Vec<Result<u32>> {
    let threads: Vec<_> = (0..number)
        .map(|_| {
            let session = session.clone();
            thread::spawn(move || session.current())
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, ITERATIONS);
    shuttle::check_pct(scenario, ITERATIONS, 3);
}

#[test]
fn one_flight_serves_everybody() {
    explore(|| {
        let session = Session::new(Ok);
        assert!(callers(&session, 4).iter().all(|token| matches!(token, Ok(1))));
        assert_eq!(session.flights(), 1);
    });
}

#[test]
fn one_failure_is_shared() {
    explore(|| {
        let session = Session::new(|_| Err(Error::new(Status::Misconfigured, "refused")));
        let failed = |token: &Result<u32>| token.as_ref().is_err_and(|error| error.status() == Status::Misconfigured);
        assert!(callers(&session, 4).iter().all(failed));
        assert_eq!(session.flights(), 1);
    });
}

#[test]
fn a_token_rejected_while_callers_wake_is_followed_by_one_more_flight() {
    explore(|| {
        let session = Session::new(Ok);
        let rejecter = {
            let session = session.clone();
            thread::spawn(move || {
                let token = session.current().unwrap();
                let mut rejected = session.rejected.lock().unwrap();
                if token == 1 && !rejected.contains(&1) {
                    rejected.push(1);
                }
            })
        };
        let tokens = callers(&session, 3);
        rejecter.join().unwrap();
        assert!(tokens.iter().all(|token| matches!(token, Ok(1 | 2))));
        assert_eq!(session.current().unwrap(), 2);
        assert_eq!(session.flights(), 2);
    });
}

#[test]
fn a_flight_that_ends_early_leaves_nobody_waiting() {
    explore(|| {
        let session = Session::new(Ok);
        session.flights.store(98, Ordering::SeqCst);
        for token in callers(&session, 4) {
            // Whoever looked after the token was published and before the flight ended has it.
            assert!(token.is_ok_and(|token| token == 99) || session.flights() == 99);
        }
        assert!(!session.flight.lock().flying);
    });
}

#[test]
fn a_background_renewal_and_callers_share_one_flight() {
    explore(|| {
        let session = Session::new(Ok);
        let background = {
            let session = session.clone();
            thread::spawn(move || {
                if let Some(mut state) = session.flight.try_lock()
                    && !state.flying
                    && session.token.lock().unwrap().is_none()
                {
                    session.take_off(&mut state).unwrap();
                }
            })
        };
        let tokens = callers(&session, 3);
        background.join().unwrap();
        assert!(tokens.iter().all(|token| matches!(token, Ok(1))));
        assert_eq!(session.flights(), 1);
    });
}

#[test]
fn nobody_renews_while_the_session_is_being_logged_out() {
    explore(|| {
        let session = Session::new(Ok);
        let leaving = {
            let session = session.clone();
            thread::spawn(move || {
                let grounded = session.flight.ground(WAIT).unwrap();
                let before = session.flights();
                *session.token.lock().unwrap() = None;
                thread::yield_now();
                assert_eq!(session.flights(), before);
                assert!(session.token.lock().unwrap().is_none());
                drop(grounded);
            })
        };
        let tokens = callers(&session, 3);
        leaving.join().unwrap();
        assert!(tokens.iter().all(|token| matches!(token, Ok(1 | 2))));
        assert!(session.flights() <= 2);
        assert!(!session.flight.lock().flying);
    });
}
