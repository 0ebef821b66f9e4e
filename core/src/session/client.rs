//! Getting tokens for a registered client: configuration in, token set out.

use crate::authorize::Kind;
use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::error::{Error, Result};
use crate::http::{Http, Patience};
use crate::oauth::client_authentication::{ClientAuthentication, NONE, PrivateKey};
use crate::oauth::metadata::{self, Metadata};
use crate::oauth::{client_credentials, refresh_token};
use crate::platform::{Deployment, Subject};
use crate::profile::client_config::{ClientType, Grant, OAuthClient, PrivateKeySource};
use crate::secret::Secret;
use crate::storage::{Binding, fingerprint};
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// Metadata is asked again after this; until then, and when that fails, the last good copy is used.
const METADATA_AGE_MS: u64 = 24 * 3600 * 1000;

enum Proof {
    Secret(Secret),
    Key(PrivateKey),
    /// A public client (RFC 6749 2.1).
    None,
}

/// A client with its server, ready to ask for tokens.
pub(crate) struct Client {
    client_type: ClientType,
    client_id: String,
    proof: Proof,
    authentication_method: Option<String>,
    assertion_audience_is_issuer: bool,
    server: String,
    issuer: String,
    /// Whether the issuer is more than the address of an endpoint.
    issuer_is_known: bool,
    token_endpoint: Option<url::Url>,
    supported: Option<Vec<String>>,
    scopes: Vec<String>,
    audience: Option<String>,
    extra: Vec<(String, String)>,
    kind: Kind,
    allow_insecure_loopback: bool,
    metadata: ArcSwapOption<(Metadata, Moment)>,
}

impl Client {
    /// Puts configuration and deployment together. Reads a private key's file; uses no network.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, UNSUPPORTED.
    pub(crate) fn new(client: &OAuthClient, deployment: &Deployment, allow_insecure_loopback: bool) -> Result<Self> {
        if client.client_id.is_empty() {
            return Err(Error::invalid_argument("client_id is empty"));
        }
        let subject = match client.client_type.grant() {
            Grant::ClientCredentials => Subject::M2m,
            Grant::RefreshToken => Subject::User,
        };
        let known = match (&client.auth_server, &client.token_endpoint) {
            (Some(server), _) => deployment.authorization_server(client.issuer.as_ref().unwrap_or(server)),
            (None, None) => deployment.authorization_server_for(subject),
            (None, Some(endpoint)) => {
                deployment.authorization_servers.iter().find(|server| server.token_endpoint.as_ref() == Some(endpoint))
            }
        };
        let server = match (&client.auth_server, &known) {
            (Some(server), _) => server.clone(),
            (None, Some(known)) => known.issuer.clone(),
            (None, None) => match (&client.issuer, &client.token_endpoint) {
                (Some(issuer), _) => issuer.clone(),
                // Without an issuer the endpoint stands for its server.
                (None, Some(endpoint)) => endpoint.clone(),
                (None, None) => {
                    return Err(Error::misconfigured(format!(
                        "this deployment has no authorization server for {} tokens; give auth_server",
                        subject.name()
                    )));
                }
            },
        };
        let issuer = client.issuer.clone().unwrap_or_else(|| server.clone());
        let endpoint = client.token_endpoint.as_ref().or(known.and_then(|known| known.token_endpoint.as_ref()));
        let token_endpoint =
            endpoint.map(|endpoint| crate::oauth::endpoint(endpoint, "token_endpoint", allow_insecure_loopback)).transpose()?;
        if token_endpoint.is_none() {
            metadata::well_known_urls(&server, allow_insecure_loopback)?;
        }
        let client_type = client.client_type;
        let made = Client {
            client_type,
            client_id: client.client_id.clone(),
            proof: proof(client)?,
            authentication_method: client.authentication_method.clone(),
            assertion_audience_is_issuer: client.assertion_audience_is_issuer,
            server,
            issuer,
            issuer_is_known: client.issuer.is_some() || client.auth_server.is_some() || known.is_some(),
            token_endpoint,
            supported: known.and_then(|known| known.token_endpoint_auth_methods_supported.clone()),
            scopes: client.scopes.clone(),
            audience: client.audience.clone().or_else(|| known.and_then(|known| known.audience.clone())),
            extra: client.extra.clone(),
            kind: if known.is_some() { Kind::Token(subject) } else { Kind::ForeignToken },
            allow_insecure_loopback,
            metadata: ArcSwapOption::empty(),
        };
        // What is wrong with the request is said now and not at the first expiry.
        let authentication = made.authentication(made.supported.as_deref(), None)?;
        if made.renews_alone() {
            made.client_credentials().check(&authentication)?;
        }
        Ok(made)
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    pub(crate) fn client_type(&self) -> &'static str {
        self.client_type.name()
    }

    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether tokens come without a person and without a refresh token.
    pub(crate) fn renews_alone(&self) -> bool {
        self.client_type.grant() == Grant::ClientCredentials
    }

    /// Tells whose tokens are stored: a refresh token belongs to its issuer and client; what a machine asks for can differ from
    /// session to session, and the tokens with it.
    pub(crate) fn binding(&self) -> Binding {
        let mut parts = vec![self.issuer.trim_end_matches('/'), &self.client_id];
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        if self.renews_alone() {
            parts.push(self.audience.as_deref().unwrap_or(""));
            parts.extend(scopes);
            for (name, value) in &self.extra {
                parts.extend([name.as_str(), value]);
            }
        }
        Binding {
            fingerprint: fingerprint(&parts),
            issuer: self.issuer_is_known.then(|| self.issuer.clone()),
            scopes: if self.renews_alone() { self.scopes.clone() } else { Vec::new() },
            is_machine: self.renews_alone(),
        }
    }

    fn client_credentials(&self) -> client_credentials::Grant {
        client_credentials::Grant { scopes: self.scopes.clone(), audience: self.audience.clone(), extra: self.extra.clone() }
    }

    /// Asks the server for tokens: a machine for itself, everybody else in exchange for the refresh token of `old`. Blocks; uses the network.
    pub(crate) fn request(&self, http: &Http, old: Option<&TokenSet>, patience: Patience, deadline_ms: u64) -> Result<TokenSet> {
        let (endpoint, authentication) = match &self.token_endpoint {
            Some(endpoint) => (endpoint.clone(), self.authentication(self.supported.as_deref(), None)?),
            None => {
                let metadata = self.metadata(http, patience, deadline_ms)?;
                let (metadata, _) = metadata.as_ref();
                let endpoint = metadata
                    .token_endpoint
                    .as_deref()
                    .ok_or_else(|| Error::protocol("the server's metadata names no token_endpoint; configure it"))?;
                let endpoint = crate::oauth::endpoint(endpoint, "token_endpoint", self.allow_insecure_loopback)?;
                let supported = metadata.token_endpoint_auth_methods_supported.as_deref();
                let authentication = self.authentication(supported, Some(&metadata.issuer))?;
                (endpoint, authentication)
            }
        };
        match (self.renews_alone(), old) {
            (false, Some(old)) => refresh_token::request(http, &endpoint, &authentication, old, patience, deadline_ms),
            _ => self.client_credentials().request(http, &endpoint, &authentication, patience, deadline_ms),
        }
    }

    fn authentication(&self, supported: Option<&[String]>, issuer: Option<&str>) -> Result<ClientAuthentication> {
        let method = self.authentication_method.as_deref();
        match &self.proof {
            Proof::None => Ok(ClientAuthentication::None { client_id: self.client_id.clone() }),
            _ if method == Some(NONE) => Ok(ClientAuthentication::None { client_id: self.client_id.clone() }),
            Proof::Secret(secret) => ClientAuthentication::with_secret(&self.client_id, secret, method, supported),
            Proof::Key(key) => Ok(ClientAuthentication::PrivateKeyJwt {
                client_id: self.client_id.clone(),
                key: key.clone(),
                audience: self.assertion_audience_is_issuer.then(|| issuer.unwrap_or(&self.issuer).to_owned()),
            }),
        }
    }

    /// The last good copy while it is young; an older one when the server does not answer well any more.
    fn metadata(&self, http: &Http, patience: Patience, deadline_ms: u64) -> Result<Arc<(Metadata, Moment)>> {
        let now = http.clock().now();
        let cached = self.metadata.load_full();
        if let Some(cached) = &cached
            && now.monotonic_ms.saturating_sub(cached.1.monotonic_ms) < METADATA_AGE_MS
        {
            return Ok(cached.clone());
        }
        match metadata::fetch(http, &self.server, &self.issuer, self.allow_insecure_loopback, patience, deadline_ms) {
            Ok(fresh) => {
                let fresh = Arc::new((fresh, now));
                self.metadata.store(Some(fresh.clone()));
                Ok(fresh)
            }
            Err(error) => match cached {
                Some(cached) => {
                    log::warn!("metadata could not be read again ({error}); the last good copy is used");
                    Ok(cached)
                }
                None => Err(error),
            },
        }
    }
}

/// How the client proves who it is, by its type.
fn proof(client: &OAuthClient) -> Result<Proof> {
    match (&client.client_secret, &client.private_key) {
        (Some(secret), None) if !secret.is_empty() => Ok(Proof::Secret(secret.clone())),
        (None, Some(PrivateKeySource::Pem(pem))) => Ok(Proof::Key(PrivateKey::from_pem(pem.expose(), client.kid.as_deref())?)),
        (None, Some(PrivateKeySource::File(path))) => {
            let pem = std::fs::read_to_string(path)
                .map(Secret::from)
                .map_err(|error| Error::misconfigured(format!("client_privkey_file cannot be read: {error}")))?;
            Ok(Proof::Key(PrivateKey::from_pem(pem.expose(), client.kid.as_deref())?))
        }
        (None, None) if client.client_type.grant() == Grant::RefreshToken => Ok(Proof::None),
        _ => Err(Error::invalid_argument(
            "client_secret is empty; a machine-to-machine client needs its secret or its private key",
        )),
    }
}
