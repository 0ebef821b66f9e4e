//! How a login chooses its method: browser, device code or pasted address.

use super::scene::*;
use planetkey::login::{BrowserOpener, LoginOptions, Method};
use planetkey::{Prompt, PromptKind, QrCodeStyle, Reason, Session, Status};
use serde_json::json;
use std::sync::{Arc, Mutex};

/// A browser whose user logs in at once.
struct Browser {
    scene: Arc<Scene>,
    can_open: bool,
    works: bool,
    opened: Mutex<Vec<String>>,
}

impl BrowserOpener for Browser {
    fn can_open(&self) -> bool {
        self.can_open
    }

    fn open(&self, url: &str) -> bool {
        self.opened.lock().unwrap().push(url.to_owned());
        if self.works && url.contains("response_type=code") {
            let location = self.scene.simulator.log_in(&json!({"authorization_url": url})).unwrap()
                ["location"]
                .as_str()
                .unwrap()
                .to_owned();
            let (port, request) = get(&location);
            // The thread that waits for the login serves this request.
            std::mem::forget(send(port, &request));
        }
        self.works
    }
}

fn browser(scene: &Arc<Scene>, can_open: bool, works: bool) -> Arc<Browser> {
    Arc::new(Browser { scene: scene.clone(), can_open, works, opened: Mutex::default() })
}

/// Returns login options whose prompt handler acts as a user who logs in, and the prompts that it
/// got.
fn prompter(scene: &Arc<Scene>) -> (Arc<Mutex<Vec<Prompt>>>, LoginOptions) {
    let shown: Arc<Mutex<Vec<Prompt>>> = Arc::default();
    let (scene, seen) = (scene.clone(), shown.clone());
    let prompter = move |prompt: &Prompt| {
        seen.lock().unwrap().push(prompt.clone());
        Ok(match prompt.kind {
            PromptKind::Device => {
                scene.simulator.log_in(&json!({"user_code": prompt.user_code})).unwrap();
                None
            }
            PromptKind::Paste => {
                let answer =
                    scene.simulator.log_in(&json!({"authorization_url": prompt.url})).unwrap();
                answer["location"].as_str().map(str::to_owned)
            }
            _ => None,
        })
    };
    (shown, LoginOptions::default().with(|it| it.prompter = Some(Arc::new(prompter))))
}

fn kinds(shown: &Mutex<Vec<Prompt>>) -> Vec<PromptKind> {
    shown.lock().unwrap().iter().map(|prompt| prompt.kind).collect()
}

#[test]
fn a_valid_session_is_unchanged_and_an_expired_one_refreshed() {
    let scene = Arc::new(Scene::new());
    scene.seed("user|ada");
    assert!(!scene.user().login(&LoginOptions::default()).unwrap().prompted);
    assert_eq!(scene.simulator.count("user.token").unwrap(), 0);
    let expired =
        scene.simulator.seed_session(&json!({"subject": "user|ada", "lifetime": 0})).unwrap();
    std::fs::write(scene.token_file("planet-user"), expired.to_string()).unwrap();
    let refreshed = scene.user().login(&LoginOptions::default()).unwrap();
    assert_eq!((refreshed.prompted, refreshed.subject.as_deref()), (false, Some("user|ada")));
    assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
    // A failing server is no reason to prompt the user.
    let expired =
        scene.simulator.seed_session(&json!({"subject": "user|ada", "lifetime": 0})).unwrap();
    std::fs::write(scene.token_file("planet-user"), expired.to_string()).unwrap();
    scene
        .simulator
        .script("user.token", &json!({"steps": [{"status": 503}], "repeat": true}))
        .unwrap();
    let (shown, options) = prompter(&scene);
    assert_eq!(scene.user().login(&options).unwrap_err().status(), Status::Unavailable);
    assert_eq!(kinds(&shown), []);
}

/// Servers refuse a refresh token in different ways: Dex with invalid_request, glewlwyd with an
/// empty body, gateways with an HTML page.
#[test]
fn i10_04_a_refused_refresh_starts_a_login() {
    for refusal in [
        json!({"status": 400, "json": {"error": "invalid_request"}}),
        json!({"status": 400, "body": ""}),
        json!({"status": 401, "body": "<html>401</html>", "headers": {"Content-Type": "text/html"}}),
        json!({"status": 403, "body": "<html>403</html>", "headers": {"Content-Type": "text/html"}}),
    ] {
        let scene = Arc::new(Scene::new());
        let expired =
            scene.simulator.seed_session(&json!({"subject": "user|ada", "lifetime": 0})).unwrap();
        std::fs::create_dir_all(scene.token_file("planet-user").parent().unwrap()).unwrap();
        std::fs::write(scene.token_file("planet-user"), expired.to_string()).unwrap();
        scene.simulator.script("user.token", &json!({"steps": [refusal]})).unwrap();
        let (shown, options) = prompter(&scene);
        let options = options.with(|it| it.allow_other_user = true);
        assert!(scene.user().login(&options).unwrap().prompted, "{refusal}");
        assert_eq!(kinds(&shown), [PromptKind::Device], "{refusal}");
    }
}

/// The access token is still valid, and the server has revoked the refresh token.
#[test]
fn i10_05_a_revoked_session_is_not_initialized_and_needs_a_login() {
    let scene = Arc::new(Scene::new());
    let seeded =
        scene.simulator.seed_session(&json!({"subject": "user|ada", "lifetime": 3600})).unwrap();
    std::fs::create_dir_all(scene.token_file("planet-user").parent().unwrap()).unwrap();
    std::fs::write(scene.token_file("planet-user"), seeded.to_string()).unwrap();
    scene
        .simulator
        .script(
            "user.token",
            &json!({"steps": [{"status": 400, "json": {"error": "invalid_grant"}}]}),
        )
        .unwrap();
    let session = scene.user();
    assert_eq!(session.refresh().unwrap_err().reason(), Some(Reason::Revoked));
    // Another process sees that the refresh token is recorded as revoked.
    let mut expired = seeded.clone();
    (expired["_iat"], expired["_exp"]) = (json!(1_000_000_000), json!(1_000_003_600));
    expired["access_token"] = json!("opaque-and-expired");
    for (document, valid) in [(&seeded, true), (&expired, false)] {
        std::fs::write(scene.token_file("planet-user"), document.to_string()).unwrap();
        let session = scene.user();
        session.status();
        assert_eq!((session.is_initialized(), session.status().is_initialized()), (valid, valid));
        let (shown, options) = prompter(&scene);
        let options = options.with(|it| it.allow_other_user = true);
        assert!(session.login(&options).unwrap().prompted, "{document}");
        assert_eq!(kinds(&shown), [PromptKind::Device]);
        assert!(scene.user().is_initialized());
    }
}

#[test]
fn a_browser_is_used_if_one_can_be_opened_and_the_client_allows_it() {
    let scene = Arc::new(Scene::new());
    let (shown, options) = prompter(&scene);
    let opener = browser(&scene, true, true);
    let options = options.with(|it| it.browser_opener = Some(opener.clone()));
    let logged_in = scene.desktop().login(&options).unwrap();
    assert!(logged_in.prompted && logged_in.file.is_some());
    assert_eq!(kinds(&shown), [PromptKind::Browser]);
    assert!(shown.lock().unwrap()[0].browser_opened);
    // A client without a redirect URI shows the device code, and also opens its page in the
    // browser.
    let logged_in = scene.user().login(&options).unwrap();
    assert!(logged_in.prompted);
    assert_eq!(kinds(&shown), [PromptKind::Browser, PromptKind::Device]);
    assert_eq!(opener.opened.lock().unwrap().len(), 2);
}

#[test]
fn f121_without_a_browser_a_device_code_is_shown() {
    let scene = Arc::new(Scene::new());
    for (can_open, works, open_browser) in
        [(false, true, None), (true, false, None), (true, true, Some(false))]
    {
        let (shown, options) = prompter(&scene);
        let opener = browser(&scene, can_open, works);
        let options = options.with(|it| {
            it.browser_opener = Some(opener);
            it.open_browser = open_browser;
            it.force = true;
        });
        assert!(scene.desktop().login(&options).unwrap().prompted);
        assert_eq!(kinds(&shown), [PromptKind::Device]);
        let prompt = shown.lock().unwrap()[0].clone();
        assert!(prompt.message.contains(prompt.url.as_deref().unwrap()));
        assert!(prompt.message.contains(prompt.user_code.as_deref().unwrap()));
    }
}

#[test]
fn the_address_is_pasted_if_the_client_may_not_use_device_codes() {
    let scene = Arc::new(Scene::new());
    scene
        .simulator
        .register_client(&json!({"client_id": "browser-only", "public": true, "server": "user", "redirect_uris": [V4],
            "grant_types": ["authorization_code", "refresh_token"]}))
        .unwrap();
    let (shown, options) = prompter(&scene);
    let session = scene.desktop_with(&json!({"client_id": "browser-only"}));
    let logged_in = session.login(&options.with(|it| it.open_browser = Some(false))).unwrap();
    assert!(logged_in.prompted);
    assert_eq!(kinds(&shown), [PromptKind::Paste]);
}

#[test]
fn without_a_prompt_handler_the_error_says_what_to_do() {
    let scene = Arc::new(Scene::new());
    let opener = browser(&scene, false, false);
    for session in [scene.user(), scene.desktop()] {
        let options = LoginOptions::default().with(|it| it.browser_opener = Some(opener.clone()));
        let error = session.login(&options).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::NeverLoggedIn)),
            "{error}"
        );
        assert!(
            error.message().contains("no prompt handler was provided; pass one, or log in"),
            "{error}"
        );
    }
    let only_browser = LoginOptions::default().with(|it| {
        it.browser_opener = Some(opener);
        it.method = Method::Browser;
    });
    assert_eq!(scene.desktop().login(&only_browser).unwrap_err().status(), Status::LoginRequired);
}

#[test]
fn scopes_that_were_not_granted_require_a_login() {
    let scene = Arc::new(Scene::new());
    scene.seed("simulator-user");
    let scopes = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let (shown, options) = prompter(&scene);
    let options = options.with(|it| {
        it.open_browser = Some(false);
        it.scopes = scopes(&["planet"]);
    });
    assert!(!scene.user().login(&options).unwrap().prompted);
    let options = options.with(|it| it.scopes = scopes(&["planet", "offline_access", "openid"]));
    assert!(scene.user().login(&options).unwrap().prompted);
    assert_eq!(kinds(&shown), [PromptKind::Device]);
    let wrong = options.with(|it| it.scopes = scopes(&["two words"]));
    assert_eq!(scene.user().login(&wrong).unwrap_err().status(), Status::InvalidArgument);
}

#[test]
fn a_session_without_a_user_needs_no_prompt() {
    let scene = Arc::new(Scene::new());
    let m2m = crate::common::simulator_session(&scene.simulator, &scene.options());
    assert!(!m2m.login(&LoginOptions::default()).unwrap().prompted);
    let key = Session::from_api_key(
        "PLAK0123456789",
        planetkey::ApiKeyTransport::Basic,
        &scene.options(),
    )
    .unwrap();
    assert!(!key.login(&LoginOptions::default()).unwrap().prompted);
    assert_eq!(
        m2m.start_device_login(&LoginOptions::default()).unwrap_err().status(),
        Status::Unsupported
    );
    assert_eq!(m2m.userinfo().unwrap_err().status(), Status::Unsupported);
}

#[test]
fn f132_a_qr_code_is_drawn_in_blocks_or_in_ascii() {
    let scene = Arc::new(Scene::new());
    let login = scene.user().start_device_login(&LoginOptions::default()).unwrap();
    let (blocks, plain) =
        (login.qr_code(QrCodeStyle::Blocks).unwrap(), login.qr_code(QrCodeStyle::Ascii).unwrap());
    assert!(plain.is_ascii() && !blocks.is_ascii());
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(widest(&blocks) <= 60, "{}", widest(&blocks));
    assert_eq!(plain.lines().count(), blocks.lines().count() * 2 - plain.lines().count() % 2);
}
