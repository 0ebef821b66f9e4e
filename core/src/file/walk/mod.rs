//! Directories by descriptor: the walk from `/`.

mod entries;
mod trust;

use super::rights::Rights;
use super::{Found, OpenedFile, Version, refused};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

/// As many links as Linux follows in one path.
const MAX_LINKS: u32 = 40;
const OTHERS_WRITE: u32 = 0o002;
/// Any access of users other than the owner.
const OTHERS_ACCESS: u32 = 0o077;
const STICKY: u32 = 0o1000;

/// An open directory, with the users whose files are accepted in it.
pub(super) struct Opened {
    directory: OwnedFd,
    /// The effective user of this process.
    user: u32,
    /// The rights that root takes here.
    rights: Option<Rights>,
    /// The owner of the storage root, whom an ordinary user trusts.
    root_owner: Option<u32>,
    /// Whether other users may create names here.
    is_shared: bool,
    /// Whether it is the storage root or lies below it.
    is_checked: bool,
}

/// The directory to which a link led, and its path for messages.
pub(super) type LinkTarget = (Opened, PathBuf);

/// As [`Opened::resolve`] returns it, with what is at the name.
type Followed = (Option<LinkTarget>, OsString, Option<Stat>);

fn mode(stat: &Stat) -> u32 {
    stat.st_mode & 0o7777
}

/// The flags of every open. Non-blocking, so that a pipe at the name of a file does not block.
fn flags() -> OFlags {
    OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY
}

/// The flags to open a directory as a starting point. They need only the right to search.
fn directory_flags() -> OFlags {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    #[cfg(target_os = "linux")]
    return flags | OFlags::PATH;
    #[cfg(not(target_os = "linux"))]
    flags
}

fn is_not_found(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound
}

fn version_of(stat: &Stat) -> Version {
    Version {
        device: stat.st_dev,
        inode: stat.st_ino,
        size: u64::try_from(stat.st_size).unwrap_or(0),
        modified_ns: u128::try_from(stat.st_mtime).unwrap_or(0) * 1_000_000_000
            + u128::from(stat.st_mtime_nsec),
    }
}

/// Opens a directory by a path that holds no link; `None` if it does, if there is no such
/// directory, or if the system cannot do it.
#[cfg(target_os = "linux")]
fn without_links(path: &Path) -> Option<OwnedFd> {
    use rustix::fs::{CWD, ResolveFlags, openat2};
    openat2(CWD, path, directory_flags(), Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()
}

#[cfg(not(target_os = "linux"))]
fn without_links(_: &Path) -> Option<OwnedFd> {
    None
}

impl Opened {
    /// Opens the directory at the end of a path. Returns the last existing directory and the
    /// missing names.
    pub(super) fn walk(path: &Path, root: Option<&Path>) -> io::Result<(Opened, Vec<OsString>)> {
        let path = match path.is_absolute() {
            true => Cow::Borrowed(path),
            false => Cow::Owned(std::path::absolute(path)?),
        };
        let root_depth = root.map(|root| root.components().count());
        let mut links = MAX_LINKS;
        let (mut at, entered) = Opened::start(&path, root_depth)?;
        for (depth, component) in path.components().enumerate().skip(entered) {
            let shown = || path.components().take(depth + 1).collect::<PathBuf>();
            let next = match at.step(component.as_os_str(), &shown, &mut links) {
                Ok(next) => next,
                Err(error) if is_not_found(&error) => {
                    let missing = path.components().skip(depth);
                    let missing = missing.map(|component| component.as_os_str().to_owned());
                    return Ok((at, missing.collect()));
                }
                Err(error) => return Err(error),
            };
            at = match root_depth {
                Some(root) if depth + 1 == root => next.accept_root(&shown)?,
                Some(root) if depth + 1 > root => next.accept_below(&at, &shown)?,
                _ => next,
            };
        }
        if !at.is_checked {
            at.is_shared = mode(&at.stat()?) & OTHERS_WRITE != 0;
        }
        Ok((at, Vec::new()))
    }

    /// The directory where a walk starts, and how many components of the path it has entered.
    ///
    /// Above the storage root only links are checked. So if there are none, the system enters all
    /// these directories in one call.
    fn start(path: &Path, root_depth: Option<usize>) -> io::Result<(Opened, usize)> {
        let depth = path.components().count();
        let entered = root_depth.map_or(depth, |root| root.saturating_sub(1).min(depth));
        let directory = match path.ancestors().nth(depth - entered) {
            Some(above) if entered > 1 => without_links(above),
            _ => None,
        };
        match directory {
            Some(directory) => Ok((Opened::unchecked(directory, None), entered)),
            None => Ok((Opened::top(None)?, 1)),
        }
    }

    fn top(rights: Option<Rights>) -> io::Result<Opened> {
        let directory = rustix::fs::open("/", directory_flags(), Mode::empty())?;
        Ok(Opened::unchecked(directory, rights))
    }

    fn unchecked(directory: OwnedFd, rights: Option<Rights>) -> Opened {
        Opened {
            directory,
            user: rustix::process::geteuid().as_raw(),
            rights,
            root_owner: None,
            is_shared: false,
            is_checked: false,
        }
    }

    pub(super) fn duplicate(&self) -> io::Result<Opened> {
        Ok(Opened { directory: self.directory.try_clone()?, ..*self })
    }

    /// Makes one system call relative to this directory, with these rights.
    fn with<T>(
        &self,
        rights: Option<Rights>,
        call: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>,
    ) -> io::Result<T> {
        let _assumed = rights.map(Rights::assume).transpose()?;
        Ok(call(self.directory.as_fd())?)
    }

    fn at<T>(&self, call: impl FnOnce(BorrowedFd<'_>) -> rustix::io::Result<T>) -> io::Result<T> {
        self.with(self.rights, call)
    }

    fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.directory)?)
    }

    fn look(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match self.at(|directory| rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)) {
            Ok(stat) => Ok(Some(stat)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open(&self, name: &OsStr, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        self.at(|directory| rustix::fs::openat(directory, name, flags, mode))
    }

    /// Enters a directory, or the target of a link of a trusted owner.
    fn step(
        &self,
        name: &OsStr,
        shown: &dyn Fn() -> PathBuf,
        links: &mut u32,
    ) -> io::Result<Opened> {
        match self.open(name, directory_flags(), Mode::empty()) {
            Ok(directory) => Ok(Opened { directory, ..*self }),
            Err(error) => match self.look(name) {
                Ok(Some(stat)) if FileType::from_raw_mode(stat.st_mode).is_symlink() => {
                    let (start, target) = self.follow(name, &stat, shown, links)?;
                    start.descend(&target, shown, links)
                }
                _ => Err(error),
            },
        }
    }

    /// Walks the target of a link.
    fn descend(
        self,
        path: &Path,
        shown: &dyn Fn() -> PathBuf,
        links: &mut u32,
    ) -> io::Result<Opened> {
        let mut at = self;
        for component in path.components() {
            match component {
                Component::Normal(_) | Component::ParentDir => {
                    at = at.step(component.as_os_str(), shown, links)?
                }
                Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            }
        }
        Ok(at)
    }

    /// Reads a link of a trusted owner. Returns the directory where its target starts, and the
    /// target.
    fn follow(
        &self,
        name: &OsStr,
        link: &Stat,
        shown: &dyn Fn() -> PathBuf,
        links: &mut u32,
    ) -> io::Result<(Opened, PathBuf)> {
        *links = links.checked_sub(1).ok_or(rustix::io::Errno::LOOP)?;
        let mut rights = self.rights;
        if !self.is_trusted(link.st_uid)? {
            // On the way to the storage root, root follows another user's link with only that
            // user's rights.
            if !self.is_checked {
                rights = self.rights_of(link, shown)?;
            }
            if rights == self.rights {
                let why = format!(
                    "is a link that belongs to another user (uid {}), which is not followed",
                    link.st_uid
                );
                return Err(refused(&shown(), &why));
            }
        }
        let target = self.at(|directory| rustix::fs::readlinkat(directory, name, Vec::new()))?;
        let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
        let mut start = if target.is_absolute() { Opened::top(rights)? } else { self.duplicate()? };
        start.rights = rights;
        start.root_owner = self.root_owner;
        start.is_checked = self.is_checked;
        Ok((start, target))
    }

    /// Follows links at the name of a file. Returns the other directory, if a link leads to one,
    /// and the name.
    pub(super) fn resolve(
        &self,
        name: &OsStr,
        path: &Path,
    ) -> io::Result<Option<(Option<LinkTarget>, OsString)>> {
        Ok(self.follow_all(name, path)?.map(|(moved, name, _)| (moved, name)))
    }

    /// Opens a file for reading, unless it is in a state that the caller knows. Links are followed
    /// as [`Opened::resolve`] does, and its type, owner and mode must be accepted.
    pub(super) fn open_followed(
        &self,
        name: &OsStr,
        path: &Path,
        known: Option<Version>,
    ) -> io::Result<Found<OpenedFile>> {
        let Some((moved, name, Some(seen))) = self.follow_all(name, path)? else {
            return Ok(Found::Absent);
        };
        if known == Some(version_of(&seen)) {
            return Ok(Found::Known);
        }
        let (at, path) = moved.as_ref().map_or((self, path), |(at, path)| (at, path.as_path()));
        match at.open_seen(&name, &seen, OFlags::RDONLY, &|| path.join(&name)) {
            Ok((file, stat)) => Ok(Found::New(OpenedFile {
                file,
                version: version_of(&stat),
                is_readable_by_others: mode(&stat) & OTHERS_ACCESS != 0,
            })),
            Err(error) if is_not_found(&error) => Ok(Found::Absent),
            Err(error) => Err(error),
        }
    }

    /// The state of a file, after links were followed as [`Opened::resolve`] does; `None` if there
    /// is none.
    pub(super) fn version(&self, name: &OsStr, path: &Path) -> io::Result<Option<Version>> {
        let found = self.follow_all(name, path)?;
        Ok(found.and_then(|(_, _, stat)| stat).as_ref().map(version_of))
    }

    /// As [`Opened::resolve`], with what is at the end.
    fn follow_all(&self, name: &OsStr, path: &Path) -> io::Result<Option<Followed>> {
        let mut links = MAX_LINKS;
        let mut moved: Option<LinkTarget> = None;
        let mut name = name.to_owned();
        loop {
            let (at, shown) =
                moved.as_ref().map_or((self, path), |(at, path)| (at, path.as_path()));
            let link = match at.look(&name)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode).is_symlink() => stat,
                None if moved.is_some() => return Ok(None),
                stat => return Ok(Some((moved, name, stat))),
            };
            let shown = shown.to_owned();
            let (start, target) = at.follow(&name, &link, &|| shown.join(&name), &mut links)?;
            let Some(target_name) = target.file_name().map(OsStr::to_owned) else {
                return Err(refused(&shown.join(&name), "is a link to a directory; move it away"));
            };
            let parent = target.parent().unwrap_or_else(|| Path::new(""));
            let at = match start.descend(parent, &|| shown.join(&target), &mut links) {
                Err(error) if is_not_found(&error) => return Ok(None),
                reached => reached?,
            };
            let is_shared = mode(&at.stat()?) & OTHERS_WRITE != 0;
            moved = Some((Opened { is_shared, ..at }, shown.join(parent)));
            name = target_name;
        }
    }
}
