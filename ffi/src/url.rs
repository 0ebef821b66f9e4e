//! URLs that carry an API key.

use std::ffi::c_char;

use crate::boundary;
use crate::error::planetkey_error;
use crate::input;
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// Removes the `api_key` parameters from a URL, which may then be stored or shown. The rest stays
/// unchanged.
///
/// @param[in] url NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
/// @param[out] stripped the text, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_strip_api_key(
    url: *const c_char,
    stripped: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("stripped", stripped, error, || {
            Ok(planetkey_string::new(&planetkey::strip_api_key(input::text("url", url)?)))
        })
    }
}

/// Makes a URL safe to log: replaces its user information and the values of `api_key` and other
/// secret parameters.
///
/// @param[in] url NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
/// @param[out] redacted the text, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_redact_url(
    url: *const c_char,
    redacted: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("redacted", redacted, error, || {
            Ok(planetkey_string::new(&planetkey::redact_url(input::text("url", url)?)))
        })
    }
}
