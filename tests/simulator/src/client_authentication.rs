//! Client authentication at the token endpoint (RFC 6749 2.3, RFC 7523 2.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::authorization_server::Subject;
use crate::client::Client;
use crate::http::{Request, Response, now};
use crate::state::State;
use crate::tokens::{Jwt, names};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The longest validity of an assertion. The rest allows for clock differences.
const ASSERTION_LIFE: u64 = 300;
const CLOCK_SKEW: u64 = 5;

/// The credentials that the client sent.
enum Proof {
    Basic(String, String),
    Post(String, String),
    Assertion(String),
    Nothing(String),
}

/// Finds the client. The error is the response to send.
pub(crate) fn authenticate(
    state: &mut State,
    request: &Request,
    form: &[(String, String)],
    subject: Subject,
    audiences: &[&str],
) -> Result<String, Response> {
    let proof = proof(request, form)?;
    let (id, method) = match &proof {
        Proof::Basic(id, _) => (id.clone(), "client_secret_basic"),
        Proof::Post(id, _) => (id.clone(), "client_secret_post"),
        Proof::Nothing(id) => (id.clone(), "none"),
        Proof::Assertion(assertion) => {
            let named = Jwt::parse(assertion)
                .and_then(|jwt| Some(jwt.claims.get("sub")?.as_str()?.to_owned()));
            (named.ok_or_else(|| invalid_client(request))?, "private_key_jwt")
        }
    };
    if value(form, "client_id").is_some_and(|named| named != id) {
        return Err(invalid_request("client_id differs from the authentication"));
    }
    let client = state
        .clients
        .get(&id)
        .cloned()
        .filter(|client| client.is_known_to(subject))
        .filter(|client| client.method.as_deref().is_none_or(|only| only == method))
        .ok_or_else(|| invalid_client(request))?;
    let proven = match &proof {
        Proof::Basic(_, secret) | Proof::Post(_, secret) => client.secret.as_ref() == Some(secret),
        Proof::Nothing(_) => client.is_public(),
        Proof::Assertion(assertion) => match check_assertion(&client, &id, assertion, audiences) {
            // Each `jti` is valid once, whether or not the request succeeds.
            Ok(jti) => state.seen_assertions.insert(format!("{id} {jti}")),
            Err(reason) => {
                let mut body = invalid_client_body();
                body["error_description"] = json!(reason);
                return Err(Response::json(401, &body));
            }
        },
    };
    if proven { Ok(id) } else { Err(invalid_client(request)) }
}

fn proof(request: &Request, form: &[(String, String)]) -> Result<Proof, Response> {
    let headers = request.header_values("authorization");
    let secret = value(form, "client_secret");
    let assertion = value(form, "client_assertion");
    let methods = headers.len() + usize::from(secret.is_some()) + usize::from(assertion.is_some());
    if methods > 1 {
        return Err(invalid_request("more than one client authentication"));
    }
    if let Some(header) = headers.first() {
        return basic(header).ok_or_else(|| invalid_client(request));
    }
    if let Some(assertion) = assertion {
        if value(form, "client_assertion_type") != Some(JWT_BEARER) {
            return Err(invalid_request("client_assertion_type"));
        }
        return Ok(Proof::Assertion(assertion.to_owned()));
    }
    let id = value(form, "client_id").ok_or_else(|| invalid_client(request))?;
    Ok(match secret {
        Some(secret) => Proof::Post(id.to_owned(), secret.to_owned()),
        None => Proof::Nothing(id.to_owned()),
    })
}

fn basic(header: &str) -> Option<Proof> {
    let (scheme, rest) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(Proof::Basic(form_decode(id)?, form_decode(secret)?))
}

/// Decodes application/x-www-form-urlencoded. Text that was recognizably not encoded is refused,
/// so that a client that forgets to encode fails.
fn form_decode(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let high = digit(bytes.next()?)?;
                let low = digit(bytes.next()?)?;
                decoded.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' | b'~' => {
                decoded.push(byte);
            }
            _ => return None,
        }
    }
    String::from_utf8(decoded).ok()
}

fn check_assertion(
    client: &Client,
    id: &str,
    assertion: &str,
    audiences: &[&str],
) -> Result<String, &'static str> {
    let (algorithm, key) = client.key.as_ref().ok_or("the client has no key")?;
    let jwt = Jwt::parse(assertion).ok_or("the assertion is not a JWT")?;
    if jwt.header.get("alg") != Some(&json!(format!("{algorithm:?}"))) {
        return Err("the algorithm does not fit the key");
    }
    if let Some(kid) = &client.kid
        && jwt.header.get("kid") != Some(&json!(kid))
    {
        return Err("the kid is not the registered one");
    }
    if !jwt.is_signed_by(key, *algorithm) {
        return Err("the signature is wrong");
    }
    let claims = &jwt.claims;
    if claims.get("iss") != Some(&json!(id)) {
        return Err("iss must be the client");
    }
    if !audiences.iter().any(|audience| names(claims.get("aud"), audience)) {
        return Err("aud must be the issuer or the token endpoint");
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_u64);
    let now = now();
    match time("exp") {
        Some(expiry) if expiry <= now => return Err("the assertion has expired"),
        Some(expiry) if expiry > now + ASSERTION_LIFE + CLOCK_SKEW => {
            return Err("exp is more than five minutes ahead");
        }
        Some(_) => {}
        None => return Err("exp is missing"),
    }
    match time("iat") {
        Some(issued) if issued > now + CLOCK_SKEW => return Err("iat is in the future"),
        Some(_) => {}
        None => return Err("iat is missing"),
    }
    match claims.get("jti").and_then(Value::as_str) {
        Some(jti) if !jti.is_empty() => Ok(jti.to_owned()),
        _ => Err("jti is missing"),
    }
}

/// The value of a parameter. An empty value counts as absent (RFC 6749 3.2).
pub(crate) fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

pub(crate) fn invalid_request(description: &str) -> Response {
    let body = json!({"error": "invalid_request", "error_description": description});
    Response::json(400, &body)
}

fn invalid_client_body() -> Value {
    json!({
        "error": "invalid_client",
        "error_description": "Invalid client or Invalid client credentials",
    })
}

fn invalid_client(request: &Request) -> Response {
    let response = Response::json(401, &invalid_client_body());
    // RFC 6749 5.2: a client that used the Authorization header gets WWW-Authenticate.
    if request.header("authorization").is_some() {
        return response.with("WWW-Authenticate", "Basic realm=\"main\"");
    }
    response
}
