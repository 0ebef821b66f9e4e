//! Facts about Planet as data: hosts, authorization servers, built-in clients, scopes.
//!
//! A deployment is a set of API hosts with the authorization servers whose tokens they accept.
//! Planet is built in, Copernicus Data Space is a preset, and any other deployment is a JSON
//! document of the same form.

use crate::error::{Error, Result};
use serde_json::Value;
use std::sync::LazyLock;

/// Whether plain http to this machine is allowed, for test servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InsecureLoopback {
    /// All requests go over https.
    #[default]
    Refused,
    /// Requests to loopback addresses may go over http.
    Allowed,
}

impl From<bool> for InsecureLoopback {
    fn from(allow: bool) -> Self {
        if allow { InsecureLoopback::Allowed } else { InsecureLoopback::Refused }
    }
}

/// The scope for access to all Planet APIs.
pub const SCOPE_PLANET: &str = "planet";
/// The scope that requests a refresh token; never allowed to an M2M client.
pub const SCOPE_OFFLINE_ACCESS: &str = "offline_access";

/// The built-in profile of a user.
pub const PROFILE_PLANET_USER: &str = "planet-user";
/// The built-in skeleton of an M2M client's profile.
pub const PROFILE_PLANET_M2M: &str = "planet-m2m";
/// The built-in profile of API keys that Planet's SDK obtained with a user name and a password.
pub const PROFILE_LEGACY: &str = "legacy";

/// The client of the profile `planet-user`: the public id under which Planet's own SDK is
/// registered. Refresh tokens are bound to the client that they were issued to, so a session that
/// is shared with Planet's tools must use this id.
pub const PLANET_USER_CLIENT_ID: &str = "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees";
/// The scopes that the profile `planet-user` requests.
pub const PLANET_USER_SCOPES: [&str; 2] = [SCOPE_PLANET, SCOPE_OFFLINE_ACCESS];

const PLANET: &str = include_str!("deployments/planet.json");
const COPERNICUS_DATA_SPACE: &str = include_str!("deployments/copernicus-data-space.json");

/// Who an access token represents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user.
    User,
    /// An M2M client, which acts for itself.
    M2m,
}

impl Subject {
    /// `user` or `m2m`.
    pub const fn name(self) -> &'static str {
        match self {
            Subject::User => "user",
            Subject::M2m => "m2m",
        }
    }
}

/// Whether an API host accepts a kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Yes.
    Yes,
    /// Planet lists it as under development: used if the session has no other credential for the
    /// host.
    UnderDevelopment,
    /// No: such a credential is never sent there.
    No,
}

/// An authorization server of a deployment.
#[derive(Clone, Debug)]
pub struct AuthorizationServer {
    /// The kind of subject that it issues tokens for.
    pub subject: Subject,
    /// The issuer identifier, byte for byte.
    pub issuer: String,
    /// The documented token endpoint. If there is none, the server's metadata is requested.
    pub token_endpoint: Option<String>,
    /// Former addresses of the token endpoint, which clients may still be configured with.
    pub former_token_endpoints: Vec<String>,
    /// The `audience` that token requests carry.
    pub audience: Option<String>,
    /// How clients authenticate when no metadata is read, by the names of RFC 7591.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// API hosts that accept the same credentials.
#[derive(Clone, Debug)]
pub struct ResourceServer {
    /// Exact host names in lower case; a loopback host may have a port.
    pub hosts: Vec<String>,
    /// Whether they accept a user's tokens.
    pub user_token: Acceptance,
    /// Whether they accept an M2M client's tokens.
    pub m2m_token: Acceptance,
    /// Whether they accept API keys.
    pub api_key: Acceptance,
}

/// A set of API hosts with the authorization servers whose tokens they accept.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The name that `status()` shows.
    pub name: String,
    /// The servers that issue its tokens.
    pub authorization_servers: Vec<AuthorizationServer>,
    /// The hosts that accept them.
    pub resource_servers: Vec<ResourceServer>,
}

impl Deployment {
    /// The names of the deployments that are built in.
    pub const PRESETS: [&'static str; 2] = ["planet", "copernicus-data-space"];

    /// The Planet Insights Platform.
    ///
    /// Errors: none that a caller can cause; the built-in document is covered by a test.
    pub fn planet() -> Result<Self> {
        // Parsed once in a process, because every session needs it.
        static READ: LazyLock<Result<Deployment>> = LazyLock::new(|| Deployment::from_json(PLANET));
        READ.clone()
    }

    /// A deployment by preset name (`planet`, `copernicus-data-space`) or by its JSON text.
    ///
    /// Errors: MISCONFIGURED for an unknown name or an invalid document.
    pub fn from_text(text: &str) -> Result<Self> {
        match text.trim() {
            "planet" => Deployment::planet(),
            "copernicus-data-space" => Deployment::from_json(COPERNICUS_DATA_SPACE),
            json if json.starts_with('{') => Deployment::from_json(json),
            _ => Err(Error::misconfigured(
                "unknown deployment: give planet, copernicus-data-space, or the path or text of a deployment document",
            )),
        }
    }

    /// The deployments that are built in.
    ///
    /// Errors: as [`Deployment::planet`].
    pub fn presets() -> Result<[Self; 2]> {
        Ok([Deployment::planet()?, Deployment::from_json(COPERNICUS_DATA_SPACE)?])
    }

    /// The server with this token endpoint, by its current address or a former one.
    pub fn authorization_server_at(&self, token_endpoint: &str) -> Option<&AuthorizationServer> {
        self.authorization_servers.iter().find(|server| {
            server.token_endpoint.as_deref() == Some(token_endpoint)
                || server.former_token_endpoints.iter().any(|former| former == token_endpoint)
        })
    }

    /// Reads the JSON form.
    ///
    /// Errors: MISCONFIGURED, naming the wrong member, or an issuer that two servers share (RFC
    /// 9207 4).
    pub fn from_json(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text).map_err(|error| {
            Error::misconfigured(format!("the deployment document is not JSON ({error})"))
                .with_json_source(error)
        })?;
        let authorization_servers: Vec<AuthorizationServer> =
            list(&document, "authorization_servers")?
                .iter()
                .map(authorization_server)
                .collect::<Result<_>>()?;
        for (number, server) in authorization_servers.iter().enumerate() {
            // One server may issue both kinds of token. Of two servers with the same issuer, one
            // could respond in the other's name.
            let is_other = |other: &&AuthorizationServer| {
                other.issuer.trim_end_matches('/') == server.issuer.trim_end_matches('/')
                    && other.token_endpoint.is_some()
                    && server.token_endpoint.is_some()
                    && other.token_endpoint != server.token_endpoint
            };
            if authorization_servers.iter().take(number).any(|other| is_other(&other)) {
                return Err(Error::misconfigured(format!(
                    "two authorization servers of the deployment share the issuer {}; each server has its own",
                    crate::text::one_line(&server.issuer, 200)
                )));
            }
        }
        let resource_servers = list(&document, "resource_servers")?
            .iter()
            .map(resource_server)
            .collect::<Result<_>>()?;
        Ok(Deployment { name: string(&document, "name")?, authorization_servers, resource_servers })
    }

    /// The server with this issuer. A trailing slash makes no difference.
    pub fn authorization_server(&self, issuer: &str) -> Option<&AuthorizationServer> {
        let issuer = issuer.trim_end_matches('/');
        self.authorization_servers
            .iter()
            .find(|server| server.issuer.trim_end_matches('/') == issuer)
    }

    /// The server that issues tokens for this kind of subject.
    pub fn authorization_server_for(&self, subject: Subject) -> Option<&AuthorizationServer> {
        self.authorization_servers.iter().find(|server| server.subject == subject)
    }
}

fn wrong(member: &str, wanted: &str) -> Error {
    Error::misconfigured(format!("the deployment document needs `{member}`: {wanted}"))
}

fn list<'a>(document: &'a Value, member: &str) -> Result<&'a Vec<Value>> {
    document.get(member).and_then(Value::as_array).ok_or_else(|| wrong(member, "a list"))
}

fn string(document: &Value, member: &str) -> Result<String> {
    document
        .get(member)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| wrong(member, "a string"))
}

fn optional_string(document: &Value, member: &str) -> Result<Option<String>> {
    match document.get(member) {
        None | Some(Value::Null) => Ok(None),
        Some(_) => string(document, member).map(Some),
    }
}

fn strings(document: &Value, member: &str) -> Result<Vec<String>> {
    list(document, member)?
        .iter()
        .map(|item| {
            item.as_str().map(str::to_owned).ok_or_else(|| wrong(member, "a list of strings"))
        })
        .collect()
}

fn authorization_server(document: &Value) -> Result<AuthorizationServer> {
    let subject = match document.get("subject").and_then(Value::as_str) {
        Some("user") => Subject::User,
        Some("m2m") => Subject::M2m,
        _ => return Err(wrong("subject", "`user` or `m2m`")),
    };
    let methods = "token_endpoint_auth_methods_supported";
    Ok(AuthorizationServer {
        subject,
        issuer: string(document, "issuer")?,
        token_endpoint: optional_string(document, "token_endpoint")?,
        former_token_endpoints: match document.get("former_token_endpoints") {
            None | Some(Value::Null) => Vec::new(),
            Some(_) => strings(document, "former_token_endpoints")?,
        },
        audience: optional_string(document, "audience")?,
        token_endpoint_auth_methods_supported: match document.get(methods) {
            None | Some(Value::Null) => None,
            Some(_) => Some(strings(document, methods)?),
        },
    })
}

fn resource_server(document: &Value) -> Result<ResourceServer> {
    let acceptance = |member: &str| match document.get(member).and_then(Value::as_str) {
        Some("yes") => Ok(Acceptance::Yes),
        Some("under_development") => Ok(Acceptance::UnderDevelopment),
        Some("no") => Ok(Acceptance::No),
        _ => Err(wrong(member, "`yes`, `under_development` or `no`")),
    };
    Ok(ResourceServer {
        hosts: strings(document, "hosts")?,
        user_token: acceptance("user_token")?,
        m2m_token: acceptance("m2m_token")?,
        api_key: acceptance("api_key")?,
    })
}
