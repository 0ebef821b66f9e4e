//! Python arguments as types of the core. A wrong type is a `TypeError`; a value that cannot cross is `InvalidArgument`.

use std::sync::Arc;

use planetkey::Options;
use planetkey::storage::StorageCallbacks;
use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyMapping, PyString};

use crate::errors::invalid_argument;
use crate::storage::PythonStorage;

/// The text of a `str`. Python's own error would hold the whole string, which may be a secret.
pub(crate) fn text<'a>(name: &str, value: &'a Bound<'_, PyString>) -> PyResult<&'a str> {
    value.to_str().map_err(|error| {
        if error.is_instance_of::<PyUnicodeEncodeError>(value.py()) {
            invalid_argument(value.py(), &format!("{name} holds a lone surrogate, which is no character"))
        } else {
            error
        }
    })
}

/// The text of an optional `str`.
pub(crate) fn optional_text(name: &str, value: Option<&Bound<'_, PyString>>) -> PyResult<Option<String>> {
    value.map(|value| Ok(text(name, value)?.to_owned())).transpose()
}

/// A whole number of the core's width.
pub(crate) fn integer<T>(name: &str, value: &Bound<'_, PyInt>) -> PyResult<T>
where
    T: for<'a, 'py> FromPyObject<'a, 'py>,
{
    value.extract().map_err(|_| invalid_argument(value.py(), &format!("{name} is out of range")))
}

/// The items of an iterable of `str`; one `str` would be taken apart into letters, so it is refused.
pub(crate) fn texts(name: &str, value: &Bound<'_, PyAny>) -> PyResult<Vec<String>> {
    if value.is_instance_of::<PyString>() {
        let message = format!("{name} is several strings, as a list, not one string");
        return Err(PyTypeError::new_err(message));
    }
    value
        .try_iter()?
        .map(|item| {
            let item = item?;
            let item = item
                .cast::<PyString>()
                .map_err(|_| PyTypeError::new_err(format!("{name} holds something that is not a string")))?;
            Ok(text(name, item)?.to_owned())
        })
        .collect()
}

/// The path in a `str` or an `os.PathLike`.
fn path(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = value.py();
    let path = py.import(intern!(py, "os"))?.call_method1(intern!(py, "fsdecode"), (value,))?;
    Ok(text(name, path.cast::<PyString>()?)?.to_owned())
}

/// The JSON text of a `str` that holds it or of a mapping.
pub(crate) fn json(name: &str, value: &Bound<'_, PyAny>) -> PyResult<String> {
    if let Ok(value) = value.cast::<PyString>() {
        return Ok(text(name, value)?.to_owned());
    }
    let Ok(mapping) = value.cast::<PyMapping>() else {
        let kind = value.get_type().name()?.to_string();
        return Err(PyTypeError::new_err(format!("{name} is a mapping or a string, not {kind}")));
    };
    let py = value.py();
    // json.dumps knows dict only.
    let members = PyDict::new(py);
    members.update(mapping)?;
    let strict = PyDict::new(py);
    strict.set_item(intern!(py, "allow_nan"), false)?;
    let written =
        py.import(intern!(py, "json"))?.call_method(intern!(py, "dumps"), (members,), Some(&strict)).map_err(|error| {
            if error.is_instance_of::<PyValueError>(py) {
                invalid_argument(py, &format!("{name} cannot be written as JSON"))
            } else {
                error
            }
        })?;
    Ok(text(name, written.cast::<PyString>()?)?.to_owned())
}

/// A deployment: a name, a path, JSON text or a mapping.
fn deployment(value: &Bound<'_, PyAny>) -> PyResult<String> {
    if value.is_instance_of::<PyString>() || value.cast::<PyMapping>().is_ok() {
        json("deployment", value)
    } else {
        path("deployment", value)
    }
}

/// The object that keeps tokens in place of files.
fn storage(value: &Bound<'_, PyAny>) -> PyResult<Arc<dyn StorageCallbacks>> {
    Ok(Arc::new(PythonStorage::new(value)?))
}

/// The options that every constructor takes, as Python gave them; `None` is the default of the core.
pub(crate) struct CommonOptions<'a, 'py> {
    pub(crate) save: Option<bool>,
    pub(crate) storage_root: Option<&'a Bound<'py, PyAny>>,
    pub(crate) storage: Option<&'a Bound<'py, PyAny>>,
    pub(crate) timeout_ms: Option<&'a Bound<'py, PyInt>>,
    pub(crate) deployment: Option<&'a Bound<'py, PyAny>>,
    pub(crate) allowed_hosts: Option<&'a Bound<'py, PyAny>>,
    pub(crate) allow_insecure_loopback: Option<bool>,
    pub(crate) ca_file: Option<&'a Bound<'py, PyAny>>,
    pub(crate) proxy: Option<&'a Bound<'py, PyString>>,
}

impl CommonOptions<'_, '_> {
    pub(crate) fn read(&self) -> PyResult<Options> {
        Ok(Options {
            save: self.save,
            storage_root: self.storage_root.map(|root| path("storage_root", root)).transpose()?,
            storage: self.storage.map(storage).transpose()?,
            timeout_ms: self.timeout_ms.map(|value| integer("timeout_ms", value)).transpose()?,
            deployment: self.deployment.map(deployment).transpose()?,
            allowed_hosts: self.allowed_hosts.map(|hosts| texts("allowed_hosts", hosts)).transpose()?,
            allow_insecure_loopback: self.allow_insecure_loopback,
            ca_file: self.ca_file.map(|file| path("ca_file", file)).transpose()?,
            proxy: optional_text("proxy", self.proxy)?,
            ..Options::default()
        })
    }
}
