//! Callers that wait for a refresh.

use super::refresh::RefreshRequest;
use super::single_flight::{INTERRUPT_INTERVAL, Start, Wait, cancelled};
use super::{Flight, Refreshed, State, TokenCache, reentry};
use crate::error::{Error, Result, Status};
use crate::storage::Purpose;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl TokenCache {
    /// Waits for a valid token, and one of a later generation than `newer_than` if that is given.
    pub(super) fn wait_for_token(
        self: &Arc<Self>,
        newer_than: Option<u64>,
        wait: Wait<'_>,
    ) -> Refreshed {
        reentry::check(&self.client)?;
        // A caller with a later deadline than the session's gets a refresh that may take as long.
        let timeout = self.timeout.max(wait.timeout);
        let flight = self.flight();
        // Any token newer than the one that was cached when the call began is good enough.
        let good_after = newer_than.unwrap_or_else(|| self.last_generation());
        let ready = || {
            let now = self.now();
            self.last()
                .filter(|token| token.is_usable(now))
                .filter(|token| newer_than.is_none_or(|generation| token.generation > generation))
        };
        let start = |state: &mut State, start: Start| {
            let purpose = match (newer_than, start) {
                (None, _) => Purpose::TokenNeeded,
                (Some(_), Start::First) => Purpose::Forced,
                (Some(_), Start::Again) => Purpose::NewerWanted,
            };
            let newer_than =
                if start == Start::First { good_after } else { self.last_generation() };
            self.start(&flight, state, self.now(), RefreshRequest { purpose, timeout, newer_than })
        };
        // An API may reject the new token before this thread wakes up. It then waits for the next.
        let started = Instant::now();
        let mut had_expired = false;
        loop {
            let wait = Wait { timeout: wait.timeout.saturating_sub(started.elapsed()), ..wait };
            let (token, why) = match flight.wait(wait, ready, |token| token.is_rejected(), start) {
                Ok(completed) => completed,
                // A caller without a token does not get the failure of a refresh that had an
                // earlier deadline than its own.
                Err(missed)
                    if missed.may_try_again
                        && newer_than.is_none()
                        && missed.error.retry_after().is_none()
                        && self.wait_until_allowed(&flight, wait, timeout)? =>
                {
                    continue;
                }
                Err(missed) => {
                    return Err(self.explained(missed.error).with_profile(self.profile()));
                }
            };
            let now = self.now();
            if token.is_usable(now) {
                if token.is_due(now) && newer_than.is_none() {
                    self.refresh_in_background(now);
                }
                return Ok(token);
            }
            // A token that had expired before the call began does not count either, although its
            // refresh had not completed.
            if token.is_rejected() || why.is_none() && !had_expired {
                had_expired = !token.is_rejected();
                continue;
            }
            // A token that expires before it arrives is not handed out.
            return Err(why.unwrap_or_else(|| {
                Error::new(
                    Status::Unavailable,
                    "the new access token expired before it could be used; try again",
                )
            }));
        }
    }

    /// Replaces the error of a caller whose deadline passed while the refresh waits for a lock: it
    /// names the process that holds it. The deadline of the refresh may be later.
    pub(super) fn explained(&self, error: Error) -> Error {
        match error.status() {
            Status::Timeout => self.storage.contention().unwrap_or(error),
            _ => error,
        }
    }

    /// Waits until a refresh for a caller without a token is allowed; `false` if the caller's
    /// deadline is earlier.
    ///
    /// Errors: CANCELLED.
    fn wait_until_allowed(
        &self,
        flight: &Flight,
        wait: Wait<'_>,
        timeout: Duration,
    ) -> Result<bool> {
        let started = Instant::now();
        loop {
            let blocked =
                flight.lock().check_blocked(self.now().monotonic, Purpose::TokenNeeded, timeout);
            let Err(error) = blocked else { return Ok(true) };
            let left = wait.timeout.saturating_sub(started.elapsed());
            match error.retry_after() {
                Some(blocked) if blocked < left => {
                    self.http.clock().sleep(blocked.min(INTERRUPT_INTERVAL))
                }
                _ => return Ok(false),
            }
            if wait.interrupt.is_some_and(|interrupt| interrupt()) {
                return Err(cancelled().with_profile(self.profile()));
            }
        }
    }
}
