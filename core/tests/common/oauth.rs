//! The grants without a session: a fake authorization server, a client, and signing keys.

use super::{CLIENT_ID, CLIENT_SECRET, Fake, NOW};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use planetkey::clock::{ManualClock, Random, SystemRandom};
use planetkey::http::{CallContext, Http, ReqwestTransport, Retry};
use planetkey::oauth::client_authentication::{ClientAuthentication, PrivateKey};
use planetkey::secret::Secret;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The issuer that the fake plays.
pub const ISSUER: &str = "https://as.example/realms/planet";
pub const NONCE: &str = "the-nonce-of-this-login";
pub const SUBJECT: &str = "user-1";

/// A fake server, and the client's connection to it.
pub struct Wire {
    pub fake: Arc<Fake>,
    pub clock: Arc<ManualClock>,
    pub http: Http,
}

impl Wire {
    pub fn new() -> Self {
        let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
        Wire { http: Http::new(fake.clone(), clock.clone(), Arc::new(SystemRandom)), fake, clock }
    }

    /// Returns the context of a call with a deadline of half a minute.
    pub fn call(&self) -> CallContext<'_> {
        call_over(&self.http)
    }
}

/// Returns the context of a call over this transport, with a deadline of half a minute.
pub fn call_over(http: &Http) -> CallContext<'_> {
    CallContext::within(http, Retry::WithinDeadline, Duration::from_secs(30))
}

/// Returns a client over real sockets.
pub fn real_http() -> Http {
    Http::new(
        Arc::new(ReqwestTransport::default()),
        Arc::new(ManualClock::new(NOW)),
        Arc::new(SystemRandom),
    )
}

/// Returns an endpoint of the server.
pub fn endpoint(path: &str) -> url::Url {
    format!("{ISSUER}/{path}").parse().unwrap()
}

pub fn scopes(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub fn public_client() -> ClientAuthentication {
    ClientAuthentication::None { client_id: CLIENT_ID.to_owned() }
}

/// Returns a client of every authentication method, and the text in its request that proves the
/// method.
pub fn clients() -> Vec<(ClientAuthentication, &'static str)> {
    let (client_id, client_secret) = (CLIENT_ID.to_owned(), Secret::from(CLIENT_SECRET));
    let key = PrivateKey::from_pem(include_str!("../data/client-ec.pem"), None).unwrap();
    vec![
        (public_client(), "client_id"),
        (
            ClientAuthentication::ClientSecretBasic {
                client_id: client_id.clone(),
                client_secret: client_secret.clone(),
            },
            "Basic",
        ),
        (
            ClientAuthentication::ClientSecretPost { client_id: client_id.clone(), client_secret },
            "client_secret",
        ),
        (
            ClientAuthentication::PrivateKeyJwt { client_id, key, audience: None },
            "client_assertion",
        ),
    ]
}

/// Random bytes that a test can read afterwards.
#[derive(Default)]
pub struct Recorded(pub Mutex<Vec<Vec<u8>>>);

impl Random for Recorded {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        SystemRandom.fill(buffer)?;
        self.0.lock().unwrap().push(buffer.to_vec());
        Ok(())
    }
}

/// Bytes that a test has chosen.
pub struct Chosen(pub Vec<u8>);

impl Random for Chosen {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.copy_from_slice(&self.0);
        Ok(())
    }
}

/// A system without random numbers.
pub struct NoRandom;

impl Random for NoRandom {
    fn fill(&self, _: &mut [u8]) -> std::io::Result<()> {
        Err(std::io::Error::other("none left"))
    }
}

/// A signing key of the server.
pub struct Signer {
    algorithm: Algorithm,
    key: EncodingKey,
    kid: Option<String>,
    /// The public key as the server publishes it.
    pub jwk: Value,
}

impl Signer {
    pub fn rsa(kid: &str) -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../data/server-rsa.pem")).unwrap();
        Signer::new(key, Algorithm::RS256, kid)
    }

    /// Returns a key of the same type that is not the server's.
    pub fn other_rsa(kid: &str) -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../data/client-rsa.pem")).unwrap();
        Signer::new(key, Algorithm::RS256, kid)
    }

    pub fn ec(kid: &str) -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../data/client-ec.pem")).unwrap();
        Signer::new(key, Algorithm::ES256, kid)
    }

    pub fn p384(kid: &str) -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../data/client-ec-p384.pem")).unwrap();
        Signer::new(key, Algorithm::ES384, kid)
    }

    pub fn ed25519(kid: &str) -> Self {
        let pair = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
        let document = pair.to_pkcs8v1().unwrap();
        let key = EncodingKey::from_ed_der(document.as_ref());
        let x = URL_SAFE_NO_PAD.encode(aws_lc_rs::signature::KeyPair::public_key(&pair));
        let jwk = json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "use": "sig", "alg": "EdDSA", "x": x});
        Signer { algorithm: Algorithm::EdDSA, key, kid: Some(kid.to_owned()), jwk }
    }

    fn new(key: EncodingKey, algorithm: Algorithm, kid: &str) -> Self {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        jwk["use"] = json!("sig");
        jwk["kid"] = json!(kid);
        Signer { algorithm, key, kid: Some(kid.to_owned()), jwk }
    }

    /// Returns the same key with another algorithm of its type.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Self {
        Signer { algorithm, ..self }
    }

    /// Returns the key without a key id, so that its tokens do not name it.
    pub fn nameless(self) -> Self {
        Signer { kid: None, ..self }
    }

    /// Returns a token with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: self.kid.clone(), ..Header::new(self.algorithm) };
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }

    /// Returns a token with any header, signed with this key.
    pub fn sign_with(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature =
            jsonwebtoken::crypto::sign(signed.as_bytes(), &self.key, self.algorithm).unwrap();
        format!("{signed}.{signature}")
    }
}

/// Returns a key set document.
pub fn jwks(keys: &[&Value]) -> Value {
    json!({ "keys": keys })
}

/// Returns the claims of a valid ID token with these changes; `null` removes one.
pub fn id_claims(changes: &Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "sub": SUBJECT, "aud": CLIENT_ID, "nonce": NONCE, "iat": NOW, "exp": NOW + 3600, "email": "someone@example.com",
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}
