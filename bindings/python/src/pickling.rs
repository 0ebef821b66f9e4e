//! How a session crosses to another process: by what it was opened from, never by its credentials.

use planetkey::{Error, Options, Status};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::errors;

/// What a session was opened from, if that holds no secret.
pub(crate) struct Recipe {
    /// Nothing stands for what environment and files offer.
    profile: Option<String>,
    options: Options,
    /// The object behind the option of this name.
    storage: Option<Py<PyAny>>,
}

impl Recipe {
    pub(crate) fn new(profile: Option<&str>, options: Options, storage: Option<&Bound<'_, PyAny>>) -> Self {
        Recipe { profile: profile.map(str::to_owned), options, storage: storage.map(|storage| storage.clone().unbind()) }
    }

    /// The keyword arguments of the constructor.
    fn options<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        // Without a wildcard, so that a new option is not forgotten here.
        let Options {
            save,
            // Programs in Python run on.
            must_save: _,
            profile: _,
            storage_root,
            storage: _,
            timeout_ms,
            deployment,
            allowed_hosts,
            allow_insecure_loopback,
            ca_file,
            proxy,
            runtime: _,
        } = &self.options;
        let options = PyDict::new(py);
        options.set_item(intern!(py, "save"), save)?;
        options.set_item(intern!(py, "storage_root"), storage_root)?;
        options.set_item(intern!(py, "storage"), &self.storage)?;
        options.set_item(intern!(py, "timeout_ms"), timeout_ms)?;
        options.set_item(intern!(py, "deployment"), deployment)?;
        options.set_item(intern!(py, "allowed_hosts"), allowed_hosts)?;
        options.set_item(intern!(py, "allow_insecure_loopback"), allow_insecure_loopback)?;
        options.set_item(intern!(py, "ca_file"), ca_file)?;
        options.set_item(intern!(py, "proxy"), proxy)?;
        Ok(options)
    }

    /// Whether an option holds a password.
    fn holds_secret(&self) -> bool {
        self.options.proxy.as_ref().is_some_and(|proxy| proxy.contains('@'))
    }
}

/// What `__reduce__` gives: the function that opens the session again, and its arguments.
pub(crate) type Reduced<'py> = (Bound<'py, PyAny>, (Option<String>, Bound<'py, PyDict>, Option<u64>));

/// `timeout_ms`: the deadline of the handle, where it is not that of the options.
pub(crate) fn reduce<'py>(py: Python<'py>, recipe: Option<&Recipe>, timeout_ms: Option<u64>) -> PyResult<Reduced<'py>> {
    let recipe = match recipe {
        Some(recipe) if recipe.holds_secret() => {
            return Err(refusal(py, "was opened with a proxy's password, which is not pickled: name the proxy in HTTPS_PROXY"));
        }
        Some(recipe) => recipe,
        None => {
            return Err(refusal(
                py,
                "was opened with credentials in the call, which are not pickled: \
                 open it with Session.from_profile() or Session.from_defaults(), here or in the worker",
            ));
        }
    };
    let reopen = py.import(intern!(py, "planetkey"))?.getattr(intern!(py, "_reopen"))?;
    Ok((reopen, (recipe.profile.clone(), recipe.options(py)?, timeout_ms)))
}

fn refusal(py: Python<'_>, why: &str) -> PyErr {
    errors::not_picklable(py, &Error::new(Status::Unsupported, format!("this planetkey.Session {why}")))
}
