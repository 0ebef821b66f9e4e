//! The options of every constructor.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use planetkey::storage::Storage;
use planetkey::{DEFAULT_TIMEOUT, Options, Runtime};

use crate::calls::JavaScript;
use crate::storage::NodeStorage;

/// The options of every constructor. Without an option the core's default applies.
#[napi(object, object_to_js = false)]
pub struct NativeOptions {
    /// Whether tokens are saved on disk.
    pub save: Option<bool>,
    /// Instead of the home directory.
    pub storage_root: Option<String>,
    /// The profile in which the tokens of a client are saved.
    pub profile: Option<String>,
    /// The number of the application's own storage.
    pub storage: Option<u32>,
    /// Milliseconds, a whole number.
    pub timeout_ms: Option<f64>,
    /// A preset's name, the path of a document, or its JSON text.
    pub deployment: Option<String>,
    /// Exact host names.
    pub allowed_hosts: Option<Vec<String>>,
    /// Allows plain http to the loopback interface.
    pub allow_insecure_loopback: Option<bool>,
    /// PEM file with certificate authorities.
    pub ca_file: Option<String>,
    /// URL of the proxy.
    pub proxy: Option<String>,
    /// URL of the store.
    pub store: Option<String>,
    /// Scopes of an M2M client.
    pub scopes: Option<Vec<String>>,
    /// Audience of an M2M client.
    pub audience: Option<String>,
}

impl NativeOptions {
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout_ms.map_or(DEFAULT_TIMEOUT, milliseconds)
    }

    pub(crate) fn core(&self, javascript: &Arc<JavaScript>) -> Options {
        let timeout = self.timeout();
        let storage = |number| NodeStorage { javascript: Arc::clone(javascript), number, timeout };
        let mut options = Options::default();
        options.save = self.save;
        options.storage_root = self.storage_root.as_deref().map(PathBuf::from);
        options.profile = self.profile.clone();
        options.storage = self.storage.map(|number| Arc::new(storage(number)) as Arc<dyn Storage>);
        options.timeout = self.timeout_ms.map(milliseconds);
        options.deployment = self.deployment.clone();
        options.allowed_hosts = self.allowed_hosts.clone();
        options.allow_insecure_loopback = self.allow_insecure_loopback;
        options.ca_file = self.ca_file.as_deref().map(PathBuf::from);
        options.proxy = self.proxy.clone();
        options.store = self.store.clone();
        options.scopes = self.scopes.clone();
        options.audience = self.audience.clone();
        // Node reads this one for its own requests.
        options.runtime =
            Runtime { extra_ca_variable: Some("NODE_EXTRA_CA_CERTS"), ..Runtime::default() };
        options
    }
}

/// The duration of a whole number of milliseconds, below 2^53.
pub(crate) fn milliseconds(number: f64) -> Duration {
    Duration::from_millis(number as u64)
}
