//! Objects that pass between Rust and JavaScript have own properties only.
//!
//! Any code in the process can add properties to `Object.prototype`. Reading a missing option would
//! find them, and assigning to a property could call a setter there. So options have no prototype,
//! and the properties of results are defined, not assigned.

use napi::bindgen_prelude::{FromNapiValue, JsObjectValue, Object, ToNapiValue, Unknown, sys};
use napi::{Env, JsValue, Property, ValueType};

/// An object of JavaScript that has no prototype, read as `T`.
pub struct Own<T>(pub(crate) T);

impl<T: FromNapiValue> FromNapiValue for Own<T> {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: the caller guarantees that both pointers are valid.
        let object = unsafe { Object::from_napi_value(env, value) }?;
        let prototype: Unknown<'_> = object.get_prototype()?;
        if prototype.get_type()? != ValueType::Null {
            return Err(napi::Error::new(
                napi::Status::ObjectExpected,
                "options must be an object without a prototype",
            ));
        }
        // SAFETY: as above.
        unsafe { T::from_napi_value(env, value) }.map(Own)
    }
}

/// The property that `name = value` makes in an object literal.
pub(crate) fn property<T: ToNapiValue>(env: &Env, name: &str, value: T) -> napi::Result<Property> {
    Property::new().with_utf8_name(name)?.with_napi_value(env, value)
}

/// Header fields by name.
pub struct Headers(pub(crate) Vec<(&'static str, String)>);

impl ToNapiValue for Headers {
    unsafe fn to_napi_value(env: sys::napi_env, headers: Self) -> napi::Result<sys::napi_value> {
        let env = Env::from_raw(env);
        let properties: Vec<Property> = headers
            .0
            .into_iter()
            .map(|(name, value)| property(&env, name, value))
            .collect::<napi::Result<_>>()?;
        let mut object = Object::new(&env)?;
        object.define_properties(&properties)?;
        Ok(object.raw())
    }
}
