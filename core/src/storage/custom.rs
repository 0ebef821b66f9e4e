//! Tokens in a storage of the application.

use super::token_file::{self, Content};
use super::{
    Binding, FailureRecord, FileVersion, Lock, Saved, Stored, TokenStorage, TornRead, corrupt,
    python_json,
};
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// An application's own storage: loads and saves the text of `token.json`.
///
/// Called from any thread, never from two at once for one session, and never while planetkey holds
/// a lock of its own.
pub trait Storage: Send + Sync {
    /// The text that was saved last, or `None`.
    ///
    /// Errors: STORAGE.
    fn load(&self) -> Result<Option<Secret>>;

    /// Saves this text instead of the previous one; `None` after a logout: delete it.
    ///
    /// Errors: STORAGE; then the previous text must be unchanged.
    fn save(&self, text: Option<&Secret>) -> Result<()>;

    /// Prevents others that share the storage from refreshing until [`Storage::unlock`];
    /// `false` if the lock was not available within `timeout`. A storage of this process alone
    /// needs no lock.
    ///
    /// Errors: STORAGE.
    fn lock(&self, timeout: Duration) -> Result<bool> {
        let _ = timeout;
        Ok(true)
    }

    /// Releases the lock of [`Storage::lock`].
    fn unlock(&self) {}
}

/// A session in an application's storage. The failure record is in memory.
pub struct CustomStorage {
    callbacks: Arc<dyn Storage>,
    binding: Binding,
    record: ArcSwap<FailureRecord>,
    /// Whether the last call that locks waits, or waited in vain.
    is_locking: AtomicBool,
}

fn not_locked() -> Error {
    Error::new(
        Status::Timeout,
        "timed out waiting for the application's storage lock; try again, or give a longer timeout",
    )
}

struct Unlock<'a>(&'a dyn Storage);

impl Lock for Unlock<'_> {}

impl Drop for Unlock<'_> {
    fn drop(&mut self) {
        self.0.unlock();
    }
}

impl CustomStorage {
    /// The session in the storage of these callbacks.
    pub fn new(callbacks: Arc<dyn Storage>, binding: impl Into<Binding>) -> Self {
        CustomStorage {
            callbacks,
            binding: binding.into(),
            record: ArcSwap::default(),
            is_locking: AtomicBool::new(false),
        }
    }
}

impl TokenStorage for CustomStorage {
    fn other_issuer(&self) -> Option<String> {
        let text = self.callbacks.load().ok()??;
        token_file::other_issuer_of(python_json::parse(text.expose().as_bytes())?, &self.binding)
    }

    fn load(&self, now: Moment, _: TornRead) -> Result<(Saved, FileVersion)> {
        let Some(text) = self.callbacks.load()?.filter(|text| !text.is_empty()) else {
            return Ok((Saved::Nothing, FileVersion::Unknown));
        };
        let members = python_json::parse(text.expose().as_bytes())
            .ok_or_else(|| corrupt("the text in the application's storage"))?;
        let saved =
            match token_file::from_members(members, &self.failure_record(), &self.binding, now) {
                Content::Nothing => Saved::Nothing,
                Content::Foreign => Saved::Foreign,
                Content::Tokens(stored) => Saved::Tokens(Arc::new(stored)),
            };
        Ok((saved, FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        let members = token_file::to_members(stored);
        let text = String::from_utf8(python_json::to_bytes(&members.0)).unwrap_or_default();
        self.callbacks.save(Some(&Secret::from(text)))?;
        let mut record = self.failure_record();
        record.note_saved(token_file::receipt(stored, &members, &self.binding.fingerprint));
        self.save_failure_record(&record);
        Ok(FileVersion::Unknown)
    }

    fn remove(&self) -> Result<bool> {
        let existed = self.callbacks.load()?.is_some();
        self.callbacks.save(None)?;
        Ok(existed)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.is_locking.store(true, Ordering::Relaxed);
        let is_locked = self.callbacks.lock(left);
        // After a wait in vain it stays true for a caller whose deadline was the same.
        if !matches!(is_locked, Ok(false)) {
            self.is_locking.store(false, Ordering::Relaxed);
        }
        match is_locked? {
            true => Ok(Some(Box::new(Unlock(self.callbacks.as_ref())))),
            false => Err(not_locked()),
        }
    }

    fn contention(&self) -> Option<Error> {
        self.is_locking.load(Ordering::Relaxed).then(not_locked)
    }

    fn file_version(&self) -> FileVersion {
        FileVersion::Unknown
    }

    fn failure_record(&self) -> FailureRecord {
        self.record.load().as_ref().clone()
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.record.store(Arc::new(record.clone()));
    }

    /// The text belongs to the application. The next login replaces it.
    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}
