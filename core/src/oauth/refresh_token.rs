//! The refresh token grant (RFC 6749 6).

use super::client_authentication::ClientAuthentication;
use super::token_endpoint::{self, TokenRequest};
use crate::credential::TokenSet;
use crate::error::Result;
use crate::http::{CallContext, Form, Replay};
use crate::jwt;
use serde_json::Value;

/// The members of an old token set that describe only its access token and must not outlive it.
const ABOUT_THE_ACCESS_TOKEN: [&str; 6] =
    ["access_token", "expires_in", "expires_at", "ext_expires_in", "_iat", "_exp"];

/// Requests an access token with the refresh token of `old`. Sends no scope, so the granted scopes
/// stay the same.
///
/// Members that the response omits are taken from `old`, above all the refresh token. The request
/// is not repeated if it is unknown whether it arrived, nor if the response cannot be used: the
/// caller reads the saved session first ([`crate::Error::is_ambiguous`]). Only if no complete
/// response came may the caller send the same token once more.
///
/// Blocks; uses the network. Errors: LOGIN_REQUIRED (`revoked`) for `invalid_grant`, and as
/// [`token_endpoint::send`].
pub fn request(
    call: &CallContext<'_>,
    endpoint: &url::Url,
    authentication: &ClientAuthentication,
    old: &TokenSet,
) -> Result<TokenSet> {
    let mut form = Form::default();
    form.add("grant_type", "refresh_token")?;
    form.add("refresh_token", old.refresh_token().unwrap_or(""))?;
    let request = TokenRequest {
        endpoint,
        form,
        authentication,
        scopes: &old.scopes,
        replay: Replay::Unsafe,
    };
    let mut tokens = token_endpoint::send(call, request)?;
    if let (Some(previous), Some(received)) = (old.id_token(), tokens.id_token())
        && ["iss", "sub"]
            .into_iter()
            .any(|claim| jwt::text_claim(previous, claim) != jwt::text_claim(received, claim))
    {
        // OpenID Connect Core 12.2. The rotated refresh token is still saved.
        log::warn!("the ID token of a refresh names another user and is not used");
        tokens.members.delete("id_token");
    }
    for (name, value) in &old.members.0 {
        let is_omitted = match tokens.members.0.get(name) {
            None | Some(Value::Null) => true,
            Some(Value::String(text)) => text.is_empty(),
            Some(_) => false,
        };
        if is_omitted && !ABOUT_THE_ACCESS_TOKEN.contains(&name.as_str()) {
            tokens.members.0.insert(name.clone(), value.clone());
        }
    }
    Ok(tokens)
}
