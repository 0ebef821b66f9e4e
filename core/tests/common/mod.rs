//! Shared parts of the tests: an authorization server without sockets, a clock that does not
//! advance by itself, and options that read nothing outside the test.

#![allow(dead_code, unused_imports)]

mod child;
mod oauth;
mod sessions;

pub use child::*;
pub use oauth::*;
pub use sessions::*;

use planetkey::clock::{Clock, ManualClock, Random};
use planetkey::http::{Body, HttpMethod, HttpTransport, Request, Response, TransportFailure};
use planetkey::profile::FixedEnvironment;
use planetkey::{ApiResponse, Immediate, Options, Runtime, Session};
use planetkey_simulator::{Settings, Simulator};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A host to which the M2M token of the fake may be sent, and one where it is under development.
pub const SENTINEL_HUB: &str = "https://services.sentinel-hub.com/api/v1/catalog";
pub const PLANET: &str = "https://api.planet.com/data/v1/item-types";
/// Secrets that must not appear in messages and files.
pub const CLIENT_ID: &str = "fake-client";
pub const CLIENT_SECRET: &str = "fake-client-secret-must-be-hidden";

pub const NOW: u64 = 1_800_000_000;

/// A request as the fake received it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub method: HttpMethod,
    pub url: String,
    pub authorization: Option<String>,
    pub body: String,
    pub timeout: Duration,
}

impl Seen {
    pub fn field(&self, name: &str) -> Option<String> {
        let fields = url::form_urlencoded::parse(self.body.as_bytes());
        fields.into_iter().find(|(field, _)| field == name).map(|(_, value)| value.into_owned())
    }
}

pub type Outcome = Result<Response, TransportFailure>;
type Step = Box<dyn FnOnce() -> Outcome + Send>;
type Always = Arc<dyn Fn(u64) -> Outcome + Send + Sync>;

/// A token endpoint that follows a script. After the script every request gets a new token that
/// expires after an hour.
#[derive(Default)]
pub struct Fake {
    state: Mutex<FakeState>,
    changed: Condvar,
}

#[derive(Default)]
struct FakeState {
    script: VecDeque<Step>,
    seen: Vec<Seen>,
    issued: u64,
    always: Option<Always>,
    closed: bool,
    waiting: usize,
}

impl Fake {
    pub fn new() -> Arc<Self> {
        Arc::new(Fake::default())
    }

    /// Adds the outcome of the next request to the script.
    pub fn then(&self, step: impl FnOnce() -> Outcome + Send + 'static) -> &Self {
        self.state.lock().unwrap().script.push_back(Box::new(step));
        self
    }

    pub fn answers(&self, response: Response) -> &Self {
        self.then(move || Ok(response))
    }

    pub fn fails(&self, failure: TransportFailure) -> &Self {
        self.then(move || Err(failure))
    }

    /// Sets the outcome of every request after the script, by its number from 1.
    pub fn always(&self, answer: impl Fn(u64) -> Outcome + Send + Sync + 'static) -> &Self {
        self.state.lock().unwrap().always = Some(Arc::new(answer));
        self
    }

    /// From now on every request waits until [`Fake::open`].
    pub fn close(&self) {
        self.state.lock().unwrap().closed = true;
    }

    pub fn open(&self) {
        self.state.lock().unwrap().closed = false;
        self.changed.notify_all();
    }

    /// Waits until this many requests wait at the closed gate.
    pub fn wait_held(&self, number: usize) {
        self.wait(|state| state.waiting >= number);
    }

    /// Waits until this many requests have arrived.
    pub fn wait_requests(&self, number: usize) {
        self.wait(|state| state.seen.len() >= number);
    }

    fn wait(&self, done: impl Fn(&FakeState) -> bool) {
        let state = self.state.lock().unwrap();
        let (_state, outcome) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| !done(state)).unwrap();
        assert!(!outcome.timed_out(), "what the test waits for did not happen");
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().seen.clone()
    }

    pub fn count(&self) -> usize {
        self.state.lock().unwrap().seen.len()
    }
}

impl HttpTransport for Fake {
    fn exchange(&self, request: &Request, timeout: Duration) -> Outcome {
        let mut state = self.state.lock().unwrap();
        state.seen.push(Seen {
            method: request.method,
            url: request.url.to_string(),
            authorization: request.authorization.as_ref().map(|value| value.expose().to_owned()),
            body: request.form.encode().expose().to_owned(),
            timeout,
        });
        state.waiting += 1;
        self.changed.notify_all();
        let (mut state, outcome) =
            self.changed.wait_timeout_while(state, PATIENCE, |state| state.closed).unwrap();
        assert!(!outcome.timed_out(), "the test never opened the gate");
        state.waiting -= 1;
        let step = state.script.pop_front();
        if step.is_none() {
            state.issued += 1;
        }
        let (number, always) = (state.issued, state.always.clone());
        drop(state);
        match (step, always) {
            (Some(step), _) => step(),
            (None, Some(always)) => always(number),
            (None, None) => {
                Ok(token(&json!({"access_token": format!("token-{number}"), "expires_in": 3600})))
            }
        }
    }
}

/// Returns a response with this status and body.
pub fn answer(status: u16, media_type: &str, body: impl Into<Vec<u8>>) -> Response {
    Response {
        status,
        media_type: Some(media_type.to_owned()),
        retry_after: None,
        date: None,
        location_host: None,
        undecoded: None,
        body: Body(body.into()),
    }
}

pub fn json_answer(status: u16, body: &Value) -> Response {
    answer(status, "application/json", body.to_string())
}

/// Returns a successful token response with these members; `token_type` is added if it is missing.
pub fn token(members: &Value) -> Response {
    let mut members = members.clone();
    if members.get("token_type").is_none() {
        members["token_type"] = json!("Bearer");
    }
    json_answer(200, &members)
}

pub fn oauth_error(status: u16, error: &str) -> Response {
    json_answer(status, &json!({"error": error, "error_description": format!("about {error}")}))
}

/// Returns a response that asks the client to come back later.
pub fn busy(status: u16, retry_after: Option<&str>) -> Response {
    Response { retry_after: retry_after.map(str::to_owned), ..answer(status, "text/plain", "busy") }
}

/// Always the same byte: `Fixed(0x80)` is the middle of every jitter.
pub struct Fixed(pub u8);

impl Random for Fixed {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(self.0);
        Ok(())
    }
}

pub fn no_environment() -> Arc<FixedEnvironment> {
    Arc::new(FixedEnvironment::default())
}

/// Returns options that read nothing outside the test.
pub fn options(fake: &Arc<Fake>, clock: &Arc<ManualClock>) -> Options {
    Options::default().with(|it| {
        it.runtime = Runtime {
            clock: clock.clone(),
            random: Arc::new(Fixed(0x80)),
            environment: no_environment(),
            transport: Some(fake.clone()),
            ..Runtime::default()
        }
    })
}

/// An M2M session of the built-in deployment, with the fake as its token endpoint.
pub struct Bench {
    pub fake: Arc<Fake>,
    pub clock: Arc<ManualClock>,
    pub session: Session,
}

pub fn bench() -> Bench {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let session = m2m(&options(&fake, &clock));
    Bench { fake, clock, session }
}

pub fn m2m(options: &Options) -> Session {
    Session::from_m2m(CLIENT_ID, CLIENT_SECRET, options).unwrap()
}

impl Bench {
    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Returns the current token as text.
    pub fn token(&self) -> String {
        self.session.access_token().unwrap().to_string()
    }

    /// Waits until the cached token is this one, which means that a background refresh has
    /// finished.
    pub fn wait_token(&self, wanted: &str) {
        eventually(|| {
            self.session.access_token_cached().unwrap().is_some_and(|token| &*token == wanted)
        });
    }

    /// Returns the milliseconds that passed on the manual clock since [`bench`].
    pub fn elapsed_ms(&self) -> u64 {
        self.clock.now().unix_ms - NOW * 1000
    }
}

/// Lets other threads run until the condition is true.
pub fn eventually(done: impl Fn() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(started.elapsed() < PATIENCE, "what the test waits for did not happen");
        std::thread::yield_now();
    }
}

/// Whether the session would repeat a request that carried this token to its first host, if it
/// serves one. Does not block.
pub fn repeats(
    session: &Session,
    token: &str,
    http_status: u16,
    www_authenticate: Option<&str>,
) -> bool {
    let host = session
        .status()
        .hosts()
        .first()
        .map_or_else(|| "services.sentinel-hub.com".to_owned(), |first| first.host.clone());
    let scheme = if host.contains(':') { "http" } else { "https" };
    let (url, sent) = (format!("{scheme}://{host}/"), format!("Bearer {token}"));
    let mut response = ApiResponse::new(&url, http_status);
    response.sent = Some(&sent);
    response.www_authenticate = www_authenticate;
    !matches!(session.after_api_response_cached(&response).unwrap(), Immediate::Nothing)
}

pub fn simulator() -> Simulator {
    Simulator::start(Settings::default()).unwrap()
}

/// Returns the real network and the real date, with a clock on which a pause between two attempts
/// takes no time.
pub fn real_network() -> (Runtime, Arc<ManualClock>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let clock = Arc::new(ManualClock::new(now));
    (Runtime { clock: clock.clone(), environment: no_environment(), ..Runtime::default() }, clock)
}

/// Returns options for a session with the simulator over real sockets.
pub fn simulator_options(simulator: &Simulator) -> Options {
    Options::default().with(|it| {
        it.deployment = Some(simulator.deployment());
        it.allow_insecure_loopback = Some(true);
        it.runtime = real_network().0;
    })
}

/// Opens a session of the simulator's M2M client at the simulator's deployment.
pub fn simulator_session(simulator: &Simulator, options: &Options) -> Session {
    let settings = simulator.settings();
    Session::from_m2m(&settings.client_id, &settings.client_secret, options).unwrap()
}

/// Returns options for the built-in Planet over the simulator's proxy and CA: real names, real TLS.
pub fn planet_options(simulator: &Simulator) -> Options {
    Options::default().with(|it| {
        it.proxy = Some(simulator.proxy().to_owned());
        it.ca_file = Some(simulator.ca_path().to_owned());
        it.runtime = real_network().0;
    })
}

/// Returns the form fields of the n-th request of a token endpoint.
pub fn form(simulator: &Simulator, target: &str, number: usize) -> Vec<(String, String)> {
    let entry = simulator.requests(target).unwrap()[number].clone();
    serde_json::from_value(entry["form"].clone()).unwrap()
}

/// Returns a header of the n-th request.
pub fn header(simulator: &Simulator, target: &str, number: usize, name: &str) -> Option<String> {
    let entry = simulator.requests(target).unwrap()[number].clone();
    let headers: Vec<(String, String)> = serde_json::from_value(entry["headers"].clone()).unwrap();
    headers
        .into_iter()
        .find(|(header, _)| header.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

/// Returns an unsigned JWT with these claims. The core reads its times and does not verify it.
pub fn jwt(claims: &Value) -> String {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "none"})), part(claims))
}

/// Returns the claims of a JWT, unverified.
pub fn claims(jwt: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(jwt.split('.').nth(1).unwrap()).unwrap())
        .unwrap()
}

/// Every log record of every crate in this process, as one line each.
pub struct Logs {
    lines: Mutex<Vec<(log::Level, String)>>,
    /// How often a caller of the blocking client waited, by whether its thread was inside an async
    /// runtime.
    blocking: [AtomicUsize; 2],
}

impl log::Log for Logs {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}", record.target(), record.args());
        self.lines.lock().unwrap().push((record.level(), line));
        if record.target().starts_with("reqwest::blocking::wait") {
            self.blocking[usize::from(tokio::runtime::Handle::try_current().is_ok())]
                .fetch_add(1, Ordering::SeqCst);
        }
    }

    fn flush(&self) {}
}

impl Logs {
    /// Returns the lines at this level or more severe that contain a text.
    pub fn with(&self, level: log::Level, text: &str) -> Vec<String> {
        let records = self.lines.lock().unwrap();
        let fits = |record: &&(log::Level, String)| record.0 <= level && record.1.contains(text);
        records.iter().filter(fits).map(|(_, line)| line.clone()).collect()
    }

    /// Returns how often a caller of the blocking client waited outside of async runtimes, and
    /// inside of one.
    pub fn blocking_client(&self) -> (usize, usize) {
        let [outside, inside] = &self.blocking;
        (outside.load(Ordering::SeqCst), inside.load(Ordering::SeqCst))
    }
}

/// Starts to collect log records.
pub fn logs() -> &'static Logs {
    static LOGS: OnceLock<Logs> = OnceLock::new();
    let logs = LOGS.get_or_init(|| Logs { lines: Mutex::default(), blocking: Default::default() });
    // On a second call the logger of the first is already set.
    let _ = log::set_logger(logs);
    log::set_max_level(log::LevelFilter::Trace);
    logs
}
