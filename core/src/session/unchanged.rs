//! What must still be true when a refresh token is sent.

use crate::error::{Error, Status};
use crate::http::Precondition;
use crate::storage::{Seen, Storage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Watches that the file of a refresh token is the one that was read: another program may rotate the token while metadata is fetched
/// or a `Retry-After` passes, and takes no lock.
pub(super) struct Unchanged {
    storage: Arc<dyn Storage>,
    saved: Option<Seen>,
    violated: Arc<AtomicBool>,
}

impl Unchanged {
    pub(super) fn new(storage: Arc<dyn Storage>, saved: Option<Seen>) -> Self {
        Unchanged { storage, saved, violated: Arc::default() }
    }

    pub(super) fn precondition(&self) -> Precondition {
        let (storage, saved, violated) = (self.storage.clone(), self.saved, self.violated.clone());
        Arc::new(move || match saved {
            Some(saved) if storage.seen() != saved => {
                violated.store(true, Ordering::Relaxed);
                Err(Error::new(Status::Storage, "another program keeps changing the saved session; try again")
                    .with_retryable(true))
            }
            _ => Ok(()),
        })
    }

    pub(super) fn was_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }
}
