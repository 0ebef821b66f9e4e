//! One renewal: lock, look again, ask, keep, publish.

use super::backoff;
use super::flight::{Flight, Purpose, State};
use super::in_flight::InFlight;
use super::landing::{Failed, Landing, was_stopped};
use super::renewing::{Landed, RENEWING, Renewing, Unsaved};
use super::snapshot::Snapshot;
use super::unchanged::Unchanged;
use crate::clock::{Moment, fraction};
use crate::credential::TokenSet;
use crate::error::{Error, Result, Status};
use crate::http::Patience;
use crate::storage::{Failure, Kept, Memo, Seen, Stored};
use crate::threads;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

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
    /// Somebody waits who has no valid token.
    pub(super) needs_token: bool,
    /// The generation that was not good enough: a later one, however it came, spares the request.
    pub(super) than: u64,
}

impl Attempt {
    fn timeout_ms(&self) -> u64 {
        u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    fn purpose(&self) -> Purpose {
        Purpose { asked: self.asked, needs_token: self.needs_token, timeout_ms: self.timeout_ms() }
    }
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
        state.check_blocked(now.monotonic_ms, attempt.purpose())?;
        let number = state.take_off();
        let (this, meeting) = (self.clone(), flight.clone());
        // Waited for at the end of the process: what a refresh token was exchanged for must be kept, and short programs would never
        // finish what they begin in the background. Somebody who gave up waiting for a machine's token has no use for it.
        let is_shared = self.storage.path().is_some() && attempt.patience == Patience::Once;
        let in_flight = (!self.client.renews_alone() || is_shared).then(InFlight::new);
        let work = move || {
            RENEWING.set(true);
            let _in_flight = in_flight;
            let deadline = this.now().plus_ms(attempt.timeout_ms());
            let patience = attempt.patience;
            let mut landing = Landing { renewing: &this, flight: &meeting, number, result: None, patience, deadline };
            landing.result = Some(this.renew(attempt, deadline));
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

    fn renew(&self, attempt: Attempt, deadline: Moment) -> std::result::Result<Arc<Snapshot>, Failed> {
        let needs_a_session = !self.client.renews_alone() && self.unsaved.load().is_none();
        // What cannot be looked at may be there all the same.
        let is_absent = || matches!(self.storage.load(self.now(), false), Ok((_, Seen::Absent)));
        if needs_a_session && self.storage.seen() == Seen::Absent && is_absent() {
            if matches!(**self.seen.load(), Seen::At(_)) {
                self.forget();
                self.seen.store(Arc::new(Seen::Absent));
            }
            return Err(self.login_required(false, false).into());
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
                    return Ok(self.save_again(unsaved, before)?);
                }
                Some(Arc::new(unsaved.stored.clone()))
            }
            (_, Kept::Tokens(stored)) => Some(stored),
            (_, Kept::Nothing | Kept::Foreign) => None,
        };
        if let Some(stored) = &stored
            && let Some(snapshot) = self.adopt(stored, seen, before.as_deref(), now, attempt.needs_token)
        {
            return Ok(snapshot);
        }
        let rejections = before.as_deref().map_or(0, Snapshot::rejections_of_next);
        let mut memo = self.storage.memo();
        if let Some((wait, failure)) = memo.wait_ms(now.unix_ms)
            && !failure.lets_pass(attempt.needs_token, attempt.timeout_ms())
        {
            return Err(failure.error.clone().with_retry_after_ms(Some(wait)).into());
        }
        let saved = Some(seen).filter(|seen| *seen != Seen::Unknown && unsaved.is_none() && is_readable);
        match self.obtain(stored, is_foreign, saved, &mut memo, attempt, waited_ms) {
            Ok(Obtained::Answer(tokens)) => {
                if let Some(landed) = self.overtaken(seen, unsaved.is_some()) {
                    return Ok(landed?);
                }
                let received = Stored::received(tokens, self.now()).after_rejections(rejections);
                self.keep(&received, replaced);
                Ok(self.publish(self.snapshot_of(&received)))
            }
            Ok(Obtained::Disk(stored, seen)) => {
                self.seen.store(Arc::new(seen));
                self.note_renewable(&stored);
                Ok(self.publish(self.snapshot_of(&self.adopted(&stored, before.as_deref()))))
            }
            Err(error) => Err(self.note_failure(error, &mut memo, attempt, deadline)),
        }
    }

    /// Tells the other processes of a failure that concerns them: the server has answered, or may have read the request. Without this every
    /// process would ask a server that is in trouble as often as if it were alone.
    fn note_failure(&self, error: Error, memo: &mut Memo, attempt: Attempt, deadline: Moment) -> Failed {
        if !error.has_reached_server() {
            return error.into();
        }
        let now = self.now();
        let failures = memo.failures(now.unix_ms).saturating_add(1);
        let Some(wait_ms) = self.wait_ms(&error, failures) else { return error.into() };
        let failure = Failure {
            error: error.clone(),
            lets_callers_pass: attempt.patience == Patience::Once || was_stopped(deadline, now),
            timeout_ms: (error.status() == Status::Timeout).then(|| attempt.timeout_ms()),
        };
        memo.note_failure(failures, now.unix_ms.saturating_add(wait_ms), failure);
        self.storage.remember(memo);
        Failed { error, wait_ms: Some(wait_ms) }
    }

    /// How long the next attempt waits after so many failures in a row; `None` when nothing will be different until somebody changes
    /// something.
    pub(super) fn wait_ms(&self, error: &Error, failures: u32) -> Option<u64> {
        // No file tells when somebody has logged in: it is asked again, which costs no request.
        let is_unwatched = **self.seen.load() == Seen::Unknown && !self.client.renews_alone();
        match error.status() {
            Status::LoginRequired if is_unwatched => Some(backoff::MIN_SPACING_MS),
            _ => backoff::wait_ms(error, failures, fraction(self.http.random())),
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

    /// Makes the stored tokens the session's own if they spare a request. A caller without a valid token takes one that is due, too: it
    /// is renewed in the background afterwards.
    fn adopt(
        &self,
        stored: &Stored,
        seen: Seen,
        before: Option<&Snapshot>,
        now: Moment,
        needs_token: bool,
    ) -> Option<Arc<Snapshot>> {
        let candidate = self.snapshot_of(&self.adopted(stored, before));
        let is_new = before.is_none_or(|mine| mine.token() != candidate.token());
        if !is_new || !candidate.usable(now) || candidate.due(now) && !needs_token {
            return None;
        }
        self.seen.store(Arc::new(seen));
        self.unsaved.store(None);
        self.note_renewable(stored);
        Some(self.publish(candidate))
    }

    /// What another program has stored, as the successor of a token of this process. Only planetkey says why it was requested.
    fn adopted(&self, stored: &Stored, before: Option<&Snapshot>) -> Stored {
        let is_after_rejection = before.is_some_and(Snapshot::is_rejected);
        stored.clone().after_rejections(stored.rejections.max(u32::from(is_after_rejection)))
    }

    /// Who logged in, or reset, while the answer was on its way does not find that undone: their session stays, and this one's tokens go.
    fn overtaken(&self, seen: Seen, in_memory: bool) -> Option<Landed> {
        if self.client.renews_alone() || in_memory || seen == Seen::Unknown || self.storage.seen() == seen {
            return None;
        }
        match self.storage.load(self.now(), true) {
            Ok((Kept::Tokens(theirs), seen)) if self.snapshot_of(&theirs).usable(self.now()) => {
                self.seen.store(Arc::new(seen));
                self.note_renewable(&theirs);
                Some(Ok(self.publish(self.snapshot_of(&theirs))))
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
        let left_ms = attempt.timeout_ms().saturating_sub(waited_ms);
        // Callers have deadlines of their own. A refresh token that was sent gets its whole time: cut off early, it may be used up with nobody
        // left to keep what it was exchanged for.
        let left_ms = if self.client.renews_alone() { left_ms } else { left_ms.max(super::DEFAULT_TIMEOUT_MS) };
        let deadline_ms = self.now().plus_ms(left_ms).monotonic_ms;
        let has_failed = memo.failures(self.now().unix_ms) > 0;
        let patience = if has_failed { attempt.patience.after_failure() } else { attempt.patience };
        if self.client.renews_alone() {
            return self.client.request(&self.http, None, patience, deadline_ms).map(Obtained::Answer);
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
            let error = match self.client.request(&http, Some(&old.tokens), patience, deadline_ms) {
                Ok(tokens) => return Ok(Obtained::Answer(tokens)),
                Err(error) => error,
            };
            if unchanged.was_violated() {
                overtaken += 1;
                match self.storage.load(self.now(), true)? {
                    (Kept::Tokens(newer), seen) if self.snapshot_of(&newer).usable(self.now()) => {
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
                Some((newer, seen)) if self.snapshot_of(&newer).usable(self.now()) => {
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
                _ if error.may_replay() && !replayed && !has_failed && self.now().monotonic_ms < deadline_ms => replayed = true,
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
}
