//! Tokens in memory: gone with the session.

use super::{Lock, Storage, Stored};
use crate::error::Result;
use arc_swap::ArcSwapOption;
use std::sync::Arc;

/// Keeps tokens as long as it lives. It holds no lock of its own, so that a forked child never meets one that the parent left locked.
#[derive(Debug, Default)]
pub struct Memory(ArcSwapOption<Stored>);

/// One session owns the memory, and a session has one renewal in flight at a time: there is nobody to lock out.
struct SoleOwner;

impl Lock for SoleOwner {}

impl Storage for Memory {
    fn load(&self) -> Result<Option<Arc<Stored>>> {
        Ok(self.0.load_full())
    }

    fn save(&self, stored: Arc<Stored>) -> Result<()> {
        self.0.store(Some(stored));
        Ok(())
    }

    fn lock(&self) -> Result<Box<dyn Lock + '_>> {
        Ok(Box::new(SoleOwner))
    }
}
