//! What the native classes call in Python. The package passes it in, so that this module imports
//! nothing of the package that is above it.

use pyo3::IntoPyObjectExt;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyModule, PyType};

static DISPATCHER: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Sets the module whose functions the native classes call. The package does so at import.
#[pyfunction]
pub(crate) fn connect(py: Python<'_>, dispatcher: Bound<'_, PyModule>) {
    let _ = DISPATCHER.set(py, dispatcher.unbind());
}

/// A function of the dispatcher.
pub(crate) fn function<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    match DISPATCHER.get(py) {
        Some(dispatcher) => dispatcher.bind(py).getattr(name),
        None => Err(PyRuntimeError::new_err("import planetkey instead of planetkey._native")),
    }
}

/// The request that `session(request)` returns.
pub(crate) fn call<'py>(
    session: &Bound<'py, PyAny>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    function(session.py(), "call")?.call1((session, request))
}

/// The flow of `httpx.Client`.
pub(crate) fn sync_auth_flow<'py>(
    session: &Bound<'py, PyAny>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    function(session.py(), "sync_auth_flow")?.call1((session, request))
}

/// The flow of `httpx.AsyncClient`.
pub(crate) fn async_auth_flow<'py>(
    session: &Bound<'py, PyAny>,
    request: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    function(session.py(), "async_auth_flow")?.call1((session, request))
}

/// `session.__class__`. `isinstance` looks at it if the type alone does not match, and `httpx` uses
/// `isinstance`.
pub(crate) fn class<'py>(session: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    function(session.py(), "class_of")?.call1((session.get_type(),))
}

/// Only [`class`] makes subclasses of a session.
pub(crate) fn check_subclass(class: &Bound<'_, PyType>) -> PyResult<()> {
    if class.getattr("__module__")?.eq("planetkey")? {
        Ok(())
    } else {
        Err(PyTypeError::new_err(
            "planetkey.Session cannot be subclassed; hold a session in an attribute instead",
        ))
    }
}

/// A coroutine that calls a method of `object` on another thread. `arguments` is a tuple.
pub(crate) fn in_thread<'py>(
    object: &Bound<'py, PyAny>,
    method: &str,
    arguments: impl IntoPyObject<'py>,
    options: Option<&Bound<'py, PyDict>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let arguments = arguments.into_bound_py_any(py)?;
    let call = (object.getattr(method)?, arguments, options);
    function(py, "in_thread")?.call1(call)
}

/// As [`in_thread`], for a login, which has a method `cancel`. That is called if the task is
/// cancelled before the call has started.
pub(crate) fn in_thread_of_login<'py>(
    login: &Bound<'py, PyAny>,
    method: &str,
    arguments: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = login.py();
    let arguments = arguments.into_bound_py_any(py)?;
    let call = (login.getattr(method)?, arguments, py.None(), login.getattr("cancel")?);
    function(py, "in_thread")?.call1(call)
}

/// As [`in_thread`], after it tried the method `cached`, which does not block. That one returns the
/// result in a tuple, or `None` if the call would block.
pub(crate) fn cached_or_in_thread<'py>(
    object: &Bound<'py, PyAny>,
    cached: &str,
    method: &str,
    arguments: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let arguments = arguments.into_bound_py_any(py)?;
    let call = (object.getattr(cached)?, object.getattr(method)?, arguments);
    function(py, "cached_or_in_thread")?.call1(call)
}
