//! Files that are read with care and written whole or not at all.

use super::document;
use crate::error::{Error, Result, Status};
use crate::threads;
use serde_json::{Map, Value};
use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

/// No session or configuration comes near this size.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// Planet's own tools truncate and rewrite in place: for a moment the file is empty, or half.
const SETTLE_POLL: Duration = Duration::from_millis(1);
/// A file that is broken and has not changed for this long is not being written.
const SETTLED_AFTER: Duration = Duration::from_millis(250);
/// Somebody who rewrites a file without pause is waited for no longer than this.
const SETTLE_LIMIT: Duration = Duration::from_secs(3);
/// Room for the tokens of one session.
const USUAL_BYTES: usize = 16 * 1024;
/// A temporary file this old was left by a crash.
const STALE_TEMPORARY: Duration = Duration::from_secs(3600);

/// The steps of a durable write, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The directory is made.
    Directory,
    /// The temporary file is created.
    Create,
    /// The bytes are written.
    Write,
    /// The bytes reach the disk.
    Sync,
    /// The temporary file takes the place of the old one.
    Rename,
    /// The directory entry reaches the disk.
    SyncDirectory,
    /// The lock is taken.
    Lock,
}

/// What a disk may do to each step; the real one does nothing more. Called from any thread.
pub trait Disk: Send + Sync {
    /// An error here is the error of the step.
    fn before(&self, step: Step) -> io::Result<()>;
}

/// The disk as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

/// Tells one state of a file from another: a rewrite changes it, also within a clock tick if its size or place changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified_ns: u128,
}

impl Version {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let (device, inode) = {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        };
        #[cfg(not(unix))]
        let (device, inode) = (0, 0);
        let modified = metadata.modified().ok().and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
        Version { device, inode, size: metadata.len(), modified_ns: modified.map_or(0, |since| since.as_nanos()) }
    }
}

/// The state of a file; `None` where there is none. One system call.
pub fn version(path: &Path) -> Option<Version> {
    fs::metadata(path).ok().map(|metadata| Version::of(&metadata))
}

/// As [`version`]. Errors: STORAGE where it cannot be told.
pub(super) fn look(path: &Path) -> Result<Option<Version>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(Version::of(&metadata))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("cannot be read", path, &error)),
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> Error {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => "; check its owner and permissions, or give another storage_root",
        ErrorKind::ReadOnlyFilesystem => "; give a storage_root that can be written, or PLANETKEY_STORAGE_ROOT",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; make room on that disk",
        _ => "",
    };
    Error::new(Status::Storage, format!("{} {what}: {error}{advice}", path.display()))
}

/// Opens for reading; a link is followed only when it belongs to whoever runs this, or to root.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Non-blocking, so that a pipe planted in the file's place keeps nobody waiting.
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        options.custom_flags(flags.bits().cast_signed());
        match options.open(path) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
                options.custom_flags((flags - OFlags::NOFOLLOW).bits().cast_signed());
                options.open(own_link(path)?)
            }
            opened => opened,
        }
    }
    #[cfg(not(unix))]
    options.open(path)
}

/// Where a symbolic link of one's own leads.
#[cfg(unix)]
fn own_link(path: &Path) -> io::Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let link = fs::symlink_metadata(path)?;
    // Root reads the files of others, but where their links lead it must not write.
    if link.uid() != 0 && link.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("is a link that belongs to another user, which is not followed"));
    }
    fs::canonicalize(path)
}

#[cfg(unix)]
fn is_trusted(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let me = rustix::process::geteuid().as_raw();
    metadata.uid() == me || metadata.uid() == 0 || me == 0
}

/// The file's bytes and its state at that moment; `None` where there is no file.
///
/// Errors: STORAGE, also for what is no plain file, belongs to somebody else, or is longer than 1 MiB.
pub(super) fn read_version(path: &Path) -> Result<Option<(Zeroizing<Vec<u8>>, Version)>> {
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound) => return Ok(None),
        Err(error) => return Err(failed("cannot be read", path, &error)),
    };
    let metadata = file.metadata().map_err(|error| failed("cannot be read", path, &error))?;
    let refuse = |why: &str| Err(Error::new(Status::Storage, format!("{} {why}", path.display())));
    if !metadata.is_file() {
        return refuse("is not a file; move it away");
    }
    if metadata.len() > MAX_FILE_BYTES {
        return refuse("is longer than 1 MiB, which no session or profile is; move it away");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if !is_trusted(&metadata) {
            return refuse("belongs to another user; move it away and log in again");
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            log::warn!("{} can be read by other users of this machine; run: chmod 600 on it", path.display());
        }
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(metadata.len()).unwrap_or(0) + 1));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| failed("cannot be read", path, &error))?;
    Ok(Some((bytes, Version::of(&metadata))))
}

/// The file's bytes; `None` where there is no file.
///
/// Errors: STORAGE, also for what is no plain file, belongs to somebody else, or is longer than 1 MiB.
pub fn read(path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>> {
    Ok(read_version(path)?.map(|(bytes, _)| bytes))
}

/// What reading a JSON object may find.
pub(super) enum Settled {
    Absent,
    Document(Map<String, Value>, Version),
    /// Not a JSON object, and nobody is writing it.
    Broken,
}

/// What a file is to hold: [`document::parse`] or [`document::parse_session`].
type Parse = fn(&[u8]) -> Option<Map<String, Value>>;

/// Reads a JSON object. What is torn is read again, for as long as somebody is writing it.
///
/// Blocks for a quarter of a second when the file is broken, and longer only while it changes. Errors: STORAGE.
pub(super) fn settle(path: &Path, parse: Parse) -> Result<Settled> {
    let started = Instant::now();
    let mut last: Option<(Version, Instant)> = None;
    loop {
        let Some((bytes, version)) = read_version(path)? else { return Ok(Settled::Absent) };
        if let Some(document) = parse(&bytes) {
            return Ok(Settled::Document(document, version));
        }
        let now = Instant::now();
        let since = match last {
            Some((seen, since)) if seen == version => since,
            _ => now,
        };
        if now.duration_since(since) >= SETTLED_AFTER {
            return Ok(Settled::Broken);
        }
        if now.duration_since(started) >= SETTLE_LIMIT {
            let message = format!("{} is being rewritten without pause by another program; try again", path.display());
            return Err(Error::new(Status::Storage, message).with_retryable(true));
        }
        last = Some((version, since));
        std::thread::sleep(SETTLE_POLL);
    }
}

/// A JSON object of a file that Planet's own tools may be rewriting right now; `None` where there is no file.
///
/// Blocks for a quarter of a second when the file is broken. Errors: STORAGE when it stays broken.
pub fn read_settled(path: &Path) -> Result<Option<Map<String, Value>>> {
    match settle(path, document::parse)? {
        Settled::Absent => Ok(None),
        Settled::Document(document, _) => Ok(Some(document)),
        Settled::Broken => {
            let message = format!("{} is not a JSON object; repair it, or move it away and log in again", path.display());
            Err(Error::new(Status::Storage, message))
        }
    }
}

/// Replaces the file by these bytes, durably: other readers see the old content or the new, at any moment and after any crash.
///
/// Directories that are missing are made for their owner alone (0700), the file is the owner's alone from its creation (0600).
/// Blocks until the disk has it. Errors: STORAGE; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    replace_on(&RealDisk, path, bytes).map(drop)
}

/// As [`replace`], on a disk that may fail.
pub(super) fn replace_on(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<Version> {
    let written = threads::shielded(|| write(disk, path, bytes)).and_then(|written| written);
    written.map_err(|error| failed("cannot be written", path, &error))
}

/// Whether [`replace_on`] would succeed now with a content of the usual size. Leaves nothing behind. Errors: STORAGE.
pub(super) fn check_on(disk: &dyn Disk, path: &Path) -> Result<()> {
    let staged = threads::shielded(|| stage(disk, path, &[b' '; USUAL_BYTES]).map(drop)).and_then(|staged| staged);
    staged.map_err(|error| failed("cannot be written", path, &error))
}

fn write(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Version> {
    let (path, temporary) = stage(disk, path, bytes)?;
    let version = Version::of(&temporary.as_file().metadata()?);
    disk.before(Step::Rename)?;
    let mut waiting = Some(temporary);
    patiently(|| match waiting.take() {
        Some(temporary) => temporary.persist(&path).map(drop).map_err(|error| {
            waiting = Some(error.file);
            error.error
        }),
        None => Ok(()),
    })?;
    // From here on the new content counts; that it survives a power cut is worth waiting for but not an error.
    let directory = directory_of(&path);
    let synced = disk.before(Step::SyncDirectory).and_then(|()| sync_directory(directory));
    if let Err(error) = synced {
        log::warn!("{} was written but may be lost by a power cut: {error}", path.display());
    }
    Ok(version)
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// The bytes on the disk, beside the file whose place they are to take; and that place, where links are followed.
fn stage(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<(PathBuf, NamedTempFile)> {
    #[cfg(unix)]
    let path = match fs::symlink_metadata(path) {
        // The link stays, and so does the file that it leads to being the one that is used. One that leads nowhere is replaced.
        Ok(metadata) if metadata.is_symlink() => match own_link(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            led => led?,
        },
        _ => path.to_owned(),
    };
    #[cfg(not(unix))]
    let path = path.to_owned();
    let directory = directory_of(&path);
    disk.before(Step::Directory)?;
    make_private_directory(directory)?;
    disk.before(Step::Create)?;
    // tempfile creates 0600 and close-on-exec, and removes what is not persisted.
    let mut temporary = tempfile::Builder::new().prefix(&temporary_prefix(&path)).suffix(".tmp").tempfile_in(directory)?;
    #[cfg(unix)]
    give_to_owner(temporary.as_file(), if path.exists() { &path } else { directory })?;
    disk.before(Step::Write)?;
    temporary.write_all(bytes)?;
    disk.before(Step::Sync)?;
    temporary.as_file().sync_all()?;
    Ok((path, temporary))
}

/// Whether files can be made in this directory, or in the first above it that is there.
///
/// Leaves nothing behind. Errors: STORAGE.
pub(crate) fn check_writable(directory: &Path) -> Result<()> {
    let there = directory.ancestors().find(|directory| directory.symlink_metadata().is_ok()).unwrap_or(directory);
    let tried = tempfile::Builder::new().prefix(".planetkey.").suffix(".tmp").tempfile_in(there);
    tried.map(drop).map_err(|error| failed("cannot be written", there, &error))
}

/// On Windows another program that looks at the file keeps it from being replaced for a moment.
fn patiently(mut rename: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut wait = Duration::from_millis(10);
    loop {
        match rename() {
            Err(error) if cfg!(any(windows, test)) && error.kind() == ErrorKind::PermissionDenied && wait.as_millis() <= 100 => {
                std::thread::sleep(wait);
                wait *= 2;
            }
            done => return done,
        }
    }
}

pub(super) fn make_private_directory(directory: &Path) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make_private_directory(parent)?;
    }
    match create_private(directory) {
        // Somebody else was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists && directory.is_dir() => return Ok(()),
        made => made?,
    }
    #[cfg(unix)]
    give_to_owner(&File::open(directory)?, parent.unwrap_or_else(|| Path::new(".")))?;
    Ok(())
}

#[cfg(unix)]
fn create_private(directory: &Path) -> io::Result<()> {
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(directory)
}

/// What lies in somebody's profile is theirs alone on Windows.
#[cfg(not(unix))]
fn create_private(directory: &Path) -> io::Result<()> {
    fs::create_dir(directory)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
}

fn temporary_prefix(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    format!(".{name}.")
}

/// Removes the temporary files that crashes left beside this file, once they are old. Call it under the lock.
pub(super) fn sweep(path: &Path, now: SystemTime) {
    let prefix = temporary_prefix(path);
    let Some(Ok(entries)) = path.parent().map(fs::read_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_old = || {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            modified.is_ok_and(|modified| now.duration_since(modified).is_ok_and(|age| age > STALE_TEMPORARY))
        };
        if name.starts_with(&prefix) && name.ends_with(".tmp") && is_old() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a file; `false` where there was none. Errors: STORAGE.
pub fn remove(path: &Path) -> Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(failed("cannot be removed", path, &error)),
    }
}

/// As [`remove`]; of a link of one's own also what it leads to, because that is where the secrets are.
pub(super) fn remove_followed(path: &Path) -> Result<bool> {
    #[cfg(unix)]
    if path.is_symlink()
        && let Ok(target) = own_link(path)
    {
        remove(&target)?;
    }
    remove(path)
}

/// Puts a broken file aside, so that nothing of it is lost and the next login starts afresh; `None` for an empty one, in which there is
/// nothing to lose and which somebody may be about to fill.
///
/// Errors: STORAGE, retryable where it was whole again a moment later: then it has its place back.
pub(super) fn quarantine(path: &Path, unix_ms: u64) -> Result<Option<PathBuf>> {
    if version(path).is_some_and(|version| version.size == 0) {
        return Ok(None);
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let aside = path.with_file_name(format!("{name}.corrupt-{unix_ms}"));
    fs::rename(path, &aside).map_err(|error| failed("is broken and cannot be put aside", path, &error))?;
    // Whoever had it open goes on writing into it, wherever it lies.
    let is_whole = read(&aside).ok().flatten().is_some_and(|bytes| document::parse_session(&bytes).is_some());
    if is_whole && fs::hard_link(&aside, path).is_ok() {
        let _ = fs::remove_file(&aside);
        let message = format!("{} was being written by another program; try again", path.display());
        return Err(Error::new(Status::Storage, message).with_retryable(true));
    }
    Ok(Some(aside))
}

/// Removes what crashes and damage have left beside a file: it holds secrets of the same session. Call it under the lock.
pub(super) fn remove_remains(path: &Path) {
    let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let (temporary, corrupt) = (temporary_prefix(path), format!("{name}.corrupt-"));
    let Some(Ok(entries)) = path.parent().map(fs::read_dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&temporary) && name.ends_with(".tmp") || name.starts_with(&corrupt) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// What root makes in somebody else's place belongs to that somebody, who could not read it otherwise.
#[cfg(unix)]
pub(super) fn give_to_owner(file: &File, like: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt;
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let owner = fs::metadata(like)?;
    if owner.uid() == file.metadata()?.uid() {
        return Ok(());
    }
    std::os::unix::fs::fchown(file, Some(owner.uid()), Some(owner.gid()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f084_a_rename_that_is_denied_for_a_moment_is_tried_again() {
        let mut denials = 3;
        let renamed = patiently(|| {
            denials -= 1;
            if denials > 0 { Err(io::Error::from(ErrorKind::PermissionDenied)) } else { Ok(()) }
        });
        assert!(renamed.is_ok());
        assert_eq!(denials, 0);
        let mut attempts = 0;
        let refused = patiently(|| {
            attempts += 1;
            Err(io::Error::from(ErrorKind::PermissionDenied))
        });
        assert!(refused.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied));
        assert!((2..10).contains(&attempts), "{attempts}");
    }
}
