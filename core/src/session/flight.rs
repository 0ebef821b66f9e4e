//! Who renews: one renewal in flight per session, its success or failure shared by everybody who waits.

use super::machine::Machine;
use super::snapshot::Snapshot;
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::http::{Http, Patience};
use crate::storage::{Storage, Stored};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A token that lives shorter than twice this is still not asked for more often than once in this time.
const MIN_SPACING_MS: u64 = 1_000;
/// No failure keeps a session from asking again longer than this, except a permanent one.
const MAX_RETRY_AFTER_MS: u64 = 3_600_000;
const MAX_BACKOFF_MS: u64 = 30_000;
/// A token that was just renewed because of a 401 and is rejected again is not the cause: the API is.
const REJECTION_SPACING_MS: u64 = 1_000;
/// How often a waiting caller is asked whether it still wants to wait.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// How long one caller waits, and how it changes its mind.
#[derive(Clone, Copy)]
pub(crate) struct Wait<'a> {
    pub(crate) timeout: Duration,
    pub(crate) interrupt: Option<&'a (dyn Fn() -> bool + Send + Sync)>,
}

/// How one renewal is tried.
#[derive(Clone, Copy)]
struct Attempt {
    patience: Patience,
    timeout: Duration,
    /// Somebody asked for it by name and may have changed something.
    asked: bool,
}

thread_local! {
    /// Whether this thread is renewing: a logger that is called on it must not wait for what it is doing itself.
    static RENEWING: Cell<bool> = const { Cell::new(false) };
}

type Landed = Result<Arc<Snapshot>>;

#[derive(Default)]
struct State {
    flying: bool,
    /// The number of the flight that is in the air, or was last.
    number: u64,
    landed: Option<(u64, Landed)>,
    failures: u32,
    blocked: Option<Blocked>,
}

/// Why the next flight must wait.
struct Blocked {
    /// On the monotonic clock; nothing means until somebody changes something.
    until_ms: Option<u64>,
    error: Error,
}

/// The meeting place of one process. A forked child makes its own and leaves the parent's locks alone.
struct Flight {
    pid: u32,
    state: Mutex<State>,
    landing: Condvar,
}

impl Flight {
    fn new() -> Self {
        Flight { pid: std::process::id(), state: Mutex::default(), landing: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A credential source whose token is renewed.
pub(crate) struct Renewing {
    snapshot: ArcSwapOption<Snapshot>,
    flight: ArcSwap<Flight>,
    /// Not before this, on the monotonic clock, does a caller with a valid token start a renewal.
    background_after_ms: AtomicU64,
    generation: AtomicU64,
    pub(crate) machine: Machine,
    storage: Arc<dyn Storage>,
    http: Http,
    timeout: Duration,
    profile: Option<String>,
}

impl Renewing {
    pub(crate) fn new(
        machine: Machine,
        storage: Arc<dyn Storage>,
        http: Http,
        timeout: Duration,
        profile: Option<String>,
    ) -> Self {
        Renewing {
            snapshot: ArcSwapOption::empty(),
            flight: ArcSwap::from_pointee(Flight::new()),
            background_after_ms: AtomicU64::new(0),
            generation: AtomicU64::new(0),
            machine,
            storage,
            http,
            timeout,
            profile,
        }
    }

    fn now(&self) -> Moment {
        self.http.clock().now()
    }

    /// The last token, valid or not, for `status()`.
    pub(crate) fn last(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// Whether the last token is valid.
    pub(crate) fn is_usable(&self) -> bool {
        self.last().is_some_and(|snapshot| snapshot.usable(self.now()))
    }

    /// The token if it is valid. When it is due, somebody starts to renew it in the background.
    #[inline]
    fn valid<'s>(self: &Arc<Self>, snapshot: &'s Option<Arc<Snapshot>>) -> Option<&'s Arc<Snapshot>> {
        let now = self.now();
        let snapshot = snapshot.as_ref().filter(|snapshot| snapshot.usable(now))?;
        if snapshot.due(now) && now.monotonic_ms >= self.background_after_ms.load(Ordering::Relaxed) {
            self.renew_in_background(now);
        }
        Some(snapshot)
    }

    /// The valid token without waiting.
    #[inline]
    pub(crate) fn cached(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        self.valid(&self.snapshot.load()).cloned()
    }

    /// The valid token, renewed if need be. Blocks only then.
    #[inline]
    pub(crate) fn current(self: &Arc<Self>, wait: Wait<'_>) -> Landed {
        self.with_current(wait, Arc::clone)
    }

    /// As [`Renewing::current`], lent: threads that use one token at the same time do not even share a counter.
    #[inline]
    pub(crate) fn with_current<T>(self: &Arc<Self>, wait: Wait<'_>, use_it: impl FnOnce(&Arc<Snapshot>) -> T) -> Result<T> {
        let snapshot = self.snapshot.load();
        if let Some(snapshot) = self.valid(&snapshot) {
            return Ok(use_it(snapshot));
        }
        drop(snapshot);
        self.wait_for_newer(None, wait).map(|snapshot| use_it(&snapshot))
    }

    /// A token newer than the one there is now.
    pub(crate) fn refresh(self: &Arc<Self>, wait: Wait<'_>) -> Landed {
        let generation = self.last().map_or(0, |snapshot| snapshot.generation);
        self.wait_for_newer(Some(generation), wait)
    }

    /// An API answered 401 to this token. `true` when the next call renews because of it: once per generation, and not for a token
    /// that is no longer the current one.
    pub(crate) fn invalidate(&self, access_token: &str) -> bool {
        let Some(snapshot) = self.last() else { return false };
        if !crate::secret::equal_in_constant_time(snapshot.token(), access_token) {
            return false;
        }
        if snapshot.after_rejection && snapshot.age_ms(self.http.clock()) < REJECTION_SPACING_MS {
            return false;
        }
        snapshot.reject()
    }

    /// Whether this is its last token, valid or not.
    pub(crate) fn holds(&self, access_token: &str) -> bool {
        self.last().is_some_and(|snapshot| crate::secret::equal_in_constant_time(snapshot.token(), access_token))
    }

    /// Whether its last token was refused by an API.
    pub(crate) fn is_rejected(&self) -> bool {
        self.last().is_some_and(|snapshot| snapshot.is_rejected())
    }

    /// The flight of this process: after a fork the child starts clean.
    fn flight(&self) -> Arc<Flight> {
        let flight = self.flight.load_full();
        if flight.pid == std::process::id() {
            return flight;
        }
        let fresh = Arc::new(Flight::new());
        let before = self.flight.compare_and_swap(&flight, fresh.clone());
        if Arc::ptr_eq(&before, &flight) { fresh } else { self.flight.load_full() }
    }

    fn renew_in_background(self: &Arc<Self>, now: Moment) {
        let flight = self.flight();
        // Whoever holds the lock is starting or landing a renewal: nothing to add.
        if let Ok(mut state) = flight.state.try_lock()
            && !state.flying
            && let Err(error) =
                self.take_off(&flight, &mut state, now, Attempt { patience: Patience::Once, timeout: self.timeout, asked: false })
        {
            let wait = error.retry_after_ms().unwrap_or(MAX_BACKOFF_MS);
            self.background_after_ms.store(now.monotonic_ms.saturating_add(wait), Ordering::Relaxed);
        }
    }

    fn wait_for_newer(self: &Arc<Self>, than: Option<u64>, wait: Wait<'_>) -> Landed {
        if RENEWING.get() {
            return Err(Error::new(
                Status::Unavailable,
                "a log handler called the session from inside its own renewal, which cannot wait for itself",
            ));
        }
        let started = Instant::now();
        // Who waits longer than the session's own deadline gets a renewal that may take as long.
        let timeout = self.timeout.max(wait.timeout);
        let attempt = |asked| Attempt { patience: Patience::Patient, timeout, asked };
        let flight = self.flight();
        let mut state = flight.lock();
        let now = self.now();
        // Somebody may have landed while this caller was on its way.
        if let Some(snapshot) = self.last().filter(|snapshot| snapshot.usable(now))
            && than.is_none_or(|generation| snapshot.generation > generation)
        {
            return Ok(snapshot);
        }
        if !state.flying {
            self.take_off(&flight, &mut state, now, attempt(than.is_some()))?;
        }
        let mut number = state.number;
        loop {
            if let Some((landed, result)) = &state.landed
                && *landed >= number
            {
                if !result.as_ref().is_ok_and(|snapshot| snapshot.is_rejected()) {
                    return self.still_usable(result.clone(), &state);
                }
                // An API refused the new token before this caller woke up: it waits for the one after it, within the same deadline.
                if !state.flying {
                    self.take_off(&flight, &mut state, self.now(), attempt(false))?;
                }
                number = state.number;
            }
            let left = wait.timeout.saturating_sub(started.elapsed());
            if left.is_zero() {
                return Err(Error::new(
                    Status::Timeout,
                    "the access token was not renewed within the deadline; try again, or give a longer timeout_ms",
                )
                .with_profile(self.profile.as_deref()));
            }
            let slice = match wait.interrupt {
                Some(interrupt) => {
                    drop(state);
                    if interrupt() {
                        return Err(Error::new(
                            Status::Cancelled,
                            "the caller cancelled while the access token was being renewed",
                        ));
                    }
                    state = flight.lock();
                    if state.landed.as_ref().is_some_and(|(landed, _)| *landed >= number) {
                        continue;
                    }
                    left.min(INTERRUPT_INTERVAL)
                }
                None => left,
            };
            state = flight.landing.wait_timeout(state, slice).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    /// A token that is over before it arrives is not handed out.
    fn still_usable(&self, landed: Landed, state: &State) -> Landed {
        let snapshot = landed?;
        if snapshot.usable(self.now()) {
            return Ok(snapshot);
        }
        let why = state.blocked.as_ref().map(|blocked| blocked.error.clone());
        Err(why.unwrap_or_else(|| {
            Error::new(Status::Unavailable, "the renewed access token was over before it could be used; try again")
        }))
    }

    /// Starts a renewal on a thread of its own, unless an earlier failure forbids it.
    fn take_off(self: &Arc<Self>, flight: &Arc<Flight>, state: &mut State, now: Moment, attempt: Attempt) -> Result<()> {
        if let Some(blocked) = &state.blocked {
            match blocked.until_ms {
                None if !attempt.asked => return Err(blocked.error.clone()),
                Some(until) if now.monotonic_ms < until => {
                    return Err(blocked.error.clone().with_retry_after_ms(Some(until - now.monotonic_ms)));
                }
                _ => {}
            }
        }
        state.number += 1;
        let number = state.number;
        let (this, meeting) = (self.clone(), flight.clone());
        let spawned = std::thread::Builder::new().name("planetkey-renewal".into()).spawn(move || {
            RENEWING.set(true);
            let mut landing = Landing { renewing: &this, flight: &meeting, number, result: None };
            landing.result = Some(this.renew(attempt));
        });
        match spawned {
            Ok(_) => {
                state.flying = true;
                Ok(())
            }
            Err(error) => {
                Err(Error::new(Status::Unavailable, format!("no thread could be started to renew the access token: {error}")))
            }
        }
    }

    /// The renewal itself: lock, look again, ask, keep, publish.
    fn renew(&self, attempt: Attempt) -> Landed {
        let _lock = self.storage.lock()?;
        let before = self.last();
        if let Some(stored) = self.storage.load()? {
            let theirs = stored.tokens.access_token.expose();
            let candidate = self.snapshot_of(&stored, false);
            if before.as_ref().is_none_or(|mine| mine.token() != theirs)
                && candidate.usable(self.now())
                && !candidate.due(self.now())
            {
                return Ok(self.publish(candidate));
            }
        }
        let deadline_ms = self.now().plus_ms(u64::try_from(attempt.timeout.as_millis()).unwrap_or(u64::MAX)).monotonic_ms;
        let tokens = self.machine.request(&self.http, attempt.patience, deadline_ms)?;
        let stored = Arc::new(Stored { tokens, received: self.now() });
        if let Err(error) = self.storage.save(stored.clone()) {
            log::warn!("the renewed session lives in this process only: {error}");
        }
        let after_rejection = before.is_some_and(|snapshot| snapshot.is_rejected());
        Ok(self.publish(self.snapshot_of(&stored, after_rejection)))
    }

    fn snapshot_of(&self, stored: &Stored, after_rejection: bool) -> Snapshot {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        Snapshot::bearer(stored, generation, after_rejection, self.http.random())
    }

    fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        self.generation.store(snapshot.generation, Ordering::Relaxed);
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Some(snapshot.clone()));
        snapshot
    }

    /// What a failure means for the next attempt.
    fn blocked(&self, error: &Error, failures: u32, now: Moment) -> Blocked {
        let in_ms = |wait: u64| Blocked { until_ms: Some(now.monotonic_ms.saturating_add(wait)), error: error.clone() };
        let backoff = || {
            let longest = (MIN_SPACING_MS << failures.clamp(1, 10).saturating_sub(1)).min(MAX_BACKOFF_MS);
            (longest as f64 * (0.5 + 0.5 * crate::clock::fraction(self.http.random()))) as u64
        };
        match error.status() {
            Status::Unavailable if error.retry_after_ms().is_some() => {
                in_ms(error.retry_after_ms().unwrap_or(0).clamp(MIN_SPACING_MS, MAX_RETRY_AFTER_MS))
            }
            // Nothing was answered, so nobody is bothered: when the network is back, the next call works at once.
            Status::Unavailable if error.http_status().is_none() => in_ms(backoff().min(MIN_SPACING_MS)),
            Status::Unavailable | Status::Timeout | Status::Protocol | Status::Storage | Status::Internal | Status::Cancelled => {
                in_ms(backoff())
            }
            _ if error.retryable() || error.reason() == Some("tls") || error.reason() == Some("proxy_authentication") => {
                in_ms(backoff())
            }
            _ => Blocked { until_ms: None, error: error.clone() },
        }
    }
}

/// Publishes the outcome of a flight, also when its thread panics.
struct Landing<'a> {
    renewing: &'a Renewing,
    flight: &'a Flight,
    number: u64,
    result: Option<Landed>,
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let result = self
            .result
            .take()
            .unwrap_or_else(|| {
                Err(Error::new(Status::Internal, "the renewal of the access token ended in a bug; please report it"))
            })
            .map_err(|error| error.with_profile(self.renewing.profile.as_deref()));
        // A token counts from its receipt: readers may have had it for a while when this runs.
        let now = result.as_ref().map_or_else(|_| self.renewing.now(), |snapshot| snapshot.received);
        let mut state = self.flight.lock();
        state.flying = false;
        let background_in = match &result {
            Ok(snapshot) => {
                state.failures = 0;
                // A life this short cannot be served by renewing: it would be one request per call.
                state.blocked = (snapshot.lifetime_ms < 2 * MIN_SPACING_MS).then(|| Blocked {
                    until_ms: Some(now.monotonic_ms.saturating_add(MIN_SPACING_MS)),
                    error: Error::new(
                        Status::Unavailable,
                        format!(
                            "the authorization server issues tokens that live {} ms, too short to be used",
                            snapshot.lifetime_ms
                        ),
                    ),
                });
                MIN_SPACING_MS
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let blocked = self.renewing.blocked(error, state.failures, now);
                let wait = blocked.until_ms.map_or(MAX_RETRY_AFTER_MS, |until| until.saturating_sub(now.monotonic_ms));
                state.blocked = Some(blocked);
                wait.max(MIN_SPACING_MS)
            }
        };
        self.renewing.background_after_ms.store(now.monotonic_ms.saturating_add(background_in), Ordering::Relaxed);
        let failure = result.as_ref().err().cloned();
        state.landed = Some((self.number, result));
        drop(state);
        self.flight.landing.notify_all();
        // At the very end: a logger may call back into the session, or take its time.
        if let Some(error) = failure {
            log::warn!("the access token could not be renewed: {error}");
        }
    }
}
