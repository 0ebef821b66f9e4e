//! What a login has brought.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::LoginResult;

use crate::boundary;
use crate::handle::{self, Shared};
use crate::input::c_string;

/// What a login has brought, without any secret. Owned by the caller, immutable, free it with planetkey_logged_in_free(); any thread may
/// read it.
pub struct planetkey_logged_in {
    json: CString,
    asked: bool,
    subject: Option<CString>,
    email: Option<CString>,
    scopes: Vec<CString>,
    expires_at: i64,
    profile: Option<CString>,
    file: Option<CString>,
}

impl Shared for planetkey_logged_in {
    const NAME: &'static str = "logged_in";
}

impl planetkey_logged_in {
    pub(crate) fn new(logged_in: &LoginResult) -> Self {
        let optional = |text: &Option<String>| text.as_deref().map(c_string);
        planetkey_logged_in {
            json: c_string(&logged_in.to_json().to_string()),
            asked: logged_in.prompted,
            subject: optional(&logged_in.subject),
            email: optional(&logged_in.email),
            scopes: logged_in.scopes.iter().map(|scope| c_string(scope)).collect(),
            expires_at: logged_in.expires_at.unwrap_or(-1),
            profile: optional(&logged_in.profile),
            file: logged_in.file.as_ref().map(|file| c_string(&file.display().to_string())),
        }
    }
}

/// # Safety
/// `logged_in` is NULL or a living handle.
unsafe fn get<V>(logged_in: *const planetkey_logged_in, otherwise: V, body: impl FnOnce(&planetkey_logged_in) -> Option<V>) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { logged_in.as_ref() }.and_then(body))
}

fn pointer(text: &Option<CString>) -> Option<*const c_char> {
    text.as_ref().map(|text| text.as_ptr())
}

/// Everything as one JSON object, the same in all languages.
///
/// @param[in] logged_in may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_json(logged_in: *const planetkey_logged_in) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| Some(logged_in.json.as_ptr())) }
}

/// Whether a person was asked: not where the session was good, or could be renewed.
///
/// @param[in] logged_in may be NULL.
/// @return true or false; false for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_asked(logged_in: *const planetkey_logged_in) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, false, |logged_in| Some(logged_in.asked)) }
}

/// Who is logged in, by the authorization server's own name for them: `sub` of the ID token, else of the access token where that is a JWT.
///
/// @param[in] logged_in may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when the tokens do not say.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_subject(logged_in: *const planetkey_logged_in) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| pointer(&logged_in.subject)) }
}

/// The e-mail address of whoever is logged in, with the scope `email`.
///
/// @param[in] logged_in may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when the tokens do not say.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_email(logged_in: *const planetkey_logged_in) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| pointer(&logged_in.email)) }
}

/// How many scopes were granted.
///
/// @param[in] logged_in may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_scope_count(logged_in: *const planetkey_logged_in) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, 0, |logged_in| Some(logged_in.scopes.len())) }
}

/// A scope that was granted.
///
/// @param[in] logged_in may be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when there is no such scope.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_scope(logged_in: *const planetkey_logged_in, index: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| logged_in.scopes.get(index).map(|scope| scope.as_ptr())) }
}

/// When the access token ends; the session renews it.
///
/// @param[in] logged_in may be NULL.
/// @return Unix seconds; -1 for an API key, and for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_expires_at(logged_in: *const planetkey_logged_in) -> i64 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, -1, |logged_in| Some(logged_in.expires_at)) }
}

/// The profile whose session it is.
///
/// @param[in] logged_in may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_profile(logged_in: *const planetkey_logged_in) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| pointer(&logged_in.profile)) }
}

/// The file that keeps the session.
///
/// @param[in] logged_in may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL for a session that lives in this process only.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_file(logged_in: *const planetkey_logged_in) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(logged_in, null(), |logged_in| pointer(&logged_in.file)) }
}

/// Frees what a login has brought. Everything borrowed from it is gone afterwards; the session stays logged in.
///
/// @param[in] logged_in may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logged_in_free(logged_in: *mut planetkey_logged_in) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(logged_in) }
}
