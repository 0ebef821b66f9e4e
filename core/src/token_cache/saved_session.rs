//! Reading and saving the session under the storage's lock, for a refresh and for a login.

use super::outcome::{Failed, Save, Unsaved};
use crate::clock::Moment;
use crate::error::{Error, Reason};
use crate::storage::{FileVersion, Saved, Saving, Stored, TokenStorage, TornRead};
use std::sync::Arc;

/// What was read under the lock.
pub(super) struct FoundSession {
    pub(super) content: Saved,
    pub(super) version: FileVersion,
    pub(super) is_readable: bool,
    /// A damaged file was renamed.
    pub(super) was_renamed: bool,
}

/// Whether the caller can go on without the saved session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// Its tokens are needed.
    Required,
    /// The tokens are in memory, or are obtained without it. A session that cannot be read is only
    /// logged.
    Optional,
}

/// Reads the saved session under the lock. A damaged file is renamed. `version`: as it was known
/// before.
///
/// Errors: as [`TokenStorage::load`] and [`TokenStorage::quarantine`].
pub(super) fn read_saved(
    storage: &dyn TokenStorage,
    need: Need,
    version: FileVersion,
    now: Moment,
) -> std::result::Result<FoundSession, Failed> {
    let error = match storage.load(now, TornRead::Retry) {
        Ok((content, version)) => {
            return Ok(FoundSession { content, version, is_readable: true, was_renamed: false });
        }
        Err(error) => error,
    };
    let mut found =
        FoundSession { content: Saved::Nothing, version, is_readable: false, was_renamed: false };
    if error.reason() == Some(Reason::Corrupt) {
        match storage.quarantine(now) {
            Ok(()) if storage.file_version() != FileVersion::Unknown => {
                (found.version, found.was_renamed) = (FileVersion::Absent, true)
            }
            Ok(()) => {}
            Err(unmoved) if need == Need::Optional => log::warn!("{unmoved}"),
            Err(unmoved) => return Err(unmoved.into()),
        }
        return match need {
            Need::Optional => Ok(found),
            Need::Required => {
                Err(Failed { version: found.was_renamed.then_some(found.version), ..error.into() })
            }
        };
    }
    if need == Need::Required {
        return Err(error.into());
    }
    log::warn!("{error}");
    Ok(found)
}

/// Saves the tokens of a login. If that fails, the session continues in memory.
pub(super) fn save(storage: &dyn TokenStorage, tokens: &Stored, replaced: Option<String>) -> Save {
    storage.save(tokens).map_or_else(|error| unsaved(tokens, error, replaced), Save::Saved)
}

/// As [`save`], for tokens that replace the saved ones with this identity; `None` if another
/// process saved a session since.
pub(super) fn save_over(
    storage: &dyn TokenStorage,
    tokens: &Stored,
    replaced: Option<String>,
) -> Option<Save> {
    match storage.save_over(tokens, replaced.as_deref()) {
        Ok(Saving::Saved(version)) => Some(Save::Saved(version)),
        Ok(Saving::Overtaken) => None,
        Err(error) => Some(unsaved(tokens, error, replaced)),
    }
}

fn unsaved(tokens: &Stored, error: Error, replaced: Option<String>) -> Save {
    log::warn!("the new tokens could not be saved and are in this process only: {error}");
    Save::Unsaved(Arc::new(Unsaved { tokens: tokens.clone(), error, replaced }))
}
