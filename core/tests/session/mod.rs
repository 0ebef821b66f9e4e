//! The session: which credential goes where, from where it comes, and how it is kept fresh (design, sections 4 to 7).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod environment;
mod flight;
mod host_policy;
mod interrupted_login;
mod origins;
mod planet;
mod profiles;
mod renewal;
mod runtime;
mod secrecy;
mod sentinelhub;
mod url_forms;
