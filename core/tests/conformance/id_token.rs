//! ID tokens: assertions 103 to 109.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use planetkey::http::HttpMethod;
use planetkey::oauth::id_token::{Claims, Expected, LEEWAY_S, Verification, unknown_key, verify};
use planetkey::oauth::jose::Algorithm;
use planetkey::oauth::jwks::{self, Jwks};
use planetkey::oauth::userinfo;
use planetkey::secret::Secret;
use planetkey::{Error, Reason, Result, Status};
use serde_json::{Value, json};
use std::time::Duration;

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

fn keys(jwks: &[&Value]) -> Jwks {
    Jwks::parse(&crate::common::jwks(jwks)).unwrap()
}

fn valid(outcome: Result<Verification>) -> Claims {
    match outcome.unwrap() {
        Verification::Valid(claims) => claims,
        Verification::UnknownKey => panic!("the key is not known"),
    }
}

fn refused(outcome: Result<Verification>) -> &'static str {
    let error = outcome.map(|verification| panic!("{verification:?}")).unwrap_err();
    reason(&error)
}

fn reason(error: &Error) -> &'static str {
    assert_eq!(error.status(), Status::TokenInvalid, "{error}");
    error.reason().unwrap().name()
}

/// Returns the result for a correctly signed token with these claims.
fn with_claims(changes: &Value, expected: &Expected<'_>) -> Result<Verification> {
    let signer = Signer::rsa("key-1");
    verify(&signer.sign(&id_claims(changes)), &keys(&[&signer.jwk]), expected)
}

#[test]
fn a103_issuer_audience_and_authorized_party_are_checked() {
    let claims = valid(with_claims(&json!({}), &expected()));
    assert_eq!((claims.subject(), &claims.0["email"]), (SUBJECT, &json!("someone@example.com")));
    for issuer in [
        json!(format!("{ISSUER}/")),
        json!("https://evil.example"),
        json!(""),
        Value::Null,
        json!([ISSUER]),
    ] {
        assert_eq!(
            refused(with_claims(&json!({ "iss": issuer }), &expected())),
            "bad_issuer",
            "{issuer}"
        );
    }
    for good in [
        json!({"aud": CLIENT_ID}),
        json!({"aud": [CLIENT_ID]}),
        json!({"aud": [CLIENT_ID], "azp": CLIENT_ID}),
        json!({"aud": [CLIENT_ID, CLIENT_ID]}),
        json!({"aud": ["other", CLIENT_ID], "azp": CLIENT_ID}),
    ] {
        valid(with_claims(&good, &expected()));
    }
    for bad in [
        json!({"aud": "other"}),
        json!({"aud": ["other"]}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"aud": {CLIENT_ID: 1}}),
        json!({"aud": format!("{CLIENT_ID} other")}),
        json!({"aud": "other", "azp": CLIENT_ID}),
        // Several audiences without an authorized party, or another authorized party.
        json!({"aud": ["other", CLIENT_ID]}),
        json!({"aud": ["other", CLIENT_ID], "azp": "other"}),
        json!({"azp": "other"}),
        json!({"azp": [CLIENT_ID]}),
    ] {
        assert_eq!(refused(with_claims(&bad, &expected())), "bad_audience", "{bad}");
    }
}

#[test]
fn a104_the_nonce_must_match() {
    for nonce in [json!("another"), json!(""), Value::Null, json!(5), json!([NONCE])] {
        assert_eq!(
            refused(with_claims(&json!({ "nonce": nonce }), &expected())),
            "bad_nonce",
            "{nonce}"
        );
    }
    // If the request had no nonce, there is nothing to compare.
    let without = Expected { nonce: None, ..expected() };
    valid(with_claims(&json!({"nonce": null}), &without));
    valid(with_claims(&json!({}), &without));
}

#[test]
fn a105_times_are_required_and_checked_within_a_minute() {
    assert_eq!(LEEWAY_S, 60);
    for (name, value, wanted) in [
        ("exp", json!(NOW - 59), None),
        ("exp", json!(NOW - 60), Some(Reason::TokenExpired)),
        ("exp", json!(0), Some(Reason::TokenExpired)),
        ("iat", json!(NOW + 60), None),
        ("iat", json!(NOW + 61), Some(Reason::NotYetValid)),
        ("iat", json!(NOW as f64 + 0.5), None),
        ("nbf", json!(NOW + 60), None),
        ("nbf", json!(NOW + 61), Some(Reason::NotYetValid)),
        ("exp", Value::Null, Some(Reason::Malformed)),
        ("exp", json!("tomorrow"), Some(Reason::Malformed)),
        ("exp", json!(-1), Some(Reason::Malformed)),
        ("exp", json!(1e300), Some(Reason::Malformed)),
        ("iat", Value::Null, Some(Reason::Malformed)),
        ("iat", json!([NOW]), Some(Reason::Malformed)),
        ("sub", Value::Null, Some(Reason::Malformed)),
        ("sub", json!(""), Some(Reason::Malformed)),
        ("sub", json!(5), Some(Reason::Malformed)),
    ] {
        let outcome = with_claims(&json!({ name: value }), &expected());
        match wanted {
            None => drop(valid(outcome)),
            Some(wanted) => assert_eq!(refused(outcome), wanted.name(), "{name} {value}"),
        }
    }
    let error = with_claims(&json!({"exp": NOW - 7200}), &expected()).unwrap_err();
    assert!(error.message().contains("7200 s") && error.message().contains("clock"), "{error}");
    // A saved ID token of a login is read long after it expired. All other checks still apply.
    let kept = Expected { check_expiry: false, now: NOW + 90 * 24 * 3600, ..expected() };
    valid(with_claims(&json!({}), &kept));
    assert_eq!(refused(with_claims(&json!({"exp": null}), &kept)), "malformed");
    assert_eq!(refused(with_claims(&json!({"nonce": "another"}), &kept)), "bad_nonce");
}

#[test]
fn a106_the_algorithm_must_be_accepted_and_match_the_key() {
    let (rsa, ec) = (Signer::rsa("rsa"), Signer::ec("ec"));
    let both = keys(&[&rsa.jwk, &ec.jwk]);
    let claims = id_claims(&json!({}));
    let with = |algorithms: &'static [Algorithm]| Expected { algorithms, ..expected() };
    // RS256 unless another algorithm was agreed on.
    valid(verify(&rsa.sign(&claims), &both, &expected()));
    assert_eq!(refused(verify(&ec.sign(&claims), &both, &expected())), "bad_algorithm");
    valid(verify(&ec.sign(&claims), &both, &with(&[Algorithm::Es256])));
    assert_eq!(
        refused(verify(&rsa.sign(&claims), &both, &with(&[Algorithm::Es256]))),
        "bad_algorithm"
    );
    for algorithm in ["none", "None", "HS256", "HS512", "RS256 ", "rs256", "", "RS1"] {
        let token = rsa.sign_with(&json!({"alg": algorithm, "kid": "rsa"}), &claims);
        let error =
            verify(&token, &both, &with(&[Algorithm::Rs256, Algorithm::Es256])).unwrap_err();
        assert_eq!(reason(&error), "bad_algorithm", "{algorithm}");
        assert!(error.message().contains("RS256, ES256"), "{error}");
    }
    assert!(
        ["none", "HS256", "HS384", "HS512", "RSA1_5", "dir"]
            .iter()
            .all(|name| Algorithm::from_name(name).is_none())
    );
    // The public key used as a shared secret.
    let secret = rsa.jwk["n"].as_str().unwrap();
    for secret in [secret.as_bytes(), &URL_SAFE_NO_PAD.decode(secret).unwrap()] {
        let header =
            Header { kid: Some("rsa".into()), ..Header::new(jsonwebtoken::Algorithm::HS256) };
        let forged =
            jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
        assert_eq!(refused(verify(&forged, &both, &expected())), "bad_algorithm");
    }
    // An algorithm that was agreed on does not allow a key of another type.
    let all: &[Algorithm] =
        &[Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Ps256];
    let crossed = Expected { algorithms: all, ..expected() };
    assert_eq!(
        refused(verify(
            &rsa.sign_with(&json!({"alg": "ES256", "kid": "rsa"}), &claims),
            &both,
            &crossed
        )),
        "bad_algorithm"
    );
    assert_eq!(
        refused(verify(
            &ec.sign_with(&json!({"alg": "RS256", "kid": "ec"}), &claims),
            &both,
            &crossed
        )),
        "bad_algorithm"
    );
    assert_eq!(
        refused(verify(
            &ec.sign_with(&json!({"alg": "ES384", "kid": "ec"}), &claims),
            &both,
            &crossed
        )),
        "bad_algorithm"
    );
    // A key for one algorithm is used for no other algorithm, although it could be.
    assert_eq!(rsa.jwk["alg"], "RS256");
    let pss = Signer::rsa("rsa").with_algorithm(jsonwebtoken::Algorithm::PS256);
    assert_eq!(refused(verify(&pss.sign(&claims), &both, &crossed)), "bad_algorithm");
    let mut open = pss.jwk.clone();
    open.as_object_mut().unwrap().remove("alg");
    valid(verify(&pss.sign(&claims), &keys(&[&open]), &crossed));
    // The algorithms that the server announces and that this library supports.
    let announced = scopes(&["none", "HS256", "ES256", "RS256", "XY999"]);
    assert_eq!(Algorithm::announced(Some(&announced)), [Algorithm::Es256, Algorithm::Rs256]);
    for nothing in [None, Some(&scopes(&["HS256"])[..])] {
        assert_eq!(Algorithm::announced(nothing), [Algorithm::Rs256]);
    }
}

#[test]
fn every_algorithm_verifies_only_its_own_signatures() {
    use jsonwebtoken::Algorithm as Known;
    let signers = [
        (Signer::rsa("k").with_algorithm(Known::RS384), Algorithm::Rs384),
        (Signer::rsa("k").with_algorithm(Known::RS512), Algorithm::Rs512),
        (Signer::rsa("k").with_algorithm(Known::PS256), Algorithm::Ps256),
        (Signer::rsa("k").with_algorithm(Known::PS384), Algorithm::Ps384),
        (Signer::rsa("k").with_algorithm(Known::PS512), Algorithm::Ps512),
        (Signer::ec("k"), Algorithm::Es256),
        (Signer::p384("k"), Algorithm::Es384),
        (Signer::ed25519("k"), Algorithm::EdDsa),
    ];
    for (signer, algorithm) in signers {
        let mut jwk = signer.jwk.clone();
        jwk.as_object_mut().unwrap().remove("alg");
        let (keys, algorithms) = (keys(&[&jwk]), [algorithm]);
        let expected = Expected { algorithms: &algorithms, ..expected() };
        let token = signer.sign(&id_claims(&json!({})));
        valid(verify(&token, &keys, &expected));
        // One changed character in the payload, the header or the signature.
        for place in [5, token.find('.').unwrap() + 5, token.len() - 20] {
            let mut forged = token.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let outcome = verify(&String::from_utf8(forged).unwrap(), &keys, &expected);
            assert!(
                matches!(refused(outcome), "bad_signature" | "malformed" | "bad_algorithm"),
                "{}",
                algorithm.name()
            );
        }
        assert_eq!(Algorithm::from_name(algorithm.name()), Some(algorithm));
    }
}

#[test]
fn a107_an_unknown_key_is_requested_and_without_a_key_id_there_must_be_one_key() {
    let (first, second) = (Signer::rsa("first"), Signer::other_rsa("second"));
    let claims = id_claims(&json!({}));
    let (one, two) = (keys(&[&first.jwk]), keys(&[&first.jwk, &second.jwk]));
    let is_unknown = |token: &str, keys: &Jwks| {
        matches!(verify(token, keys, &expected()), Ok(Verification::UnknownKey))
    };
    assert!(is_unknown(&second.sign(&claims), &one));
    assert!(is_unknown(&first.sign(&claims), &Jwks::default()));
    valid(verify(&second.sign(&claims), &two, &expected()));
    assert_eq!(reason(&unknown_key()), "unknown_key");
    // A token without a key id.
    let nameless = Signer::rsa("first").nameless();
    valid(verify(&nameless.sign(&claims), &one, &expected()));
    assert!(
        is_unknown(&nameless.sign(&claims), &Jwks::default()),
        "the set may have been read in a bad moment"
    );
    assert_eq!(refused(verify(&nameless.sign(&claims), &two, &expected())), "unknown_key");
    // A key id that is not a string, and the key id of another key.
    assert_eq!(
        refused(verify(
            &first.sign_with(&json!({"alg": "RS256", "kid": 5}), &claims),
            &one,
            &expected()
        )),
        "malformed"
    );
    let impostor = Signer::other_rsa("first");
    assert_eq!(refused(verify(&impostor.sign(&claims), &two, &expected())), "bad_signature");
    // Keys that a token contains or links to are ignored.
    let brought = impostor.sign_with(
        &json!({"alg": "RS256", "kid": "mine", "jwk": impostor.jwk, "jku": "https://evil.example"}),
        &claims,
    );
    assert!(is_unknown(&brought, &two));
}

#[test]
fn a108_keys_for_other_uses_are_never_used() {
    let signer = Signer::rsa("key");
    let token = signer.sign(&id_claims(&json!({})));
    let changed = |changes: &Value| {
        let mut jwk = signer.jwk.clone();
        for (name, value) in changes.as_object().unwrap() {
            jwk[name] = value.clone();
        }
        jwk.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        jwk
    };
    for useful in [
        json!({}),
        json!({"use": null}),
        json!({"use": null, "key_ops": ["verify"]}),
        json!({"key_ops": ["sign", "verify"]}),
        json!({"alg": null}),
        json!({"x5c": ["x"], "x5t": "x", "unknown": {}}),
        json!({"n": format!("AAAA{}", signer.jwk["n"].as_str().unwrap())}),
    ] {
        valid(verify(&token, &keys(&[&changed(&useful)]), &expected()));
    }
    for useless in [
        json!({"use": "enc"}),
        json!({"use": "tls"}),
        json!({"key_ops": ["sign"]}),
        json!({"key_ops": ["encrypt", "wrapKey"]}),
        json!({"key_ops": []}),
        json!({"key_ops": "verify"}),
        json!({"kty": "EC"}),
        json!({"kty": "oct", "k": "AAAA"}),
        json!({"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
        json!({"kty": "rsa"}),
        json!({"kty": null}),
        json!({"n": null}),
        json!({"n": ""}),
        json!({"n": "!!!"}),
        json!({"e": ""}),
        json!({"e": "AA"}),
        json!({"e": "AQ"}),
        json!({"e": "Ag"}),
    ] {
        let set = keys(&[&changed(&useless)]);
        assert!(set.is_empty(), "{useless}");
        assert!(
            matches!(verify(&token, &set, &expected()), Ok(Verification::UnknownKey)),
            "{useless}"
        );
    }
    // Curves: a point of another curve, of another length, on no curve.
    let ec = Signer::ec("key");
    let zeros = URL_SAFE_NO_PAD.encode([1; 32]);
    for (name, value) in [
        ("crv", json!("P-384")),
        ("crv", json!("P-521")),
        ("crv", json!("secp256k1")),
        ("x", json!(zeros)),
        ("y", json!("AAAA")),
    ] {
        let mut jwk = ec.jwk.clone();
        jwk[name] = value;
        assert!(keys(&[&jwk]).is_empty(), "{jwk}");
    }
    assert_eq!(keys(&[&ec.jwk]).len(), 1);
    for document in [json!({}), json!({"keys": {}}), json!([]), json!(null), json!({"keys": null})]
    {
        assert_eq!(Jwks::parse(&document).unwrap_err().status(), Status::Protocol, "{document}");
    }
    assert!(keys(&[&json!(5), &json!(null), &json!("x"), &json!([])]).is_empty());
}

#[test]
fn a109_userinfo_must_be_about_the_same_user() {
    let wire = Wire::new();
    let ask = || userinfo::request(&wire.call(), &endpoint("userinfo"), &Secret::from("access-1"));
    wire.fake.answers(json_answer(200, &json!({"sub": SUBJECT, "name": "Some One"})));
    let members = ask().unwrap();
    let seen = &wire.fake.seen()[0];
    assert_eq!(
        (seen.method, seen.authorization.as_deref(), seen.body.as_str()),
        (HttpMethod::Get, Some("Bearer access-1"), "")
    );
    assert!(!seen.url.contains("access-1"));
    userinfo::check_subject(&members, SUBJECT).unwrap();
    for other in ["user-2", "", "USER-1", "user-1 "] {
        assert_eq!(
            reason(&userinfo::check_subject(&members, other).unwrap_err()),
            "bad_subject",
            "{other}"
        );
    }
    for wrong in
        [json!({}), json!({"sub": ""}), json!({"sub": 5}), json!({"sub": null, "name": "x"})]
    {
        wire.fake.answers(json_answer(200, &wrong));
        assert_eq!(ask().unwrap_err().status(), Status::Protocol, "{wrong}");
    }
    for (media_type, body) in [
        ("application/jwt", "e30.e30."),
        ("text/html", "<html>"),
        ("application/json", "[]"),
        ("application/json", "{"),
    ] {
        wire.fake.answers(answer(200, media_type, body));
        assert_eq!(ask().unwrap_err().status(), Status::Protocol, "{media_type} {body}");
    }
    // After a refresh of the token the caller may try once more. The errors say which case it is.
    wire.fake.answers(oauth_error(401, "invalid_token"));
    let error = ask().unwrap_err();
    assert_eq!(
        (error.status(), error.http_status(), error.oauth_error()),
        (Status::LoginRequired, Some(401), Some("invalid_token"))
    );
    wire.fake.answers(answer(401, "text/plain", ""));
    assert_eq!(ask().unwrap_err().http_status(), Some(401));
    wire.fake.answers(oauth_error(403, "insufficient_scope"));
    let error = ask().unwrap_err();
    assert_eq!((error.status(), error.http_status()), (Status::Misconfigured, Some(403)));
    assert!(error.message().contains("openid"), "{error}");
    wire.fake.always(|_| Ok(busy(503, Some("3600"))));
    let error = ask().unwrap_err();
    assert_eq!(
        (error.status(), error.retry_after()),
        (Status::Unavailable, Some(Duration::from_millis(3_600_000)))
    );
}

#[test]
fn text_that_is_not_a_token_is_malformed() {
    let signer = Signer::rsa("key");
    let set = keys(&[&signer.jwk]);
    let good = signer.sign(&id_claims(&json!({})));
    let parts: Vec<&str> = good.split('.').collect();
    for bad in [
        String::new(),
        "..".to_owned(),
        "x".to_owned(),
        parts[..2].join("."),
        format!("{good}.x"),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode("[]"), parts[2]),
        format!("{}.{}.{}", URL_SAFE_NO_PAD.encode("{"), parts[1], parts[2]),
        signer.sign_with(
            &json!({"alg": "RS256", "kid": "key", "crit": ["exp"]}),
            &id_claims(&json!({})),
        ),
    ] {
        assert!(
            matches!(refused(verify(&bad, &set, &expected())), "malformed" | "bad_signature"),
            "{bad}"
        );
    }
    let claims = valid(verify(&good, &set, &expected()));
    assert!(!format!("{claims:?}").contains("someone"), "the user is not shown");
    let error = verify(&format!("{good}x"), &set, &expected()).unwrap_err();
    assert!(!format!("{error:?}").contains(parts[1]), "{error}");
}

#[test]
fn a_key_set_is_requested() {
    let wire = Wire::new();
    let signer = Signer::rsa("key");
    wire.fake.answers(busy(503, None)).answers(answer(
        200,
        "application/jwk-set+json",
        jwks(&[&signer.jwk]).to_string(),
    ));
    let fetch = || jwks::fetch(&wire.call(), &endpoint("jwks"));
    assert_eq!(fetch().unwrap().len(), 1);
    assert_eq!(wire.fake.seen()[1].url, endpoint("jwks").as_str());
    assert_eq!(
        (wire.fake.seen()[1].method, &wire.fake.seen()[1].authorization),
        (HttpMethod::Get, &None)
    );
    wire.fake.answers(answer(404, "text/html", "no"));
    assert_eq!(fetch().unwrap_err().status(), Status::Protocol);
}
