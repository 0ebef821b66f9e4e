//! What lies in a profile's directory beside its session: the lock file, which is never deleted, and
//! `token.planetkey.json`. They are there also if the session itself is saved elsewhere.

use super::{FailureRecord, Lock, atomic_file, lock};
use crate::error::{Error, Result};
use crate::file::{self, CheckedPath, Directory, Disk, Found, RealDisk};
use arc_swap::ArcSwapOption;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime};

/// The lock and the failure record of one session.
pub(super) struct SessionDirectory {
    lock: CheckedPath,
    record: CheckedPath,
    disk: Arc<dyn Disk>,
    /// The directory while the lock is held. All work under the lock is done in it.
    held: Mutex<Option<Held>>,
    /// Whether the last attempt to lock found the lock taken.
    contended: AtomicBool,
    /// The failure record that the last look read, with the version of its file.
    known_record: ArcSwapOption<(file::Version, FailureRecord)>,
}

/// The lock is held.
#[derive(Clone)]
struct Held {
    directory: Arc<Directory>,
    /// The deadline of the caller that took the lock.
    deadline: Instant,
}

impl SessionDirectory {
    /// The directory of this token file.
    pub(super) fn of(token: &CheckedPath, disk: Option<Arc<dyn Disk>>) -> Self {
        SessionDirectory {
            // The plain and the encrypted form are one session, so they share the lock and the
            // record.
            lock: token.with_name("token.json.lock"),
            record: token.with_name("token.planetkey.json"),
            disk: disk.unwrap_or_else(|| Arc::new(RealDisk)),
            held: Mutex::default(),
            contended: AtomicBool::new(false),
            known_record: ArcSwapOption::empty(),
        }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    fn held(&self) -> Option<Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The directory that was opened with the lock.
    pub(super) fn locked(&self) -> Option<Arc<Directory>> {
        self.held().map(|held| held.directory)
    }

    /// The deadline of the caller that holds the lock, if it is held.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.held().map(|held| held.deadline)
    }

    /// The directory that was opened with the lock, or now; `None` if it does not exist. `token`:
    /// the file that the error names.
    ///
    /// Errors: STORAGE.
    pub(super) fn open(&self, token: &CheckedPath) -> Result<Option<Arc<Directory>>> {
        match self.locked() {
            Some(directory) => Ok(Some(directory)),
            None => Ok(Directory::open_checked(token, "cannot be read")?.map(Arc::new)),
        }
    }

    /// Deletes what an interrupted write of the record left.
    pub(super) fn sweep(&self, directory: &Directory) {
        atomic_file::sweep(directory, &self.record, SystemTime::now());
    }

    /// Takes the lock. Errors: as [`lock::take`].
    pub(super) fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        let held = lock::take(self.disk.as_ref(), &self.lock, deadline, &self.contended)?;
        let Some(taken) = held else { return Ok(None) };
        let held = Held { directory: taken.directory, deadline };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(Some(Box::new(Locked { session: self, _lock: taken.lock })))
    }

    /// The error of [`SessionDirectory::lock`] if a call of it is waiting, or timed out.
    pub(super) fn contention(&self) -> Option<Error> {
        self.contended.load(Ordering::Relaxed).then(|| lock::busy(&self.lock))
    }

    /// The failure record. `directory`: the session's, if it is open already.
    pub(super) fn record_in(&self, directory: Option<&Directory>) -> FailureRecord {
        match atomic_file::read_version(directory, &self.record) {
            Ok(Some((bytes, _))) => FailureRecord::from_bytes(&bytes),
            Ok(None) => FailureRecord::default(),
            Err(error) => {
                log::warn!("{error}");
                FailureRecord::default()
            }
        }
    }

    /// The failure record for a look at the session. An unchanged file is not read again.
    pub(super) fn known_record(&self, directory: &Directory) -> FailureRecord {
        let known = self.known_record.load();
        let version = known.as_ref().map(|known| known.0);
        match atomic_file::read_unless(directory, &self.record, version) {
            Ok(Found::Known) => known.as_ref().map(|known| known.1.clone()).unwrap_or_default(),
            Ok(Found::Absent) => FailureRecord::default(),
            Ok(Found::New((bytes, version))) => {
                let record = FailureRecord::from_bytes(&bytes);
                self.known_record.store(Some(Arc::new((version, record.clone()))));
                record
            }
            Err(error) => {
                log::warn!("{error}");
                FailureRecord::default()
            }
        }
    }

    pub(super) fn record(&self) -> FailureRecord {
        self.record_in(self.locked().as_deref())
    }

    /// Replaces the failure record. A failure is only logged.
    pub(super) fn save_record(&self, record: &FailureRecord) {
        if record.is_newer() {
            return;
        }
        if let Err(error) = self.replace(&self.record, &record.to_bytes()) {
            log::warn!("{error}");
        }
    }

    /// Replaces a file of the directory. Errors: STORAGE.
    pub(super) fn replace(&self, path: &CheckedPath, bytes: &[u8]) -> Result<file::Version> {
        file::replace_at(self.disk.as_ref(), self.locked().as_deref(), path, bytes)
    }
}

/// The lock of a session. The directory that was opened with it is used until it is dropped.
struct Locked<'a> {
    session: &'a SessionDirectory,
    _lock: Box<dyn Lock>,
}

impl Lock for Locked<'_> {}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        *self.session.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
