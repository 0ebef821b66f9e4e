//! What goes back to JavaScript.

use napi_derive::napi;
use planetkey::{AccessToken, Authorization, Header, LogoutResult, Revocation};
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

/// What one request carries.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct AuthorizationValue {
    /// The same for answers that differ in nothing but the URL.
    pub key: f64,
    /// Header fields by name.
    #[napi(ts_type = "Record<string, string>")]
    pub headers: Headers,
    /// Where to send the request.
    pub url: String,
    /// `access_token` or `api_key`.
    pub credential: &'static str,
    /// The access token, if that is what it is.
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

impl From<Authorization> for AuthorizationValue {
    fn from(authorization: Authorization) -> Self {
        AuthorizationValue {
            key: key(&authorization),
            headers: Headers(authorization.headers().map(|(name, value)| (name, value.to_owned())).collect()),
            url: authorization.url().to_owned(),
            credential: authorization.credential(),
            access_token: authorization.access_token().map(str::to_owned),
            transport: authorization.transport(),
            source: authorization.source().to_owned(),
            expires_at: authorization.expires_at().map(|seconds| seconds as f64),
            under_development: authorization.under_development(),
        }
    }
}

/// What a logout has done.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct LogoutValue {
    /// Whether there was a session.
    pub removed: bool,
    /// `revoked`, `unknown` or `none`.
    pub revocation: &'static str,
    /// Why it is unknown.
    pub why_unknown: Option<String>,
}

impl From<LogoutResult> for LogoutValue {
    fn from(out: LogoutResult) -> Self {
        let why_unknown = match &out.revocation {
            Revocation::Unknown(error) => Some(error.message().to_owned()),
            Revocation::NotAsked | Revocation::Revoked => None,
        };
        LogoutValue { removed: out.removed, revocation: out.revocation.name(), why_unknown }
    }
}

/// An object as JSON text.
pub(crate) fn json(members: Map<String, Value>) -> String {
    Value::Object(members).to_string()
}

/// What tells one answer from another but its URL, in one number below 2^53 that JavaScript can compare.
pub(crate) fn key(authorization: &Authorization) -> f64 {
    key_of(authorization.source_index(), authorization.generation(), authorization.under_development())
}

/// As [`key`], of a header that is lent.
pub(crate) fn header_key(header: Header<'_>) -> f64 {
    key_of(header.source_index, header.generation, header.under_development)
}

fn key_of(source_index: usize, generation: u64, under_development: bool) -> f64 {
    let source = source_index as u64 & 0xff;
    ((generation << 9) | (source << 1) | u64::from(under_development)) as f64
}
