//! The extern functions with any bytes as a text. The first byte is the size of the caller's
//! buffer, the rest is the text. Built with AddressSanitizer, so an access outside the caller's
//! buffers is a finding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey_ffi::*;
use planetkey_fuzz::{check_line, text};
use std::ffi::{CStr, CString, c_char};
use std::ptr::{null, null_mut};
use std::sync::{LazyLock, Once};

static HOME: Once = Once::new();

fuzz_target!(|data: &[u8]| {
    // Tests must not find the developer's credentials.
    // SAFETY: no other thread of this process runs yet.
    HOME.call_once(|| unsafe { std::env::set_var("HOME", "/nonexistent") });
    let Some((size, rest)) = data.split_first() else { return };
    let end = rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len());
    let input = CString::new(&rest[..end]).expect("it ends before its first NUL");
    let readable = std::str::from_utf8(input.as_bytes()).is_ok();

    for function in [planetkey_strip_api_key, planetkey_redact_url] {
        let (mut made, mut error) = (null_mut(), null_mut());
        // SAFETY: the pointers are to a NUL-terminated text and to local variables.
        let status = unsafe { function(input.as_ptr(), &mut made, &mut error) };
        check_outcome(status, !made.is_null(), error);
        assert_eq!(
            status == planetkey_status::Ok,
            readable,
            "any text is taken, and nothing else is"
        );
        take_string(made);
    }

    for session in SESSIONS.iter() {
        requests(session.0, &input, usize::from(*size));
    }

    // The text as a key, and the key in a header.
    let (mut session, mut error) = (null_mut(), null_mut());
    // SAFETY: as above; options may be NULL.
    let status = unsafe {
        planetkey_session_from_api_key(input.as_ptr(), 1, null(), &mut session, &mut error)
    };
    check_outcome(status, !session.is_null(), error);
    if status == planetkey_status::Ok {
        requests(session, c"https://api.planet.com/", usize::from(*size));
        let mut key = null_mut();
        // SAFETY: a living session, and a local variable.
        let status = unsafe { planetkey_session_api_key(session, &mut key, null_mut()) };
        assert_eq!(status, planetkey_status::Ok);
        assert_eq!(take_string(key).as_deref(), input.to_str().ok());
    }
    // SAFETY: the session was just made, or is NULL.
    unsafe { planetkey_session_free(session) };

    // The text as a client configuration, unless it could name any file of the host.
    if text(input.as_bytes()).is_some_and(|text| {
        !["privkey_file", "deployment", "\\"].iter().any(|part| text.contains(part))
    }) {
        let (mut session, mut error) = (null_mut(), null_mut());
        // SAFETY: as above.
        let status = unsafe {
            planetkey_session_from_client_config(input.as_ptr(), null(), &mut session, &mut error)
        };
        check_outcome(status, !session.is_null(), error);
        if !session.is_null() {
            let mut info = null_mut();
            // SAFETY: a living session, and a local variable; the info is freed once.
            unsafe {
                assert_eq!(
                    planetkey_session_get_info(session, &mut info, null_mut()),
                    planetkey_status::Ok
                );
                planetkey_session_info_free(info);
            }
        }
        // SAFETY: the session was just made, or is NULL.
        unsafe { planetkey_session_free(session) };
    }
});

/// A session for each transport, created once: any thread may use a handle.
static SESSIONS: LazyLock<Vec<Handle>> = LazyLock::new(|| {
    let open = |transport| {
        let mut session = null_mut();
        // SAFETY: the pointers are to a NUL-terminated text and to a local variable; the others may
        // be NULL.
        let status = unsafe {
            planetkey_session_from_api_key(
                c"KEY".as_ptr(),
                transport,
                null(),
                &mut session,
                null_mut(),
            )
        };
        assert_eq!(status, planetkey_status::Ok);
        Handle(session)
    };
    (0..3).map(open).collect()
});

struct Handle(*const planetkey_session);

// SAFETY: a session may be used by any number of threads at once.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// The authorization for this URL, by every function that returns it.
fn requests(session: *const planetkey_session, url: &CStr, size: usize) {
    let mut line = None;
    for function in [planetkey_session_authorize, planetkey_session_headers] {
        let (mut authorization, mut error) = (null_mut(), null_mut());
        // SAFETY: a living session, a NUL-terminated text, local variables.
        let status = unsafe { function(session, url.as_ptr(), &mut authorization, &mut error) };
        check_outcome(status, !authorization.is_null(), error);
        // SAFETY: accessors take NULL; an index that is too large gives NULL.
        unsafe {
            let count = planetkey_authorization_header_count(authorization);
            assert!(count <= 1);
            for index in 0..=count {
                let borrowed = planetkey_authorization_header_line(authorization, index);
                assert_eq!(borrowed.is_null(), index == count);
                line = borrow(borrowed).inspect(|line| check_header(line)).or(line);
            }
            assert_eq!(
                borrow(planetkey_authorization_url(authorization)).is_none(),
                authorization.is_null()
            );
            planetkey_authorization_free(authorization);
        }
    }
    // Exactly as large as the caller says: the sanitizer sees the next byte.
    let mut buffer = vec![0x7f_u8; size];
    let (mut needed, mut error) = (usize::MAX, null_mut());
    // SAFETY: the buffer has this size; the rest as above.
    let status = unsafe {
        planetkey_session_copy_header(
            session,
            url.as_ptr(),
            buffer.as_mut_ptr().cast::<c_char>(),
            size,
            &mut needed,
            &mut error,
        )
    };
    check_outcome(status, status == planetkey_status::Ok, error);
    if status == planetkey_status::Ok {
        let copied =
            CStr::from_bytes_until_nul(&buffer).expect("it ends with NUL").to_str().expect("UTF-8");
        check_header(copied);
        assert_eq!(needed, copied.len() + 1);
        assert!(
            buffer[needed..].iter().all(|byte| *byte == 0x7f),
            "bytes after the line are untouched"
        );
        assert_eq!(line.as_deref(), Some(copied));
    } else {
        assert!(
            buffer.iter().skip(1).all(|byte| *byte == 0x7f)
                && buffer.first().is_none_or(|byte| *byte == 0)
        );
        assert!(needed == 0 || needed > size, "{needed} of {size}");
    }
    let (mut signed, mut error) = (null_mut(), null_mut());
    // SAFETY: as above.
    let status =
        unsafe { planetkey_session_signed_url(session, url.as_ptr(), &mut signed, &mut error) };
    check_outcome(status, !signed.is_null(), error);
    take_string(signed);
}

/// Checks that the line is a name, a colon, a space and a value without control characters.
fn check_header(line: &str) {
    let value = line.strip_prefix("Authorization: ").expect("the name");
    assert!(
        !value.is_empty() && value.bytes().all(|byte| byte >= b' ' && byte != 0x7f),
        "{line:?}"
    );
}

/// Checks that success has a value and no error, and failure an error with the same status and no
/// value. Frees the error.
fn check_outcome(status: planetkey_status, made: bool, error: *mut planetkey_error) {
    assert_eq!(status == planetkey_status::Ok, made);
    assert_eq!(made, error.is_null());
    assert!(status != planetkey_status::Internal);
    if !error.is_null() {
        // SAFETY: a living error, freed once.
        unsafe {
            assert_eq!(planetkey_error_status(error), status);
            check_line(
                &borrow(planetkey_error_message(error)).expect("every error has a message"),
                1000,
            );
            planetkey_error_free(error);
        }
    }
}

/// A borrowed text; NULL is `None`.
///
/// # Safety
/// `pointer` is NULL or lives.
unsafe fn borrow(pointer: *const c_char) -> Option<String> {
    // SAFETY: not NULL, and it lives by the promise above.
    (!pointer.is_null())
        .then(|| unsafe { CStr::from_ptr(pointer) }.to_str().expect("UTF-8").to_owned())
}

/// The text of a string handle, which is freed; NULL is `None`.
fn take_string(string: *mut planetkey_string) -> Option<String> {
    // SAFETY: NULL, or a living handle that is freed once.
    unsafe {
        let text = borrow(planetkey_string_data(string));
        assert_eq!(text.as_ref().map_or(0, String::len), planetkey_string_length(string));
        planetkey_string_free(string);
        text
    }
}
