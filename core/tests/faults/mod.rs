//! Failures between a client and an authorization server.
//!
//! Names start with the number of the fault; `tests/README.md` lists them.

mod answers;
mod busy;
mod clock;
mod clock_and_files;
mod lifetimes;
mod metadata_and_keys;
mod network;
mod proxy;
mod refresh;
mod refusals;
mod responses;
mod tls;
