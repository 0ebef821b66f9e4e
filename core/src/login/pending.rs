//! What every login that is under way has, whichever way it goes: who waits for it, when it ends, and how it ended.

use super::{LoginOptions, Outcome, cancelled};
use crate::clock::{Monotonic, millis};
use crate::credential::TokenSet;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Retry};
use crate::session::{Account, Interrupt, LoginResult, OtherUser, Pending, Wait, interruptibly_or};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long is waited before somebody is asked whether they still want to.
pub(super) const SLICE: Duration = Duration::from_millis(50);

/// What is different from way to way.
pub(super) trait Way: Send + Sync + Sized + 'static {
    /// What changes meanwhile.
    type State: Send;

    /// Why nobody has logged in, when the time is over.
    fn late(&self, state: &Self::State, now: Monotonic) -> Error;

    /// Closes what is open: the login is over.
    fn close(state: &mut Self::State);
}

pub(super) struct State<W: Way> {
    pub(super) way: W::State,
    /// Somebody is at the server, or keeps what it gave, without the lock: a person may be asked meanwhile.
    busy: bool,
    outcome: Option<Outcome>,
}

impl<W: Way> State<W> {
    pub(super) fn is_busy(&self) -> bool {
        self.busy
    }

    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }
}

struct Shared<W: Way> {
    person: Account,
    options: LoginOptions,
    scopes: Vec<String>,
    expires: Monotonic,
    cancelled: AtomicBool,
    way: W,
    state: Mutex<State<W>>,
}

/// A login that is under way. Any number of threads; clones are of the same login.
pub(super) struct UnderWay<W: Way> {
    shared: Arc<Shared<W>>,
    interrupt: Option<Interrupt>,
}

impl<W: Way> Clone for UnderWay<W> {
    fn clone(&self) -> Self {
        UnderWay { shared: self.shared.clone(), interrupt: self.interrupt.clone() }
    }
}

/// Somebody is busy with the login until this is dropped, whatever happens.
pub(super) struct Busy<'a, W: Way>(&'a UnderWay<W>);

impl<W: Way> Drop for Busy<'_, W> {
    fn drop(&mut self) {
        self.0.lock().busy = false;
    }
}

impl<W: Way> UnderWay<W> {
    pub(super) fn new(
        person: &Account,
        options: &LoginOptions,
        scopes: Vec<String>,
        expires: Monotonic,
        way: W,
        state: W::State,
    ) -> Self {
        let shared = Shared {
            person: person.clone(),
            options: options.clone(),
            scopes,
            expires,
            cancelled: AtomicBool::new(false),
            way,
            state: Mutex::new(State { way: state, busy: false, outcome: None }),
        };
        UnderWay { shared: Arc::new(shared), interrupt: None }
    }

    pub(super) fn with_interrupt(&self, interrupt: Interrupt) -> Self {
        UnderWay { interrupt: Some(interrupt), ..self.clone() }
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

    pub(super) fn person(&self) -> &Account {
        &self.shared.person
    }

    pub(super) fn expires(&self) -> Monotonic {
        self.shared.expires
    }

    pub(super) fn expires_in_ms(&self) -> u64 {
        millis(self.shared.expires - self.now())
    }

    pub(super) fn now(&self) -> Monotonic {
        self.shared.person.http().clock().now().monotonic
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whoever waits sees it within a moment.
    pub(super) fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// Asks whoever waits whether they still want to. Not to be called with the lock held: the question may call the login back.
    pub(super) fn is_interrupted(&self) -> bool {
        if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) {
            self.cancel();
        }
        self.is_cancelled()
    }

    /// The outcome, where the login is over or must end now.
    pub(super) fn over(&self, state: &mut State<W>) -> Option<Outcome> {
        if let Some(outcome) = &state.outcome {
            return Some(outcome.clone());
        }
        if state.busy {
            // Whoever is at the server knows how it ends, and learns that it is not wanted any more.
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
        let outcome = outcome.map_err(|error| error.with_profile(self.shared.person.profile()));
        state.outcome = Some(outcome.clone());
        W::close(&mut state.way);
        outcome
    }

    /// Gives the lock back; nobody else goes to the server meanwhile.
    pub(super) fn busy(&self, mut state: MutexGuard<'_, State<W>>) -> Busy<'_, W> {
        state.busy = true;
        drop(state);
        Busy(self)
    }

    /// A request at the token endpoint, for at most so long. `unwanted` gets a
    /// response that comes after the caller stopped waiting.
    ///
    /// Errors: TIMEOUT, CANCELLED, those of `call`.
    pub(super) fn request<T: Send + 'static>(
        &self,
        timeout: Duration,
        unwanted: impl FnOnce(T, &Account) + Send + 'static,
        call: impl FnOnce(&Self, &CallContext<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let question = self.question();
        let wait = Wait { timeout, interrupt: Some(question.as_ref()) };
        let person = self.shared.person.clone();
        // Without the question, which is for whoever waits here.
        let this = UnderWay { interrupt: None, ..self.clone() };
        // Until what comes late is being revoked: a process that ends waits a while for it.
        let pending = Pending::new();
        interruptibly_or(
            wait,
            "the login",
            move |late| {
                unwanted(late, &person);
                drop(pending);
            },
            move || call(&this, &CallContext::within(this.person().http(), Retry::WithinDeadline, timeout)),
        )
    }

    /// Keeps what the login has brought, if it is still wanted.
    pub(super) fn keep(&self, tokens: TokenSet, nonce: Option<&str>) -> Result<LoginResult> {
        self.person().with_interrupt(self.question()).keep_login(tokens, nonce, &|other| self.accept(other))
    }

    fn question(&self) -> Interrupt {
        let this = self.clone();
        Arc::new(move || this.is_interrupted())
    }

    fn accept(&self, other: &OtherUser) -> Result<bool> {
        let answer = self.shared.options.accept(other)?;
        // The person may have taken long for it.
        if self.is_interrupted() { Err(cancelled()) } else { Ok(answer) }
    }
}

/// Who waited has no more time for it; the login goes on.
pub(super) fn not_yet() -> Error {
    Error::new(Status::Timeout, "nobody has logged in yet; the login goes on, wait for it again")
}
