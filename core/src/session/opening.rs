//! What the constructors share: from options and a client configuration to the sources of a session.

use super::api_key_source::ApiKeySource;
use super::local_storage::{helper_of, saved_locally};
use super::options::Options;
use super::source::{Credential, Source};
use super::store::{Placed, ProfilePlace, Store};
use super::{Session, Shared};
use crate::authorize::{AllowedHosts, HostPolicy};
use crate::client::Client;
use crate::credential::ApiKeyTransport;
use crate::deployment::{Deployment, InsecureLoopback};
use crate::error::{Error, Result};
use crate::http::Http;
use crate::profile::client_config::{ClientConfig, OAuthClient};
use crate::profile::{Root, load, precedence};
use crate::secret::Secret;
use crate::storage::{Binding, CustomStorage, Memory, Storage, TokenStorage};
use crate::token_cache::TokenCache;
use std::sync::Arc;

/// What the constructors share: the options, resolved once.
pub(super) struct Opening<'a> {
    options: &'a Options,
    pub(super) deployment: Deployment,
    insecure_loopback: InsecureLoopback,
    pub(super) root: Root,
    http: Http,
    store: Store,
}

impl<'a> Opening<'a> {
    pub(super) fn new(options: &'a Options, insecure_loopback: InsecureLoopback) -> Result<Self> {
        // Check the options first: a bad one is the caller's mistake, not a fault of the credential
        // that uses it first.
        options.timeout()?;
        let http = options.http()?;
        let root =
            Root::new(options.runtime.environment.as_ref(), options.storage_root.as_deref())?;
        Ok(Opening {
            options,
            deployment: options.deployment()?,
            insecure_loopback,
            root,
            http,
            store: Store::of(options)?,
        })
    }

    /// `save_in`: the profile in whose directory the tokens are saved, if the application has no
    /// storage of its own.
    pub(super) fn source(
        &self,
        config: &ClientConfig,
        label: &str,
        profile: Option<String>,
        save_in: Option<&str>,
        own: Option<&Arc<dyn Storage>>,
    ) -> Result<Source> {
        match config {
            ClientConfig::ApiKey { api_key, as_header } => {
                let transport =
                    if *as_header { ApiKeyTransport::Header } else { ApiKeyTransport::default() };
                let source = ApiKeySource::new(api_key.expose(), transport)?;
                let source = match profile.as_deref().map(|profile| load::open(&self.root, profile))
                {
                    Some(Ok(profile)) => {
                        source.watching(&self.root, &profile, self.options.runtime.clock.clone())
                    }
                    _ => source,
                };
                Ok(Source {
                    credential: Credential::Static(source),
                    label: label.into(),
                    profile,
                    unused_store: None,
                })
            }
            ClientConfig::OAuth(client) => {
                self.check_profile(client)?;
                let place = ProfilePlace {
                    store: client.store.as_ref().map(Secret::expose),
                    has_command: client.storage_command.is_some(),
                    profile: save_in,
                };
                let config = client;
                let client = Client::new(config, &self.deployment, self.insecure_loopback)?;
                let local = self.storage(config, &client, save_in, own)?;
                let Placed { storage, unused } =
                    self.store.place(self.options, &client, place, local)?;
                let source = self.tokens(client, storage, label, profile)?;
                Ok(Source { unused_store: unused, ..source })
            }
        }
    }

    /// The tokens of a client, in this storage.
    pub(super) fn tokens(
        &self,
        client: Client,
        storage: Arc<dyn TokenStorage>,
        label: &str,
        profile: Option<String>,
    ) -> Result<Source> {
        let cache = TokenCache::new(
            client,
            storage,
            self.http.clone(),
            self.options.timeout()?,
            profile.clone(),
            self.options.must_save,
        );
        Ok(Source {
            credential: Credential::Tokens(Arc::new(cache)),
            label: label.into(),
            profile,
            unused_store: None,
        })
    }

    /// A profile that has a client of its own saves only that client's tokens.
    ///
    /// Errors: INVALID_ARGUMENT.
    fn check_profile(&self, client: &OAuthClient) -> Result<()> {
        let Some(name) = &self.options.profile else { return Ok(()) };
        match load::open(&self.root, name).map(|profile| profile.config) {
            Ok(ClientConfig::OAuth(own)) if !own.is_same_client(client) => {
                Err(Error::invalid_argument(
                    "the profile holds the tokens of another client; choose another name, or use from_profile",
                ))
            }
            _ => Ok(()),
        }
    }

    fn storage(
        &self,
        config: &OAuthClient,
        client: &Client,
        save_in: Option<&str>,
        own: Option<&Arc<dyn Storage>>,
    ) -> Result<Arc<dyn TokenStorage>> {
        if let Some(callbacks) = own {
            return Ok(Arc::new(CustomStorage::new(callbacks.clone(), client.binding())));
        }
        let Some(profile) = save_in.filter(|_| self.options.save != Some(false)) else {
            return Ok(Arc::new(Memory::default()));
        };
        let Some(file) = self.root.token_file(profile)? else {
            return Ok(Arc::new(Memory::default()));
        };
        let binding = client.binding();
        let owns_place =
            binding.is_m2m && load::is_of_m2m_client(&self.root, profile, client.client_id());
        let binding = Binding { owns_place, ..binding };
        let helper = helper_of(&self.root, config, profile)?;
        saved_locally(&self.root, self.options, &file, binding, helper)
    }

    pub(super) fn session(
        self,
        sources: Vec<Source>,
        to_log_in: Option<Source>,
        notes: Vec<String>,
        allowed: AllowedHosts<'_>,
    ) -> Result<Session> {
        let policy = HostPolicy::new(&self.deployment, allowed, self.insecure_loopback)?;
        let shared = Shared { sources, to_log_in, policy, deployment: self.deployment.name, notes };
        Ok(Session { shared: Arc::new(shared), timeout: self.options.timeout()?, interrupt: None })
    }

    pub(super) fn single(
        self,
        config: &ClientConfig,
        label: &str,
        profile: Option<String>,
        save_in: Option<&str>,
    ) -> Result<Session> {
        let opening = self.at_deployment_of(config)?;
        let own = opening.options.storage.as_ref();
        let source = opening.source(config, label, profile, save_in, own)?;
        let hosts = opening.options.allowed_hosts();
        let allowed = match source.api_key() {
            Some(_) => AllowedHosts::ForApiKey(hosts),
            None => AllowedHosts::ForTokens(hosts),
        };
        opening.session(vec![source], None, Vec::new(), allowed)
    }

    /// The client for a login that names none, if this deployment has user logins.
    pub(super) fn to_log_in(&self) -> Option<Source> {
        let found = precedence::to_log_in(&self.root)?;
        self.check_deployment(&found.config).ok()?;
        self.source(
            &found.config,
            &found.source,
            found.profile.clone(),
            found.token_profile.as_deref(),
            None,
        )
        .ok()
    }

    /// A client of another deployment would send its secret to this deployment's server.
    ///
    /// Errors: MISCONFIGURED.
    pub(super) fn check_deployment(&self, config: &ClientConfig) -> Result<()> {
        let ClientConfig::OAuth(client) = config else { return Ok(()) };
        let Some(named) = client.deployment.clone().filter(|_| self.options.deployment.is_none())
        else {
            return Ok(());
        };
        let its_own = Options { deployment: Some(named), ..self.options.clone() }.deployment()?;
        if its_own.name == self.deployment.name {
            return Ok(());
        }
        Err(Error::misconfigured(format!(
            "it is of the deployment {}, and this session is of {}; open it by itself, with from_profile",
            crate::text::one_line(&its_own.name, 60),
            crate::text::one_line(&self.deployment.name, 60)
        )))
    }

    /// A profile may name its own deployment; the caller's option takes precedence.
    pub(super) fn at_deployment_of(self, config: &ClientConfig) -> Result<Self> {
        match config {
            ClientConfig::OAuth(client)
                if client.deployment.is_some() && self.options.deployment.is_none() =>
            {
                let options =
                    Options { deployment: client.deployment.clone(), ..self.options.clone() };
                Ok(Opening { deployment: options.deployment()?, ..self })
            }
            _ => Ok(self),
        }
    }
}
