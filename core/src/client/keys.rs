//! The keys of the client's server, cached.

use super::{Client, Endpoint};
use crate::error::Result;
use crate::http::{Http, Patience};
use crate::oauth::jwks::{self, Jwks};
use std::sync::Arc;

/// Keys are asked for again after this: one that a server has withdrawn is not trusted for longer.
const KEYS_AGE_MS: u64 = 10 * 60 * 1000;
/// A token with an unknown key makes the keys be asked for again, but not more often than this.
const KEYS_SPACING_MS: u64 = 60 * 1000;

impl Client {
    /// The server's keys: the last copy while it is young. `refetch`: a key was not among them, so they are asked for again unless that was
    /// done a moment ago.
    pub(crate) fn keys(&self, http: &Http, refetch: bool, deadline_ms: u64) -> Result<Arc<Jwks>> {
        let now = http.clock().now();
        if let Some(cached) = self.keys.load_full() {
            let age_ms = now.monotonic_ms.saturating_sub(cached.1.monotonic_ms);
            if age_ms < if refetch { KEYS_SPACING_MS } else { KEYS_AGE_MS } {
                return Ok(Arc::new(cached.0.clone()));
            }
        }
        let uri = self.required_endpoint(Endpoint::Jwks, http, Patience::Patient, deadline_ms)?;
        let keys = jwks::fetch(http, &uri, Patience::Patient, deadline_ms)?;
        self.keys.store(Some(Arc::new((keys.clone(), now))));
        Ok(Arc::new(keys))
    }
}
