//! One connection to the store. Every call ends at its deadline, and a reply has a limit.

use super::location::{Address, StoreLocation};
use crate::text::one_line;
use redis::{Cmd, Parser, Value};
use rustls::pki_types::ServerName;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// No record is nearly this long. Tokens are shorter than 256 KiB.
const MAX_REPLY_BYTES: u64 = 2 * 1024 * 1024;
/// What a server says about an error is cut here: it may repeat what it was sent.
const REPEATED: &str = ", with args beginning with";

/// Why a command failed.
#[derive(Debug)]
pub(super) struct Failure {
    /// What happened, without a secret.
    pub(super) why: String,
    /// Whether the connection cannot be used any more.
    pub(super) is_broken: bool,
    /// Whether another connection may work at once.
    pub(super) is_worth_another: bool,
}

impl Failure {
    fn broken(why: impl Into<String>) -> Self {
        Failure { why: why.into(), is_broken: true, is_worth_another: false }
    }

    fn of_io(error: &io::Error) -> Self {
        if error.kind() == ErrorKind::TimedOut {
            return Failure::broken("it did not respond in time");
        }
        let is_closed = matches!(
            error.kind(),
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
        );
        if is_closed {
            let why = "it closed the connection".to_owned();
            return Failure { why, is_broken: true, is_worth_another: true };
        }
        let tls = if tls_error(error).is_some() { "TLS failed: " } else { "" };
        Failure::broken(format!("{tls}{}", one_line(&error.to_string(), 200)))
    }
}

type Outcome<T> = std::result::Result<T, Failure>;

/// A socket whose reads and writes end at a deadline.
struct Deadlined<S> {
    socket: S,
    deadline: Instant,
}

trait Socket: Read + Write {
    fn limit(&self, left: Duration) -> io::Result<()>;
}

impl Socket for TcpStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

#[cfg(unix)]
impl Socket for UnixStream {
    fn limit(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl<S: Socket> Deadlined<S> {
    fn within<T>(&mut self, mut work: impl FnMut(&mut S) -> io::Result<T>) -> io::Result<T> {
        loop {
            self.socket.limit(left(self.deadline)?)?;
            match work(&mut self.socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A timeout of a socket.
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(ErrorKind::TimedOut.into());
                }
                done => return done,
            }
        }
    }
}

impl<S: Socket> Read for Deadlined<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.within(|socket| socket.read(buffer))
    }
}

impl<S: Socket> Write for Deadlined<S> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.within(|socket| socket.write(buffer))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.within(Write::flush)
    }
}

/// What is left until the deadline.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(ErrorKind::TimedOut.into()) } else { Ok(left) }
}

type Tls = rustls::StreamOwned<rustls::ClientConnection, Deadlined<TcpStream>>;

enum Stream {
    Tcp(Deadlined<TcpStream>),
    Tls(Box<Tls>),
    #[cfg(unix)]
    Unix(Deadlined<UnixStream>),
}

impl Stream {
    fn set_deadline(&mut self, deadline: Instant) {
        match self {
            Stream::Tcp(stream) => stream.deadline = deadline,
            Stream::Tls(stream) => stream.sock.deadline = deadline,
            #[cfg(unix)]
            Stream::Unix(stream) => stream.deadline = deadline,
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.read(buffer),
            Stream::Tls(stream) => stream.read(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => stream.write(buffer),
            Stream::Tls(stream) => stream.write(buffer),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Tcp(stream) => stream.flush(),
            Stream::Tls(stream) => stream.flush(),
            #[cfg(unix)]
            Stream::Unix(stream) => stream.flush(),
        }
    }
}

/// An open connection. It is used by one thread at a time, and never by a forked child.
pub(super) struct Connection {
    stream: Stream,
    parser: Parser,
    /// What is sent before the first command, in one write with it.
    greeting: Vec<Cmd>,
}

impl Connection {
    /// Connects. What the server requires first (AUTH, SELECT) is sent with the first command.
    ///
    /// Blocks until `deadline`, except for the look-up of a name, which the system limits.
    pub(super) fn open(
        location: &StoreLocation,
        tls: Option<&Arc<rustls::ClientConfig>>,
        deadline: Instant,
    ) -> Outcome<Self> {
        let stream = match &location.address {
            Address::Tcp { host, port, tls: is_tls } => {
                let tcp = connect(host, *port, deadline).map_err(|e| Failure::of_io(&e))?;
                let tcp = Deadlined { socket: tcp, deadline };
                match tls.filter(|_| *is_tls) {
                    None if *is_tls => return Err(Failure::broken("TLS is not set up")),
                    None => Stream::Tcp(tcp),
                    Some(config) => {
                        let name = ServerName::try_from(host.clone())
                            .map_err(|_| Failure::broken("its name cannot be used with TLS"))?;
                        let client = rustls::ClientConnection::new(config.clone(), name)
                            .map_err(|error| Failure::broken(format!("TLS failed: {error}")))?;
                        Stream::Tls(Box::new(rustls::StreamOwned::new(client, tcp)))
                    }
                }
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                let socket = UnixStream::connect(path).map_err(|e| Failure::of_io(&e))?;
                Stream::Unix(Deadlined { socket, deadline })
            }
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(Failure::broken("this system has no such sockets")),
        };
        Ok(Connection { stream, parser: Parser::new(), greeting: greeting(location) })
    }

    /// Sends a command and returns the reply. After a failure that breaks the connection it must
    /// be dropped.
    ///
    /// Blocks until `deadline`.
    pub(super) fn call(&mut self, command: &Cmd, deadline: Instant) -> Outcome<Value> {
        self.stream.set_deadline(deadline);
        let greeting = std::mem::take(&mut self.greeting);
        // Wiped after it was sent: it may hold a password.
        let mut bytes = Zeroizing::new(Vec::new());
        for command in greeting.iter().chain([command]) {
            bytes.append(&mut command.get_packed_command());
        }
        let sent = self.stream.write_all(&bytes).and_then(|()| self.stream.flush());
        sent.map_err(|error| Failure::of_io(&error))?;
        for greeted in &greeting {
            let refused = self.reply()?;
            if let Value::ServerError(error) = refused {
                let what = if greeted.args_iter().count() == 2 { "its database" } else { "login" };
                let why = said(error.code(), error.details());
                return Err(Failure::broken(format!("{what} was refused: {why}")));
            }
        }
        match self.reply()? {
            Value::ServerError(error) => {
                let why = said(error.code(), error.details());
                Err(Failure { why, is_broken: false, is_worth_another: false })
            }
            value => Ok(value),
        }
    }

    fn reply(&mut self) -> Outcome<Value> {
        let mut limited = (&mut self.stream).take(MAX_REPLY_BYTES);
        self.parser.parse_value(&mut limited).map_err(|error| {
            if limited.limit() == 0 {
                return Failure::broken("its reply is too long");
            }
            match io_error(&error) {
                Some(kind) => Failure::of_io(&kind),
                None => Failure::broken("its reply is not one of Redis"),
            }
        })
    }
}

/// The error of the system in an error of the parser, if there is one.
fn io_error(error: &redis::RedisError) -> Option<io::Error> {
    if error.is_timeout() {
        return Some(ErrorKind::TimedOut.into());
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref());
    if let Some(tls) = cause.and_then(tls_error) {
        return Some(io::Error::other(tls.clone()));
    }
    (error.is_io_error() || error.is_connection_dropped()).then(|| ErrorKind::UnexpectedEof.into())
}

/// What TLS says, if it is the cause: a certificate that is not trusted.
fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// What a server said about an error. It may repeat a command, so only its beginning is shown.
fn said(code: &str, details: Option<&str>) -> String {
    let details = details.unwrap_or("");
    let details = details.split(REPEATED).next().unwrap_or("");
    one_line(&format!("{code} {details}"), 200)
}

fn greeting(location: &StoreLocation) -> Vec<Cmd> {
    let mut greeting = Vec::new();
    if let Some(password) = &location.password {
        // A password without a user is that of the user `default`.
        let user = location.user.as_deref().unwrap_or("default");
        greeting.push(redis::cmd("AUTH").arg(user).arg(password.expose()).take());
    }
    if location.database != 0 {
        greeting.push(redis::cmd("SELECT").arg(location.database).take());
    }
    greeting
}

fn connect(host: &str, port: u16, deadline: Instant) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = (host, port).to_socket_addrs()?.collect();
    let mut failed = io::Error::new(ErrorKind::NotFound, "its name has no address");
    for (index, address) in addresses.iter().enumerate() {
        // An address that does not respond leaves time for the next one.
        let share = u32::try_from(addresses.len().saturating_sub(index)).unwrap_or(1).max(1);
        match TcpStream::connect_timeout(address, left(deadline)? / share) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
