//! The result of a refresh, a look at the file, a login or a logout: the only input of
//! `TokenCache::apply`.

use super::cached_token::CachedToken;
use crate::clock::Moment;
use crate::error::Error;
use crate::storage::{FileVersion, Stored};
use std::sync::Arc;
use std::time::Duration;

/// Tokens that could not be saved.
pub(crate) struct Unsaved {
    pub(crate) tokens: Stored,
    pub(crate) error: Error,
    /// The identity of the saved tokens that these replace. While those are still saved, these are
    /// the newer ones.
    pub(crate) replaced: Option<String>,
}

/// The result of saving.
pub(super) enum Save {
    /// The tokens are in a file of this version.
    Saved(FileVersion),
    /// They are in the memory of this process only.
    Unsaved(Arc<Unsaved>),
}

/// What happened to the session.
pub(super) enum RefreshOutcome {
    /// The cached token is still the right one. `saved`: the result of saving once more what could
    /// not be saved before.
    Unchanged { token: Arc<CachedToken>, saved: Option<Save> },
    /// Another process saved these tokens.
    Adopted { tokens: Arc<Stored>, version: FileVersion, is_refreshable: bool },
    /// The authorization server issued these tokens.
    Issued { tokens: Stored, save: Save, is_refreshable: bool },
    /// The saved session was deleted, or replaced by that of another client.
    SessionGone { version: FileVersion, error: Error },
    /// No token.
    Failed(Failed),
}

/// A refresh that failed.
pub(super) struct Failed {
    pub(super) error: Error,
    /// How long every process waits before the next attempt, if this was shared.
    pub(super) shared_wait: Option<Duration>,
    /// The server no longer accepts the refresh token.
    pub(super) is_revoked: bool,
    /// The saved session was deleted before.
    pub(super) is_gone: bool,
    /// The file version, if this refresh changed it.
    pub(super) version: Option<FileVersion>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, shared_wait: None, is_revoked: false, is_gone: false, version: None }
    }
}

/// Whether the process was stopped, or the computer asleep, during a refresh: it completed long
/// after its deadline.
pub(super) fn was_stopped(deadline: Moment, now: Moment) -> bool {
    const LATE: Duration = Duration::from_secs(1);
    now.reached(deadline + LATE)
}
