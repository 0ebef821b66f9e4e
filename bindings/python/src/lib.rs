//! `planetkey._native`: the Python classes over the core. They only translate types.

mod adapters;
mod arguments;
mod authorization;
mod errors;
mod gdal;
mod interpreter;
mod logging;
mod login;
mod login_options;
mod login_result;
mod pickling;
mod prompt;
mod provider;
mod response;
mod session;
mod status;
mod storage;
mod text_cache;
mod waiting;

use std::time::Duration;

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Returns the URL without its ``api_key`` parameters.
///
/// The rest of the URL stays as it is.
///
/// Args:
///     url: Any URL.
#[pyfunction]
fn strip_api_key(url: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::strip_api_key(text)))
}

/// Returns the URL without secrets, for logs.
///
/// The user information and the values of ``api_key`` and other secret parameters are replaced.
///
/// Args:
///     url: Any URL.
#[pyfunction]
fn redact_url(url: &Bound<'_, PyAny>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::redact_url(text)))
}

/// Waits until the refreshes of user sessions in this process have finished.
///
/// The interpreter does this when it ends, and so does a worker of ``multiprocessing``. Call it in
/// programs that end by ``os._exit``: a refresh that is cut off between the server's response and
/// the save may end the session. Blocks; Ctrl-C works.
///
/// Args:
///     timeout: Seconds to wait, as a number or a ``timedelta``. More than a day means a day.
///
/// Returns:
///     Whether all have finished.
///
/// Raises:
///     InvalidArgumentError: ``timeout`` is negative, not a number or too large.
#[pyfunction]
#[pyo3(signature = (timeout=None), text_signature = "(timeout=5.0)")]
fn settle(py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
    let timeout = timeout.map(|value| arguments::duration("timeout", value)).transpose()?;
    let by_default = Duration::from_millis(planetkey_support::exit::WAIT_MS);
    interpreter::settle(py, timeout.unwrap_or(by_default), waiting::cancelled())
}

/// Does what ``settle`` does, without blocking the event loop.
///
/// Cancelling the task cancels the call.
#[pyfunction]
#[pyo3(pass_module, signature = (timeout=None), text_signature = "(timeout=5.0)")]
fn settle_async<'py>(
    module: &Bound<'py, PyModule>,
    timeout: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    adapters::in_thread(module.as_any(), "settle", (timeout,), None)
}

/// Ends the use of the interpreter. The package registers it with ``atexit``.
#[pyfunction]
fn end(py: Python<'_>) -> PyResult<()> {
    let closed = interpreter::close(py);
    py.detach(gdal::uninstall_all);
    closed
}

/// Returns the exception class of every status, by its number. For tests.
#[pyfunction]
fn exception_classes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let classes = PyDict::new(py);
    for status in planetkey::Status::ALL {
        classes.set_item(status.number(), errors::class(py, status))?;
    }
    Ok(classes)
}

/// The native half of planetkey. Import ``planetkey`` instead.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::claim(module.py())?;
    module.add("__version__", planetkey::VERSION)?;
    module.add_class::<session::Session>()?;
    module.add_class::<authorization::Authorization>()?;
    module.add_class::<prompt::Prompt>()?;
    module.add_class::<login_result::LoginResult>()?;
    module.add_class::<login_result::LogoutResult>()?;
    module.add_class::<login::DeviceLogin>()?;
    module.add_class::<login::BrowserLogin>()?;
    module.add_class::<status::SessionStatus>()?;
    module.add_class::<status::SourceStatus>()?;
    module.add_class::<status::HostStatus>()?;
    module.add_class::<gdal::Gdal>()?;
    module.add_class::<waiting::Cancellation>()?;
    module.add_function(wrap_pyfunction!(gdal::install, module)?)?;
    module.add_function(wrap_pyfunction!(strip_api_key, module)?)?;
    module.add_function(wrap_pyfunction!(redact_url, module)?)?;
    module.add_function(wrap_pyfunction!(settle, module)?)?;
    module.add_function(wrap_pyfunction!(settle_async, module)?)?;
    module.add_function(wrap_pyfunction!(adapters::connect, module)?)?;
    module.add_function(wrap_pyfunction!(end, module)?)?;
    module.add_function(wrap_pyfunction!(exception_classes, module)?)?;
    logging::install();
    Ok(())
}
