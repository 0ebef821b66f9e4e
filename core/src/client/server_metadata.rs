//! The metadata of the client's server, cached.

use super::{Client, Endpoint};
use crate::clock::Moment;
use crate::error::{Error, Result, Status};
use crate::http::CallContext;
use crate::oauth::metadata::{self, Metadata};
use std::sync::Arc;
use std::time::Duration;

/// Metadata is read again after this. Until then, and if that fails, the last good copy is used.
const METADATA_AGE: Duration = Duration::from_secs(24 * 3600);
/// A younger copy is not read again when nothing exists at the address that it names.
const MOVED_AGE: Duration = Duration::from_secs(60);

impl Client {
    /// The server's metadata: the cached copy while it is young, and an older one if a new one
    /// cannot be read.
    ///
    /// Errors: UNSUPPORTED for a token provider, which has no server.
    pub(crate) fn metadata(&self, call: &CallContext<'_>) -> Result<Arc<(Metadata, Moment)>> {
        if self.provider.is_some() {
            return Err(Error::new(
                Status::Unsupported,
                "a token provider obtains this session's tokens, and planetkey does not know their \
                 server; ask where the tokens come from",
            ));
        }
        let now = call.clock().now();
        let cached = self.metadata.load_full();
        if let Some(cached) = &cached
            && now.monotonic - cached.1.monotonic < METADATA_AGE
        {
            return Ok(cached.clone());
        }
        match metadata::fetch(call, &self.server, &self.issuer, self.insecure_loopback) {
            Ok(fresh) => {
                let fresh = Arc::new((fresh, now));
                self.metadata.store(Some(fresh.clone()));
                Ok(fresh)
            }
            Err(error) => match cached {
                Some(cached) => {
                    log::warn!(
                        "metadata could not be read again ({error}); the last good copy is used"
                    );
                    Ok(cached)
                }
                None => Err(self.of_issuer(error)),
            },
        }
    }

    /// The server's metadata; `None` if it publishes none and the configuration names the endpoints
    /// (RFC 8414 is optional).
    pub(crate) fn metadata_if_any(&self, call: &CallContext<'_>) -> Result<Option<Metadata>> {
        match self.metadata(call) {
            Ok(metadata) => Ok(Some(metadata.0.clone())),
            Err(error)
                if error.status() == Status::Misconfigured
                    && self.endpoints.get(Endpoint::Authorization).is_some() =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The server's metadata, read again because the cached copy looks outdated; `None` if the copy
    /// is young, or the metadata cannot be read.
    pub(crate) fn newer_metadata(&self, call: &CallContext<'_>) -> Option<Arc<(Metadata, Moment)>> {
        let (now, cached) = (call.clock().now(), self.metadata.load_full()?);
        if now.monotonic - cached.1.monotonic < MOVED_AGE {
            return None;
        }
        let loopback = self.insecure_loopback;
        let fresh = metadata::fetch(call, &self.server, &self.issuer, loopback).ok()?;
        let fresh = Arc::new((fresh, now));
        self.metadata.store(Some(fresh.clone()));
        Some(fresh)
    }

    /// The metadata at the URL of RFC 8414, read as rarely as the OpenID form; `None` if it cannot
    /// be read now.
    pub(super) fn rfc8414(
        &self,
        call: &CallContext<'_>,
    ) -> Option<Arc<(Option<Metadata>, Moment)>> {
        let now = call.clock().now();
        let cached = self.rfc8414.load_full();
        let is_young = |cached: &Arc<(Option<Metadata>, Moment)>| {
            now.monotonic - cached.1.monotonic < METADATA_AGE
        };
        if cached.as_ref().is_some_and(is_young) {
            return cached;
        }
        let loopback = self.insecure_loopback;
        let Ok(read) = metadata::fetch_rfc8414(call, &self.server, &self.issuer, loopback) else {
            return cached;
        };
        let read = Arc::new((read, now));
        self.rfc8414.store(Some(read.clone()));
        Some(read)
    }
}
