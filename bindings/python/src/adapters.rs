//! What HTTP clients call. They are not imported with the package, and what knows them is Python.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::session::Session;

/// A call of `requests` or one of its relatives.
pub(crate) fn call<'py>(session: &Bound<'py, Session>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    py.import(intern!(py, "planetkey._auth"))?.call_method1(intern!(py, "call"), (session, request))
}

/// The flow of `httpx.Client`.
pub(crate) fn sync_auth_flow<'py>(session: &Bound<'py, Session>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    py.import(intern!(py, "planetkey._httpx"))?.call_method1(intern!(py, "sync_auth_flow"), (session, request))
}

/// The flow of `httpx.AsyncClient`.
pub(crate) fn async_auth_flow<'py>(session: &Bound<'py, Session>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    py.import(intern!(py, "planetkey._httpx"))?.call_method1(intern!(py, "async_auth_flow"), (session, request))
}

/// What `session.__class__` is: `isinstance` goes by it where the type alone does not do, and `httpx` goes by `isinstance`.
pub(crate) fn class<'py>(session: &Bound<'py, Session>) -> PyResult<Bound<'py, PyAny>> {
    let py = session.py();
    py.import(intern!(py, "planetkey._auth"))?.call_method1(intern!(py, "class_of"), (session.get_type(),))
}

/// A session is final for everybody but `class`.
pub(crate) fn check_subclass(class: &Bound<'_, PyType>) -> PyResult<()> {
    if class.getattr(intern!(class.py(), "__module__"))?.eq("planetkey")? {
        Ok(())
    } else {
        Err(PyTypeError::new_err("planetkey.Session is final: keep a session in an attribute instead"))
    }
}
