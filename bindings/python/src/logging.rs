//! Sends the core's log records to the logger `planetkey` of Python's `logging`.

use std::sync::mpsc::sync_channel;
use std::time::Duration;

use log::{Level, LevelFilter, Log, Metadata, Record};
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::interpreter::{call_method, is_attached, visit};

struct PythonLogger;

static LOGGER: PythonLogger = PythonLogger;

/// The level numbers of Python's `logging`, which has no TRACE.
fn number(level: Level) -> u8 {
    match level {
        Level::Error => 40,
        Level::Warn => 30,
        Level::Info => 20,
        Level::Debug => 10,
        Level::Trace => 5,
    }
}

fn emit(py: Python<'_>, level: Level, message: &str) -> PyResult<()> {
    static PLANETKEY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let logger = PLANETKEY.get_or_try_init(py, || {
        // Not in the package, because importing `logging` takes several times as long as the rest.
        let logging = call_method(
            &py.import(intern!(py, "builtins"))?.into_any(),
            "__import__",
            ("logging",),
        )?;
        let logger = call_method(&logging, "getLogger", ("planetkey",))?;
        // A library is silent until the application configures logging.
        let silent = call_method(&logging, "NullHandler", ())?;
        call_method(&logger, "addHandler", (silent,))?;
        PyResult::Ok(logger.unbind())
    })?;
    // Without arguments, `logging` does not interpret percent signs.
    call_method(logger.bind(py), "log", (number(level), message)).map(drop)
}

fn deliver(level: Level, message: &str) {
    visit(|py| {
        if let Err(error) = emit(py, level, message) {
            keep(py, error);
        }
    });
}

/// How long a thread that must not take the GIL waits until its record is delivered.
const PATIENCE: Duration = Duration::from_millis(100);

/// Delivers the record on another thread. The thread that holds the GIL may wait for this one if
/// GDAL requests a token.
fn hand_over(level: Level, message: String) {
    let (sender, receiver) = sync_channel::<()>(1);
    let started = planetkey::threads::spawn_for_host("planetkey-log", move || {
        deliver(level, &message);
        drop(sender);
    });
    if started.is_ok() {
        let _ = receiver.recv_timeout(PATIENCE);
    }
}

/// Passes on an exception. `logging` reports failures of its handlers itself, so this one is of a
/// signal handler that ran meanwhile. It must not be lost.
fn keep(py: Python<'_>, error: PyErr) {
    if error.is_instance_of::<PyException>(py) {
        error.write_unraisable(py, None);
    } else if let Err(error) =
        py.import(intern!(py, "_thread")).and_then(|thread| thread.call_method0("interrupt_main"))
    {
        error.write_unraisable(py, None);
    }
}

impl Log for PythonLogger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The HTTP crates log too, and their records may contain secrets.
        planetkey::is_own_log_target(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let (level, message) =
                (record.level(), planetkey::text::printable(&record.args().to_string()));
            match is_attached() {
                Some(false) => hand_over(level, message),
                Some(true) | None => deliver(level, &message),
            }
        }
    }

    fn flush(&self) {}
}

/// Installs the logger. Only the first call has an effect.
pub(crate) fn install() {
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
