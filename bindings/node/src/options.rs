//! The options of every constructor.

use napi_derive::napi;
use planetkey::{M2mOptions, Options};

/// What every constructor takes; absent means the core's default.
#[napi(object, object_to_js = false)]
pub struct NativeOptions {
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
    pub(crate) fn core(&self) -> Options {
        Options {
            timeout_ms: self.timeout_ms.map(whole),
            deployment: self.deployment.clone(),
            allowed_hosts: self.allowed_hosts.clone(),
            allow_insecure_loopback: self.allow_insecure_loopback,
            ca_file: self.ca_file.clone(),
            proxy: self.proxy.clone(),
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
