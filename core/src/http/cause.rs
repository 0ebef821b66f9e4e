//! Why an exchange failed.

use crate::error::{Source, copied};
use std::io;
use std::sync::Arc;

/// Why an exchange failed: words for the message, and the error of the operating system or of the
/// TLS library, if it was one. Both hold no URL, header or body.
#[derive(Clone, Debug)]
pub struct Cause {
    words: String,
    source: Option<Source>,
}

impl Cause {
    /// An error of the operating system, in its own words.
    pub(super) fn io(error: &io::Error) -> Self {
        Cause { words: error.to_string(), source: Some(Arc::new(copied(error))) }
    }

    /// An error of the TLS library, in its own words.
    pub(super) fn tls(error: &rustls::Error) -> Self {
        Cause { words: error.to_string(), source: Some(Arc::new(error.clone())) }
    }

    /// The same source in other words.
    pub(super) fn reworded(self, words: impl FnOnce(&str) -> String) -> Self {
        Cause { words: words(&self.words), source: self.source }
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }

    pub(super) fn into_source(self) -> Option<Source> {
        self.source
    }
}

impl<T: Into<String>> From<T> for Cause {
    fn from(words: T) -> Self {
        Cause { words: words.into(), source: None }
    }
}
