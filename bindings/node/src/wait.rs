//! Calls that may wait for the network, on a thread of libuv's pool.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use napi::bindgen_prelude::{ToNapiValue, TypeName};
use napi::{Env, Task};
use napi_derive::napi;
use planetkey::{Error, Session, Status};

use crate::error::{guarded, raise};

/// Ends the waiting of the call that it was given to.
///
/// Node's own cancellation of pool work reaches only what no thread has begun.
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

    /// The call fails with CANCELLED as soon as its thread looks, and the thread is free again.
    #[napi]
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

type Call<T> = Box<dyn FnOnce(&Session) -> planetkey::Result<T> + Send>;

/// One call that may wait.
pub struct Wait<T> {
    session: Session,
    cancelled: Arc<AtomicBool>,
    call: Option<Call<T>>,
}

impl<T> Wait<T> {
    pub(crate) fn new(
        session: Session,
        cancellation: &Cancellation,
        call: impl FnOnce(&Session) -> planetkey::Result<T> + Send + 'static,
    ) -> Self {
        let cancelled = Arc::clone(&cancellation.cancelled);
        let asked = Arc::clone(&cancelled);
        Wait {
            session: session.with_interrupt(Arc::new(move || asked.load(Ordering::Relaxed))),
            cancelled,
            call: Some(Box::new(call)),
        }
    }
}

impl<T: ToNapiValue + TypeName + Send + 'static> Task for Wait<T> {
    // Not the `Result` of napi, which cannot carry the core's error from the pool's thread.
    type Output = planetkey::Result<T>;
    type JsValue = T;

    fn compute(&mut self) -> napi::Result<Self::Output> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Ok(Err(Error::new(Status::Cancelled, "the call was cancelled before it began")));
        }
        let call = self.call.take();
        Ok(guarded(|| match call {
            Some(call) => call(&self.session),
            None => Err(Error::new(Status::Internal, "a call was made twice")),
        }))
    }

    fn resolve(&mut self, env: Env, output: Self::Output) -> napi::Result<Self::JsValue> {
        output.map_err(|error| raise(&env, &error))
    }
}
