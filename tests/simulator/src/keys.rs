//! The keys of the simulator's authorization servers: the newest signs, all published ones verify.

use std::io;
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Map, Value, json};

use crate::http::now;
use crate::script::{boolean, invalid, object, unknown};
use crate::tokens::{Jwt, merge, random_text};

/// One key, for one algorithm.
struct SigningKey {
    algorithm: Algorithm,
    private: EncodingKey,
    public: DecodingKey,
    jwk: Value,
    kid: String,
}

/// The key that signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signer {
    #[default]
    Current,
    /// An unpublished key with the key id of the current one.
    Other,
    /// No key: the signature is empty and `alg` is `none`.
    Unsigned,
}

impl Signer {
    pub(crate) fn parse(name: &str) -> io::Result<Self> {
        match name {
            "current" => Ok(Self::Current),
            "other" => Ok(Self::Other),
            "none" => Ok(Self::Unsigned),
            _ => Err(invalid("key must be \"current\", \"other\" or \"none\"")),
        }
    }
}

/// All keys of a simulator.
pub(crate) struct Keys {
    first: Arc<SigningKey>,
    /// The published keys, the newest last.
    published: RwLock<Vec<Arc<SigningKey>>>,
    /// Keys for ID tokens that are not signed with RS256, created when first needed.
    for_id_tokens: RwLock<Vec<Arc<SigningKey>>>,
    other: OnceLock<SigningKey>,
}

/// A signature algorithm of ID tokens, by its name in RFC 7518 3.1.
pub(crate) fn algorithm(name: &str) -> io::Result<Algorithm> {
    match name {
        "RS256" => Ok(Algorithm::RS256),
        "PS256" => Ok(Algorithm::PS256),
        "ES256" => Ok(Algorithm::ES256),
        "EdDSA" => Ok(Algorithm::EdDSA),
        _ => {
            Err(invalid("id_token_algorithms must be \"RS256\", \"PS256\", \"ES256\" or \"EdDSA\""))
        }
    }
}

/// The name in RFC 7518 3.1.
pub(crate) fn name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

impl SigningKey {
    fn generate(algorithm: Algorithm) -> io::Result<Self> {
        let kind = match algorithm {
            Algorithm::ES256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Algorithm::EdDSA => &rcgen::PKCS_ED25519,
            _ => &rcgen::PKCS_RSA_SHA256,
        };
        let pair = rcgen::KeyPair::generate_for(kind).map_err(io::Error::other)?;
        let (secret, open) = (pair.serialize_pem(), pair.public_key_pem());
        let (secret, open) = (secret.as_bytes(), open.as_bytes());
        let (private, public) = match algorithm {
            Algorithm::ES256 => (EncodingKey::from_ec_pem(secret), DecodingKey::from_ec_pem(open)),
            Algorithm::EdDSA => (EncodingKey::from_ed_pem(secret), DecodingKey::from_ed_pem(open)),
            _ => (EncodingKey::from_rsa_pem(secret), DecodingKey::from_rsa_pem(open)),
        };
        let (private, public) =
            (private.map_err(io::Error::other)?, public.map_err(io::Error::other)?);
        let kid = random_text(16)?;
        let mut jwk = match algorithm {
            // RFC 8037 2.
            Algorithm::EdDSA => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(pair.public_key_raw())})
            }
            _ => serde_json::to_value(
                Jwk::from_encoding_key(&private, algorithm).map_err(io::Error::other)?,
            )
            .map_err(io::Error::other)?,
        };
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(name(algorithm));
        Ok(Self { algorithm, private, public, jwk, kid })
    }
}

impl Keys {
    pub(crate) fn generate() -> io::Result<Self> {
        let first = Arc::new(SigningKey::generate(Algorithm::RS256)?);
        let published = RwLock::new(vec![Arc::clone(&first)]);
        Ok(Self { published, first, for_id_tokens: RwLock::default(), other: OnceLock::new() })
    }

    fn published(&self) -> RwLockReadGuard<'_, Vec<Arc<SigningKey>>> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Arc<SigningKey> {
        self.published().last().map_or_else(|| Arc::clone(&self.first), Arc::clone)
    }

    /// Restores the first key.
    pub(crate) fn reset(&self) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) =
            vec![Arc::clone(&self.first)];
    }

    /// Carries out the body of `POST /keys`: adds a key that signs from now on, or removes the
    /// older ones.
    pub(crate) fn change(&self, wanted: &Value) -> io::Result<()> {
        let (mut add, mut retire) = (false, false);
        for (key, value) in object(wanted, "keys")? {
            match key.as_str() {
                "add" => add = boolean(value, key)?,
                "retire" => retire = boolean(value, key)?,
                _ => return Err(unknown(key, "keys")),
            }
        }
        let new = add.then(|| SigningKey::generate(Algorithm::RS256)).transpose()?;
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        published.extend(new.map(Arc::new));
        if retire {
            let newest = published.pop();
            published.clear();
            published.extend(newest);
        }
        Ok(())
    }

    /// The key ids of the published keys and of the signing key.
    pub(crate) fn json(&self) -> Value {
        let published: Vec<String> = self.published().iter().map(|key| key.kid.clone()).collect();
        json!({ "current": self.current().kid, "published": published })
    }

    /// The published keys, including those for these ID token algorithms.
    pub(crate) fn jwks(&self, of_id_tokens: &[Algorithm]) -> io::Result<Value> {
        let mut keys: Vec<Value> = self.published().iter().map(|key| key.jwk.clone()).collect();
        for algorithm in of_id_tokens.iter().filter(|algorithm| **algorithm != Algorithm::RS256) {
            keys.push(self.of(*algorithm)?.jwk.clone());
        }
        Ok(json!({ "keys": keys }))
    }

    /// The key that signs with this algorithm.
    fn of(&self, algorithm: Algorithm) -> io::Result<Arc<SigningKey>> {
        if algorithm == Algorithm::RS256 {
            return Ok(self.current());
        }
        let mut made = self.for_id_tokens.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = made.iter().find(|key| key.algorithm == algorithm) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(SigningKey::generate(algorithm)?);
        made.push(Arc::clone(&key));
        Ok(key)
    }

    /// Signs any claims with the current key.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> io::Result<String> {
        self.sign_as(Algorithm::RS256, Signer::Current, &Map::new(), claims)
    }

    /// Signs any header and claims. Members of `header` replace the usual ones.
    pub(crate) fn sign_as(
        &self,
        algorithm: Algorithm,
        signer: Signer,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
    ) -> io::Result<String> {
        let current = self.of(algorithm)?;
        let named = if signer == Signer::Unsigned { "none".to_owned() } else { name(algorithm) };
        let mut full = json!({"alg": named, "typ": "JWT", "kid": current.kid});
        if let Some(full) = full.as_object_mut() {
            merge(full, header);
        }
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!(
            "{}.{}",
            encode(full.to_string()),
            encode(Value::Object(claims.clone()).to_string())
        );
        let sign = |key: &SigningKey| {
            crypto::sign(message.as_bytes(), &key.private, algorithm).map_err(io::Error::other)
        };
        let signature = match signer {
            Signer::Current => sign(&current)?,
            Signer::Other if algorithm == Algorithm::RS256 => sign(self.other()?)?,
            Signer::Other => sign(&SigningKey::generate(algorithm)?)?,
            Signer::Unsigned => String::new(),
        };
        Ok(format!("{message}.{signature}"))
    }

    fn other(&self) -> io::Result<&SigningKey> {
        if let Some(key) = self.other.get() {
            return Ok(key);
        }
        let made = SigningKey::generate(Algorithm::RS256)?;
        Ok(self.other.get_or_init(|| made))
    }

    /// The claims of an unexpired token that a published key signed.
    pub(crate) fn verify(&self, token: &str) -> Result<Map<String, Value>, &'static str> {
        let parts = Jwt::parse(token).ok_or("the token is not a JWT")?;
        if parts.header.get("alg") != Some(&json!("RS256")) {
            return Err("the token is not signed with RS256");
        }
        if !self.published().iter().any(|key| parts.is_signed_by(&key.public, Algorithm::RS256)) {
            return Err("the signature is wrong");
        }
        match parts.claims.get("exp").and_then(Value::as_f64) {
            Some(expiry) if expiry > now() as f64 => Ok(parts.claims),
            Some(_) => Err("the token has expired"),
            None => Err("the token has no expiry"),
        }
    }
}
