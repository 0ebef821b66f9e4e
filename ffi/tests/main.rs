//! The tests of the C interface from Rust, in one program.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod extern_functions;
mod extern_logins;
mod header;
mod structure;
