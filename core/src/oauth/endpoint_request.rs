//! One request to an endpoint of an authorization server: sends the form with the client
//! authentication, and returns JSON or an OAuth error.

use super::client_authentication::ClientAuthentication;
use crate::error::{Error, Reason, Result, Status};
use crate::http::{CallContext, Form, HttpMethod, Replay, Request, Response, place};
use crate::secret::Secret;
use crate::secret_json::wipe;
use crate::text::one_line;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

/// A longer description is truncated in the message. The error's attribute has up to 400
/// characters.
const LONGEST_DESCRIPTION: usize = 200;
/// A shorter text is part of many words, and not a secret.
const SHORTEST_SECRET: usize = 4;

/// Posts a form with the client's authentication (RFC 6749 3.2, 8628 3.1, 7009 2.1, 7662 2.1).
///
/// Blocks; uses the network. Errors: as [`Http::send`], and those of the client's key.
pub(crate) fn post(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    mut form: Form,
    replay: Replay,
) -> Result<(Request, Response)> {
    let now = call.clock().now().unix_ms / 1000;
    let authorization = authentication.apply(&mut form, endpoint, now, call.random())?;
    let request =
        Request { method: HttpMethod::Post, url: endpoint.clone(), authorization, form, replay };
    let response = call.send(&request)?;
    Ok((request, response))
}

/// Reads the document at a URL.
///
/// Blocks; uses the network. Errors: as [`Http::send`].
pub(crate) fn get(
    call: &CallContext<'_>,
    url: &url::Url,
    authorization: Option<Secret>,
) -> Result<(Request, Response)> {
    let request = Request {
        method: HttpMethod::Get,
        url: url.clone(),
        authorization,
        form: Form::default(),
        replay: Replay::Safe,
    };
    let response = call.send(&request)?;
    Ok((request, response))
}

/// Adds the extra parameters of a client's configuration to a request. Its authentication and the
/// reserved parameters have fields of their own.
///
/// Errors: INVALID_ARGUMENT.
pub(crate) fn add_extra(
    form: &mut Form,
    extra: &[(String, String)],
    reserved: &[&str],
) -> Result<()> {
    for (name, value) in extra {
        if name.starts_with("client_") || reserved.contains(&name.as_str()) {
            return Err(Error::invalid_argument(format!(
                "{name} cannot be an extra parameter; it has its own place in the client's configuration"
            )));
        }
        form.add(name, value)?;
    }
    Ok(())
}

/// The error of a response that is not successful. It names a client that is rejected.
pub(crate) fn refused(
    request: &Request,
    response: &Response,
    authentication: &ClientAuthentication,
    now_unix_ms: u64,
) -> Error {
    name_client(unsuccessful(request, response, now_unix_ms), authentication)
}

/// Adds the client's id, which is not a secret, to the error of a refused client.
///
/// Keycloak responds to a wrong secret with `unauthorized_client`. With status 401 that means a
/// failed authentication, and not a missing permission.
pub(crate) fn name_client(error: Error, authentication: &ClientAuthentication) -> Error {
    let code = match (error.oauth_error(), error.http_status()) {
        (Some(code @ "invalid_client"), _) | (Some(code @ "unauthorized_client"), Some(401)) => {
            code
        }
        _ => return error,
    };
    let message = format!(
        "the authorization server does not accept the client {} ({}); check its id and secret or key, and that it is not expired",
        one_line(authentication.client_id(), 100),
        said(code, error.oauth_error_description())
    );
    Error::new(Status::Misconfigured, message)
        .with_oauth_error(code, error.oauth_error_description())
        .with_http_status(error.http_status().unwrap_or(401))
}

/// A JSON object that may hold tokens and codes. Its strings are wiped on drop.
pub(crate) struct Document(Value);

impl Document {
    /// The object itself. The caller wipes it.
    pub(crate) fn take(mut self) -> Value {
        std::mem::take(&mut self.0)
    }
}

impl std::ops::Deref for Document {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// The JSON of a response, whatever its `Content-Type` says: servers and the proxies in front of
/// them send other types.
fn parsed(response: &Response) -> serde_json::Result<Document> {
    serde_json::from_slice(response.body.text()).map(Document)
}

/// A description of a response for a message, with nothing of the body itself.
fn described(response: &Response) -> String {
    let media_type = response.media_type.as_deref().unwrap_or("no media type");
    let undecoded = response.undecoded.as_ref().map(|why| format!(", {why}")).unwrap_or_default();
    format!("{media_type}, {} bytes{undecoded}", response.body.0.len())
}

/// The JSON object of a response, whatever its `Content-Type` says.
///
/// Errors: PROTOCOL.
pub(crate) fn json(request: &Request, response: &Response) -> Result<Document> {
    let wrong = |what: &str| {
        Error::protocol(format!(
            "{} answered {} with {}{what}; something between here and the server may be answering for it",
            place(request),
            response.status,
            described(response)
        ))
        .with_http_status(response.status)
        .with_retryable(true)
    };
    match parsed(response) {
        Ok(document) if document.is_object() => Ok(document),
        Ok(_) => Err(wrong(", not a JSON object")),
        Err(_) if response.undecoded.is_some() => Err(wrong("")),
        // It names a line and a column, and nothing of the body.
        Err(error) => Err(wrong(", not valid JSON").with_json_source(error)),
    }
}

/// A number or a numeric string (RFC 6749 5.1 says number; servers in use send strings).
pub(crate) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse::<f64>().ok(),
        _ => None,
    };
    number.filter(|number| !number.is_nan())
}

/// The error of a response that is not 200.
pub(crate) fn unsuccessful(request: &Request, response: &Response, now_unix_ms: u64) -> Error {
    let place = place(request);
    let http_status = response.status;
    let retry_after = response.retry_after(now_unix_ms);
    let transient = |what: &str| {
        Error::new(
            Status::Unavailable,
            format!("{place} answered {http_status}: {what}; try again later"),
        )
        .with_http_status(http_status)
        .with_retry_after(retry_after)
    };
    match http_status {
        429 => {
            let busy = transient("too many requests; use each token for its whole life");
            // Some servers respond so if a device polls too fast (RFC 8628 3.5).
            let is_slow_down = parsed(response)
                .is_ok_and(|named| named.get("error").and_then(Value::as_str) == Some("slow_down"));
            return if is_slow_down { busy.with_oauth_error("slow_down", None) } else { busy };
        }
        408 | 425 => return transient("the server did not take the request in time"),
        500..=599 => return transient("the server is in trouble"),
        300..=399 => {
            let target = response.location_host.as_deref().unwrap_or("another place");
            return Error::protocol(format!(
                "{place} redirects to {target}, which is not followed because the request carries credentials; configure the right address, or log in to the network's own page first"
            ))
            .with_http_status(http_status);
        }
        _ => {}
    }
    if let Ok(document) = parsed(response)
        && let Some(error) = error_response(request, response, &document)
    {
        return error;
    }
    let message = format!(
        "{place} answered {http_status} with {}, without an OAuth error; check the address of this endpoint",
        described(response)
    );
    Error::protocol(message).with_http_status(http_status)
}

/// Reads `error` and `error_description` (RFC 6749 5.2), also from a 200, because some servers send
/// them with it.
pub(crate) fn error_response(
    request: &Request,
    response: &Response,
    document: &Value,
) -> Option<Error> {
    let error = match document.get("error")? {
        Value::String(error) if !error.is_empty() => error.as_str(),
        Value::Null => return None,
        // A nested object or a number violates the standard, but still reports a failure.
        _ => "unknown_error",
    };
    let description = document.get("error_description").and_then(Value::as_str);
    let description = description.map(|text| without_secrets(text, request));
    let description = description.as_deref();
    let (status, what) = meaning(error).unwrap_or(match response.status {
        200 | 400 | 401 => (Status::Misconfigured, "the server refused the request; check the client's configuration"),
        // The response comes from a gateway or proxy, and the next attempt may get another one.
        _ => (Status::Protocol, "the response is not the authorization server's own; check the address, and any proxy in front of it"),
    });
    let message = format!("{}: {what} ({})", place(request), said(error, description));
    Some(oauth_error(status, &message, error, description).with_http_status(response.status))
}

/// The server's error code and, in quotes, its description (RFC 6749 5.2), for a message. Both are
/// untrusted.
pub(crate) fn said(error: &str, description: Option<&str>) -> String {
    let code = one_line(error, 100);
    let description =
        description.map(|text| one_line(text, LONGEST_DESCRIPTION)).filter(|text| !text.is_empty());
    description.map_or(code.clone(), |description| format!("{code}: \"{description}\""))
}

/// Removes the request's secrets, because a server may repeat them and no message may hold them.
fn without_secrets(text: &str, request: &Request) -> String {
    const NO_SECRETS: [&str; 6] =
        ["grant_type", "scope", "client_id", "audience", "redirect_uri", "token_type_hint"];
    let authorization =
        request.authorization.as_ref().and_then(|header| header.expose().split(' ').next_back());
    let basic = authorization.and_then(|encoded| STANDARD.decode(encoded).ok()).map(Zeroizing::new);
    let password = basic
        .as_ref()
        .and_then(|pair| std::str::from_utf8(pair).ok()?.split_once(':'))
        .map(|(_, password)| password);
    let mut text = text.to_owned();
    for secret in request
        .form
        .secrets(&NO_SECRETS)
        .chain(authorization)
        .chain(password)
        .filter(|secret| secret.len() >= SHORTEST_SECRET)
    {
        text = text.replace(secret, "[redacted]");
    }
    text
}

/// What an error code means for the caller; `None` if this library does not know the code.
pub(crate) fn meaning(error: &str) -> Option<(Status, &'static str)> {
    Some(match error {
        "invalid_client" => (Status::Misconfigured, "the server does not accept this client"),
        "unauthorized_client" => {
            (Status::Misconfigured, "this client may not use this grant; change its registration")
        }
        "unsupported_grant_type" => (Status::Misconfigured, "the server does not offer this grant"),
        "unsupported_response_type" => {
            (Status::Misconfigured, "the server does not offer authorization codes")
        }
        "invalid_scope" => (
            Status::Misconfigured,
            "the server does not grant these scopes to this client; ask for fewer",
        ),
        "invalid_target" => (Status::Misconfigured, "the server does not know this audience"),
        "access_denied" => (Status::Denied, "the server refused"),
        "invalid_grant" => (Status::LoginRequired, "the login is no longer valid; log in again"),
        "interaction_required"
        | "login_required"
        | "consent_required"
        | "mfa_required"
        | "account_selection_required" => {
            (Status::LoginRequired, "the server wants the user to log in again")
        }
        "temporarily_unavailable" | "server_error" | "slow_down" => {
            (Status::Unavailable, "the server asks to try later")
        }
        _ => return None,
    })
}

/// An error with the code and description of the server, and the reason that belongs to them.
pub(crate) fn oauth_error(
    status: Status,
    message: &str,
    error: &str,
    description: Option<&str>,
) -> Error {
    let built = Error::new(status, message).with_oauth_error(error, description);
    match error {
        "invalid_grant" => built.with_reason(Reason::Revoked),
        _ if status == Status::LoginRequired => built.with_reason(Reason::Expired),
        _ => built,
    }
}

/// The same error with another status and message.
pub(crate) fn reworded(error: &Error, status: Status, message: &str) -> Error {
    let message = match (error.oauth_error(), error.oauth_error_description()) {
        (Some(code), Some(description)) => format!("{message} ({})", said(code, Some(description))),
        _ => message.to_owned(),
    };
    let built = Error::new(status, message).with_retry_after(error.retry_after());
    let built = match error.oauth_error() {
        Some(code) => built.with_oauth_error(code, error.oauth_error_description()),
        None => built,
    };
    match error.http_status() {
        Some(http_status) => built.with_http_status(http_status),
        None => built,
    }
}
