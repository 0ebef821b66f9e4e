//! Registered clients: authentication method, allowed grants and redirect URIs.

use std::io;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;

use crate::authorization_server::Subject;
use crate::script::{boolean, invalid, object, text, texts, unknown};
use crate::token_endpoint::GrantType;

/// The authentication methods with a secret or a key.
pub(crate) const METHODS: [&str; 3] =
    ["private_key_jwt", "client_secret_basic", "client_secret_post"];

/// The redirect URIs of Planet's SDK.
const NATIVE_REDIRECT_URIS: [&str; 3] =
    ["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost:8080/callback"];

/// Loopback redirect URIs are valid at any port (RFC 8252 7.3).
const LOOPBACK: [&str; 3] = ["http://127.0.0.1", "http://[::1]", "http://localhost"];

/// A registered client.
#[derive(Clone, Default)]
pub(crate) struct Client {
    pub(crate) secret: Option<String>,
    pub(crate) key: Option<(Algorithm, DecodingKey)>,
    pub(crate) kid: Option<String>,
    public: bool,
    pub(crate) method: Option<String>,
    /// The kind of authorization server that knows the client; `None` means all.
    subject: Option<Subject>,
    redirect_uris: Vec<String>,
    /// Names of the allowed grants; `None` means all that the server offers.
    grant_types: Option<Vec<String>>,
}

impl Client {
    /// The M2M client that exists at start.
    pub(crate) fn m2m(secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), subject: Some(Subject::M2m), ..Self::default() }
    }

    /// A public client of the authorization server for users, as Planet registered its SDK.
    pub(crate) fn native() -> Self {
        let grants = [GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken];
        Self {
            public: true,
            method: Some("none".to_owned()),
            subject: Some(Subject::User),
            redirect_uris: NATIVE_REDIRECT_URIS.map(str::to_owned).to_vec(),
            grant_types: Some(grants.map(|grant| grant.name().to_owned()).to_vec()),
            ..Self::default()
        }
    }

    /// Parses a registration. Also returns the client id.
    pub(crate) fn parse(value: &Value) -> io::Result<(String, Self)> {
        let mut id = None;
        let mut client = Self::default();
        for (key, value) in object(value, "client")? {
            match key.as_str() {
                "client_id" => id = Some(text(value, key)?.to_owned()),
                "client_secret" => client.secret = Some(text(value, key)?.to_owned()),
                "public_key_pem" => client.key = Some(public_key(text(value, key)?)?),
                "kid" => client.kid = Some(text(value, key)?.to_owned()),
                "public" => client.public = boolean(value, key)?,
                "token_endpoint_auth_method" => {
                    let method = text(value, key)?;
                    if !METHODS.contains(&method) && method != "none" {
                        return Err(invalid(&format!("unknown method {method:?}")));
                    }
                    client.public |= method == "none";
                    client.method = Some(method.to_owned());
                }
                "server" => client.subject = Some(Subject::parse(text(value, key)?)?),
                "redirect_uris" => client.redirect_uris = redirect_uris(value)?,
                "grant_types" => client.grant_types = Some(grant_types(value)?),
                _ => return Err(unknown(key, "client")),
            }
        }
        let id = id.ok_or_else(|| invalid("a client needs a client_id"))?;
        if client.public == (client.secret.is_some() || client.key.is_some()) {
            return Err(invalid("a client has client_secret or public_key_pem, or is public"));
        }
        Ok((id, client))
    }

    pub(crate) fn is_public(&self) -> bool {
        self.public
    }

    pub(crate) fn is_known_to(&self, subject: Subject) -> bool {
        self.subject.is_none_or(|only| only == subject)
    }

    pub(crate) fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.as_ref().is_none_or(|names| names.iter().any(|name| name == grant.name()))
    }

    /// Whether this redirect URI is registered.
    pub(crate) fn may_redirect_to(&self, uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|registered| registered == uri || is_at_another_port(registered, uri))
    }
}

fn public_key(pem: &str) -> io::Result<(Algorithm, DecodingKey)> {
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .map(|key| (Algorithm::RS256, key))
        .or_else(|_| DecodingKey::from_ec_pem(pem.as_bytes()).map(|key| (Algorithm::ES256, key)))
        .map_err(|_| invalid("public_key_pem must be an RSA or P-256 public key"))
}

fn redirect_uris(value: &Value) -> io::Result<Vec<String>> {
    let uris = texts(value, "redirect_uris")?;
    // RFC 6749 3.1.2: absolute and without a fragment. It becomes a header value, so control
    // characters are refused.
    let good = |uri: &String| {
        url::Url::parse(uri).is_ok()
            && uri.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
    };
    if uris.iter().all(good) {
        Ok(uris)
    } else {
        Err(invalid("redirect_uris must be absolute URIs without a fragment"))
    }
}

fn grant_types(value: &Value) -> io::Result<Vec<String>> {
    let names = texts(value, "grant_types")?;
    match names
        .iter()
        .find(|name| !GrantType::ALL.iter().any(|grant| grant.name() == name.as_str()))
    {
        Some(name) => Err(invalid(&format!("unknown grant {name:?}"))),
        None => Ok(names),
    }
}

/// Whether only the port differs from a loopback URI that was registered without a port.
fn is_at_another_port(registered: &str, uri: &str) -> bool {
    LOOPBACK.iter().any(|host| {
        let (Some(known), Some(rest)) = (registered.strip_prefix(host), uri.strip_prefix(host))
        else {
            return false;
        };
        let known = known.strip_prefix(":0").unwrap_or(known);
        let is_rest = |text: &str| text.is_empty() || text.starts_with(['/', '?']);
        is_rest(known) && without_port(rest) == Some(known)
    })
}

/// The part after the port, if there is a port.
fn without_port(rest: &str) -> Option<&str> {
    let Some(rest) = rest.strip_prefix(':') else {
        return Some(rest);
    };
    let end = rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len());
    let port: u16 = rest[..end].parse().ok()?;
    (port != 0).then_some(&rest[end..])
}

#[cfg(test)]
mod tests {
    use super::is_at_another_port;

    #[test]
    fn only_the_port_of_a_loopback_address_is_free() {
        for (registered, uri) in [
            ("http://127.0.0.1/callback", "http://127.0.0.1:4711/callback"),
            ("http://127.0.0.1:0/callback", "http://127.0.0.1:4711/callback"),
            ("http://127.0.0.1:0/callback", "http://127.0.0.1/callback"),
            ("http://[::1]/callback", "http://[::1]:1/callback"),
            ("http://localhost", "http://localhost:65535"),
            ("http://localhost/?a=b", "http://localhost:80/?a=b"),
        ] {
            assert!(is_at_another_port(registered, uri), "{registered} {uri}");
        }
        for (registered, uri) in [
            ("http://127.0.0.1/callback", "http://127.0.0.1:4711/other"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:4711/callback?x=y"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:65536/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:0/callback"),
            ("http://127.0.0.1/callback", "http://localhost:4711/callback"),
            ("http://127.0.0.1/callback", "https://127.0.0.1:4711/callback"),
            ("http://127.0.0.1/callback", "http://127.0.0.1:4711@evil.example/callback"),
            ("http://127.0.0.1:80/callback", "http://127.0.0.1:81/callback"),
            ("http://localhost", "http://localhost.evil.example"),
            ("http://localhost.evil.example", "http://localhost.evil.example:80"),
            ("https://app.example/callback", "https://app.example:4711/callback"),
        ] {
            assert!(!is_at_another_port(registered, uri), "{registered} {uri}");
        }
    }
}
