//! Calls that may wait, each on its own thread.
//!
//! libuv's thread pool is too small: a refresh may wait for an application's storage, which needs
//! that pool to read a file. Node does not wait for these threads when a worker is terminated or
//! the process exits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi_derive::napi;
use planetkey::{Error, Interrupt, Status};

use crate::calls::JavaScript;
use crate::error::{guarded, raise};

/// Cancels the call that it was passed to.
#[napi]
#[derive(Default)]
pub struct Cancellation {
    cancelled: Arc<AtomicBool>,
}

#[napi]
impl Cancellation {
    /// Use one for each call.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call fails with CANCELLED within a moment, and its thread ends.
    #[napi]
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

type Resolver<T> = Box<dyn FnOnce(Env) -> napi::Result<T>>;

/// Starts a call that is passed an interrupt. The promise keeps the process alive until it is
/// settled.
pub(crate) fn start<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    cancellation: &Cancellation,
    javascript: Arc<JavaScript>,
    call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send + 'static,
) -> napi::Result<Object<'env>> {
    let cancelled = Arc::clone(&cancellation.cancelled);
    let interrupt: Interrupt =
        Arc::new(move || cancelled.load(Ordering::Relaxed) || javascript.is_closed());
    let (sender, receiver) = sync_channel(1);
    let spawned = planetkey::threads::spawn("planetkey-call", move || {
        // The sender is dropped if there is no promise to settle.
        let Ok(deferred) = receiver.recv() else { return };
        let deferred: napi::JsDeferred<T, Resolver<T>> = deferred;
        let outcome = guarded(|| call(interrupt));
        deferred.resolve(Box::new(move |env| outcome.map_err(|error| raise(&env, &error))));
    });
    if let Err(error) = spawned {
        let message = format!("cannot start a thread that waits for the session: {error}");
        return Err(raise(env, &Error::new(Status::Unavailable, message)));
    }
    let (deferred, promise) = env.create_deferred()?;
    drop(sender.send(deferred));
    Ok(promise)
}
