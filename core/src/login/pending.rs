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

struct State {
    /// A thread sends a request or saves the tokens, without a lock because the user may be
    /// prompted meanwhile.
    busy: bool,
    outcome: Option<Outcome>,
}

/// What the caller of [`LoginInProgress::turn`] does next.
pub(super) enum Turn {
    /// Nothing: the login has ended.
    Ended(Outcome),
    /// Wait: another thread sends a request or saves the tokens.
    Busy,
    /// Continue the login.
    Free,
}

struct Shared {
    user: UserSource,
    options: LoginOptions,
    scopes: Vec<String>,
    expires: Monotonic,
    cancelled: AtomicBool,
    state: Mutex<State>,
}

/// A login in progress. Any number of threads may use it, and clones are handles of the same login.
///
/// The state of the method, such as its sockets, is the method's own. A thread that holds its lock
/// may call everything here.
#[derive(Clone)]
pub(super) struct LoginInProgress {
    shared: Arc<Shared>,
    interrupt: Option<Interrupt>,
}

/// Marks the login as busy until this guard is dropped, also on a panic.
pub(super) struct Busy<'a>(&'a LoginInProgress);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
    }
}

impl LoginInProgress {
    pub(super) fn new(
        user: &UserSource,
        options: &LoginOptions,
        scopes: Vec<String>,
        expires: Monotonic,
    ) -> Self {
        let shared = Shared {
            user: user.clone(),
            options: options.clone(),
            scopes,
            expires,
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State { busy: false, outcome: None }),
        };
        LoginInProgress { shared: Arc::new(shared), interrupt: None }
    }

    pub(super) fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        LoginInProgress { interrupt: Some(interrupt), ..self.clone() }
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

    fn lock(&self) -> MutexGuard<'_, State> {
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

    /// Whether the caller may continue the login. Ends it if its time has run out, with the error
    /// `late`, or if it was cancelled.
    pub(super) fn turn(&self, late: impl FnOnce(Monotonic) -> Error) -> Turn {
        let mut state = self.lock();
        if let Some(outcome) = &state.outcome {
            return Turn::Ended(outcome.clone());
        }
        if state.busy {
            // The busy thread sets the outcome, and learns from the flag that the login was
            // cancelled.
            return if self.is_cancelled() { Turn::Ended(Err(cancelled())) } else { Turn::Busy };
        }
        let now = self.now();
        let error = match self.is_cancelled() {
            true => cancelled(),
            false if now < self.shared.expires => return Turn::Free,
            false => late(now),
        };
        Turn::Ended(self.end_in(&mut state, Err(error)))
    }

    /// Whether there is an outcome.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().outcome.is_some()
    }

    /// Whether a thread sends a request or saves the tokens. If none does any more, its outcome is
    /// set.
    pub(super) fn is_busy(&self) -> bool {
        self.lock().busy
    }

    /// Ends the login.
    pub(super) fn end(&self, outcome: Outcome) -> Outcome {
        self.end_in(&mut self.lock(), outcome)
    }

    fn end_in(&self, state: &mut State, outcome: Outcome) -> Outcome {
        let outcome = outcome.map_err(|error| error.with_profile(self.shared.user.profile()));
        state.outcome = Some(outcome.clone());
        outcome
    }

    /// Until the guard is dropped, no other thread sends a request. Call it if the turn is
    /// [`Turn::Free`], with the lock of the method's state held since, and then release that lock.
    pub(super) fn busy(&self) -> Busy<'_> {
        self.lock().busy = true;
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
