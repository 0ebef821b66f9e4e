//! The only code that uses the network: deadlines, size limits, no redirects, retries,
//! `Retry-After`.
//!
//! An [`HttpTransport`] carries one request. This module decides whether it is sent again.

mod call_context;
mod cause;
mod certificates;
mod content_coding;
mod no_proxy;
mod proxy_env;
mod reqwest_transport;
pub mod retry_after;

pub use call_context::CallContext;
pub use cause::Cause;
pub(crate) use certificates::MAX_CA_BYTES;
pub use content_coding::{Undecoded, decode};
pub use proxy_env::ProxyEnvironment;
pub(crate) use proxy_env::is_supported as is_supported_proxy;
pub use reqwest_transport::ReqwestTransport;
pub(crate) use reqwest_transport::is_loopback;

use crate::clock::{Clock, Monotonic, Random, fraction};
use crate::error::{Error, Reason, Result, Status};
use crate::secret::Secret;
use std::sync::Arc;
use std::time::Duration;

/// The largest response body. No response of an authorization server is nearly this large.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

/// The default deadline of every call that may use the network, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 30_000;
/// The default deadline of every call that may use the network.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_millis(DEFAULT_TIMEOUT_MS);
/// A call waits itself for a `Retry-After` of at most this. A longer one is reported to the caller.
const LONGEST_WAIT_IN_CALL: Duration = Duration::from_secs(10);
const MAX_ATTEMPTS: u32 = 3;

/// The two methods that OAuth needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpMethod {
    /// For metadata, keys and what a token gives access to.
    Get,
    /// For everything that carries a credential (RFC 6749 3.2).
    Post,
}

/// The parameters of a form, each at most once and none empty (RFC 6749 3.1, 3.2).
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, Secret)>);

impl Form {
    /// Adds a parameter. An empty value is left out.
    ///
    /// Errors: INVALID_ARGUMENT if the parameter is already present.
    pub fn add(&mut self, name: &str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        if self.has(name) {
            return Err(Error::invalid_argument(format!(
                "the parameter {name} would be sent twice; remove it from the extra parameters"
            )));
        }
        self.0.push((name.to_owned(), Secret::from(value)));
        Ok(())
    }

    /// Whether the parameter is present.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(present, _)| present == name)
    }

    /// The values of the parameters, except for these.
    pub(crate) fn secrets<'a>(&'a self, but_for: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(|(name, _)| !but_for.contains(&name.as_str()))
            .map(|(_, value)| value.expose())
    }

    /// As `application/x-www-form-urlencoded`, UTF-8.
    pub fn encode(&self) -> Secret {
        // The longest possible size, so that the text does not grow: a text that grows leaves
        // copies in memory.
        let longest =
            self.0.iter().map(|(name, value)| 3 * (name.len() + value.expose().len()) + 2).sum();
        let mut encoder = url::form_urlencoded::Serializer::new(String::with_capacity(longest));
        for (name, value) in &self.0 {
            encoder.append_pair(name, value.expose());
        }
        Secret::from(encoder.finish())
    }
}

/// Whether a request may be sent again if it is unknown whether it arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replay {
    /// Sending it twice does no harm: metadata, client credentials.
    Safe,
    /// Sending it twice may: rotating refresh tokens.
    Unsafe,
    /// It is sent at most once, whatever the response: authorization codes (RFC 6749 4.1.2).
    Once,
}

/// Which failures of a request are retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// All temporary failures, within the deadline: the caller has no valid token.
    WithinDeadline,
    /// Only an unreachable server, within the deadline: the server failed a moment ago.
    IfNotSent,
    /// None: the caller still has a valid token.
    Never,
}

impl Retry {
    /// The retries for a server that failed a moment ago.
    pub(crate) fn after_failure(self) -> Self {
        match self {
            Retry::WithinDeadline | Retry::IfNotSent => Retry::IfNotSent,
            Retry::Never => Retry::Never,
        }
    }

    fn allows(self, outcome: &std::result::Result<Response, TransportFailure>) -> bool {
        match self {
            Retry::WithinDeadline => true,
            Retry::IfNotSent => matches!(outcome, Err(TransportFailure::NotSent(_))),
            Retry::Never => false,
        }
    }
}

/// One request to an authorization server.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub method: HttpMethod,
    /// Checked by the caller: https, or loopback if that is allowed.
    pub url: url::Url,
    /// The `Authorization` header, if the client authenticates by it.
    pub authorization: Option<Secret>,
    /// The body of a POST.
    pub form: Form,
    /// Whether it may be sent again after an ambiguous failure.
    pub replay: Replay,
}

/// A response. No part of it is ever logged.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The media type without parameters, in lower case.
    pub media_type: Option<String>,
    /// The `Retry-After` header as it came.
    pub retry_after: Option<String>,
    /// The `Date` header in Unix seconds.
    pub date: Option<u64>,
    /// The host that a redirect points to, for the message.
    pub location_host: Option<String>,
    /// Why the body cannot be decoded, if it cannot. Then it is as it arrived.
    pub undecoded: Option<String>,
    /// Without content codings, at most [`MAX_BODY_BYTES`].
    pub body: Body,
}

/// A response body: it may hold tokens, so `Debug` shows its length only and it is wiped.
#[derive(Clone, Default)]
pub struct Body(pub Vec<u8>);

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

impl Body {
    /// The body without the byte order mark that some servers write before their JSON.
    pub(crate) fn text(&self) -> &[u8] {
        self.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.0)
    }

    /// Whether this is one whole JSON object. A truncated one never is.
    pub(crate) fn is_json_object(&self) -> bool {
        let text = self.text().trim_ascii_start();
        text.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
    }

    /// Appends. Bytes that move to a larger allocation are wiped in the old one.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len() + bytes.len();
        if needed > self.0.capacity() {
            let mut larger = Vec::with_capacity(needed.max(2 * self.0.capacity()));
            larger.extend_from_slice(&self.0);
            zeroize::Zeroize::zeroize(&mut std::mem::replace(&mut self.0, larger));
        }
        self.0.extend_from_slice(bytes);
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// How an exchange failed, classified by what the server may have received.
#[derive(Clone, Debug)]
pub enum TransportFailure {
    /// No connection: the server has seen nothing.
    NotSent(Cause),
    /// The request may have arrived; no complete response came.
    Ambiguous(Cause),
    /// The TLS handshake failed: the certificate is not trusted, expired, or for another name.
    Tls(Cause),
    /// The server and this library cannot agree on TLS, or the server demands a client certificate.
    /// The server has not read the request.
    TlsRefused(Cause),
    /// The proxy requires a user name and password.
    ProxyAuthentication,
    /// The body is larger than [`MAX_BODY_BYTES`], encoded or decoded.
    TooLarge,
    /// The deadline passed; `true` when the request may have arrived.
    TimedOut(bool),
    /// The request cannot be made: a CA file cannot be read, or a proxy is not a URL.
    Setup(Error),
}

/// Sends a request and receives the response, both within `timeout`. Called from any thread.
pub trait HttpTransport: Send + Sync {
    /// One exchange, no retries, no redirects, no cookies.
    fn exchange(
        &self,
        request: &Request,
        timeout: Duration,
    ) -> std::result::Result<Response, TransportFailure>;
}

/// A transport with the retry rules.
#[derive(Clone)]
pub struct Http {
    transport: Arc<dyn HttpTransport>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    before_send: Option<Precondition>,
}

/// Whether a request may still be sent. Called from any thread.
pub(crate) type Precondition = Arc<dyn Fn() -> Result<()> + Send + Sync>;

impl Http {
    /// Over this transport, with this clock.
    pub fn new(
        transport: Arc<dyn HttpTransport>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        Http { transport, clock, random, before_send: None }
    }

    /// The same with a condition that is checked immediately before each send and resend. Its error
    /// is that of the request.
    pub(crate) fn with_precondition(&self, before_send: Precondition) -> Self {
        Http { before_send: Some(before_send), ..self.clone() }
    }

    /// The clock that deadlines are measured on.
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// The random numbers for identifiers and jitter.
    pub fn random(&self) -> &dyn Random {
        self.random.as_ref()
    }

    /// Sends a request, and sends it again if that is harmless, until a response or `deadline`.
    ///
    /// Any HTTP status is a response. Blocks; uses the network.
    ///
    /// Errors: UNAVAILABLE (unreachable, connection lost), TIMEOUT, MISCONFIGURED (TLS, proxy),
    /// PROTOCOL (response too large).
    fn send(&self, request: &Request, retry: Retry, deadline: Monotonic) -> Result<Response> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let left = deadline - self.clock.now().monotonic;
            if left.is_zero() {
                return Err(timed_out(request));
            }
            if let Some(check) = &self.before_send {
                check()?;
            }
            let outcome = self.transport.exchange(request, left);
            let may_retry = retry.allows(&outcome) && attempt < MAX_ATTEMPTS;
            let wait =
                if may_retry { self.wait_before_retry(request, &outcome, attempt) } else { None };
            let left = deadline - self.clock.now().monotonic;
            match wait {
                Some(wait) if wait < left => {
                    log::debug!(
                        "{} failed; trying again in {} ms",
                        place(request),
                        wait.as_millis()
                    );
                    self.clock.sleep(wait);
                }
                _ => return outcome.map_err(|failure| to_error(request, failure)),
            }
        }
    }

    /// How long to wait before the same request is sent again; `None` if it must not be.
    fn wait_before_retry(
        &self,
        request: &Request,
        outcome: &std::result::Result<Response, TransportFailure>,
        attempt: u32,
    ) -> Option<Duration> {
        let replay = request.replay == Replay::Safe;
        let jittered =
            |ms: u64| Duration::from_millis((ms as f64 * (0.5 + fraction(self.random()))) as u64);
        match outcome {
            Err(TransportFailure::NotSent(_)) => Some(jittered(100 << attempt)),
            Err(TransportFailure::Ambiguous(_)) => replay.then(|| jittered(100 << attempt)),
            Err(_) => None,
            Ok(_) if request.replay == Replay::Once => None,
            // A server that rejects a request in this way has not carried it out.
            Ok(response)
                if !(replay
                    || response.status == 429
                    || response.status == 503 && response.retry_after.is_some()) =>
            {
                None
            }
            Ok(response) if attempt > 1 && response.status != 429 => None,
            Ok(response) => match response.status {
                429 | 503 => match response.retry_after(self.clock.now().unix_ms) {
                    Some(asked) => (asked <= LONGEST_WAIT_IN_CALL).then_some(asked),
                    None if response.status == 429 => {
                        Some(Duration::from_secs(1) + jittered(500 << attempt))
                    }
                    None => Some(jittered(300)),
                },
                500 | 502 | 504 => Some(jittered(300)),
                _ => None,
            },
        }
    }
}

impl Response {
    /// The wait that `Retry-After` asks for. An invalid value is ignored (RFC 9110 10.2.3).
    pub fn retry_after(&self, unix_ms: u64) -> Option<Duration> {
        let now = self.date.unwrap_or(unix_ms / 1000);
        retry_after::parse(self.retry_after.as_deref()?, now)
    }

    /// Whether the request was carried out (RFC 9110 15.3). A proxy that changes a response may
    /// turn 200 into 203.
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Whether the status alone decides, whatever the body contains.
    pub(crate) fn speaks_by_status(&self) -> bool {
        matches!(self.status, 300..=399 | 408 | 425 | 429 | 500..=599)
    }
}

/// Scheme, host and path of a request, which a message may name.
pub(crate) fn place(request: &Request) -> String {
    let url = &request.url;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or(""), url.path())
}

fn timed_out(request: &Request) -> Error {
    let message = format!(
        "{} did not respond within the deadline; try again, or give a longer timeout",
        place(request)
    );
    Error::new(Status::Timeout, message)
}

fn to_error(request: &Request, failure: TransportFailure) -> Error {
    let place = place(request);
    match failure {
        TransportFailure::NotSent(why) => {
            let message = format!(
                "cannot reach {place} ({}); check the network, the proxy and the address",
                why.words()
            );
            Error::new(Status::Unavailable, message).with_shared_source(why.into_source())
        }
        TransportFailure::Ambiguous(why) => {
            let message = format!(
                "the connection to {place} was lost before a response came ({}); try again",
                why.words()
            );
            let error = Error::new(Status::Unavailable, message).with_ambiguity();
            error.with_shared_source(why.into_source())
        }
        TransportFailure::Tls(why) => {
            let message = format!(
                "{place} did not prove its identity ({}); check the computer's clock, and if a proxy inspects TLS give its CA as ca_file",
                why.words()
            );
            let error = Error::misconfigured(message).with_reason(Reason::Tls);
            error.with_shared_source(why.into_source())
        }
        TransportFailure::TlsRefused(why) => {
            let message = format!(
                "{place} refused the TLS connection ({}); check the address and the server's TLS settings",
                why.words()
            );
            let error = Error::misconfigured(message).with_reason(Reason::Tls);
            error.with_shared_source(why.into_source())
        }
        TransportFailure::ProxyAuthentication => Error::misconfigured(format!(
            "the proxy to {place} requires a user name and password (HTTP 407); put them into the proxy URL"
        ))
        .with_reason(Reason::ProxyAuthentication)
        .with_http_status(407),
        TransportFailure::TooLarge => {
            Error::protocol(format!("the response of {place} is larger than 1 MiB and was cut off; check the address"))
                .with_unusable_response()
        }
        TransportFailure::TimedOut(false) => timed_out(request),
        TransportFailure::TimedOut(true) => timed_out(request).with_ambiguity(),
        TransportFailure::Setup(error) => error,
    }
}
