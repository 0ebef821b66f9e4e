//! The device authorization grant (RFC 8628): a user logs in on another device while this one
//! polls.

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use super::token_endpoint::{self, Received, TokenRequest};
use crate::clock::Monotonic;
use crate::credential::TokenSet;
use crate::deployment::InsecureLoopback;
use crate::error::{Error, Reason, Result, Status};
use crate::http::{CallContext, Form, Replay, Retry};
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::text::is_invisible;
use serde_json::Value;
use std::time::Duration;

/// RFC 8628 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The interval if the server names none (RFC 8628 3.2), and what `slow_down` adds (3.5).
const FIVE_SECONDS: Duration = Duration::from_secs(5);
/// A longer interval counts as this one.
const LONGEST_INTERVAL: Duration = Duration::from_secs(60);
/// While the server does not respond, the wait grows up to this.
const LONGEST_BACKOFF: Duration = Duration::from_secs(120);
/// A longer lifetime of the codes counts as a day.
const LONGEST_LIFE_S: f64 = 24.0 * 3600.0;
/// The user reads and types them.
const LONGEST_USER_CODE: usize = 100;
const LONGEST_URI: usize = 2048;

/// The device authorization response (RFC 8628 3.2). Its strings are safe to show.
#[derive(Clone, Debug)]
pub struct DeviceAuthorization {
    /// Identifies the pending login. It is as secret as the tokens that it is exchanged for.
    pub device_code: Secret,
    /// The code that the user enters. Show it even with a URI that contains it.
    pub user_code: String,
    /// The address at which the user enters it.
    pub verification_uri: String,
    /// The same with the code in it, for a link or a QR code.
    pub verification_uri_complete: Option<String>,
    /// How long the codes are valid.
    pub expires_in: Duration,
    /// The shortest time between the end of a poll and the next one.
    pub interval: Duration,
}

/// Starts a login (RFC 8628 3.1).
///
/// Blocks; uses the network. Errors: INVALID_ARGUMENT (an invalid scope, a parameter that is
/// present twice), MISCONFIGURED (invalid_client, invalid_scope, ...), DENIED, UNAVAILABLE,
/// TIMEOUT, PROTOCOL.
// One argument for each thing that the standard names.
#[allow(clippy::too_many_arguments)]
pub fn authorize(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    scopes: &[String],
    audience: Option<&str>,
    extra: &[(String, String)],
    insecure_loopback: InsecureLoopback,
) -> Result<DeviceAuthorization> {
    token_endpoint::check_scopes(scopes)?;
    let mut form = Form::default();
    form.add("scope", &scopes.join(" "))?;
    form.add("audience", audience.unwrap_or(""))?;
    endpoint_request::add_extra(&mut form, extra, &["scope", "audience"])?;
    // A second code does no harm: the first one expires.
    let (request, response) =
        endpoint_request::post(call, endpoint, authentication, form, Replay::Safe)?;
    if !response.is_success() {
        return Err(endpoint_request::refused(
            &request,
            &response,
            authentication,
            call.clock().now().unix_ms,
        ));
    }
    let document = endpoint_request::json(&request, &response)?;
    if let Some(error) = endpoint_request::error_response(&request, &response, &document) {
        return Err(endpoint_request::name_client(error, authentication));
    }
    parse(&document, insecure_loopback)
}

/// Checks a device authorization response.
///
/// Errors: PROTOCOL.
pub fn parse(document: &Value, insecure_loopback: InsecureLoopback) -> Result<DeviceAuthorization> {
    let text =
        |member: &str| document.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let required = |member: &str| {
        text(member).ok_or_else(|| {
            Error::protocol(format!(
                "the device authorization response has no {member} (RFC 8628 3.2)"
            ))
        })
    };
    let device_code = Secret::from(required("device_code")?);
    let user_code = required("user_code")?;
    if user_code.chars().count() > LONGEST_USER_CODE || user_code.chars().any(is_invisible) {
        return Err(Error::protocol(
            "the server's user_code is too long or holds characters that cannot be shown",
        ));
    }
    // Servers that predate the standard send verification_url.
    let named =
        if text("verification_uri").is_some() { "verification_uri" } else { "verification_url" };
    let verification_uri = shown_uri(
        text(named).map_or_else(|| required("verification_uri"), Ok)?,
        named,
        insecure_loopback,
    )?;
    let verification_uri_complete = match text("verification_uri_complete") {
        Some(uri) => Some(shown_uri(uri, "verification_uri_complete", insecure_loopback)?),
        None => None,
    };
    let expires_in = document
        .get("expires_in")
        .and_then(endpoint_request::number)
        .filter(|seconds| *seconds > 0.0)
        .ok_or_else(|| {
            Error::protocol(
                "the device authorization response has no usable expires_in (RFC 8628 3.2)",
            )
        })?;
    let interval = match document.get("interval").and_then(endpoint_request::number) {
        Some(seconds) if seconds > 0.0 => {
            Duration::from_secs(seconds.ceil() as u64).min(LONGEST_INTERVAL)
        }
        _ => FIVE_SECONDS,
    };
    Ok(DeviceAuthorization {
        device_code,
        user_code: user_code.to_owned(),
        verification_uri,
        verification_uri_complete,
        expires_in: Duration::from_millis((expires_in.min(LONGEST_LIFE_S) * 1000.0) as u64),
        interval,
    })
}

/// Checks an address that is shown to the user and opened in a browser (RFC 8628 5.4): https or
/// loopback, in printable ASCII.
fn shown_uri(uri: &str, member: &str, insecure_loopback: InsecureLoopback) -> Result<String> {
    // A URI is ASCII (RFC 3986 2), and programs disagree on the meaning of a backslash.
    let readable = uri.len() <= LONGEST_URI
        && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let what = format!("{member} in the device authorization response");
    if !readable {
        return Err(Error::protocol(format!(
            "the {what} is too long or holds characters that no URI may have"
        )));
    }
    // A page may use the fragment.
    let (without_fragment, _) = uri.split_once('#').unwrap_or((uri, ""));
    super::endpoint(without_fragment, &what, insecure_loopback)
        .map_err(|error| Error::protocol(error.message()))?;
    Ok(uri.to_owned())
}

/// The result of one poll.
#[derive(Debug)]
pub enum Poll {
    /// The user agreed.
    Granted(TokenSet),
    /// The user agreed, but the tokens cannot be used.
    Unusable {
        /// Why.
        error: Error,
        /// The tokens, which the server accepts until they are revoked.
        received: Members,
    },
    /// The user has not decided yet.
    Pending,
    /// As [`Poll::Pending`], and the polls are too frequent.
    SlowDown,
    /// The server is unreachable or fails: it is polled less often (RFC 8628 3.5).
    Unreachable {
        /// The wait that the server's `Retry-After` asks for.
        retry_after: Option<Duration>,
        /// The failure.
        error: Error,
    },
}

/// Polls once whether the user agreed (RFC 8628 3.4).
///
/// Blocks; uses the network. Errors, all of them final: DENIED, LOGIN_REQUIRED (`expired`: the code
/// expired), MISCONFIGURED, PROTOCOL.
pub fn poll(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    device_code: &Secret,
    scopes: &[String],
) -> Result<Poll> {
    let mut form = Form::default();
    form.add("grant_type", GRANT_TYPE)?;
    form.add("device_code", device_code.expose())?;
    let request = TokenRequest { endpoint, form, authentication, scopes, replay: Replay::Once };
    let error = match token_endpoint::receive(&call.with_retry(Retry::Never), request) {
        Ok(Received::Usable(tokens)) => return Ok(Poll::Granted(tokens)),
        Ok(Received::Unusable(error, received)) => return Ok(Poll::Unusable { error, received }),
        Err(error) => error,
    };
    match error.oauth_error() {
        Some("authorization_pending") => Ok(Poll::Pending),
        Some("slow_down") => Ok(Poll::SlowDown),
        Some("access_denied") => Err(endpoint_request::reworded(
            &error,
            Status::Denied,
            "access was denied on the other device; log in again and allow it",
        )),
        Some("expired_token" | "invalid_grant") => {
            let message = "the code of this login is no longer valid; log in again and enter the new one in time";
            Err(endpoint_request::reworded(&error, Status::LoginRequired, message)
                .with_reason(Reason::Expired))
        }
        None if matches!(error.status(), Status::Unavailable | Status::Timeout) => {
            Ok(Poll::Unreachable { retry_after: error.retry_after(), error })
        }
        _ => Err(error),
    }
}

/// When to poll.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval: Duration,
    /// How many polls in a row failed.
    failures: u32,
    next: Monotonic,
    expires: Monotonic,
}

impl Schedule {
    /// Starts at the receipt of the device authorization response.
    pub fn new(authorization: &DeviceAuthorization, now: Monotonic) -> Self {
        Schedule {
            interval: authorization.interval,
            failures: 0,
            next: now + authorization.interval,
            expires: now + authorization.expires_in,
        }
    }

    /// The earliest time of the next poll.
    pub fn next(&self) -> Monotonic {
        self.next
    }

    /// When the codes expire.
    pub fn expires(&self) -> Monotonic {
        self.expires
    }

    /// Notes that a poll has completed now. The next one is an interval later.
    pub fn polled(&mut self, outcome: &Poll, now: Monotonic) {
        let mut asked = Duration::ZERO;
        match outcome {
            Poll::Unreachable { retry_after, .. } => {
                self.failures = self.failures.saturating_add(1);
                asked = retry_after.unwrap_or_default();
            }
            Poll::SlowDown => {
                self.failures = 0;
                self.interval = self.interval.saturating_add(FIVE_SECONDS);
            }
            Poll::Pending | Poll::Granted(_) | Poll::Unusable { .. } => self.failures = 0,
        }
        let doubled = self.interval.saturating_mul(1 << self.failures.min(16));
        self.next = now + doubled.min(LONGEST_BACKOFF.max(self.interval)).max(asked);
    }
}
