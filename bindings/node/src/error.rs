//! Errors of the core as JavaScript `Error` objects with the core's attributes as properties.

use napi::bindgen_prelude::{JsObjectValue, Object, sys};
use napi::{Env, JsValue};
use planetkey::{Error, Reason};
pub(crate) use planetkey_support::panic::guarded;

use crate::own::property;

/// The JavaScript `Error`. Returned as `Err` it is thrown, or rejects the promise.
pub(crate) fn raise(env: &Env, error: &Error) -> napi::Error {
    build(env, error).unwrap_or_else(|failed| failed)
}

fn build(env: &Env, error: &Error) -> napi::Result<napi::Error> {
    let message = env.create_string(error.message())?;
    let mut object = std::ptr::null_mut();
    // SAFETY: both pointers are valid for the length of the call. `Env::create_error` would assign
    // a code of its own.
    let status = unsafe {
        sys::napi_create_error(env.raw(), std::ptr::null_mut(), message.raw(), &mut object)
    };
    if status != sys::Status::napi_ok {
        return Err(napi::Error::from_status(napi::Status::from(status)));
    }
    let mut object = Object::from_raw(env.raw(), object);
    // Defined, because assigning could call a setter of Object.prototype.
    object.define_properties(&[
        property(env, "code", error.status().name())?,
        property(env, "number", error.status().number())?,
        property(env, "reason", error.reason().map(Reason::name))?,
        property(env, "oauthError", error.oauth_error())?,
        property(env, "oauthErrorDescription", error.oauth_error_description())?,
        property(env, "httpStatus", error.http_status())?,
        property(env, "retryAfterMs", error.retry_after().map(|wait| wait.as_millis() as f64))?,
        property(env, "retryable", error.retryable())?,
        property(env, "profile", error.profile())?,
    ])?;
    Ok(napi::Error::from(object.to_unknown()))
}
