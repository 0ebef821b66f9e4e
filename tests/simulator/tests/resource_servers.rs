//! The API servers: accepted credentials and refusals.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planetkey_simulator::Simulator;
use serde_json::{Value, json};

fn ask(url: &str, authorization: &str) -> Response {
    get_with(url, &[("Authorization", authorization)])
}

fn planet(simulator: &Simulator) -> String {
    format!("{}/data/v1/item-types", simulator.planet_api())
}

fn sentinel_hub(simulator: &Simulator) -> String {
    format!("{}/api/v1/catalog", simulator.sentinel_hub_api())
}

#[test]
fn planet_accepts_each_credential() {
    let simulator = start();
    let url = planet(&simulator);
    let key = &simulator.settings().api_key;
    let basic = format!("Basic {}", STANDARD.encode(format!("{key}:")));
    let cases = [
        (ask(&url, &format!("Bearer {}", token(&simulator))), "bearer"),
        (ask(&url, &basic), "api_key_basic"),
        (ask(&url, &format!("api-key {key}")), "api_key_header"),
        (get(&format!("{url}?api_key={key}")), "api_key_query"),
    ];
    for (response, credential) in cases {
        assert_eq!(response.status, 200, "{credential}");
        let body = response.json();
        assert_eq!(body["credential"], credential);
        assert_eq!(body["path"], "/data/v1/item-types");
        let bearer = credential == "bearer";
        let who = if bearer { "simulator-client" } else { "api-key-user" };
        assert_eq!(body["authenticated_as"], who);
    }
}

#[test]
fn planet_refuses_other_credentials() {
    let simulator = start();
    let url = planet(&simulator);
    let key = &simulator.settings().api_key;
    let encode = |text: String| format!("Basic {}", STANDARD.encode(text));
    let refused = [
        get(&url),
        ask(&url, "api-key wrong"),
        ask(&url, &encode("wrong:".to_owned())),
        ask(&url, &encode(format!("{key}:password"))),
        ask(&url, &encode(key.clone())),
        ask(&url, "Negotiate abc"),
        get(&format!("{url}?api_key=wrong")),
        get(&format!("{url}?api_key=")),
    ];
    for response in refused {
        assert_eq!(response.status, 401, "{response:?}");
        let message = "Please enter your API key, or email and password.";
        assert_eq!(response.json()["message"], message);
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Basic realm="));
    }
}

#[test]
fn two_credentials_are_refused() {
    let simulator = start();
    let url = planet(&simulator);
    let key = &simulator.settings().api_key;
    let header = format!("api-key {key}");
    let both = ask(&format!("{url}?api_key={key}"), &header);
    assert_eq!(both.status, 400);
    let header = ("Authorization", header.as_str());
    assert_eq!(get_with(&url, &[header, header]).status, 400);
    assert_eq!(get(&format!("{url}?api_key={key}&api_key={key}")).status, 400);
}

#[test]
fn sentinel_hub_accepts_only_tokens() {
    let simulator = start();
    let url = sentinel_hub(&simulator);
    let bearer = format!("Bearer {}", token(&simulator));
    assert_eq!(ask(&url, &bearer).json()["service"], "sentinel_hub_api");
    // Also without an audience: only the Planet API checks its audience.
    let plain = access_token(&ask_token(&simulator, &[]));
    assert_eq!(ask(&url, &format!("Bearer {plain}")).status, 200);
    let refused = ask(&planet(&simulator), &format!("Bearer {plain}"));
    assert!(refused.header("www-authenticate").unwrap().contains("audience"));
    let key = &simulator.settings().api_key;
    for response in [
        get(&url),
        ask(&url, &format!("api-key {key}")),
        ask(&url, &format!("Basic {}", STANDARD.encode(format!("{key}:")))),
        get(&format!("{url}?api_key={key}")),
    ] {
        assert_eq!(response.status, 401);
        let challenge = response.header("www-authenticate").unwrap();
        assert!(challenge.starts_with("Bearer realm="));
    }
}

#[test]
fn the_realm_is_served_beside_the_sentinel_hub_api() {
    let simulator = start();
    let issuer = format!("{}/auth/realms/main", simulator.sentinel_hub_api());
    let metadata = get(&format!("{issuer}/.well-known/openid-configuration")).json();
    assert_eq!(metadata["issuer"], issuer);
    let settings = simulator.settings();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", settings.client_id.as_str()),
        ("client_secret", settings.client_secret.as_str()),
    ];
    let issued = post_form(metadata["token_endpoint"].as_str().unwrap(), &fields);
    assert_eq!(claims(&access_token(&issued))["iss"], issuer);
    let bearer = format!("Bearer {}", access_token(&issued));
    assert_eq!(ask(&sentinel_hub(&simulator), &bearer).status, 200);
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert_eq!(simulator.count("sentinel_hub_api").unwrap(), 1);
}

#[test]
fn bad_tokens_are_refused_with_the_reason() {
    let simulator = start();
    let url = planet(&simulator);
    let expect = |token: &str, reason: &str| {
        let response = ask(&url, &format!("Bearer {token}"));
        assert_eq!(response.status, 401, "{reason}");
        let challenge = response.header("www-authenticate").unwrap();
        assert!(
            challenge.starts_with("Bearer realm=\"planet\", error=\"invalid_token\""),
            "{challenge}"
        );
        assert!(challenge.contains(reason), "{challenge}");
    };
    let make = |wanted: Value| simulator.token(&wanted).unwrap();
    assert_eq!(ask(&url, &format!("Bearer {}", make(json!({})))).status, 200);
    expect("not-a-jwt", "not a JWT");
    expect(&make(json!({"expires_in": 0})), "expired");
    expect(&make(json!({"claims": {"exp": null}})), "no expiry");
    expect(&make(json!({"claims": {"aud": "https://other.example/"}})), "audience");
    expect(&make(json!({"claims": {"iss": "https://other.example/"}})), "issuer");
    expect(&make(json!({"header": {"alg": "none"}})), "RS256");
    let stranger = start();
    expect(&stranger.token(&json!({})).unwrap(), "signature");
    let several = make(json!({"claims": {"aud": ["x", "https://api.planet.com/"]}}));
    assert_eq!(ask(&url, &format!("Bearer {several}")).status, 200);
    let changes = json!({"accepted_issuers": ["https://other.example/"]});
    simulator.change_settings(&changes).unwrap();
    let other = make(json!({"claims": {"iss": "https://other.example/"}}));
    assert_eq!(ask(&url, &format!("Bearer {other}")).status, 200);
}

#[test]
fn revoked_tokens_are_refused() {
    let simulator = start();
    let url = planet(&simulator);
    let status = |token: &str| ask(&url, &format!("Bearer {token}")).status;
    let (first, second) = (token(&simulator), token(&simulator));
    simulator.revoke(&first);
    assert_eq!((status(&first), status(&second)), (401, 200));
    simulator.revoke_all();
    assert_eq!(status(&second), 401);
    assert_eq!(status(&token(&simulator)), 200);
}

#[test]
fn special_paths_need_a_valid_credential() {
    let simulator = start();
    let base = simulator.planet_api();
    let bearer = format!("Bearer {}", token(&simulator));
    let forbidden = ask(&format!("{base}/forbidden/area"), &bearer);
    assert_eq!(forbidden.status, 403);
    let challenge = forbidden.header("www-authenticate").unwrap();
    assert!(challenge.contains("error=\"insufficient_scope\""));
    let missing = ask(&format!("{base}/missing/item"), &bearer);
    assert_eq!(missing.status, 404);
    assert!(missing.json()["message"].is_string());
    let to = "https%3A%2F%2Fother.example%2Fx";
    let redirect = ask(&format!("{base}/redirect?to={to}"), &bearer);
    assert_eq!(redirect.status, 302);
    assert_eq!(redirect.header("location"), Some("https://other.example/x"));
    let split = ask(&format!("{base}/redirect?to=a%0D%0AX:b"), &bearer);
    assert_eq!(split.status, 400);
    for path in ["forbidden", "missing", "redirect?to=x"] {
        assert_eq!(get(&format!("{base}/{path}")).status, 401);
    }
}

#[test]
fn api_keys_can_be_replaced() {
    let simulator = start();
    let changes = json!({"api_keys": ["one", "two"]});
    simulator.change_settings(&changes).unwrap();
    let url = planet(&simulator);
    let old = &simulator.settings().api_key;
    assert_eq!(ask(&url, &format!("api-key {old}")).status, 401);
    assert_eq!(ask(&url, "api-key one").status, 200);
    assert_eq!(ask(&url, "api-key two").status, 200);
}
