//! The lock that keeps processes from renewing the same session at once.
//!
//! An operating system's lock on a file that is never deleted: it vanishes with its holder, so nothing is left to clean. The file says
//! who holds it, for messages and for file systems whose locks outlive their holders.

use super::files::{Disk, Step};
use crate::error::{Error, Result, Status};
use crate::storage::Lock;
use serde_json::{Value, json};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// A holder that is gone keeps its lock only on file systems that forget to release it.
const GRACE_MS: u64 = 60_000;

/// Takes the lock beside a session's file, waiting for it until `deadline`.
///
/// Where the place cannot be written at all there is nothing to share and nothing to lock: `Ok(None)`. Blocks.
/// Errors: TIMEOUT, naming the holder; STORAGE.
pub(super) fn take(disk: &dyn Disk, path: &Path, deadline: Instant) -> Result<Option<Box<dyn Lock>>> {
    let mut wait = FIRST_WAIT;
    loop {
        match attempt(disk, path, deadline) {
            Ok(Attempt::Held(lock)) => return Ok(Some(lock)),
            Ok(Attempt::Busy) => {}
            Err(error) if is_unwritable(&error) => {
                log::warn!("{} cannot be locked ({error}); other processes may renew this session at the same time", path.display());
                return Ok(None);
            }
            Err(error) => {
                return Err(Error::new(Status::Storage, format!("{} cannot be locked: {error}", path.display())));
            }
        }
        if Instant::now() >= deadline {
            return busy(path);
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
    match options.open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            super::files::make_private_directory(path.parent().unwrap_or_else(|| Path::new(".")))?;
            options.open(path)
        }
        opened => opened,
    }
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
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull)
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
    file.write_all(note.as_bytes())
}

fn holder(path: &Path) -> Option<Value> {
    let mut text = String::new();
    File::open(path).ok()?.take(4096).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// What to do when the lock was not to be had in time.
fn busy(path: &Path) -> Result<Option<Box<dyn Lock>>> {
    let holder = holder(path);
    let member = |name: &str| holder.as_ref().and_then(|holder| holder.get(name)).and_then(Value::as_u64);
    let pid = member("pid");
    let is_here = holder.as_ref().and_then(|holder| holder.get("host")).and_then(Value::as_str) == Some(&host());
    let is_over = member("until_unix_ms").is_some_and(|until| until < unix_ms());
    // A file system that keeps the lock of a process which is gone would keep everybody out for ever.
    if is_over && is_here && pid.is_some_and(|pid| !is_alive(pid)) {
        log::warn!("{} is held by a process that is gone; going on without it", path.display());
        return Ok(None);
    }
    let who = pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"));
    Err(Error::new(
        Status::Timeout,
        format!("{who} has been renewing this session and holds {}; try again, or end that process if it hangs", path.display()),
    ))
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
struct Lease(PathBuf);

impl Lock for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn lease(path: &Path, deadline: Instant) -> io::Result<Attempt> {
    let directory = path.with_extension("lease");
    match fs::create_dir(&directory) {
        Ok(()) => {
            fs::write(directory.join("until_unix_ms"), until_ms(deadline).to_string())?;
            Ok(Attempt::Held(Box::new(Lease(directory))))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let stated: Option<u64> = fs::read_to_string(directory.join("until_unix_ms")).ok().and_then(|until| until.trim().parse().ok());
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
                    let still = fs::read_to_string(aside.join("until_unix_ms")).ok().and_then(|until| until.trim().parse().ok());
                    // Somebody may have made a new one in between: it gets its place back.
                    if still == stated || fs::rename(&aside, &directory).is_err() {
                        let _ = fs::remove_dir_all(&aside);
                    }
                }
            }
            Ok(Attempt::Busy)
        }
        Err(error) => Err(error),
    }
}
