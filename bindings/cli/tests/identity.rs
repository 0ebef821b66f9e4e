//! The user who is logged in, and logout.

use crate::common::user::USER_TOKEN;
use crate::common::{Run, Scene, finish};
use planetkey::Status;
use serde_json::{Value, json};

fn run(scene: &Scene, arguments: &[&str]) -> Run {
    finish(&mut scene.bare(arguments), b"")
}

/// A user who has logged in with more scopes than needed.
fn ada(scene: &Scene) -> Value {
    let scope = "planet offline_access openid profile email";
    let session =
        scene.simulator.seed_session(&json!({"subject": "user|ada", "scope": scope})).unwrap();
    scene.file(USER_TOKEN, session.to_string());
    session
}

#[test]
fn userinfo_prints_the_claims_of_the_server() {
    let scene = Scene::new();
    ada(&scene);
    let told = run(&scene, &["userinfo", "--json"]);
    assert_eq!(
        told.json(),
        json!({"sub": "user|ada", "name": "ada", "email": "ada@example.com", "email_verified": true})
    );
    let shown = run(&scene, &["userinfo"]);
    assert_eq!((shown.code, shown.stderr.as_str()), (0, ""), "{shown:?}");
    assert!(
        shown.stdout.contains("email           ada@example.com\n")
            && shown.stdout.contains("sub             user|ada\n"),
        "{shown:?}"
    );
    assert_eq!(scene.simulator.count("user.userinfo").unwrap(), 2);
}

#[test]
fn introspect_takes_the_sessions_token_or_one_in_a_file() {
    let scene = Scene::new();
    let session = ada(&scene);
    let told = run(&scene, &["introspect", "--json"]).json();
    assert_eq!((&told["active"], &told["sub"]), (&json!(true), &json!("user|ada")));
    let token = session["refresh_token"].as_str().unwrap();
    let file = scene.file("token.txt", format!("{token}\n"));
    let told = run(&scene, &["introspect", "--token-file", file.to_str().unwrap(), "--json"]);
    assert_eq!(told.json()["active"], json!(true));
    assert!(!told.stdout.contains(token));
    let told = finish(&mut scene.bare(["introspect", "--json", "--token-file", "-"]), b"no-token");
    assert_eq!(told.json(), json!({"active": false}));
    assert!(run(&scene, &["introspect"]).stdout.starts_with("active"));
    finish(&mut scene.bare(["introspect", "--token-file", "-"]), b"")
        .failed(Status::InvalidArgument);
}

#[test]
fn status_names_the_user_without_network() {
    let scene = Scene::new();
    let session = ada(&scene);
    let shown = run(&scene, &["status"]);
    assert!(shown.stdout.contains("\n   user      ada@example.com\n"), "{}", shown.stdout);
    let told = run(&scene, &["status", "--json"]);
    let wanted =
        json!({"profile": "planet-user", "subject": "user|ada", "email": "ada@example.com"});
    assert_eq!(told.json()["logged_in"], wanted);
    for token in ["access_token", "refresh_token", "id_token"] {
        assert!(!told.stdout.contains(session[token].as_str().unwrap()));
    }
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
    run(&scene, &["logout", "--no-revoke"]).silent();
    assert_eq!(run(&scene, &["status", "--json"]).json()["logged_in"], Value::Null);
    assert!(!run(&scene, &["status"]).stdout.contains("   user "));
}

#[test]
fn userinfo_without_a_user_is_unsupported() {
    let scene = Scene::new();
    run(&scene, &["userinfo"]).failed(Status::LoginRequired);
    run(&scene, &["introspect"]).failed(Status::LoginRequired);
    let machine = scene.run(["userinfo"]);
    machine.failed(Status::LoginRequired);
    assert_eq!(scene.run(["status", "--json"]).json()["logged_in"], Value::Null);
    assert_eq!(scene.simulator.count("user.userinfo").unwrap(), 0);
}

#[test]
fn a_logout_says_whether_the_refresh_token_was_revoked() {
    let scene = Scene::new();
    let alive = |session: &Value| {
        scene.simulator.session_of(session["refresh_token"].as_str().unwrap()).unwrap()["active"]
            .as_bool()
            .unwrap()
    };
    let session = ada(&scene);
    assert_eq!(
        run(&scene, &["logout"]).silent(),
        "planetkey: logged out, and the refresh token was revoked\n"
    );
    assert!(!alive(&session) && !scene.has(USER_TOKEN));

    let session = ada(&scene);
    assert_eq!(run(&scene, &["logout", "--no-revoke"]).silent(), "planetkey: logged out\n");
    assert!(alive(&session) && !scene.has(USER_TOKEN));
    assert_eq!(scene.simulator.count("user.revoke").unwrap(), 1);

    let session = ada(&scene);
    assert_eq!(
        run(&scene, &["logout", "--json"]).json(),
        json!({"removed": true, "revocation": "revoked", "revocation_error": null})
    );
    assert!(!alive(&session));
    let logged_out = json!({"removed": false, "revocation": "none", "revocation_error": null});
    assert_eq!(run(&scene, &["logout", "--json"]).json(), logged_out);

    // A logout succeeds although the server cannot be reached.
    scene
        .simulator
        .script("user.revoke", &json!({"steps": [{"status": 503}], "repeat": true}))
        .unwrap();
    let session = ada(&scene);
    let out = run(&scene, &["logout"]);
    let said = out.silent();
    assert!(
        said.starts_with(
            "planetkey: logged out\nplanetkey: note: the refresh token may still be valid, because the server did not confirm"
        ),
        "{said}"
    );
    assert!(alive(&session) && !scene.has(USER_TOKEN));
    ada(&scene);
    let out = run(&scene, &["logout", "--json"]);
    let told: Value = serde_json::from_str(&out.stdout).unwrap();
    assert_eq!((out.code, &told["revocation"]), (0, &json!("unknown")));
    assert!(!told["revocation_error"].as_str().unwrap().is_empty());
}

/// The command in the message names the missing scope and all others.
#[test]
fn without_openid_the_message_names_a_login_with_all_scopes() {
    let scene = Scene::new();
    scene.saved("user|ada", 0);
    let refused = run(&scene, &["userinfo"]);
    let message = refused.failed(Status::Misconfigured);
    let command = message.split('`').nth(1).unwrap_or_else(|| panic!("{message}"));
    assert_eq!(
        command,
        "planetkey login --profile planet-user --force --scope planet --scope offline_access --scope openid --scope profile --scope email"
    );
}
