//! The lock that keeps processes from renewing the same session at once.
//!
//! An operating system's lock on a file that is never deleted: it vanishes with its holder, so nothing is left to clean. The file says
//! who holds it, for messages and for file systems whose locks outlive their holders.

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
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const FIRST_WAIT: Duration = Duration::from_millis(1);
const LONGEST_WAIT: Duration = Duration::from_millis(20);
/// A holder that is gone keeps its lock only on file systems that forget to release it.
const GRACE_MS: u64 = 60_000;
/// The file in a lease.
const UNTIL: &str = "until_unix_ms";
/// Room for what a lease or a lock file says.
const MAX_NOTE_BYTES: u64 = 4096;

/// A lock and the directory in which it is held: everything under the lock is done in it.
pub(super) struct Held {
    pub(super) lock: Box<dyn Lock>,
    pub(super) directory: Arc<Directory>,
}

/// Takes the lock beside a session's file, and waits for it until `deadline`.
///
/// If the directory cannot be written at all there is nothing to share and nothing to lock:
/// `Ok(None)`. Blocks. Errors: TIMEOUT, naming the holder; STORAGE, also at once for a lock file that
/// is no regular file of a trusted owner.
pub(super) fn take(disk: &dyn Disk, path: &CheckedPath, deadline: Instant) -> Result<Option<Held>> {
    let mut wait = FIRST_WAIT;
    loop {
        match attempt(disk, path, deadline) {
            Ok(Attempt::Held(held)) => return Ok(Some(held)),
            // A file system that keeps the lock of a process which is gone would keep every other
            // process out for ever.
            Ok(Attempt::Busy) if holder(path).is_some_and(|holder| holder.is_gone()) => {
                log::warn!("{} is held by a process that is gone; going on without it", path.path().display());
                return Ok(None);
            }
            Ok(Attempt::Busy) => {}
            Err(error) if file::is_refusal(&error) => return Err(file::failed("cannot be locked", path.path(), &error)),
            Err(error) if is_unwritable(&error) => {
                log::warn!(
                    "{} cannot be locked ({error}); other processes may renew this session at the same time",
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

enum Attempt {
    Held(Held),
    Busy,
}

fn attempt(disk: &dyn Disk, path: &CheckedPath, deadline: Instant) -> io::Result<Attempt> {
    let directory = Arc::new(Directory::create(path)?);
    let mut file = match directory.open_lock(path.name()) {
        // The profile was deleted meanwhile.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Attempt::Busy),
        opened => opened?,
    };
    match disk.before(Step::Lock).map_err(TryLockError::Error).and_then(|()| file.try_lock()) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(Attempt::Busy),
        Err(TryLockError::Error(error)) if has_no_locks(&error) => return lease(directory, path, deadline),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // A cleaner may have removed the file after it was opened: the next process would lock another one.
    if !directory.is_same(path.name(), &file) {
        let _ = file.unlock();
        return Ok(Attempt::Busy);
    }
    // Only for messages: that it cannot be written changes nothing.
    let _ = note_holder(&mut file, deadline);
    Ok(Attempt::Held(Held { lock: Box::new(FileLock { file }), directory }))
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

fn holder(path: &CheckedPath) -> Option<Holder> {
    let note: Value = serde_json::from_slice(&atomic_file::read(path).ok()??).ok()?;
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
pub(super) fn held_by_another(path: &CheckedPath) -> Option<Error> {
    let is_another =
        |holder: &Holder| holder.host != host() || holder.pid != u64::from(std::process::id()) && is_alive(holder.pid);
    holder(path).filter(is_another).map(|_| busy(path))
}

/// The lock was not to be had in time.
fn busy(path: &CheckedPath) -> Error {
    let who = holder(path).map_or_else(|| "another process".to_owned(), |holder| format!("process {}", holder.pid));
    Error::new(
        Status::Timeout,
        format!(
            "{who} has been renewing this session and holds {}; try again, or end that process if it hangs",
            path.path().display()
        ),
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

/// Where there are no locks: a directory, which only one process can make, with the time until which
/// it counts.
struct Lease {
    directory: Arc<Directory>,
    name: OsString,
    until: String,
}

impl Lock for Lease {}

impl Drop for Lease {
    fn drop(&mut self) {
        // A process that was stopped for longer than that may find another's in its place.
        if read_until(&self.directory, &self.name).is_some_and(|until| until == self.until) {
            remove_lease(&self.directory, &self.name);
        }
    }
}

/// What the maker of a lease has written into it.
fn read_until(directory: &Directory, lease: &OsStr) -> Option<String> {
    let file = directory.enter(lease).ok()?.open_file(OsStr::new(UNTIL)).ok()?;
    let mut until = String::new();
    file.take(MAX_NOTE_BYTES).read_to_string(&mut until).ok()?;
    Some(until)
}

/// The time in what a lease says.
fn stated(until: Option<&str>) -> Option<u64> {
    until?.split_ascii_whitespace().next()?.parse().ok()
}

fn remove_lease(directory: &Directory, lease: &OsStr) {
    if let Ok(inside) = directory.enter(lease) {
        let _ = inside.remove_file(OsStr::new(UNTIL));
    }
    let _ = directory.remove_directory(lease);
}

fn lease(directory: Arc<Directory>, path: &CheckedPath, deadline: Instant) -> io::Result<Attempt> {
    let named = |extension: &str| Path::new(path.name()).with_extension(extension).into_os_string();
    let name = named("lease");
    match directory.make_directory(&name) {
        Ok(()) => {
            // Two makers write different ones, also within one millisecond.
            let until = format!("{} {}", until_ms(deadline), std::process::id());
            let mut note = directory.enter(&name)?.create_file(OsStr::new(UNTIL))?;
            threads::shielded(|| note.write_all(until.as_bytes())).and_then(|written| written)?;
            let lock = Box::new(Lease { directory: directory.clone(), name, until });
            Ok(Attempt::Held(Held { lock, directory }))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let before = read_until(&directory, &name);
            // Without a time in it its maker ended between two steps: then the directory's own age counts.
            let until = stated(before.as_deref()).or_else(|| {
                let since = directory.modified(&name).ok()?.duration_since(UNIX_EPOCH).ok()?;
                Some(u64::try_from(since.as_millis()).ok()?.saturating_add(GRACE_MS))
            });
            if until.is_some_and(|until| until < unix_ms()) {
                // Of several processes that see it, one renames it.
                let aside = named(&format!("void-{}", std::process::id()));
                if directory.rename(&name, &aside).is_ok() {
                    // Another process may have made a new one in between: it gets its name again.
                    if stated(read_until(&directory, &aside).as_deref()) == stated(before.as_deref())
                        || directory.rename(&aside, &name).is_err()
                    {
                        remove_lease(&directory, &aside);
                    }
                }
            }
            Ok(Attempt::Busy)
        }
        Err(error) => Err(error),
    }
}
