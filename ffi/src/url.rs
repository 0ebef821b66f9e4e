//! URLs that carry an API key.

use std::ffi::c_char;
use std::ptr::null_mut;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle;
use crate::input;
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// A URL without its `api_key` parameters, everything else untouched: what may be stored or shown.
///
/// @param[in] url NUL-terminated UTF-8, at most 1 MiB; not NULL. Borrowed for the call.
/// @param[out] stripped the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_strip_api_key(
    url: *const c_char,
    stripped: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("stripped", stripped, null_mut(), error, || {
            Ok(handle::give(planetkey_string::new(&planetkey::strip_api_key(input::text("url", url)?))))
        })
    }
}

/// A URL with its user information and the values of `api_key` and other secret parameters replaced: safe to log.
///
/// @param[in] url NUL-terminated UTF-8, at most 1 MiB; not NULL. Borrowed for the call.
/// @param[out] redacted the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_redact_url(
    url: *const c_char,
    redacted: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("redacted", redacted, null_mut(), error, || {
            Ok(handle::give(planetkey_string::new(&planetkey::redact_url(input::text("url", url)?))))
        })
    }
}
