//! The keys of the simulator's authorization servers: the newest signs, all that are published verify.

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

/// One RSA key.
struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    jwk: Value,
    kid: String,
}

/// What signs a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Signer {
    #[default]
    Current,
    /// A key that is nowhere published, under the name of the current one.
    Other,
    /// Nothing: the signature is empty, and the header says so.
    Nobody,
}

impl Signer {
    pub(crate) fn parse(name: &str) -> io::Result<Self> {
        match name {
            "current" => Ok(Self::Current),
            "other" => Ok(Self::Other),
            "none" => Ok(Self::Nobody),
            _ => Err(invalid("a key is \"current\", \"other\" or \"none\"")),
        }
    }
}

/// All keys of a simulator.
pub(crate) struct Keys {
    first: Arc<SigningKey>,
    /// The published ones, the newest at the end.
    published: RwLock<Vec<Arc<SigningKey>>>,
    other: OnceLock<SigningKey>,
}

impl SigningKey {
    fn generate() -> io::Result<Self> {
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
}

impl Keys {
    pub(crate) fn generate() -> io::Result<Self> {
        let first = Arc::new(SigningKey::generate()?);
        Ok(Self { published: RwLock::new(vec![Arc::clone(&first)]), first, other: OnceLock::new() })
    }

    fn published(&self) -> RwLockReadGuard<'_, Vec<Arc<SigningKey>>> {
        self.published.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> Arc<SigningKey> {
        self.published().last().map_or_else(|| Arc::clone(&self.first), Arc::clone)
    }

    /// Back to the key of the start.
    pub(crate) fn reset(&self) {
        *self.published.write().unwrap_or_else(PoisonError::into_inner) = vec![Arc::clone(&self.first)];
    }

    /// Changes the keys as the body of `POST /keys` says: a new one that signs from now on, the older ones not
    /// published any more.
    pub(crate) fn change(&self, wanted: &Value) -> io::Result<()> {
        let (mut add, mut retire) = (false, false);
        for (key, value) in object(wanted, "keys")? {
            match key.as_str() {
                "add" => add = boolean(value, key)?,
                "retire" => retire = boolean(value, key)?,
                _ => return Err(unknown(key, "keys")),
            }
        }
        let new = add.then(SigningKey::generate).transpose()?;
        let mut published = self.published.write().unwrap_or_else(PoisonError::into_inner);
        published.extend(new.map(Arc::new));
        if retire {
            let newest = published.pop();
            published.clear();
            published.extend(newest);
        }
        Ok(())
    }

    /// The names of the published keys and of the one that signs.
    pub(crate) fn json(&self) -> Value {
        let published: Vec<String> = self.published().iter().map(|key| key.kid.clone()).collect();
        json!({ "current": self.current().kid, "published": published })
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.published().iter().map(|key| key.jwk.clone()).collect();
        json!({ "keys": keys })
    }

    /// Signs any header and claims with the current key.
    pub(crate) fn sign(&self, claims: &Map<String, Value>) -> io::Result<String> {
        self.sign_as(Signer::Current, &Map::new(), claims)
    }

    /// Signs any header and claims; `header` replaces the members of the usual one.
    pub(crate) fn sign_as(&self, signer: Signer, header: &Map<String, Value>, claims: &Map<String, Value>) -> io::Result<String> {
        let current = self.current();
        let algorithm = if signer == Signer::Nobody { "none" } else { "RS256" };
        let mut full = json!({"alg": algorithm, "typ": "JWT", "kid": current.kid});
        if let Some(full) = full.as_object_mut() {
            merge(full, header);
        }
        let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", encode(full.to_string()), encode(Value::Object(claims.clone()).to_string()));
        let private = match signer {
            Signer::Current => &current.private,
            Signer::Other => &self.other()?.private,
            Signer::Nobody => return Ok(format!("{message}.")),
        };
        let signature = crypto::sign(message.as_bytes(), private, Algorithm::RS256).map_err(io::Error::other)?;
        Ok(format!("{message}.{signature}"))
    }

    fn other(&self) -> io::Result<&SigningKey> {
        if let Some(key) = self.other.get() {
            return Ok(key);
        }
        let made = SigningKey::generate()?;
        Ok(self.other.get_or_init(|| made))
    }

    /// The claims of a token that a published key signed and that has not expired.
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
