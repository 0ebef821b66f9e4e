//! Saved JSON documents as files. Planet's own tools may be rewriting them, or may have left them
//! broken.

use super::python_json;
use crate::error::{Error, Result, Status};
use crate::file::{self, CheckedPath, Contents, Directory, EntryKind, Found, Version, failed};
use serde_json::{Map, Value};
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use zeroize::Zeroizing;

/// Planet's own tools truncate and rewrite in place: for a moment the file is empty or incomplete.
const SETTLE_POLL: Duration = Duration::from_millis(1);
/// A file that is broken and has not changed for this long is not being written.
const SETTLED_AFTER: Duration = Duration::from_millis(250);
/// The longest wait for a program that rewrites a file without pause.
const SETTLE_LIMIT: Duration = Duration::from_secs(3);
/// A temporary file this old was left by a crash.
const STALE_TEMPORARY: Duration = Duration::from_secs(3600);
/// The number of damaged files that are preserved next to the session.
const CORRUPT_LIMIT: usize = 3;

/// The file's bytes; `None` if there is no file. Logs a warning for a file that other users may
/// read.
///
/// Errors: STORAGE.
pub(crate) fn read(path: &CheckedPath) -> Result<Option<Zeroizing<Vec<u8>>>> {
    Ok(read_version(None, path)?.map(|(bytes, _)| bytes))
}

/// As [`read`], with the file's state, in a directory that may be open already.
pub(super) fn read_version(
    directory: Option<&Directory>,
    path: &CheckedPath,
) -> Result<Option<(Zeroizing<Vec<u8>>, Version)>> {
    let read = match directory {
        Some(directory) => file::read_at(directory, path)?,
        None => file::read(path)?,
    };
    Ok(read.map(|contents| warned(contents, path)))
}

/// As [`read_version`], unless the file is in the state `known`, in which it was read before.
pub(super) fn read_unless(
    directory: &Directory,
    path: &CheckedPath,
    known: Option<Version>,
) -> Result<Found<(Zeroizing<Vec<u8>>, Version)>> {
    Ok(match file::read_unless(directory, path, known)? {
        Found::New(contents) => Found::New(warned(contents, path)),
        Found::Absent => Found::Absent,
        Found::Known => Found::Known,
    })
}

fn warned(contents: Contents, path: &CheckedPath) -> (Zeroizing<Vec<u8>>, Version) {
    if contents.is_readable_by_others {
        log::warn!(
            "{} can be read by other users of this machine; run: chmod 600 on it",
            path.path().display()
        );
    }
    (contents.bytes, contents.version)
}

/// What reading a JSON object may find.
pub(super) enum Settled {
    Absent,
    Document(Map<String, Value>, Version),
    /// Not a JSON object, and no program is writing it.
    Broken,
}

/// The parser of a file: [`python_json::parse`] or [`python_json::parse_session`].
type Parse = fn(&[u8]) -> Option<Map<String, Value>>;

/// Reads a JSON object. A torn one is read again for as long as a program is writing it.
///
/// Blocks for a quarter of a second if the file is broken, and longer only while it changes.
/// Errors: STORAGE.
pub(super) fn settle(
    directory: Option<&Directory>,
    path: &CheckedPath,
    parse: Parse,
) -> Result<Settled> {
    let started = Instant::now();
    let mut last: Option<(Version, Instant)> = None;
    loop {
        let Some((bytes, version)) = read_version(directory, path)? else {
            return Ok(Settled::Absent);
        };
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
            let message = format!(
                "{} is being rewritten without pause by another program; try again",
                path.path().display()
            );
            return Err(Error::new(Status::Storage, message).with_retryable(true));
        }
        last = Some((version, since));
        std::thread::sleep(SETTLE_POLL);
    }
}

/// A JSON object of a file that Planet's own tools may be rewriting; `None` if there is no file.
///
/// Blocks for a quarter of a second if the file is broken. Errors: STORAGE if it stays broken.
pub(crate) fn read_settled(path: &CheckedPath) -> Result<Option<Map<String, Value>>> {
    match settle(None, path, python_json::parse)? {
        Settled::Absent => Ok(None),
        Settled::Document(document, _) => Ok(Some(document)),
        Settled::Broken => {
            let message = format!(
                "{} is not a JSON object; repair it, or move it away and log in again",
                path.path().display()
            );
            Err(Error::new(Status::Storage, message))
        }
    }
}

/// Removes a file; `false` if there was none. Errors: STORAGE.
pub(crate) fn remove(path: &CheckedPath) -> Result<bool> {
    let removed = match Directory::open(path) {
        Ok(Some(directory)) => remove_in(&directory, path.name()),
        Ok(None) => Ok(false),
        Err(error) => Err(error),
    };
    removed.map_err(|error| failed("cannot be removed", path.path(), &error))
}

fn remove_in(directory: &Directory, name: &OsStr) -> io::Result<bool> {
    match directory.remove_file(name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a file in an open directory. For a link of a trusted owner, also removes its target,
/// because that file holds the secrets. Errors: STORAGE, also for anything that is not a file.
pub(super) fn remove_followed(directory: &Directory, path: &CheckedPath) -> Result<bool> {
    let name = path.name();
    let remove = || {
        match directory.kind(name)? {
            None => return Ok(false),
            Some(EntryKind::Directory | EntryKind::Other) => {
                return Err(file::refused(path.path(), "is not a file; move it away"));
            }
            Some(EntryKind::Link) => {
                if let Ok(Some((target, target_name))) = directory.resolve(name)
                    && matches!(target.kind(&target_name), Ok(Some(EntryKind::File)))
                {
                    remove_in(&target, &target_name)?;
                }
            }
            Some(EntryKind::File) => {}
        }
        remove_in(directory, name)
    };
    remove().map_err(|error| failed("cannot be removed", path.path(), &error))
}

/// The names in the file's directory that begin with one of these prefixes. A directory that cannot
/// be listed has none.
fn names_beside(directory: &Directory, prefixes: &[&OsStr]) -> Vec<std::ffi::OsString> {
    let begins = |name: &std::ffi::OsString, prefix: &&OsStr| {
        name.as_encoded_bytes().starts_with(prefix.as_encoded_bytes())
    };
    let mut names = directory.names().unwrap_or_default();
    names.retain(|name| prefixes.iter().any(|prefix| begins(name, prefix)));
    names
}

fn is_temporary(name: &OsStr) -> bool {
    name.as_encoded_bytes().ends_with(b".tmp")
}

/// Removes the temporary files that crashes left next to this file, once they are old. Call it
/// under the lock.
pub(super) fn sweep(directory: &Directory, path: &CheckedPath, now: SystemTime) {
    for name in names_beside(directory, &[&file::temporary_prefix(path.name())]) {
        let is_old = || {
            let modified = directory.modified(&name).ok();
            modified.is_some_and(|modified| {
                now.duration_since(modified).is_ok_and(|age| age > STALE_TEMPORARY)
            })
        };
        if is_temporary(&name) && is_old() {
            let _ = directory.remove_file(&name);
        }
    }
}

fn corrupt_prefix(path: &CheckedPath) -> std::ffi::OsString {
    let mut prefix = path.name().to_owned();
    prefix.push(".corrupt-");
    prefix
}

/// Renames a broken file, so that nothing of it is lost and the next login starts afresh. Returns
/// `None` for an empty file: it holds nothing to lose, and another program may be about to fill it.
///
/// The latest three broken files are preserved. Call it under the lock. Errors: STORAGE, retryable
/// if the file was complete a moment later: then it has its old name again.
pub(super) fn quarantine(
    directory: &Directory,
    path: &CheckedPath,
    unix_ms: u64,
) -> Result<Option<PathBuf>> {
    if directory.version(path.name()).is_some_and(|version| version.is_empty()) {
        return Ok(None);
    }
    let mut new_name = corrupt_prefix(path);
    new_name.push(unix_ms.to_string());
    directory
        .rename(path.name(), &new_name)
        .map_err(|error| failed("is broken and cannot be renamed", path.path(), &error))?;
    let renamed = path.with_name(&new_name.to_string_lossy());
    // A program that had the file open still writes to it.
    let read = read_version(Some(directory), &renamed).ok().flatten();
    let is_whole = read.is_some_and(|(bytes, _)| python_json::parse_session(&bytes).is_some());
    if is_whole && directory.hard_link(&new_name, path.name()).is_ok() {
        let _ = directory.remove_file(&new_name);
        let message =
            format!("{} was being written by another program; try again", path.path().display());
        return Err(Error::new(Status::Storage, message).with_retryable(true));
    }
    remove_old_corrupt(directory, path);
    Ok(Some(renamed.path().to_owned()))
}

/// Removes all but the latest broken files. The time in the name decides.
fn remove_old_corrupt(directory: &Directory, path: &CheckedPath) {
    let prefix = corrupt_prefix(path);
    let time = |name: &std::ffi::OsString| {
        let name = name.to_string_lossy().into_owned();
        name.strip_prefix(&*prefix.to_string_lossy())
            .and_then(|time| time.parse::<u64>().ok())
            .unwrap_or(0)
    };
    let mut names = names_beside(directory, &[&prefix]);
    names.sort_by_key(time);
    let surplus = names.len().saturating_sub(CORRUPT_LIMIT);
    for name in names.iter().take(surplus) {
        let _ = directory.remove_file(name);
    }
}

/// Removes the temporary and broken files next to a file, because they hold secrets of the same
/// session. Call it under the lock.
pub(super) fn remove_remains(directory: &Directory, path: &CheckedPath) {
    let (temporary, corrupt) = (file::temporary_prefix(path.name()), corrupt_prefix(path));
    for name in names_beside(directory, &[&temporary, &corrupt]) {
        let is_corrupt = name.as_encoded_bytes().starts_with(corrupt.as_encoded_bytes());
        if is_corrupt || is_temporary(&name) {
            let _ = directory.remove_file(&name);
        }
    }
}
