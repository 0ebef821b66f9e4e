//! An application's own storage. Its functions run on the JavaScript thread.

use std::sync::Arc;
use std::time::Duration;

use planetkey::secret::Secret;
use planetkey::storage::Storage;
use planetkey::{Error, Result, Status};

use crate::calls::{Answer, Call, JavaScript};

/// The storage of this number in `lib/storage.cjs`.
pub(crate) struct NodeStorage {
    pub(crate) javascript: Arc<JavaScript>,
    pub(crate) number: u32,
    /// How long a function may take.
    pub(crate) timeout: Duration,
}

impl NodeStorage {
    fn ask(&self, name: &str, call: Call) -> Result<Answer> {
        self.javascript.call(self.number, call, self.timeout)?.ok_or_else(|| {
            let waited = self.timeout.as_millis();
            Error::new(
                Status::Storage,
                format!(
                    "the application's storage failed: its {name} did not return within {waited} ms"
                ),
            )
        })
    }
}

impl Storage for NodeStorage {
    fn load(&self) -> Result<Option<Secret>> {
        match self.ask("load", Call::Load)? {
            Answer::Text(text) => Ok(Some(text)),
            _ => Ok(None),
        }
    }

    fn save(&self, text: Option<&Secret>) -> Result<()> {
        self.ask("save", Call::Save(text.cloned())).map(drop)
    }

    fn lock(&self, timeout: Duration) -> Result<bool> {
        Ok(matches!(
            self.javascript.call(self.number, Call::Lock(timeout), timeout)?,
            Some(Answer::Flag(true))
        ))
    }

    /// Ignores failures: the next call of `lock` reports them.
    fn unlock(&self) {
        drop(self.ask("unlock", Call::Unlock));
    }
}
