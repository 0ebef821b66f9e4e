//! One refresh in progress per session and process. All threads that wait for it share its success
//! or failure.
//!
//! What is refreshed, and when, is decided elsewhere.

use super::sync::{Condvar, Mutex, MutexGuard};
use crate::clock::Monotonic;
use crate::error::{Error, Result, Status};
use crate::storage::{Failure, Purpose};
use std::sync::{Arc, PoisonError, TryLockError};
use std::time::{Duration, Instant};

/// How often the interrupt callback of a waiting caller is called.
pub(crate) const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// How long one caller waits, and the callback that cancels the wait.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(crate) timeout: Duration,
    pub(crate) interrupt: Option<&'a (dyn Fn() -> bool + Send + Sync)>,
}

/// Why the next refresh must wait.
#[derive(Clone)]
pub(crate) struct Blocked {
    /// `None`: until the configuration or the saved session changes.
    pub(crate) until: Option<Monotonic>,
    pub(crate) failure: Failure,
}

/// Which refresh a waiting caller starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// The first one.
    First,
    /// One more, because the result of the previous one does not count.
    Again,
}

/// A wait that ended without a token.
pub(crate) struct Missed {
    pub(crate) error: Error,
    /// Another caller or the background started the refresh, with an earlier deadline than this
    /// caller's: one more refresh may succeed.
    pub(crate) may_try_again: bool,
}

impl From<Error> for Missed {
    fn from(error: Error) -> Self {
        Missed { error, may_try_again: false }
    }
}

/// The last refresh that completed.
pub(crate) struct Completed<T> {
    pub(crate) number: u64,
    pub(crate) result: Result<T>,
    /// Whether a caller without a valid token may try again at once if it failed.
    pub(crate) lets_callers_pass: bool,
}

/// The state that the lock protects.
pub(crate) struct FlightState<T> {
    pub(crate) is_running: bool,
    /// A login or logout runs instead of a refresh. It counts as running and completes no number.
    is_paused: bool,
    /// The number of the refresh that is running, or of the last one.
    number: u64,
    completed: Option<Completed<T>>,
    pub(crate) failures: u32,
    pub(crate) blocked: Option<Blocked>,
}

impl<T> FlightState<T> {
    /// Whether an earlier failure forbids a refresh now. `timeout`: how long the refresh may take.
    ///
    /// Errors: that failure, with the rest of the wait.
    pub(crate) fn check_blocked(
        &self,
        now: Monotonic,
        purpose: Purpose,
        timeout: Duration,
    ) -> Result<()> {
        let Some(Blocked { until, failure }) = &self.blocked else { return Ok(()) };
        match *until {
            None if purpose != Purpose::Forced => Err(failure.error.clone()),
            Some(until) if now < until && !failure.lets_pass(purpose, timeout) => {
                Err(failure.error.clone().with_retry_after(Some(until - now)))
            }
            _ => Ok(()),
        }
    }

    /// Starts a refresh and returns its number. The caller must complete or abort it.
    pub(crate) fn start(&mut self) -> u64 {
        self.is_running = true;
        self.number += 1;
        self.number
    }

    /// The number of the refresh to wait for.
    fn next(&self) -> u64 {
        self.number + u64::from(self.is_paused)
    }

    /// Undoes a start whose thread could not be started.
    pub(crate) fn abort(&mut self) {
        self.is_running = false;
        self.number -= 1;
    }
}

/// Per-process single-flight state. A forked child creates its own and never touches the parent's
/// locks.
pub(crate) struct SingleFlight<T> {
    pub(crate) pid: u32,
    /// The error of a caller whose deadline passes.
    late: Error,
    state: Mutex<FlightState<T>>,
    changed: Condvar,
}

impl<T: Clone> SingleFlight<T> {
    /// `what_failed` begins the message for a caller whose deadline passes.
    pub(crate) fn new(what_failed: &str) -> Self {
        let late =
            format!("{what_failed} within the deadline; try again, or give a longer timeout");
        let state = FlightState {
            is_running: false,
            is_paused: false,
            number: 0,
            completed: None,
            failures: 0,
            blocked: None,
        };
        SingleFlight {
            pid: std::process::id(),
            late: Error::new(Status::Timeout, late),
            state: Mutex::new(state),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, FlightState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, unless another thread holds the lock: it is starting or completing a refresh.
    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, FlightState<T>>> {
        match self.state.try_lock() {
            Ok(state) => Some(state),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Completes a refresh for all threads that wait for it.
    pub(crate) fn complete(&self, completed: Completed<T>) {
        let mut state = self.lock();
        state.is_running = false;
        state.completed = Some(completed);
        drop(state);
        self.changed.notify_all();
    }

    /// Waits for the running refresh, and prevents others until the result is dropped. Callers that
    /// arrive meanwhile wait for the refresh after it.
    ///
    /// Errors: TIMEOUT, CANCELLED.
    pub(crate) fn pause(&self, wait: Wait<'_>) -> Result<Paused<'_, T>> {
        let started = Instant::now();
        let mut state = self.lock();
        while state.is_running {
            state = self.wait_for_change(state, started, wait, |state| state.is_running)?;
        }
        (state.is_running, state.is_paused) = (true, true);
        Ok(Paused(self))
    }

    /// Joins the running refresh, or starts one, and waits until it completes.
    ///
    /// `ready` returns what makes waiting unnecessary; `start` starts a refresh by
    /// [`FlightState::start`]; `is_void` says whether the result of a completed refresh does not
    /// count. Errors: TIMEOUT, CANCELLED, those of `start` and of the refresh.
    pub(crate) fn wait(
        self: &Arc<Self>,
        wait: Wait<'_>,
        ready: impl Fn() -> Option<T>,
        is_void: impl Fn(&T) -> bool,
        mut start: impl FnMut(&mut FlightState<T>, Start) -> Result<()>,
    ) -> std::result::Result<(T, Option<Error>), Missed> {
        let started = Instant::now();
        let mut state = self.lock();
        // Another thread may have completed one before this one got the lock.
        if let Some(ready) = ready() {
            return Ok((ready, None));
        }
        let mut own = None;
        if !state.is_running {
            start(&mut state, Start::First)?;
            own = Some(state.number);
        }
        let mut number = state.next();
        loop {
            if let Some(completed) = &state.completed
                && completed.number >= number
            {
                if !completed.result.as_ref().is_ok_and(&is_void) {
                    let why = state.blocked.as_ref().map(|blocked| blocked.failure.error.clone());
                    let is_own = own == Some(completed.number);
                    return completed.result.clone().map(|value| (value, why)).map_err(|error| {
                        Missed {
                            may_try_again: !is_own
                                && (completed.lets_callers_pass
                                    || error.status() == Status::Timeout),
                            error,
                        }
                    });
                }
                if !state.is_running {
                    start(&mut state, Start::Again)?;
                    own = Some(state.number);
                }
                number = state.next();
            } else if !state.is_running && state.number < number {
                start(&mut state, Start::First)?;
                own = Some(state.number);
            }
            state = self.wait_for_change(state, started, wait, |state| {
                state.is_running
                    && state.completed.as_ref().is_none_or(|completed| completed.number < number)
            })?;
        }
    }

    /// Waits for a change, at most until the caller's deadline. The interrupt callback is called
    /// without the lock. If there is nothing to wait for after it, this returns at once.
    ///
    /// Errors: TIMEOUT, CANCELLED.
    fn wait_for_change<'s>(
        &'s self,
        mut state: MutexGuard<'s, FlightState<T>>,
        started: Instant,
        wait: Wait<'_>,
        is_to_wait: impl Fn(&FlightState<T>) -> bool,
    ) -> Result<MutexGuard<'s, FlightState<T>>> {
        let left = wait.timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(self.late.clone());
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
        Ok(self
            .changed
            .wait_timeout(state, slice)
            .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state))
    }
}

/// No refresh starts until this is dropped.
pub(crate) struct Paused<'a, T: Clone>(&'a SingleFlight<T>);

impl<T: Clone> Drop for Paused<'_, T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        (state.is_running, state.is_paused) = (false, false);
        drop(state);
        self.0.changed.notify_all();
    }
}

/// The error of a wait that its caller cancelled.
pub(crate) fn cancelled() -> Error {
    Error::new(Status::Cancelled, "the caller cancelled while the access token was refreshed")
}
