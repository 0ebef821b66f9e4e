//! Statuses, which say what the caller should do.

use std::ffi::{CStr, c_char};

use planetkey::Status;
use planetkey_support::panic;

/// What the caller should do. The numbers are stable, never reused, and the same in every language.
/// Later versions may add more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_status {
    /// The call succeeded.
    Ok = 0,
    /// Fix the call.
    InvalidArgument = 1,
    /// Fix the profile, file, client or scope.
    Misconfigured = 2,
    /// Ask the user to log in. planetkey_error_reason() says why.
    LoginRequired = 3,
    /// The user or the server refused.
    Denied = 4,
    /// The credential must not go to this URL. The message says which credential may.
    HostRefused = 5,
    /// Try later. planetkey_error_retry_after_ms() may say when.
    Unavailable = 6,
    /// The deadline passed.
    Timeout = 7,
    /// The caller cancelled the call.
    Cancelled = 8,
    /// The server's response breaks the standard.
    Protocol = 9,
    /// The session could not be read or saved.
    Storage = 10,
    /// A token failed validation. planetkey_error_reason() says how.
    TokenInvalid = 11,
    /// This kind of session, client or server does not support the call.
    Unsupported = 12,
    /// planetkey has a bug. Please report it.
    Internal = 13,
}

impl From<Status> for planetkey_status {
    fn from(status: Status) -> Self {
        match status {
            Status::InvalidArgument => planetkey_status::InvalidArgument,
            Status::Misconfigured => planetkey_status::Misconfigured,
            Status::LoginRequired => planetkey_status::LoginRequired,
            Status::Denied => planetkey_status::Denied,
            Status::HostRefused => planetkey_status::HostRefused,
            Status::Unavailable => planetkey_status::Unavailable,
            Status::Timeout => planetkey_status::Timeout,
            Status::Cancelled => planetkey_status::Cancelled,
            Status::Protocol => planetkey_status::Protocol,
            Status::Storage => planetkey_status::Storage,
            Status::TokenInvalid => planetkey_status::TokenInvalid,
            Status::Unsupported => planetkey_status::Unsupported,
            // A status that is not in this list is a bug.
            _ => planetkey_status::Internal,
        }
    }
}

const fn name(status: planetkey_status) -> &'static CStr {
    match status {
        planetkey_status::Ok => c"OK",
        planetkey_status::InvalidArgument => c"INVALID_ARGUMENT",
        planetkey_status::Misconfigured => c"MISCONFIGURED",
        planetkey_status::LoginRequired => c"LOGIN_REQUIRED",
        planetkey_status::Denied => c"DENIED",
        planetkey_status::HostRefused => c"HOST_REFUSED",
        planetkey_status::Unavailable => c"UNAVAILABLE",
        planetkey_status::Timeout => c"TIMEOUT",
        planetkey_status::Cancelled => c"CANCELLED",
        planetkey_status::Protocol => c"PROTOCOL",
        planetkey_status::Storage => c"STORAGE",
        planetkey_status::TokenInvalid => c"TOKEN_INVALID",
        planetkey_status::Unsupported => c"UNSUPPORTED",
        planetkey_status::Internal => c"INTERNAL",
    }
}

/// Returns the name of a status, which is the same in all languages: "INVALID_ARGUMENT".
///
/// @param[in] status a ::planetkey_status. Any number is allowed.
/// @return NUL-terminated text, valid as long as the library is loaded. NULL if this version has no
///         such status.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_status_name(status: i32) -> *const c_char {
    panic::or(std::ptr::null(), || {
        let status = match status {
            0 => planetkey_status::Ok,
            number => Status::from_number(number)?.into(),
        };
        Some(name(status).as_ptr())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_match_the_core() {
        for status in Status::ALL {
            assert_eq!(planetkey_status::from(status) as i32, status.number());
            assert_eq!(name(status.into()).to_bytes(), status.name().as_bytes());
        }
    }
}
