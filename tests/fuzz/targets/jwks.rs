//! A key set (RFC 7517): the input is the document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::oauth::id_token::{Verification, verify};
use planetkey::oauth::jose::Algorithm;
use planetkey::oauth::jwks::Jwks;
use planetkey_fuzz::keys::{SIGNER, claims, expected};
use planetkey_fuzz::{check_error, text};
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Some(document) = text(data).and_then(|text| serde_json::from_str::<Value>(text).ok())
    else {
        return;
    };
    let keys = document.get("keys").and_then(Value::as_array);
    let set = match Jwks::parse(&document) {
        Ok(set) => set,
        Err(error) => {
            assert!(keys.is_none());
            return check_error(&error);
        }
    };
    let keys = keys.expect("a list");
    // Keys for other uses do not count.
    let possible = keys.iter().filter(|key| {
        let text = |member: &str| key.get(member).and_then(Value::as_str);
        matches!(text("use"), None | Some("sig"))
            && key.get("key_ops").is_none_or(|operations| {
                operations.as_array().is_some_and(|all| all.contains(&json!("verify")))
            })
            && matches!(
                (text("kty"), text("crv")),
                (Some("RSA"), _)
                    | (Some("EC"), Some("P-256" | "P-384"))
                    | (Some("OKP"), Some("Ed25519"))
            )
    });
    assert!(set.len() <= possible.count());
    assert_eq!(set.is_empty(), matches!(set.len(), 0));

    // The document does not contain our key. Other keys do not affect ours.
    let token = SIGNER.sign(&json!({"alg": "ES256", "kid": "ours"}), &claims());
    let algorithms =
        [Algorithm::Es256, Algorithm::Rs256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ps256];
    let expected = expected(&algorithms);
    let part = |key: &Value, name: &str| {
        key.get(name).and_then(Value::as_str).map(|text| text.trim_end_matches('=').to_owned())
    };
    let is_there = keys
        .iter()
        .any(|key| ["x", "y"].iter().all(|name| part(key, name) == part(&SIGNER.jwk, name)));
    match verify(&token, &set, &expected) {
        Ok(Verification::Valid(_)) => assert!(is_there),
        Ok(Verification::UnknownKey) => {}
        Err(error) => check_error(&error),
    }
    for place in [0, keys.len()] {
        let mut more = keys.clone();
        more.insert(place, SIGNER.jwk.clone());
        let set = Jwks::parse(&json!({ "keys": more })).expect("a set");
        assert!(matches!(verify(&token, &set, &expected), Ok(Verification::Valid(_))));
    }
});
