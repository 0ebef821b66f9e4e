//! The extern functions of logins, called as C calls them, and with AddressSanitizer by `make
//! test-asan`.
// SAFETY of every block below: pointers are NULL where that is allowed, or came from the library
// and are freed once.
#![allow(clippy::undocumented_unsafe_blocks)]

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::extern_functions::{log_out, not_logging};
use planetkey_ffi::*;
use planetkey_simulator::{Settings, Simulator};
use serde_json::{Value, json};

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn text<'a>(pointer: *const c_char) -> &'a str {
    assert!(!pointer.is_null());
    unsafe { CStr::from_ptr(pointer) }.to_str().unwrap()
}

/// A simulator, and a session of the profile `planet-user` in its home directory.
fn start() -> (Simulator, *mut planetkey_session) {
    let simulator = Simulator::start(Settings::default()).unwrap();
    simulator.change_settings(&json!({ "device_interval": 1 })).unwrap();
    let (deployment, home) = (c(&simulator.deployment()), c(simulator.home().to_str().unwrap()));
    let mut session = null_mut();
    unsafe {
        let options = planetkey_options_new();
        assert_eq!(
            planetkey_options_set_storage_root(options, home.as_ptr(), null_mut()),
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
        let name = c("planet-user");
        let status =
            planetkey_session_from_profile(name.as_ptr(), options, &mut session, null_mut());
        assert_eq!(status, planetkey_status::Ok);
        planetkey_options_free(options);
    }
    (simulator, session)
}

fn failure(
    status: planetkey_status,
    expected: planetkey_status,
    error: *mut planetkey_error,
) -> String {
    unsafe {
        assert_eq!(planetkey_error_status(error), status);
        let message = text(planetkey_error_message(error)).to_owned();
        assert_eq!(status, expected, "{message}");
        planetkey_error_free(error);
        message
    }
}

fn taken(string: *mut planetkey_string) -> String {
    let copy = text(unsafe { planetkey_string_data(string) }).to_owned();
    unsafe { planetkey_string_free(string) };
    copy
}

/// Reads all accessors, frees the result, and returns the subject.
fn subject(result: *mut planetkey_login_result) -> String {
    unsafe {
        let json: Value = serde_json::from_str(text(planetkey_login_result_json(result))).unwrap();
        let subject = text(planetkey_login_result_subject(result)).to_owned();
        assert_eq!(json["subject"], subject);
        for index in 0..planetkey_login_result_scope_count(result) {
            assert_eq!(json["scopes"][index], text(planetkey_login_result_scope(result, index)));
        }
        assert!(planetkey_login_result_scope(result, usize::MAX).is_null());
        assert_eq!(json["prompted"], planetkey_login_result_prompted(result));
        assert_eq!(
            json["email"].as_str().is_some(),
            !planetkey_login_result_email(result).is_null()
        );
        assert_eq!(json["profile"], text(planetkey_login_result_profile(result)));
        assert_eq!(json["file"], text(planetkey_login_result_file(result)));
        assert_eq!(json["expires_at"], planetkey_login_result_expires_at(result));
        planetkey_login_result_free(result);
        subject
    }
}

/// A pointer for other threads. By the header any number of threads may use a `const` handle.
#[derive(Clone, Copy)]
struct Shared(*mut planetkey_login);
// SAFETY: by the header.
unsafe impl Send for Shared {}

impl Shared {
    fn get(self) -> *mut planetkey_login {
        self.0
    }
}

#[test]
fn a_device_login_is_started_completed_and_freed() {
    let _others = not_logging();
    let (simulator, session) = start();
    let (mut login, mut result, mut error) = (null_mut(), null_mut(), null_mut());
    unsafe {
        assert_eq!(
            planetkey_session_start_device_login(session, null(), &mut login, null_mut()),
            planetkey_status::Ok
        );
        let code = text(planetkey_login_user_code(login));
        assert!(text(planetkey_login_verification_uri_complete(login)).contains(code));
        assert!(!text(planetkey_login_verification_uri(login)).contains(code));
        assert!(
            planetkey_login_authorization_url(login).is_null()
                && planetkey_login_redirect_uri(login).is_null()
        );
        assert!(planetkey_login_expires_in_ms(login) > 800_000);
        assert!(taken(planetkey_login_qr_code(login, true)).lines().count() > 20);
        assert!(taken(planetkey_login_qr_code(login, false)).contains('█'));
        assert_eq!(planetkey_login_poll(login, &mut result, null_mut()), planetkey_status::Ok);
        assert!(result.is_null() && (1..=1000).contains(&planetkey_login_poll_interval_ms(login)));
        let callback = c("http://127.0.0.1/callback?code=c&state=s");
        let status = planetkey_login_complete(login, callback.as_ptr(), &mut result, &mut error);
        failure(status, planetkey_status::Unsupported, error);
        simulator.log_in(&json!({ "user_code": code, "username": "ada" })).unwrap();
        // Another thread frees it while this one waits with its own count.
        let shared = Shared(planetkey_login_clone(login));
        assert_eq!(planetkey_login_wait(login, 0, &mut result, null_mut()), planetkey_status::Ok);
        std::thread::spawn(move || planetkey_login_free(shared.get())).join().unwrap();
        assert_eq!(subject(result), "user|ada");
        assert_eq!(planetkey_login_wait(login, 1, null_mut(), null_mut()), planetkey_status::Ok);
        planetkey_login_free(login);
        planetkey_session_free(session);
    }
}

#[test]
fn a_browser_login_is_started_completed_and_freed() {
    let _others = not_logging();
    let (simulator, session) = start();
    let (mut login, mut result, mut error) = (null_mut(), null_mut(), null_mut());
    unsafe {
        assert_eq!(
            planetkey_session_start_browser_login(session, null(), &mut login, null_mut()),
            planetkey_status::Ok
        );
        let url = text(planetkey_login_authorization_url(login));
        assert!(
            planetkey_login_user_code(login).is_null()
                && planetkey_login_verification_uri(login).is_null()
        );
        assert!(planetkey_login_verification_uri_complete(login).is_null());
        assert_eq!(planetkey_login_poll(login, &mut result, null_mut()), planetkey_status::Ok);
        assert!(result.is_null());
        for wrong in ["", "no address", "http://127.0.0.1:1/?code=c"] {
            let status =
                planetkey_login_complete(login, c(wrong).as_ptr(), &mut result, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
        }
        let went = simulator.log_in(&json!({ "authorization_url": url })).unwrap();
        let location = c(went["location"].as_str().unwrap());
        assert!(location.to_str().unwrap().starts_with(text(planetkey_login_redirect_uri(login))));
        let status = planetkey_login_complete(login, location.as_ptr(), &mut result, null_mut());
        assert_eq!(status, planetkey_status::Ok);
        assert_eq!(subject(result), "simulator-user");
        planetkey_login_free(login);
        planetkey_session_free(session);
    }
}

#[test]
fn f112_a_login_may_be_cancelled_and_freed_while_threads_wait_for_it() {
    let _others = not_logging();
    let (_simulator, session) = start();
    for in_browser in [true, false] {
        let mut login = null_mut();
        let start = if in_browser {
            planetkey_session_start_browser_login
        } else {
            planetkey_session_start_device_login
        };
        assert_eq!(unsafe { start(session, null(), &mut login, null_mut()) }, planetkey_status::Ok);
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let shared = Shared(unsafe { planetkey_login_clone(login) });
                std::thread::spawn(move || unsafe {
                    let login = shared.get();
                    let mut result = null_mut();
                    let status = planetkey_login_wait(login, 0, &mut result, null_mut());
                    planetkey_login_free(login);
                    (status, result.is_null())
                })
            })
            .collect();
        unsafe {
            planetkey_login_cancel(login);
            planetkey_login_free(login);
        }
        for thread in threads {
            assert_eq!(thread.join().unwrap(), (planetkey_status::Cancelled, true));
        }
    }
    unsafe { planetkey_session_free(session) };
}

/// A user: the prompts that they see, their answers, and how often their callback was freed.
#[derive(Default)]
struct User {
    answers: Mutex<Vec<Option<&'static str>>>,
    seen: Mutex<Vec<String>>,
    returns: i32,
    destroyed: AtomicUsize,
}

unsafe extern "C" fn show(user_data: *mut c_void, prompt: *const planetkey_prompt) -> i32 {
    unsafe {
        let user = &*user_data.cast::<User>();
        let kind = text(planetkey_prompt_kind_name(planetkey_prompt_kind_of(prompt)));
        assert!(text(planetkey_prompt_message(prompt)).ends_with(['\n', ')']));
        let url = planetkey_prompt_url(prompt);
        assert_eq!(url.is_null(), kind == "other_user");
        assert_eq!(planetkey_prompt_user_code(prompt).is_null(), kind != "device");
        assert_eq!(planetkey_prompt_verification_uri(prompt).is_null(), kind != "device");
        assert_eq!(planetkey_prompt_verification_uri_complete(prompt).is_null(), kind != "device");
        assert_eq!(planetkey_prompt_expires_in_ms(prompt) < 0, url.is_null());
        assert!(!planetkey_prompt_browser_opened(prompt));
        let qr_code = planetkey_prompt_qr_code(prompt, true);
        assert_eq!(qr_code.is_null(), url.is_null());
        planetkey_string_free(qr_code);
        user.seen.lock().unwrap().push(kind.to_owned());
        let mut error = null_mut();
        let status = planetkey_prompt_set_answer(prompt, c"\xff".as_ptr(), &mut error);
        assert_eq!(
            failure(status, planetkey_status::InvalidArgument, error),
            "answer is not UTF-8"
        );
        for answer in std::mem::take(&mut *user.answers.lock().unwrap()) {
            let answer = answer.map(c);
            let pointer = answer.as_ref().map_or(null(), |answer| answer.as_ptr());
            assert_eq!(
                planetkey_prompt_set_answer(prompt, pointer, null_mut()),
                planetkey_status::Ok
            );
        }
        user.returns
    }
}

unsafe extern "C" fn destroy(user_data: *mut c_void) {
    unsafe { (*user_data.cast::<User>()).destroyed.fetch_add(1, Ordering::SeqCst) };
}

fn options_for(user: &User, method: planetkey_login_method) -> *mut planetkey_login_options {
    let options = planetkey_login_options_new();
    let user_data = (&raw const *user).cast_mut().cast();
    unsafe {
        let status = planetkey_login_options_set_prompt(
            options,
            Some(show),
            user_data,
            Some(destroy),
            null_mut(),
        );
        assert_eq!(status, planetkey_status::Ok);
        assert_eq!(
            planetkey_login_options_set_method(options, method as i32, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(
            planetkey_login_options_set_open_browser(options, false, null_mut()),
            planetkey_status::Ok
        );
    }
    options
}

#[test]
fn a_prompt_is_borrowed_and_answered() {
    let _others = not_logging();
    let (simulator, session) = start();
    let (mut result, mut error) = (null_mut(), null_mut());
    use planetkey_login_method::{Browser, Device, Paste};
    unsafe {
        for (method, kind) in [(Browser, "browser"), (Device, "device"), (Paste, "paste")] {
            let user = User { returns: -1, ..User::default() };
            let options = options_for(&user, method);
            let status = planetkey_session_login(session, options, &mut result, &mut error);
            assert!(
                failure(status, planetkey_status::Cancelled, error).ends_with("it returned -1")
            );
            planetkey_login_options_free(options);
            assert_eq!(
                (user.seen.into_inner().unwrap(), user.destroyed.into_inner()),
                (vec![kind.to_owned()], 1)
            );
        }
        // The last answer counts. No answer cancels the login.
        let user = User { answers: Mutex::new(vec![Some("first"), None]), ..User::default() };
        let options = options_for(&user, Paste);
        let status = planetkey_session_login(session, options, null_mut(), &mut error);
        failure(status, planetkey_status::Cancelled, error);
        // A replaced callback is freed, and a login has a copy of its options.
        let next = User { answers: Mutex::new(vec![Some("no"), Some("yes")]), ..User::default() };
        let other = options_for(&next, Browser);
        planetkey_login_options_free(options);
        assert_eq!(user.destroyed.load(Ordering::SeqCst), 1);
        let seeded = simulator.seed_session(&json!({})).unwrap().to_string();
        let file = simulator.home().join(".planet/planet-user/token.json");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, seeded).unwrap();
        let mut login = null_mut();
        assert_eq!(
            planetkey_session_start_browser_login(session, other, &mut login, null_mut()),
            planetkey_status::Ok
        );
        planetkey_login_options_free(other);
        assert_eq!(next.destroyed.load(Ordering::SeqCst), 0);
        let url = text(planetkey_login_authorization_url(login));
        let went =
            simulator.log_in(&json!({ "authorization_url": url, "username": "ada" })).unwrap();
        let location = c(went["location"].as_str().unwrap());
        let status = planetkey_login_complete(login, location.as_ptr(), &mut result, null_mut());
        assert_eq!(status, planetkey_status::Ok);
        assert_eq!(subject(result), "user|ada");
        planetkey_login_free(login);
        assert_eq!(
            (next.seen.into_inner().unwrap(), next.destroyed.into_inner()),
            (vec!["other_user".to_owned()], 1)
        );
        planetkey_session_free(session);
    }
}

#[test]
fn invalid_login_options_are_refused() {
    let _others = not_logging();
    let (_simulator, session) = start();
    let mut error = null_mut();
    let huge = CString::new(vec![b'a'; (1 << 20) + 1]).unwrap();
    let good = [c"planet".as_ptr(), c"openid".as_ptr()];
    unsafe {
        let options = planetkey_login_options_new();
        for method in [-1, 4, i32::MAX] {
            let status = planetkey_login_options_set_method(options, method, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
        }
        assert_eq!(
            planetkey_login_options_set_scopes(options, good.as_ptr(), 2, null_mut()),
            planetkey_status::Ok
        );
        for (scopes, count) in [
            ([null()].as_ptr(), 1),
            ([c"\xff".as_ptr()].as_ptr(), 1),
            (good.as_ptr(), usize::MAX),
            (null(), 1),
        ] {
            let status = planetkey_login_options_set_scopes(options, scopes, count, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
        }
        assert_eq!(
            planetkey_login_options_set_page(options, c"<p>".as_ptr(), null_mut()),
            planetkey_status::Ok
        );
        for page in [c"\xff", huge.as_c_str()] {
            let status = planetkey_login_options_set_page(options, page.as_ptr(), &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
        }
        assert_eq!(
            planetkey_login_options_set_force(options, true, null_mut()),
            planetkey_status::Ok
        );
        assert_eq!(
            planetkey_login_options_set_allow_other_user(options, true, null_mut()),
            planetkey_status::Ok
        );
        let user = User::default();
        let user_data = (&raw const user).cast_mut().cast();
        let status = planetkey_login_options_set_prompt(
            null_mut(),
            Some(show),
            user_data,
            Some(destroy),
            &mut error,
        );
        failure(status, planetkey_status::InvalidArgument, error);
        let status =
            planetkey_login_options_set_prompt(options, None, user_data, Some(destroy), null_mut());
        assert_eq!((status, user.destroyed.load(Ordering::SeqCst)), (planetkey_status::Ok, 2));
        for timeout_ms in [0, u32::MAX] {
            let mut login = null_mut();
            assert_eq!(
                planetkey_login_options_set_timeout_ms(options, timeout_ms, null_mut()),
                planetkey_status::Ok
            );
            let status =
                planetkey_session_start_device_login(session, options, &mut login, &mut error);
            failure(status, planetkey_status::InvalidArgument, error);
            assert!(login.is_null());
        }
        planetkey_login_options_free(options);
        planetkey_session_free(session);
    }
}

#[test]
fn the_user_is_returned_and_logged_out() {
    let _others = not_logging();
    let (simulator, session) = start();
    let seeded = simulator
        .seed_session(&json!({ "scope": "planet offline_access openid" }))
        .unwrap()
        .to_string();
    let file = simulator.home().join(".planet/planet-user/token.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, seeded).unwrap();
    let mut string = null_mut();
    let mut error = null_mut();
    unsafe {
        assert_eq!(
            planetkey_session_userinfo(session, &mut string, null_mut()),
            planetkey_status::Ok
        );
        assert!(taken(string).contains("simulator-user"));
        assert_eq!(
            planetkey_session_id_token_claims(session, &mut string, null_mut()),
            planetkey_status::Ok
        );
        assert!(taken(string).contains("simulator-user"));
        assert_eq!(
            planetkey_session_introspect(session, null(), &mut string, null_mut()),
            planetkey_status::Ok
        );
        assert!(taken(string).contains("\"active\":true"));
        assert_eq!(
            planetkey_session_introspect(session, c"other".as_ptr(), &mut string, null_mut()),
            planetkey_status::Ok
        );
        assert!(taken(string).contains("\"active\":false"));
        let status =
            planetkey_session_introspect(session, c"\xff".as_ptr(), &mut string, &mut error);
        assert_eq!(failure(status, planetkey_status::InvalidArgument, error), "token is not UTF-8");

        simulator.script("user.revoke", &json!([{ "status": 503 }])).unwrap();
        let (removed, revocation, revocation_error) = log_out(session);
        assert!(revocation_error.is_some_and(|error| !error.is_empty()));
        assert_eq!(
            (removed, text(planetkey_revocation_name(revocation as i32))),
            (true, "unknown")
        );
        assert_eq!(log_out(session), (false, planetkey_revocation::None, None));
        for call in [planetkey_session_userinfo, planetkey_session_id_token_claims] {
            let status = call(session, &mut string, &mut error);
            failure(status, planetkey_status::LoginRequired, error);
            assert!(string.is_null());
        }
        planetkey_session_free(session);
    }
}
