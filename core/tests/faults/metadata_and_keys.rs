//! Errors in a server's metadata and keys: faults 33, 34 and 36.

use crate::common::*;
use planetkey::deployment::InsecureLoopback;
use planetkey::http::Retry;
use planetkey::oauth::id_token::{Expected, Verification, unknown_key, verify};
use planetkey::oauth::jwks::{self, Jwks};
use planetkey::oauth::metadata;
use planetkey::{Reason, Result, Status};
use serde_json::{Value, json};

fn fetch(document: &Value) -> Result<metadata::Metadata> {
    let wire = Wire::new();
    wire.fake.answers(json_answer(200, document));
    metadata::fetch(&wire.call(), ISSUER, ISSUER, InsecureLoopback::Refused)
}

#[test]
fn f033_metadata_of_another_issuer_is_refused() {
    for issuer in
        ["https://evil.example", "https://as.example", "https://as.example/realms/planet/"]
    {
        let document = json!({"issuer": issuer, "token_endpoint": format!("{ISSUER}/token")});
        let error = fetch(&document).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Protocol, Some(Reason::IssuerMismatch)),
            "{issuer}"
        );
        assert!(error.message().contains(issuer) && error.message().contains(ISSUER), "{error}");
    }
}

/// A server with the right issuer may name endpoints on another host, but never over plain http.
#[test]
fn f034_endpoints_may_be_on_another_host_but_not_http() {
    let document = json!({"issuer": ISSUER, "token_endpoint": "https://tokens.example/t", "jwks_uri": "https://keys.example/k"});
    let metadata = fetch(&document).unwrap();
    assert_eq!(metadata.token_endpoint.as_deref(), Some("https://tokens.example/t"));
    assert_eq!(metadata.jwks_uri.as_deref(), Some("https://keys.example/k"));
    for (name, value) in [
        ("token_endpoint", "http://as.example/t"),
        ("jwks_uri", "http://as.example/k"),
        ("revocation_endpoint", "ftp://as.example/"),
    ] {
        let mut document = document.clone();
        document[name] = json!(value);
        let error = fetch(&document).unwrap_err();
        assert_eq!(
            (error.status(), error.message().contains(name)),
            (Status::Protocol, true),
            "{error}"
        );
    }
}

fn expected() -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        client_id: CLIENT_ID,
        nonce: Some(NONCE),
        algorithms: &[],
        now: NOW,
        check_expiry: true,
    }
}

/// Does what a login does: verify, and read the key set once more if a key is missing.
fn log_in(wire: &Wire, known: &Jwks, token: &str) -> Result<()> {
    for keys in [known.clone(), jwks::fetch(&wire.call(), &endpoint("jwks"))?] {
        if let Verification::Valid(_) = verify(token, &keys, &expected())? {
            return Ok(());
        }
    }
    Err(unknown_key())
}

#[test]
fn f036_rotated_removed_and_unusual_keys() {
    let (first, second) = (Signer::rsa("first"), Signer::other_rsa("second"));
    let claims = id_claims(&json!({}));
    let old = Jwks::parse(&jwks(&[&first.jwk])).unwrap();
    let wire = Wire::new();
    // Rotated: the new key is found when the set is read again.
    wire.fake.answers(json_answer(200, &jwks(&[&second.jwk])));
    log_in(&wire, &old, &second.sign(&claims)).unwrap();
    // Removed: the key is not in the new set either.
    wire.fake.answers(json_answer(200, &jwks(&[&second.jwk])));
    let error = log_in(&wire, &Jwks::default(), &first.sign(&claims)).unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::TokenInvalid, Some(Reason::UnknownKey)));
    assert_eq!(wire.fake.count(), 2);
    // Two keys with the same id: the key that signed is among them, in either order.
    let twin = Signer::other_rsa("first");
    let other_kind = Signer::ec("first");
    for set in [
        jwks(&[&twin.jwk, &first.jwk]),
        jwks(&[&first.jwk, &twin.jwk]),
        jwks(&[&other_kind.jwk, &first.jwk]),
    ] {
        let outcome =
            verify(&first.sign(&claims), &Jwks::parse(&set).unwrap(), &expected()).unwrap();
        assert!(matches!(outcome, Verification::Valid(_)));
    }
    let forged = Signer::other_rsa("first").sign(&claims);
    assert_eq!(
        verify(&forged, &old, &expected()).unwrap_err().reason(),
        Some(Reason::BadSignature)
    );
    // Unusable keys do not affect the others.
    let weak =
        json!({"kty": "RSA", "kid": "weak", "use": "sig", "n": "2".repeat(171), "e": "AQAB"});
    let strange = json!({"kty": "QUANTUM", "kid": "strange", "k": [1, 2]});
    let set = Jwks::parse(&jwks(&[
        &weak,
        &strange,
        &json!(null),
        &first.jwk,
        &json!({"kty": "oct", "kid": "shared", "k": "AAAA"}),
    ]))
    .unwrap();
    assert_eq!(set.len(), 1);
    assert!(matches!(verify(&first.sign(&claims), &set, &expected()), Ok(Verification::Valid(_))));
    let weakly = first.sign_with(&json!({"alg": "RS256", "kid": "weak"}), &claims);
    assert!(matches!(verify(&weakly, &set, &expected()), Ok(Verification::UnknownKey)));
    // Two megabytes exceed the size limit. This tests the error of the real transport.
    let simulator = simulator();
    simulator.script("m2m.jwks", &json!([{"body": "x".repeat(2 << 20)}])).unwrap();
    let http = real_http();
    let uri = format!("{}/protocol/openid-connect/certs", simulator.m2m_issuer()).parse().unwrap();
    let fetch = || jwks::fetch(&call_over(&http).with_retry(Retry::Never), &uri);
    assert_eq!(fetch().unwrap_err().status(), Status::Protocol);
    assert_eq!(fetch().unwrap().len(), 1);
}
