//! A Python object that saves tokens.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::Duration;

use planetkey::secret::Secret;
use planetkey::storage::Storage;
use planetkey::{Error, Status};
use pyo3::exceptions::{PyException, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString};

use crate::interpreter::{call_method, visit};

/// Records of the binding go to the same logger as those of the core.
const LOG_TARGET: &str = "planetkey::python";

/// An endless recursion has a thousand frames.
const MAX_FRAMES: usize = 20;

thread_local! {
    /// The exception of the application's code on this thread that the caller must get:
    /// `KeyboardInterrupt` in a storage, any exception in a prompt.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Saves an exception for the caller that is blocked on this thread.
pub(crate) fn keep_raised(error: PyErr) {
    RAISED.set(Some(error));
}

/// Removes and returns the exception that was saved on this thread.
pub(crate) fn take_raised() -> Option<PyErr> {
    RAISED.take()
}

/// The object behind `storage=`.
pub(crate) struct PythonStorage {
    object: Py<PyAny>,
    has_lock: bool,
}

impl PythonStorage {
    pub(crate) fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let has = |name: &str| {
            Ok::<_, PyErr>(object.getattr_opt(name)?.is_some_and(|method| method.is_callable()))
        };
        for name in ["load", "save"] {
            if !has(name)? {
                return Err(PyTypeError::new_err(format!(
                    "storage has no method {name}; see planetkey.TokenStorage"
                )));
            }
        }
        let has_lock = has("lock")?;
        if has_lock != has("unlock")? {
            return Err(PyTypeError::new_err(
                "storage has only one of the methods lock and unlock; see planetkey.LockingTokenStorage",
            ));
        }
        Ok(PythonStorage { object: object.clone().unbind(), has_lock })
    }

    /// Calls a method of the object on this thread, and reads its result.
    fn call<T>(
        &self,
        method: &str,
        arguments: impl for<'py> IntoPyObject<'py>,
        read: impl FnOnce(&Bound<'_, PyAny>) -> planetkey::Result<T>,
    ) -> planetkey::Result<T> {
        let called = visit(|py| match call_method(self.object.bind(py), method, arguments) {
            Ok(given) => read(&given),
            Err(error) => Err(failure(py, method, error)),
        });
        called.unwrap_or_else(|| {
            Err(failed(&format!(
                "its {method} cannot be called while the interpreter is shutting down"
            )))
        })
    }
}

impl Storage for PythonStorage {
    fn load(&self) -> planetkey::Result<Option<Secret>> {
        self.call("load", (), |saved| match saved.cast::<PyString>().map(|saved| saved.to_str()) {
            Ok(Ok(saved)) => Ok(Some(Secret::from(saved))),
            Ok(Err(_)) => Err(failed("its load returned a string with a lone surrogate")),
            Err(_) if saved.is_none() => Ok(None),
            Err(_) => Err(wrong("load", saved, "the text that was saved last, or None")),
        })
    }

    fn save(&self, text: Option<&Secret>) -> planetkey::Result<()> {
        self.call("save", (text.map(Secret::expose),), |_| Ok(()))
    }

    fn lock(&self, timeout: Duration) -> planetkey::Result<bool> {
        if !self.has_lock {
            return Ok(true);
        }
        self.call("lock", (timeout.as_secs_f64(),), |locked| match locked.cast::<PyBool>() {
            Ok(locked) => Ok(locked.is_true()),
            Err(_) => Err(wrong("lock", locked, "True or False")),
        })
    }

    fn unlock(&self) {
        if self.has_lock
            && let Err(error) = self.call("unlock", (), |_| Ok(()))
        {
            log::warn!(target: LOG_TARGET, "{error}");
        }
    }
}

fn failed(why: &str) -> Error {
    Error::new(Status::Storage, format!("the application's storage failed: {why}"))
}

fn wrong(method: &str, value: &Bound<'_, PyAny>, expected: &str) -> Error {
    failed(&format!("its {method} returned {}, not {expected}", class_name(value)))
}

pub(crate) fn class_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string())
}

/// The failure of a method, with the class of the exception. The exception's text may contain the
/// tokens, so it is not shown.
fn failure(py: Python<'_>, method: &str, error: PyErr) -> Error {
    let class = class_name(error.value(py).as_any());
    let place = error
        .traceback(py)
        .and_then(|traceback| place(traceback.into_any()).ok())
        .unwrap_or_default();
    log::debug!(target: LOG_TARGET, "{method} of the application's storage raised {class}{place}");
    if !error.is_instance_of::<PyException>(py) {
        keep_raised(error);
    }
    failed(&format!("its {method} raised {class}; debug records of the logger planetkey say where"))
}

/// Where an exception was raised: file, line and function of the innermost frames, outermost first.
pub(crate) fn place(mut traceback: Bound<'_, PyAny>) -> PyResult<String> {
    let mut frames = VecDeque::new();
    while !traceback.is_none() {
        let code = traceback.getattr("tb_frame")?.getattr("f_code")?;
        let (file, function) = (code.getattr("co_filename")?, code.getattr("co_name")?);
        frames.push_back(format!(
            ", in {function} ({file}, line {})",
            traceback.getattr("tb_lineno")?
        ));
        if frames.len() > MAX_FRAMES {
            frames.pop_front();
        }
        traceback = traceback.getattr("tb_next")?;
    }
    Ok(frames.into_iter().collect())
}
