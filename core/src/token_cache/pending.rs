//! Work that process exit waits for: a refresh that ends between the response and the file loses a
//! rotated refresh token.

use crate::clock::LONGEST_TIMEOUT;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The number of pending refreshes, stamped with the process id: a forked child has none.
static PENDING: AtomicU64 = AtomicU64::new(0);

const POLL: Duration = Duration::from_millis(2);

fn count(stamped: u64) -> u64 {
    if stamped >> 32 == u64::from(std::process::id()) { stamped & 0xffff_ffff } else { 0 }
}

fn stamp(count: u64) -> u64 {
    u64::from(std::process::id()) << 32 | count
}

fn change(change: impl Fn(u64) -> u64) {
    let _ = PENDING.fetch_update(Ordering::AcqRel, Ordering::Acquire, |before| {
        Some(stamp(change(count(before))))
    });
}

/// One pending refresh, until it is dropped.
pub(crate) struct Pending(());

impl Pending {
    pub(crate) fn new() -> Self {
        change(|count| count + 1);
        Pending(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        change(|count| count.saturating_sub(1));
    }
}

/// Waits for the pending refreshes of this process, at most this long; `true` when none is left.
///
/// Call it at the end of a program: if the process ends before a new refresh token is saved, the
/// session is lost. `timeout`: at most a day.
pub fn settle(timeout: Duration) -> bool {
    let deadline = Instant::now() + timeout.min(LONGEST_TIMEOUT);
    while count(PENDING.load(Ordering::Acquire)) > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
