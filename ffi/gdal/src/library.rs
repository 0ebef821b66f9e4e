//! One GDAL of this process.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Arc, LazyLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use planetkey::{Error, Result, Status};

use crate::functions::{FetchCallback, Functions, LANDMARK};
use crate::loaded::{self, Object};
use crate::{fetch, header_file};

/// A GDAL of this process. It stays loaded, and nothing here is ever freed: GDAL keeps pointers to it.
pub(crate) struct Library {
    functions: Functions,
    /// As `GDAL_VERSION_NUM`: 3060200.
    number: u32,
    /// As people say it: "3.6.2".
    version: String,
    /// Where a function of it lies: what tells two of them apart.
    address: usize,
    /// What the options that are changed for the whole process were before.
    before: ArcSwapOption<Vec<(&'static CStr, Option<CString>)>>,
    _object: Object,
}

static LIBRARIES: LazyLock<ArcSwap<Vec<&'static Library>>> = LazyLock::new(ArcSwap::default);

/// `CE_Failure` and `CPLE_AppDefined` of `cpl_error.h`.
const FAILURE: c_int = 3;
const APP_DEFINED: c_int = 1;

/// GDAL caches where a signed redirect led to, and goes there with whatever the header file says. It asks for a size by HEAD, and where
/// that is refused goes to the redirect's target by GET, with any header. Both only where these are not off; GDAL has no such options for
/// single hosts.
pub(crate) const CACHES_REDIRECTS: &CStr = c"CPL_VSIL_CURL_USE_S3_REDIRECT";
pub(crate) const ASKS_BY_HEAD: &CStr = c"CPL_VSIL_CURL_USE_HEAD";
/// And it hands any header on to wherever a redirect leads where this is YES.
pub(crate) const HANDS_HEADERS_ON: &CStr = c"CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT";

/// An option of the process, and the one value of it with which a credential stays where it belongs.
#[derive(Clone, Copy)]
pub(crate) struct Safe {
    pub(crate) option: &'static CStr,
    pub(crate) value: &'static CStr,
}

/// Every GDAL that is in the process now. Those that were found before stay.
///
/// Errors: UNSUPPORTED where there is none.
pub(crate) fn find() -> Result<Arc<Vec<&'static Library>>> {
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
        match Library::new(object, address as usize) {
            Some(library) => libraries.push(Box::leak(Box::new(library))),
            None => too_old = true,
        }
    }
    if libraries.is_empty() {
        let message = match too_old {
            true => "the GDAL in this process lacks functions that planetkey needs; use GDAL 3.2 or later",
            false if cfg!(unix) => {
                "there is no GDAL in this process; link it, or import rasterio or osgeo, before this call (one that is linked statically \
                 has to export its symbols)"
            }
            false => "planetkey cannot look for GDAL on this system",
        };
        return Err(Error::new(Status::Unsupported, message));
    }
    LIBRARIES.store(Arc::new(libraries));
    Ok(LIBRARIES.load_full())
}

/// Those that were found before.
pub(crate) fn known() -> Arc<Vec<&'static Library>> {
    LIBRARIES.load_full()
}

impl Library {
    /// Nothing where a function is missing.
    fn new(object: Object, address: usize) -> Option<Library> {
        let functions = Functions::of(&object)?;
        let info = |what: &CStr| {
            // SAFETY: a text that ends with a NUL; what comes back is GDAL's, and copied before the next call.
            let text = unsafe { (functions.version_info)(what.as_ptr()) };
            // SAFETY: as above.
            (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
        };
        let number = info(c"VERSION_NUM")?.trim().parse().ok()?;
        let version = info(c"RELEASE_NAME")?;
        Some(Library { functions, number, version, address, before: ArcSwapOption::empty(), _object: object })
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Whether options of single paths reach `/vsicurl/`.
    pub(crate) fn knows_hosts(&self) -> bool {
        self.number >= 3_070_000 && self.functions.set_path_option.is_some()
    }

    /// Whether `GDAL_HTTP_HEADERS` stays at home when GDAL goes where a redirect led to.
    pub(crate) fn keeps_headers_from_redirects(&self) -> bool {
        self.number >= 3_100_000
    }

    /// Makes planetkey one of GDAL's file systems, unless it is one already. GDAL forgets them in `VSICleanupFileManager`.
    ///
    /// Errors: UNSUPPORTED where GDAL refuses it.
    pub(crate) fn install_file_system(&'static self) -> Result<()> {
        if header_file::prefix().is_empty() {
            return Err(Error::new(Status::Internal, "the system gives no random numbers"));
        }
        if self.reads(header_file::probe()) {
            return Ok(());
        }
        // SAFETY: takes nothing.
        let file_system = unsafe { (self.functions.new_file_system)() };
        let installed = !file_system.is_null() && {
            // SAFETY: GDAL gave a struct that begins with these members, and nobody else has it yet.
            header_file::fill_in(unsafe { &mut *file_system }, self.user_data());
            // SAFETY: the prefix begins and ends with a slash, and GDAL copies the struct.
            let installed = unsafe { (self.functions.install_file_system)(header_file::prefix().as_ptr(), file_system) } == 0;
            // SAFETY: from GDAL, and freed once.
            unsafe { (self.functions.free_file_system)(file_system) };
            installed
        };
        match installed && self.reads(header_file::probe()) {
            true => Ok(()),
            false => Err(Error::new(Status::Unsupported, format!("GDAL {} takes no file system of planetkey", self.version))),
        }
    }

    fn reads(&self, name: &CStr) -> bool {
        // SAFETY: both texts end with a NUL.
        let file = unsafe { (self.functions.open)(name.as_ptr(), c"rb".as_ptr()) };
        if !file.is_null() {
            // SAFETY: from the call above, and closed once.
            unsafe { (self.functions.close)(file) };
        }
        !file.is_null()
    }

    /// What callbacks get: this library.
    fn user_data(&'static self) -> *mut c_void {
        std::ptr::from_ref(self).cast_mut().cast()
    }

    /// The library behind the user data of a callback.
    ///
    /// # Safety
    /// `user_data` is NULL or came from [`Library::user_data`].
    pub(crate) unsafe fn of(user_data: *mut c_void) -> Option<&'static Library> {
        // SAFETY: by the promise above; libraries live as long as the process.
        unsafe { user_data.cast::<Library>().cast_const().as_ref() }
    }

    /// An option for everything below a path of `/vsicurl/`; without a value it is taken away.
    pub(crate) fn set_path_option(&self, path: &CStr, key: &CStr, value: Option<&CStr>) {
        let Some(set) = self.functions.set_path_option else { return };
        if value.is_some() && value == self.path_option(path, key).as_deref() {
            // GDAL's other threads may be reading it.
            return;
        }
        // SAFETY: texts that end with a NUL, or NULL; GDAL copies them.
        unsafe { set(path.as_ptr(), key.as_ptr(), value.map_or(std::ptr::null(), CStr::as_ptr)) };
    }

    fn path_option(&self, path: &CStr, key: &CStr) -> Option<CString> {
        // SAFETY: texts that end with a NUL, or NULL.
        let value = unsafe { self.functions.path_option?(path.as_ptr(), key.as_ptr(), std::ptr::null()) };
        // SAFETY: NULL or a text of GDAL, which only planetkey changes, one thread at a time.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    fn set_option(&self, key: &CStr, value: Option<&CStr>) {
        // SAFETY: texts that end with a NUL, or NULL; GDAL copies them.
        unsafe { (self.functions.set_option)(key.as_ptr(), value.map_or(std::ptr::null(), CStr::as_ptr)) };
    }

    /// What this thread has for an option: its own, the process's, or the environment's.
    fn option(&self, key: &CStr) -> Option<CString> {
        // SAFETY: a text that ends with a NUL, or NULL.
        let value = unsafe { (self.functions.option)(key.as_ptr(), std::ptr::null()) };
        // SAFETY: NULL or a text of GDAL that lives until this thread or the process sets the option anew.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    /// What the process has set; before GDAL 3.8 nobody can ask for that.
    fn process_option(&self, key: &CStr) -> Option<CString> {
        let get = self.functions.process_option?;
        // SAFETY: as in `option`.
        let value = unsafe { get(key.as_ptr(), std::ptr::null()) };
        // SAFETY: as in `option`.
        (!value.is_null()).then(|| unsafe { CStr::from_ptr(value) }.to_owned())
    }

    /// What an option is for a file, and without one for this thread.
    pub(crate) fn option_of(&self, path: Option<&CStr>, key: &CStr) -> Option<CString> {
        path.filter(|_| self.functions.path_option.is_some()).map_or_else(|| self.option(key), |path| self.path_option(path, key))
    }

    /// What an option of GDAL is for requests of this thread, where that is safe, as GDAL reads it.
    pub(crate) fn safe_value(&self, safe: Safe) -> Option<CString> {
        self.option(safe.option).filter(|value| {
            let is = |word: &[u8]| value.to_bytes().eq_ignore_ascii_case(word);
            is(safe.value.to_bytes()) || ["NO", "FALSE", "OFF", "0"].iter().any(|no| is(no.as_bytes()))
        })
    }

    /// Sets these options for the whole process, and those that are not among them any more back to what they were.
    pub(crate) fn override_options(&self, wanted: &[(&'static CStr, CString)]) {
        let before = self.before.load_full().unwrap_or_default();
        for (key, value) in before.iter().filter(|(key, _)| !wanted.iter().any(|(other, _)| other == key)) {
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

    /// Forgets what GDAL knows of files below a path: that they are not there, where they were redirected to, what was read.
    pub(crate) fn forget_below(&self, path: &CStr) {
        // SAFETY: a text that ends with a NUL.
        unsafe { (self.functions.clear_cache_below)(path.as_ptr()) };
    }

    pub(crate) fn forget_everything(&self) {
        // SAFETY: takes nothing.
        unsafe { (self.functions.clear_cache)() };
    }

    /// Has GDAL ask before each `CPLHTTPFetch`, or not any more.
    pub(crate) fn ask_before_fetch(&'static self, ask: bool) {
        let callback = ask.then_some(fetch::fetch as FetchCallback);
        // SAFETY: a function of this type and what it expects, or none.
        unsafe { (self.functions.set_fetch_callback)(callback, self.user_data()) };
    }

    /// The fetch itself.
    ///
    /// # Safety
    /// The arguments are those that GDAL gave to the callback, or as good.
    pub(crate) unsafe fn fetch(
        &self,
        url: *const c_char,
        options: *const *const c_char,
        progress: (*mut c_void, *mut c_void),
        write: (*mut c_void, *mut c_void),
    ) -> *mut c_void {
        // SAFETY: the promise is handed on.
        unsafe { (self.functions.fetch)(url, options, progress.0, progress.1, write.0, write.1) }
    }

    /// Tells GDAL's error handler.
    pub(crate) fn complain(&self, message: &CStr) {
        // SAFETY: the format takes one text that ends with a NUL.
        unsafe { (self.functions.error)(FAILURE, APP_DEFINED, c"%s".as_ptr(), message.as_ptr()) };
    }
}
