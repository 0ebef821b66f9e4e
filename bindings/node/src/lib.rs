//! The Node-API addon behind the npm package `planetkey`.
//!
//! It translates types and nothing else. The JavaScript in `lib/` is its only caller. That checks
//! the types of arguments first, and makes a `PlanetkeyError` of every error that the addon throws.

mod calls;
mod error;
mod event_loop;
pub mod exit;
mod function;
mod login;
mod lookups;
mod options;
mod own;
mod prompt;
mod provided;
mod provider;
mod session;
mod storage;
mod values;
mod wait;

use napi::Env;
use napi_derive::napi;
use planetkey::{Error, Status};

use crate::error::{guarded, raise};

/// The version of the core. The loader compares it with the package's.
#[napi]
pub fn version() -> &'static str {
    planetkey::VERSION
}

/// The URL without its `api_key` parameter.
#[napi]
pub fn strip_api_key(env: Env, url: String) -> napi::Result<String> {
    guarded(|| Ok(planetkey::strip_api_key(&url))).map_err(|error| raise(&env, &error))
}

/// The URL for logs, without user information and the values of secret parameters.
#[napi]
pub fn redact_url(env: Env, url: String) -> napi::Result<String> {
    guarded(|| Ok(planetkey::redact_url(&url))).map_err(|error| raise(&env, &error))
}

/// The names of all statuses, success first: the index of each is its number.
#[napi]
pub fn statuses() -> Vec<&'static str> {
    std::iter::once("OK").chain(Status::ALL.iter().map(|status| status.name())).collect()
}

/// Throws an error of this status, so that errors of `lib/` look like errors of the core.
#[napi]
pub fn fail(env: Env, number: i32, message: String) -> napi::Result<()> {
    let status = Status::from_number(number).unwrap_or(Status::Internal);
    Err(raise(&env, &Error::new(status, message)))
}
