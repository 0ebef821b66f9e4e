//! How a login of a person is to go.

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use planetkey::login::Method;
use planetkey::{LoginOptions, Result};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::input;
use crate::log::planetkey_destroy_callback;
use crate::options_handle::{self, Settings};
use crate::prompt::{Callback, planetkey_prompt_callback};
use crate::status::planetkey_status;

/// Options of a login. They change: one thread at a time. Whoever takes them copies them, so they may be used again or freed at once. What is
/// not set has its default.
#[derive(Default)]
pub struct planetkey_login_options {
    options: LoginOptions,
}

impl Exclusive for planetkey_login_options {
    const NAME: &'static str = "options";
}

/// How a person logs in; parameters take it as int32_t.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_login_method {
    /// In the browser where one can be opened and the client allows it, else by a device code, else by pasting the browser's address back: the
    /// default.
    Auto = 0,
    /// In the browser of this machine (RFC 6749 4.1, RFC 8252).
    Browser = 1,
    /// On any device, by a code (RFC 8628).
    Device = 2,
    /// In a browser anywhere, whose last address is pasted back.
    Paste = 3,
}

impl planetkey_login_method {
    fn from_number(number: i32) -> Result<Method> {
        match number {
            n if n == Self::Auto as i32 => Ok(Method::Auto),
            n if n == Self::Browser as i32 => Ok(Method::Browser),
            n if n == Self::Device as i32 => Ok(Method::Device),
            n if n == Self::Paste as i32 => Ok(Method::Paste),
            _ => Err(input::invalid(format!("method is {number}, which is no planetkey_login_method"))),
        }
    }
}

impl Settings for planetkey_login_options {
    type Options = LoginOptions;

    fn options(&self) -> &LoginOptions {
        &self.options
    }

    fn options_mut(&mut self) -> &mut LoginOptions {
        &mut self.options
    }
}

/// New options of a login, with nothing set.
///
/// @return options to free with planetkey_login_options_free(). Never NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn planetkey_login_options_new() -> *mut planetkey_login_options {
    options_handle::new()
}

/// How planetkey_session_login() is to go; the others go as their names say.
///
/// @param[in,out] options not NULL.
/// @param[in] method a ::planetkey_login_method; 0 is the default.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.method = planetkey_login_method::from_number(method)?;
            Ok(())
        })
    }
}

/// Whether planetkey_session_login() may open a browser. By default it does where one is likely to be there.
///
/// @param[in,out] options not NULL.
/// @param[in] open_browser true: also where none seems to be; false: never.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.open_browser = Some(open_browser);
            Ok(())
        })
    }
}

/// The scopes to ask for in place of the client's (RFC 6749 3.3). planetkey_session_login() asks anew where the session lacks one of them.
///
/// @param[in,out] options not NULL.
/// @param[in] scopes `scope_count` texts, each NUL-terminated UTF-8 and not NULL. May be NULL when `scope_count` is 0, which means the client's. Copied.
/// @param[in] scope_count how many there are.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The scopes are looked at by the login.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            let scopes = input::texts("scopes", scopes, scope_count)?;
            options.scopes = Some(scopes).filter(|scopes| !scopes.is_empty());
            Ok(())
        })
    }
}

/// The time that the person has, in total. The deadline of each request is the session's.
///
/// @param[in,out] options not NULL.
/// @param[in] timeout_ms milliseconds; the default is five minutes in the browser, and as long as the code is good with a device. 0 and more than a
///            day are refused by the login.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.timeout_ms = Some(u64::from(timeout_ms));
            Ok(())
        })
    }
}

/// Whether planetkey_session_login() asks a person even where the session is good.
///
/// @param[in,out] options not NULL.
/// @param[in] force true or false; the default is false.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.force = force;
            Ok(())
        })
    }
}

/// Whether another person may take the place of the one whose session is saved, without a prompt.
///
/// @param[in,out] options not NULL.
/// @param[in] allow_other_user true or false; the default is false.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.allow_other_user = allow_other_user;
            Ok(())
        })
    }
}

/// The page that the browser shows when somebody has logged in, in place of planetkey's own.
///
/// @param[in,out] options not NULL.
/// @param[in] page HTML as NUL-terminated UTF-8 of at most 1 MiB; NULL means planetkey's own. The browser is told to load nothing and to run no
///            scripts for it. Copied.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        options_handle::set(options, error, |options| {
            options.page = input::optional_text("page", page)?.map(str::to_owned);
            Ok(())
        })
    }
}

/// Who shows the prompts of a login and answers them. Without this a login can only open a browser by itself.
///
/// @param[in,out] options not NULL.
/// @param[in] prompt shows a prompt; NULL means nobody.
/// @param[in] user_data handed to the callbacks and not looked at. May be NULL.
/// @param[in] destroy called once with `user_data` when these options, their copies and their logins need it no more, on whichever thread that is, also
///            when this call fails or `prompt` is NULL. May be NULL.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    let body = || {
        // Made first: whatever happens, dropping it tells `destroy`.
        let callback = Callback::new(prompt, user_data, destroy);
        // SAFETY: the promises of the caller are handed on.
        let options = &mut unsafe { handle::borrow_exclusive(options) }?.options;
        let former = std::mem::replace(&mut options.prompter, callback.map(|callback| Arc::new(callback) as _));
        // Dropping it may call back.
        drop(former);
        Ok(())
    };
    // SAFETY: the promise about `error` is handed on.
    unsafe { boundary::check(error, body) }
}

/// Frees options of a login. Logins that were started with them stay.
///
/// @param[in] options may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_login_options_free(options: *mut planetkey_login_options) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release_exclusive(options) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn methods_are_those_of_the_core() {
        use planetkey_login_method as number;
        let names = [(number::Auto, "auto"), (number::Browser, "browser"), (number::Device, "device"), (number::Paste, "paste")];
        for (number, name) in names {
            assert_eq!(planetkey_login_method::from_number(number as i32).unwrap(), Method::from_name(name).unwrap());
        }
        assert!(planetkey_login_method::from_number(4).is_err() && planetkey_login_method::from_number(-1).is_err());
    }
}
