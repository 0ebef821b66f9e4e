//! Text for C.

use std::ffi::{CString, c_char};

/// Text for C. The core returns no text with a NUL; if it did, the text would end there.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// Optional text for C.
pub(crate) fn optional_c_string(text: Option<&str>) -> Option<CString> {
    text.map(c_string)
}

/// A list of texts for C.
pub(crate) fn c_strings(texts: &[String]) -> Vec<CString> {
    texts.iter().map(|text| c_string(text)).collect()
}

/// The pointer to an optional text. `None` is NULL.
pub(crate) fn pointer(text: &Option<CString>) -> Option<*const c_char> {
    text.as_ref().map(|text| text.as_ptr())
}
