//! ID tokens (OpenID Connect Core 2, 3.1.3.7): the user who logged in, signed by the server.

use super::jose::{Algorithm, DEFAULT_ALGORITHMS};
use super::jwks::{Jwks, Key};
use crate::error::{Error, Reason, Result, Status};
use crate::text::one_line;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use std::fmt;

/// The tolerated difference between the clocks of server and client.
pub const LEEWAY_S: u64 = 60;

/// What an ID token must contain.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The issuer of the metadata, byte for byte.
    pub issuer: &'a str,
    /// The client that the token must be for.
    pub client_id: &'a str,
    /// The nonce of the authorization request; `None` if the login sends none, such as a device
    /// login.
    pub nonce: Option<&'a str>,
    /// The accepted signature algorithms; an empty list means [`DEFAULT_ALGORITHMS`].
    pub algorithms: &'a [Algorithm],
    /// The current time in Unix seconds.
    pub now: u64,
    /// Whether the token must not have expired. Set at a login; a saved token may be older.
    pub check_expiry: bool,
}

/// The claims of a verified ID token. They describe a user, so `Debug` shows none.
#[derive(Clone)]
pub struct Claims(pub Map<String, Value>);

impl Claims {
    /// The user who logged in, as the server identifies them (`sub`).
    pub fn subject(&self) -> &str {
        self.0.get("sub").and_then(Value::as_str).unwrap_or("")
    }
}

impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claims([{} members])", self.0.len())
    }
}

/// The result of a verification.
#[derive(Debug)]
pub enum Verification {
    /// The token is valid.
    Valid(Claims),
    /// The token names a key that is not in the set. The key may be new, so the caller requests the
    /// set once more.
    UnknownKey,
}

/// Verifies signature and claims of an ID token.
///
/// Errors: TOKEN_INVALID with a reason: `malformed`, `bad_algorithm`, `unknown_key` (the set has
/// several keys and the token names none), `bad_signature`, `bad_issuer`, `bad_audience`,
/// `bad_nonce`, `token_expired`, `not_yet_valid`.
pub fn verify(id_token: &str, keys: &Jwks, expected: &Expected<'_>) -> Result<Verification> {
    let parts: Vec<&str> = id_token.split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return Err(malformed("it does not have three parts"));
    };
    let header = object(header).ok_or_else(|| malformed("its header is no JSON object"))?;
    let claims = object(payload).ok_or_else(|| malformed("its payload is no JSON object"))?;
    if header.contains_key("crit") {
        return Err(malformed("it asks for an extension that is not known here"));
    }
    let algorithm = algorithm(&header, expected.algorithms)?;
    let keys: Vec<&Key> = match header.get("kid") {
        Some(Value::String(kid)) => keys.with_id(kid).collect(),
        Some(_) => return Err(malformed("its kid is not a text")),
        // Without a key id there must be only one key (OpenID Connect Core 10.1).
        None if keys.len() > 1 => {
            return Err(invalid(
                Reason::UnknownKey,
                "the ID token names no key although the server has several",
            ));
        }
        None => keys.keys().iter().collect(),
    };
    if keys.is_empty() {
        return Ok(Verification::UnknownKey);
    }
    let mut fitting = keys.into_iter().filter(|key| key.fits(algorithm)).peekable();
    if fitting.peek().is_none() {
        return Err(invalid(
            Reason::BadAlgorithm,
            "the ID token's algorithm is not that of the key it names",
        ));
    }
    let (signed, _) = id_token.rsplit_once('.').unwrap_or_default();
    let verifies = |key: &Key| {
        jsonwebtoken::crypto::verify(
            signature,
            signed.as_bytes(),
            &key.key,
            algorithm.implementation(),
        )
        .unwrap_or(false)
    };
    if !fitting.any(verifies) {
        return Err(invalid(Reason::BadSignature, "the ID token's signature is not the server's"));
    }
    check(&claims, expected)?;
    Ok(Verification::Valid(Claims(claims)))
}

/// The error if the key is missing even after the set was requested again.
pub fn unknown_key() -> Error {
    invalid(
        Reason::UnknownKey,
        "the ID token is signed with a key that the server does not publish",
    )
}

/// Checks the claims in the order of OpenID Connect Core 3.1.3.7.
fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<()> {
    let text = |claim: &str| claims.get(claim).and_then(Value::as_str);
    if text("iss") != Some(expected.issuer) {
        let named = one_line(text("iss").unwrap_or(""), 200);
        return Err(invalid(
            Reason::BadIssuer,
            &format!(
                "the ID token is from '{named}', not from '{}'",
                one_line(expected.issuer, 200)
            ),
        ));
    }
    let audiences: Vec<&str> = match claims.get("aud") {
        Some(Value::String(audience)) => vec![audience],
        Some(Value::Array(audiences)) => audiences.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let authorized = claims.get("azp");
    if !audiences.contains(&expected.client_id)
        || authorized.is_some_and(|party| party != expected.client_id)
        || audiences.iter().any(|audience| *audience != expected.client_id) && authorized.is_none()
    {
        return Err(invalid(Reason::BadAudience, "the ID token is for another client"));
    }
    if expected.nonce.is_some_and(|nonce| text("nonce") != Some(nonce)) {
        return Err(invalid(Reason::BadNonce, "the ID token belongs to another login"));
    }
    if text("sub").is_none_or(str::is_empty) {
        return Err(malformed("it names no subject"));
    }
    let seconds = |claim: &str| claims.get(claim).and_then(crate::jwt::seconds);
    let (Some(exp), Some(iat)) = (seconds("exp"), seconds("iat")) else {
        return Err(malformed("it does not say when it was issued and when it expires"));
    };
    if !expected.check_expiry {
        return Ok(());
    }
    let clock = "check this machine's clock";
    if exp.saturating_add(LEEWAY_S) <= expected.now {
        return Err(invalid(
            Reason::TokenExpired,
            &format!("the ID token expired {} s ago; {clock}", expected.now - exp),
        ));
    }
    let latest = expected.now.saturating_add(LEEWAY_S);
    if let Some(begins) =
        [Some(iat), seconds("nbf")].into_iter().flatten().find(|begins| *begins > latest)
    {
        return Err(invalid(
            Reason::NotYetValid,
            &format!("the ID token is from {} s in the future; {clock}", begins - expected.now),
        ));
    }
    Ok(())
}

/// The algorithm that a token names, unverified, to decide whether the server's metadata is needed.
pub(crate) fn named_algorithm(id_token: &str) -> Option<Algorithm> {
    let header = object(id_token.split('.').next()?)?;
    Algorithm::from_name(header.get("alg")?.as_str()?)
}

/// The header's algorithm, if it is one of the agreed ones.
fn algorithm(header: &Map<String, Value>, agreed: &[Algorithm]) -> Result<Algorithm> {
    let agreed = if agreed.is_empty() { DEFAULT_ALGORITHMS } else { agreed };
    let named = header.get("alg").and_then(Value::as_str).unwrap_or("");
    agreed.iter().copied().find(|algorithm| algorithm.name() == named).ok_or_else(|| {
        let names = |algorithms: &[Algorithm]| algorithms.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
        let message = format!(
            "the ID token is signed with '{}'; only {} is accepted here. Let the server sign this client's ID tokens with one of {}, and \
             announce it in id_token_signing_alg_values_supported",
            one_line(named, 40),
            names(agreed),
            names(&Algorithm::ACCEPTED)
        );
        invalid(Reason::BadAlgorithm, &message)
    })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

fn malformed(what: &str) -> Error {
    invalid(Reason::Malformed, &format!("the ID token cannot be read: {what}"))
}

fn invalid(reason: Reason, message: &str) -> Error {
    Error::new(Status::TokenInvalid, format!("{message}; nothing of it is used: log in again"))
        .with_reason(reason)
}
