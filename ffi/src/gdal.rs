//! GDAL in the process of the caller.

use std::ffi::c_char;
use std::ptr::null_mut;

use ::planetkey_gdal::Gdal;

use crate::boundary;
use crate::error::planetkey_error;
use crate::gdal_options::planetkey_gdal_options;
use crate::handle::{self, Shared};
use crate::input;
use crate::options_handle;
use crate::session::{self, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// A session that GDAL asks for the header of its requests, until planetkey_gdal_free(). Any number of threads may use it at once.
pub struct planetkey_gdal {
    gdal: Gdal,
}

impl Shared for planetkey_gdal {
    const NAME: &'static str = "gdal";
}

/// Has GDAL ask a session: from now on what is opened as "/vsicurl/https://HOST/...", for the session's hosts and no other, carries its
/// credential, and so do requests by CPLHTTPFetch. A dataset that stays open gets the current token with each request.
///
/// The library does not link GDAL: it takes every GDAL that is in the process, linked or loaded, also those of Python wheels. Datasets
/// that are open already stay as they are. Names have to spell the host in lower case, without `:443`.
///
/// While something is installed, GDAL's options CPL_VSIL_CURL_USE_HEAD and, with ::PLANETKEY_GDAL_HEADER_LIVE, CPL_VSIL_CURL_USE_S3_REDIRECT
/// are NO for the whole process, and CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT is not YES, because GDAL would hand the credential on
/// to where a redirect leads. A thread that sets them otherwise gets no credential.
///
/// A request whose credential cannot be had goes out without one. Then GDAL's error handler, the log and planetkey_gdal_last_error()
/// say why. GDAL remembers a file that was refused: planetkey_gdal_refresh() has it forget that.
///
/// @param[in] session not NULL. Counted: it may be freed.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] gdal free it with planetkey_gdal_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no GDAL in the process, or one that cannot do what is asked for; the
///         message says what to do), ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_LOGIN_REQUIRED (the session holds nothing),
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT (also where another session is installed for one of the hosts, and where the API key travels
///         in the URL); with ::PLANETKEY_GDAL_HEADER_AT_OPEN as planetkey_session_headers().
///
/// Any thread. Blocks on the network only with ::PLANETKEY_GDAL_HEADER_AT_OPEN, and only while no valid token is there. GDAL's own threads
/// wait in the same way for a token, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_install(
    session: *const planetkey_session,
    options: *const planetkey_gdal_options,
    gdal: *mut *mut planetkey_gdal,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("gdal", gdal, null_mut(), error, || {
            let gdal = Gdal::install(session::core(session)?, options_handle::copied(options))?;
            Ok(handle::give(planetkey_gdal { gdal }))
        })
    }
}

/// Has GDAL forget what it knows of files at the session's hosts: which it could not read, where they were redirected to, and what it
/// has read of them. For after a login, and for when something has changed there. Takes in a GDAL that was loaded since, and hosts
/// that a login has added. With ::PLANETKEY_GDAL_HEADER_AT_OPEN, datasets that are opened from now on get the current token; no other
/// thread may open one meanwhile.
///
/// No dataset of these hosts should be open: GDAL has forgotten that its file exists, and gives zeros instead of an error when the server
/// refuses it afterwards. planetkey_gdal_install() does the same once.
///
/// @param[in] gdal not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return as planetkey_gdal_install().
///
/// Any thread. Blocks as planetkey_gdal_install(). Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_refresh(
    gdal: *const planetkey_gdal,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { boundary::check(error, || handle::borrow(gdal)?.gdal.refresh()) }
}

/// The name under which GDAL opens a URL with the session's credential. To be called right before that: it sees to it that there is a
/// credential, because a failure inside GDAL says less, and with ::PLANETKEY_GDAL_HEADER_AT_OPEN hands GDAL the current one. With GDAL 3.7 and
/// later the name is "/vsicurl/" and the URL; with an older one and ::PLANETKEY_GDAL_SCOPE_PATHS it is good in this process only, and whoever
/// else learns it could have GDAL send the credential elsewhere. So could a file that is opened by it and names others, as a VRT does: it must be
/// trusted as its server is.
///
/// @param[in] gdal not NULL.
/// @param[in] url NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] path free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_headers(); ::PLANETKEY_STATUS_HOST_REFUSED also for a host that is not among those installed.
///
/// Any thread; with ::PLANETKEY_GDAL_HEADER_AT_OPEN no other thread may open a dataset meanwhile, because GDAL reads its options without a lock.
/// Blocks on the network only while no valid token is there, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_path(
    gdal: *const planetkey_gdal,
    url: *const c_char,
    path: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("path", path, null_mut(), error, || {
            let path = handle::borrow(gdal)?.gdal.path(input::text("url", url)?)?;
            Ok(handle::give(planetkey_string::new(&path)))
        })
    }
}

/// Why the last request of GDAL that should have carried a credential carried none.
///
/// @param[in] gdal may be NULL.
/// @return an error to free with planetkey_error_free(); NULL when there was no such request since planetkey_gdal_install() or the last
///         planetkey_gdal_refresh(), and for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_last_error(gdal: *const planetkey_gdal) -> *mut planetkey_error {
    boundary::value(null_mut(), || {
        // SAFETY: the caller promises NULL or a living handle.
        let error = unsafe { gdal.as_ref() }?.gdal.last_error()?;
        Some(handle::give(planetkey_error::new(&error)))
    })
}

/// Ends what planetkey_gdal_install() began: GDAL gets its options back and asks no more. Datasets that are still open send their
/// next requests without a credential.
///
/// @param[in] gdal may be NULL, which does nothing.
///
/// Any thread, once, before main() ends: GDAL's own end may come before that of static objects. Never blocks on the network. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_gdal_free(gdal: *mut planetkey_gdal) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(gdal) }
}
