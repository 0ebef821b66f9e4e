//! ID tokens (OpenID Connect Core 3.1.3.7). The input is a token, or two lines with a header and
//! claims, which are signed here.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::Status;
use planetkey::oauth::id_token::{Claims, Expected, Verification, verify};
use planetkey::oauth::jose::Algorithm;
use planetkey_fuzz::keys::{CLIENT_ID, ISSUER, NONCE, SET, SIGNER, expected};
use planetkey_fuzz::{CANARY, NOW, check_error, check_hidden, check_secretive, text, with_canary};
use serde_json::{Map, Value};

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let expected = expected(&[Algorithm::Es256]);
    // A fuzzer cannot guess a signature.
    assert!(judge(text, &expected).is_none(), "{text}");

    let Some((header, claims)) = text.split_once('\n') else { return };
    let (Ok(Value::Object(header)), Ok(Value::Object(claims))) =
        (serde_json::from_str(header), serde_json::from_str(claims))
    else {
        return;
    };
    let token = SIGNER.sign(&Value::from(header.clone()), &Value::from(claims.clone()));
    match judge(&token, &expected) {
        Some(verified) => {
            assert_eq!(verified.0, claims, "the claims are those that were signed");
            assert_eq!(header.get("alg").and_then(Value::as_str), Some("ES256"));
            assert!(!header.contains_key("crit"));
            assert!(
                matches!(header.get("kid").map(Value::as_str), None | Some(Some("ours"))),
                "the only key"
            );
            assert!(is_acceptable(&claims), "{claims:?}");
            assert!(!verified.subject().is_empty());
        }
        None if header.len() == 1 && header.get("alg").and_then(Value::as_str) == Some("ES256") => {
            assert!(!is_acceptable(&claims), "{claims:?}");
        }
        None => {}
    }
    // Without its signature, or with that of another text, the token is refused.
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    for forged in
        [format!("{signed}."), format!("{signed}.{}", &signature[1..]), format!("{}{token}", "e30")]
    {
        assert!(judge(&forged, &expected).is_none());
    }
    // The subject is not in an error.
    if let Some(claims) = with_canary(&claims, &["sub", "email", "name", "nonce", "aud", "azp"]) {
        let token = SIGNER.sign(&Value::from(header), &Value::from(claims));
        match verify(&token, &SET, &Expected { now: NOW, ..expected }) {
            Ok(verification) => check_hidden(&format!("{verification:?}")),
            Err(error) => check_secretive(&error),
        }
    }
});

/// The claims of a valid token. Checks the error otherwise.
fn judge(token: &str, expected: &Expected<'_>) -> Option<Claims> {
    match verify(token, &SET, expected) {
        Ok(Verification::Valid(claims)) => Some(claims),
        Ok(Verification::UnknownKey) => None,
        Err(error) => {
            check_error(&error);
            assert_eq!(error.status(), Status::TokenInvalid);
            assert!(error.reason().is_some() && !error.retryable(), "{error}");
            assert!(!error.message().contains(CANARY));
            None
        }
    }
}

/// A second implementation of the standard's rules.
fn is_acceptable(claims: &Map<String, Value>) -> bool {
    let time = |name: &str| {
        claims
            .get(name)
            .and_then(Value::as_f64)
            .filter(|time| (0.0..253_402_300_800.0).contains(time))
            .map(f64::trunc)
    };
    let audience: Vec<&str> = match claims.get("aud") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => return false,
    };
    let azp = claims.get("azp");
    claims.get("iss").and_then(Value::as_str) == Some(ISSUER)
        && audience.contains(&CLIENT_ID)
        && (azp.is_some() || audience.iter().all(|one| *one == CLIENT_ID))
        && azp.is_none_or(|azp| azp.as_str() == Some(CLIENT_ID))
        && claims.get("nonce").and_then(Value::as_str) == Some(NONCE)
        && claims.get("sub").and_then(Value::as_str).is_some_and(|sub| !sub.is_empty())
        && time("exp").is_some_and(|exp| exp + 60.0 > NOW as f64)
        && time("iat").is_some_and(|iat| iat <= NOW as f64 + 60.0)
        && time("nbf").is_none_or(|nbf| nbf <= NOW as f64 + 60.0)
}
