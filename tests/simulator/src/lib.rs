//! Plays the Planet Insights Platform on the loopback interface, for tests.
//!
//! It plays the authorization servers for M2M clients and for users, the API servers of both
//! domains, and an HTTPS proxy that serves their real host names. It verifies what it receives,
//! logs and counts it, and injects faults by script. The README shows how to use it from a shell;
//! [`Simulator`] offers the same to Rust tests.
//!
//! ```
//! use planetkey_simulator::{Settings, Simulator};
//! use serde_json::json;
//!
//! # fn main() -> std::io::Result<()> {
//! let simulator = Simulator::start(Settings::default())?;
//! simulator.script("m2m.token", &json!([{"status": 503, "headers": {"Retry-After": "2"}}]))?;
//! assert_eq!(simulator.count("m2m.token")?, 0);
//! # Ok(())
//! # }
//! ```

mod authorization_code;
mod authorization_endpoint;
mod authorization_server;
mod behaviour;
mod client;
mod client_authentication;
mod client_credentials;
mod connection;
mod control;
mod deployment;
mod device_code;
mod faults;
mod http;
mod introspection;
mod keys;
mod login;
mod pages;
mod proxy;
mod refresh_token;
mod resource_server;
mod revocation;
mod script;
mod scripted_login;
mod seed;
mod service;
mod sessions;
mod settings;
mod state;
mod tls;
mod token_endpoint;
mod tokens;
mod user;
mod user_tokens;
mod userinfo;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;

use authorization_server::{Endpoint, M2M, USER};
use connection::Connection;
use deployment::Directory;
use service::{Entrance, Place, Service, serve};
pub use settings::{Ports, Settings};
use state::{Origins, Shared};
pub use user::OTP;

/// How long a stop waits for the threads of connections.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// The length of the accept queue.
const CROWD: i32 = 1_024;

/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// The public client of Planet's SDK, which the authorization server for users knows from the
/// start.
pub const USER_CLIENT_ID: &str = "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees";

/// A running simulator. It stops when it is dropped.
pub struct Simulator {
    shared: Arc<Shared>,
    directory: Directory,
    listeners: Vec<(SocketAddr, JoinHandle<()>)>,
}

impl fmt::Debug for Simulator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = &self.shared.origins;
        formatter.debug_tuple("Simulator").field(&origins.control).finish()
    }
}

impl Simulator {
    /// Listens, writes the files and serves.
    ///
    /// # Errors
    /// If a port is in use, a key cannot be created or a file cannot be written.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let bind = |port| -> io::Result<TcpListener> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            // Longer than the standard library's queue: a client that finds it full retries after a
            // second.
            rustix::net::listen(&listener, CROWD)?;
            Ok(listener)
        };
        let ports = settings.ports;
        let listeners = [
            bind(ports.m2m)?,
            bind(ports.user)?,
            bind(ports.planet_api)?,
            bind(ports.sentinel_hub_api)?,
            bind(ports.control)?,
            bind(ports.proxy)?,
            bind(ports.tls)?,
        ];
        let [m2m, user, planet_api, sentinel_hub_api, control, proxy, tls] = &listeners;
        let http = |listener: &TcpListener| -> io::Result<String> {
            Ok(format!("http://{}", listener.local_addr()?))
        };
        let origins = Origins {
            m2m: http(m2m)?,
            user: http(user)?,
            planet_api: http(planet_api)?,
            sentinel_hub_api: http(sentinel_hub_api)?,
            control: http(control)?,
            proxy: http(proxy)?,
            tls: format!("https://localhost:{}", tls.local_addr()?.port()),
        };
        let place = |origin: &String, service| Place { origin: origin.clone(), service };
        let entrances = [
            Entrance::Plain(place(&origins.m2m, Service::M2m)),
            Entrance::Plain(place(&origins.user, Service::User)),
            Entrance::Plain(place(&origins.planet_api, Service::PlanetApi)),
            Entrance::Plain(place(&origins.sentinel_hub_api, Service::SentinelHubApi)),
            Entrance::Control,
            Entrance::Proxy,
            Entrance::Tls(place(&origins.tls, Service::M2m)),
        ];
        let directory = Directory::open(settings.directory.as_deref())?;
        let shared = Arc::new(Shared::new(settings, origins, directory.home().to_owned())?);
        directory.write(&shared)?;
        let mut simulator = Self { shared, directory, listeners: Vec::new() };
        for (listener, entrance) in listeners.into_iter().zip(entrances) {
            let address = listener.local_addr()?;
            let shared = Arc::clone(&simulator.shared);
            let thread = thread::Builder::new()
                .name("simulator-listener".to_owned())
                .spawn(move || listen(&shared, &listener, &Arc::new(entrance)))?;
            simulator.listeners.push((address, thread));
        }
        Ok(simulator)
    }

    /// The issuer of M2M tokens.
    #[must_use]
    pub fn m2m_issuer(&self) -> String {
        M2M.issuer(&self.shared.origins.m2m)
    }

    /// The token endpoint of the M2M issuer.
    #[must_use]
    pub fn token_endpoint(&self) -> String {
        M2M.token_endpoint(&self.shared.origins.m2m)
    }

    /// The issuer of users' tokens. It ends with a slash.
    #[must_use]
    pub fn user_issuer(&self) -> String {
        USER.issuer(&self.shared.origins.user)
    }

    /// The token endpoint of the users' issuer.
    #[must_use]
    pub fn user_token_endpoint(&self) -> String {
        USER.token_endpoint(&self.shared.origins.user)
    }

    /// The authorization endpoint of the users' issuer.
    #[must_use]
    pub fn user_authorization_endpoint(&self) -> String {
        USER.url(&self.shared.origins.user, Endpoint::Authorization)
    }

    /// The device authorization endpoint of the users' issuer.
    #[must_use]
    pub fn user_device_authorization_endpoint(&self) -> String {
        USER.url(&self.shared.origins.user, Endpoint::DeviceAuthorization)
    }

    /// The base URL that plays api.planet.com.
    #[must_use]
    pub fn planet_api(&self) -> &str {
        &self.shared.origins.planet_api
    }

    /// The base URL that plays services.sentinel-hub.com.
    #[must_use]
    pub fn sentinel_hub_api(&self) -> &str {
        &self.shared.origins.sentinel_hub_api
    }

    /// The base URL of the control API.
    #[must_use]
    pub fn control(&self) -> &str {
        &self.shared.origins.control
    }

    /// The URL of the HTTPS proxy.
    #[must_use]
    pub fn proxy(&self) -> &str {
        &self.shared.origins.proxy
    }

    /// The issuer of the realm over TLS.
    #[must_use]
    pub fn tls_issuer(&self) -> String {
        M2M.issuer(&self.shared.origins.tls)
    }

    /// The certificate of the test CA, in PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        self.shared.authority.pem()
    }

    /// The file with the certificate of the test CA.
    #[must_use]
    pub fn ca_path(&self) -> PathBuf {
        self.directory.ca()
    }

    /// The deployment document, as JSON text.
    #[must_use]
    pub fn deployment(&self) -> String {
        deployment::document(&self.shared.origins)
    }

    /// The file with the deployment document.
    #[must_use]
    pub fn deployment_path(&self) -> PathBuf {
        self.directory.deployment()
    }

    /// The home directory that [`environment`](Self::environment) names. It is empty at the start
    /// and after every reset.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.home()
    }

    /// The settings at start.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.shared.settings
    }

    /// Variables to set for a program under test.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        deployment::environment(&self.shared, &self.directory)
    }

    /// Variables to remove for a program under test.
    #[must_use]
    pub fn removed_environment() -> &'static [&'static str] {
        &deployment::REMOVED
    }

    /// Every URL, path and credential: the line that the program prints.
    #[must_use]
    pub fn description(&self) -> Value {
        let mut description = self.shared.description();
        let text = |path: PathBuf| Value::String(path.to_string_lossy().into_owned());
        description["directory"] = text(self.directory.path().to_owned());
        description["home"] = text(self.directory.home().to_owned());
        description["deployment"] = text(self.directory.deployment());
        description["ca"] = text(self.directory.ca());
        description["environment"] = text(self.directory.environment());
        description["pid"] = std::process::id().into();
        description
    }

    /// Resets scripts, log, counters, settings, sessions, revocations and added clients, and
    /// empties the home directory. Requests that are held or stalled end without a response.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Changes settings: the body of `POST /settings`.
    ///
    /// # Errors
    /// If a member is unknown or has the wrong type. Then nothing is changed.
    pub fn change_settings(&self, changes: &Value) -> io::Result<()> {
        self.shared.lock().behaviour.change(changes)
    }

    /// Registers a client, or replaces it: the body of `POST /clients`.
    ///
    /// # Errors
    /// If a member is unknown or wrong.
    pub fn register_client(&self, client: &Value) -> io::Result<()> {
        control::register(&self.shared, client)
    }

    /// Scripts the next requests to a target: a list of steps, or `{"steps", "repeat"}`.
    ///
    /// # Errors
    /// If the target or a part of a step is unknown. Then the earlier script stays.
    pub fn script(&self, target: &str, script: &Value) -> io::Result<()> {
        self.shared.script(target, script)
    }

    /// Releases the requests in a hold.
    pub fn release(&self, hold: &str) {
        self.shared.release(hold);
    }

    /// The number of requests that wait in a hold.
    #[must_use]
    pub fn held(&self, hold: &str) -> u64 {
        self.shared.held(hold)
    }

    /// Waits until this number of requests waits in a hold at once. `false`: the time passed first.
    #[must_use]
    pub fn wait_held(&self, hold: &str, number: u64, limit: Duration) -> bool {
        self.shared.wait_held(hold, number, limit) >= number
    }

    /// The logged requests of a target, in order.
    ///
    /// # Errors
    /// If there is no such target.
    pub fn requests(&self, target: &str) -> io::Result<Vec<Value>> {
        self.shared.requests(Some(target))
    }

    /// All logged requests, in order.
    #[must_use]
    pub fn all_requests(&self) -> Vec<Value> {
        // Without a target no name can be unknown.
        self.shared.requests(None).unwrap_or_default()
    }

    /// One counter, by its name in `GET /counters`.
    ///
    /// # Errors
    /// If there is no such counter.
    pub fn count(&self, target: &str) -> io::Result<u64> {
        self.shared.count(target)
    }

    /// Waits until a counter reaches a number. `false`: the time passed first.
    ///
    /// # Errors
    /// If there is no such counter.
    pub fn wait_for(&self, target: &str, number: u64, limit: Duration) -> io::Result<bool> {
        Ok(self.shared.wait_for(target, number, limit)? >= number)
    }

    /// From now on the API servers refuse this token.
    pub fn revoke(&self, access_token: &str) {
        self.shared.revoke(Some(access_token));
    }

    /// From now on the API servers refuse every token that was issued so far.
    pub fn revoke_all(&self) {
        self.shared.revoke(None);
    }

    /// Starts a user session without a login: takes the body of `POST /sessions` and returns the
    /// token response that would end a login.
    ///
    /// # Errors
    /// If a member, the client or the issuer is unknown, or a member has the wrong type.
    pub fn seed_session(&self, wanted: &Value) -> io::Result<Value> {
        seed::seed(&self.shared, wanted)
    }

    /// Logs in without a browser: takes the body of `POST /login` and returns the `location` of the
    /// redirect, or whether the device is `approved`.
    ///
    /// # Errors
    /// If a member is unknown or wrong, or a page refuses.
    pub fn log_in(&self, user: &Value) -> io::Result<Value> {
        scripted_login::log_in(&self.shared, user)
    }

    /// Changes the keys that sign tokens: the body of `POST /keys`.
    ///
    /// # Errors
    /// If a member is unknown or wrong, or a key cannot be created.
    pub fn change_keys(&self, changes: &Value) -> io::Result<Value> {
        self.shared.keys.change(changes)?;
        Ok(self.shared.keys.json())
    }

    /// The state of every device login: the body of `GET /devices`.
    #[must_use]
    pub fn devices(&self) -> Value {
        self.shared.lock().devices.json()
    }

    /// The state of every session: the body of `GET /sessions`.
    #[must_use]
    pub fn sessions(&self) -> Vec<Value> {
        self.shared.lock().sessions.json(None)
    }

    /// The state of the session of a refresh or access token, old or current.
    #[must_use]
    pub fn session_of(&self, token: &str) -> Option<Value> {
        self.shared.lock().sessions.json(Some(token)).pop()
    }

    /// Ends the session of a token, as a user or an administrator would.
    ///
    /// # Errors
    /// If no session has the token.
    pub fn revoke_session(&self, token: &str) -> io::Result<()> {
        self.shared.revoke_session(token)
    }

    /// A token signed with the simulator's key: takes the body of `POST /token`.
    ///
    /// # Errors
    /// If a member is unknown or wrong.
    pub fn token(&self, wanted: &Value) -> io::Result<String> {
        control::sign(&self.shared, wanted)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop();
        for (address, thread) in self.listeners.drain(..) {
            // A last connection wakes the thread, which then stops.
            let woken = TcpStream::connect_timeout(&address, STOP_LIMIT);
            if woken.is_ok() {
                let _ = thread.join();
            }
        }
        self.shared.register.shut(true);
        self.shared.register.wait_empty(STOP_LIMIT);
    }
}

fn listen(shared: &Arc<Shared>, listener: &TcpListener, entrance: &Arc<Entrance>) {
    loop {
        let accepted = listener.accept();
        if shared.is_stopping() {
            return;
        }
        let Ok(connection) = accepted.and_then(|(socket, _)| shared.register.admit(socket)) else {
            // Out of descriptors, or the peer has gone already: let others end first.
            thread::sleep(ACCEPT_PAUSE);
            continue;
        };
        if !matches!(**entrance, Entrance::Control) {
            shared.count_connection();
        }
        spawn(shared, entrance, connection);
    }
}

fn spawn(shared: &Arc<Shared>, entrance: &Arc<Entrance>, connection: Connection) {
    let id = connection.id;
    let (owned, entrance) = (Arc::clone(shared), Arc::clone(entrance));
    let spawned = thread::Builder::new().name("simulator-connection".to_owned()).spawn(move || {
        let _leave = Leave(&owned, id);
        serve(&owned, &entrance, connection);
    });
    if spawned.is_err() {
        shared.register.leave(id);
    }
}

/// Takes a connection out of the register, however its thread ends.
struct Leave<'a>(&'a Shared, u64);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.register.leave(self.1);
    }
}
