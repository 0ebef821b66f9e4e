//! An API refused a request: whether to repeat it, and with which authorization.

use super::Session;
use super::authorization::{Authorization, Immediate};
use crate::authorize::{api_key, challenge};
use crate::error::{Result, Status};
use crate::secret::equal_in_constant_time;

const BEARER: &str = "Bearer ";

/// An API's response, with the request that it belongs to.
///
/// HTTP clients follow redirects on their own: the request that got this response may have gone to
/// another URL than the one that was authorized, and without the credential.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct ApiResponse<'a> {
    /// The URL of the request that got this response. It may hold an API key.
    pub url: &'a str,
    /// The value of the `Authorization` header that this request carried.
    pub sent: Option<&'a str>,
    /// The HTTP status of the response.
    pub http_status: u16,
    /// The `WWW-Authenticate` header of the response, several values joined by commas.
    pub www_authenticate: Option<&'a str>,
    /// Whether the client can send the request again. It cannot if the body was a stream.
    pub can_repeat: bool,
}

impl<'a> ApiResponse<'a> {
    /// The response to a request for this URL that carried no `Authorization` header and can be
    /// sent again. Set the other fields as needed.
    pub fn new(url: &'a str, http_status: u16) -> Self {
        ApiResponse { url, sent: None, http_status, www_authenticate: None, can_repeat: true }
    }
}

impl std::fmt::Debug for ApiResponse<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sent = if self.sent.is_some() { "with" } else { "without" };
        write!(f, "ApiResponse({} to a request {sent} Authorization header)", self.http_status)
    }
}

impl Session {
    /// Decides what follows an API's response. `None`: the response is final. `Some`: repeat the
    /// request once, with this authorization.
    ///
    /// `authorization` is the one that the request carried, `www_authenticate` the response's
    /// header, several values joined by commas. A 401 takes the access token out of use, unless its
    /// Bearer challenge names another error than `invalid_token` (RFC 6750 section 3.1). Any other
    /// status is final. An HTTP client that follows redirects calls [`Session::after_api_response`]
    /// instead.
    ///
    /// Blocks while the token is refreshed. Errors: as [`Session::authorize`] if the refresh fails.
    pub fn after_response(
        &self,
        authorization: &Authorization,
        http_status: u16,
        www_authenticate: Option<&str>,
    ) -> Result<Option<Authorization>> {
        self.after_api_response(&ApiResponse {
            sent: authorization.header_value(),
            www_authenticate,
            ..ApiResponse::new(authorization.url(), http_status)
        })
    }

    /// As [`Session::after_response`], for a request that may have been redirected.
    ///
    /// The authorization to repeat with is for `response.url`. It is never the one that was just
    /// refused. There is none for a URL that this session does not serve.
    pub fn after_api_response(&self, response: &ApiResponse<'_>) -> Result<Option<Authorization>> {
        if !self.may_repeat(response)? {
            return Ok(None);
        }
        let repeat = self.authorize_if_served(response.url)?;
        Ok(repeat.filter(|repeat| !is_refused(repeat, response)))
    }

    /// As [`Session::after_api_response`], but never blocks.
    ///
    /// `WouldBlock`: the request should be repeated as soon as [`Session::authorize`] has an
    /// authorization for `response.url`.
    pub fn after_api_response_cached(&self, response: &ApiResponse<'_>) -> Result<Immediate> {
        if !self.may_repeat(response)? {
            return Ok(Immediate::Nothing);
        }
        Ok(match self.authorize_if_served_cached(response.url)? {
            Immediate::Authorization(repeat) if is_refused(&repeat, response) => Immediate::Nothing,
            repeat => repeat,
        })
    }

    /// Whether another authorization may help. Takes the token out of use if the response says so.
    ///
    /// The response of a host that this session does not serve says nothing about the token, even
    /// if the token was sent there.
    fn may_repeat(&self, response: &ApiResponse<'_>) -> Result<bool> {
        let token = response.sent.and_then(|sent| sent.strip_prefix(BEARER));
        let is_refused = match token {
            Some(_) => {
                challenge::asks_for_another_token(response.http_status, response.www_authenticate)
            }
            // The client lost the credential on a redirect, or sent another one.
            None => response.http_status == 401,
        };
        if !is_refused || !self.serves(response.url)? {
            return Ok(false);
        }
        Ok(token.is_none_or(|token| self.has_other_than(token)) && response.can_repeat)
    }

    /// Whether a credential of this session may go to this URL. Errors: INVALID_ARGUMENT.
    fn serves(&self, url: &str) -> Result<bool> {
        let target = self.shared.policy.target(url);
        Ok(served(target.and_then(|target| self.choose(&target).map(drop)))?.is_some())
    }

    /// Takes the refused token out of use. Whether there is, or will be, another one.
    fn has_other_than(&self, refused: &str) -> bool {
        if self.token_caches().any(|cache| cache.invalidate(refused)) {
            return true;
        }
        match self.token_caches().find(|cache| cache.holds(refused)) {
            // Another caller took it out of use already, or it was issued too recently to be
            // replaced again.
            Some(cache) => cache.is_rejected(),
            None => self.token_caches().any(|cache| cache.is_usable()),
        }
    }

    /// As [`Session::authorize`]; `None` for a URL that no credential of this session may go to.
    ///
    /// For adapters of HTTP clients that also send requests to other hosts. Errors: as
    /// [`Session::authorize`], except HOST_REFUSED.
    pub fn authorize_if_served(&self, url: &str) -> Result<Option<Authorization>> {
        served(self.authorize(url))
    }

    /// As [`Session::authorize_if_served`], but never blocks. `WouldBlock`: the session serves the
    /// URL, and has no valid token now.
    pub fn authorize_if_served_cached(&self, url: &str) -> Result<Immediate> {
        Ok(match served(self.authorize_cached(url))? {
            None => Immediate::Nothing,
            Some(Some(authorization)) => Immediate::Authorization(authorization),
            Some(None) => Immediate::WouldBlock,
        })
    }
}

/// `None` if no credential of the session may go there.
fn served<T>(outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Ok(authorization) => Ok(Some(authorization)),
        Err(error) if error.status() == Status::HostRefused => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether this is the credential that the API refused.
fn is_refused(repeat: &Authorization, response: &ApiResponse<'_>) -> bool {
    match repeat.header_value() {
        Some(value) => response.sent.is_some_and(|sent| equal_in_constant_time(sent, value)),
        None => api_key::is_same_in_url(response.url, repeat.url()),
    }
}
