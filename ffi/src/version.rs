//! Which library this is.

use std::ffi::{CStr, c_char};

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

const ABI_VERSION: u32 = 0;

/// The version of the library that the program runs with, as "0.1.0"; ::PLANETKEY_VERSION is that of the header.
///
/// @return NUL-terminated text that lives as long as the library. Never NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The number in the shared library's name (libplanetkey.so.N). It changes when programs have to be compiled again;
/// ::PLANETKEY_ABI_VERSION is that of the header. The C++ header compares both.
///
/// @return the number.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn planetkey_abi_version() -> u32 {
    ABI_VERSION
}
