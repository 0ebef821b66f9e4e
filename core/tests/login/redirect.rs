//! The browser's redirect, and what the login saves.

use super::scene::*;
use planetkey::login::LoginOptions;
use planetkey::{Prompt, PromptKind, Reason, Status};
use serde_json::json;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn f123_a_second_redirect_is_harmless_and_the_code_is_sent_once() {
    let scene = Scene::new();
    scene.simulator.script("user.token", &json!({"steps": [{"hold": "exchange"}]})).unwrap();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    let first = send(port, &request);
    let served = std::thread::spawn({
        let login = login.clone();
        move || login.wait(None)
    });
    assert!(scene.simulator.wait_held("exchange", 1, std::time::Duration::from_secs(30)));
    // The user reloads the page during the code exchange.
    let mut second = send(port, &request);
    scene.simulator.release("exchange");
    served.join().unwrap().unwrap();
    for (stream, title) in [(first, "You are logged in"), (second.try_clone().unwrap(), "finished")]
    {
        let mut stream = stream;
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.contains(title), "{text}");
    }
    let _ = second.read(&mut [0]);
    assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
}

#[test]
fn f129_a_user_who_refuses_is_denied() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({"allow": false})));
    assert!(exchange(&login, port, &request).contains("denied"));
    let error = login.poll().unwrap_err();
    assert_eq!((error.status(), error.oauth_error()), (Status::Denied, Some("access_denied")));
    assert!(!scene.token_file("desktop").exists());
}

#[test]
fn f130_another_user_is_reported_before_the_session_is_replaced() {
    let scene = Arc::new(Scene::new());
    scene.seed("user|ada");
    let file = scene.token_file("planet-user");
    let before = std::fs::read(&file).unwrap();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let answering = |reply: &'static str| {
        let (scene, asked, file, before) =
            (scene.clone(), asked.clone(), file.clone(), before.clone());
        let prompter = move |prompt: &Prompt| {
            if prompt.kind == PromptKind::Device {
                scene
                    .simulator
                    .log_in(&json!({"user_code": prompt.user_code, "username": "bob"}))
                    .unwrap();
                return Ok(None);
            }
            assert_eq!(std::fs::read(&file).unwrap(), before);
            asked.lock().unwrap().push(prompt.message.clone());
            Ok(Some(reply.to_owned()))
        };
        LoginOptions::default().with(|it| {
            it.force = true;
            it.open_browser = Some(false);
            it.prompter = Some(Arc::new(prompter));
        })
    };
    let error = scene.user().login(&answering("no")).unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::Denied, Some(Reason::OtherUser)));
    assert_eq!(std::fs::read(&file).unwrap(), before);
    // The unused session is revoked.
    let alive =
        || scene.simulator.sessions().iter().filter(|family| family["active"] == true).count();
    crate::common::eventually(|| alive() == 1);
    let logged_in = scene.user().login(&answering("yes")).unwrap();
    assert_eq!(logged_in.subject.as_deref(), Some("user|bob"));
    assert_ne!(std::fs::read(&file).unwrap(), before);
    assert!(
        asked
            .lock()
            .unwrap()
            .iter()
            .all(|question| question.contains("ada") && question.contains("bob"))
    );
    // A login of the same user again asks for no confirmation.
    scene.user().login(&answering("no")).unwrap();
}

#[test]
fn f131_the_whole_address_may_be_pasted() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let location = scene.browse(&login, json!({}));
    for nonsense in [
        "",
        "code",
        "https://evil.example/callback?code=c&state=s",
        &location.replace("state=", "state=x"),
    ] {
        let error = login.complete(nonsense).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{nonsense}");
        assert!(!error.message().contains("code="), "{error}");
    }
    let logged_in = login.complete(&format!("  {location}#\n")).unwrap();
    assert_eq!(logged_in.subject.as_deref(), Some("simulator-user"));
    assert_eq!(
        login.complete(&location).unwrap().subject,
        logged_in.subject,
        "nothing is sent again"
    );
    assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
}

#[test]
fn f055_a_device_login_polls_less_often_without_a_network() {
    let scene = Scene::new();
    let (runtime, clock) = crate::common::real_network();
    let options = scene.options().with(|it| it.runtime = runtime);
    let session = planetkey::Session::from_profile("planet-user", &options).unwrap();
    scene
        .simulator
        .script("user.device", &json!({"steps": [{"device_response": {"set": {"interval": 5}}}]}))
        .unwrap();
    let login = session.start_device_login(&LoginOptions::default()).unwrap();
    scene
        .simulator
        .script(
            "user.token",
            &json!({"steps": [{"fault": "reset_after_read"}, {"fault": "reset_after_read"}]}),
        )
        .unwrap();
    let mut waits = Vec::new();
    for _ in 0..2 {
        assert!(login.poll().unwrap().is_none());
        clock.advance(login.poll_interval());
        assert!(login.poll().unwrap().is_none());
        waits.push(login.poll_interval());
    }
    assert!(
        waits[0] >= Duration::from_secs(10) && waits[1] >= Duration::from_secs(20),
        "{waits:?}"
    );
    scene.simulator.log_in(&json!({"user_code": login.user_code()})).unwrap();
    assert!(login.wait(None).is_ok());
}

#[test]
fn the_authorization_url_holds_no_verifier_or_secret() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let url = url::Url::parse(login.authorization_url()).unwrap();
    let names: Vec<_> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert!(
        !names.iter().any(|name| name.contains("verifier") || name.contains("secret")),
        "{names:?}"
    );
    assert!(format!("{login:?}").find("state").is_none());
}
