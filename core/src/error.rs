//! The only error type. Its status says what the caller should do; everything else is detail.

use crate::text::one_line;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// What the caller should do about an [`Error`].
///
/// Numbers are stable, the same in every language, and never reused. 0 is success, which no error
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Status {
    /// Fix the call.
    InvalidArgument = 1,
    /// Fix the profile, file, client or scope.
    Misconfigured = 2,
    /// Ask the user to log in; `reason` says why.
    LoginRequired = 3,
    /// The user or the server refused.
    Denied = 4,
    /// This credential must not go to this URL; the message says which one may.
    HostRefused = 5,
    /// Try later; [`Error::retry_after`] may say when.
    Unavailable = 6,
    /// The deadline passed.
    Timeout = 7,
    /// The caller cancelled.
    Cancelled = 8,
    /// The server's response breaks the standard.
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
    pub const ALL: [Status; 13] = [
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

    /// What the caller should do about it, in a few words.
    pub const fn advice(self) -> &'static str {
        match self {
            Status::InvalidArgument => "fix the call",
            Status::Misconfigured => "fix the profile, file, client or scope",
            Status::LoginRequired => "ask the user to log in",
            Status::Denied => "the user or the server refused",
            Status::HostRefused => "this credential must not go to this URL",
            Status::Unavailable => "try later",
            Status::Timeout => "the deadline passed",
            Status::Cancelled => "the caller cancelled",
            Status::Protocol => "the server's response breaks the standard",
            Status::Storage => "the session could not be read or saved",
            Status::TokenInvalid => "a token failed validation",
            Status::Unsupported => "not offered for this session or client",
            Status::Internal => "a bug: report it",
        }
    }

    /// The number: the status in C, and the exit code of the command.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The status with this number. `None` for 0, which is success, and for unknown numbers.
    pub fn from_number(number: i32) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.number() == number)
    }

    /// Whether the same call may succeed later without any change.
    const fn retryable_by_default(self) -> bool {
        matches!(self, Status::Unavailable | Status::Timeout)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Defines [`Reason`] with the name and the status of each.
macro_rules! reasons {
    ($($(#[doc = $doc:literal])+ $reason:ident, $name:literal, $status:ident;)+) => {
        /// Refines the status of an [`Error`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Reason {
            $($(#[doc = $doc])+ $reason,)+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$reason),+];

            /// The name, the same in all languages: `never_logged_in`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Reason::$reason => $name,)+
                }
            }

            /// The status that it refines.
            pub const fn status(self) -> Status {
                match self {
                    $(Reason::$reason => Status::$status,)+
                }
            }
        }
    };
}

reasons! {
    /// No user has logged in to this session.
    NeverLoggedIn, "never_logged_in", LoginRequired;
    /// The refresh token or the login expired.
    Expired, "expired", LoginRequired;
    /// The server revoked the refresh token.
    Revoked, "revoked", LoginRequired;
    /// The user logged out.
    LoggedOut, "logged_out", LoginRequired;
    /// The saved session is damaged.
    Corrupt, "corrupt", LoginRequired;
    /// The server's certificate was not accepted, or a CA file cannot be used.
    Tls, "tls", Misconfigured;
    /// The proxy requires a user name and password (HTTP status 407).
    ProxyAuthentication, "proxy_authentication", Misconfigured;
    /// There is no profile of this name.
    UnknownProfile, "unknown_profile", Misconfigured;
    /// The session lacks a scope that the call needs; another login can request it.
    MissingScope, "missing_scope", Misconfigured;
    /// The response names another issuer than the client's (RFC 8414 section 3.3, RFC 9207).
    IssuerMismatch, "issuer_mismatch", Protocol;
    /// `expires_in` is not a usable lifetime.
    LifetimeUnusable, "lifetime_unusable", Protocol;
    /// This user must not read or write the file, or the file system is read-only.
    NoAccess, "no_access", Storage;
    /// The token cannot be parsed.
    Malformed, "malformed", TokenInvalid;
    /// The token is signed with an algorithm that is not accepted.
    BadAlgorithm, "bad_algorithm", TokenInvalid;
    /// The server publishes no key for the token.
    UnknownKey, "unknown_key", TokenInvalid;
    /// The signature is wrong.
    BadSignature, "bad_signature", TokenInvalid;
    /// The token is from another issuer.
    BadIssuer, "bad_issuer", TokenInvalid;
    /// The token is for another audience.
    BadAudience, "bad_audience", TokenInvalid;
    /// The token belongs to another login.
    BadNonce, "bad_nonce", TokenInvalid;
    /// The token or response is about another user.
    BadSubject, "bad_subject", TokenInvalid;
    /// The token expired.
    TokenExpired, "token_expired", TokenInvalid;
    /// The token is not valid yet.
    NotYetValid, "not_yet_valid", TokenInvalid;
    /// A different user logged in than the one of the saved session.
    OtherUser, "other_user", Denied;
}

impl Reason {
    /// The reason with this name.
    pub fn from_name(name: &str) -> Option<Reason> {
        Reason::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Clone, Debug, Default)]
struct Details {
    message: String,
    reason: Option<Reason>,
    oauth_error: Option<String>,
    oauth_error_description: Option<String>,
    http_status: Option<u16>,
    retry_after: Option<Duration>,
    retryable: Option<bool>,
    profile: Option<String>,
    ambiguous: bool,
    unusable_response: bool,
    source: Option<Source>,
}

/// An error that caused another one. Its text holds no secret.
pub(crate) type Source = Arc<dyn std::error::Error + Send + Sync>;

/// A failure. Cheap to clone: all callers that waited for the same refresh get the same one.
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

    /// A problem with a configuration file: MISCONFIGURED, except that UNAVAILABLE is preserved,
    /// because the file may be right. The message is `message`.
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

    /// Adds a reason.
    pub fn with_reason(self, reason: Reason) -> Self {
        self.with(|details| details.reason = Some(reason))
    }

    /// Adds the `error` and `error_description` of an OAuth error response (RFC 6749 5.2). Both are
    /// untrusted text and are cleaned here.
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

    /// Adds how long to wait before the next attempt.
    pub fn with_retry_after(self, retry_after: Option<Duration>) -> Self {
        self.with(|details| details.retry_after = retry_after)
    }

    /// Adds the error that caused this one. Its text must hold no secret either.
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.with(|details| details.source = Some(Arc::new(source)))
    }

    /// As [`Error::with_source`], for an error that others share, if there is one.
    pub(crate) fn with_shared_source(self, source: Option<Source>) -> Self {
        match source {
            Some(source) => self.with(|details| details.source = Some(source)),
            None => self,
        }
    }

    /// Adds the operating system's error that caused this one.
    pub(crate) fn with_io_source(self, source: &std::io::Error) -> Self {
        self.with_source(copied(source))
    }

    /// Adds the error of the JSON parser that caused this one, unless it is about a value: that one
    /// would repeat the value.
    pub(crate) fn with_json_source(self, source: serde_json::Error) -> Self {
        if source.is_data() { self } else { self.with_source(source) }
    }

    /// Says whether the same call may succeed later without any change.
    pub fn with_retryable(self, retryable: bool) -> Self {
        self.with(|details| details.retryable = Some(retryable))
    }

    /// Adds the profile that the error is about.
    pub fn with_profile(self, profile: Option<&str>) -> Self {
        match profile {
            Some(profile) => self.with(|details| details.profile = Some(one_line(profile, 200))),
            None => self,
        }
    }

    /// Puts the name of the file that the message is about before it.
    pub(crate) fn with_file(self, file: Option<&std::path::Path>) -> Self {
        match file {
            Some(file) => {
                let message = format!("{}: {}", file.display(), self.message());
                self.with(|details| details.message = one_line(&message, 1000))
            }
            None => self,
        }
    }

    /// Says that the server may have processed the request although no response says so.
    pub(crate) fn with_ambiguity(self) -> Self {
        self.with(|details| details.ambiguous = true)
    }

    /// Says that the response is unusable: the server has probably processed the request, and
    /// sending it again does not bring back what the response held.
    pub(crate) fn with_unusable_response(self) -> Self {
        self.with_ambiguity().with(|details| details.unusable_response = true)
    }

    /// Whether the refresh token may be sent once more immediately, because it is unknown whether
    /// the server processed the request. After an unusable response it did, and a server that
    /// detects reuse (RFC 9700 section 4.14.2) would end the session.
    pub(crate) fn may_replay(&self) -> bool {
        self.details.ambiguous && !self.details.unusable_response
    }

    /// Whether the server may have processed the request although no usable response says so: it
    /// may have rotated the refresh token.
    pub fn is_ambiguous(&self) -> bool {
        self.details.ambiguous
    }

    /// Whether the server responded, or may have read the request.
    pub(crate) fn has_reached_server(&self) -> bool {
        self.details.http_status.is_some() || self.details.ambiguous
    }

    /// What the caller should do.
    pub fn status(&self) -> Status {
        self.status
    }

    /// One line for users, safe to log.
    pub fn message(&self) -> &str {
        &self.details.message
    }

    /// What refines the status.
    pub fn reason(&self) -> Option<Reason> {
        self.details.reason
    }

    /// The `error` member of an OAuth error response (RFC 6749 section 5.2): `invalid_client`.
    pub fn oauth_error(&self) -> Option<&str> {
        self.details.oauth_error.as_deref()
    }

    /// The `error_description` member of an OAuth error response: untrusted text, one line.
    pub fn oauth_error_description(&self) -> Option<&str> {
        self.details.oauth_error_description.as_deref()
    }

    /// The HTTP status of the authorization server's response.
    pub fn http_status(&self) -> Option<u16> {
        self.details.http_status
    }

    /// How long to wait before the next attempt.
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_after
    }

    /// Whether the same call may succeed later without any change.
    pub fn retryable(&self) -> bool {
        self.details.retryable.unwrap_or(self.status.retryable_by_default())
    }

    /// The profile that the error is about.
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

impl std::error::Error for Error {
    /// The error of the operating system or of a library, if one caused this error.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.details.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

/// A copy of an error of the operating system.
pub(crate) fn copied(error: &std::io::Error) -> std::io::Error {
    match error.raw_os_error() {
        Some(code) => std::io::Error::from_raw_os_error(code),
        None => std::io::Error::new(error.kind(), error.to_string()),
    }
}

/// The statuses and reasons as data. `tests/vectors/errors.json` is this document, and the tests of
/// each language check that it maps all of it.
#[doc(hidden)]
pub fn catalogue() -> serde_json::Value {
    let success = serde_json::json!({
        "number": 0, "name": "OK", "advice": "nothing", "reasons": [], "retryable": false,
    });
    let errors = Status::ALL.into_iter().map(|status| {
        let reasons = Reason::ALL
            .iter()
            .filter(|reason| reason.status() == status)
            .map(|reason| reason.name());
        serde_json::json!({
            "number": status.number(),
            "name": status.name(),
            "advice": status.advice(),
            "reasons": reasons.collect::<Vec<_>>(),
            "retryable": status.retryable_by_default(),
        })
    });
    serde_json::json!({ "statuses": std::iter::once(success).chain(errors).collect::<Vec<_>>() })
}
