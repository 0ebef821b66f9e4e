//! Authorization servers: what each one offers, its metadata and its keys.
//!
//! Each server is one description. An endpoint is a row of it and a module that responds. A grant
//! is a name in its list and a module. No other code knows what a server offers.

use std::io;

use serde_json::{Map, Value, json};

use crate::behaviour::Behaviour;
use crate::client::METHODS;
use crate::http::{Request, Response};
use crate::script::{Changes, Target, invalid};
use crate::state::Shared;
use crate::token_endpoint::GrantType;
use crate::{
    authorization_endpoint, device_code, introspection, keys, login, pages, revocation,
    token_endpoint, userinfo,
};

/// Whom the tokens of a server represent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    M2m,
    User,
}

impl Subject {
    pub(crate) fn parse(name: &str) -> io::Result<Self> {
        match name {
            "m2m" => Ok(Self::M2m),
            "user" => Ok(Self::User),
            _ => Err(invalid("server must be \"m2m\" or \"user\"")),
        }
    }
}

/// The kinds of paths of an authorization server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Authorization,
    /// Receives the forms of a login.
    Login,
    DeviceAuthorization,
    /// Receives the user code of a device login.
    Activation,
    Token,
    Revocation,
    Introspection,
    Userinfo,
    Jwks,
    MetadataRfc8414,
    MetadataOpenid,
    Other,
}

/// An endpoint and its path.
struct Row {
    endpoint: Endpoint,
    path: &'static str,
    target: Target,
    /// The metadata member with its URL; `None` for pages.
    member: Option<&'static str>,
}

const fn row(endpoint: Endpoint, path: &'static str, target: Target, member: &'static str) -> Row {
    Row { endpoint, path, target, member: Some(member) }
}

const fn page(endpoint: Endpoint, path: &'static str, target: Target) -> Row {
    Row { endpoint, path, target, member: None }
}

/// An authorization server, independent of its origin.
pub(crate) struct AuthorizationServer {
    pub(crate) subject: Subject,
    /// The path of the issuer identifier.
    issuer_path: &'static str,
    rows: &'static [Row],
    metadata: Target,
    other: Target,
    pub(crate) grants: &'static [GrantType],
    /// The client authentication methods in the metadata.
    methods: &'static [&'static str],
    scopes: &'static [&'static str],
}

/// Planet's server for M2M clients: a Keycloak realm.
pub(crate) static M2M: AuthorizationServer = AuthorizationServer {
    subject: Subject::M2m,
    issuer_path: "/auth/realms/main",
    rows: &[
        row(
            Endpoint::Token,
            "/auth/realms/main/protocol/openid-connect/token",
            Target::M2mToken,
            "token_endpoint",
        ),
        row(
            Endpoint::Jwks,
            "/auth/realms/main/protocol/openid-connect/certs",
            Target::M2mJwks,
            "jwks_uri",
        ),
    ],
    metadata: Target::M2mMetadata,
    other: Target::M2mOther,
    grants: &[GrantType::ClientCredentials],
    methods: &METHODS,
    scopes: &["openid", "profile", "email", "offline_access"],
};

/// Planet's server for users, login.planet.com: its issuer identifier ends with a slash.
pub(crate) static USER: AuthorizationServer = AuthorizationServer {
    subject: Subject::User,
    issuer_path: "/",
    rows: &[
        row(Endpoint::Authorization, "/authorize", Target::UserAuthorize, "authorization_endpoint"),
        page(Endpoint::Login, pages::LOGIN_PATH, Target::UserLoginPage),
        row(
            Endpoint::DeviceAuthorization,
            "/oauth/device/code",
            Target::UserDevice,
            "device_authorization_endpoint",
        ),
        page(Endpoint::Activation, pages::ACTIVATION_PATH, Target::UserLoginPage),
        row(Endpoint::Token, "/oauth/token", Target::UserToken, "token_endpoint"),
        row(Endpoint::Revocation, "/oauth/revoke", Target::UserRevoke, "revocation_endpoint"),
        row(
            Endpoint::Introspection,
            "/oauth/introspect",
            Target::UserIntrospect,
            "introspection_endpoint",
        ),
        row(Endpoint::Userinfo, "/userinfo", Target::UserUserinfo, "userinfo_endpoint"),
        row(Endpoint::Jwks, "/.well-known/jwks.json", Target::UserJwks, "jwks_uri"),
    ],
    metadata: Target::UserMetadata,
    other: Target::UserOther,
    grants: &[GrantType::AuthorizationCode, GrantType::DeviceCode, GrantType::RefreshToken],
    methods: &["none", METHODS[0], METHODS[1], METHODS[2]],
    scopes: &["openid", "profile", "email", "offline_access", "planet"],
};

/// Another organization's server, which clients know only by its metadata.
pub(crate) static GENERIC: AuthorizationServer = AuthorizationServer {
    subject: Subject::M2m,
    issuer_path: "/realm",
    rows: &[
        row(Endpoint::Token, "/realm/token", Target::AsToken, "token_endpoint"),
        row(Endpoint::Jwks, "/realm/jwks", Target::AsJwks, "jwks_uri"),
    ],
    metadata: Target::AsMetadata,
    other: Target::AsOther,
    grants: &[GrantType::ClientCredentials],
    methods: &METHODS,
    scopes: &["openid", "profile", "email", "offline_access"],
};

/// A request to an endpoint, with the changes that its step makes to the response.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) server: &'static AuthorizationServer,
    pub(crate) shared: &'a Shared,
    pub(crate) origin: &'a str,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: &'a Request,
    pub(crate) changes: Option<&'a Changes>,
}

impl AuthorizationServer {
    pub(crate) fn issuer(&self, origin: &str) -> String {
        format!("{origin}{}", self.issuer_path)
    }

    pub(crate) fn token_endpoint(&self, origin: &str) -> String {
        self.url(origin, Endpoint::Token)
    }

    /// The URL of an endpoint; only the origin if the server does not have it.
    pub(crate) fn url(&self, origin: &str, endpoint: Endpoint) -> String {
        let path = self.rows.iter().find_map(|row| (row.endpoint == endpoint).then_some(row.path));
        format!("{origin}{}", path.unwrap_or_default())
    }

    pub(crate) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if let Some(row) = self.rows.iter().find(|row| row.path == path) {
            return Some(row.endpoint);
        }
        // RFC 8414 3.1: a final slash of the issuer is removed before the well-known part is added.
        let issuer_path = self.issuer_path.trim_end_matches('/');
        if path.strip_prefix("/.well-known/oauth-authorization-server") == Some(issuer_path) {
            return Some(Endpoint::MetadataRfc8414);
        }
        let rest = path.strip_prefix(issuer_path)?;
        match rest {
            "/.well-known/openid-configuration" => Some(Endpoint::MetadataOpenid),
            "" => Some(Endpoint::Other),
            _ if rest.starts_with('/') => Some(Endpoint::Other),
            _ => None,
        }
    }

    pub(crate) fn target(&self, endpoint: Endpoint) -> Target {
        match endpoint {
            Endpoint::MetadataRfc8414 | Endpoint::MetadataOpenid => self.metadata,
            _ => self
                .rows
                .iter()
                .find_map(|row| (row.endpoint == endpoint).then_some(row.target))
                .unwrap_or(self.other),
        }
    }

    /// The targets of all endpoints of the server.
    pub(crate) fn targets(&self) -> Vec<Target> {
        self.rows.iter().map(|row| row.target).chain([self.metadata]).collect()
    }

    fn metadata_response(
        &self,
        origin: &str,
        behaviour: &Behaviour,
        changes: Option<&Changes>,
    ) -> Response {
        let mut metadata = json!({
            "issuer": self.issuer(origin),
            "grant_types_supported": self.grants.iter().map(|grant| grant.name()).collect::<Vec<_>>(),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "scopes_supported": self.scopes,
            "token_endpoint_auth_methods_supported": self.methods,
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        });
        if !behaviour.id_token_algorithms.is_empty() {
            let names: Vec<String> =
                behaviour.id_token_algorithms.iter().copied().map(keys::name).collect();
            metadata["id_token_signing_alg_values_supported"] = json!(names);
        }
        for row in self.rows {
            if let Some(member) = row.member {
                metadata[member] = json!(format!("{origin}{}", row.path));
            }
            match row.endpoint {
                Endpoint::Authorization => {
                    metadata["code_challenge_methods_supported"] = json!(["S256"]);
                    metadata["response_modes_supported"] = json!(["query"]);
                    // RFC 9207 3: an absent member means false.
                    if behaviour.authorization_response_iss {
                        metadata["authorization_response_iss_parameter_supported"] = json!(true);
                    }
                }
                Endpoint::Introspection => {
                    metadata["introspection_endpoint_auth_methods_supported"] = json!(self.methods)
                }
                Endpoint::Userinfo => {
                    let claims = [
                        "iss",
                        "sub",
                        "aud",
                        "iat",
                        "exp",
                        "auth_time",
                        "nonce",
                        "name",
                        "email",
                        "email_verified",
                    ];
                    metadata["claims_supported"] = json!(claims);
                }
                Endpoint::Revocation => {
                    metadata["revocation_endpoint_auth_methods_supported"] = json!(self.methods)
                }
                _ => {}
            }
        }
        apply(&mut metadata, changes);
        Response::json(200, &metadata)
    }
}

impl Call<'_> {
    pub(crate) fn respond(&self) -> Response {
        match self.endpoint {
            Endpoint::Authorization => uncached(authorization_endpoint::respond(self)),
            Endpoint::Login => uncached(login::respond(self)),
            Endpoint::Activation => uncached(login::activate(self)),
            Endpoint::DeviceAuthorization => uncached(device_code::authorize(self)),
            Endpoint::Token => uncached(token_endpoint::respond(self)),
            Endpoint::Revocation => uncached(revocation::respond(self)),
            Endpoint::Introspection => uncached(introspection::respond(self)),
            Endpoint::Userinfo => uncached(userinfo::respond(self)),
            _ => self.document_response(),
        }
    }

    fn document_response(&self) -> Response {
        if self.request.method != "GET" && self.request.method != "HEAD" {
            return Response::new(405).with("Allow", "GET, HEAD");
        }
        let behaviour = self.shared.lock().behaviour.clone();
        let exists = match self.endpoint {
            Endpoint::MetadataRfc8414 => behaviour.metadata_rfc8414,
            Endpoint::MetadataOpenid => behaviour.metadata_openid,
            _ => false,
        };
        match self.endpoint {
            Endpoint::Jwks => match self.shared.keys.jwks(&behaviour.id_token_algorithms) {
                Ok(keys) => Response::json(200, &keys),
                Err(error) => Response::json(500, &json!({"error": error.to_string()})),
            },
            _ if exists => self.server.metadata_response(self.origin, &behaviour, self.changes),
            _ => Response::json(404, &json!({"error": "HTTP 404 Not Found"})),
        }
    }
}

/// RFC 6749 5.1.
fn uncached(response: Result<Response, Response>) -> Response {
    response
        .unwrap_or_else(|refusal| refusal)
        .with("Cache-Control", "no-store")
        .with("Pragma", "no-cache")
}

/// Applies the changes of a script to a response.
pub(crate) fn apply(response: &mut Value, changes: Option<&Changes>) {
    if let (Some(response), Some(changes)) = (response.as_object_mut(), changes) {
        for (key, value) in &changes.set {
            response.insert(key.clone(), value.clone());
        }
        for key in &changes.remove {
            response.remove(key);
        }
    }
}

/// An error response of RFC 6749 5.2.
pub(crate) fn refusal(status: u16, error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    Response::json(status, &body)
}

pub(crate) fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
