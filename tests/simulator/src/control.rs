//! The control API: the methods of `Simulator` over HTTP and JSON.

use std::io;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::connection::Connection;
use crate::http::{Framing, Request, Response, now, read_request};
use crate::keys::Signer;
use crate::resource_server::PLANET_AUDIENCE;
use crate::script::{invalid, number, object, text, unknown};
use crate::service::refuse;
use crate::state::Shared;
use crate::tokens::merge;
use crate::{authorization_server, client_credentials, scripted_login, seed};

/// The default timeout of `/wait`.
const DEFAULT_WAIT_MS: u64 = 5_000;
/// Below the idle limit of connections, so that a response always comes.
const LONGEST_WAIT_MS: u64 = 60_000;

pub(crate) fn serve(shared: &Shared, mut connection: Connection) {
    loop {
        let request = match read_request(&mut connection) {
            Ok(request) => request,
            Err(error) => return refuse(shared, connection, error),
        };
        let response = respond(shared, &request).unwrap_or_else(|error| {
            let body = json!({ "error": error.to_string() });
            let known = error.kind() != io::ErrorKind::NotFound;
            Response::json(if known { 400 } else { 404 }, &body)
        });
        let length = Framing::Length(response.body.len());
        let mut bytes = response.head(length, request.keep_alive, 0);
        bytes.extend_from_slice(&response.body);
        if connection.send(&bytes).is_err() {
            return;
        }
        if !request.keep_alive {
            return connection.close();
        }
    }
}

fn respond(shared: &Shared, request: &Request) -> io::Result<Response> {
    let done = || Ok(json!({}));
    let body = || -> io::Result<Value> {
        serde_json::from_slice(&request.body).map_err(|_| invalid("the body must be JSON"))
    };
    let response = match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/") => Ok(shared.description()),
        ("POST", "/reset") => {
            shared.reset();
            done()
        }
        ("GET", "/settings") => Ok(shared.lock().behaviour.json()),
        ("POST", "/settings") => {
            let mut state = shared.lock();
            state.behaviour.change(&body()?)?;
            Ok(state.behaviour.json())
        }
        ("POST", "/clients") => {
            register(shared, &body()?)?;
            done()
        }
        ("POST", "/script") => {
            let body = body()?;
            let target = object(&body, "script")?
                .get("target")
                .ok_or_else(|| invalid("a script needs a target"))?;
            shared.script(text(target, "target")?, &body)?;
            done()
        }
        ("POST", "/release") => {
            let body = body()?;
            let name =
                object(&body, "release")?.get("hold").ok_or_else(|| invalid("hold is missing"))?;
            shared.release(text(name, "hold")?);
            done()
        }
        ("GET", "/held") => Ok(shared.held_all()),
        ("GET", "/requests") => {
            shared.requests(request.query_value("target").as_deref()).map(Value::Array)
        }
        ("GET", "/counters") => Ok(shared.counters()),
        ("POST", "/sessions") => seed::seed(shared, &body()?),
        ("POST", "/login") => scripted_login::log_in(shared, &body()?),
        ("GET", "/keys") => Ok(shared.keys.json()),
        ("POST", "/keys") => {
            shared.keys.change(&body()?)?;
            Ok(shared.keys.json())
        }
        ("GET", "/devices") => Ok(shared.lock().devices.json()),
        ("GET", "/sessions") => {
            Ok(Value::Array(shared.lock().sessions.json(request.query_value("token").as_deref())))
        }
        ("POST", "/revoke") => {
            revoke(shared, &body()?)?;
            done()
        }
        ("POST", "/token") => sign(shared, &body()?).map(|token| json!({ "access_token": token })),
        ("GET", "/wait") => wait(shared, request),
        _ => Err(io::Error::new(io::ErrorKind::NotFound, "the control API has nothing here")),
    }?;
    Ok(Response::json(200, &response))
}

fn wait(shared: &Shared, request: &Request) -> io::Result<Value> {
    let whole = |name: &str| -> io::Result<Option<u64>> {
        request
            .query_value(name)
            .map(|text| text.parse())
            .transpose()
            .map_err(|_| invalid(&format!("{name} must be a whole number")))
    };
    let number = whole("count")?.ok_or_else(|| invalid("count is missing"))?;
    let limit = whole("timeout_ms")?.unwrap_or(DEFAULT_WAIT_MS);
    let limit = Duration::from_millis(limit.min(LONGEST_WAIT_MS));
    let target = request.query_value("target");
    let held = request.query_value("held");
    let count = match (target, held) {
        (Some(target), None) => shared.wait_for(&target, number, limit)?,
        (None, Some(held)) => shared.wait_held(&held, number, limit),
        _ => return Err(invalid("name either target or held")),
    };
    Ok(json!({"reached": count >= number, "count": count}))
}

pub(crate) fn register(shared: &Shared, client: &Value) -> io::Result<()> {
    let (id, client) = Client::parse(client)?;
    shared.lock().clients.insert(id, client);
    Ok(())
}

/// `{"access_token": ...}`, `{"refresh_token": ...}` or `{"all": true}`.
fn revoke(shared: &Shared, what: &Value) -> io::Result<()> {
    let what = object(what, "revocation")?;
    let mut members = what.iter();
    match (members.next(), members.next()) {
        (Some((key, Value::String(token))), None) if key == "access_token" => {
            shared.revoke(Some(token));
        }
        (Some((key, Value::String(token))), None) if key == "refresh_token" => {
            return shared.revoke_session(token);
        }
        (Some((key, Value::Bool(true))), None) if key == "all" => shared.revoke(None),
        _ => return Err(invalid("name access_token or refresh_token as text, or all as true")),
    }
    Ok(())
}

/// A token with any claims and header, signed with the simulator's key or another.
pub(crate) fn sign(shared: &Shared, wanted: &Value) -> io::Result<String> {
    let mut lifetime = shared.lock().behaviour.token_lifetime;
    let mut changes = Map::new();
    let mut header = Map::new();
    let mut signer = Signer::Current;
    for (key, value) in object(wanted, "token")? {
        match key.as_str() {
            "claims" => changes = object(value, key)?.clone(),
            "expires_in" => lifetime = number(value, key)?,
            "header" => header = object(value, key)?.clone(),
            "key" => signer = Signer::parse(text(value, key)?)?,
            _ => return Err(unknown(key, "token")),
        }
    }
    let issuer = authorization_server::M2M.issuer(&shared.origins.m2m);
    let client = &shared.settings.client_id;
    let expiry = now().saturating_add(lifetime);
    let mut claims = client_credentials::service_claims(&issuer, client, "", expiry)?;
    claims.insert("aud".to_owned(), json!(PLANET_AUDIENCE));
    merge(&mut claims, &changes);
    let token = shared.keys.sign_as(jsonwebtoken::Algorithm::RS256, signer, &header, &claims)?;
    shared.lock().issued.insert(token.clone());
    Ok(token)
}
