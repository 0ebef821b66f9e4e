//! Users who log in to the simulator, and their saved sessions.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::Scene;

pub const USER_TOKEN: &str = ".planet/planet-user/token.json";
/// A client that is registered for the browser login only, and its profile.
pub const BROWSER_CLIENT: &str = "browser-client";
pub const BROWSER_PROFILE: &str = "work";

/// The word that follows this text on the screen.
pub fn word_after(screen: &str, text: &str) -> String {
    let (_, rest) = screen.rsplit_once(text).unwrap_or_else(|| panic!("no {text:?} in {screen:?}"));
    rest.split_whitespace().next().unwrap().trim_end_matches('.').to_owned()
}

/// Requests an address as a browser does. Returns the page.
pub fn visit(url: &str) -> String {
    let rest = url.strip_prefix("http://").unwrap();
    let (authority, path) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Scene {
    /// The user allows or denies the device with this code.
    pub fn decides(&self, user_code: &str, name: &str, allow: bool) {
        self.simulator
            .log_in(&json!({"user_code": user_code, "username": name, "allow": allow}))
            .unwrap();
    }

    /// The address that the browser of a user who logs in is redirected to.
    pub fn way_back(&self, authorization_url: &str, name: &str, allow: bool) -> String {
        let login =
            json!({"authorization_url": authorization_url, "username": name, "allow": allow});
        self.simulator.log_in(&login).unwrap()["location"].as_str().unwrap().to_owned()
    }

    /// Sets a poll interval of one second for devices.
    pub fn quick(self) -> Self {
        self.simulator.change_settings(&json!({"device_interval": 1})).unwrap();
        self
    }

    /// The saved session of a user.
    pub fn saved_session(&self, file: &str) -> Value {
        serde_json::from_str(&self.read(file)).unwrap()
    }

    /// A user session that Planet's own tools saved this many seconds ago.
    pub fn saved(&self, subject: &str, age: u64) -> Value {
        let session =
            self.simulator.seed_session(&json!({"subject": subject, "age": age})).unwrap();
        self.file(USER_TOKEN, session.to_string());
        session
    }

    /// A profile whose client may log in in the browser, and by device code only if `grants` says
    /// so.
    pub fn with_browser_client(&self, grants: &[&str]) {
        let client = json!({
            "client_id": BROWSER_CLIENT, "public": true, "server": "user", "redirect_uris": ["http://127.0.0.1/callback"],
            "grant_types": grants,
        });
        self.simulator.register_client(&client).unwrap();
        let config = json!({
            "client_type": "oidc_auth_code", "client_id": BROWSER_CLIENT, "auth_server": self.simulator.user_issuer(),
            "audiences": ["https://api.planet.com/"], "scopes": ["planet", "offline_access"],
            "redirect_uri": "http://127.0.0.1/callback", "local_redirect_uri": "http://127.0.0.1/callback",
        });
        self.profile(BROWSER_PROFILE, &config);
    }
}
