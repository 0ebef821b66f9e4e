//! The client credentials grant (RFC 6749 4.4).

use super::client_authentication::ClientAuthentication;
use super::endpoint_request;
use super::token_endpoint::{self, TokenRequest};
use crate::credential::TokenSet;
use crate::deployment::SCOPE_OFFLINE_ACCESS;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Form, Replay};

/// What an M2M client requests.
#[derive(Clone, Debug, Default)]
pub struct ClientCredentialsRequest {
    /// Sent unchanged, in this order and case.
    pub scopes: Vec<String>,
    /// Sent if there is one.
    pub audience: Option<String>,
    /// Further parameters of the request, such as `organization`.
    pub extra: Vec<(String, String)>,
}

impl ClientCredentialsRequest {
    /// Checks what can be checked before any request.
    ///
    /// Errors: INVALID_ARGUMENT for `offline_access`, an invalid scope, or a public client.
    pub fn check(&self, authentication: &ClientAuthentication) -> Result<()> {
        if self.scopes.iter().any(|scope| scope == SCOPE_OFFLINE_ACCESS) {
            return Err(Error::invalid_argument(
                "a machine-to-machine client may not request the scope offline_access; leave it out: its tokens are refreshed without it",
            ));
        }
        token_endpoint::check_scopes(&self.scopes)?;
        if matches!(authentication, ClientAuthentication::None { .. }) {
            return Err(Error::invalid_argument(
                "the client credentials grant needs a client that can authenticate (RFC 6749 4.4): give its secret or private key",
            ));
        }
        self.form().map(drop)
    }

    fn form(&self) -> Result<Form> {
        let mut form = Form::default();
        form.add("grant_type", "client_credentials")?;
        form.add("scope", &self.scopes.join(" "))?;
        form.add("audience", self.audience.as_deref().unwrap_or(""))?;
        endpoint_request::add_extra(&mut form, &self.extra, &["grant_type", "scope", "audience"])?;
        Ok(form)
    }

    /// Requests a token. A refresh token in the response is ignored (RFC 6749 4.4.3): a refresh
    /// repeats the grant.
    ///
    /// Blocks; uses the network. Errors: as [`token_endpoint::send`].
    pub fn request(
        &self,
        call: &CallContext<'_>,
        endpoint: &url::Url,
        authentication: &ClientAuthentication,
    ) -> Result<TokenSet> {
        let request = TokenRequest {
            endpoint,
            form: self.form()?,
            authentication,
            scopes: &self.scopes,
            replay: Replay::Safe,
        };
        let mut tokens = token_endpoint::send(call, request).map_err(|error| match error.oauth_error() {
            // No user login can fix this: some servers respond so for a client that is disabled or
            // has no service account.
            Some("invalid_grant") => endpoint_request::reworded(
                &error,
                Status::Misconfigured,
                "the authorization server gives this machine-to-machine client no token; check the client where it is registered",
            ),
            _ => error,
        })?;
        tokens.members.delete("refresh_token");
        Ok(tokens)
    }
}
