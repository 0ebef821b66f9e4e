//! Tokens in a storage of the application.

use super::{
    Binding, FailureRecord, FileVersion, Lock, Saved, Stored, TokenStorage, TornRead, corrupt,
    python_json, token_file,
};
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use crate::secret_json::Members;
use arc_swap::ArcSwap;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The member of the saved text that holds what only planetkey needs: the receipt of the tokens,
/// failures, and marks of revoked refresh tokens. All that share the storage share it.
const RECORD: &str = "_planetkey";

/// An application's own storage: loads and saves the text of `token.json`, with one more member.
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

/// A session in an application's storage.
pub struct CustomStorage {
    callbacks: Arc<dyn Storage>,
    binding: Binding,
    /// The failure record as this process knows it.
    record: ArcSwap<FailureRecord>,
    /// Whether the last call that locks is waiting, or timed out.
    is_locking: AtomicBool,
    /// Whether the failure record could not be saved.
    is_unsaved: AtomicBool,
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
            is_unsaved: AtomicBool::new(false),
        }
    }

    /// Takes over the failure record that was saved, and returns it.
    fn take_over(&self, saved: FailureRecord) -> FailureRecord {
        let mine = self.record.load();
        let record = match self.is_unsaved.load(Ordering::Relaxed) {
            true => saved.with_unsaved(&mine),
            false => saved.with_marks_of(&mine),
        };
        self.record.store(Arc::new(record.clone()));
        record
    }

    /// Saves the failure record beside the tokens that are saved now.
    fn write(&self, record: &FailureRecord) -> Result<()> {
        let text = self.callbacks.load()?.filter(|text| !text.is_empty());
        let members = match &text {
            Some(text) => python_json::parse(text.expose().as_bytes())
                .ok_or_else(|| corrupt("the text in the application's storage"))?,
            None => Map::new(),
        };
        self.callbacks.save(Some(&to_text(Members(members), record)))
    }
}

/// The text of these members with this failure record.
fn to_text(mut members: Members, record: &FailureRecord) -> Secret {
    members.0.insert(RECORD.to_owned(), Value::Object(record.to_members()));
    Secret::from(String::from_utf8(python_json::to_bytes(&members.0)).unwrap_or_default())
}

/// Removes the failure record from the members of a saved text.
fn without_record(members: &mut Map<String, Value>) -> FailureRecord {
    match members.remove(RECORD) {
        Some(Value::Object(record)) => FailureRecord::from_members(&record),
        _ => FailureRecord::default(),
    }
}

impl TokenStorage for CustomStorage {
    fn other_issuer(&self) -> Option<String> {
        let text = self.callbacks.load().ok()??;
        token_file::other_issuer_of(python_json::parse(text.expose().as_bytes())?, &self.binding)
    }

    fn load(&self, now: Moment, _: TornRead) -> Result<(Saved, FileVersion)> {
        let Some(text) = self.callbacks.load()?.filter(|text| !text.is_empty()) else {
            self.take_over(FailureRecord::default());
            return Ok((Saved::Nothing, FileVersion::Unknown));
        };
        let mut members = python_json::parse(text.expose().as_bytes())
            .ok_or_else(|| corrupt("the text in the application's storage"))?;
        let record = self.take_over(without_record(&mut members));
        let content = token_file::from_members(members, &record, &self.binding, now);
        Ok((content.into(), FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        let members = token_file::to_members(stored);
        let mut record = self.failure_record();
        record.note_saved(token_file::receipt(stored, &members, &self.binding.fingerprint));
        self.callbacks.save(Some(&to_text(members, &record)))?;
        self.is_unsaved.store(false, Ordering::Relaxed);
        self.record.store(Arc::new(record));
        Ok(FileVersion::Unknown)
    }

    fn remove(&self) -> Result<bool> {
        let text = self.callbacks.load()?.filter(|text| !text.is_empty());
        let holds_tokens = |text: &Secret| match python_json::parse(text.expose().as_bytes()) {
            Some(members) => ["access_token", "refresh_token"]
                .iter()
                .any(|member| members.get(*member).is_some_and(|token| token.is_string())),
            None => true,
        };
        let existed = text.as_ref().is_some_and(holds_tokens);
        self.callbacks.save(None)?;
        let mut record = self.failure_record();
        record.note_removed();
        self.record.store(Arc::new(record));
        Ok(existed)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.is_locking.store(true, Ordering::Relaxed);
        let is_locked = self.callbacks.lock(left);
        // After a timeout it stays true for a caller whose deadline was the same.
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
        if record.is_newer() {
            return;
        }
        let written = self.write(record);
        self.is_unsaved.store(written.is_err(), Ordering::Relaxed);
        if let Err(error) = written {
            log::debug!("the failure is known to this process only: {error}");
        }
    }

    /// The text belongs to the application. The next login replaces it.
    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}
