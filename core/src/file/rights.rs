//! Acts with the rights of the user to whom a directory belongs.

use std::io;

/// The user whose rights a file operation takes while this process runs as root.
///
/// The kernel then refuses what that user may not do, and new files belong to that user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rights {
    /// The user's id.
    pub(crate) uid: u32,
    /// The group that new files get.
    pub(crate) gid: u32,
}

impl Rights {
    /// The rights of this user, if this thread may take them.
    ///
    /// `None` for an id that this user namespace does not map: there root has no rights over that
    /// user's files either. Errors: of the system, if root may not change its user.
    pub(super) fn of(uid: u32, directory_gid: u32) -> io::Result<Option<Self>> {
        if !is_mapped(uid)? {
            return Ok(None);
        }
        // A user does not become a member of root's group because root gave them a directory.
        let gid = if directory_gid == 0 { uid } else { directory_gid };
        let rights = Rights { uid, gid };
        rights.assume().map(|_| Some(rights))
    }

    /// Takes the rights for this thread, until the guard is dropped. Make at most one system call
    /// while it exists, because any other code on this thread has the rights too.
    #[cfg(target_os = "linux")]
    pub(super) fn assume(self) -> io::Result<Assumed> {
        use rustix::process::{Gid, Uid, getegid, getgroups};
        use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        // Create the guard first, so that it undoes completed steps if a later one fails.
        let assumed = Assumed {
            groups: getgroups()?,
            gid: getegid(),
            _of_this_thread: std::marker::PhantomData,
        };
        // These are the raw system calls, which change only this thread. libc's functions would
        // change every thread of the process.
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        set_thread_groups(&[gid])?;
        set_thread_res_gid(None, gid, None)?;
        set_thread_res_uid(None, uid, None)?;
        Ok(assumed)
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn assume(self) -> io::Result<Assumed> {
        Err(io::Error::from(io::ErrorKind::Unsupported))
    }
}

/// Restores root's rights for this thread when it is dropped.
pub(super) struct Assumed {
    #[cfg(target_os = "linux")]
    groups: Vec<rustix::process::Gid>,
    #[cfg(target_os = "linux")]
    gid: rustix::process::Gid,
    /// Not `Send`, because another thread must not drop it.
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

#[cfg(target_os = "linux")]
impl Drop for Assumed {
    fn drop(&mut self) {
        use rustix::process::Uid;
        use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        // Restore root's user id first, because the other steps need its rights. This cannot fail,
        // because only the effective ids were changed.
        let restored = set_thread_res_uid(None, Uid::ROOT, None)
            .and_then(|()| set_thread_res_gid(None, self.gid, None))
            .and_then(|()| set_thread_groups(&self.groups));
        debug_assert_eq!(restored, Ok(()));
    }
}

#[cfg(target_os = "linux")]
fn is_mapped(uid: u32) -> io::Result<bool> {
    use rustix::process::Uid;
    use rustix::thread::set_thread_res_uid;
    match set_thread_res_uid(None, Uid::from_raw(uid), None) {
        Ok(()) => set_thread_res_uid(None, Uid::ROOT, None)?,
        Err(rustix::io::Errno::INVAL) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    Ok(true)
}

#[cfg(not(target_os = "linux"))]
fn is_mapped(_: u32) -> io::Result<bool> {
    Ok(true)
}
