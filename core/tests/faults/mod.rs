//! Failures between a client and an authorization server.
//!
//! Names start with the number of the fault; `tests/README.md` lists them.

mod busy_server;
mod clock;
mod clock_and_files;
mod invalid_responses;
mod lifetimes;
mod metadata_and_keys;
mod network;
mod proxy;
mod refresh;
mod refusals;
mod sources;
mod tls;
mod unusual_responses;
