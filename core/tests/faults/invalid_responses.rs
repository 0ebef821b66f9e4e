//! Responses that are not token responses: faults 7 to 15.

use crate::common::*;
use planetkey::{Error, Status};
use serde_json::json;

/// Returns the caller's error for this response of the server.
fn error(response: planetkey::http::Response) -> Error {
    let bench = bench();
    bench.fake.answers(response);
    let error = bench.session.access_token().unwrap_err();
    assert_eq!(bench.fake.count(), 1, "a request with a response is not repeated");
    error
}

fn answered(body: impl Into<Vec<u8>>) -> planetkey::Result<String> {
    let bench = bench();
    bench.fake.answers(answer(200, "application/json", body));
    bench.session.access_token().map(|token| token.to_string())
}

#[test]
fn f007_an_html_body_is_a_protocol_error() {
    let logs = logs();
    for media_type in ["text/html", "application/json"] {
        let error = error(answer(200, media_type, "<html>PORTAL-f007</html>"));
        assert_eq!(
            (error.status(), error.http_status(), error.retryable()),
            (Status::Protocol, Some(200), true)
        );
        assert!(
            error.message().contains(media_type) && error.message().contains("24 bytes"),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("PORTAL"));
    }
    assert_eq!(logs.with(log::Level::Trace, "PORTAL-f007"), Vec::<String>::new());
}

#[test]
fn f008_an_empty_body_is_a_protocol_error() {
    assert_eq!(answered("").unwrap_err().status(), Status::Protocol);
    assert_eq!(answered(" \r\n").unwrap_err().status(), Status::Protocol);
}

#[test]
fn f009_truncated_json_is_a_protocol_error() {
    let whole = r#"{"access_token":"t","token_type":"Bearer","expires_in":3600}"#;
    assert_eq!(answered(whole).unwrap(), "t");
    for end in 1..whole.len() {
        assert_eq!(answered(&whole[..end]).unwrap_err().status(), Status::Protocol, "{end}");
    }
    // If the connection breaks during the response, the client credentials grant may be repeated.
    let simulator = simulator();
    simulator.script("m2m.token", &json!([{"fault": "cut"}])).unwrap();
    simulator_session(&simulator, &simulator_options(&simulator)).access_token().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
}

#[test]
fn f010_an_oauth_error_with_status_200_is_an_error() {
    let body = json!({"error": "invalid_client", "error_description": "who?", "access_token": "t", "token_type": "Bearer"});
    let error = error(json_answer(200, &body));
    assert_eq!(
        (error.status(), error.oauth_error()),
        (Status::Misconfigured, Some("invalid_client"))
    );
    assert_eq!(error.oauth_error_description(), Some("who?"));
    // A null `error` is not an error.
    assert_eq!(
        answered(r#"{"error":null,"access_token":"t","token_type":"Bearer"}"#).unwrap(),
        "t"
    );
}

#[test]
fn f011_a_400_without_json_keeps_status_type_and_length_only() {
    let error = error(answer(400, "text/plain", "SECRET-f011 is wrong"));
    assert_eq!(
        (error.status(), error.http_status(), error.oauth_error()),
        (Status::Protocol, Some(400), None)
    );
    for part in ["400", "text/plain", "20 bytes"] {
        assert!(error.message().contains(part), "{error}");
    }
    assert!(!format!("{error:?}").contains("SECRET-f011"));
}

#[test]
fn f012_an_error_that_is_not_a_string_is_still_an_error() {
    for member in [
        json!({"code": 400, "message": "x"}),
        json!([1]),
        json!(5),
        json!(true),
        json!(""),
        json!({"error": {"error": {}}}),
    ] {
        for http_status in [400, 401, 200] {
            let error = error(json_answer(
                http_status,
                &json!({"error": member, "error_description": {"x": 1}}),
            ));
            assert_eq!(error.status(), Status::Misconfigured, "{member} {http_status}");
            assert_eq!(error.oauth_error_description(), None);
        }
    }
    for body in ["null", "[]", "5", "\"error\"", "{}", r#"{"error":null}"#] {
        assert_eq!(
            error(answer(400, "application/json", body)).status(),
            Status::Protocol,
            "{body}"
        );
    }
}

#[test]
fn f013_huge_and_endless_bodies_are_cut_off() {
    let simulator = simulator();
    for fault in ["huge", "endless"] {
        simulator.script("m2m.token", &json!([{ "fault": fault }])).unwrap();
        let error = simulator_session(&simulator, &simulator_options(&simulator))
            .access_token()
            .unwrap_err();
        assert_eq!(error.status(), Status::Protocol, "{fault}: {error}");
        assert!(error.message().contains("1 MiB"), "{error}");
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
}

#[test]
fn f014_the_last_of_duplicate_keys_counts() {
    let body = r#"{"access_token":"first","token_type":"mac","access_token":"last","token_type":"Bearer"}"#;
    assert_eq!(answered(body).unwrap(), "last");
    assert_eq!(
        answered(
            r#"{"error":"invalid_client","error":null,"access_token":"t","token_type":"Bearer"}"#
        )
        .unwrap(),
        "t"
    );
}

#[test]
fn f015_invalid_utf8_is_a_protocol_error() {
    for bad in [&b"\xff"[..], b"\xc3\x28", b"\xed\xa0\x80", b"\xf8\x88"] {
        let body = [br#"{"token_type":"Bearer","access_token":""#, bad, br#""}"#].concat();
        assert_eq!(answered(body).unwrap_err().status(), Status::Protocol);
    }
    // An escaped lone surrogate is not text either.
    assert_eq!(
        answered(r#"{"access_token":"\ud800","token_type":"Bearer"}"#).unwrap_err().status(),
        Status::Protocol
    );
}

/// The message includes the server's description, cleaned, shortened, and without the secrets that
/// the request contained.
#[test]
fn i10_19_the_servers_description_is_in_the_message() {
    for (code, description) in [
        ("unauthorized_client", "Client not enabled to retrieve service account"),
        ("invalid_client", "Realm does not exist"),
        ("invalid_request", "HTTPS required"),
        ("access_denied", "user is blocked"),
    ] {
        let error =
            error(json_answer(401, &json!({"error": code, "error_description": description})));
        assert!(error.message().contains(&format!("({code}: \"{description}\")")), "{error}");
    }
    let long = json!({"error": "invalid_scope", "error_description": format!("a\u{202e}b\n{}", "x".repeat(5000))});
    let cut = error(json_answer(400, &long));
    assert!(cut.message().contains("a b xxx") && cut.message().chars().count() < 500, "{cut}");
    assert!(cut.message().contains("x…\")"), "{cut}");
    // Some servers repeat in a response what the request contained.
    let bench = bench();
    let echo = json!({"error": "invalid_client", "error_description": format!("bad secret {CLIENT_SECRET}!")});
    bench.fake.answers(json_answer(401, &echo));
    let error = bench.session.access_token().unwrap_err();
    assert!(error.message().contains("bad secret [redacted]!"), "{error}");
    assert!(!format!("{error:?} {:?}", error.oauth_error_description()).contains(CLIENT_SECRET));
}

/// A login by a user cannot fix this error.
#[test]
fn i10_19_invalid_grant_for_an_m2m_client_is_misconfigured() {
    let body = json!({"error": "invalid_grant", "error_description": "Client disabled"});
    let error = error(json_answer(400, &body));
    assert_eq!((error.status(), error.reason()), (Status::Misconfigured, None));
    assert_eq!((error.oauth_error(), error.http_status()), (Some("invalid_grant"), Some(400)));
    assert!(
        error.message().contains("Client disabled") && !error.message().contains("log in"),
        "{error}"
    );
}
