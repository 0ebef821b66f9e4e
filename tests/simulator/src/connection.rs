//! Accepted connections, plain or TLS, and the register of the open ones.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection that is silent for this long, in either direction, is closed.
pub(crate) const IDLE_LIMIT: Duration = Duration::from_secs(120);

/// Limits for reading on after the last byte was sent. Unread bytes of the peer would turn the
/// orderly close into a reset.
const LINGER_LIMIT: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// The socket of a connection. All owners share one descriptor; the register holds only a weak
/// reference, so that dropping the connection really closes it.
pub(crate) struct Socket {
    socket: Arc<TcpStream>,
    /// Bytes that were read ahead before TLS took over.
    ahead: Vec<u8>,
}

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            return (&*self.socket).read(into);
        }
        let count = self.ahead.len().min(into.len());
        into[..count].copy_from_slice(&self.ahead[..count]);
        self.ahead.drain(..count);
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&*self.socket).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        (&*self.socket).flush()
    }
}

enum Stream {
    Plain,
    Tls(Box<StreamOwned<ServerConnection, Socket>>),
}

/// A connection with its read buffer.
pub(crate) struct Connection {
    pub(crate) id: u64,
    socket: Arc<TcpStream>,
    stream: Stream,
    pub(crate) buffer: Vec<u8>,
}

impl Connection {
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.stream, Stream::Plain)
    }

    /// Waits until the peer has sent something, without reading it. `false`: the peer closed.
    pub(crate) fn wait_readable(&self) -> bool {
        !self.buffer.is_empty() || matches!(self.socket.peek(&mut [0]), Ok(count) if count > 0)
    }

    /// Reads available bytes into the buffer. 0 means that the peer closed.
    pub(crate) fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = match &mut self.stream {
            Stream::Plain => (&*self.socket).read(&mut chunk),
            Stream::Tls(stream) => stream.read(&mut chunk),
        }?;
        self.buffer.extend_from_slice(&chunk[..count]);
        Ok(count)
    }

    /// Writes and flushes.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain => (&*self.socket).write_all(bytes),
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    /// Starts TLS and finishes the handshake.
    pub(crate) fn into_tls(self, config: Arc<ServerConfig>) -> io::Result<Self> {
        let session = ServerConnection::new(config).map_err(io::Error::other)?;
        let socket = Socket { socket: Arc::clone(&self.socket), ahead: self.buffer };
        let mut stream = StreamOwned::new(session, socket);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self {
            id: self.id,
            socket: self.socket,
            stream: Stream::Tls(Box::new(stream)),
            buffer: Vec::new(),
        })
    }

    /// Closes the connection with RST.
    pub(crate) fn reset(self) {
        // Without the option the close is an orderly one, which the caller's test notices.
        let _ = rustix::net::sockopt::set_socket_linger(&*self.socket, Some(Duration::ZERO));
    }

    /// Closes the connection with FIN, after all sent bytes.
    pub(crate) fn close(mut self) {
        if let Stream::Tls(stream) = &mut self.stream {
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
        if self.socket.shutdown(Shutdown::Write).is_err() {
            return;
        }
        let _ = self.socket.set_read_timeout(Some(LINGER_LIMIT));
        let mut scratch = [0; 16 * 1024];
        let mut read = 0;
        while read < LINGER_BYTES {
            match (&*self.socket).read(&mut scratch) {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
        }
    }

    /// Discards input until the peer closes, the register shuts the connection, or the limit
    /// passes.
    pub(crate) fn drain(self) {
        let mut scratch = [0; 16 * 1024];
        while matches!((&*self.socket).read(&mut scratch), Ok(count) if count > 0) {}
    }
}

struct Open {
    socket: Weak<TcpStream>,
    stalled: bool,
}

/// Every open connection, so that a reset or the end of the simulator can shut them.
#[derive(Default)]
pub(crate) struct Register {
    next: AtomicU64,
    open: Mutex<HashMap<u64, Open>>,
    gone: Condvar,
}

impl Register {
    /// Adds an accepted socket.
    pub(crate) fn admit(&self, socket: TcpStream) -> io::Result<Connection> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(IDLE_LIMIT))?;
        socket.set_write_timeout(Some(IDLE_LIMIT))?;
        let socket = Arc::new(socket);
        let id = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Open { socket: Arc::downgrade(&socket), stalled: false };
        self.lock().insert(id, entry);
        Ok(Connection { id, socket, stream: Stream::Plain, buffer: Vec::new() })
    }

    /// Removes a connection whose thread has ended.
    pub(crate) fn leave(&self, id: u64) {
        self.lock().remove(&id);
        self.gone.notify_all();
    }

    pub(crate) fn mark_stalled(&self, id: u64) {
        if let Some(entry) = self.lock().get_mut(&id) {
            entry.stalled = true;
        }
    }

    /// Shuts the stalled connections, or all of them.
    pub(crate) fn shut(&self, all: bool) {
        let sockets: Vec<_> = self
            .lock()
            .values()
            .filter(|entry| all || entry.stalled)
            .filter_map(|entry| entry.socket.upgrade())
            .collect();
        for socket in sockets {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    /// Waits until no connection is left, with a bound.
    pub(crate) fn wait_empty(&self, limit: Duration) {
        let _ = self.gone.wait_timeout_while(self.lock(), limit, |open| !open.is_empty());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
