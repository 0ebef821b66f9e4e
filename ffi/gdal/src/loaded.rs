//! The objects of this process among which GDAL is found: the program, the libraries that it links,
//! and those that were loaded later with local symbols, as Python does for wheels.

#[cfg(unix)]
use std::ffi::CString;
use std::ffi::{CStr, c_void};

/// An object that stays loaded as long as this value exists.
pub(crate) struct Object {
    #[cfg(unix)]
    handle: *mut c_void,
}

// SAFETY: any thread may use a handle of the dynamic linker.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    /// The address of a symbol, in this object or in its dependencies.
    #[cfg(unix)]
    pub(crate) fn symbol(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the handle is open, and the name is NUL-terminated.
        let address = unsafe { libc::dlsym(self.handle, name.as_ptr()) };
        (!address.is_null()).then_some(address)
    }

    #[cfg(not(unix))]
    pub(crate) fn symbol(&self, _name: &CStr) -> Option<*mut c_void> {
        None
    }
}

#[cfg(unix)]
impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: opened once and closed once.
        unsafe { libc::dlclose(self.handle) };
    }
}

/// The program, then the libraries that it has loaded.
#[cfg(unix)]
pub(crate) fn objects() -> impl Iterator<Item = Object> {
    // Without a name it is the program, with all global symbols.
    let open = |name: Option<&CString>| {
        let name = name.map_or(std::ptr::null(), |name| name.as_ptr());
        // SAFETY: NULL, or a NUL-terminated text. Nothing new is loaded.
        let handle = unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        (!handle.is_null()).then_some(Object { handle })
    };
    // The names first: the linker's list is locked while it is read.
    open(None).into_iter().chain(names().into_iter().filter_map(move |name| open(Some(&name))))
}

#[cfg(not(unix))]
pub(crate) fn objects() -> impl Iterator<Item = Object> {
    std::iter::empty()
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn names() -> Vec<CString> {
    unsafe extern "C" fn note(
        object: *mut libc::dl_phdr_info,
        _size: usize,
        names: *mut c_void,
    ) -> libc::c_int {
        // SAFETY: the linker lends a description for this call, and `names` is the vector below.
        let (object, names) = unsafe { (&*object, &mut *names.cast::<Vec<CString>>()) };
        if !object.dlpi_name.is_null() {
            // SAFETY: not NULL, and NUL-terminated.
            let name = unsafe { CStr::from_ptr(object.dlpi_name) };
            // The program has no name.
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
        0
    }
    let mut names: Vec<CString> = Vec::new();
    // SAFETY: the function has the expected type, and the vector outlives the call.
    unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut names).cast()) };
    names
}

#[cfg(target_vendor = "apple")]
fn names() -> Vec<CString> {
    unsafe extern "C" {
        fn _dyld_image_count() -> u32;
        fn _dyld_get_image_name(index: u32) -> *const std::ffi::c_char;
    }
    // SAFETY: takes nothing.
    let count = unsafe { _dyld_image_count() };
    (0..count)
        .filter_map(|index| {
            // SAFETY: an index that does not exist any more gives NULL.
            let name = unsafe { _dyld_get_image_name(index) };
            // SAFETY: not NULL, and NUL-terminated.
            (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_owned())
        })
        .collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_its_libraries_are_found() {
        let names = names();
        assert!(names.iter().any(|name| name.to_string_lossy().contains("libc")), "{names:?}");
        assert!(
            objects()
                .any(|object| object.symbol(c"dlsym").is_some()
                    || object.symbol(c"malloc").is_some())
        );
        assert!(objects().all(|object| object.symbol(c"planetkey_has_no_such_symbol").is_none()));
    }
}
