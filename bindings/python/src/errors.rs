//! Errors of the core as exceptions of `planetkey.errors`.

use planetkey::{Error, Status};
use planetkey_support::panic;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

mod classes {
    use pyo3::import_exception;

    import_exception!(planetkey.errors, InvalidArgument);
    import_exception!(planetkey.errors, Misconfigured);
    import_exception!(planetkey.errors, LoginRequired);
    import_exception!(planetkey.errors, Denied);
    import_exception!(planetkey.errors, HostRefused);
    import_exception!(planetkey.errors, Unavailable);
    import_exception!(planetkey.errors, Timeout);
    import_exception!(planetkey.errors, Cancelled);
    import_exception!(planetkey.errors, Protocol);
    import_exception!(planetkey.errors, Storage);
    import_exception!(planetkey.errors, TokenInvalid);
    import_exception!(planetkey.errors, Unsupported);
    import_exception!(planetkey.errors, Internal);
    import_exception!(planetkey.errors, NotPicklable);
}

/// The class of a status. There is no wildcard, so a new status does not compile until it has a class.
pub(crate) fn class(py: Python<'_>, status: Status) -> Bound<'_, PyType> {
    match status {
        Status::InvalidArgument => py.get_type::<classes::InvalidArgument>(),
        Status::Misconfigured => py.get_type::<classes::Misconfigured>(),
        Status::LoginRequired => py.get_type::<classes::LoginRequired>(),
        Status::Denied => py.get_type::<classes::Denied>(),
        Status::HostRefused => py.get_type::<classes::HostRefused>(),
        Status::Unavailable => py.get_type::<classes::Unavailable>(),
        Status::Timeout => py.get_type::<classes::Timeout>(),
        Status::Cancelled => py.get_type::<classes::Cancelled>(),
        Status::Protocol => py.get_type::<classes::Protocol>(),
        Status::Storage => py.get_type::<classes::Storage>(),
        Status::TokenInvalid => py.get_type::<classes::TokenInvalid>(),
        Status::Unsupported => py.get_type::<classes::Unsupported>(),
        // An error that says OK is a bug of the core.
        Status::Ok | Status::Internal => py.get_type::<classes::Internal>(),
    }
}

fn exception<'py>(class: &Bound<'py, PyType>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let details = PyDict::new(py);
    details.set_item(intern!(py, "reason"), error.reason())?;
    details.set_item(intern!(py, "oauth_error"), error.oauth_error())?;
    details.set_item(intern!(py, "oauth_error_description"), error.oauth_error_description())?;
    details.set_item(intern!(py, "http_status"), error.http_status())?;
    details.set_item(intern!(py, "retry_after_ms"), error.retry_after_ms())?;
    details.set_item(intern!(py, "retryable"), error.retryable())?;
    details.set_item(intern!(py, "profile"), error.profile())?;
    class.call((error.message(),), Some(&details))
}

fn raise_as(class: &Bound<'_, PyType>, error: &Error) -> PyErr {
    match exception(class, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(failure) => failure,
    }
}

/// The exception for an error of the core.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    raise_as(&class(py, error.status()), error)
}

/// The UNSUPPORTED that `pickle` and its relatives know as a `TypeError`.
pub(crate) fn not_picklable(py: Python<'_>, error: &Error) -> PyErr {
    raise_as(&py.get_type::<classes::NotPicklable>(), error)
}

/// The exception for an argument of the right type that cannot cross into the core.
pub(crate) fn invalid_argument(py: Python<'_>, message: &str) -> PyErr {
    raise(py, &Error::new(Status::InvalidArgument, message))
}

/// A call into the core that neither waits nor takes a lock.
pub(crate) fn guarded<T>(py: Python<'_>, call: impl FnOnce() -> planetkey::Result<T>) -> PyResult<T> {
    panic::guarded(call).map_err(|error| raise(py, &error))
}

/// A call into the core that may read files or take a lock, while other threads run Python.
pub(crate) fn detached<T: Send>(py: Python<'_>, call: impl FnOnce() -> planetkey::Result<T> + Send) -> PyResult<T> {
    py.detach(|| panic::guarded(call)).map_err(|error| raise(py, &error))
}
