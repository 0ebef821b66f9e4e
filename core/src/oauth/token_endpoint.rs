//! The token endpoint: sends the form and reads the response (RFC 6749 5.1, 5.2).

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use crate::credential::{TokenSet, check_b64token};
use crate::error::{Error, Reason, Result};
use crate::http::{CallContext, Form, Replay};
use crate::secret::Secret;
use crate::secret_json::Members;
use serde_json::Value;
use std::time::Duration;

/// The lifetime of a token without a stated one: it never counts as unlimited.
pub const DEFAULT_LIFETIME_S: u64 = 300;
/// The longest stated lifetime that is accepted.
pub const MAX_LIFETIME_S: u64 = 10 * 365 * 24 * 3600;

/// Clocks that differ by less count as equal, because a response takes time to arrive.
const CLOCK_TOLERANCE_S: u64 = 60;

/// One request to a token endpoint.
pub struct TokenRequest<'a> {
    /// Checked by the caller: https, or loopback if that is allowed.
    pub endpoint: &'a url::Url,
    /// `grant_type` and its parameters, without the client's authentication.
    pub form: Form,
    /// How the client authenticates.
    pub authentication: &'a ClientAuthentication,
    /// The requested scopes, in case the response does not say which were granted.
    pub scopes: &'a [String],
    /// Whether the request may be repeated if it is unknown whether it arrived.
    pub replay: Replay,
}

/// A response that holds tokens.
#[derive(Debug)]
pub enum Received {
    /// The tokens can be used.
    Usable(TokenSet),
    /// The tokens cannot be used: the reason, and the tokens, which the server accepts until they
    /// are revoked.
    Unusable(Error, Members),
}

impl Received {
    /// The members of the response.
    pub fn members(&self) -> &Members {
        match self {
            Received::Usable(tokens) => &tokens.members,
            Received::Unusable(_, members) => members,
        }
    }

    /// Errors: why the tokens cannot be used.
    pub fn usable(self) -> Result<TokenSet> {
        match self {
            Received::Usable(tokens) => Ok(tokens),
            Received::Unusable(error, _) => Err(error),
        }
    }
}

/// Scope tokens are printable ASCII without space, quote and backslash (RFC 6749 3.3).
///
/// Errors: INVALID_ARGUMENT.
pub fn check_scopes(scopes: &[String]) -> Result<()> {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    for scope in scopes {
        crate::setting::check("a scope", scope)?;
        if scope.is_empty() || !scope.bytes().all(fits) {
            return Err(Error::invalid_argument(
                "a scope is empty or holds a space, a quote, a backslash or a non-ASCII character; give each scope by itself",
            ));
        }
    }
    Ok(())
}

/// Sends the request and checks the response.
///
/// Blocks; uses the network. Errors: MISCONFIGURED (invalid_client, invalid_scope, ...), DENIED,
/// LOGIN_REQUIRED, UNAVAILABLE, TIMEOUT, PROTOCOL.
pub fn send(call: &CallContext<'_>, request: TokenRequest<'_>) -> Result<TokenSet> {
    let (is_refresh, scopes) = (request.form.has("refresh_token"), request.scopes);
    match receive(call, request)? {
        // A rotated refresh token replaces the one that was sent, so it is saved even if its access
        // token cannot be used.
        Received::Unusable(error, mut members)
            if is_refresh && members.text("refresh_token").is_some() =>
        {
            log::warn!("the new access token cannot be used: {error}");
            members.delete("access_token");
            Ok(TokenSet {
                access_token: Secret::default(),
                lifetime: Duration::ZERO,
                scopes: scopes.to_vec(),
                members,
            })
        }
        received => received.usable(),
    }
}

/// As [`send`], but also returns the tokens of a response that cannot be used, so that a login can
/// revoke them.
pub fn receive(call: &CallContext<'_>, request: TokenRequest<'_>) -> Result<Received> {
    let (http_request, response) = endpoint_request::post(
        call,
        request.endpoint,
        request.authentication,
        request.form,
        request.replay,
    )?;
    let now_unix_ms = call.clock().now().unix_ms;
    if !response.is_success() {
        return Err(endpoint_request::refused(
            &http_request,
            &response,
            request.authentication,
            now_unix_ms,
        ));
    }
    // The response reports success but cannot be read. The refresh token has probably been used up.
    let document =
        endpoint_request::json(&http_request, &response).map_err(Error::with_unusable_response)?;
    if let Some(error) = endpoint_request::error_response(&http_request, &response, &document) {
        return Err(endpoint_request::name_client(error, request.authentication));
    }
    let tokens = tokens_in(&document);
    match token_response(document.take(), request.scopes, now_unix_ms / 1000, response.date) {
        Ok(usable) => Ok(Received::Usable(usable)),
        Err(error) => Ok(Received::Unusable(error.with_unusable_response(), tokens)),
    }
}

/// The tokens of a response that are non-empty strings.
fn tokens_in(document: &Value) -> Members {
    let text = |name: &str| {
        document.get(name).filter(|token| token.as_str().is_some_and(|token| !token.is_empty()))
    };
    let tokens = ["refresh_token", "access_token"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), text(name)?.clone())));
    Members(tokens.collect())
}

/// Checks a successful response and determines the lifetime of its token.
///
/// `now` is the local time and `date` the server's `Date`, in Unix seconds. Errors: PROTOCOL.
pub fn token_response(
    document: Value,
    requested: &[String],
    now: u64,
    date: Option<u64>,
) -> Result<TokenSet> {
    let Value::Object(members) = document else {
        return Err(Error::protocol("the token response is not a JSON object"));
    };
    let mut members = Members(members);
    // A refresh token that is not a string (RFC 6749 5.1) counts as omitted: the previous one stays
    // valid.
    for name in ["refresh_token", "id_token"] {
        if members.0.get(name).is_some_and(|value| !value.is_string() && !value.is_null()) {
            log::warn!("the token response's {name} is not a string and is not used");
            members.delete(name);
        }
    }
    let text = |member: &str| members.0.get(member).and_then(Value::as_str);
    let Some(access_token) = text("access_token") else {
        return Err(Error::protocol("the token response has no access_token (RFC 6749 5.1)"));
    };
    match text("token_type") {
        Some(token_type) if token_type.eq_ignore_ascii_case("bearer") => {}
        Some(token_type) => {
            let token_type = crate::text::one_line(token_type, 40);
            return Err(Error::protocol(format!(
                "the server issued a token of type '{token_type}'; only bearer tokens can be used"
            )));
        }
        None => return Err(Error::protocol("the token response has no token_type (RFC 6749 5.1)")),
    }
    check_b64token(access_token)?;
    let lifetime = lifetime(members.0.get("expires_in"), access_token, now, date)?;
    let scopes = match text("scope") {
        Some(scope) => scope.split_ascii_whitespace().map(str::to_owned).collect(),
        None => requested.to_vec(),
    };
    let missing: Vec<&str> = requested
        .iter()
        .map(String::as_str)
        .filter(|scope| !scopes.iter().any(|granted| granted == scope))
        .collect();
    if !missing.is_empty() {
        log::warn!(
            "the authorization server did not grant the scope {}",
            crate::text::one_line(&missing.join(" "), 200)
        );
    }
    Ok(TokenSet { access_token: Secret::from(access_token), lifetime, scopes, members })
}

/// Takes `expires_in`, else the documented `exp` claim. If both are known on the server's own
/// clock, takes the earlier one.
fn lifetime(
    expires_in: Option<&Value>,
    access_token: &str,
    now: u64,
    date: Option<u64>,
) -> Result<Duration> {
    let stated = match expires_in {
        None | Some(Value::Null) => None,
        Some(value) => Some(expires_in_seconds(value)?),
    };
    let times = crate::jwt::times(access_token);
    // The local clock may be wrong. The server's Date and the token's own iat do not depend on it.
    let by_date = match (times.exp, date) {
        (Some(exp), Some(date)) => Some(exp.saturating_sub(date) as f64),
        _ => None,
    };
    // A Date may also be wrong because of a proxy or a cache: it shortens a stated lifetime only if
    // a second clock agrees.
    let confirmed = |date: u64| {
        date.abs_diff(now) <= CLOCK_TOLERANCE_S
            || times.iat.is_some_and(|iat| iat.abs_diff(date) <= CLOCK_TOLERANCE_S)
    };
    let by_confirmed_date = by_date.filter(|_| date.is_some_and(confirmed));
    let by_iat = match (times.exp, times.iat) {
        (Some(exp), Some(iat)) if exp > iat => Some((exp - iat) as f64),
        _ => None,
    };
    if let Some(date) = date
        && date.abs_diff(now) > CLOCK_TOLERANCE_S
    {
        log::warn!(
            "this machine's clock and the authorization server's differ by {} s",
            date.abs_diff(now)
        );
    }
    let by_local_clock = times.exp.map(|exp| exp.saturating_sub(now) as f64);
    let seconds = match stated {
        Some(stated) => [by_confirmed_date, by_iat].into_iter().flatten().fold(stated, f64::min),
        None => match by_confirmed_date
            .or(by_date.filter(|left| *left > 0.0))
            .or(by_local_clock.filter(|left| *left > 0.0))
            .or(by_iat)
        {
            Some(left) => by_iat.map_or(left, |life| left.min(life)),
            None if times.exp.is_some() => 0.0,
            None => {
                log::warn!(
                    "the authorization server states no lifetime; its token is used for {DEFAULT_LIFETIME_S} s"
                );
                DEFAULT_LIFETIME_S as f64
            }
        },
    };
    // Less than the millisecond in which it is saved is zero.
    if seconds < 0.001 {
        return Err(Error::protocol(
            "the authorization server issued a token that is expired already; check this machine's clock and the client's token lifetime",
        )
        .with_reason(Reason::LifetimeUnusable));
    }
    Ok(Duration::from_millis((seconds.min(MAX_LIFETIME_S as f64) * 1000.0) as u64))
}

fn expires_in_seconds(value: &Value) -> Result<f64> {
    match endpoint_request::number(value) {
        Some(seconds) if seconds.is_finite() => Ok(seconds),
        Some(_) => Err(Error::protocol(
            "the token response's expires_in is infinite; a JSON number is finite (RFC 8259 6)",
        )
        .with_reason(Reason::LifetimeUnusable)),
        None => Err(Error::protocol("the token response's expires_in is not a number")),
    }
}
