//! Sessions.

use std::ffi::c_char;
use std::time::Duration;

use planetkey::{ApiKeyTransport, Result, Session};
use planetkey_support::{exit, panic};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::input;
use crate::options::planetkey_options;
use crate::options_handle;
use crate::status::planetkey_status;

/// A session: an ordered list of credential sources behind one host policy. It keeps access tokens
/// fresh. Any number of threads may use one handle at once. Counted: planetkey_session_clone()
/// increments the count, planetkey_session_free() decrements it.
pub struct planetkey_session {
    session: Session,
}

impl Shared for planetkey_session {
    const NAME: &'static str = "session";
}

/// How a request carries an API key. Parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_api_key_transport {
    /// As the user name of HTTP Basic authentication with an empty password (RFC 7617). The
    /// default.
    Basic = 0,
    /// As "Authorization: api-key KEY".
    Header = 1,
    /// As the query parameter `api_key`, for map clients that can only be given a URL.
    Query = 2,
}

impl planetkey_api_key_transport {
    fn from_number(number: i32) -> Result<ApiKeyTransport> {
        match number {
            n if n == Self::Basic as i32 => Ok(ApiKeyTransport::Basic),
            n if n == Self::Header as i32 => Ok(ApiKeyTransport::Header),
            n if n == Self::Query as i32 => Ok(ApiKeyTransport::Query),
            _ => Err(input::invalid(format!(
                "transport is {number}, which is not a planetkey_api_key_transport"
            ))),
        }
    }
}

/// Makes the handle of a new session.
///
/// # Safety
/// The pointers are as the documentation of the extern functions says.
pub(crate) unsafe fn construct(
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<Session>,
) -> planetkey_status {
    let body = || {
        let session = body()?;
        exit::register();
        Ok(planetkey_session { session })
    };
    // SAFETY: by the promise above.
    unsafe { boundary::give("session", session, error, body) }
}

/// The core's session of a handle.
///
/// # Safety
/// `session` is NULL or a live handle.
pub(crate) unsafe fn core<'a>(session: *const planetkey_session) -> Result<&'a Session> {
    // SAFETY: by the promise above.
    unsafe { handle::borrow(session) }.map(|session| &session.session)
}

/// Opens a session with all credentials that the environment and configuration files offer. A URL
/// gets the first credential that its host accepts.
///
/// Opening a session writes nothing. New tokens are saved on disk, unless
/// planetkey_options_set_save() turns that off.
///
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also if there is no credential:
///         planetkey_session_is_initialized() is false then, and calls return
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED. ::PLANETKEY_STATUS_MISCONFIGURED (a named profile
///         cannot be read), ::PLANETKEY_STATUS_INVALID_ARGUMENT (an invalid option; also a
///         profile, which is for sessions of one client).
///
/// Thread-safe. Reads files, sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_defaults(
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || Session::from_defaults(&options_handle::copied(options)))
    }
}

/// Opens a session of a saved or built-in profile, as "planet-user". All processes and Planet's own
/// tools share its saved tokens.
///
/// @param[in] name the profile as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. Copied.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also if no user has logged in: planetkey_session_is_initialized()
///         is false then. ::PLANETKEY_STATUS_MISCONFIGURED (no such profile, or it cannot be read),
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED (a profile of an API key without the key),
///         ::PLANETKEY_STATUS_UNSUPPORTED (this version does not support the type of client),
///         ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Reads files, sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_profile(
    name: *const c_char,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || {
            Session::from_profile(input::text("name", name)?, &options_handle::copied(options))
        })
    }
}

/// Opens a session of an API key.
///
/// @param[in] api_key the key as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. Copied.
/// @param[in] transport a ::planetkey_api_key_transport. 0 is the default.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (also for a text that cannot
///         be a key), ::PLANETKEY_STATUS_MISCONFIGURED.
///
/// Thread-safe. Sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_api_key(
    api_key: *const c_char,
    transport: i32,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || {
            let api_key = input::text("api_key", api_key)?;
            let transport = planetkey_api_key_transport::from_number(transport)?;
            Session::from_api_key(api_key, transport, &options_handle::copied(options))
        })
    }
}

/// Opens a session of an M2M client, which uses the client credentials grant (RFC 6749 section
/// 4.4).
///
/// Its tokens are saved on disk, its secret is not. A wrong secret is reported by the first call
/// that needs a token.
///
/// @param[in] client_id NUL-terminated UTF-8 of at most 1 MiB. Not NULL. Copied.
/// @param[in] client_secret NUL-terminated UTF-8 of at most 1 MiB. Not NULL. Copied.
/// @param[in] scopes the scopes to request (RFC 6749 section 3.3): `scope_count` NUL-terminated
///            UTF-8 texts, none of them NULL. May be NULL if `scope_count` is 0, which leaves the
///            choice to the authorization server. Copied.
/// @param[in] scope_count the number of scopes.
/// @param[in] audience the audience of the token. NULL means the deployment's. Copied.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT,
///         ::PLANETKEY_STATUS_MISCONFIGURED.
///
/// Thread-safe. Sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_m2m(
    client_id: *const c_char,
    client_secret: *const c_char,
    scopes: *const *const c_char,
    scope_count: usize,
    audience: *const c_char,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || {
            let client_id = input::text("client_id", client_id)?;
            let client_secret = input::text("client_secret", client_secret)?;
            let mut options = options_handle::copied(options);
            options.scopes = Some(input::texts("scopes", scopes, scope_count)?);
            options.audience = input::optional_text("audience", audience)?.map(str::to_owned);
            Session::from_m2m(client_id, client_secret, &options)
        })
    }
}

/// Opens a session of any registered client, described by the fields of `auth_client.json`. Its
/// tokens are saved on disk, the description is not.
///
/// @param[in] json the fields as one JSON object, NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
///            Copied.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNSUPPORTED
///         (this version does not support the type of client), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_client_config(
    json: *const c_char,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || {
            Session::from_client_config(
                input::text("json", json)?,
                &options_handle::copied(options),
            )
        })
    }
}

/// Makes a handle of the same session with another deadline for calls through the new handle.
///
/// @param[in] session Not NULL.
/// @param[in] timeout_ms milliseconds. Less than 1 means 1, more than a day means a day.
/// @param[out] with_timeout the new handle, NULL on failure. Free with planetkey_session_free().
///            Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_with_timeout_ms(
    session: *const planetkey_session,
    timeout_ms: u32,
    with_timeout: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("with_timeout", with_timeout, error, || {
            let session = core(session)?.with_timeout(Duration::from_millis(timeout_ms.into()));
            Ok(planetkey_session { session })
        })
    }
}

/// Increments the count of a handle.
///
/// @param[in] session May be NULL.
/// @return the same pointer, which must be freed once more with planetkey_session_free(). NULL for
///         NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_clone(
    session: *const planetkey_session,
) -> *mut planetkey_session {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::count_up(session) }
}

/// Decrements the count of a handle. The last count ends the session and wipes its credentials.
/// Handles that were made from it stay valid.
///
/// @param[in] session NULL does nothing.
///
/// Any thread, once per count. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_free(session: *mut planetkey_session) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(session) }
}

/// Returns whether the session can authorize requests without a login.
///
/// @param[in] session May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Sends no requests; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_is_initialized(
    session: *const planetkey_session,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { panic::or(false, || core(session).ok().map(Session::is_initialized)) }
}
