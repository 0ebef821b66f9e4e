//! What all handles of options have in common.

use planetkey::Result;
use planetkey_support::panic;

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Exclusive};
use crate::status::planetkey_status;

/// A handle of options that C sets one by one.
pub(crate) trait OptionsHandle: Exclusive + Default {
    /// The options in Rust.
    type Options: Clone + Default;

    fn options(&self) -> &Self::Options;
    fn options_mut(&mut self) -> &mut Self::Options;
}

/// Makes a handle with the defaults.
pub(crate) fn new<H: OptionsHandle>() -> *mut H {
    panic::or(std::ptr::null_mut(), || Some(handle::give_exclusive(H::default())))
}

/// A copy of the options. NULL means the defaults.
///
/// # Safety
/// `handle` is NULL or a live handle that no thread changes during the call.
pub(crate) unsafe fn copied<H: OptionsHandle>(handle: *const H) -> H::Options {
    // SAFETY: by the promise above.
    unsafe { handle.as_ref() }.map(|handle| handle.options().clone()).unwrap_or_default()
}

/// Changes the options.
///
/// # Safety
/// As for [`handle::borrow_exclusive`] and [`boundary::check`].
pub(crate) unsafe fn set<H: OptionsHandle>(
    handle: *mut H,
    error: *mut *mut planetkey_error,
    change: impl FnOnce(&mut H::Options) -> Result<()>,
) -> planetkey_status {
    // SAFETY: by the promises above.
    unsafe { boundary::check(error, || change(handle::borrow_exclusive(handle)?.options_mut())) }
}
