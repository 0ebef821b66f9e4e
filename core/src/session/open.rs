//! The constructors: opening a session writes nothing and uses no network.

use super::flight::Renewing;
use super::machine::Machine;
use super::options::Options;
use super::source::{Credential, Source};
use super::{Session, Shared};
use crate::authorize::HostPolicy;
use crate::credential::ApiKeyTransport;
use crate::error::{Error, Result};
use crate::platform::Deployment;
use crate::profile::client_config::{ClientConfig, MachineClient};
use crate::profile::environment::flag;
use crate::profile::{Environment, directory, precedence};
use crate::secret::Secret;
use crate::storage::Memory;
use std::sync::Arc;

/// No identifier, secret or URL in use comes near this size.
const MAX_ARGUMENT_BYTES: usize = 64 * 1024;

/// What a machine-to-machine session asks for.
#[derive(Clone, Debug, Default)]
pub struct M2mOptions {
    /// The scopes, sent as asked; none by default.
    pub scopes: Vec<String>,
    /// The audience; the deployment's by default.
    pub audience: Option<String>,
}

/// What a call or a command line names; every part may be left out.
#[derive(Clone, Default)]
pub struct Named {
    /// A profile.
    pub profile: Option<String>,
    /// An M2M client's id; needs `client_secret` beside it.
    pub client_id: Option<String>,
    /// An M2M client's secret; needs `client_id` beside it.
    pub client_secret: Option<Secret>,
    /// An API key.
    pub api_key: Option<Secret>,
    /// How the key travels.
    pub api_key_transport: Option<ApiKeyTransport>,
}

/// What the constructors share: options resolved once.
struct Opening<'a> {
    options: &'a Options,
    deployment: Deployment,
    allow_insecure_loopback: bool,
}

impl<'a> Opening<'a> {
    fn new(options: &'a Options, allow_insecure_loopback: bool) -> Result<Self> {
        // A bad option is the caller's mistake, not that of the credential which is the first to use it.
        options.timeout()?;
        options.http()?;
        Ok(Opening { options, deployment: options.deployment()?, allow_insecure_loopback })
    }

    fn source(&self, config: &ClientConfig, origin: &str, profile: Option<String>) -> Result<Source> {
        match config {
            ClientConfig::ApiKey { api_key, as_header } => {
                let transport = if *as_header { ApiKeyTransport::Header } else { ApiKeyTransport::default() };
                Source::api_key(api_key.expose(), transport, origin, profile)
            }
            ClientConfig::Machine(client) => {
                let machine = Machine::new(client, &self.deployment, self.allow_insecure_loopback)?;
                let timeout = self.options.timeout()?;
                let renewing =
                    Renewing::new(machine, Arc::new(Memory::default()), self.options.http()?, timeout, profile.clone());
                Ok(Source { credential: Credential::Renewing(Arc::new(renewing)), origin: origin.to_owned(), profile })
            }
        }
    }

    /// `names_a_key`: whether the call names the API key that `allowed_hosts` is for.
    fn session(self, sources: Vec<Source>, notes: Vec<String>, names_a_key: bool) -> Result<Session> {
        let allowed = self.options.allowed_hosts.as_deref().unwrap_or_default();
        let policy = HostPolicy::new(&self.deployment, allowed, names_a_key, self.allow_insecure_loopback)?;
        let shared = Shared { sources, policy, deployment: self.deployment.name, notes };
        Ok(Session { shared: Arc::new(shared), timeout: self.options.timeout()?, interrupt: None })
    }

    fn single(self, config: &ClientConfig, origin: &str, profile: Option<String>) -> Result<Session> {
        let source = self.source(config, origin, profile)?;
        let names_a_key = source.key().is_some();
        self.session(vec![source], Vec::new(), names_a_key)
    }
}

impl Session {
    /// All credentials that the environment offers, highest first; a URL gets the first that its host accepts.
    ///
    /// Reads `PL_AUTH_PROFILE`, `PL_AUTH_CLIENT_ID` and `PL_AUTH_CLIENT_SECRET`, `PL_API_KEY`, `PLANET_API_KEY`, `SH_CLIENT_ID` and `SH_CLIENT_SECRET`,
    /// `SH_PROFILE`, and `PLANETKEY_ALLOW_INSECURE_LOOPBACK`. With none of them the session opens and its calls say LOGIN_REQUIRED.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED.
    pub fn from_defaults(options: &Options) -> Result<Session> {
        let environment = options.runtime.environment.as_ref();
        let allow = match options.allow_insecure_loopback {
            Some(allow) => allow,
            None => insecure_loopback_of(environment)?.unwrap_or(false),
        };
        let opening = Opening::new(options, allow)?;
        let (found, notes) = precedence::from_environment(environment)?;
        let sources = found
            .into_iter()
            .map(|found| {
                opening.source(&found.config, &found.source, found.profile.clone()).map_err(|error| {
                    Error::misconfigured(format!("{}: {}", found.source, error.message())).with_profile(found.profile.as_deref())
                })
            })
            .collect::<Result<Vec<_>>>()?;
        for note in &notes {
            log::warn!("{note}");
        }
        opening.session(sources, notes, false)
    }

    /// What is named, highest first: profile, M2M client, API key; with none of them [`Session::from_defaults`]. For commands, so
    /// `PLANETKEY_ALLOW_INSECURE_LOOPBACK` counts for all of them.
    ///
    /// Errors: INVALID_ARGUMENT too when id or secret is named without the other: one of the environment is never mixed with it.
    pub fn from_named(named: &Named, options: &Options) -> Result<Session> {
        if named.api_key_transport.is_some() && named.api_key.is_none() {
            return Err(Error::invalid_argument("an API key's transport was named without the API key"));
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
            options.allow_insecure_loopback = insecure_loopback_of(options.runtime.environment.as_ref())?;
        }
        let options = &options;
        if let Some(profile) = &named.profile {
            return Session::from_profile(profile, options);
        }
        if let (Some(id), Some(secret)) = (&named.client_id, &named.client_secret) {
            return Session::from_m2m(id, secret.expose(), &M2mOptions::default(), options);
        }
        match &named.api_key {
            Some(key) => Session::from_api_key(key.expose(), named.api_key_transport.unwrap_or_default(), options),
            None => Session::from_defaults(options),
        }
    }

    /// The client that `~/.planet/<name>/auth_client.json` describes.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED.
    pub fn from_profile(name: &str, options: &Options) -> Result<Session> {
        check_argument("profile", name)?;
        let config = directory::read(options.runtime.environment.as_ref(), name)?;
        let opening = Opening::new(options, options.allow_insecure_loopback.unwrap_or(false))?;
        opening
            .single(&config, &format!("profile: {name}"), Some(name.to_owned()))
            .map_err(|error| error.with_profile(Some(name)))
    }

    /// An API key.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_api_key(key: &str, transport: ApiKeyTransport, options: &Options) -> Result<Session> {
        let opening = Opening::new(options, options.allow_insecure_loopback.unwrap_or(false))?;
        let source = Source::api_key(key, transport, "argument: api_key", None)?;
        opening.session(vec![source], Vec::new(), true)
    }

    /// A machine-to-machine client at the deployment's M2M server.
    ///
    /// Errors: INVALID_ARGUMENT (empty id or secret, `offline_access`), MISCONFIGURED.
    pub fn from_m2m(client_id: &str, client_secret: &str, m2m: &M2mOptions, options: &Options) -> Result<Session> {
        check_argument("client_id", client_id)?;
        check_argument("client_secret", client_secret)?;
        let client = MachineClient {
            client_id: client_id.to_owned(),
            client_secret: Some(Secret::from(client_secret)),
            scopes: m2m.scopes.clone(),
            audience: m2m.audience.clone(),
            ..MachineClient::default()
        };
        let opening = Opening::new(options, options.allow_insecure_loopback.unwrap_or(false))?;
        opening.single(&ClientConfig::Machine(Box::new(client)), "argument: client_id, client_secret", None)
    }

    /// Any registered client, by the fields of `auth_client.json` as JSON text. Beside the SDK's fields: `token_endpoint_auth_method` (RFC 7591),
    /// `kid`, `client_assertion_audience` (`token_endpoint` or `issuer`), and `extra`, further parameters of the token request.
    ///
    /// Errors: INVALID_ARGUMENT, MISCONFIGURED, UNSUPPORTED.
    pub fn from_client_config(json: &str, options: &Options) -> Result<Session> {
        let config = ClientConfig::from_json(json)?;
        let opening = Opening::new(options, options.allow_insecure_loopback.unwrap_or(false))?;
        opening.single(&config, "argument: client configuration", None)
    }
}

/// What the environment says of plain http to this machine.
fn insecure_loopback_of(environment: &dyn Environment) -> Result<Option<bool>> {
    flag(environment, "PLANETKEY_ALLOW_INSECURE_LOOPBACK")
}

fn check_argument(name: &str, value: &str) -> Result<()> {
    let problem = if value.is_empty() {
        "is empty"
    } else if value.len() > MAX_ARGUMENT_BYTES {
        "is longer than 64 KiB"
    } else if value.chars().any(char::is_control) {
        "holds a control character; look for a line break at its end"
    } else {
        return Ok(());
    };
    Err(Error::invalid_argument(format!("{name} {problem}")))
}
