//! User sessions without a login: the token response that would end a login.

use std::io;

use serde_json::Value;

use crate::USER_CLIENT_ID;
use crate::authorization_server::{Subject, USER};
use crate::http::now;
use crate::resource_server::PLANET_AUDIENCE;
use crate::script::{Changes, invalid, number, object, optional_text, text, unknown};
use crate::service::{LOGIN_HOST, Service};
use crate::state::{Shared, State};
use crate::user::{DEFAULT_USER, User};
use crate::user_tokens::Grant;

/// Starts a session by the body of `POST /sessions` and returns its token response.
pub(crate) fn seed(shared: &Shared, wanted: &Value) -> io::Result<Value> {
    let mut state = shared.lock();
    let mut issuer = USER.issuer(&shared.origins.user);
    let mut client = USER_CLIENT_ID.to_owned();
    let mut subject = DEFAULT_USER.to_owned();
    let mut scope = "planet offline_access".to_owned();
    let mut audience = Some(PLANET_AUDIENCE.to_owned());
    let mut age = 0;
    let mut refresh_token_lifetime = state.behaviour.refresh_token_lifetime;
    let mut changes = Changes::default();
    for (key, value) in object(wanted, "session")? {
        match key.as_str() {
            "issuer" => issuer = text(value, key)?.to_owned(),
            "client_id" => client = text(value, key)?.to_owned(),
            "subject" => subject = text(value, key)?.to_owned(),
            "scope" => scope = text(value, key)?.to_owned(),
            "audience" => audience = optional_text(value, key)?,
            "lifetime" => changes.expires_in = Some(number(value, key)?.into()),
            "age" => age = number(value, key)?,
            "refresh_token_lifetime" if value.is_null() => refresh_token_lifetime = None,
            "refresh_token_lifetime" => refresh_token_lifetime = Some(number(value, key)?),
            "claims" => changes.claims = object(value, key)?.clone(),
            _ => return Err(unknown(key, "session")),
        }
    }
    if !is_served(shared, &state, &issuer) {
        return Err(invalid(&format!(
            "{issuer:?} is not an issuer of the authorization server for users"
        )));
    }
    if !state.clients.get(&client).is_some_and(|client| client.is_known_to(Subject::User)) {
        return Err(invalid(&format!(
            "the authorization server for users has no client {client:?}"
        )));
    }
    let user = User::with_subject(&subject);
    let grant = Grant {
        issuer,
        client,
        user,
        scope,
        audience,
        nonce: None,
        since: now().saturating_sub(age),
    };
    let (_, response) =
        grant.open_with(shared, &mut state, age, refresh_token_lifetime, Some(&changes))?;
    drop(state);
    shared.announce();
    Ok(response)
}

/// Whether the authorization server for users is served under this issuer identifier.
pub(crate) fn is_served(shared: &Shared, state: &State, issuer: &str) -> bool {
    let hosts = state.behaviour.proxy_hosts.iter();
    let mut behind_proxy =
        hosts.filter(|(_, service)| **service == Service::User).map(|(host, _)| host.as_str());
    issuer == USER.issuer(&shared.origins.user)
        || issuer == USER.issuer(&format!("https://{LOGIN_HOST}"))
        || behind_proxy.any(|host| issuer == USER.issuer(&format!("https://{host}")))
}
