//! The C interface from Rust: one program for all of its tests.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod extern_functions;
mod extern_logins;
mod header;
mod structure;
