//! Token introspection (RFC 7662). An answer is about its moment and is kept by nobody here.

use super::client_authentication::ClientAuthentication;
use super::exchange;
use crate::error::{Error, Result};
use crate::http::{Form, Http, Patience, Replay};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::fmt;

/// What the server says of a token.
#[derive(Clone)]
pub struct Introspection {
    /// Whether it is accepted.
    pub active: bool,
    /// Everything that was said, `active` too.
    pub members: Map<String, Value>,
}

/// About whom a token speaks is nobody's business in a log.
impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("active", &self.active).finish_non_exhaustive()
    }
}

/// Asks the server about a token (RFC 7662 2.1).
///
/// Blocks; uses the network. Errors: MISCONFIGURED (invalid_client, ...), UNAVAILABLE, TIMEOUT, PROTOCOL.
pub fn introspect(
    http: &Http,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    token: &Secret,
    token_type_hint: Option<&str>,
    patience: Patience,
    deadline_ms: u64,
) -> Result<Introspection> {
    let mut form = Form::default();
    form.add("token", token.expose())?;
    form.add("token_type_hint", token_type_hint.unwrap_or(""))?;
    let (request, response) = exchange::post(http, endpoint, authentication, form, Replay::Safe, patience, deadline_ms)?;
    if !response.is_success() {
        return Err(exchange::refused(&request, &response, authentication, http.clock().now().unix_ms));
    }
    let document = exchange::json(&request, &response)?.take();
    if let Some(error) = exchange::error_response(&request, &response, &document) {
        return Err(exchange::name_client(error, authentication));
    }
    match (document.get("active").and_then(Value::as_bool), document) {
        (Some(active), Value::Object(members)) => Ok(Introspection { active, members }),
        _ => Err(Error::protocol("the introspection response's active is not true or false (RFC 7662 2.2)")),
    }
}
