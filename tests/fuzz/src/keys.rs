//! The key of the fuzzing server, and the expected claims of its ID tokens.

use crate::NOW;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use planetkey::oauth::id_token::Expected;
use planetkey::oauth::jose;
use planetkey::oauth::jwks::Jwks;
use serde_json::{Value, json};
use std::sync::LazyLock;

pub const ISSUER: &str = "https://as.example/";
pub const CLIENT_ID: &str = "client";
pub const NONCE: &str = "nonce";

/// Signs ID tokens.
pub static SIGNER: LazyLock<Signer> = LazyLock::new(Signer::new);
/// A key set with only the key of [`SIGNER`].
pub static SET: LazyLock<Jwks> =
    LazyLock::new(|| Jwks::parse(&json!({"keys": [SIGNER.jwk.clone()]})).expect("a set"));

pub struct Signer {
    key: EncodingKey,
    pub jwk: Value,
}

impl Signer {
    fn new() -> Self {
        let key =
            EncodingKey::from_ec_pem(include_bytes!("../../../core/tests/data/client-ec.pem"))
                .expect("a key");
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, Algorithm::ES256).expect("a key"))
                .expect("JSON");
        jwk["kid"] = json!("ours");
        Signer { key, jwk }
    }

    /// Signs any header and claims with ES256, whatever they say.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64_url(value.to_string().as_bytes());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, Algorithm::ES256)
            .expect("a signature");
        format!("{signed}.{signature}")
    }
}

/// Valid claims.
pub fn claims() -> Value {
    json!({"iss": ISSUER, "sub": "user-1", "aud": CLIENT_ID, "nonce": NONCE, "iat": NOW, "exp": NOW + 60})
}

/// The expectations of a login.
pub fn expected(algorithms: &[jose::Algorithm]) -> Expected<'_> {
    Expected {
        issuer: ISSUER,
        client_id: CLIENT_ID,
        nonce: Some(NONCE),
        algorithms,
        now: NOW,
        check_expiry: true,
    }
}

/// Base64url without padding (RFC 7515 2).
fn base64_url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            text.push(char::from(ALPHABET[number >> (18 - 6 * place) & 63]));
        }
    }
    text
}
