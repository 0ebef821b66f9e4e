//! Common parts of the fuzz targets: checks of errors, isolated sessions, secrets to look for.

pub mod keys;

use planetkey::clock::{ManualClock, Random};
use planetkey::http::{Body, HttpTransport, Request, Response, TransportFailure};
use planetkey::profile::FixedEnvironment;
use planetkey::{ApiKeyTransport, Error, Options, Reason, Runtime, Session, Status};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A marker for secrets. An input that contains it is skipped, because it proves nothing.
pub const CANARY: &str = "CanaryThatMustBeHidden";

/// The time of every target's clock.
pub const NOW: u64 = 1_800_000_000;

/// The input as text, for parsers of text.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok().filter(|text| !text.contains(CANARY))
}

/// The first line and everything after it.
pub fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Checks an error: one printable line of limited length, a failure status that is not a bug,
/// matching details.
pub fn check_error(error: &Error) {
    assert_ne!(error.status(), Status::Internal, "{error}");
    assert!(!error.message().is_empty());
    check_line(error.message(), 1000);
    assert_eq!(error.to_string(), format!("{}: {}", error.status().name(), error.message()));
    if let Some(reason) = error.reason() {
        assert_eq!(reason.status(), error.status(), "{reason}");
    }
    error.oauth_error().inspect(|text| check_line(text, 100));
    error.oauth_error_description().inspect(|text| check_line(text, 400));
    error.profile().inspect(|text| check_line(text, 200));
    assert!(
        error.retry_after().is_none_or(|wait| wait.as_secs() <= 366 * 24 * 3600),
        "{:?}",
        error.retry_after()
    );
}

/// Checks that the text is one line of at most `limit` characters and an ellipsis, without terminal
/// control characters.
pub fn check_line(line: &str, limit: usize) {
    let characters = line.chars().count();
    assert!(
        characters <= limit + usize::from(line.ends_with('…')),
        "{characters} characters: {line}"
    );
    let obeyed = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
    };
    assert!(!line.contains(obeyed), "{line:?}");
}

/// All texts of an error in one.
pub fn shown(error: &Error) -> String {
    let details = [
        error.reason().map(Reason::name),
        error.oauth_error(),
        error.oauth_error_description(),
        error.profile(),
    ];
    format!("{error} {error:?} {details:?}")
}

/// Checks an error, and that it contains no secret.
pub fn check_secretive(error: &Error) {
    check_error(error);
    check_hidden(&shown(error));
}

/// Checks that a visible text does not contain the canary.
pub fn check_hidden(shown: &str) {
    assert!(!shown.contains(CANARY), "a secret is visible: {shown}");
}

/// The same document with the canary as every text under one of the names. `None` if there is no
/// such text, or if the input contains the canary.
pub fn with_canary(document: &Map<String, Value>, names: &[&str]) -> Option<Map<String, Value>> {
    let mut changed = document.clone();
    let mut planted = false;
    for (_, value) in changed
        .iter_mut()
        .filter(|(name, value)| names.contains(&name.as_str()) && value.is_string())
    {
        *value = Value::from(CANARY);
        planted = true;
    }
    // Parsing resolves escapes, so this finds a canary in any spelling.
    (planted && !Value::from(document.clone()).to_string().contains(CANARY)).then_some(changed)
}

/// Random numbers in the middle of their range.
pub struct Half;

impl Random for Half {
    fn fill(&self, buffer: &mut [u8]) -> std::io::Result<()> {
        buffer.fill(0x80);
        Ok(())
    }
}

/// An authorization server that sends the same response to every request, and records the requests.
pub struct Fixed {
    answer: Response,
    seen: Mutex<Vec<Request>>,
}

impl Fixed {
    /// Sends this response to every request.
    pub fn new(answer: Response) -> Arc<Self> {
        Arc::new(Fixed { answer, seen: Mutex::default() })
    }

    /// A token with a lifetime of one hour.
    pub fn token() -> Arc<Self> {
        Fixed::new(answer(
            200,
            br#"{"access_token":"current","token_type":"Bearer","expires_in":3600}"#,
        ))
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl HttpTransport for Fixed {
    fn exchange(&self, request: &Request, _: Duration) -> Result<Response, TransportFailure> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        Ok(self.answer.clone())
    }
}

/// A JSON response.
pub fn answer(status: u16, body: &[u8]) -> Response {
    Response {
        status,
        media_type: Some("application/json".to_owned()),
        retry_after: None,
        date: None,
        location_host: None,
        undecoded: None,
        body: Body(body.to_vec()),
    }
}

/// A directory of this process. `tests/fuzz/run` creates it in memory and removes it.
pub fn directory() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("planetkey-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a temporary directory");
    directory
}

/// Options without network, files, environment and real time.
pub fn options(transport: Arc<dyn HttpTransport>) -> Options {
    Options::default().with(|it| {
        it.runtime = Runtime {
            clock: Arc::new(ManualClock::new(NOW)),
            random: Arc::new(Half),
            environment: Arc::new(FixedEnvironment::default()),
            transport: Some(transport),
            ..Runtime::default()
        }
    })
}

/// A session whose API key is the canary.
pub fn key_session(transport: ApiKeyTransport) -> Session {
    Session::from_api_key(CANARY, transport, &options(Fixed::token()))
        .expect("the canary is an API key")
}

/// A session of an M2M client of Planet with the token `current`.
pub fn m2m_session() -> Session {
    let session = Session::from_m2m("client", CANARY, &options(Fixed::token())).expect("a client");
    session.refresh().expect("a token");
    session
}

/// Checks that no parameter is duplicate or empty (RFC 6749 3.2). Returns the parameters.
pub fn check_form(request: &Request) -> Vec<(String, String)> {
    let encoded = request.form.encode();
    let fields: Vec<(String, String)> =
        url::form_urlencoded::parse(encoded.expose().as_bytes()).into_owned().collect();
    let mut names = HashSet::new();
    for (name, value) in &fields {
        assert!(names.insert(name), "{name} is sent twice");
        assert!(!value.is_empty(), "{name} is sent empty");
    }
    fields
}
