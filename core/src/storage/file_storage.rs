//! Tokens in `~/.planet/<profile>/token.json`, shared with other processes and with Planet's tools.

use super::atomic_file::{self, Settled};
use super::session_directory::SessionDirectory;
use super::sops::{self, Sops};
use super::token_file;
use super::{
    Binding, FailureRecord, FileVersion, Lock, Saved, Stored, TokenStorage, TornRead, corrupt,
    python_json,
};
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::file::{self, CheckedPath, Directory, Disk};
use crate::secret_json::Members;
use serde_json::{Map, Value};
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use zeroize::Zeroizing;

/// The members that RFC 6749 and OpenID Connect define, and those that Planet's SDK adds.
const STANDARD_MEMBERS: [&str; 8] = [
    "_exp",
    "_iat",
    "access_token",
    "expires_in",
    "id_token",
    "refresh_token",
    "scope",
    "token_type",
];

/// One token file with the files next to it: `token.json.lock` and `token.planetkey.json`.
pub struct FileStorage {
    token: CheckedPath,
    beside: SessionDirectory,
    sops: Option<Sops>,
    binding: Binding,
}

impl FileStorage {
    /// The session in this file. `binding` is the fingerprint of issuer, client and requested
    /// scopes: tokens that another client saved here are not used. An encrypted file is read and
    /// written through `sops`.
    pub fn new(
        token: impl Into<CheckedPath>,
        binding: impl Into<Binding>,
        sops: &Sops,
        disk: Option<Arc<dyn Disk>>,
    ) -> Self {
        let token = token.into();
        let sops = sops::is_encrypted(token.path()).then(|| sops.clone());
        let beside = SessionDirectory::of(&token, disk);
        FileStorage { token, beside, sops, binding: binding.into() }
    }

    /// The directory that was opened with the lock, or now; `None` if it does not exist.
    ///
    /// Errors: STORAGE.
    pub(crate) fn directory(&self) -> Result<Option<Arc<Directory>>> {
        self.beside.open(&self.token)
    }

    fn read(&self, torn: TornRead) -> Result<Settled> {
        match self.directory()? {
            Some(directory) => self.read_in(&directory, torn),
            None => Ok(Settled::Absent),
        }
    }

    fn read_in(&self, directory: &Directory, torn: TornRead) -> Result<Settled> {
        let directory = Some(directory);
        let settled = match &self.sops {
            Some(sops) => {
                let Some((_, version)) = atomic_file::read_version(directory, &self.token)? else {
                    return Ok(Settled::Absent);
                };
                let clear =
                    sops.as_user(directory.and_then(Directory::user)).decrypt(self.token.path())?;
                python_json::parse_session(&clear)
                    .map_or(Settled::Broken, |members| Settled::Document(members, version))
            }
            None if torn == TornRead::Retry => {
                atomic_file::settle(directory, &self.token, python_json::parse_session)?
            }
            None => match atomic_file::read_version(directory, &self.token)? {
                None => Settled::Absent,
                Some((bytes, version)) => python_json::parse_session(&bytes)
                    .map_or(Settled::Broken, |members| Settled::Document(members, version)),
            },
        };
        Ok(settled)
    }

    /// An M2M client does not overwrite a user session: the user would have to log in again.
    ///
    /// Errors: STORAGE.
    fn check_place(&self) -> Result<()> {
        if !self.binding.is_m2m || self.binding.owns_place {
            return Ok(());
        }
        let Ok(Settled::Document(members, _)) = self.read(TornRead::Fail) else { return Ok(()) };
        let is_of_a_user = members
            .get("refresh_token")
            .is_some_and(|token| token.as_str().is_some_and(|token| !token.is_empty()));
        let is_ours = self
            .failure_record()
            .receipt
            .is_some_and(|receipt| receipt.binding == self.binding.fingerprint);
        if !is_of_a_user || is_ours {
            return Ok(());
        }
        let message =
            format!("{} holds a user session; give another profile", self.token.path().display());
        Err(Error::new(Status::Storage, message))
    }

    fn version(&self, version: FileVersion) -> FileVersion {
        if self.sops.is_some() { FileVersion::Unknown } else { version }
    }

    fn content(
        &self,
        directory: &Directory,
        members: Map<String, Value>,
        now: Moment,
        torn: TornRead,
    ) -> Saved {
        let record = match torn {
            TornRead::Fail => self.beside.known_record(directory),
            // A refresh acts on what is on disk.
            TornRead::Retry => self.beside.record_in(Some(directory)),
        };
        token_file::from_members(members, &record, &self.binding, now).into()
    }
}

impl TokenStorage for FileStorage {
    fn other_issuer(&self) -> Option<String> {
        match self.read(TornRead::Fail) {
            Ok(Settled::Document(members, _)) => {
                token_file::other_issuer_of(members, &self.binding)
            }
            _ => None,
        }
    }

    fn load(&self, now: Moment, torn: TornRead) -> Result<(Saved, FileVersion)> {
        let absent = || Ok((Saved::Nothing, self.version(FileVersion::Absent)));
        let Some(directory) = self.directory()? else { return absent() };
        match self.read_in(&directory, torn)? {
            Settled::Absent => absent(),
            Settled::Document(members, version) => {
                let content = self.content(&directory, members, now, torn);
                Ok((content, self.version(FileVersion::At(version))))
            }
            Settled::Broken if torn == TornRead::Retry => {
                Err(corrupt(&self.token.path().display().to_string()))
            }
            Settled::Broken => {
                let message = format!(
                    "{} is being written by another program; try again",
                    self.token.path().display()
                );
                Err(Error::new(Status::Storage, message).with_retryable(true))
            }
        }
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        let directory = self.directory()?;
        if let Some(directory) = &directory {
            atomic_file::sweep(directory, &self.token, SystemTime::now());
            self.beside.sweep(directory);
        }
        self.check_place()?;
        let members = token_file::to_members(stored);
        // The receipt comes first: a token with a receipt that does not match counts as one
        // without.
        let mut record = self.failure_record();
        record.note_saved(token_file::receipt(stored, &members, &self.binding.fingerprint));
        self.save_failure_record(&record);
        let clear = Zeroizing::new(readable(&members));
        let user = directory.as_deref().and_then(Directory::user);
        let bytes = match &self.sops {
            Some(sops) => Zeroizing::new(sops.as_user(user).encrypt(self.token.path(), &clear)?),
            None => clear,
        };
        self.beside
            .replace(&self.token, &bytes)
            .map(|version| self.version(FileVersion::At(version)))
    }

    fn check(&self) -> Result<()> {
        self.check_place()?;
        file::check_on(self.beside.disk(), self.beside.locked().as_deref(), &self.token)
    }

    fn remove(&self) -> Result<bool> {
        let Some(directory) = self.directory()? else { return Ok(false) };
        let mut removed = atomic_file::remove_followed(&directory, &self.token)?;
        // A plain copy next to an encrypted session would become the session of the next login.
        let clear = self.token.with_name("token.json");
        if clear != self.token {
            removed |= atomic_file::remove_followed(&directory, &clear)?;
        }
        for file in [&self.token, &clear] {
            atomic_file::remove_remains(&directory, file);
        }
        let mut record = self.failure_record();
        record.note_removed();
        if removed && !record.is_newer() {
            self.save_failure_record(&record);
        }
        Ok(removed)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        self.beside.lock(deadline)
    }

    fn contention(&self) -> Option<Error> {
        self.beside.contention()
    }

    /// A program is needed to read an encrypted file, so it is read when a token is needed, and not
    /// once a second.
    fn file_version(&self) -> FileVersion {
        if self.sops.is_some() {
            return FileVersion::Unknown;
        }
        let version = match self.beside.locked() {
            Some(directory) => directory.version(self.token.name()),
            None => file::version(self.token.path()),
        };
        version.map_or(FileVersion::Absent, FileVersion::At)
    }

    fn failure_record(&self) -> FailureRecord {
        self.beside.record()
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.beside.save_record(record);
    }

    fn quarantine(&self, now: Moment) -> Result<()> {
        let Some(directory) = self.directory()? else { return Ok(()) };
        if let Some(renamed) = atomic_file::quarantine(&directory, &self.token, now.unix_ms)? {
            log::warn!(
                "{} is damaged and was renamed to {}",
                self.token.path().display(),
                renamed.display()
            );
        }
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        Some(self.token.path())
    }
}

/// The bytes of a token file, short enough to be read again. Indentation multiplies the size of
/// nested members. A file that would be too long has the members of the standard only.
fn readable(members: &Members) -> Vec<u8> {
    let bytes = python_json::to_bytes(&members.0);
    if bytes.len() as u64 <= file::MAX_FILE_BYTES {
        return bytes;
    }
    log::warn!(
        "the token response is too long to be saved completely; members that no standard defines are left out"
    );
    let mut standard = Members(members.0.clone());
    standard.0.retain(|name, _| STANDARD_MEMBERS.contains(&name.as_str()));
    python_json::to_bytes(&standard.0)
}
