//! Client configuration: what profiles, environment and files say about who this client is.

mod built_in;
pub mod client_config;
mod client_type;
pub mod directory;
pub mod environment;
pub mod listing;
pub mod manage;
pub mod members;
pub mod names;
pub mod precedence;
pub mod preferences;
pub mod root;
pub mod sentinelhub;

pub use client_config::ClientConfig;
pub use environment::{Environment, FixedEnvironment, HOME_VARIABLE, SystemEnvironment};
pub use manage::Profiles;
pub use root::Root;
