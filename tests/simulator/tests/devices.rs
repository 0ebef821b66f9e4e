//! Device code logins: the request, the page for the code, and the polls.

use crate::common::*;
use planetkey_simulator::{OTP, Simulator, USER_CLIENT_ID};
use serde_json::{Value, json};

const GRANT: (&str, &str) = ("grant_type", "urn:ietf:params:oauth:grant-type:device_code");

fn ask_with(simulator: &Simulator, more: &[(&str, &str)]) -> Response {
    let usual =
        [("client_id", USER_CLIENT_ID), ("scope", "openid planet offline_access"), AUDIENCE];
    post_form(&simulator.user_device_authorization_endpoint(), &[&usual, more].concat())
}

fn ask(simulator: &Simulator) -> Value {
    let response = ask_with(simulator, &[]);
    assert_eq!(response.status, 200, "{response:?}");
    response.json()
}

fn poll(simulator: &Simulator, device: &Value) -> Response {
    let code = member(device, "device_code");
    post_form(
        &simulator.user_token_endpoint(),
        &[GRANT, ("device_code", &code), ("client_id", USER_CLIENT_ID)],
    )
}

fn decide(simulator: &Simulator, device: &Value, allow: bool) -> Value {
    simulator
        .log_in(&json!({"user_code": device["user_code"], "username": "ada", "allow": allow}))
        .unwrap()
}

/// A simulator without a poll interval.
fn hasty() -> Simulator {
    let simulator = start();
    simulator.change_settings(&json!({"device_interval": 0})).unwrap();
    simulator
}

#[test]
fn a_device_gets_the_verification_uri() {
    let simulator = start();
    let response = ask_with(&simulator, &[]);
    assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
    let device = response.json();
    let code = member(&device, "user_code");
    assert_eq!((code.len(), code.find('-')), (9, Some(4)), "{code}");
    let activate = format!("{}activate", simulator.user_issuer());
    assert_eq!(device["verification_uri"], activate);
    assert_eq!(device["verification_uri_complete"], format!("{activate}?user_code={code}"));
    assert_eq!((&device["expires_in"], &device["interval"]), (&json!(900), &json!(5)));
    simulator.change_settings(&json!({"device_interval": null, "device_expires_in": 60})).unwrap();
    let device = ask(&simulator);
    assert_eq!((&device["expires_in"], device.get("interval")), (&json!(60), None));
    let log = simulator.requests("user.device").unwrap();
    assert_eq!(
        log[0]["form"],
        json!([["client_id", USER_CLIENT_ID], ["scope", "openid planet offline_access"], AUDIENCE])
    );
}

#[test]
fn polls_wait_for_the_user() {
    let simulator = hasty();
    let device = ask(&simulator);
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "authorization_pending"));
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "authorization_pending"));
    assert_eq!(decide(&simulator, &device, true), json!({"approved": true}));
    let response = poll(&simulator, &device);
    assert_eq!(response.status, 200, "{response:?}");
    let tokens = response.json();
    assert_eq!(claims(&member(&tokens, "id_token"))["sub"], "user|ada");
    assert_eq!(planet_status(&simulator, &access_token(&response)), 200);
    assert_eq!(refresh(&simulator, &member(&tokens, "refresh_token")).status, 200);
    // The tokens are issued once. Another poll has no effect.
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "invalid_grant"));
    assert_eq!(simulator.count("user.sessions.active").unwrap(), 1);
    let seen = &simulator.devices()[0];
    assert_eq!(
        (&seen["status"], &seen["polls"], &seen["slow_downs"]),
        (&json!("used"), &json!(4), &json!(0))
    );
}

#[test]
fn denials_and_expired_codes_are_errors() {
    let simulator = hasty();
    let device = ask(&simulator);
    assert_eq!(decide(&simulator, &device, false), json!({"approved": false}));
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "access_denied"));
    assert!(
        simulator.log_in(&json!({"user_code": device["user_code"]})).is_err(),
        "it was decided"
    );
    simulator.change_settings(&json!({"device_expires_in": 0})).unwrap();
    let device = ask(&simulator);
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "expired_token"));
    assert!(simulator.log_in(&json!({"user_code": device["user_code"]})).is_err());
    assert_eq!(simulator.devices()[1]["status"], "expired");
}

#[test]
fn a_fast_poll_gets_slow_down() {
    let simulator = start();
    simulator.change_settings(&json!({"device_interval": 3600})).unwrap();
    let device = ask(&simulator);
    decide(&simulator, &device, true);
    // The first poll has no interval.
    let other = ask(&simulator);
    assert_eq!(poll(&simulator, &device).status, 200);
    assert_eq!(error(&poll(&simulator, &other)), failure(400, "authorization_pending"));
    decide(&simulator, &other, true);
    assert_eq!(error(&poll(&simulator, &other)), failure(400, "slow_down"));
    assert_eq!(error(&poll(&simulator, &other)), failure(400, "slow_down"));
    let seen = &simulator.devices()[1];
    assert_eq!(
        (&seen["slow_downs"], &seen["interval"], &seen["status"]),
        (&json!(2), &json!(3610), &json!("approved"))
    );
    // Without an interval in the response, five seconds are enforced.
    simulator.change_settings(&json!({"device_interval": null})).unwrap();
    ask(&simulator);
    assert_eq!(simulator.devices()[2]["interval"], 5);
}

#[test]
fn devices_authenticate_and_codes_are_bound_to_them() {
    let simulator = hasty();
    let endpoint = simulator.user_device_authorization_endpoint();
    assert_eq!(error(&post_form(&endpoint, &[])), failure(401, "invalid_client"));
    assert_eq!(
        error(&post_form(&endpoint, &[("client_id", "unknown")])),
        failure(401, "invalid_client")
    );
    assert_eq!(get(&endpoint).status, 405);
    let web = json!({"client_id": "web", "client_secret": "web-secret", "server": "user"});
    simulator.register_client(&web).unwrap();
    simulator
        .register_client(
            &json!({"client_id": "mine", "public": true, "grant_types": ["refresh_token"]}),
        )
        .unwrap();
    assert_eq!(
        error(&post_form(&endpoint, &[("client_id", "mine")])),
        failure(400, "unauthorized_client")
    );
    assert_eq!(
        error(&post_form(&endpoint, &[("client_id", "web")])),
        failure(401, "invalid_client")
    );
    assert_eq!(
        post_form(&endpoint, &[("client_id", "web"), ("client_secret", "web-secret")]).status,
        200
    );
    let device = ask(&simulator);
    let code = member(&device, "device_code");
    let fields = [
        GRANT,
        ("device_code", code.as_str()),
        ("client_id", "web"),
        ("client_secret", "web-secret"),
    ];
    assert_eq!(
        error(&post_form(&simulator.user_token_endpoint(), &fields)),
        failure(400, "invalid_grant")
    );
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "authorization_pending"));
    simulator.change_settings(&json!({"scopes": ["planet"]})).unwrap();
    assert_eq!(error(&ask_with(&simulator, &[])), failure(400, "invalid_scope"));
}

#[test]
fn a_user_types_the_code() {
    let simulator = hasty();
    let device = ask(&simulator);
    let text = |response: &Response| String::from_utf8(response.body.clone()).unwrap();
    let activate = member(&device, "verification_uri");
    let empty = text(&get(&activate));
    assert!(empty.contains("id=\"user_code\"") && empty.contains("value=\"\""), "{empty}");
    let code = member(&device, "user_code");
    let filled = text(&get(&member(&device, "verification_uri_complete")));
    assert!(
        filled.contains(&format!("value=\"{code}\"")) && filled.contains("Confirm"),
        "{filled}"
    );
    let injected = text(&get(&format!("{activate}?user_code=%22%3E%3Cscript%3E")));
    assert!(!injected.contains("<script>"), "{injected}");
    let wrong = post_form(&activate, &[("user_code", "BBBB-BBBB")]);
    assert!(wrong.status == 400 && text(&wrong).contains("role=\"alert\""));
    let typed = code.replace('-', "").to_lowercase();
    let mut page = post_form(&activate, &[("user_code", &typed)]);
    for field in [("username", "ada"), ("otp", OTP), ("decision", "allow")] {
        let body = text(&page);
        let (_, rest) = body.split_once("name=\"transaction\" value=\"").unwrap();
        let id = rest.split_once('"').unwrap().0;
        page =
            post_form(&format!("{}login", simulator.user_issuer()), &[("transaction", id), field]);
    }
    assert!(page.status == 200 && text(&page).contains("id=\"done\""), "{page:?}");
    assert_eq!(poll(&simulator, &device).status, 200);
}

#[test]
fn scripts_change_the_device_response() {
    let simulator = hasty();
    let changes =
        json!({"set": {"interval": 7, "verification_url": "x"}, "remove": ["verification_uri"]});
    simulator.script("user.device", &json!([{ "device_response": changes }])).unwrap();
    let device = ask(&simulator);
    assert_eq!((&device["interval"], device.get("verification_uri")), (&json!(7), None));
    // The changed response does not change what is enforced.
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "authorization_pending"));
    assert_eq!(error(&poll(&simulator, &device)), failure(400, "authorization_pending"));
}
