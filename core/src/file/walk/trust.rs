//! Which directories and files are accepted, by their owners and modes.

use super::{OTHERS_WRITE, Opened, STICKY, flags, mode};
use crate::file::rights::Rights;
use crate::file::{NOTICE_TARGET, refused};
use crate::user_namespace::unmapped_uid;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

const GROUP_WRITES: u32 = 0o020;
const NOT_REGULAR: &str = "is not a file; move it away";

/// Logs, once per process, that a group may change a file.
fn note_group(path: &Path) {
    static NOTED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    if NOTED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned()) {
        log::warn!(target: NOTICE_TARGET, "other members of its group may write to {}; run: chmod g-w on it", path.display());
    }
}

impl Opened {
    /// Accepts the storage root, whose owner is the user whose files are used.
    pub(super) fn accept_root(mut self, path: &dyn Fn() -> PathBuf) -> io::Result<Opened> {
        let stat = self.stat()?;
        if self.user == 0 && self.rights.is_none() && stat.st_uid != 0 {
            self.rights = self.rights_of(&stat, path)?;
        }
        self.is_checked = true;
        self.is_shared = self.is_others(&stat);
        if self.is_shared && mode(&stat) & STICKY == 0 {
            return Err(refused(
                &path(),
                "may be written by every user of this machine; run: chmod o-w on it",
            ));
        }
        if self.user != 0 && !self.is_shared {
            self.root_owner = Some(stat.st_uid);
        }
        Ok(self)
    }

    /// Accepts a directory below the storage root.
    pub(super) fn accept_below(
        mut self,
        parent: &Opened,
        path: &dyn Fn() -> PathBuf,
    ) -> io::Result<Opened> {
        let stat = self.stat()?;
        if !self.is_trusted(stat.st_uid)? {
            // Only root can have put a directory of another user there, for example by a mount.
            let rights = if parent.is_shared { None } else { self.rights_of(&stat, path)? };
            match rights {
                Some(rights) => self.rights = Some(rights),
                None => return Err(foreign(&path(), stat.st_uid)),
            }
        }
        self.is_shared = self.is_others(&stat);
        if self.is_shared {
            return Err(refused(
                &path(),
                "may be written by every user of this machine; run: chmod o-w on it",
            ));
        }
        if mode(&stat) & GROUP_WRITES != 0 {
            note_group(&path());
        }
        Ok(self)
    }

    /// The user whose rights are in effect.
    pub(super) fn user_id(&self) -> u32 {
        self.rights.map_or(self.user, |rights| rights.uid)
    }

    /// Whether files of this user are accepted here.
    pub(super) fn is_trusted(&self, uid: u32) -> io::Result<bool> {
        if uid == 0 || uid == self.user_id() || self.root_owner == Some(uid) {
            return Ok(true);
        }
        // Outside the storage root this may be root, seen from inside a container.
        if !self.is_checked && unmapped_uid() == Some(uid) {
            return Ok(true);
        }
        // A mount that squashes owners gives this owner to every file, including those of this
        // process.
        Ok(self.probe().is_some_and(|(owner, _)| owner == uid))
    }

    /// The rights of a file's owner, if this process is root and acts as itself.
    pub(super) fn rights_of(
        &self,
        stat: &Stat,
        path: &dyn Fn() -> PathBuf,
    ) -> io::Result<Option<Rights>> {
        if self.user != 0 || self.rights.is_some() {
            return Ok(None);
        }
        Rights::of(stat.st_uid, stat.st_gid).map_err(|error| {
            let why = format!(
                "belongs to another user (uid {}), whose rights this process cannot take ({error}); run it as that user",
                stat.st_uid
            );
            refused(&path(), &why)
        })
    }

    /// Whether other users may write, if modes have a meaning here.
    pub(super) fn is_others(&self, stat: &Stat) -> bool {
        mode(stat) & OTHERS_WRITE != 0
            && (mode(stat) & STICKY != 0
                || self.probe().is_none_or(|(_, mode)| mode & OTHERS_WRITE == 0))
    }

    /// The owner and mode that the file system gives to a private file of this process here.
    fn probe(&self) -> Option<(u32, u32)> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).ok()?;
        let name = OsString::from(format!(".planetkey.{:016x}.tmp", u64::from_ne_bytes(random)));
        let file = self.create_file(&name).ok()?;
        let stat = rustix::fs::fstat(&file);
        let _ = self.remove_file(&name);
        stat.ok().map(|stat| (stat.st_uid, mode(&stat)))
    }

    /// Whether a file may be used, by its type, owner and mode.
    fn accept_file(
        &self,
        stat: &Stat,
        rights: Option<Rights>,
        path: &dyn Fn() -> PathBuf,
    ) -> io::Result<()> {
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(refused(&path(), NOT_REGULAR));
        }
        if rights.map(|rights| rights.uid) != Some(stat.st_uid) && !self.is_trusted(stat.st_uid)? {
            return Err(foreign(&path(), stat.st_uid));
        }
        if self.is_others(stat) {
            return Err(refused(
                &path(),
                "may be written by every user of this machine; check its content and run: chmod o-w on it",
            ));
        }
        if mode(stat) & GROUP_WRITES != 0 {
            note_group(&path());
        }
        Ok(())
    }

    /// Opens an existing file. Its type is checked first, because opening a device can change it.
    pub(super) fn open_accepted(
        &self,
        name: &OsStr,
        access: OFlags,
        path: &Path,
    ) -> io::Result<File> {
        let seen = self.look(name)?.ok_or(rustix::io::Errno::NOENT)?;
        Ok(self.open_seen(name, &seen, access, &|| path.to_owned())?.0)
    }

    /// As [`Opened::open_accepted`], after [`Opened::look`] has seen this at the name. Returns also
    /// what was opened.
    pub(super) fn open_seen(
        &self,
        name: &OsStr,
        seen: &Stat,
        access: OFlags,
        path: &dyn Fn() -> PathBuf,
    ) -> io::Result<(File, Stat)> {
        let rights = self.rights_for(seen, path)?;
        self.accept_file(seen, rights, path)?;
        let file = self.with(rights, |directory| {
            rustix::fs::openat(directory, name, access | flags(), Mode::empty())
        })?;
        let stat = rustix::fs::fstat(&file)?;
        if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
            // The file was replaced between the two calls.
            self.accept_file(&stat, rights, path)?;
        }
        Ok((File::from(file), stat))
    }

    /// The rights with which a file is opened: root takes those of its owner.
    fn rights_for(&self, stat: &Stat, path: &dyn Fn() -> PathBuf) -> io::Result<Option<Rights>> {
        let is_own = stat.st_uid == self.user_id() || stat.st_uid == 0;
        if is_own || self.is_shared || !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(self.rights);
        }
        Ok(self.rights_of(stat, path)?.or(self.rights))
    }
}

fn foreign(path: &Path, uid: u32) -> io::Error {
    refused(
        path,
        &format!("belongs to another user (uid {uid}); move it away, or run this as that user"),
    )
}
