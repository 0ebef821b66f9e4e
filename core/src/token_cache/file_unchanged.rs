//! Compares the file version immediately before each send of a refresh token.

use crate::error::{Error, Status};
use crate::http::Precondition;
use crate::storage::{FileVersion, TokenStorage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The condition that the file is still the one that the refresh token was read from. Planet's SDK
/// takes no lock and may rotate the token while metadata is fetched or a `Retry-After` passes.
pub(super) struct FileUnchanged {
    storage: Arc<dyn TokenStorage>,
    version: Option<FileVersion>,
    violated: Arc<AtomicBool>,
}

impl FileUnchanged {
    /// `version`: as it was read; `None` if the refresh token is not from a file with a known
    /// version.
    pub(super) fn new(storage: Arc<dyn TokenStorage>, version: Option<FileVersion>) -> Self {
        FileUnchanged { storage, version, violated: Arc::default() }
    }

    /// The condition for the HTTP layer.
    pub(super) fn precondition(&self) -> Precondition {
        let (storage, version, violated) =
            (self.storage.clone(), self.version, self.violated.clone());
        Arc::new(move || match version {
            Some(version) if storage.file_version() != version => {
                violated.store(true, Ordering::Relaxed);
                Err(Error::new(
                    Status::Storage,
                    "another program keeps changing the saved session; try again",
                )
                .with_retryable(true))
            }
            _ => Ok(()),
        })
    }

    /// Whether a send was prevented.
    pub(super) fn was_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }
}
