//! When a refresh starts, and what its result means for the next one.

use super::backoff::{self, LoginNoticed, MIN_SPACING};
use super::cached_token::CachedToken;
use super::outcome::{Failed, RefreshOutcome};
use super::reentry::ReentryGuard;
use super::refresh::{self, Refresh, RefreshRequest};
use super::single_flight::{Blocked, Completed};
use super::sync::{spawn, spawn_for_host};
use super::{Flight, Pending, State, TokenCache};
use crate::clock::{Moment, Monotonic, fraction};
use crate::error::{Error, Result, Status};
use crate::http::retry_after::MAX_RETRY_AFTER;
use crate::storage::{Failure, FileVersion, Lock, Purpose};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Process exit waits for a refresh in the background, so it must end before that wait does.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(4);
/// Tokens that could not be saved are saved again after this time.
const SAVE_AGAIN: Duration = Duration::from_secs(30);

impl TokenCache {
    /// Starts a refresh that no caller waits for, unless one is running or it is too early.
    pub(super) fn refresh_in_background(self: &Arc<Self>, now: Moment) {
        if now.monotonic < self.background_after() {
            return;
        }
        let flight = self.flight();
        // An M2M token can be requested again; a refresh token that was sent must get its whole
        // time.
        let limit = if self.client.is_m2m() { BACKGROUND_LIMIT } else { Duration::MAX };
        let request = RefreshRequest {
            purpose: Purpose::Background,
            timeout: self.timeout.min(limit),
            newer_than: self.last_generation(),
        };
        // The thread that holds the lock is starting or completing a refresh.
        if let Some(mut state) = flight.try_lock()
            && !state.is_running
            // One may have completed since the check above.
            && now.monotonic >= self.background_after()
            && let Err(error) = self.start(&flight, &mut state, now, request)
        {
            let wait = error.retry_after().unwrap_or(backoff::MAX_BACKOFF);
            self.set_background_after(now.monotonic + wait);
        }
    }

    fn background_after(&self) -> Monotonic {
        Monotonic::from_millis(self.background_after.load(Ordering::Relaxed))
    }

    pub(super) fn set_background_after(&self, time: Monotonic) {
        self.background_after.store(time.as_millis(), Ordering::Relaxed);
    }

    /// Starts a refresh on its own thread, unless an earlier failure forbids it.
    pub(super) fn start(
        self: &Arc<Self>,
        flight: &Arc<Flight>,
        state: &mut State,
        now: Moment,
        request: RefreshRequest,
    ) -> Result<()> {
        state.check_blocked(now.monotonic, request.purpose, request.timeout)?;
        let number = state.start();
        let (this, flight) = (self.clone(), flight.clone());
        // Process exit waits: a rotated refresh token must be saved, and a short program would
        // never complete what it starts in the background. A caller that stopped waiting for an M2M
        // token does not need it.
        let is_shared = self.storage.path().is_some() && request.purpose == Purpose::Background;
        let pending = (!self.client.is_m2m() || is_shared).then(Pending::new);
        let work = move || {
            let _pending = pending;
            let _guard = ReentryGuard::mark();
            let deadline = this.now() + request.timeout;
            let mut completion = Completion {
                cache: &this,
                flight: &flight,
                number,
                request,
                deadline,
                lock: None,
                outcome: None,
            };
            completion.outcome = Some(this.run(request, deadline, &mut completion.lock));
            drop(completion);
            // Secrets are wiped before process exit stops waiting.
            drop(this);
        };
        // A storage of the application is called there. It may start programs, which inherit the
        // signal mask.
        let spawned = match self.storage.path() {
            Some(_) => spawn("planetkey-refresh", work),
            None => spawn_for_host("planetkey-refresh", work),
        };
        spawned.map(drop).map_err(|error| {
            state.abort();
            Error::new(
                Status::Unavailable,
                format!("no thread could be started to refresh the access token: {error}"),
            )
        })
    }

    fn run<'s>(
        &'s self,
        request: RefreshRequest,
        deadline: Moment,
        lock: &mut Option<Box<dyn Lock + 's>>,
    ) -> RefreshOutcome {
        let view = || refresh::View { token: self.last(), saved: self.saved.load_full() };
        let refresh = Refresh {
            client: &self.client,
            storage: &self.storage,
            http: &self.http,
            profile: self.profile(),
            must_save: self.must_save,
            request,
            deadline,
            view: &view,
        };
        refresh.run(lock)
    }

    /// Applies the outcome of a refresh and decides when the next one is allowed.
    fn conclude(
        &self,
        flight: &Flight,
        number: u64,
        request: RefreshRequest,
        deadline: Moment,
        outcome: RefreshOutcome,
    ) -> Completed<Arc<CachedToken>> {
        let lets_callers_pass = request.lets_callers_pass(deadline, self.now());
        let shared_wait = match &outcome {
            RefreshOutcome::Failed(Failed { shared_wait, .. }) => *shared_wait,
            _ => None,
        };
        let mut state = flight.lock();
        let result = self
            .apply(&mut state, outcome, self.now())
            .map_err(|error| error.with_profile(self.profile()));
        let saved = self.saved.load();
        // The spacing counts from the receipt of a token, which readers may have had for some time.
        // An attempt to save it counts from now.
        let now = match &result {
            Ok(token) if saved.unsaved.is_none() => token.at,
            _ => self.now(),
        };
        let background_in = match &result {
            Ok(token) => {
                state.failures = 0;
                // A lifetime this short cannot be served by refreshing: it would be one request per
                // call.
                state.blocked = (token.lifetime < 2 * MIN_SPACING).then(|| Blocked {
                    until: Some(now.monotonic + MIN_SPACING),
                    failure: Failure {
                        error: self.too_short(token),
                        lets_callers_pass: false,
                        timeout: None,
                    },
                });
                if saved.unsaved.is_some() {
                    SAVE_AGAIN
                } else if token.is_due(now) {
                    // It was found, not requested.
                    Duration::ZERO
                } else {
                    MIN_SPACING
                }
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let wait = shared_wait.or_else(|| self.wait_after(error, state.failures));
                let until = wait.map(|wait| now.monotonic + wait);
                // The time that a refresh waited matters to other processes; the refreshes of this
                // one have the same deadline.
                let failure = Failure { error: error.clone(), lets_callers_pass, timeout: None };
                state.blocked = Some(Blocked { until, failure });
                wait.unwrap_or(MAX_RETRY_AFTER).max(MIN_SPACING)
            }
        };
        self.set_background_after(now.monotonic + background_in);
        Completed { number, result, lets_callers_pass }
    }

    fn too_short(&self, token: &CachedToken) -> Error {
        let issuer = match self.client.provider() {
            Some(_) => "token provider",
            None => "authorization server",
        };
        let lifetime_ms = token.lifetime.as_millis();
        let message = format!(
            "the {issuer} issues tokens with a lifetime of {lifetime_ms} ms, which is too short to use them"
        );
        Error::new(Status::Unavailable, message)
    }

    /// The wait until the next attempt after this many failures in a row; `None`: until the
    /// configuration or the saved session changes.
    fn wait_after(&self, error: &Error, failures: u32) -> Option<Duration> {
        if self.client.provider().is_some() {
            let fraction = fraction(self.http.random());
            return Some(backoff::wait_after_provider(error, failures, fraction));
        }
        let is_noticed = self.saved.load().version != FileVersion::Unknown || self.client.is_m2m();
        let noticed = if is_noticed { LoginNoticed::Yes } else { LoginNoticed::No };
        backoff::wait_after(error, failures, fraction(self.http.random()), noticed)
    }
}

/// Completes a refresh, also when its thread panics.
struct Completion<'a> {
    cache: &'a TokenCache,
    flight: &'a Flight,
    number: u64,
    request: RefreshRequest,
    deadline: Moment,
    /// The storage's lock. It is released after the outcome was applied, and before other threads
    /// are notified.
    lock: Option<Box<dyn Lock + 'a>>,
    outcome: Option<RefreshOutcome>,
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            let message = "the refresh of the access token ended in a bug; please report it";
            RefreshOutcome::Failed(Error::new(Status::Internal, message).into())
        });
        let completed =
            self.cache.conclude(self.flight, self.number, self.request, self.deadline, outcome);
        drop(self.lock.take());
        let failure = completed.result.as_ref().err().cloned();
        self.flight.complete(completed);
        // Last, because a logger may call back into the session, or be slow.
        if let Some(error) = failure {
            log::warn!("the access token could not be refreshed: {error}");
        }
    }
}
