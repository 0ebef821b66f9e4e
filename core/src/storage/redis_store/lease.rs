//! The thread that lets the lock in the store last while its holder works.

use super::connection::Connection;
use super::location::StoreLocation;
use super::scripts::Reply;
use crate::threads;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A lock lasts this long after it was taken or extended.
pub(super) const LOCK_LASTS: Duration = Duration::from_secs(10);
/// How often it is extended.
const EXTENDED_EVERY: Duration = Duration::from_secs(3);
/// The longest time that one extension may take.
const LIMIT: Duration = Duration::from_secs(2);

/// The thread, until it is dropped.
pub(super) struct Extender {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread needs. It has a connection of its own.
pub(super) struct Extension {
    pub(super) location: StoreLocation,
    pub(super) tls: Option<Arc<rustls::ClientConfig>>,
    /// What extends the lock.
    pub(super) command: redis::Cmd,
}

impl Extender {
    /// Starts the thread; `None` if no thread can be started, and the lock then ends early.
    pub(super) fn start(extension: Extension) -> Option<Extender> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = stop.clone();
        let thread = threads::spawn("planetkey-store", move || extension.run(&stopped)).ok()?;
        Some(Extender { stop, thread: Some(thread) })
    }
}

impl Drop for Extender {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        // No thread outlives its work. It is waiting, or in a call that ends soon.
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Extension {
    fn run(&self, (stopped, changed): &(Mutex<bool>, Condvar)) {
        loop {
            let due = Instant::now() + EXTENDED_EVERY;
            let mut is_stopped = stopped.lock().unwrap_or_else(PoisonError::into_inner);
            loop {
                if *is_stopped {
                    return;
                }
                let left = due.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                is_stopped = changed
                    .wait_timeout(is_stopped, left)
                    .map_or_else(|poisoned| poisoned.into_inner().0, |(guard, _)| guard);
            }
            drop(is_stopped);
            if !self.extend() {
                return;
            }
        }
    }

    /// Extends the lock; `false` if this process does not hold it any more.
    fn extend(&self) -> bool {
        let deadline = Instant::now() + LIMIT;
        let reply = Connection::open(&self.location, self.tls.as_ref(), deadline)
            .and_then(|mut connection| connection.call(&self.command, deadline));
        match reply {
            Ok(value) => Reply::of(value).is_none_or(|reply| reply.word != "lost"),
            Err(failure) => {
                log::debug!("the lock in the store could not be extended: {}", failure.why);
                true
            }
        }
    }
}
