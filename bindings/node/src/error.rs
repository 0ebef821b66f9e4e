//! How a failure crosses: as a thrown `Error` that has the core's attributes as properties.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::{Env, JsValue};
use planetkey::{Error, Status};

/// Runs what calls the core; a panic must not unwind into Node, which would end the process.
pub(crate) fn guarded<T>(body: impl FnOnce() -> planetkey::Result<T>) -> planetkey::Result<T> {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| Err(Error::new(Status::Internal, "planetkey panicked: please report this as a bug")))
}

/// The JavaScript `Error` for a failure, ready to be returned as `Err`, which throws it or rejects the promise with it.
pub(crate) fn raise(env: &Env, error: &Error) -> napi::Error {
    build(env, error).unwrap_or_else(|failed| failed)
}

fn build(env: &Env, error: &Error) -> napi::Result<napi::Error> {
    let mut object = env.create_error(napi::Error::from_reason(error.message()))?;
    object.set("code", error.status().name())?;
    object.set("number", error.status().number())?;
    object.set("reason", error.reason())?;
    object.set("oauthError", error.oauth_error())?;
    object.set("oauthErrorDescription", error.oauth_error_description())?;
    object.set("httpStatus", error.http_status())?;
    object.set("retryAfterMs", error.retry_after_ms().map(|milliseconds| milliseconds as f64))?;
    object.set("retryable", error.retryable())?;
    object.set("profile", error.profile())?;
    Ok(napi::Error::from(object.to_unknown()))
}
