//! The credential of a client, and how it authenticates at its server.

use super::Client;
use crate::error::{Error, Result};
use crate::file;
use crate::oauth::client_authentication::{ClientAuthentication, NONE, PrivateKey};
use crate::profile::client_config::{Grant, OAuthClient, PrivateKeySource};
use crate::secret::Secret;

/// The credential of a client.
pub(super) enum ClientCredential {
    Secret(Secret),
    Key(PrivateKey),
    /// A public client (RFC 6749 2.1).
    None,
}

/// The credential of the client, by its type.
pub(super) fn credential(client: &OAuthClient) -> Result<ClientCredential> {
    match (&client.client_secret, &client.private_key) {
        (Some(secret), None) if !secret.is_empty() => Ok(ClientCredential::Secret(secret.clone())),
        (None, Some(PrivateKeySource::Pem(pem))) => {
            Ok(ClientCredential::Key(PrivateKey::from_pem(pem.expose(), client.kid.as_deref())?))
        }
        (None, Some(PrivateKeySource::File(path))) => {
            let named = |error: Error| {
                Error::new(error.status(), format!("client_privkey_file: {}", error.message()))
            };
            let of_file = |error: Error| named(error.with_file(Some(path)));
            let pem = file::read_secret_file(path).map_err(named)?;
            let pem = std::str::from_utf8(&pem)
                .map_err(|_| of_file(Error::misconfigured("the file is not text")))?;
            PrivateKey::from_pem(pem, client.kid.as_deref())
                .map(ClientCredential::Key)
                .map_err(of_file)
        }
        (None, None) if client.client_type.grant() == Grant::RefreshToken => {
            Ok(ClientCredential::None)
        }
        _ => Err(Error::invalid_argument(
            "client_secret is empty; a machine-to-machine client needs its secret or its private key",
        )),
    }
}

impl Client {
    /// How the client authenticates at the token endpoint. `supported` and `issuer`: as the server's
    /// metadata says.
    pub(super) fn authentication(
        &self,
        supported: Option<&[String]>,
        issuer: Option<&str>,
    ) -> Result<ClientAuthentication> {
        let method = self.authentication_method.as_deref();
        match &self.credential {
            ClientCredential::None => {
                Ok(ClientAuthentication::None { client_id: self.client_id.clone() })
            }
            _ if method == Some(NONE) => {
                Ok(ClientAuthentication::None { client_id: self.client_id.clone() })
            }
            ClientCredential::Secret(secret) => {
                ClientAuthentication::with_secret(&self.client_id, secret, method, supported)
            }
            ClientCredential::Key(key) => Ok(ClientAuthentication::PrivateKeyJwt {
                client_id: self.client_id.clone(),
                key: key.clone(),
                audience: self
                    .assertion_audience_is_issuer
                    .then(|| issuer.unwrap_or(&self.issuer).to_owned()),
            }),
        }
    }
}
