//! Prompts: what a user must see for a login, and the answer.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Mutex, PoisonError};

use planetkey::{Error, Prompt, PromptKind, Prompter, QrCodeStyle, Result, Status};
use planetkey_support::panic;
use zeroize::Zeroizing;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::input;
use crate::status::planetkey_status;
use crate::string::planetkey_string;
use crate::text::{c_string, optional_c_string, pointer};
use crate::user_data::{UserData, planetkey_destroy_callback};

/// What a user must see for a login, and a place for the answer. Lent to a
/// ::planetkey_prompt_callback, which must not free it. No text in it is a secret. Only the message
/// and the QR code contain control characters: line breaks.
pub struct planetkey_prompt {
    prompt: Prompt,
    message: CString,
    url: Option<CString>,
    user_code: Option<CString>,
    verification_uri: Option<CString>,
    verification_uri_complete: Option<CString>,
    /// A pasted URL contains a code.
    answer: Mutex<Option<Zeroizing<String>>>,
}

impl Shared for planetkey_prompt {
    const NAME: &'static str = "prompt";
}

/// The kind of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_prompt_kind {
    /// A browser was opened, or the user must open one. Needs no answer.
    Browser = 1,
    /// The user must enter a code on any device. Needs no answer.
    Device = 2,
    /// The user must paste the URL to which the browser was redirected, which is the answer. No
    /// answer cancels the login.
    Paste = 3,
    /// A different user logged in than the one whose session is saved. The answer "yes" replaces
    /// the saved session.
    OtherUser = 4,
}

impl planetkey_prompt_kind {
    /// `None` for a kind that this list does not have yet. A test compares it with the core's.
    const fn of(kind: PromptKind) -> Option<Self> {
        match kind {
            PromptKind::Browser => Some(Self::Browser),
            PromptKind::Device => Some(Self::Device),
            PromptKind::Paste => Some(Self::Paste),
            PromptKind::OtherUser => Some(Self::OtherUser),
            _ => None,
        }
    }

    const fn name(self) -> &'static CStr {
        match self {
            Self::Browser => c"browser",
            Self::Device => c"device",
            Self::Paste => c"paste",
            Self::OtherUser => c"other_user",
        }
    }
}

/// Shows a prompt to the user. If an answer is needed, it calls planetkey_prompt_set_answer().
///
/// @param[in] user_data the pointer given to planetkey_login_options_set_prompt().
/// @param[in] prompt what to show. Lent for the call.
/// @return ::PLANETKEY_STATUS_OK if the prompt was shown. Anything else ends the login with this
///         ::planetkey_status, or with ::PLANETKEY_STATUS_CANCELLED if it is not one.
///
/// Called on the thread that called the login, without any lock of planetkey. If the login then
/// waits for the user, it does so after the return. Logins on several threads may call it at once.
/// It must not throw or longjmp. It may call planetkey, but must not wait for or complete the login
/// that calls it.
pub type planetkey_prompt_callback =
    Option<unsafe extern "C" fn(user_data: *mut c_void, prompt: *const planetkey_prompt) -> i32>;

/// A callback and its user data.
pub(crate) struct Callback {
    prompt: unsafe extern "C" fn(*mut c_void, *const planetkey_prompt) -> i32,
    user_data: UserData,
}

impl Callback {
    /// `None` without a function; `destroy` is called then.
    pub(crate) fn new(
        prompt: planetkey_prompt_callback,
        user_data: *mut c_void,
        destroy: planetkey_destroy_callback,
    ) -> Option<Callback> {
        let user_data = UserData::new(user_data, destroy);
        prompt.map(|prompt| Callback { prompt, user_data })
    }
}

impl Prompter for Callback {
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        let shown = planetkey_prompt::new(prompt);
        // SAFETY: the caller of planetkey_login_options_set_prompt() promised a function of this
        // type. The prompt outlives the call.
        let status = unsafe { (self.prompt)(self.user_data.pointer(), &raw const shown) };
        if status != planetkey_status::Ok as i32 {
            let known = Status::from_number(status);
            let name = known.map(|status| format!(", {status}")).unwrap_or_default();
            let message =
                format!("the prompt callback ended the login: it returned {status}{name}");
            return Err(Error::new(known.unwrap_or(Status::Cancelled), message));
        }
        let answer = shown.answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(answer.map(|answer| answer.as_str().to_owned()))
    }
}

impl planetkey_prompt {
    fn new(prompt: &Prompt) -> Self {
        let optional = |text: &Option<String>| optional_c_string(text.as_deref());
        planetkey_prompt {
            message: c_string(&prompt.message),
            url: optional(&prompt.url),
            user_code: optional(&prompt.user_code),
            verification_uri: optional(&prompt.verification_uri),
            verification_uri_complete: optional(&prompt.verification_uri_complete),
            answer: Mutex::new(None),
            prompt: prompt.clone(),
        }
    }
}

/// Returns the kind of a prompt.
///
/// @param[in] prompt May be NULL.
/// @return a ::planetkey_prompt_kind. 0 for NULL. Later versions may add kinds: show their message.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_kind_of(prompt: *const planetkey_prompt) -> i32 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(prompt, 0, |prompt| {
            planetkey_prompt_kind::of(prompt.prompt.kind).map(|kind| kind as i32)
        })
    }
}

/// Returns the name of a ::planetkey_prompt_kind, which is the same in all languages: "other_user".
///
/// @param[in] kind a ::planetkey_prompt_kind. Any number is allowed.
/// @return NUL-terminated text, valid as long as the library is loaded. NULL if this version has no
///         such kind.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_prompt_kind_name(kind: i32) -> *const c_char {
    let mut kinds = PromptKind::ALL.iter().filter_map(|kind| planetkey_prompt_kind::of(*kind));
    panic::or(null(), || {
        kinds.find(|known| *known as i32 == kind).map(|known| known.name().as_ptr())
    })
}

/// Returns the message: all that the user must know, in a few lines that end with a line break.
///
/// @param[in] prompt May be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback. NULL only for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_message(
    prompt: *const planetkey_prompt,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, null(), |prompt| Some(prompt.message.as_ptr())) }
}

/// Returns the URL to open.
///
/// @param[in] prompt May be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback. NULL if there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_url(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, null(), |prompt| pointer(&prompt.url)) }
}

/// Returns the user code, which the user enters or compares. Always show it (RFC 8628 section
/// 3.3.1).
///
/// @param[in] prompt May be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback. NULL if there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_user_code(
    prompt: *const planetkey_prompt,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, null(), |prompt| pointer(&prompt.user_code)) }
}

/// Returns the URI at which the user enters the code.
///
/// @param[in] prompt May be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback. NULL if there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_verification_uri(
    prompt: *const planetkey_prompt,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, null(), |prompt| pointer(&prompt.verification_uri)) }
}

/// Returns the URI that contains the code.
///
/// @param[in] prompt May be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback. NULL if there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_verification_uri_complete(
    prompt: *const planetkey_prompt,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, null(), |prompt| pointer(&prompt.verification_uri_complete)) }
}

/// Returns how much time the user has.
///
/// @param[in] prompt May be NULL.
/// @return milliseconds. -1 if there is no limit, and for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_expires_in_ms(prompt: *const planetkey_prompt) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(prompt, -1, |prompt| {
            prompt.prompt.expires_in.map(|left| i64::try_from(left.as_millis()).unwrap_or(i64::MAX))
        })
    }
}

/// Returns whether a browser was opened at the URL.
///
/// @param[in] prompt May be NULL.
/// @return true or false. false for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_browser_opened(prompt: *const planetkey_prompt) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(prompt, false, |prompt| Some(prompt.prompt.browser_opened)) }
}

/// The characters of a QR code.
pub(crate) const fn style(ascii: bool) -> QrCodeStyle {
    if ascii { QrCodeStyle::Ascii } else { QrCodeStyle::Blocks }
}

/// Returns the URL as a QR code in lines of text, with a quiet zone.
///
/// It is meant for a terminal with light text on a dark background.
///
/// @param[in] prompt May be NULL.
/// @param[in] ascii false: block characters. true: ASCII, twice as wide.
/// @return the text, to free with planetkey_string_free(). NULL if there is no URL, or if it is too
///         long for a QR code.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_prompt_qr_code(
    prompt: *const planetkey_prompt,
    ascii: bool,
) -> *mut planetkey_string {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(prompt, null_mut(), |prompt| {
            prompt
                .prompt
                .qr_code(style(ascii))
                .map(|text| handle::give(planetkey_string::new(&text)))
        })
    }
}

/// Sets the user's answer. The last one counts. It is ignored if the kind of prompt needs no
/// answer.
///
/// @param[in] prompt Not NULL.
/// @param[in] answer NUL-terminated UTF-8 of at most 1 MiB. NULL means no answer. Copied.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_prompt_set_answer(
    prompt: *const planetkey_prompt,
    answer: *const c_char,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::check(error, || {
            let prompt = handle::borrow(prompt)?;
            let answer = input::optional_text("answer", answer)?
                .map(|answer| Zeroizing::new(answer.to_owned()));
            *prompt.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompt_kinds_match_the_core() {
        for kind in PromptKind::ALL {
            let here = planetkey_prompt_kind::of(*kind);
            let name = here.map(planetkey_prompt_kind::name);
            assert_eq!(name.map(CStr::to_bytes), Some(kind.name().as_bytes()));
            let by_number = here.map(|here| planetkey_prompt_kind_name(here as i32));
            assert_eq!(by_number, name.map(CStr::as_ptr));
        }
        assert!(planetkey_prompt_kind_name(0).is_null() && planetkey_prompt_kind_name(5).is_null());
    }
}
