//! GDAL support.

use std::ffi::c_char;
use std::ptr::null_mut;

use ::planetkey_gdal::Gdal;

use crate::boundary;
use crate::error::planetkey_error;
use crate::gdal_options::planetkey_gdal_options;
use crate::handle::{self, Shared};
use crate::input;
use crate::options_handle;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// An installation of a session in GDAL, until planetkey_gdal_free(). Any number of threads may use
/// it at once.
pub struct planetkey_gdal {
    gdal: Gdal,
}

impl Shared for planetkey_gdal {
    const NAME: &'static str = "gdal";
}

/// Makes GDAL ask a session: requests for "/vsicurl/https://HOST/..." carry the session's
/// credential if HOST is one of the session's hosts, and so do requests by CPLHTTPFetch.
///
/// A dataset that stays open sends the current token with each request. Datasets that are open
/// already stay as they are. Names must spell the host in lower case, without `:443`.
///
/// The library does not link GDAL. It finds every GDAL in the process, linked or loaded, also those
/// of Python wheels.
///
/// GDAL would send the credential to the target of a redirect. Therefore, while a session is
/// installed, GDAL's options CPL_VSIL_CURL_USE_HEAD and, with ::PLANETKEY_GDAL_HEADER_LIVE,
/// CPL_VSIL_CURL_USE_S3_REDIRECT are NO for the whole process, and
/// CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT is not YES. A thread that sets them
/// otherwise gets no credential.
///
/// A request for which there is no credential is sent without one. GDAL's error handler, the log
/// and planetkey_gdal_last_error() say why. GDAL remembers files that a server refused;
/// planetkey_gdal_refresh() makes it forget them.
///
/// @param[in] session Not NULL. Counted, so that it may be freed.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] gdal the installation, NULL on failure. Free with planetkey_gdal_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no GDAL in the process, or one
///         that cannot do what the options ask for; the message says what to do),
///         ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_LOGIN_REQUIRED (the session has no
///         credential), ::PLANETKEY_STATUS_INVALID_ARGUMENT (also if another session is installed
///         for one of the hosts, and if the URL carries the API key); with
///         ::PLANETKEY_GDAL_HEADER_AT_OPEN also as planetkey_session_headers().
///
/// Thread-safe. Blocks on the network only with ::PLANETKEY_GDAL_HEADER_AT_OPEN, and only if there
/// is no valid token. GDAL's own threads wait for a token in the same way, until the session's
/// deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_install(
    session: *const planetkey_session,
    options: *const planetkey_gdal_options,
    gdal: *mut *mut planetkey_gdal,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("gdal", gdal, error, || {
            let gdal = Gdal::install(core(session)?, options_handle::copied(options))?;
            Ok(planetkey_gdal { gdal })
        })
    }
}

/// Makes GDAL forget what it knows of files at the session's hosts: which files it could not read,
/// where they were redirected to, and what it has read of them.
///
/// Call it after a login, or when files on the server changed. It also installs the session in a
/// GDAL that was loaded since, and for hosts that a login added. With
/// ::PLANETKEY_GDAL_HEADER_AT_OPEN, datasets that are opened from now on get the current token, and
/// no other thread may open a dataset meanwhile.
///
/// No dataset of these hosts should be open: if the server refuses it afterwards, GDAL returns
/// zeros instead of an error. planetkey_gdal_install() does the same once.
///
/// @param[in] gdal Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_gdal_install().
///
/// Thread-safe. Blocks as planetkey_gdal_install(). Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_refresh(
    gdal: *const planetkey_gdal,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { boundary::check(error, || handle::borrow(gdal)?.gdal.refresh()) }
}

/// Returns the name under which GDAL opens a URL with the session's credential. Call it right
/// before GDAL opens the name.
///
/// It makes sure that there is a credential, because an error inside GDAL says less. With
/// ::PLANETKEY_GDAL_HEADER_AT_OPEN it gives GDAL the current token.
///
/// With GDAL 3.7 and later the name is "/vsicurl/" and the URL. With an older one and
/// ::PLANETKEY_GDAL_SCOPE_PATHS the name is valid in this process only and must be kept secret:
/// with it, GDAL can be made to send the credential to another server. So can a file opened by it
/// that names other files, as a VRT does; such files must be trusted.
///
/// @param[in] gdal Not NULL.
/// @param[in] url NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
/// @param[out] path the name, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_headers(); ::PLANETKEY_STATUS_HOST_REFUSED also for a host for
///         which the session is not installed.
///
/// Thread-safe; with ::PLANETKEY_GDAL_HEADER_AT_OPEN no other thread may open a dataset meanwhile,
/// because GDAL reads its options without a lock. Blocks on the network only if there is no valid
/// token, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_path(
    gdal: *const planetkey_gdal,
    url: *const c_char,
    path: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("path", path, error, || {
            Ok(planetkey_string::new(&handle::borrow(gdal)?.gdal.path(input::text("url", url)?)?))
        })
    }
}

/// Returns why the last request of GDAL that should have carried a credential carried none.
///
/// @param[in] gdal May be NULL.
/// @return an error, to free with planetkey_error_free(). NULL if there was no such request since
///         planetkey_gdal_install() or the last planetkey_gdal_refresh(), and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_last_error(
    gdal: *const planetkey_gdal,
) -> *mut planetkey_error {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(gdal, null_mut(), |gdal| {
            gdal.gdal.last_error().map(|error| handle::give(planetkey_error::new(&error)))
        })
    }
}

/// Ends an installation: restores GDAL's options, and GDAL no longer asks the session. Datasets
/// that are still open send their next requests without a credential.
///
/// @param[in] gdal NULL does nothing.
///
/// Any thread, once, and before main() ends, because GDAL may be cleaned up before static objects.
/// Sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_gdal_free(gdal: *mut planetkey_gdal) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(gdal) }
}
