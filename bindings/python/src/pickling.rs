//! How a session is pickled: as what it was opened from, never with its credentials.

use std::path::Path;
use std::time::Duration;

use planetkey::{Error, Options, Status};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::adapters;
use crate::errors;

/// What a session was opened from, without a secret.
pub(crate) struct Recipe {
    /// `None` for a session that was opened from environment and files.
    profile: Option<String>,
    options: Options,
    /// The object that was given as the option `storage`.
    storage: Option<Py<PyAny>>,
}

impl Recipe {
    /// `given`: the keyword arguments that `options` were read from.
    pub(crate) fn new(
        profile: Option<&str>,
        options: Options,
        given: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        let storage = given.map(|given| given.get_item("storage")).transpose()?.flatten();
        let storage = storage.filter(|storage| !storage.is_none()).map(Bound::unbind);
        Ok(Recipe { profile: profile.map(str::to_owned), options, storage })
    }

    /// The keyword arguments of the constructor.
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let Options {
            save,
            storage_root,
            timeout,
            deployment,
            allowed_hosts,
            allow_insecure_loopback,
            ca_file,
            proxy,
            store,
            // Not for sessions that are pickled.
            ..
        } = &self.options;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "save"), save)?;
        options.set_item(
            intern!(py, "storage_root"),
            storage_root.as_deref().map(Path::to_string_lossy),
        )?;
        options.set_item(intern!(py, "storage"), &self.storage)?;
        options.set_item(intern!(py, "timeout"), timeout.map(|timeout| timeout.as_secs_f64()))?;
        options.set_item(intern!(py, "deployment"), deployment)?;
        options.set_item(intern!(py, "allowed_hosts"), allowed_hosts)?;
        options.set_item(intern!(py, "allow_insecure_loopback"), allow_insecure_loopback)?;
        options.set_item(intern!(py, "ca_file"), ca_file.as_deref().map(Path::to_string_lossy))?;
        options.set_item(intern!(py, "proxy"), proxy)?;
        options.set_item(intern!(py, "store"), store)?;
        Ok(options)
    }

    /// The option that contains a password, and the variable to use instead.
    fn holds_secret(&self) -> Option<(&'static str, &'static str)> {
        let Options { proxy, store, .. } = &self.options;
        if proxy.as_ref().is_some_and(|proxy| proxy.contains('@')) {
            return Some(("proxy", "HTTPS_PROXY"));
        }
        let is_secret = |store: &String| store.contains('@') || store.contains("password=");
        store.as_ref().filter(|store| is_secret(store)).map(|_| ("store", "PLANETKEY_STORE"))
    }
}

/// The result of `__reduce__`: the function that opens the session again, and its arguments.
pub(crate) type Reduced<'py> =
    (Bound<'py, PyAny>, (Option<String>, Bound<'py, PyDict>, Option<f64>));

/// `timeout`: the deadline of the handle, if it is not that of the options.
pub(crate) fn reduce<'py>(
    py: Python<'py>,
    recipe: Option<&Recipe>,
    timeout: Option<Duration>,
) -> PyResult<Reduced<'py>> {
    let recipe = match recipe {
        Some(recipe) => recipe,
        None => {
            return Err(refusal(
                py,
                "was opened with credentials in the call, which are not pickled; \
                 open it with Session.from_profile() or Session.from_defaults(), \
                 here or in the worker",
            ));
        }
    };
    if let Some((option, variable)) = recipe.holds_secret() {
        let why = format!(
            "was opened with a {option}'s password, which is not pickled; \
             set the {option} in {variable} instead"
        );
        return Err(refusal(py, &why));
    }
    let timeout = timeout.map(|timeout| timeout.as_secs_f64());
    Ok((adapters::function(py, "reopen")?, (recipe.profile.clone(), recipe.options(py)?, timeout)))
}

fn refusal(py: Python<'_>, why: &str) -> PyErr {
    errors::not_picklable(
        py,
        &Error::new(Status::Unsupported, format!("this planetkey.Session {why}")),
    )
}
