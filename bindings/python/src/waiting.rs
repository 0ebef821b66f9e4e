//! Calls into the core that may wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use planetkey::Interrupt;
use planetkey_support::panic;
use pyo3::prelude::*;

use crate::errors::raise;
use crate::storage::take_raised;

/// Tells a call that waits on another thread that nobody wants its result any more.
#[pyclass(frozen, module = "planetkey._native")]
pub(crate) struct Cancellation {
    is_cancelled: Arc<AtomicBool>,
}

impl Cancellation {
    /// What [`wait_unless`] looks at.
    pub(crate) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_cancelled)
    }
}

#[pymethods]
impl Cancellation {
    #[new]
    fn new() -> Self {
        Cancellation { is_cancelled: Arc::default() }
    }

    /// Ends the calls that wait, and those that would begin to.
    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }
}

/// A call that may wait: other threads run Python meanwhile, and signal handlers run in the main thread. What a handler raises, as Ctrl-C
/// does, ends the wait.
pub(crate) fn wait<T: Send>(py: Python<'_>, call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send) -> PyResult<T> {
    wait_unless(py, None, call)
}

/// As [`wait`], until a [`Cancellation`] says that nobody waits for the result any more.
pub(crate) fn wait_unless<T: Send>(
    py: Python<'_>,
    is_cancelled: Option<Arc<AtomicBool>>,
    call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send,
) -> PyResult<T> {
    let raised = Arc::new(Mutex::new(None));
    let interrupt: Interrupt = Arc::new({
        let raised = Arc::clone(&raised);
        move || {
            if is_cancelled.as_ref().is_some_and(|flag| flag.load(Ordering::Relaxed)) {
                return true;
            }
            match Python::try_attach(|py| py.check_signals()) {
                Some(Ok(())) => false,
                Some(Err(error)) => {
                    *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    true
                }
                // The interpreter is shutting down.
                None => true,
            }
        }
    });
    let result = py.detach(|| panic::guarded(|| call(interrupt)));
    // The signal has been consumed, so its exception wins even over a result that came at the same moment.
    let by_callback = take_raised();
    if let Some(error) = raised.lock().unwrap_or_else(PoisonError::into_inner).take().or(by_callback) {
        return Err(error);
    }
    result.map_err(|error| raise(py, &error))
}
