//! Who is logged in, and what the server says about a token.

use std::ffi::c_char;

use planetkey::Result;

use crate::boundary;
use crate::error::planetkey_error;
use crate::input;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// Returns a JSON object as text.
///
/// # Safety
/// As for [`boundary::run`].
unsafe fn give_json(
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<serde_json::Map<String, serde_json::Value>>,
) -> planetkey_status {
    // SAFETY: by the promise above.
    unsafe {
        boundary::give("json", json, error, || {
            Ok(planetkey_string::new(&serde_json::Value::Object(body()?).to_string()))
        })
    }
}

/// Returns what the authorization server says about the user (OpenID Connect Core section 5.3):
/// "sub" and, depending on the scopes, name, e-mail address and more.
///
/// @param[in] session Not NULL.
/// @param[out] json one JSON object, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session or the server does
///         not support it), ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_MISCONFIGURED
///         (the scope `openid` was not granted), ::PLANETKEY_STATUS_TOKEN_INVALID (the response is
///         about a different user), ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT,
///         ::PLANETKEY_STATUS_PROTOCOL.
///
/// Thread-safe. Blocks on the network, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_userinfo(
    session: *const planetkey_session,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { give_json(json, error, || core(session)?.userinfo()) }
}

/// Returns the claims of the session's ID token, which say who logged in and when.
///
/// The signature is verified with the server's keys. The expiry is not checked, because it does not
/// limit the session.
///
/// @param[in] session Not NULL.
/// @param[out] json one JSON object, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session does not support
///         logins), ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_MISCONFIGURED (the scope
///         `openid` was not requested), ::PLANETKEY_STATUS_TOKEN_INVALID,
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL.
///
/// Thread-safe. Blocks on the network if the keys are not cached, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_id_token_claims(
    session: *const planetkey_session,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { give_json(json, error, || core(session)?.id_token_claims()) }
}

/// Returns what the authorization server says about a token (RFC 7662): "active", and more if the
/// token is active.
///
/// @param[in] session Not NULL.
/// @param[in] token the token, NUL-terminated UTF-8 of at most 1 MiB. NULL means the session's own
///            access token.
/// @param[out] json one JSON object, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also for a token that is not active;
///         ::PLANETKEY_STATUS_UNSUPPORTED (the session or the server does not support it),
///         ::PLANETKEY_STATUS_MISCONFIGURED (the client is not allowed to ask),
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_UNAVAILABLE,
///         ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Blocks on the network, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_introspect(
    session: *const planetkey_session,
    token: *const c_char,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        give_json(json, error, || core(session)?.introspect(input::optional_text("token", token)?))
    }
}
