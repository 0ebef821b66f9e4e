//! The end of the process.

#[cfg(unix)]
use std::ffi::c_int;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use crate::boundary;

/// How long the end of a process waits for a renewal that is under way, in milliseconds.
#[cfg(unix)]
const PATIENCE_MS: u32 = 5_000;

#[cfg(unix)]
unsafe extern "C" {
    fn atexit(callback: extern "C" fn()) -> c_int;
}

#[cfg(unix)]
extern "C" fn at_exit() {
    planetkey_settle(PATIENCE_MS);
}

/// Makes the end of the process wait for renewals: a refresh token that was exchanged while nobody was left to keep the new one would end a
/// person's session. A child made by `fork` inherits this and has no renewal of its parent to wait for.
///
/// Without a lock, because a child may be made while another thread is in here. Only on Unix: elsewhere the other threads are gone before such
/// a function runs, and it would wait for nobody.
#[cfg(unix)]
pub(crate) fn register() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if REGISTERED.swap(true, Ordering::Relaxed) {
        return;
    }
    // SAFETY: a function without parameters, in a library that must not be unloaded.
    let full = unsafe { atexit(at_exit) } != 0;
    if full {
        REGISTERED.store(false, Ordering::Relaxed);
    }
}

#[cfg(not(unix))]
pub(crate) fn register() {}

/// Waits for the renewals of people's sessions that are under way in this process, so that their new refresh tokens are kept. The end of a
/// process, by exit() or by return from main(), does so by itself, for at most 5000 ms, once a session has been opened; this is for programs that
/// end by _exit() or quick_exit(), or are about to exec(). A process that was made by fork() waits for its own renewals only.
///
/// @param[in] timeout_ms the longest wait in milliseconds; what is more than a day becomes that. 0 only asks.
/// @return true when none is left, false when the time was up.
///
/// Any thread but one inside a callback of planetkey, which would wait for itself. Blocks, uses no network of its own. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_settle(timeout_ms: u32) -> bool {
    boundary::value(false, || Some(planetkey::session::settle(u64::from(timeout_ms))))
}
