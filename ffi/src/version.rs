//! The version of the library.

use std::ffi::{CStr, c_char};

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => c"",
    };

const ABI_VERSION: u32 = 0;

/// Returns the version of the library that the program runs with, as "0.1.0". ::PLANETKEY_VERSION
/// is the version of the header.
///
/// @return NUL-terminated text, valid as long as the library is loaded. Never NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns the number in the shared library's name (libplanetkey.so.N). It changes when programs
/// must be compiled again. ::PLANETKEY_ABI_VERSION is the number of the header. The C++ header
/// compares both.
///
/// @return the number.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_abi_version() -> u32 {
    ABI_VERSION
}
