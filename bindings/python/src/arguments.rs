//! Python arguments as types of the core. A wrong type is a `TypeError` that names the parameter
//! and what it takes. A value of the right type that the core cannot take is an
//! `InvalidArgumentError`.
//!
//! Public functions take every argument as `PyAny` and read it here, because an error of `pyo3`
//! does not name the parameter in its message.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use planetkey::Options;
use planetkey::storage::Storage;
use pyo3::PyClass;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDelta, PyDict, PyInt, PyMapping, PyString};

use crate::errors::invalid_argument;
use crate::storage::PythonStorage;

/// The text of a `str`. Python's own error would contain the whole string, which may be a secret.
pub(crate) fn text<'a>(name: &str, value: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    let text = value.cast::<PyString>().map_err(|_| wrong_type(name, "a string", value))?;
    text.to_str().map_err(|error| {
        if error.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
            invalid_argument(value.py(), &format!("{name} contains a lone surrogate"))
        } else {
            error
        }
    })
}

/// The text of an optional `str`.
pub(crate) fn optional_text(
    name: &str,
    value: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<String>> {
    value.map(|value| Ok(text(name, value)?.to_owned())).transpose()
}

/// An object of a class of this package. `class` is the class with its article.
pub(crate) fn instance<'a, 'py, T: PyClass>(
    name: &str,
    class: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, T>> {
    value.cast::<T>().map_err(|_| wrong_type(name, class, value))
}

/// The value of a `bool`.
pub(crate) fn boolean(name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    value.extract().map_err(|_| wrong_type(name, "True or False", value))
}

/// The value of a `bool` that may be left out.
pub(crate) fn flag(name: &str, value: Option<&Bound<'_, PyAny>>, default: bool) -> PyResult<bool> {
    value.map_or(Ok(default), |value| boolean(name, value))
}

/// The duration in a number of seconds or a `datetime.timedelta`.
pub(crate) fn duration(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Duration> {
    const EXPECTED: &str = "a number of seconds or a datetime.timedelta";
    let py = value.py();
    let seconds: f64 = if value.is_instance_of::<PyBool>() {
        return Err(wrong_type(name, EXPECTED, value));
    } else if value.is_instance_of::<PyDelta>() {
        value.call_method0(intern!(py, "total_seconds"))?.extract()?
    } else {
        value.extract().map_err(|error: PyErr| {
            if error.is_instance_of::<PyOverflowError>(py) {
                invalid_argument(py, &format!("{name} is too large"))
            } else {
                wrong_type(name, EXPECTED, value)
            }
        })?
    };
    if seconds.is_nan() {
        return Err(invalid_argument(py, &format!("{name} must be a number of seconds, not NaN")));
    }
    if seconds < 0.0 {
        let message = format!("{name} must not be negative: {seconds}");
        return Err(invalid_argument(py, &message));
    }
    let duration = Duration::try_from_secs_f64(seconds)
        .map_err(|_| invalid_argument(py, &format!("{name} is too large")))?;
    // The core counts in milliseconds. Less than one is not the same as none.
    Ok(if duration.is_zero() { duration } else { duration.max(Duration::from_millis(1)) })
}

/// The `TypeError` that names the parameter, what it takes and what it got.
pub(crate) fn wrong_type(name: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    let class =
        value.get_type().name().map_or_else(|_| "an object".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("{name} must be {expected}, not {class}"))
}

/// A whole number of the core's width.
pub(crate) fn integer<T>(name: &str, value: &Bound<'_, PyAny>) -> PyResult<T>
where
    T: for<'a, 'py> FromPyObject<'a, 'py>,
{
    let value = value.cast::<PyInt>().map_err(|_| wrong_type(name, "a whole number", value))?;
    value.extract().map_err(|_| invalid_argument(value.py(), &format!("{name} is out of range")))
}

/// The items of an iterable of `str`. A single `str` is refused, because its items are letters.
pub(crate) fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    const EXPECTED: &str = "a list of strings";
    if value.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(format!("{name} must be {EXPECTED}, not one string")));
    }
    let items = value.try_iter().map_err(|error| {
        // An exception of the object's own `__iter__` is more to the point.
        if error.is_instance_of::<PyTypeError>(value.py()) {
            wrong_type(name, EXPECTED, value)
        } else {
            error
        }
    })?;
    items.map(|item| Ok(text(&format!("each item of {name}"), &item?)?.to_owned())).collect()
}

/// The path in a `str`, in `bytes` or in an `os.PathLike`.
fn path(name: &str, value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    let py = value.py();
    let is_text = value.is_instance_of::<PyString>() || value.is_instance_of::<PyBytes>();
    if !is_text && !value.hasattr(intern!(py, "__fspath__"))? {
        return Err(wrong_type(name, "a string or an os.PathLike", value));
    }
    let path = py.import(intern!(py, "os"))?.call_method1(intern!(py, "fsdecode"), (value,))?;
    Ok(PathBuf::from(text(name, &path)?))
}

/// The JSON text of a mapping, or of a `str` that is JSON already.
pub(crate) fn json(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() {
        return Ok(text(name, value)?.to_owned());
    }
    let Ok(mapping) = value.cast::<PyMapping>() else {
        return Err(wrong_type(name, "a mapping or a string", value));
    };
    let py = value.py();
    // json.dumps takes a dict only.
    let members = PyDict::new(py);
    members.update(mapping)?;
    let strict = PyDict::new(py);
    strict.set_item(intern!(py, "allow_nan"), false)?;
    let written = py
        .import(intern!(py, "json"))?
        .call_method(intern!(py, "dumps"), (members,), Some(&strict))
        .map_err(|error| {
            if error.is_instance_of::<PyValueError>(py) {
                invalid_argument(py, &format!("{name} cannot be written as JSON"))
            } else if error.is_instance_of::<PyTypeError>(py) {
                // Python's message names the type of the member.
                PyTypeError::new_err(format!(
                    "{name} must hold values of JSON only: {}",
                    error.value(py)
                ))
            } else {
                error
            }
        })?;
    Ok(text(name, &written)?.to_owned())
}

/// A deployment: a name, a path, JSON text or a mapping.
fn deployment(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() || value.cast::<PyMapping>().is_ok() {
        json("deployment", value)
    } else {
        path("deployment", value).map(|path| path.to_string_lossy().into_owned())
    }
}

/// The object that saves tokens instead of files.
fn storage(value: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Storage>> {
    Ok(Arc::new(PythonStorage::new(value)?))
}

/// The options that every constructor takes, from its keyword arguments. `None` means the default
/// of the core. `function` is the constructor's name for the `TypeError` of an unknown option.
pub(crate) fn common_options(
    function: &str,
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<Options> {
    let mut options = Options::default();
    for (name, value) in given.into_iter().flatten() {
        let name = name.cast::<PyString>()?.to_str()?;
        let is_known = set_option(&mut options, name, &value)?;
        if !is_known {
            return Err(unexpected(function, name));
        }
    }
    Ok(options)
}

/// Sets one option; returns whether there is an option of this name.
fn set_option(options: &mut Options, name: &str, value: &Bound<'_, PyAny>) -> PyResult<bool> {
    let given = (!value.is_none()).then_some(value);
    match name {
        "save" => options.save = given.map(|value| boolean(name, value)).transpose()?,
        "storage_root" => {
            options.storage_root = given.map(|value| path(name, value)).transpose()?
        }
        "storage" => options.storage = given.map(storage).transpose()?,
        "timeout" => options.timeout = given.map(|value| duration(name, value)).transpose()?,
        "deployment" => options.deployment = given.map(deployment).transpose()?,
        "allowed_hosts" => {
            options.allowed_hosts = given.map(|value| texts(name, value)).transpose()?
        }
        "allow_insecure_loopback" => {
            options.allow_insecure_loopback =
                given.map(|value| boolean(name, value)).transpose()?;
        }
        "ca_file" => options.ca_file = given.map(|value| path(name, value)).transpose()?,
        "proxy" => options.proxy = optional_text(name, given)?,
        "store" => options.store = optional_text(name, given)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// What Python raises for a keyword argument that a function does not take.
pub(crate) fn unexpected(function: &str, name: &str) -> PyErr {
    PyTypeError::new_err(format!("{function}() got an unexpected keyword argument '{name}'"))
}
