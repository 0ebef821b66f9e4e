//! A program that waits for a login can cancel it.

use crate::common::*;
use planetkey::login::Method;
use planetkey::{BrowserLogin, DeviceLogin, LoginOptions, Prompt, PromptKind, Session, Status};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

#[test]
fn f108_the_interrupt_of_a_session_cancels_every_kind_of_login() {
    let simulator = simulator();
    let options = simulator_options(&simulator).with(|it| it.save = Some(false));
    let session = Session::from_profile("planet-user", &options).unwrap();
    for method in [Method::Auto, Method::Browser, Method::Device, Method::Paste] {
        let cancelled = Arc::new(AtomicBool::new(false));
        let (is_cancelled, cancels) = (cancelled.clone(), cancelled);
        let prompter = move |_: &Prompt| {
            assert!(!cancels.swap(true, Ordering::SeqCst), "prompted again");
            Ok(Some("no address".to_owned()))
        };
        let session = session.with_interrupt(Arc::new(move || is_cancelled.load(Ordering::SeqCst)));
        let options = LoginOptions::default().with(|it| {
            it.method = method;
            it.open_browser = Some(false);
            it.prompter = Some(Arc::new(prompter));
        });
        assert_eq!(session.login(&options).unwrap_err().status(), Status::Cancelled, "{method:?}");
    }
    assert_eq!(simulator.count("user.sessions").unwrap(), 0);
}

/// A prompt stays open until the user responds. A program that cancels the login meanwhile must not
/// wait for the user.
#[test]
fn a_login_can_be_cancelled_during_the_prompt_about_another_user() {
    let simulator = simulator();
    let file = simulator.home().join(".planet/planet-user/token.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, simulator.seed_session(&json!({})).unwrap().to_string()).unwrap();
    let before = std::fs::read(&file).unwrap();
    let root = simulator.home().to_string_lossy().into_owned();
    let session = Session::from_profile(
        "planet-user",
        &simulator_options(&simulator).with(|it| it.storage_root = Some(root.into())),
    )
    .unwrap();
    let logins: Arc<OnceLock<(BrowserLogin, DeviceLogin)>> = Arc::default();
    let with_prompt = |in_browser: bool| {
        let logins = logins.clone();
        let prompter = move |prompt: &Prompt| {
            assert_eq!(prompt.kind, PromptKind::OtherUser);
            let (browser, device) = logins.get().unwrap();
            if in_browser {
                browser.cancel();
                assert_eq!(browser.poll().unwrap_err().status(), Status::Cancelled);
            } else {
                device.cancel();
                assert_eq!(device.wait(None).unwrap_err().status(), Status::Cancelled);
            }
            Ok(Some("yes".to_owned()))
        };
        LoginOptions::default().with(|it| it.prompter = Some(Arc::new(prompter)))
    };
    let browser = session.start_browser_login(&with_prompt(true)).unwrap();
    let device = session.start_device_login(&with_prompt(false)).unwrap();
    logins.set((browser.clone(), device.clone())).unwrap();
    let went = simulator
        .log_in(&json!({"authorization_url": browser.authorization_url(), "username": "ada"}))
        .unwrap();
    simulator.log_in(&json!({"user_code": device.user_code(), "username": "ada"})).unwrap();
    for outcome in [browser.complete(went["location"].as_str().unwrap()), device.wait(None)] {
        assert_eq!(outcome.unwrap_err().status(), Status::Cancelled);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    // The unused session is revoked, and the caller that cancels does not wait for that.
    let alive = || {
        simulator
            .sessions()
            .into_iter()
            .filter(|family| family["active"] == true)
            .collect::<Vec<_>>()
    };
    eventually(|| alive().len() == 1);
    assert_eq!(alive()[0]["subject"], "simulator-user");
}

/// A signal handler may call the login that its thread waits for, because the prompt runs outside
/// all locks.
#[test]
fn an_interrupt_callback_may_cancel_its_own_login() {
    let simulator = simulator();
    let session = Session::from_profile(
        "planet-user",
        &simulator_options(&simulator).with(|it| it.save = Some(false)),
    )
    .unwrap();
    let browser = session.start_browser_login(&LoginOptions::default()).unwrap();
    let device = session.start_device_login(&LoginOptions::default()).unwrap();
    let (one, other) = (browser.clone(), device.clone());
    let interrupt: planetkey::Interrupt = Arc::new(move || {
        one.cancel();
        other.cancel();
        let _ = (one.poll(), other.poll());
        false
    });
    assert_eq!(
        browser.with_interrupt(interrupt.clone()).wait(None).unwrap_err().status(),
        Status::Cancelled
    );
    assert_eq!(
        device.with_interrupt(interrupt).wait(None).unwrap_err().status(),
        Status::Cancelled
    );
}
