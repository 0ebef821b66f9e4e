//! The authorization code grant (RFC 6749 4.1) with PKCE (RFC 7636), the issuer in the response
//! (RFC 9207) and the nonce of OpenID Connect Core 3.1.2.

use super::client_authentication::ClientAuthentication;
use super::token_endpoint::{self, Received, TokenRequest};
use super::{endpoint_request, pkce};
use crate::clock::Random;
use crate::error::{Error, Reason, Result, Status};
use crate::http::{CallContext, Form, Replay, Retry};
use crate::secret::{Secret, equal_in_constant_time};
use crate::text::one_line;
use std::fmt;

/// No authorization response is nearly this long; codes of two kilobytes are in use.
const MAX_QUERY_BYTES: usize = 16 * 1024;

/// The parameters of an authorization request.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// Checked by the caller: https, or loopback if that is allowed. Its own query is preserved.
    pub endpoint: &'a url::Url,
    /// The `client_id`.
    pub client_id: &'a str,
    /// The redirect URI, exactly as it is sent.
    pub redirect_uri: &'a str,
    /// Sent unchanged, in this order and case.
    pub scopes: &'a [String],
    /// Sent if there is one.
    pub audience: Option<&'a str>,
    /// Further parameters, such as `prompt` or `organization`.
    pub extra: &'a [(String, String)],
}

/// One attempt of a browser login: the request, and the secrets that its response must match.
pub struct Attempt {
    url: Secret,
    redirect_uri: String,
    state: Secret,
    nonce: Secret,
    verifier: pkce::Verifier,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt").field("redirect_uri", &self.redirect_uri).finish_non_exhaustive()
    }
}

impl Attempt {
    /// A new attempt with its own state, nonce and verifier.
    ///
    /// Errors: INVALID_ARGUMENT (an invalid scope, a parameter that is present twice or breaks the
    /// login), MISCONFIGURED (the endpoint's query holds one of the parameters), INTERNAL (no
    /// random numbers).
    pub fn new(parameters: &Parameters<'_>, random: &dyn Random) -> Result<Attempt> {
        token_endpoint::check_scopes(parameters.scopes)?;
        let (state, nonce, verifier) =
            (pkce::random_text(random)?, pkce::random_text(random)?, pkce::Verifier::new(random)?);
        let mut form = Form::default();
        form.add("response_type", "code")?;
        form.add("client_id", parameters.client_id)?;
        form.add("redirect_uri", parameters.redirect_uri)?;
        form.add("scope", &parameters.scopes.join(" "))?;
        form.add("audience", parameters.audience.unwrap_or(""))?;
        form.add("state", state.expose())?;
        form.add("nonce", nonce.expose())?;
        form.add("code_challenge", &verifier.challenge())?;
        form.add("code_challenge_method", pkce::METHOD)?;
        // These would send the response elsewhere than to the redirect URI's query, or make the
        // server read another request.
        endpoint_request::add_extra(
            &mut form,
            parameters.extra,
            &["scope", "audience", "response_mode", "request", "request_uri"],
        )?;
        if let Some((name, _)) = parameters.endpoint.query_pairs().find(|(name, _)| form.has(name))
        {
            return Err(Error::misconfigured(format!(
                "the authorization_endpoint holds the parameter {} already, and no parameter may be sent twice",
                one_line(&name, 100)
            )));
        }
        let mut url = parameters.endpoint.clone();
        let query = match url.query() {
            Some(query) if !query.is_empty() => {
                Secret::from(format!("{query}&{}", form.encode().expose()))
            }
            _ => form.encode(),
        };
        url.set_query(Some(query.expose()));
        Ok(Attempt {
            url: Secret::from(String::from(url)),
            redirect_uri: parameters.redirect_uri.to_owned(),
            state,
            nonce,
            verifier,
        })
    }

    /// The URL for the browser. It contains the state, so show it only to the user who logs in.
    pub fn url(&self) -> &str {
        self.url.expose()
    }

    /// The redirect URI that receives the response.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// The nonce that the ID token of this login must contain.
    pub fn nonce(&self) -> &str {
        self.nonce.expose()
    }

    /// Reads an authorization response (RFC 6749 4.1.2). Nothing in it is used before its state is
    /// known to be that of this attempt.
    ///
    /// `query` is the raw query of the redirect, and `issuer` that of the metadata. `iss_required`
    /// is set if the metadata announces RFC 9207.
    pub fn response(&self, query: &str, issuer: &str, iss_required: bool) -> AuthorizationResponse {
        if query.len() > MAX_QUERY_BYTES {
            return AuthorizationResponse::NotOurs("the response is too long");
        }
        let query = Query::parse(query);
        let values = |name| query.values(name);
        if values("state").all(str::is_empty) {
            return AuthorizationResponse::NotOurs("the response has no state");
        }
        if !values("state").any(|state| equal_in_constant_time(state, self.state.expose())) {
            return AuthorizationResponse::NotOurs("the state belongs to no login of this program");
        }
        let protocol = |message: &str| AuthorizationResponse::Refused(Error::protocol(message));
        if let Some(name) = ["state", "code", "iss", "error", "error_description"]
            .into_iter()
            .find(|name| values(name).nth(1).is_some())
        {
            return protocol(&format!(
                "the authorization response has the parameter {name} twice; log in again"
            ));
        }
        let value = |name| values(name).next().filter(|value| !value.is_empty());
        match value("iss") {
            Some(iss) if iss != issuer => {
                let message = format!(
                    "the authorization response is from '{}', not from '{}'; another server may have answered: log in again",
                    one_line(iss, 200),
                    one_line(issuer, 200)
                );
                return AuthorizationResponse::Refused(
                    Error::protocol(message).with_reason(Reason::IssuerMismatch),
                );
            }
            None if iss_required => {
                let message = "the authorization response does not name its issuer although this server always does; another server may have answered: log in again";
                return AuthorizationResponse::Refused(
                    Error::protocol(message).with_reason(Reason::IssuerMismatch),
                );
            }
            _ => {}
        }
        if let Some(error) = value("error") {
            return AuthorizationResponse::Refused(refusal(error, value("error_description")));
        }
        match value("code") {
            // RFC 6749 A.11.
            Some(code) if code.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) => {
                AuthorizationResponse::Code(Secret::from(code))
            }
            Some(_) => protocol(
                "the authorization response's code holds characters that no code may have; log in again",
            ),
            None => {
                protocol("the authorization response has neither a code nor an error; log in again")
            }
        }
    }
}

/// The decoded parameters of a response, which may include a code.
struct Query(Vec<(String, Secret)>);

impl Query {
    fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Query(
            pairs
                .map(|(name, value)| (name.into_owned(), Secret::from(value.into_owned())))
                .collect(),
        )
    }

    fn values(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(present, _)| present == name).map(|(_, value)| value.expose())
    }
}

/// The kinds of authorization response.
#[derive(Debug)]
pub enum AuthorizationResponse {
    /// Not the response to this login: the request gets status 400, and the login continues.
    NotOurs(&'static str),
    /// The response is an error.
    Refused(Error),
    /// The authorization code, to be redeemed once.
    Code(Secret),
}

fn refusal(error: &str, description: Option<&str>) -> Error {
    let (status, what) = match error {
        "access_denied" => {
            (Status::Denied, "access was denied in the browser; log in again and allow it")
        }
        _ => endpoint_request::meaning(error).unwrap_or((
            Status::Misconfigured,
            "the server refused the login; check the client's configuration",
        )),
    };
    endpoint_request::oauth_error(
        status,
        &format!("login: {what} ({})", endpoint_request::said(error, description)),
        error,
        description,
    )
}

/// Exchanges the code for tokens (RFC 6749 4.1.3). The code is sent at most once, whatever the
/// response.
///
/// Blocks; uses the network. Errors: LOGIN_REQUIRED (`expired`) if the code is not accepted, and as
/// [`token_endpoint::send`].
pub fn redeem(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    attempt: &Attempt,
    code: &Secret,
    scopes: &[String],
) -> Result<Received> {
    let mut form = Form::default();
    form.add("grant_type", "authorization_code")?;
    form.add("code", code.expose())?;
    form.add("redirect_uri", &attempt.redirect_uri)?;
    form.add("code_verifier", attempt.verifier.expose())?;
    let request = TokenRequest { endpoint, form, authentication, scopes, replay: Replay::Once };
    token_endpoint::receive(&call.with_retry(Retry::WithinDeadline), request).map_err(|error| match error.oauth_error() {
        Some("invalid_grant") => {
            let message = "the authorization server did not accept the code of this login; it may have been used or be too old: log in again";
            endpoint_request::reworded(&error, Status::LoginRequired, message).with_reason(Reason::Expired)
        }
        _ => error,
    })
}
