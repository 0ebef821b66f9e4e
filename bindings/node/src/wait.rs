//! Calls that may wait, each on a thread of its own.
//!
//! Not on libuv's few threads: an application's storage that reads a file needs those, and a renewal waits for that storage. Nor does Node
//! wait for this thread when a worker is terminated or the process ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue};
use napi_derive::napi;
use planetkey::{Error, Interrupt, Status};

use crate::error::{guarded, raise};
use crate::event_loop::Line;

/// Ends the waiting of the call that it was given to.
#[napi]
#[derive(Default)]
pub struct Cancellation {
    cancelled: Arc<AtomicBool>,
}

#[napi]
impl Cancellation {
    /// One for each call.
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// The call fails with CANCELLED as soon as its thread looks, and the thread ends.
    #[napi]
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

type Resolver<T> = Box<dyn FnOnce(Env) -> napi::Result<T>>;

/// Starts the call, with what it is to ask while it waits; the promise keeps the process alive until it has ended.
pub(crate) fn start<'env, T: ToNapiValue + Send + 'static>(
    env: &'env Env,
    cancellation: &Cancellation,
    line: Arc<Line>,
    call: impl FnOnce(Interrupt) -> planetkey::Result<T> + Send + 'static,
) -> napi::Result<Object<'env>> {
    let cancelled = Arc::clone(&cancellation.cancelled);
    let interrupt: Interrupt = Arc::new(move || cancelled.load(Ordering::Relaxed) || line.is_closed());
    let (sender, receiver) = sync_channel(1);
    let spawned = planetkey::threads::spawn("planetkey-call", move || {
        // Nothing comes when there is no promise to settle.
        let Ok(deferred) = receiver.recv() else { return };
        let deferred: napi::JsDeferred<T, Resolver<T>> = deferred;
        let outcome = guarded(|| call(interrupt));
        deferred.resolve(Box::new(move |env| outcome.map_err(|error| raise(&env, &error))));
    });
    if let Err(error) = spawned {
        let message = format!("no thread could be started to wait for the session: {error}");
        return Err(raise(env, &Error::new(Status::Unavailable, message)));
    }
    let (deferred, promise) = env.create_deferred()?;
    drop(sender.send(deferred));
    Ok(promise)
}
