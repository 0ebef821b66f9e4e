//! Logins of users.

use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};
use std::time::Duration;

use planetkey::{BrowserLogin, DeviceLogin, Error, LoginResult, Result, Status};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::input;
use crate::login_options::planetkey_login_options;
use crate::login_result::planetkey_login_result;
use crate::options_handle;
use crate::prompt::style;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;
use crate::text::{c_string, optional_c_string, pointer};

/// A pending login of a user, by a device code or in a browser. When it succeeds, its session is
/// logged in, for all processes that share it. Any number of threads may use one handle at once.
/// Counted: planetkey_login_clone() increments the count, planetkey_login_free() decrements it.
pub struct planetkey_login {
    kind: Kind,
    user_code: Option<CString>,
    verification_uri: Option<CString>,
    verification_uri_complete: Option<CString>,
    authorization_url: Option<CString>,
    redirect_uri: Option<CString>,
}

#[derive(Clone)]
enum Kind {
    Device(DeviceLogin),
    Browser(BrowserLogin),
}

impl Shared for planetkey_login {
    const NAME: &'static str = "login";
}

impl planetkey_login {
    fn device(login: DeviceLogin) -> Self {
        planetkey_login {
            user_code: Some(c_string(login.user_code())),
            verification_uri: Some(c_string(login.verification_uri())),
            verification_uri_complete: optional_c_string(login.verification_uri_complete()),
            authorization_url: None,
            redirect_uri: None,
            kind: Kind::Device(login),
        }
    }

    fn browser(login: BrowserLogin) -> Self {
        planetkey_login {
            user_code: None,
            verification_uri: None,
            verification_uri_complete: None,
            authorization_url: Some(c_string(login.authorization_url())),
            redirect_uri: Some(c_string(login.redirect_uri())),
            kind: Kind::Browser(login),
        }
    }

    fn poll(&self) -> Result<Option<LoginResult>> {
        match &self.kind {
            Kind::Device(login) => login.poll(),
            Kind::Browser(login) => login.poll(),
        }
    }

    fn poll_interval_ms(&self) -> u32 {
        let interval = match &self.kind {
            Kind::Device(login) => login.poll_interval(),
            Kind::Browser(login) => login.poll_interval(),
        };
        u32::try_from(interval.as_millis()).unwrap_or(u32::MAX)
    }
}

/// A count of the login for a call that may block, so that the handle may be freed meanwhile.
///
/// # Safety
/// `login` is NULL or a live handle.
unsafe fn counted(login: *const planetkey_login) -> Result<Kind> {
    // SAFETY: by the promise above.
    unsafe { handle::borrow(login) }.map(|login| login.kind.clone())
}

/// Makes the handle of a result, if the caller wants it.
///
/// # Safety
/// As for [`boundary::run`].
unsafe fn give_result(
    result: *mut *mut planetkey_login_result,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<LoginResult>,
) -> planetkey_status {
    // SAFETY: by the promise above.
    unsafe { boundary::give_if_wanted(result, error, || Ok(planetkey_login_result::new(&body()?))) }
}

/// Makes sure that a user is logged in.
///
/// A valid session is not changed, an expired one is refreshed. Otherwise the user is prompted, as
/// planetkey_login_options_set_method() and planetkey_login_options_set_prompt() say. Sessions of
/// M2M clients and API keys need no user.
///
/// @param[in] session Not NULL.
/// @param[in] options NULL means the defaults. Copied.
/// @param[out] result the result of the login, NULL on failure. Free with
///            planetkey_login_result_free(). May be NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_LOGIN_REQUIRED (there is no way to prompt the
///         user, see the message; or the code expired), ::PLANETKEY_STATUS_TIMEOUT,
///         ::PLANETKEY_STATUS_CANCELLED (the user gave up), ::PLANETKEY_STATUS_UNSUPPORTED (the
///         session does not support logins), ::PLANETKEY_STATUS_INVALID_ARGUMENT,
///         ::PLANETKEY_STATUS_DENIED (the user or the server refused; reason "other_user" if a
///         different user logged in), ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_MISCONFIGURED, or the status that
///         the prompt callback returned.
///
/// Thread-safe. Blocks until the user has finished. planetkey_session_start_device_login() and
/// planetkey_session_start_browser_login() start a login that can be polled and cancelled.
/// Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    result: *mut *mut planetkey_login_result,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { give_result(result, error, || core(session)?.login(&options_handle::copied(options))) }
}

/// Starts a device code login (RFC 8628). Show its verification URI and user code, then wait for it
/// or poll it.
///
/// @param[in] session Not NULL.
/// @param[in] options NULL means the defaults. Copied. Of the prompts, only
///            ::PLANETKEY_PROMPT_KIND_OTHER_USER is shown.
/// @param[out] login the login, NULL on failure. Free with planetkey_login_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session or the server does
///         not support it), ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNAVAILABLE,
///         ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Blocks for one request, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_start_device_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    login: *mut *mut planetkey_login,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("login", login, error, || {
            core(session)?
                .start_device_login(&options_handle::copied(options))
                .map(planetkey_login::device)
        })
    }
}

/// Starts a browser login (RFC 6749 section 4.1 with PKCE, RFC 8252). Open its authorization URL,
/// then wait for it or poll it.
///
/// It does not open a browser. It listens on a loopback port for the redirect, which is served
/// while a thread waits or polls.
///
/// @param[in] session Not NULL.
/// @param[in] options NULL means the defaults. Copied. Of the prompts, only
///            ::PLANETKEY_PROMPT_KIND_OTHER_USER is shown.
/// @param[out] login the login, NULL on failure. Free with planetkey_login_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_start_device_login(); ::PLANETKEY_STATUS_UNAVAILABLE also if the
///         port of the client's redirect URI is in use.
///
/// Thread-safe. Blocks on the network if the server's metadata is not cached, until the session's
/// deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_start_browser_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    login: *mut *mut planetkey_login,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("login", login, error, || {
            core(session)?
                .start_browser_login(&options_handle::copied(options))
                .map(planetkey_login::browser)
        })
    }
}

/// Returns the user code, which the user enters or compares. Always show it (RFC 8628 section
/// 3.3.1).
///
/// @param[in] login May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(). NULL for a browser login.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_user_code(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, null(), |login| pointer(&login.user_code)) }
}

/// Returns the URI at which the user enters the code, on any device.
///
/// @param[in] login May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(). NULL for a browser login.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_verification_uri(
    login: *const planetkey_login,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, null(), |login| pointer(&login.verification_uri)) }
}

/// Returns the URI that contains the code.
///
/// @param[in] login May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(). NULL if the server gives
///         none, and for a browser login.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_verification_uri_complete(
    login: *const planetkey_login,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, null(), |login| pointer(&login.verification_uri_complete)) }
}

/// Returns the URL to open in a browser on this computer. Show it to this user only, because it
/// contains the `state` of the login.
///
/// @param[in] login May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(). NULL for a device code
///         login.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_authorization_url(
    login: *const planetkey_login,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, null(), |login| pointer(&login.authorization_url)) }
}

/// Returns the URI to which the browser is redirected.
///
/// @param[in] login May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(). NULL for a device code
///         login.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_redirect_uri(
    login: *const planetkey_login,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, null(), |login| pointer(&login.redirect_uri)) }
}

/// Returns how much time the user has left.
///
/// @param[in] login May be NULL.
/// @return milliseconds. 0 if the login expired, -1 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_expires_in_ms(login: *const planetkey_login) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(login, -1, |login| {
            let left = match &login.kind {
                Kind::Device(login) => login.expires_in(),
                Kind::Browser(login) => login.expires_in(),
            };
            Some(i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
        })
    }
}

/// Returns the URL to open as a QR code in lines of text, with a quiet zone.
///
/// It is meant for a terminal with light text on a dark background.
///
/// @param[in] login May be NULL.
/// @param[in] ascii false: block characters. true: ASCII, twice as wide.
/// @return the text, to free with planetkey_string_free(). NULL if the URL is too long for a QR
///         code, and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_qr_code(
    login: *const planetkey_login,
    ascii: bool,
) -> *mut planetkey_string {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(login, null_mut(), |login| {
            let text = match &login.kind {
                Kind::Device(login) => login.qr_code(style(ascii)),
                Kind::Browser(login) => login.prompt().qr_code(style(ascii)),
            };
            text.map(|text| handle::give(planetkey_string::new(&text)))
        })
    }
}

/// Continues a login without waiting for the user, for event loops. Poll again after
/// planetkey_login_poll_interval_ms().
///
/// @param[in] login Not NULL.
/// @param[out] result the result of the login. NULL while the login is pending, and on failure.
///            Free with planetkey_login_result_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also while the login is pending. Otherwise the outcome of the
///         login, as planetkey_login_wait(); later calls return the same.
///
/// Thread-safe. Blocks for one request of a device code login, and for the requests after the
/// redirect of a browser login. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_poll(
    login: *const planetkey_login,
    result: *mut *mut planetkey_login_result,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::run("result", result, null_mut(), error, || {
            let result = handle::borrow(login)?.poll()?;
            Ok(result
                .map_or(null_mut(), |result| handle::give(planetkey_login_result::new(&result))))
        })
    }
}

/// Returns how long to wait before the next planetkey_login_poll(). An earlier poll sends no
/// request.
///
/// @param[in] login May be NULL.
/// @return milliseconds. 0 once the login has ended, and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_poll_interval_ms(login: *const planetkey_login) -> u32 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(login, 0, |login| Some(login.poll_interval_ms())) }
}

/// Waits for the user.
///
/// @param[in] login Not NULL.
/// @param[in] timeout_ms the longest wait in milliseconds. 0 waits until the login succeeds, fails
///            or expires.
/// @param[out] result the result of the login, NULL on failure. Free with
///            planetkey_login_result_free(). May be NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_TIMEOUT (also if `timeout_ms` passed; the
///         login is still pending if planetkey_login_expires_in_ms() is not 0),
///         ::PLANETKEY_STATUS_CANCELLED, ::PLANETKEY_STATUS_DENIED (the user or the server refused;
///         reason "other_user" if a different user logged in), ::PLANETKEY_STATUS_LOGIN_REQUIRED
///         (the code expired), ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_MISCONFIGURED, or the status that
///         the prompt callback returned.
///
/// Thread-safe; all threads get the same outcome. Blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_wait(
    login: *const planetkey_login,
    timeout_ms: u32,
    result: *mut *mut planetkey_login_result,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        give_result(result, error, || {
            let timeout = (timeout_ms != 0).then(|| Duration::from_millis(u64::from(timeout_ms)));
            match counted(login)? {
                Kind::Device(login) => login.wait(timeout),
                Kind::Browser(login) => login.wait(timeout),
            }
        })
    }
}

/// Completes a browser login with the URL to which the browser was redirected. For browsers that
/// cannot reach this program, as on another computer.
///
/// @param[in] login Not NULL.
/// @param[in] callback_url the whole URL as NUL-terminated UTF-8 of at most 1 MiB. Not NULL. Do not
///            log it, because it contains a code.
/// @param[out] result the result of the login, NULL on failure. Free with
///            planetkey_login_result_free(). May be NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (not a URL of this login,
///         which is still pending), ::PLANETKEY_STATUS_UNSUPPORTED (a device code login), or the
///         outcome of the login, as planetkey_login_wait().
///
/// Thread-safe. Blocks on the network, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_complete(
    login: *const planetkey_login,
    callback_url: *const c_char,
    result: *mut *mut planetkey_login_result,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        give_result(result, error, || {
            let login = counted(login)?;
            let callback_url = input::text("callback_url", callback_url)?;
            match login {
                Kind::Browser(login) => login.complete(callback_url),
                Kind::Device(_) => Err(Error::new(
                    Status::Unsupported,
                    "a device code login has no callback URL; wait for it, or start a browser login",
                )),
            }
        })
    }
}

/// Cancels a login. Calls that wait for it, and later calls, return ::PLANETKEY_STATUS_CANCELLED,
/// unless the login has succeeded.
///
/// @param[in] login NULL does nothing.
///
/// Thread-safe, also while other threads wait and inside a prompt callback. Does not wait for the
/// network. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_cancel(login: *const planetkey_login) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(login, (), |login| {
            match &login.kind {
                Kind::Device(login) => login.cancel(),
                Kind::Browser(login) => login.cancel(),
            }
            Some(())
        })
    }
}

/// Increments the count of a login, as for a thread that may cancel it.
///
/// @param[in] login May be NULL.
/// @return the same pointer, which must be freed once more with planetkey_login_free(). NULL for
///         NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_clone(
    login: *const planetkey_login,
) -> *mut planetkey_login {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::count_up(login) }
}

/// Decrements the count of a login. The last count cancels a pending login and closes its sockets.
/// A call on another thread continues.
///
/// @param[in] login NULL does nothing.
///
/// Any thread, once per count. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_free(login: *mut planetkey_login) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(login) }
}
