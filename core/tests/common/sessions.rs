//! Sessions on disk: home directories for tests, a user's client, and the files that Planet's own
//! tools write.

use super::{CLIENT_ID, Fake, Fixed, NOW, m2m, real_network, simulator, token};
use planetkey::clock::{Clock, ManualClock, Moment};
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::storage::{Disk, Step, Storage, python_json};
use planetkey::{Options, Runtime, Session};
use planetkey_simulator::Simulator;
use serde_json::{Value, json};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// The profile with a user's session.
pub const USER_PROFILE: &str = "someone";
/// The client of that profile, and its token endpoint. With the endpoint configured no metadata is
/// requested, so each request is a token request.
pub const USER_CLIENT: &str = "user-client";
pub const USER_ENDPOINT: &str = "https://login.planet.com/oauth/token";
/// The tokens in a file before the first refresh.
pub const SEEDED: &str = "access-0";
pub const SEEDED_REFRESH: &str = "refresh-0";

/// Returns the `auth_client.json` of a user's client.
pub fn user_config(client_id: &str) -> Value {
    json!({
        "client_type": "oidc_device_code", "auth_server": "https://login.planet.com/", "token_endpoint": USER_ENDPOINT,
        "client_id": client_id, "scopes": ["planet", "offline_access"],
    })
}

/// A home directory with its own clock and its own server, which returns `access-1` and
/// `refresh-1`, then `access-2` and so on.
pub struct Home {
    directory: TempDir,
    pub fake: Arc<Fake>,
    pub clock: Arc<ManualClock>,
}

impl Home {
    pub fn new() -> Self {
        Home::at(tempfile::tempdir().unwrap())
    }

    pub fn at(directory: TempDir) -> Self {
        let fake = Fake::new();
        fake.always(|number| Ok(token(&rotated(number))));
        Home { directory, fake, clock: Arc::new(ManualClock::new(NOW)) }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the path of a file in the directory of the user's profile.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(".planet").join(USER_PROFILE).join(name)
    }

    pub fn token_file(&self) -> PathBuf {
        self.file("token.json")
    }

    pub fn failure_record_file(&self) -> PathBuf {
        self.file("token.planetkey.json")
    }

    /// Returns the path of the M2M client's token file.
    pub fn m2m_token_file(&self) -> PathBuf {
        self.path().join(".planet").join(format!("planet-m2m-{CLIENT_ID}")).join("token.json")
    }

    pub fn options(&self) -> Options {
        self.options_with(&self.fake, &self.clock)
    }

    /// Returns options for another computer with the same home: its own clock, perhaps another
    /// server.
    pub fn options_with(&self, fake: &Arc<Fake>, clock: &Arc<ManualClock>) -> Options {
        Options::default().with(|it| {
            it.runtime = Runtime {
                clock: clock.clone(),
                random: Arc::new(Fixed(0x80)),
                environment: Arc::new(FixedEnvironment::new([(HOME_VARIABLE, self.path())])),
                transport: Some(fake.clone()),
                ..Runtime::default()
            }
        })
    }

    /// Opens the user's session as another process would: it shares nothing but the files.
    pub fn user(&self) -> Session {
        user(&self.options())
    }

    /// The same on a disk whose steps the test controls.
    pub fn user_on(&self, disk: &Arc<ScriptedDisk>) -> Session {
        let mut options = self.options();
        options.runtime.disk = Some(disk.clone());
        user(&options)
    }

    pub fn m2m(&self) -> Session {
        m2m(&self.options())
    }

    /// Writes what a login with Planet's SDK a moment ago would have written, with these changes;
    /// null removes a member.
    pub fn seed(&self, members: &Value) {
        self.write(&self.token_file(), &seeded(members));
    }

    /// Writes a file as Planet's SDK does: in place.
    pub fn write(&self, path: &Path, members: &Value) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        sdk_write(path, &sdk_bytes(members));
    }

    /// Returns the content of the token file.
    pub fn tokens(&self) -> Value {
        read_json(&self.token_file())
    }

    pub fn refresh_token(&self) -> String {
        self.tokens()["refresh_token"].as_str().unwrap().to_owned()
    }

    pub fn failure_record(&self) -> Value {
        read_json(&self.failure_record_file())
    }

    pub fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Returns the refresh tokens that were sent, in order.
    pub fn sent(&self) -> Vec<String> {
        self.fake
            .seen()
            .iter()
            .map(|seen| seen.field("refresh_token").unwrap_or_default())
            .collect()
    }

    /// Returns the names of the files in the directory of the user's token file.
    pub fn listing(&self) -> Vec<String> {
        listing(self.token_file().parent().unwrap())
    }
}

impl Default for Home {
    fn default() -> Self {
        Home::new()
    }
}

/// Returns the members of the n-th response of a server that rotates.
pub fn rotated(number: u64) -> Value {
    json!({"access_token": format!("access-{number}"), "refresh_token": format!("refresh-{number}"), "expires_in": 3600})
}

/// Returns the content of a token file right after a login, with these changes.
pub fn seeded(changes: &Value) -> Value {
    let mut members = json!({
        "_iat": NOW, "_exp": NOW + 3600, "access_token": SEEDED, "refresh_token": SEEDED_REFRESH, "expires_in": 3600,
        "scope": "planet offline_access", "token_type": "Bearer",
    });
    for (name, value) in changes.as_object().unwrap() {
        members[name] = value.clone();
    }
    members
}

pub fn user(options: &Options) -> Session {
    user_as(USER_CLIENT, options)
}

/// Opens a session of another client in the same profile.
pub fn user_as(client_id: &str, options: &Options) -> Session {
    let options = options
        .clone()
        .with(|it| it.profile = options.storage.is_none().then(|| USER_PROFILE.to_owned()));
    Session::from_client_config(&user_config(client_id).to_string(), &options).unwrap()
}

/// Returns the token as text, or the error as text.
pub fn ask(session: &Session) -> String {
    session.access_token().map_or_else(|error| format!("{error}"), |token| token.to_string())
}

/// As [`ask`], for a session whose own deadline is too short for a busy disk.
pub fn ask_patiently(session: &Session) -> String {
    ask(&session.with_timeout(std::time::Duration::from_millis(30_000)))
}

/// Returns the bytes that Planet's SDK writes for these members.
pub fn sdk_bytes(members: &Value) -> Vec<u8> {
    python_json::to_bytes(members.as_object().unwrap())
}

/// Opens with truncation, writes and closes, without a temporary file or a lock.
pub fn sdk_write(path: &Path, bytes: &[u8]) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    private(path);
    file.write_all(bytes).unwrap();
}

/// Sets the mode that the SDK gives its files.
fn private(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}

pub fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Returns the names in a directory, sorted.
pub fn listing(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

type Hook = dyn Fn(Step) -> io::Result<()> + Send + Sync;

/// A disk that records its steps and does for each what the test says.
pub struct ScriptedDisk {
    steps: Mutex<Vec<Step>>,
    hook: Mutex<Arc<Hook>>,
}

impl ScriptedDisk {
    pub fn new(hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(ScriptedDisk { steps: Mutex::default(), hook: Mutex::new(Arc::new(hook)) })
    }

    /// Returns a disk that works.
    pub fn sound() -> Arc<Self> {
        ScriptedDisk::new(|_| Ok(()))
    }

    /// Returns a disk on which this step fails with this error.
    pub fn failing(step: Step, error: rustix::io::Errno) -> Arc<Self> {
        let disk = ScriptedDisk::sound();
        disk.fails(step, error);
        disk
    }

    pub fn fails(&self, step: Step, error: rustix::io::Errno) {
        // A disk that cannot be written also refuses to rewrite a file in place.
        let rewrites = matches!(step, Step::Directory | Step::Create | Step::Rename);
        self.does(move |now| match now {
            Step::Rewrite if rewrites => Err(io::Error::from(error)),
            now if now == step => Err(io::Error::from(error)),
            _ => Ok(()),
        });
    }

    pub fn recovers(&self) {
        self.does(|_| Ok(()));
    }

    pub fn does(&self, hook: impl Fn(Step) -> io::Result<()> + Send + Sync + 'static) {
        *self.hook.lock().unwrap() = Arc::new(hook);
    }

    pub fn steps(&self) -> Vec<Step> {
        self.steps.lock().unwrap().clone()
    }
}

impl Disk for ScriptedDisk {
    fn before(&self, step: Step) -> io::Result<()> {
        self.steps.lock().unwrap().push(step);
        let hook = self.hook.lock().unwrap().clone();
        hook(step)
    }
}

/// The simulator with a home directory, for a user's session that the server really rotates.
pub struct Planet {
    pub simulator: Simulator,
    home: TempDir,
}

impl Planet {
    pub fn new() -> Self {
        Planet { simulator: simulator(), home: tempfile::tempdir().unwrap() }
    }

    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts a session at the server and writes it as Planet's SDK would.
    pub fn seed(&self, wanted: &Value) -> Value {
        let session = self.simulator.seed_session(wanted).unwrap();
        self.write(&session);
        session
    }

    /// The same with an expired access token.
    pub fn seed_expired(&self) -> Value {
        self.seed(&json!({"age": 3600}))
    }

    pub fn write(&self, members: &Value) {
        std::fs::create_dir_all(self.token_file().parent().unwrap()).unwrap();
        sdk_write(&self.token_file(), &sdk_bytes(members));
    }

    pub fn token_file(&self) -> PathBuf {
        self.home.path().join(".planet/planet-user/token.json")
    }

    pub fn tokens(&self) -> Value {
        read_json(&self.token_file())
    }

    pub fn options(&self) -> Options {
        self.options_at(self.home.path())
    }

    /// Returns options with another home, for a copy of the session.
    pub fn options_at(&self, home: &Path) -> Options {
        let (mut runtime, _) = real_network();
        runtime.environment = Arc::new(FixedEnvironment::new([(HOME_VARIABLE, home)]));
        let deployment = Some(self.simulator.deployment());
        Options::default().with(|it| {
            it.deployment = deployment;
            it.allow_insecure_loopback = Some(true);
            it.runtime = runtime;
        })
    }

    pub fn session(&self) -> Session {
        Session::from_profile("planet-user", &self.options()).unwrap()
    }

    pub fn requests(&self) -> u64 {
        self.simulator.count("user.token").unwrap()
    }

    /// Returns the server's state of the session that this refresh token belongs to.
    pub fn session_of(&self, session: &Value) -> Value {
        self.simulator.session_of(session["refresh_token"].as_str().unwrap()).unwrap()
    }

    /// Asserts that the session is active and its refresh token was rotated this many times.
    pub fn assert_alive(&self, session: &Value, rotations: u64) {
        let family = self.session_of(session);
        assert_eq!(
            (&family["active"], &family["rotations"]),
            (&json!(true), &json!(rotations)),
            "{family}"
        );
        assert_eq!(self.simulator.count("user.reuse").unwrap(), 0);
        assert_eq!(
            self.tokens()["refresh_token"],
            family["refresh_token"],
            "the file holds the valid one"
        );
    }
}

impl Default for Planet {
    fn default() -> Self {
        Planet::new()
    }
}

/// An application's own storage, which records the calls and does what the test says.
#[derive(Default)]
pub struct Vault {
    pub text: Mutex<Option<String>>,
    pub calls: Mutex<Vec<&'static str>>,
    hook: Mutex<Option<Arc<VaultHook>>>,
}

type VaultHook = dyn Fn(&'static str) -> planetkey::Result<bool> + Send + Sync;

impl Vault {
    pub fn holding(members: &Value) -> Arc<Self> {
        Vault::with_text(Some(&members.to_string()))
    }

    pub fn with_text(text: Option<&str>) -> Arc<Self> {
        Arc::new(Vault { text: Mutex::new(text.map(str::to_owned)), ..Vault::default() })
    }

    /// Sets a hook that runs before each call. `false` from the hook of `lock` means that the lock
    /// is not available.
    pub fn does(
        &self,
        hook: impl Fn(&'static str) -> planetkey::Result<bool> + Send + Sync + 'static,
    ) {
        *self.hook.lock().unwrap() = Some(Arc::new(hook));
    }

    pub fn recovers(&self) {
        *self.hook.lock().unwrap() = None;
    }

    pub fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    pub fn tokens(&self) -> Value {
        serde_json::from_str(self.text.lock().unwrap().as_deref().unwrap()).unwrap()
    }

    fn called(&self, name: &'static str) -> planetkey::Result<bool> {
        self.calls.lock().unwrap().push(name);
        let hook = self.hook.lock().unwrap().clone();
        hook.map_or(Ok(true), |hook| hook(name))
    }
}

impl Storage for Vault {
    fn load(&self) -> planetkey::Result<Option<planetkey::secret::Secret>> {
        self.called("load")?;
        Ok(self.text.lock().unwrap().as_deref().map(planetkey::secret::Secret::from))
    }

    fn save(&self, text: Option<&planetkey::secret::Secret>) -> planetkey::Result<()> {
        self.called(if text.is_some() { "save" } else { "delete" })?;
        *self.text.lock().unwrap() = text.map(|text| text.expose().to_owned());
        Ok(())
    }

    fn lock(&self, _: Duration) -> planetkey::Result<bool> {
        self.called("lock")
    }

    fn unlock(&self) {
        let _ = self.called("unlock");
    }
}

/// A clock on which another program writes the file after this much time.
pub struct LateWriter {
    pub clock: Arc<ManualClock>,
    pub file: PathBuf,
    pub newer: Vec<u8>,
    pub after_ms: u64,
}

impl Clock for LateWriter {
    fn now(&self) -> Moment {
        self.clock.now()
    }

    fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration);
        if self.clock.now().unix_ms >= NOW * 1000 + self.after_ms {
            sdk_write(&self.file, &self.newer);
        }
    }
}
