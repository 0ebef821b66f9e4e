//! Errors of the core as exceptions of `planetkey.errors`.

use std::time::Duration;

use planetkey::{Error, Reason, Status};
use planetkey_support::panic;
use pyo3::exceptions::PyBaseException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

mod classes {
    use pyo3::import_exception;

    import_exception!(planetkey.errors, Error);
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

/// The core error that a planetkey exception represents; `None` for any other exception.
pub(crate) fn from_exception(exception: &Bound<'_, PyBaseException>) -> Option<Error> {
    let py = exception.py();
    if !exception.is_instance(&py.get_type::<classes::Error>()).ok()? {
        return None;
    }
    let text = |name: &str| exception.getattr(name).ok()?.extract::<String>().ok();
    let code = text("code")?;
    let status = Status::ALL.into_iter().find(|status| status.name() == code)?;
    let mut error = Error::new(status, text("message")?);
    if let Some(reason) = text("reason").and_then(|reason| Reason::from_name(&reason)) {
        error = error.with_reason(reason);
    }
    if let Some(oauth_error) = text("oauth_error") {
        error = error.with_oauth_error(&oauth_error, text("oauth_error_description").as_deref());
    }
    let attribute = |name: &str| exception.getattr(name).ok();
    if let Some(status) = attribute("http_status").and_then(|status| status.extract().ok()) {
        error = error.with_http_status(status);
    }
    let retry_after = attribute("retry_after").and_then(|wait| wait.extract::<f64>().ok());
    let wait = retry_after.and_then(|wait| Duration::try_from_secs_f64(wait).ok());
    error = error.with_retry_after(wait).with_profile(text("profile").as_deref());
    match attribute("retryable").and_then(|retryable| retryable.extract().ok()) {
        // The classes say False unless they are told otherwise.
        Some(true) => Some(error.with_retryable(true)),
        _ => Some(error),
    }
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
