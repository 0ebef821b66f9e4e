//! HTTP by reqwest, on a plain thread that creates and drops the client.
//!
//! A client must not block inside the caller's async runtime, and a client inherited over `fork`
//! never completes a request. A thread and a client per exchange avoid both problems, and an idle
//! session owns no thread and no socket. Tokens are requested about once an hour.
//!
//! The client runs on a runtime of this thread instead of `reqwest::blocking`, which starts a
//! thread whose default stack size std reads from the environment at any time.

use super::certificates::{self, Bundle};
use super::proxy_env::{Proxy, ProxyEnvironment, Route};
use super::{
    Body, Cause, HttpMethod, MAX_BODY_BYTES, Request, Response, TransportFailure, Undecoded, decode,
};
#[cfg(not(all(unix, not(target_vendor = "apple"))))]
use crate::error::Reason;
use crate::error::{Error, Status};
use crate::secret::Secret;
use crate::threads;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, DATE, HeaderMap,
    HeaderName, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, ClientBuilder};
use std::error::Error as _;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// An address that does not respond must not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The number of header lines that curl reads. They and the status line fit into the 400 kB that
/// hyper reads at most.
const MAX_HEADERS: usize = 5_000;

type Outcome = std::result::Result<Response, TransportFailure>;

/// The real network.
#[derive(Clone, Debug, Default)]
pub struct ReqwestTransport {
    /// CA certificates to trust in addition to the system's, as PEM files, instead of those that a
    /// variable names.
    pub ca_files: Vec<PathBuf>,
    /// The proxy to use instead of those of the environment (`HTTPS_PROXY`, `NO_PROXY`, ...).
    /// Requests to loopback never use a proxy.
    pub proxy: Option<Secret>,
    /// The environment's proxies and certificates when the session was opened.
    pub proxy_env: ProxyEnvironment,
}

impl super::HttpTransport for ReqwestTransport {
    fn exchange(&self, request: &Request, timeout: Duration) -> Outcome {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (transport, request) = (self.clone(), request.clone());
        let run = move || {
            // The receiver may be gone if the deadline passed while the body stalled.
            let _ = sender.send(transport.run(&request, timeout));
        };
        threads::spawn("planetkey-http", run).map_err(|error| {
            let why = Cause::io(&error);
            TransportFailure::NotSent(
                why.reworded(|why| format!("no thread could be started: {why}")),
            )
        })?;
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
        let route = self.route_to(&request.url).map_err(TransportFailure::Setup)?;
        let client = self.client(request, &route, timeout).map_err(TransportFailure::Setup)?;
        let runtime = runtime().map_err(|error| TransportFailure::Setup(cannot_set_up(&error)))?;
        let outcome = runtime.block_on(self.send(&client, request, &route, started, timeout));
        // A name lookup that does not end must not block this thread.
        runtime.shutdown_background();
        outcome
    }

    async fn send(
        &self,
        client: &Client,
        request: &Request,
        route: &Route,
        started: Instant,
        timeout: Duration,
    ) -> Outcome {
        let builder = match request.method {
            HttpMethod::Get => client.get(request.url.clone()),
            HttpMethod::Post => client
                .post(request.url.clone())
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .body(wiped(request.form.encode())),
        };
        // Creating the client took a part of the deadline. After the deadline no caller waits.
        let left = timeout.saturating_sub(started.elapsed());
        if left.is_zero() {
            return Err(TransportFailure::TimedOut(false));
        }
        let builder = builder
            .header(ACCEPT, "application/json")
            .header(ACCEPT_ENCODING, "identity")
            .timeout(left);
        let builder = match &request.authorization {
            Some(value) => {
                let header =
                    reqwest::header::HeaderValue::from_maybe_shared(wiped(value.clone())).ok();
                let mut value = header.filter(|_| value.expose().is_ascii()).ok_or_else(|| {
                    TransportFailure::Setup(Error::invalid_argument(
                        "the client's credentials cannot be put into a header",
                    ))
                })?;
                value.set_sensitive(true);
                builder.header(AUTHORIZATION, value)
            }
            None => builder,
        };
        let response = builder.send().await;
        let response = response
            .map_err(|error| self.explained(failure(&error, started.elapsed() < timeout), route))?;
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
            undecoded: None,
            body: Body::default(),
        };
        let codings = response.headers().get_all(CONTENT_ENCODING).iter();
        let codings = codings
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect::<Vec<_>>()
            .join(",");
        let (body, broke_off) = read_body(response, started, timeout).await?;
        match (decode(&codings, body), broke_off) {
            (Ok(body), None) => answer.body = body,
            // A complete body counts however the connection ended: chunks without a last one, TLS
            // without close_notify.
            (Ok(body), Some(_)) if body.is_json_object() || answer.speaks_by_status() => {
                answer.body = body
            }
            (Err(Undecoded::TooLarge), _) => return Err(TransportFailure::TooLarge),
            (Err(Undecoded::Unreadable(_, body)), Some(_)) if answer.speaks_by_status() => {
                answer.body = body
            }
            (_, Some(why)) => return Err(TransportFailure::Ambiguous(why)),
            (Err(Undecoded::Unreadable(why, body)), None) => {
                (answer.undecoded, answer.body) = (Some(why), body)
            }
        }
        Ok(answer)
    }

    /// Adds causes outside the request to the failure: the proxy, and CA files that have no effect.
    fn explained(&self, failure: TransportFailure, route: &Route) -> TransportFailure {
        match (failure, route) {
            (TransportFailure::Tls(why), _) => {
                let useless = self.proxy_env.useless_roots();
                TransportFailure::Tls(why.reworded(|why| match useless {
                    Some(useless) => format!("{why}; {useless}"),
                    None => why.to_owned(),
                }))
            }
            (TransportFailure::NotSent(why), Route::Proxy(proxy)) => {
                TransportFailure::NotSent(why.reworded(|why| {
                    format!("by the proxy {} of {}: {why}", proxy.shown, proxy.origin)
                }))
            }
            (failure, _) => failure,
        }
    }

    /// How the request reaches its server.
    fn route_to(&self, url: &url::Url) -> std::result::Result<Route, Error> {
        match &self.proxy {
            _ if is_loopback(url) => Ok(Route::Direct),
            Some(proxy) => Proxy::new("the option proxy", proxy.expose()).map(Route::Proxy),
            None => self.proxy_env.route_to(url),
        }
    }

    fn client(
        &self,
        request: &Request,
        route: &Route,
        timeout: Duration,
    ) -> std::result::Result<Client, Error> {
        let mut builder = Client::builder()
            .user_agent(concat!("planetkey/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            // A broken header line that other clients ignore must not lose a refresh token. Each
            // connection carries one response, so no request can be smuggled into another one.
            // Contradicting lengths are still an error.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .http1_ignore_invalid_headers_in_responses(true)
            .http1_max_headers(MAX_HEADERS)
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .connect_timeout(timeout.min(CONNECT_TIMEOUT));
        // Without a proxy setting reqwest reads the environment.
        builder = match route {
            Route::Direct => builder.no_proxy(),
            Route::Proxy(named) => {
                let proxy = reqwest::Proxy::all(named.url.expose()).map_err(|_| {
                    Error::misconfigured(format!(
                        "{} is not the URL of a proxy; give it as http://host:port",
                        named.origin
                    ))
                })?;
                builder.no_proxy().proxy(proxy)
            }
            #[cfg(any(windows, target_vendor = "apple"))]
            Route::System => builder,
        };
        self.with_tls(builder, request, route)?
            .build()
            .map_err(|error| cannot_set_up(&cause(&error).words()))
    }

    /// The certificates that the options and variables name, in addition to those of the system.
    fn named_certificates(
        &self,
    ) -> std::result::Result<Vec<rustls::pki_types::CertificateDer<'static>>, Error> {
        let named = self
            .ca_files
            .iter()
            .map(|path| Bundle { what: "ca_file names".to_owned(), path: path.clone() });
        let bundle = if self.ca_files.is_empty() { self.proxy_env.bundle() } else { None };
        let mut more = Vec::new();
        for bundle in named.chain(bundle).chain(self.proxy_env.extra()) {
            more.extend(bundle.read()?);
        }
        Ok(more)
    }

    /// The TLS settings of a connection that does not use HTTP.
    ///
    /// Reads files. Errors: MISCONFIGURED with the reason `tls`; UNAVAILABLE without free files.
    #[cfg(feature = "store")]
    pub(crate) fn tls_settings(&self) -> std::result::Result<rustls::ClientConfig, Error> {
        let more = self.named_certificates()?;
        #[cfg(all(unix, not(target_vendor = "apple")))]
        let mut tls =
            certificates::tls(&self.proxy_env.roots, more, self.proxy_env.useless_roots())?;
        #[cfg(not(all(unix, not(target_vendor = "apple"))))]
        let mut tls = certificates::tls_with_only(more)?;
        tls.alpn_protocols.clear();
        Ok(tls)
    }

    fn with_tls(
        &self,
        builder: ClientBuilder,
        request: &Request,
        route: &Route,
    ) -> std::result::Result<ClientBuilder, Error> {
        let is_plain = request.url.scheme() == "http" && matches!(route, Route::Direct);
        if is_plain {
            return Ok(builder.tls_backend_preconfigured(certificates::no_tls()?));
        }
        let more = self.named_certificates()?;
        #[cfg(all(unix, not(target_vendor = "apple")))]
        {
            let tls =
                certificates::tls(&self.proxy_env.roots, more, self.proxy_env.useless_roots())?;
            Ok(builder.tls_backend_preconfigured(tls))
        }
        #[cfg(not(all(unix, not(target_vendor = "apple"))))]
        {
            let broken = |_| {
                Error::misconfigured("a CA certificate cannot be used").with_reason(Reason::Tls)
            };
            let more =
                more.iter().map(|der| reqwest::Certificate::from_der(der.as_ref()).map_err(broken));
            Ok(builder.tls_certs_merge(more.collect::<std::result::Result<Vec<_>, _>>()?))
        }
    }
}

/// The runtime of one exchange. Its only other thread looks up the server's name.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder
        .enable_all()
        .thread_name("planetkey-names")
        .thread_stack_size(threads::STACK_BYTES)
        .build()
}

fn cannot_set_up(why: &dyn std::fmt::Display) -> Error {
    Error::new(Status::Unavailable, format!("the HTTP client cannot be set up now ({why})"))
        .with_retryable(true)
}

/// Whether a URL is a loopback address. Such a request never goes through a proxy.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A secret as bytes that the HTTP client shares without a copy. They are wiped after the request.
fn wiped(secret: Secret) -> bytes::Bytes {
    struct Owner(Secret);
    impl AsRef<[u8]> for Owner {
        fn as_ref(&self) -> &[u8] {
            self.0.expose().as_bytes()
        }
    }
    bytes::Bytes::from_owner(Owner(secret))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Reads the body, and why it broke off if it did. Bounded in time and size.
async fn read_body(
    mut response: reqwest::Response,
    started: Instant,
    timeout: Duration,
) -> std::result::Result<(Body, Option<Cause>), TransportFailure> {
    let announced = response.content_length();
    if announced.is_some_and(|length| length > MAX_BODY_BYTES as u64) {
        return Err(TransportFailure::TooLarge);
    }
    let mut body = Body(Vec::with_capacity(announced.map_or(4096, |length| length as usize)));
    loop {
        if started.elapsed() >= timeout {
            return Err(TransportFailure::TimedOut(true));
        }
        match response.chunk().await {
            Ok(None) => return Ok((body, None)),
            Ok(Some(chunk)) if body.0.len() + chunk.len() > MAX_BODY_BYTES => {
                return Err(TransportFailure::TooLarge);
            }
            Ok(Some(chunk)) => body.extend(&chunk),
            Err(error) if error.is_timeout() => return Err(TransportFailure::TimedOut(true)),
            Err(error) => {
                let why = cause(&error).reworded(|why| format!("the body broke off: {why}"));
                return Ok((body, Some(why)));
            }
        }
    }
}

fn failure(error: &reqwest::Error, time_left: bool) -> TransportFailure {
    let tls = tls_failure(error);
    if let Some(failure) = tls.and_then(definite) {
        return failure;
    }
    if error.is_timeout() && error.is_connect() && time_left {
        return TransportFailure::NotSent("no connection within 10 seconds".into());
    }
    if error.is_timeout() {
        return TransportFailure::TimedOut(!error.is_connect());
    }
    let why = match tls {
        Some(tls) => Cause::tls(tls).reworded(|why| format!("TLS failed: {why}")),
        None => cause(error),
    };
    if why.words().contains("proxy authorization required") {
        return TransportFailure::ProxyAuthentication;
    }
    if error.is_connect() {
        TransportFailure::NotSent(why)
    } else {
        TransportFailure::Ambiguous(why)
    }
}

/// A TLS failure that repeats with every attempt, before the server has read a request. A broken
/// record is not one.
fn definite(error: &rustls::Error) -> Option<TransportFailure> {
    use rustls::AlertDescription as Alert;
    match error {
        rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented => {
            Some(TransportFailure::Tls(Cause::tls(error)))
        }
        // With TLS 1.3 this alert comes after the client's handshake. The request may have been
        // sent by then, but the server has not read it.
        rustls::Error::AlertReceived(
            Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateUnknown
            | Alert::AccessDenied
            | Alert::UnknownCA,
        ) => Some(TransportFailure::TlsRefused(Cause::tls(error).reworded(|why| {
            format!("{why}: it may demand a client certificate, which is not supported")
        }))),
        rustls::Error::PeerIncompatible(_)
        | rustls::Error::AlertReceived(
            Alert::HandshakeFailure
            | Alert::ProtocolVersion
            | Alert::InsufficientSecurity
            | Alert::UnrecognisedName,
        ) => Some(TransportFailure::TlsRefused(
            Cause::tls(error)
                .reworded(|why| format!("{why}: no common TLS version, cipher or host name")),
        )),
        _ => None,
    }
}

/// The error of the TLS library, if it is what failed.
fn tls_failure(error: &reqwest::Error) -> Option<&rustls::Error> {
    let mut cause = error.source();
    while let Some(this) = cause {
        if let Some(tls) = this.downcast_ref::<rustls::Error>() {
            return Some(tls);
        }
        // An io::Error may wrap another error, which its source() skips.
        cause = match this.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => this.source(),
        };
    }
    None
}

/// The innermost cause, because reqwest's outer messages repeat the URL. It is the source of the
/// error if it comes from the operating system.
fn cause(error: &reqwest::Error) -> Cause {
    let mut cause: &(dyn std::error::Error + 'static) = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.downcast_ref::<std::io::Error>().map_or_else(|| cause.to_string().into(), Cause::io)
}
