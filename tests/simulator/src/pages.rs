//! The pages of a login: plain forms with stable names and ids, without external resources.

use crate::http::Response;

const STYLE: &str = "body{font:1rem/1.5 sans-serif;max-width:30rem;margin:3rem auto;padding:0 1rem}\
    label,input,button{display:block;font:inherit;margin:.5rem 0}input{width:100%;box-sizing:border-box}\
    [role=alert]{color:#b00020}";

pub(crate) const LOGIN_PATH: &str = "/login";
pub(crate) const ACTIVATION_PATH: &str = "/activate";

/// No `form-action`: browsers would apply it to the redirect to the client.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

fn page(status: u16, title: &str, alert: Option<&str>, content: &str) -> Response {
    let alert = alert.map(|alert| format!("<p role=\"alert\" id=\"alert\">{}</p>\n", escaped(alert))).unwrap_or_default();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
        <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n\
        <body>\n<main>\n<h1>{title}</h1>\n{alert}{content}</main>\n</body>\n</html>\n"
    );
    Response::html(status, page)
        .with("Content-Security-Policy", POLICY)
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
}

/// A form. With an alert the status is 400.
fn form(title: &str, action: &str, alert: Option<&str>, fields: &str) -> Response {
    let status = if alert.is_some() { 400 } else { 200 };
    page(status, title, alert, &format!("<form method=\"post\" action=\"{action}\">\n{fields}</form>\n"))
}

/// A form of the login.
fn step(title: &str, id: &str, alert: Option<&str>, fields: &str) -> Response {
    let fields = format!("<input type=\"hidden\" name=\"transaction\" value=\"{}\">\n{fields}", escaped(id));
    form(title, LOGIN_PATH, alert, &fields)
}

const CONTINUE: &str = "<button type=\"submit\" id=\"submit\">Continue</button>\n";

pub(crate) fn user_name(id: &str, alert: Option<&str>) -> Response {
    let fields = format!(
        "<label for=\"username\">User name</label>\n\
        <input id=\"username\" name=\"username\" autocomplete=\"username\" required autofocus>\n{CONTINUE}"
    );
    step("Log in", id, alert, &fields)
}

pub(crate) fn second_factor(id: &str, alert: Option<&str>) -> Response {
    let fields = format!(
        "<label for=\"otp\">Code of your second factor, six digits</label>\n\
        <input id=\"otp\" name=\"otp\" inputmode=\"numeric\" autocomplete=\"one-time-code\" required autofocus>\n{CONTINUE}"
    );
    step("Second factor", id, alert, &fields)
}

pub(crate) fn consent(id: &str, alert: Option<&str>, name: &str, client: &str, scope: &str) -> Response {
    let scopes: String = scope.split_ascii_whitespace().map(|one| format!("<li>{}</li>\n", escaped(one))).collect();
    let fields = format!(
        "<p>{}, may <strong id=\"client\">{}</strong> act for you?</p>\n<ul id=\"scope\">\n{scopes}</ul>\n\
        <button type=\"submit\" id=\"allow\" name=\"decision\" value=\"allow\">Allow</button>\n\
        <button type=\"submit\" id=\"deny\" name=\"decision\" value=\"deny\">Deny</button>\n",
        escaped(name),
        escaped(client)
    );
    step("Consent", id, alert, &fields)
}

/// Asks for the user code of a device, or to compare the code from the URL.
pub(crate) fn activation(code: Option<&str>, alert: Option<&str>) -> Response {
    let (question, button) = match code {
        Some(_) if alert.is_none() => ("Is this the code that your device shows?", "Confirm"),
        _ => ("Code that your device shows", "Continue"),
    };
    let fields = format!(
        "<label for=\"user_code\">{question}</label>\n\
        <input id=\"user_code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" required autofocus>\n\
        <button type=\"submit\" id=\"submit\">{button}</button>\n",
        escaped(code.unwrap_or_default())
    );
    form("Connect a device", ACTIVATION_PATH, alert, &fields)
}

pub(crate) fn done(approved: bool) -> Response {
    let content = if approved { "<p id=\"done\">The device is connected." } else { "<p id=\"done\">The device was refused." };
    page(200, "Done", None, &format!("{content} You may close this window.</p>\n"))
}

/// An error page without a redirect.
pub(crate) fn failed(reason: &str) -> Response {
    page(400, "Login failed", Some(reason), "<p>Return to the program that opened this page and start again.</p>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}
