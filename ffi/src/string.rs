//! Text that a call returns.

use std::ffi::c_char;
use std::ptr::null;

use zeroize::Zeroizing;

use crate::handle::{self, Shared};

/// Text that a call returned, often a secret. The caller owns it and frees it with
/// planetkey_string_free(), which wipes its memory. Immutable; any thread may read it.
pub struct planetkey_string {
    /// UTF-8 and one NUL.
    bytes: Zeroizing<Vec<u8>>,
}

impl Shared for planetkey_string {
    const NAME: &'static str = "string";
}

impl planetkey_string {
    pub(crate) fn new(text: &str) -> Self {
        // Exactly as large as needed, because growing would leave an unwiped copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        planetkey_string { bytes }
    }
}

/// Returns the text.
///
/// @param[in] string May be NULL.
/// @return NUL-terminated UTF-8, valid until planetkey_string_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_data(string: *const planetkey_string) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(string, null(), |string| Some(string.bytes.as_ptr().cast())) }
}

/// Returns the number of bytes of the text, without its NUL.
///
/// @param[in] string May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_length(string: *const planetkey_string) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(string, 0, |string| Some(string.bytes.len() - 1)) }
}

/// Wipes and frees a text. Pointers from planetkey_string_data() become invalid.
///
/// @param[in] string NULL does nothing.
///
/// Any thread, once per text. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_free(string: *mut planetkey_string) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(string) }
}
