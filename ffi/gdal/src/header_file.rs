//! planetkey's virtual file system in GDAL. Its files are header files, made for one request each
//! when GDAL opens them.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_int, c_void};

use planetkey_support::panic;

use crate::functions::FileSystem;
use crate::header_lines::Lines;
use crate::installation;
use crate::library::Library;
use crate::names::{self, FETCH, PROBE, REFUSING};

thread_local! {
    /// The lines of the header file [`FETCH`] on this thread.
    static LENT: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// Runs a call on this thread. During the call, the header file whose name it gets holds these
/// lines.
pub(crate) fn lending<T>(lines: Lines, call: impl FnOnce(&'static CStr) -> T) -> T {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            LENT.set(None);
        }
    }
    LENT.set(Some(lines));
    let _back = Back;
    call(names::fetch())
}

struct HeaderFile {
    lines: Lines,
    position: usize,
    /// Whether a read went past the end.
    ended: bool,
}

/// Writes the functions of this file system into GDAL's struct.
pub(crate) fn fill_in(file_system: &mut FileSystem, user_data: *mut c_void) {
    file_system.user_data = user_data;
    file_system.open = Some(open);
    file_system.tell = Some(tell);
    file_system.seek = Some(seek);
    file_system.read = Some(read);
    file_system.eof = Some(eof);
    file_system.close = Some(close);
}

/// The lines of the header file with this name. Some versions of GDAL give the whole name, others
/// what follows the prefix.
fn lines(library: &'static Library, name: &str) -> Option<Lines> {
    let name = name.strip_prefix(names::prefix().to_str().ok()?).unwrap_or(name);
    match name {
        PROBE => Some(Lines::default()),
        FETCH => LENT.with_borrow(Clone::clone),
        _ => {
            let (installation, origin) = name.split_once('/')?;
            if origin == REFUSING {
                return Some(installation::refuse(library, installation.parse().ok()?));
            }
            Some(installation::lines(library, installation.parse().ok()?, origin.parse().ok()?))
        }
    }
}

unsafe extern "C" fn open(
    user_data: *mut c_void,
    name: *const c_char,
    access: *const c_char,
) -> *mut c_void {
    panic::or(std::ptr::null_mut(), || {
        if name.is_null() || access.is_null() {
            return None;
        }
        // SAFETY: GDAL gives the user data with which the file system was installed.
        let library = unsafe { Library::of(user_data) }?;
        // SAFETY: NUL-terminated texts, valid during this call.
        let (name, access) = unsafe { (CStr::from_ptr(name), CStr::from_ptr(access)) };
        if access.to_bytes().iter().any(|letter| matches!(letter, b'w' | b'a' | b'+')) {
            return None;
        }
        let lines = lines(library, name.to_str().ok()?)?;
        Some(Box::into_raw(Box::new(HeaderFile { lines, position: 0, ended: false })).cast())
    })
}

/// # Safety
/// `file` is NULL or came from [`open`], and no other thread uses it meanwhile.
unsafe fn file<'a>(file: *mut c_void) -> Option<&'a mut HeaderFile> {
    // SAFETY: by the promise above.
    unsafe { file.cast::<HeaderFile>().as_mut() }
}

unsafe extern "C" fn tell(handle: *mut c_void) -> u64 {
    // SAFETY: GDAL gives a result of `open`, on one thread at a time.
    panic::or(0, || u64::try_from(unsafe { file(handle) }?.position).ok())
}

unsafe extern "C" fn seek(handle: *mut c_void, offset: u64, whence: c_int) -> c_int {
    panic::or(-1, || {
        // SAFETY: as in `tell`.
        let file = unsafe { file(handle) }?;
        // SEEK_SET, SEEK_CUR and SEEK_END of C.
        let from =
            [0, file.position, file.lines.len()].get(usize::try_from(whence).ok()?).copied()?;
        // A negative offset is a large number, because GDAL's type is unsigned.
        file.position = from.wrapping_add(usize::try_from(offset).ok()?);
        file.ended = false;
        Some(0)
    })
}

unsafe extern "C" fn read(
    handle: *mut c_void,
    buffer: *mut c_void,
    size: usize,
    count: usize,
) -> usize {
    panic::or(0, || {
        // SAFETY: as in `tell`.
        let file = unsafe { file(handle) }?;
        let wanted = size.checked_mul(count)?;
        if wanted == 0 || buffer.is_null() {
            return None;
        }
        let rest = file.lines.get(file.position..).unwrap_or_default();
        let given = rest.len().min(wanted);
        // SAFETY: GDAL gives a buffer of `size * count` bytes, and no more are written.
        unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast(), given) };
        file.ended = given < wanted;
        file.position += given;
        Some(given / size)
    })
}

unsafe extern "C" fn eof(handle: *mut c_void) -> c_int {
    // SAFETY: as in `tell`.
    panic::or(1, || Some(c_int::from(unsafe { file(handle) }?.ended)))
}

unsafe extern "C" fn close(handle: *mut c_void) -> c_int {
    panic::or(-1, || {
        if !handle.is_null() {
            // SAFETY: from `open`, and closed once.
            drop(unsafe { Box::from_raw(handle.cast::<HeaderFile>()) });
        }
        Some(0)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn opened(text: &[u8]) -> *mut c_void {
        Box::into_raw(Box::new(HeaderFile {
            lines: Lines::new(text.to_vec()),
            position: 0,
            ended: false,
        }))
        .cast()
    }

    /// SAFETY of the calls: the handle is from `opened`, and the buffers have the stated size.
    #[test]
    fn a_header_file_can_be_read_like_other_files() {
        let handle = opened(b"Authorization: x\r\n");
        let mut buffer = [0_u8; 32];
        // SAFETY: as above.
        unsafe {
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), 1, 5), 5);
            assert_eq!((&buffer[..5], tell(handle), eof(handle)), (&b"Autho"[..], 5, 0));
            assert_eq!(
                read(handle, buffer.as_mut_ptr().cast(), 2, 16),
                6,
                "13 bytes are six items of two"
            );
            assert_eq!((tell(handle), eof(handle)), (18, 1));
            assert_eq!((seek(handle, 0, 2), tell(handle), eof(handle)), (0, 18, 0));
            assert_eq!((seek(handle, 3_u64.wrapping_neg(), 1), tell(handle)), (0, 15));
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), 1, 3), 3);
            assert_eq!(&buffer[..3], b"x\r\n");
            assert_eq!(
                (seek(handle, 100, 0), read(handle, buffer.as_mut_ptr().cast(), 1, 3), eof(handle)),
                (0, 0, 1)
            );
            assert_eq!(seek(handle, 0, 3), -1);
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), usize::MAX, 2), 0);
            assert_eq!(close(handle), 0);
            assert_eq!((tell(std::ptr::null_mut()), close(std::ptr::null_mut())), (0, 0));
        }
    }

    #[test]
    fn lines_are_lent_to_this_thread_only() {
        let lines = Lines::new(b"Authorization: x\r\n".to_vec());
        lending(lines, |_| {
            assert!(LENT.with_borrow(Option::is_some));
            std::thread::scope(|scope| {
                assert!(scope.spawn(|| LENT.with_borrow(Option::is_none)).join().unwrap())
            });
        });
        assert!(LENT.with_borrow(Option::is_none));
    }
}
