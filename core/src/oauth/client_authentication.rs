//! Client authentication (RFC 6749 2.3, RFC 7523): exactly one method per request.

use crate::clock::Random;
use crate::error::{Error, Result};
use crate::http::Form;
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};

/// RFC 7523 2.2.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// An assertion is used at once. A longer lifetime only helps an attacker.
const ASSERTION_LIFETIME_S: u64 = 300;

/// The methods by their names of RFC 7591.
pub const CLIENT_SECRET_BASIC: &str = "client_secret_basic";
/// The secret in the form body.
pub const CLIENT_SECRET_POST: &str = "client_secret_post";
/// A JWT signed with the client's key.
pub const PRIVATE_KEY_JWT: &str = "private_key_jwt";
/// A public client.
pub const NONE: &str = "none";

/// The authentication method of one client.
#[derive(Clone, Debug)]
pub enum ClientAuthentication {
    /// A public client: only its id is sent.
    None {
        /// The `client_id`.
        client_id: String,
    },
    /// HTTP Basic, both parts form-encoded first (RFC 6749 2.3.1).
    ClientSecretBasic {
        /// The `client_id`.
        client_id: String,
        /// The `client_secret`.
        client_secret: Secret,
    },
    /// `client_id` and `client_secret` in the body.
    ClientSecretPost {
        /// The `client_id`.
        client_id: String,
        /// The `client_secret`.
        client_secret: Secret,
    },
    /// A signed assertion (RFC 7523 2.2).
    PrivateKeyJwt {
        /// The `client_id`.
        client_id: String,
        /// The key that signs.
        key: PrivateKey,
        /// The `aud` of the assertion; `None` means the URL of the endpoint.
        audience: Option<String>,
    },
}

impl ClientAuthentication {
    /// Authenticates with a secret: by the configured method, else by one that the server supports,
    /// else Basic (RFC 8414 2).
    ///
    /// Errors: MISCONFIGURED if the server supports no method that sends a secret.
    pub fn with_secret(
        client_id: &str,
        client_secret: &Secret,
        configured: Option<&str>,
        supported: Option<&[String]>,
    ) -> Result<Self> {
        let supports =
            |method: &str| supported.is_none_or(|methods| methods.iter().any(|one| one == method));
        let method = match configured {
            Some(method) => method,
            None if supported.is_none() || supports(CLIENT_SECRET_BASIC) => CLIENT_SECRET_BASIC,
            None if supports(CLIENT_SECRET_POST) => CLIENT_SECRET_POST,
            None => {
                return Err(Error::misconfigured(
                    "the authorization server takes no client secret; configure client_privkey_file for private_key_jwt",
                ));
            }
        };
        let (client_id, client_secret) = (client_id.to_owned(), client_secret.clone());
        match method {
            CLIENT_SECRET_BASIC => {
                Ok(ClientAuthentication::ClientSecretBasic { client_id, client_secret })
            }
            CLIENT_SECRET_POST => {
                Ok(ClientAuthentication::ClientSecretPost { client_id, client_secret })
            }
            _ => Err(Error::misconfigured(
                "token_endpoint_auth_method must be client_secret_basic or client_secret_post for a client with a secret",
            )),
        }
    }

    /// The `client_id`.
    pub fn client_id(&self) -> &str {
        match self {
            ClientAuthentication::None { client_id }
            | ClientAuthentication::ClientSecretBasic { client_id, .. }
            | ClientAuthentication::ClientSecretPost { client_id, .. }
            | ClientAuthentication::PrivateKeyJwt { client_id, .. } => client_id,
        }
    }

    /// Adds the client's authentication to a request: either parameters to the form, or the
    /// returned value of `Authorization`.
    ///
    /// Errors: INVALID_ARGUMENT (a parameter is present twice), MISCONFIGURED (the key cannot
    /// sign), INTERNAL (no random numbers).
    pub fn apply(
        &self,
        form: &mut Form,
        endpoint: &url::Url,
        now: u64,
        random: &dyn Random,
    ) -> Result<Option<Secret>> {
        match self {
            ClientAuthentication::None { client_id } => {
                form.add("client_id", client_id).map(|()| None)
            }
            ClientAuthentication::ClientSecretBasic { client_id, client_secret } => {
                let pair = Secret::from(format!(
                    "{}:{}",
                    form_encode(client_id),
                    form_encode(client_secret.expose())
                ));
                Ok(Some(Secret::from(format!("Basic {}", STANDARD.encode(pair.expose())))))
            }
            ClientAuthentication::ClientSecretPost { client_id, client_secret } => {
                form.add("client_id", client_id)?;
                form.add("client_secret", client_secret.expose())?;
                Ok(None)
            }
            ClientAuthentication::PrivateKeyJwt { client_id, key, audience } => {
                let audience = audience.as_deref().unwrap_or(endpoint.as_str());
                let assertion = key.assertion(client_id, audience, now, random)?;
                form.add("client_assertion_type", JWT_BEARER)?;
                form.add("client_assertion", assertion.expose())?;
                Ok(None)
            }
        }
    }
}

fn form_encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// What to do about an encrypted key. `openssl pkey` reads both kinds of encryption, that of PKCS
/// #8 and that of traditional PEM; `openssl pkcs8` does not.
pub(crate) fn encrypted(what: &str) -> Error {
    let advice = "encrypted private keys are not read. Decrypt it with `openssl pkey -in KEY -out PLAIN`, protect PLAIN from other users, set \
                  client_privkey_file to it, and remove client_privkey_password";
    Error::new(crate::error::Status::Unsupported, format!("{what}; {advice}"))
}

/// A client's private key, RSA (RS256) or EC P-256 (ES256).
#[derive(Clone)]
pub struct PrivateKey {
    key: EncodingKey,
    algorithm: Algorithm,
    kid: Option<String>,
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({:?}, kid {:?})", self.algorithm, self.kid)
    }
}

impl PrivateKey {
    /// Reads PEM text. The key's type decides the algorithm.
    ///
    /// Errors: MISCONFIGURED (not a key, or not RSA or P-256), UNSUPPORTED (encrypted).
    pub fn from_pem(pem: &str, kid: Option<&str>) -> Result<Self> {
        if pem.contains("ENCRYPTED") {
            return Err(encrypted("the client's private key is encrypted"));
        }
        let read =
            EncodingKey::from_rsa_pem(pem.as_bytes()).map(|key| (key, Algorithm::RS256)).or_else(
                |_| EncodingKey::from_ec_pem(pem.as_bytes()).map(|key| (key, Algorithm::ES256)),
            );
        // A key of another curve can be read but cannot sign. A test signature detects this now,
        // instead of the first request.
        match read {
            Ok((key, algorithm))
                if jsonwebtoken::encode(&Header::new(algorithm), &serde_json::json!({}), &key)
                    .is_ok() =>
            {
                Ok(PrivateKey { key, algorithm, kid: kid.map(str::to_owned) })
            }
            _ => Err(Error::misconfigured(
                "the client's private key is not an RSA or EC P-256 key in PEM; check client_privkey or client_privkey_file",
            )),
        }
    }

    /// The key in DER form, which does not depend on how the PEM text is written.
    #[cfg(feature = "store")]
    pub(crate) fn secret_bytes(&self) -> &[u8] {
        self.key.as_bytes()
    }

    /// The assertion of RFC 7523 3.
    fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: u64,
        random: &dyn Random,
    ) -> Result<Secret> {
        let mut jti = [0u8; 16];
        random.fill(&mut jti).map_err(|_| {
            Error::new(
                crate::error::Status::Internal,
                "the operating system gave no random numbers",
            )
        })?;
        let claims = serde_json::json!({
            "iss": client_id,
            "sub": client_id,
            "aud": audience,
            "iat": now,
            "nbf": now,
            "exp": now + ASSERTION_LIFETIME_S,
            "jti": URL_SAFE_NO_PAD.encode(jti),
        });
        let mut header = Header::new(self.algorithm);
        header.kid = self.kid.clone();
        jsonwebtoken::encode(&header, &claims, &self.key).map(Secret::from).map_err(|_| {
            Error::misconfigured(
                "the client's private key cannot sign; an EC key must be on the curve P-256",
            )
        })
    }
}
