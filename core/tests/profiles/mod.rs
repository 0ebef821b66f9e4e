//! Profiles, `.planet.json`, and which credential is chosen: the files of Planet's SDK and those
//! next to them (design, sections 2 and 5).

mod client_types;
mod home;
mod listing;
mod manage;
mod places;
mod precedence;
mod preferences;
#[cfg(unix)]
mod sops;
mod tolerance;
