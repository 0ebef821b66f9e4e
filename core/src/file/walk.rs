//! Directories by descriptor: the walk from `/`, and what is accepted along it.

use super::kind::EntryKind;
use super::rights::Rights;
use super::{Version, refused};
use crate::user_namespace::unmapped_uid;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// As many links as Linux follows in one path.
const MAX_LINKS: u32 = 40;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITES: u32 = 0o020;
const STICKY: u32 = 0o1000;
const NOT_REGULAR: &str = "is not a file; move it away";

/// An open directory, with the users whose files are accepted in it.
pub(super) struct Opened {
    directory: OwnedFd,
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

fn effective_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

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

/// Logs, once per process, that a group may change a file.
fn note_group(path: &Path) {
    static NOTED: LazyLock<Mutex<HashSet<PathBuf>>> = LazyLock::new(Mutex::default);
    if NOTED.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned()) {
        log::warn!(target: super::NOTICE_TARGET, "other members of its group may write to {}; run: chmod g-w on it", path.display());
    }
}

impl Opened {
    /// Opens the directory at the end of a path. Returns the last existing directory and the
    /// missing names.
    pub(super) fn walk(path: &Path, root: Option<&Path>) -> io::Result<(Opened, Vec<OsString>)> {
        let path = std::path::absolute(path)?;
        let root_depth = root.map(|root| root.components().count());
        let mut at = Opened::top(None)?;
        let mut links = MAX_LINKS;
        let names: Vec<Component<'_>> = path.components().collect();
        for (depth, component) in names.iter().enumerate().skip(1) {
            let shown = || names.iter().take(depth + 1).collect::<PathBuf>();
            let next = match at.step(component.as_os_str(), &shown, &mut links) {
                Ok(next) => next,
                Err(error) if is_not_found(&error) => {
                    let missing =
                        names.iter().skip(depth).map(|component| component.as_os_str().to_owned());
                    return Ok((at, missing.collect()));
                }
                Err(error) => return Err(error),
            };
            at = match root_depth {
                Some(root) if depth + 1 == root => next.accept_root(&shown())?,
                Some(root) if depth + 1 > root => next.accept_below(&at, &shown())?,
                _ => next,
            };
        }
        if !at.is_checked {
            at.is_shared = mode(&at.stat()?) & OTHERS_WRITE != 0;
        }
        Ok((at, Vec::new()))
    }

    fn top(rights: Option<Rights>) -> io::Result<Opened> {
        let directory = rustix::fs::open("/", directory_flags(), Mode::empty())?;
        Ok(Opened { directory, rights, root_owner: None, is_shared: false, is_checked: false })
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
                rights = self.rights_of(link, &shown())?;
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

    /// Accepts the storage root, whose owner is the user whose files are used.
    fn accept_root(mut self, path: &Path) -> io::Result<Opened> {
        let stat = self.stat()?;
        if effective_user() == 0 && self.rights.is_none() && stat.st_uid != 0 {
            self.rights = self.rights_of(&stat, path)?;
        }
        self.is_checked = true;
        self.is_shared = self.is_others(&stat);
        if self.is_shared && mode(&stat) & STICKY == 0 {
            return Err(refused(
                path,
                "may be written by every user of this machine; run: chmod o-w on it",
            ));
        }
        if effective_user() != 0 && !self.is_shared {
            self.root_owner = Some(stat.st_uid);
        }
        Ok(self)
    }

    /// Accepts a directory below the storage root.
    fn accept_below(mut self, parent: &Opened, path: &Path) -> io::Result<Opened> {
        let stat = self.stat()?;
        if !self.is_trusted(stat.st_uid)? {
            // Only root can have put a directory of another user there, for example by a mount.
            let rights = if parent.is_shared { None } else { self.rights_of(&stat, path)? };
            match rights {
                Some(rights) => self.rights = Some(rights),
                None => return Err(foreign(path, stat.st_uid)),
            }
        }
        self.is_shared = self.is_others(&stat);
        if self.is_shared {
            return Err(refused(
                path,
                "may be written by every user of this machine; run: chmod o-w on it",
            ));
        }
        if mode(&stat) & GROUP_WRITES != 0 {
            note_group(path);
        }
        Ok(self)
    }

    /// The user whose rights are in effect.
    fn user_id(&self) -> u32 {
        self.rights.map_or_else(effective_user, |rights| rights.uid)
    }

    /// Whether files of this user are accepted here.
    fn is_trusted(&self, uid: u32) -> io::Result<bool> {
        if uid == 0 || uid == self.user_id() || self.root_owner == Some(uid) {
            return Ok(true);
        }
        // Outside the storage root this may be root, seen from inside a container.
        if !self.is_checked && unmapped_uid() == Some(uid) {
            return Ok(true);
        }
        // A mount that squashes owners gives this owner to every file, including those of this
        // process.
        Ok(self.probe().is_some_and(|(owner, _)| owner == uid))
    }

    /// The rights of a file's owner, if this process is root and acts as itself.
    fn rights_of(&self, stat: &Stat, path: &Path) -> io::Result<Option<Rights>> {
        if effective_user() != 0 || self.rights.is_some() {
            return Ok(None);
        }
        Rights::of(stat.st_uid, stat.st_gid).map_err(|error| {
            let why = format!(
                "belongs to another user (uid {}), whose rights this process cannot take ({error}); run it as that user",
                stat.st_uid
            );
            refused(path, &why)
        })
    }

    /// Whether other users may write, if modes have a meaning here.
    fn is_others(&self, stat: &Stat) -> bool {
        mode(stat) & OTHERS_WRITE != 0
            && (mode(stat) & STICKY != 0
                || self.probe().is_none_or(|(_, mode)| mode & OTHERS_WRITE == 0))
    }

    /// The owner and mode that the file system gives to a private file of this process here.
    fn probe(&self) -> Option<(u32, u32)> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).ok()?;
        let name = OsString::from(format!(".planetkey.{:016x}.tmp", u64::from_ne_bytes(random)));
        let file = self.create_file(&name).ok()?;
        let stat = rustix::fs::fstat(&file);
        let _ = self.remove_file(&name);
        stat.ok().map(|stat| (stat.st_uid, mode(&stat)))
    }

    /// Whether a file may be used, by its type, owner and mode.
    fn accept_file(&self, stat: &Stat, rights: Option<Rights>, path: &Path) -> io::Result<()> {
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(refused(path, NOT_REGULAR));
        }
        if rights.map(|rights| rights.uid) != Some(stat.st_uid) && !self.is_trusted(stat.st_uid)? {
            return Err(foreign(path, stat.st_uid));
        }
        if self.is_others(stat) {
            return Err(refused(
                path,
                "may be written by every user of this machine; check its content and run: chmod o-w on it",
            ));
        }
        if mode(stat) & GROUP_WRITES != 0 {
            note_group(path);
        }
        Ok(())
    }

    /// Opens an existing file. Its type is checked first, because opening a device can change it.
    fn open_accepted(&self, name: &OsStr, access: OFlags, path: &Path) -> io::Result<File> {
        let before = self.look(name)?.ok_or(rustix::io::Errno::NOENT)?;
        let rights = self.rights_for(&before, path)?;
        self.accept_file(&before, rights, path)?;
        let file = self.with(rights, |directory| {
            rustix::fs::openat(directory, name, access | flags(), Mode::empty())
        })?;
        let stat = rustix::fs::fstat(&file)?;
        if (stat.st_dev, stat.st_ino) != (before.st_dev, before.st_ino) {
            // The file was replaced between the two calls.
            self.accept_file(&stat, rights, path)?;
        }
        Ok(File::from(file))
    }

    /// The rights with which a file is opened: root takes those of its owner.
    fn rights_for(&self, stat: &Stat, path: &Path) -> io::Result<Option<Rights>> {
        let is_own = stat.st_uid == self.user_id() || stat.st_uid == 0;
        if is_own || self.is_shared || !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Ok(self.rights);
        }
        Ok(self.rights_of(stat, path)?.or(self.rights))
    }

    /// Follows links at the name of a file. Returns the other directory, if a link leads to one,
    /// and the name.
    pub(super) fn resolve(
        &self,
        name: &OsStr,
        path: &Path,
    ) -> io::Result<Option<(Option<LinkTarget>, OsString)>> {
        let mut links = MAX_LINKS;
        let mut moved: Option<LinkTarget> = None;
        let mut name = name.to_owned();
        loop {
            let (at, shown) =
                moved.as_ref().map_or((self, path), |(at, path)| (at, path.as_path()));
            let link = match at.look(&name)? {
                Some(stat) if FileType::from_raw_mode(stat.st_mode).is_symlink() => stat,
                None if moved.is_some() => return Ok(None),
                _ => return Ok(Some((moved, name))),
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

    pub(super) fn kind(&self, name: &OsStr) -> io::Result<Option<EntryKind>> {
        Ok(self.look(name)?.map(|stat| match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => EntryKind::File,
            FileType::Directory => EntryKind::Directory,
            FileType::Symlink => EntryKind::Link,
            _ => EntryKind::Other,
        }))
    }

    pub(super) fn open_file(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        self.open_accepted(name, OFlags::RDONLY, path)
    }

    pub(super) fn open_file_to_rewrite(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        self.open_accepted(name, OFlags::WRONLY, path)
    }

    pub(super) fn open_lock(&self, name: &OsStr, path: &Path) -> io::Result<File> {
        let refuse_links = || {
            refused(path, "has another name (a hard link), so it is not used as a lock; remove it")
        };
        // Check before opening, because the user whose rights are in effect may not be able to open
        // it.
        if self.look(name)?.is_some_and(|stat| {
            FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_nlink > 1
        }) {
            return Err(refuse_links());
        }
        let file = match self.open_accepted(name, OFlags::RDWR, path) {
            Err(error) if is_not_found(&error) => match self.create_file(name) {
                // Another process created the file first.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    self.open_accepted(name, OFlags::RDWR, path)?
                }
                created => created?,
            },
            opened => opened?,
        };
        if rustix::fs::fstat(&file)?.st_nlink > 1 {
            return Err(refuse_links());
        }
        Ok(file)
    }

    pub(super) fn create_file(&self, name: &OsStr) -> io::Result<File> {
        let access = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        self.open(name, access | flags(), Mode::RUSR | Mode::WUSR).map(File::from)
    }

    pub(super) fn must_be_rewritten(&self, name: &OsStr) -> bool {
        let stat = self.look(name).ok().flatten();
        if let (Some(file), Ok(directory)) = (&stat, self.stat()) {
            let user = self.user_id();
            // Root leaves another user's file to that user.
            let is_anothers = user == 0 && file.st_uid != 0;
            let is_sticky = mode(&directory) & STICKY != 0
                && user != 0
                && file.st_uid != user
                && directory.st_uid != user;
            if is_anothers || is_sticky {
                return true;
            }
        }
        self.attributes_forbid_renames(name, stat.is_some())
    }

    #[cfg(target_os = "linux")]
    fn attributes_forbid_renames(&self, name: &OsStr, exists: bool) -> bool {
        use rustix::fs::{StatxAttributes, StatxFlags, statx};
        let directory = statx(&self.directory, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS);
        if directory.is_ok_and(|stat| stat.stx_attributes.contains(StatxAttributes::APPEND)) {
            return true;
        }
        let fixed =
            StatxAttributes::MOUNT_ROOT | StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
        let file = || {
            self.at(|directory| {
                statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::BASIC_STATS)
            })
        };
        exists && file().is_ok_and(|stat| stat.stx_attributes.intersects(fixed))
    }

    #[cfg(not(target_os = "linux"))]
    fn attributes_forbid_renames(&self, _: &OsStr, _: bool) -> bool {
        false
    }

    pub(super) fn is_same(&self, name: &OsStr, file: &File) -> bool {
        let (here, open) = (self.look(name).ok().flatten(), rustix::fs::fstat(file));
        matches!((here, open), (Some(here), Ok(open)) if (here.st_dev, here.st_ino) == (open.st_dev, open.st_ino))
    }

    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::renameat(directory, from, directory, to))
    }

    pub(super) fn hard_link(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::linkat(directory, from, directory, to, AtFlags::empty()))
    }

    pub(super) fn remove_file(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::unlinkat(directory, name, AtFlags::empty()))
    }

    pub(super) fn remove_directory(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::unlinkat(directory, name, AtFlags::REMOVEDIR))
    }

    pub(super) fn make_directory(&self, name: &OsStr) -> io::Result<()> {
        self.at(|directory| rustix::fs::mkdirat(directory, name, Mode::RWXU))
    }

    /// Creates a directory for its owner alone, unless another process has created it, and enters
    /// it.
    pub(super) fn make_and_enter(&self, name: &OsStr, path: &Path) -> io::Result<Opened> {
        match self.make_directory(name) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.enter(name, path),
        }
    }

    pub(super) fn enter(&self, name: &OsStr, path: &Path) -> io::Result<Opened> {
        let directory = self.open(name, directory_flags(), Mode::empty())?;
        Opened { directory, ..*self }.accept_below(self, path)
    }

    pub(super) fn modified(&self, name: &OsStr) -> io::Result<SystemTime> {
        let stat = self.look(name)?.ok_or(rustix::io::Errno::NOENT)?;
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or(0)))
    }

    /// The state of a file, links not followed.
    pub(super) fn version(&self, name: &OsStr) -> io::Result<Option<Version>> {
        Ok(self.look(name)?.map(|stat| Version {
            device: stat.st_dev,
            inode: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: u128::try_from(stat.st_mtime).unwrap_or(0) * 1_000_000_000
                + u128::from(stat.st_mtime_nsec),
        }))
    }

    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let directory = self.open(
            OsStr::new("."),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(directory)? {
            let name = OsString::from_vec(entry?.file_name().to_bytes().to_vec());
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        let directory = self.open(
            OsStr::new("."),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        Ok(rustix::fs::fsync(directory)?)
    }

    pub(super) fn user(&self) -> Option<(u32, u32)> {
        self.rights.map(|rights| (rights.uid, rights.gid))
    }
}

fn foreign(path: &Path, uid: u32) -> io::Error {
    refused(
        path,
        &format!("belongs to another user (uid {uid}); move it away, or run this as that user"),
    )
}
