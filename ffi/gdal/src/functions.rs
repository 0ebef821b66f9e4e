//! The functions of GDAL's C interface that planetkey calls, with the types of GDAL's headers since
//! 3.0.

use std::ffi::{CStr, c_char, c_int, c_void};

use crate::loaded::Object;

/// `VSIFilesystemPluginCallbacksStruct`. GDAL allocates it, so that later versions may have more
/// members at the end. planetkey does not change those.
#[repr(C)]
pub(crate) struct FileSystem {
    pub(crate) user_data: *mut c_void,
    stat: *mut c_void,
    unlink: *mut c_void,
    rename: *mut c_void,
    mkdir: *mut c_void,
    rmdir: *mut c_void,
    read_dir: *mut c_void,
    pub(crate) open:
        Option<unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> *mut c_void>,
    pub(crate) tell: Option<unsafe extern "C" fn(*mut c_void) -> u64>,
    pub(crate) seek: Option<unsafe extern "C" fn(*mut c_void, u64, c_int) -> c_int>,
    pub(crate) read: Option<unsafe extern "C" fn(*mut c_void, *mut c_void, usize, usize) -> usize>,
    read_multi_range: *mut c_void,
    get_range_status: *mut c_void,
    pub(crate) eof: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
    write: *mut c_void,
    flush: *mut c_void,
    truncate: *mut c_void,
    pub(crate) close: Option<unsafe extern "C" fn(*mut c_void) -> c_int>,
}

/// `CPLHTTPFetchCallbackFunc`: URL, options, the caller's callbacks with their data, and the user
/// data.
pub(crate) type FetchCallback = unsafe extern "C" fn(
    *const c_char,
    *const *const c_char,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
    *mut c_void,
) -> *mut c_void;

/// The struct of these functions: `needed` are in every GDAL since 3.2, `since` only in later
/// versions.
macro_rules! functions {
    (
        needed { $($needed:ident as $needed_type:ident = $needed_symbol:literal: fn($($needed_argument:tt)*) $(-> $needed_result:ty)?;)* }
        since { $($later:ident as $later_type:ident = $later_symbol:literal: fn($($later_argument:tt)*) $(-> $later_result:ty)?;)* }
    ) => {
        $(type $needed_type = unsafe extern "C" fn($($needed_argument)*) $(-> $needed_result)?;)*
        $(type $later_type = unsafe extern "C" fn($($later_argument)*) $(-> $later_result)?;)*

        pub(crate) struct Functions {
            $(pub(crate) $needed: $needed_type,)*
            $(pub(crate) $later: Option<$later_type>,)*
        }

        impl Functions {
            /// `None` if a needed function is missing.
            pub(crate) fn of(object: &Object) -> Option<Functions> {
                Some(Functions {
                    $($needed: {
                        let address = object.symbol($needed_symbol)?;
                        // SAFETY: GDAL's function of this name has this type in GDAL's headers.
                        unsafe { std::mem::transmute::<*mut c_void, $needed_type>(address) }
                    },)*
                    $($later: object.symbol($later_symbol).map(|address| {
                        // SAFETY: as above.
                        unsafe { std::mem::transmute::<*mut c_void, $later_type>(address) }
                    }),)*
                })
            }
        }
    };
}

functions! {
    needed {
        version_info as VersionInfo = c"GDALVersionInfo": fn(*const c_char) -> *const c_char;
        error as ErrorFunction = c"CPLError": fn(c_int, c_int, *const c_char, ...);
        set_option as SetOption = c"CPLSetConfigOption": fn(*const c_char, *const c_char);
        option as OptionFunction = c"CPLGetConfigOption": fn(*const c_char, *const c_char) -> *const c_char;
        clear_cache as ClearCache = c"VSICurlClearCache": fn();
        clear_cache_below as ClearCacheBelow = c"VSICurlPartialClearCache": fn(*const c_char);
        open as Open = c"VSIFOpenL": fn(*const c_char, *const c_char) -> *mut c_void;
        close as Close = c"VSIFCloseL": fn(*mut c_void) -> c_int;
        new_file_system as NewFileSystem = c"VSIAllocFilesystemPluginCallbacksStruct": fn() -> *mut FileSystem;
        free_file_system as FreeFileSystem = c"VSIFreeFilesystemPluginCallbacksStruct": fn(*mut FileSystem);
        install_file_system as InstallFileSystem = c"VSIInstallPluginHandler": fn(*const c_char, *const FileSystem) -> c_int;
        set_fetch_callback as SetFetchCallback = c"CPLHTTPSetFetchCallback": fn(Option<FetchCallback>, *mut c_void);
        fetch as Fetch = c"CPLHTTPFetchEx":
            fn(*const c_char, *const *const c_char, *mut c_void, *mut c_void, *mut c_void, *mut c_void) -> *mut c_void;
    }
    since {
        set_path_option as SetPathOption = c"VSISetPathSpecificOption": fn(*const c_char, *const c_char, *const c_char);
        path_option as PathOption = c"VSIGetPathSpecificOption":
            fn(*const c_char, *const c_char, *const c_char) -> *const c_char;
        process_option as ProcessOption = c"CPLGetGlobalConfigOption": fn(*const c_char, *const c_char) -> *const c_char;
    }
}

/// The function whose address differs between two GDALs of a process.
pub(crate) const LANDMARK: &CStr = c"VSIInstallPluginHandler";
