//! The options of every constructor.

use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use planetkey::storage::StorageCallbacks;
use planetkey::{DEFAULT_TIMEOUT_MS, M2mOptions, Options, Runtime};

use crate::event_loop::Line;
use crate::storage::NodeStorage;

/// What every constructor takes; absent means the core's default.
#[napi(object, object_to_js = false)]
pub struct NativeOptions {
    /// Whether tokens are kept on disk.
    pub save: Option<bool>,
    /// In place of the home directory.
    pub storage_root: Option<String>,
    /// The profile that keeps the tokens of a client.
    pub profile: Option<String>,
    /// The number of the application's own storage.
    pub storage: Option<u32>,
    /// A whole number, as the JavaScript side has checked.
    pub timeout_ms: Option<f64>,
    /// Preset name, path of a document, or its JSON text.
    pub deployment: Option<String>,
    /// Exact host names.
    pub allowed_hosts: Option<Vec<String>>,
    /// Plain http to this machine.
    pub allow_insecure_loopback: Option<bool>,
    /// PEM file with certificate authorities.
    pub ca_file: Option<String>,
    /// URL of the proxy.
    pub proxy: Option<String>,
    /// Scopes of a machine-to-machine session.
    pub scopes: Option<Vec<String>>,
    /// Audience of a machine-to-machine session.
    pub audience: Option<String>,
}

impl NativeOptions {
    pub(crate) fn timeout_ms(&self) -> u64 {
        self.timeout_ms.map_or(DEFAULT_TIMEOUT_MS, whole)
    }

    pub(crate) fn core(&self, line: &Arc<Line>) -> Options {
        let timeout = Duration::from_millis(self.timeout_ms());
        let storage = |number| NodeStorage { line: Arc::clone(line), number, timeout };
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
            // Node reads this one for its own requests.
            runtime: Runtime { extra_ca_variable: Some("NODE_EXTRA_CA_CERTS"), ..Runtime::default() },
            ..Options::default()
        }
    }

    pub(crate) fn m2m(&self) -> M2mOptions {
        M2mOptions { scopes: self.scopes.clone().unwrap_or_default(), audience: self.audience.clone() }
    }
}

/// JavaScript's whole numbers below 2^53 as Rust's.
pub(crate) fn whole(number: f64) -> u64 {
    number as u64
}
