//! An authorization response (RFC 6749 4.1.2, RFC 9207): the first line is `required` if the issuer
//! must be named, the rest is the query, with `STATE` for the state of this login.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::Status;
use planetkey::oauth::authorization_code::{Attempt, AuthorizationResponse, Parameters};
use planetkey_fuzz::{CANARY, Half, check_secretive, first_line, shown, text};
use std::sync::LazyLock;

const ISSUER: &str = "https://as.example/";
const LONGEST: usize = 16 * 1024;

static ATTEMPT: LazyLock<Attempt> = LazyLock::new(|| {
    let endpoint = "https://as.example/authorize".parse().expect("a URL");
    let parameters = Parameters {
        endpoint: &endpoint,
        client_id: "client",
        redirect_uri: "http://127.0.0.1:1234/callback",
        scopes: &[],
        audience: None,
        extra: &[],
    };
    Attempt::new(&parameters, &Half).expect("an attempt")
});

static STATE: LazyLock<String> = LazyLock::new(|| {
    let url: url::Url = ATTEMPT.url().parse().expect("a URL");
    url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned()
});

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let (required, query) = first_line(text);
    let (required, query) = (required == "required", query.replace("STATE", &STATE));
    let response = ATTEMPT.response(&query, ISSUER, required);
    let pairs = read(&query);
    let values = |name: &str| {
        pairs
            .iter()
            .filter(|(present, _)| present == name.as_bytes())
            .map(|(_, value)| value.as_slice())
            .collect::<Vec<_>>()
    };
    let one = |name: &str| values(name).first().copied().filter(|value| !value.is_empty());
    let is_ours = query.len() <= LONGEST && values("state").contains(&STATE.as_bytes());
    let is_double = ["state", "code", "iss", "error", "error_description"]
        .iter()
        .any(|name| values(name).len() > 1);
    let is_issuer = one("iss").map_or(!required, |iss| iss == ISSUER.as_bytes());
    match response {
        AuthorizationResponse::NotOurs(why) => assert!(!is_ours && !why.is_empty()),
        AuthorizationResponse::Refused(error) => {
            assert!(is_ours);
            check_secretive(&error);
            // The message contains nothing that its reader could replay.
            assert!(
                !shown(&error).contains(STATE.as_str())
                    || one("error").is_some()
                    || one("iss").is_some()
            );
            if is_double {
                assert_eq!((error.status(), error.oauth_error()), (Status::Protocol, None));
            } else if !is_issuer {
                assert_eq!(error.reason(), Some(planetkey::Reason::IssuerMismatch));
            } else {
                assert_eq!(error.oauth_error().is_some(), one("error").is_some(), "{error}");
            }
        }
        AuthorizationResponse::Code(code) => {
            assert!(is_ours && !is_double && is_issuer && one("error").is_none());
            assert_eq!(Some(code.expose().as_bytes()), one("code"));
            assert!(
                code.expose().bytes().all(|byte| (0x20..0x7f).contains(&byte)),
                "{:?}",
                code.expose()
            );
        }
    }

    // A refused code is in no message.
    let planted = format!("state={}&code={CANARY}%0a", *STATE);
    match ATTEMPT.response(&planted, ISSUER, false) {
        AuthorizationResponse::Refused(error) => check_secretive(&error),
        other => panic!("{other:?}"),
    }
});

/// A form, decoded without the library's parser (URL Standard 5.1).
fn read(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect()
}

fn decode(text: &str) -> Vec<u8> {
    let (bytes, mut decoded, mut index) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(index) {
        let escaped = bytes
            .get(index + 1..index + 3)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        match (byte, escaped) {
            (b'%', Some(digits)) => {
                let digits = std::str::from_utf8(digits).expect("ASCII");
                decoded.push(u8::from_str_radix(digits, 16).expect("two digits"));
                index += 2;
            }
            (b'+', _) => decoded.push(b' '),
            _ => decoded.push(*byte),
        }
        index += 1;
    }
    // Invalid UTF-8 becomes replacement characters, which no compared value contains.
    String::from_utf8_lossy(&decoded).into_owned().into_bytes()
}
