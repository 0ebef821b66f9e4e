//! What requests carry, by a session.

use std::ffi::c_char;
use std::ptr::null_mut;

use planetkey::{ApiResponse, Result};

use crate::authorization::planetkey_authorization;
use crate::boundary;
use crate::error::planetkey_error;
use crate::handle;
use crate::input;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// The handle of an authorization; NULL for none.
fn give_optional(authorization: Option<&planetkey::Authorization>) -> *mut planetkey_authorization {
    authorization.map_or(null_mut(), |authorization| {
        handle::give(planetkey_authorization::new(authorization))
    })
}

/// Returns what a request to this URL must carry: its URL and its headers.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] authorization what the request carries, NULL on failure. Free with
///            planetkey_authorization_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED (no credential of this session
///         may go there), ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_MISCONFIGURED,
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_DENIED,
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_STORAGE (no token).
///
/// Thread-safe. Blocks only if there is no valid token: on the network, and on other processes that
/// refresh the same session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_authorize(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("authorization", authorization, error, || {
            Ok(planetkey_authorization::new(&core(session)?.authorize(input::text("url", url)?)?))
        })
    }
}

/// As planetkey_session_authorize(), for HTTP clients that also send requests to hosts that this
/// session does not serve.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] authorization what the request carries. NULL on failure, and if no credential of
///            this session may go there. Free with planetkey_authorization_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_authorize(), except that ::PLANETKEY_STATUS_OK with NULL takes the
///         place of ::PLANETKEY_STATUS_HOST_REFUSED.
///
/// Thread-safe. Blocks only if there is no valid token: on the network, and on other processes that
/// refresh the same session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_authorize_if_served(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::run("authorization", authorization, null_mut(), error, || {
            Ok(give_optional(
                core(session)?.authorize_if_served(input::text("url", url)?)?.as_ref(),
            ))
        })
    }
}

/// As planetkey_session_authorize(), for programs that can add headers but cannot change the URL.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] authorization what the request carries, NULL on failure. Free with
///            planetkey_authorization_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_authorize(), and ::PLANETKEY_STATUS_INVALID_ARGUMENT if the URL
///         carries the credential.
///
/// Thread-safe. Blocks only if there is no valid token: on the network, and on other processes that
/// refresh the same session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_headers(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("authorization", authorization, error, || {
            Ok(planetkey_authorization::new(&core(session)?.headers(input::text("url", url)?)?))
        })
    }
}

/// As planetkey_session_headers(), but never waits for a token.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] authorization what the request carries. NULL on failure, and if
///            planetkey_session_headers() would have to wait for a token. Free with
///            planetkey_authorization_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also with NULL; ::PLANETKEY_STATUS_HOST_REFUSED,
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED (no credential at all),
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Sends no requests; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_headers_cached(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::run("authorization", authorization, null_mut(), error, || {
            Ok(give_optional(core(session)?.headers_cached(input::text("url", url)?)?.as_ref()))
        })
    }
}

/// As planetkey_session_headers(), for hot loops: writes "Authorization: Bearer ..." into a buffer
/// of the caller, as curl_slist_append() takes it.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] buffer receives the line and its NUL, which are a secret. Empty text on failure. May
///            be NULL if `size` is 0.
/// @param[in] size the size of the buffer in bytes.
/// @param[out] needed the size of the line with its NUL in bytes. 0 if there is no line. May be
///            NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK if the whole line was written. ::PLANETKEY_STATUS_INVALID_ARGUMENT
///         with `needed` set if the buffer is too small. Otherwise as planetkey_session_headers().
///
/// Thread-safe, with a buffer for each thread. Blocks only if there is no valid token: on the
/// network, and on other processes that refresh the same session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_copy_header(
    session: *const planetkey_session,
    url: *const c_char,
    buffer: *mut c_char,
    size: usize,
    needed: *mut usize,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    if !buffer.is_null() && size > 0 {
        // SAFETY: the caller promises `size` bytes.
        unsafe { buffer.write(0) };
    }
    let mut ignored = 0;
    let needed = if needed.is_null() { &raw mut ignored } else { needed };
    // SAFETY: a local variable, or the caller's.
    unsafe { needed.write(0) };
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::check(error, || {
            core(session)?.with_header(input::text("url", url)?, |value| {
                copy_line(value, buffer, size, &mut *needed)
            })?
        })
    }
}

/// # Safety
/// `buffer` is NULL or has `size` bytes.
unsafe fn copy_line(
    value: &str,
    buffer: *mut c_char,
    size: usize,
    needed: &mut usize,
) -> Result<()> {
    const NAME: &str = "Authorization: ";
    *needed = NAME.len() + value.len() + 1;
    if buffer.is_null() || size < *needed {
        return Err(input::invalid(format!(
            "the buffer has {size} bytes, and the header needs {needed}"
        )));
    }
    let start = buffer.cast::<u8>();
    // SAFETY: `size` is at least the sum of the lengths. The parts belong to the core, not to the
    // caller's buffer.
    unsafe {
        start.copy_from_nonoverlapping(NAME.as_ptr(), NAME.len());
        start.add(NAME.len()).copy_from_nonoverlapping(value.as_ptr(), value.len());
        start.add(NAME.len() + value.len()).write(0);
    }
    Ok(())
}

/// Returns the URL with the API key as the parameter `api_key`, for map clients that can only be
/// given a URL. The result is a secret.
///
/// planetkey_strip_api_key() and planetkey_redact_url() remove the key.
///
/// @param[in] session Not NULL.
/// @param[in] url the URL of the request as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. It may
///            contain `{z}/{x}/{y}`.
/// @param[out] signed_url the text, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_UNSUPPORTED
///         (the session has no API key), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_signed_url(
    session: *const planetkey_session,
    url: *const c_char,
    signed_url: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("signed_url", signed_url, error, || {
            Ok(planetkey_string::new(&core(session)?.signed_url(input::text("url", url)?)?))
        })
    }
}

/// Returns the access token of the first source that has one. The result is a secret.
///
/// Unlike planetkey_session_authorize(), it cannot check to which host the token goes.
///
/// @param[in] session Not NULL.
/// @param[out] access_token the text, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session has no token source),
///         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_LOGIN_REQUIRED,
///         ::PLANETKEY_STATUS_DENIED, ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT,
///         ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_STORAGE (no token).
///
/// Thread-safe. Blocks only if there is no valid token: on the network, and on other processes that
/// refresh the same session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_access_token(
    session: *const planetkey_session,
    access_token: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("access_token", access_token, error, || {
            Ok(planetkey_string::new(&core(session)?.access_token()?))
        })
    }
}

/// Returns the API key of the first source that has one. The result is a secret.
///
/// @param[in] session Not NULL.
/// @param[out] api_key the text, NULL on failure. Free with planetkey_string_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session has no API key).
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_api_key(
    session: *const planetkey_session,
    api_key: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("api_key", api_key, error, || {
            Ok(planetkey_string::new(&core(session)?.api_key()?))
        })
    }
}

/// Decides what follows an API's response: the response is final, or the request must be repeated
/// once with another authorization.
///
/// A 401 takes the access token out of use, unless its Bearer challenge names another error than
/// `invalid_token` (RFC 6750 section 3.1). Other responses are final. Call it only for a response
/// of the host to which the request was authorized, not after a redirect.
///
/// @param[in] session Not NULL.
/// @param[in] authorization what the request carried. Not NULL.
/// @param[in] http_status the status of the response, 100 to 999.
/// @param[in] www_authenticate the header WWW-Authenticate of the response, several of them joined
///            by commas. NULL if there is none.
/// @param[out] repeat the authorization to repeat the request with, once. NULL if the response
///            is final, and on failure. Free with planetkey_authorization_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, or why no other token could
///         be obtained, as planetkey_session_authorize().
///
/// Thread-safe. Blocks while the token is refreshed, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_after_response(
    session: *const planetkey_session,
    authorization: *const planetkey_authorization,
    http_status: i32,
    www_authenticate: *const c_char,
    repeat: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::run("repeat", repeat, null_mut(), error, || {
            let session = core(session)?;
            let authorization = handle::borrow(authorization)?;
            let http_status = u16::try_from(http_status)
                .ok()
                .filter(|status| (100..=999).contains(status))
                .ok_or_else(|| {
                    input::invalid(format!(
                        "http_status is {http_status}, which is not an HTTP status"
                    ))
                })?;
            let mut response = ApiResponse::new(authorization.url(), http_status);
            response.sent = authorization.header_value();
            response.www_authenticate = input::optional_text("www_authenticate", www_authenticate)?;
            Ok(give_optional(session.after_api_response(&response)?.as_ref()))
        })
    }
}

/// Takes an access token out of use, because an API refused it. The next call refreshes it, at most
/// once for each token.
///
/// @param[in] session Not NULL.
/// @param[in] access_token the token that the request carried, NUL-terminated UTF-8 of at most 1
///            MiB. Not NULL.
/// @param[out] will_refresh whether the next call refreshes the token. false on failure. Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session has no token source),
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_invalidate(
    session: *const planetkey_session,
    access_token: *const c_char,
    will_refresh: *mut bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::run("will_refresh", will_refresh, false, error, || {
            core(session)?.invalidate(input::text("access_token", access_token)?)
        })
    }
}

/// Gets a new access token now.
///
/// Calls at the same time share one request, in all processes that share the session. A token that
/// another process saved meanwhile counts as new.
///
/// @param[in] session Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session has no token source),
///         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_LOGIN_REQUIRED,
///         ::PLANETKEY_STATUS_DENIED, ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT,
///         ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_STORAGE (no token).
///
/// Thread-safe. Blocks on the network, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_refresh(
    session: *const planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { boundary::check(error, || core(session)?.refresh()) }
}
