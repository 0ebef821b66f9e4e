//! Which thread compares the file version: one, once a second.

use super::sync::AtomicU64;
use crate::clock::{Moment, Monotonic};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A change on disk is noticed within this time.
const INTERVAL: Duration = Duration::from_secs(1);
/// A file that another process was writing is read again after this time.
const AGAIN: Duration = Duration::from_millis(20);

/// The time on the monotonic clock before which no thread compares the file version.
pub(crate) struct Watch(AtomicU64);

impl Watch {
    /// The first look is due at once.
    pub(crate) fn new() -> Self {
        Watch(AtomicU64::new(Monotonic::PAST.as_millis()))
    }

    /// There is no file to look at.
    pub(crate) fn never() -> Self {
        Watch(AtomicU64::new(Monotonic::NEVER.as_millis()))
    }

    /// Whether a look is due. The caller then asks for its turn.
    #[inline]
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        now.monotonic.as_millis() >= self.0.load(Ordering::Relaxed)
    }

    /// Whether this thread does the look. No other thread gets a turn within the next second.
    pub(crate) fn take_turn(&self, now: Moment) -> bool {
        let due = self.0.load(Ordering::Relaxed);
        let next = (now.monotonic + INTERVAL).as_millis();
        now.monotonic.as_millis() >= due
            && self.0.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Makes the next look due soon, because this one could not read the file.
    pub(crate) fn look_again_soon(&self, now: Moment) {
        self.0.store((now.monotonic + AGAIN).as_millis(), Ordering::Relaxed);
    }
}
