//! How GDAL is to be given credentials.

use std::ffi::c_char;

use ::planetkey_gdal::{Header, Options, Scope};

use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::options_handle::{self, Settings};
use crate::status::planetkey_status;

/// Which requests of GDAL's `/vsicurl/` carry a credential; parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_gdal_scope {
    /// Those to the session's hosts: the default. GDAL can do that from 3.7 on.
    Hosts = 0,
    /// The same, and with an older GDAL those of the names that planetkey_gdal_path() gives.
    Paths = 1,
    /// All of them, wherever they go: for programs that read from nowhere else. WMS tiles too.
    EveryHost = 2,
}

/// When GDAL learns of a new token; parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_gdal_header {
    /// With every request, so that a dataset that stays open outlives its tokens: the default.
    Live = 0,
    /// When a dataset is opened, which keeps that token. GDAL can do that from 3.10 on without handing the token on.
    AtOpen = 1,
}

/// Options of planetkey_gdal_install(), which copies them; what is not set has its default. It changes: one thread at a time.
#[derive(Default)]
pub struct planetkey_gdal_options {
    options: Options,
}

impl Exclusive for planetkey_gdal_options {
    const NAME: &'static str = "options";
}

impl Settings for planetkey_gdal_options {
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
/// @return options to free with planetkey_gdal_options_free(). Never NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_gdal_options_new() -> *mut planetkey_gdal_options {
    options_handle::new()
}

/// Which requests of `/vsicurl/` carry a credential. With ::PLANETKEY_GDAL_SCOPE_EVERY_HOST it is that of the one host that
/// planetkey_gdal_options_add_host() names, and every server that GDAL reads from learns it.
///
/// @param[in,out] options not NULL.
/// @param[in] scope a ::planetkey_gdal_scope; the default is ::PLANETKEY_GDAL_SCOPE_HOSTS.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_options_set_scope(
    options: *mut planetkey_gdal_options,
    scope: i32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.scope = match scope {
                n if n == planetkey_gdal_scope::Hosts as i32 => Scope::Hosts,
                n if n == planetkey_gdal_scope::Paths as i32 => Scope::Paths,
                n if n == planetkey_gdal_scope::EveryHost as i32 => Scope::EveryHost,
                _ => return Err(input::invalid(format!("scope is {scope}, which is no planetkey_gdal_scope"))),
            };
            Ok(())
        })
    }
}

/// When GDAL learns of a new token.
///
/// GDAL remembers where a signed redirect led, and goes there directly as long as the signature lasts. With ::PLANETKEY_GDAL_HEADER_LIVE
/// it would take the header along, so planetkey_gdal_install() switches that off: every request goes to the session's host first. With
/// ::PLANETKEY_GDAL_HEADER_AT_OPEN it stays on and the header stays behind, which is faster where downloads are redirected; but a dataset that
/// stays open keeps its token, and fails once that has expired and the signature too.
///
/// @param[in,out] options not NULL.
/// @param[in] header a ::planetkey_gdal_header; the default is ::PLANETKEY_GDAL_HEADER_LIVE.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_options_set_header(
    options: *mut planetkey_gdal_options,
    header: i32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.header = match header {
                n if n == planetkey_gdal_header::Live as i32 => Header::Live,
                n if n == planetkey_gdal_header::AtOpen as i32 => Header::AtOpen,
                _ => return Err(input::invalid(format!("header is {header}, which is no planetkey_gdal_header"))),
            };
            Ok(())
        })
    }
}

/// One of the session's hosts for which GDAL asks it. Without any, all of them.
///
/// @param[in,out] options not NULL.
/// @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB; not NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by planetkey_gdal_install().
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_options_add_host(
    options: *mut planetkey_gdal_options,
    host: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            let host = input::text("host", host)?;
            options.hosts.get_or_insert_default().push(host.to_owned());
            Ok(())
        })
    }
}

/// Whether requests that GDAL makes by CPLHTTPFetch carry a credential too: those of web services and of PLMosaic. The callback for that
/// (CPLHTTPSetFetchCallback) is the process's: a program that sets one of its own switches this off.
///
/// @param[in,out] options not NULL.
/// @param[in] fetch true or false; the default is true. Without meaning for ::PLANETKEY_GDAL_SCOPE_EVERY_HOST.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_options_set_fetch(
    options: *mut planetkey_gdal_options,
    fetch: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.fetch = fetch;
            Ok(())
        })
    }
}

/// Frees options. What was installed with them stays.
///
/// @param[in] options may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_gdal_options_free(options: *mut planetkey_gdal_options) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release_exclusive(options) }
}
