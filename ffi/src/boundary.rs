//! The boundary: nothing unwinds into C, and statuses, out-parameters and errors are written here and nowhere else.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use planetkey::{Error, Result, Status};

use crate::error::planetkey_error;
use crate::handle;
use crate::status::planetkey_status;

/// Runs a function that hands out a value: `nothing` is written first, so that a caller never meets an old pointer after a failure.
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
        // SAFETY: not NULL, and the caller of the extern function promises that it may be written to.
        unsafe { out.write(nothing) };
    }
    let result = guarded(|| match out.is_null() {
        true => Err(Error::new(Status::InvalidArgument, format!("{name} must not be NULL"))),
        false => body(),
    });
    let result = result.map(|value| {
        // SAFETY: as above; a NULL pointer gave an error.
        unsafe { out.write(value) };
    });
    // SAFETY: the promise about `error` is handed on.
    unsafe { finish(error, result) }
}

/// Runs a function that hands out nothing.
///
/// # Safety
/// `error` is NULL or may be written to.
pub(crate) unsafe fn check(error: *mut *mut planetkey_error, body: impl FnOnce() -> Result<()>) -> planetkey_status {
    let result = guarded(body);
    // SAFETY: the promise about `error` is handed on.
    unsafe { finish(error, result) }
}

/// Runs an accessor, which has a value for everything that can go wrong.
pub(crate) fn value<V>(otherwise: V, body: impl FnOnce() -> Option<V>) -> V {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => value.unwrap_or(otherwise),
        Err(payload) => {
            discard(payload);
            otherwise
        }
    }
}

fn guarded<V>(body: impl FnOnce() -> Result<V>) -> Result<V> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            // The payload is not shown: nobody can promise that it holds no secret.
            discard(payload);
            Err(Error::new(Status::Internal, "a bug in planetkey stopped this call; please report it with the text on stderr"))
        }
    }
}

/// Drops what a panic brought. That may panic again, with something else to drop; what goes on so is left where it is.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

unsafe fn finish(error: *mut *mut planetkey_error, result: Result<()>) -> planetkey_status {
    let (status, made) = match result {
        Ok(()) => (planetkey_status::Ok, std::ptr::null_mut()),
        Err(failure) if error.is_null() => (failure.status().into(), std::ptr::null_mut()),
        Err(failure) => (failure.status().into(), handle::give(planetkey_error::new(&failure))),
    };
    if !error.is_null() {
        // SAFETY: not NULL, and the caller of the extern function promises that it may be written to.
        unsafe { error.write(made) };
    }
    status
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use std::ptr::{null, null_mut};

    use super::*;
    use crate::error::{planetkey_error_free, planetkey_error_message, planetkey_error_status};
    use crate::session::{planetkey_session_free, planetkey_session_from_api_key, planetkey_session_signed_url};
    use crate::string::planetkey_string_free;

    #[test]
    fn f114_a_panic_becomes_internal_and_its_text_stays_out_of_the_error() {
        let mut error = null_mut();
        let mut out: *const u8 = std::ptr::dangling();
        // SAFETY: both pointers are to local variables.
        let status = unsafe { run("out", &mut out, null(), &mut error, || panic!("hunter2")) };
        assert_eq!(status, planetkey_status::Internal);
        assert!(out.is_null());
        // SAFETY: the error was just made, and is freed once.
        unsafe {
            assert_eq!(planetkey_error_status(error), planetkey_status::Internal);
            let message = std::ffi::CStr::from_ptr(planetkey_error_message(error)).to_string_lossy().into_owned();
            assert!(!message.contains("hunter2"), "{message}");
            planetkey_error_free(error);
        }
    }

    #[test]
    fn f114_a_handle_can_be_used_after_a_panic() {
        let mut session = null_mut();
        let mut signed = null_mut();
        // SAFETY: the pointers are NULL where that is allowed, or to living handles and local variables; each handle is freed once.
        unsafe {
            let key = c"key".as_ptr();
            assert_eq!(planetkey_session_from_api_key(key, 0, null(), &mut session, null_mut()), planetkey_status::Ok);
            let status = check(null_mut(), || {
                let _borrowed = handle::borrow(session.cast_const())?;
                panic!("in the middle of a call")
            });
            assert_eq!(status, planetkey_status::Internal);
            let url = c"https://api.planet.com/".as_ptr();
            assert_eq!(planetkey_session_signed_url(session, url, &mut signed, null_mut()), planetkey_status::Ok);
            planetkey_string_free(signed);
            planetkey_session_free(session);
        }
    }

    #[test]
    fn a_panic_without_an_error_pointer_and_in_an_accessor() {
        // SAFETY: NULL is allowed.
        let status = unsafe { check(null_mut(), || panic!("gone")) };
        assert_eq!(status, planetkey_status::Internal);
        assert_eq!(value(-1, || panic!("gone")), -1);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_survived() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        // SAFETY: NULL is allowed.
        let status = unsafe { check(null_mut(), || std::panic::panic_any(Bomb)) };
        assert_eq!(status, planetkey_status::Internal);
        assert_eq!(value(7, || std::panic::panic_any(Bomb)), 7);
    }
}
