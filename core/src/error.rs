//! The one error type. Its status says what the caller should do; everything else on it is detail.

use crate::text::one_line;
use std::fmt;
use std::sync::Arc;

/// What the caller should do. Numbers are stable, the same in every language, and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// Nothing went wrong.
    Ok = 0,
    /// Fix the call.
    InvalidArgument = 1,
    /// Fix the profile, file, client or scope.
    Misconfigured = 2,
    /// Ask the user to log in; `reason` says why.
    LoginRequired = 3,
    /// The user or the server said no.
    Denied = 4,
    /// This credential must not go to this URL; the message says which would.
    HostRefused = 5,
    /// Try later; `retry_after_ms` says when.
    Unavailable = 6,
    /// The deadline passed.
    Timeout = 7,
    /// The caller cancelled.
    Cancelled = 8,
    /// The server's answer breaks the standard.
    Protocol = 9,
    /// The session could not be read or saved.
    Storage = 10,
    /// A token failed validation; `reason` says how.
    TokenInvalid = 11,
    /// Not offered for this kind of session or client.
    Unsupported = 12,
    /// A bug in planetkey.
    Internal = 13,
}

impl Status {
    /// Every status, in the order of its number.
    pub const ALL: [Status; 14] = [
        Status::Ok,
        Status::InvalidArgument,
        Status::Misconfigured,
        Status::LoginRequired,
        Status::Denied,
        Status::HostRefused,
        Status::Unavailable,
        Status::Timeout,
        Status::Cancelled,
        Status::Protocol,
        Status::Storage,
        Status::TokenInvalid,
        Status::Unsupported,
        Status::Internal,
    ];

    /// The name, the same in all languages: `INVALID_ARGUMENT`.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Ok => "OK",
            Status::InvalidArgument => "INVALID_ARGUMENT",
            Status::Misconfigured => "MISCONFIGURED",
            Status::LoginRequired => "LOGIN_REQUIRED",
            Status::Denied => "DENIED",
            Status::HostRefused => "HOST_REFUSED",
            Status::Unavailable => "UNAVAILABLE",
            Status::Timeout => "TIMEOUT",
            Status::Cancelled => "CANCELLED",
            Status::Protocol => "PROTOCOL",
            Status::Storage => "STORAGE",
            Status::TokenInvalid => "TOKEN_INVALID",
            Status::Unsupported => "UNSUPPORTED",
            Status::Internal => "INTERNAL",
        }
    }

    /// What the caller does about it, in a few words.
    pub const fn advice(self) -> &'static str {
        match self {
            Status::Ok => "nothing",
            Status::InvalidArgument => "fix the call",
            Status::Misconfigured => "fix the profile, file, client or scope",
            Status::LoginRequired => "ask the user to log in",
            Status::Denied => "the user or server said no",
            Status::HostRefused => "this credential must not go to this URL",
            Status::Unavailable => "try later",
            Status::Timeout => "the deadline passed",
            Status::Cancelled => "the caller cancelled",
            Status::Protocol => "the server's answer breaks the standard",
            Status::Storage => "the session could not be read or saved",
            Status::TokenInvalid => "a token failed validation",
            Status::Unsupported => "not offered for this session or client",
            Status::Internal => "a bug: report it",
        }
    }

    /// The number, as C and the command's exit code have it.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The status with this number.
    pub fn from_number(number: i32) -> Option<Status> {
        usize::try_from(number).ok().and_then(|index| Status::ALL.get(index)).copied()
    }

    /// Whether the same call may succeed later without anybody changing anything.
    const fn retryable_by_default(self) -> bool {
        matches!(self, Status::Unavailable | Status::Timeout)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The words that [`Error::reason`] can hold, with the statuses they refine.
pub const REASONS: &[(&str, Status)] = &[
    ("never_logged_in", Status::LoginRequired),
    ("expired", Status::LoginRequired),
    ("revoked", Status::LoginRequired),
    ("logged_out", Status::LoginRequired),
    ("corrupt", Status::LoginRequired),
    ("tls", Status::Misconfigured),
    ("proxy_authentication", Status::Misconfigured),
    ("issuer_mismatch", Status::Protocol),
    ("lifetime_unusable", Status::Protocol),
    ("malformed", Status::TokenInvalid),
    ("bad_algorithm", Status::TokenInvalid),
    ("unknown_key", Status::TokenInvalid),
    ("bad_signature", Status::TokenInvalid),
    ("bad_issuer", Status::TokenInvalid),
    ("bad_audience", Status::TokenInvalid),
    ("bad_nonce", Status::TokenInvalid),
    ("bad_subject", Status::TokenInvalid),
    ("token_expired", Status::TokenInvalid),
    ("not_yet_valid", Status::TokenInvalid),
    ("other_user", Status::Denied),
];

#[derive(Clone, Debug, Default)]
struct Details {
    message: String,
    reason: Option<&'static str>,
    oauth_error: Option<String>,
    oauth_error_description: Option<String>,
    http_status: Option<u16>,
    retry_after_ms: Option<u64>,
    retryable: Option<bool>,
    profile: Option<String>,
    ambiguous: bool,
    unusable_response: bool,
}

/// A failure, cheap to clone: everybody who waited for the same renewal gets the same one.
///
/// The message is one line, says what to do next, holds no secret and is safe to log.
#[derive(Clone)]
pub struct Error {
    status: Status,
    details: Arc<Details>,
}

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with this status. The message is cleaned to one line.
    pub fn new(status: Status, message: impl AsRef<str>) -> Self {
        let details = Details { message: one_line(message.as_ref(), 1000), ..Details::default() };
        Error { status, details: Arc::new(details) }
    }

    pub(crate) fn invalid_argument(message: impl AsRef<str>) -> Self {
        Error::new(Status::InvalidArgument, message)
    }

    pub(crate) fn misconfigured(message: impl AsRef<str>) -> Self {
        Error::new(Status::Misconfigured, message)
    }

    /// What is wrong with a file of the configuration: MISCONFIGURED, but UNAVAILABLE stays as it is, because the file may be right.
    /// The message is `message`.
    pub(crate) fn in_configuration(&self, message: impl AsRef<str>) -> Self {
        match self.status {
            Status::Unavailable => Error::new(Status::Unavailable, message),
            _ => Error::misconfigured(message),
        }
    }

    pub(crate) fn protocol(message: impl AsRef<str>) -> Self {
        Error::new(Status::Protocol, message)
    }

    fn with(mut self, change: impl FnOnce(&mut Details)) -> Self {
        change(Arc::make_mut(&mut self.details));
        self
    }

    /// Adds a reason, one of [`REASONS`].
    pub fn with_reason(self, reason: &'static str) -> Self {
        self.with(|details| details.reason = Some(reason))
    }

    /// Adds the `error` and `error_description` of an OAuth error response (RFC 6749 5.2); both are untrusted text and cleaned here.
    pub fn with_oauth_error(self, error: &str, description: Option<&str>) -> Self {
        self.with(|details| {
            details.oauth_error = Some(one_line(error, 100));
            details.oauth_error_description = description.map(|text| one_line(text, 400));
        })
    }

    /// Adds the status code of the HTTP response.
    pub fn with_http_status(self, http_status: u16) -> Self {
        self.with(|details| details.http_status = Some(http_status))
    }

    /// Adds how long to wait, in milliseconds.
    pub fn with_retry_after_ms(self, retry_after_ms: Option<u64>) -> Self {
        self.with(|details| details.retry_after_ms = retry_after_ms)
    }

    /// Says whether the same call may succeed later without any change.
    pub fn with_retryable(self, retryable: bool) -> Self {
        self.with(|details| details.retryable = Some(retryable))
    }

    /// Names the profile that this is about.
    pub fn with_profile(self, profile: Option<&str>) -> Self {
        match profile {
            Some(profile) => self.with(|details| details.profile = Some(one_line(profile, 200))),
            None => self,
        }
    }

    /// Names the file that the message is about, before it.
    pub(crate) fn with_file(self, file: Option<&std::path::Path>) -> Self {
        match file {
            Some(file) => {
                let message = format!("{}: {}", file.display(), self.message());
                self.with(|details| details.message = one_line(&message, 1000))
            }
            None => self,
        }
    }

    /// Says that the request may have been carried out although no answer that says so came.
    pub(crate) fn with_ambiguity(self) -> Self {
        self.with(|details| details.ambiguous = true)
    }

    /// Says that a response came and cannot be used: the request has probably been carried out, and sending it again does not bring
    /// back what the response held.
    pub(crate) fn with_unusable_response(self) -> Self {
        self.with_ambiguity().with(|details| details.unusable_response = true)
    }

    /// Whether the refresh token that was sent may be sent once more at once: nobody knows whether the request was carried out. After a
    /// response that cannot be used it was, and a server that detects reuse (RFC 9700 4.14.2) would end the session.
    pub(crate) fn may_replay(&self) -> bool {
        self.details.ambiguous && !self.details.unusable_response
    }

    /// Whether the request may have been carried out although no usable response says so: a refresh token may have been rotated.
    pub fn is_ambiguous(&self) -> bool {
        self.details.ambiguous
    }

    /// Whether the server has answered, or may have read the request.
    pub(crate) fn has_reached_server(&self) -> bool {
        self.details.http_status.is_some() || self.details.ambiguous
    }

    /// What the caller should do.
    pub fn status(&self) -> Status {
        self.status
    }

    /// One line for people, safe to log.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// A word that refines the status, one of [`REASONS`].
    pub fn reason(&self) -> Option<&'static str> {
        self.details.reason
    }

    /// The `error` member of an OAuth error response, as `invalid_client`.
    pub fn oauth_error(&self) -> Option<&str> {
        self.details.oauth_error.as_deref()
    }

    /// The `error_description` member of an OAuth error response: text of the server, one line, untrusted.
    pub fn oauth_error_description(&self) -> Option<&str> {
        self.details.oauth_error_description.as_deref()
    }

    /// The HTTP status of the authorization server's answer.
    pub fn http_status(&self) -> Option<u16> {
        self.details.http_status
    }

    /// How long to wait before trying again, in milliseconds.
    pub fn retry_after_ms(&self) -> Option<u64> {
        self.details.retry_after_ms
    }

    /// Whether the same call may succeed later without any change.
    pub fn retryable(&self) -> bool {
        self.details.retryable.unwrap_or(self.status.retryable_by_default())
    }

    /// The profile that this is about.
    pub fn profile(&self) -> Option<&str> {
        self.details.profile.as_deref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.details.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({self})")
    }
}

impl std::error::Error for Error {}

/// The taxonomy as data; `tests/vectors/errors.json` is this, and every language proves that it maps all of it.
pub fn catalogue() -> serde_json::Value {
    let statuses: Vec<_> = Status::ALL
        .iter()
        .map(|status| {
            let reasons: Vec<_> = REASONS.iter().filter(|(_, of)| of == status).map(|(reason, _)| *reason).collect();
            serde_json::json!({
                "number": status.number(),
                "name": status.name(),
                "advice": status.advice(),
                "reasons": reasons,
                "retryable": status.retryable_by_default(),
            })
        })
        .collect();
    serde_json::json!({ "statuses": statuses })
}
