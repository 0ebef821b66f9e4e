//! A log handler or storage of the application that calls the session from inside its own refresh, login or logout must not wait for it.

use crate::error::{Error, Result, Status};
use std::cell::Cell;

thread_local! {
    /// Whether this thread does what other threads wait for.
    static IS_INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Marks the thread until it is dropped.
pub(super) struct ReentryGuard(());

impl ReentryGuard {
    /// Errors: UNAVAILABLE where the thread is marked already.
    pub(super) fn enter() -> Result<Self> {
        check()?;
        Ok(ReentryGuard::mark())
    }

    /// For a thread that was started for a refresh.
    pub(super) fn mark() -> Self {
        IS_INSIDE.set(true);
        ReentryGuard(())
    }
}

impl Drop for ReentryGuard {
    fn drop(&mut self) {
        IS_INSIDE.set(false);
    }
}

/// Errors: UNAVAILABLE on a marked thread.
pub(super) fn check() -> Result<()> {
    match IS_INSIDE.get() {
        false => Ok(()),
        true => Err(Error::new(
            Status::Unavailable,
            "a log handler or storage called the session from inside its own renewal or logout, which cannot wait for itself",
        )),
    }
}
