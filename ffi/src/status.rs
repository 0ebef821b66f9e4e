//! Statuses: what the caller should do.

use std::ffi::{CStr, c_char};

use planetkey::Status;

use crate::boundary;

/// What the caller should do. Numbers are the same in every language, stable and never reused; new ones may be added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_status {
    /// Nothing went wrong.
    Ok = 0,
    /// Fix the call.
    InvalidArgument = 1,
    /// Fix the profile, file, client or scope.
    Misconfigured = 2,
    /// Ask the user to log in; planetkey_error_reason() says why.
    LoginRequired = 3,
    /// The user or the server said no.
    Denied = 4,
    /// This credential must not go to this URL; the message says which would.
    HostRefused = 5,
    /// Try later; planetkey_error_retry_after_ms() may say when.
    Unavailable = 6,
    /// The deadline passed.
    Timeout = 7,
    /// The caller cancelled.
    Cancelled = 8,
    /// The server's answer breaks the standard.
    Protocol = 9,
    /// The session could not be read or kept.
    Storage = 10,
    /// A token failed validation; planetkey_error_reason() says how.
    TokenInvalid = 11,
    /// Not offered for this kind of session or client.
    Unsupported = 12,
    /// A bug in planetkey.
    Internal = 13,
}

impl From<Status> for planetkey_status {
    fn from(status: Status) -> Self {
        match status {
            Status::Ok => planetkey_status::Ok,
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
            Status::Internal => planetkey_status::Internal,
        }
    }
}

const fn name(status: Status) -> &'static CStr {
    match status {
        Status::Ok => c"OK",
        Status::InvalidArgument => c"INVALID_ARGUMENT",
        Status::Misconfigured => c"MISCONFIGURED",
        Status::LoginRequired => c"LOGIN_REQUIRED",
        Status::Denied => c"DENIED",
        Status::HostRefused => c"HOST_REFUSED",
        Status::Unavailable => c"UNAVAILABLE",
        Status::Timeout => c"TIMEOUT",
        Status::Cancelled => c"CANCELLED",
        Status::Protocol => c"PROTOCOL",
        Status::Storage => c"STORAGE",
        Status::TokenInvalid => c"TOKEN_INVALID",
        Status::Unsupported => c"UNSUPPORTED",
        Status::Internal => c"INTERNAL",
    }
}

/// The name of a status, the same in all languages: "INVALID_ARGUMENT".
///
/// @param[in] status a ::planetkey_status; any number is allowed.
/// @return NUL-terminated text that lives as long as the library; NULL for a number that is no status of this version.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_status_name(status: i32) -> *const c_char {
    boundary::value(std::ptr::null(), || Status::from_number(status).map(|status| name(status).as_ptr()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_those_of_the_core() {
        for status in Status::ALL {
            assert_eq!(planetkey_status::from(status) as i32, status.number());
            assert_eq!(name(status).to_bytes(), status.name().as_bytes());
        }
    }
}
