//! Input from C: text as `const char *`, and lists of texts.

use std::ffi::{CStr, c_char};

use planetkey::{Error, Result, Status};

use crate::handle::must_not_be_null;

/// The longest text that a parameter may hold, in bytes without its NUL.
const MAX_LENGTH: usize = 1 << 20;

/// The most items that a list may hold.
const MAX_ITEMS: usize = 10_000;

/// Text that must not be NULL. Messages name the parameter and never quote its content, which may
/// be a secret.
///
/// Errors: INVALID_ARGUMENT.
///
/// # Safety
/// `pointer` is NULL or points to a NUL-terminated string that does not change during `'a`.
pub(crate) unsafe fn text<'a>(name: &str, pointer: *const c_char) -> Result<&'a str> {
    // SAFETY: by the promise above.
    unsafe { optional_text(name, pointer) }?.ok_or_else(|| must_not_be_null(name))
}

/// Text that may be NULL.
///
/// Errors: INVALID_ARGUMENT.
///
/// # Safety
/// As for [`text`].
pub(crate) unsafe fn optional_text<'a>(
    name: &str,
    pointer: *const c_char,
) -> Result<Option<&'a str>> {
    if pointer.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and NUL-terminated by the promise above.
    let bytes = unsafe { CStr::from_ptr(pointer) }.to_bytes();
    if bytes.len() > MAX_LENGTH {
        return Err(invalid(format!("{name} is longer than {MAX_LENGTH} bytes")));
    }
    if bytes.is_ascii() {
        // SAFETY: ASCII is UTF-8. The general check costs more than everything else about a URL.
        return Ok(Some(unsafe { std::str::from_utf8_unchecked(bytes) }));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(invalid(format!("{name} is not UTF-8"))),
    }
}

/// A list of texts. With a count of 0 the pointer may be NULL.
///
/// Errors: INVALID_ARGUMENT.
///
/// # Safety
/// `pointer` is NULL or points to `count` pointers, each as for [`text`].
pub(crate) unsafe fn texts(
    name: &str,
    pointer: *const *const c_char,
    count: usize,
) -> Result<Vec<String>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    if pointer.is_null() {
        return Err(must_not_be_null(name));
    }
    if count > MAX_ITEMS {
        return Err(invalid(format!("{name} has more than {MAX_ITEMS} items")));
    }
    // SAFETY: not NULL, with this many items by the promise above. The limit keeps the size below
    // isize::MAX.
    let items = unsafe { std::slice::from_raw_parts(pointer, count) };
    items
        .iter()
        // SAFETY: by the promise above.
        .map(|item| unsafe { text(name, *item) }.map(str::to_owned))
        .collect()
}

/// An INVALID_ARGUMENT error.
pub(crate) fn invalid(message: String) -> Error {
    Error::new(Status::InvalidArgument, message)
}
