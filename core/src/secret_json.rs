//! JSON that may hold secrets.

use crate::secret::Secret;
use serde_json::{Map, Value};

/// The members of a configuration file, or of a token response as they arrived. `Debug` shows
/// nothing, and their strings are wiped on drop.
#[derive(Clone, Default, PartialEq)]
pub struct Members(pub Map<String, Value>);

impl Members {
    /// A member that is a non-empty string.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// Removes a member and wipes it.
    pub(crate) fn delete(&mut self, name: &str) {
        if let Some(mut value) = self.0.remove(name) {
            wipe(&mut value);
        }
    }
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Drop for Members {
    fn drop(&mut self) {
        self.0.values_mut().for_each(wipe);
    }
}

/// Wipes all strings of a value.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        // A secret wipes all of its bytes at once, a string one after the other.
        Value::String(text) => drop(Secret::new(std::mem::take(text))),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(members) => members.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
