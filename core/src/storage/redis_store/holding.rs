//! Takes the lock in the store, waits for it, and holds it.

use super::lease::{Extender, Extension};
use super::record::Record;
use super::scripts::Step;
use super::{Line, RedisStore, State, soon};
use crate::error::{Error, Result, Status};
use crate::storage::Lock;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Polls of a lock that another process holds.
const FIRST_POLL: Duration = Duration::from_millis(10);
const LONGEST_POLL: Duration = Duration::from_millis(200);
/// The minimum time of a command, also when its caller's deadline is nearer.
const SHORTEST_CALL: Duration = Duration::from_millis(500);

/// Why a lock was not taken.
pub(super) enum Busy {
    /// Another process holds it for at least this long.
    Held(Duration),
    /// Another process has sent the refresh token, and its result may be saved within this time.
    Sent(Duration),
}

impl RedisStore {
    /// Takes the lock and reads the record, or says why not. Errors: UNAVAILABLE.
    fn try_acquire(
        &self,
        line: &Line,
        state: &mut State,
        deadline: Instant,
    ) -> Result<std::result::Result<(), Busy>> {
        state.is_leased = true;
        let outcome = self.acquire(line, state, deadline);
        if outcome.is_err() {
            (state.is_leased, state.connection) = (false, None);
        }
        outcome
    }

    fn acquire(
        &self,
        line: &Line,
        state: &mut State,
        deadline: Instant,
    ) -> Result<std::result::Result<(), Busy>> {
        let mut is_put_back = false;
        loop {
            let mut reply = self.run(line, state, &Step::Acquire, deadline)?;
            let at = Instant::now();
            match reply.word.as_str() {
                "held" => {}
                "busy" => return Ok(Err(Busy::Held(Duration::from_millis(reply.number(0))))),
                "sent" => return Ok(Err(Busy::Sent(Duration::from_millis(reply.number(0))))),
                _ => return Err(self.failed("its reply is not that of a script")),
            }
            let record = Record::of(reply, at);
            if !is_put_back && self.put_back(line, state, &record, deadline)? {
                is_put_back = true;
                continue;
            }
            state.known.failures = record.failures(&self.seal(), self.now());
            state.fresh = Some(record);
            return Ok(Ok(()));
        }
    }

    /// Waits for the lock. `goes_on` says, when another process has it, whether to wait further.
    ///
    /// Blocks until `deadline`. Errors: UNAVAILABLE, TIMEOUT.
    pub(super) fn lease(
        &self,
        deadline: Instant,
        goes_on: impl Fn(&Busy) -> bool,
    ) -> Result<Lease<'_>> {
        let outcome = self.wait_for_lease(deadline, goes_on);
        if outcome.is_ok() {
            self.busy.store(None);
        }
        outcome
    }

    fn wait_for_lease(
        &self,
        deadline: Instant,
        goes_on: impl Fn(&Busy) -> bool,
    ) -> Result<Lease<'_>> {
        let line = self.line();
        let mut poll = FIRST_POLL;
        loop {
            let mut state = line.lock();
            // The last poll gets some time, too.
            let limit = deadline.max(Instant::now() + SHORTEST_CALL);
            let busy = match self.try_acquire(&line, &mut state, limit)? {
                Ok(()) => {
                    let extension = Extension {
                        location: self.settings.location.clone(),
                        tls: state.tls.clone(),
                        command: self.command(self.owner(&line)?, &Step::Extend),
                    };
                    drop(state);
                    let extender = Extender::start(extension);
                    return Ok(Lease { store: self, line, extender });
                }
                Err(busy) => busy,
            };
            self.busy.store(Some(Arc::new(self.busy_error(&busy))));
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || !goes_on(&busy) {
                (state.is_leased, state.connection) = (false, None);
                return Err(self.busy_error(&busy));
            }
            drop(state);
            std::thread::sleep(poll.min(left));
            poll = (poll * 2).min(LONGEST_POLL);
        }
    }

    /// Why this process waits for the lock, if it does.
    pub(super) fn contention(&self) -> Option<Error> {
        self.busy.load().as_deref().cloned()
    }

    pub(super) fn busy_error(&self, busy: &Busy) -> Error {
        let shown = self.settings.location.shown();
        let message = match busy {
            Busy::Held(_) => format!(
                "another process refreshes this session and holds its lock in the store {shown}; try again"
            ),
            Busy::Sent(left) => format!(
                "another process sent the refresh token of this session and has not saved the result in the store {shown}; try again in {} seconds",
                left.as_secs() + 1
            ),
        };
        Error::new(Status::Timeout, message).with_retryable(true)
    }
}

/// The lock in the store, until it is dropped.
pub(super) struct Lease<'a> {
    store: &'a RedisStore,
    line: Arc<Line>,
    extender: Option<Extender>,
}

impl Lock for Lease<'_> {}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        drop(self.extender.take());
        let mut state = self.line.lock();
        // If the store cannot be reached, the lock expires.
        let deadline = soon();
        // Other processes wait for the result, which this process has and could not save.
        let release = Step::Release { keeps_intent: state.has_unsaved };
        if let Err(error) = self.store.run(&self.line, &mut state, &release, deadline) {
            log::debug!("{error}");
        }
        (state.is_leased, state.connection, state.fresh) = (false, None, None);
    }
}
