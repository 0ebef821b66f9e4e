//! How a client proves at a token endpoint who it is (RFC 6749 2.3, RFC 7523 2.2).

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Value, json};

use crate::authorization_server::Subject;
use crate::http::{Request, Response, now};
use crate::script::{boolean, invalid, object, text, unknown};
use crate::state::State;
use crate::tokens::{Jwt, names};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An assertion may be valid for so long; the rest is for clocks that differ.
const ASSERTION_LIFE: u64 = 300;
const CLOCK_SKEW: u64 = 5;

/// A registered client.
#[derive(Clone, Default)]
pub(crate) struct Client {
    secret: Option<String>,
    key: Option<(Algorithm, DecodingKey)>,
    kid: Option<String>,
    public: bool,
    method: Option<String>,
    /// The kind of authorization server that knows it; none means all.
    subject: Option<Subject>,
}

impl Client {
    /// The M2M client of the start.
    pub(crate) fn machine(secret: &str) -> Self {
        Self { secret: Some(secret.to_owned()), subject: Some(Subject::M2m), ..Self::default() }
    }

    /// A public client of the user's server, as Planet registered its SDK.
    pub(crate) fn native() -> Self {
        Self { public: true, method: Some("none".to_owned()), subject: Some(Subject::User), ..Self::default() }
    }

    /// Reads a registration; gives the client id with it.
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
}

/// The methods with a secret or a key.
pub(crate) const METHODS: [&str; 3] = ["private_key_jwt", "client_secret_basic", "client_secret_post"];

fn public_key(pem: &str) -> io::Result<(Algorithm, DecodingKey)> {
    DecodingKey::from_rsa_pem(pem.as_bytes())
        .map(|key| (Algorithm::RS256, key))
        .or_else(|_| DecodingKey::from_ec_pem(pem.as_bytes()).map(|key| (Algorithm::ES256, key)))
        .map_err(|_| invalid("public_key_pem must be an RSA or P-256 public key"))
}

/// What the client showed.
enum Proof {
    Basic(String, String),
    Post(String, String),
    Assertion(String),
    Nothing(String),
}

/// Finds the client; the error is the answer to send.
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
            let named = Jwt::parse(assertion).and_then(|jwt| Some(jwt.claims.get("sub")?.as_str()?.to_owned()));
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
        Proof::Nothing(_) => client.public,
        Proof::Assertion(assertion) => match check_assertion(&client, &id, assertion, audiences) {
            // One use per identifier, whether the request then succeeds or not.
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

/// Undoes application/x-www-form-urlencoded. Text that was never encoded is not let pass where
/// that shows, so that a client that forgets to encode fails.
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

fn check_assertion(client: &Client, id: &str, assertion: &str, audiences: &[&str]) -> Result<String, &'static str> {
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

/// A parameter's value; an empty one counts as left out (RFC 6749 3.2).
pub(crate) fn value<'a>(form: &'a [(String, String)], name: &str) -> Option<&'a str> {
    form.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
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
    // RFC 6749 5.2: whoever used the header is told by a header.
    if request.header("authorization").is_some() {
        return response.with("WWW-Authenticate", "Basic realm=\"main\"");
    }
    response
}
