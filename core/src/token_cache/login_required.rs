//! The errors of a refresh that only a login resolves.

use crate::client::Client;
use crate::error::{Error, Reason, Status};
use crate::storage::TokenStorage;
use crate::text::one_line;
use std::path::Path;

/// Why there is no refresh token to send.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRefreshToken {
    /// The saved session is that of another client or server.
    Foreign,
    /// The session was logged out.
    LoggedOut,
    /// The access token is still valid, and came without a refresh token.
    NeverIssued,
    /// The access token expired, and came without a refresh token.
    Expired,
    /// Nothing is saved.
    NeverLoggedIn,
}

/// Makes the errors of one session.
#[derive(Clone, Copy)]
pub(super) struct LoginRequired<'a> {
    pub(super) client: &'a Client,
    pub(super) storage: &'a dyn TokenStorage,
    pub(super) profile: Option<&'a str>,
}

impl LoginRequired<'_> {
    /// LOGIN_REQUIRED, because there is no refresh token to send.
    pub(super) fn without_refresh_token(&self, why: NoRefreshToken) -> Error {
        if let Some(error) =
            (why == NoRefreshToken::Foreign).then(|| self.of_another_issuer()).flatten()
        {
            return error;
        }
        let (reason, what) = match why {
            NoRefreshToken::Foreign => {
                (Reason::NeverLoggedIn, "the saved session belongs to another client or server")
            }
            NoRefreshToken::LoggedOut => (Reason::LoggedOut, "the session was logged out"),
            NoRefreshToken::NeverIssued => (
                Reason::Expired,
                "the access token cannot be refreshed, because the server issued no refresh token (scope offline_access)",
            ),
            NoRefreshToken::Expired => {
                (Reason::Expired, "the access token expired and there is no refresh token")
            }
            NoRefreshToken::NeverLoggedIn => (Reason::NeverLoggedIn, "no user has logged in"),
        };
        self.error(reason, what)
    }

    /// LOGIN_REQUIRED, because another process deleted the session.
    pub(super) fn logged_out(&self) -> Error {
        self.error(Reason::LoggedOut, "the session was logged out")
    }

    /// LOGIN_REQUIRED, because another client or server saved its session at the same place.
    pub(super) fn replaced(&self) -> Error {
        self.error(
            Reason::NeverLoggedIn,
            "the session of another client or server replaced this one",
        )
    }

    /// LOGIN_REQUIRED, because the server no longer accepts the refresh token. `refusal`: the error
    /// of the request; `None` if an earlier one was refused.
    pub(super) fn revoked(&self, refusal: Option<&Error>) -> Error {
        let description = refusal.and_then(Error::oauth_error_description);
        let said = description
            .map(|text| {
                format!(" ({})", crate::oauth::endpoint_request::said("invalid_grant", Some(text)))
            })
            .unwrap_or_default();
        let what = format!(
            "the authorization server no longer accepts this session's refresh token{said}"
        );
        let revoked =
            self.error(Reason::Revoked, &what).with_oauth_error("invalid_grant", description);
        match refusal.and_then(Error::http_status) {
            Some(http_status) => revoked.with_http_status(http_status),
            None => revoked,
        }
    }

    /// Why a saved session is not used if its token names another issuer. Planet's SDK would use
    /// it, and send the refresh token to a server that did not issue it.
    fn of_another_issuer(&self) -> Option<Error> {
        let shown = |path: Option<&Path>, otherwise: &str| {
            path.map_or_else(|| otherwise.to_owned(), |path| path.display().to_string())
        };
        let token_issuer = one_line(&self.storage.other_issuer()?, 200);
        let saved = shown(self.storage.path(), "the application's storage");
        let configuration = shown(self.client.config_file(), "the client's configuration");
        let client_issuer = one_line(self.client.issuer(), 200);
        let log_in = self.log_in();
        let message = format!(
            "the saved session in {saved} is not used: its token is from the issuer '{token_issuer}', and \
             {configuration} says that the server of this client is '{client_issuer}'. If both are one server, \
             set issuer to '{token_issuer}' there; otherwise {log_in}"
        );
        Some(Error::new(Status::LoginRequired, message).with_reason(Reason::NeverLoggedIn))
    }

    fn error(&self, reason: Reason, what: &str) -> Error {
        Error::new(Status::LoginRequired, format!("{what}; {}", self.log_in())).with_reason(reason)
    }

    fn log_in(&self) -> String {
        match self.profile {
            Some(profile) => format!("log in to the profile '{}'", one_line(profile, 100)),
            None => "log in".to_owned(),
        }
    }
}
