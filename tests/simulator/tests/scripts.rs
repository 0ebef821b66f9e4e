//! Scripts, holds, the log and the counters.

use std::io::Write;
use std::thread;
use std::time::Duration;

use crate::common::*;
use serde_json::{Value, json};

#[test]
fn steps_come_in_order_and_then_the_usual_response() {
    let simulator = start();
    let script = json!([
        {"status": 503, "headers": {"Retry-After": "2"}},
        {"status": 429, "json": {"error": "slow_down"}},
        {"body": "<html>", "headers": {"Content-Type": "text/html"}},
        {"body_base64": "/w=="},
        {},
    ]);
    simulator.script("m2m.token", &script).unwrap();
    let ask = || ask_token(&simulator, &[]);
    let first = ask();
    assert_eq!((first.status, first.body.len()), (503, 0));
    assert_eq!(first.header("retry-after"), Some("2"));
    let second = ask();
    assert_eq!((second.status, second.json()), (429, json!({"error": "slow_down"})));
    assert_eq!(second.header("content-type"), Some("application/json"));
    let third = ask();
    assert_eq!((third.status, third.body.as_slice()), (200, b"<html>".as_slice()));
    assert_eq!(third.header("content-type"), Some("text/html"));
    assert_eq!(ask().body, [255]);
    assert_eq!((ask().status, ask().status), (200, 200));
    assert_eq!(simulator.count("m2m.token").unwrap(), 6);
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 2);
}

#[test]
fn the_last_step_can_repeat() {
    let simulator = start();
    let script = json!({"steps": [{"status": 500}, {"status": 502}], "repeat": true});
    simulator.script("planet_api", &script).unwrap();
    let ask = || get(simulator.planet_api()).status;
    assert_eq!([ask(), ask(), ask(), ask()], [500, 502, 502, 502]);
    simulator.script("planet_api", &json!([])).unwrap();
    assert_eq!(ask(), 401);
}

#[test]
fn targets_have_their_own_scripts() {
    let simulator = start();
    let origin = simulator.m2m_issuer().replace("/auth/realms/main", "");
    let issuer = simulator.m2m_issuer();
    for (target, url) in [
        ("m2m.metadata", format!("{issuer}/.well-known/openid-configuration")),
        ("m2m.jwks", format!("{issuer}/protocol/openid-connect/certs")),
        ("m2m.other", format!("{origin}/elsewhere")),
        ("planet_api", simulator.planet_api().to_owned()),
        ("sentinel_hub_api", simulator.sentinel_hub_api().to_owned()),
    ] {
        simulator.script(target, &json!([{"status": 418}])).unwrap();
        assert_eq!(get(&url).status, 418, "{target}");
        assert_eq!(simulator.requests(target).unwrap().len(), 1, "{target}");
        assert_ne!(get(&url).status, 418, "{target}");
    }
}

#[test]
fn headers_are_replaced_added_and_removed() {
    let simulator = start();
    let script = json!([
        {"headers": [["X-One", "1"], ["X-One", "2"], ["Content-Type", "text/plain"], ["Date", null]]},
        {"headers": {"Cache-Control": null, "Content-Type": null}},
    ]);
    simulator.script("m2m.token", &script).unwrap();
    let response = ask_token(&simulator, &[]);
    let named = |name: &str| response.headers.iter().filter(|(key, _)| key == name).count();
    assert_eq!((named("X-One"), named("Content-Type"), named("Date")), (2, 1, 0));
    assert_eq!(response.header("content-type"), Some("text/plain"));
    assert_eq!(response.json()["token_type"], "Bearer");
    let response = ask_token(&simulator, &[]);
    assert_eq!(response.header("content-type"), None);
    assert_eq!(response.header("cache-control"), None);
    assert!(response.header("date").is_some());
}

#[test]
fn token_responses_change_after_verification() {
    let simulator = start();
    let script = json!([
        {"token_response": {"set": {"token_type": "mac", "extra": [1]}, "remove": ["scope"]}},
        {"token_response": {"expires_in": 1}},
        {"token_response": {"expires_in": "3600"}},
        {"token_response": {"expires_in": null, "claims": {"exp": 5, "aud": null, "x": "y"}}},
        {"status": 201, "token_response": {"remove": ["access_token"]}},
        {"token_response": {"set": {"expires_in": -1}}},
    ]);
    simulator.script("m2m.token", &script).unwrap();
    let ask = || ask_token(&simulator, &[AUDIENCE]);
    let body = ask().json();
    assert_eq!((&body["token_type"], &body["extra"]), (&json!("mac"), &json!([1])));
    assert_eq!(body.get("scope"), None);
    let life = |response: &Response| {
        let claims = claims(&access_token(response));
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap()
    };
    let response = ask();
    assert_eq!(response.json()["expires_in"], 1);
    assert!(life(&response) <= 1);
    let response = ask();
    assert_eq!(response.json()["expires_in"], "3600");
    assert!(life(&response) >= 3600);
    let response = ask();
    assert_eq!(response.json()["expires_in"], Value::Null);
    let changed = claims(&access_token(&response));
    assert_eq!((&changed["exp"], &changed["x"]), (&json!(5), &json!("y")));
    assert_eq!(changed.get("aud"), None);
    let response = ask();
    assert_eq!(response.status, 201);
    assert_eq!(response.json().get("access_token"), None);
    let refused = post_form(&simulator.token_endpoint(), &[("client_id", "unknown")]);
    assert_eq!(refused.status, 401);
}

#[test]
fn scripts_change_metadata() {
    let simulator = start();
    let changes = json!({"set": {"issuer": "https://other.example"}, "remove": ["jwks_uri"]});
    let script = json!([{ "metadata_response": changes }]);
    simulator.script("m2m.metadata", &script).unwrap();
    let url = format!("{}/.well-known/openid-configuration", simulator.m2m_issuer());
    let metadata = get(&url).json();
    assert_eq!(metadata["issuer"], "https://other.example");
    assert_eq!(metadata.get("jwks_uri"), None);
    assert_eq!(metadata["token_endpoint"], simulator.token_endpoint());
}

#[test]
fn a_wrong_script_is_refused() {
    let simulator = start();
    simulator.script("planet_api", &json!([{"status": 418}])).unwrap();
    for (target, script) in [
        ("nowhere", json!([])),
        ("planet_api", json!([{"staus": 500}])),
        ("planet_api", json!([{"status": 99}])),
        ("planet_api", json!([{"fault": "unknown"}])),
        ("planet_api", json!([{"fault": "proxy_407"}])),
        ("planet_api", json!([{"fault": "expired_certificate"}])),
        ("planet_api", json!([{"token_response": {}}])),
        ("planet_api", json!([{"body": "a", "json": 1}])),
        ("m2m.token", json!([{"body": "a", "token_response": {}}])),
        ("m2m.token", json!([{"token_response": {"sets": {}}}])),
        ("planet_api", json!({"steps": {}})),
        ("planet_api", json!({"step": []})),
        ("planet_api", json!([{"headers": {"X": [1]}}])),
        ("planet_api", json!([{"body_base64": "*"}])),
    ] {
        let error = simulator.script(target, &script).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{script}");
    }
    assert_eq!(get(simulator.planet_api()).status, 418, "the earlier script stays");
}

#[test]
fn many_requests_meet_in_a_hold() {
    let simulator = start();
    let script = json!({"steps": [{"hold": "gate"}], "repeat": true});
    simulator.script("m2m.token", &script).unwrap();
    thread::scope(|scope| {
        let asking: Vec<_> =
            (0..8).map(|_| scope.spawn(|| ask_token(&simulator, &[]).status)).collect();
        assert!(simulator.wait_held("gate", 8, PATIENCE));
        assert_eq!(simulator.held("gate"), 8);
        assert_eq!(simulator.count("m2m.token").unwrap(), 8);
        assert_eq!(simulator.count("m2m.token.issued").unwrap(), 0);
        simulator.release("gate");
        for thread in asking {
            assert_eq!(thread.join().unwrap(), 200);
        }
    });
    assert_eq!(simulator.held("gate"), 0);
    // A released hold stays open until a script names it again.
    assert_eq!(ask_token(&simulator, &[]).status, 200);
    simulator.script("m2m.token", &script).unwrap();
    thread::scope(|scope| {
        let asking = scope.spawn(|| ask_token(&simulator, &[]).status);
        assert!(simulator.wait_held("gate", 1, PATIENCE));
        simulator.release("gate");
        assert_eq!(asking.join().unwrap(), 200);
    });
}

#[test]
fn a_hold_applies_to_any_response() {
    let simulator = start();
    let script = json!([{"hold": "gate", "status": 503}]);
    simulator.script("m2m.token", &script).unwrap();
    simulator.release("gate");
    assert_eq!(ask_token(&simulator, &[]).status, 503);
}

#[test]
fn a_delay_passes_and_a_reset_ends_it() {
    let simulator = start();
    let script = json!([{"delay_ms": 1}, {"delay_ms": 3_600_000}]);
    simulator.script("m2m.token", &script).unwrap();
    assert_eq!(ask_token(&simulator, &[]).status, 200);
    let url = simulator.token_endpoint();
    let mut socket = connect(&url);
    let text = request_text("POST", &url, &[FORM], "a=b");
    socket.write_all(text.as_bytes()).unwrap();
    assert!(simulator.wait_for("m2m.token", 2, PATIENCE).unwrap());
    simulator.reset();
    assert!(read_answer(&mut socket).is_err());
}

#[test]
fn a_reset_restores_the_start() {
    let simulator = start();
    let client = json!({"client_id": "more", "client_secret": "more"});
    simulator.register_client(&client).unwrap();
    simulator.change_settings(&json!({"token_lifetime": 5})).unwrap();
    let old = token(&simulator);
    simulator.revoke_all();
    simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    thread::scope(|scope| {
        let held = scope.spawn(|| {
            let url = simulator.token_endpoint();
            exchange("POST", &url, &[FORM], "a=b")
        });
        assert!(simulator.wait_held("gate", 1, PATIENCE));
        simulator.reset();
        assert!(held.join().unwrap().is_err());
    });
    assert_eq!(simulator.held("gate"), 0);
    assert!(simulator.all_requests().is_empty());
    assert_eq!(simulator.count("connections").unwrap(), 0);
    assert_eq!(simulator.count("m2m.token").unwrap(), 0);
    assert_eq!(ask_token(&simulator, &[]).json()["expires_in"], 3600);
    let fields =
        [("grant_type", "client_credentials"), ("client_id", "more"), ("client_secret", "more")];
    assert_eq!(post_form(&simulator.token_endpoint(), &fields).status, 401);
    let bearer = format!("Bearer {old}");
    let response = get_with(simulator.planet_api(), &[("Authorization", &bearer)]);
    assert_eq!(response.status, 200);
}

#[test]
fn the_log_contains_requests_and_statuses() {
    let simulator = start();
    let url = format!("{}/data/v1/?a=b&api_key=x", simulator.planet_api());
    get_with(&url, &[("X-Marker", "here")]);
    ask_token(&simulator, &[("scope", "a b")]);
    let api = &simulator.requests("planet_api").unwrap()[0];
    assert_eq!(api["method"], "GET");
    assert_eq!(api["path"], "/data/v1/");
    assert_eq!(api["query"], "a=b&api_key=x");
    assert_eq!(api["status"], 401);
    assert_eq!(api["connection"], 1);
    let headers = api["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["X-Marker", "here"])));
    let asked = &simulator.requests("m2m.token").unwrap()[0];
    assert_eq!(asked["form"][3], json!(["scope", "a b"]));
    assert_eq!((&asked["status"], &asked["connection"]), (&json!(200), &json!(2)));
    let all = simulator.all_requests();
    assert_eq!(all.len(), 2);
    assert!(all[0]["at_ms"].as_u64() <= all[1]["at_ms"].as_u64());
    assert!(simulator.requests("nowhere").is_err());
    assert_eq!(simulator.count("connections").unwrap(), 2);
}

#[test]
fn persistent_connections_are_counted_once() {
    let simulator = start();
    let url = simulator.planet_api();
    let mut socket = connect(url);
    for _ in 0..3 {
        let text = request_text("GET", url, &[], "");
        socket.write_all(text.as_bytes()).unwrap();
        assert_eq!(read_answer(&mut socket).unwrap().status, 401);
    }
    let text = request_text("GET", url, &[("Connection", "close")], "");
    socket.write_all(text.as_bytes()).unwrap();
    let last = read_answer(&mut socket).unwrap();
    assert_eq!(last.header("connection"), Some("close"));
    assert!(read_answer(&mut socket).is_err());
    assert_eq!(simulator.count("planet_api").unwrap(), 4);
    assert_eq!(simulator.count("connections").unwrap(), 1);
}

#[test]
fn waiting_ends_with_the_count_or_the_timeout() {
    let simulator = start();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| simulator.wait_for("planet_api", 2, PATIENCE));
        get(simulator.planet_api());
        get(simulator.planet_api());
        assert!(waiting.join().unwrap().unwrap());
    });
    let short = Duration::from_millis(1);
    assert!(!simulator.wait_for("planet_api", 3, short).unwrap());
    assert!(!simulator.wait_held("gate", 1, short));
    assert!(simulator.wait_for("nowhere", 1, short).is_err());
}

#[test]
fn the_date_can_be_shifted() {
    let simulator = start();
    let changes = json!({"date_offset_s": -4_000_000_000_i64});
    simulator.change_settings(&changes).unwrap();
    let response = get(simulator.planet_api());
    assert_eq!(response.header("date"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    assert!(simulator.change_settings(&json!({"date_offset": 1})).is_err());
}
