//! The tests of the core, in one program, because linking each directory by itself takes longer
//! than running it. A test that needs a process of its own starts this program again
//! ([`common::in_own_process`]).
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod conformance;
mod errors;
mod faults;
mod index;
mod logger;
mod login;
mod profiles;
mod session;
mod storage;
mod structure;
mod vectors;
