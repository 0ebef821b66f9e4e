//! Log records.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, OnceLock};

use arc_swap::ArcSwapOption;
use log::{LevelFilter, Log, Metadata, Record};
use planetkey::{Error, Result, Status};

use crate::boundary;
use crate::error::planetkey_error;
use crate::input;
use crate::status::planetkey_status;
use crate::text::c_string;
use crate::user_data::{UserData, planetkey_destroy_callback};

/// The level of a log record. Parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_log_level {
    /// Nothing. Only as the most detailed level to log.
    Off = 0,
    /// A failure that the caller may not notice otherwise.
    Error = 1,
    /// A problem that planetkey worked around.
    Warn = 2,
    /// An important event, as a refresh.
    Info = 3,
    /// Details for finding a fault.
    Debug = 4,
    /// Every step.
    Trace = 5,
}

/// Receives a log record.
///
/// @param[in] user_data the pointer given to planetkey_set_log_callback().
/// @param[in] level a ::planetkey_log_level.
/// @param[in] target the part of planetkey that logs, as "planetkey::session". NUL-terminated,
///            borrowed for the call.
/// @param[in] message one line without its end, NUL-terminated UTF-8, borrowed for the call.
///            Contains no secret.
///
/// Called on any thread, by several at once. It must not throw or longjmp. It may call planetkey,
/// which does not log meanwhile on this thread.
pub type planetkey_log_callback = Option<
    unsafe extern "C" fn(
        user_data: *mut c_void,
        level: i32,
        target: *const c_char,
        message: *const c_char,
    ),
>;

type Callback = unsafe extern "C" fn(*mut c_void, i32, *const c_char, *const c_char);

struct Sink {
    callback: Callback,
    user_data: UserData,
}

static SINK: ArcSwapOption<Sink> = ArcSwapOption::const_empty();

thread_local! {
    /// Whether the callback runs on this thread. Its calls of planetkey must not log into it again.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // The HTTP and TLS libraries do not promise to keep secrets out of their records.
        ::planetkey::is_own_log_target(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) || INSIDE.get() {
            return;
        }
        // Counted and without a lock, so that the callback may replace itself.
        let Some(sink) = SINK.load_full() else { return };
        let target = c_string(record.target());
        let message = c_string(&::planetkey::text::printable(&record.args().to_string()));
        INSIDE.set(true);
        // SAFETY: the caller of planetkey_set_log_callback() promised a function of this type.
        unsafe {
            (sink.callback)(
                sink.user_data.pointer(),
                record.level() as i32,
                target.as_ptr(),
                message.as_ptr(),
            )
        };
        INSIDE.set(false);
    }

    fn flush(&self) {}
}

/// Registers the logger with this copy of the `log` crate, once.
///
/// Errors: UNSUPPORTED.
fn install() -> Result<()> {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    match *INSTALLED.get_or_init(|| log::set_logger(&Logger).is_ok()) {
        true => Ok(()),
        false => Err(Error::new(
            Status::Unsupported,
            "the program has its own logger for Rust's log crate; planetkey's records go to that logger",
        )),
    }
}

fn level_filter(level: i32) -> Result<LevelFilter> {
    match level {
        0 => Ok(LevelFilter::Off),
        1 => Ok(LevelFilter::Error),
        2 => Ok(LevelFilter::Warn),
        3 => Ok(LevelFilter::Info),
        4 => Ok(LevelFilter::Debug),
        5 => Ok(LevelFilter::Trace),
        _ => {
            Err(input::invalid(format!("max_level is {level}, which is not a planetkey_log_level")))
        }
    }
}

/// Sets where planetkey's log records go, for the whole process. Without this call they go nowhere.
/// A further call replaces the callback.
///
/// @param[in] callback receives the records. NULL ends logging.
/// @param[in] user_data passed to the callbacks. May be NULL.
/// @param[in] destroy called once with `user_data` when no thread can be inside `callback` any
///            more; also if this call fails or `callback` is NULL. May be NULL.
/// @param[in] max_level a ::planetkey_log_level: the most detailed one to log.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT,
///         ::PLANETKEY_STATUS_UNSUPPORTED (the library is part of a Rust program that has its own
///         logger).
///
/// Thread-safe. Never blocks; another thread may still be inside the former callback after the
/// return. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_set_log_callback(
    callback: planetkey_log_callback,
    user_data: *mut c_void,
    destroy: planetkey_destroy_callback,
    max_level: i32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let body = || {
        // Made first, because whatever fails afterwards must call `destroy`.
        let user_data = UserData::new(user_data, destroy);
        let sink = callback.map(|callback| Arc::new(Sink { callback, user_data }));
        let max_level = level_filter(max_level)?;
        if sink.is_some() {
            install()?;
        }
        log::set_max_level(if sink.is_some() { max_level } else { LevelFilter::Off });
        SINK.store(sink);
        Ok(())
    };
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { boundary::check(error, body) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_levels_match_the_log_crate() {
        for level in log::Level::iter() {
            assert_eq!(level_filter(level as i32).ok(), Some(level.to_level_filter()));
        }
        assert_eq!(planetkey_log_level::Error as i32, log::Level::Error as i32);
        assert_eq!(planetkey_log_level::Trace as i32, log::Level::Trace as i32);
    }

    #[test]
    fn only_records_of_planetkey_are_logged() {
        let enabled = |target: &str| Logger.enabled(&Metadata::builder().target(target).build());
        assert!(enabled("planetkey") && enabled("planetkey::session"));
        assert!(!enabled("hyper") && !enabled("planetkey_other") && !enabled("rustls"));
    }
}
