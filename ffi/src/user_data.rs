//! The pointer that a program gives with a callback.

use std::ffi::c_void;

/// Called once when `user_data` is not used any more. It must not throw or longjmp.
///
/// @param[in] user_data the pointer given together with this callback.
pub type planetkey_destroy_callback = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A callback's user data, destroyed once when it is dropped.
pub(crate) struct UserData {
    pointer: *mut c_void,
    destroy: planetkey_destroy_callback,
}

// SAFETY: by the documentation of every function that takes user data, its callback and `destroy`
// are called on any thread. Only they use the pointer.
unsafe impl Send for UserData {}
// SAFETY: as above. A callback that is called on several threads at once says so.
unsafe impl Sync for UserData {}

impl UserData {
    pub(crate) fn new(pointer: *mut c_void, destroy: planetkey_destroy_callback) -> Self {
        UserData { pointer, destroy }
    }

    /// What the callback gets.
    pub(crate) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(destroy) = self.destroy {
            // SAFETY: the caller gave both together. This runs once, when nothing needs the callback.
            unsafe { destroy(self.pointer) };
        }
    }
}
