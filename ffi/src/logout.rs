//! Logout.

use std::ffi::{CStr, CString, c_char};
use std::ptr::null;

use planetkey::{LogoutResult, Revocation};
use planetkey_support::panic;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::text::{c_string, pointer};

/// What became of a refresh token (RFC 7009).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_revocation {
    /// There was no refresh token, or its revocation was not requested.
    None = 0,
    /// The server does not accept it any more.
    Revoked = 1,
    /// The server did not confirm the revocation. The token may still be valid.
    Unknown = 2,
}

impl planetkey_revocation {
    const fn of(revocation: &Revocation) -> Self {
        match revocation {
            Revocation::NotAsked => Self::None,
            Revocation::Revoked => Self::Revoked,
            // Also an outcome that this list does not have yet: the token may still be valid.
            _ => Self::Unknown,
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

/// Returns the name of a ::planetkey_revocation, which is the same in all languages: "unknown".
///
/// @param[in] revocation a ::planetkey_revocation. Any number is allowed.
/// @return NUL-terminated text, valid as long as the library is loaded. NULL if this version has no
///         such number.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_revocation_name(revocation: i32) -> *const c_char {
    use planetkey_revocation::{None, Revoked, Unknown};
    let is_it = |known: &planetkey_revocation| *known as i32 == revocation;
    panic::or(null(), || {
        [None, Revoked, Unknown].into_iter().find(is_it).map(|known| known.name().as_ptr())
    })
}

/// The result of a logout. The caller owns it and frees it with planetkey_logout_result_free().
/// Immutable; any thread may read it.
pub struct planetkey_logout_result {
    removed: bool,
    revocation: planetkey_revocation,
    revocation_error: Option<CString>,
}

impl Shared for planetkey_logout_result {
    const NAME: &'static str = "result";
}

impl planetkey_logout_result {
    fn new(result: &LogoutResult) -> Self {
        planetkey_logout_result {
            removed: result.removed,
            revocation: planetkey_revocation::of(&result.revocation),
            revocation_error: result.revocation_error().map(|error| c_string(error.message())),
        }
    }
}

/// Logs out: deletes the tokens, in memory and where they are saved, so that every process must log
/// in again.
///
/// The configuration of the client stays. An M2M client gets a new token with the next call.
///
/// @param[in] session Not NULL.
/// @param[in] revoke whether to revoke the refresh token first (RFC 7009), which is recommended. If
///            the server cannot be reached, the tokens are deleted nevertheless.
/// @param[out] result the result, NULL on failure. Free with planetkey_logout_result_free(). May be
///            NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (the session has no token source),
///         ::PLANETKEY_STATUS_TIMEOUT (another process refreshed the session all the time),
///         ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_LOGIN_REQUIRED (no credential at all).
///
/// Thread-safe. Blocks until a refresh in progress has finished; with `revoke` also on the network,
/// for at most 10 seconds; at most until the deadline. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_logout(
    session: *const planetkey_session,
    revoke: bool,
    result: *mut *mut planetkey_logout_result,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give_if_wanted(result, error, || {
            Ok(planetkey_logout_result::new(&core(session)?.logout(revoke.into())?))
        })
    }
}

/// Returns whether there were tokens to delete.
///
/// @param[in] result May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logout_result_removed(
    result: *const planetkey_logout_result,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, false, |result| Some(result.removed)) }
}

/// Returns what became of the refresh token.
///
/// @param[in] result May be NULL.
/// @return the revocation. ::PLANETKEY_REVOCATION_NONE for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logout_result_revocation(
    result: *const planetkey_logout_result,
) -> planetkey_revocation {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, planetkey_revocation::None, |result| Some(result.revocation)) }
}

/// Returns why the revocation is ::PLANETKEY_REVOCATION_UNKNOWN, in one line that is safe to log.
///
/// @param[in] result May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_logout_result_free(). NULL for another
///         revocation, and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logout_result_revocation_error(
    result: *const planetkey_logout_result,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(result, null(), |result| pointer(&result.revocation_error)) }
}

/// Frees the result of a logout. Text borrowed from it becomes invalid.
///
/// @param[in] result NULL does nothing.
///
/// Any thread, once per result. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_logout_result_free(result: *mut planetkey_logout_result) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(result) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_match_the_core() {
        let failed = planetkey::Error::new(planetkey::Status::Unavailable, "the server is down");
        for revocation in [Revocation::NotAsked, Revocation::Revoked, Revocation::Unknown(failed)] {
            let number = planetkey_revocation::of(&revocation);
            assert_eq!(number.name().to_bytes(), revocation.name().as_bytes());
            assert_eq!(planetkey_revocation_name(number as i32), number.name().as_ptr());
        }
        assert!(planetkey_revocation_name(3).is_null() && planetkey_revocation_name(-1).is_null());
    }
}
