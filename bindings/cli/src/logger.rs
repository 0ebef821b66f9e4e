//! Log records on standard error, for `--verbose`.

use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};

struct StandardError;

impl Log for StandardError {
    /// Only planetkey's own records: the HTTP libraries' would show what a request carries.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        planetkey::is_own_log_target(target)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            let line = crate::text::printable(&record.args().to_string());
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "planetkey: {level}: {line}");
        }
    }

    fn flush(&self) {}
}

/// Shows log records from now on; a program that installed its own logger keeps it.
pub(crate) fn show(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    };
    if log::set_logger(&StandardError).is_ok() {
        log::set_max_level(level);
    }
}
