//! What a person must see for a login, and their answer.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null;
use std::sync::{Mutex, PoisonError};

use planetkey::{Error, Prompt, PromptKind, Prompter, Result, Status};
use zeroize::Zeroizing;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::input::{self, c_string};
use crate::log::planetkey_destroy_callback;
use crate::status::planetkey_status;
use crate::string::planetkey_string;

/// What a person must see for a login, and where their answer goes. Lent to a ::planetkey_prompt_callback for the call, and never freed by it. No
/// member holds a secret; none holds control characters but the line breaks of message and QR code.
pub struct planetkey_prompt {
    prompt: Prompt,
    message: CString,
    url: Option<CString>,
    user_code: Option<CString>,
    verification_uri: Option<CString>,
    verification_uri_complete: Option<CString>,
    /// What was pasted may hold a code.
    answer: Mutex<Option<Zeroizing<String>>>,
}

impl Shared for planetkey_prompt {
    const NAME: &'static str = "prompt";
}

/// What a prompt is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum planetkey_prompt_kind {
    /// The browser was opened, or must be: no answer is needed.
    Browser = 1,
    /// A code is to be entered on some device: no answer is needed.
    Device = 2,
    /// The answer is the whole address that the browser ended at. Without one the person gives up.
    Paste = 3,
    /// Somebody else has logged in than the one whose session is saved: the answer "yes" lets them take its place.
    OtherUser = 4,
}

impl planetkey_prompt_kind {
    const fn of(kind: PromptKind) -> Self {
        match kind {
            PromptKind::Browser => Self::Browser,
            PromptKind::Device => Self::Device,
            PromptKind::Paste => Self::Paste,
            PromptKind::OtherUser => Self::OtherUser,
        }
    }
}

/// Shows a prompt, and answers it by planetkey_prompt_set_answer() where an answer is needed.
///
/// @param[in] user_data what planetkey_login_options_set_prompt() was given.
/// @param[in] prompt what to show; lent for the call.
/// @return ::PLANETKEY_STATUS_OK when it was shown. Anything else ends the login, with this ::planetkey_status where it is one and with
///         ::PLANETKEY_STATUS_CANCELLED where it is not.
///
/// Called on the thread that called the login, and never while planetkey holds a lock. Where the code or the browser is waited for afterwards, that begins
/// when it returns. Logins of several threads may call it at once. It must not throw or longjmp. It may call planetkey, but must not wait for the login that it is asked for, or complete it.
pub type planetkey_prompt_callback = Option<unsafe extern "C" fn(user_data: *mut c_void, prompt: *const planetkey_prompt) -> i32>;

/// A callback and its user data, until no login needs them.
pub(crate) struct Callback {
    prompt: unsafe extern "C" fn(*mut c_void, *const planetkey_prompt) -> i32,
    user_data: UserData,
}

struct UserData {
    user_data: *mut c_void,
    destroy: planetkey_destroy_callback,
}

// SAFETY: the documentation says that the callbacks come on the threads that log in; the pointer is only handed to them.
unsafe impl Send for UserData {}
// SAFETY: as above; who gives one prompt to logins of several threads is called by all of them.
unsafe impl Sync for UserData {}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the caller gave both together; this runs once, when nobody holds the callback any more.
            unsafe { destroy(self.user_data) };
        }
    }
}

impl Callback {
    /// `None` without a function, which `destroy` is told.
    pub(crate) fn new(
        prompt: planetkey_prompt_callback,
        user_data: *mut c_void,
        destroy: planetkey_destroy_callback,
    ) -> Option<Callback> {
        let user_data = UserData { user_data, destroy };
        prompt.map(|prompt| Callback { prompt, user_data })
    }
}

impl Prompter for Callback {
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        let shown = planetkey_prompt::new(prompt);
        // SAFETY: the caller of planetkey_login_options_set_prompt() promised a function of this type; the prompt lives until after the call.
        let status = unsafe { (self.prompt)(self.user_data.user_data, &raw const shown) };
        if status != Status::Ok.number() {
            let known = Status::from_number(status);
            let name = known.map(|status| format!(", {status}")).unwrap_or_default();
            let message = format!("the program's prompt ended the login: it returned {status}{name}");
            return Err(Error::new(known.unwrap_or(Status::Cancelled), message));
        }
        let answer = shown.answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(answer.map(|answer| answer.as_str().to_owned()))
    }
}

impl planetkey_prompt {
    fn new(prompt: &Prompt) -> Self {
        let optional = |text: &Option<String>| text.as_deref().map(c_string);
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

/// # Safety
/// `prompt` is NULL or a living handle.
unsafe fn get<V>(prompt: *const planetkey_prompt, otherwise: V, body: impl FnOnce(&planetkey_prompt) -> Option<V>) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { prompt.as_ref() }.and_then(body))
}

fn pointer(text: &Option<CString>) -> Option<*const c_char> {
    text.as_ref().map(|text| text.as_ptr())
}

/// What the prompt is about.
///
/// @param[in] prompt may be NULL.
/// @return a ::planetkey_prompt_kind; 0 for NULL. Later versions may add kinds: show their message.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_kind_of(prompt: *const planetkey_prompt) -> i32 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, 0, |prompt| Some(planetkey_prompt_kind::of(prompt.prompt.kind) as i32)) }
}

const KINDS: [PromptKind; 4] = [PromptKind::Browser, PromptKind::Device, PromptKind::Paste, PromptKind::OtherUser];

const fn name(kind: PromptKind) -> &'static CStr {
    match kind {
        PromptKind::Browser => c"browser",
        PromptKind::Device => c"device",
        PromptKind::Paste => c"paste",
        PromptKind::OtherUser => c"other_user",
    }
}

/// The name of a kind of prompt, the same in all languages: "other_user".
///
/// @param[in] kind a ::planetkey_prompt_kind; any number is allowed.
/// @return NUL-terminated text that lives as long as the library; NULL for a number that is no kind of this version.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_prompt_kind_name(kind: i32) -> *const c_char {
    let is_it = |known: &&PromptKind| planetkey_prompt_kind::of(**known) as i32 == kind;
    boundary::value(null(), || KINDS.iter().find(is_it).map(|kind| name(*kind).as_ptr()))
}

/// All that must be said, in a few lines that end with a line break.
///
/// @param[in] prompt may be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback; NULL only for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_message(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, null(), |prompt| Some(prompt.message.as_ptr())) }
}

/// The address to open.
///
/// @param[in] prompt may be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_url(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, null(), |prompt| pointer(&prompt.url)) }
}

/// The code to enter, or to compare with what the device shows: to be shown in any case (RFC 8628 3.3.1).
///
/// @param[in] prompt may be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_user_code(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, null(), |prompt| pointer(&prompt.user_code)) }
}

/// The address at which the code is entered.
///
/// @param[in] prompt may be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_verification_uri(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, null(), |prompt| pointer(&prompt.verification_uri)) }
}

/// The address that holds the code already.
///
/// @param[in] prompt may be NULL.
/// @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_verification_uri_complete(prompt: *const planetkey_prompt) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, null(), |prompt| pointer(&prompt.verification_uri_complete)) }
}

/// How long there is for it.
///
/// @param[in] prompt may be NULL.
/// @return milliseconds; -1 when there is no limit, and for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_expires_in_ms(prompt: *const planetkey_prompt) -> i64 {
    let get_it = |prompt: &planetkey_prompt| prompt.prompt.expires_in_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, -1, get_it) }
}

/// Whether a browser was opened at the address.
///
/// @param[in] prompt may be NULL.
/// @return true or false; false for NULL.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_prompt_browser_opened(prompt: *const planetkey_prompt) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, false, |prompt| Some(prompt.prompt.browser_opened)) }
}

/// The address as a QR code, in lines of text with a quiet zone. Dark on light: meant for a terminal with light letters on a dark ground.
///
/// @param[in] prompt may be NULL.
/// @param[in] ascii false: in block characters; true: in ASCII, twice as wide.
/// @return the text; free it with planetkey_string_free(). NULL when there is no address, or none that fits.
///
/// Any thread, during the callback. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_prompt_qr_code(prompt: *const planetkey_prompt, ascii: bool) -> *mut planetkey_string {
    let make = |prompt: &planetkey_prompt| prompt.prompt.qr_code(ascii).map(|text| handle::give(planetkey_string::new(&text)));
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(prompt, std::ptr::null_mut(), make) }
}

/// Gives the person's answer; the last one counts. Nobody looks at it where the kind of prompt needs none.
///
/// @param[in] prompt not NULL.
/// @param[in] answer NUL-terminated UTF-8 of at most 1 MiB; NULL means that there is none. Copied.
/// @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
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
    // SAFETY: the promises of the caller are handed on.
    unsafe {
        boundary::check(error, || {
            let prompt = handle::borrow(prompt)?;
            let answer = input::optional_text("answer", answer)?.map(|answer| Zeroizing::new(answer.to_owned()));
            *prompt.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_the_core() {
        for kind in KINDS {
            assert_eq!(name(kind).to_bytes(), kind.name().as_bytes());
            let number = planetkey_prompt_kind::of(kind) as i32;
            assert_eq!(planetkey_prompt_kind_name(number), name(kind).as_ptr());
        }
        assert!(planetkey_prompt_kind_name(0).is_null() && planetkey_prompt_kind_name(5).is_null());
    }
}
