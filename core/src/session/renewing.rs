//! A credential source whose token is renewed: what readers see of it, and when somebody sets out to renew.

use super::backoff;
use super::client::Client;
use super::flight::{Flight, INTERRUPT_INTERVAL, Purpose, State, Wait, cancelled};
use super::once_a_second::OnceASecond;
use super::renewal::Attempt;
use super::snapshot::Snapshot;
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::http::{Http, Patience};
use crate::storage::{Kept, Seen, Storage, Stored, fingerprint};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A process that ends waits for what it has begun in the background: that must be over before.
const BACKGROUND_LIMIT: Duration = Duration::from_secs(4);

thread_local! {
    /// Whether this thread is renewing: a logger or storage that is called on it must not wait for what it is doing itself.
    pub(super) static RENEWING: Cell<bool> = const { Cell::new(false) };
}

/// A caller's thread is inside what others wait for.
pub(super) struct Inside;

impl Inside {
    /// Errors: UNAVAILABLE where it is already.
    pub(super) fn enter() -> Result<Self> {
        check_outside()?;
        RENEWING.set(true);
        Ok(Inside)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        RENEWING.set(false);
    }
}

fn check_outside() -> Result<()> {
    match RENEWING.get() {
        false => Ok(()),
        true => Err(Error::new(
            Status::Unavailable,
            "a log handler or storage called the session from inside its own renewal or logout, which cannot wait for itself",
        )),
    }
}

pub(super) type Landed = Result<Arc<Snapshot>>;

/// Tokens that live in this process only.
pub(super) struct Unsaved {
    pub(super) stored: Stored,
    pub(super) why: Error,
    /// What they should have replaced: as long as that is what is stored, they count for more.
    pub(super) replaced: Option<String>,
}

/// A credential source whose token is renewed.
pub(crate) struct Renewing {
    snapshot: ArcSwapOption<Snapshot>,
    pub(super) flight: ArcSwap<Flight<Arc<Snapshot>>>,
    /// Not before this, on the monotonic clock, does a caller with a valid token start a renewal.
    pub(super) background_after_ms: AtomicU64,
    pub(super) turn: OnceASecond,
    /// The state of the storage that the snapshot is from.
    pub(super) seen: ArcSwap<Seen>,
    /// Tokens that could not be stored, and why.
    pub(super) unsaved: ArcSwapOption<Unsaved>,
    /// There was a session, and it was removed.
    pub(super) logged_out: AtomicBool,
    /// Whether a renewal needs no person.
    renewable: AtomicBool,
    generation: AtomicU64,
    pub(crate) client: Client,
    pub(super) storage: Arc<dyn Storage>,
    pub(super) http: Http,
    pub(super) timeout: Duration,
    pub(super) profile: Option<String>,
    /// What could not be kept is not asked for.
    pub(crate) must_save: bool,
}

impl Renewing {
    pub(crate) fn new(client: Client, storage: Arc<dyn Storage>, http: Http, timeout: Duration, profile: Option<String>) -> Self {
        // What cannot be looked at is read by renewals alone.
        let watched = storage.seen() != Seen::Unknown;
        Renewing {
            snapshot: ArcSwapOption::empty(),
            flight: ArcSwap::from_pointee(Flight::new()),
            background_after_ms: AtomicU64::new(0),
            turn: if watched { OnceASecond::new() } else { OnceASecond::never() },
            seen: ArcSwap::from_pointee(if watched { Seen::Absent } else { Seen::Unknown }),
            unsaved: ArcSwapOption::empty(),
            logged_out: AtomicBool::new(false),
            // An encrypted session is read when a token is needed; that it is there is known.
            renewable: AtomicBool::new(client.renews_alone() || !watched && storage.path().is_some_and(Path::exists)),
            generation: AtomicU64::new(0),
            client,
            storage,
            http,
            timeout,
            profile,
            must_save: false,
        }
    }

    pub(super) fn now(&self) -> Moment {
        self.http.clock().now()
    }

    /// The last token, valid or not.
    pub(crate) fn last(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.load_full()
    }

    /// The last token, valid or not, for `status()`.
    pub(crate) fn look_at_last(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        self.look_if_due(self.now());
        self.last()
    }

    /// Whether the last token is valid.
    pub(crate) fn is_usable(&self) -> bool {
        self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.usable(self.now()))
    }

    /// Looks, now and then, whether another process has changed the session.
    #[inline]
    pub(crate) fn look_now_and_then(self: &Arc<Self>) {
        self.look_if_due(self.now());
    }

    /// Whether requests can be served without a person, for a while at least.
    pub(crate) fn is_initialized(&self) -> bool {
        self.renewable.load(Ordering::Relaxed) || self.is_usable()
    }

    /// The file that the session is kept in.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.storage.path()
    }

    /// Why the session lives in this process only, if it does although it should not.
    pub(crate) fn unsaved_because(&self) -> Option<Error> {
        self.unsaved.load().as_ref().map(|unsaved| unsaved.why.clone())
    }

    /// Why what is kept cannot be read. An encrypted file takes a program to read, and an application's storage is its own affair.
    pub(crate) fn unreadable_because(&self) -> Option<Error> {
        if self.unsaved.load().is_some() || **self.seen.load() == Seen::Unknown || self.storage.path().is_none() {
            return None;
        }
        match self.storage.load(self.now(), false) {
            Ok(_) => None,
            // Without waiting nobody knows which.
            Err(error) if error.retryable() => Some(Error::new(
                Status::Storage,
                format!("{} is damaged, or being written right now", self.storage.path()?.display()),
            )),
            Err(error) => Some(error),
        }
    }

    /// The token if it is valid. When it is due, somebody starts to renew it in the background.
    #[inline]
    fn valid<'s>(self: &Arc<Self>, snapshot: &'s Option<Arc<Snapshot>>, now: Moment) -> Option<&'s Arc<Snapshot>> {
        let snapshot = snapshot.as_ref().filter(|snapshot| snapshot.usable(now))?;
        if snapshot.due(now) {
            self.renew_in_background(now);
        }
        Some(snapshot)
    }

    /// The valid token without waiting.
    #[inline]
    pub(crate) fn cached(self: &Arc<Self>) -> Option<Arc<Snapshot>> {
        let now = self.now();
        self.look_if_due(now);
        self.valid(&self.snapshot.load(), now).cloned()
    }

    /// The valid token, renewed if need be. Blocks only then.
    #[inline]
    pub(crate) fn current(self: &Arc<Self>, wait: Wait<'_>) -> Landed {
        self.with_current(wait, Arc::clone)
    }

    /// As [`Renewing::current`], lent: threads that use one token at the same time do not even share a counter.
    #[inline]
    pub(crate) fn with_current<T>(self: &Arc<Self>, wait: Wait<'_>, use_it: impl FnOnce(&Arc<Snapshot>) -> T) -> Result<T> {
        let now = self.now();
        self.look_if_due(now);
        let snapshot = self.snapshot.load();
        if let Some(snapshot) = self.valid(&snapshot, now) {
            return Ok(use_it(snapshot));
        }
        drop(snapshot);
        self.wait_for_newer(None, wait).map(|snapshot| use_it(&snapshot))
    }

    /// A token newer than the one there is now.
    pub(crate) fn refresh(self: &Arc<Self>, wait: Wait<'_>) -> Landed {
        self.look_if_due(self.now());
        let generation = self.last().map_or(0, |snapshot| snapshot.generation);
        self.wait_for_newer(Some(generation), wait)
    }

    /// An API answered 401 to this token. `true` when the next call renews because of it: once per generation, not for a token that is
    /// no longer the current one, and after each further refusal in a row only after a longer wait, whichever process renewed.
    pub(crate) fn invalidate(&self, access_token: &str) -> bool {
        let Some(snapshot) = self.last() else { return false };
        if !crate::secret::equal_in_constant_time(snapshot.token(), access_token) {
            return false;
        }
        // A token that was just renewed because of a 401 and is refused again is not the cause: the API is.
        let rejections = snapshot.rejections();
        if rejections > 0 && snapshot.age_ms(self.http.clock()) < backoff::longest_ms(rejections) {
            snapshot.note_refused_again();
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

    /// The session is gone.
    pub(super) fn forget(&self) {
        let flight = self.flight();
        let _state = flight.lock();
        self.unsaved.store(None);
        // What was being looked up meanwhile is not published any more.
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.snapshot.store(None);
        self.logged_out.store(true, Ordering::Relaxed);
        self.renewable.store(self.client.renews_alone(), Ordering::Relaxed);
    }

    /// The flight of this process: after a fork the child starts clean.
    pub(super) fn flight(&self) -> Arc<Flight<Arc<Snapshot>>> {
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
        if self.turn.is_due(now) {
            self.look(now);
        }
    }

    /// Looks whether another process has changed the session: one system call, and a read only then. One thread does it for all.
    #[cold]
    fn look(self: &Arc<Self>, now: Moment) {
        if !self.turn.take_turn(now) {
            return;
        }
        if self.unsaved.load().is_some() {
            self.renew_in_background(now);
        }
        let before = **self.seen.load();
        if self.storage.seen() == before {
            return;
        }
        let epoch = self.generation.load(Ordering::Relaxed);
        match self.storage.load(now, false) {
            Ok((kept, seen)) => self.take_over(kept, seen, before, epoch, now),
            // Torn, or unreadable: a renewal says so when there is none better.
            Err(_) => self.turn.look_again_soon(now),
        }
    }

    /// Makes what was found on disk the session's own.
    fn take_over(&self, kept: Kept, seen: Seen, before: Seen, epoch: u64, now: Moment) {
        if let Some(unsaved) = self.unsaved.load().as_ref()
            && unsaved.replaced == kept.identity()
        {
            // Somebody has touched the file, no more.
            self.seen.store(Arc::new(seen));
            return;
        }
        let flight = self.flight();
        let state = flight.lock();
        // A renewal or a logout was faster, and knows better; or it has just put a damaged file aside.
        if self.generation.load(Ordering::Relaxed) != epoch || **self.seen.load() != before {
            drop(state);
            self.turn.look_again_soon(now);
            return;
        }
        self.seen.store(Arc::new(seen));
        match kept {
            Kept::Tokens(stored) => {
                let candidate = self.snapshot_of(&stored);
                let last = self.last();
                let is_same = last.as_ref().is_some_and(|mine| mine.token() == candidate.token());
                // A machine's own valid token is as good as any; a person's session is the one on disk, whoever it is.
                let mine_is_better =
                    self.client.renews_alone() && !candidate.usable(now) && last.is_some_and(|mine| mine.usable(now));
                self.unsaved.store(None);
                self.note_renewable(&stored);
                if !is_same && !mine_is_better {
                    self.publish_locked(candidate);
                }
                drop(state);
            }
            Kept::Nothing if matches!(before, Seen::At(_)) => {
                drop(state);
                self.forget();
                log::info!("the session was removed by another process");
            }
            // A machine's own token is as good as before; a person is no longer logged in here.
            Kept::Foreign if !self.client.renews_alone() && matches!(before, Seen::At(_)) => {
                drop(state);
                self.forget();
                log::info!("a session of another client or server has taken the place of this one");
            }
            Kept::Nothing | Kept::Foreign => drop(state),
        }
        self.unblock();
    }

    /// What failed for good may work now that something has changed.
    fn unblock(&self) {
        let flight = self.flight();
        let mut state = flight.lock();
        if state.blocked.as_ref().is_some_and(|blocked| blocked.until_ms.is_none()) {
            state.blocked = None;
            self.background_after_ms.store(0, Ordering::Relaxed);
        }
    }

    pub(super) fn note_renewable(&self, stored: &Stored) {
        let renewable = self.client.renews_alone() || stored.tokens.refresh_token().is_some() && !self.is_revoked(stored);
        self.renewable.store(renewable, Ordering::Relaxed);
        self.logged_out.store(false, Ordering::Relaxed);
    }

    /// Whether the server is known to have revoked the refresh token of this session. Reads the sidecar file.
    pub(crate) fn is_revoked(&self, stored: &Stored) -> bool {
        let refresh_token = stored.tokens.refresh_token();
        refresh_token.is_some_and(|token| self.storage.memo().is_dead(&self.fingerprint_of(token)))
    }

    /// The session can be refreshed no more: the server revoked its refresh token.
    pub(super) fn note_revoked(&self) {
        self.renewable.store(false, Ordering::Relaxed);
    }

    /// What is remembered of a refresh token. Another client's attempt with the same token says nothing about it.
    pub(super) fn fingerprint_of(&self, refresh_token: &str) -> String {
        fingerprint(&[&self.client.binding().fingerprint, refresh_token])
    }

    fn renew_in_background(self: &Arc<Self>, now: Moment) {
        if now.monotonic_ms < self.background_after_ms.load(Ordering::Relaxed) {
            return;
        }
        let flight = self.flight();
        let than = self.last().map_or(0, |snapshot| snapshot.generation);
        // A machine's token can be asked for again; a refresh token that was sent must get its whole time.
        let limit = if self.client.renews_alone() { BACKGROUND_LIMIT } else { Duration::MAX };
        let timeout = self.timeout.min(limit);
        // Whoever holds the lock is starting or landing a renewal: nothing to add.
        if let Some(mut state) = flight.try_lock()
            && !state.flying
            // Nor to what landed since this was last asked.
            && now.monotonic_ms >= self.background_after_ms.load(Ordering::Relaxed)
            && let Err(error) =
                self.take_off(&flight, &mut state, now, Attempt {
                    patience: Patience::Once,
                    timeout,
                    asked: false,
                    needs_token: false,
                    than,
                })
        {
            let wait = error.retry_after_ms().unwrap_or(backoff::MAX_BACKOFF_MS);
            self.background_after_ms.store(now.monotonic_ms.saturating_add(wait), Ordering::Relaxed);
        }
    }

    fn wait_for_newer(self: &Arc<Self>, than: Option<u64>, wait: Wait<'_>) -> Landed {
        check_outside()?;
        // Who waits longer than the session's own deadline gets a renewal that may take as long.
        let timeout = self.timeout.max(wait.timeout);
        let flight = self.flight();
        // Whatever comes after what there was when this caller came is good enough for it.
        let last = || self.last().map_or(0, |snapshot| snapshot.generation);
        let good_after = than.unwrap_or_else(last);
        let ready = || {
            let now = self.now();
            self.last()
                .filter(|snapshot| snapshot.usable(now))
                .filter(|snapshot| than.is_none_or(|generation| snapshot.generation > generation))
        };
        let take_off = |state: &mut State<Arc<Snapshot>>, first: bool| {
            let than_that = if first { good_after } else { last() };
            let attempt = Attempt {
                patience: Patience::Patient,
                timeout,
                asked: first && than.is_some(),
                needs_token: than.is_none(),
                than: than_that,
            };
            self.take_off(&flight, state, self.now(), attempt)
        };
        // An API may refuse the new token before this caller wakes up: it then waits for the one after it.
        let started = Instant::now();
        let mut was_over = false;
        loop {
            let wait = Wait { timeout: wait.timeout.saturating_sub(started.elapsed()), ..wait };
            let (snapshot, why) = match flight.join(wait, ready, |snapshot| snapshot.is_rejected(), take_off) {
                Ok(landed) => landed,
                // A caller without a token does not get the failure of an attempt that had less time than it has itself.
                Err(missed)
                    if missed.may_try_again
                        && than.is_none()
                        && missed.error.retry_after_ms().is_none()
                        && self.wait_for_turn(&flight, wait, timeout)? =>
                {
                    continue;
                }
                Err(missed) => {
                    // This caller's time may be up before that of the renewal, which waits for another process and would name it.
                    let error = match missed.error.status() {
                        Status::Timeout => self.storage.busy().unwrap_or(missed.error),
                        _ => missed.error,
                    };
                    return Err(error.with_profile(self.profile.as_deref()));
                }
            };
            let now = self.now();
            if snapshot.usable(now) {
                if snapshot.due(now) && than.is_none() {
                    self.renew_in_background(now);
                }
                return Ok(snapshot);
            }
            // Nor does a token count that was over when this caller came, though its flight had not landed yet.
            if snapshot.is_rejected() || why.is_none() && !was_over {
                was_over = !snapshot.is_rejected();
                continue;
            }
            // A token that is over before it arrives is not handed out.
            return Err(why.unwrap_or_else(|| {
                Error::new(Status::Unavailable, "the renewed access token was over before it could be used; try again")
            }));
        }
    }

    /// Waits until an attempt for a caller without a token is allowed; `false` where its time is up before. Errors: CANCELLED.
    fn wait_for_turn(&self, flight: &Flight<Arc<Snapshot>>, wait: Wait<'_>, timeout: Duration) -> Result<bool> {
        let started = Instant::now();
        let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
        let purpose = Purpose { asked: false, needs_token: true, timeout_ms };
        loop {
            let Err(error) = flight.lock().check_blocked(self.now().monotonic_ms, purpose) else { return Ok(true) };
            let left = wait.timeout.saturating_sub(started.elapsed());
            match error.retry_after_ms().map(Duration::from_millis) {
                Some(blocked) if blocked < left => self.http.clock().sleep(blocked.min(INTERRUPT_INTERVAL)),
                _ => return Ok(false),
            }
            if wait.interrupt.is_some_and(|interrupt| interrupt()) {
                return Err(cancelled().with_profile(self.profile.as_deref()));
            }
        }
    }

    pub(super) fn snapshot_of(&self, stored: &Stored) -> Snapshot {
        Snapshot::bearer(stored, self.http.random())
    }

    /// Makes it the token that everybody gets. Not to be called with the flight's lock held.
    pub(super) fn publish(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let flight = self.flight();
        let _state = flight.lock();
        self.publish_locked(snapshot)
    }

    fn publish_locked(&self, mut snapshot: Snapshot) -> Arc<Snapshot> {
        snapshot.generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let snapshot = Arc::new(snapshot);
        self.snapshot.store(Some(snapshot.clone()));
        snapshot
    }
}
