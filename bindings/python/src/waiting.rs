//! Calls into the core that may block.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use planetkey::Interrupt;
use planetkey_support::panic;
use pyo3::prelude::*;

use crate::errors::raise;
use crate::storage::take_raised;

thread_local! {
    /// The cancellations whose `with` blocks this thread is in.
    static ENTERED: RefCell<Vec<Arc<AtomicBool>>> = const { RefCell::new(Vec::new()) };
}

/// Cancels the calls that another thread makes inside this object's ``with`` block.
///
/// Every call of planetkey that may block looks at it. A cancelled one raises ``CancelledError``
/// within a moment.
// A context manager, and not a method that makes the call: Python would then run above a frame of
// Rust, which must not happen on a daemon thread. Before Python 3.14 the end of the interpreter
// ends such a thread by `pthread_exit`.
#[pyclass(frozen, module = "planetkey._native")]
pub(crate) struct Cancellation {
    is_cancelled: Arc<AtomicBool>,
}

#[pymethods]
impl Cancellation {
    #[new]
    fn new() -> Self {
        Cancellation { is_cancelled: Arc::default() }
    }

    /// Cancels the calls in progress and those that start later.
    fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        ENTERED.with_borrow_mut(|entered| entered.push(Arc::clone(&slf.get().is_cancelled)));
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, _exception: &Bound<'_, PyAny>) {
        ENTERED.with_borrow_mut(|entered| entered.pop());
    }
}

/// A question that is true once a [`Cancellation`] of this thread is cancelled. Any thread may ask.
pub(crate) fn cancelled() -> impl Fn() -> bool + Send + Sync + 'static {
    let entered = ENTERED.with_borrow(Clone::clone);
    move || entered.iter().any(|flag| flag.load(Ordering::Relaxed))
}

/// A call that may block. Other threads run Python meanwhile, and signal handlers run in the main
/// thread. An exception of a handler, such as `KeyboardInterrupt`, cancels the call and is raised.
/// So does a [`Cancellation`], with CANCELLED.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send,
) -> PyResult<T> {
    let raised = Arc::new(Mutex::new(None));
    let interrupt: Interrupt = Arc::new({
        let raised = Arc::clone(&raised);
        let is_cancelled = cancelled();
        move || {
            if is_cancelled() {
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
    // The signal has been consumed, so its exception goes before a result that arrived meanwhile.
    let by_callback = take_raised();
    if let Some(error) =
        raised.lock().unwrap_or_else(PoisonError::into_inner).take().or(by_callback)
    {
        return Err(error);
    }
    result.map_err(|error| raise(py, &error))
}
