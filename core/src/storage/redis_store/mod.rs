//! Saved tokens in a server that speaks the Redis protocol, which all machines share that name it.
//!
//! Correctness does not rest on the lock: it only saves requests. A refresh token is sent after an
//! intent was written that says so, and tokens are saved instead of their predecessor only. All
//! times in the store are those of its server's clock.
//!
//! [`SessionInStore`] is a user session, which is saved nowhere else. [`TokenInStore`] is the token of an
//! M2M client, which is also saved where it would be without a store.

mod connection;
mod holding;
mod lease;
mod location;
mod m2m;
mod record;
mod saving;
mod scripts;
mod sealed;
mod user;

pub use location::StoreLocation;
pub use m2m::TokenInStore;
pub use sealed::Keys;
pub(crate) use sealed::MIN_KEY_CHARACTERS;
pub use user::SessionInStore;

use super::failure_record::FAILURES_AGE_MS;
use super::store_status::StoreStatus;
use super::{Binding, FailureRecord, Saved, corrupt, fingerprint};
use crate::clock::{Clock, Moment, Random, millis};
use crate::error::{Error, Result, Status};
use crate::text::one_line;
use arc_swap::{ArcSwap, ArcSwapOption};
use connection::{Connection, Failure};
use holding::Busy;
use lease::LOCK_LASTS;
use record::{Record, Seal, ServerTime, id_of};
use scripts::{Reply, Scope, Step};
use sealed::Unopened;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The longest time that one command may take, with the connection for it.
const CALL_LIMIT: Duration = Duration::from_secs(2);
/// As [`CALL_LIMIT`], for a command that comes after a TLS handshake: a server to which a whole
/// cluster connects at once needs more time for it.
const TLS_LIMIT: Duration = Duration::from_secs(5);
/// After a failure nothing is sent for this long, so that one refresh does not wait at each step.
const REST: Duration = Duration::from_millis(500);
/// An intent is pending for this long after the deadline of the request: its sender may be stopped
/// between the response and the save.
const INTENT_GRACE: Duration = Duration::from_secs(60);
/// This library writes no intent that is pending for longer. One that claims to be is ignored.
const LONGEST_INTENT: Duration = Duration::from_secs(25 * 3600);
/// After a logout, a refresh that was in progress is not saved for this long.
const LOGOUT_MARK: Duration = Duration::from_secs(24 * 3600);
/// A reading of the server's clock is used for this long.
const TIME_AGE: Duration = Duration::from_secs(30);

/// The TLS settings, made when the first connection needs them: they read many files.
pub type TlsSettings = dyn Fn() -> Result<rustls::ClientConfig> + Send + Sync;

/// What a store needs from its session.
pub struct StoreSettings {
    /// Where it is.
    pub location: StoreLocation,
    /// The TLS settings, for `rediss`.
    pub tls: Arc<TlsSettings>,
    /// The keys that seal what is saved.
    pub keys: Keys,
    /// The clock of the session.
    pub clock: Arc<dyn Clock>,
    /// Random numbers of the session.
    pub random: Arc<dyn Random>,
}

/// One client's record in the store.
pub(crate) struct RedisStore {
    settings: StoreSettings,
    binding: Binding,
    record: String,
    lock: String,
    line: ArcSwap<Line>,
    status: ArcSwap<StoreStatus>,
    /// Why the lock is being waited for.
    busy: ArcSwapOption<Error>,
}

/// The connection of one process. A forked child has its own and never touches that of its parent.
struct Line {
    pid: u32,
    /// The name under which this process holds the lock. It stays the same, so that a process is
    /// not blocked by a lock that it took without getting the reply.
    owner: OnceLock<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    tls: Option<Arc<rustls::ClientConfig>>,
    /// Whether this process has the lock, or waits for it. The connection stays open meanwhile.
    is_leased: bool,
    /// What was read with the lock, until the first load.
    fresh: Option<Record>,
    time: Option<ServerTime>,
    /// No command is sent before this, because the last one failed.
    rests_until: Option<(Instant, Error)>,
    /// Whether a refresh token was sent and its result is in this process only.
    has_unsaved: bool,
    known: Known,
    newest: Option<Newest>,
}

/// The newest tokens of a user session that this process has seen in the store, sealed. A store
/// that lost its last writes gets them back.
#[derive(Clone)]
struct Newest {
    seq: u64,
    id: String,
    tokens: String,
    /// When the access token expires.
    until: Instant,
}

/// What was read or written last.
#[derive(Clone, Default)]
struct Known {
    identity: Option<String>,
    seq: u64,
    /// What is there could not be opened, so it has no identity.
    is_unreadable: bool,
    failures: FailureRecord,
}

/// Which tokens a save may replace.
#[derive(Clone, Copy)]
enum Rule<'a> {
    /// Any: a login.
    Any,
    /// Those with this identity, or none: a refresh of a user session.
    Next(Option<&'a str>),
    /// Those, or ones that expire earlier: a token of an M2M client.
    Newer(Option<&'a str>),
}

impl RedisStore {
    fn new(settings: StoreSettings, binding: Binding, name: &str) -> Self {
        let record = format!("{}planetkey:1:{{{name}}}", settings.location.prefix);
        let lock = format!("{record}:lock");
        let status = StoreStatus::unknown(settings.location.shown());
        RedisStore {
            settings,
            binding,
            record,
            lock,
            line: ArcSwap::from_pointee(Line::new()),
            status: ArcSwap::from_pointee(status),
            busy: ArcSwapOption::empty(),
        }
    }

    fn line(&self) -> Arc<Line> {
        let line = self.line.load_full();
        if line.pid == std::process::id() {
            return line;
        }
        let fresh = Arc::new(Line::new());
        let before = self.line.compare_and_swap(&line, fresh.clone());
        if Arc::ptr_eq(&before, &line) { fresh } else { self.line.load_full() }
    }

    fn status(&self) -> Arc<StoreStatus> {
        self.status.load_full()
    }

    fn note_status(&self, change: impl FnOnce(&mut StoreStatus)) {
        let mut status = self.status.load().as_ref().clone();
        change(&mut status);
        self.status.store(Arc::new(status));
    }

    fn seal(&self) -> Seal<'_> {
        Seal { keys: &self.settings.keys, record: &self.record }
    }

    fn now(&self) -> Moment {
        self.settings.clock.now()
    }

    fn failed(&self, why: &str) -> Error {
        let message = format!(
            "the store {} cannot be used: {}; check that it runs, its address and its password",
            self.settings.location.shown(),
            one_line(why, 300)
        );
        Error::new(Status::Unavailable, message).with_retryable(true)
    }

    fn command(&self, owner: &str, step: &Step<'_>) -> redis::Cmd {
        step.command(&Scope {
            record: &self.record,
            lock: &self.lock,
            owner,
            is_m2m: self.binding.is_m2m,
            lock_ms: millis(LOCK_LASTS),
            longest_intent_ms: millis(LONGEST_INTENT),
        })
    }

    /// The name of this process as the holder of the lock. Errors: UNAVAILABLE.
    fn owner<'l>(&self, line: &'l Line) -> Result<&'l str> {
        if let Some(owner) = line.owner.get() {
            return Ok(owner);
        }
        let mut nonce = [0; 16];
        let random = self.settings.random.as_ref();
        random
            .fill(&mut nonce)
            .map_err(|_| self.failed("there are no random numbers for the lock"))?;
        let owner = nonce.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(line.owner.get_or_init(|| owner))
    }

    /// Runs a script. If the server closes the connection, which may have been open for some time,
    /// it runs once more on a new one: every script may run twice.
    ///
    /// Blocks until `deadline`. Errors: UNAVAILABLE.
    fn run(
        &self,
        line: &Line,
        state: &mut State,
        step: &Step<'_>,
        deadline: Instant,
    ) -> Result<Reply> {
        let command = self.command(self.owner(line)?, step);
        let value = self.call(state, &command, deadline)?;
        let reply = Reply::of(value);
        let reply = reply.ok_or_else(|| self.failed("its reply is not that of a script"))?;
        state.time = Some(ServerTime { server_ms: reply.server_ms, at: Instant::now() });
        Ok(reply)
    }

    fn call(
        &self,
        state: &mut State,
        command: &redis::Cmd,
        deadline: Instant,
    ) -> Result<redis::Value> {
        if let Some((until, error)) = &state.rests_until
            && Instant::now() < *until
        {
            return Err(error.clone());
        }
        let is_handshake = state.connection.is_none() && self.settings.location.is_tls();
        let limit = if is_handshake { TLS_LIMIT } else { CALL_LIMIT };
        let deadline = deadline.min(Instant::now() + limit);
        let mut outcome = self.call_once(state, command, deadline)?;
        if outcome.as_ref().is_err_and(|failure| failure.is_worth_another) {
            outcome = self.call_once(state, command, deadline)?;
        }
        if !state.is_leased {
            state.connection = None;
        }
        match outcome {
            Ok(value) => {
                state.rests_until = None;
                self.note_status(|status| status.reached());
                Ok(value)
            }
            Err(failure) => {
                let error = self.failed(&failure.why);
                state.rests_until = Some((Instant::now() + REST, error.clone()));
                self.note_status(|status| status.failed(&failure.why));
                Err(error)
            }
        }
    }

    /// Errors: as the TLS settings.
    fn call_once(
        &self,
        state: &mut State,
        command: &redis::Cmd,
        deadline: Instant,
    ) -> Result<std::result::Result<redis::Value, Failure>> {
        let location = &self.settings.location;
        if state.tls.is_none() && location.is_tls() {
            let tls = (self.settings.tls)().inspect_err(|error| {
                self.note_status(|status| status.failed(error.message()));
            });
            state.tls = Some(Arc::new(tls.map_err(|error| self.failed(error.message()))?));
        }
        let mut connection = match state.connection.take() {
            Some(connection) => connection,
            None => match Connection::open(location, state.tls.as_ref(), deadline) {
                Ok(connection) => connection,
                Err(failure) => return Ok(Err(failure)),
            },
        };
        let outcome = connection.call(command, deadline);
        if !outcome.as_ref().is_err_and(|failure| failure.is_broken) {
            state.connection = Some(connection);
        }
        Ok(outcome)
    }

    /// What is saved. Uses what was read with the lock, if this is the first load since.
    ///
    /// Errors: UNAVAILABLE; MISCONFIGURED if another key sealed it; LOGIN_REQUIRED with the reason
    /// `corrupt`.
    fn load(&self, now: Moment) -> Result<Saved> {
        let line = self.line();
        let mut state = line.lock();
        let record = match state.fresh.take() {
            Some(record) => record,
            None => {
                let deadline = soon();
                let reply = self.run(&line, &mut state, &Step::Read, deadline)?;
                Record::of(reply, Instant::now())
            }
        };
        let opened = record.open(&self.seal(), &self.binding, now);
        if let (Ok(Saved::Tokens(stored)), Some(tokens)) = (&opened, record.sealed()) {
            self.remember(&mut state, record.seq, record.id(), tokens, stored.remaining);
        }
        state.known = Known {
            identity: opened.as_ref().ok().and_then(Saved::identity),
            seq: record.seq,
            is_unreadable: opened.is_err(),
            failures: record.failures(&self.seal(), now),
        };
        let holds = match &opened {
            Ok(Saved::Tokens(_)) if self.binding.is_m2m => "token",
            Ok(Saved::Tokens(_)) => "session",
            Ok(Saved::Foreign) => "something of another client",
            Ok(Saved::Nothing) => "nothing",
            Err(Unopened::OtherKey) => "something that another key sealed",
            Err(Unopened::Damaged) => "something damaged",
        };
        self.note_status(|status| status.holds = Some(holds));
        opened.map_err(|unopened| match unopened {
            Unopened::OtherKey => Error::misconfigured(format!(
                "the store {} holds a session that another key sealed ({}); set PLANETKEY_STORE_KEY to that key, or add a prefix to the store's URL",
                self.settings.location.shown(),
                self.record
            )),
            Unopened::Damaged => {
                corrupt(&format!("the session in the store {}", self.settings.location.shown()))
            }
        })
    }

    /// The server's time now. Errors: UNAVAILABLE.
    fn server_now(&self, line: &Line, state: &mut State) -> Result<u64> {
        if let Some(time) = state.time.filter(|time| time.at.elapsed() < TIME_AGE) {
            return Ok(time.now());
        }
        let reply = self.run(line, state, &Step::Read, soon())?;
        Ok(reply.server_ms)
    }

    /// Writes the intent to send the refresh token of `replaced`; `false` if the store holds
    /// another session, or the token is marked as revoked there.
    ///
    /// Errors: UNAVAILABLE; then the refresh token must not be sent.
    fn announce(&self, mark: &str, replaced: Option<&str>, timeout: Duration) -> Result<bool> {
        let line = self.line();
        let mut state = line.lock();
        let id = replaced.map(id_of).unwrap_or_default();
        // Another hash than the mark of a revoked token, so that a reader cannot compare them.
        let intent = fingerprint(&["intent", mark]);
        let for_ms = millis(timeout.saturating_add(INTENT_GRACE));
        let step = Step::Announce { id: &id, intent: &intent, for_ms, mark };
        if !state.is_leased {
            return Err(self.failed("its lock is not held"));
        }
        let mut reply = self.run(&line, &mut state, &step, soon())?;
        match reply.word.as_str() {
            "sent" => {
                let replicas = reply.number(0);
                let confirmed = self.wait_for_replica(&mut state, replicas);
                if confirmed.is_err() {
                    // Nothing is sent, so no process has to wait for a result.
                    let release = Step::Release { keeps_intent: false };
                    if let Err(error) = self.run(&line, &mut state, &release, soon()) {
                        log::debug!("{error}");
                    }
                }
                confirmed.map(|()| true)
            }
            "changed" => Ok(false),
            _ => Err(self.busy_error(&Busy::Held(Duration::ZERO))),
        }
    }

    /// Errors: UNAVAILABLE.
    fn remove(&self) -> Result<bool> {
        let line = self.line();
        let mut state = line.lock();
        let step = Step::Remove { mark_ms: millis(LOGOUT_MARK) };
        let mut reply = self.run(&line, &mut state, &step, soon())?;
        state.fresh = None;
        state.known.identity = None;
        self.note_status(|status| status.holds = Some("nothing"));
        Ok(reply.number(0) == 1)
    }

    /// What was known about failures when the record was read last.
    fn failures(&self) -> FailureRecord {
        self.line().lock().known.failures.clone()
    }

    fn save_failures(&self, record: &FailureRecord) {
        let line = self.line();
        let mut state = line.lock();
        if let Err(error) = self.try_save_failures(&line, &mut state, record) {
            log::warn!("{error}");
        }
        state.known.failures = record.wait_only(record.revoked.clone());
    }

    fn try_save_failures(
        &self,
        line: &Line,
        state: &mut State,
        record: &FailureRecord,
    ) -> Result<()> {
        let server_ms = self.server_now(line, state)?;
        let now = self.now();
        let mut moved = record.wait_only(Vec::new());
        moved.move_wait(now.unix_ms, server_ms);
        let (wait, for_ms) = match &moved.not_before {
            Some((until, _)) => (
                self.seal().wait(&moved, self.settings.random.as_ref())?,
                until.saturating_sub(server_ms).saturating_add(FAILURES_AGE_MS),
            ),
            None => (String::new(), 0),
        };
        let marks = record.revoked.join(" ");
        let step = Step::Note { wait: &wait, for_ms, marks: &marks };
        self.run(line, state, &step, soon()).map(drop)
    }
}

impl Line {
    fn new() -> Self {
        Line { pid: std::process::id(), owner: OnceLock::new(), state: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The deadline of a command that has only its own limit, which `call` applies.
fn soon() -> Instant {
    Instant::now() + TLS_LIMIT
}
