//! GDAL among the objects of this process: the program itself, the libraries that it links, and those that were loaded later with their
//! symbols kept local, as Python's wheels do.

#[cfg(unix)]
use std::ffi::CString;
use std::ffi::{CStr, c_void};

/// A loaded object that stays loaded as long as this exists.
pub(crate) struct Object {
    #[cfg(unix)]
    handle: *mut c_void,
}

// SAFETY: a handle of the dynamic linker, which any thread may use.
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    /// The address of a symbol, in this object or in those that it depends on.
    #[cfg(unix)]
    pub(crate) fn symbol(&self, name: &CStr) -> Option<*mut c_void> {
        // SAFETY: the handle is open, and the name ends with a NUL.
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

/// The program first, then what it has loaded.
#[cfg(unix)]
pub(crate) fn objects() -> impl Iterator<Item = Object> {
    // Without a name it is the program, with everything that is visible to all.
    let open = |name: Option<&CString>| {
        let name = name.map_or(std::ptr::null(), |name| name.as_ptr());
        // SAFETY: NULL, or a text that ends with a NUL; nothing is loaded that is not there.
        let handle = unsafe { libc::dlopen(name, libc::RTLD_LAZY | libc::RTLD_NOLOAD) };
        (!handle.is_null()).then_some(Object { handle })
    };
    // The names first: the linker's list is locked while it is walked.
    open(None).into_iter().chain(names().into_iter().filter_map(move |name| open(Some(&name))))
}

#[cfg(not(unix))]
pub(crate) fn objects() -> impl Iterator<Item = Object> {
    std::iter::empty()
}

#[cfg(all(unix, not(target_vendor = "apple")))]
fn names() -> Vec<CString> {
    unsafe extern "C" fn note(object: *mut libc::dl_phdr_info, _size: usize, names: *mut c_void) -> libc::c_int {
        // SAFETY: the linker lends a description for the length of this call, and `names` is what is handed to it below.
        let (object, names) = unsafe { (&*object, &mut *names.cast::<Vec<CString>>()) };
        if !object.dlpi_name.is_null() {
            // SAFETY: not NULL, and a text that ends with a NUL.
            let name = unsafe { CStr::from_ptr(object.dlpi_name) };
            // The program has none.
            if !name.is_empty() {
                names.push(name.to_owned());
            }
        }
        0
    }
    let mut names: Vec<CString> = Vec::new();
    // SAFETY: the function is of the type that is asked for, and the vector outlives the call.
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
            // SAFETY: an index that has gone meanwhile gives NULL.
            let name = unsafe { _dyld_get_image_name(index) };
            // SAFETY: not NULL, and a text that ends with a NUL.
            (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_owned())
        })
        .collect()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_program_and_its_libraries_are_found_and_nothing_that_is_not_there() {
        let names = names();
        assert!(names.iter().any(|name| name.to_string_lossy().contains("libc")), "{names:?}");
        assert!(objects().any(|object| object.symbol(c"dlsym").is_some() || object.symbol(c"malloc").is_some()));
        assert!(objects().all(|object| object.symbol(c"planetkey_has_no_such_symbol").is_none()));
    }
}
