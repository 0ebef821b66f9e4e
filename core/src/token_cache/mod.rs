//! Keeps one access token fresh (design, section 7): what readers see of it, and when a refresh starts.
//!
//! [`TokenCache`] owns everything that changes while a token lives. Exactly one function, [`TokenCache::apply`], changes it; a
//! refresh, a look at the file, a login and a logout return a [`RefreshOutcome`] for it.

mod backoff;
mod cached_token;
mod file_unchanged;
mod outcome;
mod pending;
mod reentry;
mod refresh;
#[cfg(all(test, feature = "shuttle"))]
mod shuttle_tests;
mod single_flight;
mod sync;
mod user_session;
mod watch;

pub(crate) use cached_token::CachedToken;
pub(crate) use outcome::Unsaved;
pub(crate) use pending::Pending;
pub use pending::settle;
pub(crate) use single_flight::{INTERRUPT_INTERVAL, Wait};
pub(crate) use watch::Watch;

use crate::client::Client;
use crate::clock::{Moment, fraction};
use crate::error::{Error, Result, Status};
use crate::http::retry_after::MAX_RETRY_AFTER_MS;
use crate::http::{Http, Patience};
use crate::storage::{Failure, FileVersion, Lock, Saved, Storage, Stored};
use crate::threads;
use arc_swap::{ArcSwap, ArcSwapOption};
use backoff::MIN_SPACING_MS;
use outcome::{Failed, RefreshOutcome, Save, was_stopped};
use reentry::ReentryGuard;
use refresh::{Refresh, RefreshRequest};
use single_flight::{Blocked, FlightState, Purpose, SingleFlight, cancelled};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Process exit waits for a refresh in the background, so it must end before that wait does.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(4);
/// Tokens that could not be saved are saved again after this time.
const SAVE_AGAIN_MS: u64 = 30_000;

type Flight = SingleFlight<Arc<CachedToken>>;
type State = FlightState<Arc<CachedToken>>;
type Refreshed = Result<Arc<CachedToken>>;

/// What this process knows of the saved session. Replaced as a whole.
#[derive(Clone)]
struct SavedState {
    /// The version of the file that the cached token is from.
    version: FileVersion,
    /// Tokens that could not be saved.
    unsaved: Option<Arc<Unsaved>>,
    /// There was a session, and it was deleted.
    was_logged_out: bool,
    /// Whether a refresh is possible without a login.
    is_refreshable: bool,
}

/// One access token, with everything that keeps it fresh. Any number of threads may use it.
pub(crate) struct TokenCache {
    token: ArcSwapOption<CachedToken>,
    saved: ArcSwap<SavedState>,
    flight: ArcSwap<Flight>,
    /// On the monotonic clock: before this no caller with a valid token starts a refresh.
    background_after_ms: AtomicU64,
    watch: Watch,
    generation: AtomicU64,
    client: Client,
    storage: Arc<dyn Storage>,
    http: Http,
    timeout: Duration,
    profile: Option<String>,
    must_save: bool,
}

impl TokenCache {
    /// `must_save`: fail before a refresh whose new refresh token could not be saved.
    pub(crate) fn new(
        client: Client,
        storage: Arc<dyn Storage>,
        http: Http,
        timeout: Duration,
        profile: Option<String>,
        must_save: bool,
    ) -> Self {
        // A storage without versions is read by refreshes only.
        let has_versions = storage.file_version() != FileVersion::Unknown;
        let saved = SavedState {
            version: if has_versions { FileVersion::Absent } else { FileVersion::Unknown },
            unsaved: None,
            was_logged_out: false,
            // An encrypted session is read when a token is needed. That it exists is known.
            is_refreshable: client.is_m2m() || !has_versions && storage.path().is_some_and(Path::exists),
        };
        TokenCache {
            token: ArcSwapOption::empty(),
            saved: ArcSwap::from_pointee(saved),
            flight: ArcSwap::from_pointee(Flight::new()),
            background_after_ms: AtomicU64::new(0),
            watch: if has_versions { Watch::new() } else { Watch::never() },
            generation: AtomicU64::new(0),
            client,
            storage,
            http,
            timeout,
            profile,
            must_save,
        }
    }

    /// The client whose token this is.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// How the client's server is reached.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The profile whose session this is.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The file that the session is saved in.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.storage.path()
    }

    pub(crate) fn now(&self) -> Moment {
        self.http.clock().now()
    }

    /// The last token, valid or not.
    fn last(&self) -> Option<Arc<CachedToken>> {
        self.token.load_full()
    }

    /// The last token, valid or not, for `status()`.
    pub(crate) fn look_at_last(self: &Arc<Self>) -> Option<Arc<CachedToken>> {
        self.look_if_due(self.now());
        self.last()
    }

    /// Whether the last token is valid.
    pub(crate) fn is_usable(&self) -> bool {
        self.token.load().as_ref().is_some_and(|token| token.usable(self.now()))
    }

    /// Looks, at most once a second, whether another process changed the session.
    #[inline]
    pub(crate) fn look_now_and_then(self: &Arc<Self>) {
        self.look_if_due(self.now());
    }

    /// Whether requests can be served without a login, for a while at least.
    pub(crate) fn is_initialized(&self) -> bool {
        self.saved.load().is_refreshable || self.is_usable()
    }

    /// The token if it is valid. When it is due, a refresh starts in the background.
    #[inline]
    fn valid<'t>(self: &Arc<Self>, token: &'t Option<Arc<CachedToken>>, now: Moment) -> Option<&'t Arc<CachedToken>> {
        let token = token.as_ref().filter(|token| token.usable(now))?;
        if token.due(now) {
            self.refresh_in_background(now);
        }
        Some(token)
    }

    /// The valid token without waiting.
    #[inline]
    pub(crate) fn cached(self: &Arc<Self>) -> Option<Arc<CachedToken>> {
        let now = self.now();
        self.look_if_due(now);
        self.valid(&self.token.load(), now).cloned()
    }

    /// As [`TokenCache::cached`], lent.
    #[inline]
    pub(crate) fn with_cached<T>(self: &Arc<Self>, use_it: impl FnOnce(&Arc<CachedToken>) -> T) -> Option<T> {
        let now = self.now();
        self.look_if_due(now);
        self.valid(&self.token.load(), now).map(use_it)
    }

    /// The valid token, refreshed if necessary. Blocks only then.
    #[inline]
    pub(crate) fn current(self: &Arc<Self>, wait: Wait<'_>) -> Refreshed {
        self.with_current(wait, Arc::clone)
    }

    /// As [`TokenCache::current`], lent: threads that use one token at the same time do not even share a counter.
    #[inline]
    pub(crate) fn with_current<T>(self: &Arc<Self>, wait: Wait<'_>, use_it: impl FnOnce(&Arc<CachedToken>) -> T) -> Result<T> {
        let now = self.now();
        self.look_if_due(now);
        let token = self.token.load();
        if let Some(token) = self.valid(&token, now) {
            return Ok(use_it(token));
        }
        drop(token);
        self.wait_for_token(None, wait).map(|token| use_it(&token))
    }

    /// A token newer than the present one.
    pub(crate) fn refresh(self: &Arc<Self>, wait: Wait<'_>) -> Refreshed {
        self.look_if_due(self.now());
        self.wait_for_token(Some(self.last_generation()), wait)
    }

    /// An API answered 401 to this token. `true` when the next call refreshes because of it: once per generation, not for a token that is no
    /// longer the current one, and after each further refusal in a row only after a longer wait, whichever process refreshed.
    pub(crate) fn invalidate(&self, access_token: &str) -> bool {
        let Some(token) = self.last() else { return false };
        if !crate::secret::equal_in_constant_time(token.token(), access_token) {
            return false;
        }
        // A token that was just requested because of a 401 and is refused again is not the cause: the API is.
        let rejections = token.rejections();
        if rejections > 0 && token.age_ms(self.http.clock()) < backoff::longest_ms(rejections) {
            token.note_refused_again();
            return false;
        }
        token.reject()
    }

    /// Whether this is its last token, valid or not.
    pub(crate) fn holds(&self, access_token: &str) -> bool {
        self.last().is_some_and(|token| crate::secret::equal_in_constant_time(token.token(), access_token))
    }

    /// Whether its last token was refused by an API.
    pub(crate) fn is_rejected(&self) -> bool {
        self.last().is_some_and(|token| token.is_rejected())
    }

    fn last_generation(&self) -> u64 {
        self.last().map_or(0, |token| token.generation)
    }

    /// The flight of this process: a forked child starts its own.
    fn flight(&self) -> Arc<Flight> {
        let flight = self.flight.load_full();
        if flight.pid == std::process::id() {
            return flight;
        }
        let fresh = Arc::new(Flight::new());
        let before = self.flight.compare_and_swap(&flight, fresh.clone());
        if Arc::ptr_eq(&before, &flight) { fresh } else { self.flight.load_full() }
    }

    #[inline]
    fn look_if_due(self: &Arc<Self>, now: Moment) {
        if self.watch.is_due(now) {
            self.look(now);
        }
    }

    /// Looks whether another process changed the session: one system call, and a read only if the version changed. One thread does it.
    #[cold]
    fn look(self: &Arc<Self>, now: Moment) {
        if !self.watch.take_turn(now) {
            return;
        }
        let saved = self.saved.load_full();
        if saved.unsaved.is_some() {
            self.refresh_in_background(now);
        }
        if self.storage.file_version() == saved.version {
            return;
        }
        let generation = self.generation.load(Ordering::Relaxed);
        match self.storage.load(now, false) {
            Ok((content, version)) => self.take_over(content, version, &saved, generation, now),
            // Torn or unreadable: a refresh reports it if no other token is available.
            Err(_) => self.watch.look_again_soon(now),
        }
    }

    /// Applies what was found on disk. `saved` and `generation`: the state before the file was read.
    fn take_over(&self, content: Saved, version: FileVersion, saved: &SavedState, generation: u64, now: Moment) {
        let is_same = saved.unsaved.as_ref().is_some_and(|unsaved| unsaved.replaced == content.identity());
        let is_refreshable = matches!(&content, Saved::Tokens(tokens) if self.could_refresh(tokens));
        let flight = self.flight();
        let mut state = flight.lock();
        // A refresh or a logout was faster, or renames a damaged file right now.
        let is_absent = matches!(content, Saved::Nothing);
        let is_outdated = self.generation.load(Ordering::Relaxed) != generation || self.saved.load().version != saved.version;
        if is_outdated || is_absent && state.is_running {
            drop(state);
            self.watch.look_again_soon(now);
            return;
        }
        let existed = matches!(saved.version, FileVersion::At(_));
        let gone = |what: &str| RefreshOutcome::SessionGone { version, error: Error::new(Status::LoginRequired, what) };
        let outcome = match content {
            // Another program touched the file without changing it. The tokens that could not be saved are still newer.
            _ if is_same => None,
            Saved::Tokens(tokens) => Some(RefreshOutcome::Adopted { tokens, version, is_refreshable }),
            Saved::Nothing if existed => Some(gone("the session was deleted by another process")),
            // The cached token of an M2M client stays valid. A user is no longer logged in here.
            Saved::Foreign if !self.client.is_m2m() && existed => {
                Some(gone("the session was replaced by one of another client or server"))
            }
            Saved::Nothing | Saved::Foreign => None,
        };
        let ended = match outcome {
            Some(outcome) => self.apply(&mut state, outcome, now).err(),
            None => {
                self.set_saved(SavedState { version, ..self.saved.load().as_ref().clone() });
                None
            }
        };
        // What failed for good may work now that the saved session has changed.
        if !is_same && state.blocked.as_ref().is_some_and(|blocked| blocked.until_ms.is_none()) {
            state.blocked = None;
            self.background_after_ms.store(0, Ordering::Relaxed);
        }
        drop(state);
        if let Some(error) = ended {
            log::info!("{}", error.message());
        }
    }

    fn refresh_in_background(self: &Arc<Self>, now: Moment) {
        if now.monotonic_ms < self.background_after_ms.load(Ordering::Relaxed) {
            return;
        }
        let flight = self.flight();
        // An M2M token can be requested again; a refresh token that was sent must get its whole time.
        let limit = if self.client.is_m2m() { BACKGROUND_LIMIT } else { Duration::MAX };
        let request = RefreshRequest {
            patience: Patience::Once,
            timeout: self.timeout.min(limit),
            forced: false,
            needs_token: false,
            newer_than: self.last_generation(),
        };
        // The thread that holds the lock is starting or completing a refresh.
        if let Some(mut state) = flight.try_lock()
            && !state.is_running
            // One may have completed since the last look at this.
            && now.monotonic_ms >= self.background_after_ms.load(Ordering::Relaxed)
            && let Err(error) = self.start(&flight, &mut state, now, request)
        {
            let wait = error.retry_after_ms().unwrap_or(backoff::MAX_BACKOFF_MS);
            self.background_after_ms.store(now.monotonic_ms.saturating_add(wait), Ordering::Relaxed);
        }
    }

    /// Waits for a valid token, and one of a later generation than `newer_than` if that is given.
    fn wait_for_token(self: &Arc<Self>, newer_than: Option<u64>, wait: Wait<'_>) -> Refreshed {
        reentry::check()?;
        // A caller with a later deadline than the session's gets a refresh that may take as long.
        let timeout = self.timeout.max(wait.timeout);
        let flight = self.flight();
        // Any token after the one that was there when the caller came is good enough.
        let good_after = newer_than.unwrap_or_else(|| self.last_generation());
        let ready = || {
            let now = self.now();
            self.last()
                .filter(|token| token.usable(now))
                .filter(|token| newer_than.is_none_or(|generation| token.generation > generation))
        };
        let start = |state: &mut State, first: bool| {
            let request = RefreshRequest {
                patience: Patience::Patient,
                timeout,
                forced: first && newer_than.is_some(),
                needs_token: newer_than.is_none(),
                newer_than: if first { good_after } else { self.last_generation() },
            };
            self.start(&flight, state, self.now(), request)
        };
        // An API may refuse the new token before this thread wakes up. It then waits for the token after it.
        let started = Instant::now();
        let mut had_expired = false;
        loop {
            let wait = Wait { timeout: wait.timeout.saturating_sub(started.elapsed()), ..wait };
            let (token, why) = match flight.wait(wait, ready, |token| token.is_rejected(), start) {
                Ok(completed) => completed,
                // A caller without a token does not get the failure of a refresh that had an earlier deadline than its own.
                Err(missed)
                    if missed.may_try_again
                        && newer_than.is_none()
                        && missed.error.retry_after_ms().is_none()
                        && self.wait_until_allowed(&flight, wait, timeout)? =>
                {
                    continue;
                }
                Err(missed) => {
                    // The caller's deadline may be earlier than that of the refresh, which waits for another process and would name it.
                    let error = match missed.error.status() {
                        Status::Timeout => self.storage.busy().unwrap_or(missed.error),
                        _ => missed.error,
                    };
                    return Err(error.with_profile(self.profile()));
                }
            };
            let now = self.now();
            if token.usable(now) {
                if token.due(now) && newer_than.is_none() {
                    self.refresh_in_background(now);
                }
                return Ok(token);
            }
            // A token that had expired before the caller came does not count either, although its refresh had not completed.
            if token.is_rejected() || why.is_none() && !had_expired {
                had_expired = !token.is_rejected();
                continue;
            }
            // A token that expires before it arrives is not handed out.
            return Err(why.unwrap_or_else(|| {
                Error::new(Status::Unavailable, "the renewed access token was over before it could be used; try again")
            }));
        }
    }

    /// Waits until a refresh for a caller without a token is allowed; `false` if its deadline is earlier. Errors: CANCELLED.
    fn wait_until_allowed(&self, flight: &Flight, wait: Wait<'_>, timeout: Duration) -> Result<bool> {
        let started = Instant::now();
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let purpose = Purpose { forced: false, needs_token: true, timeout_ms };
        loop {
            let Err(error) = flight.lock().check_blocked(self.now().monotonic_ms, purpose) else { return Ok(true) };
            let left = wait.timeout.saturating_sub(started.elapsed());
            match error.retry_after() {
                Some(blocked) if blocked < left => self.http.clock().sleep(blocked.min(INTERRUPT_INTERVAL)),
                _ => return Ok(false),
            }
            if wait.interrupt.is_some_and(|interrupt| interrupt()) {
                return Err(cancelled().with_profile(self.profile()));
            }
        }
    }

    /// Starts a refresh on a thread of its own, unless an earlier failure forbids it.
    fn start(self: &Arc<Self>, flight: &Arc<Flight>, state: &mut State, now: Moment, request: RefreshRequest) -> Result<()> {
        state.check_blocked(now.monotonic_ms, request.purpose())?;
        let number = state.start();
        let (this, flight) = (self.clone(), flight.clone());
        // Process exit waits: a rotated refresh token must be saved, and a short program would never finish what it starts in the
        // background. A caller that stopped waiting for an M2M token does not need it.
        let is_shared = self.storage.path().is_some() && request.patience == Patience::Once;
        let pending = (!self.client.is_m2m() || is_shared).then(Pending::new);
        let work = move || {
            let _pending = pending;
            let _guard = ReentryGuard::mark();
            let deadline = this.now().plus_ms(request.timeout_ms());
            let mut completion =
                Completion { cache: &this, flight: &flight, number, request, deadline, lock: None, outcome: None };
            completion.outcome = Some(this.run(request, deadline, &mut completion.lock));
            drop(completion);
            // Secrets are wiped before process exit stops waiting.
            drop(this);
        };
        // A storage of the application is called there. It may start programs, which inherit the signal mask.
        let spawned = match self.storage.path() {
            Some(_) => threads::spawn("planetkey-refresh", work),
            None => threads::spawn_for_host("planetkey-refresh", work),
        };
        spawned.map(drop).map_err(|error| {
            state.abort();
            Error::new(Status::Unavailable, format!("no thread could be started to renew the access token: {error}"))
        })
    }

    fn run<'s>(&'s self, request: RefreshRequest, deadline: Moment, lock: &mut Option<Box<dyn Lock + 's>>) -> RefreshOutcome {
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

    /// As [`TokenCache::can_refresh`], by what was known when they were read.
    fn could_refresh(&self, tokens: &Stored) -> bool {
        self.client.is_m2m() || tokens.tokens.refresh_token().is_some() && !tokens.is_revoked
    }

    /// Whether these saved tokens can be refreshed without a login. Reads the file beside the session.
    fn can_refresh(&self, tokens: &Stored) -> bool {
        self.client.is_m2m() || tokens.tokens.refresh_token().is_some() && !self.is_revoked(tokens)
    }

    fn set_saved(&self, saved: SavedState) {
        self.saved.store(Arc::new(saved));
    }

    /// The one function that changes the token and what is known of the saved session. Returns what the threads that wait get.
    fn apply(&self, _: &mut State, outcome: RefreshOutcome, now: Moment) -> Refreshed {
        let before = self.saved.load_full();
        let known = |version: FileVersion, is_refreshable: bool| SavedState {
            version,
            unsaved: None,
            was_logged_out: false,
            is_refreshable,
        };
        let after_save = |save: Save, is_refreshable: bool| match save {
            Save::Saved(version) => known(version, is_refreshable),
            Save::Unsaved(unsaved) => {
                // Whoever looks next saves again, even if the file has not changed.
                self.watch.look_again_soon(now);
                SavedState { unsaved: Some(unsaved), ..known(before.version, is_refreshable) }
            }
        };
        match outcome {
            RefreshOutcome::Unchanged { token, saved } => {
                if let Some(save) = saved {
                    self.set_saved(after_save(save, before.is_refreshable));
                }
                Ok(token)
            }
            RefreshOutcome::Adopted { tokens, version, is_refreshable } => {
                self.set_saved(known(version, is_refreshable));
                let token = self.token_of(&tokens);
                match self.last() {
                    Some(last) if last.token() == token.token() => Ok(last),
                    // A user's session is the saved one, whoever logged in. An M2M client's own valid token is as good as any.
                    Some(last) if self.client.is_m2m() && !token.usable(now) && last.usable(now) => Ok(last),
                    _ => Ok(self.publish(token)),
                }
            }
            RefreshOutcome::Issued { tokens, save, is_refreshable } => {
                self.set_saved(after_save(save, is_refreshable));
                Ok(self.publish(self.token_of(&tokens)))
            }
            RefreshOutcome::SessionGone { version, error } => {
                self.clear_token(version);
                Err(error)
            }
            RefreshOutcome::Failed(failed) => {
                if failed.is_gone {
                    self.clear_token(failed.version.unwrap_or(FileVersion::Absent));
                } else if failed.is_revoked || failed.version.is_some() {
                    self.set_saved(SavedState {
                        version: failed.version.unwrap_or(before.version),
                        is_refreshable: before.is_refreshable && !failed.is_revoked,
                        ..before.as_ref().clone()
                    });
                }
                Err(failed.error)
            }
        }
    }

    fn clear_token(&self, version: FileVersion) {
        // A look that is reading the file right now must not bring the token back.
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.token.store(None);
        self.set_saved(SavedState { version, unsaved: None, was_logged_out: true, is_refreshable: self.client.is_m2m() });
    }

    fn token_of(&self, tokens: &Stored) -> CachedToken {
        CachedToken::bearer(tokens, self.http.random())
    }

    fn publish(&self, mut token: CachedToken) -> Arc<CachedToken> {
        token.generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let token = Arc::new(token);
        self.token.store(Some(token.clone()));
        token
    }

    /// Applies the outcome of a refresh and decides when the next one is allowed. Returns what the threads that wait get, and whether a
    /// failure says little to a caller without a valid token.
    fn conclude(&self, flight: &Flight, request: RefreshRequest, deadline: Moment, outcome: RefreshOutcome) -> (Refreshed, bool) {
        let lets_callers_pass = request.patience == Patience::Once || was_stopped(deadline, self.now());
        let shared_wait_ms = match &outcome {
            RefreshOutcome::Failed(Failed { shared_wait_ms, .. }) => *shared_wait_ms,
            _ => None,
        };
        let mut state = flight.lock();
        let result = self.apply(&mut state, outcome, self.now()).map_err(|error| error.with_profile(self.profile()));
        let saved = self.saved.load();
        // The spacing counts from the receipt of a token, which readers may have had for a while. A try to save it counts from now.
        let now = match &result {
            Ok(token) if saved.unsaved.is_none() => token.at,
            _ => self.now(),
        };
        let background_in = match &result {
            Ok(token) => {
                state.failures = 0;
                // A lifetime this short cannot be served by refreshing: it would be one request per call.
                state.blocked = (token.lifetime_ms < 2 * MIN_SPACING_MS).then(|| Blocked {
                    until_ms: Some(now.monotonic_ms.saturating_add(MIN_SPACING_MS)),
                    failure: Failure { error: too_short(token), lets_callers_pass: false, timeout_ms: None },
                });
                if saved.unsaved.is_some() {
                    SAVE_AGAIN_MS
                } else if token.due(now) {
                    // It was found, not requested.
                    0
                } else {
                    MIN_SPACING_MS
                }
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let wait_ms = shared_wait_ms.or_else(|| self.wait_ms(error, state.failures));
                let until_ms = wait_ms.map(|wait| now.monotonic_ms.saturating_add(wait));
                // How long a refresh waited matters to other processes; the refreshes of this one have the same deadline.
                let failure = Failure { error: error.clone(), lets_callers_pass, timeout_ms: None };
                state.blocked = Some(Blocked { until_ms, failure });
                wait_ms.unwrap_or(MAX_RETRY_AFTER_MS).max(MIN_SPACING_MS)
            }
        };
        self.background_after_ms.store(now.monotonic_ms.saturating_add(background_in), Ordering::Relaxed);
        (result, lets_callers_pass)
    }

    /// How long the next attempt waits after so many failures in a row; `None`: until the configuration or the saved session changes.
    fn wait_ms(&self, error: &Error, failures: u32) -> Option<u64> {
        let has_versions = self.saved.load().version != FileVersion::Unknown;
        backoff::wait_of(error, failures, fraction(self.http.random()), has_versions || self.client.is_m2m())
    }
}

/// Completes a refresh, also when its thread panics.
struct Completion<'a> {
    cache: &'a TokenCache,
    flight: &'a Flight,
    number: u64,
    request: RefreshRequest,
    deadline: Moment,
    /// The storage's lock. It is released after the outcome was applied, and before other threads are told.
    lock: Option<Box<dyn Lock + 'a>>,
    outcome: Option<RefreshOutcome>,
}

impl Drop for Completion<'_> {
    fn drop(&mut self) {
        let outcome = self.outcome.take().unwrap_or_else(|| {
            let message = "the renewal of the access token ended in a bug; please report it";
            RefreshOutcome::Failed(Error::new(Status::Internal, message).into())
        });
        let (result, lets_callers_pass) = self.cache.conclude(self.flight, self.request, self.deadline, outcome);
        drop(self.lock.take());
        let failure = result.as_ref().err().cloned();
        self.flight.complete(self.number, result, lets_callers_pass);
        // Last, because a logger may call back into the session, or take its time.
        if let Some(error) = failure {
            log::warn!("the access token could not be renewed: {error}");
        }
    }
}

fn too_short(token: &CachedToken) -> Error {
    let lifetime_ms = token.lifetime_ms;
    let message = format!("the authorization server issues tokens that live {lifetime_ms} ms, too short to be used");
    Error::new(Status::Unavailable, message)
}
