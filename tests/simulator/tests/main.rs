//! All tests of the simulator in one program.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod authorization;
mod command;
mod control;
mod devices;
mod faults;
mod identity;
mod proxy;
mod readme;
mod resource_servers;
mod rotation;
mod scripts;
mod token_endpoint;
mod user_server;
