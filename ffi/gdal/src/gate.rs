//! One change at a time.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;

struct Gate {
    pid: u32,
    mutex: Mutex<()>,
}

impl Gate {
    fn new() -> Arc<Self> {
        Arc::new(Gate { pid: std::process::id(), mutex: Mutex::new(()) })
    }
}

static GATE: LazyLock<ArcSwap<Gate>> = LazyLock::new(|| ArcSwap::new(Gate::new()));

/// Runs `change` while nobody else in this process changes what is installed. Nothing in here waits for the network. A child made by
/// `fork` has a gate of its own: whoever held its parent's is not there.
pub(crate) fn alone<T>(change: impl FnOnce() -> T) -> T {
    let mut gate = GATE.load_full();
    if gate.pid != std::process::id() {
        GATE.compare_and_swap(&gate, Gate::new());
        gate = GATE.load_full();
    }
    let _held = gate.mutex.lock().unwrap_or_else(PoisonError::into_inner);
    change()
}
