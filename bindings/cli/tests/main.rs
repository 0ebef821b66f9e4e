//! The command: one program for all of its tests, because linking each file by itself takes longer than running it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod commands;
mod failures;
mod identity;
mod login;
mod person;
mod person_answers;
mod precedence;
mod profiles;
mod secrets;
mod sessions;
mod signals;
mod streams;
mod terminal;
