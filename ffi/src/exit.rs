//! Process exit.

use planetkey_support::panic;

/// Waits for refreshes of user sessions that are in progress in this process, so that their new
/// refresh tokens are saved.
///
/// Once a session has been opened, exit() and return from main() do so by themselves, for at most
/// 5000 ms. Call this in programs that end with _exit() or quick_exit(), or before exec(). A child
/// made by fork() waits only for its own refreshes.
///
/// @param[in] timeout_ms the longest wait in milliseconds. More than a day means a day. 0 does not
///            wait.
/// @return true if no refresh is in progress, false if the time passed.
///
/// Thread-safe, but a callback of planetkey must not call it: it would wait for itself. Blocks, but
/// sends no requests of its own. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_settle(timeout_ms: u32) -> bool {
    panic::or(false, || {
        Some(planetkey::session::settle(std::time::Duration::from_millis(timeout_ms.into())))
    })
}
