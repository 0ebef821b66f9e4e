//! Wall and monotonic time, injectable, and the randomness that jitter and identifiers need.

use std::ops::{Add, Sub};
use std::sync::Mutex;
use std::time::Duration;

/// The shortest deadline that a caller can set.
pub(crate) const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
/// The longest deadline that a caller can set.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// A time on the monotonic clock, which does not jump. Its start is arbitrary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(u64);

impl Monotonic {
    /// A time that is never reached.
    pub const NEVER: Monotonic = Monotonic(u64::MAX);
    /// A time that every clock has passed.
    pub(crate) const PAST: Monotonic = Monotonic(0);

    /// The time this many milliseconds after the start of the clock.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Monotonic(milliseconds)
    }

    /// Milliseconds since the start of the clock.
    #[inline]
    pub(crate) const fn as_millis(self) -> u64 {
        self.0
    }
}

impl Add<Duration> for Monotonic {
    type Output = Monotonic;

    /// The time later by this duration, at most [`Monotonic::NEVER`].
    fn add(self, duration: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(millis(duration)))
    }
}

impl Sub for Monotonic {
    type Output = Duration;

    /// The time from `earlier` until this one; zero if it is not earlier.
    fn sub(self, earlier: Monotonic) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// One reading of both clocks.
///
/// The monotonic clock does not jump but may stop while the computer sleeps; the wall clock counts
/// sleep but may jump. A deadline is therefore stored on both, and has passed if either clock says
/// so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The monotonic clock.
    pub monotonic: Monotonic,
    /// The wall clock: milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

impl Moment {
    /// A moment that is never reached.
    pub(crate) const NEVER: Moment = Moment { monotonic: Monotonic::NEVER, unix_ms: u64::MAX };

    /// Whether either clock has reached `deadline`.
    #[inline]
    pub fn reached(self, deadline: Moment) -> bool {
        self.monotonic >= deadline.monotonic || self.unix_ms >= deadline.unix_ms
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// This moment and a duration, on both clocks, without overflow.
    fn add(self, duration: Duration) -> Moment {
        let unix_ms = self.unix_ms.saturating_add(millis(duration));
        Moment { monotonic: self.monotonic + duration, unix_ms }
    }
}

/// Whole milliseconds, at most `u64::MAX`.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// A time in UTC as RFC 3339 writes it: `2026-11-29T12:00:00Z`.
pub fn rfc3339(unix_seconds: u64) -> String {
    let (days, seconds) = (unix_seconds / 86_400, unix_seconds % 86_400);
    // Days are counted from 1 March of the year 0, so that the leap day is the last of its year. An
    // era is 400 years.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The source of time. Implementations are called from any thread.
pub trait Clock: Send + Sync {
    /// Both clocks, now.
    fn now(&self) -> Moment;
    /// Waits.
    fn sleep(&self, duration: Duration);
}

/// The operating system's clocks, in the coarse form if there is one: a reading takes a few
/// nanoseconds, and the resolution is a few milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[inline]
    fn now(&self) -> Moment {
        use rustix::time::{ClockId, Timespec, clock_gettime};
        fn ms(time: Timespec) -> u64 {
            let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
            let milliseconds = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
            seconds.saturating_mul(1000).saturating_add(milliseconds)
        }
        Moment {
            monotonic: Monotonic(ms(clock_gettime(ClockId::MonotonicCoarse))),
            unix_ms: ms(clock_gettime(ClockId::RealtimeCoarse)),
        }
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn now(&self) -> Moment {
        use std::sync::OnceLock;
        use std::time::{Instant, SystemTime, UNIX_EPOCH};
        static START: OnceLock<Instant> = OnceLock::new();
        let monotonic = START.get_or_init(Instant::now).elapsed();
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment { monotonic: Monotonic(millis(monotonic)), unix_ms: millis(unix) }
    }

    fn sleep(&self, duration: Duration) {
        std::thread::sleep(duration);
    }
}

/// A clock that stands still until a test moves it.
#[derive(Debug)]
pub struct ManualClock {
    now: Mutex<Moment>,
}

impl ManualClock {
    /// Starts at this Unix time, in seconds.
    pub fn new(unix_seconds: u64) -> Self {
        let now =
            Moment { monotonic: Monotonic(1_000_000), unix_ms: unix_seconds.saturating_mul(1000) };
        ManualClock { now: Mutex::new(now) }
    }

    fn change(&self, change: impl FnOnce(&mut Moment)) {
        change(&mut self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }

    /// Time passes on both clocks.
    pub fn advance(&self, duration: Duration) {
        self.change(|now| *now = *now + duration);
    }

    /// The wall clock is set, forwards or backwards; the monotonic clock continues.
    pub fn set_unix(&self, unix_seconds: u64) {
        self.change(|now| now.unix_ms = unix_seconds.saturating_mul(1000));
    }

    /// The computer slept: only the wall clock moved.
    pub fn suspend(&self, duration: Duration) {
        self.change(|now| now.unix_ms = now.unix_ms.saturating_add(millis(duration)));
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Moment {
        *self.now.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Returns at once, and moves the clock instead.
    fn sleep(&self, duration: Duration) {
        self.advance(duration);
    }
}

/// The source of random bytes.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()>;
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        getrandom::fill(buffer).map_err(std::io::Error::from)
    }
}

/// A fraction from 0 to 1 for jitter. Without random numbers it is a half, which is still a valid
/// wait.
pub(crate) fn fraction(random: &dyn Random) -> f64 {
    let mut bytes = [0u8; 4];
    match random.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 0.5,
    }
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn times_are_written_as_rfc_3339() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_796_040_000, "2026-11-30T12:00:00Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(seconds), text);
        }
    }
}
