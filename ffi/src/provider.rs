//! Token providers: the application's own function that obtains tokens.

use std::ffi::{c_char, c_void};
use std::ptr::null;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use planetkey::{
    Error, ProvidedToken, ProviderRequest, Result, Secret, Session, Status, TokenProvider,
};
use zeroize::Zeroizing;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared, must_not_be_null};
use crate::input;
use crate::options::planetkey_options;
use crate::options_handle;
use crate::session::{construct, planetkey_session};
use crate::status::planetkey_status;
use crate::user_data::{UserData, planetkey_destroy_callback};

/// What a session asks its token provider for, and a place for the token. Lent to a
/// ::planetkey_token_callback, which must not free it.
pub struct planetkey_token_request {
    timeout_ms: u32,
    /// With its NUL.
    rejected_token: Option<Zeroizing<Vec<u8>>>,
    answer: Mutex<Answer>,
}

/// What the provider said. The last call counts.
enum Answer {
    Nothing,
    Token(ProvidedToken),
    Failure(Error),
    Message(String, Option<Duration>),
}

impl Shared for planetkey_token_request {
    const NAME: &'static str = "request";
}

/// Obtains an access token: calls planetkey_token_request_provide() or
/// planetkey_token_request_provide_until(), and returns ::PLANETKEY_STATUS_OK.
///
/// @param[in] user_data the pointer given to planetkey_session_from_token_provider().
/// @param[in] request what is asked for. Lent for the call.
/// @return ::PLANETKEY_STATUS_OK if it provided a token. Anything else is a failure: the callers of
///         the session get this ::planetkey_status, or ::PLANETKEY_STATUS_UNAVAILABLE if it is not
///         one. planetkey_token_request_fail() and planetkey_token_request_set_message() add details.
///
/// Called on a thread of planetkey, without any lock of planetkey, one call at a time for each
/// session. Nothing interrupts it: a caller whose deadline passes or who cancels leaves with
/// ::PLANETKEY_STATUS_TIMEOUT or ::PLANETKEY_STATUS_CANCELLED, and the token is used when it arrives.
/// It must not throw or longjmp. It may use other sessions; a call that would wait for its own
/// session returns ::PLANETKEY_STATUS_UNAVAILABLE. A forked child calls it on its own threads.
pub type planetkey_token_callback = Option<
    unsafe extern "C" fn(user_data: *mut c_void, request: *const planetkey_token_request) -> i32,
>;

struct Provider {
    callback: unsafe extern "C" fn(*mut c_void, *const planetkey_token_request) -> i32,
    user_data: UserData,
}

impl TokenProvider for Provider {
    fn token(&self, request: &ProviderRequest<'_>) -> Result<ProvidedToken> {
        let asked = planetkey_token_request {
            timeout_ms: u32::try_from(request.timeout.as_millis()).unwrap_or(u32::MAX),
            rejected_token: request.rejected_token.map(with_nul),
            answer: Mutex::new(Answer::Nothing),
        };
        // SAFETY: the caller of planetkey_session_from_token_provider() promised a function of this type. The
        // request outlives the call.
        let status = unsafe { (self.callback)(self.user_data.pointer(), &raw const asked) };
        let answer = asked.answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        if status == planetkey_status::Ok as i32 {
            return match answer {
                Answer::Token(token) => Ok(token),
                _ => Err(Error::new(
                    Status::Misconfigured,
                    "the token provider returned PLANETKEY_STATUS_OK without a token; call \
                     planetkey_token_request_provide",
                )),
            };
        }
        let known = Status::from_number(status);
        let (message, retry_after) = match answer {
            Answer::Failure(failure) => return Err(failure),
            Answer::Message(message, retry_after) => (message, retry_after),
            Answer::Nothing | Answer::Token(_) => {
                let name = known.map(|status| format!(", {status}")).unwrap_or_default();
                (format!("the token provider failed: it returned {status}{name}"), None)
            }
        };
        let status = known.unwrap_or(Status::Unavailable);
        Err(Error::new(status, message).with_retry_after(retry_after))
    }
}

fn with_nul(text: &str) -> Zeroizing<Vec<u8>> {
    // Exactly as large as needed, because growing would leave an unwiped copy behind.
    let mut copy = Zeroizing::new(Vec::with_capacity(text.len() + 1));
    copy.extend_from_slice(text.as_bytes());
    copy.push(0);
    copy
}

/// Opens a session with tokens that something else obtains: a broker, a scheduler, the vault of
/// another language.
///
/// The tokens are cached in memory and refreshed as those of every other source: all threads share
/// one call of the provider, and before a token expires the provider is called in the background.
/// They are never saved. A JWT goes to the hosts that accept tokens of its issuer, and any other
/// token to those that accept a user's. After a failure of the provider it is not called for one
/// second, and twice as long after each further failure, up to 30 seconds; callers get the failure
/// meanwhile. Opening the session does not call the provider.
///
/// @param[in] callback obtains a token. Not NULL.
/// @param[in] user_data passed to the callback. May be NULL.
/// @param[in] destroy called once with `user_data`, on any thread, when no session needs the
///            provider any more; also if this function fails. May be NULL.
/// @param[in] options NULL means the defaults. Copied. Options about saving are refused.
/// @param[out] session the session, NULL on failure. Free with planetkey_session_free(). Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT,
///         ::PLANETKEY_STATUS_MISCONFIGURED.
///
/// Thread-safe. Sends no requests. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_from_token_provider(
    callback: planetkey_token_callback,
    user_data: *mut c_void,
    destroy: planetkey_destroy_callback,
    options: *const planetkey_options,
    session: *mut *mut planetkey_session,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let user_data = UserData::new(user_data, destroy);
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        construct(session, error, || {
            let callback = callback.ok_or_else(|| must_not_be_null("callback"))?;
            let provider = Arc::new(Provider { callback, user_data });
            Session::from_token_provider(provider, &options_handle::copied(options))
        })
    }
}

/// Returns how long the provider may take.
///
/// @param[in] request May be NULL.
/// @return milliseconds. 0 for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_token_request_timeout_ms(
    request: *const planetkey_token_request,
) -> u32 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(request, 0, |request| Some(request.timeout_ms)) }
}

/// Returns the last token if an API refused it with 401. A provider that caches tokens must not
/// provide it again.
///
/// @param[in] request May be NULL.
/// @return NUL-terminated text, a secret, borrowed for the callback. NULL if no token was refused.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_token_request_rejected_token(
    request: *const planetkey_token_request,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(request, null(), |request| {
            request.rejected_token.as_ref().map(|token| token.as_ptr().cast())
        })
    }
}

/// Provides a token with its lifetime.
///
/// @param[in] request Not NULL.
/// @param[in] access_token the token alone, without "Bearer", as NUL-terminated text of at most
///            1 MiB. Not NULL. Copied.
/// @param[in] expires_in_ms milliseconds until it expires. A negative number means the claim
///            `exp` of a JWT; any other token is used for 5 minutes.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The token is checked after
///         the callback: callers of the session get ::PLANETKEY_STATUS_MISCONFIGURED for one that no
///         header can carry, and ::PLANETKEY_STATUS_UNAVAILABLE for one that has expired.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_token_request_provide(
    request: *const planetkey_token_request,
    access_token: *const c_char,
    expires_in_ms: i64,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        answer(request, error, || {
            let token = Secret::from(input::text("access_token", access_token)?);
            Ok(Answer::Token(match u64::try_from(expires_in_ms) {
                Ok(ms) => ProvidedToken::expires_in(token, Duration::from_millis(ms)),
                Err(_) => ProvidedToken::of_unknown_expiry(token),
            }))
        })
    }
}

/// Provides a token with the time at which it expires, by the clock of this computer.
///
/// @param[in] request Not NULL.
/// @param[in] access_token as for planetkey_token_request_provide().
/// @param[in] expires_at Unix seconds.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return as planetkey_token_request_provide().
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_token_request_provide_until(
    request: *const planetkey_token_request,
    access_token: *const c_char,
    expires_at: i64,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        answer(request, error, || {
            let token = Secret::from(input::text("access_token", access_token)?);
            let expires_at = u64::try_from(expires_at).unwrap_or(0);
            Ok(Answer::Token(ProvidedToken::expires_at(token, expires_at)))
        })
    }
}

/// Says why there is no token: with the error of another session, which the callers of this session
/// get unchanged. The callback then returns anything but ::PLANETKEY_STATUS_OK.
///
/// @param[in] request Not NULL.
/// @param[in] failure the error of the other session. Not NULL. Copied.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_token_request_fail(
    request: *const planetkey_token_request,
    failure: *const planetkey_error,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        answer(request, error, || {
            let failure = failure.as_ref().ok_or_else(|| must_not_be_null("failure"))?;
            Ok(Answer::Failure(failure.core().clone()))
        })
    }
}

/// Says why there is no token: with a message for the error whose status the callback returns.
///
/// @param[in] request Not NULL.
/// @param[in] message one line without a secret, as NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
///            Copied.
/// @param[in] retry_after_ms milliseconds until the provider may be called again. A negative number
///            means that planetkey decides.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_token_request_set_message(
    request: *const planetkey_token_request,
    message: *const c_char,
    retry_after_ms: i64,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        answer(request, error, || {
            let message = input::text("message", message)?.to_owned();
            let retry_after = u64::try_from(retry_after_ms).ok().map(Duration::from_millis);
            Ok(Answer::Message(message, retry_after))
        })
    }
}

/// Sets what the provider said.
///
/// # Safety
/// The pointers are as the documentation of the extern functions says.
unsafe fn answer(
    request: *const planetkey_token_request,
    error: *mut *mut planetkey_error,
    answer: impl FnOnce() -> Result<Answer>,
) -> planetkey_status {
    // SAFETY: by the promise above.
    unsafe {
        boundary::check(error, || {
            let request = handle::borrow(request)?;
            let answer = answer()?;
            *request.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
            Ok(())
        })
    }
}
