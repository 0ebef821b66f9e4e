//! One GDAL of this process.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Arc, LazyLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use planetkey::{Error, Result, Status};

use crate::functions::{FetchCallback, FileSystem, Functions, LANDMARK};
use crate::loaded::{self, Object};
use crate::names;

/// How GDAL calls planetkey.
#[derive(Clone, Copy)]
pub(crate) struct Callbacks {
    /// Writes the functions of planetkey's virtual file system into GDAL's struct, with this user
    /// data.
    pub(crate) fill_in: fn(&mut FileSystem, *mut c_void),
    /// GDAL calls it before each `CPLHTTPFetch`.
    pub(crate) fetch: FetchCallback,
}

/// A GDAL of this process. It stays loaded and is never freed, because GDAL keeps pointers to it.
pub(crate) struct Library {
    functions: Functions,
    callbacks: Callbacks,
    /// As `GDAL_VERSION_NUM`: 3060200.
    number: u32,
    /// For messages: "3.6.2".
    version: String,
    /// The address of one of its functions, which differs between two GDALs of a process.
    address: usize,
    /// The values that options of the whole process had before planetkey set them.
    before: ArcSwapOption<Vec<(&'static CStr, Option<CString>)>>,
    _object: Object,
}

static LIBRARIES: LazyLock<ArcSwap<Vec<&'static Library>>> = LazyLock::new(ArcSwap::default);

/// `CE_Failure` and `CPLE_AppDefined` of `cpl_error.h`.
const FAILURE: c_int = 3;
const APP_DEFINED: c_int = 1;

/// An option of the process, and the value with which GDAL sends a credential to no other host.
#[derive(Clone, Copy)]
pub(crate) struct Safe {
    pub(crate) option: &'static CStr,
    pub(crate) value: &'static CStr,
}

/// Every GDAL that is in the process now, and every one that was found before.
///
/// Errors: UNSUPPORTED if there is none.
pub(crate) fn find(callbacks: &Callbacks) -> Result<Arc<Vec<&'static Library>>> {
    let mut libraries: Vec<&'static Library> = LIBRARIES.load().to_vec();
    let mut too_old = false;
    for object in loaded::objects() {
        let Some(address) = object.symbol(LANDMARK) else {
            too_old |= object.symbol(c"GDALVersionInfo").is_some();
            continue;
        };
        if libraries.iter().any(|known| known.address == address as usize) {
            continue;
        }
        match Library::new(object, address as usize, *callbacks) {
            Some(library) => libraries.push(Box::leak(Box::new(library))),
            None => too_old = true,
        }
    }
    if libraries.is_empty() {
        let message = match too_old {
            true => {
                "the GDAL in this process lacks functions that planetkey needs; use GDAL 3.2 or later"
            }
            false if cfg!(unix) => {
                "there is no GDAL in this process; link it, or import rasterio or osgeo, before this call (a program that \
                 links it statically must export its symbols)"
            }
            false => "planetkey cannot find GDAL on this system",
        };
        return Err(Error::new(Status::Unsupported, message));
    }
    LIBRARIES.store(Arc::new(libraries));
    Ok(LIBRARIES.load_full())
}

/// Every GDAL that was found before.
pub(crate) fn known() -> Arc<Vec<&'static Library>> {
    LIBRARIES.load_full()
}

impl Library {
    /// `None` if a function is missing.
    fn new(object: Object, address: usize, callbacks: Callbacks) -> Option<Library> {
        let functions = Functions::of(&object)?;
        let info = |what: &CStr| {
            // SAFETY: a NUL-terminated text. The result belongs to GDAL, and is copied before the
            // next call.
            let text = unsafe { (functions.version_info)(what.as_ptr()) };
            // SAFETY: as above.
            (!text.is_null())
                .then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let number = info(c"VERSION_NUM")?.trim().parse().ok()?;
        let version = info(c"RELEASE_NAME")?;
        Some(Library {
            functions,
            callbacks,
            number,
            version,
            address,
            before: ArcSwapOption::empty(),
            _object: object,
        })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether `/vsicurl/` reads options of single paths.
    pub(crate) fn knows_hosts(&self) -> bool {
        self.number >= 3_070_000 && self.functions.set_path_option.is_some()
    }

    /// Whether GDAL sends `GDAL_HTTP_HEADERS` to no target of a redirect that it remembers.
    pub(crate) fn keeps_headers_from_redirects(&self) -> bool {
        self.number >= 3_100_000
    }

    /// Installs planetkey's virtual file system, unless it is installed. `VSICleanupFileManager`
    /// removes it.
    ///
    /// Errors: UNSUPPORTED if GDAL refuses it; INTERNAL if the system gives no random numbers.
    pub(crate) fn install_file_system(&'static self) -> Result<()> {
        if names::prefix().is_empty() {
            return Err(Error::new(Status::Internal, "the system gives no random numbers"));
        }
        if self.reads(names::probe()) {
            return Ok(());
        }
        // SAFETY: takes nothing.
        let file_system = unsafe { (self.functions.new_file_system)() };
        let installed = !file_system.is_null() && {
            // SAFETY: a struct of GDAL that begins with these members, and to which this is the
            // only pointer.
            (self.callbacks.fill_in)(unsafe { &mut *file_system }, self.user_data());
            // SAFETY: the prefix begins and ends with a slash, and GDAL copies the struct.
            let installed = unsafe {
                (self.functions.install_file_system)(names::prefix().as_ptr(), file_system)
            } == 0;
            // SAFETY: from GDAL, and freed once.
            unsafe { (self.functions.free_file_system)(file_system) };
            installed
        };
        match installed && self.reads(names::probe()) {
            true => Ok(()),
            false => Err(Error::new(
                Status::Unsupported,
                format!("GDAL {} refuses the virtual file system of planetkey", self.version),
            )),
        }
    }

    fn reads(&self, name: &CStr) -> bool {
        // SAFETY: both texts are NUL-terminated.
        let file = unsafe { (self.functions.open)(name.as_ptr(), c"rb".as_ptr()) };
        if !file.is_null() {
            // SAFETY: from the call above, and closed once.
            unsafe { (self.functions.close)(file) };
        }
        !file.is_null()
    }

    /// The user data of callbacks: this library.
    fn user_data(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The library behind the user data of a callback.
    ///
    /// # Safety
    /// `user_data` is NULL or came from [`Library::user_data`].
    pub(crate) unsafe fn of(user_data: *mut c_void) -> Option<&'static Library> {
        // SAFETY: by the promise above. A library is never freed.
        unsafe { user_data.cast::<Library>().cast_const().as_ref() }
    }

    /// Sets an option for all files below a path of `/vsicurl/`. `None` removes it.
    pub(crate) fn set_path_option(&self, path: &CStr, key: &CStr, value: Option<&CStr>) {
        let Some(set) = self.functions.set_path_option else { return };
        if value.is_some() && value == self.path_option(path, key).as_deref() {
            // Other threads of GDAL may be reading it.
            return;
        }
        // SAFETY: NUL-terminated texts, or NULL; GDAL copies them.
        unsafe { set(path.as_ptr(), key.as_ptr(), value.map_or(std::ptr::null(), CStr::as_ptr)) };
    }

    fn path_option(&self, path: &CStr, key: &CStr) -> Option<CString> {
        // SAFETY: NUL-terminated texts, or NULL.
        let value =
            unsafe { self.functions.path_option?(path.as_ptr(), key.as_ptr(), std::ptr::null()) };
        // SAFETY: NULL or a text of GDAL that only planetkey changes, one thread at a time.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    fn set_option(&self, key: &CStr, value: Option<&CStr>) {
        // SAFETY: NUL-terminated texts, or NULL; GDAL copies them.
        unsafe {
            (self.functions.set_option)(key.as_ptr(), value.map_or(std::ptr::null(), CStr::as_ptr))
        };
    }

    /// The value of an option for this thread: that of the thread, the process or the environment.
    fn option(&self, key: &CStr) -> Option<CString> {
        // SAFETY: a NUL-terminated text, or NULL.
        let value = unsafe { (self.functions.option)(key.as_ptr(), std::ptr::null()) };
        // SAFETY: NULL or a text of GDAL that is valid until this thread or the process sets the
        // option.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    /// The value that the process set. `None` before GDAL 3.8, which cannot tell.
    fn process_option(&self, key: &CStr) -> Option<CString> {
        let get = self.functions.process_option?;
        // SAFETY: as in `option`.
        let value = unsafe { get(key.as_ptr(), std::ptr::null()) };
        // SAFETY: as in `option`.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    /// The value of an option for a file; without a path, for this thread.
    pub(crate) fn option_of(&self, path: Option<&CStr>, key: &CStr) -> Option<CString> {
        path.filter(|_| self.functions.path_option.is_some())
            .map_or_else(|| self.option(key), |path| self.path_option(path, key))
    }

    /// The value of an option for requests of this thread, as GDAL reads it. `None` if it is not
    /// safe.
    pub(crate) fn safe_value(&self, safe: Safe) -> Option<CString> {
        self.option(safe.option).filter(|value| {
            let is = |word: &[u8]| value.to_bytes().eq_ignore_ascii_case(word);
            is(safe.value.to_bytes())
                || ["NO", "FALSE", "OFF", "0"].iter().any(|no| is(no.as_bytes()))
        })
    }

    /// Sets these options for the whole process, and restores those that planetkey set before and
    /// that are not among them.
    pub(crate) fn override_options(&self, wanted: &[(&'static CStr, CString)]) {
        let before = self.before.load_full().unwrap_or_default();
        for (key, value) in
            before.iter().filter(|(key, _)| !wanted.iter().any(|(other, _)| other == key))
        {
            self.set_option(key, value.as_deref());
        }
        let mut now: Vec<(&'static CStr, Option<CString>)> = Vec::new();
        for (key, value) in wanted.iter() {
            let known = before.iter().chain(&now).find(|(other, _)| other == key).cloned();
            let known = known.unwrap_or_else(|| (key, self.process_option(key)));
            self.set_option(key, Some(value));
            if !now.contains(&known) {
                now.push(known);
            }
        }
        self.before.store((!now.is_empty()).then(|| Arc::new(now)));
    }

    /// Makes GDAL forget what it knows of files below a path: that they do not exist, where they
    /// were redirected to, and what it has read.
    pub(crate) fn forget_below(&self, path: &CStr) {
        // SAFETY: a NUL-terminated text.
        unsafe { (self.functions.clear_cache_below)(path.as_ptr()) };
    }

    /// Makes GDAL forget what it knows of all files.
    pub(crate) fn forget_everything(&self) {
        // SAFETY: takes nothing.
        unsafe { (self.functions.clear_cache)() };
    }

    /// Sets or removes the callback that GDAL calls before each `CPLHTTPFetch`.
    pub(crate) fn ask_before_fetch(&'static self, ask: bool) {
        let callback = ask.then_some(self.callbacks.fetch);
        // SAFETY: a function of this type with its user data, or none.
        unsafe { (self.functions.set_fetch_callback)(callback, self.user_data()) };
    }

    /// Makes the request of a `CPLHTTPFetch`.
    ///
    /// # Safety
    /// The arguments are those that GDAL passed to the callback, or equivalent ones.
    pub(crate) unsafe fn fetch(
        &self,
        url: *const c_char,
        options: *const *const c_char,
        progress: (*mut c_void, *mut c_void),
        write: (*mut c_void, *mut c_void),
    ) -> *mut c_void {
        // SAFETY: by the same promise of the caller.
        unsafe { (self.functions.fetch)(url, options, progress.0, progress.1, write.0, write.1) }
    }

    /// Reports an error to GDAL's error handler.
    pub(crate) fn report(&self, message: &CStr) {
        // SAFETY: the format takes one NUL-terminated text.
        unsafe { (self.functions.error)(FAILURE, APP_DEFINED, c"%s".as_ptr(), message.as_ptr()) };
    }
}
