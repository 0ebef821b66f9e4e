//! The boundary between Rust and C. Statuses, out-parameters and errors are written here and
//! nowhere else, and no panic unwinds into C.

use std::ptr::null_mut;

use planetkey::Result;
use planetkey_support::panic;

use crate::error::planetkey_error;
use crate::handle::{self, Shared, must_not_be_null};
use crate::status::planetkey_status;

/// Runs a function with an out-parameter. `nothing` is written first, so that the caller does not
/// find an old pointer after a failure.
///
/// # Safety
/// `out` and `error` are NULL or may be written to.
pub(crate) unsafe fn run<V: Copy>(
    name: &str,
    out: *mut V,
    nothing: V,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<V>,
) -> planetkey_status {
    if !out.is_null() {
        // SAFETY: not NULL, so that it may be written to.
        unsafe { out.write(nothing) };
    }
    let result = panic::guarded(|| match out.is_null() {
        true => Err(must_not_be_null(name)),
        false => body(),
    });
    let result = result.map(|value| {
        // SAFETY: not NULL, because NULL is an error.
        unsafe { out.write(value) };
    });
    // SAFETY: by the promise about `error`.
    unsafe { finish(error, result) }
}

/// Runs a function that makes a handle.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn give<T: Shared>(
    name: &str,
    out: *mut *mut T,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<T>,
) -> planetkey_status {
    // SAFETY: by the promise above.
    unsafe { run(name, out, null_mut(), error, || body().map(handle::give)) }
}

/// Runs a function that makes a handle which the caller may ignore: `out` may be NULL.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn give_if_wanted<T: Shared>(
    out: *mut *mut T,
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<T>,
) -> planetkey_status {
    // SAFETY: by the promise above.
    unsafe {
        match out.is_null() {
            true => check(error, || body().map(drop)),
            false => give(T::NAME, out, error, body),
        }
    }
}

/// Runs a function without an out-parameter.
///
/// # Safety
/// `error` is NULL or may be written to.
pub(crate) unsafe fn check(
    error: *mut *mut planetkey_error,
    body: impl FnOnce() -> Result<()>,
) -> planetkey_status {
    let result = panic::guarded(body);
    // SAFETY: by the promise about `error`.
    unsafe { finish(error, result) }
}

unsafe fn finish(error: *mut *mut planetkey_error, result: Result<()>) -> planetkey_status {
    let (status, made) = match result {
        Ok(()) => (planetkey_status::Ok, null_mut()),
        Err(failure) if error.is_null() => (failure.status().into(), null_mut()),
        Err(failure) => (failure.status().into(), handle::give(planetkey_error::new(&failure))),
    };
    if !error.is_null() {
        // SAFETY: not NULL, so that it may be written to.
        unsafe { error.write(made) };
    }
    status
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use std::ptr::null;

    use super::*;
    use crate::authorize::planetkey_session_signed_url;
    use crate::error::{planetkey_error_free, planetkey_error_message, planetkey_error_status};
    use crate::session::{planetkey_session_free, planetkey_session_from_api_key};
    use crate::string::planetkey_string_free;

    #[test]
    fn f114_a_panic_becomes_internal_and_its_text_stays_out_of_the_error() {
        let mut error = null_mut();
        let mut out: *const u8 = std::ptr::dangling();
        // SAFETY: both pointers are to local variables.
        let status = unsafe { run("out", &mut out, null(), &mut error, || panic!("hunter2")) };
        assert_eq!(status, planetkey_status::Internal);
        assert!(out.is_null());
        // SAFETY: the error is new, and is freed once.
        unsafe {
            assert_eq!(planetkey_error_status(error), planetkey_status::Internal);
            let message = std::ffi::CStr::from_ptr(planetkey_error_message(error))
                .to_string_lossy()
                .into_owned();
            assert!(!message.contains("hunter2"), "{message}");
            planetkey_error_free(error);
        }
    }

    #[test]
    fn f114_a_handle_can_be_used_after_a_panic() {
        let mut session = null_mut();
        let mut signed = null_mut();
        // SAFETY: each pointer is NULL where that is allowed, or points to a live handle or a local
        // variable. Each handle is freed once.
        unsafe {
            let key = c"key".as_ptr();
            assert_eq!(
                planetkey_session_from_api_key(key, 0, null(), &mut session, null_mut()),
                planetkey_status::Ok
            );
            let status = check(null_mut(), || {
                let _borrowed = handle::borrow(session.cast_const())?;
                panic!("in the middle of a call")
            });
            assert_eq!(status, planetkey_status::Internal);
            let url = c"https://api.planet.com/".as_ptr();
            assert_eq!(
                planetkey_session_signed_url(session, url, &mut signed, null_mut()),
                planetkey_status::Ok
            );
            planetkey_string_free(signed);
            planetkey_session_free(session);
        }
    }

    #[test]
    fn a_panic_is_caught_without_an_error_pointer_and_in_an_accessor() {
        // SAFETY: NULL is allowed.
        let status = unsafe { check(null_mut(), || panic!("gone")) };
        assert_eq!(status, planetkey_status::Internal);
        assert_eq!(panic::or(-1, || panic!("gone")), -1);
    }

    #[test]
    fn a_payload_whose_drop_panics_is_discarded() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        // SAFETY: NULL is allowed.
        let status = unsafe { check(null_mut(), || std::panic::panic_any(Bomb)) };
        assert_eq!(status, planetkey_status::Internal);
        assert_eq!(panic::or(7, || std::panic::panic_any(Bomb)), 7);
    }
}
