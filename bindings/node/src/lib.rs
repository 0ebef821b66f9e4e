//! The Node-API addon behind the npm package `planetkey`.
//!
//! It translates types and nothing else. The JavaScript in `lib/` is its only caller: that checks the types of
//! arguments before they come here, and makes a `PlanetkeyError` of every error thrown here.

mod error;
mod event_loop;
pub mod exit;
mod login;
mod options;
mod own;
mod session;
mod storage;
mod values;
mod wait;

use napi::Env;
use napi_derive::napi;
use planetkey::{Error, Status};

use crate::error::{guarded, raise};

/// The version of the core, which the loader compares with the package's.
#[napi]
pub fn version() -> &'static str {
    planetkey::VERSION
}

/// The URL without its `api_key` parameter.
#[napi]
pub fn strip_api_key(env: Env, url: String) -> napi::Result<String> {
    guarded(|| Ok(planetkey::strip_api_key(&url))).map_err(|error| raise(&env, &error))
}

/// The URL with its user information and the values of `api_key` and other secret parameters replaced, for logs.
#[napi]
pub fn redact_url(env: Env, url: String) -> napi::Result<String> {
    guarded(|| Ok(planetkey::redact_url(&url))).map_err(|error| raise(&env, &error))
}

/// The names of all statuses; the place of each is its number.
#[napi]
pub fn statuses() -> Vec<&'static str> {
    Status::ALL.iter().map(|status| status.name()).collect()
}

/// Throws an error of this status: what the JavaScript side refuses looks like what the core refuses.
#[napi]
pub fn fail(env: Env, number: i32, message: String) -> napi::Result<()> {
    let status = Status::from_number(number).unwrap_or(Status::Internal);
    Err(raise(&env, &Error::new(status, message)))
}
