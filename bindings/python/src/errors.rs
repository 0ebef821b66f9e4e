//! Errors of the core as exceptions of `planetkey.errors`.

use planetkey::{Error, Reason, Status};
use planetkey_support::panic;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

mod classes {
    use pyo3::import_exception;

    import_exception!(planetkey.errors, InvalidArgumentError);
    import_exception!(planetkey.errors, MisconfiguredError);
    import_exception!(planetkey.errors, LoginRequiredError);
    import_exception!(planetkey.errors, DeniedError);
    import_exception!(planetkey.errors, HostRefusedError);
    import_exception!(planetkey.errors, UnavailableError);
    import_exception!(planetkey.errors, TimeoutError);
    import_exception!(planetkey.errors, CancelledError);
    import_exception!(planetkey.errors, ProtocolError);
    import_exception!(planetkey.errors, StorageError);
    import_exception!(planetkey.errors, TokenInvalidError);
    import_exception!(planetkey.errors, UnsupportedError);
    import_exception!(planetkey.errors, InternalError);
    import_exception!(planetkey.errors, NotPicklableError);
}

/// The class of a status.
pub(crate) fn class(py: Python<'_>, status: Status) -> Bound<'_, PyType> {
    match status {
        Status::InvalidArgument => py.get_type::<classes::InvalidArgumentError>(),
        Status::Misconfigured => py.get_type::<classes::MisconfiguredError>(),
        Status::LoginRequired => py.get_type::<classes::LoginRequiredError>(),
        Status::Denied => py.get_type::<classes::DeniedError>(),
        Status::HostRefused => py.get_type::<classes::HostRefusedError>(),
        Status::Unavailable => py.get_type::<classes::UnavailableError>(),
        Status::Timeout => py.get_type::<classes::TimeoutError>(),
        Status::Cancelled => py.get_type::<classes::CancelledError>(),
        Status::Protocol => py.get_type::<classes::ProtocolError>(),
        Status::Storage => py.get_type::<classes::StorageError>(),
        Status::TokenInvalid => py.get_type::<classes::TokenInvalidError>(),
        Status::Unsupported => py.get_type::<classes::UnsupportedError>(),
        // `planetkey::Status` may get new members; a test holds this list against it.
        _ => py.get_type::<classes::InternalError>(),
    }
}

fn exception<'py>(class: &Bound<'py, PyType>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let details = PyDict::new(py);
    details.set_item(intern!(py, "reason"), error.reason().map(Reason::name))?;
    details.set_item(intern!(py, "oauth_error"), error.oauth_error())?;
    details.set_item(intern!(py, "oauth_error_description"), error.oauth_error_description())?;
    details.set_item(intern!(py, "http_status"), error.http_status())?;
    let retry_after = error.retry_after().map(|wait| wait.as_secs_f64());
    details.set_item(intern!(py, "retry_after"), retry_after)?;
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

/// The UNSUPPORTED of `pickle`, which expects a `TypeError`.
pub(crate) fn not_picklable(py: Python<'_>, error: &Error) -> PyErr {
    raise_as(&py.get_type::<classes::NotPicklableError>(), error)
}

/// The exception for an argument of the right type that the core cannot take.
pub(crate) fn invalid_argument(py: Python<'_>, message: &str) -> PyErr {
    raise(py, &Error::new(Status::InvalidArgument, message))
}

/// A call into the core that neither blocks nor takes a lock.
pub(crate) fn guarded<T>(
    py: Python<'_>,
    call: impl FnOnce() -> planetkey::Result<T>,
) -> PyResult<T> {
    panic::guarded(call).map_err(|error| raise(py, &error))
}

/// A call into the core that may read files or take a lock. Other threads run Python meanwhile.
pub(crate) fn detached<T: Send>(
    py: Python<'_>,
    call: impl FnOnce() -> planetkey::Result<T> + Send,
) -> PyResult<T> {
    py.detach(|| panic::guarded(call)).map_err(|error| raise(py, &error))
}
