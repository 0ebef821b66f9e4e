//! `planetkey._native`: the Python classes over the core. It translates types and nothing else.

mod adapters;
mod arguments;
mod authorization;
mod errors;
mod gdal;
mod interpreter;
mod logging;
mod login;
mod pickling;
mod session;
mod status;
mod storage;
mod text_cache;
mod waiting;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString};

/// The URL without its ``api_key`` parameters; everything else stays untouched.
#[pyfunction]
fn strip_api_key(url: &Bound<'_, PyString>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::strip_api_key(text)))
}

/// The URL with its user information and the values of ``api_key`` and other secret parameters replaced: for logs.
#[pyfunction]
fn redact_url(url: &Bound<'_, PyString>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::redact_url(text)))
}

/// Waits for the renewals of user sessions that are under way in this process, at most so long; whether none is left.
///
/// The end of the interpreter and of a ``multiprocessing`` worker does this anyway. It is for programs that end by ``os._exit``: a
/// renewal that is cut off between the server's answer and the storage may end the session.
#[pyfunction]
#[pyo3(signature = (timeout_ms=None), text_signature = "(timeout_ms=5000)")]
fn settle(py: Python<'_>, timeout_ms: Option<&Bound<'_, PyInt>>) -> PyResult<bool> {
    let timeout_ms = timeout_ms.map(|value| arguments::integer("timeout_ms", value)).transpose()?;
    interpreter::settle(py, timeout_ms.unwrap_or(planetkey_support::exit::WAIT_MS))
}

/// The end of the interpreter: the package registers it with ``atexit``.
#[pyfunction]
fn end(py: Python<'_>) -> PyResult<()> {
    let closed = interpreter::close(py);
    py.detach(gdal::uninstall_all);
    closed
}

/// The exception class of every status, by its number: tests hold it against the taxonomy.
#[pyfunction]
fn exception_classes(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let classes = PyDict::new(py);
    for status in planetkey::Status::ALL {
        if status != planetkey::Status::Ok {
            classes.set_item(status.number(), errors::class(py, status))?;
        }
    }
    Ok(classes)
}

/// The native half of planetkey; import `planetkey` instead.
#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    interpreter::claim(module.py())?;
    module.add("__version__", planetkey::VERSION)?;
    module.add_class::<session::Session>()?;
    module.add_class::<authorization::Authorization>()?;
    module.add_class::<login::Prompt>()?;
    module.add_class::<login::LoggedIn>()?;
    module.add_class::<login::LoggedOut>()?;
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
    module.add_function(wrap_pyfunction!(end, module)?)?;
    module.add_function(wrap_pyfunction!(exception_classes, module)?)?;
    logging::install();
    Ok(())
}
