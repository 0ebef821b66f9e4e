//! Authorization servers: metadata, keys and the token endpoint.
//!
//! One description per server; what a server offers is decided by its endpoints, so that another
//! kind of server adds endpoints here and nothing elsewhere.

use std::io;

use serde_json::{Map, Value, json};

use crate::client_authentication::{METHODS, authenticate, invalid_request, value};
use crate::http::{Request, Response, now};
use crate::script::{Changes, Target};
use crate::state::{Shared, State};
use crate::tokens::{merge, random_text};

/// What a path of an authorization server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Token,
    MetadataRfc8414,
    MetadataOpenid,
    Jwks,
    Other,
}

/// An authorization server at some origin.
pub(crate) struct AuthorizationServer {
    /// The path of the issuer identifier.
    issuer_path: &'static str,
    token_path: &'static str,
    jwks_path: &'static str,
    token: Target,
    metadata: Target,
    jwks: Target,
    other: Target,
}

/// Planet's server for machine-to-machine clients: a Keycloak realm.
pub(crate) static M2M: AuthorizationServer = AuthorizationServer {
    issuer_path: "/auth/realms/main",
    token_path: "/auth/realms/main/protocol/openid-connect/token",
    jwks_path: "/auth/realms/main/protocol/openid-connect/certs",
    token: Target::M2mToken,
    metadata: Target::M2mMetadata,
    jwks: Target::M2mJwks,
    other: Target::M2mOther,
};

/// Somebody else's server, known by its metadata alone.
pub(crate) static GENERIC: AuthorizationServer = AuthorizationServer {
    issuer_path: "/realm",
    token_path: "/realm/token",
    jwks_path: "/realm/jwks",
    token: Target::AsToken,
    metadata: Target::AsMetadata,
    jwks: Target::AsJwks,
    other: Target::AsOther,
};

impl AuthorizationServer {
    pub(crate) fn issuer(&self, origin: &str) -> String {
        format!("{origin}{}", self.issuer_path)
    }

    pub(crate) fn token_endpoint(&self, origin: &str) -> String {
        format!("{origin}{}", self.token_path)
    }

    pub(crate) fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if path == self.token_path {
            return Some(Endpoint::Token);
        }
        if path == self.jwks_path {
            return Some(Endpoint::Jwks);
        }
        let rest = path.strip_prefix("/.well-known/oauth-authorization-server");
        if rest == Some(self.issuer_path) {
            return Some(Endpoint::MetadataRfc8414);
        }
        let rest = path.strip_prefix(self.issuer_path)?;
        match rest {
            "/.well-known/openid-configuration" => Some(Endpoint::MetadataOpenid),
            "" => Some(Endpoint::Other),
            _ if rest.starts_with('/') => Some(Endpoint::Other),
            _ => None,
        }
    }

    pub(crate) fn target(&self, endpoint: Endpoint) -> Target {
        match endpoint {
            Endpoint::Token => self.token,
            Endpoint::MetadataRfc8414 | Endpoint::MetadataOpenid => self.metadata,
            Endpoint::Jwks => self.jwks,
            Endpoint::Other => self.other,
        }
    }

    pub(crate) fn answer(
        &self,
        shared: &Shared,
        origin: &str,
        endpoint: Endpoint,
        request: &Request,
        changes: Option<&Changes>,
    ) -> Response {
        if endpoint == Endpoint::Token {
            return self
                .answer_token(shared, origin, request, changes)
                .unwrap_or_else(|answer| answer)
                .with("Cache-Control", "no-store")
                .with("Pragma", "no-cache");
        }
        if request.method != "GET" && request.method != "HEAD" {
            return Response::new(405).with("Allow", "GET, HEAD");
        }
        let (rfc8414, openid) = {
            let behaviour = &shared.lock().behaviour;
            (behaviour.metadata_rfc8414, behaviour.metadata_openid)
        };
        match endpoint {
            Endpoint::Jwks => Response::json(200, &shared.key.jwks()),
            Endpoint::MetadataRfc8414 if rfc8414 => self.answer_metadata(origin, changes),
            Endpoint::MetadataOpenid if openid => self.answer_metadata(origin, changes),
            _ => Response::json(404, &json!({"error": "HTTP 404 Not Found"})),
        }
    }

    fn answer_metadata(&self, origin: &str, changes: Option<&Changes>) -> Response {
        let mut metadata = json!({
            "issuer": self.issuer(origin),
            "token_endpoint": self.token_endpoint(origin),
            "jwks_uri": format!("{origin}{}", self.jwks_path),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "token_endpoint_auth_methods_supported": METHODS,
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "ES256"],
        });
        apply(&mut metadata, changes);
        Response::json(200, &metadata)
    }

    fn answer_token(
        &self,
        shared: &Shared,
        origin: &str,
        request: &Request,
        changes: Option<&Changes>,
    ) -> Result<Response, Response> {
        if request.method != "POST" {
            return Err(Response::new(405).with("Allow", "POST"));
        }
        if !request.is_form() {
            let body = json!({"error": "invalid_request", "error_description": "not a form"});
            return Err(Response::json(415, &body));
        }
        let form = request.form();
        for (index, (key, _)) in form.iter().enumerate() {
            if form[..index].iter().any(|(earlier, _)| earlier == key) {
                return Err(invalid_request(&format!("duplicated parameter: {key}")));
            }
        }
        if request.query.is_some() {
            return Err(invalid_request("parameters belong in the body"));
        }
        let issuer = self.issuer(origin);
        let endpoint = self.token_endpoint(origin);
        let mut state = shared.lock();
        let client = authenticate(&mut state, request, &form, [&issuer, &endpoint])?;
        match value(&form, "grant_type") {
            Some("client_credentials") => {}
            Some(_) => {
                return Err(refusal(400, "unsupported_grant_type", "Unsupported grant_type"));
            }
            None => return Err(invalid_request("Missing form parameter: grant_type")),
        }
        if state.clients.get(&client).is_some_and(|client| client.is_public()) {
            let description = "Public client not allowed to retrieve service account";
            return Err(refusal(401, "unauthorized_client", description));
        }
        let scope = value(&form, "scope").unwrap_or_default();
        check_scope(&state, scope)?;
        let grant = Grant { target: self.token, issuer: &issuer, client: &client, scope, audience: value(&form, "audience") };
        grant.issue(shared, &mut state, changes).map_err(|error| refusal(500, "server_error", &error.to_string()))
    }
}

fn check_scope(state: &State, scope: &str) -> Result<(), Response> {
    let allowed = |scope: &str| match &state.behaviour.scopes {
        // A user must be there to be absent later.
        _ if scope == "offline_access" => false,
        Some(scopes) => scopes.iter().any(|known| known == scope),
        None => true,
    };
    if scope.split_ascii_whitespace().all(allowed) {
        return Ok(());
    }
    let description = format!("Invalid scopes: {scope}");
    Err(refusal(400, "invalid_scope", &description))
}

/// What a client was granted.
struct Grant<'a> {
    target: Target,
    issuer: &'a str,
    client: &'a str,
    scope: &'a str,
    audience: Option<&'a str>,
}

impl Grant<'_> {
    fn issue(&self, shared: &Shared, state: &mut State, changes: Option<&Changes>) -> io::Result<Response> {
        let behaviour = &state.behaviour;
        let expires_in = changes.and_then(|changes| changes.expires_in.clone());
        let life = expires_in.as_ref().and_then(Value::as_u64).unwrap_or(behaviour.token_life);
        let audience = self.audience.map(str::to_owned).or_else(|| behaviour.default_audience.clone());
        // Keycloak grants its default scopes to whoever names none.
        let scope = if self.scope.is_empty() { "email profile" } else { self.scope };
        let now = now();
        let key = format!("{} {} {audience:?} {scope}", self.issuer, self.client);
        let same = behaviour.same_token.then(|| state.latest.get(&key).cloned());
        let (token, expiry) = match same.flatten() {
            Some(same) => same,
            None => {
                let expiry = now.saturating_add(life);
                let mut claims = service_claims(self.issuer, self.client, scope, expiry)?;
                if let Some(audience) = audience {
                    claims.insert("aud".to_owned(), json!(audience));
                }
                if let Some(changes) = changes {
                    merge(&mut claims, &changes.claims);
                }
                (shared.key.sign(&Map::new(), &claims)?, expiry)
            }
        };
        state.issued.insert(token.clone());
        state.latest.insert(key, (token.clone(), expiry));
        *state.tokens_issued.entry(self.target).or_default() += 1;
        let mut answer = json!({
            "access_token": token,
            "expires_in": expires_in.unwrap_or_else(|| json!(expiry.saturating_sub(now))),
            "refresh_expires_in": 0,
            "token_type": "Bearer",
            "not-before-policy": 0,
            "scope": scope,
        });
        apply(&mut answer, changes);
        Ok(Response::json(200, &answer))
    }
}

/// The claims of a service account's token.
pub(crate) fn service_claims(issuer: &str, client: &str, scope: &str, expiry: u64) -> io::Result<Map<String, Value>> {
    let claims = json!({
        "iss": issuer,
        "sub": format!("service-account-{client}"),
        "azp": client,
        "client_id": client,
        "typ": "Bearer",
        "iat": now(),
        "exp": expiry,
        "jti": random_text(16)?,
        "scope": scope,
    });
    Ok(match claims {
        Value::Object(claims) => claims,
        _ => Map::new(),
    })
}

fn apply(answer: &mut Value, changes: Option<&Changes>) {
    if let (Some(answer), Some(changes)) = (answer.as_object_mut(), changes) {
        for (key, value) in &changes.set {
            answer.insert(key.clone(), value.clone());
        }
        for key in &changes.remove {
            answer.remove(key);
        }
    }
}

fn refusal(status: u16, error: &str, description: &str) -> Response {
    let body = json!({"error": error, "error_description": description});
    Response::json(status, &body)
}
