//! Who is logged in, and the end of it.

use std::ffi::{CStr, c_char};
use std::ptr::{null, null_mut};

use planetkey::{Result, Revocation};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle;
use crate::input;
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// What became of a refresh token at its server (RFC 7009).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_revocation {
    /// There was none, or nobody asked for it.
    None = 0,
    /// The server does not accept it any more.
    Revoked = 1,
    /// The server did not say that it has revoked it: it must be taken to be alive.
    Unknown = 2,
}

impl planetkey_revocation {
    const fn of(revocation: &Revocation) -> Self {
        match revocation {
            Revocation::NotAsked => Self::None,
            Revocation::Revoked => Self::Revoked,
            Revocation::Unknown(_) => Self::Unknown,
        }
    }

    const fn name(self) -> &'static CStr {
        match self {
            Self::None => c"none",
            Self::Revoked => c"revoked",
            Self::Unknown => c"unknown",
        }
    }
}

/// The name of what became of a refresh token, the same in all languages: "unknown".
///
/// @param[in] revocation a ::planetkey_revocation; any number is allowed.
/// @return NUL-terminated text that lives as long as the library; NULL for a number that is none of this version.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_revocation_name(revocation: i32) -> *const c_char {
    use planetkey_revocation::{None, Revoked, Unknown};
    let is_it = |known: &planetkey_revocation| *known as i32 == revocation;
    boundary::value(null(), || [None, Revoked, Unknown].into_iter().find(is_it).map(|known| known.name().as_ptr()))
}

/// Forgets the tokens, in memory and where they are kept, so that every process has to log in again. A client's configuration stays: a
/// machine gets new tokens with the next call.
///
/// @param[in] session not NULL.
/// @param[in] revoke whether a refresh token is given back to the server first (RFC 7009), as it should be. A server that cannot be reached does not
///            keep the session from being forgotten here.
/// @param[out] removed whether there were tokens. Set to false on failure. May be NULL.
/// @param[out] revocation what became of the refresh token, a ::planetkey_revocation. Set to ::PLANETKEY_REVOCATION_NONE on failure. May be NULL.
/// @param[out] why_unknown why that is ::PLANETKEY_REVOCATION_UNKNOWN, in one line for people; free it with planetkey_string_free(). Else NULL.
///             May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session), ::PLANETKEY_STATUS_TIMEOUT (another
///         process has been renewing the session all the time), ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_LOGIN_REQUIRED (no
///         credential at all).
///
/// Any number of threads. Blocks until a renewal that is under way has ended, and with `revoke` on the network for at most 10 seconds, or until the
/// deadline passes. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_logout(
    session: *const planetkey_session,
    revoke: bool,
    removed: *mut bool,
    revocation: *mut i32,
    why_unknown: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let (mut unasked, mut uninteresting) = (false, 0);
    let removed = if removed.is_null() { &raw mut unasked } else { removed };
    let revocation = if revocation.is_null() { &raw mut uninteresting } else { revocation };
    // SAFETY: the caller promises that `revocation` may be written to.
    unsafe { revocation.write(planetkey_revocation::None as i32) };
    if !why_unknown.is_null() {
        // SAFETY: not NULL, and the caller promises that it may be written to.
        unsafe { why_unknown.write(null_mut()) };
    }
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("removed", removed, false, error, || {
            let out = core(session)?.logout(revoke)?;
            revocation.write(planetkey_revocation::of(&out.revocation) as i32);
            if let Revocation::Unknown(why) = &out.revocation
                && !why_unknown.is_null()
            {
                why_unknown.write(handle::give(planetkey_string::new(why.message())));
            }
            Ok(out.removed)
        })
    }
}

/// Hands out a JSON object as text.
///
/// # Safety
/// The pointers are as the extern functions ask for.
unsafe fn give_json(
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<serde_json::Map<String, serde_json::Value>>,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::run("json", json, null_mut(), error, || {
            let text = serde_json::Value::Object(body()?).to_string();
            Ok(handle::give(planetkey_string::new(&text)))
        })
    }
}

/// What the authorization server says of the person who is logged in (OpenID Connect Core 5.3): "sub" and, by the scopes, name, e-mail address and more.
///
/// @param[in] session not NULL.
/// @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session; the server does not offer it),
///         ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_MISCONFIGURED (the scope `openid` was not granted), ::PLANETKEY_STATUS_TOKEN_INVALID (the
///         answer is about somebody else), ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL.
///
/// Any number of threads. Blocks on the network, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_userinfo(
    session: *const planetkey_session,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { give_json(json, error, || core(session)?.userinfo()) }
}

/// The claims of the session's ID token, verified against the server's keys: who logged in, and when. That it has expired says nothing.
///
/// @param[in] session not NULL.
/// @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session), ::PLANETKEY_STATUS_LOGIN_REQUIRED,
///         ::PLANETKEY_STATUS_MISCONFIGURED (the scope `openid` was not asked for), ::PLANETKEY_STATUS_TOKEN_INVALID,
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL.
///
/// Any number of threads. Blocks on the network where the keys are not at hand, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_id_token_claims(
    session: *const planetkey_session,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { give_json(json, error, || core(session)?.id_token_claims()) }
}

/// What the authorization server says of a token (RFC 7662): "active", and more of one that is.
///
/// @param[in] session not NULL.
/// @param[in] token the token that is asked about, NUL-terminated UTF-8 of at most 1 MiB; NULL means the session's own access token.
/// @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, also for a token that is not active; ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session; the server
///         does not offer it), ::PLANETKEY_STATUS_MISCONFIGURED (the client may not ask), ::PLANETKEY_STATUS_LOGIN_REQUIRED,
///         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any number of threads. Blocks on the network, until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_introspect(
    session: *const planetkey_session,
    token: *const c_char,
    json: *mut *mut planetkey_string,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { give_json(json, error, || core(session)?.introspect(input::optional_text("token", token)?)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_have_the_names_of_the_core() {
        let failed = planetkey::Error::new(planetkey::Status::Unavailable, "the server is down");
        for revocation in [Revocation::NotAsked, Revocation::Revoked, Revocation::Unknown(failed)] {
            let number = planetkey_revocation::of(&revocation);
            assert_eq!(number.name().to_bytes(), revocation.name().as_bytes());
            assert_eq!(planetkey_revocation_name(number as i32), number.name().as_ptr());
        }
        assert!(planetkey_revocation_name(3).is_null() && planetkey_revocation_name(-1).is_null());
    }
}
