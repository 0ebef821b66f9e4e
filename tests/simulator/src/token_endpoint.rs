//! The token endpoint: the common part of all grants.

use serde_json::json;

use crate::authorization_server::{Call, refusal};
use crate::client_authentication::{authenticate, invalid_request, value};
use crate::http::{Request, Response};
use crate::state::State;
use crate::{authorization_code, client_credentials, device_code, refresh_token};

/// Parameters of a form, in order.
pub(crate) type Form = Vec<(String, String)>;

/// A grant that a server may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    AuthorizationCode,
    ClientCredentials,
    DeviceCode,
    RefreshToken,
}

impl GrantType {
    pub(crate) const ALL: [Self; 4] =
        [Self::AuthorizationCode, Self::ClientCredentials, Self::DeviceCode, Self::RefreshToken];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::RefreshToken => "refresh_token",
        }
    }
}

pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut guard = call.shared.lock();
    let state = &mut *guard;
    let client = call.authenticate(state, &form)?;
    let name = value(&form, "grant_type")
        .ok_or_else(|| invalid_request("Missing form parameter: grant_type"))?;
    let grant = call.server.grants.iter().find(|grant| grant.name() == name);
    let grant =
        *grant.ok_or_else(|| refusal(400, "unsupported_grant_type", "Unsupported grant_type"))?;
    if !state.clients.get(&client).is_some_and(|client| client.may_use(grant)) {
        return Err(refusal(
            400,
            "unauthorized_client",
            "The client is not registered for this grant",
        ));
    }
    let body = match grant {
        GrantType::AuthorizationCode => authorization_code::respond(call, state, &client, &form),
        GrantType::ClientCredentials => client_credentials::respond(call, state, &client, &form),
        GrantType::DeviceCode => device_code::respond(call, state, &client, &form),
        GrantType::RefreshToken => refresh_token::respond(call, state, &client, &form),
    }?;
    *state.tokens_issued.entry(call.server.target(call.endpoint)).or_default() += 1;
    Ok(Response::json(200, &body))
}

/// The parameters of a POST, each once (RFC 6749 3.2, RFC 7009 2.1).
pub(crate) fn read_form(request: &Request) -> Result<Form, Response> {
    if request.method != "POST" {
        return Err(Response::new(405).with("Allow", "POST"));
    }
    if !request.is_form() {
        let body = json!({"error": "invalid_request", "error_description": "not a form"});
        return Err(Response::json(415, &body));
    }
    let form = request.form();
    if let Some(name) = repeated(&form) {
        return Err(invalid_request(&format!("duplicated parameter: {name}")));
    }
    if request.query.is_some() {
        return Err(invalid_request("parameters belong in the body"));
    }
    Ok(form)
}

/// The first duplicate parameter.
pub(crate) fn repeated(form: &Form) -> Option<&str> {
    let mut pairs = form.iter().enumerate();
    pairs.find_map(|(index, (key, _))| {
        form[..index].iter().any(|(earlier, _)| earlier == key).then_some(key.as_str())
    })
}

impl Call<'_> {
    /// The client at this server. The error is the response to send.
    pub(crate) fn authenticate(&self, state: &mut State, form: &Form) -> Result<String, Response> {
        let issuer = self.server.issuer(self.origin);
        let token_endpoint = self.server.token_endpoint(self.origin);
        let endpoint = self.server.url(self.origin, self.endpoint);
        authenticate(
            state,
            self.request,
            form,
            self.server.subject,
            &[&issuer, &token_endpoint, &endpoint],
        )
    }
}
