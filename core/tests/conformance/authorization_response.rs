//! The authorization response and the code in it: assertions 44 to 51.

use crate::common::*;
use planetkey::clock::SystemRandom;
use planetkey::credential::TokenSet;
use planetkey::http::TransportFailure;
use planetkey::oauth::authorization_code::{Attempt, AuthorizationResponse, Parameters, redeem};
use planetkey::secret::Secret;
use planetkey::{Error, Reason, Result, Status};

const REDIRECT: &str = "http://127.0.0.1:49152/callback?kept=1";

fn attempt() -> Attempt {
    let parameters = Parameters {
        endpoint: &endpoint("authorize"),
        client_id: CLIENT_ID,
        redirect_uri: REDIRECT,
        scopes: &scopes(&["planet"]),
        audience: None,
        extra: &[],
    };
    Attempt::new(&parameters, &SystemRandom).unwrap()
}

fn sent(attempt: &Attempt, name: &str) -> String {
    let url = url::Url::parse(attempt.url()).unwrap();
    url.query_pairs().find(|(present, _)| present == name).unwrap().1.into_owned()
}

/// Returns a query with these parameters; `STATE` is replaced by the right state.
fn query(attempt: &Attempt, parameters: &[(&str, &str)]) -> String {
    let state = sent(attempt, "state");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        query.append_pair(name, if *value == "STATE" { &state } else { value });
    }
    query.finish()
}

fn code(response: AuthorizationResponse) -> String {
    match response {
        AuthorizationResponse::Code(code) => code.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

fn refused(response: AuthorizationResponse) -> Error {
    match response {
        AuthorizationResponse::Refused(error) => error,
        other => panic!("{other:?}"),
    }
}

fn is_not_ours(response: &AuthorizationResponse) -> bool {
    matches!(response, AuthorizationResponse::NotOurs(_))
}

#[test]
fn a044_the_state_is_checked_first() {
    let attempt = attempt();
    let state = sent(&attempt, "state");
    let half = &state[..state.len() / 2];
    let wrong = [
        String::new(),
        half.to_owned(),
        format!("{state}x"),
        format!(" {state}"),
        state.to_lowercase(),
        sent(&self::attempt(), "state"),
    ];
    for wrong in wrong {
        for rest in [
            "code=c",
            "error=access_denied",
            "iss=https%3A%2F%2Fevil.example&code=c",
            "code=c&code=d",
            "",
        ] {
            let response = attempt.response(
                &format!("state={}&{rest}", wrong.replace(' ', "%20")),
                ISSUER,
                true,
            );
            assert!(is_not_ours(&response), "{wrong} {rest} {response:?}");
        }
    }
    for nothing in
        ["", "code=c", "&&&", "state", "state=", "STATE=x", "%00=%ff", "code=c&error=access_denied"]
    {
        assert!(is_not_ours(&attempt.response(nothing, ISSUER, false)), "{nothing}");
    }
    assert_eq!(
        code(attempt.response(
            &query(&attempt, &[("state", "STATE"), ("code", "c+/ =")]),
            ISSUER,
            false
        )),
        "c+/ ="
    );
    // Form encoding: a plus is a space, every character may be encoded, and unknown parameters are
    // ignored.
    let encoded: String = state.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let response = attempt.response(
        &format!("x=y&%73tate={encoded}&code=a+b&session_state=z&"),
        ISSUER,
        false,
    );
    assert_eq!(code(response), "a b");
    // The size is checked before anything is parsed.
    let long = query(&attempt, &[("state", "STATE"), ("code", &"c".repeat(20_000))]);
    assert!(is_not_ours(&attempt.response(&long, ISSUER, false)));
    let fits = query(&attempt, &[("state", "STATE"), ("code", &"c".repeat(8_000))]);
    assert_eq!(code(attempt.response(&fits, ISSUER, false)).len(), 8_000);
}

#[test]
fn a045_the_issuer_of_a_response_must_match() {
    let attempt = attempt();
    for required in [false, true] {
        let ours = query(&attempt, &[("code", "c"), ("state", "STATE"), ("iss", ISSUER)]);
        assert_eq!(code(attempt.response(&ours, ISSUER, required)), "c");
        for iss in [
            "https://evil.example",
            "https://as.example/realms/planet/",
            "https://AS.example/realms/planet",
            "x\u{202e}\r\ny",
        ] {
            let theirs = query(&attempt, &[("code", "c"), ("state", "STATE"), ("iss", iss)]);
            let error = refused(attempt.response(&theirs, ISSUER, required));
            assert_eq!(
                (error.status(), error.reason()),
                (Status::Protocol, Some(Reason::IssuerMismatch)),
                "{iss}"
            );
            assert!(
                error.message().contains(ISSUER)
                    && !error.message().contains(['\r', '\n', '\u{202e}']),
                "{error:?}"
            );
        }
    }
}

#[test]
fn a046_a_missing_announced_issuer_is_refused() {
    let attempt = attempt();
    for iss in [None, Some("")] {
        let parameters: Vec<_> = [("code", "c"), ("state", "STATE")]
            .into_iter()
            .chain(iss.map(|iss| ("iss", iss)))
            .collect();
        let query = query(&attempt, &parameters);
        let error = refused(attempt.response(&query, ISSUER, true));
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Protocol, Some(Reason::IssuerMismatch))
        );
        assert_eq!(code(attempt.response(&query, ISSUER, false)), "c");
    }
}

#[test]
fn a047_an_issuer_that_was_not_announced_is_compared_too() {
    let attempt = attempt();
    let theirs =
        query(&attempt, &[("code", "c"), ("state", "STATE"), ("iss", "https://evil.example")]);
    assert_eq!(
        refused(attempt.response(&theirs, ISSUER, false)).reason(),
        Some(Reason::IssuerMismatch)
    );
}

#[test]
fn a048_an_error_counts_only_with_state_and_issuer() {
    let attempt = attempt();
    let error = |parameters: &[(&str, &str)], required| {
        attempt.response(&query(&attempt, parameters), ISSUER, required)
    };
    assert!(is_not_ours(&error(&[("error", "access_denied"), ("state", "forged")], false)));
    let mixed = refused(error(
        &[("error", "access_denied"), ("state", "STATE"), ("iss", "https://evil.example")],
        false,
    ));
    assert_eq!(
        (mixed.status(), mixed.oauth_error()),
        (Status::Protocol, None),
        "no refusal was received"
    );
    assert_eq!(
        refused(error(&[("error", "access_denied"), ("state", "STATE")], true)).status(),
        Status::Protocol
    );
    // With the right issuer the error counts, even beside a code.
    for (name, status) in [
        ("access_denied", Status::Denied),
        ("invalid_scope", Status::Misconfigured),
        ("unauthorized_client", Status::Misconfigured),
        ("unsupported_response_type", Status::Misconfigured),
        ("a_new_error", Status::Misconfigured),
        ("login_required", Status::LoginRequired),
        ("server_error", Status::Unavailable),
        ("temporarily_unavailable", Status::Unavailable),
    ] {
        let parameters = [
            ("error", name),
            ("state", "STATE"),
            ("iss", ISSUER),
            ("error_description", "no\r\n\u{1b}[31mway"),
            ("code", "c"),
        ];
        let error = refused(error(&parameters, true));
        assert_eq!((error.status(), error.oauth_error()), (status, Some(name)));
        assert_eq!(
            error.oauth_error_description(),
            Some("no   [31mway"),
            "one line of the server's"
        );
    }
}

/// RFC 6749 3.1: a repeated parameter is invalid even if one of its values is the right state.
#[test]
fn duplicate_parameters_make_a_response_invalid() {
    let attempt = attempt();
    for name in ["state", "code", "iss", "error", "error_description"] {
        for again in ["STATE", "other", ""] {
            let value = if name == "state" {
                "STATE"
            } else if name == "iss" {
                ISSUER
            } else {
                "x"
            };
            let first = [("state", "STATE"), ("code", "c")]
                .into_iter()
                .filter(|(present, _)| *present != name);
            let parameters: Vec<_> = first.chain([(name, value), (name, again)]).collect();
            let error = refused(attempt.response(&query(&attempt, &parameters), ISSUER, false));
            assert_eq!(
                (error.status(), error.oauth_error()),
                (Status::Protocol, None),
                "{parameters:?}"
            );
            assert!(error.message().contains(name), "{error}");
        }
    }
    for nothing in [
        &[("state", "STATE")][..],
        &[("state", "STATE"), ("code", "")],
        &[("state", "STATE"), ("code", "c\r\nX: y")],
    ] {
        assert_eq!(
            refused(attempt.response(&query(&attempt, nothing), ISSUER, false)).status(),
            Status::Protocol
        );
    }
}

fn exchange(wire: &Wire, attempt: &Attempt) -> Result<TokenSet> {
    let code = Secret::from("CODE-THAT-MUST-BE-HIDDEN");
    redeem(
        &wire.call(),
        &endpoint("token"),
        &public_client(),
        attempt,
        &code,
        &scopes(&["planet"]),
    )?
    .usable()
}

#[test]
fn a049_a_code_is_sent_once() {
    let answers = [
        busy(429, None),
        busy(429, Some("1")),
        busy(503, Some("1")),
        busy(500, None),
        oauth_error(400, "invalid_grant"),
        answer(200, "text/html", "captive"),
    ];
    for response in answers {
        let wire = Wire::new();
        let status = response.status;
        wire.fake.answers(response);
        let error = exchange(&wire, &attempt()).unwrap_err();
        assert_eq!(wire.fake.count(), 1, "again after {status}");
        if error.oauth_error() == Some("invalid_grant") {
            assert_eq!(
                (error.status(), error.reason()),
                (Status::LoginRequired, Some(Reason::Expired))
            );
        }
    }
    for failure in [
        TransportFailure::Ambiguous("reset".into()),
        TransportFailure::TimedOut(true),
        TransportFailure::TooLarge,
    ] {
        let wire = Wire::new();
        wire.fake.fails(failure);
        assert!(exchange(&wire, &attempt()).unwrap_err().is_ambiguous());
        assert_eq!(wire.fake.count(), 1);
    }
    // A request that the server certainly has not received may be repeated.
    let wire = Wire::new();
    wire.fake.fails(TransportFailure::NotSent("refused".into()));
    exchange(&wire, &attempt()).unwrap();
    assert_eq!(wire.fake.count(), 2);
}

#[test]
fn a050_both_requests_have_the_same_redirect_uri() {
    let (wire, attempt) = (Wire::new(), attempt());
    exchange(&wire, &attempt).unwrap();
    let seen = &wire.fake.seen()[0];
    assert_eq!(seen.field("redirect_uri").as_deref(), Some(REDIRECT));
    assert_eq!(sent(&attempt, "redirect_uri"), REDIRECT);
    assert_eq!(seen.field("grant_type").as_deref(), Some("authorization_code"));
    assert_eq!(seen.field("scope"), None, "a granted scope is not requested again");
}

#[test]
fn a051_the_verifier_is_sent_with_the_code_and_neither_is_shown() {
    let logs = logs();
    let wire = Wire::new();
    let attempt = attempt();
    wire.fake
        .answers(oauth_error(400, "invalid_grant"))
        .fails(TransportFailure::NotSent("refused".into()));
    let first = exchange(&wire, &attempt).unwrap_err();
    exchange(&wire, &attempt).unwrap();
    let seen = wire.fake.seen();
    assert_eq!(seen[0].field("code").as_deref(), Some("CODE-THAT-MUST-BE-HIDDEN"));
    let verifier = seen[0].field("code_verifier").unwrap();
    let response = attempt.response(
        &query(&attempt, &[("state", "STATE"), ("code", "CODE-THAT-MUST-BE-HIDDEN")]),
        ISSUER,
        false,
    );
    for shown in [format!("{first:?}{first}"), format!("{attempt:?}"), format!("{response:?}")] {
        for secret in ["CODE-THAT", &verifier, &sent(&attempt, "state"), attempt.nonce()] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    for secret in ["CODE-THAT-MUST-BE-HIDDEN", &verifier, &sent(&attempt, "state")] {
        assert_eq!(logs.with(log::Level::Trace, secret), Vec::<String>::new());
    }
}

/// A login whose access token cannot be used has failed, whatever else the response contains.
#[test]
fn an_unusable_access_token_fails_the_login() {
    let wire = Wire::new();
    wire.fake.answers(token(
        &serde_json::json!({"access_token": "two words", "refresh_token": "r", "expires_in": 60}),
    ));
    assert_eq!(exchange(&wire, &attempt()).unwrap_err().status(), Status::Protocol);
}
