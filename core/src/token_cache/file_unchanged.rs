//! What happens immediately before each send of a refresh token: the file version is compared, and
//! a storage that other machines share is told.

use crate::error::{Error, Status};
use crate::http::Precondition;
use crate::storage::{FileVersion, Sending, TokenStorage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The condition that the file is still the one that the refresh token was read from. Planet's SDK
/// takes no lock and may rotate the token while metadata is fetched or a `Retry-After` passes.
pub(super) struct FileUnchanged {
    storage: Arc<dyn TokenStorage>,
    version: Option<FileVersion>,
    announcement: Arc<Announcement>,
    violated: Arc<AtomicBool>,
}

/// As [`Sending`].
pub(super) struct Announcement {
    pub(super) mark: String,
    pub(super) replaced: Option<String>,
    pub(super) timeout: Duration,
}

impl FileUnchanged {
    /// `version`: as it was read; `None` if the refresh token is not from a file with a known
    /// version.
    pub(super) fn new(
        storage: Arc<dyn TokenStorage>,
        version: Option<FileVersion>,
        announcement: Announcement,
    ) -> Self {
        let announcement = Arc::new(announcement);
        FileUnchanged { storage, version, announcement, violated: Arc::default() }
    }

    /// The condition for the HTTP layer.
    pub(super) fn precondition(&self) -> Precondition {
        let (storage, version, violated) =
            (self.storage.clone(), self.version, self.violated.clone());
        let announcement = self.announcement.clone();
        Arc::new(move || {
            let is_same = version.is_none_or(|version| storage.file_version() == version);
            let sending = Sending {
                mark: &announcement.mark,
                replaced: announcement.replaced.as_deref(),
                timeout: announcement.timeout,
            };
            if is_same && storage.announce(&sending)? {
                return Ok(());
            }
            violated.store(true, Ordering::Relaxed);
            let message = "another program keeps changing the saved session; try again";
            Err(Error::new(Status::Storage, message).with_retryable(true))
        })
    }

    /// Whether a send was prevented, because another session is saved.
    pub(super) fn was_violated(&self) -> bool {
        self.violated.load(Ordering::Relaxed)
    }
}
