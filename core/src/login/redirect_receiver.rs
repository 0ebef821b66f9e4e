//! The loopback receiver (RFC 8252 7.3): it serves the browser's redirect to one exact address, on
//! this machine only.
//!
//! It has no thread of its own: the caller that waits for the login serves it. Browsers open
//! connections in advance and send nothing on them, so several connections are served at once and
//! none blocks the others. Connections of other users of this machine are refused.

use super::peer::{Peer, Users};
use super::redirect_page::Page;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// No redirect of a browser is nearly this long.
const MAX_REQUEST_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// More than a browser opens. Beyond this number the oldest connection without a complete request
/// is closed.
const MAX_CONNECTIONS: usize = 32;
/// The limit for connections of other users, which only wait for the page that refuses them.
const MAX_REFUSED: usize = 8;
/// How many connections are accepted before the open ones are read.
const MAX_ACCEPTED: usize = 64;
/// A connection without a complete request is closed after this time.
const MAX_SILENCE: Duration = Duration::from_secs(30);
const HTTP: &str = "http://";
const WRITE_TIMEOUT: Duration = Duration::from_secs(2);
/// How many ports are tried to find one that is free in both address families.
const PORT_TRIES: usize = 20;

/// The address that the browser returns to, and its sockets.
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    /// In the order of arrival.
    connections: Vec<Connection>,
    /// Connections of other users of this machine, in the order of arrival.
    refused: Vec<Connection>,
    users: Users,
    /// Whether a refused user was logged. Once is enough, because another user can connect any
    /// number of times.
    is_logged: bool,
    redirect_uri: String,
    path: String,
    authority: String,
}

struct Connection {
    stream: TcpStream,
    /// It may hold a code.
    received: Zeroizing<Vec<u8>>,
    since: Instant,
}

/// A request for the exact address, without a response yet.
pub(super) struct Arrived {
    /// The raw query; it may hold a code.
    pub(super) query: Secret,
    pub(super) stream: TcpStream,
}

/// Whether a browser on this machine can return to this address.
///
/// Errors: MISCONFIGURED if it is not a URI.
pub(super) fn is_local(redirect_uri: &str) -> Result<bool> {
    let url = parse(redirect_uri)?;
    Ok(url.scheme() == "http"
        && matches!(url.host_str(), Some("127.0.0.1" | "[::1]" | "localhost")))
}

fn parse(redirect_uri: &str) -> Result<url::Url> {
    let url = url::Url::parse(redirect_uri).ok().filter(|url| {
        url.has_host()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    url.ok_or_else(|| {
        Error::misconfigured(
            "the client's redirect URI is no absolute URI without a fragment; set redirect_uri as it is registered, such as http://127.0.0.1/callback",
        )
    })
}

impl Loopback {
    /// Listens at this redirect URI. Without a port, or with port 0, listens on a free port.
    ///
    /// Errors: MISCONFIGURED, UNSUPPORTED (not on this machine), UNAVAILABLE (the port is in use).
    pub(super) fn bind(redirect_uri: &str) -> Result<Loopback> {
        if !is_local(redirect_uri)? {
            return Err(Error::new(
                Status::Unsupported,
                "the client's redirect URI is not http on 127.0.0.1, [::1] or localhost, so this program cannot receive the browser; log in by \
                 pasting the address back, or register http://127.0.0.1/callback",
            ));
        }
        let url = parse(redirect_uri)?;
        let host = url.host_str().unwrap_or_default();
        let fixed = url.port().filter(|port| *port != 0);
        let listeners = listen(host, fixed).map_err(|error| {
            let port = fixed.map_or_else(|| "a free port".to_owned(), |port| format!("port {port}"));
            Error::new(
                Status::Unavailable,
                format!("{port} of {host}, which the client's redirect URI names, cannot be listened on ({error}); end the program that uses it, or register a redirect URI without a port"),
            )
        })?;
        let port = listeners
            .first()
            .and_then(|listener| listener.local_addr().ok())
            .map_or(0, |address| address.port());
        let exact = match fixed {
            // Exactly as it is registered, byte for byte.
            Some(_) => redirect_uri.to_owned(),
            None => with_port(redirect_uri, &url, port),
        };
        Ok(Loopback {
            listeners,
            connections: Vec::new(),
            refused: Vec::new(),
            users: Users::of_this_process(),
            is_logged: false,
            redirect_uri: exact,
            path: url.path().to_owned(),
            authority: if port == 80 { host.to_owned() } else { format!("{host}:{port}") },
        })
    }

    /// The redirect URI with its port.
    pub(super) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Serves the connections, waiting at most `timeout` for activity. Returns a request for the
    /// exact address if one has arrived.
    pub(super) fn serve(&mut self, timeout: Duration) -> Option<Arrived> {
        self.await_something(timeout);
        self.accept();
        self.refuse();
        let mut arrived = None;
        let mut index = 0;
        while index < self.connections.len() {
            let Some(connection) = self.connections.get_mut(index) else { break };
            let verdict = connection.read(&self.path, &self.authority);
            if matches!(verdict, Verdict::NotYet) && connection.since.elapsed() < MAX_SILENCE {
                index += 1;
                continue;
            }
            let Connection { stream, .. } = self.connections.remove(index);
            match verdict {
                Verdict::Callback(query) if arrived.is_none() => {
                    arrived = Some(Arrived { query, stream })
                }
                // Two redirects at the same time: the browser repeats the second one, or it is of
                // no use.
                Verdict::Callback(_) => respond(stream, Page::Finished, None, true),
                Verdict::Other { page, with_body } => respond(stream, page, None, with_body),
                Verdict::NotYet | Verdict::Gone => {}
            }
        }
        // Close excess connections only now, after everything that was sent has been read.
        let excess = self.connections.len().saturating_sub(MAX_CONNECTIONS);
        self.connections.drain(..excess);
        arrived
    }

    /// Responds to redirects that came a second time. The sockets close when this returns.
    pub(super) fn close(mut self) {
        while let Some(again) = self.serve(Duration::ZERO) {
            respond(again.stream, Page::Finished, None, true);
        }
    }

    fn await_something(&self, timeout: Duration) {
        let listeners = self.listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN));
        let connections = self.connections.iter().chain(&self.refused);
        let connections =
            connections.map(|connection| PollFd::new(&connection.stream, PollFlags::IN));
        let mut sockets: Vec<PollFd<'_>> = listeners.chain(connections).collect();
        let timeout = Timespec::try_from(timeout).ok();
        // A signal ends the poll early, which does no harm.
        let _ = poll(&mut sockets, timeout.as_ref());
    }

    /// Accepts new connections, and sorts them by their user.
    fn accept(&mut self) {
        let mut accepted = Vec::new();
        for listener in &self.listeners {
            while accepted.len() < MAX_ACCEPTED {
                let Ok((stream, peer)) = listener.accept() else { break };
                if !peer.ip().is_loopback() || stream.set_nonblocking(true).is_err() {
                    continue;
                }
                if let Ok(local) = stream.local_addr() {
                    accepted.push((stream, (local, peer)));
                }
            }
        }
        if accepted.is_empty() {
            return;
        }
        let ends: Vec<_> = accepted.iter().map(|(_, ends)| *ends).collect();
        for ((stream, _), peer) in accepted.into_iter().zip(self.users.look(&ends)) {
            let connection =
                Connection { stream, received: Zeroizing::default(), since: Instant::now() };
            match peer {
                Peer::Accepted => self.connections.push(connection),
                Peer::OtherUser(uid) => {
                    if !std::mem::replace(&mut self.is_logged, true) {
                        log::warn!(
                            "a connection to this login was refused because it comes from another user, with the id {uid}"
                        );
                    }
                    self.refused.push(connection);
                }
                // A program that has closed the connection reads no response.
                Peer::Gone => {}
            }
        }
    }

    /// Sends other users the page that refuses them. The login does not wait for this.
    fn refuse(&mut self) {
        self.refused.retain_mut(|connection| match connection.read(&self.path, &self.authority) {
            Verdict::NotYet => connection.since.elapsed() < MAX_SILENCE,
            Verdict::Gone => false,
            Verdict::Callback(_) | Verdict::Other { .. } => {
                let _ = connection.stream.write(&Page::OtherUser.response(None, true));
                let _ = connection.stream.shutdown(std::net::Shutdown::Write);
                false
            }
        });
        let excess = self.refused.len().saturating_sub(MAX_REFUSED);
        self.refused.drain(..excess);
    }
}

fn with_port(redirect_uri: &str, url: &url::Url, port: u16) -> String {
    let mut url = url.clone();
    let _ = url.set_port(Some(port));
    let text = url.to_string();
    // A URI without a path stays without one.
    let has_path = redirect_uri.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if has_path { text } else { text.trim_end_matches('/').to_owned() }
}

fn listen(host: &str, port: Option<u16>) -> std::io::Result<Vec<TcpListener>> {
    let v4 = |port: u16| open((Ipv4Addr::LOCALHOST, port).into());
    let v6 = |port: u16| open((Ipv6Addr::LOCALHOST, port).into());
    match host {
        "127.0.0.1" => v4(port.unwrap_or(0)).map(|listener| vec![listener]),
        "[::1]" => v6(port.unwrap_or(0)).map(|listener| vec![listener]),
        // A browser uses either address family: this process must own both ports, or another
        // program gets the authorization response.
        _ => {
            let mut last = std::io::Error::from(ErrorKind::AddrInUse);
            for _ in 0..if port.is_some() { 1 } else { PORT_TRIES } {
                let first = v4(port.unwrap_or(0))?;
                match v6(first.local_addr()?.port()) {
                    Ok(second) => return Ok(vec![first, second]),
                    Err(error) if error.kind() == ErrorKind::AddrInUse => last = error,
                    // This machine has no IPv6.
                    Err(_) => return Ok(vec![first]),
                }
            }
            Err(last)
        }
    }
}

fn open(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

enum Verdict {
    /// The request is not complete.
    NotYet,
    /// The peer has closed the connection.
    Gone,
    Callback(Secret),
    Other {
        page: Page,
        with_body: bool,
    },
}

impl Connection {
    fn read(&mut self, path: &str, authority: &str) -> Verdict {
        let mut buffer = [0u8; 8192];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Verdict::Gone,
                Ok(count) => {
                    self.received.extend_from_slice(buffer.get(..count).unwrap_or_default())
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Verdict::Gone,
            }
            if self.received.len() > MAX_REQUEST_BYTES {
                return Verdict::Other { page: Page::BadRequest, with_body: true };
            }
        }
        judge(&self.received, path, authority)
    }
}

/// Classifies a request. Only a GET of the exact path at the exact host is the browser's redirect.
/// Any other request, such as for an icon, a preflight or from a port scanner, changes nothing.
fn judge(request: &[u8], path: &str, authority: &str) -> Verdict {
    let bad = Verdict::Other { page: Page::BadRequest, with_body: true };
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    match parsed.parse(request) {
        Ok(httparse::Status::Partial) => return Verdict::NotYet,
        Ok(httparse::Status::Complete(_)) => {}
        Err(_) => return bad,
    }
    let mut hosts = parsed.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("host"));
    let (host, again) = (hosts.next(), hosts.next());
    // A different host name for this machine is an attempt of a web page to reach it (DNS
    // rebinding).
    if !host.is_some_and(|host| host.value.eq_ignore_ascii_case(authority.as_bytes()))
        || again.is_some()
    {
        return bad;
    }
    let target = parsed.path.unwrap_or_default();
    // A server also accepts the absolute form, which proxies send (RFC 9112 3.2.2).
    let target = match target.get(..HTTP.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(HTTP) => {
            let rest = target.get(HTTP.len()..).unwrap_or_default();
            match rest.get(..authority.len()) {
                Some(named) if named.eq_ignore_ascii_case(authority) => {
                    rest.get(authority.len()..).unwrap_or_default()
                }
                _ => return bad,
            }
        }
        _ => target,
    };
    let (asked, query) = target.split_once('?').unwrap_or((target, ""));
    let method = parsed.method.unwrap_or_default();
    if asked != path {
        return Verdict::Other { page: Page::NotFound, with_body: method != "HEAD" };
    }
    match method {
        "GET" => Verdict::Callback(Secret::from(query)),
        method => Verdict::Other { page: Page::NotAllowed, with_body: method != "HEAD" },
    }
}

/// Sends the page to the browser. `own`: the application's HTML for a successful login.
pub(super) fn answer(stream: TcpStream, page: Page, own: Option<&str>) {
    respond(stream, page, own, true);
}

fn respond(mut stream: TcpStream, page: Page, own: Option<&str>, with_body: bool) {
    // A browser that does not read its page must not block the login.
    let _ = stream
        .set_nonblocking(false)
        .and_then(|()| stream.set_write_timeout(Some(WRITE_TIMEOUT)))
        .and_then(|()| stream.write_all(&page.response(own, with_body)));
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

/// The HTTP status that the receiver sends for these bytes, for fuzzing.
#[doc(hidden)]
pub fn judged(request: &[u8], path: &str, authority: &str) -> u16 {
    match judge(request, path, authority) {
        Verdict::NotYet | Verdict::Gone => 0,
        Verdict::Callback(_) => 200,
        Verdict::Other { page, .. } => page.status().0,
    }
}
