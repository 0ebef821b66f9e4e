//! Reads the documented claims of an access token. Nothing is verified here, and tokens are
//! otherwise opaque (RFC 9068 6).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The claims that decide when a token is refreshed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Unix seconds after which the token is not accepted: the only claim that Planet documents.
    pub exp: Option<u64>,
    /// Unix seconds at which it was issued.
    pub iat: Option<u64>,
}

/// The times in a token; none if it is opaque.
pub fn times(token: &str) -> Times {
    claims(token).map_or_else(Times::default, |claims| Times {
        exp: claims.get("exp").and_then(seconds),
        iat: claims.get("iat").and_then(seconds),
    })
}

/// The issuer that a token names, unverified. Use it only to recognize a token of another issuer in
/// the saved session.
pub fn issuer(token: &str) -> Option<String> {
    text_claim(token, "iss")
}

/// A claim of a token, such as `sub`, unverified. Use it only to recognize the login of a different
/// user.
pub fn text_claim(token: &str, name: &str) -> Option<String> {
    claims(token)?.get(name)?.as_str().map(str::to_owned)
}

fn claims(token: &str) -> Option<serde_json::Value> {
    let mut parts = token.split('.');
    let (_, payload, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&payload).ok()
}

/// A NumericDate (RFC 7519 2) may have a fraction. A time beyond the year 9999 is rejected.
pub(crate) fn seconds(value: &serde_json::Value) -> Option<u64> {
    const YEAR_10000: f64 = 253_402_300_800.0;
    let number = value.as_f64()?;
    (number.is_finite() && (0.0..YEAR_10000).contains(&number)).then_some(number as u64)
}
