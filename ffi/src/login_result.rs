//! What a login returns.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::LoginResult;

use crate::handle::{self, Shared};
use crate::text::{c_string, c_strings, optional_c_string, pointer};

/// The result of a login, without any secret. The caller owns it and frees it with
/// planetkey_login_result_free(). Immutable; any thread may read it.
pub struct planetkey_login_result {
    json: CString,
    prompted: bool,
    subject: Option<CString>,
    email: Option<CString>,
    scopes: Vec<CString>,
    expires_at: i64,
    profile: Option<CString>,
    file: Option<CString>,
}

impl Shared for planetkey_login_result {
    const NAME: &'static str = "result";
}

impl planetkey_login_result {
    pub(crate) fn new(result: &LoginResult) -> Self {
        planetkey_login_result {
            json: c_string(&result.to_json().to_string()),
            prompted: result.prompted,
            subject: optional_c_string(result.subject.as_deref()),
            email: optional_c_string(result.email.as_deref()),
            scopes: c_strings(&result.scopes),
            expires_at: result.expires_at.unwrap_or(-1),
            profile: optional_c_string(result.profile.as_deref()),
            file: result.file.as_ref().map(|file| c_string(&file.display().to_string())),
        }
    }
}

/// Returns everything as one JSON object, which is the same in all languages.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_json(
    result: *const planetkey_login_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| Some(result.json.as_ptr())) }
}

/// Returns whether the user was prompted. They are not if the session was valid or could be
/// refreshed.
///
/// @param[in] result May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_prompted(
    result: *const planetkey_login_result,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, false, |result| Some(result.prompted)) }
}

/// Returns the subject identifier of the user: `sub` of the ID token, or of the access token if
/// that is a JWT.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL if the tokens
///         do not contain it.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_subject(
    result: *const planetkey_login_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| pointer(&result.subject)) }
}

/// Returns the e-mail address of the user. Needs the scope `email`.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL if the tokens
///         do not contain it.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_email(
    result: *const planetkey_login_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| pointer(&result.email)) }
}

/// Returns the number of granted scopes.
///
/// @param[in] result May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_scope_count(
    result: *const planetkey_login_result,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, 0, |result| Some(result.scopes.len())) }
}

/// Returns a granted scope.
///
/// @param[in] result May be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL if there is no
///         such scope.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_scope(
    result: *const planetkey_login_result,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(result, null(), |result| result.scopes.get(index).map(|scope| scope.as_ptr()))
    }
}

/// Returns when the access token expires. The session refreshes it.
///
/// @param[in] result May be NULL.
/// @return Unix seconds. ::PLANETKEY_TIME_NONE for an API key, and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_expires_at(
    result: *const planetkey_login_result,
) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, -1, |result| Some(result.expires_at)) }
}

/// Returns the profile of the session.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL if there is
///         none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_profile(
    result: *const planetkey_login_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| pointer(&result.profile)) }
}

/// Returns the file in which the session is saved.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_result_free(). NULL for a session
///         in memory.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_file(
    result: *const planetkey_login_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| pointer(&result.file)) }
}

/// Frees the result of a login. The session stays logged in. Text borrowed from the result becomes
/// invalid.
///
/// @param[in] result NULL does nothing.
///
/// Any thread, once per result. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_result_free(result: *mut planetkey_login_result) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(result) }
}
