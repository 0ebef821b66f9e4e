//! The library's own threads, and writes on the host's threads. Neither may end the process by a
//! signal.
//!
//! A write to a closed connection raises SIGPIPE, and a write beyond the limit of file sizes raises
//! SIGXFSZ. Both end the process by default. Rust programs ignore SIGPIPE, but a C host of this
//! library does not. The handlers belong to the host, so this module blocks both signals on single
//! threads only. A blocked signal stays pending for the thread that caused it and disappears when
//! that thread ends. The write returns EPIPE or EFBIG.

use std::cell::Cell;
use std::io;
use std::panic::resume_unwind;
use std::thread::{Builder, JoinHandle, scope};

/// The default size of std. If a size is given, std does not read `RUST_MIN_STACK`, which would
/// race with `setenv` of a C host.
pub(crate) const STACK_BYTES: usize = 2 * 1024 * 1024;

#[cfg(unix)]
type Signals = nix::sys::signal::SigSet;
#[cfg(not(unix))]
type Signals = ();

thread_local! {
    /// The signals that this library has blocked on this thread. `None` on a thread of the host.
    static BLOCKED: Cell<Option<Signals>> = const { Cell::new(None) };
}

/// Starts a thread of the library. It blocks SIGPIPE and SIGXFSZ for itself.
///
/// Code of the host must not run there, because its children would inherit the signal mask. Use
/// [`spawn_for_host`] for such code.
///
/// Errors: those of the system, if no thread can be started.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let inherited = BLOCKED.get();
    builder(name).spawn(move || {
        block(inherited);
        work()
    })
}

/// Starts a thread that runs code of the host, such as a storage callback, with the signal mask of
/// the host's thread.
///
/// Errors: those of the system, if no thread can be started.
pub fn spawn_for_host<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let inherited = BLOCKED.get();
    builder(name).spawn(move || {
        unblock(inherited);
        work()
    })
}

/// Runs a write so that SIGPIPE and SIGXFSZ cannot end the process: on this thread if it belongs to
/// the library, else on a new one.
///
/// Blocks until `write` returns. Errors: those of the system, if no thread can be started.
pub fn shielded<T: Send>(write: impl FnOnce() -> T + Send) -> io::Result<T> {
    if cfg!(not(unix)) || BLOCKED.get().is_some() {
        return Ok(write());
    }
    on_another_thread("planetkey-write", || {
        block(None);
        write()
    })
}

/// Starts a child process with the signal mask of the host's thread, which a child inherits.
///
/// Blocks until `start` returns. Errors: those of the system, if no thread can be started.
pub(crate) fn with_mask_of_host<T: Send>(start: impl FnOnce() -> T + Send) -> io::Result<T> {
    let blocked = BLOCKED.get();
    if blocked.is_none() {
        return Ok(start());
    }
    // On a new thread, because a signal that is pending on this one would be delivered.
    on_another_thread("planetkey-child", || {
        unblock(blocked);
        start()
    })
}

fn builder(name: &str) -> Builder {
    Builder::new().name(name.to_owned()).stack_size(STACK_BYTES)
}

fn on_another_thread<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    scope(|scope| {
        let thread = builder(name).spawn_scoped(scope, work)?;
        thread.join().or_else(|panic| resume_unwind(panic))
    })
}

/// Blocks the signals that are not blocked yet on this new thread, and records them together with
/// those that its starter had blocked.
#[cfg(unix)]
fn block(inherited: Option<Signals>) {
    use nix::sys::signal::Signal::{SIGPIPE, SIGXFSZ};
    let mut blocked = inherited.unwrap_or_else(Signals::empty);
    if let Ok(mask) = Signals::thread_get_mask() {
        for signal in [SIGPIPE, SIGXFSZ] {
            if !mask.contains(signal) {
                blocked.add(signal);
            }
        }
    }
    // This fails only for invalid arguments.
    let _ = blocked.thread_block();
    BLOCKED.set(Some(blocked));
}

#[cfg(unix)]
fn unblock(inherited: Option<Signals>) {
    if let Some(blocked) = inherited {
        let _ = blocked.thread_unblock();
    }
}

#[cfg(not(unix))]
fn block(_: Option<Signals>) {
    BLOCKED.set(Some(()));
}

#[cfg(not(unix))]
fn unblock(_: Option<Signals>) {}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use nix::sys::signal::Signal::{SIGPIPE, SIGXFSZ};

    fn blocked() -> (bool, bool) {
        let mask = Signals::thread_get_mask().unwrap();
        (mask.contains(SIGPIPE), mask.contains(SIGXFSZ))
    }

    #[test]
    fn i9_08_own_threads_block_both_signals_and_the_hosts_code_and_children_get_its_mask() {
        assert_eq!(blocked(), (false, false));
        let inner = spawn("outer", || {
            let inner = spawn("inner", || {
                let child = with_mask_of_host(blocked).unwrap();
                let host = spawn_for_host("host", blocked).unwrap().join().unwrap();
                (blocked(), shielded(blocked).unwrap(), child, host)
            });
            inner.unwrap().join().unwrap()
        });
        let (own, write, child, host) = inner.unwrap().join().unwrap();
        assert_eq!((own, write), ((true, true), (true, true)));
        assert_eq!((child, host), ((false, false), (false, false)));
        assert_eq!(shielded(blocked).unwrap(), (true, true));
        assert_eq!(blocked(), (false, false));
    }

    #[test]
    fn i9_08_what_the_host_has_blocked_stays_blocked() {
        let host = std::thread::spawn(|| {
            Signals::from(SIGPIPE).thread_block().unwrap();
            spawn("own", || with_mask_of_host(blocked).unwrap()).unwrap().join().unwrap()
        });
        assert_eq!(host.join().unwrap(), (true, false));
    }

    /// This module is the only place that starts threads, except in tests.
    #[test]
    fn i9_08_every_thread_of_the_library_is_started_here() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let places =
            ["core/src", "ffi/src", "ffi/gdal/src", "bindings/python/src", "bindings/node/src"];
        let mut directories: Vec<_> = places.iter().map(|place| root.join(place)).collect();
        let mut strays = Vec::new();
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    directories.push(path);
                } else if !path.ends_with("threads.rs") && !path.ends_with("shuttle_tests.rs") {
                    let text = std::fs::read_to_string(&path).unwrap();
                    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                    let found = ["thread::spawn(", "thread::Builder", "thread::scope("]
                        .iter()
                        .filter(|stray| text.contains(**stray));
                    strays.extend(found.map(|stray| format!("{}: {stray}", path.display())));
                }
            }
        }
        assert!(strays.is_empty(), "{strays:?}");
    }
}
