//! The settings at start.

use std::path::PathBuf;

/// The settings of a simulator at start and after a reset.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The registered M2M client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
    /// The API key that the Planet API accepts.
    pub api_key: String,
    /// Lifetime of access tokens in seconds.
    pub token_lifetime: u64,
    /// The ports of the listeners.
    pub ports: Ports,
    /// Where to write the deployment document, the CA certificate and the environment. `None` means
    /// a temporary directory.
    pub directory: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            client_id: "simulator-client".to_owned(),
            client_secret: "simulator-client-secret".to_owned(),
            api_key: "PLAKsimulator0123456789abcdef".to_owned(),
            token_lifetime: 3_600,
            ports: Ports::default(),
            directory: None,
        }
    }
}

/// The port of each listener; the system chooses a port for 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The authorization server for M2M clients.
    pub m2m: u16,
    /// The authorization server for users.
    pub user: u16,
    /// The server that plays api.planet.com.
    pub planet_api: u16,
    /// The server that plays services.sentinel-hub.com.
    pub sentinel_hub_api: u16,
    /// The control API.
    pub control: u16,
    /// The HTTPS proxy.
    pub proxy: u16,
    /// The authorization server for M2M clients over TLS.
    pub tls: u16,
}
