//! The end of the process.

use napi_derive::napi;
use planetkey_support::exit;

use crate::options::milliseconds;

/// Waits for refreshes of user sessions that are in progress in this process. Returns `true` if
/// none is left.
#[napi]
pub fn settle(timeout_ms: f64) -> bool {
    planetkey::session::settle(milliseconds(timeout_ms))
}

/// How long process exit waits, in milliseconds.
#[napi]
pub fn exit_wait_ms() -> f64 {
    exit::WAIT_MS as f64
}

/// Makes process exit wait. Workers call it: they cannot know when the process ends, and the main
/// thread may never have loaded this addon.
#[napi]
pub fn settle_at_exit() {
    // Once there are sessions, the addon is never unloaded.
    #[cfg(unix)]
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    exit::register();
}
