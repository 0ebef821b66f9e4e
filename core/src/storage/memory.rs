//! Tokens in memory: gone with the session.

use super::{FailureRecord, FileVersion, Lock, Saved, Storage, Stored};
use crate::clock::Moment;
use crate::error::Result;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Keeps tokens as long as it lives. It holds no lock of its own, so that a forked child never meets one that the parent left locked.
///
/// One session owns it, and a session has one renewal in flight at a time: there is nobody to lock out.
#[derive(Debug, Default)]
pub struct Memory {
    stored: ArcSwapOption<Stored>,
    record: ArcSwap<FailureRecord>,
}

impl Storage for Memory {
    fn load(&self, _: Moment, _: bool) -> Result<(Saved, FileVersion)> {
        Ok((self.stored.load_full().map_or(Saved::Nothing, Saved::Tokens), FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        self.stored.store(Some(Arc::new(stored.clone())));
        let mut record = self.failure_record();
        record.forget_failures();
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
