//! Network calls whose caller can stop waiting.

use crate::error::{Error, Result, Status};
use crate::token_cache::{INTERRUPT_INTERVAL, Wait};
use std::sync::mpsc::{RecvTimeoutError, SendError, sync_channel};
use std::time::Instant;

/// Runs `call` on its own thread and waits for it. On cancellation the caller returns at once; the
/// thread finishes within its own deadline, and its result is dropped.
///
/// Errors: TIMEOUT, CANCELLED, those of `call`.
pub(crate) fn interruptibly<T: Send + 'static>(
    wait: Wait<'_>,
    what: &str,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    interruptibly_or(wait, what, drop, call)
}

/// As [`interruptibly`], but passes a result that comes after the caller stopped waiting to
/// `unwanted`.
pub(crate) fn interruptibly_or<T: Send + 'static>(
    wait: Wait<'_>,
    what: &str,
    unwanted: impl FnOnce(T) + Send + 'static,
    call: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let started = Instant::now();
    // Without a buffer, a result is either received or returned to the sender.
    let (sender, receiver) = sync_channel(0);
    let work = move || {
        if let Err(SendError(Ok(late))) = sender.send(call()) {
            unwanted(late);
        }
    };
    crate::threads::spawn("planetkey-request", work).map_err(|error| {
        Error::new(Status::Unavailable, format!("no thread could be started for {what}: {error}"))
    })?;
    loop {
        let left = wait.timeout.saturating_sub(started.elapsed());
        let slice = if wait.interrupt.is_some() { left.min(INTERRUPT_INTERVAL) } else { left };
        match receiver.recv_timeout(slice) {
            Ok(outcome) => return outcome,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(
                    Status::Internal,
                    format!("{what} ended in a bug; please report it"),
                ));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        if wait.interrupt.is_some_and(|interrupt| interrupt()) {
            return Err(Error::new(Status::Cancelled, format!("the caller cancelled {what}")));
        }
        if started.elapsed() >= wait.timeout {
            return Err(Error::new(
                Status::Timeout,
                format!(
                    "{what} did not end within the deadline; try again, or give a longer timeout"
                ),
            ));
        }
    }
}
