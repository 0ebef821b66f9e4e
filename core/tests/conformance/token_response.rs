//! The token response: assertions 52 to 59.

use crate::common::*;
use planetkey::credential::TokenSet;
use planetkey::oauth::token_endpoint::{DEFAULT_LIFETIME_S, MAX_LIFETIME_S, token_response};
use planetkey::{Reason, Result, Status};
use serde_json::{Value, json};

/// Returns what a client that requested these scopes reads from a response without a `Date`.
fn read(document: &Value, requested: &[&str]) -> Result<TokenSet> {
    let requested: Vec<String> = requested.iter().map(|scope| (*scope).to_owned()).collect();
    token_response(document.clone(), &requested, NOW, None)
}

fn status(document: &Value) -> Status {
    read(document, &[]).unwrap_err().status()
}

fn lifetime_ms(expires_in: Value) -> Result<u64> {
    read(&json!({"access_token": "opaque", "token_type": "Bearer", "expires_in": expires_in}), &[])
        .map(|set| set.lifetime.as_millis() as u64)
}

#[test]
fn a052_access_token_and_token_type_are_required() {
    for document in [
        json!({"token_type": "Bearer", "expires_in": 60}),
        json!({"access_token": null, "token_type": "Bearer"}),
        json!({"access_token": 5, "token_type": "Bearer"}),
        json!({"access_token": "t", "expires_in": 60}),
        json!({"access_token": "t", "token_type": null}),
        json!({"access_token": "t", "token_type": ["Bearer"]}),
        json!(["access_token"]),
        json!("t"),
        json!(null),
    ] {
        assert_eq!(status(&document), Status::Protocol, "{document}");
    }
}

#[test]
fn a053_token_type_is_bearer_in_any_case() {
    for token_type in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        read(&json!({"access_token": "t", "token_type": token_type}), &[]).unwrap();
    }
    for token_type in ["mac", "DPoP", "", "Bearer ", "N_A", "Bearer\r\nX: y"] {
        let error = read(&json!({"access_token": "t", "token_type": token_type}), &[]).unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{token_type:?}");
        assert!(!error.message().contains(['\r', '\n']));
    }
}

#[test]
fn a054_the_lifetime_is_expires_in_else_exp_else_a_default() {
    for stated in
        [json!(3600), json!("3600"), json!(" 3600 "), json!(3600.0), json!("3600.0"), json!(3.6e3)]
    {
        assert_eq!(lifetime_ms(stated.clone()).unwrap(), 3_600_000, "{stated}");
    }
    let without = |access_token: &str, date| {
        token_response(
            json!({"access_token": access_token, "token_type": "Bearer"}),
            &[],
            NOW,
            date,
        )
        .unwrap()
        .lifetime
        .as_millis() as u64
    };
    // The documented claim, measured on the server's own clock if it is known.
    assert_eq!(without(&jwt(&json!({"exp": NOW + 600})), None), 600_000);
    assert_eq!(without(&jwt(&json!({"exp": NOW + 600})), Some(NOW + 500)), 100_000);
    // An opaque token, and one without the claim: a default lifetime, never 'forever'.
    assert_eq!(without("opaque", None), DEFAULT_LIFETIME_S * 1000);
    assert_eq!(without(&jwt(&json!({"sub": "x"})), None), DEFAULT_LIFETIME_S * 1000);
    assert_eq!(lifetime_ms(Value::Null).unwrap(), DEFAULT_LIFETIME_S * 1000);
}

#[test]
fn a055_absurd_lifetimes_neither_panic_nor_overflow() {
    for stated in [
        json!(0),
        json!(-1),
        json!("-1"),
        json!(0.0),
        json!(-1e300),
        json!(i64::MIN),
        json!("-inf"),
        json!("inf"),
        json!("1e999"),
    ] {
        let error = lifetime_ms(stated.clone()).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Protocol, Some(Reason::LifetimeUnusable)),
            "{stated}"
        );
    }
    for stated in
        [json!("NaN"), json!("soon"), json!(""), json!(true), json!([3600]), json!({"s": 1})]
    {
        assert_eq!(lifetime_ms(stated.clone()).unwrap_err().status(), Status::Protocol, "{stated}");
    }
    for stated in [json!(u64::MAX), json!(1e300), json!("1e300"), json!(MAX_LIFETIME_S + 1)] {
        assert_eq!(lifetime_ms(stated.clone()).unwrap(), MAX_LIFETIME_S * 1000, "{stated}");
    }
    assert_eq!(lifetime_ms(json!(0.5)).unwrap(), 500);
    assert_eq!(lifetime_ms(json!(59.9)).unwrap(), 59_900);
    // A whole session serves such a token, and its clock arithmetic does not overflow.
    let bench = bench();
    bench.fake.answers(token(&json!({"access_token": "long", "expires_in": u64::MAX})));
    bench.token();
    assert_eq!(bench.session.status().expires_at(), i64::try_from(NOW + MAX_LIFETIME_S).ok());
}

#[test]
fn a056_a_missing_scope_is_the_requested_one_and_a_smaller_one_is_reported() {
    let logs = logs();
    let base = json!({"access_token": "t", "token_type": "Bearer"});
    assert_eq!(read(&base, &["planet", "a056-b"]).unwrap().scopes, ["planet", "a056-b"]);
    let mut smaller = base.clone();
    smaller["scope"] = json!("planet");
    assert_eq!(read(&smaller, &["planet", "a056-missing"]).unwrap().scopes, ["planet"]);
    assert_eq!(logs.with(log::Level::Warn, "a056-missing").len(), 1);
    smaller["scope"] = json!("planet a056-more");
    assert_eq!(read(&smaller, &["planet"]).unwrap().scopes, ["planet", "a056-more"]);
    assert_eq!(
        logs.with(log::Level::Warn, "a056-more").len(),
        0,
        "more scopes than requested are no problem"
    );
    // The caller sees it in the status.
    let bench = bench();
    bench.fake.answers(token(&json!({"access_token": "t", "scope": "email profile"})));
    bench.token();
    assert_eq!(bench.session.status().scopes(), ["email", "profile"]);
}

#[test]
fn a057_only_b64token_characters_reach_a_header() {
    for good in ["abc", "a-._~+/9==", "e30.e30.e30", "A"] {
        read(&json!({"access_token": good, "token_type": "Bearer"}), &[]).unwrap();
    }
    for bad in [
        "",
        "=",
        "a b",
        "a\r\nX-Evil: 1",
        "a\n",
        "\u{0}",
        "tökén",
        "a\"b",
        "a,b",
        "a=b",
        "ａ",
        " a",
        "a ",
    ] {
        let error = read(&json!({"access_token": bad, "token_type": "Bearer"}), &[]).unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{bad:?}");
    }
    let bench = bench();
    bench.fake.answers(token(&json!({"access_token": "a\r\nX-Evil: 1"})));
    assert_eq!(bench.session.headers(SENTINEL_HUB).unwrap_err().status(), Status::Protocol);
}

#[test]
fn a058_errors_are_read_from_400_and_401_and_their_text_is_untrusted() {
    for http_status in [400, 401, 403, 200] {
        let bench = bench();
        let body = json!({
            "error": "invalid_scope",
            "error_description": "first line\r\nsecond\u{1b}[31m \u{202e}line",
            "error_uri": "https://as.example/why",
        });
        bench.fake.answers(json_answer(http_status, &body));
        let error = bench.session.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert_eq!(error.oauth_error(), Some("invalid_scope"));
        assert_eq!(error.http_status(), Some(http_status));
        let description = error.oauth_error_description().unwrap();
        assert!(
            description.starts_with("first line") && description.ends_with("line"),
            "{description}"
        );
        assert!(!description.contains(['\r', '\n', '\u{1b}', '\u{202e}']), "{description:?}");
        assert!(
            error.message().ends_with("(invalid_scope: \"first line  second [31m  line\")"),
            "{error}"
        );
    }
}

#[test]
fn a059_responses_are_never_cached() {
    let simulator = simulator();
    let cacheable = json!({
        "steps": [{"headers": {"Cache-Control": "public, max-age=3600", "Pragma": null, "ETag": "\"x\""}, "token_response": {}}],
        "repeat": true,
    });
    simulator.script("m2m.token", &cacheable).unwrap();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    let first = session.access_token().unwrap().to_string();
    session.refresh().unwrap();
    let second = session.access_token().unwrap().to_string();
    assert_ne!(first, second);
    // Another session shares nothing with the first.
    simulator_session(&simulator, &simulator_options(&simulator)).access_token().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 3);
    assert_eq!(header(&simulator, "m2m.token", 1, "if-none-match"), None);
}
