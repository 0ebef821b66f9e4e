//! `planetkey._native`: the Python classes over the core. It translates types and nothing else.

mod arguments;
mod authorization;
mod errors;
mod logging;
mod session;
mod status;
mod text_cache;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// The URL without its ``api_key`` parameters; everything else stays untouched.
#[pyfunction]
fn strip_api_key(url: &Bound<'_, PyString>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::strip_api_key(text)))
}

/// The URL with the value of ``api_key`` replaced: for logs.
#[pyfunction]
fn redact_url(url: &Bound<'_, PyString>) -> PyResult<String> {
    let text = arguments::text("url", url)?;
    errors::guarded(url.py(), || Ok(planetkey::redact_url(text)))
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
    module.add("__version__", planetkey::VERSION)?;
    module.add_class::<session::Session>()?;
    module.add_class::<authorization::Authorization>()?;
    module.add_class::<status::SessionStatus>()?;
    module.add_class::<status::SourceStatus>()?;
    module.add_class::<status::HostStatus>()?;
    module.add_function(wrap_pyfunction!(strip_api_key, module)?)?;
    module.add_function(wrap_pyfunction!(redact_url, module)?)?;
    module.add_function(wrap_pyfunction!(exception_classes, module)?)?;
    logging::install();
    Ok(())
}
