//! The token of an M2M client in the store, and also where it would be saved without the store: the
//! processes of one machine share it there, and one of them goes to the store.
//!
//! Whatever happens to the store, the client gets its token.

use super::holding::Busy;
use super::{RedisStore, Rule, StoreSettings};
use crate::clock::Moment;
use crate::error::{Error, Reason, Result, Status};
use crate::storage::{
    Binding, FailureRecord, FileVersion, Lock, Purpose, Saved, Saving, StoreStatus, Stored,
    TokenStorage, TornRead,
};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A holder that has not extended its lock for longer has ended, or is stopped.
const MISSED: Duration = Duration::from_secs(5);
/// A caller keeps this part of its time, a third, for a request of its own.
const OWN_REQUEST_SHARE: u32 = 3;

/// A token that all machines share.
pub struct TokenInStore {
    local: Arc<dyn TokenStorage>,
    store: RedisStore,
}

/// The locks of both. That of the store is released first.
struct Both<'a> {
    _store: Option<Box<dyn Lock + 'a>>,
    _local: Option<Box<dyn Lock + 'a>>,
}

impl Lock for Both<'_> {}

impl TokenInStore {
    /// The token of this client. `local`: where it would be saved without the store.
    pub fn new(settings: StoreSettings, binding: Binding, local: Arc<dyn TokenStorage>) -> Self {
        // Only a holder of the secret can find the record, and two secrets of one client, during
        // a rotation, do not overwrite each other's token.
        let name = settings.keys.name(&["m2m", &binding.fingerprint]);
        TokenInStore { local, store: RedisStore::new(settings, binding, &name) }
    }

    fn shared(&self, now: Moment) -> Option<Arc<Stored>> {
        match self.store.load(now) {
            Ok(Saved::Tokens(shared)) => Some(shared),
            Ok(Saved::Nothing | Saved::Foreign) => None,
            Err(error) => {
                log::debug!("{error}");
                None
            }
        }
    }

    fn on_disk(&self, now: Moment) -> (Saved, FileVersion) {
        let error = match self.local.load(now, TornRead::Retry) {
            Ok(found) => return found,
            Err(error) => error,
        };
        log::warn!("{error}");
        if error.reason() == Some(Reason::Corrupt)
            && let Err(error) = self.local.quarantine(now)
        {
            log::warn!("{error}");
        }
        (Saved::Nothing, self.local.file_version())
    }

    fn warn(error: &Error) {
        log::warn!("{error}; other machines may request a token for this client at the same time");
    }
}

impl TokenStorage for TokenInStore {
    /// The newer one of both. Without [`TornRead::Retry`] the store is not asked, because that
    /// takes the network.
    fn load(&self, now: Moment, torn: TornRead) -> Result<(Saved, FileVersion)> {
        if torn == TornRead::Fail {
            return self.local.load(now, torn);
        }
        let (mine, version) = self.on_disk(now);
        let Some(shared) = self.shared(now) else { return Ok((mine, version)) };
        if let Saved::Tokens(mine) = &mine
            && mine.remaining >= shared.remaining
        {
            return Ok((Saved::Tokens(mine.clone()), version));
        }
        // The other processes of this machine find it without the store.
        let version = self.local.save(&shared).unwrap_or_else(|error| {
            log::debug!("{error}");
            self.local.file_version()
        });
        Ok((Saved::Tokens(shared), version))
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        if let Err(error) = self.store.save(stored, Rule::Any) {
            TokenInStore::warn(&error);
        }
        self.local.save(stored)
    }

    fn save_over(&self, stored: &Stored, replaced: Option<&str>) -> Result<Saving> {
        match self.store.save(stored, Rule::Newer(replaced)) {
            Ok(true) => {}
            Ok(false) => log::debug!("another machine saved a token that expires later"),
            Err(error) => TokenInStore::warn(&error),
        }
        self.local.save(stored).map(Saving::Saved)
    }

    fn check(&self) -> Result<()> {
        self.local.check()
    }

    fn remove(&self) -> Result<bool> {
        let was_shared = self.store.remove().unwrap_or_else(|error| {
            log::warn!("{error}");
            false
        });
        Ok(self.local.remove()? || was_shared)
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        self.lock_for(deadline, Purpose::TokenNeeded)
    }

    /// Errors: as those of the local storage; TIMEOUT if no caller waits for the token and another
    /// machine is refreshing it.
    fn lock_for(&self, deadline: Instant, purpose: Purpose) -> Result<Option<Box<dyn Lock + '_>>> {
        let local = match self.local.lock(deadline) {
            Err(error) if matches!(error.status(), Status::Storage | Status::Unavailable) => {
                log::warn!("{error}");
                None
            }
            lock => lock?,
        };
        let now = Instant::now();
        let left = deadline.saturating_duration_since(now);
        let latest = deadline.checked_sub(left / OWN_REQUEST_SHARE).unwrap_or(now);
        let is_worth_it = |busy: &Busy| match busy {
            Busy::Held(lasts) => {
                let until = Instant::now() + *lasts;
                *lasts > MISSED || until < latest
            }
            Busy::Sent(_) => true,
        };
        let store: Option<Box<dyn Lock + '_>> = match self.store.lease(latest, is_worth_it) {
            Ok(lease) => Some(Box::new(lease)),
            Err(error) if error.status() == Status::Timeout && purpose == Purpose::Background => {
                return Err(error);
            }
            Err(error) => {
                TokenInStore::warn(&error);
                None
            }
        };
        if local.is_none() && store.is_none() {
            return Ok(None);
        }
        Ok(Some(Box::new(Both { _store: store, _local: local })))
    }

    fn contention(&self) -> Option<Error> {
        self.local.contention().or_else(|| self.store.contention())
    }

    fn other_issuer(&self) -> Option<String> {
        self.local.other_issuer()
    }

    fn file_version(&self) -> FileVersion {
        self.local.file_version()
    }

    fn failure_record(&self) -> FailureRecord {
        let mut record = self.local.failure_record();
        record.merge(self.store.failures());
        record
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.local.save_failure_record(record);
        self.store.save_failures(record);
    }

    fn quarantine(&self, now: Moment) -> Result<()> {
        self.local.quarantine(now)
    }

    fn path(&self) -> Option<&Path> {
        self.local.path()
    }

    fn contact_store(&self, now: Moment) {
        // The status says what happened.
        let _ = self.store.load(now);
    }

    fn store_status(&self) -> Option<StoreStatus> {
        Some(self.store.status().as_ref().clone())
    }
}
