//! What a token provider returned: a token, or why there is none.

use std::time::Duration;

use napi_derive::napi;
use planetkey::{Error, ProvidedToken, Reason, Secret, Status};

/// A token that a provider returned. At most one of the times is set.
#[napi(object, object_to_js = false)]
pub struct NativeProvidedToken {
    /// The token alone.
    pub access_token: String,
    /// Milliseconds until it expires.
    pub expires_in_ms: Option<f64>,
    /// When it expires, in Unix milliseconds.
    pub expires_at_ms: Option<f64>,
}

impl NativeProvidedToken {
    pub(crate) fn core(self) -> ProvidedToken {
        let token = Secret::from(self.access_token);
        match (self.expires_in_ms, self.expires_at_ms) {
            // A negative number is 0.
            (Some(ms), _) => ProvidedToken::expires_in(token, Duration::from_millis(ms as u64)),
            (None, Some(ms)) => ProvidedToken::expires_at(token, ms as u64 / 1000),
            (None, None) => ProvidedToken::of_unknown_expiry(token),
        }
    }
}

/// Why a provider returned no token, with the attributes of a PlanetkeyError.
#[napi(object, object_to_js = false)]
pub struct NativeFailure {
    /// The number of the status.
    pub number: i32,
    /// One line.
    pub message: String,
    /// A word that refines the status.
    pub reason: Option<String>,
    /// The error of an OAuth error response.
    pub oauth_error: Option<String>,
    /// The server's own text.
    pub oauth_error_description: Option<String>,
    /// The HTTP status of the authorization server's response.
    pub http_status: Option<u16>,
    /// Milliseconds until the next attempt.
    pub retry_after_ms: Option<f64>,
    /// Whether the same call may succeed later.
    pub retryable: Option<bool>,
    /// The profile that the error is about.
    pub profile: Option<String>,
}

impl NativeFailure {
    pub(crate) fn core(&self) -> Error {
        let status = Status::from_number(self.number).unwrap_or(Status::Unavailable);
        let retry_after = self.retry_after_ms.map(|ms| Duration::from_millis(ms as u64));
        let mut error = Error::new(status, &self.message)
            .with_retry_after(retry_after)
            .with_profile(self.profile.as_deref());
        if let Some(reason) = self.reason.as_deref().and_then(Reason::from_name) {
            error = error.with_reason(reason);
        }
        if let Some(oauth_error) = &self.oauth_error {
            error = error.with_oauth_error(oauth_error, self.oauth_error_description.as_deref());
        }
        if let Some(http_status) = self.http_status {
            error = error.with_http_status(http_status);
        }
        match self.retryable {
            Some(retryable) => error.with_retryable(retryable),
            None => error,
        }
    }
}
