//! Sessions: credentials kept fresh behind one host policy.

use std::ffi::c_char;
use std::ptr::null_mut;

use planetkey::{ApiKeyTransport, M2mOptions, Result, Session};

use crate::authorization::planetkey_authorization;
use crate::boundary;
use crate::error::planetkey_error;
use crate::exit;
use crate::handle::{self, Shared};
use crate::input;
use crate::options::planetkey_options;
use crate::options_handle;
use crate::session_info::planetkey_session_info;
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// A session: an ordered list of credentials, kept fresh, behind one host policy. Any number of threads may use one
/// handle at once. Counted: planetkey_session_clone() counts up, planetkey_session_free() counts down.
pub struct planetkey_session {
    session: Session,
}

impl Shared for planetkey_session {
    const NAME: &'static str = "session";
}

/// How an API key travels; parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_api_key_transport {
    /// As user name of HTTP Basic authentication, with an empty password (RFC 7617): the default.
    Basic = 0,
    /// As "Authorization: api-key KEY".
    Header = 1,
    /// As query parameter `api_key`: for map clients that can only be given a URL.
    Query = 2,
}

impl planetkey_api_key_transport {
    fn from_number(number: i32) -> Result<ApiKeyTransport> {
        match number {
            n if n == Self::Basic as i32 => Ok(ApiKeyTransport::Basic),
            n if n == Self::Header as i32 => Ok(ApiKeyTransport::Header),
            n if n == Self::Query as i32 => Ok(ApiKeyTransport::Query),
            _ => Err(input::invalid(format!("transport is {number}, which is no planetkey_api_key_transport"))),
        }
    }
}

/// Hands out a new session.
///
/// # Safety
/// The pointers are as the extern functions ask for.
unsafe fn construct(
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<Session>,
) -> planetkey_status {
    let body = || {
        let session = body()?;
        exit::register();
        Ok(handle::give(planetkey_session { session }))
    };
    // SAFETY: the promises of the caller are handed on.
    unsafe { boundary::run("session", session, null_mut(), error, body) }
}

/// The core's session behind a handle.
///
/// # Safety
/// `session` is NULL or a living handle.
pub(crate) unsafe fn core<'a>(session: *const planetkey_session) -> Result<&'a Session> {
    // SAFETY: the promise is handed on.
    unsafe { handle::borrow(session) }.map(|session| &session.session)
}

/// A session of everything that the environment and configuration files offer. A URL gets the first credential that its host accepts.
/// Opening a session writes nothing; tokens are kept on disk once there are any, unless planetkey_options_set_save() says otherwise.
///
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also when nothing was found: planetkey_session_is_initialized() tells, and calls return
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED. ::PLANETKEY_STATUS_MISCONFIGURED (a profile that was named and cannot be read),
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT (an option; a profile or the application's own storage, which are for one client).
///
/// Any thread. Reads files, uses no network. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_defaults(
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { construct(session, error, || Session::from_defaults(&options_handle::copied(options))) }
}

/// A session of a saved or built-in profile, as "planet-user": what is kept for it is shared with all processes and Planet's own tools.
///
/// @param[in] name the profile, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also when nobody has logged in: planetkey_session_is_initialized() tells.
///         ::PLANETKEY_STATUS_MISCONFIGURED (no such profile, unreadable configuration), ::PLANETKEY_STATUS_LOGIN_REQUIRED (a profile of
///         an API key without the key), ::PLANETKEY_STATUS_UNSUPPORTED (a kind of client that this version does not offer),
///         ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread. Reads files, uses no network. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_profile(
    name: *const c_char,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { construct(session, error, || Session::from_profile(input::text("name", name)?, &options_handle::copied(options))) }
}

/// A session of one API key.
///
/// @param[in] api_key the key, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
/// @param[in] transport a ::planetkey_api_key_transport; 0 is the default.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (also for what cannot be a key), ::PLANETKEY_STATUS_MISCONFIGURED.
///
/// Any thread. Uses no network. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_api_key(
    api_key: *const c_char,
    transport: i32,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        construct(session, error, || {
            let api_key = input::text("api_key", api_key)?;
            let transport = planetkey_api_key_transport::from_number(transport)?;
            Session::from_api_key(api_key, transport, &options_handle::copied(options))
        })
    }
}

/// A session of a machine-to-machine client: the client credentials grant (RFC 6749 4.4). Its tokens are kept on disk, the secret is not.
///
/// @param[in] client_id NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
/// @param[in] client_secret NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
/// @param[in] scopes the scopes to ask for (RFC 6749 3.3): `scope_count` texts, each NUL-terminated UTF-8 and not NULL.
///            May be NULL when `scope_count` is 0, which leaves the choice to the authorization server. Copied.
/// @param[in] scope_count how many there are.
/// @param[in] audience whom the token is for; NULL means the deployment's. Copied.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_MISCONFIGURED.
///
/// Any thread. Uses no network: a wrong secret is noticed by the first call that needs a token. Since 0.1.0.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        construct(session, error, || {
            let client_id = input::text("client_id", client_id)?;
            let client_secret = input::text("client_secret", client_secret)?;
            let m2m = M2mOptions {
                scopes: input::texts("scopes", scopes, scope_count)?,
                audience: input::optional_text("audience", audience)?.map(str::to_owned),
            };
            Session::from_m2m(client_id, client_secret, &m2m, &options_handle::copied(options))
        })
    }
}

/// A session of any registered client, described by the fields of `auth_client.json`. Its tokens are kept on disk, the description is not.
///
/// @param[in] json the fields as one JSON object, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNSUPPORTED (a kind of client that
///         this version does not offer), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread. Uses no network. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_client_config(
    json: *const c_char,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        construct(session, error, || Session::from_client_config(input::text("json", json)?, &options_handle::copied(options)))
    }
}

/// The same session with another deadline for calls through the new handle.
///
/// @param[in] session not NULL.
/// @param[in] timeout_ms milliseconds; what is less than 1 or more than a day becomes that.
/// @param[out] with_timeout free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_with_timeout_ms(
    session: *const planetkey_session,
    timeout_ms: u32,
    with_timeout: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("with_timeout", with_timeout, null_mut(), error, || {
            let session = core(session)?.with_timeout_ms(u64::from(timeout_ms));
            Ok(handle::give(planetkey_session { session }))
        })
    }
}

/// One more count of the same handle.
///
/// @param[in] session may be NULL.
/// @return the same pointer, to free once more with planetkey_session_free(); NULL for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_clone(session: *const planetkey_session) -> *mut planetkey_session {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::count_up(session) }
}

/// Counts down; the last count ends the session and wipes its credentials. What was made from it stays.
///
/// @param[in] session may be NULL, which does nothing.
///
/// Any thread, once for each count. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_free(session: *mut planetkey_session) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(session) }
}

/// What a request to this URL carries: its URL and headers.
///
/// @param[in] session not NULL.
/// @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL. `{z}/{x}/{y}` may stand in it.
/// @param[out] authorization free it with planetkey_authorization_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED (no credential of this session may go there), or why no
///         token could be had: ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_DENIED,
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_STORAGE.
///
/// Any number of threads. Blocks only while no valid token is there, on the network and on other processes that renew the same
/// session, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_authorize(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("authorization", authorization, null_mut(), error, || {
            let made = core(session)?.authorize(input::text("url", url)?)?;
            Ok(handle::give(planetkey_authorization::new(&made)))
        })
    }
}

/// As planetkey_session_authorize(), for programs that can add headers but cannot change the URL.
///
/// @param[in] session not NULL.
/// @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] authorization free it with planetkey_authorization_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_authorize(), and ::PLANETKEY_STATUS_INVALID_ARGUMENT where the credential travels in the URL.
///
/// Any number of threads. Blocks on the network only while no valid token is there, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_headers(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("authorization", authorization, null_mut(), error, || {
            let made = core(session)?.headers(input::text("url", url)?)?;
            Ok(handle::give(planetkey_authorization::new(&made)))
        })
    }
}

/// planetkey_session_headers() from what is at hand: for programs that must not wait.
///
/// @param[in] session not NULL.
/// @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] authorization free it with planetkey_authorization_free(). NULL on failure, and where planetkey_session_headers() would
///             have to wait for a token. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also without an authorization; ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_LOGIN_REQUIRED (no
///         credential at all), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_headers_cached(
    session: *const planetkey_session,
    url: *const c_char,
    authorization: *mut *mut planetkey_authorization,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("authorization", authorization, null_mut(), error, || {
            let made = core(session)?.headers_cached(input::text("url", url)?)?;
            Ok(made.map_or(null_mut(), |made| handle::give(planetkey_authorization::new(&made))))
        })
    }
}

/// planetkey_session_headers() for hot loops: writes "Authorization: Bearer ..." into the caller's buffer, as
/// curl_slist_append() takes it, without a handle.
///
/// @param[in] session not NULL.
/// @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] buffer where the line and its NUL go. Holds a secret afterwards. Empty text on failure. May be NULL when `size` is 0.
/// @param[in] size how many bytes there are.
/// @param[out] needed how many bytes the line needs with its NUL; 0 when the line could not be had. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK when the whole line was written; ::PLANETKEY_STATUS_INVALID_ARGUMENT with `needed` set when the
///         buffer is too small; else as planetkey_session_headers().
///
/// Any number of threads, each with its own buffer. Blocks on the network only while no valid token is there, until the
/// deadline. Since 0.1.0.
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
    let mut unasked = 0;
    let needed = if needed.is_null() { &raw mut unasked } else { needed };
    // SAFETY: the caller promises that `needed` may be written to.
    unsafe { needed.write(0) };
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::check(error, || {
            core(session)?.with_header(input::text("url", url)?, |value| copy_line(value, buffer, size, &mut *needed))?
        })
    }
}

/// # Safety
/// `buffer` is NULL or has `size` bytes.
unsafe fn copy_line(value: &str, buffer: *mut c_char, size: usize, needed: &mut usize) -> Result<()> {
    const NAME: &str = "Authorization: ";
    *needed = NAME.len() + value.len() + 1;
    if buffer.is_null() || size < *needed {
        return Err(input::invalid(format!("the buffer has {size} bytes and the header needs {needed}")));
    }
    let start = buffer.cast::<u8>();
    // SAFETY: `size` is at least the sum of the lengths; the parts belong to the core, not to the caller's buffer.
    unsafe {
        start.copy_from_nonoverlapping(NAME.as_ptr(), NAME.len());
        start.add(NAME.len()).copy_from_nonoverlapping(value.as_ptr(), value.len());
        start.add(NAME.len() + value.len()).write(0);
    }
    Ok(())
}

/// A URL with the API key as parameter `api_key`: for map clients that can only be given a URL. A secret.
/// planetkey_strip_api_key() and planetkey_redact_url() take the key out again.
///
/// @param[in] session not NULL.
/// @param[in] url NUL-terminated UTF-8 of at most 1 MiB; not NULL. `{z}/{x}/{y}` may stand in it and stays as it is.
/// @param[out] signed_url the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_UNSUPPORTED (no API key in this session).
///
/// Any number of threads. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_signed_url(
    session: *const planetkey_session,
    url: *const c_char,
    signed_url: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("signed_url", signed_url, null_mut(), error, || {
            let made = core(session)?.signed_url(input::text("url", url)?)?;
            Ok(handle::give(planetkey_string::new(&made)))
        })
    }
}

/// The access token itself, of the first source that has one. planetkey_session_authorize() also checks where it goes.
///
/// @param[in] session not NULL.
/// @param[out] access_token the token; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no such source), or why no token could be had, as
///         planetkey_session_authorize() says.
///
/// Any number of threads. Blocks on the network only while no valid token is there, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_access_token(
    session: *const planetkey_session,
    access_token: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("access_token", access_token, null_mut(), error, || {
            let made = core(session)?.access_token()?;
            Ok(handle::give(planetkey_string::new(&made)))
        })
    }
}

/// The API key itself, of the first source that has one.
///
/// @param[in] session not NULL.
/// @param[out] api_key the key; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no such source).
///
/// Any number of threads. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_api_key(
    session: *const planetkey_session,
    api_key: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("api_key", api_key, null_mut(), error, || {
            let made = core(session)?.api_key()?;
            Ok(handle::give(planetkey_string::new(&made)))
        })
    }
}

/// An API answered 401 to this access token: the next call renews it, at most once for each token.
///
/// @param[in] session not NULL.
/// @param[in] access_token the token that was sent, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] renews whether the next call renews. Set to false on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session).
///
/// Any number of threads. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_invalidate(
    session: *const planetkey_session,
    access_token: *const c_char,
    renews: *mut bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("renews", renews, false, error, || core(session)?.invalidate(input::text("access_token", access_token)?))
    }
}

/// An API answered so: invalidates the token where the answer says that it is bad (RFC 6750 3), and says whether to repeat the request once.
///
/// @param[in] session not NULL.
/// @param[in] access_token the token that was sent, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[in] http_status the answer's status, 100 to 999.
/// @param[in] www_authenticate the answer's header WWW-Authenticate; NULL when there was none.
/// @param[out] repeat whether to repeat the request, once. Set to false on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session).
///
/// Any number of threads. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_should_retry(
    session: *const planetkey_session,
    access_token: *const c_char,
    http_status: i32,
    www_authenticate: *const c_char,
    repeat: *mut bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("repeat", repeat, false, error, || {
            let session = core(session)?;
            let access_token = input::text("access_token", access_token)?;
            let www_authenticate = input::optional_text("www_authenticate", www_authenticate)?;
            let http_status = u16::try_from(http_status)
                .ok()
                .filter(|status| (100..=999).contains(status))
                .ok_or_else(|| input::invalid(format!("http_status is {http_status}, which is no HTTP status")))?;
            session.should_retry(access_token, http_status, www_authenticate)
        })
    }
}

/// Renews the access token now.
///
/// @param[in] session not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session), or why no token could be had, as
///         planetkey_session_authorize() says.
///
/// Any number of threads; those that come together make one request, in all processes that share the session: a token that another
/// process has renewed meanwhile counts. Blocks on the network until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_refresh(
    session: *const planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { boundary::check(error, || core(session)?.refresh()) }
}

/// What this session is: kinds of credentials, where they came from, expiry. No secret.
///
/// @param[in] session not NULL.
/// @param[out] info free it with planetkey_session_info_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_status(
    session: *const planetkey_session,
    info: *mut *mut planetkey_session_info,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("info", info, null_mut(), error, || Ok(handle::give(planetkey_session_info::new(&core(session)?.status()))))
    }
}

/// Whether the session can authorize requests without anybody logging in.
///
/// @param[in] session may be NULL.
/// @return true or false; false for NULL.
///
/// Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_is_initialized(session: *const planetkey_session) -> bool {
    // SAFETY: the promise of the caller is handed on.
    boundary::value(false, || unsafe { core(session) }.ok().map(Session::is_initialized))
}
