//! Options of a login.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use planetkey::login::Method;
use planetkey::{LoginOptions, Result};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::options_handle::{self, OptionsHandle};
use crate::prompt::{Callback, planetkey_prompt_callback};
use crate::status::planetkey_status;
use crate::user_data::planetkey_destroy_callback;

/// Options of a login. Mutable: one thread at a time. Functions that take them copy them, so that
/// they may be reused or freed at once. Options that are not set have their defaults.
#[derive(Default)]
pub struct planetkey_login_options {
    options: LoginOptions,
}

/// How a user logs in. Parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_login_method {
    /// In a browser if one can be opened and the client allows it; otherwise with a device code;
    /// otherwise by pasting the URL of the redirect. The default.
    Auto = 0,
    /// In a browser on this computer (RFC 6749 section 4.1, RFC 8252).
    Browser = 1,
    /// With a device code, on any device (RFC 8628).
    Device = 2,
    /// In a browser on any computer, by pasting the URL of the redirect.
    Paste = 3,
}

impl planetkey_login_method {
    fn from_number(number: i32) -> Result<Method> {
        match number {
            n if n == Self::Auto as i32 => Ok(Method::Auto),
            n if n == Self::Browser as i32 => Ok(Method::Browser),
            n if n == Self::Device as i32 => Ok(Method::Device),
            n if n == Self::Paste as i32 => Ok(Method::Paste),
            _ => Err(input::invalid(format!(
                "method is {number}, which is not a planetkey_login_method"
            ))),
        }
    }
}

impl Exclusive for planetkey_login_options {
    const NAME: &'static str = "options";
}

impl OptionsHandle for planetkey_login_options {
    type Options = LoginOptions;

    fn options(&self) -> &LoginOptions {
        &self.options
    }

    fn options_mut(&mut self) -> &mut LoginOptions {
        &mut self.options
    }
}

/// Creates options of a login with all defaults.
///
/// @return the options, to free with planetkey_login_options_free(). Never NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_login_options_new() -> *mut planetkey_login_options {
    options_handle::new()
}

/// Sets how planetkey_session_login() logs in. planetkey_session_start_device_login() and
/// planetkey_session_start_browser_login() ignore it.
///
/// @param[in,out] options Not NULL.
/// @param[in] method a ::planetkey_login_method. 0 is the default.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_method(
    options: *mut planetkey_login_options,
    method: i32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.method = planetkey_login_method::from_number(method)?;
            Ok(())
        })
    }
}

/// Sets whether planetkey_session_login() may open a browser. By default it does if a browser is
/// likely to be available.
///
/// @param[in,out] options Not NULL.
/// @param[in] open_browser true: always try. false: never.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_open_browser(
    options: *mut planetkey_login_options,
    open_browser: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.open_browser = Some(open_browser);
            Ok(())
        })
    }
}

/// Sets the scopes to request instead of the client's (RFC 6749 section 3.3).
/// planetkey_session_login() prompts the user if the session lacks one of them.
///
/// @param[in,out] options Not NULL.
/// @param[in] scopes `scope_count` NUL-terminated UTF-8 texts, none of them NULL. May be NULL if
///            `scope_count` is 0, which means the client's scopes. Copied.
/// @param[in] scope_count the number of scopes.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The login checks the scopes.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_scopes(
    options: *mut planetkey_login_options,
    scopes: *const *const c_char,
    scope_count: usize,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            let scopes = input::texts("scopes", scopes, scope_count)?;
            options.scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
            Ok(())
        })
    }
}

/// Sets the total time that the user has. Each request has the session's deadline.
///
/// @param[in,out] options Not NULL.
/// @param[in] timeout_ms milliseconds. The default is five minutes in a browser, and the lifetime
///            of the code with a device code. The login refuses 0 and more than a day.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_timeout_ms(
    options: *mut planetkey_login_options,
    timeout_ms: u32,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.timeout = Some(std::time::Duration::from_millis(timeout_ms.into()));
            Ok(())
        })
    }
}

/// Sets whether planetkey_session_login() prompts the user even if the session is valid.
///
/// @param[in,out] options Not NULL.
/// @param[in] force true or false. The default is false.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_force(
    options: *mut planetkey_login_options,
    force: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.force = force;
            Ok(())
        })
    }
}

/// Sets whether a different user than the one whose session is saved may log in without a prompt.
///
/// @param[in,out] options Not NULL.
/// @param[in] allow_other_user true or false. The default is false.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_allow_other_user(
    options: *mut planetkey_login_options,
    allow_other_user: bool,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.allow_other_user = allow_other_user;
            Ok(())
        })
    }
}

/// Sets the page that the browser shows after a successful login.
///
/// @param[in,out] options Not NULL.
/// @param[in] page HTML as NUL-terminated UTF-8 of at most 1 MiB. NULL means planetkey's own page.
///            The browser is told to load nothing and to run no scripts. Copied.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_page(
    options: *mut planetkey_login_options,
    page: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        options_handle::set(options, error, |options| {
            options.page = input::optional_text("page", page)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Sets the callback that shows prompts to the user. Without it, a login can only open a browser.
///
/// @param[in,out] options Not NULL.
/// @param[in] prompt shows a prompt. NULL removes the callback.
/// @param[in] user_data passed to the callbacks. May be NULL.
/// @param[in] destroy called once with `user_data`, on any thread, when these options, their copies
///            and their logins do not need it any more; also if this call fails or `prompt` is
///            NULL. May be NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// One thread at a time. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_login_options_set_prompt(
    options: *mut planetkey_login_options,
    prompt: planetkey_prompt_callback,
    user_data: *mut c_void,
    destroy: planetkey_destroy_callback,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::check(error, || {
            // Made first, because whatever fails afterwards must call `destroy`.
            let callback = Callback::new(prompt, user_data, destroy);
            let options = &mut handle::borrow_exclusive(options)?.options;
            let former = std::mem::replace(
                &mut options.prompter,
                callback.map(|callback| Arc::new(callback) as _),
            );
            // This may call back.
            drop(former);
            Ok(())
        })
    }
}

/// Frees options. Logins started with them continue.
///
/// @param[in] options NULL does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_options_free(options: *mut planetkey_login_options) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release_exclusive(options) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn login_methods_match_the_core() {
        use planetkey_login_method as number;
        let names = [
            (number::Auto, "auto"),
            (number::Browser, "browser"),
            (number::Device, "device"),
            (number::Paste, "paste"),
        ];
        for (number, name) in names {
            assert_eq!(
                planetkey_login_method::from_number(number as i32).unwrap(),
                Method::from_name(name).unwrap()
            );
        }
        assert!(
            planetkey_login_method::from_number(4).is_err()
                && planetkey_login_method::from_number(-1).is_err()
        );
    }
}
