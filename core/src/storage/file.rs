//! Tokens in `~/.planet/<profile>/token.json`, shared with every process and with Planet's own tools.

use super::files::{self, Disk, RealDisk, Settled};
use super::sops::Sops;
use super::token_file::{self, Content};
use super::{Binding, Kept, Lock, Memo, Seen, Storage, Stored, corrupt, document, lock};
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime};
use zeroize::Zeroizing;

/// One token file with what lies beside it: `token.json.lock`, never deleted, and `token.planetkey.json`.
pub struct FileStorage {
    token: PathBuf,
    lock: PathBuf,
    memo: PathBuf,
    sops: Option<Sops>,
    binding: Binding,
    disk: Arc<dyn Disk>,
}

impl FileStorage {
    /// The session in this file. `binding` is the fingerprint of issuer, client and what is asked for: tokens that another wrote here are
    /// not used. A file whose name ends in `.sops.json` is read and written through `sops`.
    pub fn new(token: PathBuf, binding: impl Into<Binding>, sops: &Sops, disk: Option<Arc<dyn Disk>>) -> Self {
        let is_encrypted = token.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".sops.json"));
        let sops = is_encrypted.then(|| sops.clone());
        // The clear and the encrypted form are one session: they share one lock and one memory.
        let lock = token.with_file_name("token.json.lock");
        let memo = token.with_file_name("token.planetkey.json");
        FileStorage { token, lock, memo, sops, binding: binding.into(), disk: disk.unwrap_or_else(|| Arc::new(RealDisk)) }
    }

    fn read(&self, patient: bool) -> Result<Settled> {
        match &self.sops {
            Some(sops) => {
                let Some(version) = files::look(&self.token)? else { return Ok(Settled::Absent) };
                let clear = sops.decrypt(&self.token)?;
                Ok(document::parse_session(&clear).map_or(Settled::Broken, |members| Settled::Document(members, version)))
            }
            None if patient => files::settle(&self.token, document::parse_session),
            None => Ok(match files::read_version(&self.token)? {
                None => Settled::Absent,
                Some((bytes, version)) => {
                    document::parse_session(&bytes).map_or(Settled::Broken, |members| Settled::Document(members, version))
                }
            }),
        }
    }

    /// A machine does not write over the session of a person, who would have to log in again.
    ///
    /// Errors: STORAGE.
    fn check_place(&self) -> Result<()> {
        if !self.binding.is_machine {
            return Ok(());
        }
        let Ok(Settled::Document(members, _)) = self.read(false) else { return Ok(()) };
        let is_a_persons =
            members.get("refresh_token").is_some_and(|token| token.as_str().is_some_and(|token| !token.is_empty()));
        let is_ours = self.memo().receipt.is_some_and(|receipt| receipt.binding == self.binding.fingerprint);
        if !is_a_persons || is_ours {
            return Ok(());
        }
        let message = format!("{} keeps the session of a person; give another profile", self.token.display());
        Err(Error::new(Status::Storage, message))
    }

    fn state(&self, seen: Seen) -> Seen {
        if self.sops.is_some() { Seen::Unknown } else { seen }
    }

    fn content(&self, members: Map<String, Value>, now: Moment) -> Kept {
        match token_file::from_members(members, &self.memo(), &self.binding, now) {
            Content::Nothing => Kept::Nothing,
            Content::Foreign => Kept::Foreign,
            Content::Tokens(stored) => Kept::Tokens(Arc::new(stored)),
        }
    }
}

impl Storage for FileStorage {
    fn load(&self, now: Moment, patient: bool) -> Result<(Kept, Seen)> {
        match self.read(patient)? {
            Settled::Absent => Ok((Kept::Nothing, self.state(Seen::Absent))),
            Settled::Document(members, version) => Ok((self.content(members, now), self.state(Seen::At(version)))),
            Settled::Broken if patient => Err(corrupt(&self.token.display().to_string())),
            Settled::Broken => {
                let message = format!("{} is being written by another program; try again", self.token.display());
                Err(Error::new(Status::Storage, message).with_retryable(true))
            }
        }
    }

    fn save(&self, stored: &Stored) -> Result<Seen> {
        for file in [&self.token, &self.memo] {
            files::sweep(file, SystemTime::now());
        }
        self.check_place()?;
        let members = token_file::to_members(stored);
        // First the receipt: a token with a receipt that does not fit is as good as one without, never the other way round.
        let mut memo = self.memo();
        memo.receipt = Some(token_file::receipt(stored, &members, &self.binding.fingerprint));
        memo.not_before = None;
        self.remember(&memo);
        let clear = Zeroizing::new(document::to_bytes(&members.0));
        let bytes = match &self.sops {
            Some(sops) => Zeroizing::new(sops.encrypt(&self.token, &clear)?),
            None => clear,
        };
        files::replace_on(self.disk.as_ref(), &self.token, &bytes).map(|version| self.state(Seen::At(version)))
    }

    fn check(&self) -> Result<()> {
        self.check_place()?;
        files::check_on(self.disk.as_ref(), &self.token)
    }

    fn remove(&self) -> Result<bool> {
        let mut removed = files::remove_followed(&self.token)?;
        // A clear copy beside an encrypted session would be the next one's session.
        let clear = self.token.with_file_name("token.json");
        if clear != self.token {
            removed |= files::remove_followed(&clear)?;
        }
        for file in [&self.token, &clear] {
            files::remove_remains(file);
        }
        let mut memo = self.memo();
        memo.receipt = None;
        memo.not_before = None;
        if removed && !memo.is_newer() {
            self.remember(&memo);
        }
        Ok(removed)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        Ok(lock::take(self.disk.as_ref(), &self.lock, deadline)?.map(|lock| lock as Box<dyn Lock>))
    }

    fn busy(&self) -> Option<Error> {
        lock::held_by_another(&self.lock)
    }

    /// An encrypted file takes a program to read: it is read when a token is needed, and not once a second.
    fn seen(&self) -> Seen {
        if self.sops.is_some() {
            return Seen::Unknown;
        }
        files::version(&self.token).map_or(Seen::Absent, Seen::At)
    }

    fn memo(&self) -> Memo {
        match files::read(&self.memo) {
            Ok(Some(bytes)) => Memo::from_bytes(&bytes),
            Ok(None) => Memo::default(),
            Err(error) => {
                log::warn!("{error}");
                Memo::default()
            }
        }
    }

    fn remember(&self, memo: &Memo) {
        if memo.is_newer() {
            return;
        }
        if let Err(error) = files::replace_on(self.disk.as_ref(), &self.memo, &memo.to_bytes()) {
            log::warn!("{error}");
        }
    }

    fn quarantine(&self, now: Moment) -> Result<()> {
        if let Some(aside) = files::quarantine(&self.token, now.unix_ms)? {
            log::warn!("{} is damaged and was renamed to {}", self.token.display(), aside.display());
        }
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.token)
    }
}
