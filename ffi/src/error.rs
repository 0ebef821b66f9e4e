//! Why something failed.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::Error;

use crate::boundary;
use crate::handle::{self, Shared};
use crate::input::c_string;
use crate::status::planetkey_status;

/// Why a call failed. Owned by the caller, immutable, free it with planetkey_error_free(); any thread may read it.
/// No member holds a secret; all text is safe to log.
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
}

impl Shared for planetkey_error {
    const NAME: &'static str = "error";
}

impl planetkey_error {
    pub(crate) fn new(error: &Error) -> Self {
        planetkey_error {
            status: error.status().into(),
            message: c_string(error.message()),
            reason: error.reason().map(c_string),
            oauth_error: error.oauth_error().map(c_string),
            oauth_error_description: error.oauth_error_description().map(c_string),
            http_status: error.http_status().map_or(0, i32::from),
            retry_after_ms: error.retry_after_ms().map_or(-1, |ms| i64::try_from(ms).unwrap_or(i64::MAX)),
            retryable: error.retryable(),
            profile: error.profile().map(c_string),
        }
    }
}

/// # Safety
/// `error` is NULL or a living handle.
unsafe fn get<V>(error: *const planetkey_error, otherwise: V, body: impl FnOnce(&planetkey_error) -> Option<V>) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { error.as_ref() }.and_then(body))
}

/// What the caller should do: the status that the failed call returned.
///
/// @param[in] error may be NULL.
/// @return the status; ::PLANETKEY_STATUS_OK for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_status(error: *const planetkey_error) -> planetkey_status {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, planetkey_status::Ok, |error| Some(error.status)) }
}

/// One line for people, which says what to do next and is safe to log.
///
/// @param[in] error may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_message(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, null(), |error| Some(error.message.as_ptr())) }
}

/// A word that refines the status, as "expired" for ::PLANETKEY_STATUS_LOGIN_REQUIRED.
///
/// @param[in] error may be NULL.
/// @return NUL-terminated text, borrowed until planetkey_error_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_reason(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, null(), |error| error.reason.as_ref().map(|text| text.as_ptr())) }
}

/// The member `error` of the authorization server's answer (RFC 6749 5.2), as "invalid_client".
///
/// @param[in] error may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_oauth_error(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, null(), |error| error.oauth_error.as_ref().map(|text| text.as_ptr())) }
}

/// The member `error_description` of the authorization server's answer (RFC 6749 5.2): the server's words, on one line.
///
/// @param[in] error may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_oauth_error_description(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, null(), |error| error.oauth_error_description.as_ref().map(|text| text.as_ptr())) }
}

/// The HTTP status of the authorization server's answer.
///
/// @param[in] error may be NULL.
/// @return the number; 0 when there was no answer.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_http_status(error: *const planetkey_error) -> i32 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, 0, |error| Some(error.http_status)) }
}

/// How long to wait before trying again.
///
/// @param[in] error may be NULL.
/// @return milliseconds; -1 when nobody said.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_retry_after_ms(error: *const planetkey_error) -> i64 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, -1, |error| Some(error.retry_after_ms)) }
}

/// Whether the same call may succeed later without anybody changing anything.
///
/// @param[in] error may be NULL.
/// @return true or false; false for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_retryable(error: *const planetkey_error) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, false, |error| Some(error.retryable)) }
}

/// The profile that this is about.
///
/// @param[in] error may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_profile(error: *const planetkey_error) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(error, null(), |error| error.profile.as_ref().map(|text| text.as_ptr())) }
}

/// Frees an error. Everything borrowed from it is gone afterwards.
///
/// @param[in] error may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_error_free(error: *mut planetkey_error) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(error) }
}
