//! The command: one program for all of its tests, because linking each file takes longer than
//! running it.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

mod commands;
mod failures;
mod identity;
mod login;
mod precedence;
mod profiles;
mod secrets;
mod sessions;
mod signals;
mod storage_command;
mod streams;
mod terminal;
mod user_login;
mod user_login_answers;
