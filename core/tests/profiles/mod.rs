//! Profiles, `.planet.json`, and which credential is chosen: the files of Planet's SDK and those
//! next to them (design, sections 2 and 5).

mod client_types;
mod home;
mod list;
mod paths;
mod planet_json;
mod precedence;
#[cfg(unix)]
mod sops;
mod store;
mod tolerance;
