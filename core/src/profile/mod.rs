//! Client configuration from profiles, environment and files.

mod built_in;
pub mod client_config;
mod client_type;
pub mod list;
pub mod load;
pub mod names;
pub mod paths;
pub mod planet_json;
pub mod precedence;
pub mod sentinelhub;
pub mod store;

pub use crate::environment::{Environment, FixedEnvironment, HOME_VARIABLE, SystemEnvironment};
pub use client_config::ClientConfig;
pub use paths::Root;
pub use store::Profiles;
