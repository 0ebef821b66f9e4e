//! Reading whole files, bounded in size.

use super::{CheckedPath, Directory, Found, OpenedFile, Version, failed, refused};
use crate::error::Result;
use std::io::{self, Read};
use std::path::Path;
use zeroize::Zeroizing;

/// No session or configuration is nearly this large.
pub(crate) const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// No secret or private key is nearly this large.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A whole file.
pub(crate) struct Contents {
    /// Its bytes.
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// Its state when it was opened.
    pub(crate) version: Version,
    /// Whether its mode lets other users read it.
    pub(crate) is_readable_by_others: bool,
}

/// A whole file; `None` if there is none.
///
/// Errors: STORAGE, also for a file that is not regular, that another user owns or may write, or
/// that is longer than 1 MiB.
pub(crate) fn read(path: &CheckedPath) -> Result<Option<Contents>> {
    match Directory::open_checked(path, "cannot be read")? {
        Some(directory) => read_at(&directory, path),
        None => Ok(None),
    }
}

/// As [`read`], in a directory that is open already.
pub(crate) fn read_at(directory: &Directory, path: &CheckedPath) -> Result<Option<Contents>> {
    Ok(match read_unless(directory, path, None)? {
        Found::New(contents) => Some(contents),
        Found::Absent | Found::Known => None,
    })
}

/// As [`read_at`], unless the file is in the state `known`, in which it was read before.
pub(crate) fn read_unless(
    directory: &Directory,
    path: &CheckedPath,
    known: Option<Version>,
) -> Result<Found<Contents>> {
    read_bounded(directory, path, MAX_FILE_BYTES, known)
        .map_err(|error| failed("cannot be read", path.path(), &error))
}

/// A file that the user named: a key, certificates, a deployment document. At most `limit` bytes.
///
/// Errors: MISCONFIGURED, UNAVAILABLE without free files; the message names the file.
pub(crate) fn read_named(path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>> {
    read_whole(path, limit).map_err(|error| {
        let failed = failed("cannot be read", path, &error);
        failed.in_configuration(failed.message())
    })
}

/// As [`read_named`], with the error of the system or a refusal that names the file.
pub(crate) fn read_whole(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let path = CheckedPath::from(std::path::absolute(path)?);
    let contents = match Directory::open(&path)? {
        Some(directory) => read_bounded(&directory, &path, limit, None)?,
        None => Found::Absent,
    };
    match contents {
        Found::New(contents) => Ok(contents.bytes),
        Found::Absent | Found::Known => {
            Err(io::Error::new(io::ErrorKind::NotFound, "there is no such file"))
        }
    }
}

/// A file with a secret that the user named, whole: at most 64 KiB.
///
/// The file must be a regular file that belongs to this user or to root and that other users cannot
/// write. Blocks. Errors: MISCONFIGURED; the message names the file and not its content.
pub fn read_secret_file(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    read_named(path, MAX_SECRET_BYTES)
}

fn read_bounded(
    directory: &Directory,
    path: &CheckedPath,
    limit: u64,
    known: Option<Version>,
) -> io::Result<Found<Contents>> {
    let OpenedFile { file, version, is_readable_by_others } =
        match directory.open_followed(path.name(), known)? {
            Found::New(file) => file,
            Found::Absent => return Ok(Found::Absent),
            Found::Known => return Ok(Found::Known),
        };
    let too_long = || {
        let limit = match limit / MAX_FILE_BYTES {
            0 => format!("{} KiB", limit / 1024),
            mebibytes => format!("{mebibytes} MiB"),
        };
        refused(
            path.path(),
            &format!("is longer than {limit}, which no such file is; move it away"),
        )
    };
    if version.size > limit {
        return Err(too_long());
    }
    // Large enough from the start, because a vector that grows leaves copies in memory.
    let mut bytes =
        Zeroizing::new(Vec::with_capacity(usize::try_from(version.size).unwrap_or(0) + 1));
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_long());
    }
    Ok(Found::New(Contents { bytes, version, is_readable_by_others }))
}
