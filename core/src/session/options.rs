//! The options of every constructor, and what tests inject.

use crate::clock::{Clock, LONGEST_TIMEOUT, Random, SHORTEST_TIMEOUT, SystemClock, SystemRandom};
use crate::deployment::{Deployment, InsecureLoopback};
use crate::environment::{self, variable};
use crate::error::{Error, Result};
use crate::file;
use crate::http::{
    Http, HttpTransport, MAX_CA_BYTES, ProxyEnvironment, ReqwestTransport, is_supported_proxy,
};
use crate::profile::paths::expanded;
use crate::profile::{Environment, Profiles, Root, SystemEnvironment};
use crate::secret::Secret;
use crate::storage::{Disk, Storage};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The deadline of a call unless an option sets another one.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_millis(crate::http::DEFAULT_TIMEOUT_MS);
/// No deployment document is nearly this large.
const MAX_DEPLOYMENT_BYTES: u64 = 1024 * 1024;

/// Options of every constructor. `None` takes the default, and the defaults are defined here once.
///
/// [`SessionBuilder`](super::SessionBuilder) sets them one by one.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Options {
    /// Whether tokens are saved on disk, where all processes and Planet's own tools share them.
    /// On by default. `false` saves them in memory only, and does not read what is on disk.
    pub save: Option<bool>,
    /// Whether a refresh is refused (STORAGE) if its new refresh token could not be saved. Off by
    /// default: a program that runs on uses the token in memory. For programs that exit soon, and
    /// would lose the only copy.
    #[doc(hidden)]
    pub must_save: bool,
    /// The profile in whose directory the tokens of `from_m2m` and `from_client_config` are saved.
    /// The default is that of Planet's SDK: `planet-m2m-<client id>` for an M2M client, else the
    /// client id.
    pub profile: Option<String>,
    /// The directory that replaces the home directory for `.planet` and `.planet.json`. The default
    /// is `PLANETKEY_STORAGE_ROOT`, else the home directory.
    pub storage_root: Option<PathBuf>,
    /// The application's own storage instead of files, for the tokens of one client. With
    /// `from_defaults` that is the first M2M client that is found.
    pub storage: Option<Arc<dyn Storage>>,
    /// The URL of a store that speaks the Redis protocol, which all machines share that name it:
    /// `redis://`, `rediss://` or `redis+unix://`. The default is the profile's, else
    /// `PLANETKEY_STORE`; both are unused with `save` false. User sessions are shared only if
    /// `PLANETKEY_STORE_KEY` is set, and are then saved in the store only.
    pub store: Option<String>,
    /// The total deadline of each call that may use the network, from 1 millisecond to a day. The
    /// default is 30 seconds.
    pub timeout: Option<Duration>,
    /// Another deployment: the name of a built-in one, the path of a deployment document, or its
    /// JSON text. The default is `PLANETKEY_DEPLOYMENT`, else Planet.
    pub deployment: Option<String>,
    /// Exact host names, in addition to those of the deployment, to which the credential that the
    /// call names may go.
    pub allowed_hosts: Option<Vec<String>>,
    /// Whether plain http to this machine is allowed, for test servers. Off by default.
    pub allow_insecure_loopback: Option<bool>,
    /// The scopes that an M2M client requests. `None` by default.
    pub scopes: Option<Vec<String>>,
    /// The audience that an M2M client requests. The default is the deployment's.
    pub audience: Option<String>,
    /// A PEM file with CA certificates to trust in addition to those of the system.
    pub ca_file: Option<PathBuf>,
    /// The URL of the proxy to use instead of those that the environment names.
    pub proxy: Option<String>,
    /// Clock, randomness, environment, transport and disk, for tests and bindings.
    #[doc(hidden)]
    pub runtime: Runtime,
}

impl std::fmt::Debug for Options {
    /// Without values: a proxy's URL may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// What a session takes from the outside world.
#[derive(Clone)]
pub struct Runtime {
    /// Wall and monotonic time.
    pub clock: Arc<dyn Clock>,
    /// Random bytes.
    pub random: Arc<dyn Random>,
    /// Variables and the home directory.
    pub environment: Arc<dyn Environment>,
    /// The way to authorization servers. The default is HTTP with the options' CA and proxy.
    pub transport: Option<Arc<dyn HttpTransport>>,
    /// Observes each step of a write. `None` by default.
    pub disk: Option<Arc<dyn Disk>>,
    /// A variable that names more CA certificates: `NODE_EXTRA_CA_CERTS` in Node. `None` by
    /// default.
    pub extra_ca_variable: Option<&'static str>,
}

impl Default for Runtime {
    fn default() -> Self {
        Runtime {
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            environment: Arc::new(SystemEnvironment),
            transport: None,
            disk: None,
            extra_ca_variable: None,
        }
    }
}

impl Options {
    /// The same options with a change.
    ///
    /// ```
    /// # use planetkey::Options;
    /// let options = Options::default().with(|options| options.save = Some(false));
    /// ```
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// The profiles that sessions with these options find, and that logins save.
    ///
    /// Errors: INVALID_ARGUMENT (an empty storage root), MISCONFIGURED (the deployment).
    #[doc(hidden)]
    pub fn profiles(&self) -> Result<Profiles> {
        let root = Root::new(self.runtime.environment.as_ref(), self.storage_root.as_deref())?;
        Ok(Profiles::new(root, self.deployment()?))
    }

    /// The deadline of a call.
    ///
    /// Errors: INVALID_ARGUMENT for 0 and for more than a day.
    pub(crate) fn timeout(&self) -> Result<Duration> {
        let timeout = self.timeout.unwrap_or(DEFAULT_TIMEOUT);
        check_timeout("timeout", timeout).map(|()| timeout)
    }

    pub(crate) fn insecure_loopback(&self) -> InsecureLoopback {
        self.allow_insecure_loopback.unwrap_or_default().into()
    }

    pub(crate) fn allowed_hosts(&self) -> &[String] {
        self.allowed_hosts.as_deref().unwrap_or_default()
    }

    pub(crate) fn deployment(&self) -> Result<Deployment> {
        let named = match &self.deployment {
            Some(named) => Some(named.clone()),
            None => deployment_of(self.runtime.environment.as_ref())?,
        };
        match named {
            None => Deployment::planet(),
            Some(named) if is_path(&named) => {
                let path = expanded(
                    self.runtime.environment.as_ref(),
                    "deployment",
                    PathBuf::from(&named),
                )?;
                let what = |why: &str| {
                    format!("the deployment document: {}", crate::text::one_line(why, 400))
                };
                let text = file::read_named(&path, MAX_DEPLOYMENT_BYTES)
                    .map_err(|error| error.in_configuration(what(error.message())))?;
                let text = std::str::from_utf8(&text)
                    .map_err(|_| Error::misconfigured(what(&format!("{named} is not text"))))?;
                Deployment::from_json(text)
            }
            Some(named) => Deployment::from_text(&named),
        }
    }

    pub(crate) fn http(&self) -> Result<Http> {
        let runtime = &self.runtime;
        let transport = match &runtime.transport {
            Some(transport) => transport.clone(),
            None => Arc::new(ReqwestTransport {
                ca_files: self.ca_files()?,
                proxy: self.proxy()?.map(Secret::from),
                proxy_env: ProxyEnvironment::of(
                    runtime.environment.as_ref(),
                    runtime.extra_ca_variable,
                ),
            }),
        };
        Ok(Http::new(transport, runtime.clock.clone(), runtime.random.clone()))
    }

    fn proxy(&self) -> Result<Option<String>> {
        match &self.proxy {
            Some(proxy) => match url::Url::parse(proxy) {
                Ok(url) if url.has_host() && is_supported_proxy(url.scheme()) => {
                    Ok(Some(proxy.clone()))
                }
                Ok(url) if url.has_host() => Err(Error::invalid_argument(format!(
                    "proxies of the scheme {} are not supported; name an http proxy, http://host:port",
                    crate::text::one_line(url.scheme(), 20)
                ))),
                _ => Err(Error::invalid_argument("proxy must be a URL: http://host:port")),
            },
            None => Ok(None),
        }
    }

    fn ca_files(&self) -> Result<Vec<PathBuf>> {
        let Some(file) = &self.ca_file else { return Ok(Vec::new()) };
        let path = expanded(self.runtime.environment.as_ref(), "ca_file", file.clone())?;
        // A file that cannot be read or trusted is an error of the call, even if no request needs
        // TLS.
        file::read_whole(&path, MAX_CA_BYTES).map_err(|error| {
            let failed = file::failed("cannot be read", &path, &error);
            Error::invalid_argument(format!("ca_file: {}", failed.message()))
        })?;
        Ok(vec![path])
    }
}

/// Errors: INVALID_ARGUMENT for less than a millisecond and for more than a day.
pub(crate) fn check_timeout(name: &str, timeout: Duration) -> Result<()> {
    if timeout < SHORTEST_TIMEOUT || timeout > LONGEST_TIMEOUT {
        let day_ms = LONGEST_TIMEOUT.as_millis();
        return Err(Error::invalid_argument(format!(
            "{name} must be from 1 to {day_ms} milliseconds (a day)"
        )));
    }
    Ok(())
}

/// The nearest deadline that a caller can set.
pub(crate) fn nearest_timeout(timeout: Duration) -> Duration {
    timeout.clamp(SHORTEST_TIMEOUT, LONGEST_TIMEOUT)
}

/// The value of `PLANETKEY_DEPLOYMENT`: a name, a path, or a document of many lines.
fn deployment_of(environment: &dyn Environment) -> Result<Option<String>> {
    let name = "PLANETKEY_DEPLOYMENT";
    match environment::text(environment, name)? {
        Some(document) if document.trim_start().starts_with('{') => Ok(Some(document)),
        _ => variable(environment, name),
    }
}

fn is_path(deployment: &str) -> bool {
    !deployment.trim_start().starts_with('{')
        && (deployment.contains(['/', '\\']) || deployment.ends_with(".json"))
}
