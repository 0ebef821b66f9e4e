//! The simulator with a client for the browser, and the browser's side of a login.

use crate::common::*;
use planetkey::login::LoginOptions;
use planetkey::{BrowserLogin, Options, Session};
use planetkey_simulator::Simulator;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use tempfile::TempDir;

pub const V4: &str = "http://127.0.0.1/callback";
pub const V6: &str = "http://[::1]/callback";
pub const NAME: &str = "http://localhost/callback";
pub const SCOPES: [&str; 5] = ["planet", "offline_access", "openid", "profile", "email"];

pub struct Scene {
    pub simulator: Simulator,
    pub home: TempDir,
}

impl Scene {
    pub fn new() -> Self {
        let simulator = simulator();
        simulator
            .register_client(&json!({"client_id": "desktop", "public": true, "server": "user", "redirect_uris": [V4, V6, NAME]}))
            .unwrap();
        // The session's clock skips waits, the server's clock does not.
        simulator.change_settings(&json!({"device_interval": 0})).unwrap();
        Scene { simulator, home: tempfile::tempdir().unwrap() }
    }

    pub fn options(&self) -> Options {
        let root = self.home.path().to_string_lossy().into_owned();
        simulator_options(&self.simulator).with(|it| it.storage_root = Some(root.into()))
    }

    /// Opens a session of the browser client, with more members in its configuration.
    pub fn desktop_with(&self, more: &Value) -> Session {
        let mut config =
            json!({"client_type": "oidc_auth_code", "client_id": "desktop", "scopes": SCOPES});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        Session::from_client_config(&config.to_string(), &self.options()).unwrap()
    }

    pub fn desktop(&self) -> Session {
        self.desktop_with(&json!({}))
    }

    /// Opens the built-in profile, whose client logs in with device codes.
    pub fn user(&self) -> Session {
        Session::from_profile("planet-user", &self.options()).unwrap()
    }

    pub fn token_file(&self, profile: &str) -> PathBuf {
        self.home.path().join(".planet").join(profile).join("token.json")
    }

    /// Returns the address that the browser is redirected to after this user has logged in.
    pub fn browse(&self, login: &BrowserLogin, user: Value) -> String {
        let mut wanted = json!({"authorization_url": login.authorization_url()});
        wanted.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
        self.simulator.log_in(&wanted).unwrap()["location"].as_str().unwrap().to_owned()
    }

    /// Saves a session of this user for the built-in profile.
    pub fn seed(&self, subject: &str) -> Value {
        let answer = self.simulator.seed_session(&json!({"subject": subject})).unwrap();
        let file = self.token_file("planet-user");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, answer.to_string()).unwrap();
        answer
    }
}

pub fn start(session: &Session) -> BrowserLogin {
    session.start_browser_login(&LoginOptions::default()).unwrap()
}

pub fn url(login: &BrowserLogin) -> url::Url {
    url::Url::parse(login.redirect_uri()).unwrap()
}

pub fn port(login: &BrowserLogin) -> u16 {
    url(login).port().unwrap()
}

/// Returns the port, and a browser's request line and headers for this address.
pub fn get(location: &str) -> (u16, String) {
    let url = url::Url::parse(location).unwrap();
    let port = url.port().unwrap();
    let target = format!(
        "{}{}",
        url.path(),
        url.query().map(|query| format!("?{query}")).unwrap_or_default()
    );
    (port, format!("GET {target} HTTP/1.1\r\nHost: {}:{port}\r\n\r\n", url.host_str().unwrap()))
}

/// Sends a request, which the login has not served yet.
pub fn send(port: u16, request: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Polls the login once and returns the response.
pub fn answer(login: &BrowserLogin, mut stream: TcpStream) -> String {
    let _ = login.poll();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    text
}

/// Sends the request, lets the login serve it, and returns the response.
pub fn exchange(login: &BrowserLogin, port: u16, request: &str) -> String {
    answer(login, send(port, request))
}

pub fn status(response: &str) -> u16 {
    response.split(' ').nth(1).unwrap().parse().unwrap()
}

pub fn is_pending(login: &BrowserLogin) -> bool {
    matches!(login.poll(), Ok(None))
}
