//! Text that a call hands out.

use std::ffi::c_char;
use std::ptr::null;

use zeroize::Zeroizing;

use crate::boundary;
use crate::handle::{self, Shared};

/// Text that a call handed out, often a secret: its memory is wiped by planetkey_string_free().
/// Owned by the caller, immutable; any thread may read it.
pub struct planetkey_string {
    /// UTF-8 and one NUL.
    bytes: Zeroizing<Vec<u8>>,
}

impl Shared for planetkey_string {
    const NAME: &'static str = "string";
}

impl planetkey_string {
    pub(crate) fn new(text: &str) -> Self {
        // Exactly as large as needed: growing would leave an unwiped copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(text.len() + 1));
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(0);
        planetkey_string { bytes }
    }
}

/// The text.
///
/// @param[in] string may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_string_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_data(string: *const planetkey_string) -> *const c_char {
    // SAFETY: the caller promises NULL or a living handle.
    boundary::value(null(), || unsafe { string.as_ref() }.map(|string| string.bytes.as_ptr().cast()))
}

/// The number of bytes of the text, without its NUL.
///
/// @param[in] string may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_length(string: *const planetkey_string) -> usize {
    // SAFETY: the caller promises NULL or a living handle.
    boundary::value(0, || unsafe { string.as_ref() }.map(|string| string.bytes.len() - 1))
}

/// Wipes and frees a text. What planetkey_string_data() gave is gone afterwards.
///
/// @param[in] string may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_string_free(string: *mut planetkey_string) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(string) }
}
