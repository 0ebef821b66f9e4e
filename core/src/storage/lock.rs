//! The lock that prevents processes from refreshing the same session at the same time.
//!
//! It is a lock of the operating system on a file that is never deleted. The lock ends with its
//! holder, so there is nothing to clean up. The file names the holder, for messages and for file
//! systems whose locks outlive their holders.

use super::atomic_file;
use crate::error::{Error, Result, Status};
use crate::file::{self, CheckedPath, Directory, Disk, Step};
use crate::storage::Lock;
use crate::threads;
use serde_json::{Value, json};
use std::ffi::{OsStr, OsString};
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// A lock counts as abandoned this long after its deadline, in milliseconds.
const GRACE_MS: u64 = 60_000;
/// The file in a lease.
const UNTIL: &str = "until_unix_ms";
/// The longest text of a lease or a lock file that is read.
const MAX_NOTE_BYTES: u64 = 4096;

/// A lock and the directory in which it is held. All work under the lock is done in it.
pub(super) struct HeldLock {
    pub(super) lock: Box<dyn Lock>,
    pub(super) directory: Arc<Directory>,
}

/// Locks the lock file next to a session's file, and waits for the lock until `deadline`.
/// `contended` is true from the first attempt that finds the lock taken, until it is available.
///
/// `Ok(None)` if the directory cannot be written: nothing can be saved there, so there is nothing
/// to lock. Blocks. Errors: TIMEOUT, which names the holder; STORAGE, also at once for a lock file
/// that is not a regular file of a trusted owner.
pub(super) fn take(
    disk: &dyn Disk,
    path: &CheckedPath,
    deadline: Instant,
    contended: &AtomicBool,
) -> Result<Option<HeldLock>> {
    let held = wait_for(disk, path, deadline, contended)?;
    contended.store(false, Ordering::Relaxed);
    Ok(held)
}

fn wait_for(
    disk: &dyn Disk,
    path: &CheckedPath,
    deadline: Instant,
    contended: &AtomicBool,
) -> Result<Option<HeldLock>> {
    let mut wait = FIRST_WAIT;
    loop {
        match try_take(disk, path, deadline) {
            Ok(Taken::Held(held)) => return Ok(Some(held)),
            // A file system may keep the lock of a terminated process, which would block every
            // other process forever.
            Ok(Taken::Busy) if holder(path).is_some_and(|holder| holder.has_terminated()) => {
                log::warn!(
                    "{} is held by a process that has terminated; going on without the lock",
                    path.path().display()
                );
                return Ok(None);
            }
            Ok(Taken::Busy) => contended.store(true, Ordering::Relaxed),
            Err(error) if file::is_refusal(&error) => {
                return Err(file::failed("cannot be locked", path.path(), &error));
            }
            Err(error) if is_unwritable(&error) => {
                log::warn!(
                    "{} cannot be locked ({error}); other processes may refresh this session at the same time",
                    path.path().display()
                );
                return Ok(None);
            }
            Err(error) => {
                return Err(file::failed("cannot be locked", path.path(), &error));
            }
        }
        if Instant::now() >= deadline {
            return Err(busy(path));
        }
        std::thread::sleep(wait.min(deadline.saturating_duration_since(Instant::now())));
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The result of one attempt to take the lock.
enum Taken {
    Held(HeldLock),
    Busy,
}

fn try_take(disk: &dyn Disk, path: &CheckedPath, deadline: Instant) -> io::Result<Taken> {
    let directory = Arc::new(Directory::create(path)?);
    let mut file = match directory.open_lock(path.name()) {
        // The profile was deleted since the directory was opened.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Taken::Busy),
        opened => opened?,
    };
    match disk.before(Step::Lock).map_err(TryLockError::Error).and_then(|()| file.try_lock()) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Taken::Busy),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => {
            return lease(directory, path, deadline);
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Another program may have deleted the file after it was opened. The next process would lock a
    // new one.
    if !directory.is_same(path.name(), &file) {
        let _ = file.unlock();
        return Ok(Taken::Busy);
    }
    // The note is only for messages, so a failure is ignored.
    let _ = note_holder(&mut file, deadline);
    Ok(Taken::Held(HeldLock { lock: Box::new(FileLock { file }), directory }))
}

/// The lock of an open file. It ends when it is dropped and when its process ends. `unlock` also
/// takes it from a child that inherited the open file by `fork`.
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

/// The time until which a holder with this deadline may work, in Unix milliseconds.
fn until_ms(deadline: Instant) -> u64 {
    let left = deadline.saturating_duration_since(Instant::now());
    unix_ms()
        .saturating_add(u64::try_from(left.as_millis()).unwrap_or(u64::MAX))
        .saturating_add(GRACE_MS)
}

fn note_holder(file: &mut File, deadline: Instant) -> io::Result<()> {
    let note =
        json!({"pid": std::process::id(), "host": host(), "until_unix_ms": until_ms(deadline)})
            .to_string();
    file.rewind()?;
    file.set_len(0)?;
    threads::shielded(|| file.write_all(note.as_bytes())).and_then(|written| written)
}

/// The holder of the lock, according to the note in its file.
struct Holder {
    pid: u64,
    host: String,
    until_unix_ms: u64,
}

fn holder(path: &CheckedPath) -> Option<Holder> {
    let note: Value = serde_json::from_slice(&atomic_file::read(path).ok()??).ok()?;
    Some(Holder {
        pid: note.get("pid")?.as_u64()?,
        host: note.get("host")?.as_str()?.to_owned(),
        until_unix_ms: note.get("until_unix_ms")?.as_u64()?,
    })
}

impl Holder {
    fn has_terminated(&self) -> bool {
        self.until_unix_ms < unix_ms() && self.host == host() && !is_running(self.pid)
    }
}

/// The error of a lock that was not available in time.
pub(super) fn busy(path: &CheckedPath) -> Error {
    let holder = holder(path)
        .map_or_else(|| "another process".to_owned(), |holder| format!("process {}", holder.pid));
    Error::new(
        Status::Timeout,
        format!(
            "{holder} is refreshing this session and holds {}; try again, or end that process if it hangs",
            path.path().display()
        ),
    )
}

#[cfg(unix)]
fn is_running(pid: u64) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn is_running(_: u64) -> bool {
    true
}

/// A lock for file systems without locks: a directory, which only one process can create, with the
/// time until which it is valid.
struct Lease {
    directory: Arc<Directory>,
    name: OsString,
    until: String,
}

impl Lock for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        // After that time another process may have created its own lease.
        if read_until(&self.directory, &self.name).is_some_and(|until| until == self.until) {
            remove_lease(&self.directory, &self.name);
        }
    }
}

/// The text in a lease.
fn read_until(directory: &Directory, lease: &OsStr) -> Option<String> {
    let file = directory.enter(lease).ok()?.open_file(OsStr::new(UNTIL)).ok()?;
    let mut until = String::new();
    file.take(MAX_NOTE_BYTES).read_to_string(&mut until).ok()?;
    Some(until)
}

/// The time in the text of a lease.
fn stated(until: Option<&str>) -> Option<u64> {
    until?.split_ascii_whitespace().next()?.parse().ok()
}

fn remove_lease(directory: &Directory, lease: &OsStr) {
    if let Ok(inside) = directory.enter(lease) {
        let _ = inside.remove_file(OsStr::new(UNTIL));
    }
    let _ = directory.remove_directory(lease);
}

fn lease(directory: Arc<Directory>, path: &CheckedPath, deadline: Instant) -> io::Result<Taken> {
    let named = |extension: &str| Path::new(path.name()).with_extension(extension).into_os_string();
    let name = named("lease");
    match directory.make_directory(&name) {
        Ok(()) => {
            // Two processes write different texts, even within one millisecond.
            let until = format!("{} {}", until_ms(deadline), std::process::id());
            let mut note = directory.enter(&name)?.create_file(OsStr::new(UNTIL))?;
            threads::shielded(|| note.write_all(until.as_bytes())).and_then(|written| written)?;
            let lock = Box::new(Lease { directory: directory.clone(), name, until });
            Ok(Taken::Held(HeldLock { lock, directory }))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let before = read_until(&directory, &name);
            // A lease without a time is left if its process ended between two steps. Then the
            // directory's age counts.
            let until = stated(before.as_deref()).or_else(|| {
                let since = directory.modified(&name).ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some(u64::try_from(since.as_millis()).ok()?.saturating_add(GRACE_MS))
            });
            if until.is_some_and(|until| until < unix_ms()) {
                // Several processes may see it. One of them renames it.
                let void = named(&format!("void-{}", std::process::id()));
                if directory.rename(&name, &void).is_ok() {
                    // If another process created a new lease in between, it is renamed back.
                    if stated(read_until(&directory, &void).as_deref()) == stated(before.as_deref())
                        || directory.rename(&void, &name).is_err()
                    {
                        remove_lease(&directory, &void);
                    }
                }
            }
            Ok(Taken::Busy)
        }
        Err(error) => Err(error),
    }
}
