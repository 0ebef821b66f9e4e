//! A file system of GDAL whose files are headers: made when they are opened, for one request each.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use zeroize::Zeroizing;

use crate::functions::FileSystem;
use crate::installation;
use crate::library::Library;

/// What a header file holds.
pub(crate) type Lines = Zeroizing<Vec<u8>>;

const REFUSING: &str = "refusing";
const PROBE: &str = "probe";
const FETCH: &str = "fetch";

/// The names of this copy of planetkey, which nobody can guess: a data set from elsewhere may name files (a VRT its sources, a name
/// `/vsicurl?header_file=` a header for any host) and must not be able to name these. GDAL takes header files from no name that begins
/// with "/vsi".
struct Names {
    prefix: CString,
    probe: CString,
    fetch: CString,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut random = [0_u8; 16];
    // Without random numbers there is no name to use, and `probe` finds that out.
    let known = getrandom::fill(&mut random).is_ok();
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let prefix = if known { format!("/planetkey-{random}/") } else { String::new() };
    let name = |rest: &str| CString::new(format!("{prefix}{rest}")).unwrap_or_default();
    Names { prefix: name(""), probe: name(PROBE), fetch: name(FETCH) }
});

pub(crate) fn prefix() -> &'static CStr {
    &NAMES.prefix
}

/// A name that can be read once the file system is there.
pub(crate) fn probe() -> &'static CStr {
    &NAMES.probe
}

/// The name of an installation's header for one of its origins.
pub(crate) fn name(installation: u64, origin: usize) -> CString {
    CString::new(format!("{}{installation}/{origin}", NAMES.prefix.to_string_lossy())).unwrap_or_default()
}

/// The name of an installation's header for requests that must not carry a credential.
pub(crate) fn refusing_name(installation: u64) -> CString {
    CString::new(format!("{}{installation}/{REFUSING}", NAMES.prefix.to_string_lossy())).unwrap_or_default()
}

thread_local! {
    /// What `fetch` holds for this thread.
    static LENT: RefCell<Option<Lines>> = const { RefCell::new(None) };
}

/// Runs a call, on this thread, in which the header file of the name that it gets holds these lines.
pub(crate) fn lending<T>(lines: Lines, call: impl FnOnce(&'static CStr) -> T) -> T {
    struct Back;
    impl Drop for Back {
        fn drop(&mut self) {
            LENT.set(None);
        }
    }
    LENT.set(Some(lines));
    let _back = Back;
    call(&NAMES.fetch)
}

struct HeaderFile {
    lines: Lines,
    position: usize,
    /// Somebody has read past the end.
    ended: bool,
}

pub(crate) fn fill_in(file_system: &mut FileSystem, user_data: *mut c_void) {
    file_system.user_data = user_data;
    file_system.open = Some(open);
    file_system.tell = Some(tell);
    file_system.seek = Some(seek);
    file_system.read = Some(read);
    file_system.eof = Some(eof);
    file_system.close = Some(close);
}

/// Nothing unwinds into GDAL.
fn guarded<T>(otherwise: T, body: impl FnOnce() -> Option<T>) -> T {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value.unwrap_or(otherwise),
        Err(payload) => {
            std::mem::forget(payload);
            otherwise
        }
    }
}

/// What there is under a name: GDAL gives the whole name or what follows the prefix, by its version.
fn lines(library: &'static Library, name: &str) -> Option<Lines> {
    let name = name.strip_prefix(NAMES.prefix.to_str().ok()?).unwrap_or(name);
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

unsafe extern "C" fn open(user_data: *mut c_void, name: *const c_char, access: *const c_char) -> *mut c_void {
    guarded(std::ptr::null_mut(), || {
        if name.is_null() || access.is_null() {
            return None;
        }
        // SAFETY: GDAL gives what the file system was installed with.
        let library = unsafe { Library::of(user_data) }?;
        // SAFETY: texts that end with a NUL, for the length of this call.
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
    // SAFETY: GDAL gives what `open` gave it, on one thread at a time.
    guarded(0, || u64::try_from(unsafe { file(handle) }?.position).ok())
}

unsafe extern "C" fn seek(handle: *mut c_void, offset: u64, whence: c_int) -> c_int {
    guarded(-1, || {
        // SAFETY: as in `tell`.
        let file = unsafe { file(handle) }?;
        // SEEK_SET, SEEK_CUR and SEEK_END of C.
        let from = [0, file.position, file.lines.len()].get(usize::try_from(whence).ok()?).copied()?;
        // Backwards is a large number in GDAL's unsigned offset.
        file.position = from.wrapping_add(usize::try_from(offset).ok()?);
        file.ended = false;
        Some(0)
    })
}

unsafe extern "C" fn read(handle: *mut c_void, buffer: *mut c_void, size: usize, count: usize) -> usize {
    guarded(0, || {
        // SAFETY: as in `tell`.
        let file = unsafe { file(handle) }?;
        let wanted = size.checked_mul(count)?;
        if wanted == 0 || buffer.is_null() {
            return None;
        }
        let rest = file.lines.get(file.position..).unwrap_or_default();
        let given = rest.len().min(wanted);
        // SAFETY: GDAL gives a buffer of `size * count` bytes, of which at most so many are written.
        unsafe { std::ptr::copy_nonoverlapping(rest.as_ptr(), buffer.cast(), given) };
        file.ended = given < wanted;
        file.position += given;
        Some(given / size)
    })
}

unsafe extern "C" fn eof(handle: *mut c_void) -> c_int {
    // SAFETY: as in `tell`.
    guarded(1, || Some(c_int::from(unsafe { file(handle) }?.ended)))
}

unsafe extern "C" fn close(handle: *mut c_void) -> c_int {
    guarded(-1, || {
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
        Box::into_raw(Box::new(HeaderFile { lines: Lines::new(text.to_vec()), position: 0, ended: false })).cast()
    }

    /// SAFETY of the calls: the handle is from `opened`, and the buffers have the size that is told.
    #[test]
    fn a_file_reads_as_files_do() {
        let handle = opened(b"Authorization: x\r\n");
        let mut buffer = [0_u8; 32];
        // SAFETY: as above.
        unsafe {
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), 1, 5), 5);
            assert_eq!((&buffer[..5], tell(handle), eof(handle)), (&b"Autho"[..], 5, 0));
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), 2, 16), 6, "13 bytes are six items of two");
            assert_eq!((tell(handle), eof(handle)), (18, 1));
            assert_eq!((seek(handle, 0, 2), tell(handle), eof(handle)), (0, 18, 0));
            assert_eq!((seek(handle, 3_u64.wrapping_neg(), 1), tell(handle)), (0, 15));
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), 1, 3), 3);
            assert_eq!(&buffer[..3], b"x\r\n");
            assert_eq!((seek(handle, 100, 0), read(handle, buffer.as_mut_ptr().cast(), 1, 3), eof(handle)), (0, 0, 1));
            assert_eq!(seek(handle, 0, 3), -1);
            assert_eq!(read(handle, buffer.as_mut_ptr().cast(), usize::MAX, 2), 0);
            assert_eq!(close(handle), 0);
            assert_eq!((tell(std::ptr::null_mut()), close(std::ptr::null_mut())), (0, 0));
        }
    }

    #[test]
    fn names_cannot_be_guessed_and_are_no_names_of_gdals_own() {
        let name = name(7, 2).into_string().unwrap();
        let random = name.strip_prefix("/planetkey-").and_then(|rest| rest.strip_suffix("/7/2")).unwrap();
        assert!(random.len() == 32 && random.bytes().any(|byte| byte != b'0'), "{random}");
    }

    #[test]
    fn what_is_lent_is_lent_to_this_call_alone() {
        let lines = Lines::new(b"Authorization: x\r\n".to_vec());
        lending(lines, |_| {
            assert!(LENT.with_borrow(Option::is_some));
            std::thread::scope(|scope| assert!(scope.spawn(|| LENT.with_borrow(Option::is_none)).join().unwrap()));
        });
        assert!(LENT.with_borrow(Option::is_none));
    }
}
