//! The authorization endpoint (RFC 6749 4.1.1, RFC 7636, OpenID Connect Core 3.1.2) and the
//! redirect to the client.

use serde_json::Value;

use crate::authorization_code::is_challenge;
use crate::authorization_server::Call;
use crate::client_authentication::value;
use crate::http::Response;
use crate::login::Purpose;
use crate::pages;
use crate::script::Changes;
use crate::state::State;
use crate::token_endpoint::{Form, GrantType, repeated};

/// The scope of a request without `scope`.
const DEFAULT_SCOPE: &str = "planet";

/// A valid authorization request.
pub(crate) struct AuthorizationRequest {
    pub(crate) client: String,
    pub(crate) scope: String,
    pub(crate) audience: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    pub(crate) redirect: Redirect,
}

/// Where the authorization response goes, and its fixed parameters.
#[derive(Clone)]
pub(crate) struct Redirect {
    pub(crate) redirect_uri: String,
    state: Option<String>,
    issuer: String,
    /// Changes of the script of the authorization request.
    changes: Option<Changes>,
}

/// An error of RFC 6749 4.1.2.1: code and description.
type Refusal = (&'static str, &'static str);

/// The first page of a login. Without a known client and redirect URI there is no redirect.
pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    if call.request.method != "GET" {
        return Err(Response::new(405).with("Allow", "GET"));
    }
    let query = call.request.query_pairs();
    let repeated = repeated(&query);
    let once = |name: &str| value(&query, name).filter(|_| repeated != Some(name));
    let mut guard = call.shared.lock();
    let state = &mut *guard;
    let id = once("client_id")
        .ok_or_else(|| pages::failed("client_id is missing, or there are several."))?;
    let client = state.clients.get(id).filter(|client| client.is_known_to(call.server.subject));
    let client = client.ok_or_else(|| pages::failed("This client_id is not registered."))?;
    let redirect_uri = once("redirect_uri")
        .ok_or_else(|| pages::failed("redirect_uri is missing, or there are several."))?;
    if !client.may_redirect_to(redirect_uri) {
        return Err(pages::failed("This redirect_uri is not registered for the client."));
    }
    let redirect = Redirect {
        redirect_uri: redirect_uri.to_owned(),
        state: once("state").map(str::to_owned),
        issuer: call.server.issuer(call.origin),
        changes: call.changes.cloned(),
    };
    let checked = match repeated {
        Some(_) => Err(("invalid_request", "a parameter is there twice")),
        None => check(state, client.may_use(GrantType::AuthorizationCode), &query),
    };
    let (challenge, scope) = match checked {
        Ok(checked) => checked,
        Err((error, description)) => {
            return Err(redirect.respond(
                state,
                None,
                &[("error", error), ("error_description", description)],
            ));
        }
    };
    let text = |name: &str| value(&query, name).map(str::to_owned);
    let request = AuthorizationRequest {
        client: id.to_owned(),
        scope,
        audience: text("audience"),
        nonce: text("nonce"),
        challenge,
        redirect,
    };
    let issuer = request.redirect.issuer.clone();
    Ok(state.logins.begin(issuer, Purpose::Authorization(Box::new(request))))
}

/// The challenge and the scope of a valid request.
fn check(state: &State, registered: bool, query: &Form) -> Result<(String, String), Refusal> {
    let is = |name: &str, wanted: &str| value(query, name) == Some(wanted);
    if !registered {
        return Err(("unauthorized_client", "the client is not registered for this grant"));
    }
    if value(query, "request").is_some() {
        return Err(("request_not_supported", "request"));
    }
    if value(query, "request_uri").is_some() {
        return Err(("request_uri_not_supported", "request_uri"));
    }
    match value(query, "response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "response_type must be code")),
        None => return Err(("invalid_request", "response_type is missing")),
    }
    if value(query, "response_mode").is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "response_mode must be query"));
    }
    if value(query, "state").is_none() {
        return Err(("invalid_request", "state is missing"));
    }
    if !is("code_challenge_method", "S256") {
        return Err(("invalid_request", "code_challenge_method must be S256"));
    }
    let challenge = value(query, "code_challenge").filter(|challenge| is_challenge(challenge));
    let challenge =
        challenge.ok_or(("invalid_request", "code_challenge is missing, or is not one of S256"))?;
    let scope = granted_scope(state, value(query, "scope"))
        .ok_or(("invalid_scope", "a scope is unknown"))?;
    if is("prompt", "none") {
        // There is no single sign-on.
        return Err(("login_required", "no user is logged in"));
    }
    Ok((challenge.to_owned(), scope))
}

/// The granted scope; `None` if a requested scope is not allowed.
pub(crate) fn granted_scope(state: &State, asked: Option<&str>) -> Option<String> {
    let scope = asked.unwrap_or(DEFAULT_SCOPE);
    let allowed = |one: &str| {
        state.behaviour.scopes.as_ref().is_none_or(|known| known.iter().any(|known| known == one))
    };
    scope.split_ascii_whitespace().all(allowed).then(|| scope.to_owned())
}

impl Redirect {
    /// Redirects to the client with these parameters, `state` and `iss`. Changes of the last
    /// request come before those of the first.
    pub(crate) fn respond(
        &self,
        state: &State,
        changes: Option<&Changes>,
        parameters: &[(&str, &str)],
    ) -> Response {
        let mut parameters: Form = parameters
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        if let Some(state) = &self.state {
            parameters.push(("state".to_owned(), state.clone()));
        }
        if state.behaviour.authorization_response_iss {
            parameters.push(("iss".to_owned(), self.issuer.clone()));
        }
        if let Some(changes) = changes.or(self.changes.as_ref()) {
            change(&mut parameters, changes);
        }
        let query =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        // The query of the redirect URI stays (RFC 6749 3.1.2).
        let mark = if self.redirect_uri.contains('?') { '&' } else { '?' };
        Response::new(302).with("Location", &format!("{}{mark}{query}", self.redirect_uri))
    }
}

/// Applies a script to an authorization response. A list gives a parameter several values.
fn change(parameters: &mut Form, changes: &Changes) {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    for (name, value) in &changes.set {
        let values = match value {
            Value::Array(list) => list.iter().map(plain).collect(),
            one => vec![plain(one)],
        };
        parameters.retain(|(known, _)| known != name);
        parameters.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    parameters.retain(|(name, _)| !changes.remove.contains(name));
    let again: Form =
        parameters.iter().filter(|(name, _)| changes.repeat.contains(name)).cloned().collect();
    parameters.extend(again);
}
