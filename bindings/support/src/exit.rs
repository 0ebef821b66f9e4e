//! Process exit waits for refreshes in progress.
//!
//! A server replaces the refresh token of a user session at every refresh. If the process ended
//! between the response and the save, the session would be lost.

use std::time::Duration;

/// How long process exit waits for requests for tokens that are in progress.
pub const WAIT: Duration = Duration::from_secs(5);

/// [`WAIT`] in milliseconds.
pub const WAIT_MS: u64 = 5_000;

/// Waits for requests for tokens that are in progress, at most for [`WAIT`]. Returns true if none
/// is left.
pub fn wait() -> bool {
    planetkey::session::settle(std::time::Duration::from_millis(WAIT_MS))
}

/// Registers [`wait`] with `atexit`, once for each process. A child made by `fork` inherits it and
/// has no refresh of its parent to wait for.
///
/// The library that contains this code must not be unloaded afterwards.
///
/// Only on Unix. Elsewhere the other threads are gone before such a function runs, so that it would
/// wait until its limit. Never blocks and takes no lock, because another thread may fork at any time.
pub fn register() {
    #[cfg(unix)]
    unix::register();
}

#[cfg(unix)]
mod unix {
    use std::ffi::c_int;
    use std::sync::atomic::{AtomicBool, Ordering};

    unsafe extern "C" {
        fn atexit(callback: extern "C" fn()) -> c_int;
    }

    extern "C" fn at_exit() {
        crate::panic::or((), || {
            super::wait();
            Some(())
        });
    }

    pub(super) fn register() {
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        if REGISTERED.swap(true, Ordering::Relaxed) {
            return;
        }
        // SAFETY: a function without parameters that does not unwind, in a library that stays
        // loaded.
        let is_full = unsafe { atexit(at_exit) } != 0;
        if is_full {
            REGISTERED.store(false, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_units_of_the_wait_agree() {
        assert_eq!(WAIT.as_millis(), u128::from(WAIT_MS));
    }
}
