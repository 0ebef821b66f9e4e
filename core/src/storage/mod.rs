//! Where a session's tokens are saved between renewals, and what keeps processes from renewing them at once.

pub(crate) mod atomic_file;
mod custom;
mod failure_record;
mod file_storage;
mod lock;
mod memory;
pub mod python_json;
pub mod sops;
mod token_file;

pub use crate::file::{CheckedPath, Disk, NOTICE_TARGET, RealDisk, Step, Version, read_secret_file};
pub use custom::{CustomStorage, StorageCallbacks};
pub use failure_record::{Failure, FailureRecord, Receipt};
pub use file_storage::FileStorage;
pub use memory::Memory;
pub use token_file::fingerprint;

use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::error::{Error, Reason, Result, Status};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// A token set and how long its access token still lives.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the authorization server answered. Its access token may be empty where a file holds a refresh token only.
    pub tokens: TokenSet,
    /// When this was received or read, on both clocks.
    pub at: Moment,
    /// Milliseconds that the access token lived on from then.
    pub remaining_ms: u64,
    /// When it ends, or ended, in Unix milliseconds.
    pub expires_unix_ms: u64,
    /// How many times in a row a token was requested because an API refused the one before.
    pub rejections: u32,
    /// Whether the server was known to have revoked the refresh token when this was read.
    pub is_revoked: bool,
}

impl Stored {
    /// An answer that just came.
    pub fn received(tokens: TokenSet, now: Moment) -> Self {
        let remaining_ms = tokens.lifetime_ms;
        let expires_unix_ms = now.unix_ms.saturating_add(remaining_ms);
        Stored { tokens, at: now, remaining_ms, expires_unix_ms, rejections: 0, is_revoked: false }
    }

    /// The same, requested because an API has refused so many tokens in a row.
    pub(crate) fn after_rejections(self, rejections: u32) -> Self {
        Stored { rejections, ..self }
    }

    fn received_unix_ms(&self) -> u64 {
        self.at.unix_ms.saturating_add(self.remaining_ms).saturating_sub(self.tokens.lifetime_ms)
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
    /// Tells one stored session from another.
    pub(crate) fn identity(&self) -> Option<String> {
        match self {
            Saved::Tokens(stored) => Some(token_file::identity(&stored.tokens.members.0)),
            Saved::Nothing | Saved::Foreign => None,
        }
    }
}

/// Whose tokens a storage is to hold; those of others are not used.
#[derive(Clone, Debug, Default)]
pub struct Binding {
    /// The fingerprint of issuer, client, and what a machine asks for.
    pub fingerprint: String,
    /// The issuer, where it is known: a JWT that names another is not this session's.
    pub issuer: Option<String>,
    /// What a machine asks for: a token that states less is not for this session.
    pub scopes: Vec<String>,
    /// Whether it is a machine's, which needs no refresh token.
    pub is_m2m: bool,
    /// Whether nobody else's tokens are saved in this place: a refresh token there does not mean that a person has logged in.
    pub owns_place: bool,
}

impl From<String> for Binding {
    fn from(fingerprint: String) -> Self {
        Binding { fingerprint, ..Binding::default() }
    }
}

/// The state of a storage, as far as it can be told without reading it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FileVersion {
    /// It cannot: it must be read.
    #[default]
    Unknown,
    /// There is nothing.
    Absent,
    /// Something in this state.
    At(Version),
}

/// Held while a token is renewed and saved; dropping it unlocks.
pub trait Lock: Send {}

/// Keeps one session's tokens. Called from any thread.
pub trait Storage: Send + Sync {
    /// What is saved, with the state that it was read in. `patient`: a torn file is read again for a while, which may block for a second.
    ///
    /// Errors: STORAGE; LOGIN_REQUIRED with the reason `corrupt`, only when patient, after which [`Storage::quarantine`] puts it aside.
    fn load(&self, now: Moment, patient: bool) -> Result<(Saved, FileVersion)>;

    /// Replaces what is saved. Call it under the lock.
    ///
    /// Errors: STORAGE; what was saved before is then still there.
    fn save(&self, stored: &Stored) -> Result<FileVersion>;

    /// Whether [`Storage::save`] would succeed now, as far as can be told without it. Call it under the lock. Errors: STORAGE.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Forgets what is saved; `false` where there was nothing. Errors: STORAGE.
    fn remove(&self) -> Result<bool>;

    /// Keeps every other user of the same storage from renewing, until the lock is dropped; `None` where there is nothing to lock.
    ///
    /// Blocks until `deadline`. Errors: TIMEOUT, STORAGE.
    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>>;

    /// Who keeps this process from the lock, as [`Storage::lock`] says it in the end; `None` where nobody does, or nobody knows.
    fn busy(&self) -> Option<Error> {
        None
    }

    /// The issuer that the saved token names, if it is another than the session's: why tokens are [`Saved::Foreign`].
    fn other_issuer(&self) -> Option<String> {
        None
    }

    /// Whether it changed since. One system call at most.
    fn file_version(&self) -> FileVersion;

    /// What is remembered beside the tokens.
    fn failure_record(&self) -> FailureRecord;

    /// Replaces what is remembered. Call it under the lock. A failure is logged: a memory less costs a request more.
    fn save_failure_record(&self, record: &FailureRecord);

    /// Puts aside what cannot be read. Call it under the lock. Errors: STORAGE.
    fn quarantine(&self, now: Moment) -> Result<()>;

    /// The file, for `status()`.
    fn path(&self) -> Option<&Path>;
}

fn corrupt(what: &str) -> Error {
    let message = format!("{what} is damaged, and put aside unless it is empty; log in again");
    Error::new(Status::LoginRequired, message).with_reason(Reason::Corrupt)
}
