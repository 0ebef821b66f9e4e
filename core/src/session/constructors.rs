//! The constructors: opening a session writes nothing and uses no network.

use super::Session;
use super::api_key_source::ApiKeySource;
use super::opening::Opening;
use super::options::Options;
use super::source::{Credential, Source};
use crate::authorize::AllowedHosts;
use crate::client::{Client, TokenProvider};
use crate::credential::ApiKeyTransport;
use crate::environment::flag;
use crate::error::{Error, Result, Status};
use crate::profile::client_config::{ClientConfig, Grant, OAuthClient};
use crate::profile::precedence::Level;
use crate::profile::{Environment, load, names, precedence};
use crate::secret::Secret;
use crate::setting;
use crate::storage::Memory;
use std::sync::Arc;

/// No identifier, secret or URL in use is nearly this long.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

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

impl Session {
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
                    notes.push(format!("{} was ignored: {}", found.source, error.message()))
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
        // Only a file that planetkey trusts names a program that it runs.
        if matches!(&config, ClientConfig::OAuth(client) if client.storage_command.is_some()) {
            return Err(Error::invalid_argument(
                "storage_command is for the file of a profile; give the option storage instead, or save this configuration as a profile",
            ));
        }
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
