//! Saves the tokens, so that a failover seldom loses them.

use super::record::{Record, id_of};
use super::scripts::Step;
use super::{CALL_LIMIT, Known, Line, Newest, RedisStore, Rule, State, soon};
use crate::clock::millis;
use crate::error::Result;
use crate::storage::{FailureRecord, Saved, Stored};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Tokens that could not be saved are saved again after these times.
const SAVE_AGAIN_AFTER: [Duration; 3] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_millis(1500)];
/// How long a save waits for a replica to have it.
const REPLICA_LIMIT_MS: u64 = 1000;

impl RedisStore {
    /// Saves tokens; `false` if others are there that the rule does not replace. A command whose
    /// reply was lost is repeated: the same tokens can be saved twice.
    ///
    /// Errors: UNAVAILABLE, INTERNAL.
    pub(super) fn save(&self, stored: &Stored, rule: Rule<'_>) -> Result<bool> {
        let mut waits = SAVE_AGAIN_AFTER.iter();
        loop {
            let error = match self.try_save(stored, rule) {
                Ok(saved) => return Ok(saved),
                Err(error) => error,
            };
            // A user's refresh token that was replaced is lost if its successor is not saved.
            match waits.next().filter(|_| !self.binding.is_m2m) {
                Some(wait) => std::thread::sleep(*wait),
                None => {
                    self.line().lock().has_unsaved = true;
                    return Err(error);
                }
            }
            self.line().lock().rests_until = None;
        }
    }

    fn try_save(&self, stored: &Stored, rule: Rule<'_>) -> Result<bool> {
        let line = self.line();
        let mut state = line.lock();
        // One connection for the save and for the wait for a replica.
        let was_leased = std::mem::replace(&mut state.is_leased, true);
        let saved = self.save_once(&line, &mut state, stored, rule);
        if !was_leased {
            (state.is_leased, state.connection) = (false, None);
        }
        saved
    }

    fn save_once(
        &self,
        line: &Line,
        state: &mut State,
        stored: &Stored,
        rule: Rule<'_>,
    ) -> Result<bool> {
        let now = self.now();
        let left = stored.remaining.saturating_sub(now.monotonic - stored.at.monotonic);
        let server_ms = self.server_now(line, state)?;
        let random = self.settings.random.as_ref();
        let tokens = self.seal().tokens(stored, left, server_ms, random)?;
        let identity = Saved::Tokens(Arc::new(stored.clone())).identity().unwrap_or_default();
        let id = id_of(&identity);
        let (name, expected) = match rule {
            Rule::Any => ("any", None),
            Rule::Newer(_) if state.known.is_unreadable => ("any", None),
            Rule::Next(expected) => ("next", expected),
            Rule::Newer(expected) => ("newer", expected),
        };
        let expected = expected.map(id_of).unwrap_or_default();
        let known = if state.known.identity.as_deref().map(id_of).as_ref() == Some(&expected) {
            state.known.seq
        } else {
            0
        };
        let step = Step::Save {
            rule: name,
            expected: &expected,
            known,
            id: &id,
            tokens: &tokens,
            ms: millis(left),
        };
        let mut reply = self.run(line, state, &step, soon())?;
        state.has_unsaved = false;
        if reply.word != "saved" {
            return Ok(false);
        }
        let (seq, replicas) = (reply.number(0), reply.number(1));
        self.remember(state, seq, &id, &tokens, left);
        self.wait_for_replica(state, replicas)?;
        let revoked = std::mem::take(&mut state.known.failures.revoked);
        let failures = FailureRecord::of_store(None, revoked);
        state.fresh = None;
        state.known = Known { identity: Some(identity), seq, is_unreadable: false, failures };
        let holds = if self.binding.is_m2m { "token" } else { "session" };
        self.note_status(|status| status.holds = Some(holds));
        Ok(true)
    }

    /// Remembers tokens of a user session, for a store that loses them.
    pub(super) fn remember(
        &self,
        state: &mut State,
        seq: u64,
        id: &str,
        tokens: &str,
        left: Duration,
    ) {
        if self.binding.is_m2m || state.newest.as_ref().is_some_and(|newest| newest.seq > seq) {
            return;
        }
        let (id, tokens) = (id.to_owned(), tokens.to_owned());
        state.newest = Some(Newest { seq, id, tokens, until: Instant::now() + left });
    }

    /// Waits until a replica has what was just written: a failover would otherwise lose it.
    ///
    /// Errors: UNAVAILABLE if the connection is lost. The store may be another one now, without
    /// what was written.
    pub(super) fn wait_for_replica(&self, state: &mut State, replicas: u64) -> Result<()> {
        if replicas == 0 {
            return Ok(());
        }
        // WAIT speaks of what was written on its own connection.
        let Some(mut connection) = state.connection.take() else {
            return Err(self.failed("it closed the connection"));
        };
        let wait = redis::cmd("WAIT").arg(1).arg(REPLICA_LIMIT_MS).take();
        let confirmed = connection
            .call(&wait, Instant::now() + CALL_LIMIT)
            .map_err(|failure| self.failed(&failure.why))?;
        if state.is_leased {
            state.connection = Some(connection);
        }
        if confirmed == redis::Value::Int(0) {
            log::warn!(
                "no replica of the store {} confirmed a change of the session in time; a failover may lose it",
                self.settings.location.shown()
            );
        }
        Ok(())
    }

    /// Saves the newest tokens that this process knows instead of older ones, which a store holds
    /// that lost its last writes; `true` if it did, which has released the lock. To send an older
    /// refresh token would end the session.
    ///
    /// Errors: UNAVAILABLE.
    pub(super) fn put_back(
        &self,
        line: &Line,
        state: &mut State,
        record: &Record,
        deadline: Instant,
    ) -> Result<bool> {
        let Some(newest) = state.newest.clone().filter(|newest| record.is_before(newest.seq))
        else {
            return Ok(false);
        };
        log::warn!(
            "the store {} has lost the newest tokens of the session; they are saved there again",
            self.settings.location.shown()
        );
        let step = Step::Save {
            rule: "next",
            expected: record.id(),
            // The tokens get the number that they had.
            known: newest.seq.saturating_sub(1),
            id: &newest.id,
            tokens: &newest.tokens,
            ms: millis(newest.until.saturating_duration_since(Instant::now())),
        };
        let mut reply = self.run(line, state, &step, deadline)?;
        if reply.word != "saved" {
            return Ok(false);
        }
        let replicas = reply.number(1);
        self.wait_for_replica(state, replicas)?;
        Ok(true)
    }
}
