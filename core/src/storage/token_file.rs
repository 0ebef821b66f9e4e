//! Converts between a token set and the members of `token.json`, as Planet's SDK writes it.

use super::failure_record::{FailureRecord, Receipt};
use super::{Binding, Saved, Stored};
use crate::clock::{Moment, millis};
use crate::credential::{TokenSet, check_b64token};
use crate::jwt;
use crate::oauth::token_endpoint::{DEFAULT_LIFETIME_S, MAX_LIFETIME_S};
use crate::secret::Secret;
use crate::secret_json::Members;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Identifies these values without containing them: SHA-256, in hexadecimal.
pub fn fingerprint(parts: &[&str]) -> String {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    for part in parts {
        // With the lengths ["ab", "c"] and ["a", "bc"] differ.
        context.update(&part.len().to_le_bytes());
        context.update(part.as_bytes());
    }
    let digest = context.finish();
    let mut text = String::with_capacity(2 * digest.as_ref().len());
    for byte in digest.as_ref() {
        text.extend(
            [byte >> 4, byte & 0xf]
                .map(|digit| char::from(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 })),
        );
    }
    text
}

/// Identifies one saved session.
pub(crate) fn identity(members: &Map<String, Value>) -> String {
    let text = |member: &str| members.get(member).and_then(Value::as_str).unwrap_or("");
    fingerprint(&[text("access_token"), text("refresh_token"), text("id_token")])
}

/// What is written: the members of the token response, and the two times that the SDK computes.
pub(crate) fn to_members(stored: &Stored) -> Members {
    let mut members = stored.tokens.members.clone();
    let times = jwt::times(stored.tokens.access_token.expose());
    let received = stored.received_unix_ms() / 1000;
    let issued = times.iat.unwrap_or(received);
    let expires =
        times.exp.unwrap_or_else(|| issued.saturating_add(stored.tokens.lifetime.as_secs()));
    members.0.insert("_iat".into(), json!(issued));
    members.0.insert("_exp".into(), json!(expires));
    members
}

/// The receipt that is saved with these members.
pub(crate) fn receipt(stored: &Stored, members: &Members, binding: &str) -> Receipt {
    Receipt {
        tokens: identity(&members.0),
        unix_ms: stored.received_unix_ms(),
        lifetime_ms: millis(stored.tokens.lifetime),
        binding: binding.to_owned(),
        rejections: stored.rejections,
    }
}

/// The content of a token file.
pub(crate) enum Content {
    /// Neither an access token nor a refresh token.
    Nothing,
    /// Tokens of another client or server, or for something else.
    Foreign,
    /// A token set.
    Tokens(Stored),
}

impl From<Content> for Saved {
    fn from(content: Content) -> Self {
        match content {
            Content::Nothing => Saved::Nothing,
            Content::Foreign => Saved::Foreign,
            Content::Tokens(stored) => Saved::Tokens(Arc::new(stored)),
        }
    }
}

/// Reads the members. The receipt says when the access token expires. For files that Planet's tools
/// wrote, the times in the token or in the file do. They may be from another computer's clock, so
/// the token is used for at most its lifetime from now on.
pub(crate) fn from_members(
    members: Map<String, Value>,
    record: &FailureRecord,
    binding: &Binding,
    now: Moment,
) -> Content {
    // Wiped on drop.
    let members = Members(members);
    let receipt = record.receipt.as_ref().filter(|receipt| receipt.tokens == identity(&members.0));
    if receipt.is_some_and(|receipt| receipt.binding != binding.fingerprint) {
        return Content::Foreign;
    }
    let text = |member: &str| {
        members.0.get(member).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let access_token =
        text("access_token").filter(|token| check_b64token(token).is_ok()).unwrap_or("");
    if access_token.is_empty() && text("refresh_token").is_none() {
        return Content::Nothing;
    }
    if receipt.is_none()
        && is_of_another(
            access_token,
            text("scope").unwrap_or(""),
            text("refresh_token").is_some(),
            binding,
        )
    {
        return Content::Foreign;
    }
    let (lifetime, remaining, stated_end_ms) = match receipt {
        Some(receipt) => {
            // A receipt in the future counts as one of now.
            let age = Duration::from_millis(now.unix_ms.saturating_sub(receipt.unix_ms));
            let lifetime = Duration::from_millis(receipt.lifetime_ms);
            (
                lifetime,
                lifetime.saturating_sub(age),
                receipt.unix_ms.saturating_add(receipt.lifetime_ms),
            )
        }
        None => remaining(&members.0, access_token, text("refresh_token").is_some(), now),
    };
    let scopes = text("scope")
        .map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect())
        .unwrap_or_default();
    let remaining = if access_token.is_empty() { Duration::ZERO } else { remaining };
    let access_token = Secret::from(access_token);
    let tokens = TokenSet { access_token, lifetime, scopes, members };
    // The stated time of an expired token is only shown. For a valid one the remaining time counts.
    let expires_unix_ms = if remaining.is_zero() {
        stated_end_ms.min(now.unix_ms)
    } else {
        (now + remaining).unix_ms
    };
    let rejections = receipt.map_or(0, |receipt| receipt.rejections);
    let is_revoked =
        tokens.refresh_token().is_some_and(|token| record.is_revoked(&binding.fingerprint, token));
    Content::Tokens(Stored { tokens, at: now, remaining, expires_unix_ms, rejections, is_revoked })
}

/// Whether tokens without a receipt, which Planet's tools wrote, are those of another client.
fn is_of_another(
    access_token: &str,
    scope: &str,
    has_refresh_token: bool,
    binding: &Binding,
) -> bool {
    let by_issuer = other_issuer(access_token, binding).is_some();
    let lacks_scope = binding
        .scopes
        .iter()
        .any(|wanted| !scope.split_ascii_whitespace().any(|granted| granted == wanted));
    // A user session at the place of an M2M client's tokens. Some servers also issue a refresh
    // token to an M2M client, and Planet's SDK saves it.
    by_issuer || lacks_scope || binding.is_m2m && !binding.owns_place && has_refresh_token
}

/// The issuer that a token names, if it is not the client's: its refresh token would go to a server
/// that did not issue it.
pub(crate) fn other_issuer(access_token: &str, binding: &Binding) -> Option<String> {
    let (issuer, expected) = (jwt::issuer(access_token)?, binding.issuer.as_ref()?);
    (issuer.trim_end_matches('/') != expected.trim_end_matches('/')).then_some(issuer)
}

/// As [`other_issuer`], of the members of a file.
pub(crate) fn other_issuer_of(members: Map<String, Value>, binding: &Binding) -> Option<String> {
    // Wiped on drop.
    let members = Members(members);
    other_issuer(members.text("access_token")?, binding)
}

/// The lifetime, the rest of it, and the expiry in Unix milliseconds, by the SDK's rules: the
/// token's own claims, then the times in the file, then `expires_in` from now on.
fn remaining(
    members: &Map<String, Value>,
    access_token: &str,
    is_refreshable: bool,
    now: Moment,
) -> (Duration, Duration, u64) {
    let seconds = |member: &str| {
        members.get(member).and_then(Value::as_f64).filter(|seconds| *seconds >= 0.0)
    };
    let ms = |seconds: f64| (seconds.min(MAX_LIFETIME_S as f64 * 10.0) * 1000.0) as u64;
    let times = jwt::times(access_token);
    let issued = times.iat.map(|iat| iat as f64).or_else(|| seconds("_iat"));
    let expires = times.exp.map(|exp| exp as f64).or_else(|| seconds("_exp"));
    let stated = match members.get("expires_in") {
        Some(Value::String(text)) => {
            text.trim().parse().ok().filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0)
        }
        _ => seconds("expires_in").filter(|seconds| *seconds > 0.0),
    };
    let longest = MAX_LIFETIME_S.saturating_mul(1000);
    let (lifetime, left) = match (issued, expires, stated) {
        (issued, Some(expires), stated) => {
            let left = ms(expires).saturating_sub(now.unix_ms);
            let lifetime = match (issued, stated) {
                (Some(issued), _) if issued < expires => ms(expires - issued),
                (_, Some(stated)) => ms(stated),
                _ => left,
            };
            (lifetime.min(longest), left.min(lifetime).min(longest))
        }
        (Some(issued), None, Some(stated)) => {
            let lifetime = ms(stated).min(longest);
            (lifetime, ms(issued + stated).saturating_sub(now.unix_ms).min(lifetime))
        }
        (None, None, Some(stated)) => (ms(stated).min(longest), ms(stated).min(longest)),
        // A token that cannot be refreshed is used until an API rejects it, as the SDK does.
        (_, None, None) if !is_refreshable => (longest, longest),
        (_, None, None) => (DEFAULT_LIFETIME_S * 1000, DEFAULT_LIFETIME_S * 1000),
    };
    let end = expires.or_else(|| Some(issued? + stated?)).map_or(u64::MAX, ms);
    (Duration::from_millis(lifetime), Duration::from_millis(left), end)
}
