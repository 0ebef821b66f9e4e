//! The application's own storage: a struct of callbacks.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

use planetkey::secret::Secret;
use planetkey::storage::Storage;
use planetkey::{Error, Result, Status};
use zeroize::Zeroizing;

use crate::input;
use crate::status::planetkey_status;

/// The application's own storage for the tokens of a session, instead of `token.json` on disk. It
/// loads and saves the text of that file: a JSON object with secrets.
/// planetkey_options_set_storage() copies the struct.
///
/// planetkey calls the callbacks on its own threads, those of a logout on the caller's thread. For
/// one session it calls one at a time, and never with a lock of its own held. Several sessions that
/// share the struct may call it at the same time.
///
/// A callback returns ::PLANETKEY_STATUS_OK, or anything else for a failure. After a failure the
/// call that needs the storage returns ::PLANETKEY_STATUS_STORAGE; a session with tokens in memory
/// continues to use them. A callback must not throw or longjmp. It may call planetkey, but a call
/// that would wait for the session that it works for returns ::PLANETKEY_STATUS_UNAVAILABLE.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct planetkey_storage {
    /// sizeof(planetkey_storage). Later versions have more members at the end. Members that are not
    /// used must be zero.
    pub size: usize,
    /// Passed to the callbacks. May be NULL.
    pub user_data: *mut c_void,
    /// Loads the text that was saved last, at most 1 MiB of UTF-8: sets `text`, and `length` to its
    /// number of bytes. Leaves `text` NULL if nothing is saved. Both are ignored after a failure.
    /// Not NULL.
    pub load: Option<
        unsafe extern "C" fn(
            user_data: *mut c_void,
            text: *mut *mut c_char,
            length: *mut usize,
        ) -> i32,
    >,
    /// Frees what `load` returned, after planetkey has copied it. NULL if there is nothing to free.
    pub free_text:
        Option<unsafe extern "C" fn(user_data: *mut c_void, text: *mut c_char, length: usize)>,
    /// Saves this text, which replaces the saved one. It has `length` bytes and a NUL, and is
    /// borrowed for the call. NULL deletes the saved text, after a logout. A failure must leave the
    /// saved text unchanged. Not NULL.
    pub save: Option<
        unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char, length: usize) -> i32,
    >,
    /// Locks the storage: until `unlock`, no other process and no other session that shares it may
    /// refresh. Waits for at most `timeout_ms` milliseconds, then returns
    /// ::PLANETKEY_STATUS_TIMEOUT. NULL if only one session uses the storage.
    pub lock: Option<unsafe extern "C" fn(user_data: *mut c_void, timeout_ms: u32) -> i32>,
    /// Unlocks the storage, on the thread that locked it. NULL if and only if `lock` is NULL.
    pub unlock: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Called once, on any thread, when no options and no session need the storage any more. May be
    /// NULL.
    pub free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

/// The size of the first version. Later versions begin with its members.
const LEAST_SIZE: usize = size_of::<planetkey_storage>();
/// More than any version has.
const MOST_SIZE: usize = 4096;

/// The longest text that `load` may return. No session is longer.
const MAX_LENGTH: usize = 1 << 20;

/// Callbacks and their user data.
struct Callbacks(planetkey_storage);

// SAFETY: by the documentation the callbacks run on any thread. Only callbacks use the pointer.
unsafe impl Send for Callbacks {}
// SAFETY: as above. Several sessions may call at the same time.
unsafe impl Sync for Callbacks {}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(free_user_data) = self.0.free_user_data {
            // SAFETY: the application gave both together. This runs once, when nothing holds the
            // callbacks.
            unsafe { free_user_data(self.0.user_data) };
        }
    }
}

/// The storage behind a pointer. `None` for NULL. If the size is right, `free_user_data` will be
/// called, whatever fails afterwards.
///
/// Errors: INVALID_ARGUMENT, UNSUPPORTED.
///
/// # Safety
/// `storage` is NULL or points to as many bytes as its first member says.
pub(crate) unsafe fn read(storage: *const planetkey_storage) -> Result<Option<Arc<dyn Storage>>> {
    if storage.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL. Every version begins with its size.
    let size = unsafe { (&raw const (*storage).size).read() };
    if !(LEAST_SIZE..=MOST_SIZE).contains(&size) {
        return Err(input::invalid(format!(
            "storage has the size {size}; set it to sizeof(planetkey_storage)"
        )));
    }
    // SAFETY: there are at least this many bytes, by the promise above.
    let callbacks = Callbacks(unsafe { storage.read() });
    // SAFETY: there are `size` bytes, by the promise above.
    let unknown = unsafe {
        std::slice::from_raw_parts(storage.cast::<u8>().add(LEAST_SIZE), size - LEAST_SIZE)
    };
    if unknown.iter().any(|byte| *byte != 0) {
        let message = "storage has members that this version of the library does not support; set them to zero, or install a later version";
        return Err(Error::new(Status::Unsupported, message));
    }
    if callbacks.0.load.is_none() || callbacks.0.save.is_none() {
        return Err(input::invalid("storage needs load and save".to_owned()));
    }
    if callbacks.0.lock.is_some() != callbacks.0.unlock.is_some() {
        return Err(input::invalid("storage needs lock and unlock, or neither".to_owned()));
    }
    Ok(Some(Arc::new(callbacks)))
}

fn failed(callback: &str, status: i32) -> Error {
    let name = Status::from_number(status).map(|status| format!(", {status}")).unwrap_or_default();
    Error::new(
        Status::Storage,
        format!("the application's storage failed: its {callback} returned {status}{name}"),
    )
}

fn check(callback: &str, status: i32) -> Result<()> {
    if status == planetkey_status::Ok as i32 { Ok(()) } else { Err(failed(callback, status)) }
}

/// What `load` returned, until it is freed.
struct Given<'a> {
    callbacks: &'a planetkey_storage,
    text: *mut c_char,
    length: usize,
}

impl Given<'_> {
    fn text(&self) -> Result<&str> {
        let refuse = |why: String| {
            Error::new(
                Status::Storage,
                format!("the application's storage loaded a text that is {why}"),
            )
        };
        if self.length > MAX_LENGTH {
            return Err(refuse(format!("longer than {MAX_LENGTH} bytes")));
        }
        // SAFETY: `load` succeeded, and returned a pointer to this number of bytes that is not
        // NULL.
        let bytes = unsafe { std::slice::from_raw_parts(self.text.cast::<u8>(), self.length) };
        std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8".to_owned()))
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if let Some(free_text) = self.callbacks.free_text {
            // SAFETY: `load` returned this. `free_text` is called once.
            unsafe { free_text(self.callbacks.user_data, self.text, self.length) };
        }
    }
}

impl Storage for Callbacks {
    fn load(&self) -> Result<Option<Secret>> {
        let Some(load) = self.0.load else { return Ok(None) };
        let (mut text, mut length) = (null_mut(), 0);
        // SAFETY: the application promised a function of this type. Both pointers are to local
        // variables.
        check("load", unsafe { load(self.0.user_data, &raw mut text, &raw mut length) })?;
        if text.is_null() {
            return Ok(None);
        }
        let given = Given { callbacks: &self.0, text, length };
        given.text().map(|text| Some(Secret::from(text)))
    }

    fn save(&self, text: Option<&Secret>) -> Result<()> {
        let Some(save) = self.0.save else { return Ok(()) };
        // With a NUL, and exactly as large as needed, because growing would leave an unwiped copy
        // behind.
        let copy = text.map(|text| {
            let text = text.expose().as_bytes();
            let mut copy = Zeroizing::new(Vec::with_capacity(text.len() + 1));
            copy.extend_from_slice(text);
            copy.push(0);
            copy
        });
        let (pointer, length) = copy
            .as_ref()
            .map_or((std::ptr::null(), 0), |copy| (copy.as_ptr().cast(), copy.len() - 1));
        // SAFETY: the application promised a function of this type. The copy outlives the call.
        check("save", unsafe { save(self.0.user_data, pointer, length) })
    }

    fn lock(&self, timeout: Duration) -> Result<bool> {
        let Some(lock) = self.0.lock else { return Ok(true) };
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: the application promised a function of this type.
        match unsafe { lock(self.0.user_data, timeout_ms) } {
            status if status == Status::Timeout.number() => Ok(false),
            status => check("lock", status).map(|()| true),
        }
    }

    fn unlock(&self) {
        if let Some(unlock) = self.0.unlock {
            // SAFETY: the application promised a function of this type.
            unsafe { unlock(self.0.user_data) };
        }
    }
}
