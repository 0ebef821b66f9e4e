//! Where a session's tokens are kept between renewals.

mod memory;

pub use memory::Memory;

use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::error::Result;
use std::sync::Arc;

/// A token set with the moment at which it was received.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the authorization server answered.
    pub tokens: TokenSet,
    /// When, on both clocks.
    pub received: Moment,
}

/// Held while a token is renewed and kept; dropping it unlocks.
pub trait Lock {}

/// Keeps one session's tokens. Called from any thread.
pub trait Storage: Send + Sync {
    /// What is kept, if anything.
    ///
    /// Errors: STORAGE.
    fn load(&self) -> Result<Option<Arc<Stored>>>;

    /// Replaces what is kept.
    ///
    /// Errors: STORAGE; what was kept before is then still there.
    fn save(&self, stored: Arc<Stored>) -> Result<()>;

    /// Keeps every other user of the same storage from renewing, until the lock is dropped.
    ///
    /// Errors: STORAGE.
    fn lock(&self) -> Result<Box<dyn Lock + '_>>;
}
