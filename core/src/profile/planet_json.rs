//! `.planet.json`: what Planet's SDK reads as the user's choices, and where its version 2 saved the
//! API key.

use super::names;
use super::paths::Root;
use crate::error::{Error, Result};
use crate::file;
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::setting;
use crate::storage::{atomic_file, python_json};
use serde_json::Value;

/// The file's name in messages.
pub(super) const NAME: &str = ".planet.json";
/// The members of the file; the SDK's environment variables have the same names.
pub(super) const PROFILE: &str = "PL_AUTH_PROFILE";
pub(super) const CLIENT_ID: &str = "PL_AUTH_CLIENT_ID";
pub(super) const CLIENT_SECRET: &str = "PL_AUTH_CLIENT_SECRET";
pub(super) const API_KEY: &str = "PL_API_KEY";
/// Version 2 of the SDK wrote the key under this name.
pub(super) const KEY: &str = "key";

/// The content of the file.
#[derive(Clone, Debug, Default)]
pub struct Preferences {
    /// The profile to use if none is named.
    pub profile: Option<String>,
    /// The id of an M2M client.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<Secret>,
    /// An API key.
    pub api_key: Option<Secret>,
    /// An API key that version 2 of the SDK saved.
    pub key: Option<Secret>,
}

/// Reads the file and returns notes on its problems. Like the SDK, treats what cannot be read as
/// absent.
///
/// Blocks for a short time if the file is broken, because Planet's tools may be rewriting it.
pub fn read(root: &Root) -> (Preferences, Vec<String>) {
    let Some(path) = root.preferences_read() else { return Default::default() };
    let members = match atomic_file::read_settled(&root.checked(&path)) {
        Ok(members) => Members(members.unwrap_or_default()),
        Err(error) => {
            return (
                Preferences::default(),
                vec![format!("{NAME} was ignored: {}", error.message())],
            );
        }
    };
    let mut notes = Vec::new();
    let mut text = |name: &str| {
        if members.0.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            notes.push(format!("{name} in {NAME} is not a text and was ignored"));
        }
        let value = members.text(name)?;
        if let Some(flaw) = setting::flaw(value) {
            notes.push(format!("{name} in {NAME} {flaw}; it was ignored"));
            return None;
        }
        Some(value.to_owned())
    };
    let preferences = Preferences {
        profile: text(PROFILE),
        client_id: text(CLIENT_ID),
        client_secret: text(CLIENT_SECRET).map(Secret::from),
        api_key: text(API_KEY).map(Secret::from),
        key: text(KEY).map(Secret::from),
    };
    (preferences, notes)
}

/// Selects the profile to use if none is named; everything else in the file is preserved.
///
/// Blocks until the file is on disk. Errors: MISCONFIGURED (no directory; a file that is not a JSON
/// object and is therefore left unchanged), STORAGE.
pub fn set_profile(root: &Root, profile: &str) -> Result<()> {
    update(root, |members| {
        let before = members.0.insert(PROFILE.to_owned(), Value::from(profile));
        before.as_ref().and_then(Value::as_str) != Some(profile)
    })
}

/// Deletes the selection if it is this profile.
///
/// Errors: as [`set_profile`].
pub(super) fn clear_profile(root: &Root, profile: &str) -> Result<()> {
    update(root, |members| {
        let is_this = members.text(PROFILE).is_some_and(|chosen| is_same(chosen, profile));
        is_this && members.0.remove(PROFILE).is_some()
    })
}

/// Whether two names denote the same profile.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    matches!((names::directory(one), names::directory(other)), (Ok(one), Ok(other)) if one == other)
}

/// Reads the file, changes the members, and writes the file if `change` returns true.
fn update(root: &Root, change: impl FnOnce(&mut Members) -> bool) -> Result<()> {
    let path = root.preferences()?;
    let checked = root.checked(&path);
    let mut members = match atomic_file::read_settled(&checked) {
        Ok(members) => Members(members.unwrap_or_default()),
        Err(error) => match atomic_file::read(&checked)? {
            // An interrupted write left only zero bytes or white space, so there is nothing to
            // lose.
            Some(bytes) if bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) => {
                Members::default()
            }
            _ if error.retryable() => return Err(error),
            _ => {
                return Err(Error::misconfigured(format!(
                    "{} is not a JSON object and was left as it is; repair it or move it away",
                    path.display()
                )));
            }
        },
    };
    if change(&mut members) {
        file::replace(&checked, &python_json::to_bytes(&members.0))
    } else {
        Ok(())
    }
}
