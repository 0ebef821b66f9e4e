//! One configured client and its server: endpoints, metadata and keys, client authentication. Turns
//! a configuration into token sets.

mod authentication;
mod endpoints;
mod keys;
mod provider;
mod server_metadata;

pub(crate) use endpoints::Endpoint;
pub(crate) use keys::WantedKeys;
pub(crate) use provider::Provider;
pub use provider::{ProvidedToken, ProviderRequest, TokenProvider};

use crate::authorize::{CredentialClass, Target};
use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::deployment::{Acceptance, Deployment, InsecureLoopback, Subject};
use crate::error::{Error, Reason, Result, Status};
use crate::http::CallContext;
use crate::oauth::client_authentication::ClientAuthentication;
use crate::oauth::jwks::Jwks;
use crate::oauth::metadata::{self, Metadata};
use crate::oauth::{client_credentials, refresh_token};
use crate::profile::client_config::{ClientType, Grant, KindOfLogin, OAuthClient};
use crate::secret::Secret;
use crate::setting;
use crate::storage::{Binding, fingerprint};
use arc_swap::ArcSwapOption;
use authentication::{ClientCredential, credential};
use endpoints::Endpoints;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A client with its server, ready to request tokens.
pub(crate) struct Client {
    client_type: ClientType,
    client_id: String,
    credential: ClientCredential,
    authentication_method: Option<String>,
    assertion_audience_is_issuer: bool,
    server: String,
    issuer: String,
    /// Whether the issuer is known, and not only the address of an endpoint.
    issuer_is_known: bool,
    token_endpoint: Option<url::Url>,
    supported: Option<Vec<String>>,
    scopes: Vec<String>,
    audience: Option<String>,
    extra: Vec<(String, String)>,
    /// What its tokens are. `None` for a token provider, whose tokens may differ.
    kind: Option<CredentialClass>,
    /// What obtains the tokens instead of this client.
    provider: Option<Provider>,
    /// Hosts that accept this client's tokens although the session's deployment does not know their
    /// server.
    hosts: Vec<(String, Acceptance)>,
    insecure_loopback: InsecureLoopback,
    endpoints: Endpoints,
    redirect_uri: Option<String>,
    local_redirect_uri: Option<String>,
    /// The file that names the server, for messages about it.
    config_file: Option<PathBuf>,
    metadata: ArcSwapOption<(Metadata, Moment)>,
    /// The document in the form of RFC 8414, once an endpoint was missing in the OpenID form.
    rfc8414: ArcSwapOption<(Option<Metadata>, Moment)>,
    keys: ArcSwapOption<(Jwks, Moment)>,
}

/// The hosts for the tokens of a client whose configuration names an API by its base URL: those of
/// the built-in deployment that has the client's server. Only if there is none, the host of the
/// base URL, because a token of a known deployment goes to no other host.
fn hosts_of(client: &OAuthClient) -> Result<Vec<(String, Acceptance)>> {
    let (Some(endpoint), Some(base_url)) = (&client.token_endpoint, &client.base_url) else {
        return Ok(Vec::new());
    };
    for deployment in Deployment::presets()? {
        if deployment
            .authorization_server_at(endpoint)
            .is_some_and(|server| server.subject == Subject::M2m)
        {
            let servers = deployment
                .resource_servers
                .into_iter()
                .filter(|server| server.m2m_token != Acceptance::No);
            return Ok(servers
                .flat_map(|server| {
                    server.hosts.into_iter().map(move |host| (host, server.m2m_token))
                })
                .collect());
        }
    }
    let is_of_a_preset = |host: &str| {
        Deployment::presets().map(|presets| {
            presets
                .iter()
                .flat_map(|preset| &preset.resource_servers)
                .any(|server| server.hosts.iter().any(|own| own == host))
        })
    };
    match Target::parse(base_url) {
        Ok(target) if !is_of_a_preset(target.authority())? => {
            Ok(vec![(target.authority().to_owned(), Acceptance::Yes)])
        }
        _ => Ok(Vec::new()),
    }
}

impl Client {
    /// Combines configuration and deployment. Reads a private key's file; uses no network.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, UNSUPPORTED.
    pub(crate) fn new(
        client: &OAuthClient,
        deployment: &Deployment,
        insecure_loopback: InsecureLoopback,
    ) -> Result<Self> {
        let made = Client::made(client, deployment, insecure_loopback);
        made.map_err(|error| error.with_file(client.config_file.as_deref()))
    }

    fn made(
        client: &OAuthClient,
        deployment: &Deployment,
        insecure_loopback: InsecureLoopback,
    ) -> Result<Self> {
        if client.client_id.is_empty() {
            return Err(Error::invalid_argument("client_id is empty"));
        }
        // The server would only respond `invalid_client`, and a line break is invisible.
        let secret = client.client_secret.as_ref().map_or("", Secret::expose);
        for (name, value) in [("client_id", client.client_id.as_str()), ("client_secret", secret)] {
            setting::check(name, value).map_err(|error| Error::misconfigured(error.message()))?;
        }
        let subject = match client.client_type.grant() {
            Grant::ClientCredentials => Subject::M2m,
            Grant::RefreshToken => Subject::User,
        };
        let known = match (&client.auth_server, &client.token_endpoint) {
            (Some(server), _) => {
                deployment.authorization_server(client.issuer.as_ref().unwrap_or(server))
            }
            (None, None) => deployment.authorization_server_for(subject),
            (None, Some(endpoint)) => deployment.authorization_server_at(endpoint),
        };
        let server = match (&client.auth_server, &known) {
            (Some(server), _) => server.clone(),
            (None, Some(known)) => known.issuer.clone(),
            (None, None) => match (&client.issuer, &client.token_endpoint) {
                (Some(issuer), _) => issuer.clone(),
                // Without an issuer the endpoint identifies its server.
                (None, Some(endpoint)) => endpoint.clone(),
                (None, None) => {
                    return Err(Error::misconfigured(format!(
                        "the deployment {} has no authorization server for {} tokens; use a profile or client configuration that names its \
                         auth_server{}",
                        crate::text::one_line(&deployment.name, 60),
                        subject.name(),
                        match subject {
                            Subject::User
                                if deployment.authorization_server_for(Subject::M2m).is_some() =>
                                ", or an M2M client (PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET)",
                            _ => "",
                        }
                    )));
                }
            },
        };
        let issuer = client.issuer.clone().unwrap_or_else(|| server.clone());
        let endpoint = client
            .token_endpoint
            .as_ref()
            .or(known.and_then(|known| known.token_endpoint.as_ref()));
        let token_endpoint = endpoint
            .map(|endpoint| crate::oauth::endpoint(endpoint, "token_endpoint", insecure_loopback))
            .transpose()?;
        if token_endpoint.is_none() {
            metadata::well_known_urls(&server, insecure_loopback)?;
        }
        let client_type = client.client_type;
        let made = Client {
            client_type,
            client_id: client.client_id.clone(),
            credential: credential(client)?,
            authentication_method: client.authentication_method.clone(),
            assertion_audience_is_issuer: client.assertion_audience_is_issuer,
            server,
            issuer,
            issuer_is_known: client.issuer.is_some()
                || client.auth_server.is_some()
                || known.is_some(),
            token_endpoint,
            supported: known.and_then(|known| known.token_endpoint_auth_methods_supported.clone()),
            scopes: client.scopes.clone(),
            audience: client
                .audience
                .clone()
                .or_else(|| known.and_then(|known| known.audience.clone())),
            extra: client.extra.clone(),
            hosts: if known.is_some() { Vec::new() } else { hosts_of(client)? },
            kind: Some(if known.is_some() {
                CredentialClass::Token(subject)
            } else {
                CredentialClass::ForeignToken
            }),
            provider: None,
            insecure_loopback,
            endpoints: Endpoints::new(client, insecure_loopback)?,
            redirect_uri: client.redirect_uri.clone(),
            local_redirect_uri: client.local_redirect_uri.clone(),
            config_file: client.config_file.clone(),
            metadata: ArcSwapOption::empty(),
            rfc8414: ArcSwapOption::empty(),
            keys: ArcSwapOption::empty(),
        };
        // An invalid request is reported now, instead of at the first expiry.
        let authentication = made.authentication(made.supported.as_deref(), None)?;
        if made.is_m2m() {
            made.client_credentials().check(&authentication)?;
        }
        Ok(made)
    }

    /// A token provider in the place of a client: it has no server, and needs no login.
    ///
    /// Errors: none that a caller can cause.
    pub(crate) fn of_provider(
        provider: Arc<dyn TokenProvider>,
        deployment: &Deployment,
    ) -> Result<Self> {
        Ok(Client {
            client_type: ClientType::ClientCredentialsSecret,
            client_id: String::new(),
            credential: ClientCredential::None,
            authentication_method: None,
            assertion_audience_is_issuer: false,
            server: String::new(),
            issuer: String::new(),
            issuer_is_known: false,
            token_endpoint: None,
            supported: None,
            scopes: Vec::new(),
            audience: None,
            extra: Vec::new(),
            kind: None,
            provider: Some(Provider::new(provider, deployment)),
            hosts: Vec::new(),
            insecure_loopback: InsecureLoopback::Refused,
            endpoints: Endpoints::new(&OAuthClient::default(), InsecureLoopback::Refused)?,
            redirect_uri: None,
            local_redirect_uri: None,
            config_file: None,
            metadata: ArcSwapOption::empty(),
            rfc8414: ArcSwapOption::empty(),
            keys: ArcSwapOption::empty(),
        })
    }

    /// What its tokens are; `None` for a token provider, whose tokens may differ.
    pub(crate) fn kind(&self) -> Option<CredentialClass> {
        self.kind
    }

    /// What obtains the tokens instead of this client.
    pub(crate) fn provider(&self) -> Option<&Provider> {
        self.provider.as_ref()
    }

    /// The hosts of this client in addition to those of the session's policy.
    pub(crate) fn hosts(&self) -> &[(String, Acceptance)] {
        &self.hosts
    }

    /// Empty for a token provider.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The secret or the private key of the client, from which keys are derived.
    #[cfg(feature = "store")]
    pub(crate) fn secret_bytes(&self) -> Option<&[u8]> {
        match &self.credential {
            ClientCredential::Secret(secret) => Some(secret.expose().as_bytes()),
            ClientCredential::Key(key) => Some(key.secret_bytes()),
            ClientCredential::None => None,
        }
    }

    /// The file of the client's configuration; `None` for a client that a call names.
    pub(crate) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// Empty for a token provider.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// What did not happen when a caller's deadline passes, for messages.
    pub(crate) fn late(&self) -> String {
        if self.provider.is_some() {
            return "the token provider returned no access token".to_owned();
        }
        format!(
            "the authorization server {} issued no access token",
            crate::text::one_line(&self.issuer, 200)
        )
    }

    pub(crate) fn client_type(&self) -> &'static str {
        if self.provider.is_some() { "token_provider" } else { self.client_type.name() }
    }

    pub(crate) fn scopes(&self) -> &[String] {
        &self.scopes
    }

    /// Whether it is an M2M client or a token provider: it needs no user and no refresh token.
    pub(crate) fn is_m2m(&self) -> bool {
        self.client_type.grant() == Grant::ClientCredentials
    }

    /// Identifies the client whose tokens are saved. A refresh token belongs to its issuer and
    /// client. The scopes that an M2M client requests differ between sessions, and so do its
    /// tokens.
    pub(crate) fn binding(&self) -> Binding {
        let mut parts = vec![self.issuer.trim_end_matches('/'), &self.client_id];
        let mut scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        scopes.sort_unstable();
        if self.is_m2m() {
            parts.push(self.audience.as_deref().unwrap_or(""));
            parts.extend(scopes);
            for (name, value) in &self.extra {
                parts.extend([name.as_str(), value]);
            }
        }
        Binding {
            fingerprint: fingerprint(&parts),
            issuer: self.issuer_is_known.then(|| self.issuer.clone()),
            scopes: if self.is_m2m() { self.scopes.clone() } else { Vec::new() },
            is_m2m: self.is_m2m(),
            owns_place: false,
        }
    }

    fn client_credentials(&self) -> client_credentials::ClientCredentialsRequest {
        client_credentials::ClientCredentialsRequest {
            scopes: self.scopes.clone(),
            audience: self.audience.clone(),
            extra: self.extra.clone(),
        }
    }

    /// Requests tokens: with client credentials, or with the refresh token of `old`. Blocks; uses
    /// the network.
    pub(crate) fn request(
        &self,
        call: &CallContext<'_>,
        old: Option<&TokenSet>,
    ) -> Result<TokenSet> {
        let (endpoint, authentication) = self.token_endpoint(call)?;
        let ask =
            |endpoint: &url::Url, authentication: &ClientAuthentication| match (self.is_m2m(), old)
            {
                (false, Some(old)) => refresh_token::request(call, endpoint, authentication, old),
                _ => self.client_credentials().request(call, endpoint, authentication),
            };
        let outcome = ask(&endpoint, &authentication);
        match &outcome {
            Err(error)
                if matches!(error.http_status(), Some(404 | 410))
                    && error.oauth_error().is_none() =>
            {
                match self.moved_token_endpoint(&endpoint, call) {
                    Some((moved, authentication)) => ask(&moved, &authentication),
                    None => outcome,
                }
            }
            _ => outcome,
        }
    }

    /// The current token endpoint, if nothing exists at the one that older metadata named.
    fn moved_token_endpoint(
        &self,
        before: &url::Url,
        call: &CallContext<'_>,
    ) -> Option<(url::Url, ClientAuthentication)> {
        if self.token_endpoint.is_some() {
            return None;
        }
        self.newer_metadata(call)?;
        self.token_endpoint(call).ok().filter(|(endpoint, _)| endpoint != before)
    }

    /// The token endpoint and the client authentication for it. May read the server's metadata.
    ///
    /// Blocks; uses the network. Errors: as [`metadata::fetch`]; PROTOCOL if the server names no
    /// token endpoint.
    pub(crate) fn token_endpoint(
        &self,
        call: &CallContext<'_>,
    ) -> Result<(url::Url, ClientAuthentication)> {
        if let Some(endpoint) = &self.token_endpoint {
            return Ok((endpoint.clone(), self.authentication(self.supported.as_deref(), None)?));
        }
        let metadata = self.metadata(call)?;
        let (metadata, _) = metadata.as_ref();
        let endpoint = metadata.token_endpoint.as_deref().ok_or_else(|| {
            Error::protocol("the server's metadata names no token_endpoint; configure it")
        })?;
        let endpoint = crate::oauth::endpoint(endpoint, "token_endpoint", self.insecure_loopback)?;
        let supported = metadata.token_endpoint_auth_methods_supported.as_deref();
        Ok((endpoint, self.authentication(supported, Some(&metadata.issuer))?))
    }

    /// Another endpoint of the server: that of the configuration, else that of the metadata; `None`
    /// if the server has none.
    ///
    /// Blocks and uses the network if it reads metadata. Errors: as [`metadata::fetch`].
    pub(crate) fn endpoint(
        &self,
        wanted: Endpoint,
        call: &CallContext<'_>,
    ) -> Result<Option<url::Url>> {
        if let Some(url) = self.endpoints.get(wanted) {
            return Ok(Some(url.clone()));
        }
        let metadata = self.metadata(call)?;
        if let Some(named) = wanted.in_metadata(&metadata.0) {
            return crate::oauth::endpoint(named, wanted.member(), self.insecure_loopback)
                .map(Some);
        }
        let other = self.rfc8414(call);
        let named = other.as_ref().and_then(|other| wanted.in_metadata(other.0.as_ref()?));
        named
            .map(|named| crate::oauth::endpoint(named, wanted.member(), self.insecure_loopback))
            .transpose()
    }

    /// Whether the configuration names this endpoint itself.
    pub(crate) fn is_configured(&self, endpoint: Endpoint) -> bool {
        self.endpoints.get(endpoint).is_some()
    }

    /// As [`Client::endpoint`]. Errors: also UNSUPPORTED if the server has none.
    pub(crate) fn required_endpoint(
        &self,
        wanted: Endpoint,
        call: &CallContext<'_>,
    ) -> Result<url::Url> {
        self.endpoint(wanted, call)?.ok_or_else(|| {
            Error::new(
                Status::Unsupported,
                format!(
                    "the authorization server {} offers no {}; configure it if there is one",
                    crate::text::one_line(&self.issuer, 200),
                    wanted.member()
                ),
            )
        })
    }

    pub(crate) fn audience(&self) -> Option<&str> {
        self.audience.as_deref()
    }

    pub(crate) fn extra(&self) -> &[(String, String)] {
        &self.extra
    }

    pub(crate) fn insecure_loopback(&self) -> InsecureLoopback {
        self.insecure_loopback
    }

    /// The redirect URI for a browser on this computer.
    pub(crate) fn local_redirect_uri(&self) -> Option<&str> {
        self.local_redirect_uri.as_deref()
    }

    /// The redirect URI for a browser on another computer.
    pub(crate) fn redirect_uri(&self) -> Option<&str> {
        self.redirect_uri.as_deref()
    }

    /// How a user logs in, by the client's type.
    pub(crate) fn kind_of_login(&self) -> Option<KindOfLogin> {
        self.client_type.login()
    }

    /// Adds the file that defines the issuer to an error about the issuer.
    pub(crate) fn of_issuer(&self, error: Error) -> Error {
        let is_about_it = error.status() == Status::Misconfigured
            || matches!(error.reason(), Some(Reason::IssuerMismatch | Reason::BadIssuer));
        error.with_file(self.config_file().filter(|_| is_about_it))
    }
}
