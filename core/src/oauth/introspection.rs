//! Token introspection (RFC 7662). A response describes one moment and is not cached.

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use crate::error::{Error, Result};
use crate::http::{CallContext, Form, Replay};
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::fmt;

/// The server's information about a token.
#[derive(Clone)]
pub struct Introspection {
    /// Whether the server accepts the token.
    pub active: bool,
    /// All members of the response, including `active`.
    pub members: Map<String, Value>,
}

/// `Debug` shows no members: they may name the user.
impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("active", &self.active).finish_non_exhaustive()
    }
}

/// Requests information about a token (RFC 7662 2.1).
///
/// Blocks; uses the network. Errors: MISCONFIGURED (invalid_client, ...), UNAVAILABLE, TIMEOUT,
/// PROTOCOL.
pub fn introspect(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    token: &Secret,
    token_type_hint: Option<&str>,
) -> Result<Introspection> {
    let mut form = Form::default();
    form.add("token", token.expose())?;
    form.add("token_type_hint", token_type_hint.unwrap_or(""))?;
    let (request, response) =
        endpoint_request::post(call, endpoint, authentication, form, Replay::Safe)?;
    if !response.is_success() {
        return Err(endpoint_request::refused(
            &request,
            &response,
            authentication,
            call.clock().now().unix_ms,
        ));
    }
    let document = endpoint_request::json(&request, &response)?.take();
    if let Some(error) = endpoint_request::error_response(&request, &response, &document) {
        return Err(endpoint_request::name_client(error, authentication));
    }
    match (document.get("active").and_then(Value::as_bool), document) {
        (Some(active), Value::Object(members)) => Ok(Introspection { active, members }),
        _ => Err(Error::protocol(
            "the introspection response's active is not true or false (RFC 7662 2.2)",
        )),
    }
}
