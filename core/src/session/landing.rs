//! The end of a flight: its outcome is shared, and the next one waits as long as it must.

use super::backoff::MIN_SPACING_MS;
use super::flight::{Blocked, Flight};
use super::renewing::Renewing;
use super::snapshot::Snapshot;
use crate::clock::Moment;
use crate::error::{Error, Status};
use crate::http::Patience;
use crate::http::retry_after::MAX_RETRY_AFTER_MS;
use crate::storage::Failure;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Storing is tried again after this.
const SAVE_AGAIN_MS: u64 = 30_000;

/// Publishes the outcome of a flight, also when its thread panics.
pub(super) struct Landing<'a> {
    pub(super) renewing: &'a Renewing,
    pub(super) flight: &'a Flight<Arc<Snapshot>>,
    pub(super) number: u64,
    pub(super) result: Option<std::result::Result<Arc<Snapshot>, Failed>>,
    pub(super) patience: Patience,
    /// When its time is up, on both clocks.
    pub(super) deadline: Moment,
}

/// An attempt that has failed.
pub(super) struct Failed {
    pub(super) error: Error,
    /// How long every process waits before the next attempt, in milliseconds, where they have been told.
    pub(super) wait_ms: Option<u64>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, wait_ms: None }
    }
}

impl Drop for Landing<'_> {
    fn drop(&mut self) {
        let result = self.result.take().unwrap_or_else(|| {
            Err(Error::new(Status::Internal, "the renewal of the access token ended in a bug; please report it").into())
        });
        let (result, shared_wait_ms) = match result {
            Ok(snapshot) => (Ok(snapshot), None),
            Err(Failed { error, wait_ms }) => (Err(error.with_profile(self.renewing.profile.as_deref())), wait_ms),
        };
        let lets_callers_pass = self.patience == Patience::Once || was_stopped(self.deadline, self.renewing.now());
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
                    failure: Failure { error: too_short(snapshot), lets_callers_pass: false, timeout_ms: None },
                });
                if self.renewing.unsaved.load().is_some() {
                    SAVE_AGAIN_MS
                } else if snapshot.due(now) {
                    // It was found, not requested.
                    0
                } else {
                    MIN_SPACING_MS
                }
            }
            Err(error) => {
                state.failures = state.failures.saturating_add(1);
                let wait_ms = shared_wait_ms.or_else(|| self.renewing.wait_ms(error, state.failures));
                let until_ms = wait_ms.map(|wait| now.monotonic_ms.saturating_add(wait));
                // How long an attempt has waited matters to other processes; the attempts of this one have the same deadline.
                let failure = Failure { error: error.clone(), lets_callers_pass, timeout_ms: None };
                state.blocked = Some(Blocked { until_ms, failure });
                wait_ms.unwrap_or(MAX_RETRY_AFTER_MS).max(MIN_SPACING_MS)
            }
        };
        self.renewing.background_after_ms.store(now.monotonic_ms.saturating_add(background_in), Ordering::Relaxed);
        let failure = result.as_ref().err().cloned();
        self.flight.land(state, self.number, result, lets_callers_pass);
        // At the very end: a logger may call back into the session, or take its time.
        if let Some(error) = failure {
            log::warn!("the access token could not be renewed: {error}");
        }
    }
}

/// Whether the process was stopped, or the machine asleep, during an attempt: it has ended long after its time was up.
pub(super) fn was_stopped(deadline: Moment, now: Moment) -> bool {
    const LATE_MS: u64 = 1_000;
    now.reached(deadline.plus_ms(LATE_MS))
}

fn too_short(snapshot: &Snapshot) -> Error {
    let lifetime_ms = snapshot.lifetime_ms;
    let message = format!("the authorization server issues tokens that live {lifetime_ms} ms, too short to be used");
    Error::new(Status::Unavailable, message)
}
