//! The credential that one request carries.

use super::choice::Choice;
use crate::credential::{CredentialKind, Transport};
use crate::secret::Secret;
use crate::token_cache::CachedToken;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The credential of one request: headers, and the URL to send it to.
pub struct Authorization {
    snapshot: Arc<CachedToken>,
    url: Secret,
    transport: Transport,
    source: Arc<str>,
    source_index: usize,
    under_development: bool,
}

impl Authorization {
    pub(super) fn new(
        choice: &Choice<'_>,
        snapshot: Arc<CachedToken>,
        url: Secret,
        under_development: bool,
    ) -> Self {
        Authorization {
            snapshot,
            url,
            transport: choice.source.transport(),
            source: choice.source.label.clone(),
            source_index: choice.index,
            under_development,
        }
    }

    /// The URL to request: the given URL, with `api_key` if the key is sent in the URL, and without
    /// it otherwise.
    pub fn url(&self) -> &str {
        self.url.expose()
    }

    /// The headers to set: `Authorization`, or none if the key is sent in the URL.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.header_value().map(|value| ("Authorization", value)).into_iter()
    }

    /// The value of `Authorization`.
    pub fn header_value(&self) -> Option<&str> {
        (self.transport != Transport::Query).then(|| self.snapshot.header())
    }

    /// The kind of credential.
    pub fn credential(&self) -> CredentialKind {
        match self.transport {
            Transport::Bearer => CredentialKind::AccessToken,
            _ => CredentialKind::ApiKey,
        }
    }

    /// The access token itself; `None` for an API key.
    pub fn access_token(&self) -> Option<&str> {
        (self.transport == Transport::Bearer).then(|| self.snapshot.token())
    }

    /// How the request carries the credential.
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Where the credential was found, as in [`SourceStatus::source`](super::SourceStatus::source).
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The index of the credential's source in the session.
    pub fn source_index(&self) -> usize {
        self.source_index
    }

    /// Unix seconds at which the token expires; `None` for an API key.
    pub fn expires_at(&self) -> Option<i64> {
        self.snapshot.expires_at
    }

    /// Increases whenever this source's header changes.
    pub fn generation(&self) -> u64 {
        self.snapshot.generation
    }

    /// Whether Planet lists this credential at this host as under development.
    pub fn under_development(&self) -> bool {
        self.under_development
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Authorization({} from {}, generation {})",
            self.transport(),
            self.source,
            self.generation()
        )
    }
}

/// The outcome of a call that never blocks.
#[derive(Debug)]
#[non_exhaustive]
pub enum Immediate {
    /// No credential of this session may go to the URL.
    Nothing,
    /// The authorization for the request.
    Authorization(Authorization),
    /// A credential exists, but the call would have to wait for a token.
    WouldBlock,
}

/// The value of the `Authorization` header, lent by a session.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Header<'a> {
    /// The value itself, a secret.
    pub value: &'a str,
    /// As [`Authorization::source_index`].
    pub source_index: usize,
    /// As [`Authorization::generation`].
    pub generation: u64,
    /// As [`Authorization::under_development`].
    pub under_development: bool,
}

impl fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Header([redacted], generation {})", self.generation)
    }
}

/// The access token at the time of the call. It does not change when the session refreshes.
pub struct AccessToken(pub(super) Arc<CachedToken>);

impl AccessToken {
    /// Increases whenever the session gets another token.
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Unix seconds at which it expires.
    pub fn expires_at(&self) -> Option<i64> {
        self.0.expires_at
    }
}

impl Deref for AccessToken {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.token()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AccessToken([redacted], generation {})", self.generation())
    }
}
