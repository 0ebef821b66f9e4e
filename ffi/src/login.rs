//! Logins of people.

use std::ffi::{CString, c_char};
use std::ptr::{null, null_mut};

use planetkey::{BrowserLogin, DeviceLogin, Error, LoginResult, Progress, Result, Status};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::input::{self, c_string};
use crate::login_options::planetkey_login_options;
use crate::login_result::planetkey_logged_in;
use crate::options_handle;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// A login of a person that is under way, on any device or in a browser. Any number of threads may use one handle at once. Counted:
/// planetkey_login_clone() counts up, planetkey_login_free() counts down. When it is over, its session is logged in, for everybody who shares it.
pub struct planetkey_login {
    way: Way,
    user_code: Option<CString>,
    verification_uri: Option<CString>,
    verification_uri_complete: Option<CString>,
    authorization_url: Option<CString>,
    redirect_uri: Option<CString>,
}

#[derive(Clone)]
enum Way {
    Device(DeviceLogin),
    Browser(BrowserLogin),
}

impl Shared for planetkey_login {
    const NAME: &'static str = "login";
}

impl planetkey_login {
    fn on_device(login: DeviceLogin) -> Self {
        planetkey_login {
            user_code: Some(c_string(login.user_code())),
            verification_uri: Some(c_string(login.verification_uri())),
            verification_uri_complete: login.verification_uri_complete().map(c_string),
            authorization_url: None,
            redirect_uri: None,
            way: Way::Device(login),
        }
    }

    fn in_browser(login: BrowserLogin) -> Self {
        planetkey_login {
            user_code: None,
            verification_uri: None,
            verification_uri_complete: None,
            authorization_url: Some(c_string(login.authorization_url())),
            redirect_uri: Some(c_string(login.redirect_uri())),
            way: Way::Browser(login),
        }
    }
}

/// A count of the login for a call that may be long, so that the handle may be freed meanwhile.
///
/// # Safety
/// `login` is NULL or a living handle.
unsafe fn way(login: *const planetkey_login) -> Result<Way> {
    // SAFETY: the promise is handed on.
    unsafe { handle::borrow(login) }.map(|login| login.way.clone())
}

/// # Safety
/// `login` is NULL or a living handle.
unsafe fn get<V>(login: *const planetkey_login, otherwise: V, body: impl FnOnce(&planetkey_login) -> Option<V>) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { login.as_ref() }.and_then(body))
}

fn pointer(text: &Option<CString>) -> Option<*const c_char> {
    text.as_ref().map(|text| text.as_ptr())
}

/// Hands out what a login has brought, to whoever wants it.
///
/// # Safety
/// The pointers are as the extern functions ask for.
unsafe fn give_if_asked(
    logged_in: *mut *mut planetkey_logged_in,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<LoginResult>,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        if logged_in.is_null() {
            return boundary::check(error, || body().map(drop));
        }
        boundary::run("logged_in", logged_in, null_mut(), error, || Ok(handle::give(planetkey_logged_in::new(&body()?))))
    }
}

/// Makes sure that somebody is logged in. A good session is left as it is, an expired one renewed; only then a person is asked, in the way that
/// planetkey_login_options_set_method() says. A session of a machine or of an API key needs nobody.
///
/// @param[in] session not NULL.
/// @param[in] options may be NULL for the defaults. Copied.
/// @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_LOGIN_REQUIRED (nobody can be asked: the message says what to do; the code was not entered in
///         time), ::PLANETKEY_STATUS_DENIED (the person or the server said no; reason "other_user" where somebody else logged in),
///         ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_CANCELLED (the person gave up), what the prompt returned, ::PLANETKEY_STATUS_UNAVAILABLE,
///         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_UNSUPPORTED
///         (nobody logs in to this session), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any number of threads. Blocks as long as the person takes; planetkey_session_start_device_login() and
/// planetkey_session_start_browser_login() give a login that can be polled and cancelled. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    logged_in: *mut *mut planetkey_logged_in,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { give_if_asked(logged_in, error, || core(session)?.login(&options_handle::copied(options))) }
}

/// Starts a login on any device (RFC 8628): show its verification URI and user code, and wait for it or poll it.
///
/// @param[in] session not NULL.
/// @param[in] options may be NULL for the defaults. Copied. Of the prompts only ::PLANETKEY_PROMPT_KIND_OTHER_USER comes.
/// @param[out] login free it with planetkey_login_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session; the server offers no such login),
///         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL,
///         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any number of threads. Blocks for one request, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_start_device_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    login: *mut *mut planetkey_login,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("login", login, null_mut(), error, || {
            let started = core(session)?.start_device_login(&options_handle::copied(options))?;
            Ok(handle::give(planetkey_login::on_device(started)))
        })
    }
}

/// Starts a login in a browser (RFC 6749 4.1 with PKCE, RFC 8252): open its authorization URL, and wait for it or poll it. It opens no browser,
/// and listens on this machine for its return, which is served by whoever waits or polls.
///
/// @param[in] session not NULL.
/// @param[in] options may be NULL for the defaults. Copied. Of the prompts only ::PLANETKEY_PROMPT_KIND_OTHER_USER comes.
/// @param[out] login free it with planetkey_login_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return as planetkey_session_start_device_login(); ::PLANETKEY_STATUS_UNAVAILABLE too where the port of the client's redirect URI is taken.
///
/// Any number of threads. Blocks on the network where the server's metadata is needed, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_start_browser_login(
    session: *const planetkey_session,
    options: *const planetkey_login_options,
    login: *mut *mut planetkey_login,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("login", login, null_mut(), error, || {
            let started = core(session)?.start_browser_login(&options_handle::copied(options))?;
            Ok(handle::give(planetkey_login::in_browser(started)))
        })
    }
}

/// The code that the person enters, or compares with what the device shows: to be shown in any case (RFC 8628 3.3.1).
///
/// @param[in] login may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login in a browser.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_user_code(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null(), |login| pointer(&login.user_code)) }
}

/// The address at which the code is entered, on any device.
///
/// @param[in] login may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login in a browser.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_verification_uri(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null(), |login| pointer(&login.verification_uri)) }
}

/// The address that holds the code already.
///
/// @param[in] login may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL where the server gives none, and for a login in a browser.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_verification_uri_complete(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null(), |login| pointer(&login.verification_uri_complete)) }
}

/// The address to open in a browser of this machine. Show it to this user only: it holds the `state` of the login.
///
/// @param[in] login may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login on any device.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_authorization_url(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null(), |login| pointer(&login.authorization_url)) }
}

/// Where the browser returns to.
///
/// @param[in] login may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login on any device.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_redirect_uri(login: *const planetkey_login) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null(), |login| pointer(&login.redirect_uri)) }
}

/// How long the person still has.
///
/// @param[in] login may be NULL.
/// @return milliseconds; 0 when the time is up, -1 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_expires_in_ms(login: *const planetkey_login) -> i64 {
    let left = |login: &planetkey_login| {
        let left_ms = match &login.way {
            Way::Device(login) => login.expires_in_ms(),
            Way::Browser(login) => login.expires_in_ms(),
        };
        Some(i64::try_from(left_ms).unwrap_or(i64::MAX))
    };
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, -1, left) }
}

/// The address to open as a QR code, in lines of text with a quiet zone. Dark on light: meant for a terminal with light letters on a dark ground.
///
/// @param[in] login may be NULL.
/// @param[in] ascii false: in block characters; true: in ASCII, twice as wide.
/// @return the text; free it with planetkey_string_free(). NULL for an address that does not fit, and for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_qr_code(login: *const planetkey_login, ascii: bool) -> *mut planetkey_string {
    let make = |login: &planetkey_login| {
        let text = match &login.way {
            Way::Device(login) => login.qr_code(ascii),
            Way::Browser(login) => login.prompt(false).qr_code(ascii),
        };
        text.map(|text| handle::give(planetkey_string::new(&text)))
    };
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(login, null_mut(), make) }
}

/// Goes on with a login without waiting for the person: for event loops.
///
/// @param[in] login not NULL.
/// @param[out] logged_in who it is, once somebody has logged in; free it with planetkey_logged_in_free(). NULL while nobody has, and on
///             failure. Not NULL.
/// @param[out] next_poll_ms while nobody has logged in, when to poll again, in milliseconds; what comes earlier asks nobody. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also while nobody has logged in; else how the login ended, as planetkey_login_wait(), and the same again.
///
/// Any number of threads. Blocks for one request of a device, and for the requests of a browser that has just returned. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_poll(
    login: *const planetkey_login,
    logged_in: *mut *mut planetkey_logged_in,
    next_poll_ms: *mut u32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let mut unasked = 0;
    let next_poll_ms = if next_poll_ms.is_null() { &raw mut unasked } else { next_poll_ms };
    // SAFETY: the caller promises that `next_poll_ms` may be written to.
    unsafe { next_poll_ms.write(0) };
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("logged_in", logged_in, null_mut(), error, || {
            let progress = match way(login)? {
                Way::Device(login) => login.poll(),
                Way::Browser(login) => login.poll(),
            };
            Ok(match progress? {
                Progress::LoggedIn(logged_in) => handle::give(planetkey_logged_in::new(&logged_in)),
                Progress::Pending { next_poll_ms: in_ms } => {
                    next_poll_ms.write(u32::try_from(in_ms).unwrap_or(u32::MAX));
                    null_mut()
                }
            })
        })
    }
}

/// Waits for the person.
///
/// @param[in] login not NULL.
/// @param[in] timeout_ms the longest wait in milliseconds; 0 means until the login ends.
/// @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_TIMEOUT (also when `timeout_ms` has passed, and then the login goes on while
///         planetkey_login_expires_in_ms() is not 0), ::PLANETKEY_STATUS_CANCELLED, ::PLANETKEY_STATUS_DENIED (the person or the server said no;
///         reason "other_user" where somebody else logged in), ::PLANETKEY_STATUS_LOGIN_REQUIRED (the code was not entered in time),
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_MISCONFIGURED, or what the
///         prompt returned.
///
/// Any number of threads; all get the same outcome. Blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_wait(
    login: *const planetkey_login,
    timeout_ms: u32,
    logged_in: *mut *mut planetkey_logged_in,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let timeout_ms = Some(u64::from(timeout_ms)).filter(|timeout_ms| *timeout_ms != 0);
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        give_if_asked(logged_in, error, || match way(login)? {
            Way::Device(login) => login.wait(timeout_ms),
            Way::Browser(login) => login.wait(timeout_ms),
        })
    }
}

/// Ends a login with the address that the browser ended at: for browsers that cannot return to this program, as one on another machine.
///
/// @param[in] login not NULL.
/// @param[in] callback_url the whole address, NUL-terminated UTF-8; not NULL. It holds a code: not to be logged.
/// @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (no address of this login, which goes on), ::PLANETKEY_STATUS_UNSUPPORTED (a
///         login on any device), or how the login ended, as planetkey_login_wait().
///
/// Any number of threads. Blocks on the network, until the session's deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_complete(
    login: *const planetkey_login,
    callback_url: *const c_char,
    logged_in: *mut *mut planetkey_logged_in,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        give_if_asked(logged_in, error, || {
            let way = way(login)?;
            let callback_url = input::text("callback_url", callback_url)?;
            match way {
                Way::Browser(login) => login.complete(callback_url),
                Way::Device(_) => Err(Error::new(
                    Status::Unsupported,
                    "a login on any device has no callback URL; wait for it, or start a login in a browser",
                )),
            }
        })
    }
}

/// Ends a login. Whoever waits for it gets ::PLANETKEY_STATUS_CANCELLED, and so does whoever waits later, unless somebody has logged in before.
///
/// @param[in] login may be NULL, which does nothing.
///
/// Any number of threads, also while others wait and inside a prompt. Does not wait for the network. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_cancel(login: *const planetkey_login) {
    boundary::value((), || {
        // SAFETY: the promise of the caller is handed on.
        match unsafe { way(login) }.ok()? {
            Way::Device(login) => login.cancel(),
            Way::Browser(login) => login.cancel(),
        }
        Some(())
    });
}

/// One more count of the same handle, as for a thread that is to cancel it.
///
/// @param[in] login may be NULL.
/// @return the same pointer, to free once more with planetkey_login_free(); NULL for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_clone(login: *const planetkey_login) -> *mut planetkey_login {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::count_up(login) }
}

/// Counts down. The last count ends a login that nobody waits for, and closes its sockets; a call that has begun on another thread goes on.
///
/// @param[in] login may be NULL, which does nothing.
///
/// Any thread, once for each count. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_free(login: *mut planetkey_login) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(login) }
}
