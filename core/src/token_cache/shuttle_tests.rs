//! The token cache under many schedules of its threads: `make test-schedules`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::single_flight::{Completed, SingleFlight, Start, Wait};
use super::{CachedToken, TokenCache};
use crate::client::Client;
use crate::clock::{ManualClock, Random};
use crate::credential::TokenSet;
use crate::deployment::{Deployment, InsecureLoopback};
use crate::error::{Error, Reason, Result, Status};
use crate::http::{Body, Http, HttpTransport, Request, Response, TransportFailure};
use crate::profile::client_config::{ClientType, OAuthClient};
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::storage::{
    FailureRecord, FileVersion, Lock, Memory, Saved, Stored, TokenStorage, TornRead,
};
use serde_json::{Value, json};
use shuttle::sync::Mutex;
use shuttle::thread;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ITERATIONS: usize = 1_000;
const WAIT: Wait<'static> = Wait { timeout: Duration::from_secs(3600), interrupt: None };
const LIFETIME: Duration = Duration::from_secs(3600);

/// A token endpoint that rotates the refresh token and accepts each of them once.
struct Server {
    /// The refresh tokens that it received.
    received: Mutex<Vec<String>>,
    refuses: bool,
}

impl HttpTransport for Server {
    fn exchange(
        &self,
        request: &Request,
        _: Duration,
    ) -> std::result::Result<Response, TransportFailure> {
        let form = request.form.encode();
        let sent = form
            .expose()
            .split('&')
            .find_map(|pair| pair.strip_prefix("refresh_token="))
            .unwrap()
            .to_owned();
        // The lock is a point where other threads may run: before the request arrives, and after
        // it.
        let number = {
            let mut received = self.received.lock().unwrap();
            assert!(!received.contains(&sent), "{sent} was sent twice");
            received.push(sent);
            received.len()
        };
        drop(self.received.lock().unwrap());
        let (status, body) = match self.refuses {
            true => (400, json!({"error": "unauthorized_client"})),
            false => (200, members(&number.to_string())),
        };
        let body = Body(body.to_string().into_bytes());
        Ok(Response {
            status,
            media_type: Some("application/json".to_owned()),
            body,
            ..Response::default()
        })
    }
}

fn members(name: &str) -> Value {
    json!({
        "access_token": format!("access-{name}"),
        "refresh_token": format!("refresh-{name}"),
        "token_type": "Bearer",
        "expires_in": LIFETIME.as_secs(),
    })
}

/// The tokens with this name, which expire after `remaining`.
fn stored(name: &str, remaining: Duration, clock: &ManualClock) -> Stored {
    let Value::Object(members) = members(name) else { panic!("it is an object") };
    let access_token = Secret::from(format!("access-{name}"));
    let tokens = TokenSet {
        access_token,
        lifetime: LIFETIME,
        scopes: Vec::new(),
        members: Members(members),
    };
    let now = crate::clock::Clock::now(clock);
    Stored {
        remaining,
        expires_unix_ms: (now + remaining).unix_ms,
        ..Stored::received(tokens, now)
    }
}

/// A storage in memory. Other threads may run before each access.
#[derive(Default)]
struct Shared {
    memory: Memory,
    access: Mutex<()>,
}

impl Shared {
    fn memory(&self) -> &Memory {
        drop(self.access.lock().unwrap());
        &self.memory
    }
}

impl TokenStorage for Shared {
    fn load(&self, now: crate::clock::Moment, torn: TornRead) -> Result<(Saved, FileVersion)> {
        self.memory().load(now, torn)
    }

    fn save(&self, stored: &Stored) -> Result<FileVersion> {
        self.memory().save(stored)
    }

    fn remove(&self) -> Result<bool> {
        self.memory().remove()
    }

    fn lock(&self, deadline: Instant) -> Result<Option<Box<dyn Lock + '_>>> {
        self.memory().lock(deadline)
    }

    fn file_version(&self) -> FileVersion {
        self.memory.file_version()
    }

    fn failure_record(&self) -> FailureRecord {
        self.memory.failure_record()
    }

    fn save_failure_record(&self, record: &FailureRecord) {
        self.memory.save_failure_record(record);
    }

    fn quarantine(&self, now: crate::clock::Moment) -> Result<()> {
        self.memory.quarantine(now)
    }

    fn path(&self) -> Option<&Path> {
        None
    }
}

/// The same numbers in every schedule.
struct Half;

impl Random for Half {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0x80);
        Ok(())
    }
}

/// What a caller gets: an access token, or the status of the error.
type Outcome = std::result::Result<String, Status>;

/// A user session with its server.
#[derive(Clone)]
struct Scene {
    cache: Arc<TokenCache>,
    server: Arc<Server>,
    storage: Arc<Shared>,
    clock: Arc<ManualClock>,
}

impl Scene {
    /// `remaining`: of the saved access token, which is `access-0`.
    fn new(remaining: Duration, refuses: bool) -> Self {
        let clock = Arc::new(ManualClock::new(1_800_000_000));
        let server = Arc::new(Server { received: Mutex::new(Vec::new()), refuses });
        let storage = Arc::new(Shared::default());
        storage.save(&stored("0", remaining, &clock)).unwrap();
        let config = OAuthClient {
            client_type: ClientType::DeviceCode,
            client_id: "client".to_owned(),
            token_endpoint: Some("https://as.example/token".to_owned()),
            ..OAuthClient::default()
        };
        let client = Client::new(
            &config,
            &Deployment::from_text("planet").unwrap(),
            InsecureLoopback::Refused,
        )
        .unwrap();
        let http = Http::new(server.clone(), clock.clone(), Arc::new(Half));
        let cache =
            Arc::new(TokenCache::new(client, storage.clone(), http, WAIT.timeout, None, false));
        Scene { cache, server, storage, clock }
    }

    fn current(&self) -> Outcome {
        self.cache
            .current(WAIT)
            .map(|token| token.token().to_owned())
            .map_err(|error| error.status())
    }

    /// Starts this many callers at the same time, and returns what they get.
    fn callers(&self, number: usize) -> Vec<thread::JoinHandle<Outcome>> {
        let caller = || {
            let scene = self.clone();
            thread::spawn(move || scene.current())
        };
        (0..number).map(|_| caller()).collect()
    }

    /// Waits for the running refresh.
    fn settle(&self) {
        drop(self.cache.flight().pause(WAIT).map_err(|error| error.to_string()).unwrap());
    }

    fn requests(&self) -> usize {
        self.server.received.lock().unwrap().len()
    }

    fn cached(&self) -> Option<String> {
        self.cache.last().map(|token| token.token().to_owned())
    }

    fn saved(&self) -> Option<String> {
        match self.storage.load(self.cache.now(), TornRead::Fail).unwrap().0 {
            Saved::Tokens(tokens) => Some(tokens.tokens.access_token.expose().to_owned()),
            Saved::Nothing | Saved::Foreign => None,
        }
    }
}

fn token(name: &str) -> Outcome {
    Ok(name.to_owned())
}

fn results(callers: Vec<thread::JoinHandle<Outcome>>) -> Vec<Outcome> {
    callers.into_iter().map(|caller| caller.join().unwrap()).collect()
}

fn explore(scenario: impl Fn() + Send + Sync + Copy + 'static) {
    shuttle::check_random(scenario, ITERATIONS);
    shuttle::check_pct(scenario, ITERATIONS, 3);
}

#[test]
fn one_refresh_serves_all_callers() {
    explore(|| {
        let scene = Scene::new(Duration::ZERO, false);
        let tokens = results(scene.callers(3));
        assert!(tokens.iter().all(|outcome| *outcome == token("access-1")), "{tokens:?}");
        scene.settle();
        assert_eq!(
            (scene.requests(), scene.cached(), scene.saved()),
            (1, scene.saved(), Some("access-1".to_owned()))
        );
    });
}

#[test]
fn one_failure_is_shared() {
    explore(|| {
        let scene = Scene::new(Duration::ZERO, true);
        let errors = results(scene.callers(3));
        assert!(errors.iter().all(|error| *error == Err(Status::Misconfigured)), "{errors:?}");
        assert_eq!(scene.requests(), 1);
    });
}

#[test]
fn two_callers_and_a_refresh_in_the_background() {
    explore(|| {
        // Valid, and past its soft deadline.
        let scene = Scene::new(LIFETIME / 10, false);
        let tokens = results(scene.callers(2));
        let expected = ["access-0", "access-1"];
        assert!(
            tokens
                .iter()
                .all(|token| token.as_ref().is_ok_and(|token| expected.contains(&token.as_str()))),
            "{tokens:?}"
        );
        // If a caller finds the flight locked, the next call starts the refresh.
        scene.current().unwrap();
        scene.settle();
        scene.current().unwrap();
        scene.settle();
        assert_eq!(
            (scene.requests(), scene.cached(), scene.saved()),
            (1, scene.saved(), Some("access-1".to_owned()))
        );
    });
}

#[test]
fn a_login_during_a_refresh_stays() {
    explore(|| {
        let scene = Scene::new(Duration::ZERO, false);
        let callers = scene.callers(2);
        let login = {
            let scene = scene.clone();
            thread::spawn(move || {
                scene
                    .cache
                    .replace(&stored("login", LIFETIME, &scene.clock), WAIT, || true)
                    .unwrap()
            })
        };
        assert!(login.join().unwrap());
        for token in results(callers) {
            assert!(matches!(token.as_deref(), Ok("access-1" | "access-login")), "{token:?}");
        }
        scene.settle();
        assert!(scene.requests() <= 1);
        assert_eq!(
            (scene.cached(), scene.saved()),
            (scene.saved(), Some("access-login".to_owned()))
        );
        assert_eq!(scene.current(), token("access-login"));
    });
}

#[test]
fn a_logout_during_a_refresh_stays_and_revokes_the_saved_token() {
    explore(|| {
        let scene = Scene::new(Duration::ZERO, false);
        let callers = scene.callers(2);
        let logout = {
            let scene = scene.clone();
            let revoke = |refresh_token: Result<Option<Secret>>| {
                refresh_token.map(|token| token.map(|token| token.expose().to_owned()))
            };
            thread::spawn(move || scene.cache.clear(WAIT, Some(revoke)).unwrap())
        };
        let (was_saved, revoked) = logout.join().unwrap();
        for token in results(callers) {
            assert!(
                matches!(token.as_deref(), Ok("access-1") | Err(Status::LoginRequired)),
                "{token:?}"
            );
        }
        scene.settle();
        assert!(was_saved && scene.requests() <= 1);
        // The newest refresh token, which was not sent.
        assert_eq!(revoked, Some(Some(format!("refresh-{}", scene.requests()))));
        assert_eq!((scene.cached(), scene.saved()), (None, None));
        assert_eq!(
            scene.cache.current(WAIT).map(drop).unwrap_err().reason(),
            Some(Reason::LoggedOut)
        );
    });
}

#[test]
fn a_token_that_is_invalidated_twice_is_refreshed_once() {
    explore(|| {
        let scene = Scene::new(LIFETIME, false);
        assert_eq!(scene.current(), token("access-0"));
        let callers: Vec<_> = (0..2)
            .map(|_| {
                let scene = scene.clone();
                thread::spawn(move || (scene.cache.invalidate("access-0"), scene.current()))
            })
            .collect();
        let results: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|(invalidated, _)| *invalidated).count(), 1);
        assert!(results.iter().all(|(_, outcome)| *outcome == token("access-1")), "{results:?}");
        scene.settle();
        assert_eq!(scene.requests(), 1);
    });
}

#[test]
fn a_token_that_is_rejected_while_callers_wake_is_followed_by_one_more_refresh() {
    explore(|| {
        let scene = Scene::new(Duration::ZERO, false);
        let api = {
            let scene = scene.clone();
            thread::spawn(move || {
                scene.current().unwrap();
                scene.cache.invalidate("access-1")
            })
        };
        let tokens = results(scene.callers(2));
        assert!(api.join().unwrap());
        assert!(
            tokens.iter().all(|token| matches!(token.as_deref(), Ok("access-1" | "access-2"))),
            "{tokens:?}"
        );
        assert_eq!(scene.current(), token("access-2"));
        scene.settle();
        assert_eq!(scene.requests(), 2);
    });
}

#[test]
fn a_refresh_that_ends_early_leaves_no_caller_waiting() {
    explore(|| {
        let flight: Arc<SingleFlight<Arc<CachedToken>>> = Arc::new(SingleFlight::new("no token"));
        let callers: Vec<_> = (0..3)
            .map(|_| {
                let flight = flight.clone();
                thread::spawn(move || {
                    let start = |state: &mut super::State, _: Start| {
                        let (number, flight) = (state.start(), flight.clone());
                        let result = Err(Error::new(Status::Internal, "it ended early"));
                        thread::spawn(move || {
                            flight.complete(Completed { number, result, lets_callers_pass: false })
                        });
                        Ok(())
                    };
                    flight
                        .wait(WAIT, || None, |_| false, start)
                        .map_err(|missed| missed.error.status())
                        .map(drop)
                })
            })
            .collect();
        for caller in callers {
            assert_eq!(caller.join().unwrap(), Err(Status::Internal));
        }
        assert!(!flight.lock().is_running);
    });
}
