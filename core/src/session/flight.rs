//! One renewal in flight per session, its success or failure shared by everybody who waits.
//!
//! What is renewed, and when, is not decided here: this is the meeting place.

use super::sync::{Condvar, Mutex, MutexGuard};
use crate::error::{Error, Result, Status};
use crate::storage::Failure;
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often a waiting caller is asked whether it still wants to wait.
pub(crate) const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// How long one caller waits, and how it changes its mind.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(crate) timeout: Duration,
    pub(crate) interrupt: Option<&'a (dyn Fn() -> bool + Send + Sync)>,
}

/// Why the next flight must wait.
#[derive(Clone)]
pub(crate) struct Blocked {
    /// On the monotonic clock; nothing means until somebody changes something.
    pub(crate) until_ms: Option<u64>,
    pub(crate) failure: Failure,
}

/// What a flight is wanted for.
#[derive(Clone, Copy)]
pub(crate) struct Purpose {
    /// Somebody wants it by name and may have changed something.
    pub(crate) asked: bool,
    /// Somebody waits who has no valid token.
    pub(crate) needs_token: bool,
    /// How long the server is waited for.
    pub(crate) timeout_ms: u64,
}

/// A caller that got nothing.
pub(crate) struct Missed {
    pub(crate) error: Error,
    /// It was the flight of somebody else, with less time than this caller has: one of its own may do better.
    pub(crate) may_try_again: bool,
}

impl From<Error> for Missed {
    fn from(error: Error) -> Self {
        Missed { error, may_try_again: false }
    }
}

/// What has landed.
struct Landed<T> {
    number: u64,
    result: Result<T>,
    /// Its failure says little to a caller without a valid token.
    lets_callers_pass: bool,
}

/// What the meeting place knows.
pub(crate) struct State<T> {
    pub(crate) flying: bool,
    /// Something else is done in place of a flight; it counts as flying and brings nothing.
    grounded: bool,
    /// The number of the flight that is in the air, or was last.
    number: u64,
    landed: Option<Landed<T>>,
    pub(crate) failures: u32,
    pub(crate) blocked: Option<Blocked>,
}

impl<T> State<T> {
    /// Whether an earlier failure forbids a flight now. Errors: that failure, with what is left of the wait.
    pub(crate) fn check_blocked(&self, now_monotonic_ms: u64, purpose: Purpose) -> Result<()> {
        let Some(Blocked { until_ms, failure }) = &self.blocked else { return Ok(()) };
        match *until_ms {
            None if !purpose.asked => Err(failure.error.clone()),
            Some(until) if now_monotonic_ms < until && !failure.lets_pass(purpose.needs_token, purpose.timeout_ms) => {
                Err(failure.error.clone().with_retry_after_ms(Some(until - now_monotonic_ms)))
            }
            _ => Ok(()),
        }
    }

    /// The number of the flight that takes off now. Whoever calls this lands it.
    pub(crate) fn take_off(&mut self) -> u64 {
        self.flying = true;
        self.number += 1;
        self.number
    }

    /// The number of the flight to wait for.
    fn next(&self) -> u64 {
        self.number + u64::from(self.grounded)
    }

    /// The flight that took off did not leave the ground.
    pub(crate) fn abort(&mut self) {
        self.flying = false;
        self.number -= 1;
    }
}

/// The meeting place of one process. A forked child makes its own and leaves the parent's locks alone.
pub(crate) struct Flight<T> {
    pub(crate) pid: u32,
    state: Mutex<State<T>>,
    landing: Condvar,
}

impl<T: Clone> Flight<T> {
    pub(crate) fn new() -> Self {
        let state = State { flying: false, grounded: false, number: 0, landed: None, failures: 0, blocked: None };
        Flight { pid: std::process::id(), state: Mutex::new(state), landing: Condvar::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The meeting place, unless somebody is just starting or landing a flight.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, State<T>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// What the next flight of this number has brought; everybody who waits for it learns it. `lets_callers_pass`: its failure says
    /// little to a caller without a valid token.
    pub(crate) fn land(&self, mut state: MutexGuard<'_, State<T>>, number: u64, result: Result<T>, lets_callers_pass: bool) {
        state.flying = false;
        state.landed = Some(Landed { number, result, lets_callers_pass });
        drop(state);
        self.landing.notify_all();
    }

    /// Waits for the flight in the air and lets none take off while the result lives; whoever joins meanwhile waits for the flight after it.
    ///
    /// Errors: TIMEOUT, CANCELLED.
    pub(crate) fn ground(&self, wait: Wait<'_>) -> Result<Grounded<'_, T>> {
        let started = Instant::now();
        let mut state = self.lock();
        while state.flying {
            state = self.pause(state, started, wait, |state| state.flying)?;
        }
        (state.flying, state.grounded) = (true, true);
        Ok(Grounded(self))
    }

    /// Joins the flight in the air, or lets one take off, and waits for it to land.
    ///
    /// `ready` looks whether there is something to wait for at all; `take_off` starts a flight by [`State::take_off`]; `is_void` says of
    /// what has landed that the caller must wait for the next one. Errors: TIMEOUT, CANCELLED, those of `take_off` and of the flight.
    pub(crate) fn join(
        self: &Arc<Self>,
        wait: Wait<'_>,
        ready: impl Fn() -> Option<T>,
        is_void: impl Fn(&T) -> bool,
        mut take_off: impl FnMut(&mut State<T>, bool) -> Result<()>,
    ) -> std::result::Result<(T, Option<Error>), Missed> {
        let started = Instant::now();
        let mut state = self.lock();
        // Somebody may have landed while this caller was on its way.
        if let Some(ready) = ready() {
            return Ok((ready, None));
        }
        let mut own = None;
        if !state.flying {
            take_off(&mut state, true)?;
            own = Some(state.number);
        }
        let mut number = state.next();
        loop {
            if let Some(landed) = &state.landed
                && landed.number >= number
            {
                if !landed.result.as_ref().is_ok_and(&is_void) {
                    let why = state.blocked.as_ref().map(|blocked| blocked.failure.error.clone());
                    let is_own = own == Some(landed.number);
                    return landed.result.clone().map(|snapshot| (snapshot, why)).map_err(|error| Missed {
                        may_try_again: !is_own && (landed.lets_callers_pass || error.status() == Status::Timeout),
                        error,
                    });
                }
                if !state.flying {
                    take_off(&mut state, false)?;
                    own = Some(state.number);
                }
                number = state.next();
            } else if !state.flying && state.number < number {
                take_off(&mut state, true)?;
                own = Some(state.number);
            }
            state = self.pause(state, started, wait, |state| {
                state.flying && state.landed.as_ref().is_none_or(|landed| landed.number < number)
            })?;
        }
    }

    /// Waits a while for something to land, at most until the caller's deadline. The caller's question is asked without the lock: where there
    /// is nothing to wait for after it, this returns at once.
    ///
    /// Errors: TIMEOUT, CANCELLED.
    fn pause<'s>(
        &'s self,
        mut state: MutexGuard<'s, State<T>>,
        started: Instant,
        wait: Wait<'_>,
        is_to_wait: impl Fn(&State<T>) -> bool,
    ) -> Result<MutexGuard<'s, State<T>>> {
        let left = wait.timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(Error::new(
                Status::Timeout,
                "the access token was not renewed within the deadline; try again, or give a longer timeout_ms",
            ));
        }
        let slice = match wait.interrupt {
            Some(interrupt) => {
                drop(state);
                if interrupt() {
                    return Err(cancelled());
                }
                state = self.lock();
                if !is_to_wait(&state) {
                    return Ok(state);
                }
                left.min(INTERRUPT_INTERVAL)
            }
            None => left,
        };
        Ok(self.landing.wait_timeout(state, slice).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state))
    }
}

/// Nobody takes off while this lives.
pub(crate) struct Grounded<'a, T: Clone>(&'a Flight<T>);

impl<T: Clone> Drop for Grounded<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.flying, state.grounded) = (false, false);
        drop(state);
        self.0.landing.notify_all();
    }
}

/// The end of a wait that its caller has called off.
pub(crate) fn cancelled() -> Error {
    Error::new(Status::Cancelled, "the caller cancelled while the access token was being renewed")
}
