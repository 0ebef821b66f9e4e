//! The lock that keeps processes from renewing the same session at once.
//!
//! An operating system's lock on a file that is never deleted: it vanishes with its holder, so nothing is left to clean. The file says
//! who holds it, for messages and for file systems whose locks outlive their holders.

use super::files::{self, Disk, Step};
use crate::error::{Error, Result, Status};
use crate::storage::Lock;
use crate::threads;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// A holder that is gone keeps its lock only on file systems that forget to release it.
const GRACE_MS: u64 = 60_000;
/// The file in a lease.
const UNTIL: &str = "until_unix_ms";

/// Takes the lock beside a session's file, waiting for it until `deadline`.
///
/// Where the place cannot be written at all there is nothing to share and nothing to lock: `Ok(None)`. Blocks.
/// Errors: TIMEOUT, naming the holder; STORAGE.
pub(super) fn take(disk: &dyn Disk, path: &Path, deadline: Instant) -> Result<Option<Box<dyn Lock>>> {
    let mut wait = FIRST_WAIT;
    loop {
        match attempt(disk, path, deadline) {
            Ok(Attempt::Held(lock)) => return Ok(Some(lock)),
            // A file system that keeps the lock of a process which is gone would keep everybody out for ever.
            Ok(Attempt::Busy) if holder(path).is_some_and(|holder| holder.is_gone()) => {
                log::warn!("{} is held by a process that is gone; going on without it", path.display());
                return Ok(None);
            }
            Ok(Attempt::Busy) => {}
            Err(error) if is_unwritable(&error) => {
                log::warn!(
                    "{} cannot be locked ({error}); other processes may renew this session at the same time",
                    path.display()
                );
                return Ok(None);
            }
            Err(error) => {
                return Err(Error::new(Status::Storage, format!("{} cannot be locked: {error}", path.display())));
            }
        }
        if Instant::now() >= deadline {
            return Err(busy(path));
        }
        std::thread::sleep(wait.min(deadline.saturating_duration_since(Instant::now())));
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

enum Attempt {
    Held(Box<dyn Lock>),
    Busy,
}

fn attempt(disk: &dyn Disk, path: &Path, deadline: Instant) -> io::Result<Attempt> {
    let mut file = open(path)?;
    match disk.before(Step::Lock).map_err(TryLockError::Error).and_then(|()| file.try_lock()) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => return lease(path, deadline),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // A cleaner may have removed the file after it was opened: whoever comes now would lock another one.
    if !is_same(&file, path) {
        let _ = file.unlock();
        return Ok(Attempt::Busy);
    }
    // Only for messages: that it cannot be written changes nothing.
    let _ = note_holder(&mut file, deadline);
    Ok(Attempt::Held(Box::new(FileLock { file })))
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600).custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed());
    }
    let directory = path.parent().unwrap_or_else(|| Path::new("."));
    let file = match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            files::make_private_directory(directory)?;
            options.open(path)
        }
        opened => opened,
    }?;
    #[cfg(unix)]
    files::give_to_owner(&file, directory)?;
    Ok(file)
}

/// The lock of an open file. It ends when it is dropped, when its process ends, and by `unlock`, which also takes it from a child that
/// inherited the open file by `fork`.
struct FileLock {
    file: File,
}

impl Lock for FileLock {}

impl Drop for FileLock {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
        let _ = self.file.unlock();
    }
}

fn is_same(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|metadata| (metadata.dev(), metadata.ino()));
        let here = identity(fs::symlink_metadata(path));
        here.is_some() && here == identity(file.metadata())
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

fn is_unwritable(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::NotADirectory
    )
}

/// NFS without its lock service, and some FUSE file systems.
fn has_no_locks(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error()) {
        return true;
    }
    error.kind() == ErrorKind::Unsupported
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn host() -> String {
    #[cfg(unix)]
    return rustix::system::uname().nodename().to_string_lossy().into_owned();
    #[cfg(not(unix))]
    String::new()
}

/// Until when, at most, a holder with this deadline works.
fn until_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    unix_ms().saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)).saturating_add(GRACE_MS)
}

fn note_holder(file: &mut File, deadline: Instant) -> io::Result<()> {
    let note = json!({"pid": std::process::id(), "host": host(), "until_unix_ms": until_ms(deadline)}).to_string();
    file.rewind()?;
    file.set_len(0)?;
    threads::shielded(|| file.write_all(note.as_bytes())).and_then(|written| written)
}

/// Who holds the lock, by the note in its file.
struct Holder {
    pid: u64,
    host: String,
    until_unix_ms: u64,
}

fn holder(path: &Path) -> Option<Holder> {
    let note: Value = serde_json::from_slice(&files::read(path).ok()??).ok()?;
    Some(Holder {
        pid: note.get("pid")?.as_u64()?,
        host: note.get("host")?.as_str()?.to_owned(),
        until_unix_ms: note.get("until_unix_ms")?.as_u64()?,
    })
}

impl Holder {
    fn is_gone(&self) -> bool {
        self.until_unix_ms < unix_ms() && self.host == host() && !is_alive(self.pid)
    }
}

/// As the error of [`take`] where another process that lives holds the lock, by the note in its file.
pub(super) fn held_by_another(path: &Path) -> Option<Error> {
    let is_another =
        |holder: &Holder| holder.host != host() || holder.pid != u64::from(std::process::id()) && is_alive(holder.pid);
    holder(path).filter(is_another).map(|_| busy(path))
}

/// The lock was not to be had in time.
fn busy(path: &Path) -> Error {
    let who = holder(path).map_or_else(|| "another process".to_owned(), |holder| format!("process {}", holder.pid));
    Error::new(
        Status::Timeout,
        format!("{who} has been renewing this session and holds {}; try again, or end that process if it hangs", path.display()),
    )
}

#[cfg(unix)]
fn is_alive(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_alive(_: u64) -> bool {
    true
}

/// Where there are no locks: a directory, which only one can make, with the time at which it is void.
struct Lease {
    directory: PathBuf,
    until: String,
}

impl Lock for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        // Whoever was stopped for longer than that may find another's in its place.
        if fs::read_to_string(self.directory.join(UNTIL)).is_ok_and(|until| until == self.until) {
            let _ = fs::remove_dir_all(&self.directory);
        }
    }
}

/// The time at which a lease is void, as its maker has written it.
fn stated(directory: &Path) -> Option<u64> {
    let until = fs::read_to_string(directory.join(UNTIL)).ok()?;
    until.split_ascii_whitespace().next()?.parse().ok()
}

fn lease(path: &Path, deadline: Instant) -> io::Result<Attempt> {
    let directory = path.with_extension("lease");
    match fs::create_dir(&directory) {
        Ok(()) => {
            // Two makers have two of them, also within one millisecond.
            let until = format!("{} {}", until_ms(deadline), std::process::id());
            threads::shielded(|| fs::write(directory.join(UNTIL), &until)).and_then(|written| written)?;
            Ok(Attempt::Held(Box::new(Lease { directory, until })))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let stated = stated(&directory);
            // Without a time in it its maker ended between two steps: then the directory's own age counts.
            let until = stated.or_else(|| {
                let made = fs::metadata(&directory).and_then(|metadata| metadata.modified()).ok()?;
                let since = made.duration_since(UNIX_EPOCH).ok()?;
                Some(u64::try_from(since.as_millis()).ok()?.saturating_add(GRACE_MS))
            });
            if until.is_some_and(|until| until < unix_ms()) {
                // Of several who see it, one renames it.
                let aside = directory.with_extension(format!("void-{}", std::process::id()));
                if fs::rename(&directory, &aside).is_ok() {
                    // Somebody may have made a new one in between: it gets its place back.
                    if self::stated(&aside) == stated || fs::rename(&aside, &directory).is_err() {
                        let _ = fs::remove_dir_all(&aside);
                    }
                }
            }
            Ok(Attempt::Busy)
        }
        Err(error) => Err(error),
    }
}
