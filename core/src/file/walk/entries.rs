//! The names in an open directory.

use super::{Opened, STICKY, directory_flags, flags, is_not_found, mode};
use crate::file::kind::EntryKind;
use crate::file::refused;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

impl Opened {
    pub(in crate::file) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        Ok(self.look(name)?.map(|stat| match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        }))
    }

    pub(in crate::file) fn open_file(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        self.open_accepted(name, OFlags::RDONLY, path)
    }

    pub(in crate::file) fn open_file_to_rewrite(
        &self,
        name: &OsStr,
        path: &Path,
    ) -> io::Result<File> {
        self.open_accepted(name, OFlags::WRONLY, path)
    }

    pub(in crate::file) fn open_lock(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        let refuse_links = || {
            refused(path, "has another name (a hard link), so it is not used as a lock; remove it")
        };
        // Check before opening, because the user whose rights are in effect may not be able to open
        // it.
        if self.look(name)?.is_some_and(|stat| {
            FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_nlink > 1
        }) {
            return Err(refuse_links());
        }
        let file = match self.open_accepted(name, OFlags::RDWR, path) {
            Err(error) if is_not_found(&error) => match self.create_file(name) {
                // Another process created the file first.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    self.open_accepted(name, OFlags::RDWR, path)?
                }
                created => created?,
            },
            opened => opened?,
        };
        if rustix::fs::fstat(&file)?.st_nlink > 1 {
            return Err(refuse_links());
        }
        Ok(file)
    }

    pub(in crate::file) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let access = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.open(name, access | flags(), Mode::RUSR | Mode::WUSR).map(File::from)
    }

    pub(in crate::file) fn must_be_rewritten(&self, name: &OsStr) -> bool {
        let stat = self.look(name).ok().flatten();
        if let (Some(file), Ok(directory)) = (&stat, self.stat()) {
            let user = self.user_id();
            // Root leaves another user's file to that user.
            let is_anothers = user == 0 && file.st_uid != 0;
            let is_sticky = mode(&directory) & STICKY != 0
                && user != 0
                && file.st_uid != user
                && directory.st_uid != user;
            if is_anothers || is_sticky {
                return true;
            }
        }
        self.attributes_forbid_renames(name, stat.is_some())
    }

    #[cfg(target_os = "linux")]
    fn attributes_forbid_renames(&self, name: &OsStr, exists: bool) -> bool {
        use rustix::fs::{StatxAttributes, StatxFlags, statx};
        let directory = statx(&self.directory, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS);
        if directory.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::APPEND)) {
            return true;
        }
        let fixed =
            StatxAttributes::MOUNT_ROOT | StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        let file = || {
            self.at(|directory| {
                statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
            })
        };
        exists && file().is_ok_and(|stat| stat.stx_attributes.intersects(fixed))
    }

    #[cfg(not(target_os = "linux"))]
    fn attributes_forbid_renames(&self, _: &OsStr, _: bool) -> bool {
        false
    }

    pub(in crate::file) fn is_same(&self, name: &OsStr, file: &File) -> bool {
        let (here, open) = (self.look(name).ok().flatten(), rustix::fs::fstat(file));
        matches!((here, open), (Some(here), Ok(open)) if (here.st_dev, here.st_ino) == (open.st_dev, open.st_ino))
    }

    pub(in crate::file) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::renameat(directory, from, directory, to))
    }

    pub(in crate::file) fn hard_link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::linkat(directory, from, directory, to, AtFlags::empty()))
    }

    pub(in crate::file) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::unlinkat(directory, name, AtFlags::empty()))
    }

    pub(in crate::file) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR))
    }

    pub(in crate::file) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::mkdirat(directory, name, Mode::RWXU))
    }

    /// Creates a directory for its owner alone, unless another process has created it, and enters
    /// it.
    pub(in crate::file) fn make_and_enter(&self, name: &OsStr, path: &Path) -> io::Result<Opened> {
        match self.make_directory(name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.enter(name, path),
        }
    }

    pub(in crate::file) fn enter(&self, name: &OsStr, path: &Path) -> io::Result<Opened> {
        let directory = self.open(name, directory_flags(), Mode::empty())?;
        Opened { directory, ..*self }.accept_below(self, &|| path.to_owned())
    }

    pub(in crate::file) fn modified(&self, name: &OsStr) -> io::Result<SystemTime> {
        let stat = self.look(name)?.ok_or(rustix::io::Errno::NOENT)?;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0)))
    }

    pub(in crate::file) fn names(&self) -> io::Result<Vec<OsString>> {
        let directory = self.open(
            OsStr::new("."),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(directory)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(in crate::file) fn sync(&self) -> io::Result<()> {
        let directory = self.open(
            OsStr::new("."),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(rustix::fs::fsync(directory)?)
    }

    pub(in crate::file) fn user(&self) -> Option<(u32, u32)> {
        self.rights.map(|rights| (rights.uid, rights.gid))
    }
}
