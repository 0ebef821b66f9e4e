//! Between a token set and the members of `token.json` (planet-sdk-behaviour.md 2.5).

use super::failure_record::{FailureRecord, Receipt};
use super::{Binding, Stored};
use crate::clock::Moment;
use crate::credential::{TokenMembers, TokenSet, check_b64token};
use crate::jwt;
use crate::oauth::token_endpoint::{DEFAULT_LIFETIME_S, MAX_LIFETIME_S};
use crate::secret::Secret;
use serde_json::{Map, Value, json};

/// Tells whose tokens these are without holding them: SHA-256, in hexadecimal.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        // Lengths keep ["ab", "c"] apart from ["a", "bc"].
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    let digits = context.finish().as_ref().iter().flat_map(|byte| [byte >> 4, byte & 0xf]).collect::<Vec<u8>>();
    digits.into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The members that tell one stored session from another.
pub(crate) fn identity(members: &Map<String, Value>) -> String {
    let text = |member: &str| members.get(member).and_then(Value::as_str).unwrap_or("");
    fingerprint(&[text("access_token"), text("refresh_token"), text("id_token")])
}

/// What is written: the members of the answer, and the two times that the SDK computes.
pub(crate) fn to_members(stored: &Stored) -> TokenMembers {
    let mut members = stored.tokens.members.clone();
    let times = jwt::times(stored.tokens.access_token.expose());
    let received = stored.received_unix_ms() / 1000;
    let issued = times.iat.unwrap_or(received);
    let expires = times.exp.unwrap_or_else(|| issued.saturating_add(stored.tokens.lifetime_ms / 1000));
    members.0.insert("_iat".into(), json!(issued));
    members.0.insert("_exp".into(), json!(expires));
    members
}

/// The receipt that is remembered beside these members.
pub(crate) fn receipt(stored: &Stored, members: &TokenMembers, binding: &str) -> Receipt {
    Receipt {
        tokens: identity(&members.0),
        unix_ms: stored.received_unix_ms(),
        lifetime_ms: stored.tokens.lifetime_ms,
        binding: binding.to_owned(),
        rejections: stored.rejections,
    }
}

/// What was read.
pub(crate) enum Content {
    /// Nothing that can be used: neither an access token nor a refresh token.
    Nothing,
    /// Tokens of another client or server, or for something else.
    Foreign,
    /// A token set.
    Tokens(Stored),
}

/// Reads the members. How long the access token still lives is known from the receipt; for what Planet's own tools wrote, from the times in
/// the token or beside it, which are another machine's: never longer than the whole life from now on.
pub(crate) fn from_members(members: Map<String, Value>, record: &FailureRecord, binding: &Binding, now: Moment) -> Content {
    // Wiped, whatever becomes of them.
    let members = TokenMembers(members);
    let receipt = record.receipt.as_ref().filter(|receipt| receipt.tokens == identity(&members.0));
    if receipt.is_some_and(|receipt| receipt.binding != binding.fingerprint) {
        return Content::Foreign;
    }
    let text = |member: &str| members.0.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let access_token = text("access_token").filter(|token| check_b64token(token).is_ok()).unwrap_or("");
    if access_token.is_empty() && text("refresh_token").is_none() {
        return Content::Nothing;
    }
    if receipt.is_none() && is_of_another(access_token, text("scope").unwrap_or(""), text("refresh_token").is_some(), binding) {
        return Content::Foreign;
    }
    let (lifetime_ms, remaining_ms, stated_end_ms) = match receipt {
        Some(receipt) => {
            // Nobody can have received it later than now.
            let age = now.unix_ms.saturating_sub(receipt.unix_ms);
            let left = receipt.lifetime_ms.saturating_sub(age);
            (receipt.lifetime_ms, left, receipt.unix_ms.saturating_add(receipt.lifetime_ms))
        }
        None => remaining(&members.0, access_token, text("refresh_token").is_some(), now),
    };
    let scopes = text("scope").map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()).unwrap_or_default();
    let remaining_ms = if access_token.is_empty() { 0 } else { remaining_ms };
    let access_token = Secret::from(access_token);
    let tokens = TokenSet { access_token, lifetime_ms, scopes, members };
    // When it was over is for people; while it is not, only what is left counts.
    let expires_unix_ms =
        if remaining_ms > 0 { now.unix_ms.saturating_add(remaining_ms) } else { stated_end_ms.min(now.unix_ms) };
    let rejections = receipt.map_or(0, |receipt| receipt.rejections);
    let is_revoked = tokens.refresh_token().is_some_and(|token| record.is_revoked(&binding.fingerprint, token));
    Content::Tokens(Stored { tokens, at: now, remaining_ms, expires_unix_ms, rejections, is_revoked })
}

/// What Planet's own tools wrote does not say whose it is; the token may.
fn is_of_another(access_token: &str, scope: &str, has_refresh_token: bool, binding: &Binding) -> bool {
    let by_issuer = other_issuer(access_token, binding).is_some();
    let lacks_scope = binding.scopes.iter().any(|wanted| !scope.split_ascii_whitespace().any(|granted| granted == wanted));
    // A person's session in a machine's place. Some servers give a machine a refresh token too, and Planet's SDK saves it.
    by_issuer || lacks_scope || binding.is_m2m && !binding.owns_place && has_refresh_token
}

/// The issuer that a token names, if it is another than the client's: its refresh token would go to a server that did not issue it.
pub(crate) fn other_issuer(access_token: &str, binding: &Binding) -> Option<String> {
    let (issuer, mine) = (jwt::issuer(access_token)?, binding.issuer.as_ref()?);
    (issuer.trim_end_matches('/') != mine.trim_end_matches('/')).then_some(issuer)
}

/// As [`other_issuer`], of the members of a file.
pub(crate) fn other_issuer_of(members: Map<String, Value>, binding: &Binding) -> Option<String> {
    // Wiped, whatever becomes of them.
    let members = TokenMembers(members);
    other_issuer(members.text("access_token")?, binding)
}

/// The whole life, what is left of it, and the end in Unix milliseconds, by the SDK's rules: the token's own claims, then the times in the file, then `expires_in` from now on.
fn remaining(members: &Map<String, Value>, access_token: &str, renewable: bool, now: Moment) -> (u64, u64, u64) {
    let seconds = |member: &str| members.get(member).and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0);
    let ms = |seconds: f64| (seconds.min(MAX_LIFETIME_S as f64 * 10.0) * 1000.0) as u64;
    let times = jwt::times(access_token);
    let issued = times.iat.map(|iat| iat as f64).or_else(|| seconds("_iat"));
    let expires = times.exp.map(|exp| exp as f64).or_else(|| seconds("_exp"));
    let stated = match members.get("expires_in") {
        Some(Value::String(text)) => text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0),
        _ => seconds("expires_in").filter(|seconds| *seconds > 0.0),
    };
    let longest = MAX_LIFETIME_S.saturating_mul(1000);
    let (life, left) = match (issued, expires, stated) {
        (issued, Some(expires), stated) => {
            let left = ms(expires).saturating_sub(now.unix_ms);
            let life = match (issued, stated) {
                (Some(issued), _) if issued < expires => ms(expires - issued),
                (_, Some(stated)) => ms(stated),
                _ => left,
            };
            (life.min(longest), left.min(life).min(longest))
        }
        (Some(issued), None, Some(stated)) => {
            let life = ms(stated).min(longest);
            (life, ms(issued + stated).saturating_sub(now.unix_ms).min(life))
        }
        (None, None, Some(stated)) => (ms(stated).min(longest), ms(stated).min(longest)),
        // What nobody can renew is used until an API refuses it, as the SDK does.
        (_, None, None) if !renewable => (longest, longest),
        (_, None, None) => (DEFAULT_LIFETIME_S * 1000, DEFAULT_LIFETIME_S * 1000),
    };
    let end = expires.or_else(|| Some(issued? + stated?)).map_or(u64::MAX, ms);
    (life, left, end)
}
