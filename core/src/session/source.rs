//! One credential source of a session: static (an API key) or renewing (tokens).

use super::flight::Wait;
use super::renewing::Renewing;
use super::snapshot::Snapshot;
use crate::authorize::{Kind, api_key};
use crate::credential::{ApiKey, ApiKeyTransport};
use crate::error::{Error, Result};
use crate::secret::Secret;
use std::sync::Arc;

pub(crate) enum Credential {
    Static { key: ApiKey, transport: ApiKeyTransport, snapshot: Arc<Snapshot> },
    Renewing(Arc<Renewing>),
}

/// A credential with where it comes from.
pub(crate) struct Source {
    pub(crate) credential: Credential,
    /// For people: `environment: PL_API_KEY`.
    pub(crate) origin: String,
    pub(crate) profile: Option<String>,
}

impl Source {
    /// Errors: INVALID_ARGUMENT for what is no API key, or cannot travel in this form.
    pub(crate) fn api_key(key: &str, transport: ApiKeyTransport, origin: &str, profile: Option<String>) -> Result<Self> {
        let key = ApiKey::new(key)?;
        let header = match transport {
            ApiKeyTransport::Basic => api_key::basic(&key),
            ApiKeyTransport::Header if !key.expose().is_ascii() => {
                return Err(Error::invalid_argument(
                    "this API key holds a character that a header cannot carry; use the transport basic",
                ));
            }
            ApiKeyTransport::Header => api_key::header(&key),
            ApiKeyTransport::Query => Secret::default(),
        };
        let snapshot = Arc::new(Snapshot::fixed(header));
        Ok(Source { credential: Credential::Static { key, transport, snapshot }, origin: origin.to_owned(), profile })
    }

    pub(crate) fn kind(&self) -> Kind {
        match &self.credential {
            Credential::Static { .. } => Kind::ApiKey,
            Credential::Renewing(renewing) => renewing.client.kind(),
        }
    }

    /// What is there without waiting.
    #[inline]
    pub(crate) fn cached(&self) -> Option<Arc<Snapshot>> {
        match &self.credential {
            Credential::Static { snapshot, .. } => Some(snapshot.clone()),
            Credential::Renewing(renewing) => renewing.cached(),
        }
    }

    /// Whether requests can be served without a person.
    pub(crate) fn is_initialized(&self) -> bool {
        match &self.credential {
            Credential::Static { .. } => true,
            Credential::Renewing(renewing) => renewing.is_initialized(),
        }
    }

    /// Whether there is something to send; unlike [`Source::cached`] this starts no renewal.
    pub(crate) fn is_usable(&self) -> bool {
        match &self.credential {
            Credential::Static { .. } => true,
            Credential::Renewing(renewing) => renewing.is_usable(),
        }
    }

    /// What is there, renewed if need be.
    #[inline]
    pub(crate) fn current(&self, wait: Wait<'_>) -> Result<Arc<Snapshot>> {
        match &self.credential {
            Credential::Static { snapshot, .. } => Ok(snapshot.clone()),
            Credential::Renewing(renewing) => renewing.current(wait),
        }
    }

    /// As [`Source::current`], lent.
    #[inline]
    pub(crate) fn with_current<T>(&self, wait: Wait<'_>, use_it: impl FnOnce(&Snapshot) -> T) -> Result<T> {
        match &self.credential {
            Credential::Static { snapshot, .. } => Ok(use_it(snapshot)),
            Credential::Renewing(renewing) => renewing.with_current(wait, |snapshot| use_it(snapshot)),
        }
    }

    /// The key and its form, of a static source.
    pub(crate) fn key(&self) -> Option<(&ApiKey, ApiKeyTransport)> {
        match &self.credential {
            Credential::Static { key, transport, .. } => Some((key, *transport)),
            Credential::Renewing(_) => None,
        }
    }

    pub(crate) fn renewing(&self) -> Option<&Arc<Renewing>> {
        match &self.credential {
            Credential::Static { .. } => None,
            Credential::Renewing(renewing) => Some(renewing),
        }
    }

    pub(crate) fn transport_name(&self) -> &'static str {
        self.key().map_or("bearer", |(_, transport)| transport.name())
    }
}
