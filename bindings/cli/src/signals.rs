//! Ctrl-C, SIGTERM and SIGHUP. They are caught once a session may be refreshed, because a refresh
//! that is cut off could lose the session.

use std::sync::Arc;
#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};

use planetkey::Interrupt;
#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// The signals that cancel a command.
#[derive(Debug, Default)]
pub struct Signals {
    #[cfg(unix)]
    caught: [(i32, Arc<AtomicBool>); 3],
}

impl Signals {
    /// The signals of this process. None is caught yet.
    #[cfg(unix)]
    pub fn of_this_process() -> Self {
        Signals { caught: [SIGINT, SIGTERM, SIGHUP].map(|signal| (signal, Arc::default())) }
    }

    /// The signals of this process. None is caught yet.
    #[cfg(not(unix))]
    pub fn of_this_process() -> Self {
        Signals {}
    }

    /// From now on a signal cancels the command. A second one ends the process at once.
    #[cfg(unix)]
    pub(crate) fn catch(&self) -> Interrupt {
        let ignored = ignored();
        for (signal, caught) in &self.caught {
            // nohup sets it, and a shell does for background jobs.
            if ignored & (1 << (signal - 1)) != 0 {
                continue;
            }
            // If it cannot be caught it still ends the process.
            let _ = signal_hook::flag::register_conditional_default(*signal, caught.clone())
                .and_then(|_| signal_hook::flag::register(*signal, caught.clone()));
        }
        let flags = self.caught.each_ref().map(|(_, caught)| caught.clone());
        Arc::new(move || flags.iter().any(|caught| caught.load(Ordering::SeqCst)))
    }

    #[cfg(not(unix))]
    pub(crate) fn catch(&self) -> Interrupt {
        Arc::new(|| false)
    }

    /// Whether a signal was caught.
    pub fn came(&self) -> bool {
        #[cfg(unix)]
        return self.caught.iter().any(|(_, caught)| caught.load(Ordering::SeqCst));
        #[cfg(not(unix))]
        false
    }

    /// Ends the process by the signal that was caught, as its parent expects. Returns if there was
    /// none.
    pub fn obey(&self) {
        #[cfg(unix)]
        for (signal, caught) in &self.caught {
            if caught.load(Ordering::SeqCst) {
                let _ = signal_hook::low_level::emulate_default_handler(*signal);
            }
        }
    }
}

/// The signals that are ignored since this process started, as bits. Only Linux tells without
/// unsafe code.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.unwrap_or(0)
}
