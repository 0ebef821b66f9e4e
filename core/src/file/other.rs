//! Directories by path, on systems without directory descriptors and without owners to check.

use super::kind::EntryKind;
use super::{Found, OpenedFile, Version, refused};
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A directory by its path.
pub(super) struct Opened {
    path: PathBuf,
}

/// The directory to which a link led, and its path for messages.
pub(super) type LinkTarget = (Opened, PathBuf);

impl Opened {
    pub(super) fn walk(path: &Path, _: Option<&Path>) -> io::Result<(Opened, Vec<OsString>)> {
        let path = std::path::absolute(path)?;
        let mut missing = Vec::new();
        for above in path.ancestors() {
            match fs::metadata(above) {
                Ok(metadata) if metadata.is_dir() => {
                    missing.reverse();
                    return Ok((Opened { path: above.to_owned() }, missing));
                }
                Ok(_) => return Err(io::Error::from(ErrorKind::NotADirectory)),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    missing.push(above.file_name().unwrap_or_default().to_owned());
                }
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::from(ErrorKind::NotFound))
    }

    pub(super) fn duplicate(&self) -> io::Result<Opened> {
        Ok(Opened { path: self.path.clone() })
    }

    pub(super) fn resolve(
        &self,
        name: &OsStr,
        _: &Path,
    ) -> io::Result<Option<(Option<LinkTarget>, OsString)>> {
        let path = self.path.join(name);
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(Some((None, name.to_owned())));
        }
        let target = match fs::canonicalize(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            target => target?,
        };
        let (Some(parent), Some(name)) = (target.parent(), target.file_name()) else {
            return Err(refused(&path, "is a link to a directory; move it away"));
        };
        Ok(Some((Some((Opened { path: parent.to_owned() }, parent.to_owned())), name.to_owned())))
    }

    pub(super) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        match fs::symlink_metadata(self.path.join(name)) {
            Ok(metadata) if metadata.is_symlink() => Ok(Some(EntryKind::Link)),
            Ok(metadata) if metadata.is_dir() => Ok(Some(EntryKind::Directory)),
            Ok(metadata) if metadata.is_file() => Ok(Some(EntryKind::File)),
            Ok(_) => Ok(Some(EntryKind::Other)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn accept(&self, name: &OsStr, path: &Path) -> io::Result<()> {
        match self.kind(name)? {
            Some(EntryKind::File | EntryKind::Link) => Ok(()),
            Some(_) => Err(refused(path, "is not a file; move it away")),
            None => Err(io::Error::from(ErrorKind::NotFound)),
        }
    }

    pub(super) fn open_followed(
        &self,
        name: &OsStr,
        path: &Path,
        known: Option<Version>,
    ) -> io::Result<Found<OpenedFile>> {
        let Some((moved, name)) = self.resolve(name, path)? else { return Ok(Found::Absent) };
        let at = moved.as_ref().map_or(self, |(at, _)| at);
        let file = match at.open_file(&name, &path.join(&name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Absent),
            file => file?,
        };
        let version = Version::of(&file.metadata()?);
        Ok(match known == Some(version) {
            true => Found::Known,
            false => Found::New(OpenedFile { file, version, is_readable_by_others: false }),
        })
    }

    pub(super) fn open_file(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        self.accept(name, path)?;
        File::open(self.path.join(name))
    }

    pub(super) fn open_file_to_rewrite(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        self.accept(name, path)?;
        OpenOptions::new().write(true).open(self.path.join(name))
    }

    pub(super) fn open_lock(&self, name: &OsStr, _: &Path) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(self.path.join(name))
    }

    pub(super) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        OpenOptions::new().read(true).write(true).create_new(true).open(self.path.join(name))
    }

    pub(super) fn must_be_rewritten(&self, _: &OsStr) -> bool {
        false
    }

    pub(super) fn is_same(&self, _: &OsStr, _: &File) -> bool {
        true
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))
    }

    pub(super) fn hard_link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        fs::hard_link(self.path.join(from), self.path.join(to))
    }

    pub(super) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_file(self.path.join(name))
    }

    pub(super) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        fs::remove_dir(self.path.join(name))
    }

    pub(super) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        fs::create_dir(self.path.join(name))
    }

    pub(super) fn make_and_enter(&self, name: &OsStr, path: &Path) -> io::Result<Opened> {
        match self.make_directory(name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.enter(name, path),
        }
    }

    pub(super) fn enter(&self, name: &OsStr, _: &Path) -> io::Result<Opened> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path)?.is_dir() {
            true => Ok(Opened { path }),
            false => Err(io::Error::from(ErrorKind::NotADirectory)),
        }
    }

    pub(super) fn modified(&self, name: &OsStr) -> io::Result<SystemTime> {
        fs::symlink_metadata(self.path.join(name))?.modified()
    }

    pub(super) fn version(&self, name: &OsStr, path: &Path) -> io::Result<Option<Version>> {
        let Some((moved, name)) = self.resolve(name, path)? else { return Ok(None) };
        let at = moved.as_ref().map_or(self, |(at, _)| at);
        match fs::symlink_metadata(at.path.join(name)) {
            Ok(metadata) => Ok(Some(Version::of(&metadata))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        fs::read_dir(&self.path)?.map(|entry| entry.map(|entry| entry.file_name())).collect()
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn user(&self) -> Option<(u32, u32)> {
        None
    }
}
