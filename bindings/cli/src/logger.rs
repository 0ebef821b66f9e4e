//! Log records on standard error: notices always, the others with `--verbose`.

use std::io::{self, Write};

use log::{LevelFilter, Log, Metadata, Record};
use planetkey::storage::NOTICE_TARGET;

struct StandardError {
    only_notices: bool,
}

static ALL: StandardError = StandardError { only_notices: false };
static NOTICES: StandardError = StandardError { only_notices: true };

impl Log for StandardError {
    /// Only planetkey's own records. Those of HTTP libraries would show the credentials of
    /// requests.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        target == NOTICE_TARGET || !self.only_notices && planetkey::is_own_log_target(target)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_ascii_lowercase();
            let line = crate::text::printable(&record.args().to_string());
            // Standard error may be closed.
            let _ = writeln!(io::stderr(), "planetkey: {level}: {line}");
        }
    }

    fn flush(&self) {}
}

/// Shows log records from now on, unless the program has installed its own logger.
pub(crate) fn show(verbose: u8) {
    let (logger, level) = match verbose {
        0 => (&NOTICES, LevelFilter::Warn),
        1 => (&ALL, LevelFilter::Debug),
        _ => (&ALL, LevelFilter::Trace),
    };
    if log::set_logger(logger).is_ok() {
        log::set_max_level(level);
    }
}
