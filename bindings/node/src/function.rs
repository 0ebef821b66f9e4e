//! Functions that JavaScript calls in hot loops, with a text or nothing.
//!
//! The functions of `napi` allocate for every call: for the arguments, and for each text.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr;

use napi::bindgen_prelude::{FromNapiValue, Function, ToNapiValue, sys};
use napi::{Env, JsError};
use planetkey::Result;

use crate::error::{guarded, raise};

/// Room for the URLs of most requests. Longer ones are read into a string.
const USUAL_BYTES: usize = 1024;
/// What UTF-8 needs for a character, at most.
const CHARACTER_BYTES: usize = 4;

/// A function without an argument.
pub(crate) fn without_argument<'env, T: ToNapiValue + 'static>(
    env: &'env Env,
    body: impl Fn() -> Result<T> + 'static,
) -> napi::Result<Function<'env, (), T>> {
    function(env, move |_, _| body())
}

/// A function of one text.
pub(crate) fn of_text<'env, T: ToNapiValue + 'static>(
    env: &'env Env,
    body: impl Fn(&str) -> Result<T> + 'static,
) -> napi::Result<Function<'env, (String,), T>> {
    function(env, move |env, argument| {
        let mut buffer = [const { MaybeUninit::<u8>::uninit() }; USUAL_BYTES];
        match text(env, argument, &mut buffer) {
            Some(text) => body(text),
            None => {
                // SAFETY: both pointers are those of the current call.
                let text = unsafe { String::from_napi_value(env, argument) };
                let text = text.map_err(|_| {
                    planetkey::Error::new(
                        planetkey::Status::InvalidArgument,
                        "the argument must be a string",
                    )
                })?;
                body(&text)
            }
        }
    })
}

/// The text, if it is one and has room in the buffer.
fn text(
    env: sys::napi_env,
    value: sys::napi_value,
    buffer: &mut [MaybeUninit<u8>; USUAL_BYTES],
) -> Option<&str> {
    let mut length = 0;
    // SAFETY: both pointers are those of the current call, and the buffer has this size.
    let status = unsafe {
        sys::napi_get_value_string_utf8(
            env,
            value,
            buffer.as_mut_ptr().cast(),
            USUAL_BYTES,
            &mut length,
        )
    };
    // A text that has no room is cut off after a whole character.
    if status != sys::Status::napi_ok || length + CHARACTER_BYTES >= USUAL_BYTES {
        return None;
    }
    let written = buffer.as_ptr().cast::<u8>();
    // SAFETY: Node has written as many bytes.
    std::str::from_utf8(unsafe { std::slice::from_raw_parts(written, length) }).ok()
}

fn function<'env, F, T, Arguments>(
    env: &'env Env,
    body: F,
) -> napi::Result<Function<'env, Arguments, T>>
where
    F: Fn(sys::napi_env, sys::napi_value) -> Result<T> + 'static,
    T: ToNapiValue + 'static,
    Arguments: napi::bindgen_prelude::JsValuesTupleIntoVec,
{
    let (env, body) = (env.raw(), Box::into_raw(Box::new(body)).cast::<c_void>());
    let mut made = ptr::null_mut();
    // SAFETY: `called` and `dropped` are for the type of `body`, which lives until `dropped`.
    let status = unsafe {
        sys::napi_create_function(env, ptr::null(), 0, Some(called::<F, T>), body, &mut made)
    };
    check(status)?;
    // SAFETY: as above.
    check(unsafe {
        sys::napi_add_finalizer(
            env,
            made,
            body,
            Some(dropped::<F>),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    })?;
    // SAFETY: the value is a function.
    unsafe { Function::from_napi_value(env, made) }
}

fn check(status: sys::napi_status) -> napi::Result<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        status => Err(napi::Error::from_status(napi::Status::from(status))),
    }
}

unsafe extern "C" fn called<F, T>(
    env: sys::napi_env,
    information: sys::napi_callback_info,
) -> sys::napi_value
where
    F: Fn(sys::napi_env, sys::napi_value) -> Result<T> + 'static,
    T: ToNapiValue,
{
    // A missing argument is undefined.
    let (mut count, mut argument, mut body) = (1, ptr::null_mut(), ptr::null_mut());
    // SAFETY: there is room for one argument.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            information,
            &mut count,
            &mut argument,
            ptr::null_mut(),
            &mut body,
        )
    };
    let result = check(status).and_then(|()| {
        let found = guarded(|| {
            // SAFETY: this is what `function` has passed.
            let body = unsafe { &*body.cast::<F>() };
            body(env, argument)
        });
        let found = found.map_err(|error| raise(&Env::from_raw(env), &error))?;
        // SAFETY: this is the environment of the current call.
        unsafe { T::to_napi_value(env, found) }
    });
    result.unwrap_or_else(|error| {
        // SAFETY: as above.
        unsafe { JsError::from(error).throw_into(env) };
        ptr::null_mut()
    })
}

unsafe extern "C" fn dropped<F>(_: sys::napi_env, body: *mut c_void, _: *mut c_void) {
    // SAFETY: `function` has made it, and it is dropped once.
    drop(unsafe { Box::from_raw(body.cast::<F>()) });
}
