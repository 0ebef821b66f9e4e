//! Revocation and introspection: assertions 110 to 113 and 115. Logout is tested in `login`.

use crate::common::*;
use planetkey::http::{HttpMethod, Response, TransportFailure};
use planetkey::oauth::introspection::{Introspection, introspect};
use planetkey::oauth::revocation::{TokenRevocation, revoke};
use planetkey::secret::Secret;
use planetkey::{Result, Status};
use serde_json::{Value, json};
use std::time::Duration;

const TOKEN: &str = "TOKEN-THAT-MUST-BE-HIDDEN";

fn end(wire: &Wire) -> Result<TokenRevocation> {
    let token = Secret::from(TOKEN);
    revoke(&wire.call(), &endpoint("revoke"), &public_client(), &token, "refresh_token")
}

fn answered(response: Response) -> Result<TokenRevocation> {
    let wire = Wire::new();
    wire.fake.always(move |_| Ok(response.clone()));
    end(&wire)
}

#[test]
fn a110_a_revocation_sends_the_token_type_and_authenticates_the_client() {
    for (client, proof) in clients() {
        let wire = Wire::new();
        wire.fake.answers(answer(200, "text/plain", ""));
        let token = Secret::from(TOKEN);
        let outcome = revoke(&wire.call(), &endpoint("revoke"), &client, &token, "refresh_token");
        assert!(matches!(outcome, Ok(TokenRevocation::Revoked)));
        let seen = &wire.fake.seen()[0];
        assert_eq!(
            (seen.method, seen.url.as_str()),
            (HttpMethod::Post, endpoint("revoke").as_str())
        );
        assert_eq!(seen.field("token").as_deref(), Some(TOKEN));
        assert_eq!(seen.field("token_type_hint").as_deref(), Some("refresh_token"));
        match proof {
            "Basic" => assert!(seen.authorization.as_ref().unwrap().starts_with("Basic ")),
            field => assert!(seen.field(field).is_some(), "{field}: {}", seen.body),
        }
    }
    // A server over real sockets ends the session.
    let simulator = simulator();
    let session = simulator.seed_session(&json!({})).unwrap();
    let token = Secret::from(session["refresh_token"].as_str().unwrap());
    let http = real_http();
    let client = planetkey::oauth::client_authentication::ClientAuthentication::None {
        client_id: planetkey::deployment::PLANET_USER_CLIENT_ID.to_owned(),
    };
    let place = format!("{}oauth/revoke", simulator.user_issuer()).parse().unwrap();
    let outcome = revoke(&call_over(&http), &place, &client, &token, "refresh_token");
    assert!(matches!(outcome, Ok(TokenRevocation::Revoked)), "{outcome:?}");
    assert_eq!(simulator.session_of(token.expose()).unwrap()["revoked"], json!("revocation"));
}

/// The server returns the same for a token that it does not know.
#[test]
fn a111_a_revocation_with_status_200_is_success() {
    for response in [
        answer(200, "text/html", "<html>done"),
        answer(200, "application/json", "{"),
        json_answer(200, &json!({})),
        Response { media_type: None, ..answer(200, "", "") },
        answer(204, "text/plain", ""),
    ] {
        assert!(matches!(answered(response), Ok(TokenRevocation::Revoked)));
    }
}

#[test]
fn a112_after_a_server_error_the_token_counts_as_valid() {
    let Ok(TokenRevocation::Unknown(error)) = answered(busy(503, Some("3600"))) else {
        panic!("unknown is expected")
    };
    assert_eq!(
        (error.status(), error.retry_after(), error.http_status()),
        (Status::Unavailable, Some(Duration::from_millis(3_600_000)), Some(503))
    );
    for status in [429, 500, 502, 504] {
        assert!(
            matches!(answered(busy(status, None)), Ok(TokenRevocation::Unknown(_))),
            "{status}"
        );
    }
    for failure in [
        TransportFailure::NotSent("x".into()),
        TransportFailure::Ambiguous("x".into()),
        TransportFailure::TimedOut(true),
    ] {
        let wire = Wire::new();
        wire.fake.always(move |_| Err(failure.clone()));
        assert!(matches!(end(&wire), Ok(TokenRevocation::Unknown(_))));
    }
    // The call waits for a short Retry-After, because a second revocation does no harm.
    let wire = Wire::new();
    wire.fake.answers(busy(503, Some("2"))).answers(answer(200, "text/plain", ""));
    assert!(matches!(end(&wire), Ok(TokenRevocation::Revoked)));
    assert_eq!(wire.fake.count(), 2);
}

#[test]
fn a113_an_unsupported_token_type_is_reported() {
    let Ok(TokenRevocation::Unsupported(error)) =
        answered(oauth_error(400, "unsupported_token_type"))
    else {
        panic!("it says so")
    };
    assert_eq!(
        (error.status(), error.oauth_error()),
        (Status::Unsupported, Some("unsupported_token_type"))
    );
    // Any other error is about the request itself, and says so.
    let refused = answered(oauth_error(401, "invalid_client")).unwrap_err();
    assert_eq!(
        (refused.status(), refused.message().contains(CLIENT_ID)),
        (Status::Misconfigured, true),
        "{refused}"
    );
    assert_eq!(
        answered(oauth_error(400, "invalid_request")).unwrap_err().status(),
        Status::Misconfigured
    );
    for response in
        [answer(404, "text/html", "no"), answer(302, "text/html", ""), answer(403, "text/html", "")]
    {
        let error = answered(response).unwrap_err();
        assert_eq!(error.status(), Status::Protocol);
        assert!(!format!("{error:?}").contains(TOKEN));
    }
}

fn ask(wire: &Wire, hint: Option<&str>) -> Result<Introspection> {
    let token = Secret::from(TOKEN);
    introspect(&wire.call(), &endpoint("introspect"), &public_client(), &token, hint)
}

#[test]
fn a115_introspection_requires_active_and_caches_nothing() {
    let wire = Wire::new();
    wire.fake.answers(json_answer(200, &json!({"active": true, "sub": SUBJECT, "exp": NOW + 60})));
    let active = ask(&wire, Some("access_token")).unwrap();
    assert_eq!((active.active, &active.members["sub"]), (true, &json!(SUBJECT)));
    assert!(!format!("{active:?}").contains(SUBJECT));
    wire.fake.answers(json_answer(200, &json!({"active": false})));
    assert!(!ask(&wire, None).unwrap().active);
    let seen = wire.fake.seen();
    assert_eq!(seen.len(), 2, "each call sends a request");
    assert_eq!(
        (seen[0].method, seen[0].field("token").as_deref()),
        (HttpMethod::Post, Some(TOKEN))
    );
    assert_eq!(seen[0].field("token_type_hint").as_deref(), Some("access_token"));
    assert_eq!(
        (seen[1].field("token_type_hint"), seen[1].field("client_id").as_deref()),
        (None, Some(CLIENT_ID))
    );
    for active in [json!("true"), json!(1), Value::Null, json!([true]), json!({})] {
        wire.fake.answers(json_answer(200, &json!({ "active": active })));
        assert_eq!(ask(&wire, None).unwrap_err().status(), Status::Protocol, "{active}");
    }
    for (response, status) in [
        (json_answer(200, &json!({})), Status::Protocol),
        (json_answer(200, &json!([true])), Status::Protocol),
        (answer(200, "text/html", "<html>"), Status::Protocol),
        (oauth_error(401, "invalid_client"), Status::Misconfigured),
        (oauth_error(200, "invalid_request"), Status::Misconfigured),
    ] {
        wire.fake.answers(response);
        let error = ask(&wire, None).unwrap_err();
        assert_eq!(error.status(), status);
        assert!(!format!("{error:?}").contains(TOKEN));
    }
    for (client, proof) in clients() {
        let wire = Wire::new();
        wire.fake.answers(json_answer(200, &json!({"active": true})));
        let token = Secret::from(TOKEN);
        introspect(&wire.call(), &endpoint("introspect"), &client, &token, None).unwrap();
        let seen = &wire.fake.seen()[0];
        assert!(seen.authorization.is_some() || seen.field(proof).is_some(), "{proof}");
    }
}
