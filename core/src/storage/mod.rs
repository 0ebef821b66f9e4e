//! The storage of a session's tokens, and the lock that prevents processes from refreshing them at
//! the same time.

pub(crate) mod atomic_file;
mod custom;
mod failure_record;
mod file_storage;
mod lock;
mod memory;
mod purpose;
pub mod python_json;
#[cfg(feature = "store")]
pub mod redis_store;
mod session_directory;
pub mod sops;
pub mod storage_command;
mod store_status;
mod token_file;

pub use crate::file::{
    CheckedPath, Disk, NOTICE_TARGET, RealDisk, Step, Version, read_secret_file,
};
pub use custom::{CustomStorage, Storage};
pub use failure_record::{Failure, FailureRecord, Receipt};
pub use file_storage::FileStorage;
pub use memory::Memory;
pub use purpose::Purpose;
pub use store_status::StoreStatus;
pub use token_file::fingerprint;

use crate::clock::{Moment, millis};
use crate::credential::TokenSet;
use crate::error::{Error, Reason, Result, Status};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A token set and when its access token expires.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The token response. The access token may be empty if a file holds a refresh token only.
    pub tokens: TokenSet,
    /// When this was received or read, on both clocks.
    pub at: Moment,
    /// How long the access token was still valid then.
    pub remaining: Duration,
    /// When it expires or expired, in Unix milliseconds.
    pub expires_unix_ms: u64,
    /// How many times in a row a token was requested because an API rejected the previous one.
    pub rejections: u32,
    /// Whether the server was known to have revoked the refresh token when this was read.
    pub is_revoked: bool,
}

impl Stored {
    /// A token response that was received now.
    pub fn received(tokens: TokenSet, now: Moment) -> Self {
        let remaining = tokens.lifetime;
        let expires_unix_ms = (now + remaining).unix_ms;
        Stored { tokens, at: now, remaining, expires_unix_ms, rejections: 0, is_revoked: false }
    }

    /// The same, requested because an API rejected this many tokens in a row.
    pub(crate) fn after_rejections(self, rejections: u32) -> Self {
        Stored { rejections, ..self }
    }

    fn received_unix_ms(&self) -> u64 {
        (self.at + self.remaining).unix_ms.saturating_sub(millis(self.tokens.lifetime))
    }
}

/// What a storage holds for a session.
#[derive(Clone, Debug, Default)]
pub enum Saved {
    /// Nothing.
    #[default]
    Nothing,
    /// Tokens of another client or server, or for other scopes: not this session's.
    Foreign,
    /// This session's tokens.
    Tokens(Arc<Stored>),
}

impl Saved {
    /// Distinguishes one saved session from another.
    pub(crate) fn identity(&self) -> Option<String> {
        match self {
            Saved::Tokens(stored) => Some(token_file::identity(&stored.tokens.members.0)),
            Saved::Nothing | Saved::Foreign => None,
        }
    }
}

/// The client whose tokens a storage holds. Tokens of other clients are not used.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The fingerprint of issuer, client, and what an M2M client requests.
    pub fingerprint: String,
    /// The issuer, if it is known: a JWT that names another one is not this session's.
    pub issuer: Option<String>,
    /// What an M2M client requests: a token that states less is not for this session.
    pub scopes: Vec<String>,
    /// Whether it is an M2M client, which needs no refresh token.
    pub is_m2m: bool,
    /// Whether no other client saves tokens at this place: a refresh token there does not mean that
    /// a user logged in.
    pub owns_place: bool,
}

impl From<String> for Binding {
    fn from(fingerprint: String) -> Self {
        Binding { fingerprint, ..Binding::default() }
    }
}

/// The state of a storage, as far as it is known without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileVersion {
    /// Not known: it must be read.
    #[default]
    Unknown,
    /// Nothing is saved.
    Absent,
    /// Something is saved, in this state.
    At(Version),
}

/// Held while a token is refreshed and saved. Dropping it unlocks.
pub trait Lock: Send {}

/// What [`TokenStorage::load`] does with a file that another program is writing, or that is
/// damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TornRead {
    /// Fail at once, with STORAGE.
    Fail,
    /// Read it again for some time, which may block for a second. If it stays torn, it is damaged.
    Retry,
}

/// What became of [`Storage::save_over`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saving {
    /// The tokens are saved, in this version.
    Saved(FileVersion),
    /// Another process saved a session since. It was not replaced.
    Overtaken,
}

/// A refresh token that is about to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending<'a> {
    /// Its mark.
    pub mark: &'a str,
    /// The identity of the saved tokens that the response replaces, if any are saved.
    pub replaced: Option<&'a str>,
    /// How long the request may take.
    pub timeout: Duration,
}

/// Saves the tokens of one session. Called from any thread.
pub trait TokenStorage: Send + Sync {
    /// What is saved, with the version that was read.
    ///
    /// Errors: STORAGE; LOGIN_REQUIRED with the reason `corrupt` for a damaged file, with
    /// [`TornRead::Retry`] only. [`TokenStorage::quarantine`] renames it.
    fn load(&self, now: Moment, torn: TornRead) -> Result<(Saved, FileVersion)>;

    /// Replaces what is saved. Call it under the lock.
    ///
    /// Errors: STORAGE; then what was saved before is unchanged.
    fn save(&self, stored: &Stored) -> Result<FileVersion>;

    /// As [`TokenStorage::save`], for tokens that were requested instead of the saved ones with the
    /// identity `replaced`. A storage that compares saves nothing if others are saved meanwhile.
    fn save_over(&self, stored: &Stored, replaced: Option<&str>) -> Result<Saving> {
        let _ = replaced;
        self.save(stored).map(Saving::Saved)
    }

    /// Called under the lock immediately before each send of a refresh token; `false` if the
    /// storage holds another session since it was read.
    ///
    /// Errors: the token must not be sent.
    fn announce(&self, sending: &Sending<'_>) -> Result<bool> {
        let _ = sending;
        Ok(true)
    }

    /// Whether [`TokenStorage::save`] would succeed now, as far as is known without it. Call it under
    /// the lock. Errors: STORAGE.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Deletes what is saved; `false` if there was nothing. Errors: STORAGE.
    fn remove(&self) -> Result<bool>;

    /// Prevents every other user of the same storage from refreshing, until the lock is dropped;
    /// `None` if there is nothing to lock.
    ///
    /// Blocks until `deadline`. Errors: TIMEOUT, STORAGE.
    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>>;

    /// As [`TokenStorage::lock`], for a refresh with this purpose.
    fn lock_for(&self, deadline: Instant, purpose: Purpose) -> Result<Option<Box<dyn Lock + '_>>> {
        let _ = purpose;
        self.lock(deadline)
    }

    /// The error of [`TokenStorage::lock`] if a call of it is waiting, or timed out; `None` if the
    /// last one took the lock.
    fn contention(&self) -> Option<Error> {
        None
    }

    /// The issuer that the saved token names, if it is not the session's: why tokens are
    /// [`Saved::Foreign`].
    fn other_issuer(&self) -> Option<String> {
        None
    }

    /// The current version. At most one system call.
    fn file_version(&self) -> FileVersion;

    /// The failure record that planetkey saves next to the tokens.
    fn failure_record(&self) -> FailureRecord;

    /// Replaces the failure record. Call it under the lock. A failure is only logged: without the
    /// record there are only more requests.
    fn save_failure_record(&self, record: &FailureRecord);

    /// Renames what cannot be read. Call it under the lock. Errors: STORAGE.
    fn quarantine(&self, now: Moment) -> Result<()>;

    /// The file, for `status()`.
    fn path(&self) -> Option<&Path>;

    /// What is known about the store or program that it uses, for `status()`.
    fn store_status(&self) -> Option<StoreStatus> {
        None
    }

    /// Reads what the store holds, for [`TokenStorage::store_status`]. Blocks; uses the network, or
    /// runs a program.
    fn contact_store(&self, now: Moment) {
        let _ = now;
    }

    /// Whether it is not known if it holds a session, because to read it takes the network or a
    /// program.
    fn is_unread(&self) -> bool {
        false
    }
}

fn corrupt(what: &str) -> Error {
    let message = format!("{what} is damaged, and was renamed unless it is empty; log in again");
    Error::new(Status::LoginRequired, message).with_reason(Reason::Corrupt)
}
