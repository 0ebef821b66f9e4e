//! What goes back to JavaScript.

use napi_derive::napi;
use planetkey::{AccessToken, Authorization, Header, LogoutResult};
use serde_json::{Map, Value};

use crate::own::Headers;

/// An access token, with the number by which JavaScript knows that it still has the current one.
#[napi(object, object_from_js = false)]
pub struct TokenValue {
    /// The token.
    pub token: String,
    /// Changes whenever the token does.
    pub generation: f64,
}

impl From<AccessToken> for TokenValue {
    fn from(token: AccessToken) -> Self {
        TokenValue { token: token.to_string(), generation: token.generation() as f64 }
    }
}

/// The key of an object that JavaScript must not keep.
pub(crate) const NOT_KEPT: f64 = -1.0;

/// What one request carries.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct AuthorizationValue {
    /// JavaScript keeps the object under this key; not if it is negative.
    pub key: f64,
    /// JavaScript drops all other objects that it keeps.
    pub is_first: bool,
    /// Header fields by name.
    #[napi(ts_type = "Record<string, string>")]
    pub headers: Headers,
    /// Where to send the request.
    pub url: String,
    /// `access_token` or `api_key`.
    pub credential: &'static str,
    /// The access token, unless the credential is an API key.
    pub access_token: Option<String>,
    /// `bearer`, `basic`, `header` or `query`.
    pub transport: &'static str,
    /// Where the credential came from.
    pub source: String,
    /// Unix seconds.
    pub expires_at: Option<f64>,
    /// Whether Planet lists this combination as under development.
    pub under_development: bool,
}

impl AuthorizationValue {
    pub(crate) fn new(authorization: &Authorization, key: f64, is_first: bool) -> Self {
        AuthorizationValue {
            key,
            is_first,
            headers: Headers(
                authorization.headers().map(|(name, value)| (name, value.to_owned())).collect(),
            ),
            url: authorization.url().to_owned(),
            credential: authorization.credential().name(),
            access_token: authorization.access_token().map(str::to_owned),
            transport: authorization.transport().name(),
            source: authorization.source().to_owned(),
            expires_at: authorization.expires_at().map(|seconds| seconds as f64),
            under_development: authorization.under_development(),
        }
    }
}

impl From<Authorization> for AuthorizationValue {
    fn from(authorization: Authorization) -> Self {
        AuthorizationValue::new(&authorization, NOT_KEPT, false)
    }
}

/// The `Authorization` header of one request.
#[napi(object, object_from_js = false)]
pub struct HeaderValue {
    /// As in [`AuthorizationValue`].
    pub key: f64,
    /// As in [`AuthorizationValue`].
    pub is_first: bool,
    /// Its value.
    pub value: String,
}

impl HeaderValue {
    pub(crate) fn new(header: &Header<'_>, key: f64, is_first: bool) -> Self {
        HeaderValue { key, is_first, value: header.value.to_owned() }
    }
}

/// The outcome of a logout.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LogoutValue {
    /// Whether there was a session.
    pub removed: bool,
    /// `revoked`, `unknown` or `none`.
    pub revocation: &'static str,
    /// Why the revocation is unknown.
    pub revocation_error: Option<String>,
}

impl From<LogoutResult> for LogoutValue {
    fn from(result: LogoutResult) -> Self {
        LogoutValue {
            removed: result.removed,
            revocation: result.revocation.name(),
            revocation_error: result.revocation_error().map(|error| error.message().to_owned()),
        }
    }
}

/// An object as JSON text.
pub(crate) fn json(members: Map<String, Value>) -> String {
    Value::Object(members).to_string()
}

/// The same number for authorizations that differ in their URL only. It is below 2^53, so
/// JavaScript can compare it.
pub(crate) fn key(authorization: &Authorization) -> f64 {
    key_of(
        authorization.source_index(),
        authorization.generation(),
        authorization.under_development(),
    )
}

/// As [`key`], for a header.
pub(crate) fn key_of_header(header: &Header<'_>) -> f64 {
    key_of(header.source_index, header.generation, header.under_development)
}

fn key_of(source_index: usize, generation: u64, under_development: bool) -> f64 {
    let source = source_index as u64 & 0xff;
    ((generation << 9) | (source << 1) | u64::from(under_development)) as f64
}
