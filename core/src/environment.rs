//! Environment variables and the home directory, injectable.

use crate::error::{Error, Result};
use crate::setting;
use std::collections::HashMap;
use std::path::PathBuf;

/// The variable that names the home directory.
pub const HOME_VARIABLE: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// The source of variables and the home directory. Called from any thread.
pub trait Environment: Send + Sync {
    /// A variable as the operating system stores it.
    fn raw(&self, name: &str) -> Option<std::ffi::OsString>;

    /// The home directory: `HOME`, or `USERPROFILE` on Windows. The process's own environment asks
    /// the user database if that is unset or empty.
    fn home(&self) -> Option<PathBuf> {
        self.raw(HOME_VARIABLE).filter(|home| !home.is_empty()).map(PathBuf::from)
    }
}

/// A variable with a key, an id, a secret, a name or a path, checked for mistakes in quoting and
/// pasting. An empty one counts as unset.
///
/// Errors: MISCONFIGURED if it is not Unicode, or [`crate::setting::check`] finds a problem.
pub fn variable(environment: &dyn Environment, name: &str) -> Result<Option<String>> {
    let value = text(environment, name)?;
    match value.as_deref().and_then(setting::flaw) {
        None => Ok(value),
        Some(flaw) => Err(Error::misconfigured(format!("the environment variable {name} {flaw}"))),
    }
}

/// A variable as text, unchecked. An empty one counts as unset.
///
/// Errors: MISCONFIGURED if it is not Unicode.
pub fn text(environment: &dyn Environment, name: &str) -> Result<Option<String>> {
    match environment.raw(name).map(std::ffi::OsString::into_string) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
        Some(Err(_)) => Err(Error::misconfigured(format!(
            "the environment variable {name} is not valid Unicode; set it again"
        ))),
    }
}

/// Whether a variable is set to a true value.
///
/// Errors: MISCONFIGURED for anything but 1, true, yes, 0, false, no.
pub fn flag(environment: &dyn Environment, name: &str) -> Result<Option<bool>> {
    match variable(environment, name)?.map(|value| value.to_ascii_lowercase()).as_deref() {
        None => Ok(None),
        Some("1" | "true" | "yes") => Ok(Some(true)),
        Some("0" | "false" | "no") => Ok(Some(false)),
        Some(_) => {
            Err(Error::misconfigured(format!("the environment variable {name} must be 1 or 0")))
        }
    }
}

/// The process's own environment.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEnvironment;

impl Environment for SystemEnvironment {
    fn raw(&self, name: &str) -> Option<std::ffi::OsString> {
        std::env::var_os(name)
    }

    fn home(&self) -> Option<PathBuf> {
        std::env::home_dir().filter(|home| !home.as_os_str().is_empty())
    }
}

/// A fixed set of variables: for tests, and for programs that store their configuration elsewhere.
#[derive(Clone, Default)]
pub struct FixedEnvironment(HashMap<String, std::ffi::OsString>);

impl FixedEnvironment {
    /// Exactly these variables, which may include `HOME`.
    pub fn new<N: Into<String>, V: Into<std::ffi::OsString>>(
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        FixedEnvironment(
            variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect(),
        )
    }
}

impl Environment for FixedEnvironment {
    fn raw(&self, name: &str) -> Option<std::ffi::OsString> {
        self.0.get(name).cloned()
    }
}
