//! The control API over HTTP.

use std::thread;

use crate::common::*;
use planetkey_simulator::Simulator;
use serde_json::{Value, json};

fn post(simulator: &Simulator, path: &str, body: Value) -> Response {
    post_json(&format!("{}{path}", simulator.control()), &body)
}

fn read(simulator: &Simulator, path: &str) -> Value {
    let response = get(&format!("{}{path}", simulator.control()));
    assert_eq!(response.status, 200, "{path}: {response:?}");
    response.json()
}

#[test]
fn scripts_log_and_counters() {
    let simulator = start();
    let script = json!({"target": "m2m.token", "steps": [{"status": 503}]});
    assert_eq!(post(&simulator, "/script", script).status, 200);
    assert_eq!(ask_token(&simulator, &[]).status, 503);
    assert_eq!(ask_token(&simulator, &[]).status, 200);
    let counters = read(&simulator, "/counters");
    assert_eq!(counters["m2m.token"], 2);
    assert_eq!(counters["m2m.token.issued"], 1);
    assert_eq!(counters["connections"], 2, "control connections do not count");
    let log = read(&simulator, "/requests?target=m2m.token");
    assert_eq!((&log[0]["status"], &log[1]["status"]), (&json!(503), &json!(200)));
    assert_eq!(read(&simulator, "/requests").as_array().unwrap().len(), 2);
    assert_eq!(post(&simulator, "/reset", json!({})).status, 200);
    assert_eq!(read(&simulator, "/counters")["m2m.token"], 0);
    assert_eq!(read(&simulator, "/requests"), json!([]));
}

#[test]
fn holds_and_waiting() {
    let simulator = start();
    let script = json!({"target": "m2m.token", "steps": [{"hold": "gate"}]});
    post(&simulator, "/script", script);
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask_token(&simulator, &[]).status);
        let waited = read(&simulator, "/wait?target=m2m.token&count=1&timeout_ms=20000");
        assert_eq!(waited, json!({"reached": true, "count": 1}));
        let waited = read(&simulator, "/wait?held=gate&count=1&timeout_ms=20000");
        assert_eq!(waited["reached"], true);
        assert_eq!(read(&simulator, "/held"), json!({"gate": 1}));
        post(&simulator, "/release", json!({"hold": "gate"}));
        assert_eq!(asking.join().unwrap(), 200);
    });
    let waited = read(&simulator, "/wait?target=m2m.token&count=2&timeout_ms=1");
    assert_eq!(waited, json!({"reached": false, "count": 1}));
}

#[test]
fn settings_clients_tokens_and_revocation() {
    let simulator = start();
    let settings = post(&simulator, "/settings", json!({"token_lifetime": 9})).json();
    assert_eq!(settings, read(&simulator, "/settings"));
    assert_eq!(settings["token_lifetime"], 9);
    // The settings that are read can be written again.
    assert_eq!(post(&simulator, "/settings", settings.clone()).json(), settings);
    let client = json!({"client_id": "more", "client_secret": "secret"});
    assert_eq!(post(&simulator, "/clients", client).status, 200);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "more"),
        ("client_secret", "secret"),
        AUDIENCE,
    ];
    let issued = post_form(&simulator.token_endpoint(), &fields);
    assert_eq!(issued.json()["expires_in"], 9);
    let wanted = json!({"claims": {"azp": "someone"}, "expires_in": 60, "header": {"x": "y"}});
    let made = access_token(&post(&simulator, "/token", wanted));
    let ask = |token: &str| {
        let bearer = format!("Bearer {token}");
        get_with(simulator.planet_api(), &[("Authorization", &bearer)])
    };
    let response = ask(&made);
    assert_eq!(response.json()["authenticated_as"], "someone", "{response:?}");
    post(&simulator, "/revoke", json!({ "access_token": made }));
    assert_eq!(ask(&made).status, 401);
    assert_eq!(ask(&access_token(&issued)).status, 200);
    post(&simulator, "/revoke", json!({"all": true}));
    assert_eq!(ask(&access_token(&issued)).status, 401);
}

#[test]
fn a_reset_removes_logins_and_devices() {
    let simulator = start();
    let code = parameter(&log_in(&simulator, &authorization_url(&simulator, &[])), "code").unwrap();
    let fields = [("client_id", planetkey_simulator::USER_CLIENT_ID)];
    let device = post_form(&simulator.user_device_authorization_endpoint(), &fields).json();
    assert_eq!(read(&simulator, "/devices")[0]["user_code"], device["user_code"]);
    post(&simulator, "/reset", json!({}));
    assert_eq!(error(&exchange_code(&simulator, &code, &[])), failure(400, "invalid_grant"));
    assert_eq!(read(&simulator, "/devices"), json!([]));
    assert_eq!(post(&simulator, "/login", json!({"user_code": device["user_code"]})).status, 400);
}

#[test]
fn tokens_are_signed_with_the_named_key() {
    let simulator = start();
    let status = |key: &str| {
        let made = post(&simulator, "/token", json!({ "key": key }));
        planet_status(&simulator, &access_token(&made))
    };
    assert_eq!([status("current"), status("other"), status("none")], [200, 401, 401]);
    assert_eq!(post(&simulator, "/token", json!({"key": "best"})).status, 400);
}

#[test]
fn sessions_are_started_listed_and_ended() {
    let simulator = start();
    let wanted = json!({"client_id": planetkey_simulator::USER_CLIENT_ID, "subject": "someone", "lifetime": 60});
    let tokens = post(&simulator, "/sessions", wanted).json();
    let (access_token, refresh_token) =
        (member(&tokens, "access_token"), member(&tokens, "refresh_token"));
    let session = json!([{
        "session": 1,
        "issuer": simulator.user_issuer(),
        "client_id": planetkey_simulator::USER_CLIENT_ID,
        "subject": "someone",
        "scope": "planet offline_access",
        "audience": "https://api.planet.com/",
        "active": true,
        "revoked": null,
        "refresh_token": refresh_token,
        "rotations": 0,
        "repeats": 0,
        "reuse": 0,
    }]);
    assert_eq!(read(&simulator, "/sessions"), session);
    assert_eq!(json!(simulator.sessions()), session);
    for token in [&refresh_token, &access_token] {
        assert_eq!(read(&simulator, &format!("/sessions?token={token}")), session);
        assert_eq!(simulator.session_of(token).as_ref(), session.get(0));
    }
    assert_eq!(read(&simulator, "/sessions?token=unknown"), json!([]));
    assert_eq!(simulator.session_of("unknown"), None);
    assert_eq!(planet_status(&simulator, &access_token), 200);
    assert_eq!(post(&simulator, "/revoke", json!({ "refresh_token": refresh_token })).status, 200);
    assert_eq!(planet_status(&simulator, &access_token), 401);
    let after = simulator.session_of(&refresh_token).unwrap();
    assert_eq!((&after["active"], &after["revoked"]), (&json!(false), &json!("control")));
    assert_eq!(error(&refresh(&simulator, &refresh_token)), failure(400, "invalid_grant"));
    let counters = read(&simulator, "/counters");
    for (name, count) in
        [("user.sessions", 1), ("user.sessions.active", 0), ("user.reuse", 0), ("user.token", 1)]
    {
        assert_eq!(counters[name], count, "{name}");
        assert_eq!(simulator.count(name).unwrap(), count, "{name}");
    }
    post(&simulator, "/reset", json!({}));
    assert_eq!(read(&simulator, "/sessions"), json!([]));
    assert_eq!(error(&refresh(&simulator, &refresh_token)), failure(400, "invalid_grant"));
}

#[test]
fn mistakes_are_errors() {
    let simulator = start();
    for (path, body) in [
        ("/script", json!({"steps": []})),
        ("/script", json!({"target": "m2m.tokens", "steps": []})),
        ("/script", json!([])),
        ("/settings", json!({"token_lifetime": "1"})),
        ("/settings", json!({"metadata_forms": ["oidc"]})),
        ("/clients", json!({"client_id": "x"})),
        ("/clients", json!({"client_id": "x", "client_secret": "y", "public": true})),
        ("/clients", json!({"client_id": "x", "public_key_pem": "y"})),
        ("/clients", json!({"client_secret": "x"})),
        (
            "/clients",
            json!({"client_id": "x", "client_secret": "y", "token_endpoint_auth_method": "z"}),
        ),
        ("/release", json!({})),
        ("/revoke", json!({})),
        ("/revoke", json!({"all": false})),
        ("/revoke", json!({"refresh_token": "unknown"})),
        ("/revoke", json!({"refresh_token": "x", "access_token": "y"})),
        ("/token", json!({"claim": {}})),
        ("/settings", json!({"rotation": 1})),
        ("/settings", json!({"overlap_ms": -1})),
        ("/settings", json!({"overlap_by_user_agent": {"a/": -1}})),
        ("/settings", json!({"overlap_by_user_agent": 5})),
        ("/settings", json!({"refresh_token_lifetime": "1"})),
        ("/clients", json!({"client_id": "x", "public": true, "server": "x"})),
        ("/sessions", json!({"client": "x"})),
        ("/sessions", json!({"client_id": "unknown"})),
        ("/sessions", json!({"client_id": "simulator-client"})),
        ("/sessions", json!({"issuer": "https://other.example/"})),
        ("/sessions", json!({"lifetime": "1"})),
    ] {
        let response = post(&simulator, path, body.clone());
        assert_eq!(response.status, 400, "{path} {body}");
        assert!(response.json()["error"].is_string());
    }
    let control = simulator.control();
    let response = exchange("POST", &format!("{control}/script"), &[], "{").unwrap();
    assert_eq!(response.status, 400);
    for path in ["/wait", "/wait?count=1", "/wait?count=x&target=proxy", "/requests?target=x"] {
        assert_eq!(get(&format!("{control}{path}")).status, 400, "{path}");
    }
    assert_eq!(get(&format!("{control}/nothing")).status, 404);
    assert_eq!(get(&format!("{control}/reset")).status, 404);
}

#[test]
fn the_description_contains_all_urls() {
    let simulator = start();
    let description = read(&simulator, "/");
    assert_eq!(description["m2m"], simulator.m2m_issuer());
    assert_eq!(description["planet_api"], simulator.planet_api());
    assert_eq!(description["client_id"], "simulator-client");
    assert_eq!(description["user"], simulator.user_issuer());
    assert_eq!(description["user_token_endpoint"], simulator.user_token_endpoint());
    assert_eq!(description["user_client_id"], planetkey_simulator::USER_CLIENT_ID);
    let more = simulator.description();
    for (name, value) in description.as_object().unwrap() {
        assert_eq!(more[name], *value);
    }
}
