//! What every constructor of a session takes.

use std::ffi::c_char;

use planetkey::Options;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::options_handle::{self, Settings};
use crate::status::planetkey_status;
use crate::storage::{self, planetkey_storage};

/// Options of a session. The only handle that changes: one thread at a time. Constructors copy it, so it may be used
/// again or freed at once. What is not set has its default.
#[derive(Default)]
pub struct planetkey_options {
    pub(crate) options: Options,
}

impl Exclusive for planetkey_options {
    const NAME: &'static str = "options";
}

impl Settings for planetkey_options {
    type Options = Options;

    fn options(&self) -> &Options {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }
}

/// New options, with nothing set.
///
/// @return options to free with planetkey_options_free(). Never NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_options_new() -> *mut planetkey_options {
    options_handle::new()
}

/// Whether tokens are kept on disk, where all processes and Planet's own tools share them.
///
/// @param[in,out] options not NULL.
/// @param[in] save true, which is the default; false keeps tokens in memory, and does not look at what is on disk.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_save(
    options: *mut planetkey_options,
    save: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.save = Some(save);
            Ok(())
        })
    }
}

/// The directory that takes the place of the home directory for `.planet` and `.planet.json`: for homes that cannot be written.
///
/// @param[in,out] options not NULL.
/// @param[in] storage_root a path as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default: PLANETKEY_STORAGE_ROOT, and without
///            it the home directory.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. An empty path is refused by the constructors.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_storage_root(
    options: *mut planetkey_options,
    storage_root: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.storage_root = input::optional_text("storage_root", storage_root)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// The profile whose directory keeps the tokens of planetkey_session_from_m2m() and planetkey_session_from_client_config(); the other
/// constructors refuse it.
///
/// @param[in,out] options not NULL.
/// @param[in] profile a name as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default: `planet-m2m-` and the client's id for a
///            machine, the client's id for everybody else.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by the constructors.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_profile(
    options: *mut planetkey_options,
    profile: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.profile = input::optional_text("profile", profile)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// The application's own storage in place of files, for sessions of one client: planetkey_session_from_defaults() refuses it.
///
/// @param[in,out] options not NULL.
/// @param[in] storage the callbacks; NULL means the default, files. Copied; its `free_user_data` is called once when these options, their
///            copies and their sessions need it no more, also when this call fails, but not when `size` is wrong.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (a wrong size, no `load` or no `save`, one of `lock` and
///         `unlock`), ::PLANETKEY_STATUS_UNSUPPORTED (members of a later version are set).
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_storage(
    options: *mut planetkey_options,
    storage: *const planetkey_storage,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    let body = || {
        // Read first: whatever fails now, dropping it tells `free_user_data`.
        // SAFETY: the caller promises NULL or a whole struct.
        let storage = unsafe { storage::read(storage) }?;
        // SAFETY: the promises of the caller are handed on.
        let options = &mut unsafe { handle::borrow_exclusive(options) }?.options;
        let former = std::mem::replace(&mut options.storage, storage);
        // Dropping it may call back.
        drop(former);
        Ok(())
    };
    // SAFETY: the promise about `error` is handed on.
    unsafe { boundary::check(error, body) }
}

/// The total deadline of each call that may use the network.
///
/// @param[in,out] options not NULL.
/// @param[in] timeout_ms milliseconds; the default is 30000. 0 and more than a day are refused by the constructors.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_timeout_ms(
    options: *mut planetkey_options,
    timeout_ms: u32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.timeout_ms = Some(u64::from(timeout_ms));
            Ok(())
        })
    }
}

/// The deployment: which API hosts exist, and which authorization servers' tokens they accept.
///
/// @param[in,out] options not NULL.
/// @param[in] deployment the name of a preset, the path of a JSON document, or the document itself, as NUL-terminated
///            UTF-8 of at most 1 MiB. NULL means the default: PLANETKEY_DEPLOYMENT, and without it Planet.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. What it says is looked at by the constructors.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_deployment(
    options: *mut planetkey_options,
    deployment: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.deployment = input::optional_text("deployment", deployment)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// One more host that the session's credentials may go to, beside those of the deployment.
///
/// @param[in,out] options not NULL.
/// @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by the constructors.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_add_allowed_host(
    options: *mut planetkey_options,
    host: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            let host = input::text("host", host)?;
            options.allowed_hosts.get_or_insert_default().push(host.to_owned());
            Ok(())
        })
    }
}

/// Whether credentials may go over plain http to loopback hosts of the deployment: for tests only.
///
/// @param[in,out] options not NULL.
/// @param[in] allow_insecure_loopback true or false; the default is false.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_allow_insecure_loopback(
    options: *mut planetkey_options,
    allow_insecure_loopback: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.allow_insecure_loopback = Some(allow_insecure_loopback);
            Ok(())
        })
    }
}

/// A file of certificates (PEM) to trust beside the system's.
///
/// @param[in,out] options not NULL.
/// @param[in] ca_file a path as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default, the environment's.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The file is read later.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_ca_file(
    options: *mut planetkey_options,
    ca_file: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.ca_file = input::optional_text("ca_file", ca_file)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// The proxy for requests to authorization servers; loopback is never proxied.
///
/// @param[in,out] options not NULL.
/// @param[in] proxy a URL as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default, the environment's.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The URL is looked at by the constructors.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_proxy(
    options: *mut planetkey_options,
    proxy: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.proxy = input::optional_text("proxy", proxy)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Frees options. Sessions made from them stay.
///
/// @param[in] options may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_options_free(options: *mut planetkey_options) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release_exclusive(options) }
}
