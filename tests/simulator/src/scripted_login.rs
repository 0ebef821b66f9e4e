//! A login without a browser: goes through the pages to the redirect or the last page.

use std::io;

use serde_json::{Value, json};

use crate::authorization_server::{Endpoint, USER};
use crate::device_code::normalized;
use crate::http::{Request, Response};
use crate::pages;
use crate::script::{boolean, invalid, object, text, unknown};
use crate::seed::is_served;
use crate::service::{Place, Service, visit};
use crate::state::Shared;
use crate::user::{DEFAULT_USER, OTP, User};

/// A user who goes through the pages.
struct ScriptedUser<'a> {
    shared: &'a Shared,
    place: Place,
    name: String,
    otp: String,
    allow: bool,
}

/// Carries out the body of `POST /login`.
pub(crate) fn log_in(shared: &Shared, wanted: &Value) -> io::Result<Value> {
    let mut authorization_url = None;
    let mut user_code = None;
    let (mut name, mut subject, mut email) = (None, None, None);
    let mut otp = OTP;
    let mut allow = true;
    for (key, value) in object(wanted, "login")? {
        match key.as_str() {
            "authorization_url" => authorization_url = Some(text(value, key)?),
            "user_code" => user_code = Some(text(value, key)?),
            "username" => name = Some(text(value, key)?),
            "subject" => subject = Some(text(value, key)?),
            "email" => email = Some(text(value, key)?),
            "otp" => otp = text(value, key)?,
            "allow" => allow = boolean(value, key)?,
            _ => return Err(unknown(key, "login")),
        }
    }
    let mut user = match (name, subject) {
        (Some(name), _) => User::named(name),
        (None, Some(subject)) => User::with_subject(subject),
        (None, None) => User::named(DEFAULT_USER),
    };
    if subject.is_some() || email.is_some() {
        user.subject = subject.map_or(user.subject, str::to_owned);
        user.email = email.map_or(user.email, str::to_owned);
        shared.lock().logins.set_user(user.clone());
    }
    let visitor = |origin: String| ScriptedUser {
        shared,
        place: Place { origin, service: Service::User },
        name: user.name.clone(),
        otp: otp.to_owned(),
        allow,
    };
    match (authorization_url, user_code) {
        (Some(url), None) => {
            let (origin, query) = authorization_request(shared, url)?;
            visitor(origin).authorize(query)
        }
        (None, Some(user_code)) => {
            let issuer = shared.lock().devices.issuer(&normalized(user_code)).map(str::to_owned);
            let issuer = issuer.ok_or_else(|| invalid("no device has this user_code"))?;
            visitor(issuer.trim_end_matches('/').to_owned()).activate(user_code)
        }
        _ => Err(invalid("name either authorization_url or user_code")),
    }
}

/// Origin and query of a URL of an authorization endpoint for users.
fn authorization_request<'a>(
    shared: &Shared,
    url: &'a str,
) -> io::Result<(String, Option<&'a str>)> {
    let (endpoint, query) =
        url.split_once('?').map_or((url, None), |(endpoint, query)| (endpoint, Some(query)));
    let path = USER.url("", Endpoint::Authorization);
    let origin = endpoint
        .strip_suffix(&path)
        .filter(|origin| is_served(shared, &shared.lock(), &USER.issuer(origin)));
    let origin = origin.ok_or_else(|| {
        invalid("authorization_url is not a URL of the authorization server for users")
    })?;
    Ok((origin.to_owned(), query))
}

impl ScriptedUser<'_> {
    fn authorize(&self, query: Option<&str>) -> io::Result<Value> {
        let path = USER.url("", Endpoint::Authorization);
        let page = self.ask("GET", &path, query.map(str::to_owned), &[])?;
        let last = match location(&page) {
            Some(_) => page,
            None => self.log_in(&page)?,
        };
        let location = location(&last)
            .ok_or_else(|| invalid(&format!("the response has status {}", last.status)))?;
        Ok(json!({ "location": location }))
    }

    fn activate(&self, user_code: &str) -> io::Result<Value> {
        let path = USER.url("", Endpoint::Activation);
        let page = self.ask("POST", &path, None, &[("user_code", user_code)])?;
        self.log_in(&page)?;
        Ok(json!({ "approved": self.allow }))
    }

    /// Goes from the first page of a login to the response after the last one.
    fn log_in(&self, page: &Response) -> io::Result<Response> {
        let decision = if self.allow { "allow" } else { "deny" };
        let mut id = transaction(page)?;
        for field in [("username", self.name.as_str()), ("otp", &self.otp)] {
            id = transaction(&self.send(&id, field)?)?;
        }
        self.send(&id, ("decision", decision))
    }

    fn send(&self, id: &str, field: (&str, &str)) -> io::Result<Response> {
        self.ask("POST", pages::LOGIN_PATH, None, &[("transaction", id), field])
    }

    /// Sends one request. A page that refuses is an error.
    fn ask(
        &self,
        method: &str,
        path: &str,
        query: Option<String>,
        fields: &[(&str, &str)],
    ) -> io::Result<Response> {
        let body =
            url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let media_type =
            ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        let request = Request {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            headers: if fields.is_empty() { Vec::new() } else { vec![media_type] },
            body: body.into_bytes(),
            keep_alive: true,
        };
        let response = visit(self.shared, &self.place, &request)?;
        if response.status < 400 {
            return Ok(response);
        }
        let text = String::from_utf8_lossy(&response.body);
        let reason = between(&text, "id=\"alert\">", "<").unwrap_or_default();
        Err(invalid(&format!("{path} responded with status {}: {reason}", response.status)))
    }
}

/// The transaction of a page.
fn transaction(page: &Response) -> io::Result<String> {
    let text = String::from_utf8_lossy(&page.body);
    let id = between(&text, "name=\"transaction\" value=\"", "\"");
    id.map(str::to_owned).ok_or_else(|| invalid("the page is not part of a login"))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    text.split_once(start)?.1.split_once(end).map(|(found, _)| found)
}

fn location(response: &Response) -> Option<&str> {
    response
        .headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("location"))
        .map(|(_, value)| value.as_str())
}
