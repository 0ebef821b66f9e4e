//! A Planet on the loopback interface, for tests.
//!
//! It plays the authorization servers for machine-to-machine clients and for users, the API
//! servers of both domains, and an HTTPS proxy that stands in for their real names. It verifies what it receives,
//! logs and counts it, and follows scripts of faults. The README shows how to use it from a shell;
//! [`Simulator`] is the same for Rust tests.
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

/// How long the end waits for the threads of connections.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// How many connections may wait to be accepted.
const CROWD: i32 = 1_024;

/// Before accepting again after a failure.
const ACCEPT_PAUSE: Duration = Duration::from_millis(5);

/// The public client that the user's server knows from the start: that of Planet's SDK.
pub const USER_CLIENT_ID: &str = "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees";

/// A running simulator; it stops when this is dropped.
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
    /// When a port is taken, a key cannot be made or a file cannot be written.
    pub fn start(settings: Settings) -> io::Result<Self> {
        let bind = |port| -> io::Result<TcpListener> {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
            // Longer than the standard library's queue: whoever finds it full comes again a second later.
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
        let http = |listener: &TcpListener| -> io::Result<String> { Ok(format!("http://{}", listener.local_addr()?)) };
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

    /// The issuer of users' tokens; it ends with a slash.
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

    /// The base URL of what stands for api.planet.com.
    #[must_use]
    pub fn planet_api(&self) -> &str {
        &self.shared.origins.planet_api
    }

    /// The base URL of what stands for services.sentinel-hub.com.
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

    /// The home directory that [`environment`](Self::environment) names: empty at the start and after every reset.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.directory.home()
    }

    /// What the simulator was started with.
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

    /// Every URL, path and credential: the line that the command prints.
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

    /// Forgets scripts, log, counters, settings, sessions, revocations and clients that were added, and
    /// empties the home directory; requests that are held or stalled end without an answer.
    pub fn reset(&self) {
        self.shared.reset();
    }

    /// Changes settings: the body of `POST /settings`.
    ///
    /// # Errors
    /// When a member is unknown or of the wrong kind; then nothing is changed.
    pub fn change_settings(&self, changes: &Value) -> io::Result<()> {
        self.shared.lock().behaviour.change(changes)
    }

    /// Registers a client, or replaces it: the body of `POST /clients`.
    ///
    /// # Errors
    /// When a member is unknown or wrong.
    pub fn register_client(&self, client: &Value) -> io::Result<()> {
        control::register(&self.shared, client)
    }

    /// Sets what the next requests to a target meet: a list of steps, or `{"steps", "repeat"}`.
    ///
    /// # Errors
    /// When the target or something in a step is unknown; then the earlier script stays.
    pub fn script(&self, target: &str, script: &Value) -> io::Result<()> {
        self.shared.script(target, script)
    }

    /// Lets the requests of a hold go on.
    pub fn release(&self, hold: &str) {
        self.shared.release(hold);
    }

    /// How many requests wait in a hold.
    #[must_use]
    pub fn held(&self, hold: &str) -> u64 {
        self.shared.held(hold)
    }

    /// Waits until so many requests wait in a hold at once; `false` when the time passed first.
    #[must_use]
    pub fn wait_held(&self, hold: &str, number: u64, limit: Duration) -> bool {
        self.shared.wait_held(hold, number, limit) >= number
    }

    /// The logged requests of a target, in order.
    ///
    /// # Errors
    /// When there is no such target.
    pub fn requests(&self, target: &str) -> io::Result<Vec<Value>> {
        self.shared.requests(Some(target))
    }

    /// All logged requests, in order.
    #[must_use]
    pub fn all_requests(&self) -> Vec<Value> {
        // Without a target there is no name that could be unknown.
        self.shared.requests(None).unwrap_or_default()
    }

    /// One counter, by the names of `GET /counters`.
    ///
    /// # Errors
    /// When there is no such counter.
    pub fn count(&self, target: &str) -> io::Result<u64> {
        self.shared.count(target)
    }

    /// Waits until a counter has reached a number; `false` when the time passed first.
    ///
    /// # Errors
    /// When there is no such counter.
    pub fn wait_for(&self, target: &str, number: u64, limit: Duration) -> io::Result<bool> {
        Ok(self.shared.wait_for(target, number, limit)? >= number)
    }

    /// The API servers refuse this token from now on.
    pub fn revoke(&self, access_token: &str) {
        self.shared.revoke(Some(access_token));
    }

    /// The API servers refuse every token that was issued so far.
    pub fn revoke_all(&self) {
        self.shared.revoke(None);
    }

    /// A user's session without a browser: takes the body of `POST /sessions` and gives the token response that
    /// ends a login.
    ///
    /// # Errors
    /// When a member, the client or the issuer is unknown, or a member is of the wrong kind.
    pub fn seed_session(&self, wanted: &Value) -> io::Result<Value> {
        seed::seed(&self.shared, wanted)
    }

    /// Does what a user does in the browser: takes the body of `POST /login`, and gives the `location` that
    /// the browser is sent to, or whether the device is `approved`.
    ///
    /// # Errors
    /// When a member is unknown or wrong, or a page refuses to go on.
    pub fn log_in(&self, user: &Value) -> io::Result<Value> {
        scripted_login::log_in(&self.shared, user)
    }

    /// Changes the keys that sign tokens: the body of `POST /keys`.
    ///
    /// # Errors
    /// When a member is unknown or wrong, or a key cannot be made.
    pub fn change_keys(&self, changes: &Value) -> io::Result<Value> {
        self.shared.keys.change(changes)?;
        Ok(self.shared.keys.json())
    }

    /// What became of every device that asked for a login: the body of `GET /devices`.
    #[must_use]
    pub fn devices(&self) -> Value {
        self.shared.lock().devices.json()
    }

    /// What became of every session: the body of `GET /sessions`.
    #[must_use]
    pub fn sessions(&self) -> Vec<Value> {
        self.shared.lock().sessions.json(None)
    }

    /// What became of the session that a refresh or access token, old or current, belongs to.
    #[must_use]
    pub fn session_of(&self, token: &str) -> Option<Value> {
        self.shared.lock().sessions.json(Some(token)).pop()
    }

    /// Ends the session of a token, as the user or an administrator would.
    ///
    /// # Errors
    /// When no session has the token.
    pub fn revoke_session(&self, token: &str) -> io::Result<()> {
        self.shared.revoke_session(token)
    }

    /// A token signed by the simulator's key: the body of `POST /token`.
    ///
    /// # Errors
    /// When a member is unknown or wrong.
    pub fn token(&self, wanted: &Value) -> io::Result<String> {
        control::sign(&self.shared, wanted)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop();
        for (address, thread) in self.listeners.drain(..) {
            // A last connection wakes the thread, which then sees the end.
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
