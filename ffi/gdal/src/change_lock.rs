//! The lock that makes changes of what is installed happen one at a time.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;

struct ChangeLock {
    pid: u32,
    mutex: Mutex<()>,
}

impl ChangeLock {
    fn new() -> Arc<Self> {
        Arc::new(ChangeLock { pid: std::process::id(), mutex: Mutex::new(()) })
    }
}

static LOCK: LazyLock<ArcSwap<ChangeLock>> = LazyLock::new(|| ArcSwap::new(ChangeLock::new()));

/// Runs `change` while no other thread of this process changes what is installed. `change` does not
/// use the network.
///
/// A child made by `fork` gets a lock of its own: the thread that held its parent's lock does not
/// exist in the child.
pub(crate) fn locked<T>(change: impl FnOnce() -> T) -> T {
    let mut lock = LOCK.load_full();
    if lock.pid != std::process::id() {
        LOCK.compare_and_swap(&lock, ChangeLock::new());
        lock = LOCK.load_full();
    }
    let _held = lock.mutex.lock().unwrap_or_else(PoisonError::into_inner);
    change()
}
