//! A user session in the store. It is saved nowhere else: a copy on a disk would be refreshed by Planet's
//! tools there, and the server would end the session because a refresh token was used twice.

use super::{RedisStore, Rule, StoreSettings};
use crate::clock::Moment;
use crate::error::{Error, Result};
use crate::storage::{
    Binding, FailureRecord, FileVersion, Lock, Saved, Saving, Sending, StoreStatus, Stored,
    TokenStorage, TornRead, fingerprint,
};
use std::path::Path;
use std::time::Instant;

/// A user session that all machines share.
pub struct SessionInStore(RedisStore);

impl SessionInStore {
    /// The session of this client. `profile` distinguishes the sessions of several users.
    pub fn new(settings: StoreSettings, binding: Binding, profile: Option<&str>) -> Self {
        // The name stays the same when the keys are changed.
        let name = fingerprint(&["user", &binding.fingerprint, profile.unwrap_or("")]);
        SessionInStore(RedisStore::new(settings, binding, &name))
    }
}

impl TokenStorage for SessionInStore {
    fn load(&self, now: Moment, _: TornRead) -> Result<(Saved, FileVersion)> {
        Ok((self.0.load(now)?, FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        self.0.save(stored, Rule::Any).map(|_| FileVersion::Unknown)
    }

    fn save_over(&self, stored: &Stored, replaced: Option<&str>) -> Result<Saving> {
        let is_saved = self.0.save(stored, Rule::Next(replaced))?;
        Ok(if is_saved { Saving::Saved(FileVersion::Unknown) } else { Saving::Overtaken })
    }

    fn announce(&self, sending: &Sending<'_>) -> Result<bool> {
        self.0.announce(sending.mark, sending.replaced, sending.timeout)
    }

    fn remove(&self) -> Result<bool> {
        self.0.remove()
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        Ok(Some(Box::new(self.0.lease(deadline, |_| true)?)))
    }

    fn contention(&self) -> Option<Error> {
        self.0.contention()
    }

    fn file_version(&self) -> FileVersion {
        FileVersion::Unknown
    }

    fn failure_record(&self) -> FailureRecord {
        self.0.failures()
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.0.save_failures(record);
    }

    /// It stays until the next login replaces it.
    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn contact_store(&self, now: Moment) {
        // The status says what happened.
        let _ = self.0.load(now);
    }

    fn store_status(&self) -> Option<StoreStatus> {
        Some(self.0.status().as_ref().clone())
    }

    fn is_unread(&self) -> bool {
        self.0.status().holds.is_none()
    }
}
