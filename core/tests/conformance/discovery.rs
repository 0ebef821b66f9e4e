//! Discovery: assertions 11 to 17.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::deployment::Deployment;
use planetkey::deployment::InsecureLoopback;
use planetkey::http::HttpMethod;
use planetkey::oauth::metadata;
use planetkey::{Reason, Session, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const OPENID: &str = "https://as.example/realms/planet/.well-known/openid-configuration";
const OAUTH: &str = "https://as.example/.well-known/oauth-authorization-server/realms/planet";

fn config(more: &Value) -> String {
    let mut config = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": ISSUER,
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config.to_string()
}

fn document() -> Value {
    json!({"issuer": ISSUER, "token_endpoint": format!("{ISSUER}/token")})
}

fn fetch(wire: &Wire, issuer: &str) -> planetkey::Result<metadata::Metadata> {
    metadata::fetch(&wire.call(), issuer, issuer, InsecureLoopback::Refused)
}

#[test]
fn a011_both_metadata_urls_of_an_issuer_with_a_path() {
    let wire = Wire::new();
    wire.fake.answers(answer(404, "text/html", "not here")).answers(json_answer(200, &document()));
    assert_eq!(fetch(&wire, ISSUER).unwrap().token_endpoint, Some(format!("{ISSUER}/token")));
    let seen: Vec<(HttpMethod, String)> =
        wire.fake.seen().into_iter().map(|seen| (seen.method, seen.url)).collect();
    assert_eq!(seen, [(HttpMethod::Get, OPENID.to_owned()), (HttpMethod::Get, OAUTH.to_owned())]);
    // Without a path the two URLs differ in their names alone. A slash at the end is not a path.
    for issuer in ["https://as.example", "https://as.example/"] {
        let urls =
            metadata::well_known_urls(issuer, InsecureLoopback::Refused).unwrap().map(String::from);
        let wanted = [
            "https://as.example/.well-known/openid-configuration",
            "https://as.example/.well-known/oauth-authorization-server",
        ];
        assert_eq!(urls, wanted, "{issuer}");
    }
}

#[test]
fn a012_the_issuer_must_be_equal_byte_for_byte() {
    let others = [
        "https://as.example/realms/planet/",
        "https://as.example/realms/Planet",
        "https://AS.example/realms/planet",
        "https://as.example:443/realms/planet",
        "https://as.example/realms",
        "",
    ];
    let broken =
        others.iter().map(|issuer| json!(issuer)).chain([Value::Null, json!(5), json!([ISSUER])]);
    for issuer in broken {
        let wire = Wire::new();
        let mut wrong = document();
        wrong["issuer"] = issuer.clone();
        wire.fake.answers(json_answer(200, &wrong));
        let error = fetch(&wire, ISSUER).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Protocol, Some(Reason::IssuerMismatch)),
            "{issuer}"
        );
        assert!(error.message().contains(ISSUER), "{error}");
        assert_eq!(wire.fake.count(), 1, "an endpoint of one form is not requested in the other");
    }
}

#[test]
fn a013_an_issuer_is_https_without_query_and_fragment() {
    for issuer in [
        "http://as.example",
        "https://as.example?x",
        "https://as.example/realm?x=1",
        "https://as.example#x",
        "as.example",
    ] {
        let wire = Wire::new();
        assert_eq!(fetch(&wire, issuer).unwrap_err().status(), Status::Misconfigured, "{issuer}");
        assert_eq!(wire.fake.count(), 0);
    }
}

#[test]
fn a014_basic_is_the_default_authentication_method() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    fake.answers(json_answer(200, &document()));
    let session =
        Session::from_client_config(&config(&json!({})), &options(&fake, &clock)).unwrap();
    session.access_token().unwrap();
    let request = &fake.seen()[1];
    assert!(
        request.authorization.as_ref().is_some_and(|value| value.starts_with("Basic ")),
        "{request:?}"
    );
    assert_eq!(request.field("client_secret"), None);
}

#[test]
fn a015_configured_endpoints_need_no_metadata() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let more = json!({"token_endpoint": "https://as.example/by-hand"});
    let session = Session::from_client_config(&config(&more), &options(&fake, &clock)).unwrap();
    session.access_token().unwrap();
    let urls: Vec<String> = fake.seen().into_iter().map(|seen| seen.url).collect();
    assert_eq!(urls, ["https://as.example/by-hand"]);
}

/// Metadata is read once a day, and an old copy is used if the server fails.
#[test]
fn a016_metadata_is_cached_for_a_limited_time() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let session =
        Session::from_client_config(&config(&json!({})), &options(&fake, &clock)).unwrap();
    let metadata_requests =
        || fake.seen().into_iter().filter(|seen| seen.method == HttpMethod::Get).count();
    fake.answers(json_answer(200, &document()));
    for _ in 0..20 {
        session.refresh().unwrap();
        clock.advance(Duration::from_secs(3600));
    }
    assert_eq!(metadata_requests(), 1);
    clock.advance(Duration::from_secs(4 * 3600));
    let mut moved = document();
    moved["token_endpoint"] = json!("https://as.example/moved");
    fake.answers(json_answer(200, &moved));
    session.refresh().unwrap();
    assert_eq!(
        (metadata_requests(), fake.seen().last().unwrap().url.as_str()),
        (2, "https://as.example/moved")
    );
    // If the metadata cannot be read again, the old copy is used.
    for failure in [
        answer(404, "text/html", "gone"),
        answer(200, "text/html", "captive"),
        json_answer(200, &json!({"issuer": "other"})),
    ] {
        clock.advance(Duration::from_secs(25 * 3600));
        if failure.status == 404 {
            fake.answers(failure.clone());
        }
        fake.answers(failure);
        session.refresh().unwrap();
        assert_eq!(fake.seen().last().unwrap().url, "https://as.example/moved");
    }
}

/// After a 404 the token endpoint is discovered again at once, unless the document was read a
/// moment ago.
#[test]
fn i10_17_a_token_endpoint_that_moved_is_found_again() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let session =
        Session::from_client_config(&config(&json!({})), &options(&fake, &clock)).unwrap();
    let metadata_requests =
        || fake.seen().into_iter().filter(|seen| seen.method == HttpMethod::Get).count();
    fake.answers(json_answer(200, &document()));
    session.refresh().unwrap();
    clock.advance(Duration::from_secs(3600));
    let mut moved = document();
    moved["token_endpoint"] = json!("https://as.example/moved");
    fake.answers(answer(404, "text/html", "gone"));
    fake.answers(json_answer(200, &moved));
    session.refresh().unwrap();
    assert_eq!(
        (metadata_requests(), fake.seen().last().unwrap().url.as_str()),
        (2, "https://as.example/moved")
    );
    fake.answers(answer(404, "text/html", "gone"));
    assert_eq!(session.refresh().unwrap_err().http_status(), Some(404));
    assert_eq!(metadata_requests(), 2);
    // The metadata still names the old endpoint.
    clock.advance(Duration::from_secs(3600));
    fake.answers(answer(404, "text/html", "gone"));
    fake.answers(json_answer(200, &moved));
    assert_eq!(session.refresh().unwrap_err().http_status(), Some(404));
    assert_eq!(metadata_requests(), 3);
}

#[test]
fn i10_17_an_endpoint_named_only_in_the_rfc_8414_document_is_found() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let session =
        Session::from_client_config(&config(&json!({})), &options(&fake, &clock)).unwrap();
    let mut full = document();
    full["introspection_endpoint"] = json!("https://as.example/introspect");
    let mut plain = document();
    plain.as_object_mut().unwrap().remove("introspection_endpoint");
    fake.answers(json_answer(200, &plain));
    session.refresh().unwrap();
    fake.answers(json_answer(200, &full));
    fake.answers(json_answer(200, &json!({"active": true})));
    session.introspect(None).unwrap();
    let urls: Vec<String> = fake.seen().into_iter().map(|seen| seen.url).collect();
    assert_eq!(urls[2..], [OAUTH, "https://as.example/introspect"]);
    // Both documents are cached.
    fake.answers(json_answer(200, &json!({"active": true})));
    session.introspect(None).unwrap();
    assert_eq!(fake.seen().last().unwrap().url, "https://as.example/introspect");
    assert_eq!(fake.count(), 5);
}

#[test]
fn a017_two_servers_do_not_share_an_issuer() {
    let deployment = |second: &Value| {
        let first = json!({"subject": "m2m", "issuer": "https://as.example", "token_endpoint": "https://as.example/token"});
        let servers =
            json!({"name": "x", "authorization_servers": [first, second], "resource_servers": []});
        Deployment::from_json(&servers.to_string())
    };
    for issuer in ["https://as.example", "https://as.example/"] {
        let second = json!({"subject": "user", "issuer": issuer, "token_endpoint": "https://evil.example/token"});
        let error = deployment(&second).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(error.message().contains("https://as.example"), "{error}");
    }
    // One server for users and M2M clients.
    deployment(&json!({"subject": "user", "issuer": "https://as.example", "token_endpoint": "https://as.example/token"}))
        .unwrap();
    deployment(&json!({"subject": "user", "issuer": "https://as.example"})).unwrap();
    deployment(&json!({"subject": "user", "issuer": "https://other.example", "token_endpoint": "https://other.example/token"}))
        .unwrap();
}

/// The metadata that logins need: an endpoint is read if it is present, and refused if it is not a
/// valid endpoint.
#[test]
fn every_endpoint_of_the_metadata_is_read_and_checked() {
    let endpoints = [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
        "jwks_uri",
    ];
    let mut full = json!({
        "issuer": ISSUER, "code_challenge_methods_supported": ["plain", "S256"], "grant_types_supported": ["authorization_code"],
        "id_token_signing_alg_values_supported": ["RS256", 5], "authorization_response_iss_parameter_supported": true,
    });
    for name in endpoints {
        full[name] = json!(format!("https://endpoints.example/{name}"));
    }
    let read = metadata::parse(&full, ISSUER, InsecureLoopback::Refused).unwrap();
    let found = [
        read.authorization_endpoint,
        read.token_endpoint,
        read.device_authorization_endpoint,
        read.revocation_endpoint,
        read.introspection_endpoint,
        read.userinfo_endpoint,
        read.jwks_uri,
    ];
    assert_eq!(found, endpoints.map(|name| Some(format!("https://endpoints.example/{name}"))));
    assert_eq!(read.id_token_signing_alg_values_supported, Some(scopes(&["RS256"])));
    assert!(read.authorization_response_iss_parameter_supported);
    for name in endpoints {
        for wrong in [
            "http://as.example/x",
            "https://user@as.example/x",
            "https://as.example/x#y",
            "file:///etc/passwd",
            "x",
        ] {
            let mut document = full.clone();
            document[name] = json!(wrong);
            let error = metadata::parse(&document, ISSUER, InsecureLoopback::Allowed).unwrap_err();
            assert_eq!(error.status(), Status::Protocol, "{name} {wrong}");
            assert!(error.message().contains(name), "{error}");
        }
        for nothing in [Value::Null, json!(""), json!(5)] {
            let mut document = full.clone();
            document[name] = nothing;
            metadata::parse(&document, ISSUER, InsecureLoopback::Refused).unwrap();
        }
        let mut document = full.clone();
        document[name] = json!("http://127.0.0.1:8080/x");
        assert!(metadata::parse(&document, ISSUER, InsecureLoopback::Refused).is_err());
        metadata::parse(&document, ISSUER, InsecureLoopback::Allowed).unwrap();
    }
    let least = metadata::parse(
        &json!({"issuer": ISSUER, "authorization_response_iss_parameter_supported": "true"}),
        ISSUER,
        InsecureLoopback::Refused,
    );
    assert!(!least.unwrap().authorization_response_iss_parameter_supported);
}
