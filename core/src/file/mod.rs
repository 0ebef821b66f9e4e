//! Opens, reads and replaces files so that no other user can influence what happens.
//!
//! Every path is walked once, directory by directory, and everything after that is relative to the
//! opened directory. [`Directory`] says which owners and modes are accepted. The table of
//! situations is in `docs/reference/files-and-users.md`.

mod directory;
mod kind;
#[cfg(not(unix))]
mod other;
mod read;
mod replace;
#[cfg(unix)]
mod rights;
#[cfg(unix)]
mod walk;

pub(crate) use directory::Directory;
pub(crate) use kind::EntryKind;
pub use read::read_secret_file;
pub(crate) use read::{
    Contents, MAX_FILE_BYTES, read, read_at, read_named, read_unless, read_whole,
};
pub use replace::{Disk, RealDisk, Step};
pub(crate) use replace::{check_on, check_writable, replace, replace_at, temporary_prefix};

use crate::error::{Error, Reason, Status};
use std::fs::Metadata;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The target of log records that a program should show to its user without being asked: a file
/// that others can change.
pub const NOTICE_TARGET: &str = "planetkey::notice";

/// The path of a file, and the directory below which every step to it is checked.
///
/// Without such a directory only the file itself is checked: for files that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPath {
    root: Option<PathBuf>,
    path: PathBuf,
}

impl CheckedPath {
    /// A file below a storage root. A path that is not below it is one that the user named.
    pub fn below(root: &Path, path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let root = path.starts_with(root).then(|| root.to_owned());
        CheckedPath { root, path }
    }

    /// The path, for messages and for tools that need one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Another file of the same directory.
    pub fn with_name(&self, name: &str) -> Self {
        CheckedPath { root: self.root.clone(), path: self.path.with_file_name(name) }
    }

    /// The directory that holds the file.
    pub(crate) fn directory(&self) -> &Path {
        self.path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or_else(|| Path::new("."))
    }

    /// The file's name in its directory.
    pub(crate) fn name(&self) -> &std::ffi::OsStr {
        self.path.file_name().unwrap_or_default()
    }
}

impl From<PathBuf> for CheckedPath {
    fn from(path: PathBuf) -> Self {
        CheckedPath { root: None, path }
    }
}

impl From<&Path> for CheckedPath {
    fn from(path: &Path) -> Self {
        CheckedPath::from(path.to_owned())
    }
}

/// Distinguishes one state of a file from another. A rewrite changes it, even within a clock tick
/// if the size or inode changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: u128,
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        let modified = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Version {
            device,
            inode,
            size: metadata.len(),
            modified_ns: modified.map_or(0, |since| since.as_nanos()),
        }
    }

    /// Whether the file has no content.
    pub(crate) fn is_empty(&self) -> bool {
        self.size == 0
    }
}

/// What is at the name of a file.
pub(crate) enum Found<T> {
    Absent,
    /// A file in the state that the caller knows.
    Known,
    New(T),
}

/// A file that was opened for reading.
struct OpenedFile {
    file: std::fs::File,
    /// Its state when it was opened.
    version: Version,
    /// Whether its mode lets other users read it.
    is_readable_by_others: bool,
}

/// The state of a file; `None` if there is none. One system call, which reads and changes nothing.
pub(crate) fn version(path: &Path) -> Option<Version> {
    std::fs::metadata(path).ok().map(|metadata| Version::of(&metadata))
}

/// A failed file operation as STORAGE, with what to do next; as UNAVAILABLE if the process or the
/// system lacks a resource temporarily.
pub(crate) fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    // A refusal names the path and says what to do.
    if let Some(refusal) = error.get_ref().and_then(|inner| inner.downcast_ref::<Refusal>()) {
        return Error::new(Status::Storage, refusal.0.clone());
    }
    if is_shortage(error) {
        let message = format!(
            "{} {what}: {error}; close files or raise the limit of the process, and try again",
            path.display()
        );
        return Error::new(Status::Unavailable, message).with_io_source(error);
    }
    let (advice, reason) = match error.kind() {
        ErrorKind::PermissionDenied => (
            "; check its owner and permissions, or give another storage_root",
            Some(Reason::NoAccess),
        ),
        ErrorKind::ReadOnlyFilesystem => (
            "; give a storage_root that can be written, or PLANETKEY_STORAGE_ROOT",
            Some(Reason::NoAccess),
        ),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ("; make room on that disk", None),
        _ => ("", None),
    };
    let message = format!("{} {what}: {error}{advice}", path.display());
    let failed = Error::new(Status::Storage, message).with_io_source(error);
    match reason {
        Some(reason) => failed.with_reason(reason),
        None => failed,
    }
}

/// Whether the process or the system lacks a resource temporarily: EMFILE, ENFILE, ENOMEM, EAGAIN.
pub(crate) fn is_shortage(error: &io::Error) -> bool {
    #[cfg(unix)]
    {
        use rustix::io::Errno;
        let short = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::AGAIN];
        error
            .raw_os_error()
            .is_some_and(|number| short.iter().any(|errno| errno.raw_os_error() == number))
    }
    #[cfg(not(unix))]
    {
        matches!(error.kind(), io::ErrorKind::OutOfMemory)
    }
}

/// Why a file or directory is not used although the system would allow it.
#[derive(Debug)]
struct Refusal(String);

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

/// A refusal of this path.
pub(crate) fn refused(path: &Path, why: &str) -> io::Error {
    io::Error::other(Refusal(format!("{} {why}", path.display())))
}

/// Whether this library refused the file, rather than the system.
pub(crate) fn is_refusal(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<Refusal>())
}
