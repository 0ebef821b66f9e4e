//! Client configuration: what profiles, environment and files say about who this client is.

pub mod client_config;
pub mod directory;
pub mod environment;
pub mod precedence;
pub mod sentinelhub;

pub use client_config::ClientConfig;
pub use environment::{Environment, FixedEnvironment, SystemEnvironment};
