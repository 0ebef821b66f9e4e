//! The extern functions, called as C calls them. AddressSanitizer sees into these calls when the whole test is built with it
//! (`make test-asan`), which a sanitizer in C programs cannot.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
// SAFETY of every block below: pointers are NULL where that is allowed, or came from the library and are freed once.
#![allow(clippy::undocumented_unsafe_blocks)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use planetkey_ffi::*;
use planetkey_simulator::{Settings, Simulator};
use serde_json::json;

/// Only a failing test waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The log callback is the process's: its test runs alone, so that no other test is inside the callback when it is replaced.
static LOGGING: RwLock<()> = RwLock::new(());

fn not_logging() -> RwLockReadGuard<'static, ()> {
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
    unsafe {
        assert_eq!(planetkey_options_set_deployment(options, deployment.as_ptr(), null_mut()), planetkey_status::Ok);
        assert_eq!(planetkey_options_set_allow_insecure_loopback(options, true, null_mut()), planetkey_status::Ok);
        assert_eq!(planetkey_options_set_timeout_ms(options, 30_000, null_mut()), planetkey_status::Ok);
    }
    options
}

fn m2m(simulator: &Simulator) -> *mut planetkey_session {
    let options = options(simulator);
    let (id, secret) = (c(&simulator.settings().client_id), c(&simulator.settings().client_secret));
    let mut session = null_mut();
    let status =
        unsafe { planetkey_session_from_m2m(id.as_ptr(), secret.as_ptr(), null(), 0, null(), options, &mut session, null_mut()) };
    assert_eq!(status, planetkey_status::Ok);
    unsafe { planetkey_options_free(options) };
    session
}

/// The message of an error, which is freed.
fn failure(status: planetkey_status, expected: planetkey_status, error: *mut planetkey_error) -> String {
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

#[test]
fn life_of_a_session() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    let url = c(&format!("{}/data/v1/item-types", simulator.planet_api()));
    unsafe {
        let mut authorization = null_mut();
        assert_eq!(planetkey_session_authorize(session, url.as_ptr(), &mut authorization, null_mut()), planetkey_status::Ok);
        let line = text(planetkey_authorization_header_line(authorization, 0));
        let value = text(planetkey_authorization_header_value(authorization, 0));
        let name = text(planetkey_authorization_header_name(authorization, 0));
        assert_eq!(line, format!("{name}: {value}"));
        assert_eq!(text(planetkey_authorization_url(authorization)), url.to_str().unwrap());
        assert_eq!(text(planetkey_authorization_credential(authorization)), "access_token");
        assert_eq!(text(planetkey_authorization_transport(authorization)), "bearer");
        assert!(!text(planetkey_authorization_source(authorization)).is_empty());
        assert!(planetkey_authorization_header_name(authorization, 1).is_null());

        // Every size of the caller's buffer, each exactly as large as the function is told.
        for size in [0, 1, 14, 15, 16, line.len() - 1, line.len(), line.len() + 1, line.len() + 100] {
            let mut buffer = vec![b'x'; size].into_boxed_slice();
            let mut needed = 0;
            let status =
                planetkey_session_copy_header(session, url.as_ptr(), buffer.as_mut_ptr().cast(), size, &mut needed, null_mut());
            assert_eq!(needed, line.len() + 1);
            if size > line.len() {
                assert_eq!(status, planetkey_status::Ok);
                assert_eq!(CStr::from_bytes_until_nul(&buffer).unwrap().to_str().unwrap(), line);
            } else {
                assert_eq!(status, planetkey_status::InvalidArgument);
            }
        }

        let mut info = null_mut();
        assert_eq!(planetkey_session_status(session, &mut info, null_mut()), planetkey_status::Ok);
        assert_eq!(planetkey_session_info_source_count(info), 1);
        assert_eq!(text(planetkey_session_info_kind(info, 0)), "access_token");
        assert!(planetkey_session_info_kind(info, usize::MAX).is_null());
        for index in 0..planetkey_session_info_host_count(info, 0) {
            assert!(!text(planetkey_session_info_host(info, 0, index)).is_empty());
        }
        assert!(text(planetkey_session_info_json(info)).starts_with('{'));

        let mut token = null_mut();
        let mut renews = false;
        assert_eq!(planetkey_session_access_token(session, &mut token, null_mut()), planetkey_status::Ok);
        assert_eq!(planetkey_string_length(token), text(planetkey_string_data(token)).len());
        let status = planetkey_session_invalidate(session, planetkey_string_data(token), &mut renews, null_mut());
        assert_eq!((status, renews), (planetkey_status::Ok, true));

        let copy = planetkey_session_clone(session);
        let mut hurried = null_mut();
        assert_eq!(planetkey_session_with_timeout_ms(session, 20_000, &mut hurried, null_mut()), planetkey_status::Ok);
        planetkey_session_free(session);
        assert_eq!(planetkey_session_refresh(copy, null_mut()), planetkey_status::Ok);
        planetkey_session_free(copy);
        assert!(planetkey_session_is_initialized(hurried));
        planetkey_session_free(hurried);
        // Nothing depends on the session that it came from.
        assert!(value.len() > 20 && !text(planetkey_string_data(token)).is_empty());
        planetkey_string_free(token);
        planetkey_session_info_free(info);
        planetkey_authorization_free(authorization);
    }
}

#[test]
fn query_form_and_urls() {
    let _others = not_logging();
    let simulator = start();
    let options = options(&simulator);
    let key = c(&simulator.settings().api_key);
    let url = c(&format!("{}/basemaps/v1/{{z}}/{{x}}/{{y}}.png?a=1", simulator.planet_api()));
    unsafe {
        let mut session = null_mut();
        let query = planetkey_api_key_transport::Query as i32;
        let status = planetkey_session_from_api_key(key.as_ptr(), query, options, &mut session, null_mut());
        assert_eq!(status, planetkey_status::Ok);
        planetkey_options_free(options);
        let (mut signed, mut plain, mut redacted) = (null_mut(), null_mut(), null_mut());
        assert_eq!(planetkey_session_signed_url(session, url.as_ptr(), &mut signed, null_mut()), planetkey_status::Ok);
        let data = planetkey_string_data(signed);
        assert_eq!(planetkey_strip_api_key(data, &mut plain, null_mut()), planetkey_status::Ok);
        assert_eq!(text(planetkey_string_data(plain)), url.to_str().unwrap());
        assert_eq!(planetkey_redact_url(data, &mut redacted, null_mut()), planetkey_status::Ok);
        assert!(!text(planetkey_string_data(redacted)).contains(key.to_str().unwrap()));
        let mut authorization = null_mut();
        assert_eq!(planetkey_session_authorize(session, url.as_ptr(), &mut authorization, null_mut()), planetkey_status::Ok);
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
fn null_and_bad_input() {
    let _others = not_logging();
    let simulator = start();
    let session = m2m(&simulator);
    let url = c("https://api.planet.com/");
    let not_utf8 = c"\xff\xfe";
    let huge = CString::new(vec![b'a'; (1 << 20) + 1]).unwrap();
    let mut error = null_mut();
    unsafe {
        let mut authorization = null_mut();
        for (session, url) in [(null(), url.as_ptr()), (session.cast_const(), null()), (null(), null())] {
            let status = planetkey_session_authorize(session, url, &mut authorization, &mut error);
            assert!(failure(status, planetkey_status::InvalidArgument, error).ends_with("must not be NULL"));
            assert!(authorization.is_null());
        }
        let status = planetkey_session_authorize(session, url.as_ptr(), null_mut(), &mut error);
        assert_eq!(failure(status, planetkey_status::InvalidArgument, error), "authorization must not be NULL");
        for bad in [not_utf8, huge.as_c_str()] {
            let mut out = null_mut();
            let mut renews = true;
            let status = planetkey_session_authorize(session, bad.as_ptr(), &mut authorization, &mut error);
            assert!(failure(status, planetkey_status::InvalidArgument, error).starts_with("url is "));
            let status = planetkey_session_from_api_key(bad.as_ptr(), 0, null(), &mut out, &mut error);
            assert!(failure(status, planetkey_status::InvalidArgument, error).starts_with("api_key is "));
            let status = planetkey_session_invalidate(session, bad.as_ptr(), &mut renews, &mut error);
            assert!(failure(status, planetkey_status::InvalidArgument, error).starts_with("access_token is "));
            assert!(out.is_null() && !renews);
        }
        for key in ["", "a:b", "a\rb", "a\nb"] {
            let mut out = null_mut();
            let status = planetkey_session_from_api_key(c(key).as_ptr(), 0, null(), &mut out, &mut error);
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

/// A pointer for other threads; the header says that a `const` handle may be used by any number of them.
#[derive(Clone, Copy)]
struct Shared(*const planetkey_session);
// SAFETY: as the header says.
unsafe impl Send for Shared {}

impl Shared {
    fn get(self) -> *const planetkey_session {
        self.0
    }
}

/// 32 threads ask for a token at once: one request, and the same outcome for all.
fn together(simulator: &Simulator, session: *mut planetkey_session) -> Vec<Result<String, (planetkey_status, String)>> {
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
                    let status = unsafe { planetkey_session_access_token(session, &mut token, &mut error) };
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
    let mut renews = false;
    unsafe { assert_eq!(planetkey_session_invalidate(session, token.as_ptr(), &mut renews, null_mut()), planetkey_status::Ok) };
    assert!(renews);
    simulator.script("m2m.token", &json!([{ "hold": "gate" }])).unwrap();
    let renewed = together(&simulator, session);
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    assert!(renewed.iter().all(|token| token.is_ok() && *token == renewed[0] && *token != tokens[0]));
    unsafe { planetkey_session_free(session) };

    let session = m2m(&simulator);
    let refusal = json!([{ "hold": "gate", "status": 401, "json": { "error": "invalid_client" } }]);
    simulator.script("m2m.token", &refusal).unwrap();
    let failures = together(&simulator, session);
    assert_eq!(simulator.count("m2m.token").unwrap(), 3);
    assert!(
        failures.iter().all(|failure| matches!(failure, Err((planetkey_status::Misconfigured, _))) && *failure == failures[0])
    );
    unsafe { planetkey_session_free(session) };
}

static RECORDS: AtomicUsize = AtomicUsize::new(0);
static DESTROYED: AtomicUsize = AtomicUsize::new(0);

unsafe extern "C" fn write_down(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char) {
    assert_eq!(unsafe { *user_data.cast::<u32>() }, 0x600d);
    assert!((1..=5).contains(&level) && text(target).starts_with("planetkey") && !text(message).is_empty());
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
            let status = planetkey_set_log_callback(Some(write_down), user_data(), Some(destroy), trace, null_mut());
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
        let status = planetkey_set_log_callback(Some(write_down), user_data(), Some(destroy), 6, &mut error);
        failure(status, planetkey_status::InvalidArgument, error);
        assert_eq!(DESTROYED.load(Ordering::SeqCst), 3);
        assert_eq!(planetkey_set_log_callback(None, null_mut(), None, 0, null_mut()), planetkey_status::Ok);
    }
}
