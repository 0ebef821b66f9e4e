//! Whose turn it is to compare the file's version: one thread, once a second.

use crate::clock::Moment;
use std::sync::atomic::{AtomicU64, Ordering};

/// A change on disk is noticed within this time.
const INTERVAL_MS: u64 = 1_000;
/// A file that another process was writing is read again after this time.
const AGAIN_MS: u64 = 20;

/// The time on the monotonic clock before which no thread looks at the file.
pub(crate) struct Watch(AtomicU64);

impl Watch {
    /// The first look is due at once.
    pub(crate) fn new() -> Self {
        Watch(AtomicU64::new(0))
    }

    /// There is no file to look at.
    pub(crate) fn never() -> Self {
        Watch(AtomicU64::new(u64::MAX))
    }

    /// Whether a look is due. The caller then asks for its turn.
    #[inline]
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        now.monotonic_ms >= self.0.load(Ordering::Relaxed)
    }

    /// Whether it is this thread's turn. No other thread gets one within the next second.
    pub(crate) fn take_turn(&self, now: Moment) -> bool {
        let due = self.0.load(Ordering::Relaxed);
        let next = now.monotonic_ms.saturating_add(INTERVAL_MS);
        now.monotonic_ms >= due && self.0.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Makes the next look due soon, because this one could not read the file.
    pub(crate) fn look_again_soon(&self, now: Moment) {
        self.0.store(now.monotonic_ms.saturating_add(AGAIN_MS), Ordering::Relaxed);
    }
}
