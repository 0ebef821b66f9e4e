//! What a session holds: an API key, or a token set.

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::setting;
use std::fmt;
use std::time::Duration;

/// No key in use is nearly this long; a longer one is a mistake.
const MAX_API_KEY_BYTES: usize = 4096;
/// Tokens of 64 KiB are in use; no server accepts a header that is nearly this long.
const MAX_TOKEN_BYTES: usize = 256 * 1024;

/// A Planet API key: as sensitive as its owner's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey(Secret);

impl ApiKey {
    /// Checks the key. It becomes the user name of HTTP Basic, so it must not hold a colon (RFC
    /// 7617 2). It also becomes a header value, so it must not hold control characters.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn new(key: &str) -> Result<Self> {
        if let Some(flaw) = setting::flaw(key) {
            return Err(Error::invalid_argument(format!("this is no API key: it {flaw}")));
        }
        let problem = if key.is_empty() {
            "it is empty; copy it from your Planet account page"
        } else if key.len() > MAX_API_KEY_BYTES {
            "it is longer than 4096 bytes"
        } else if key.contains(':') {
            "it holds a colon, which HTTP Basic cannot carry in a user name"
        } else if key.chars().any(char::is_whitespace) {
            "it holds white space"
        } else {
            return Ok(ApiKey(Secret::from(key)));
        };
        Err(Error::invalid_argument(format!("this is no API key: {problem}")))
    }

    /// The key itself.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// What kind of credential a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CredentialKind {
    /// An OAuth access token.
    AccessToken,
    /// A Planet API key.
    ApiKey,
}

impl CredentialKind {
    /// `access_token` or `api_key`.
    pub const fn name(self) -> &'static str {
        match self {
            CredentialKind::AccessToken => "access_token",
            CredentialKind::ApiKey => "api_key",
        }
    }
}

impl fmt::Display for CredentialKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a request carries its credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// An access token: `Authorization: Bearer TOKEN` (RFC 6750 section 2.1).
    Bearer,
    /// An API key as the user name of HTTP Basic.
    Basic,
    /// An API key: `Authorization: api-key KEY`.
    Header,
    /// An API key as the query parameter `api_key`.
    Query,
}

impl Transport {
    /// `bearer`, `basic`, `header` or `query`.
    pub const fn name(self) -> &'static str {
        match self {
            Transport::Bearer => "bearer",
            Transport::Basic => "basic",
            Transport::Header => "header",
            Transport::Query => "query",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<ApiKeyTransport> for Transport {
    fn from(transport: ApiKeyTransport) -> Self {
        match transport {
            ApiKeyTransport::Basic => Transport::Basic,
            ApiKeyTransport::Header => Transport::Header,
            ApiKeyTransport::Query => Transport::Query,
        }
    }
}

/// How requests carry an API key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ApiKeyTransport {
    /// HTTP Basic with the key as user name and an empty password: Planet's preferred form.
    #[default]
    Basic,
    /// `Authorization: api-key KEY`.
    Header,
    /// The `api_key` query parameter, for tile clients that cannot set headers.
    Query,
}

impl ApiKeyTransport {
    /// By name: `basic`, `header` or `query`.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "basic" => Ok(ApiKeyTransport::Basic),
            "header" => Ok(ApiKeyTransport::Header),
            "query" => Ok(ApiKeyTransport::Query),
            _ => Err(Error::invalid_argument("transport must be basic, header or query")),
        }
    }

    /// `basic`, `header` or `query`.
    pub fn name(self) -> &'static str {
        Transport::from(self).name()
    }
}

/// The successful response of a token endpoint (RFC 6749 5.1), checked.
#[derive(Clone, Debug)]
pub struct TokenSet {
    /// Opaque; valid in a header.
    pub access_token: Secret,
    /// The lifetime of the access token from its receipt, as the server states it. It does not
    /// depend on the local clock.
    pub lifetime: Duration,
    /// The granted scopes; the requested ones if the server named none.
    pub scopes: Vec<String>,
    /// Every member of the response as it arrived, for storage.
    pub members: Members,
}

impl TokenSet {
    /// The refresh token, if there is one.
    pub fn refresh_token(&self) -> Option<&str> {
        self.text("refresh_token")
    }

    /// The ID token (OpenID Connect Core 2), if there is one. Nothing about it has been verified.
    pub fn id_token(&self) -> Option<&str> {
        self.text("id_token")
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.text(member)
    }
}

/// Whether the text is a token that a header can carry.
pub(crate) fn is_bearer_token(token: &str) -> bool {
    token.len() <= MAX_TOKEN_BYTES && is_b64token(token)
}

/// Whether the text is valid after `Bearer ` (the b64token of RFC 6750 2.1).
fn is_b64token(token: &str) -> bool {
    const FITS: [bool; 256] = {
        let mut fits = [false; 256];
        let mut byte = 0;
        while byte < fits.len() {
            fits[byte] = (byte as u8).is_ascii_alphanumeric()
                || matches!(byte as u8, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
            byte += 1;
        }
        fits
    };
    let body = token.trim_end_matches('=');
    // There is no early exit, because this form processes more than one byte at once.
    !body.is_empty() && body.bytes().fold(true, |all, byte| all & FITS[usize::from(byte)])
}

/// Checks a token of a server.
///
/// Errors: PROTOCOL, because only a server issues tokens.
pub(crate) fn check_b64token(token: &str) -> Result<()> {
    if !is_b64token(token) {
        return Err(Error::protocol(
            "the authorization server's access_token is empty or holds characters that no bearer token may have",
        ));
    }
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Error::protocol(
            "the authorization server's access_token is longer than 256 KiB",
        ));
    }
    Ok(())
}
