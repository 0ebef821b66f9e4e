//! Writes whole files: other readers see the old content or the new one.

use super::{CheckedPath, Directory, MAX_FILE_BYTES, Version, failed, refused};
use crate::error::Result;
use crate::file::kind::EntryKind;
use crate::threads;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Seek, Write};
use std::time::Duration;

/// Room for the tokens of one session.
const USUAL_BYTES: usize = 16 * 1024;

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
    /// The temporary file replaces the old one.
    Rename,
    /// A file that cannot be replaced is opened to be rewritten in place.
    Rewrite,
    /// The directory entry reaches the disk.
    SyncDirectory,
    /// The lock is taken.
    Lock,
}

/// What a disk may do before each step; the real disk does nothing. Called from any thread.
pub trait Disk: Send + Sync {
    /// An error here is the error of the step.
    fn before(&self, step: Step) -> io::Result<()>;
}

/// The real disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn before(&self, _: Step) -> io::Result<()> {
        Ok(())
    }
}

/// Replaces the file by these bytes, durably, and creates missing directories for their owner
/// alone.
///
/// Readers see the old content or the new one, at any moment and after any crash. Only a file that
/// cannot be replaced by a rename, such as a mount point, is rewritten in place. Blocks until the
/// disk has it. Errors: STORAGE; the old content is then unchanged.
pub(crate) fn replace(path: &CheckedPath, bytes: &[u8]) -> Result<()> {
    replace_at(&RealDisk, None, path, bytes).map(drop)
}

/// As [`replace`], on a disk that may fail, and in a directory that may be open already.
pub(crate) fn replace_at(
    disk: &dyn Disk,
    directory: Option<&Directory>,
    path: &CheckedPath,
    bytes: &[u8],
) -> Result<Version> {
    let written =
        threads::shielded(|| write(disk, directory, path, bytes)).and_then(|written| written);
    written.map_err(|error| failed("cannot be written", path.path(), &error))
}

/// Whether [`replace_at`] would succeed now with content of the usual size. Leaves no file.
/// Errors: STORAGE.
pub(crate) fn check_on(
    disk: &dyn Disk,
    directory: Option<&Directory>,
    path: &CheckedPath,
) -> Result<()> {
    let check = || {
        let target = WriteTarget::find(disk, directory, path)?;
        let may_rewrite = || {
            disk.before(Step::Rewrite)?;
            target.directory().open_file_to_rewrite(&target.name).map(drop)
        };
        if target.must_be_rewritten() {
            return if target.exists { may_rewrite() } else { Ok(()) };
        }
        match stage(disk, &target, &[b' '; USUAL_BYTES]) {
            Err(error) if target.exists && is_about_the_directory(&error) => {
                may_rewrite().map_err(|_| error)
            }
            staged => staged.map(drop),
        }
    };
    let checked = threads::shielded(check).and_then(|checked| checked);
    checked.map_err(|error| failed("cannot be written", path.path(), &error))
}

/// Whether files can be created in this directory, or in the first existing one above it.
///
/// Leaves no file. Errors: STORAGE.
pub(crate) fn check_writable(path: &CheckedPath) -> Result<()> {
    let nearest = Directory::nearest(path)
        .map_err(|error| failed("cannot be written", path.directory(), &error))?;
    let tried = Temporary::create(&nearest, OsStr::new(".planetkey."));
    tried.map(drop).map_err(|error| failed("cannot be written", nearest.path(), &error))
}

/// The directory and name of a file to write, with links followed.
struct WriteTarget<'a> {
    directory: Found<'a>,
    name: OsString,
    exists: bool,
}

enum Found<'a> {
    Given(&'a Directory),
    Own(Directory),
}

impl<'a> WriteTarget<'a> {
    fn find(
        disk: &dyn Disk,
        directory: Option<&'a Directory>,
        path: &CheckedPath,
    ) -> io::Result<Self> {
        disk.before(Step::Directory)?;
        let directory = match directory {
            Some(directory) => Found::Given(directory),
            None => Found::Own(Directory::create(path)?),
        };
        let mut target = WriteTarget { directory, name: path.name().to_owned(), exists: false };
        if target.directory().kind(&target.name)? == Some(EntryKind::Link) {
            // The link is preserved. A link whose target does not exist is replaced.
            match target.directory().resolve(&target.name)? {
                Some((directory, name)) => {
                    target = WriteTarget { directory: Found::Own(directory), name, exists: false };
                }
                None => return Ok(target),
            }
        }
        match target.directory().kind(&target.name)? {
            None => {}
            Some(EntryKind::File) => target.exists = true,
            Some(_) => return Err(refused(path.path(), "is not a file; move it away")),
        }
        Ok(target)
    }

    fn directory(&self) -> &Directory {
        match &self.directory {
            Found::Given(directory) => directory,
            Found::Own(directory) => directory,
        }
    }

    fn must_be_rewritten(&self) -> bool {
        self.directory().must_be_rewritten(&self.name)
    }
}

/// Whether the error concerns the directory, which cannot be written, or the name, which cannot be
/// replaced. The file itself may be writable.
fn is_about_the_directory(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::ResourceBusy
            | ErrorKind::CrossesDevices
    )
}

fn write(
    disk: &dyn Disk,
    directory: Option<&Directory>,
    path: &CheckedPath,
    bytes: &[u8],
) -> io::Result<Version> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(refused(
            path.path(),
            "was not written: it would be longer than 1 MiB and could not be read again",
        ));
    }
    let target = WriteTarget::find(disk, directory, path)?;
    if target.must_be_rewritten() {
        return rewrite(disk, &target, bytes);
    }
    match replace_by_rename(disk, &target, bytes) {
        // Planet's own tools always rewrite in place. The caller holds the lock.
        Err(error) if target.exists && is_about_the_directory(&error) => {
            rewrite(disk, &target, bytes).map_err(|_| error)
        }
        replaced => replaced,
    }
}

fn replace_by_rename(
    disk: &dyn Disk,
    target: &WriteTarget<'_>,
    bytes: &[u8],
) -> io::Result<Version> {
    let mut temporary = stage(disk, target, bytes)?;
    let version = Version::of(&temporary.file.metadata()?);
    disk.before(Step::Rename)?;
    retry_denied(|| target.directory().rename(&temporary.name, &target.name))?;
    temporary.is_renamed = true;
    // From here on the new content is in effect. A failed sync is no error, because only a power
    // failure could undo the rename.
    if let Err(error) = disk.before(Step::SyncDirectory).and_then(|()| target.directory().sync()) {
        log::warn!(
            "{} was written but may be lost by a power cut: {error}",
            target.directory().join(&target.name).display()
        );
    }
    Ok(version)
}

fn rewrite(disk: &dyn Disk, target: &WriteTarget<'_>, bytes: &[u8]) -> io::Result<Version> {
    disk.before(Step::Rewrite)?;
    let mut file = match target.exists {
        true => target.directory().open_file_to_rewrite(&target.name)?,
        false => target.directory().create_file(&target.name)?,
    };
    disk.before(Step::Write)?;
    file.rewind()?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    disk.before(Step::Sync)?;
    file.sync_all()?;
    Ok(Version::of(&file.metadata()?))
}

/// Writes the bytes to disk, in a temporary file next to the one that they replace.
fn stage<'a>(
    disk: &dyn Disk,
    target: &'a WriteTarget<'_>,
    bytes: &[u8],
) -> io::Result<Temporary<'a>> {
    disk.before(Step::Create)?;
    let mut temporary = Temporary::create(target.directory(), &temporary_prefix(&target.name))?;
    disk.before(Step::Write)?;
    temporary.file.write_all(bytes)?;
    disk.before(Step::Sync)?;
    temporary.file.sync_all()?;
    Ok(temporary)
}

/// The prefix of the temporary files of this file.
pub(crate) fn temporary_prefix(name: &OsStr) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    prefix
}

/// A new file that is deleted unless it is renamed.
struct Temporary<'a> {
    directory: &'a Directory,
    name: OsString,
    file: File,
    is_renamed: bool,
}

impl<'a> Temporary<'a> {
    fn create(directory: &'a Directory, prefix: &OsStr) -> io::Result<Self> {
        loop {
            let mut random = [0; 8];
            getrandom::fill(&mut random).map_err(io::Error::other)?;
            let mut name = prefix.to_owned();
            name.push(format!("{:016x}.tmp", u64::from_ne_bytes(random)));
            match directory.create_file(&name) {
                Ok(file) => return Ok(Temporary { directory, name, file, is_renamed: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.is_renamed {
            let _ = self.directory.remove_file(&self.name);
        }
    }
}

/// On Windows another program that has the file open prevents its replacement for a short time.
fn retry_denied(mut rename: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let mut wait = Duration::from_millis(10);
    loop {
        match rename() {
            Err(error)
                if cfg!(any(windows, test))
                    && error.kind() == ErrorKind::PermissionDenied
                    && wait.as_millis() <= 100 =>
            {
                std::thread::sleep(wait);
                wait *= 2;
            }
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f084_a_rename_that_is_denied_for_a_moment_is_tried_again() {
        let mut denials = 3;
        let renamed = retry_denied(|| {
            denials -= 1;
            if denials > 0 { Err(io::Error::from(ErrorKind::PermissionDenied)) } else { Ok(()) }
        });
        assert!(renamed.is_ok());
        assert_eq!(denials, 0);
        let mut attempts = 0;
        let refused = retry_denied(|| {
            attempts += 1;
            Err(io::Error::from(ErrorKind::PermissionDenied))
        });
        assert!(refused.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied));
        assert!((2..10).contains(&attempts), "{attempts}");
    }
}
