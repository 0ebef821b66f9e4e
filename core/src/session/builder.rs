//! Options one by one.

use super::Session;
use super::options::Options;
use crate::client::TokenProvider;
use crate::credential::ApiKeyTransport;
use crate::error::Result;
use crate::storage::Storage;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

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

impl Session {
    /// Sets options one by one, and opens a session with them.
    pub fn builder() -> SessionBuilder {
        SessionBuilder::default()
    }
}
