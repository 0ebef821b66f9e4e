//! The panic guard: a panic never unwinds into another language.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use planetkey::{Error, Result, Status};

/// Runs a call into the core and turns a panic into an INTERNAL error.
///
/// The error does not show the text of the panic, which may contain a secret.
pub fn guarded<V>(body: impl FnOnce() -> Result<V>) -> Result<V> {
    caught(body).unwrap_or_else(|| {
        let message =
            "planetkey panicked, which is a bug; please report it with the text on standard error";
        Err(Error::new(Status::Internal, message))
    })
}

/// Runs a function that cannot report an error. Returns `otherwise` if it returns nothing or
/// panics.
pub fn or<V>(otherwise: V, body: impl FnOnce() -> Option<V>) -> V {
    caught(body).flatten().unwrap_or(otherwise)
}

/// What `body` returns; nothing if it panics.
fn caught<V>(body: impl FnOnce() -> V) -> Option<V> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// Drops the payload of a panic. The drop may panic with another payload; after a few rounds the
/// rest is leaked.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    std::mem::forget(payload);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]

    use super::*;

    #[test]
    fn a_panic_becomes_internal_and_its_text_stays_out_of_the_error() {
        let error = guarded::<()>(|| panic!("hunter2")).err();
        assert_eq!(error.as_ref().map(Error::status), Some(Status::Internal));
        assert!(error.is_some_and(|error| !error.message().contains("hunter2")));
        assert_eq!(or(-1, || panic!("hunter2")), -1);
        assert_eq!((or(-1, || None), or(-1, || Some(1))), (-1, 1));
    }

    #[test]
    fn a_payload_whose_drop_panics_is_discarded() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        assert_eq!(or(7, || std::panic::panic_any(Bomb)), 7);
        assert!(guarded::<()>(|| std::panic::panic_any(Bomb)).is_err());
    }
}
