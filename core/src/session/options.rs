//! What every constructor takes, and what tests inject.

use crate::clock::{Clock, Random, SystemClock, SystemRandom};
use crate::deployment::Deployment;
use crate::environment::{self, variable};
use crate::error::{Error, Result};
use crate::file;
use crate::http::{Http, MAX_CA_BYTES, ProxyEnvironment, ReqwestTransport, Transport, is_supported_proxy};
use crate::profile::paths::expanded;
use crate::profile::{Environment, Profiles, Root, SystemEnvironment};
use crate::secret::Secret;
use crate::storage::{Disk, StorageCallbacks};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use crate::http::DEFAULT_TIMEOUT_MS;
/// No deployment document comes near this size.
const MAX_DEPLOYMENT_BYTES: u64 = 1024 * 1024;
const MAX_TIMEOUT_MS: u64 = 24 * 3600 * 1000;

/// Options of every constructor. What is left out takes the default, and the defaults live here once.
#[derive(Clone, Default)]
pub struct Options {
    /// Whether tokens are saved on disk, where all processes and Planet's own tools share them; they are by default. `false` keeps them in
    /// memory, and does not look at what is on disk.
    pub save: Option<bool>,
    /// Whether a renewal is refused (STORAGE) whose new refresh token could not be saved. Off by default: a program that runs on lives from memory.
    /// For programs that end soon, and would take the only copy with them.
    pub must_save: bool,
    /// The profile whose directory keeps the tokens of `from_m2m` and `from_client_config`; by default `planet-m2m-<client id>` for a
    /// machine and the client id for everybody else, as in Planet's SDK.
    pub profile: Option<String>,
    /// The directory that takes the place of the home directory for `.planet` and `.planet.json`; by default `PLANETKEY_STORAGE_ROOT`, else
    /// the home directory. For homes that cannot be written.
    pub storage_root: Option<String>,
    /// The application's own storage in place of files, for sessions of one client.
    pub storage: Option<Arc<dyn StorageCallbacks>>,
    /// Total deadline of each call that may use the network, in milliseconds; 30,000 by default.
    pub timeout_ms: Option<u64>,
    /// Another deployment: a preset's name, the path of a deployment document, or its JSON text. By default `PLANETKEY_DEPLOYMENT`, else Planet.
    pub deployment: Option<String>,
    /// Exact host names beside the deployment's to which the credential that the call names may go.
    pub allowed_hosts: Option<Vec<String>>,
    /// Allows plain http to this machine, for test servers. Off by default.
    pub allow_insecure_loopback: Option<bool>,
    /// CA certificates to trust beside the machine's own, as a PEM file.
    pub ca_file: Option<String>,
    /// The proxy to use instead of what the environment says.
    pub proxy: Option<String>,
    /// Clock, randomness, environment, transport and disk; the real ones by default.
    pub runtime: Runtime,
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
    /// The way to authorization servers; by default real HTTP with the options' CA and proxy.
    pub transport: Option<Arc<dyn Transport>>,
    /// What happens to each step of a write; nothing by default.
    pub disk: Option<Arc<dyn Disk>>,
    /// A variable that names more CA certificates: `NODE_EXTRA_CA_CERTS` in Node; none by default.
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
    /// The profiles that sessions with these options look for, and that logins keep.
    ///
    /// Errors: INVALID_ARGUMENT (an empty storage root), MISCONFIGURED (the deployment).
    pub fn profiles(&self) -> Result<Profiles> {
        let root = Root::new(self.runtime.environment.as_ref(), self.storage_root.as_deref())?;
        Ok(Profiles::new(root, self.deployment()?))
    }

    /// The deadline of a call.
    ///
    /// Errors: INVALID_ARGUMENT for 0 and for more than a day.
    pub(crate) fn timeout(&self) -> Result<Duration> {
        check_timeout_ms(self.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS))
    }

    pub(crate) fn deployment(&self) -> Result<Deployment> {
        let named = match &self.deployment {
            Some(named) => Some(named.clone()),
            None => deployment_of(self.runtime.environment.as_ref())?,
        };
        match named {
            None => Deployment::planet(),
            Some(named) if is_path(&named) => {
                let path = expanded(self.runtime.environment.as_ref(), "deployment", PathBuf::from(&named))?;
                let what = |why: &str| format!("the deployment document: {}", crate::text::one_line(why, 400));
                let text = file::read_named(&path, MAX_DEPLOYMENT_BYTES)
                    .map_err(|error| error.in_configuration(what(error.message())))?;
                let text = std::str::from_utf8(&text).map_err(|_| Error::misconfigured(what(&format!("{named} is not text"))))?;
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
                proxy_env: ProxyEnvironment::of(runtime.environment.as_ref(), runtime.extra_ca_variable),
            }),
        };
        Ok(Http::new(transport, runtime.clock.clone(), runtime.random.clone()))
    }

    fn proxy(&self) -> Result<Option<String>> {
        match &self.proxy {
            Some(proxy) => match url::Url::parse(proxy) {
                Ok(url) if url.has_host() && is_supported_proxy(url.scheme()) => Ok(Some(proxy.clone())),
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
        let path = expanded(self.runtime.environment.as_ref(), "ca_file", PathBuf::from(file))?;
        // What cannot be trusted or read is an error of the call, also if no request needs TLS.
        file::read_whole(&path, MAX_CA_BYTES).map_err(|error| {
            let failed = file::failed("cannot be read", &path, &error);
            Error::invalid_argument(format!("ca_file: {}", failed.message()))
        })?;
        Ok(vec![path])
    }
}

/// Errors: INVALID_ARGUMENT for 0 and for more than a day.
pub(crate) fn check_timeout_ms(timeout_ms: u64) -> Result<Duration> {
    if timeout_ms == 0 || timeout_ms > MAX_TIMEOUT_MS {
        return Err(Error::invalid_argument("timeout_ms must be from 1 to 86400000 (a day)"));
    }
    Ok(Duration::from_millis(timeout_ms))
}

/// What the environment says: a name or a path, or a document of many lines.
fn deployment_of(environment: &dyn Environment) -> Result<Option<String>> {
    let name = "PLANETKEY_DEPLOYMENT";
    match environment::text(environment, name)? {
        Some(document) if document.trim_start().starts_with('{') => Ok(Some(document)),
        _ => variable(environment, name),
    }
}

fn is_path(deployment: &str) -> bool {
    !deployment.trim_start().starts_with('{') && (deployment.contains(['/', '\\']) || deployment.ends_with(".json"))
}
