//! Acting with the rights of the user to whom a directory belongs.

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
        // A user is no member of root's group because root gave a directory to it.
        let gid = if directory_gid == 0 { uid } else { directory_gid };
        let rights = Rights { uid, gid };
        rights.assume().map(|_| Some(rights))
    }

    /// Takes the rights for this thread, until the guard is dropped. Do no more than one system call
    /// meanwhile: whatever else runs on this thread has them too.
    #[cfg(target_os = "linux")]
    pub(super) fn assume(self) -> io::Result<Assumed> {
        use rustix::process::{Gid, Uid, getegid, getgroups};
        use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        // Made first, so that what was done is undone if one of the steps fails.
        let assumed = Assumed { groups: getgroups()?, gid: getegid(), _of_this_thread: std::marker::PhantomData };
        // The system calls themselves are made, which change this thread alone; libc's functions
        // would change every thread of the process.
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

/// Gives this thread root's rights again when it is dropped.
pub(super) struct Assumed {
    #[cfg(target_os = "linux")]
    groups: Vec<rustix::process::Gid>,
    #[cfg(target_os = "linux")]
    gid: rustix::process::Gid,
    /// Another thread must not drop it.
    _of_this_thread: std::marker::PhantomData<*const ()>,
}

#[cfg(target_os = "linux")]
impl Drop for Assumed {
    fn drop(&mut self) {
        use rustix::process::Uid;
        use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        // Root's user first, because the rest needs its rights. This cannot fail: no more than the
        // effective ids were changed.
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
