//! Requests of this process that may bring tokens: one that is cut off between the answer and the file costs a rotated refresh token, or leaves
//! the tokens of a login alive at the server.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How many there are, stamped with the process: a forked child has none of them.
static IN_FLIGHT: AtomicU64 = AtomicU64::new(0);

const POLL: Duration = Duration::from_millis(2);

fn count(stamped: u64) -> u64 {
    if stamped >> 32 == u64::from(std::process::id()) { stamped & 0xffff_ffff } else { 0 }
}

fn stamp(count: u64) -> u64 {
    u64::from(std::process::id()) << 32 | count
}

/// One such request, until its tokens are saved or revoked.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn new() -> Self {
        let _ = IN_FLIGHT.fetch_update(Ordering::AcqRel, Ordering::Acquire, |before| Some(stamp(count(before) + 1)));
        InFlight
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let _ =
            IN_FLIGHT.fetch_update(Ordering::AcqRel, Ordering::Acquire, |before| Some(stamp(count(before).saturating_sub(1))));
    }
}

/// Waits for the requests of this process that may bring tokens, at most this long; `true` when none is left. For the end of a program: a
/// session whose refresh token was rotated while nobody was left to keep the new one is lost, and the tokens of a cancelled login stay alive.
pub fn settle(timeout_ms: u64) -> bool {
    let deadline = Instant::now() + Duration::from_millis(timeout_ms.min(24 * 3600 * 1000));
    while count(IN_FLIGHT.load(Ordering::Acquire)) > 0 {
        if Instant::now() >= deadline {
            return false;
        }
        std::thread::sleep(POLL);
    }
    true
}
