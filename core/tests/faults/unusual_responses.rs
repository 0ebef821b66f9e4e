//! Responses that other clients can read and that contain the only copy of a refresh token, and
//! responses that no client can read.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planetkey::deployment::InsecureLoopback;
use planetkey::http::{MAX_BODY_BYTES, Response, Undecoded, decode};
use planetkey::oauth::{device_code, introspection, jwks, metadata, userinfo};
use planetkey::secret::Secret;
use planetkey::{Error, Reason, Status};
use serde_json::{Value, json};

/// Returns the bytes with this content coding.
fn encoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    use flate2::Compression;
    use flate2::read::{DeflateEncoder, GzEncoder, ZlibEncoder};
    use std::io::Read;
    let mut encoded = Vec::new();
    match coding {
        "gzip" => GzEncoder::new(bytes, Compression::best()).read_to_end(&mut encoded),
        "zlib" => ZlibEncoder::new(bytes, Compression::best()).read_to_end(&mut encoded),
        _ => DeflateEncoder::new(bytes, Compression::best()).read_to_end(&mut encoded),
    }
    .unwrap();
    encoded
}

/// Refreshes at a server that detects reuse, rotates the refresh token and responds with this step.
fn rotate(step: &Value) -> (Planet, Value, planetkey::Result<String>) {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    planet.simulator.script("user.token", &json!([step])).unwrap();
    let outcome = planet.session().access_token().map(|token| token.to_string());
    assert_eq!(
        planet.simulator.count("user.rotations").unwrap(),
        1,
        "the step is a rotation: {step}"
    );
    (planet, seeded, outcome)
}

/// Asserts that the response is used: one request, the new refresh token is saved, and the session
/// continues.
fn is_read(step: &Value) {
    let (planet, seeded, outcome) = rotate(step);
    outcome.unwrap_or_else(|error| panic!("{step}: {error}"));
    assert_eq!(planet.requests(), 1, "{step}");
    planet.assert_alive(&seeded, 1);
    planet.session().refresh().unwrap();
    planet.assert_alive(&seeded, 2);
}

/// Returns what the M2M client gets from these bytes, and after how many requests.
fn raw(bytes: &str) -> (planetkey::Result<String>, u64) {
    let simulator = simulator();
    simulator.script("m2m.token", &json!({"steps": [{ "raw": bytes }], "repeat": true})).unwrap();
    let outcome = simulator_session(&simulator, &simulator_options(&simulator)).access_token();
    (outcome.map(|token| token.to_string()), simulator.count("m2m.token").unwrap())
}

/// Returns the error for a complete response, after which no request follows.
fn error(response: Response) -> Error {
    let bench = bench();
    bench.fake.answers(response);
    let error = bench.session.access_token().unwrap_err();
    assert_eq!(bench.fake.count(), 1);
    error
}

#[test]
fn i10_03_requests_accept_only_the_identity_coding() {
    let planet = Planet::new();
    planet.seed(&json!({"age": 3600, "scope": "planet openid offline_access"}));
    let session = planet.session();
    session.access_token().unwrap();
    session.userinfo().unwrap();
    simulator_session(&planet.simulator, &simulator_options(&planet.simulator))
        .access_token()
        .unwrap();
    for target in ["user.metadata", "user.token", "user.userinfo", "m2m.token"] {
        let accepted = header(&planet.simulator, target, 0, "accept-encoding");
        assert_eq!(accepted.as_deref(), Some("identity"), "{target}");
    }
}

#[test]
fn i10_03_a_compressed_rotation_is_saved() {
    for coding in ["gzip", "deflate", "raw_deflate"] {
        is_read(&json!({ "content_coding": coding }));
    }
    is_read(
        &json!({"content_coding": "gzip", "headers": {"Content-Encoding": "X-GZIP, identity"}}),
    );
    // A label without a coding, as a proxy leaves it after it has decoded the body.
    for label in ["gzip", "br", "UTF-8", "none"] {
        is_read(&json!({"headers": {"Content-Encoding": label}}));
    }
}

#[test]
fn i10_03_unusual_headers_and_statuses_lose_no_rotation() {
    for label in [
        json!("text/plain"),
        json!("text/html; charset=utf-8"),
        json!("application/vnd.x+json"),
        json!(""),
        Value::Null,
    ] {
        is_read(&json!({"headers": {"Content-Type": label}}));
    }
    // A proxy that changes a response indicates it by the status (RFC 9110 15.3.4).
    for status in [201, 203] {
        is_read(&json!({"status": status, "token_response": {}}));
    }
    let many = |number: u32| {
        (0..number)
            .map(|number| json!([format!("X-{number}"), "v".repeat(50)]))
            .collect::<Vec<Value>>()
    };
    is_read(&json!({"headers": many(150)}));
    is_read(&json!({"headers": many(4000)}));
}

/// All documents of a server are read in the same way.
#[test]
fn i10_03_json_is_read_with_any_content_type_and_a_byte_order_mark() {
    let labels =
        ["text/plain", "text/html", "application/octet-stream", "application/jwk-set+json"];
    for (label, mark) in labels.into_iter().flat_map(|label| [(label, ""), (label, "\u{feff}")]) {
        let wire = Wire::new();
        let answers = |document: Value| {
            wire.fake.answers(answer(200, label, format!("{mark}\r\n{document}")))
        };
        answers(json!({"issuer": ISSUER, "token_endpoint": format!("{ISSUER}/token")}));
        metadata::fetch(&wire.call(), ISSUER, ISSUER, InsecureLoopback::Refused).unwrap();
        answers(crate::common::jwks(&[&Signer::rsa("key").jwk]));
        jwks::fetch(&wire.call(), &endpoint("jwks")).unwrap();
        answers(json!({"sub": SUBJECT}));
        userinfo::request(&wire.call(), &endpoint("userinfo"), &Secret::from("t")).unwrap();
        answers(json!({"active": true}));
        let token = Secret::from("t");
        introspection::introspect(&wire.call(), &endpoint("i"), &public_client(), &token, None)
            .unwrap();
        answers(json!({
            "device_code": "d", "user_code": "u", "verification_uri": "https://as.example/device", "expires_in": 900,
        }));
        device_code::authorize(
            &wire.call(),
            &endpoint("d"),
            &public_client(),
            &[],
            None,
            &[],
            InsecureLoopback::Refused,
        )
        .unwrap();
        // A refusal is read, too: no request follows an invalid_grant.
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        home.fake.answers(answer(200, label, format!("{mark}{}", token_document())));
        assert_eq!(
            (ask(&home.user()).as_str(), home.refresh_token().as_str()),
            ("labelled", "next"),
            "{label} {mark:?}"
        );
        home.fake.answers(answer(
            400,
            label,
            format!("{mark}{}", json!({"error": "invalid_grant"})),
        ));
        assert_eq!(
            home.user().refresh().unwrap_err().reason(),
            Some(Reason::Revoked),
            "{label} {mark:?}"
        );
    }
    // An HTML page is not a token response.
    let error = error(answer(200, "text/html", "<html>{}</html>"));
    assert_eq!(
        (error.status(), error.http_status(), error.retryable()),
        (Status::Protocol, Some(200), true)
    );
}

fn token_document() -> Value {
    json!({"access_token": "labelled", "refresh_token": "next", "token_type": "Bearer", "expires_in": 3600})
}

#[test]
fn i10_03_the_error_names_an_unsupported_coding() {
    let gzip = encoded("gzip", token_document().to_string().as_bytes());
    let mut damaged = gzip.clone();
    let crc = damaged.len() - 8;
    damaged[crc] ^= 1;
    let six = ["gzip"; 6].join(", ");
    for (label, body, named) in [
        ("br", &gzip[..], "Content-Encoding br, which is not supported (gzip and deflate are)"),
        ("zstd\u{7}", &gzip[..], "Content-Encoding zstd"),
        (six.as_str(), &gzip[..], "not supported"),
        ("gzip", b"<html>", "Content-Encoding gzip"),
        ("gzip", &gzip[..gzip.len() - 9], "Content-Encoding gzip"),
        ("gzip", &damaged[..], "Content-Encoding gzip"),
        ("deflate", &gzip[..], "Content-Encoding deflate"),
    ] {
        for status in [200, 400, 503] {
            let simulator = simulator();
            let label: String = label.chars().filter(|c| !c.is_control()).collect();
            let step = json!({"status": status, "body_base64": STANDARD.encode(body), "headers": {"Content-Encoding": label}});
            simulator.script("m2m.token", &json!({"steps": [step], "repeat": true})).unwrap();
            let error = simulator_session(&simulator, &simulator_options(&simulator))
                .access_token()
                .unwrap_err();
            if status == 503 {
                assert_eq!(
                    (error.status(), error.http_status()),
                    (Status::Unavailable, Some(503)),
                    "{label}: {error}"
                );
                continue;
            }
            assert_eq!(
                (error.status(), error.http_status()),
                (Status::Protocol, Some(status)),
                "{label}: {error}"
            );
            assert!(error.message().contains(named), "{label}: {error}");
            assert!(!format!("{error:?}").contains("labelled"));
        }
    }
}

/// The limit applies to the decoded body. The data beyond it is never allocated.
#[test]
fn i10_03_a_decompression_bomb_is_too_large() {
    let decoded = |codings: &str, body: Vec<u8>| decode(codings, planetkey::http::Body(body));
    for (label, coding) in [("gzip", "gzip"), ("deflate", "zlib"), ("deflate", "raw")] {
        let fits = vec![b' '; MAX_BODY_BYTES];
        assert_eq!(decoded(label, encoded(coding, &fits)).unwrap().0, fits);
        for size in [MAX_BODY_BYTES + 1, 50 * MAX_BODY_BYTES] {
            let outcome = decoded(label, encoded(coding, &vec![b' '; size]));
            assert!(matches!(outcome, Err(Undecoded::TooLarge)), "{label} {size}: {outcome:?}");
        }
    }
    // Decompression bombs in several gzip members, and one inside another.
    let members = encoded("gzip", &vec![b' '; MAX_BODY_BYTES / 2 + 1]).repeat(2);
    assert!(matches!(decoded("gzip", members), Err(Undecoded::TooLarge)));
    let nested = encoded("gzip", &encoded("gzip", &vec![0; 200 * MAX_BODY_BYTES]));
    assert!(nested.len() < 10_000, "{}", nested.len());
    assert!(matches!(decoded("gzip, gzip", nested), Err(Undecoded::TooLarge)));
    // Two gzip members form one text, and the data after them is ignored.
    let members =
        [encoded("gzip", b"{\"a\":"), encoded("gzip", b"1}"), b"\0\0trailer".to_vec()].concat();
    assert_eq!(decoded("gzip", members).unwrap().0, b"{\"a\":1}");
    let twice = encoded("zlib", &encoded("gzip", b"<html>"));
    assert_eq!(decoded("gzip, deflate", twice).unwrap().0, b"<html>");

    let (planet, _, outcome) = {
        let planet = Planet::new();
        let seeded = planet.seed_expired();
        let bomb = STANDARD.encode(encoded("gzip", &vec![b' '; 20 * MAX_BODY_BYTES]));
        planet
            .simulator
            .script(
                "user.token",
                &json!([{"body_base64": bomb, "headers": {"Content-Encoding": "gzip"}}]),
            )
            .unwrap();
        let outcome = planet.session().access_token().map(|token| token.to_string());
        (planet, seeded, outcome)
    };
    let error = outcome.unwrap_err();
    assert!(error.status() == Status::Protocol && error.message().contains("1 MiB"), "{error}");
    assert_eq!(planet.requests(), 1, "the response came: the refresh token is not sent again");
}

/// The refresh token has been used. At a server that detects reuse, sending it again at once would
/// revoke the session.
#[test]
fn i10_03_after_an_unusable_response_the_refresh_token_is_not_sent_again() {
    for step in [
        json!({"content_coding": "gzip", "headers": {"Content-Encoding": "br"}}),
        json!({"token_response": {"set": {"token_type": "mac"}, "remove": ["refresh_token"]}}),
        json!({"token_response": {"remove": ["access_token", "refresh_token"]}}),
        json!({"status": 204, "token_response": {}}),
        json!({"fault": "huge"}),
    ] {
        let (planet, seeded, outcome) = rotate(&step);
        let error = outcome.unwrap_err();
        assert_eq!(
            (error.status(), error.is_ambiguous()),
            (Status::Protocol, true),
            "{step}: {error}"
        );
        assert_eq!(planet.requests(), 1, "{step}");
        assert_eq!(planet.simulator.count("user.reuse").unwrap(), 0, "{step}");
        assert_eq!(planet.session_of(&seeded)["active"], true, "{step}");
    }
}

#[test]
fn i10_03_after_an_unusable_response_newer_tokens_are_adopted() {
    for (late, members, sent) in [
        (false, json!({"access_token": "other", "refresh_token": "next"}), 1),
        (true, json!({"access_token": "other", "refresh_token": "next"}), 1),
        // The access token that the other program saved has expired by now. Its refresh token is
        // not the one that was sent.
        (false, json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": "next"}), 2),
    ] {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        let (file, newer) = (home.token_file(), sdk_bytes(&seeded(&members)));
        let mut options = home.options();
        if late {
            let (clock, after_ms) = (home.clock.clone(), 60);
            options.runtime.clock =
                std::sync::Arc::new(LateWriter { clock, file, newer, after_ms });
            home.fake.answers(answer(200, "text/html", "<html>"));
        } else {
            home.fake.then(move || {
                sdk_write(&file, &newer);
                Ok(answer(200, "text/html", "<html>"))
            });
        }
        let token = ask(&user(&options));
        assert_eq!(token, if sent == 1 { "other" } else { "access-1" }, "{late} {members}");
        assert_eq!(home.sent(), [SEEDED_REFRESH, "next"][..sent]);
    }
}

/// The next attempt follows by backoff, in every process.
#[test]
fn i10_03_after_an_unusable_response_the_next_attempt_backs_off() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.always(|_| Ok(answer(200, "text/html", "<html>")));
    let session = home.user();
    for _ in 0..10 {
        assert_eq!(session.access_token().unwrap_err().status(), Status::Protocol);
        assert_eq!(home.user().access_token().unwrap_err().status(), Status::Protocol);
    }
    assert_eq!((home.fake.count(), home.refresh_token().as_str()), (1, SEEDED_REFRESH));
    home.fake.always(|number| Ok(token(&rotated(number))));
    home.advance(3600);
    assert!(ask(&session).starts_with("access-"));
    assert_eq!(home.sent(), [SEEDED_REFRESH; 2]);
}

#[test]
fn i10_11_malformed_header_lines_lose_no_rotation() {
    for lines in [
        json!(["X-Space : v"]),
        json!(["X-Tab\t: v"]),
        json!(["X-Folded: one", "  two", "\tthree"]),
        json!(["X-Control: a\u{1}b\u{7f}c"]),
        json!(["a line without a colon"]),
        json!([": no name"]),
        json!(["X(bad)name: v"]),
        json!(["X-Not-Ascii: \u{fc}\u{20ac}", "X-N\u{e4}me: v"]),
        json!(["Retry-After : 5", "no colon", "X: a", " b", "Date: never"]),
    ] {
        is_read(&json!({ "header_lines": lines }));
    }
}

#[test]
fn i10_11_a_whole_json_object_counts_without_the_end_of_the_body() {
    for fault in ["no_last_chunk", "no_last_line", "truncate"] {
        is_read(&json!({ "fault": fault }));
        is_read(&json!({"fault": fault, "content_coding": "gzip"}));
    }
    // A refusal is read, too. A status that does not need a body counts without one.
    for (status, body, wanted) in [
        (400, r#"{"error":"invalid_client"}"#, (Status::Misconfigured, 1)),
        (500, "<html>half a pa", (Status::Unavailable, 2)),
        (400, "<html>half a pa", (Status::Unavailable, 3)),
    ] {
        let simulator = simulator();
        let step = json!({"status": status, "body": body, "fault": "no_last_chunk"});
        simulator.script("m2m.token", &json!({"steps": [step], "repeat": true})).unwrap();
        let error = simulator_session(&simulator, &simulator_options(&simulator))
            .access_token()
            .unwrap_err();
        assert_eq!(
            (error.status(), simulator.count("m2m.token").unwrap()),
            wanted,
            "{status} {body}: {error}"
        );
    }
}

/// A response that breaks off within its content is lost, in whatever way it ends. The file is read
/// again and the request repeated as before.
#[test]
fn i10_11_a_truncated_object_is_no_response() {
    for step in [json!({"fault": "cut"}), json!({"fault": "cut", "content_coding": "gzip"})] {
        let (planet, _, outcome) = rotate(&step);
        assert_eq!(outcome.unwrap_err().reason(), Some(Reason::Revoked), "{step}");
        assert_eq!(
            (planet.requests(), planet.simulator.count("user.reuse").unwrap()),
            (2, 1),
            "{step}"
        );
    }
    for body in ["{\"access_token\":\"a\"", "[{}]", "\"a\"", "1", "{}{}", "{} trailing"] {
        let chunk = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}",
            body.len()
        );
        let (outcome, requests) = raw(&chunk);
        let error = outcome.unwrap_err();
        assert_eq!((error.status(), requests), (Status::Unavailable, 3), "{body}: {error}");
    }
}

/// The checks that prevent one response from being mistaken for another still apply.
#[test]
fn i10_11_contradicting_lengths_are_still_refused() {
    let body = r#"{"access_token":"lenient","token_type":"Bearer","expires_in":60}"#;
    let length = body.len();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    for lines in [
        format!("Content-Length: {length}\r\nContent-Length: {}", length - 1),
        format!("Content-Length : {length}\r\nContent-Length: {}", length - 1),
        format!("Content-Length: {length}x"),
        "Content-Length: -1".to_owned(),
        format!("Content-Length: {length}, 5"),
        format!("Content-Length: {length}\r\n 5"),
        format!("Content-Length: {length}\r\nTransfer-Encoding : chunked"),
    ] {
        let (outcome, requests) = raw(&format!("{head}{lines}\r\n\r\n{body}"));
        let outcome = outcome.map_err(|error| error.status());
        assert_eq!((outcome, requests), (Err(Status::Unavailable), 3), "{lines}");
    }
    // The same length twice is no contradiction, and a space before the colon is accepted.
    for lines in [
        format!("Content-Length: {length}\r\nContent-Length : {length}"),
        format!("Content-Length : {length}"),
    ] {
        let (outcome, requests) = raw(&format!("{head}{lines}\r\n\r\n{body}rest"));
        assert_eq!((outcome.unwrap().as_str(), requests), ("lenient", 1), "{lines}");
    }
}
