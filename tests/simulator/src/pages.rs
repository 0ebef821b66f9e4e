//! The pages of a login: plain forms with stable names and ids, without external resources.

use crate::http::Response;

/// One column for phones and desktops, light and dark.
const STYLE: &str = "\
    :root{color-scheme:light dark;--ink:#16313a;--muted:#4d6770;--ground:#f3f7f8;--card:#fff;--line:#9fb5bc;\
    --accent:#00708a;--on-accent:#fff;--alert:#b00020}\
    @media (prefers-color-scheme:dark){:root{--ink:#e4eef1;--muted:#a3b8bf;--ground:#0e1b20;--card:#16282f;--line:#52707a;\
    --accent:#4fc3d9;--on-accent:#08222a;--alert:#ff9aa8}}\
    *{box-sizing:border-box}\
    body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1rem;background:var(--ground);\
    color:var(--ink);font:1.0625rem/1.5 system-ui,sans-serif}\
    main{width:100%;max-width:28rem;padding:clamp(1.25rem,6vw,2.5rem);border-radius:1rem;background:var(--card);box-shadow:0 .5rem 2rem #0002}\
    .server{margin:0;color:var(--muted);font-size:.9rem}h1{margin:.25rem 0 1.25rem;font-size:1.5rem;line-height:1.25}\
    p{margin:0 0 1rem;text-wrap:pretty}strong{overflow-wrap:anywhere}ul{margin:0 0 1rem;padding-left:1.25rem}main>:last-child,form>:last-child{margin-bottom:0}\
    label{display:block;margin-bottom:.35rem;font-weight:600}\
    input,button{display:block;width:100%;min-height:3rem;margin:0 0 1rem;padding:.5rem .85rem;border-radius:.6rem;font:inherit}\
    input{border:1px solid var(--line);background:transparent;color:inherit}\
    #otp,#user_code{font-family:ui-monospace,monospace;font-size:1.25rem;letter-spacing:.12em}\
    button{border:1px solid var(--accent);background:var(--accent);color:var(--on-accent);font-weight:600;cursor:pointer}\
    #deny{border-color:var(--line);background:transparent;color:inherit}\
    :focus-visible{outline:3px solid var(--accent);outline-offset:2px}\
    [role=alert]{padding:.6rem .85rem;border-left:4px solid var(--alert);border-radius:.25rem;color:var(--alert)}";

pub(crate) const LOGIN_PATH: &str = "/login";
pub(crate) const ACTIVATION_PATH: &str = "/activate";

/// No `form-action`: browsers would apply it to the redirect to the client.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

fn page(status: u16, title: &str, alert: Option<&str>, content: &str) -> Response {
    let alert = alert
        .map(|alert| format!("<p role=\"alert\" id=\"alert\">{}</p>\n", escaped(alert)))
        .unwrap_or_default();
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
        <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
        <link rel=\"icon\" href=\"data:,\">\n<style>{STYLE}</style>\n</head>\n\
        <body>\n<main>\n<p class=\"server\">Planet simulator, for tests</p>\n<h1>{title}</h1>\n{alert}{content}</main>\n</body>\n</html>\n"
    );
    Response::html(status, page)
        .with("Content-Security-Policy", POLICY)
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
}

/// A form. With an alert the status is 400.
fn form(title: &str, action: &str, alert: Option<&str>, fields: &str) -> Response {
    let status = if alert.is_some() { 400 } else { 200 };
    page(
        status,
        title,
        alert,
        &format!("<form method=\"post\" action=\"{action}\">\n{fields}</form>\n"),
    )
}

/// A form of the login.
fn step(title: &str, id: &str, alert: Option<&str>, fields: &str) -> Response {
    let fields =
        format!("<input type=\"hidden\" name=\"transaction\" value=\"{}\">\n{fields}", escaped(id));
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
        "<label for=\"otp\">Six-digit code of your second factor</label>\n\
        <input id=\"otp\" name=\"otp\" inputmode=\"numeric\" autocomplete=\"one-time-code\" required autofocus>\n{CONTINUE}"
    );
    step("Second factor", id, alert, &fields)
}

pub(crate) fn consent(
    id: &str,
    alert: Option<&str>,
    name: &str,
    client: &str,
    scope: &str,
) -> Response {
    let scopes: String =
        scope.split_ascii_whitespace().map(|one| format!("<li>{}</li>\n", escaped(one))).collect();
    let fields = format!(
        "<p>{}, do you allow <strong id=\"client\">{}</strong> to act for you with these scopes?</p>\n<ul id=\"scope\">\n{scopes}</ul>\n\
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
        _ => ("Enter the code that your device shows", "Continue"),
    };
    let fields = format!(
        "<label for=\"user_code\">{question}</label>\n\
        <input id=\"user_code\" name=\"user_code\" value=\"{}\" autocomplete=\"off\" required autofocus>\n\
        <button type=\"submit\" id=\"submit\">{button}</button>\n",
        escaped(code.unwrap_or_default())
    );
    form("Log in a device", ACTIVATION_PATH, alert, &fields)
}

pub(crate) fn done(approved: bool) -> Response {
    let content = if approved {
        "<p id=\"done\">The device is logged in."
    } else {
        "<p id=\"done\">You denied the login."
    };
    page(200, "Done", None, &format!("{content} You can close this page.</p>\n"))
}

/// An error page without a redirect.
pub(crate) fn failed(reason: &str) -> Response {
    page(
        400,
        "Login failed",
        Some(reason),
        "<p>Return to the program that opened this page and start again.</p>\n",
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
