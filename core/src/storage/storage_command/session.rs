//! A session that the profile's program saves. Its lock and what planetkey has to remember beside
//! it, which hold no secret, stay in the profile's directory.

use super::{Answer, Helper};
use crate::clock::Moment;
use crate::error::{Error, Reason, Result, Status};
use crate::file::{CheckedPath, Disk, NOTICE_TARGET};
use crate::storage::session_directory::SessionDirectory;
use crate::storage::{
    Binding, FailureRecord, FileVersion, Lock, Saved, StoreStatus, Stored, TokenStorage, TornRead,
    atomic_file, sops, token_file,
};
use arc_swap::ArcSwap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// One profile's session in the place that its program knows.
pub struct SessionByCommand {
    helper: Helper,
    /// Where the session would be without the program, plain and encrypted. Both are never read.
    files: [CheckedPath; 2],
    beside: SessionDirectory,
    binding: Binding,
    /// What the last run showed.
    status: ArcSwap<StoreStatus>,
}

impl SessionByCommand {
    /// `token`: the profile's `token.json`, next to which the lock is.
    pub(crate) fn new(
        helper: Helper,
        token: &CheckedPath,
        binding: Binding,
        disk: Option<Arc<dyn Disk>>,
    ) -> Self {
        let plain = token.with_name("token.json");
        let encrypted = token.with_name(&sops::encrypted_name("token.json"));
        let status = StoreStatus::unknown(&helper.shown());
        SessionByCommand {
            helper,
            beside: SessionDirectory::of(&plain, disk),
            files: [plain, encrypted],
            binding,
            status: ArcSwap::from_pointee(status),
        }
    }

    fn note<T>(&self, outcome: Result<T>, holds: impl FnOnce(&T) -> &'static str) -> Result<T> {
        let mut status = self.status.load().as_ref().clone();
        match &outcome {
            Ok(done) => {
                status.reached();
                status.holds = Some(holds(done));
            }
            Err(error) => status.failed(error.message()),
        }
        self.status.store(Arc::new(status));
        outcome
    }

    fn get(&self) -> Result<Answer> {
        let session = self.kept();
        self.note(self.helper.get(self.beside.deadline()), |answer| match answer {
            Answer::Nothing => "nothing",
            Answer::Session(_) => session,
        })
    }

    /// What it holds if it holds anything, as the store of a server says it.
    fn kept(&self) -> &'static str {
        if self.binding.is_m2m { "token" } else { "session" }
    }

    /// The file of a session that lies beside, if there is one. Errors: STORAGE.
    fn file_beside(&self) -> Result<Option<&CheckedPath>> {
        let [plain, _] = &self.files;
        let Some(directory) = self.beside.open(plain)? else { return Ok(None) };
        let is_there = |file: &&CheckedPath| !matches!(directory.kind(file.name()), Ok(None));
        Ok(self.files.iter().find(is_there))
    }

    /// Deletes the files of a session beside it; `true` if there were any. Errors: STORAGE.
    fn remove_files(&self) -> Result<bool> {
        let [plain, _] = &self.files;
        let Some(directory) = self.beside.open(plain)? else { return Ok(false) };
        let mut removed = false;
        for file in &self.files {
            removed |= atomic_file::remove_followed(&directory, file)?;
            atomic_file::remove_remains(&directory, file);
        }
        Ok(removed)
    }
}

/// Whether planetkey has saved a session beside this token file, and not deleted it since.
pub(crate) fn has_receipt(token: &CheckedPath) -> bool {
    SessionDirectory::of(token, None).record().receipt.is_some()
}

impl TokenStorage for SessionByCommand {
    /// Runs the program. Errors: STORAGE; LOGIN_REQUIRED if it holds no session and there is a file
    /// of one, which is not used.
    fn load(&self, now: Moment, _: TornRead) -> Result<(Saved, FileVersion)> {
        let answer = self.get()?;
        let file = self.file_beside()?.map(|file| file.path().display().to_string());
        let mut members = match (answer, file) {
            (Answer::Session(members), file) => {
                if let Some(file) = file {
                    log::warn!(
                        target: NOTICE_TARGET,
                        "{file} is not used, because the profile has a storage_command; another program wrote it there: delete it"
                    );
                }
                members
            }
            (Answer::Nothing, Some(file)) if !self.binding.is_m2m => {
                let message = format!(
                    "{file} is not used, because the profile has a storage_command; log in, which saves the session with it and deletes the file"
                );
                return Err(
                    Error::new(Status::LoginRequired, message).with_reason(Reason::NeverLoggedIn)
                );
            }
            (Answer::Nothing, _) => return Ok((Saved::Nothing, FileVersion::Unknown)),
        };
        let members = std::mem::take(&mut members.0);
        let record = self.beside.record();
        let content = token_file::from_members(members, &record, &self.binding, now);
        Ok((content.into(), FileVersion::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        let [plain, _] = &self.files;
        if let Some(directory) = self.beside.open(plain)? {
            self.beside.sweep(&directory);
        }
        let members = token_file::to_members(stored);
        // The receipt comes first, as with a file.
        let mut record = self.beside.record();
        record.note_saved(token_file::receipt(stored, &members, &self.binding.fingerprint));
        self.beside.save_record(&record);
        let kept = self.kept();
        self.note(self.helper.store(&members), |()| kept)?;
        if self.remove_files()? {
            log::warn!(
                target: NOTICE_TARGET,
                "{} was deleted: the session is saved by the profile's storage_command now",
                plain.path().display()
            );
        }
        Ok(FileVersion::Unknown)
    }

    fn check(&self) -> Result<()> {
        self.helper.check()
    }

    fn remove(&self) -> Result<bool> {
        let existed = !matches!(self.get(), Ok(Answer::Nothing));
        self.note(self.helper.erase(self.beside.deadline()), |()| "nothing")?;
        let removed = self.remove_files()?;
        let mut record = self.beside.record();
        if record.receipt.is_some() || existed {
            record.note_removed();
            self.beside.save_record(&record);
        }
        Ok(existed || removed)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        self.beside.lock(deadline)
    }

    fn contention(&self) -> Option<Error> {
        self.beside.contention()
    }

    fn other_issuer(&self) -> Option<String> {
        match self.get() {
            Ok(Answer::Session(mut members)) => {
                token_file::other_issuer_of(std::mem::take(&mut members.0), &self.binding)
            }
            _ => None,
        }
    }

    /// A program is needed to read it, so it is read when a token is needed, and not once a second.
    fn file_version(&self) -> FileVersion {
        FileVersion::Unknown
    }

    fn failure_record(&self) -> FailureRecord {
        self.beside.record()
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.beside.save_record(record);
    }

    /// It stays until the next login replaces it.
    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn store_status(&self) -> Option<StoreStatus> {
        Some(self.status.load().as_ref().clone())
    }

    fn contact_store(&self, _: Moment) {
        // The status says what happened.
        let _ = self.get();
    }

    fn is_unread(&self) -> bool {
        self.status.load().holds.is_none()
    }
}
