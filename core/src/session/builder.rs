//! The constructors: opening a session writes nothing and uses no network.

use super::api_key_source::ApiKeySource;
use super::options::Options;
use super::source::{Credential, Source};
use super::store::{Placed, Store};
use super::{Session, Shared};
use crate::authorize::{AllowedHosts, HostPolicy};
use crate::client::{Client, TokenProvider};
use crate::credential::ApiKeyTransport;
use crate::deployment::{Deployment, InsecureLoopback};
use crate::environment::flag;
use crate::error::{Error, Result, Status};
use crate::http::Http;
use crate::profile::client_config::{ClientConfig, Grant, OAuthClient};
use crate::profile::precedence::Level;
use crate::profile::{Environment, Root, load, names, precedence};
use crate::secret::Secret;
use crate::setting;
use crate::storage::{Binding, CustomStorage, FileStorage, Memory, Storage, TokenStorage};
use crate::token_cache::TokenCache;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// No identifier, secret or URL in use is nearly this long.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// Opens a session with options.
///
/// ```no_run
/// use std::time::Duration;
///
/// let session = planetkey::Session::builder()
///     .timeout(Duration::from_secs(10))
///     .storage_root("/var/lib/reports")
///     .from_profile("reports")?;
/// # Ok::<(), planetkey::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SessionBuilder {
    options: Options,
}

impl SessionBuilder {
    /// Sets the field `save` of [`Options`].
    pub fn save(mut self, save: bool) -> Self {
        self.options.save = Some(save);
        self
    }

    /// Sets the field `profile` of [`Options`].
    pub fn profile(mut self, profile: impl Into<String>) -> Self {
        self.options.profile = Some(profile.into());
        self
    }

    /// Sets the field `storage_root` of [`Options`].
    pub fn storage_root(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.storage_root = Some(directory.into());
        self
    }

    /// Sets the field `storage` of [`Options`].
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.options.storage = Some(storage);
        self
    }

    /// Sets the field `store` of [`Options`].
    pub fn store(mut self, url: impl Into<String>) -> Self {
        self.options.store = Some(url.into());
        self
    }

    /// Sets the field `timeout` of [`Options`].
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options.timeout = Some(timeout);
        self
    }

    /// Sets the field `deployment` of [`Options`].
    pub fn deployment(mut self, deployment: impl Into<String>) -> Self {
        self.options.deployment = Some(deployment.into());
        self
    }

    /// Sets the field `allowed_hosts` of [`Options`].
    pub fn allowed_hosts<H: Into<String>>(mut self, hosts: impl IntoIterator<Item = H>) -> Self {
        self.options.allowed_hosts = Some(hosts.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the field `allow_insecure_loopback` of [`Options`].
    pub fn allow_insecure_loopback(mut self, allow: bool) -> Self {
        self.options.allow_insecure_loopback = Some(allow);
        self
    }

    /// Sets the field `scopes` of [`Options`].
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.options.scopes = Some(scopes.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the field `audience` of [`Options`].
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.options.audience = Some(audience.into());
        self
    }

    /// Sets the field `ca_file` of [`Options`].
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.options.ca_file = Some(file.into());
        self
    }

    /// Sets the field `proxy` of [`Options`].
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.options.proxy = Some(url.into());
        self
    }

    /// As [`Session::from_defaults`].
    pub fn from_defaults(&self) -> Result<Session> {
        Session::from_defaults(&self.options)
    }

    /// As [`Session::from_profile`].
    pub fn from_profile(&self, name: &str) -> Result<Session> {
        Session::from_profile(name, &self.options)
    }

    /// As [`Session::from_api_key`].
    pub fn from_api_key(&self, key: &str, transport: ApiKeyTransport) -> Result<Session> {
        Session::from_api_key(key, transport, &self.options)
    }

    /// As [`Session::from_m2m`].
    pub fn from_m2m(&self, client_id: &str, client_secret: &str) -> Result<Session> {
        Session::from_m2m(client_id, client_secret, &self.options)
    }

    /// As [`Session::from_token_provider`].
    pub fn from_token_provider(&self, provider: Arc<dyn TokenProvider>) -> Result<Session> {
        Session::from_token_provider(provider, &self.options)
    }

    /// As [`Session::from_client_config`].
    pub fn from_client_config(&self, json: &str) -> Result<Session> {
        Session::from_client_config(json, &self.options)
    }
}

/// The credentials that a call or a command line names; each part is optional.
#[derive(Clone, Default)]
pub struct Named {
    /// A profile.
    pub profile: Option<String>,
    /// An M2M client's id; requires `client_secret`.
    pub client_id: Option<String>,
    /// An M2M client's secret; requires `client_id`.
    pub client_secret: Option<Secret>,
    /// An API key.
    pub api_key: Option<Secret>,
    /// How the API key is sent.
    pub api_key_transport: Option<ApiKeyTransport>,
}

/// What the constructors share: the options, resolved once.
struct Opening<'a> {
    options: &'a Options,
    deployment: Deployment,
    insecure_loopback: InsecureLoopback,
    root: Root,
    http: Http,
    store: Store,
}

impl<'a> Opening<'a> {
    fn new(options: &'a Options, insecure_loopback: InsecureLoopback) -> Result<Self> {
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
    fn source(
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
                let of_profile = client.store.as_ref().map(Secret::expose);
                let client = Client::new(client, &self.deployment, self.insecure_loopback)?;
                let local = self.storage(&client, save_in, own)?;
                let Placed { storage, unused } =
                    self.store.place(self.options, &client, of_profile, save_in, local)?;
                let source = self.tokens(client, storage, label, profile)?;
                Ok(Source { unused_store: unused, ..source })
            }
        }
    }

    /// The tokens of a client, in this storage.
    fn tokens(
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
            Ok(ClientConfig::OAuth(own))
                if own.client_id != client.client_id
                    || own.client_type.grant() != client.client_type.grant() =>
            {
                Err(Error::invalid_argument(
                    "the profile holds the tokens of another client; choose another name, or use from_profile",
                ))
            }
            _ => Ok(()),
        }
    }

    fn storage(
        &self,
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
        let disk = self.options.runtime.disk.clone();
        let binding = Binding { owns_place, ..binding };
        Ok(Arc::new(FileStorage::new(self.root.checked(&file), binding, self.root.sops(), disk)))
    }

    fn session(
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

    fn single(
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
    fn to_log_in(&self) -> Option<Source> {
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
    fn check_deployment(&self, config: &ClientConfig) -> Result<()> {
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
    fn at_deployment_of(self, config: &ClientConfig) -> Result<Self> {
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

impl Session {
    /// Sets options one by one, and opens a session with them.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }

    /// Opens a session with all credentials that the environment offers, highest precedence first.
    /// A URL gets the first credential that its host accepts.
    ///
    /// After those of the environment come those of `~/.planet.json`, those of sentinelhub's
    /// `config.toml`, and the session of a user who has logged in.
    ///
    /// Reads `PL_AUTH_PROFILE`, `PL_AUTH_CLIENT_ID` and `PL_AUTH_CLIENT_SECRET`, `PL_API_KEY`,
    /// `PLANET_API_KEY`, `SH_CLIENT_ID` and `SH_CLIENT_SECRET`, `SH_PROFILE`, and
    /// `PLANETKEY_ALLOW_INSECURE_LOOPBACK`. A secret can also be in a file that its variable with
    /// `_FILE` names: `PL_API_KEY_FILE`. If there is no credential, the session opens and its calls
    /// fail with LOGIN_REQUIRED.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED.
    pub fn from_defaults(options: &Options) -> Result<Session> {
        let environment = options.runtime.environment.as_ref();
        let allow = match options.allow_insecure_loopback {
            Some(allow) => allow,
            None => insecure_loopback_of(environment)?.unwrap_or(false),
        };
        no_profile(options)?;
        let opening = Opening::new(options, allow.into())?;
        let (found, mut notes) = precedence::find(environment, &opening.root)?;
        // A session has one deployment: that of the credential with the highest precedence.
        let opening = match found.first() {
            Some(first) => opening.at_deployment_of(&first.config)?,
            None => opening,
        };
        let mut sources: Vec<Source> = Vec::new();
        // An application's storage holds the tokens of one client: the first M2M client.
        let mut storage = options.storage.as_ref();
        for found in found {
            let save_in = found.token_profile.as_deref();
            let is_m2m = matches!(&found.config, ClientConfig::OAuth(client)
                if client.client_type.grant() == Grant::ClientCredentials);
            let own = storage.filter(|_| is_m2m);
            let made = opening.check_deployment(&found.config).and_then(|()| {
                let profile = found.profile.clone();
                opening.source(&found.config, &found.source, profile, save_in, own)
            });
            if made.is_ok() && own.is_some() {
                storage = None;
            }
            match made {
                // An expired session that cannot be refreshed must not take precedence over a
                // credential that works.
                Ok(source)
                    if found.level == Level::BuiltIn
                        && !sources.is_empty()
                        && source.needs_login() =>
                {
                    notes.push(
                        match source.tokens().and_then(|cache| cache.unreadable_because()) {
                            Some(error) => format!("{}: {}", found.source, error.message()),
                            None => {
                                format!("{}: the session has expired; log in again", found.source)
                            }
                        },
                    );
                }
                Ok(source) => sources.push(source),
                Err(error) if found.level == Level::Environment => {
                    return Err(error
                        .in_configuration(format!("{}: {}", found.source, error.message()))
                        .with_profile(found.profile.as_deref()));
                }
                // A credential that cannot be read right now may be the one that the user wants.
                Err(error) if error.status() == Status::Unavailable => return Err(error),
                Err(error) => {
                    notes.push(format!("{} was passed over: {}", found.source, error.message()))
                }
            }
        }
        if storage.is_some() {
            notes
                .push("the option storage is not used, because no M2M client was found".to_owned());
        }
        for note in &notes {
            log::warn!("{note}");
        }
        let to_log_in = match sources
            .iter()
            .any(|source| source.tokens().is_some_and(|cache| !cache.client().is_m2m()))
        {
            true => None,
            false => opening.to_log_in(),
        };
        opening.session(sources, to_log_in, notes, AllowedHosts::ForTokens(options.allowed_hosts()))
    }

    /// Opens a session with the named credential, highest precedence first: profile, M2M client,
    /// API key. If none is named, as [`Session::from_defaults`]. For commands, so
    /// `PLANETKEY_ALLOW_INSECURE_LOOPBACK` applies to all of them.
    ///
    /// Errors: also INVALID_ARGUMENT if only one of id and secret is named, because it is never
    /// combined with one from the environment.
    pub fn from_named(named: &Named, options: &Options) -> Result<Session> {
        if named.api_key_transport.is_some() && named.api_key.is_none() {
            return Err(Error::invalid_argument(
                "an API key's transport was named without the API key",
            ));
        }
        match (&named.client_id, &named.client_secret) {
            (Some(_), None) => {
                return Err(Error::invalid_argument(
                    "a client id was named without its secret; one of the environment is never mixed with it",
                ));
            }
            (None, Some(_)) => {
                return Err(Error::invalid_argument(
                    "a client secret was named without its id; one of the environment is never mixed with it",
                ));
            }
            _ => {}
        }
        let mut options = options.clone();
        if options.allow_insecure_loopback.is_none() {
            options.allow_insecure_loopback =
                insecure_loopback_of(options.runtime.environment.as_ref())?;
        }
        let options = &options;
        if let Some(profile) = &named.profile {
            return Session::from_profile(profile, options);
        }
        if let (Some(id), Some(secret)) = (&named.client_id, &named.client_secret) {
            return Session::from_m2m(id, secret.expose(), options);
        }
        match &named.api_key {
            Some(key) => Session::from_api_key(
                key.expose(),
                named.api_key_transport.unwrap_or_default(),
                options,
            ),
            None => Session::from_defaults(options),
        }
    }

    /// Opens a session with the client that `~/.planet/<name>/auth_client.json` describes.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED.
    pub fn from_profile(name: &str, options: &Options) -> Result<Session> {
        check_argument("profile", name)?;
        no_profile(options)?;
        let opening = Opening::new(options, options.insecure_loopback())?;
        let config = load::open(&opening.root, name)?.config;
        opening
            .single(&config, &format!("profile: {name}"), Some(name.to_owned()), Some(name))
            .map_err(|error| error.with_profile(Some(name)))
    }

    /// Opens a session with an API key.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_api_key(
        key: &str,
        transport: ApiKeyTransport,
        options: &Options,
    ) -> Result<Session> {
        no_profile(options)?;
        setting::check("api_key", key)?;
        let opening = Opening::new(options, options.insecure_loopback())?;
        let credential = Credential::Static(ApiKeySource::new(key, transport)?);
        let source = Source {
            credential,
            label: "argument: api_key".into(),
            profile: None,
            unused_store: None,
        };
        opening.session(
            vec![source],
            None,
            Vec::new(),
            AllowedHosts::ForApiKey(options.allowed_hosts()),
        )
    }

    /// Opens a session with an M2M client at the deployment's M2M server.
    ///
    /// Errors: INVALID_ARGUMENT (empty id or secret, `offline_access`), MISCONFIGURED.
    pub fn from_m2m(client_id: &str, client_secret: &str, options: &Options) -> Result<Session> {
        check_argument("client_id", client_id)?;
        check_argument("client_secret", client_secret)?;
        options
            .audience
            .as_deref()
            .map_or(Ok(()), |audience| setting::check("audience", audience))?;
        let client = OAuthClient {
            client_id: client_id.to_owned(),
            client_secret: Some(Secret::from(client_secret)),
            scopes: options.scopes.clone().unwrap_or_default(),
            audience: options.audience.clone(),
            ..OAuthClient::default()
        };
        let opening = Opening::new(options, options.insecure_loopback())?;
        let profile = options.profile.as_deref();
        let save_in = save_in(&client, profile)?;
        let config = ClientConfig::OAuth(Box::new(client));
        opening.single(
            &config,
            "argument: client_id, client_secret",
            profile.map(str::to_owned),
            save_in.as_deref(),
        )
    }

    /// Opens a session with any registered client, given as JSON text with the fields of
    /// `auth_client.json`. In addition to the SDK's fields: `token_endpoint_auth_method` (RFC
    /// 7591), `kid`, `client_assertion_audience` (`token_endpoint` or `issuer`), and `extra`,
    /// further parameters of the token request.
    ///
    /// The configuration itself is not saved. Errors: INVALID_ARGUMENT, MISCONFIGURED, UNSUPPORTED.
    pub fn from_client_config(json: &str, options: &Options) -> Result<Session> {
        no_token_request(options)?;
        let config = ClientConfig::from_json(json)?;
        let profile = options.profile.as_deref();
        let save_in = match &config {
            ClientConfig::OAuth(client) => save_in(client, profile)?,
            ClientConfig::ApiKey { .. } => None,
        };
        let opening = Opening::new(options, options.insecure_loopback())?;
        opening.single(
            &config,
            "argument: client configuration",
            profile.map(str::to_owned),
            save_in.as_deref(),
        )
    }

    /// Opens a session with tokens that something else obtains: a broker, a scheduler, the vault of
    /// another language.
    ///
    /// The tokens are cached in memory and refreshed as those of every other source. They are never
    /// saved. A token that is a JWT goes to the hosts that accept tokens of its issuer, and any
    /// other token to those that accept a user's. Opening the session does not call the provider.
    ///
    /// ```
    /// use planetkey::{Options, ProvidedToken, ProviderRequest, Result, Session};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// let provider = |_: &ProviderRequest<'_>| -> Result<ProvidedToken> {
    ///     Ok(ProvidedToken::expires_in("token-of-a-broker", Duration::from_secs(3600)))
    /// };
    /// let session = Session::from_token_provider(Arc::new(provider), &Options::default())?;
    /// let headers = session.headers("https://api.planet.com/basemaps/v1/mosaics")?;
    /// assert_eq!(headers.header_value(), Some("Bearer token-of-a-broker"));
    /// # Ok::<(), planetkey::Error>(())
    /// ```
    ///
    /// Errors: INVALID_ARGUMENT, also for options about saving and about token requests.
    pub fn from_token_provider(
        provider: Arc<dyn TokenProvider>,
        options: &Options,
    ) -> Result<Session> {
        no_profile(options)?;
        if options.storage.is_some() || options.store.is_some() || options.save == Some(true) {
            return Err(Error::invalid_argument(
                "the tokens of a token provider are not saved; leave out save, storage and store",
            ));
        }
        let opening = Opening::new(options, options.insecure_loopback())?;
        let client = Client::of_provider(provider, &opening.deployment)?;
        let source = opening.tokens(
            client,
            Arc::new(Memory::default()),
            "argument: token provider",
            None,
        )?;
        let hosts = AllowedHosts::ForTokens(options.allowed_hosts());
        opening.session(vec![source], None, Vec::new(), hosts)
    }
}

/// Refuses the option `profile`, which says where to save the tokens of a client without a profile.
fn no_profile(options: &Options) -> Result<()> {
    match options.profile {
        None => no_token_request(options),
        Some(_) => Err(Error::invalid_argument(
            "the option profile is for from_m2m and from_client_config; use from_profile",
        )),
    }
}

/// A profile and a client configuration define their own scopes and audience.
fn no_token_request(options: &Options) -> Result<()> {
    match (&options.scopes, &options.audience) {
        (None, None) => Ok(()),
        (Some(_), _) => Err(Error::invalid_argument(
            "the option scopes is for from_m2m; a profile names its own",
        )),
        (None, Some(_)) => Err(Error::invalid_argument(
            "the option audience is for from_m2m; a profile names its own",
        )),
    }
}

/// The profile in whose directory a client's tokens are saved; `None` if the client id is not a
/// valid directory name.
fn save_in(client: &OAuthClient, profile: Option<&str>) -> Result<Option<String>> {
    match profile {
        Some(profile) if names::is_built_in(profile) => Err(Error::invalid_argument(
            "a built-in profile holds the tokens of its own client; choose another name",
        )),
        Some(profile) => names::check(profile).map(|()| Some(profile.to_owned())),
        None if client.client_type.grant() == Grant::ClientCredentials => {
            Ok(names::m2m_profile(&client.client_id))
        }
        None => Ok(names::check(&client.client_id).ok().map(|()| client.client_id.clone())),
    }
}

/// Whether the environment allows plain http to this machine.
pub(super) fn insecure_loopback_of(environment: &dyn Environment) -> Result<Option<bool>> {
    flag(environment, "PLANETKEY_ALLOW_INSECURE_LOOPBACK")
}

fn check_argument(name: &str, value: &str) -> Result<()> {
    let problem = if value.is_empty() {
        "is empty"
    } else if value.len() > MAX_ARGUMENT_BYTES {
        "is longer than 64 KiB"
    } else {
        return setting::check(name, value);
    };
    Err(Error::invalid_argument(format!("{name} {problem}")))
}
