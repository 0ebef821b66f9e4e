//! Reading the documented claims of an access token. Nothing is verified here: tokens are otherwise opaque (RFC 9068 6).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The claims that matter for keeping a token fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Times {
    /// Unix seconds after which the token is not accepted: the one claim that Planet documents.
    pub exp: Option<u64>,
    /// Unix seconds at which it was issued.
    pub iat: Option<u64>,
}

/// The times in a token, or nothing when it is opaque.
pub fn times(token: &str) -> Times {
    claims(token).map_or_else(Times::default, |claims| Times {
        exp: claims.get("exp").and_then(seconds),
        iat: claims.get("iat").and_then(seconds),
    })
}

/// Who issued a token, by its own words: to tell a token of somebody else in one's own place, and for nothing more.
pub fn issuer(token: &str) -> Option<String> {
    text_claim(token, "iss")
}

/// A claim by the token's own words, such as `sub`: to tell a login of somebody else, and for nothing more.
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

/// NumericDate (RFC 7519 2) may have a fraction; nothing beyond the year 9999 is believed.
pub(crate) fn seconds(value: &serde_json::Value) -> Option<u64> {
    const YEAR_10000: f64 = 253_402_300_800.0;
    let number = value.as_f64()?;
    (number.is_finite() && (0.0..YEAR_10000).contains(&number)).then_some(number as u64)
}
