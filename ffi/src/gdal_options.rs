//! Options of GDAL support.

use std::ffi::c_char;

use ::planetkey_gdal::{Header, Options, Scope};

use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::options_handle::{self, OptionsHandle};
use crate::status::planetkey_status;

/// Which requests of GDAL's `/vsicurl/` carry a credential. Parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_gdal_scope {
    /// Requests to the session's hosts. The default. Needs GDAL 3.7 or later.
    Hosts = 0,
    /// The same; with an older GDAL, requests for the names that planetkey_gdal_path() returns.
    Paths = 1,
    /// Requests to every host, also for WMS tiles. For programs that read from one server only.
    EveryHost = 2,
}

/// When GDAL gets a new token. Parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_gdal_header {
    /// With every request, so that a dataset may stay open longer than a token is valid. The
    /// default.
    Live = 0,
    /// When a dataset is opened, which keeps that token. Needs GDAL 3.10 or later, because older
    /// versions would send the token to the target of a redirect.
    AtOpen = 1,
}

/// Options of planetkey_gdal_install(), which copies them. Mutable: one thread at a time. Options
/// that are not set have their defaults.
#[derive(Default)]
pub struct planetkey_gdal_options {
    options: Options,
}

impl Exclusive for planetkey_gdal_options {
    const NAME: &'static str = "options";
}

impl OptionsHandle for planetkey_gdal_options {
    type Options = Options;

    fn options(&self) -> &Options {
        &self.options
    }

    fn options_mut(&mut self) -> &mut Options {
        &mut self.options
    }
}

/// Creates options of planetkey_gdal_install() with all defaults.
///
/// @return the options, to free with planetkey_gdal_options_free(). Never NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_gdal_options_new() -> *mut planetkey_gdal_options {
    options_handle::new()
}

/// Sets which requests of `/vsicurl/` carry a credential.
///
/// ::PLANETKEY_GDAL_SCOPE_EVERY_HOST sends the credential of one host, which
/// planetkey_gdal_options_add_host() names, to every server from which GDAL reads.
///
/// @param[in,out] options Not NULL.
/// @param[in] scope a ::planetkey_gdal_scope. The default is ::PLANETKEY_GDAL_SCOPE_HOSTS.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.scope = match scope {
                n if n == planetkey_gdal_scope::Hosts as i32 => Scope::Hosts,
                n if n == planetkey_gdal_scope::Paths as i32 => Scope::Paths,
                n if n == planetkey_gdal_scope::EveryHost as i32 => Scope::EveryHost,
                _ => {
                    return Err(input::invalid(format!(
                        "scope is {scope}, which is not a planetkey_gdal_scope"
                    )));
                }
            };
            Ok(())
        })
    }
}

/// Sets when GDAL gets a new token.
///
/// GDAL remembers the targets of signed redirects and goes there directly while the signature is
/// valid. With ::PLANETKEY_GDAL_HEADER_LIVE it would send the header there, so that
/// planetkey_gdal_install() turns that off: every request goes to the session's host first.
///
/// With ::PLANETKEY_GDAL_HEADER_AT_OPEN it stays on and GDAL sends the header only to the host,
/// which is faster if downloads are redirected. But a dataset that stays open keeps its token, and
/// fails when both the token and the signature have expired.
///
/// @param[in,out] options Not NULL.
/// @param[in] header a ::planetkey_gdal_header. The default is ::PLANETKEY_GDAL_HEADER_LIVE.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.header = match header {
                n if n == planetkey_gdal_header::Live as i32 => Header::Live,
                n if n == planetkey_gdal_header::AtOpen as i32 => Header::AtOpen,
                _ => {
                    return Err(input::invalid(format!(
                        "header is {header}, which is not a planetkey_gdal_header"
                    )));
                }
            };
            Ok(())
        })
    }
}

/// Adds one of the session's hosts for which GDAL asks the session. Without any, GDAL asks it for
/// all its hosts.
///
/// @param[in,out] options Not NULL.
/// @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB. Not NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. planetkey_gdal_install()
///         checks the name.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_gdal_options_add_host(
    options: *mut planetkey_gdal_options,
    host: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            let host = input::text("host", host)?;
            options.hosts.get_or_insert_default().push(host.to_owned());
            Ok(())
        })
    }
}

/// Sets whether requests by CPLHTTPFetch carry a credential too, which are those of web services
/// and of PLMosaic.
///
/// The callback for that (CPLHTTPSetFetchCallback) belongs to the whole process: a program that
/// sets its own turns this off.
///
/// @param[in,out] options Not NULL.
/// @param[in] fetch true or false. The default is true. Ignored with
///            ::PLANETKEY_GDAL_SCOPE_EVERY_HOST.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
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
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.fetch = fetch;
            Ok(())
        })
    }
}

/// Frees options. Installations made with them continue.
///
/// @param[in] options NULL does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_gdal_options_free(options: *mut planetkey_gdal_options) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release_exclusive(options) }
}
