//! A raw HTTP client, so that the tests see every byte.

#![allow(dead_code)]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use planetkey_simulator::{Settings, Simulator, USER_CLIENT_ID};
use serde_json::Value;

/// A timeout that only a failing test reaches.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn start() -> Simulator {
    Simulator::start(Settings::default()).unwrap()
}

/// A response in its parts.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The authority of a URL.
pub fn authority(url: &str) -> &str {
    let rest = url.split_once("//").unwrap().1;
    rest.split('/').next().unwrap()
}

pub fn path(url: &str) -> &str {
    let rest = url.split_once("//").unwrap().1;
    rest.find('/').map_or("/", |start| &rest[start..])
}

pub fn connect(url: &str) -> TcpStream {
    let socket = TcpStream::connect(authority(url)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

pub fn request_text(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> String {
    let mut text = format!("{method} {} HTTP/1.1\r\nHost: {}\r\n", path(url), authority(url));
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text
}

/// Reads one response with a Content-Length from a stream that may stay open.
pub fn read_answer(stream: &mut impl Read) -> io::Result<Response> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.push(byte[0]);
    }
    let text = String::from_utf8(bytes).unwrap();
    let mut lines = text.trim_end().split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_owned(), value.to_owned())
        })
        .collect();
    let mut response = Response { status: status.parse().unwrap(), headers, body: Vec::new() };
    let length: usize =
        response.header("content-length").map_or(0, |length| length.parse().unwrap());
    response.body = vec![0; length];
    stream.read_exact(&mut response.body)?;
    Ok(response)
}

pub fn exchange(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> io::Result<Response> {
    let mut socket = connect(url);
    socket.write_all(request_text(method, url, headers, body).as_bytes())?;
    read_answer(&mut socket)
}

pub fn get(url: &str) -> Response {
    exchange("GET", url, &[], "").unwrap()
}

pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Response {
    exchange("GET", url, headers, "").unwrap()
}

pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub fn post_form(url: &str, fields: &[(&str, &str)]) -> Response {
    exchange("POST", url, &[FORM], &form(fields)).unwrap()
}

pub fn post_json(url: &str, body: &Value) -> Response {
    exchange("POST", url, &[], &body.to_string()).unwrap()
}

/// The usual token request, with more parameters.
pub fn ask_token(simulator: &Simulator, more: &[(&str, &str)]) -> Response {
    let settings = simulator.settings();
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", settings.client_id.as_str()),
        ("client_secret", settings.client_secret.as_str()),
    ];
    fields.extend_from_slice(more);
    post_form(&simulator.token_endpoint(), &fields)
}

pub const AUDIENCE: (&str, &str) = ("audience", "https://api.planet.com/");

/// A token that both API servers accept.
pub fn token(simulator: &Simulator) -> String {
    let response = ask_token(simulator, &[AUDIENCE]);
    assert_eq!(response.status, 200, "{response:?}");
    access_token(&response)
}

pub fn access_token(response: &Response) -> String {
    response.json()["access_token"].as_str().unwrap().to_owned()
}

/// A text member of a response.
pub fn member(response: &Value, name: &str) -> String {
    response[name].as_str().unwrap_or_else(|| panic!("{name} in {response}")).to_owned()
}

/// Refreshes a user session as Planet's SDK does, with more parameters.
pub fn refresh_with(simulator: &Simulator, refresh_token: &str, more: &[(&str, &str)]) -> Response {
    let mut fields = vec![
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", USER_CLIENT_ID),
    ];
    fields.extend_from_slice(more);
    post_form(&simulator.user_token_endpoint(), &fields)
}

pub fn refresh(simulator: &Simulator, refresh_token: &str) -> Response {
    refresh_with(simulator, refresh_token, &[])
}

/// Parameters of a query.
pub fn query(url: &str) -> Vec<(String, String)> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

/// A parameter that occurs once in a query.
pub fn parameter(url: &str, name: &str) -> Option<String> {
    let mut values: Vec<_> =
        query(url).into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect();
    assert!(values.len() < 2, "{name} in {url}");
    values.pop()
}

/// Appendix B of RFC 7636.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub const REDIRECT_URI: &str = "http://127.0.0.1:4711/callback";

/// An authorization request of Planet's SDK with changed parameters. An empty parameter is omitted.
pub fn authorization_url(simulator: &Simulator, changes: &[(&str, &str)]) -> String {
    let usual = [
        ("client_id", USER_CLIENT_ID),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT_URI),
        ("state", "xyz"),
        ("nonce", "n-0S6"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("scope", "openid profile email planet offline_access"),
        ("audience", "https://api.planet.com/"),
    ];
    let kept =
        usual.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let added = changes.iter().copied().filter(|(_, value)| !value.is_empty());
    let fields: Vec<_> = kept.chain(added).collect();
    format!("{}?{}", simulator.user_authorization_endpoint(), form(&fields))
}

/// The redirect of a user who allows the request.
pub fn log_in(simulator: &Simulator, authorization_url: &str) -> String {
    member(
        &simulator.log_in(&serde_json::json!({ "authorization_url": authorization_url })).unwrap(),
        "location",
    )
}

/// Exchanges a code with changed parameters. An empty parameter is omitted.
pub fn exchange_code(simulator: &Simulator, code: &str, changes: &[(&str, &str)]) -> Response {
    let usual = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_id", USER_CLIENT_ID),
    ];
    let kept =
        usual.into_iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    let added = changes.iter().copied().filter(|(_, value)| !value.is_empty());
    post_form(&simulator.user_token_endpoint(), &kept.chain(added).collect::<Vec<_>>())
}

/// Status and error code of an error response.
pub fn error(response: &Response) -> (u16, String) {
    (response.status, member(&response.json(), "error"))
}

pub fn failure(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

/// The Planet API's response to a token.
pub fn planet_status(simulator: &Simulator, access_token: &str) -> u16 {
    let bearer = format!("Bearer {access_token}");
    get_with(&format!("{}/x", simulator.planet_api()), &[("Authorization", &bearer)]).status
}

/// The claims of a token, unverified.
pub fn claims(token: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let middle = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(middle).unwrap()).unwrap()
}
