//! Calls into the core that may wait.

use std::sync::{Arc, Mutex, PoisonError};

use planetkey::Interrupt;
use pyo3::prelude::*;

use crate::errors::{caught, raise};
use crate::storage::take_raised;

/// A call that may wait: other threads run Python meanwhile, and signal handlers run in the main thread. What a handler raises, as Ctrl-C
/// does, ends the wait.
pub(crate) fn wait<T: Send>(py: Python<'_>, call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send) -> PyResult<T> {
    let raised = Arc::new(Mutex::new(None));
    let interrupt: Interrupt = Arc::new({
        let raised = Arc::clone(&raised);
        move || match Python::try_attach(|py| py.check_signals()) {
            Some(Ok(())) => false,
            Some(Err(error)) => {
                *raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                true
            }
            // The interpreter is shutting down.
            None => true,
        }
    });
    let result = py.detach(|| caught(|| call(interrupt)));
    // The signal has been consumed, so its exception wins even over a result that came at the same moment.
    let by_callback = take_raised();
    if let Some(error) = raised.lock().unwrap_or_else(PoisonError::into_inner).take().or(by_callback) {
        return Err(error);
    }
    result.map_err(|error| raise(py, &error))
}
