//! Signatures of ID tokens, and logins that fail after the server has issued tokens.

use super::scene::*;
use planetkey::login::LoginOptions;
use planetkey::{DeviceLogin, Error, LoginResult, Reason, Result, Session, Status};
use serde_json::{Value, json};
use std::time::Duration;

type LogIn<'a> = Box<dyn Fn() -> Result<LoginResult> + 'a>;

/// Returns every method to log in, with a user who does all that the server asks.
fn logins(scene: &Scene) -> [(&'static str, LogIn<'_>); 3] {
    let browser = || {
        let login = start(&scene.desktop());
        let (port, request) = get(&scene.browse(&login, json!({})));
        exchange(&login, port, &request);
        login.poll().map(|logged_in| logged_in.expect("the browser was served"))
    };
    let paste = || {
        let login = start(&scene.desktop());
        login.complete(&scene.browse(&login, json!({})))
    };
    let device = || {
        let login = device(scene);
        scene.simulator.log_in(&json!({"user_code": login.user_code()})).unwrap();
        login.wait(None)
    };
    [("browser", Box::new(browser)), ("paste", Box::new(paste)), ("device", Box::new(device))]
}

fn device(scene: &Scene) -> DeviceLogin {
    let scopes = Some(SCOPES.map(str::to_owned).to_vec());
    scene.user().start_device_login(&LoginOptions::default().with(|it| it.scopes = scopes)).unwrap()
}

fn sessions(scene: &Scene) -> [Session; 2] {
    [scene.desktop(), scene.user()]
}

/// Returns what has been revoked so far, in order: the hint, and whether the token was of the last
/// login.
fn revoked(scene: &Scene, number: u64) -> Vec<String> {
    assert!(scene.simulator.wait_for("user.revoke", number, Duration::from_secs(30)).unwrap());
    let requests = scene.simulator.requests("user.revoke").unwrap();
    let field = |request: &Value, name: &str| {
        let fields = request["form"].as_array().unwrap();
        fields.iter().find(|field| field[0] == name).unwrap()[1].as_str().unwrap().to_owned()
    };
    let hint = |request: &Value| field(request, "token_type_hint");
    requests.iter().map(hint).collect()
}

fn changed(members: Value) -> Value {
    json!({"steps": [{"token_response": members}], "repeat": true})
}

#[test]
fn i10_07_id_tokens_use_an_algorithm_that_the_server_announces() {
    for algorithms in [&["ES256"][..], &["PS256", "RS256"], &["EdDSA", "ES256"], &["RS256"], &[]] {
        let scene = Scene::new();
        scene.simulator.change_settings(&json!({"id_token_algorithms": algorithms})).unwrap();
        for (way, log_in) in logins(&scene) {
            let logged_in =
                log_in().unwrap_or_else(|error| panic!("{way} {algorithms:?}: {error}"));
            assert_eq!(logged_in.subject.as_deref(), Some("simulator-user"), "{way}");
        }
        for session in sessions(&scene) {
            assert_eq!(
                session.id_token_claims().unwrap()["sub"],
                "simulator-user",
                "{algorithms:?}"
            );
        }
        assert_eq!(scene.simulator.count("user.revoke").unwrap(), 0);
    }
}

/// The server changed its algorithm: a process that is already running reads the metadata again.
#[test]
fn i10_07_a_new_algorithm_is_found_in_newer_metadata() {
    let scene = Scene::new();
    let (runtime, clock) = crate::common::real_network();
    let session =
        Session::from_profile("planet-user", &scene.options().with(|it| it.runtime = runtime))
            .unwrap();
    let log_in = || {
        let scopes = Some(SCOPES.map(str::to_owned).to_vec());
        let login = session
            .start_device_login(&LoginOptions::default().with(|it| it.scopes = scopes))
            .unwrap();
        scene.simulator.log_in(&json!({"user_code": login.user_code()})).unwrap();
        login.wait(None)
    };
    log_in().unwrap();
    scene.simulator.change_settings(&json!({"id_token_algorithms": ["ES256"]})).unwrap();
    clock.advance(Duration::from_secs(30));
    assert_eq!(
        log_in().unwrap_err().reason(),
        Some(Reason::BadAlgorithm),
        "it was read a moment ago"
    );
    clock.advance(Duration::from_secs(15 * 60));
    log_in().unwrap();
}

#[test]
fn i10_07_an_algorithm_that_is_not_announced_is_refused() {
    let announced = |algorithms: Value| json!({"steps": [{"metadata_response": {"set": {"id_token_signing_alg_values_supported": algorithms}}}], "repeat": true});
    for (announces, signs, tokens, found) in [
        (json!(["RS256"]), json!(["ES256"]), json!({}), "'ES256'"),
        (json!(["ES256"]), json!(["RS256"]), json!({}), "'RS256'"),
        (json!(["ES256", "RS256"]), json!(["EdDSA"]), json!({}), "'EdDSA'"),
        // No server may sign with these.
        (json!(["none", "HS256"]), json!(["RS256"]), json!({"id_token_key": "none"}), "'none'"),
        (
            json!(["HS256", "ES256"]),
            json!(["ES256"]),
            json!({"id_token_header": {"alg": "HS256"}}),
            "'HS256'",
        ),
        // The algorithm must fit the key and not only the header.
        (
            json!(["RS256", "ES256"]),
            json!(["ES256"]),
            json!({"id_token_header": {"alg": "RS256"}}),
            "algorithm is not that of the key",
        ),
        (
            json!(["RS256", "PS256"]),
            json!(["PS256"]),
            json!({"id_token_header": {"alg": "RS256"}}),
            "algorithm is not that of the key",
        ),
    ] {
        let scene = Scene::new();
        scene.simulator.change_settings(&json!({"id_token_algorithms": signs})).unwrap();
        scene.simulator.script("user.metadata", &announced(announces.clone())).unwrap();
        scene.simulator.script("user.token", &changed(tokens)).unwrap();
        for (way, log_in) in logins(&scene) {
            let error = log_in().unwrap_err();
            assert_eq!(
                (error.status(), error.reason()),
                (Status::TokenInvalid, Some(Reason::BadAlgorithm)),
                "{way} {announces}"
            );
            assert!(error.message().contains(found), "{way}: {error}");
        }
        assert!(!scene.token_file("desktop").exists() && !scene.token_file("planet-user").exists());
    }
}

#[test]
fn i10_07_a_failed_login_revokes_its_tokens() {
    type Expected = fn(&Error) -> bool;
    let failures: [(Value, Expected); 8] = [
        (json!({"id_token_key": "other"}), |error| error.reason() == Some(Reason::BadSignature)),
        (json!({"id_token_claims": {"aud": "another"}}), |error| {
            error.reason() == Some(Reason::BadAudience)
        }),
        (json!({"id_token_claims": {"iss": "https://evil.example"}}), |error| {
            error.reason() == Some(Reason::BadIssuer)
        }),
        (json!({"set": {"id_token": "x"}}), |error| error.reason() == Some(Reason::Malformed)),
        // A response with unusable tokens contains the tokens nevertheless, and they are revoked.
        (json!({"set": {"token_type": "mac"}}), |error| error.message().contains("'mac'")),
        (json!({"remove": ["token_type"]}), |error| error.message().contains("token_type")),
        (json!({"set": {"expires_in": "Infinity"}}), |error| {
            error.message().contains("expires_in")
        }),
        (json!({"set": {"expires_in": 0}}), |error| {
            error.reason() == Some(Reason::LifetimeUnusable)
        }),
    ];
    for (members, is_expected) in failures {
        let scene = Scene::new();
        scene.simulator.script("user.token", &changed(members.clone())).unwrap();
        for (number, (way, log_in)) in logins(&scene).into_iter().enumerate() {
            let error = log_in().unwrap_err();
            assert!(is_expected(&error), "{way} {members}: {error}");
            let both = ["refresh_token", "access_token"];
            assert_eq!(
                revoked(&scene, 2 * (number as u64 + 1))[2 * number..],
                both,
                "{way} {members}"
            );
        }
        let ended: Vec<Value> =
            scene.simulator.sessions().iter().map(|family| family["revoked"].clone()).collect();
        assert_eq!(ended, ["revocation", "revocation", "revocation"], "{members}");
    }
}

/// The nonce is that of another login: the ID token was injected.
#[test]
fn i10_07_a_wrong_nonce_revokes_also_an_access_token_alone() {
    let scene = Scene::new();
    scene
        .simulator
        .script("user.token", &changed(json!({"id_token_claims": {"nonce": "another"}})))
        .unwrap();
    let session = scene.desktop_with(&json!({"scopes": ["planet", "openid"]}));
    let login = start(&session);
    let error = login.complete(&scene.browse(&login, json!({}))).unwrap_err();
    assert_eq!(error.reason(), Some(Reason::BadNonce));
    assert_eq!(revoked(&scene, 1), ["access_token"], "offline_access was not requested");
}

#[test]
fn i10_07_a_failed_revocation_does_not_replace_the_error_of_the_login() {
    for step in
        [json!({"status": 503}), json!({"status": 400}), json!({"fault": "reset_after_read"})]
    {
        let scene = Scene::new();
        scene.simulator.change_settings(&json!({"id_token_algorithms": ["ES256"]})).unwrap();
        scene.simulator.script("user.token", &changed(json!({"id_token_key": "other"}))).unwrap();
        scene.simulator.script("user.revoke", &json!({"steps": [step], "repeat": true})).unwrap();
        for (way, log_in) in logins(&scene) {
            assert_eq!(log_in().unwrap_err().reason(), Some(Reason::BadSignature), "{way}");
        }
    }
}

/// The login is cancelled just before the server responds. The late tokens are revoked, and the
/// process ends only after that.
#[test]
fn i10_07_a_cancelled_login_revokes_tokens_that_arrive_late() {
    let scene = Scene::new();
    scene.simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let login = device(&scene);
    scene.simulator.log_in(&json!({"user_code": login.user_code()})).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| login.wait(None));
        assert!(scene.simulator.wait_held("gate", 1, Duration::from_secs(30)));
        login.cancel();
        assert_eq!(waiting.join().unwrap().unwrap_err().status(), Status::Cancelled);
    });
    assert!(!planetkey::session::settle(std::time::Duration::ZERO), "the request is in progress");
    scene.simulator.release("gate");
    assert_eq!(revoked(&scene, 2), ["refresh_token", "access_token"]);
    assert!(!scene.token_file("planet-user").exists());
}
