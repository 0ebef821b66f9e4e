//! The options of a login.

use std::sync::Arc;

use planetkey::LoginOptions;
use planetkey::login::Method;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::arguments::{boolean, duration, text, texts, unexpected, wrong_type};
use crate::errors::guarded;
use crate::prompt::PythonPrompter;

/// The options of a login, from its keyword arguments. `None` means the default of the core.
/// `function` and `allowed` are the function's name and the names that it takes.
pub(crate) fn login_options(
    py: Python<'_>,
    function: &str,
    allowed: &[&str],
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<LoginOptions> {
    let mut options = LoginOptions::default();
    for (name, value) in given.into_iter().flatten() {
        let name = name.cast::<PyString>()?.to_str()?;
        if !allowed.contains(&name) {
            return Err(unexpected(function, name));
        }
        if value.is_none() {
            continue;
        }
        match name {
            "method" => {
                let name = text(name, &value)?;
                options.method = guarded(py, || Method::from_name(name))?;
            }
            "open_browser" => options.open_browser = Some(boolean(name, &value)?),
            "scopes" => options.scopes = Some(texts(name, &value)?),
            "prompt" if value.is_callable() => {
                options.prompter = Some(Arc::new(PythonPrompter(value.unbind())));
            }
            "prompt" => {
                let expected = "a callable that takes a planetkey.Prompt";
                return Err(wrong_type(name, expected, &value));
            }
            "timeout" => options.timeout = Some(duration(name, &value)?),
            "force" => options.force = boolean(name, &value)?,
            "allow_other_user" => options.allow_other_user = boolean(name, &value)?,
            "page" => options.page = Some(text(name, &value)?.to_owned()),
            _ => return Err(unexpected(function, name)),
        }
    }
    Ok(options)
}
