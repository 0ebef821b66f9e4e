//! The authorization request: assertions 19 to 26, 28 and 30. The decisions of a login are tested
//! in `login`.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use planetkey::clock::{Random, SystemRandom};
use planetkey::oauth::authorization_code::{Attempt, Parameters, redeem};
use planetkey::oauth::pkce::{METHOD, Verifier};
use planetkey::secret::Secret;
use planetkey::{Result, Status};
use std::collections::HashSet;

const REDIRECT: &str = "http://127.0.0.1:49152/callback";

fn attempt_at(
    endpoint: &str,
    wanted: &[&str],
    extra: &[(&str, &str)],
    random: &dyn Random,
) -> Result<Attempt> {
    let extra: Vec<(String, String)> =
        extra.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let parameters = Parameters {
        endpoint: &endpoint.parse().unwrap(),
        client_id: CLIENT_ID,
        redirect_uri: REDIRECT,
        scopes: &scopes(wanted),
        audience: Some("https://api.planet.com/"),
        extra: &extra,
    };
    Attempt::new(&parameters, random)
}

fn attempt(wanted: &[&str], extra: &[(&str, &str)]) -> Result<Attempt> {
    attempt_at("https://as.example/authorize", wanted, extra, &SystemRandom)
}

fn parameters(attempt: &Attempt) -> Vec<(String, String)> {
    url::Url::parse(attempt.url()).unwrap().query_pairs().into_owned().collect()
}

fn parameter(attempt: &Attempt, name: &str) -> String {
    parameters(attempt)
        .into_iter()
        .find(|(present, _)| present == name)
        .unwrap_or_else(|| panic!("no {name}"))
        .1
}

#[test]
fn a019_the_response_type_is_code() {
    assert_eq!(parameter(&attempt(&["planet"], &[]).unwrap(), "response_type"), "code");
    // No parameter of a configuration can select another flow or another way to return the
    // response.
    for (name, value) in [
        ("response_type", "token"),
        ("response_mode", "fragment"),
        ("response_mode", "form_post"),
        ("request_uri", "https://x.example"),
        ("request", "e30.e30."),
        ("state", "mine"),
        ("nonce", "mine"),
        ("redirect_uri", "https://evil.example/"),
        ("scope", "more"),
        ("client_id", "other"),
        ("client_secret", CLIENT_SECRET),
        ("code_challenge", "mine"),
        ("code_challenge_method", "plain"),
    ] {
        let error = attempt(&["planet"], &[(name, value)]).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{name}");
        assert!(
            error.message().contains(name) && !error.message().contains(CLIENT_SECRET),
            "{error}"
        );
    }
    assert_eq!(
        parameter(&attempt(&["planet"], &[("prompt", "login")]).unwrap(), "prompt"),
        "login"
    );
}

#[test]
fn a020_every_login_uses_pkce() {
    for (client, _) in clients() {
        let wire = Wire::new();
        let attempt = attempt(&["planet"], &[]).unwrap();
        redeem(&wire.call(), &endpoint("token"), &client, &attempt, &Secret::from("code"), &[])
            .unwrap();
        let verifier = wire.fake.seen()[0].field("code_verifier").unwrap();
        assert_eq!(challenge(&verifier), parameter(&attempt, "code_challenge"), "{client:?}");
    }
}

/// Computes the challenge as the standard defines it, without this library.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD
        .encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, verifier.as_bytes()))
}

#[test]
fn a021_a_verifier_is_43_to_128_unreserved_characters() {
    for byte in [0, 0x3e, 0x3f, 0xff] {
        let verifier = Verifier::new(&Fixed(byte)).unwrap();
        let text = verifier.expose();
        assert!((43..=128).contains(&text.len()));
        assert!(
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)),
            "{text}"
        );
        assert!(!format!("{verifier:?}").contains(text));
    }
}

#[test]
fn a022_a_verifier_holds_256_random_bits() {
    let random = Recorded::default();
    let verifier = Verifier::new(&random).unwrap();
    let asked = random.0.lock().unwrap().clone();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].len() >= 32);
    assert_eq!(
        URL_SAFE_NO_PAD.decode(verifier.expose()).unwrap(),
        asked[0],
        "all of them are in it"
    );
    // Without random numbers a login fails instead of using weak values.
    assert_eq!(Verifier::new(&NoRandom).unwrap_err().status(), Status::Internal);
    assert_eq!(
        attempt_at("https://as.example/", &[], &[], &NoRandom).unwrap_err().status(),
        Status::Internal
    );
}

/// RFC 7636, appendix B.
#[test]
fn a023_the_challenge_matches_the_vector_of_rfc_7636() {
    let octets = [
        116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212, 37,
        77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
    ];
    let verifier = Verifier::new(&Chosen(octets.to_vec())).unwrap();
    assert_eq!(verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

#[test]
fn a024_the_challenge_method_is_s256_also_after_an_error() {
    assert_eq!(METHOD, "S256");
    let wire = Wire::new();
    let first = attempt(&["planet"], &[]).unwrap();
    wire.fake.answers(oauth_error(400, "invalid_grant"));
    redeem(&wire.call(), &endpoint("token"), &public_client(), &first, &Secret::from("code"), &[])
        .unwrap_err();
    for attempt in [first, attempt(&["planet"], &[]).unwrap()] {
        assert_eq!(parameter(&attempt, "code_challenge_method"), "S256");
        assert_eq!(parameter(&attempt, "code_challenge").len(), 43);
    }
}

#[test]
fn a025_every_attempt_has_its_own_state_nonce_and_verifier() {
    let mut seen = HashSet::new();
    for _ in 0..50 {
        let attempt = attempt(&["openid"], &[]).unwrap();
        assert_eq!(parameter(&attempt, "nonce"), attempt.nonce());
        for name in ["state", "nonce", "code_challenge"] {
            assert!(seen.insert(parameter(&attempt, name)), "{name} was there before");
        }
        let shown = format!("{attempt:?}");
        assert!(
            shown.contains(REDIRECT) && !seen.iter().any(|secret| shown.contains(secret)),
            "{shown}"
        );
    }
}

#[test]
fn a026_a_state_holds_at_least_128_random_bits() {
    let random = Recorded::default();
    let attempt = attempt_at("https://as.example/", &[], &[], &random).unwrap();
    let asked = random.0.lock().unwrap().clone();
    for name in ["state", "nonce"] {
        let bytes = URL_SAFE_NO_PAD.decode(parameter(&attempt, name)).unwrap();
        assert!(bytes.len() >= 16, "{name}");
        assert!(asked.contains(&bytes), "{name} is random all through");
    }
}

#[test]
fn a028_scopes_are_sent_as_given() {
    let attempt = attempt(&["planet", "openid", "Case:Kept", "offline_access"], &[]).unwrap();
    assert_eq!(parameter(&attempt, "scope"), "planet openid Case:Kept offline_access");
    for wrong in ["two words", "", "quote\"", "back\\slash", "ümlaut"] {
        let error = self::attempt(&["planet", wrong], &[]).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{wrong}");
    }
}

#[test]
fn a030_the_query_of_the_endpoint_is_preserved() {
    for (query, kept) in [("?tenant=a%20b&flag", "tenant=a%20b&flag&"), ("?", ""), ("", "")] {
        let attempt = attempt_at(
            &format!("https://as.example/authorize{query}"),
            &["planet"],
            &[("empty", "")],
            &SystemRandom,
        )
        .unwrap();
        let start = format!("https://as.example/authorize?{kept}response_type=code&");
        assert!(attempt.url().starts_with(&start), "{} {start}", attempt.url());
        let names: Vec<String> = parameters(&attempt).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), names.iter().collect::<HashSet<_>>().len(), "{names:?}");
        assert!(!names.contains(&"empty".to_owned()));
        assert_eq!(parameter(&attempt, "redirect_uri"), REDIRECT);
        assert_eq!(attempt.redirect_uri(), REDIRECT);
        assert_eq!(parameter(&attempt, "audience"), "https://api.planet.com/");
    }
    // No parameter may occur twice, wherever it comes from.
    for query in ["state=theirs", "client_id=x", "prompt=none"] {
        let endpoint = format!("https://as.example/authorize?{query}");
        let error =
            attempt_at(&endpoint, &["planet"], &[("prompt", "login")], &SystemRandom).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{query}");
        assert!(error.message().contains(query.split('=').next().unwrap()), "{error}");
    }
}
