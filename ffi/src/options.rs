//! Options of a session.

use std::ffi::c_char;
use std::path::PathBuf;
use std::time::Duration;

use planetkey::Options;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::options_handle::{self, OptionsHandle};
use crate::status::planetkey_status;
use crate::storage::{self, planetkey_storage};

/// Options of a session. Mutable: one thread at a time. Functions that take them copy them, so that
/// they may be reused or freed at once. Options that are not set have their defaults.
#[derive(Default)]
pub struct planetkey_options {
    options: Options,
}

impl Exclusive for planetkey_options {
    const NAME: &'static str = "options";
}

impl OptionsHandle for planetkey_options {
    type Options = Options;

    fn options(&self) -> &Options {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }
}

/// Creates options of a session with all defaults.
///
/// @return the options, to free with planetkey_options_free(). Never NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_options_new() -> *mut planetkey_options {
    options_handle::new()
}

/// Sets whether tokens are saved on disk, where all processes and Planet's own tools share them.
///
/// @param[in,out] options Not NULL.
/// @param[in] save true, the default, saves tokens on disk. false keeps them in memory and ignores
///            tokens on disk.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.save = Some(save);
            Ok(())
        })
    }
}

/// Sets the directory that contains `.planet` and `.planet.json` instead of the home directory.
///
/// @param[in,out] options Not NULL.
/// @param[in] storage_root a path as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default:
///            the environment variable PLANETKEY_STORAGE_ROOT, or the home directory.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors refuse an
///         empty path.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_storage_root(
    options: *mut planetkey_options,
    storage_root: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.storage_root =
                input::optional_text("storage_root", storage_root)?.map(PathBuf::from);
            Ok(())
        })
    }
}

/// Sets the profile in whose directory planetkey_session_from_m2m() and
/// planetkey_session_from_client_config() save tokens. The other constructors refuse it.
///
/// @param[in,out] options Not NULL.
/// @param[in] profile a name as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default:
///            `planet-m2m-` and the client's id for an M2M client, the client's id for others.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors check the
///         name.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_profile(
    options: *mut planetkey_options,
    profile: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.profile = input::optional_text("profile", profile)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Sets the application's own storage instead of files, for the tokens of one client. With
/// planetkey_session_from_defaults() that is the first M2M client that is found.
///
/// @param[in,out] options Not NULL.
/// @param[in] storage the callbacks. NULL means the default, files. Copied. Its `free_user_data` is
///            called once when no options and no session need it any more, also if this call fails,
///            but not if `size` is wrong.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (a wrong size, no `load` or
///         no `save`, only one of `lock` and `unlock`), ::PLANETKEY_STATUS_UNSUPPORTED (members of
///         a later version are set).
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_storage(
    options: *mut planetkey_options,
    storage: *const planetkey_storage,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::check(error, || {
            // Read first, because whatever fails afterwards must call `free_user_data`.
            let storage = storage::read(storage)?;
            let options = &mut handle::borrow_exclusive(options)?.options;
            let former = std::mem::replace(&mut options.storage, storage);
            // This may call back.
            drop(former);
            Ok(())
        })
    }
}

/// Sets the total deadline of each call that may use the network.
///
/// @param[in,out] options Not NULL.
/// @param[in] timeout_ms milliseconds. The default is 30000. The constructors refuse 0 and more
///            than a day.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.timeout = Some(Duration::from_millis(timeout_ms.into()));
            Ok(())
        })
    }
}

/// Sets the deployment: the API hosts and the authorization servers whose tokens they accept.
///
/// @param[in,out] options Not NULL.
/// @param[in] deployment the name of a built-in deployment, the path of a JSON document, or the
///            document itself, as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default:
///            the environment variable PLANETKEY_DEPLOYMENT, or Planet.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors read the
///         document.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_deployment(
    options: *mut planetkey_options,
    deployment: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.deployment = input::optional_text("deployment", deployment)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Adds a host to which the session's credentials may go, besides those of the deployment.
///
/// @param[in,out] options Not NULL.
/// @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors check the
///         name.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_add_allowed_host(
    options: *mut planetkey_options,
    host: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            let host = input::text("host", host)?;
            options.allowed_hosts.get_or_insert_default().push(host.to_owned());
            Ok(())
        })
    }
}

/// Sets whether credentials may go over plain http to loopback hosts of the deployment. For tests
/// only.
///
/// @param[in,out] options Not NULL.
/// @param[in] allow_insecure_loopback true or false. The default is false.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.allow_insecure_loopback = Some(allow_insecure_loopback);
            Ok(())
        })
    }
}

/// Sets a file of certificates (PEM) to trust besides the system's.
///
/// @param[in,out] options Not NULL.
/// @param[in] ca_file a path as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default,
///            which the environment sets.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.ca_file = input::optional_text("ca_file", ca_file)?.map(PathBuf::from);
            Ok(())
        })
    }
}

/// Sets the proxy for requests to authorization servers. Requests to loopback use no proxy.
///
/// @param[in,out] options Not NULL.
/// @param[in] proxy a URL as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default, which
///            the environment sets.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors check the
///         URL.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_proxy(
    options: *mut planetkey_options,
    proxy: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.proxy = input::optional_text("proxy", proxy)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Sets the store that all machines share that name it.
///
/// @param[in,out] options Not NULL.
/// @param[in] store the URL of a server that speaks the Redis protocol, redis://, rediss:// or
///            redis+unix://, as NUL-terminated UTF-8 of at most 1 MiB. NULL means the default: the
///            store of the profile, or the environment variable PLANETKEY_STORE.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The constructors check the
///         URL. They do not connect.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_options_set_store(
    options: *mut planetkey_options,
    store: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.store = input::optional_text("store", store)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Frees options. Sessions made with them stay valid.
///
/// @param[in] options NULL does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_options_free(options: *mut planetkey_options) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release_exclusive(options) }
}
