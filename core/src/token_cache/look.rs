//! Notices what another process did to the saved session: one system call a second, and a read only
//! if the file version changed.

use super::outcome::RefreshOutcome;
use super::{SavedState, TokenCache};
use crate::clock::{Moment, Monotonic};
use crate::error::{Error, Status};
use crate::storage::{FileVersion, Saved, TornRead};
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl TokenCache {
    /// Compares the file version, at most once a second and on one thread.
    #[inline]
    pub(crate) fn look_if_due(self: &Arc<Self>) {
        self.look_if_due_at(self.now());
    }

    #[inline]
    pub(crate) fn look_if_due_at(self: &Arc<Self>, now: Moment) {
        if self.watch.is_due(now) {
            self.look(now);
        }
    }

    #[cold]
    fn look(self: &Arc<Self>, now: Moment) {
        if !self.watch.take_turn(now) {
            return;
        }
        let saved = self.saved.load_full();
        if saved.unsaved.is_some() {
            self.refresh_in_background(now);
        }
        if self.storage.file_version() == saved.version {
            return;
        }
        let generation = self.generation.load(Ordering::Relaxed);
        match self.storage.load(now, TornRead::Fail) {
            Ok((content, version)) => self.take_over(content, version, &saved, generation, now),
            // Torn or unreadable: a refresh reports it if no other token is available.
            Err(_) => self.watch.look_again_soon(now),
        }
    }

    /// Applies what was found on disk. `saved` and `generation`: the state before the file was
    /// read.
    fn take_over(
        &self,
        content: Saved,
        version: FileVersion,
        saved: &SavedState,
        generation: u64,
        now: Moment,
    ) {
        let is_same =
            saved.unsaved.as_ref().is_some_and(|unsaved| unsaved.replaced == content.identity());
        let is_refreshable = match &content {
            Saved::Tokens(tokens) => {
                self.client.is_m2m()
                    || tokens.tokens.refresh_token().is_some() && !tokens.is_revoked
            }
            Saved::Nothing | Saved::Foreign => false,
        };
        let flight = self.flight();
        let mut state = flight.lock();
        // A refresh or a logout came first, or is renaming a damaged file.
        let is_absent = matches!(content, Saved::Nothing);
        let is_outdated = self.generation.load(Ordering::Relaxed) != generation
            || self.saved.load().version != saved.version;
        if is_outdated || is_absent && state.is_running {
            drop(state);
            self.watch.look_again_soon(now);
            return;
        }
        let existed = matches!(saved.version, FileVersion::At(_));
        let gone = |what: &str| RefreshOutcome::SessionGone {
            version,
            error: Error::new(Status::LoginRequired, what),
        };
        let outcome = match content {
            // Another program touched the file without changing it. The tokens that could not be
            // saved are still newer.
            _ if is_same => None,
            Saved::Tokens(tokens) => {
                Some(RefreshOutcome::Adopted { tokens, version, is_refreshable })
            }
            Saved::Nothing if existed => Some(gone("another process deleted the session")),
            // The cached token of an M2M client stays valid. A user is no longer logged in here.
            Saved::Foreign if !self.client.is_m2m() && existed => {
                Some(gone("the session of another client or server replaced this one"))
            }
            Saved::Nothing | Saved::Foreign => None,
        };
        let gone = match outcome {
            Some(outcome) => self.apply(&mut state, outcome, now).err(),
            None => {
                self.set_saved(SavedState {
                    version,
                    read_at: None,
                    ..self.saved.load().as_ref().clone()
                });
                None
            }
        };
        // A permanent failure may be resolved by the change of the saved session.
        if !is_same && state.blocked.as_ref().is_some_and(|blocked| blocked.until.is_none()) {
            state.blocked = None;
            self.set_background_after(Monotonic::PAST);
        }
        drop(state);
        if let Some(error) = gone {
            log::info!("{}", error.message());
        }
    }
}
