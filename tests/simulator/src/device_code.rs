//! The device authorization endpoint and its grant (RFC 8628).

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::authorization_endpoint::granted_scope;
use crate::authorization_server::{Call, Endpoint, apply, refusal};
use crate::client_authentication::{invalid_request, value};
use crate::http::{Expiry, Response};
use crate::state::State;
use crate::token_endpoint::{Form, GrantType, read_form};
use crate::tokens::random_text;
use crate::user::User;
use crate::user_tokens::Grant;

/// RFC 8628 6.1: no vowels, so no words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// The default interval, and the increase of the interval by `slow_down` (RFC 8628 3.5).
const DEFAULT_INTERVAL: Duration = Duration::from_secs(5);

/// All device logins.
#[derive(Default)]
pub(crate) struct Devices {
    devices: Vec<Device>,
}

struct Device {
    device_code: String,
    user_code: String,
    issuer: String,
    client: String,
    scope: String,
    audience: Option<String>,
    expiry: Expiry,
    interval: Duration,
    last_poll: Option<Instant>,
    polls: u64,
    slow_downs: u64,
    decision: Decision,
}

enum Decision {
    Pending,
    /// The user, and the time of the login.
    Approved(User, u64),
    Denied,
    /// The tokens were issued.
    Used,
}

/// What the pages show of a device.
pub(crate) struct Seen<'a> {
    pub(crate) client: &'a str,
    pub(crate) scope: &'a str,
}

impl Device {
    fn has_expired(&self) -> bool {
        self.expiry.has_passed()
    }

    fn json(&self) -> Value {
        let status = match &self.decision {
            Decision::Used => "used",
            Decision::Denied => "denied",
            _ if self.has_expired() => "expired",
            Decision::Pending => "pending",
            Decision::Approved(..) => "approved",
        };
        json!({
            "user_code": self.user_code,
            "issuer": self.issuer,
            "client_id": self.client,
            "scope": self.scope,
            "audience": self.audience,
            "status": status,
            "interval": self.interval.as_secs(),
            "polls": self.polls,
            "slow_downs": self.slow_downs,
        })
    }
}

impl Devices {
    pub(crate) fn json(&self) -> Value {
        self.devices.iter().map(Device::json).collect()
    }

    /// The issuer at which the device with this user code started.
    pub(crate) fn issuer(&self, user_code: &str) -> Option<&str> {
        self.devices
            .iter()
            .find(|device| device.user_code == user_code)
            .map(|device| device.issuer.as_str())
    }

    /// The device with this user code, while the user has not decided.
    pub(crate) fn find(&self, issuer: &str, user_code: &str) -> Option<Seen<'_>> {
        let device = self
            .devices
            .iter()
            .find(|device| device.user_code == user_code && device.issuer == issuer)?;
        let open = matches!(device.decision, Decision::Pending) && !device.has_expired();
        open.then_some(Seen { client: &device.client, scope: &device.scope })
    }

    /// Saves the user's decision; `None` denies. `false`: it came too late.
    pub(crate) fn decide(
        &mut self,
        issuer: &str,
        user_code: &str,
        user: Option<User>,
        since: u64,
    ) -> bool {
        if self.find(issuer, user_code).is_none() {
            return false;
        }
        if let Some(device) = self.devices.iter_mut().find(|device| device.user_code == user_code) {
            device.decision = user.map_or(Decision::Denied, |user| Decision::Approved(user, since));
        }
        true
    }
}

/// The device authorization endpoint.
pub(crate) fn authorize(call: &Call) -> Result<Response, Response> {
    let form = read_form(call.request)?;
    let mut guard = call.shared.lock();
    let state = &mut *guard;
    let client = call.authenticate(state, &form)?;
    if !state.clients.get(&client).is_some_and(|client| client.may_use(GrantType::DeviceCode)) {
        return Err(refusal(
            400,
            "unauthorized_client",
            "The client is not registered for this grant",
        ));
    }
    let scope = granted_scope(state, value(&form, "scope"))
        .ok_or_else(|| refusal(400, "invalid_scope", "Invalid scope"))?;
    let failed = |error: io::Error| refusal(500, "server_error", &error.to_string());
    let device_code = random_text(32).map_err(failed)?;
    let user_code = new_user_code().map_err(failed)?;
    let verification_uri = call.server.url(call.origin, Endpoint::Activation);
    let (lifetime, interval) = (state.behaviour.device_expires_in, state.behaviour.device_interval);
    let mut response = json!({
        "device_code": device_code,
        "user_code": user_code,
        "verification_uri": verification_uri,
        "verification_uri_complete": format!("{verification_uri}?user_code={user_code}"),
        "expires_in": lifetime,
    });
    if let Some(interval) = interval {
        response["interval"] = json!(interval);
    }
    apply(&mut response, call.changes);
    state.devices.devices.push(Device {
        device_code,
        user_code,
        issuer: call.server.issuer(call.origin),
        client,
        scope,
        audience: value(&form, "audience").map(str::to_owned),
        expiry: Expiry::after(lifetime),
        interval: interval.map_or(DEFAULT_INTERVAL, Duration::from_secs),
        last_poll: None,
        polls: 0,
        slow_downs: 0,
        decision: Decision::Pending,
    });
    Ok(Response::json(200, &response))
}

/// The device code grant: one poll.
pub(crate) fn respond(
    call: &Call,
    state: &mut State,
    client: &str,
    form: &Form,
) -> Result<Value, Response> {
    let code = value(form, "device_code")
        .ok_or_else(|| invalid_request("Missing form parameter: device_code"))?;
    let issuer = call.server.issuer(call.origin);
    let mut devices = state.devices.devices.iter_mut();
    let device = devices
        .find(|device| {
            device.device_code == code && device.client == client && device.issuer == issuer
        })
        .ok_or_else(|| refusal(400, "invalid_grant", "Invalid device code"))?;
    device.polls += 1;
    let now = Instant::now();
    let before = device.last_poll.replace(now);
    if matches!(device.decision, Decision::Used) {
        return Err(refusal(400, "invalid_grant", "The device code was used before"));
    }
    if device.has_expired() {
        return Err(refusal(400, "expired_token", "The device code has expired"));
    }
    if before.is_some_and(|before| now.duration_since(before) < device.interval) {
        device.slow_downs += 1;
        device.interval += DEFAULT_INTERVAL;
        return Err(refusal(400, "slow_down", "You are polling faster than the interval allows"));
    }
    let (user, since) = match &device.decision {
        Decision::Approved(user, since) => (user.clone(), *since),
        Decision::Denied => {
            return Err(refusal(400, "access_denied", "The user denied the request"));
        }
        Decision::Pending | Decision::Used => {
            return Err(refusal(400, "authorization_pending", "The user has not decided yet"));
        }
    };
    device.decision = Decision::Used;
    let grant = Grant {
        issuer,
        client: client.to_owned(),
        user,
        scope: device.scope.clone(),
        audience: device.audience.clone(),
        nonce: None,
        since,
    };
    grant
        .open(call, state)
        .map(|(_, response)| response)
        .map_err(|error| refusal(500, "server_error", &error.to_string()))
}

fn new_user_code() -> io::Result<String> {
    let mut code = String::new();
    while code.len() < 9 {
        if code.len() == 4 {
            code.push('-');
        }
        let mut random = [0];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        // Twelve times the alphabet, so that all letters are equally likely.
        if random[0] < 240 {
            code.push(char::from(LETTERS[usize::from(random[0]) % LETTERS.len()]));
        }
    }
    Ok(code)
}

/// The user code in its issued form, however it was typed.
pub(crate) fn normalized(typed: &str) -> String {
    let letters: String =
        typed.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
    if letters.len() == 8 { format!("{}-{}", &letters[..4], &letters[4..]) } else { letters }
}

#[cfg(test)]
mod tests {
    use super::{LETTERS, new_user_code, normalized};

    #[test]
    fn user_codes_are_eight_letters_and_survive_typing() {
        let code = new_user_code().unwrap_or_default();
        assert_eq!((code.len(), code.find('-')), (9, Some(4)), "{code}");
        assert!(
            code.bytes().filter(|byte| *byte != b'-').all(|byte| LETTERS.contains(&byte)),
            "{code}"
        );
        for typed in ["bcdfghjk", " BCDF GHJK ", "bcdf-ghjk", "B-C-D-F-G-H-J-K"] {
            assert_eq!(normalized(typed), "BCDF-GHJK");
        }
    }
}
