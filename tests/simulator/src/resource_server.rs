//! The API servers of both domains: they verify the credential of a request and report it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::authorization_server::{M2M, USER};
use crate::http::{Request, Response};
use crate::service::{LOGIN_HOST, Service};
use crate::state::{Shared, State};
use crate::tokens::names;

/// The audience of the Planet APIs.
pub(crate) const PLANET_AUDIENCE: &str = "https://api.planet.com/";

const PLEASE: &str = "Please enter your API key, or email and password.";

/// The credential of a request.
enum Credential {
    Bearer(String),
    Key(String, &'static str),
}

pub(crate) fn respond(shared: &Shared, service: Service, request: &Request) -> Response {
    let mut found = from_headers(request);
    for (key, value) in request.query_pairs() {
        if key == "api_key" {
            found.push(Some(Credential::Key(value, "api_key_query")));
        }
    }
    if found.len() > 1 {
        let body = json!({"message": "More than one credential in the request."});
        return Response::json(400, &body);
    }
    let (who, credential) = match found.pop().flatten() {
        Some(Credential::Bearer(token)) => match verify(shared, service, &token) {
            Ok(who) => (who, "bearer"),
            Err(reason) => return refuse_token(reason),
        },
        Some(Credential::Key(key, form))
            if service == Service::PlanetApi && shared.lock().behaviour.api_keys.contains(&key) =>
        {
            ("api-key-user".to_owned(), form)
        }
        _ => return refuse(service),
    };
    special(request, credential).unwrap_or_else(|| {
        let body = json!({
            "authenticated_as": who,
            "credential": credential,
            "service": service.name(),
            "method": request.method,
            "path": request.path,
        });
        Response::json(200, &body)
    })
}

/// The credentials of all `Authorization` headers; `None` for an unknown form.
fn from_headers(request: &Request) -> Vec<Option<Credential>> {
    let headers = request.header_values("authorization");
    headers.into_iter().map(parse).collect()
}

fn parse(header: &str) -> Option<Credential> {
    if let Some(token) = bearer(header) {
        return Some(Credential::Bearer(token.to_owned()));
    }
    let (scheme, rest) = header.split_once(' ')?;
    match scheme.to_ascii_lowercase().as_str() {
        "api-key" => Some(Credential::Key(rest.to_owned(), "api_key_header")),
        "basic" => {
            let text = String::from_utf8(STANDARD.decode(rest).ok()?).ok()?;
            // The key is the user name and there is no password.
            let key = text.strip_suffix(':')?;
            (!key.contains(':')).then(|| Credential::Key(key.to_owned(), "api_key_basic"))
        }
        _ => None,
    }
}

/// The claims of a token whose signature is valid and which is not expired or revoked.
pub(crate) fn live_claims(
    shared: &Shared,
    state: &State,
    token: &str,
) -> Result<Map<String, Value>, &'static str> {
    let claims = shared.keys.verify(token)?;
    if state.revoked.contains(token) || state.sessions.is_revoked(token) {
        return Err("the token was revoked");
    }
    Ok(claims)
}

/// The token of a header.
pub(crate) fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token)
}

fn verify(shared: &Shared, service: Service, token: &str) -> Result<String, &'static str> {
    let state = shared.lock();
    let claims = live_claims(shared, &state, token)?;
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let origins = &shared.origins;
    let realms = [
        origins.m2m.as_str(),
        &origins.sentinel_hub_api,
        &origins.tls,
        "https://services.sentinel-hub.com",
    ];
    let user = [&origins.user, &format!("https://{LOGIN_HOST}")]
        .into_iter()
        .any(|origin| USER.issuer(origin) == issuer);
    let known = user
        || realms.iter().any(|origin| M2M.issuer(origin) == issuer)
        || state.behaviour.accepted_issuers.iter().any(|more| more == issuer);
    if !known {
        return Err("the issuer is not accepted here");
    }
    if service == Service::PlanetApi && !names(claims.get("aud"), PLANET_AUDIENCE) {
        return Err("the audience is not the userinfo endpoint");
    }
    // The token represents the client itself or the user.
    let client = claims.get("azp").filter(|_| !user);
    let who = client.or_else(|| claims.get("sub"));
    Ok(who.and_then(Value::as_str).unwrap_or_default().to_owned())
}

fn refuse(service: Service) -> Response {
    if service == Service::PlanetApi {
        let body = json!({"message": PLEASE, "errors": []});
        return Response::json(401, &body).with("WWW-Authenticate", "Basic realm=\"Planet API\"");
    }
    sentinel_hub_error(
        401,
        "Unauthorized",
        "You are not authorized! Please provide valid credentials.",
    )
    .with("WWW-Authenticate", "Bearer realm=\"sentinel-hub\"")
}

fn refuse_token(reason: &str) -> Response {
    let challenge =
        format!("Bearer realm=\"planet\", error=\"invalid_token\", error_description=\"{reason}\"");
    let body = json!({"error_code": "invalid_token", "message": PLEASE});
    Response::json(401, &body).with("WWW-Authenticate", &challenge)
}

fn sentinel_hub_error(status: u16, reason: &str, message: &str) -> Response {
    let body = json!({"error": {
        "status": status,
        "reason": reason,
        "message": message,
        "code": format!("COMMON_{}", reason.to_ascii_uppercase()),
    }});
    Response::json(status, &body)
}

/// Special paths for requests with a valid credential.
fn special(request: &Request, credential: &str) -> Option<Response> {
    let path = request.path.as_str();
    if path.starts_with("/forbidden") {
        let body = json!({"message": "You do not have access to this resource."});
        let response = Response::json(403, &body);
        return Some(if credential == "bearer" {
            let challenge = "Bearer realm=\"planet\", error=\"insufficient_scope\"";
            response.with("WWW-Authenticate", challenge)
        } else {
            response
        });
    }
    if path.starts_with("/missing") {
        let body = json!({"message": "The requested resource does not exist."});
        return Some(Response::json(404, &body));
    }
    if path == "/redirect" {
        let to = request.query_value("to")?;
        // A value that could split the header is not redirected to.
        let safe = to.bytes().all(|byte| byte.is_ascii_graphic());
        return Some(if safe {
            Response::new(302).with("Location", &to)
        } else {
            Response::json(400, &json!({"message": "to is not a URL"}))
        });
    }
    None
}
