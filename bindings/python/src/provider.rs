//! A Python callable that obtains tokens.

use std::time::Duration;

use planetkey::{Error, ProvidedToken, ProviderRequest, Status, TokenProvider};
use pyo3::prelude::*;

use crate::adapters;
use crate::errors::from_exception;
use crate::interpreter::{call_method, visit};
use crate::storage::{class_name, place};

/// Records of the binding go to the same logger as those of the core.
const LOG_TARGET: &str = "planetkey::python";

mod classes {
    use pyo3::import_exception;

    import_exception!(planetkey.provider, Unusable);
}

/// The callable behind `from_token_provider`, in an object of the package that calls it and reads
/// its result.
pub(crate) struct PythonProvider(Py<PyAny>);

/// A token, the seconds until it expires, and when that is in Unix seconds.
type Provided = (String, Option<f64>, Option<f64>);

impl PythonProvider {
    /// Errors: `TypeError` if it is not callable.
    pub(crate) fn new(callable: &Bound<'_, PyAny>) -> PyResult<Self> {
        let asker = adapters::function(callable.py(), "token_provider")?.call1((callable,))?;
        Ok(PythonProvider(asker.unbind()))
    }
}

impl TokenProvider for PythonProvider {
    fn token(&self, request: &ProviderRequest<'_>) -> planetkey::Result<ProvidedToken> {
        let arguments = (request.timeout.as_secs_f64(), request.rejected_token);
        let called = visit(|py| {
            call_method(self.0.bind(py), "ask", arguments)
                .and_then(|provided| provided.extract::<Provided>())
                .map_err(|error| failure(py, &error))
        });
        let (token, expires_in, expires_at) = called.unwrap_or_else(|| {
            Err(failed("it cannot be called while the interpreter is shutting down"))
        })?;
        // Both are rounded down to what the core counts in, and a time in the past is one too.
        let positive = |seconds: f64| if seconds > 0.0 { seconds } else { 0.0 };
        Ok(match (expires_in, expires_at) {
            (Some(seconds), _) => {
                let lifetime = Duration::try_from_secs_f64(positive(seconds));
                ProvidedToken::expires_in(token, lifetime.unwrap_or(Duration::MAX))
            }
            (None, Some(seconds)) => ProvidedToken::expires_at(token, positive(seconds) as u64),
            (None, None) => ProvidedToken::of_unknown_expiry(token),
        })
    }
}

fn failed(why: &str) -> Error {
    Error::new(Status::Unavailable, format!("the token provider failed: {why}"))
}

/// The failure of a call. A planetkey exception keeps its status. The text of any other exception
/// may contain a token, so only its class is shown.
fn failure(py: Python<'_>, error: &PyErr) -> Error {
    let value = error.value(py);
    if let Some(error) = from_exception(value) {
        return error;
    }
    if error.is_instance_of::<classes::Unusable>(py) {
        return Error::new(Status::Misconfigured, format!("the token provider {value}"));
    }
    let class = class_name(value.as_any());
    let place = error
        .traceback(py)
        .and_then(|traceback| place(traceback.into_any()).ok())
        .unwrap_or_default();
    log::debug!(target: LOG_TARGET, "the token provider raised {class}{place}");
    failed(&format!("it raised {class}; debug records of the logger planetkey say where"))
}
