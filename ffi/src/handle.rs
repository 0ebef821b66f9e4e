//! Pointers that C holds. What it may only read is counted ([`Shared`]); what it may change is owned alone ([`Exclusive`]).

use std::sync::Arc;

use planetkey::{Error, Result, Status};

use crate::boundary;

/// An immutable handle, used by any number of threads: `const T *` in C.
pub(crate) trait Shared: Send + Sync + 'static {
    /// What a message calls it.
    const NAME: &'static str;
}

/// A handle that C changes, one thread at a time: `T *` in C.
pub(crate) trait Exclusive: Send + 'static {
    /// What a message calls it.
    const NAME: &'static str;
}

/// Gives C one count of a new handle.
pub(crate) fn give<T: Shared>(value: T) -> *mut T {
    Arc::into_raw(Arc::new(value)).cast_mut()
}

/// Borrows a handle for the length of a call.
///
/// # Safety
/// `handle` is NULL or came from [`give`] and has not been freed.
pub(crate) unsafe fn borrow<'a, T: Shared>(handle: *const T) -> Result<&'a T> {
    // SAFETY: by the promise above.
    unsafe { handle.as_ref() }.ok_or_else(|| must_not_be_null(T::NAME))
}

/// One more count of the same handle; NULL gives NULL.
///
/// # Safety
/// As for [`borrow`].
pub(crate) unsafe fn count_up<T: Shared>(handle: *const T) -> *mut T {
    if !handle.is_null() {
        // SAFETY: not NULL, so it came from `Arc::into_raw` and holds a count.
        unsafe { Arc::increment_strong_count(handle) };
    }
    handle.cast_mut()
}

/// Takes one count back; NULL is nothing.
///
/// # Safety
/// As for [`borrow`], and the caller does not use this count again.
pub(crate) unsafe fn release<T: Shared>(handle: *mut T) {
    if !handle.is_null() {
        boundary::value((), || {
            // SAFETY: not NULL, so it came from `Arc::into_raw`, and this count ends here.
            drop(unsafe { Arc::from_raw(handle.cast_const()) });
            Some(())
        });
    }
}

/// Gives C a new handle that one thread at a time may change.
pub(crate) fn give_exclusive<T: Exclusive>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Borrows such a handle to change it.
///
/// # Safety
/// `handle` is NULL or came from [`give_exclusive`], has not been freed, and no other thread uses it meanwhile.
pub(crate) unsafe fn borrow_exclusive<'a, T: Exclusive>(handle: *mut T) -> Result<&'a mut T> {
    // SAFETY: by the promise above.
    unsafe { handle.as_mut() }.ok_or_else(|| must_not_be_null(T::NAME))
}

/// Frees such a handle; NULL is nothing.
///
/// # Safety
/// As for [`borrow_exclusive`], and the caller does not use it again.
pub(crate) unsafe fn release_exclusive<T: Exclusive>(handle: *mut T) {
    if !handle.is_null() {
        boundary::value((), || {
            // SAFETY: not NULL, so it came from `Box::into_raw` and is freed once.
            drop(unsafe { Box::from_raw(handle) });
            Some(())
        });
    }
}

/// The error for a pointer that is NULL and must not be.
pub(crate) fn must_not_be_null(name: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("{name} must not be NULL"))
}
