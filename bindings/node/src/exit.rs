//! The end of the process.

#[cfg(unix)]
use std::ffi::c_int;
#[cfg(unix)]
use std::sync::Once;

use napi_derive::napi;

use crate::options::whole;

/// Waits for the renewals of people's sessions that are under way in this process; `true` when none is left.
#[napi]
pub fn settle(timeout_ms: f64) -> bool {
    planetkey::session::settle(whole(timeout_ms))
}

/// How long the end of a process waits, in milliseconds; as long as `lib/event-loop.cjs`.
#[cfg(unix)]
const PATIENCE_MS: u64 = 5_000;

#[cfg(unix)]
unsafe extern "C" {
    fn atexit(callback: extern "C" fn()) -> c_int;
}

#[cfg(unix)]
extern "C" fn at_exit() {
    planetkey::session::settle(PATIENCE_MS);
}

/// For workers, which cannot know that the process ends, and whose main thread may never have loaded this addon.
///
/// On Unix only: elsewhere the other threads are gone before such a function runs, and it would wait for nobody.
#[napi]
pub fn settle_at_exit() {
    #[cfg(unix)]
    {
        static REGISTERED: Once = Once::new();
        REGISTERED.call_once(|| {
            // The function lives as long as the process: where there are sessions, the addon is never unloaded.
            napi::bindgen_prelude::retain_current_module_for_unload_safety();
            // SAFETY: a function without parameters that cannot unwind, in a library that stays loaded.
            let _ = unsafe { atexit(at_exit) };
        });
    }
}
