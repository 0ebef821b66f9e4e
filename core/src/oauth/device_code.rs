//! The device authorization grant (RFC 8628): a person logs in on another device while this one asks now and then.

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use super::token_endpoint::{self, Received, TokenRequest};
use crate::credential::{TokenMembers, TokenSet};
use crate::error::{Error, Reason, Result, Status};
use crate::http::{Form, Http, Patience, Replay};
use crate::secret::Secret;
use crate::text::is_invisible;
use serde_json::Value;

/// RFC 8628 3.4.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Where the server names no interval (RFC 8628 3.2), and what `slow_down` adds (3.5).
const FIVE_SECONDS_MS: u64 = 5_000;
/// No server needs more patience than this between two questions, whatever it says.
const LONGEST_INTERVAL_MS: u64 = 60_000;
/// While nothing answers, the pause grows up to this.
const LONGEST_BACKOFF_MS: u64 = 120_000;
/// Nobody types a code a day later.
const LONGEST_LIFE_S: f64 = 24.0 * 3600.0;
/// A person has to read and to type them.
const LONGEST_USER_CODE: usize = 100;
const LONGEST_URI: usize = 2048;

/// What the server hands out at the start (RFC 8628 3.2). Every text in it can be shown as it is.
#[derive(Clone, Debug)]
pub struct DeviceAuthorization {
    /// Stands for the login that is under way: as secret as the tokens that it will turn into.
    pub device_code: Secret,
    /// What the person types; it is shown in any case, also beside a URI that holds it.
    pub user_code: String,
    /// Where the person types it.
    pub verification_uri: String,
    /// The same with the code in it, for a link or a QR code.
    pub verification_uri_complete: Option<String>,
    /// How long the person has.
    pub expires_in_ms: u64,
    /// The least time between the end of a poll and the next.
    pub interval_ms: u64,
}

/// Begins a login (RFC 8628 3.1).
///
/// Blocks; uses the network. Errors: INVALID_ARGUMENT (a scope that is none, a parameter that is there twice), MISCONFIGURED
/// (invalid_client, invalid_scope, ...), DENIED, UNAVAILABLE, TIMEOUT, PROTOCOL.
// One argument for each thing that the standard names.
#[allow(clippy::too_many_arguments)]
pub fn authorize(
    http: &Http,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    scopes: &[String],
    audience: Option<&str>,
    extra: &[(String, String)],
    allow_insecure_loopback: bool,
    patience: Patience,
    deadline_ms: u64,
) -> Result<DeviceAuthorization> {
    token_endpoint::check_scopes(scopes)?;
    let mut form = Form::default();
    form.add("scope", &scopes.join(" "))?;
    form.add("audience", audience.unwrap_or(""))?;
    endpoint_request::add_extra(&mut form, extra, &["scope", "audience"])?;
    // A second code does no harm: the first one expires.
    let (request, response) = endpoint_request::post(http, endpoint, authentication, form, Replay::Safe, patience, deadline_ms)?;
    if !response.is_success() {
        return Err(endpoint_request::refused(&request, &response, authentication, http.clock().now().unix_ms));
    }
    let document = endpoint_request::json(&request, &response)?;
    if let Some(error) = endpoint_request::error_response(&request, &response, &document) {
        return Err(endpoint_request::name_client(error, authentication));
    }
    parse(&document, allow_insecure_loopback)
}

/// Checks a device authorization response.
///
/// Errors: PROTOCOL.
pub fn parse(document: &Value, allow_insecure_loopback: bool) -> Result<DeviceAuthorization> {
    let text = |member: &str| document.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let required = |member: &str| {
        text(member).ok_or_else(|| Error::protocol(format!("the device authorization response has no {member} (RFC 8628 3.2)")))
    };
    let device_code = Secret::from(required("device_code")?);
    let user_code = required("user_code")?;
    if user_code.chars().count() > LONGEST_USER_CODE || user_code.chars().any(is_invisible) {
        return Err(Error::protocol("the server's user_code is too long or holds characters that cannot be shown"));
    }
    // Servers of before the standard say verification_url.
    let named = if text("verification_uri").is_some() { "verification_uri" } else { "verification_url" };
    let verification_uri =
        shown_uri(text(named).map_or_else(|| required("verification_uri"), Ok)?, named, allow_insecure_loopback)?;
    let verification_uri_complete = match text("verification_uri_complete") {
        Some(uri) => Some(shown_uri(uri, "verification_uri_complete", allow_insecure_loopback)?),
        None => None,
    };
    let expires_in = document
        .get("expires_in")
        .and_then(endpoint_request::number)
        .filter(|seconds| *seconds > 0.0)
        .ok_or_else(|| Error::protocol("the device authorization response has no usable expires_in (RFC 8628 3.2)"))?;
    let interval_ms = match document.get("interval").and_then(endpoint_request::number) {
        Some(seconds) if seconds > 0.0 => ((seconds.ceil() * 1000.0) as u64).min(LONGEST_INTERVAL_MS),
        _ => FIVE_SECONDS_MS,
    };
    Ok(DeviceAuthorization {
        device_code,
        user_code: user_code.to_owned(),
        verification_uri,
        verification_uri_complete,
        expires_in_ms: (expires_in.min(LONGEST_LIFE_S) * 1000.0) as u64,
        interval_ms,
    })
}

/// An address that a person is shown and that a browser opens (RFC 8628 5.4): https or this machine, and exactly what it looks like.
fn shown_uri(uri: &str, member: &str, allow_insecure_loopback: bool) -> Result<String> {
    // A URI is ASCII (RFC 3986 2), and no reader may take a backslash for something else than another.
    let readable = uri.len() <= LONGEST_URI && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let what = format!("{member} in the device authorization response");
    if !readable {
        return Err(Error::protocol(format!("the {what} is too long or holds characters that no URI may have")));
    }
    // A page may keep its place in the fragment.
    let (without_fragment, _) = uri.split_once('#').unwrap_or((uri, ""));
    super::endpoint(without_fragment, &what, allow_insecure_loopback).map_err(|error| Error::protocol(error.message()))?;
    Ok(uri.to_owned())
}

/// What one poll came to.
#[derive(Debug)]
pub enum Poll {
    /// The person has agreed.
    Granted(TokenSet),
    /// The same, and what the server gave cannot be used.
    Unusable {
        /// Why.
        error: Error,
        /// The tokens, which are good at the server until they are revoked.
        received: TokenMembers,
    },
    /// The person has not decided yet.
    Pending,
    /// The same, and the server is asked too often.
    SlowDown,
    /// The server could not be asked or is in trouble: it is asked less often (RFC 8628 3.5).
    Unreachable {
        /// How long the server asked to stay away.
        retry_after_ms: Option<u64>,
        /// What happened.
        error: Error,
    },
}

/// Asks once whether the person has agreed (RFC 8628 3.4).
///
/// Blocks; uses the network. Errors, all of them final: DENIED, LOGIN_REQUIRED (`expired`) when the time is over, MISCONFIGURED, PROTOCOL.
pub fn poll(
    http: &Http,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    device_code: &Secret,
    scopes: &[String],
    deadline_ms: u64,
) -> Result<Poll> {
    let mut form = Form::default();
    form.add("grant_type", GRANT_TYPE)?;
    form.add("device_code", device_code.expose())?;
    let request = TokenRequest { endpoint, form, authentication, scopes, replay: Replay::Once };
    let error = match token_endpoint::receive(http, request, Patience::Once, deadline_ms) {
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
            Err(endpoint_request::reworded(&error, Status::LoginRequired, message).with_reason(Reason::Expired))
        }
        None if matches!(error.status(), Status::Unavailable | Status::Timeout) => {
            Ok(Poll::Unreachable { retry_after_ms: error.retry_after_ms(), error })
        }
        _ => Err(error),
    }
}

/// When to poll, on the monotonic clock.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_ms: u64,
    /// How often in a row nothing useful answered.
    failures: u32,
    next_ms: u64,
    ends_ms: u64,
}

impl Schedule {
    /// From the moment that the device authorization response came.
    pub fn new(authorization: &DeviceAuthorization, now_monotonic_ms: u64) -> Self {
        Schedule {
            interval_ms: authorization.interval_ms,
            failures: 0,
            next_ms: now_monotonic_ms.saturating_add(authorization.interval_ms),
            ends_ms: now_monotonic_ms.saturating_add(authorization.expires_in_ms),
        }
    }

    /// No poll before this.
    pub fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// The codes are worth nothing from here on.
    pub fn ends_ms(&self) -> u64 {
        self.ends_ms
    }

    /// A poll has ended now: the next is an interval away from its end.
    pub fn polled(&mut self, outcome: &Poll, now_monotonic_ms: u64) {
        let mut asked_ms = 0;
        match outcome {
            Poll::Unreachable { retry_after_ms, .. } => {
                self.failures = self.failures.saturating_add(1);
                asked_ms = retry_after_ms.unwrap_or(0);
            }
            Poll::SlowDown => {
                self.failures = 0;
                self.interval_ms = self.interval_ms.saturating_add(FIVE_SECONDS_MS);
            }
            Poll::Pending | Poll::Granted(_) | Poll::Unusable { .. } => self.failures = 0,
        }
        let doubled_ms = self.interval_ms.saturating_mul(1 << self.failures.min(16));
        let wait_ms = doubled_ms.min(LONGEST_BACKOFF_MS.max(self.interval_ms)).max(asked_ms);
        self.next_ms = now_monotonic_ms.saturating_add(wait_ms);
    }
}
