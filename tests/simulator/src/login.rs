//! The steps of a login in the browser: user name, second factor, consent. A device login starts
//! with the user code.

use std::collections::HashMap;

use crate::authorization_endpoint::AuthorizationRequest;
use crate::authorization_server::Call;
use crate::client_authentication::value;
use crate::device_code::normalized;
use crate::http::{Response, now};
use crate::pages;
use crate::state::State;
use crate::token_endpoint::read_form;
use crate::tokens::random_text;
use crate::user::{OTP, User};
use crate::user_tokens::Grant;

/// All logins in progress.
#[derive(Default)]
pub(crate) struct Logins {
    logins: HashMap<String, Login>,
    /// Users whose subject or address was set by the control API, by user name.
    users: HashMap<String, User>,
}

struct Login {
    issuer: String,
    purpose: Purpose,
    stage: Stage,
}

/// What the login is for.
pub(crate) enum Purpose {
    Authorization(Box<AuthorizationRequest>),
    /// The device with this user code.
    Device {
        user_code: String,
        client: String,
        scope: String,
    },
}

/// The next step.
#[derive(Clone)]
enum Stage {
    UserName,
    SecondFactor(User),
    /// The user, and the time of the login.
    Consent(User, u64),
}

impl Logins {
    /// Starts a login and returns its first page.
    pub(crate) fn begin(&mut self, issuer: String, purpose: Purpose) -> Response {
        let Ok(id) = random_text(24) else {
            return pages::failed("The system has no random numbers.");
        };
        let login = Login { issuer, purpose, stage: Stage::UserName };
        let page = login.page(&id, None);
        self.logins.insert(id, login);
        page
    }

    /// Sets the user of a user name.
    pub(crate) fn set_user(&mut self, user: User) {
        self.users.insert(user.name.clone(), user);
    }

    fn user(&self, name: &str) -> User {
        self.users.get(name).cloned().unwrap_or_else(|| User::named(name))
    }
}

impl Login {
    /// The form of the stage, with an error message about the previous input.
    fn page(&self, id: &str, alert: Option<&str>) -> Response {
        match &self.stage {
            Stage::UserName => pages::user_name(id, alert),
            Stage::SecondFactor(_) => pages::second_factor(id, alert),
            Stage::Consent(user, _) => {
                let (client, scope) = match &self.purpose {
                    Purpose::Authorization(request) => (&request.client, &request.scope),
                    Purpose::Device { client, scope, .. } => (client, scope),
                };
                pages::consent(id, alert, &user.name, client, scope)
            }
        }
    }
}

/// The next step of a login.
pub(crate) fn respond(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut guard = call.shared.lock();
    let state = &mut *guard;
    let issuer = call.server.issuer(call.origin);
    let id = value(&form, "transaction").unwrap_or_default();
    let login = state.logins.logins.get(id).filter(|login| login.issuer == issuer);
    let login = login.ok_or_else(|| pages::failed("This login does not exist or has finished."))?;
    let stage = match &login.stage {
        Stage::UserName => match value(&form, "username").map(str::trim) {
            Some(name) if !name.is_empty() => Stage::SecondFactor(state.logins.user(name)),
            _ => return Err(login.page(id, Some("Enter your user name."))),
        },
        Stage::SecondFactor(user) => match value(&form, "otp").map(str::trim) {
            Some(OTP) => Stage::Consent(user.clone(), now()),
            _ => return Err(login.page(id, Some("This code is wrong."))),
        },
        Stage::Consent(user, since) => {
            let (user, since) = (user.clone(), *since);
            let allowed = match value(&form, "decision") {
                Some("allow") => true,
                Some("deny") => false,
                _ => return Err(login.page(id, Some("Choose Allow or Deny."))),
            };
            return decide(call, state, id, allowed.then_some(user), since);
        }
    };
    let login =
        state.logins.logins.get_mut(id).ok_or_else(|| pages::failed("This login has finished."))?;
    login.stage = stage;
    Ok(login.page(id, None))
}

/// Finishes a login; `None` denies.
fn decide(
    call: &Call,
    state: &mut State,
    id: &str,
    user: Option<User>,
    since: u64,
) -> Result<Response, Response> {
    let login =
        state.logins.logins.remove(id).ok_or_else(|| pages::failed("This login has finished."))?;
    let request = match login.purpose {
        Purpose::Authorization(request) => *request,
        Purpose::Device { user_code, .. } => {
            let approved = user.is_some();
            if !state.devices.decide(&login.issuer, &user_code, user, since) {
                return Err(pages::failed("The device code has expired."));
            }
            return Ok(pages::done(approved));
        }
    };
    let redirect = request.redirect;
    let Some(user) = user else {
        let parameters =
            [("error", "access_denied"), ("error_description", "The user denied the request")];
        return Ok(redirect.respond(state, call.changes, &parameters));
    };
    let grant = Grant {
        issuer: login.issuer,
        client: request.client,
        user,
        scope: request.scope,
        audience: request.audience,
        nonce: request.nonce,
        since,
    };
    let lifetime = state.behaviour.authorization_code_lifetime;
    let code = state
        .codes
        .issue(grant, &redirect.redirect_uri, &request.challenge, lifetime)
        .map_err(|error| pages::failed(&error.to_string()))?;
    Ok(redirect.respond(state, call.changes, &[("code", &code)]))
}

/// The page on which the user enters the code of a device.
pub(crate) fn activate(call: &Call) -> Result<Response, Response> {
    if call.request.method == "GET" {
        let code = call.request.query_value("user_code").filter(|code| !code.is_empty());
        return Ok(pages::activation(code.as_deref(), None));
    }
    if call.request.method != "POST" {
        return Err(Response::new(405).with("Allow", "GET, POST"));
    }
    let form = read_form(call.request)?;
    let mut guard = call.shared.lock();
    let state = &mut *guard;
    let issuer = call.server.issuer(call.origin);
    let typed = value(&form, "user_code").unwrap_or_default();
    let user_code = normalized(typed);
    let Some(device) = state.devices.find(&issuer, &user_code) else {
        return Err(pages::activation(Some(typed), Some("No device is waiting with this code.")));
    };
    let purpose = Purpose::Device {
        client: device.client.to_owned(),
        scope: device.scope.to_owned(),
        user_code,
    };
    Ok(state.logins.begin(issuer, purpose))
}
