//! What every login in progress has, whatever its method: its waiting callers, its deadline, and
//! its outcome.

use super::{LoginOptions, Outcome, cancelled};
use crate::clock::Monotonic;
use crate::credential::TokenSet;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Retry};
use crate::session::{
    Interrupt, LoginResult, OtherUser, Pending, UserSource, Wait, interruptibly_or,
};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a call waits before it asks the interrupt callback again.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// The parts that differ between login methods.
pub(super) trait Way: Send + Sync + Sized + 'static {
    /// The mutable state of the method.
    type State: Send;

    /// The error for a login whose time has run out.
    fn late(&self, state: &Self::State, now: Monotonic) -> Error;

    /// Closes open sockets, because the login has ended.
    fn close(state: &mut Self::State);
}

pub(super) struct State<W: Way> {
    pub(super) way: W::State,
    /// A thread sends a request or saves the tokens, without the lock because the user may be
    /// prompted meanwhile.
    busy: bool,
    outcome: Option<Outcome>,
}

impl<W: Way> State<W> {
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    pub(super) fn has_ended(&self) -> bool {
        self.outcome.is_some()
    }
}

struct Shared<W: Way> {
    user: UserSource,
    options: LoginOptions,
    scopes: Vec<String>,
    expires: Monotonic,
    cancelled: AtomicBool,
    way: W,
    state: Mutex<State<W>>,
}

/// A login in progress. Any number of threads may use it, and clones are handles of the same login.
pub(super) struct LoginInProgress<W: Way> {
    shared: Arc<Shared<W>>,
    interrupt: Option<Interrupt>,
}

impl<W: Way> Clone for LoginInProgress<W> {
    fn clone(&self) -> Self {
        LoginInProgress { shared: self.shared.clone(), interrupt: self.interrupt.clone() }
    }
}

/// Marks the login as busy until this guard is dropped, also on a panic.
pub(super) struct Busy<'a, W: Way>(&'a LoginInProgress<W>);

impl<W: Way> Drop for Busy<'_, W> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
    }
}

impl<W: Way> LoginInProgress<W> {
    pub(super) fn new(
        user: &UserSource,
        options: &LoginOptions,
        scopes: Vec<String>,
        expires: Monotonic,
        way: W,
        state: W::State,
    ) -> Self {
        let shared = Shared {
            user: user.clone(),
            options: options.clone(),
            scopes,
            expires,
            cancelled: AtomicBool::new(false),
            way,
            state: Mutex::new(State { way: state, busy: false, outcome: None }),
        };
        LoginInProgress { shared: Arc::new(shared), interrupt: None }
    }

    pub(super) fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        LoginInProgress { interrupt: Some(interrupt), ..self.clone() }
    }

    pub(super) fn way(&self) -> &W {
        &self.shared.way
    }

    pub(super) fn options(&self) -> &LoginOptions {
        &self.shared.options
    }

    pub(super) fn scopes(&self) -> &[String] {
        &self.shared.scopes
    }

    pub(super) fn user(&self) -> &UserSource {
        &self.shared.user
    }

    pub(super) fn expires(&self) -> Monotonic {
        self.shared.expires
    }

    pub(super) fn expires_in(&self) -> Duration {
        self.shared.expires - self.now()
    }

    pub(super) fn now(&self) -> Monotonic {
        self.shared.user.http().clock().now().monotonic
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Cancels the login. Waiting callers notice it within one slice.
    pub(super) fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// Asks the interrupt callback whether the caller has cancelled. Do not call this with the lock
    /// held, because the callback may call the login.
    pub(super) fn is_interrupted(&self) -> bool {
        if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) {
            self.cancel();
        }
        self.is_cancelled()
    }

    /// The outcome, if the login has ended or must end now.
    pub(super) fn outcome_if_ended(&self, state: &mut State<W>) -> Option<Outcome> {
        if let Some(outcome) = &state.outcome {
            return Some(outcome.clone());
        }
        if state.busy {
            // The busy thread sets the outcome, and learns from the flag that the login was
            // cancelled.
            return self.is_cancelled().then(|| Err(cancelled()));
        }
        if self.is_cancelled() {
            return Some(self.end(state, Err(cancelled())));
        }
        let now = self.now();
        if now < self.shared.expires {
            return None;
        }
        let late = self.shared.way.late(&state.way, now);
        Some(self.end(state, Err(late)))
    }

    pub(super) fn end(&self, state: &mut State<W>, outcome: Outcome) -> Outcome {
        let outcome = outcome.map_err(|error| error.with_profile(self.shared.user.profile()));
        state.outcome = Some(outcome.clone());
        W::close(&mut state.way);
        outcome
    }

    /// Releases the lock. Until the guard is dropped, no other thread sends a request.
    pub(super) fn busy(&self, mut state: MutexGuard<'_, State<W>>) -> Busy<'_, W> {
        state.busy = true;
        drop(state);
        Busy(self)
    }

    /// Sends a request to the token endpoint, and waits at most `timeout` for it. `unwanted` gets a
    /// response that comes after the caller stopped waiting.
    ///
    /// Errors: TIMEOUT, CANCELLED, those of `call`.
    pub(super) fn request<T: Send + 'static>(
        &self,
        timeout: Duration,
        unwanted: impl FnOnce(T, &UserSource) + Send + 'static,
        call: impl FnOnce(&Self, &CallContext<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let question = self.question();
        let wait = Wait { timeout, interrupt: Some(question.as_ref()) };
        let user = self.shared.user.clone();
        // Without the interrupt callback, which belongs to the waiting caller.
        let this = LoginInProgress { interrupt: None, ..self.clone() };
        // Held until the revocation of a late response has started: a process that exits waits a
        // short time for it.
        let pending = Pending::new();
        interruptibly_or(
            wait,
            "the login",
            move |late| {
                unwanted(late, &user);
                drop(pending);
            },
            move || {
                call(
                    &this,
                    &CallContext::within(this.user().http(), Retry::WithinDeadline, timeout),
                )
            },
        )
    }

    /// Saves the tokens of the login, unless it was cancelled.
    pub(super) fn save(&self, tokens: TokenSet, nonce: Option<&str>) -> Result<LoginResult> {
        self.user()
            .with_interrupt(self.question())
            .save_login(tokens, nonce, &|other| self.accept(other))
    }

    fn question(&self) -> Interrupt {
        let this = self.clone();
        Arc::new(move || this.is_interrupted())
    }

    fn accept(&self, other: &OtherUser) -> Result<bool> {
        let answer = self.shared.options.accept(other)?;
        // The user may have taken long to answer, and the login may have been cancelled since.
        if self.is_interrupted() { Err(cancelled()) } else { Ok(answer) }
    }
}

/// The waiting caller's time has run out, but the login is still in progress.
pub(super) fn not_yet() -> Error {
    Error::new(
        Status::Timeout,
        "no user has logged in yet; the login is still in progress, wait for it again",
    )
}
