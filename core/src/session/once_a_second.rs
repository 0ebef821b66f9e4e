//! Whose turn it is to look at a file: one thread, once a second.

use crate::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};

/// A change on disk is noticed within this.
const LOOK_INTERVAL_MS: u64 = 1_000;
/// What was being written when it was looked at is looked at again after this.
const LOOK_AGAIN_MS: u64 = 20;

/// Not before this, on the monotonic clock, is the file looked at.
pub(super) struct OnceASecond(AtomicU64);

impl OnceASecond {
    /// The first look is due at once.
    pub(super) fn new() -> Self {
        OnceASecond(AtomicU64::new(0))
    }

    /// There is no file.
    pub(super) fn never() -> Self {
        OnceASecond(AtomicU64::new(u64::MAX))
    }

    /// Whether a look is due; the caller then asks for its turn.
    #[inline]
    pub(super) fn is_due(&self, now: Moment) -> bool {
        now.monotonic_ms >= self.0.load(Ordering::Relaxed)
    }

    /// Whether it is this thread's turn; everybody else then has a second without.
    pub(super) fn take_turn(&self, now: Moment) -> bool {
        let due = self.0.load(Ordering::Relaxed);
        let next = now.monotonic_ms.saturating_add(LOOK_INTERVAL_MS);
        now.monotonic_ms >= due && self.0.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The file was being written.
    pub(super) fn look_again_soon(&self, now: Moment) {
        self.0.store(now.monotonic_ms.saturating_add(LOOK_AGAIN_MS), Ordering::Relaxed);
    }
}
