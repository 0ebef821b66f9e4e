//! Environment variables and the home directory, injectable.

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::{file, setting};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

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

/// A secret of the environment.
#[derive(Clone, Debug)]
pub struct SecretVariable {
    /// The secret itself.
    pub secret: Secret,
    /// The variable that held it, or named its file: `PL_API_KEY` or `PL_API_KEY_FILE`.
    pub name: String,
}

/// The secret that the variable `name` holds, or the content of the file that `name` with
/// `_FILE` names, as container platforms mount secrets. Both are checked as by [`variable`].
///
/// Reads the file now. One line break at its end does not belong to the secret. Errors:
/// MISCONFIGURED if both variables are set, and for a file that is empty, longer than 64 KiB, not
/// text, or not safe to read; UNAVAILABLE without free files. The message names variable and file.
pub fn secret(environment: &dyn Environment, name: &str) -> Result<Option<SecretVariable>> {
    let file_name = format!("{name}_FILE");
    let file = environment.raw(&file_name).filter(|file| !file.is_empty());
    match (variable(environment, name)?, file) {
        (Some(_), Some(_)) => Err(Error::misconfigured(format!(
            "the environment variables {name} and {file_name} are both set; unset one of them"
        ))),
        (Some(value), None) => {
            Ok(Some(SecretVariable { secret: Secret::from(value), name: name.to_owned() }))
        }
        (None, Some(file)) => {
            let secret = secret_in_file(Path::new(&file)).map_err(|error| {
                error.in_configuration(format!(
                    "the environment variable {file_name}: {}",
                    error.message()
                ))
            })?;
            Ok(Some(SecretVariable { secret, name: file_name }))
        }
        (None, None) => Ok(None),
    }
}

fn secret_in_file(path: &Path) -> Result<Secret> {
    let bytes = file::read_secret_file(path)?;
    let wrong = |what: &str| Error::misconfigured(format!("the file {} {what}", path.display()));
    let text = std::str::from_utf8(&bytes).map_err(|_| wrong("is not UTF-8 text"))?;
    let text = text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text);
    if text.is_empty() {
        return Err(wrong("is empty; write the secret into it"));
    }
    match setting::flaw(text) {
        None => Ok(Secret::from(text)),
        Some(flaw) => Err(wrong(&flaw)),
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
