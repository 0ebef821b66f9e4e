//! The state of a running simulator, behind one lock and one condition variable.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::Settings;
use crate::USER_CLIENT_ID;
use crate::authorization_code::Codes;
use crate::behaviour::Behaviour;
use crate::client::Client;
use crate::connection::{IDLE_LIMIT, Register};
use crate::deployment::empty;
use crate::device_code::Devices;
use crate::http::Request;
use crate::keys::Keys;
use crate::login::Logins;
use crate::script::{Fault, Script, Step, Target, invalid};
use crate::sessions::{self, End, Sessions};
use crate::tls::Authority;

/// The number of requests in the log. The oldest are dropped first.
const LOG_LIMIT: usize = 100_000;

/// State that all threads share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) keys: Keys,
    pub(crate) authority: Authority,
    pub(crate) register: Register,
    pub(crate) origins: Origins,
    /// The home directory of programs under test.
    home: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
    started: Instant,
}

/// Base URLs of the listeners, without a trailing slash.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origins {
    pub(crate) m2m: String,
    pub(crate) user: String,
    pub(crate) planet_api: String,
    pub(crate) sentinel_hub_api: String,
    pub(crate) control: String,
    pub(crate) proxy: String,
    pub(crate) tls: String,
}

/// The part that changes while the simulator runs.
pub(crate) struct State {
    /// Grows with every reset. A waiting thread gives up when it changes.
    epoch: u64,
    stopping: bool,
    pub(crate) behaviour: Behaviour,
    pub(crate) clients: BTreeMap<String, Client>,
    pub(crate) seen_assertions: HashSet<String>,
    pub(crate) issued: HashSet<String>,
    pub(crate) revoked: HashSet<String>,
    pub(crate) sessions: Sessions,
    pub(crate) logins: Logins,
    pub(crate) codes: Codes,
    pub(crate) devices: Devices,
    /// For `same_token`: the token of a client and audience, or of a session, with its expiry.
    pub(crate) latest: HashMap<String, (String, u64)>,
    pub(crate) tokens_issued: BTreeMap<Target, u64>,
    scripts: BTreeMap<Target, Script>,
    counters: BTreeMap<Target, u64>,
    connections: u64,
    log: VecDeque<Entry>,
    dropped: u64,
    holds: BTreeMap<String, Hold>,
}

#[derive(Default)]
struct Hold {
    released: bool,
    waiting: u64,
}

struct Entry {
    target: Target,
    connection: u64,
    at: Duration,
    request: Request,
    status: Option<u16>,
    fault: Option<Fault>,
}

impl State {
    fn new(settings: &Settings) -> Self {
        let m2m = Client::m2m(&settings.client_secret);
        Self {
            epoch: 0,
            stopping: false,
            behaviour: Behaviour::new(settings),
            clients: BTreeMap::from([
                (settings.client_id.clone(), m2m),
                (USER_CLIENT_ID.to_owned(), Client::native()),
            ]),
            seen_assertions: HashSet::new(),
            issued: HashSet::new(),
            revoked: HashSet::new(),
            sessions: Sessions::default(),
            logins: Logins::default(),
            codes: Codes::default(),
            devices: Devices::default(),
            latest: HashMap::new(),
            tokens_issued: BTreeMap::new(),
            scripts: BTreeMap::new(),
            counters: BTreeMap::new(),
            connections: 0,
            log: VecDeque::new(),
            dropped: 0,
            holds: BTreeMap::new(),
        }
    }

    fn count(&self, name: &str) -> io::Result<u64> {
        if name == "connections" {
            return Ok(self.connections);
        }
        if let Some(count) = self.sessions.count(name) {
            return Ok(count);
        }
        let (counts, name) = match name.strip_suffix(".issued") {
            Some(name) => (&self.tokens_issued, name),
            None => (&self.counters, name),
        };
        let target = Target::parse(name)?;
        Ok(counts.get(&target).copied().unwrap_or_default())
    }

    fn take_step(&mut self, target: Target) -> Option<Step> {
        self.scripts.get_mut(&target).and_then(Script::take)
    }

    fn record(&mut self, entry: Entry) -> u64 {
        *self.counters.entry(entry.target).or_default() += 1;
        if self.log.len() == LOG_LIMIT {
            self.log.pop_front();
            self.dropped += 1;
        }
        self.log.push_back(entry);
        self.dropped + self.log.len() as u64 - 1
    }
}

/// A counted request, and its step.
pub(crate) struct Ticket {
    number: u64,
    epoch: u64,
    pub(crate) step: Option<Step>,
}

impl Shared {
    pub(crate) fn new(settings: Settings, origins: Origins, home: PathBuf) -> io::Result<Self> {
        Ok(Self {
            keys: Keys::generate()?,
            authority: Authority::generate()?,
            register: Register::default(),
            origins,
            home,
            state: Mutex::new(State::new(&settings)),
            changed: Condvar::new(),
            started: Instant::now(),
            settings,
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    pub(crate) fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Restores the state of the start. Requests that are held or stalled end without a response,
    /// and the home directory is emptied.
    pub(crate) fn reset(&self) {
        let mut state = self.lock();
        let epoch = state.epoch + 1;
        *state = State::new(&self.settings);
        state.epoch = epoch;
        drop(state);
        self.keys.reset();
        self.changed.notify_all();
        self.register.shut(false);
        empty(&self.home);
    }

    pub(crate) fn count_connection(&self) {
        self.lock().connections += 1;
        self.changed.notify_all();
    }

    /// Counts and logs a request and takes its step, atomically.
    pub(crate) fn begin(&self, target: Target, connection: u64, request: &Request) -> Ticket {
        let mut state = self.lock();
        let step = state.take_step(target);
        self.enter(&mut state, target, connection, request.clone(), step)
    }

    /// The same for the first target whose next step is a fault before reading.
    pub(crate) fn begin_unread(&self, targets: &[Target], connection: u64) -> Option<Ticket> {
        let mut state = self.lock();
        let target = *targets.iter().find(|target| {
            let fault = state.scripts.get(target).and_then(Script::next_fault);
            fault.is_some_and(Fault::is_before_read)
        })?;
        let step = state.take_step(target);
        Some(self.enter(&mut state, target, connection, Request::default(), step))
    }

    fn enter(
        &self,
        state: &mut State,
        target: Target,
        connection: u64,
        request: Request,
        step: Option<Step>,
    ) -> Ticket {
        let number = state.record(Entry {
            target,
            connection,
            at: self.started.elapsed(),
            request,
            status: None,
            fault: step.as_ref().and_then(|step| step.fault),
        });
        let epoch = state.epoch;
        self.changed.notify_all();
        Ticket { number, epoch, step }
    }

    /// Whether there was no reset or stop since.
    pub(crate) fn is_current(&self, ticket: &Ticket) -> bool {
        let state = self.lock();
        state.epoch == ticket.epoch && !state.stopping
    }

    /// Logs the status of the response that is about to be sent.
    pub(crate) fn log_status(&self, ticket: &Ticket, status: u16) {
        let mut state = self.lock();
        if state.epoch != ticket.epoch {
            return;
        }
        let index = ticket.number.checked_sub(state.dropped);
        let entry = index.and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = entry.and_then(|index| state.log.get_mut(index)) {
            entry.status = Some(status);
        }
        drop(state);
        // A thread may wait for a counter that the response changed, for example issued tokens.
        self.announce();
    }

    /// Wakes the threads that wait for a change.
    pub(crate) fn announce(&self) {
        self.changed.notify_all();
    }

    /// Waits for the hold and the delay. `false`: a reset or stop came first.
    pub(crate) fn wait_through(&self, ticket: &Ticket) -> bool {
        let Some(step) = &ticket.step else {
            return true;
        };
        if let Some(name) = &step.hold
            && !self.wait_released(name, ticket.epoch)
        {
            return false;
        }
        step.delay.is_none_or(|delay| self.pause(ticket, delay))
    }

    fn wait_released(&self, name: &str, epoch: u64) -> bool {
        let deadline = Instant::now() + IDLE_LIMIT;
        let mut state = self.lock();
        if state.epoch != epoch {
            return false;
        }
        state.holds.entry(name.to_owned()).or_default().waiting += 1;
        self.changed.notify_all();
        loop {
            if state.epoch != epoch {
                // The reset removed this hold and its count.
                return false;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Some(hold) = state.holds.get_mut(name) else {
                return false;
            };
            let released = hold.released;
            if released || state.stopping || left.is_zero() {
                if let Some(hold) = state.holds.get_mut(name) {
                    hold.waiting -= 1;
                }
                drop(state);
                self.changed.notify_all();
                return released;
            }
            state =
                self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a time. `false`: a reset or stop came first.
    pub(crate) fn pause(&self, ticket: &Ticket, time: Duration) -> bool {
        let state = self.lock();
        let (_state, outcome) = self
            .changed
            .wait_timeout_while(state, time, |state| state.epoch == ticket.epoch && !state.stopping)
            .unwrap_or_else(PoisonError::into_inner);
        outcome.timed_out()
    }

    /// Sets the script of a target and closes its holds.
    pub(crate) fn script(&self, target: &str, script: &Value) -> io::Result<()> {
        let target = Target::parse(target)?;
        let script = Script::parse(script, target)?;
        let mut state = self.lock();
        for name in script.holds() {
            state.holds.entry(name.to_owned()).or_default().released = false;
        }
        state.scripts.insert(target, script);
        Ok(())
    }

    /// From now on the API servers refuse this token, or all issued tokens.
    pub(crate) fn revoke(&self, token: Option<&str>) {
        let mut state = self.lock();
        match token {
            Some(token) => {
                state.revoked.insert(token.to_owned());
            }
            None => {
                let issued = std::mem::take(&mut state.issued);
                state.revoked.extend(issued);
            }
        }
    }

    /// Ends the session of this token, old or current, as a user or an administrator would.
    pub(crate) fn revoke_session(&self, token: &str) -> io::Result<()> {
        let mut state = self.lock();
        let session =
            state.sessions.find(token).ok_or_else(|| invalid("no session has this token"))?;
        state.sessions.end(session, End::Control);
        Ok(())
    }

    /// Releases the requests in a hold, and later ones.
    pub(crate) fn release(&self, name: &str) {
        self.lock().holds.entry(name.to_owned()).or_default().released = true;
        self.changed.notify_all();
    }

    pub(crate) fn held(&self, name: &str) -> u64 {
        self.lock().holds.get(name).map_or(0, |hold| hold.waiting)
    }

    pub(crate) fn held_all(&self) -> Value {
        let state = self.lock();
        let counts = state.holds.iter();
        Value::Object(counts.map(|(name, hold)| (name.clone(), json!(hold.waiting))).collect())
    }

    pub(crate) fn count(&self, name: &str) -> io::Result<u64> {
        self.lock().count(name)
    }

    pub(crate) fn counters(&self) -> Value {
        let state = self.lock();
        let mut counters: Map<String, Value> = Target::ALL
            .iter()
            .map(|(target, name)| {
                let count = state.counters.get(target).copied().unwrap_or_default();
                ((*name).to_owned(), json!(count))
            })
            .collect();
        counters.insert("connections".to_owned(), json!(state.connections));
        for (target, name) in Target::ALL.iter().filter(|(target, _)| target.is_token()) {
            let count = state.tokens_issued.get(target).copied();
            counters.insert(format!("{name}.issued"), json!(count.unwrap_or_default()));
        }
        for name in sessions::COUNTERS {
            counters.insert(name.to_owned(), json!(state.sessions.count(name)));
        }
        Value::Object(counters)
    }

    /// Waits until the counter reaches the number. Returns the count.
    pub(crate) fn wait_for(&self, name: &str, number: u64, limit: Duration) -> io::Result<u64> {
        self.lock().count(name)?;
        let state = self.wait(limit, |state| state.count(name).is_ok_and(|count| count < number));
        state.count(name)
    }

    /// Waits until this number of requests is held at once. Returns their number.
    pub(crate) fn wait_held(&self, name: &str, number: u64, limit: Duration) -> u64 {
        let waiting = |state: &State| state.holds.get(name).map_or(0, |hold| hold.waiting);
        let state = self.wait(limit, |state| waiting(state) < number);
        waiting(&state)
    }

    fn wait(&self, limit: Duration, unfinished: impl Fn(&State) -> bool) -> MutexGuard<'_, State> {
        self.changed
            .wait_timeout_while(self.lock(), limit, |state| !state.stopping && unfinished(state))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    /// The log of one target or of all.
    pub(crate) fn requests(&self, target: Option<&str>) -> io::Result<Vec<Value>> {
        let target = target.map(Target::parse).transpose()?;
        let state = self.lock();
        Ok(state
            .log
            .iter()
            .filter(|entry| target.is_none_or(|target| target == entry.target))
            .map(Entry::json)
            .collect())
    }
}

impl Entry {
    fn json(&self) -> Value {
        let mut entry = json!({
            "target": self.target.name(),
            "method": self.request.method,
            "path": self.request.path,
            "query": self.request.query,
            "headers": self.request.headers,
            "status": self.status,
            "fault": self.fault.map(Fault::name),
            "connection": self.connection,
            "at_ms": u64::try_from(self.at.as_millis()).unwrap_or(u64::MAX),
        });
        if self.target.takes_form() {
            entry["form"] = json!(self.request.form());
        }
        entry
    }
}
