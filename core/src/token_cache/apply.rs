//! The one function that changes the cached token and what is known about the saved session.

use super::cached_token::CachedToken;
use super::outcome::{RefreshOutcome, Save};
use super::{Refreshed, SavedState, State, TokenCache};
use crate::clock::Moment;
use crate::storage::{FileVersion, Stored};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl TokenCache {
    /// Applies an outcome. The caller holds the lock of the flight. Returns what the threads that
    /// wait get.
    pub(super) fn apply(&self, _: &mut State, outcome: RefreshOutcome, now: Moment) -> Refreshed {
        let before = self.saved.load_full();
        let known = |version: FileVersion, is_refreshable: bool| SavedState {
            version,
            read_at: None,
            unsaved: None,
            was_logged_out: false,
            is_refreshable,
        };
        let after_save = |save: Save, is_refreshable: bool| match save {
            Save::Saved(version) => known(version, is_refreshable),
            Save::Unsaved(unsaved) => {
                // The next look saves again, even if the file has not changed.
                self.watch.look_again_soon(now);
                SavedState { unsaved: Some(unsaved), ..known(before.version, is_refreshable) }
            }
        };
        match outcome {
            RefreshOutcome::Unchanged { token, saved } => {
                if let Some(save) = saved {
                    self.set_saved(after_save(save, before.is_refreshable));
                }
                Ok(token)
            }
            RefreshOutcome::Adopted { tokens, version, is_refreshable } => {
                self.set_saved(SavedState {
                    read_at: Some(tokens.at),
                    ..known(version, is_refreshable)
                });
                let last = self.last();
                if let Some(last) = &last
                    && last.token() == tokens.tokens.access_token.expose()
                {
                    return Ok(last.clone());
                }
                let token = self.token_of(&tokens);
                match last {
                    // A user's session is always the saved one. An M2M client retains its own valid
                    // token instead of an expired one.
                    Some(last)
                        if self.client.is_m2m() && !token.is_usable(now) && last.is_usable(now) =>
                    {
                        Ok(last)
                    }
                    _ => Ok(self.publish(token)),
                }
            }
            RefreshOutcome::Issued { tokens, save, is_refreshable } => {
                self.set_saved(after_save(save, is_refreshable));
                Ok(self.publish(self.token_of(&tokens)))
            }
            RefreshOutcome::SessionGone { version, error } => {
                self.clear_token(version);
                Err(error)
            }
            RefreshOutcome::Failed(failed) => {
                if failed.is_gone {
                    self.clear_token(failed.version.unwrap_or(FileVersion::Absent));
                } else if failed.is_revoked || failed.version.is_some() {
                    self.set_saved(SavedState {
                        version: failed.version.unwrap_or(before.version),
                        read_at: before.read_at.filter(|_| failed.version.is_none()),
                        is_refreshable: before.is_refreshable && !failed.is_revoked,
                        ..before.as_ref().clone()
                    });
                }
                Err(failed.error)
            }
        }
    }

    pub(super) fn set_saved(&self, saved: SavedState) {
        let is_vacant = !saved.is_refreshable && self.token.load().is_none();
        self.saved.store(Arc::new(saved));
        self.is_vacant.store(is_vacant, Ordering::Release);
    }

    fn clear_token(&self, version: FileVersion) {
        // A look that is reading the file right now must not bring the token back.
        self.generation.fetch_add(1, Ordering::Relaxed);
        self.token.store(None);
        let is_refreshable = self.client.is_m2m();
        self.set_saved(SavedState {
            version,
            read_at: None,
            unsaved: None,
            was_logged_out: true,
            is_refreshable,
        });
    }

    fn token_of(&self, tokens: &Stored) -> CachedToken {
        let mut token = CachedToken::bearer(tokens, self.http.random());
        token.kind = self.client.provider().map(|provider| provider.kind_of(token.token()));
        token
    }

    fn publish(&self, mut token: CachedToken) -> Arc<CachedToken> {
        token.generation = self.generation.fetch_add(1, Ordering::Relaxed) + 1;
        let token = Arc::new(token);
        self.token.store(Some(token.clone()));
        self.is_vacant.store(false, Ordering::Release);
        token
    }
}
