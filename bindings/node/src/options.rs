//! The options of every constructor.

use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use planetkey::storage::StorageCallbacks;
use planetkey::{DEFAULT_TIMEOUT_MS, M2mOptions, Options, Runtime};

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
    /// Scopes of an M2M client.
    pub scopes: Option<Vec<String>>,
    /// Audience of an M2M client.
    pub audience: Option<String>,
}

impl NativeOptions {
    pub(crate) fn timeout_ms(&self) -> u64 {
        self.timeout_ms.map_or(DEFAULT_TIMEOUT_MS, whole)
    }

    pub(crate) fn core(&self, javascript: &Arc<JavaScript>) -> Options {
        let timeout = Duration::from_millis(self.timeout_ms());
        let storage = |number| NodeStorage { javascript: Arc::clone(javascript), number, timeout };
        Options {
            save: self.save,
            storage_root: self.storage_root.clone(),
            profile: self.profile.clone(),
            storage: self.storage.map(|number| Arc::new(storage(number)) as Arc<dyn StorageCallbacks>),
            timeout_ms: self.timeout_ms.map(whole),
            deployment: self.deployment.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            allow_insecure_loopback: self.allow_insecure_loopback,
            ca_file: self.ca_file.clone(),
            proxy: self.proxy.clone(),
            // Node reads this variable for its own requests.
            runtime: Runtime { extra_ca_variable: Some("NODE_EXTRA_CA_CERTS"), ..Runtime::default() },
            ..Options::default()
        }
    }

    pub(crate) fn m2m(&self) -> M2mOptions {
        M2mOptions { scopes: self.scopes.clone().unwrap_or_default(), audience: self.audience.clone() }
    }
}

/// A whole number below 2^53 of JavaScript.
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}
