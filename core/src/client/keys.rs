//! The keys of the client's server, cached.

use super::{Client, Endpoint};
use crate::error::{Result, Status};
use crate::http::CallContext;
use crate::oauth::jose::{Algorithm, DEFAULT_ALGORITHMS};
use crate::oauth::jwks::{self, Jwks};
use crate::oauth::metadata::Metadata;
use std::sync::Arc;
use std::time::Duration;

/// Keys are requested again after this time. A key that the server withdrew is not trusted for
/// longer.
const KEYS_AGE: Duration = Duration::from_secs(10 * 60);
/// A token with an unknown key causes another request, but not more often than this.
const KEYS_SPACING: Duration = Duration::from_secs(60);

/// Which of the server's keys a caller wants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantedKeys {
    /// The cached ones, unless they are old.
    Cached,
    /// A key was not among the cached ones: request them again, unless that was done a moment ago.
    Newer,
}

impl Client {
    /// The accepted signature algorithms of ID tokens: those that the server announces, within
    /// [`Algorithm::ACCEPTED`]; RS256 if it announces none (OpenID Connect Core 3.1.3.7, 7.).
    /// `named`: the algorithm that the token names.
    ///
    /// Errors: as [`crate::oauth::metadata::fetch`], except for a server without metadata.
    pub(crate) fn id_token_algorithms(
        &self,
        named: Option<Algorithm>,
        call: &CallContext<'_>,
    ) -> Result<Vec<Algorithm>> {
        // If the configuration names the keys, an algorithm that is accepted by default needs no
        // metadata.
        if self.is_configured(Endpoint::Jwks)
            && named.is_none_or(|named| DEFAULT_ALGORITHMS.contains(&named))
        {
            return Ok(DEFAULT_ALGORITHMS.to_vec());
        }
        let announced = |metadata: &Metadata| {
            Algorithm::announced(metadata.id_token_signing_alg_values_supported.as_deref())
        };
        let accepted = match self.metadata(call) {
            Ok(metadata) => announced(&metadata.0),
            Err(error) if error.status() == Status::Misconfigured => {
                return Ok(DEFAULT_ALGORITHMS.to_vec());
            }
            Err(error) => return Err(error),
        };
        let may_be_new = named.is_some_and(|named| {
            Algorithm::ACCEPTED.contains(&named) && !accepted.contains(&named)
        });
        match may_be_new.then(|| self.newer_metadata(call)).flatten() {
            Some(newer) => Ok(announced(&newer.0)),
            None => Ok(accepted),
        }
    }

    /// The server's keys: the cached ones while they are young.
    pub(crate) fn keys(&self, call: &CallContext<'_>, wanted: WantedKeys) -> Result<Arc<Jwks>> {
        let longest = match wanted {
            WantedKeys::Cached => KEYS_AGE,
            WantedKeys::Newer => KEYS_SPACING,
        };
        let now = call.clock().now();
        if let Some(cached) = self.keys.load_full() {
            let age = now.monotonic - cached.1.monotonic;
            if age < longest {
                return Ok(Arc::new(cached.0.clone()));
            }
        }
        let uri = self.required_endpoint(Endpoint::Jwks, call)?;
        let keys = jwks::fetch(call, &uri)?;
        self.keys.store(Some(Arc::new((keys.clone(), now))));
        Ok(Arc::new(keys))
    }
}
