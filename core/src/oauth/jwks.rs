//! JSON Web Key Sets (RFC 7517): the public keys that an authorization server signs with.

use super::endpoint_request;
use super::jose::{Algorithm, KeyType};
use crate::error::{Error, Result};
use crate::http::CallContext;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
};
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde_json::Value;

/// The keys of a set that can verify a signature. Other keys are skipped, so that the rest of the
/// set can be used.
#[derive(Clone, Debug, Default)]
pub struct Jwks {
    keys: Vec<Key>,
}

/// One key. Its type is fixed, whatever a token says.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    kid: Option<String>,
    key_type: KeyType,
    /// The only algorithm that it may be used for, if the set names one.
    algorithm: Option<String>,
    pub(crate) key: DecodingKey,
}

impl Key {
    /// Whether this key may verify a signature of this algorithm.
    pub(crate) fn fits(&self, algorithm: Algorithm) -> bool {
        self.key_type == algorithm.key_type()
            && self.algorithm.as_deref().is_none_or(|only| only == algorithm.name())
    }
}

impl Jwks {
    /// Reads a set.
    ///
    /// Errors: PROTOCOL if the document is not a key set. A key that cannot be used is not an
    /// error.
    pub fn parse(document: &Value) -> Result<Self> {
        let keys = document.get("keys").and_then(Value::as_array).ok_or_else(|| {
            Error::protocol("the server's key set has no list of keys (RFC 7517 5); check jwks_uri")
        })?;
        Ok(Jwks { keys: keys.iter().filter_map(key).collect() })
    }

    /// How many keys can be used.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can be used.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The keys of this id. Two keys may share one (RFC 7517 4.5).
    pub(crate) fn with_id<'a>(&'a self, kid: &'a str) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.kid.as_deref() == Some(kid))
    }

    /// Every key.
    pub(crate) fn keys(&self) -> &[Key] {
        &self.keys
    }
}

/// Requests the key set at `uri`.
///
/// Blocks; uses the network. Errors: UNAVAILABLE, TIMEOUT, PROTOCOL.
pub fn fetch(call: &CallContext<'_>, uri: &url::Url) -> Result<Jwks> {
    let (request, response) = endpoint_request::get(call, uri, None)?;
    if !response.is_success() {
        return Err(endpoint_request::unsuccessful(
            &request,
            &response,
            call.clock().now().unix_ms,
        ));
    }
    let document = endpoint_request::json(&request, &response)?;
    Jwks::parse(&document)
}

/// One key; `None` if it cannot or must not verify signatures.
fn key(jwk: &Value) -> Option<Key> {
    let text = |member: &str| jwk.get(member).and_then(Value::as_str);
    let bytes = |member: &str| URL_SAFE_NO_PAD.decode(text(member)?.trim_end_matches('=')).ok();
    if text("use").is_some_and(|usage| usage != "sig") {
        return None;
    }
    if let Some(operations) = jwk.get("key_ops")
        && !operations.as_array()?.iter().any(|operation| operation == "verify")
    {
        return None;
    }
    let point = |size: usize| {
        let (x, y) = (bytes("x")?, bytes("y")?);
        (x.len() == size && y.len() == size).then(|| [&[4], x.as_slice(), y.as_slice()].concat())
    };
    let (key_type, key) = match (text("kty")?, text("crv")) {
        ("RSA", _) => {
            let (n, e) = (bytes("n")?, bytes("e")?);
            let (n, e) = (without_leading_zeros(&n), without_leading_zeros(&e));
            // An exponent is odd and greater than one. With any other one, signatures can be
            // forged.
            let usable = e.last().is_some_and(|last| last % 2 == 1) && e != [1];
            usable.then_some(())?;
            // Refuses fewer than 2048 bits.
            RsaPublicKeyComponents { n, e }
                .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
                .ok()?;
            (KeyType::Rsa, DecodingKey::from_rsa_raw_components(n, e))
        }
        ("EC", Some("P-256")) => {
            let point = point(32)?;
            ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).ok()?;
            (KeyType::P256, DecodingKey::from_ec_der(&point))
        }
        ("EC", Some("P-384")) => {
            let point = point(48)?;
            ParsedPublicKey::new(&ECDSA_P384_SHA384_FIXED, &point).ok()?;
            (KeyType::P384, DecodingKey::from_ec_der(&point))
        }
        ("OKP", Some("Ed25519")) => {
            let x = bytes("x")?;
            ParsedPublicKey::new(&ED25519, &x).ok()?;
            (KeyType::Ed25519, DecodingKey::from_ed_der(&x))
        }
        _ => return None,
    };
    Some(Key {
        kid: text("kid").map(str::to_owned),
        key_type,
        algorithm: text("alg").map(str::to_owned),
        key,
    })
}

/// Some servers write a sign byte before the number.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let start = number.iter().position(|byte| *byte != 0).unwrap_or(number.len());
    number.get(start..).unwrap_or_default()
}
