//! What comes in from C: text as `const char *`, lists of text.

use std::ffi::{CStr, CString, c_char};

use planetkey::{Error, Result, Status};

use crate::handle::must_not_be_null;

/// The longest text that a parameter may hold, without its NUL.
const MAX_LENGTH: usize = 1 << 20;

/// The most items that a list may hold.
const MAX_ITEMS: usize = 10_000;

/// Text that must be given. Messages name the parameter and never quote its content, which may be a secret.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that stays unchanged while `'a` lasts.
pub(crate) unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Result<&'a str> {
    // SAFETY: the promise is handed on.
    unsafe { optional_text(name, pointer) }?.ok_or_else(|| must_not_be_null(name))
}

/// Text that may be left out.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(name: &str, pointer: *const c_char) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and NUL-terminated by the promise above.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    if bytes.len() > MAX_LENGTH {
        return Err(invalid(format!("{name} is longer than {MAX_LENGTH} bytes")));
    }
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8. The check of whole UTF-8 takes longer than everything else about a URL.
        return Ok(Some(unsafe { std::str::from_utf8_unchecked(bytes) }));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(invalid(format!("{name} is not UTF-8"))),
    }
}

/// A list of texts; with a count of 0 the pointer may be NULL.
///
/// # Safety
/// `pointer` is NULL or points to `count` pointers, each as for [`text`].
pub(crate) unsafe fn texts(name: &str, pointer: *const *const c_char, count: usize) -> Result<Vec<String>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(must_not_be_null(name));
    }
    if count > MAX_ITEMS {
        return Err(invalid(format!("{name} has more than {MAX_ITEMS} items")));
    }
    // SAFETY: not NULL, with this many items by the promise above; the bound keeps the size far below isize::MAX.
    let items = unsafe { std::slice::from_raw_parts(pointer, count) };
    items
        .iter()
        // SAFETY: the promise is handed on.
        .map(|item| unsafe { text(name, *item) }.map(str::to_owned))
        .collect()
}

/// Text for C. Nothing that the core hands out holds a NUL; if something did, its text would end there.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

pub(crate) fn invalid(message: String) -> Error {
    Error::new(Status::InvalidArgument, message)
}
