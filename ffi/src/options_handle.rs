//! Options that C sets one by one.

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::status::planetkey_status;
use planetkey::Result;

/// A handle of options.
pub(crate) trait Settings: Exclusive + Default {
    /// What they are in Rust.
    type Options: Clone + Default;

    fn options(&self) -> &Self::Options;
    fn options_mut(&mut self) -> &mut Self::Options;
}

/// New ones, with nothing set.
pub(crate) fn new<S: Settings>() -> *mut S {
    boundary::value(std::ptr::null_mut(), || Some(handle::give_exclusive(S::default())))
}

/// The options to use: NULL means the defaults.
///
/// # Safety
/// `handle` is NULL or a living handle that nobody changes meanwhile.
pub(crate) unsafe fn copied<S: Settings>(handle: *const S) -> S::Options {
    // SAFETY: by the promise above.
    unsafe { handle.as_ref() }.map(|handle| handle.options().clone()).unwrap_or_default()
}

/// Changes them.
///
/// # Safety
/// As for [`handle::borrow_exclusive`] and [`boundary::check`].
pub(crate) unsafe fn set<S: Settings>(
    handle: *mut S,
    error: *mut *mut planetkey_error,
    change: impl FnOnce(&mut S::Options) -> Result<()>,
) -> planetkey_status {
    // SAFETY: the promises of the caller are handed on.
    unsafe { boundary::check(error, || change(handle::borrow_exclusive(handle)?.options_mut())) }
}
