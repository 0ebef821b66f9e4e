//! Code of the application that a refresh, login or logout calls, such as a log handler or a
//! storage, must not wait for that same refresh, login or logout.

use super::sync::thread_local;
use crate::client::Client;
use crate::error::{Error, Result, Status};
use std::cell::Cell;

/// What this thread does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// Nothing that other threads wait for.
    Nothing,
    /// A refresh, login or logout.
    Work,
    /// It runs the token provider of this client, which may use the sessions of other clients.
    Provider(*const Client),
}

thread_local! {
    static INSIDE: Cell<Inside> = const { Cell::new(Inside::Nothing) };
}

/// Marks the thread until it is dropped.
pub(super) struct ReentryGuard(Inside);

impl ReentryGuard {
    /// Errors: UNAVAILABLE if the thread is marked already.
    pub(super) fn enter(client: &Client) -> Result<Self> {
        check(client)?;
        Ok(ReentryGuard::mark())
    }

    /// For a thread that was started for a refresh.
    pub(super) fn mark() -> Self {
        ReentryGuard(INSIDE.with(|inside| inside.replace(Inside::Work)))
    }
}

impl Drop for ReentryGuard {
    fn drop(&mut self) {
        INSIDE.with(|inside| inside.set(self.0));
    }
}

/// Marks the thread while it runs the token provider of this client.
pub(super) fn within_provider(client: &Client) -> ReentryGuard {
    let provider = Inside::Provider(std::ptr::from_ref(client));
    ReentryGuard(INSIDE.with(|inside| inside.replace(provider)))
}

/// Errors: UNAVAILABLE on a marked thread.
pub(super) fn check(client: &Client) -> Result<()> {
    match INSIDE.with(Cell::get) {
        Inside::Nothing => Ok(()),
        Inside::Provider(its) if !std::ptr::eq(its, client) => Ok(()),
        Inside::Work | Inside::Provider(_) => Err(Error::new(
            Status::Unavailable,
            "a log handler, storage or token provider called the session during a refresh, login \
             or logout of that session, which cannot wait for itself",
        )),
    }
}
