//! Sessions with tokens of a provider: the program's own code instead of a client (design,
//! section 8).

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use planetkey::clock::ManualClock;
use planetkey::{
    ApiResponse, Error, Options, ProvidedToken, ProviderRequest, Reason, Result, Session, Status,
    TokenProvider,
};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

const THREADS: usize = 32;
const HOUR: Duration = Duration::from_secs(3600);

type Answer = Box<dyn FnOnce(&ProviderRequest<'_>) -> Result<ProvidedToken> + Send>;

/// A provider that follows a script, and then returns `token-1`, `token-2` and so on for an hour.
#[derive(Default)]
struct Broker {
    script: Mutex<VecDeque<Answer>>,
    /// The rejected token of each call.
    calls: Mutex<Vec<Option<String>>>,
    timeouts: Mutex<Vec<Duration>>,
    running: AtomicUsize,
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Broker {
    fn then(
        &self,
        answer: impl FnOnce(&ProviderRequest<'_>) -> Result<ProvidedToken> + Send + 'static,
    ) {
        self.script.lock().unwrap().push_back(Box::new(answer));
    }

    fn gives(&self, token: ProvidedToken) {
        self.then(move |_| Ok(token));
    }

    fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.changed.notify_all();
    }
}

impl TokenProvider for Broker {
    fn token(&self, request: &ProviderRequest<'_>) -> Result<ProvidedToken> {
        assert_eq!(self.running.fetch_add(1, Ordering::SeqCst), 0, "two calls at the same time");
        let number = {
            let mut calls = self.calls.lock().unwrap();
            calls.push(request.rejected_token.map(str::to_owned));
            calls.len()
        };
        self.timeouts.lock().unwrap().push(request.timeout);
        let mut closed = self.closed.lock().unwrap();
        while *closed {
            closed = self.changed.wait(closed).unwrap();
        }
        drop(closed);
        let scripted = self.script.lock().unwrap().pop_front();
        let answer = match scripted {
            Some(answer) => answer(request),
            None => Ok(ProvidedToken::expires_in(format!("token-{number}"), HOUR)),
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        answer
    }
}

struct Scene {
    broker: Arc<Broker>,
    clock: Arc<ManualClock>,
    fake: Arc<Fake>,
    session: Session,
}

fn scene_with(change: impl FnOnce(&mut Options)) -> Scene {
    let (broker, clock, fake) =
        (Arc::new(Broker::default()), Arc::new(ManualClock::new(NOW)), Fake::new());
    let options = options(&fake, &clock).with(change);
    let session = Session::from_token_provider(broker.clone(), &options).unwrap();
    Scene { broker, clock, fake, session }
}

fn scene() -> Scene {
    scene_with(|_| ())
}

impl Scene {
    fn token(&self) -> String {
        self.session.access_token().unwrap().to_string()
    }

    fn error(&self) -> Error {
        self.session.access_token().unwrap_err()
    }
}

/// A JWT with these claims. Nothing verifies its signature.
fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2lnbmF0dXJl", part(&json!({"alg": "RS256"})), part(claims))
}

fn of_issuer(issuer: &str) -> ProvidedToken {
    ProvidedToken::expires_in(jwt(&json!({"iss": issuer})), HOUR)
}

#[test]
fn a_token_is_cached_and_refreshed_in_the_background() {
    let scene = scene();
    assert_eq!(scene.broker.count(), 0, "opening asks nothing");
    for _ in 0..3 {
        assert_eq!(scene.token(), "token-1");
    }
    let authorization = scene.session.authorize(SENTINEL_HUB).unwrap();
    assert_eq!(authorization.header_value(), Some("Bearer token-1"));
    assert_eq!(authorization.expires_at(), Some(i64::try_from(NOW + 3600).unwrap()));
    assert_eq!(scene.broker.count(), 1);
    // Past three quarters of the lifetime the valid token is returned at once.
    scene.clock.advance(Duration::from_secs(3100));
    scene.broker.close();
    assert_eq!(scene.token(), "token-1");
    eventually(|| scene.broker.count() == 2);
    assert_eq!(scene.token(), "token-1");
    scene.broker.open();
    eventually(|| scene.token() == "token-2");
    scene.session.refresh().unwrap();
    assert_eq!((scene.token().as_str(), scene.broker.count()), ("token-3", 3));
    assert_eq!(scene.fake.count(), 0, "no server is asked");
}

#[test]
fn thirty_two_threads_at_expiry_call_the_provider_once() {
    let scene = scene();
    for wanted in ["token-1", "token-2", "token-3"] {
        scene.broker.close();
        let waiting = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (asked, waiting) = (AtomicBool::new(false), waiting.clone());
                    let interrupt = Arc::new(move || {
                        if !asked.swap(true, Ordering::Relaxed) {
                            waiting.fetch_add(1, Ordering::Relaxed);
                        }
                        false
                    });
                    let session = scene.session.with_interrupt(interrupt);
                    scope.spawn(move || session.access_token().unwrap().to_string())
                })
                .collect();
            eventually(|| waiting.load(Ordering::Relaxed) == THREADS);
            scene.broker.open();
            for thread in threads {
                assert_eq!(thread.join().unwrap(), wanted);
            }
        });
        scene.clock.advance(HOUR);
    }
    assert_eq!(scene.broker.count(), 3);
}

#[test]
fn a_jwt_goes_where_tokens_of_its_issuer_go() {
    let user = "https://login.planet.com/";
    let machine = "https://services.sentinel-hub.com/auth/realms/main";
    for (token, under_development) in [
        (ProvidedToken::expires_in("opaque", HOUR), false),
        (of_issuer(user), false),
        (of_issuer(user.trim_end_matches('/')), false),
        (of_issuer(machine), true),
        // Without an issuer it is a user's.
        (ProvidedToken::expires_in(jwt(&json!({"sub": "someone"})), HOUR), false),
    ] {
        let scene = scene();
        scene.broker.gives(token);
        let planet = scene.session.authorize(PLANET).unwrap();
        assert_eq!(planet.under_development(), under_development, "{planet:?}");
        assert!(!scene.session.authorize(SENTINEL_HUB).unwrap().under_development());
        let cached = scene.session.authorize_cached(PLANET).unwrap().unwrap();
        assert_eq!(cached.under_development(), under_development);
        let flag = scene.session.with_header_cached(PLANET, |header| header.under_development);
        assert_eq!(flag.unwrap(), Some(under_development));
        assert_eq!(scene.broker.count(), 1);
    }
}

#[test]
fn a_token_of_another_issuer_goes_only_to_allowed_hosts() {
    let theirs = "https://issuer.example.org/";
    let scene = scene_with(|it| it.allowed_hosts = Some(vec!["data.example.org".to_owned()]));
    scene.broker.gives(of_issuer(theirs));
    // Also in the call that obtains the token, and in those that find it cached.
    for _ in 0..2 {
        let errors = [
            scene.session.authorize(PLANET).map(drop),
            scene.session.headers(SENTINEL_HUB).map(drop),
            scene.session.authorize_cached(PLANET).map(drop),
            scene.session.headers_cached(PLANET).map(drop),
            scene.session.with_header(PLANET, |_| ()),
            scene.session.with_header_cached(PLANET, |_| ()).map(drop),
        ];
        for error in errors {
            assert_eq!(error.unwrap_err().status(), Status::HostRefused);
        }
    }
    assert!(scene.session.authorize_if_served(PLANET).unwrap().is_none());
    assert!(scene.session.headers("https://data.example.org/1").is_ok());
    assert_eq!(scene.broker.count(), 1);
    let status = scene.session.status();
    assert_eq!(status.issuer(), Some(theirs));
    assert_eq!(status.sources()[0].hosts, ["data.example.org"]);
}

#[test]
fn the_provider_is_not_called_for_a_host_that_takes_no_token() {
    let scene = scene();
    for url in ["https://example.org/", "http://api.planet.com/", "https://api.planet.com.evil/"] {
        let error = scene.session.authorize(url).unwrap_err();
        assert!(
            matches!(error.status(), Status::HostRefused | Status::InvalidArgument),
            "{url}: {error}"
        );
    }
    assert_eq!(scene.broker.count(), 0);
}

/// A deployment whose hosts take tokens of M2M clients only is served before the first token shows
/// its issuer.
#[test]
fn a_host_for_m2m_tokens_is_served() {
    let deployment = json!({
        "name": "mine",
        "authorization_servers": [{"subject": "m2m", "issuer": "https://issuer.example.org"}],
        "resource_servers": [{"hosts": ["data.example.org"], "user_token": "no",
                              "m2m_token": "yes", "api_key": "no"}],
    });
    let url = "https://data.example.org/1";
    let scene = scene_with(|it| it.deployment = Some(deployment.to_string()));
    scene.broker.gives(of_issuer("https://issuer.example.org"));
    assert!(scene.session.headers(url).is_ok());
    // An opaque token counts as a user's.
    scene.clock.advance(HOUR);
    assert_eq!(scene.session.headers(url).unwrap_err().status(), Status::HostRefused);
}

#[test]
fn after_a_401_the_provider_is_told_and_the_request_is_repeated() {
    let scene = scene();
    let first = scene.session.authorize(SENTINEL_HUB).unwrap();
    let repeat = scene.session.after_response(&first, 401, None).unwrap().unwrap();
    assert_eq!(repeat.header_value(), Some("Bearer token-2"));
    assert_eq!(*scene.broker.calls.lock().unwrap(), [None, Some("token-1".to_owned())]);
    // The next token was refused as well: the API is the cause, and the provider is left alone.
    assert!(scene.session.after_response(&repeat, 401, None).unwrap().is_none());
    assert_eq!(scene.broker.count(), 2);
    // A 401 of a host that gets no token of this session says nothing.
    let mut elsewhere = ApiResponse::new("https://example.org/", 401);
    elsewhere.sent = repeat.header_value();
    assert!(scene.session.after_api_response(&elsewhere).unwrap().is_none());
    assert_eq!(scene.broker.count(), 2);
}

/// A broker that hands out its cached token again does not make the session useless or noisy.
#[test]
fn a_provider_that_returns_the_refused_token_again_is_called_with_growing_pauses() {
    let scene = scene();
    for _ in 0..20 {
        scene.broker.gives(ProvidedToken::expires_in("the-same", HOUR));
    }
    for _ in 0..60 {
        assert_eq!(scene.token(), "the-same");
        scene.session.invalidate("the-same").unwrap();
        scene.clock.advance(Duration::from_secs(1));
    }
    assert!((2..=8).contains(&scene.broker.count()), "{}", scene.broker.count());
}

#[test]
fn errors_of_the_provider_reach_every_caller_and_are_not_permanent() {
    let scene = scene();
    let failures = [
        Error::new(Status::Unavailable, "the broker restarts"),
        Error::new(Status::LoginRequired, "log in at the broker").with_reason(Reason::LoggedOut),
        Error::new(Status::Misconfigured, "the broker does not know this worker"),
    ];
    let mut calls = 0;
    for failure in failures {
        let (status, message) = (failure.status(), failure.message().to_owned());
        scene.broker.then(move |_| Err(failure));
        let error = scene.error();
        assert_eq!((error.status(), error.message()), (status, message.as_str()));
        calls += 1;
        // Callers share the failure until the wait ends.
        let again = scene.error();
        assert_eq!((again.status(), again.message()), (status, message.as_str()));
        let pause = again.retry_after().unwrap();
        assert!(
            pause >= Duration::from_millis(500) && pause <= Duration::from_secs(4),
            "{pause:?}"
        );
        assert_eq!(scene.broker.count(), calls);
        scene.clock.advance(pause);
    }
    assert_eq!(scene.token(), "token-4");
    let busy =
        Error::new(Status::Unavailable, "busy").with_retry_after(Some(Duration::from_secs(600)));
    scene.broker.then(move |_| Err(busy));
    scene.clock.advance(HOUR);
    assert_eq!(scene.error().retry_after(), Some(Duration::from_secs(600)));
    scene.clock.advance(Duration::from_secs(599));
    assert_eq!((scene.error().status(), scene.broker.count()), (Status::Unavailable, 5));
    scene.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.token(), "token-6");
}

#[test]
fn an_expired_token_is_an_error_and_no_storm() {
    type Make = fn(u64) -> ProvidedToken;
    let makes: [Make; 4] = [
        |_| ProvidedToken::expires_in("token", Duration::ZERO),
        |now| ProvidedToken::expires_at("token", now - 1),
        |now| ProvidedToken::of_unknown_expiry(jwt(&json!({"exp": now - 60, "iat": now - 3660}))),
        |now| ProvidedToken::expires_at(jwt(&json!({"exp": now + 600})), now),
    ];
    for make in makes {
        let scene = scene();
        for _ in 0..100 {
            scene.broker.gives(make(NOW));
        }
        for _ in 0..60 {
            let error = scene.error();
            assert_eq!(error.status(), Status::Unavailable);
            assert!(error.message().contains("token provider"), "{error}");
            scene.clock.advance(Duration::from_secs(1));
        }
        assert!((2..=8).contains(&scene.broker.count()), "{}", scene.broker.count());
    }
    // One that lives shorter than a request takes is called for once a second.
    let scene = scene();
    for _ in 0..100 {
        scene.broker.gives(ProvidedToken::expires_in("token", Duration::from_millis(1)));
    }
    for _ in 0..100 {
        let _ = scene.session.access_token();
        scene.clock.advance(Duration::from_millis(100));
    }
    assert!(scene.broker.count() <= 12, "{}", scene.broker.count());
}

#[test]
fn the_expiry_is_the_earliest_that_is_known() {
    for (token, seconds) in [
        (ProvidedToken::expires_in("opaque", HOUR), 3600),
        (ProvidedToken::expires_at("opaque", NOW + 100), 100),
        (ProvidedToken::of_unknown_expiry("opaque"), 300),
        (ProvidedToken::of_unknown_expiry(jwt(&json!({"exp": NOW + 500}))), 500),
        // A cached token with its first lifetime.
        (ProvidedToken::expires_in(jwt(&json!({"exp": NOW + 50})), HOUR), 50),
        (ProvidedToken::expires_in(jwt(&json!({"exp": NOW + 9, "iat": NOW + 2})), HOUR), 7),
        // The clock of this computer is wrong.
        (ProvidedToken::expires_in(jwt(&json!({"exp": NOW - 50})), HOUR), 3600),
    ] {
        let scene = scene();
        scene.broker.gives(token);
        let expires_at = scene.session.access_token().unwrap().expires_at().unwrap();
        assert_eq!(expires_at - i64::try_from(NOW).unwrap(), seconds);
    }
}

#[test]
fn a_provider_that_hangs_costs_each_caller_its_own_deadline() {
    let scene = scene();
    scene.broker.close();
    let hasty = scene.session.with_timeout(Duration::from_millis(20));
    for _ in 0..3 {
        let error = hasty.access_token().unwrap_err();
        assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
        assert!(error.message().starts_with("the token provider returned no access token"));
    }
    assert_eq!(scene.broker.count(), 1, "it is not called again meanwhile");
    scene.broker.open();
    eventually(|| hasty.access_token_cached().unwrap().is_some());
    assert_eq!((scene.token().as_str(), scene.broker.count()), ("token-1", 1));
    assert_eq!(*scene.broker.timeouts.lock().unwrap(), [Duration::from_secs(30)]);
}

/// Callers share a call of the provider, so that it gets the longer one of the session's deadline
/// and that of the caller for whom it starts.
#[test]
fn a_provider_gets_the_longer_deadline_of_session_and_caller() {
    for (caller_s, given_s) in [(1, 30), (30, 30), (90, 90)] {
        let scene = scene();
        let caller = scene.session.with_timeout(Duration::from_secs(caller_s));
        caller.access_token().unwrap();
        let timeouts = scene.broker.timeouts.lock().unwrap().clone();
        assert_eq!(timeouts, [Duration::from_secs(given_s)], "{caller_s}");
    }
}

#[test]
fn a_provider_may_use_another_session_and_not_its_own() {
    let bench = bench();
    let other = bench.session.clone();
    let own: Arc<Mutex<Option<Session>>> = Arc::default();
    let held = own.clone();
    let provider = move |_: &ProviderRequest<'_>| -> Result<ProvidedToken> {
        let own = held.lock().unwrap().clone().unwrap();
        let error = own.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Unavailable);
        assert!(error.message().contains("cannot wait for itself"), "{error}");
        Ok(ProvidedToken::expires_in(&*other.access_token()?, HOUR))
    };
    let options = options(&bench.fake, &bench.clock);
    let session = Session::from_token_provider(Arc::new(provider), &options).unwrap();
    *own.lock().unwrap() = Some(session.clone());
    assert_eq!(&*session.access_token().unwrap(), "token-1");
    assert_eq!(bench.fake.count(), 1);
    *own.lock().unwrap() = None;
}

#[test]
fn a_panic_of_the_provider_is_internal_and_the_session_lives() {
    let scene = scene();
    scene.broker.then(|_| panic!("a bug in the provider, on purpose"));
    assert_eq!(scene.error().status(), Status::Internal);
    scene.broker.running.store(0, Ordering::SeqCst);
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!(scene.token(), "token-2");
}

#[test]
fn what_no_header_can_carry_is_refused_and_not_shown() {
    for token in ["", "Bearer SECRET", "SECRET\n", "SECRET\u{e9}", &"S".repeat(300_000)] {
        let scene = scene();
        scene.broker.gives(ProvidedToken::expires_in(token, HOUR));
        let error = scene.error();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(!error.message().contains("SECRET") && !error.message().contains("SSS"), "{error}");
    }
    let scene = scene();
    let token = ProvidedToken::expires_in("SECRET", HOUR);
    assert!(!format!("{token:?}").contains("SECRET"));
    scene.broker.gives(token);
    scene.broker.then(|request| {
        assert!(!format!("{request:?}").contains("SECRET") && request.rejected_token.is_some());
        Err(Error::new(Status::Unavailable, "busy"))
    });
    assert_eq!(scene.token(), "SECRET");
    scene.session.invalidate("SECRET").unwrap();
    assert!(!format!("{:?} {}", scene.session, scene.error()).contains("SECRET"));
    assert!(!scene.session.status().to_json().to_string().contains("SECRET"));
}

#[test]
fn a_session_of_a_provider_says_what_it_is() {
    let scene = scene();
    let status = scene.session.status();
    let source = &status.sources()[0];
    assert_eq!(
        (source.client_type, source.source.as_str(), source.client_id.as_deref()),
        ("token_provider", "argument: token provider", None)
    );
    assert_eq!((source.issuer.as_deref(), &source.file, source.initialized), (None, &None, true));
    assert!(source.hosts.iter().any(|host| host == "services.sentinel-hub.com"));
    assert!(!source.token_cached && scene.broker.count() == 0);
    // It has no server.
    let errors = [
        scene.session.introspect(None).map(drop),
        scene.session.userinfo().map(drop),
        scene.session.id_token_claims().map(drop),
        scene.session.api_key().map(drop),
    ];
    for error in errors {
        assert_eq!(error.unwrap_err().status(), Status::Unsupported);
    }
    // Logging out drops the token, and the next call asks for one.
    let calls = scene.broker.count();
    let token = scene.token();
    assert!(scene.session.logout(planetkey::Revoke::Yes).unwrap().removed);
    assert_ne!(scene.token(), token);
    assert_eq!(scene.broker.count(), calls + 1);
    assert_eq!(scene.fake.count(), 0);
}

#[test]
fn options_about_saving_and_token_requests_are_refused() {
    let changes: [fn(&mut Options); 5] = [
        |it| it.save = Some(true),
        |it| it.storage = Some(Vault::with_text(None)),
        |it| it.profile = Some("mine".to_owned()),
        |it| it.scopes = Some(vec!["planet".to_owned()]),
        |it| it.audience = Some("https://api.planet.com/".to_owned()),
    ];
    for change in changes {
        let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW))).with(change);
        let opened = Session::from_token_provider(Arc::new(Broker::default()), &options);
        assert_eq!(opened.unwrap_err().status(), Status::InvalidArgument);
    }
    let scene = scene_with(|it| it.save = Some(false));
    assert_eq!(scene.token(), "token-1");
}

/// What the plugin of a scheduler hands to its workers.
mod delegation {
    use super::*;
    use serde_json::json;

    #[test]
    fn workers_share_one_token_until_it_ends() {
        let home = Home::new();
        let session = home.m2m();
        assert!(session.delegated_token_cached(None).unwrap().is_none(), "it does not block");
        let first = session.delegated_token(None).unwrap();
        assert_eq!(first.access_token.expose(), "access-1");
        assert_eq!(first.expires_in, Duration::from_secs(3600));
        home.advance(100);
        let again = session.delegated_token_cached(None).unwrap().unwrap();
        assert_eq!(again.expires_in, Duration::from_secs(3500));
        // Many workers report the same token: one request.
        for _ in 0..3 {
            let token = session.delegated_token(Some("access-1")).unwrap();
            assert_eq!(token.access_token.expose(), "access-2");
        }
        assert_eq!(home.fake.count(), 2);
        let error = session.delegated_token(Some("")).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }

    /// A token that is valid here may be too short for a worker, which has margins of its own.
    #[test]
    fn a_token_that_ends_soon_is_replaced() {
        for (after_ms, name, left_ms) in [(35_000, "access-1", 5_000), (35_500, "access-2", 40_000)]
        {
            let home = Home::new();
            home.fake.always(|number| {
                let name = format!("access-{number}");
                Ok(token(&json!({"access_token": name, "expires_in": 40})))
            });
            let session = home.m2m();
            session.delegated_token(None).unwrap();
            home.clock.advance(Duration::from_millis(after_ms));
            let token = session.delegated_token(None).unwrap();
            assert_eq!(token.access_token.expose(), name);
            assert_eq!(token.expires_in, Duration::from_millis(left_ms));
            eventually(|| planetkey::session::settle(Duration::ZERO));
        }
    }

    #[test]
    fn the_policy_names_the_hosts_of_the_tokens_and_no_secret() {
        let home = Home::new();
        let policy = home.m2m().delegation_policy().unwrap();
        let text = policy.to_string();
        assert!(!text.contains(CLIENT_SECRET) && !text.contains(CLIENT_ID), "{text}");
        let served = &policy["deployment"]["resource_servers"][0];
        assert!(served["hosts"].as_array().unwrap().contains(&json!("api.planet.com")), "{text}");
        assert_eq!(
            (&served["api_key"], &policy["allow_insecure_loopback"]),
            (&json!("no"), &json!(false))
        );
        assert_eq!(policy["allowed_hosts"], served["hosts"]);
        let key = Session::from_api_key("K", Default::default(), &home.options()).unwrap();
        for error in [
            key.delegation_policy().unwrap_err(),
            key.delegated_token(None).unwrap_err(),
            key.delegated_token_cached(None).unwrap_err(),
        ] {
            assert_eq!(error.status(), Status::Unsupported, "{error}");
        }
    }
}
