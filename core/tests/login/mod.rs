//! Logins of people: the receiver of the browser's return, what a login keeps, and how it can go wrong.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../common/mod.rs"]
mod common;

mod choosing;
mod ending;
#[cfg(target_os = "linux")]
mod other_users;
mod people;
mod receiver;
mod returning;
