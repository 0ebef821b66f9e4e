//! The token endpoint: what every grant has in common.

use serde_json::json;

use crate::authorization_server::{Call, refusal};
use crate::client_authentication::{authenticate, invalid_request, value};
use crate::http::{Request, Response};
use crate::state::State;
use crate::{client_credentials, refresh_token};

/// Parameters of a form, in their order.
pub(crate) type Form = Vec<(String, String)>;

/// A grant that a server may offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GrantType {
    ClientCredentials,
    RefreshToken,
}

impl GrantType {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
        }
    }
}

pub(crate) fn answer(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut state = call.shared.lock();
    let client = call.authenticate(&mut state, &form)?;
    let name = value(&form, "grant_type").ok_or_else(|| invalid_request("Missing form parameter: grant_type"))?;
    let grant = call.server.grants.iter().find(|grant| grant.name() == name);
    let body = match grant {
        Some(GrantType::ClientCredentials) => client_credentials::answer(call, &mut state, &client, &form),
        Some(GrantType::RefreshToken) => refresh_token::answer(call, &mut state, &client, &form),
        None => Err(refusal(400, "unsupported_grant_type", "Unsupported grant_type")),
    }?;
    *state.tokens_issued.entry(call.server.target(call.endpoint)).or_default() += 1;
    Ok(Response::json(200, &body))
}

/// The parameters of a POST, each of them once (RFC 6749 3.2, RFC 7009 2.1).
pub(crate) fn read_form(request: &Request) -> Result<Form, Response> {
    if request.method != "POST" {
        return Err(Response::new(405).with("Allow", "POST"));
    }
    if !request.is_form() {
        let body = json!({"error": "invalid_request", "error_description": "not a form"});
        return Err(Response::json(415, &body));
    }
    let form = request.form();
    for (index, (key, _)) in form.iter().enumerate() {
        if form[..index].iter().any(|(earlier, _)| earlier == key) {
            return Err(invalid_request(&format!("duplicated parameter: {key}")));
        }
    }
    if request.query.is_some() {
        return Err(invalid_request("parameters belong in the body"));
    }
    Ok(form)
}

impl Call<'_> {
    /// Who the client is, at this server; the error is the answer to send.
    pub(crate) fn authenticate(&self, state: &mut State, form: &Form) -> Result<String, Response> {
        let issuer = self.server.issuer(self.origin);
        let token_endpoint = self.server.token_endpoint(self.origin);
        let endpoint = self.server.url(self.origin, self.endpoint);
        authenticate(state, self.request, form, self.server.subject, &[&issuer, &token_endpoint, &endpoint])
    }
}
