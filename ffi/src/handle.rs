//! Handles: pointers that C holds. [`Shared`] handles are immutable and counted, [`Exclusive`]
//! handles are mutable and have one owner.

use std::sync::Arc;

use planetkey::{Error, Result, Status};
use planetkey_support::panic;

/// An immutable handle, which any number of threads may use: `const T *` in C.
pub(crate) trait Shared: Send + Sync + 'static {
    /// The name of the parameter in messages.
    const NAME: &'static str;
}

/// A mutable handle, which one thread at a time may use: `T *` in C.
pub(crate) trait Exclusive: Send + 'static {
    /// The name of the parameter in messages.
    const NAME: &'static str;
}

/// Makes a new handle with a count of one.
pub(crate) fn give<T: Shared>(value: T) -> *mut T {
    Arc::into_raw(Arc::new(value)).cast_mut()
}

/// Borrows a handle for one call.
///
/// Errors: INVALID_ARGUMENT for NULL.
///
/// # Safety
/// `handle` is NULL or came from [`give`] and has not been freed.
pub(crate) unsafe fn borrow<'a, T: Shared>(handle: *const T) -> Result<&'a T> {
    // SAFETY: by the promise above.
    unsafe { handle.as_ref() }.ok_or_else(|| must_not_be_null(T::NAME))
}

/// Runs an accessor. Returns `otherwise` for NULL, if there is nothing to return, and after a
/// panic.
///
/// # Safety
/// As for [`borrow`].
pub(crate) unsafe fn get<T: Shared, V>(
    handle: *const T,
    otherwise: V,
    body: impl FnOnce(&T) -> Option<V>,
) -> V {
    // SAFETY: by the promise above.
    panic::or(otherwise, || unsafe { handle.as_ref() }.and_then(body))
}

/// Increments the count of a handle and returns the handle. NULL gives NULL.
///
/// # Safety
/// As for [`borrow`].
pub(crate) unsafe fn count_up<T: Shared>(handle: *const T) -> *mut T {
    if !handle.is_null() {
        // SAFETY: not NULL, so that it came from `Arc::into_raw` and holds a count.
        unsafe { Arc::increment_strong_count(handle) };
    }
    handle.cast_mut()
}

/// Decrements the count of a handle. Does nothing for NULL.
///
/// # Safety
/// As for [`borrow`], and the caller does not use this count again.
pub(crate) unsafe fn release<T: Shared>(handle: *mut T) {
    if !handle.is_null() {
        panic::or((), || {
            // SAFETY: not NULL, so that it came from `Arc::into_raw`; this drops one count.
            drop(unsafe { Arc::from_raw(handle.cast_const()) });
            Some(())
        });
    }
}

/// Makes a new mutable handle.
pub(crate) fn give_exclusive<T: Exclusive>(value: T) -> *mut T {
    Box::into_raw(Box::new(value))
}

/// Borrows a mutable handle for one call.
///
/// Errors: INVALID_ARGUMENT for NULL.
///
/// # Safety
/// `handle` is NULL or came from [`give_exclusive`], has not been freed, and no other thread uses
/// it during the call.
pub(crate) unsafe fn borrow_exclusive<'a, T: Exclusive>(handle: *mut T) -> Result<&'a mut T> {
    // SAFETY: by the promise above.
    unsafe { handle.as_mut() }.ok_or_else(|| must_not_be_null(T::NAME))
}

/// Frees a mutable handle. Does nothing for NULL.
///
/// # Safety
/// As for [`borrow_exclusive`], and the caller does not use the handle again.
pub(crate) unsafe fn release_exclusive<T: Exclusive>(handle: *mut T) {
    if !handle.is_null() {
        panic::or((), || {
            // SAFETY: not NULL, so that it came from `Box::into_raw`, and is freed once.
            drop(unsafe { Box::from_raw(handle) });
            Some(())
        });
    }
}

/// The error for a parameter that is NULL and must not be.
pub(crate) fn must_not_be_null(name: &str) -> Error {
    Error::new(Status::InvalidArgument, format!("{name} must not be NULL"))
}
