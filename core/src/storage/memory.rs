//! Tokens in memory, for a session that is not saved.

use super::{FailureRecord, FileVersion, Lock, Saved, Stored, TokenStorage, TornRead};
use crate::clock::Moment;
use crate::error::Result;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Holds tokens until it is dropped. It has no lock, so that a forked child never finds one that
/// the parent left locked.
///
/// One session owns it, and a session runs one refresh at a time, so there is nothing to lock.
#[derive(Debug, Default)]
pub struct Memory {
    stored: ArcSwapOption<Stored>,
    record: ArcSwap<FailureRecord>,
}

impl TokenStorage for Memory {
    fn load(&self, _: Moment, _: TornRead) -> Result<(Saved, FileVersion)> {
        Ok((self.stored.load_full().map_or(Saved::Nothing, Saved::Tokens), FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        self.stored.store(Some(Arc::new(stored.clone())));
        let mut record = self.failure_record();
        record.clear_failures();
        self.save_failure_record(&record);
        Ok(FileVersion::Unknown)
    }

    fn remove(&self) -> Result<bool> {
        Ok(self.stored.swap(None).is_some())
    }

    fn lock(&self, _: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        Ok(None)
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

    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}
