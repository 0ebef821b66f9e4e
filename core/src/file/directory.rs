//! An opened directory: every file operation is relative to it.

use super::kind::EntryKind;
#[cfg(not(unix))]
use super::other::Opened;
#[cfg(unix)]
use super::walk::Opened;
use super::{CheckedPath, Found, OpenedFile, Version, failed};
use crate::error::Result;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A directory that was reached by steps that no other user could influence.
///
/// Trusted owners of what lies below a storage root: the effective user; root; the owner that the
/// file system gives to a file which this process makes there (mounts that squash owners); unless
/// the process is root, the owner of the storage root, if others cannot write to it. Files and
/// directories that others may write are refused, unless the file system has no modes. Root takes
/// the rights of the user to whom the storage root, or what lies below it, belongs.
pub(crate) struct Directory {
    opened: Opened,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory of a file; `None` if it does not exist.
    ///
    /// Errors: of the system; a refusal that says why.
    pub(crate) fn open(path: &CheckedPath) -> io::Result<Option<Directory>> {
        let (opened, missing) = Opened::walk(path.directory(), path.root.as_deref())?;
        Ok(missing.is_empty().then(|| Directory { opened, path: path.directory().to_owned() }))
    }

    /// Opens the directory of a file. Missing directories are created for their owner alone.
    ///
    /// Errors: of the system; a refusal that says why.
    pub(crate) fn create(path: &CheckedPath) -> io::Result<Directory> {
        let (mut opened, missing) = Opened::walk(path.directory(), path.root.as_deref())?;
        let mut at = above(path.directory(), missing.len()).to_owned();
        for name in &missing {
            at.push(name);
            opened = opened.make_and_enter(name, &at)?;
        }
        Ok(Directory { opened, path: path.directory().to_owned() })
    }

    /// Opens the directory of a file, or the first one above it that exists.
    pub(crate) fn nearest(path: &CheckedPath) -> io::Result<Directory> {
        let (opened, missing) = Opened::walk(path.directory(), path.root.as_deref())?;
        Ok(Directory { opened, path: above(path.directory(), missing.len()).to_owned() })
    }

    /// As [`Directory::open`], with the error that users get.
    pub(crate) fn open_checked(path: &CheckedPath, what: &str) -> Result<Option<Directory>> {
        Directory::open(path).map_err(|error| failed(what, path.path(), &error))
    }

    /// The path of this directory, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it, for messages and for programs that must be given one.
    pub(crate) fn join(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// Follows links at the name of a file: each must belong to a trusted owner. Returns the
    /// directory and the name at the end; `None` for a link whose target does not exist.
    pub(crate) fn resolve(&self, name: &OsStr) -> io::Result<Option<(Directory, OsString)>> {
        let Some((opened, name)) = self.opened.resolve(name, &self.path)? else { return Ok(None) };
        let path = opened.as_ref().map_or_else(|| self.path.clone(), |(_, path)| path.clone());
        let opened = match opened {
            Some((opened, _)) => opened,
            None => self.opened.duplicate()?,
        };
        Ok(Some((Directory { opened, path }, name)))
    }

    /// Opens a file for reading as [`Directory::open_file`], following links as
    /// [`Directory::resolve`] does, unless it is in the state `known`.
    pub(super) fn open_followed(
        &self,
        name: &OsStr,
        known: Option<Version>,
    ) -> io::Result<Found<OpenedFile>> {
        self.opened.open_followed(name, &self.path, known)
    }

    /// The kind of the entry with this name, without following links; `None` if there is none.
    pub(crate) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        self.opened.kind(name)
    }

    /// Opens a file for reading, after its type, owner and mode were accepted.
    pub(crate) fn open_file(&self, name: &OsStr) -> io::Result<File> {
        self.opened.open_file(name, &self.join(name))
    }

    /// Opens an existing file for writing in place, after it was accepted as for reading.
    pub(crate) fn open_file_to_rewrite(&self, name: &OsStr) -> io::Result<File> {
        self.opened.open_file_to_rewrite(name, &self.join(name))
    }

    /// Opens the file of a lock, and makes it if it does not exist. It must be one that could be
    /// read, and have no other name, because its content is replaced.
    pub(crate) fn open_lock(&self, name: &OsStr) -> io::Result<File> {
        self.opened.open_lock(name, &self.join(name))
    }

    /// Creates a file that did not exist, for its owner alone.
    pub(crate) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        self.opened.create_file(name)
    }

    /// Whether the file cannot be replaced by a rename, although its directory can be written:
    /// because it is a mount point, or because of its attributes, those of the directory, or its
    /// owner.
    pub(crate) fn must_be_rewritten(&self, name: &OsStr) -> bool {
        self.opened.must_be_rewritten(name)
    }

    /// Whether the name still leads to this open file.
    pub(crate) fn is_same(&self, name: &OsStr, file: &File) -> bool {
        self.opened.is_same(name, file)
    }

    pub(crate) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.opened.rename(from, to)
    }

    pub(crate) fn hard_link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.opened.hard_link(from, to)
    }

    pub(crate) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.opened.remove_file(name)
    }

    pub(crate) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.opened.remove_directory(name)
    }

    pub(crate) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        self.opened.make_directory(name)
    }

    /// Opens a directory in this one, links not followed.
    pub(crate) fn enter(&self, name: &OsStr) -> io::Result<Directory> {
        Ok(Directory { opened: self.opened.enter(name, &self.join(name))?, path: self.join(name) })
    }

    /// The time of the last change of a file or directory.
    pub(crate) fn modified(&self, name: &OsStr) -> io::Result<std::time::SystemTime> {
        self.opened.modified(name)
    }

    /// The state of a file, links of trusted owners followed; `None` if there is none.
    pub(crate) fn version(&self, name: &OsStr) -> Option<Version> {
        self.opened.version(name, &self.path).ok()?
    }

    /// The names in it.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        self.opened.names()
    }

    /// Makes sure that the names in it reach the disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.opened.sync()
    }

    /// The user as which a program must run that reads or writes here by path; `None` means as this
    /// process.
    pub(crate) fn user(&self) -> Option<(u32, u32)> {
        self.opened.user()
    }
}

/// The directory that is this many steps above the path.
fn above(path: &Path, steps: usize) -> &Path {
    path.ancestors().nth(steps).unwrap_or_else(|| Path::new("/"))
}
