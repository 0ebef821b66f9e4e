//! The extern functions, called as C calls them. `make test-asan` builds this test and the library
//! with AddressSanitizer, which then checks these calls. A sanitizer in a C program cannot see into
//! them.
// SAFETY of every block below: pointers are NULL where that is allowed, or came from the library
// and are freed once.
#![allow(clippy::undocumented_unsafe_blocks)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use planetkey_ffi::*;
use planetkey_simulator::{Settings, Simulator};
use serde_json::json;

/// Only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The log callback belongs to the process. Its test runs alone, so that no other test is inside
/// the callback when it is replaced.
static LOGGING: RwLock<()> = RwLock::new(());

pub(crate) fn not_logging() -> RwLockReadGuard<'static, ()> {
    LOGGING.read().unwrap_or_else(PoisonError::into_inner)
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn text<'a>(pointer: *const c_char) -> &'a str {
    assert!(!pointer.is_null());
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap()
}

fn start() -> Simulator {
    Simulator::start(Settings::default()).unwrap()
}

fn options(simulator: &Simulator) -> *mut planetkey_options {
    let options = planetkey_options_new();
    let deployment = c(&simulator.deployment());
    // Not the home directory of the developer.
    let storage_root = c(simulator.home().to_str().unwrap());
    unsafe {
        assert_eq!(
            planetkey_options_set_storage_root(options, storage_root.as_ptr(), null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(
            planetkey_options_set_deployment(options, deployment.as_ptr(), null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(
            planetkey_options_set_allow_insecure_loopback(options, true, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(
            planetkey_options_set_timeout_ms(options, 30_000, null_mut()),
            planetkey_status::Ok
        );
    }
    options
}

fn m2m(simulator: &Simulator) -> *mut planetkey_session {
    let options = options(simulator);
    let (id, secret) = (c(&simulator.settings().client_id), c(&simulator.settings().client_secret));
    let mut session = null_mut();
    let status = unsafe {
        planetkey_session_from_m2m(
            id.as_ptr(),
            secret.as_ptr(),
            null(),
            0,
            null(),
            options,
            &mut session,
            null_mut(),
        )
    };
    assert_eq!(status, planetkey_status::Ok);
    unsafe { planetkey_options_free(options) };
    session
}

/// The message of an error. Frees the error.
fn failure(
    status: planetkey_status,
    expected: planetkey_status,
    error: *mut planetkey_error,
) -> String {
    unsafe {
        assert_eq!(planetkey_error_status(error), status);
        let message = text(planetkey_error_message(error)).to_owned();
        assert_eq!(status, expected, "{message}");
        planetkey_error_reason(error);
        planetkey_error_oauth_error(error);
        planetkey_error_oauth_error_description(error);
        planetkey_error_profile(error);
        planetkey_error_free(error);
        message
    }
}

/// Logs out. Returns whether there were tokens, what became of the refresh token, and the
/// revocation error. Frees the result.
pub(crate) fn log_out(
    session: *const planetkey_session,
) -> (bool, planetkey_revocation, Option<String>) {
    let mut result = null_mut();
    unsafe {
        assert_eq!(
            planetkey_session_logout(session, true, &mut result, null_mut()),
            planetkey_status::Ok
        );
        let revocation_error = planetkey_logout_result_revocation_error(result);
        let revocation_error =
            (!revocation_error.is_null()).then(|| text(revocation_error).to_owned());
        let out = (
            planetkey_logout_result_removed(result),
            planetkey_logout_result_revocation(result),
            revocation_error,
        );
        planetkey_logout_result_free(result);
        out
    }
}

#[test]
fn a_session_is_opened_used_and_freed() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    let url = c(&format!("{}/data/v1/item-types", simulator.planet_api()));
    unsafe {
        let mut authorization = null_mut();
        assert_eq!(
            planetkey_session_authorize(session, url.as_ptr(), &mut authorization, null_mut()),
            planetkey_status::Ok
        );
        let line = text(planetkey_authorization_header_line(authorization, 0));
        let value = text(planetkey_authorization_header_value(authorization, 0));
        let name = text(planetkey_authorization_header_name(authorization, 0));
        assert_eq!(line, format!("{name}: {value}"));
        assert_eq!(text(planetkey_authorization_url(authorization)), url.to_str().unwrap());
        assert_eq!(text(planetkey_authorization_credential(authorization)), "access_token");
        assert_eq!(
            value,
            format!("Bearer {}", text(planetkey_authorization_access_token(authorization)))
        );
        assert_eq!(text(planetkey_authorization_transport(authorization)), "bearer");
        assert!(!text(planetkey_authorization_source(authorization)).is_empty());
        assert!(planetkey_authorization_header_name(authorization, 1).is_null());

        // Buffers of every size, each exactly as large as the function is told.
        for size in [0, 1, 14, 15, 16, line.len() - 1, line.len(), line.len() + 1, line.len() + 100]
        {
            let mut buffer = vec![b'x'; size].into_boxed_slice();
            let mut needed = 0;
            let status = planetkey_session_copy_header(
                session,
                url.as_ptr(),
                buffer.as_mut_ptr().cast(),
                size,
                &mut needed,
                null_mut(),
            );
            assert_eq!(needed, line.len() + 1);
            if size > line.len() {
                assert_eq!(status, planetkey_status::Ok);
                assert_eq!(CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap(), line);
            } else {
                assert_eq!(status, planetkey_status::InvalidArgument);
            }
        }

        let mut info = null_mut();
        assert_eq!(
            planetkey_session_get_info(session, &mut info, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(planetkey_session_info_source_count(info), 1);
        assert_eq!(text(planetkey_session_info_kind(info, 0)), "access_token");
        assert!(planetkey_session_info_kind(info, usize::MAX).is_null());
        for index in 0..planetkey_session_info_host_count(info, 0) {
            assert!(!text(planetkey_session_info_host(info, 0, index)).is_empty());
        }
        assert!(text(planetkey_session_info_json(info)).starts_with('{'));

        let mut token = null_mut();
        let mut will_refresh = false;
        assert_eq!(
            planetkey_session_access_token(session, &mut token, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(planetkey_string_length(token), text(planetkey_string_data(token)).len());
        let status = planetkey_session_invalidate(
            session,
            planetkey_string_data(token),
            &mut will_refresh,
            null_mut(),
        );
        assert_eq!((status, will_refresh), (planetkey_status::Ok, true));

        let (mut repeat, mut served) = (null_mut(), null_mut());
        let after = |status, repeat: &mut _| {
            planetkey_session_after_response(
                session,
                authorization,
                status,
                null(),
                repeat,
                null_mut(),
            )
        };
        assert_eq!((after(200, &mut repeat), repeat.is_null()), (planetkey_status::Ok, true));
        assert_eq!(after(401, &mut repeat), planetkey_status::Ok);
        assert_ne!(text(planetkey_authorization_header_line(repeat, 0)), line);
        planetkey_authorization_free(repeat);
        let if_served = |url: &CStr, served: &mut _| {
            planetkey_session_authorize_if_served(session, url.as_ptr(), served, null_mut())
        };
        assert_eq!(
            (if_served(c"https://example.com/", &mut served), served.is_null()),
            (planetkey_status::Ok, true)
        );
        assert_eq!(if_served(c"nowhere", &mut served), planetkey_status::InvalidArgument);
        assert_eq!(if_served(&url, &mut served), planetkey_status::Ok);
        assert_eq!(text(planetkey_authorization_url(served)), url.to_str().unwrap());
        planetkey_authorization_free(served);

        let copy = planetkey_session_clone(session);
        let mut hurried = null_mut();
        assert_eq!(
            planetkey_session_with_timeout_ms(session, 20_000, &mut hurried, null_mut()),
            planetkey_status::Ok
        );
        planetkey_session_free(session);
        assert_eq!(planetkey_session_refresh(copy, null_mut()), planetkey_status::Ok);
        planetkey_session_free(copy);
        assert!(planetkey_session_is_initialized(hurried));
        planetkey_session_free(hurried);
        // Handles do not depend on the session that made them.
        assert!(value.len() > 20 && !text(planetkey_string_data(token)).is_empty());
        planetkey_string_free(token);
        planetkey_session_info_free(info);
        planetkey_authorization_free(authorization);
    }
}

#[test]
fn the_query_form_and_the_functions_of_urls() {
    let _others = not_logging();
    let simulator = start();
    let options = options(&simulator);
    let key = c(&simulator.settings().api_key);
    let url = c(&format!("{}/basemaps/v1/{{z}}/{{x}}/{{y}}.png?a=1", simulator.planet_api()));
    unsafe {
        let mut session = null_mut();
        let query = planetkey_api_key_transport::Query as i32;
        let status =
            planetkey_session_from_api_key(key.as_ptr(), query, options, &mut session, null_mut());
        assert_eq!(status, planetkey_status::Ok);
        planetkey_options_free(options);
        let (mut signed, mut plain, mut redacted) = (null_mut(), null_mut(), null_mut());
        assert_eq!(
            planetkey_session_signed_url(session, url.as_ptr(), &mut signed, null_mut()),
            planetkey_status::Ok
        );
        let data = planetkey_string_data(signed);
        assert_eq!(planetkey_strip_api_key(data, &mut plain, null_mut()), planetkey_status::Ok);
        assert_eq!(text(planetkey_string_data(plain)), url.to_str().unwrap());
        assert_eq!(planetkey_redact_url(data, &mut redacted, null_mut()), planetkey_status::Ok);
        assert!(!text(planetkey_string_data(redacted)).contains(key.to_str().unwrap()));
        let mut authorization = null_mut();
        assert_eq!(
            planetkey_session_authorize(session, url.as_ptr(), &mut authorization, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(planetkey_authorization_header_count(authorization), 0);
        assert!(planetkey_authorization_header_line(authorization, 0).is_null());
        assert_eq!(text(planetkey_authorization_url(authorization)), text(data));
        planetkey_authorization_free(authorization);
        for string in [signed, plain, redacted] {
            planetkey_string_free(string);
        }
        planetkey_session_free(session);
    }
}

#[test]
fn null_and_invalid_input_are_refused() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    let url = c("https://api.planet.com/");
    let not_utf8 = c"\xff\xfe";
    let huge = CString::new(vec![b'a'; (1 << 20) + 1]).unwrap();
    let mut error = null_mut();
    unsafe {
        let mut authorization = null_mut();
        for (session, url) in
            [(null(), url.as_ptr()), (session.cast_const(), null()), (null(), null())]
        {
            let status = planetkey_session_authorize(session, url, &mut authorization, &mut error);
            assert!(
                failure(status, planetkey_status::InvalidArgument, error)
                    .ends_with("must not be NULL")
            );
            assert!(authorization.is_null());
        }
        let status = planetkey_session_authorize(session, url.as_ptr(), null_mut(), &mut error);
        assert_eq!(
            failure(status, planetkey_status::InvalidArgument, error),
            "authorization must not be NULL"
        );
        for bad in [not_utf8, huge.as_c_str()] {
            let mut out = null_mut();
            let mut will_refresh = true;
            let status =
                planetkey_session_authorize(session, bad.as_ptr(), &mut authorization, &mut error);
            assert!(
                failure(status, planetkey_status::InvalidArgument, error).starts_with("url is ")
            );
            let status =
                planetkey_session_from_api_key(bad.as_ptr(), 0, null(), &mut out, &mut error);
            assert!(
                failure(status, planetkey_status::InvalidArgument, error)
                    .starts_with("api_key is ")
            );
            let status =
                planetkey_session_invalidate(session, bad.as_ptr(), &mut will_refresh, &mut error);
            assert!(
                failure(status, planetkey_status::InvalidArgument, error)
                    .starts_with("access_token is ")
            );
            assert!(out.is_null() && !will_refresh);
        }
        for key in ["", "a:b", "a\rb", "a\nb"] {
            let mut out = null_mut();
            let status =
                planetkey_session_from_api_key(c(key).as_ptr(), 0, null(), &mut out, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
            assert!(out.is_null());
        }
        let scopes = [null()];
        let mut out = null_mut();
        for count in [1, usize::MAX] {
            let status = planetkey_session_from_m2m(
                url.as_ptr(),
                url.as_ptr(),
                scopes.as_ptr(),
                count,
                null(),
                null(),
                &mut out,
                &mut error,
            );
            failure(status, planetkey_status::InvalidArgument, error);
        }
        assert_eq!(text(planetkey_status_name(13)), "INTERNAL");
        assert!(planetkey_status_name(14).is_null() && planetkey_status_name(i32::MIN).is_null());
        planetkey_session_free(session);
        planetkey_session_free(null_mut());
        planetkey_string_free(null_mut());
        planetkey_options_free(null_mut());
        planetkey_authorization_free(null_mut());
        planetkey_session_info_free(null_mut());
        planetkey_error_free(null_mut());
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 0);
}

/// A pointer for other threads. By the header any number of threads may use a `const` handle.
#[derive(Clone, Copy)]
struct Shared(*const planetkey_session);
// SAFETY: by the header.
unsafe impl Send for Shared {}

impl Shared {
    fn get(self) -> *const planetkey_session {
        self.0
    }
}

/// 32 threads need a token at once: one request, and the same outcome for all.
fn together(
    simulator: &Simulator,
    session: *mut planetkey_session,
) -> Vec<Result<String, (planetkey_status, String)>> {
    let barrier = Barrier::new(33);
    let shared = Shared(session);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..32)
            .map(|_| {
                let barrier = &barrier;
                scope.spawn(move || {
                    let session = unsafe { planetkey_session_clone(shared.get()) };
                    barrier.wait();
                    let (mut token, mut error) = (null_mut(), null_mut());
                    let status =
                        unsafe { planetkey_session_access_token(session, &mut token, &mut error) };
                    let result = if status == planetkey_status::Ok {
                        Ok(text(unsafe { planetkey_string_data(token) }).to_owned())
                    } else {
                        Err((status, failure(status, status, error)))
                    };
                    unsafe {
                        planetkey_string_free(token);
                        planetkey_session_free(session);
                    }
                    result
                })
            })
            .collect();
        barrier.wait();
        assert!(simulator.wait_held("gate", 1, PATIENCE));
        simulator.release("gate");
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn threads_share_one_request_and_one_failure() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    simulator.script("m2m.token", &json!([{ "hold": "gate" }])).unwrap();
    let tokens = together(&simulator, session);
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert!(tokens.iter().all(|token| token.is_ok() && *token == tokens[0]));

    let token = c(tokens[0].as_ref().unwrap());
    let mut will_refresh = false;
    unsafe {
        assert_eq!(
            planetkey_session_invalidate(session, token.as_ptr(), &mut will_refresh, null_mut()),
            planetkey_status::Ok
        )
    };
    assert!(will_refresh);
    simulator.script("m2m.token", &json!([{ "hold": "gate" }])).unwrap();
    let refreshed = together(&simulator, session);
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    assert!(
        refreshed
            .iter()
            .all(|token| token.is_ok() && *token == refreshed[0] && *token != tokens[0])
    );
    // Otherwise the next session would find the token on disk.
    unsafe {
        assert_eq!(
            planetkey_session_logout(session, true, null_mut(), null_mut()),
            planetkey_status::Ok
        );
        planetkey_session_free(session);
    }

    let session = m2m(&simulator);
    let refusal = json!([{ "hold": "gate", "status": 401, "json": { "error": "invalid_client" } }]);
    simulator.script("m2m.token", &refusal).unwrap();
    let failures = together(&simulator, session);
    assert_eq!(simulator.count("m2m.token").unwrap(), 3);
    assert!(
        failures.iter().all(|failure| matches!(failure, Err((planetkey_status::Misconfigured, _)))
            && *failure == failures[0])
    );
    unsafe { planetkey_session_free(session) };
}

#[test]
fn a_session_on_disk_and_its_logout() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    let url = c(&format!("{}/data/v1/item-types", simulator.planet_api()));
    unsafe {
        let (mut cached, mut info) = (null_mut(), null_mut());
        let headers_cached = |session, cached: &mut _| {
            planetkey_session_headers_cached(session, url.as_ptr(), cached, null_mut())
        };
        assert_eq!(headers_cached(session, &mut cached), planetkey_status::Ok);
        assert!(cached.is_null());
        assert_eq!(planetkey_session_refresh(session, null_mut()), planetkey_status::Ok);
        assert_eq!(headers_cached(session, &mut cached), planetkey_status::Ok);
        assert!(
            text(planetkey_authorization_header_line(cached, 0))
                .starts_with("Authorization: Bearer ")
        );
        planetkey_authorization_free(cached);

        assert_eq!(
            planetkey_session_get_info(session, &mut info, null_mut()),
            planetkey_status::Ok
        );
        let file = text(planetkey_session_info_file(info, 0)).to_owned();
        assert!(planetkey_session_info_file(info, 1).is_null());
        planetkey_session_info_free(info);
        assert!(
            std::path::Path::new(&file).starts_with(simulator.home())
                && std::path::Path::new(&file).exists()
        );

        let removed = log_out(session).0;
        assert!(removed && !std::path::Path::new(&file).exists());
        assert_eq!(
            planetkey_session_logout(session, true, null_mut(), null_mut()),
            planetkey_status::Ok
        );
        planetkey_session_free(session);
        assert!(planetkey_settle(30_000));
    }
}

/// The user data of the callbacks of [`a_storage_of_the_application`]: the text, and how often each
/// callback was called.
#[derive(Default)]
struct Vault {
    text: std::sync::Mutex<Option<Vec<u8>>>,
    calls: [AtomicUsize; 6],
    status: std::sync::atomic::AtomicI32,
}

impl Vault {
    fn count(&self, callback: usize) -> i32 {
        self.calls[callback].fetch_add(1, Ordering::SeqCst);
        self.status.load(Ordering::SeqCst)
    }

    fn calls(&self) -> [usize; 6] {
        [0, 1, 2, 3, 4, 5].map(|callback| self.calls[callback].load(Ordering::SeqCst))
    }
}

unsafe extern "C" fn vault_load(
    vault: *mut c_void,
    out: *mut *mut c_char,
    length: *mut usize,
) -> i32 {
    let vault = unsafe { &*vault.cast::<Vault>() };
    let status = vault.count(0);
    if let Some(text) = vault.text.lock().unwrap().as_ref() {
        // A block of exactly this size without a NUL, so that a read beyond it is noticed.
        let copy: Box<[u8]> = text.as_slice().into();
        unsafe {
            length.write(copy.len());
            out.write(Box::into_raw(copy).cast());
        }
    }
    status
}

unsafe extern "C" fn vault_free_text(vault: *mut c_void, text: *mut c_char, length: usize) {
    unsafe { (*vault.cast::<Vault>()).count(1) };
    drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(text.cast::<u8>(), length)) });
}

unsafe extern "C" fn vault_save(vault: *mut c_void, text: *const c_char, length: usize) -> i32 {
    let vault = unsafe { &*vault.cast::<Vault>() };
    let status = vault.count(2);
    let text = (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_bytes().to_vec());
    assert_eq!(text.as_ref().map_or(0, Vec::len), length);
    *vault.text.lock().unwrap() = text;
    status
}

unsafe extern "C" fn vault_lock(vault: *mut c_void, timeout_ms: u32) -> i32 {
    assert!(timeout_ms <= 30_000);
    unsafe { (*vault.cast::<Vault>()).count(3) }
}

unsafe extern "C" fn vault_unlock(vault: *mut c_void) {
    unsafe { (*vault.cast::<Vault>()).count(4) };
}

unsafe extern "C" fn vault_free(vault: *mut c_void) {
    unsafe { (*vault.cast::<Vault>()).count(5) };
    drop(unsafe { std::sync::Arc::from_raw(vault.cast::<Vault>()) });
}

fn storage_of(vault: &std::sync::Arc<Vault>) -> planetkey_storage {
    planetkey_storage {
        size: size_of::<planetkey_storage>(),
        user_data: std::sync::Arc::into_raw(vault.clone()).cast_mut().cast(),
        load: Some(vault_load),
        free_text: Some(vault_free_text),
        save: Some(vault_save),
        lock: Some(vault_lock),
        unlock: Some(vault_unlock),
        free_user_data: Some(vault_free),
    }
}

#[test]
fn a_storage_of_the_application() {
    let _others = not_logging();
    let simulator = start();
    let vault = std::sync::Arc::new(Vault::default());
    let (id, secret) = (c(&simulator.settings().client_id), c(&simulator.settings().client_secret));
    unsafe {
        let options = options(&simulator);
        let mut session = null_mut();
        assert_eq!(
            planetkey_options_set_storage(options, &storage_of(&vault), null_mut()),
            planetkey_status::Ok
        );
        let open = |session: &mut _| {
            planetkey_session_from_m2m(
                id.as_ptr(),
                secret.as_ptr(),
                null(),
                0,
                null(),
                options,
                session,
                null_mut(),
            )
        };
        assert_eq!(open(&mut session), planetkey_status::Ok);
        assert_eq!(vault.calls(), [0; 6]);
        assert_eq!(planetkey_session_refresh(session, null_mut()), planetkey_status::Ok);
        assert_eq!(vault.calls(), [1, 0, 1, 1, 1, 0]);
        // Another session finds what the first one saved.
        let mut other = null_mut();
        let mut token = null_mut();
        assert_eq!(open(&mut other), planetkey_status::Ok);
        assert_eq!(
            planetkey_session_access_token(other, &mut token, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(simulator.count("m2m.token").unwrap(), 1);
        assert_eq!(vault.calls(), [2, 1, 1, 2, 2, 0]);
        planetkey_string_free(token);
        planetkey_session_free(other);

        let removed = log_out(session).0;
        assert!(removed && vault.text.lock().unwrap().is_none());
        vault.status.store(-7, Ordering::SeqCst);
        let (mut result, mut error) = (null_mut(), null_mut());
        let status = planetkey_session_logout(session, true, &mut result, &mut error);
        let message = failure(status, planetkey_status::Storage, error);
        assert!(message.contains("lock returned -7"), "{message}");
        vault.status.store(planetkey_status::Timeout as i32, Ordering::SeqCst);
        let status = planetkey_session_logout(session, true, &mut result, &mut error);
        failure(status, planetkey_status::Timeout, error);
        vault.status.store(0, Ordering::SeqCst);

        // Refused after it was read: its user data is freed nevertheless.
        let incomplete = planetkey_storage { save: None, ..storage_of(&vault) };
        let status = planetkey_options_set_storage(options, &incomplete, &mut error);
        failure(status, planetkey_status::InvalidArgument, error);
        assert_eq!(vault.calls()[5], 1);
        // The struct of a later version, whose last member is set or not.
        for (member, expected) in
            [(0_usize, planetkey_status::Ok), (1, planetkey_status::Unsupported)]
        {
            let mut words = vec![member; size_of::<planetkey_storage>() / size_of::<usize>() + 1];
            let known =
                planetkey_storage { size: size_of_val(words.as_slice()), ..storage_of(&vault) };
            words.as_mut_ptr().cast::<planetkey_storage>().write(known);
            assert_eq!(
                planetkey_options_set_storage(options, words.as_ptr().cast(), null_mut()),
                expected
            );
        }
        for size in [0, size_of::<planetkey_storage>() - 1, usize::MAX] {
            let wrong = planetkey_storage { size, user_data: null_mut(), ..incomplete };
            let status = planetkey_options_set_storage(options, &wrong, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
        }
        planetkey_options_free(options);
        planetkey_session_free(session);
    }
    // The threads of the refreshes may still hold it for a moment.
    while std::sync::Arc::strong_count(&vault) > 1 {
        std::thread::yield_now();
    }
    assert_eq!(vault.calls()[5], 4);
}

static RECORDS: AtomicUsize = AtomicUsize::new(0);
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn write_down(
    user_data: *mut c_void,
    level: i32,
    target: *const c_char,
    message: *const c_char,
) {
    assert_eq!(unsafe { *user_data.cast::<u32>() }, 0x600d);
    assert!(
        (1..=5).contains(&level)
            && text(target).starts_with("planetkey")
            && !text(message).is_empty()
    );
    RECORDS.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn destroy(user_data: *mut c_void) {
    drop(unsafe { Box::from_raw(user_data.cast::<u32>()) });
    DESTROYED.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn log_callback_keeps_its_user_data_until_the_end() {
    let _alone = LOGGING.write().unwrap_or_else(PoisonError::into_inner);
    let simulator = start();
    let trace = planetkey_log_level::Trace as i32;
    let user_data = || Box::into_raw(Box::new(0x600d_u32)).cast::<c_void>();
    for round in 1..=3 {
        unsafe {
            let status = planetkey_set_log_callback(
                Some(write_down),
                user_data(),
                Some(destroy),
                trace,
                null_mut(),
            );
            assert_eq!(status, planetkey_status::Ok);
            assert_eq!(DESTROYED.load(Ordering::SeqCst), round - 1);
            simulator
                .script(
                    "m2m.token",
                    &json!([{ "token_response": { "remove": ["expires_in"], "set": { "access_token": "opaque" } } }]),
                )
                .unwrap();
            let session = m2m(&simulator);
            let before = RECORDS.load(Ordering::SeqCst);
            assert_eq!(planetkey_session_refresh(session, null_mut()), planetkey_status::Ok);
            assert!(RECORDS.load(Ordering::SeqCst) > before);
            planetkey_session_free(session);
        }
    }
    unsafe {
        let mut error = null_mut();
        let status =
            planetkey_set_log_callback(Some(write_down), user_data(), Some(destroy), 6, &mut error);
        failure(status, planetkey_status::InvalidArgument, error);
        assert_eq!(DESTROYED.load(Ordering::SeqCst), 3);
        assert_eq!(
            planetkey_set_log_callback(None, null_mut(), None, 0, null_mut()),
            planetkey_status::Ok
        );
    }
}
