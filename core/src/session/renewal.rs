//! One renewal: lock, look again, ask, keep, publish.

use super::flight::{Blocked, Flight, State};
use super::in_flight::InFlight;
use super::renewing::{Landed, MAX_BACKOFF_MS, RENEWING, Renewing, Unsaved};
use super::snapshot::Snapshot;
use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::error::{Error, Result, Status};
use crate::http::retry_after::MAX_RETRY_AFTER_MS;
use crate::http::{Patience, Precondition};
use crate::storage::{Kept, Memo, Seen, Storage, Stored};
use crate::threads;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A token that lives shorter than twice this is still not asked for more often than once in this time.
const MIN_SPACING_MS: u64 = 1_000;
/// Storing is tried again after this.
const SAVE_AGAIN_MS: u64 = 30_000;
/// Planet's own tools write the file after they have rotated: so long after a refusal it is looked at again.
const REREAD_AFTER_MS: [u64; 3] = [25, 50, 100];

/// Another program that changes the file more often than this before one request is not followed any further.
const MAX_OVERTAKEN: u32 = 5;

/// How one renewal is tried.
#[derive(Clone, Copy)]
pub(super) struct Attempt {
    pub(super) patience: Patience,
    pub(super) timeout: Duration,
    /// Somebody asked for it by name and may have changed something.
    pub(super) asked: bool,
    /// The generation that was not good enough: a later one, however it came, spares the request.
    pub(super) than: u64,
}

/// Where a new token came from.
enum Obtained {
    Answer(TokenSet),
    /// Another process had it already.
    Disk(Arc<Stored>, Seen),
}

impl Renewing {
    /// Starts a renewal on a thread of its own, unless an earlier failure forbids it.
    pub(super) fn take_off(
        self: &Arc<Self>,
        flight: &Arc<Flight<Arc<Snapshot>>>,
        state: &mut State<Arc<Snapshot>>,
        now: Moment,
        attempt: Attempt,
    ) -> Result<()> {
        state.check_blocked(now.monotonic_ms, attempt.asked)?;
        let number = state.take_off();
        let (this, meeting) = (self.clone(), flight.clone());
        // Waited for at the end of the process: what a refresh token was exchanged for must be kept, and short programs would never
        // finish what they begin in the background. Somebody who gave up waiting for a machine's token has no use for it.
        let is_shared = self.storage.path().is_some() && attempt.patience == Patience::Once;
        let in_flight = (!self.client.renews_alone() || is_shared).then(InFlight::new);
        let work = move || {
            RENEWING.set(true);
            let _in_flight = in_flight;
            let mut landing = Landing { renewing: &this, flight: &meeting, number, result: None };
            landing.result = Some(this.renew(attempt));
        };
        // A storage of the application is called there, and may start programs, which inherit the signal mask.
        let spawned = match self.storage.path() {
            Some(_) => threads::spawn("planetkey-renewal", work),
            None => threads::spawn_for_host("planetkey-renewal", work),
        };
        spawned.map(drop).map_err(|error| {
            state.abort();
            Error::new(Status::Unavailable, format!("no thread could be started to renew the access token: {error}"))
        })
    }

    fn renew(&self, attempt: Attempt) -> Landed {
        let needs_a_session = !self.client.renews_alone() && self.unsaved.load().is_none();
        // What cannot be looked at may be there all the same.
        let is_absent = || matches!(self.storage.load(self.now(), false), Ok((_, Seen::Absent)));
        if needs_a_session && self.storage.seen() == Seen::Absent && is_absent() {
            if matches!(**self.seen.load(), Seen::At(_)) {
                self.forget();
                self.seen.store(Arc::new(Seen::Absent));
            }
            return Err(self.login_required(false, false));
        }
        let started = Instant::now();
        let _lock = self.storage.lock(started + attempt.timeout)?;
        // Whole milliseconds: where there is nothing to lock, nothing is lost.
        let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = self.now();
        let before = self.last();
        let unsaved = self.unsaved.load_full();
        let is_good = |mine: &Arc<Snapshot>| mine.usable(now) && !mine.due(now);
        if unsaved.is_none()
            && let Some(mine) = before.as_ref().filter(|mine| mine.generation > attempt.than && is_good(mine))
        {
            return Ok(mine.clone());
        }
        let (kept, seen, is_readable) = self.read(unsaved.is_some(), now)?;
        if is_readable && seen == Seen::Absent && unsaved.is_none() && matches!(**self.seen.load(), Seen::At(_)) {
            self.forget();
        }
        let is_foreign = matches!(kept, Kept::Foreign);
        let replaced = kept.identity();
        let stored = match (&unsaved, kept) {
            // What could not be stored counts for more than what it should have replaced.
            (Some(unsaved), _) if unsaved.replaced == replaced || !is_readable => {
                if before.as_ref().is_some_and(is_good) && !attempt.asked {
                    return self.save_again(unsaved, before);
                }
                Some(Arc::new(unsaved.stored.clone()))
            }
            (_, Kept::Tokens(stored)) => Some(stored),
            (_, Kept::Nothing | Kept::Foreign) => None,
        };
        if let Some(stored) = &stored
            && let Some(snapshot) = self.adopt(stored, seen, before.as_deref(), now)
        {
            return Ok(snapshot);
        }
        let is_after_rejection = before.as_ref().is_some_and(|snapshot| snapshot.is_rejected());
        let mut memo = self.storage.memo();
        if let Some((wait, error)) = memo.wait_ms(now.unix_ms) {
            return Err(error.clone().with_retry_after_ms(Some(wait)));
        }
        let saved = Some(seen).filter(|seen| *seen != Seen::Unknown && unsaved.is_none() && is_readable);
        match self.obtain(stored, is_foreign, saved, &mut memo, attempt, waited_ms) {
            Ok(Obtained::Answer(tokens)) => {
                if let Some(landed) = self.overtaken(seen, unsaved.is_some()) {
                    return landed;
                }
                let received = Stored::received(tokens, self.now());
                self.keep(&received, replaced);
                Ok(self.publish(self.snapshot_of(&received, is_after_rejection)))
            }
            Ok(Obtained::Disk(stored, seen)) => {
                self.seen.store(Arc::new(seen));
                self.note_renewable(&stored);
                Ok(self.publish(self.snapshot_of(&stored, is_after_rejection)))
            }
            Err(error) => {
                // Only what a server said, or began to say, concerns the other processes: how long each waits is its own affair.
                if error.http_status().is_some() || error.is_ambiguous() && error.status() != Status::Timeout {
                    let now = self.now();
                    if let Some(until) = self.blocked(&error, 1, now).until_ms {
                        let wait = until.saturating_sub(now.monotonic_ms);
                        memo.not_before = Some((now.unix_ms.saturating_add(wait), error.clone()));
                        self.storage.remember(&memo);
                    }
                }
                Err(error)
            }
        }
    }

    /// What is stored, and whether it could be read. A damaged file is put aside; what cannot be read does not matter to whoever has its
    /// tokens in memory or gets them without it.
    pub(super) fn read(&self, in_memory: bool, now: Moment) -> Result<(Kept, Seen, bool)> {
        let error = match self.storage.load(now, true) {
            Ok((kept, seen)) => return Ok((kept, seen, true)),
            Err(error) => error,
        };
        let dispensable = in_memory || self.client.renews_alone();
        if error.reason() == Some("corrupt") {
            let before = self.seen.load_full();
            if self.storage.seen() != Seen::Unknown {
                // This session takes the file away itself: that is no logout, also to whoever looks at that very moment.
                self.seen.store(Arc::new(Seen::Absent));
            }
            if let Err(unmoved) = self.storage.quarantine(now) {
                self.seen.store(before);
                if !dispensable {
                    return Err(unmoved);
                }
                log::warn!("{unmoved}");
            }
            return if dispensable { Ok((Kept::Nothing, **self.seen.load(), false)) } else { Err(error) };
        }
        if !dispensable {
            return Err(error);
        }
        log::warn!("{error}");
        Ok((Kept::Nothing, **self.seen.load(), false))
    }

    /// Makes the stored tokens the session's own if they spare a request.
    fn adopt(&self, stored: &Stored, seen: Seen, before: Option<&Snapshot>, now: Moment) -> Option<Arc<Snapshot>> {
        let candidate = self.snapshot_of(stored, before.is_some_and(Snapshot::is_rejected));
        let is_new = before.is_none_or(|mine| mine.token() != candidate.token());
        if !is_new || !candidate.usable(now) || candidate.due(now) {
            return None;
        }
        self.seen.store(Arc::new(seen));
        self.unsaved.store(None);
        self.note_renewable(stored);
        Some(self.publish(candidate))
    }

    /// Who logged in, or reset, while the answer was on its way does not find that undone: their session stays, and this one's tokens go.
    fn overtaken(&self, seen: Seen, in_memory: bool) -> Option<Landed> {
        if self.client.renews_alone() || in_memory || seen == Seen::Unknown || self.storage.seen() == seen {
            return None;
        }
        match self.storage.load(self.now(), true) {
            Ok((Kept::Tokens(theirs), seen)) if self.snapshot_of(&theirs, false).usable(self.now()) => {
                self.seen.store(Arc::new(seen));
                self.note_renewable(&theirs);
                Some(Ok(self.publish(self.snapshot_of(&theirs, false))))
            }
            Ok((Kept::Nothing, Seen::Absent)) => {
                self.seen.store(Arc::new(Seen::Absent));
                self.forget();
                Some(Err(self.login_required(false, false)))
            }
            _ => None,
        }
    }

    fn save_again(&self, unsaved: &Unsaved, before: Option<Arc<Snapshot>>) -> Landed {
        self.keep(&unsaved.stored, unsaved.replaced.clone());
        before.ok_or_else(|| Error::new(Status::Internal, "tokens without a snapshot were to be stored"))
    }

    /// Stores the tokens before they are handed out; a disk that cannot be written leaves a working session in memory.
    pub(super) fn keep(&self, received: &Stored, replaced: Option<String>) {
        self.note_renewable(received);
        match self.storage.save(received) {
            Ok(seen) => {
                self.seen.store(Arc::new(seen));
                self.unsaved.store(None);
            }
            Err(error) => {
                log::warn!("the renewed session lives in this process only: {error}");
                self.unsaved.store(Some(Arc::new(Unsaved { stored: received.clone(), why: error, replaced })));
                // Who looks is who tries to keep it again, also where there is nothing to look at.
                self.turn.look_again_soon(self.now());
            }
        }
    }

    /// Asks the server. `saved`: the version of the file that the refresh token came from, if it came from one.
    fn obtain(
        &self,
        stored: Option<Arc<Stored>>,
        is_foreign: bool,
        mut saved: Option<Seen>,
        memo: &mut Memo,
        attempt: Attempt,
        waited_ms: u64,
    ) -> Result<Obtained> {
        let timeout_ms = u64::try_from(attempt.timeout.as_millis()).unwrap_or(u64::MAX);
        let left_ms = timeout_ms.saturating_sub(waited_ms);
        // Callers have deadlines of their own. A refresh token that was sent gets its whole time: cut off early, it may be used up with nobody
        // left to keep what it was exchanged for.
        let left_ms = if self.client.renews_alone() { left_ms } else { left_ms.max(super::DEFAULT_TIMEOUT_MS) };
        let deadline_ms = self.now().plus_ms(left_ms).monotonic_ms;
        if self.client.renews_alone() {
            return self.client.request(&self.http, None, attempt.patience, deadline_ms).map(Obtained::Answer);
        }
        let has_tokens = stored.is_some();
        let mut old = stored
            .filter(|stored| stored.tokens.refresh_token().is_some())
            .ok_or_else(|| self.login_required(is_foreign, has_tokens))?;
        if self.must_save {
            self.storage.check()?;
        }
        let (mut replayed, mut switched, mut overtaken) = (false, false, 0);
        loop {
            let refresh_token = self.fingerprint_of(old.tokens.refresh_token().unwrap_or(""));
            if memo.is_dead(&refresh_token) {
                self.note_revoked();
                return Err(self.dead(None));
            }
            let unchanged = Unchanged::new(self.storage.clone(), saved);
            let http = self.http.with_precondition(unchanged.precondition());
            let error = match self.client.request(&http, Some(&old.tokens), attempt.patience, deadline_ms) {
                Ok(tokens) => return Ok(Obtained::Answer(tokens)),
                Err(error) => error,
            };
            if unchanged.was_violated() {
                overtaken += 1;
                match self.storage.load(self.now(), true)? {
                    (Kept::Tokens(newer), seen) if self.snapshot_of(&newer, false).usable(self.now()) => {
                        return Ok(Obtained::Disk(newer, seen));
                    }
                    (Kept::Tokens(newer), seen) if newer.tokens.refresh_token().is_some() && overtaken < MAX_OVERTAKEN => {
                        (old, saved) = (newer, Some(seen));
                        continue;
                    }
                    (Kept::Tokens(_), _) => return Err(error),
                    (Kept::Nothing | Kept::Foreign, seen) => {
                        self.seen.store(Arc::new(seen));
                        self.forget();
                        return Err(self.login_required(false, false));
                    }
                }
            }
            let refused = error.oauth_error() == Some("invalid_grant");
            if !refused && !error.is_ambiguous() {
                return Err(error);
            }
            // Planet's own tools take no lock: they may have rotated the token in between. After a complete response the token that was
            // sent is used up: only another one may follow it now.
            match self.reread(&old, !error.may_replay()) {
                Some((newer, seen)) if self.snapshot_of(&newer, false).usable(self.now()) => {
                    return Ok(Obtained::Disk(newer, seen));
                }
                Some((newer, _)) if !switched => {
                    switched = true;
                    old = newer;
                }
                _ if refused => {
                    memo.bury(refresh_token);
                    self.note_revoked();
                    self.storage.remember(memo);
                    return Err(self.dead(Some(&error)));
                }
                // The server may allow the same token again for a while, for exactly this case; not asking loses the session for sure.
                _ if error.may_replay() && !replayed && self.now().monotonic_ms < deadline_ms => replayed = true,
                _ => return Err(error),
            }
        }
    }

    /// The stored tokens, if their refresh token is no longer the one that was sent.
    fn reread(&self, sent: &Stored, patient: bool) -> Option<(Arc<Stored>, Seen)> {
        let waits: &[u64] = if patient { &REREAD_AFTER_MS } else { &[0] };
        for wait in waits {
            self.http.clock().sleep(Duration::from_millis(*wait));
            if let Ok((Kept::Tokens(stored), seen)) = self.storage.load(self.now(), true)
                && stored.tokens.refresh_token().is_some_and(|token| Some(token) != sent.tokens.refresh_token())
                && self.unsaved.load().is_none()
            {
                return Some((stored, seen));
            }
        }
        None
    }

    fn login_required(&self, is_foreign: bool, has_tokens: bool) -> Error {
        let (reason, what) = if is_foreign {
            ("never_logged_in", "the saved session belongs to another client or server")
        } else if self.logged_out.load(Ordering::Relaxed) {
            ("logged_out", "the session was logged out")
        } else if self.last().is_some_and(|last| !last.is_over(self.now())) {
            // It may have been issued a moment ago.
            ("expired", "the access token cannot be renewed without a refresh token, which the scope offline_access brings")
        } else if has_tokens || self.last().is_some() {
            ("expired", "the access token has expired and there is no refresh token")
        } else {
            ("never_logged_in", "nobody has logged in")
        };
        Error::new(Status::LoginRequired, format!("{what}; {}", self.log_in_again())).with_reason(reason)
    }

    fn dead(&self, error: Option<&Error>) -> Error {
        let description = error.and_then(Error::oauth_error_description);
        let said = description
            .map(|text| format!(" ({})", crate::oauth::exchange::said("invalid_grant", Some(text))))
            .unwrap_or_default();
        let message =
            format!("the authorization server no longer accepts this session's refresh token{said}; {}", self.log_in_again());
        let dead = Error::new(Status::LoginRequired, message).with_reason("revoked");
        match error {
            Some(error) => {
                let dead = dead.with_oauth_error("invalid_grant", error.oauth_error_description());
                error.http_status().map_or(dead.clone(), |http_status| dead.with_http_status(http_status))
            }
            None => dead.with_oauth_error("invalid_grant", None),
        }
    }

    fn log_in_again(&self) -> String {
        match &self.profile {
            Some(profile) => {
                let profile = crate::text::one_line(profile, 100);
                format!("log in to the profile '{profile}', as by `planetkey login --profile {profile}`")
            }
            None => "log in".to_owned(),
        }
    }

    /// What a failure means for the next attempt.
    fn blocked(&self, error: &Error, failures: u32, now: Moment) -> Blocked {
        let in_ms = |wait: u64| Blocked { until_ms: Some(now.monotonic_ms.saturating_add(wait)), error: error.clone() };
        let backoff = || {
            let longest = (MIN_SPACING_MS << failures.clamp(1, 10).saturating_sub(1)).min(MAX_BACKOFF_MS);
            (longest as f64 * (0.5 + 0.5 * crate::clock::fraction(self.http.random()))) as u64
        };
        match error.status() {
            // The failure of another process, with the time until which it counts; or what the server asked for.
            _ if error.retry_after_ms().is_some() => {
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
            // No file tells when somebody has logged in: it is asked again, which costs no request.
            Status::LoginRequired if **self.seen.load() == Seen::Unknown && !self.client.renews_alone() => in_ms(MIN_SPACING_MS),
            _ => Blocked { until_ms: None, error: error.clone() },
        }
    }
}

/// Watches that the file of a refresh token is the one that was read: another program may rotate the token while metadata is fetched
/// or a `Retry-After` passes, and takes no lock.
struct Unchanged {
    storage: Arc<dyn Storage>,
    saved: Option<Seen>,
    violated: Arc<AtomicBool>,
}

impl Unchanged {
    fn new(storage: Arc<dyn Storage>, saved: Option<Seen>) -> Self {
        Unchanged { storage, saved, violated: Arc::default() }
    }

    fn precondition(&self) -> Precondition {
        let (storage, saved, violated) = (self.storage.clone(), self.saved, self.violated.clone());
        Arc::new(move || match saved {
            Some(saved) if storage.seen() != saved => {
                violated.store(true, Ordering::Relaxed);
                Err(Error::new(Status::Storage, "another program keeps changing the saved session; try again")
                    .with_retryable(true))
            }
            _ => Ok(()),
        })
    }

    fn was_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }
}

/// Publishes the outcome of a flight, also when its thread panics.
struct Landing<'a> {
    renewing: &'a Renewing,
    flight: &'a Flight<Arc<Snapshot>>,
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
        // A token counts from its receipt: readers may have had it for a while when this runs. A try to keep it counts from now.
        let now = match &result {
            Ok(snapshot) if self.renewing.unsaved.load().is_none() => snapshot.at,
            _ => self.renewing.now(),
        };
        let mut state = self.flight.lock();
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
                if self.renewing.unsaved.load().is_some() { SAVE_AGAIN_MS } else { MIN_SPACING_MS }
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
        self.flight.land(state, self.number, result);
        // At the very end: a logger may call back into the session, or take its time.
        if let Some(error) = failure {
            log::warn!("the access token could not be renewed: {error}");
        }
    }
}
