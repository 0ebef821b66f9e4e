//! Code of the application that a refresh, login or logout calls, such as a log handler or a
//! storage, must not wait for that same refresh, login or logout.

use super::sync::thread_local;
use crate::error::{Error, Result, Status};
use std::cell::Cell;

thread_local! {
    /// Whether this thread does what other threads wait for.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread until it is dropped.
pub(super) struct ReentryGuard(());

impl ReentryGuard {
    /// Errors: UNAVAILABLE if the thread is marked already.
    pub(super) fn enter() -> Result<Self> {
        check()?;
        Ok(ReentryGuard::mark())
    }

    /// For a thread that was started for a refresh.
    pub(super) fn mark() -> Self {
        IS_INSIDE.with(|inside| inside.set(true));
        ReentryGuard(())
    }
}

impl Drop for ReentryGuard {
    fn drop(&mut self) {
        IS_INSIDE.with(|inside| inside.set(false));
    }
}

/// Errors: UNAVAILABLE on a marked thread.
pub(super) fn check() -> Result<()> {
    match IS_INSIDE.with(Cell::get) {
        false => Ok(()),
        true => Err(Error::new(
            Status::Unavailable,
            "a log handler or storage called the session during a refresh, login or logout of that \
             session, which cannot wait for itself",
        )),
    }
}
