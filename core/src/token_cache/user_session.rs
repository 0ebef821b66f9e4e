//! What `status()`, login and logout do with the saved session. A login pauses refreshes and
//! replaces the tokens; a logout pauses refreshes, revokes the refresh token and clears.

use super::outcome::{RefreshOutcome, Save, Unsaved};
use super::reentry::ReentryGuard;
use super::saved_session::{Need, read_saved, save};
use super::single_flight::Wait;
use super::{SavedState, TokenCache};
use crate::clock::Monotonic;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use crate::storage::{FileVersion, Saved, Stored, TornRead};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A session that was read within this time is not read again to report whether it can be read.
const JUST_READ: Duration = Duration::from_secs(1);

impl TokenCache {
    /// Why the session is in this process only, if it should be saved and is not.
    pub(crate) fn unsaved_because(&self) -> Option<Error> {
        self.saved.load().unsaved.as_ref().map(|unsaved| unsaved.error.clone())
    }

    /// Why the saved session cannot be read. Encrypted files, which take a program to read, and the
    /// storage of an application are not read here.
    pub(crate) fn unreadable_because(&self) -> Option<Error> {
        let saved = self.saved.load();
        if saved.unsaved.is_some()
            || saved.version == FileVersion::Unknown
            || self.storage.path().is_none()
        {
            return None;
        }
        let now = self.now();
        // A command asks right after it has read the session. The same version then has the same
        // content.
        let was_just_read = saved.read_at.is_some_and(|at| !now.reached(at + JUST_READ));
        if was_just_read && self.storage.file_version() == saved.version {
            return None;
        }
        match self.storage.load(now, TornRead::Fail) {
            Ok(_) => None,
            // Only a second read could distinguish the two.
            Err(error) if error.retryable() => {
                let message = format!(
                    "{} is damaged, or another program is writing it",
                    self.storage.path()?.display()
                );
                Some(Error::new(Status::Storage, message))
            }
            Err(error) => Some(error),
        }
    }

    /// The current tokens, if they can be read at once.
    pub(crate) fn tokens(&self) -> Option<Arc<Stored>> {
        if let Some(unsaved) = &self.saved.load().unsaved {
            return Some(Arc::new(unsaved.tokens.clone()));
        }
        match self.storage.load(self.now(), TornRead::Fail) {
            Ok((Saved::Tokens(tokens), _)) => Some(tokens),
            _ => None,
        }
    }

    /// Whether nothing is saved, as far as that is known without reading a file.
    pub(crate) fn has_no_session(&self) -> bool {
        self.saved.load().unsaved.is_none() && self.storage.file_version() == FileVersion::Absent
    }

    /// Whether the server is known to have revoked the refresh token of this session. Reads the
    /// failure record next to the session.
    pub(crate) fn is_revoked(&self, tokens: &Stored) -> bool {
        let refresh_token = tokens.tokens.refresh_token();
        refresh_token.is_some_and(|token| {
            let record = self.storage.failure_record();
            record.is_revoked(&self.client.binding().fingerprint, token)
        })
    }

    /// Drops tokens that could not be saved, and returns them.
    pub(crate) fn discard_unsaved(&self) -> Option<Arc<Unsaved>> {
        let unsaved = self.saved.load().unsaved.clone()?;
        let flight = self.flight();
        let mut state = flight.lock();
        let version = self.saved.load().version;
        let error = Error::new(Status::LoginRequired, "the login was not saved");
        let _ = self.apply(&mut state, RefreshOutcome::SessionGone { version, error }, self.now());
        Some(unsaved)
    }

    /// Saves and publishes the tokens of a login instead of the current ones; `false` if
    /// `is_wanted` returns false under the lock.
    ///
    /// Blocks until a running refresh has completed. Errors: if it does not, TIMEOUT and CANCELLED,
    /// before anything was saved.
    pub(crate) fn replace(
        &self,
        received: &Stored,
        wait: Wait<'_>,
        is_wanted: impl Fn() -> bool,
    ) -> Result<bool> {
        let deadline = Instant::now() + wait.timeout;
        let _guard = ReentryGuard::enter(&self.client)?;
        let flight = self.flight();
        let _paused = flight.pause(wait).map_err(|error| self.explained(error))?;
        // A process that does not release the lock notices later that its session was replaced. The
        // login is not lost because of it.
        let _lock = self
            .storage
            .lock(deadline)
            .inspect_err(|error| log::warn!("the login is saved without the lock: {error}"));
        let found = read_saved(
            self.storage.as_ref(),
            Need::Optional,
            self.saved.load().version,
            self.now(),
        );
        let replaced = found.map_err(|failed| failed.error)?.content.identity();
        if !is_wanted() {
            return Ok(false);
        }
        let is_refreshable = self.can_refresh(received);
        let save = match save(self.storage.as_ref(), received, replaced.clone()) {
            Save::Saved(version) => self.read_back(received, version, replaced),
            unsaved => unsaved,
        };
        let mut state = flight.lock();
        let _ = self.apply(
            &mut state,
            RefreshOutcome::Issued { tokens: received.clone(), save, is_refreshable },
            self.now(),
        );
        (state.blocked, state.failures) = (None, 0);
        self.set_background_after(Monotonic::PAST);
        Ok(true)
    }

    /// Reads what was saved in a file. A session that cannot be read would end with this process,
    /// so it counts as not saved.
    fn read_back(&self, received: &Stored, version: FileVersion, replaced: Option<String>) -> Save {
        if self.storage.path().is_none() {
            return Save::Saved(version);
        }
        match self.storage.load(self.now(), TornRead::Retry) {
            Ok(_) => Save::Saved(version),
            Err(error) => {
                log::warn!("the session was saved and cannot be read: {error}");
                Save::Unsaved(Arc::new(Unsaved { tokens: received.clone(), error, replaced }))
            }
        }
    }

    /// Deletes the session, in memory and on disk. `revoke`, if given, gets its refresh token
    /// first, under the lock; if it fails, nothing changes. Returns whether there was a session,
    /// and what `revoke` returned.
    ///
    /// Blocks until a running refresh has completed. Errors: TIMEOUT, CANCELLED, STORAGE, those of
    /// `revoke`; UNAVAILABLE from inside a refresh.
    pub(crate) fn clear<T>(
        &self,
        wait: Wait<'_>,
        revoke: Option<impl FnOnce(Result<Option<Secret>>) -> Result<T>>,
    ) -> Result<(bool, Option<T>)> {
        let deadline = Instant::now() + wait.timeout;
        let _guard = ReentryGuard::enter(&self.client)?;
        // Not every storage has a lock. Without this a refresh would undo the logout.
        let flight = self.flight();
        let _paused = flight.pause(wait).map_err(|error| self.explained(error))?;
        let _lock = self.storage.lock(deadline)?;
        let revoked = revoke.map(|revoke| revoke(self.refresh_token())).transpose()?;
        let was_saved =
            self.storage.remove().map_err(|error| error.with_profile(self.profile()))?;
        let was_unsaved = self.saved.load().unsaved.is_some();
        let mut state = flight.lock();
        let error = Error::new(Status::LoginRequired, "the session was logged out");
        let outcome = RefreshOutcome::SessionGone { version: self.storage.file_version(), error };
        let _ = self.apply(&mut state, outcome, self.now());
        state.blocked = None;
        Ok((was_saved || was_unsaved, revoked))
    }

    /// Whether these saved tokens can be refreshed without a login. Reads the failure record next
    /// to the session.
    fn can_refresh(&self, tokens: &Stored) -> bool {
        self.client.is_m2m() || tokens.tokens.refresh_token().is_some() && !self.is_revoked(tokens)
    }

    fn refresh_token(&self) -> Result<Option<Secret>> {
        let of = |tokens: &Stored| tokens.tokens.refresh_token().map(Secret::from);
        if let SavedState { unsaved: Some(unsaved), .. } = self.saved.load().as_ref() {
            return Ok(of(&unsaved.tokens));
        }
        match self.storage.load(self.now(), TornRead::Retry)? {
            (Saved::Tokens(tokens), _) => Ok(of(&tokens)),
            (Saved::Nothing | Saved::Foreign, _) => Ok(None),
        }
    }
}
