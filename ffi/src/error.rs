//! Errors.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::Error;

use crate::handle::{self, Shared};
use crate::status::planetkey_status;
use crate::text::{c_string, optional_c_string, pointer};

/// Why a call failed. The caller owns it and frees it with planetkey_error_free(). Immutable; any
/// thread may read it. No text in it is a secret, so that all of it may be logged.
pub struct planetkey_error {
    status: planetkey_status,
    message: CString,
    reason: Option<CString>,
    oauth_error: Option<CString>,
    oauth_error_description: Option<CString>,
    http_status: i32,
    retry_after_ms: i64,
    retryable: bool,
    profile: Option<CString>,
    core: Error,
}

impl Shared for planetkey_error {
    const NAME: &'static str = "error";
}

impl planetkey_error {
    pub(crate) fn new(error: &Error) -> Self {
        planetkey_error {
            status: error.status().into(),
            message: c_string(error.message()),
            reason: optional_c_string(error.reason().map(planetkey::Reason::name)),
            oauth_error: optional_c_string(error.oauth_error()),
            oauth_error_description: optional_c_string(error.oauth_error_description()),
            http_status: error.http_status().map_or(0, i32::from),
            retry_after_ms: error
                .retry_after()
                .map_or(-1, |wait| i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)),
            retryable: error.retryable(),
            profile: optional_c_string(error.profile()),
            core: error.clone(),
        }
    }

    pub(crate) fn core(&self) -> &Error {
        &self.core
    }
}

/// Returns the status of the failed call, which says what the caller should do.
///
/// @param[in] error May be NULL.
/// @return the status. ::PLANETKEY_STATUS_OK for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_status(error: *const planetkey_error) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, planetkey_status::Ok, |error| Some(error.status)) }
}

/// Returns the message: one line that says what failed and what to do next. It is safe to log.
///
/// @param[in] error May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_message(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, null(), |error| Some(error.message.as_ptr())) }
}

/// Returns the reason: a word that refines the status, as "expired" for
/// ::PLANETKEY_STATUS_LOGIN_REQUIRED.
///
/// @param[in] error May be NULL.
/// @return NUL-terminated text, borrowed until planetkey_error_free(). NULL if there is none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_reason(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, null(), |error| pointer(&error.reason)) }
}

/// Returns the member `error` of the authorization server's response (RFC 6749 section 5.2), as
/// "invalid_client".
///
/// @param[in] error May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(). NULL if there is none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_oauth_error(
    error: *const planetkey_error,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, null(), |error| pointer(&error.oauth_error)) }
}

/// Returns the member `error_description` of the authorization server's response (RFC 6749 section
/// 5.2), on one line.
///
/// @param[in] error May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(). NULL if there is none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_oauth_error_description(
    error: *const planetkey_error,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, null(), |error| pointer(&error.oauth_error_description)) }
}

/// Returns the HTTP status of the authorization server's response.
///
/// @param[in] error May be NULL.
/// @return the number. 0 if there was no response.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_http_status(error: *const planetkey_error) -> i32 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, 0, |error| Some(error.http_status)) }
}

/// Returns how long to wait before the next attempt.
///
/// @param[in] error May be NULL.
/// @return milliseconds. -1 if it is not known.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_retry_after_ms(error: *const planetkey_error) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, -1, |error| Some(error.retry_after_ms)) }
}

/// Returns whether the same call may succeed later, without any change by the user.
///
/// @param[in] error May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_retryable(error: *const planetkey_error) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, false, |error| Some(error.retryable)) }
}

/// Returns the name of the profile that the error is about.
///
/// @param[in] error May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(). NULL if there is none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_profile(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(error, null(), |error| pointer(&error.profile)) }
}

/// Frees an error. Text borrowed from it becomes invalid.
///
/// @param[in] error NULL does nothing.
///
/// Any thread, once per error. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_free(error: *mut planetkey_error) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(error) }
}
