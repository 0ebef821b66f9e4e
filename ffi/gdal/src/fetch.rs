//! The callback before each `CPLHTTPFetch`: for web services, `PLMosaic`, and `http` names that
//! GDAL reads as a whole.
//!
//! The callback gets the URL, so that each host gets its own credential. libcurl does not send it
//! to another host after a redirect.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::null_mut;

use planetkey_support::panic;

use crate::header_file;
use crate::header_lines::is_authorization;
use crate::installation;
use crate::library::Library;

thread_local! {
    /// Whether this thread is making the request of a callback. GDAL calls back for it again.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// The options of one fetch: those of the caller without its credentials, and the header file.
fn options(of_caller: &[&CStr], header_file: Option<&CStr>) -> Vec<CString> {
    let mut options: Vec<CString> = Vec::with_capacity(of_caller.len() + 1);
    for option in of_caller {
        let text = option.to_bytes();
        let value = |key: &[u8]| {
            let (name, value) = text.split_at_checked(key.len())?;
            (name.eq_ignore_ascii_case(key) && matches!(value.first(), Some(b'=' | b':')))
                .then(|| &value[1..])
        };
        // One mechanism per request (RFC 6750 2).
        if value(b"USERPWD").is_some()
            || value(b"HTTPAUTH").is_some()
            || value(b"HEADER_FILE").is_some()
        {
            continue;
        }
        if let Some(headers) = value(b"HEADERS") {
            let kept: Vec<&[u8]> = headers
                .split(|byte| matches!(byte, b'\r' | b'\n'))
                .filter(|line| !line.is_empty() && !is_authorization(line))
                .collect();
            if !kept.is_empty() {
                options.extend(
                    CString::new([b"HEADERS=".as_slice(), &kept.join(b"\r\n".as_slice())].concat())
                        .ok(),
                );
            }
            continue;
        }
        options.push((*option).to_owned());
    }
    if let Some(name) = header_file {
        options.extend(CString::new([b"HEADER_FILE=".as_slice(), name.to_bytes()].concat()).ok());
    }
    options
}

/// The callback. If it returns NULL, GDAL makes the request as it is.
pub(crate) unsafe extern "C" fn fetch(
    url: *const c_char,
    of_caller: *const *const c_char,
    progress: *mut c_void,
    progress_data: *mut c_void,
    write: *mut c_void,
    write_data: *mut c_void,
    user_data: *mut c_void,
) -> *mut c_void {
    if url.is_null() || INSIDE.get() {
        return null_mut();
    }
    let found = panic::or(None, || {
        // SAFETY: GDAL gives the user data that the callback was set with, and a NUL-terminated
        // text that is valid during this call.
        let (library, url) = unsafe { (Library::of(user_data)?, CStr::from_ptr(url)) };
        Some(Some((library, installation::request(library, url.to_str().ok()?)?)))
    });
    let Some((library, request)) = found else { return null_mut() };
    // SAFETY: NULL, or a NULL-terminated list of texts.
    let of_caller = unsafe { texts(of_caller) };
    let send = |header_file: Option<&CStr>| {
        let options = options(&of_caller, header_file);
        let mut pointers: Vec<*const c_char> =
            options.iter().map(|option| option.as_ptr()).collect();
        pointers.push(std::ptr::null());
        // SAFETY: the URL is NUL-terminated, the options are a NULL-terminated list, and the rest
        // is the caller's.
        unsafe {
            library.fetch(
                request.url.as_ptr().cast(),
                pointers.as_ptr(),
                (progress, progress_data),
                (write, write_data),
            )
        }
    };
    INSIDE.set(true);
    // An exception of the caller's callbacks ends the process here, as it does in GDAL itself.
    let result = match request.lines {
        Some(lines) => header_file::lending(lines, |name| send(Some(name))),
        None => send(None),
    };
    INSIDE.set(false);
    result
}

/// # Safety
/// `list` is NULL, or a NULL-terminated list of texts, valid for `'a`.
unsafe fn texts<'a>(mut list: *const *const c_char) -> Vec<&'a CStr> {
    let mut texts = Vec::new();
    // SAFETY: by the promise above. The loop stops at NULL.
    while !list.is_null() && !unsafe { *list }.is_null() {
        // SAFETY: as above.
        texts.push(unsafe { CStr::from_ptr(*list) });
        // SAFETY: as above.
        list = unsafe { list.add(1) };
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(of_caller: &[&CStr]) -> Vec<String> {
        let options = options(of_caller, Some(c"/name"));
        options.iter().map(|option| option.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn the_callers_credential_is_replaced_and_other_options_stay() {
        let given = [
            c"TIMEOUT=3",
            c"USERPWD=key:",
            c"userpwd:key:",
            c"headers=Accept: a/b\r\nauthorization : api-key k\r\nX: y",
            c"HTTPAUTH=BASIC",
        ];
        assert_eq!(made(&given), ["TIMEOUT=3", "HEADERS=Accept: a/b\r\nX: y", "HEADER_FILE=/name"]);
        assert_eq!(
            made(&[c"HEADERS=Authorization: x", c"HEADER_FILE=/else", c"HEADERSIZE=1"]),
            ["HEADERSIZE=1", "HEADER_FILE=/name"]
        );
        assert_eq!(made(&[]), ["HEADER_FILE=/name"]);
        assert!(options(&[], None).is_empty());
    }
}
