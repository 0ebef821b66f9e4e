//! HTTP by reqwest, on a plain thread with a client built there and dropped there.
//!
//! A blocking client must not be used inside an async runtime, and one that was inherited over `fork` never answers; a thread and a
//! client per exchange have neither trouble, and an idle session owns no thread and no socket. Tokens are fetched about once an hour.

use super::{Body, MAX_BODY_BYTES, Method, Request, Response, TransportFailure, surroundings};
use crate::error::Error;
use crate::secret::Secret;
use crate::threads;
use reqwest::blocking::Client;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use std::error::Error as _;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// A dead address must not eat the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

type Outcome = std::result::Result<Response, TransportFailure>;

/// The real network.
#[derive(Clone, Debug, Default)]
pub struct ReqwestTransport {
    /// CA certificates to trust beside the machine's own, as PEM files.
    pub ca_files: Vec<PathBuf>,
    /// The proxy to use instead of what the environment says (`HTTPS_PROXY`, `NO_PROXY`, ...). Loopback is never proxied.
    pub proxy: Option<Secret>,
}

impl super::Transport for ReqwestTransport {
    fn exchange(&self, request: &Request, timeout: Duration) -> Outcome {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (transport, request) = (self.clone(), request.clone());
        let run = move || {
            // The receiver may be gone: the deadline passed while the body stalled.
            let _ = sender.send(transport.run(&request, timeout));
        };
        threads::spawn("planetkey-http", run)
            .map_err(|error| TransportFailure::NotSent(format!("no thread could be started: {error}")))?;
        receiver.recv_timeout(timeout).unwrap_or_else(|error| {
            Err(match error {
                mpsc::RecvTimeoutError::Timeout => TransportFailure::TimedOut(true),
                mpsc::RecvTimeoutError::Disconnected => TransportFailure::Setup(Error::new(
                    crate::error::Status::Internal,
                    "the HTTP exchange ended in a bug; please report it",
                )),
            })
        })
    }
}

impl ReqwestTransport {
    fn run(&self, request: &Request, timeout: Duration) -> Outcome {
        let started = Instant::now();
        let client = self.client(request, timeout)?;
        let builder = match request.method {
            Method::Get => client.get(request.url.clone()),
            Method::Post => client
                .post(request.url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(request.form.encode().expose().to_owned()),
        };
        // Setting up the client took its part of the deadline; what begins after it would meet nobody who waits.
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(TransportFailure::TimedOut(false));
        }
        let builder = builder.header(ACCEPT, "application/json").timeout(left);
        let builder = match &request.authorization {
            Some(value) => {
                let mut value = reqwest::header::HeaderValue::from_str(value.expose()).map_err(|_| {
                    TransportFailure::Setup(Error::invalid_argument("the client's credentials cannot be put into a header"))
                })?;
                value.set_sensitive(true);
                builder.header(AUTHORIZATION, value)
            }
            None => builder,
        };
        let response =
            builder.send().map_err(|error| self.explained(failure(&error, started.elapsed() < timeout), &request.url))?;
        let headers = response.headers();
        let mut answer = Response {
            status: response.status().as_u16(),
            media_type: text(headers, CONTENT_TYPE)
                .map(|value| value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()),
            retry_after: text(headers, RETRY_AFTER),
            date: text(headers, DATE)
                .and_then(|value| httpdate::parse_http_date(&value).ok())
                .and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok())
                .map(|since| since.as_secs()),
            location_host: text(headers, LOCATION)
                .and_then(|value| request.url.join(&value).ok())
                .and_then(|target| target.host_str().map(str::to_owned)),
            body: Body::default(),
        };
        answer.body = read_body(response, started, timeout)?;
        Ok(answer)
    }

    /// Names what stands in the way and is not in the request: the proxy, and CA files that do nothing.
    fn explained(&self, failure: TransportFailure, url: &url::Url) -> TransportFailure {
        if let TransportFailure::Tls(why) = failure {
            let useless = surroundings::useless_ca_files();
            return TransportFailure::Tls(std::iter::once(why).chain(useless).collect::<Vec<_>>().join("; "));
        }
        let proxy = match &self.proxy {
            _ if is_loopback(url) => None,
            Some(proxy) => Some(("the option proxy", proxy.expose().to_owned())),
            None => surroundings::proxy_for(url),
        };
        let Some((origin, proxy)) = proxy.map(|(origin, proxy)| (origin, Secret::from(proxy))) else { return failure };
        let Some((scheme, shown)) = surroundings::shown(proxy.expose()) else { return failure };
        match failure {
            // Not before: what reqwest takes from NO_PROXY is known to it alone.
            TransportFailure::NotSent(_) | TransportFailure::Ambiguous(_) | TransportFailure::TimedOut(_)
                if !surroundings::is_supported(&scheme) =>
            {
                TransportFailure::Setup(Error::misconfigured(format!(
                    "{origin} names a proxy of the scheme {scheme}, which is not supported; name an http proxy, http://host:port"
                )))
            }
            TransportFailure::NotSent(why) => TransportFailure::NotSent(format!("by the proxy {shown} of {origin}: {why}")),
            failure => failure,
        }
    }

    fn client(&self, request: &Request, timeout: Duration) -> std::result::Result<Client, TransportFailure> {
        let mut builder = Client::builder()
            .user_agent(concat!("planetkey/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .connect_timeout(timeout.min(CONNECT_TIMEOUT));
        if is_loopback(&request.url) {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &self.proxy {
            let proxy = reqwest::Proxy::all(proxy.expose()).map_err(|_| {
                TransportFailure::Setup(Error::misconfigured("the proxy is not a URL; give it as http://host:port"))
            })?;
            builder = builder.no_proxy().proxy(proxy);
        }
        for path in &self.ca_files {
            let unreadable = |why: String| {
                TransportFailure::Setup(
                    Error::misconfigured(format!("the CA file {} cannot be used: {why}", path.display())).with_reason("tls"),
                )
            };
            let pem = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| unreadable(error.to_string()))?;
            if certificates.is_empty() {
                return Err(unreadable("it holds no PEM certificate".into()));
            }
            builder = builder.tls_certs_merge(certificates);
        }
        builder.build().map_err(|error| {
            let why: Vec<_> = std::iter::once(root_cause(&error)).chain(surroundings::useless_ca_files()).collect();
            TransportFailure::Setup(
                Error::misconfigured(format!("the HTTP client cannot be set up ({})", why.join("; "))).with_retryable(true),
            )
        })
    }
}

/// Whether a URL points to this machine: such a request never goes through a proxy.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// reqwest bounds each read; here the sum of them is bounded, in time and in bytes.
fn read_body(
    response: reqwest::blocking::Response,
    started: Instant,
    timeout: Duration,
) -> std::result::Result<Body, TransportFailure> {
    let announced = response.content_length();
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(TransportFailure::TooLarge);
    }
    let mut body = Body(Vec::with_capacity(announced.map_or(4096, |length| length as usize)));
    let mut reader = response;
    let mut chunk = zeroize::Zeroizing::new([0u8; 8192]);
    loop {
        if started.elapsed() >= timeout {
            return Err(TransportFailure::TimedOut(true));
        }
        match reader.read(chunk.as_mut_slice()) {
            Ok(0) => return Ok(body),
            Ok(count) if body.0.len() + count > MAX_BODY_BYTES => return Err(TransportFailure::TooLarge),
            Ok(count) => body.0.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => return Err(TransportFailure::TimedOut(true)),
            Err(error) => return Err(TransportFailure::Ambiguous(format!("the body broke off: {}", error.kind()))),
        }
    }
}

fn failure(error: &reqwest::Error, time_left: bool) -> TransportFailure {
    if let Some(why) = tls_failure(error) {
        return TransportFailure::Tls(why);
    }
    if error.is_timeout() && error.is_connect() && time_left {
        return TransportFailure::NotSent("no connection within 10 seconds".into());
    }
    if error.is_timeout() {
        return TransportFailure::TimedOut(!error.is_connect());
    }
    let why = root_cause(error);
    if why.contains("proxy authorization required") {
        return TransportFailure::ProxyAuthentication;
    }
    if error.is_connect() { TransportFailure::NotSent(why) } else { TransportFailure::Ambiguous(why) }
}

/// The TLS library's own words, if it is what failed.
fn tls_failure(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(this) = cause {
        if let Some(tls) = this.downcast_ref::<rustls::Error>() {
            return Some(tls.to_string());
        }
        // An io::Error may wrap another one, and its source() passes over what it wraps.
        cause = match this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => this.source(),
        };
    }
    None
}

/// The innermost cause: reqwest's outer texts repeat the URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
