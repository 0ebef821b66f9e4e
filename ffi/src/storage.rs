//! An application's own storage: a struct of callbacks.

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

use planetkey::secret::Secret;
use planetkey::storage::StorageCallbacks;
use planetkey::{Error, Result, Status};
use zeroize::Zeroizing;

use crate::input;

/// An application's own place for the tokens of a session, instead of `token.json` on disk: what is loaded and saved is the text of that
/// file, a JSON object with secrets in it. planetkey_options_set_storage() copies the struct.
///
/// Callbacks are called on threads of planetkey, logout's on the caller's; never from two threads at once for one session, and never
/// while planetkey holds a lock of its own. Several sessions of one struct may call at the same time. A callback must not throw or longjmp.
/// It may call planetkey, but a call that would wait for the session that it works for gives ::PLANETKEY_STATUS_UNAVAILABLE. It returns
/// ::PLANETKEY_STATUS_OK, or anything else for a failure: the call that needs it then gives ::PLANETKEY_STATUS_STORAGE, and a session that has
/// its tokens in memory goes on with them.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct planetkey_storage {
    /// sizeof(planetkey_storage). Later versions have more members at the end; those that are not set must be zero.
    pub size: usize,
    /// Handed to the callbacks and not looked at. May be NULL.
    pub user_data: *mut c_void,
    /// Gives the text that was saved last, of at most 1 MiB of UTF-8, through `text` and its number of bytes through `length`; NULL, as
    /// it is before the call, when there is none. Not looked at after a failure. Not NULL.
    pub load: Option<unsafe extern "C" fn(user_data: *mut c_void, text: *mut *mut c_char, length: *mut usize) -> i32>,
    /// Frees what `load` gave, once it has been copied. NULL when there is nothing to free.
    pub free_text: Option<unsafe extern "C" fn(user_data: *mut c_void, text: *mut c_char, length: usize)>,
    /// Keeps this text, of `length` bytes before its NUL, in place of what was there; NULL after a logout: nothing is to be kept any more. The
    /// text is borrowed for the call. After a failure what was there before must still be there. Not NULL.
    pub save: Option<unsafe extern "C" fn(user_data: *mut c_void, text: *const c_char, length: usize) -> i32>,
    /// Keeps everybody else who shares this storage from renewing until `unlock`, waiting for them at most `timeout_ms` milliseconds;
    /// ::PLANETKEY_STATUS_TIMEOUT when that was too short. NULL for a storage that one session has for itself.
    pub lock: Option<unsafe extern "C" fn(user_data: *mut c_void, timeout_ms: u32) -> i32>,
    /// Ends what `lock` began, on the same thread. NULL without `lock`, and not NULL with it.
    pub unlock: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
    /// Called once when no options and no session need the storage any more, on whichever thread that is. May be NULL.
    pub free_user_data: Option<unsafe extern "C" fn(user_data: *mut c_void)>,
}

/// The size of the first version, which every later one begins with.
const LEAST_SIZE: usize = size_of::<planetkey_storage>();
/// No version has this many bytes.
const MOST_SIZE: usize = 4096;

/// The longest text that is taken over: no session is longer.
const MAX_LENGTH: usize = 1 << 20;

/// Callbacks and their user data, until nobody needs them.
struct Callbacks(planetkey_storage);

// SAFETY: the documentation says that the callbacks come on any thread; the pointer is only handed to them.
unsafe impl Send for Callbacks {}
// SAFETY: as above, and that several sessions may call at the same time.
unsafe impl Sync for Callbacks {}

impl Drop for Callbacks {
    fn drop(&mut self) {
        if let Some(free_user_data) = self.0.free_user_data {
            // SAFETY: the application gave both together; this runs once, when nobody holds the callbacks any more.
            unsafe { free_user_data(self.0.user_data) };
        }
    }
}

/// The storage behind a pointer; `None` for NULL. From here on `free_user_data` will be called, whatever fails.
///
/// # Safety
/// `storage` is NULL or points to as many bytes as its first member says.
pub(crate) unsafe fn read(storage: *const planetkey_storage) -> Result<Option<Arc<dyn StorageCallbacks>>> {
    if storage.is_null() {
        return Ok(None);
    }
    // SAFETY: not NULL, and every version begins with its size.
    let size = unsafe { (&raw const (*storage).size).read() };
    if !(LEAST_SIZE..=MOST_SIZE).contains(&size) {
        return Err(input::invalid(format!("storage has the size {size}; set it to sizeof(planetkey_storage)")));
    }
    // SAFETY: there are at least so many bytes, by the promise above.
    let callbacks = Callbacks(unsafe { storage.read() });
    // SAFETY: there are `size` bytes, by the promise above.
    let unknown = unsafe { std::slice::from_raw_parts(storage.cast::<u8>().add(LEAST_SIZE), size - LEAST_SIZE) };
    if unknown.iter().any(|byte| *byte != 0) {
        let message =
            "storage has members that this version of the library does not know; leave them zero, or install a later version";
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
    Error::new(Status::Storage, format!("the application's storage failed: its {callback} returned {status}{name}"))
}

fn check(callback: &str, status: i32) -> Result<()> {
    if status == Status::Ok.number() { Ok(()) } else { Err(failed(callback, status)) }
}

/// What `load` gave, until it is freed.
struct Given<'a> {
    callbacks: &'a planetkey_storage,
    text: *mut c_char,
    length: usize,
}

impl Given<'_> {
    fn text(&self) -> Result<&str> {
        let refuse = |why: String| Error::new(Status::Storage, format!("the application's storage gave a text that is {why}"));
        if self.length > MAX_LENGTH {
            return Err(refuse(format!("longer than {MAX_LENGTH} bytes")));
        }
        // SAFETY: `load` succeeded and gave a pointer that is not NULL with this number of bytes.
        let bytes = unsafe { std::slice::from_raw_parts(self.text.cast::<u8>(), self.length) };
        std::str::from_utf8(bytes).map_err(|_| refuse("not UTF-8".to_owned()))
    }
}

impl Drop for Given<'_> {
    fn drop(&mut self) {
        if let Some(free_text) = self.callbacks.free_text {
            // SAFETY: `load` gave this for `free_text`, which is called once.
            unsafe { free_text(self.callbacks.user_data, self.text, self.length) };
        }
    }
}

impl StorageCallbacks for Callbacks {
    fn load(&self) -> Result<Option<Secret>> {
        let Some(load) = self.0.load else { return Ok(None) };
        let (mut text, mut length) = (null_mut(), 0);
        // SAFETY: the application promised a function of this type; both pointers are to local variables.
        check("load", unsafe { load(self.0.user_data, &raw mut text, &raw mut length) })?;
        if text.is_null() {
            return Ok(None);
        }
        let given = Given { callbacks: &self.0, text, length };
        given.text().map(|text| Some(Secret::from(text)))
    }

    fn save(&self, text: Option<&Secret>) -> Result<()> {
        let Some(save) = self.0.save else { return Ok(()) };
        // With a NUL behind it, and exactly as large as needed: growing would leave an unwiped copy behind.
        let copy = text.map(|text| {
            let text = text.expose().as_bytes();
            let mut copy = Zeroizing::new(Vec::with_capacity(text.len() + 1));
            copy.extend_from_slice(text);
            copy.push(0);
            copy
        });
        let (pointer, length) = copy.as_ref().map_or((std::ptr::null(), 0), |copy| (copy.as_ptr().cast(), copy.len() - 1));
        // SAFETY: the application promised a function of this type; the copy lives until after the call.
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
