//! Tokens in memory: gone with the session.

use super::{Kept, Lock, Memo, Seen, Storage, Stored};
use crate::clock::Moment;
use crate::error::Result;
use arc_swap::{ArcSwap, ArcSwapOption};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Keeps tokens as long as it lives. It holds no lock of its own, so that a forked child never meets one that the parent left locked.
///
/// One session owns it, and a session has one renewal in flight at a time: there is nobody to lock out.
#[derive(Debug, Default)]
pub struct Memory {
    stored: ArcSwapOption<Stored>,
    memo: ArcSwap<Memo>,
}

impl Storage for Memory {
    fn load(&self, _: Moment, _: bool) -> Result<(Kept, Seen)> {
        Ok((self.stored.load_full().map_or(Kept::Nothing, Kept::Tokens), Seen::Unknown))
    }

    fn save(&self, stored: &Stored) -> Result<Seen> {
        self.stored.store(Some(Arc::new(stored.clone())));
        let mut memo = self.memo();
        memo.forget_failures();
        self.remember(&memo);
        Ok(Seen::Unknown)
    }

    fn remove(&self) -> Result<bool> {
        Ok(self.stored.swap(None).is_some())
    }

    fn lock(&self, _: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        Ok(None)
    }

    fn seen(&self) -> Seen {
        Seen::Unknown
    }

    fn memo(&self) -> Memo {
        self.memo.load().as_ref().clone()
    }

    fn remember(&self, memo: &Memo) {
        self.memo.store(Arc::new(memo.clone()));
    }

    fn quarantine(&self, _: Moment) -> Result<()> {
        Ok(())
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}
