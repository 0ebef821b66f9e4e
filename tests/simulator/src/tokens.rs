//! Access tokens: signing and verifying RS256 JWTs with a key made at start-up.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Map, Value, json};

use crate::http::now;

/// The key of the simulator's authorization servers.
pub(crate) struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    jwk: Value,
    kid: String,
}

impl SigningKey {
    pub(crate) fn generate() -> io::Result<Self> {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).map_err(io::Error::other)?;
        let private = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).map_err(io::Error::other)?;
        let public = DecodingKey::from_rsa_pem(pair.public_key_pem().as_bytes()).map_err(io::Error::other)?;
        let kid = random_text(16)?;
        let key = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(io::Error::other)?;
        let mut jwk = serde_json::to_value(key).map_err(io::Error::other)?;
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!("RS256");
        Ok(Self { private, public, jwk, kid })
    }

    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// Signs any header and claims; `header` replaces the members of the usual one.
    pub(crate) fn sign(&self, header: &Map<String, Value>, claims: &Map<String, Value>) -> io::Result<String> {
        let mut full = json!({"alg": "RS256", "typ": "JWT", "kid": self.kid});
        if let Some(full) = full.as_object_mut() {
            merge(full, header);
        }
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(full.to_string()), encode(Value::Object(claims.clone()).to_string()));
        let signature = crypto::sign(message.as_bytes(), &self.private, Algorithm::RS256).map_err(io::Error::other)?;
        Ok(format!("{message}.{signature}"))
    }

    /// The claims of a token that this key signed and that has not expired.
    pub(crate) fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let parts = Jwt::parse(token).ok_or("the token is not a JWT")?;
        if parts.header.get("alg") != Some(&json!("RS256")) {
            return Err("the token is not signed with RS256");
        }
        if !parts.is_signed_by(&self.public, Algorithm::RS256) {
            return Err("the signature is wrong");
        }
        match parts.claims.get("exp").and_then(Value::as_f64) {
            Some(expiry) if expiry > now() as f64 => Ok(parts.claims),
            Some(_) => Err("the token has expired"),
            None => Err("the token has no expiry"),
        }
    }
}

/// The parts of a compact JWT, not verified.
pub(crate) struct Jwt<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    message: &'a str,
    signature: &'a str,
}

impl<'a> Jwt<'a> {
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (message, signature) = token.rsplit_once('.')?;
        let (header, claims) = message.split_once('.')?;
        let decode =
            |part: &str| -> Option<Map<String, Value>> { serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok() };
        Some(Self { header: decode(header)?, claims: decode(claims)?, message, signature })
    }

    pub(crate) fn is_signed_by(&self, key: &DecodingKey, algorithm: Algorithm) -> bool {
        crypto::verify(self.signature, self.message.as_bytes(), key, algorithm).unwrap_or(false)
    }
}

/// Sets members; null takes one away.
pub(crate) fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (key, value) in from {
        if value.is_null() {
            into.remove(key);
        } else {
            into.insert(key.clone(), value.clone());
        }
    }
}

/// Whether a claim such as `aud` is this text or a list with it.
pub(crate) fn names(claim: Option<&Value>, text: &str) -> bool {
    match claim {
        Some(Value::String(one)) => one == text,
        Some(Value::Array(list)) => list.iter().any(|item| item == text),
        _ => false,
    }
}

/// Random characters of the base64url alphabet from so many random bytes.
pub(crate) fn random_text(bytes: usize) -> io::Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}
