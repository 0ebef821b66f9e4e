//! Fault 99 with a logger: a logger that calls the session back during a refresh neither waits for
//! itself nor blocks other callers. This test has its own process, because a process has one
//! logger.

use crate::common::*;
use planetkey::{Session, Status};
use std::sync::{Mutex, OnceLock};

static SESSION: OnceLock<Session> = OnceLock::new();
static ANSWERS: Mutex<Vec<(String, Option<Status>)>> = Mutex::new(Vec::new());

/// Plays a logger that sends every record over HTTP and needs a header for that.
struct Shipping;

impl log::Log for Shipping {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let status = SESSION.get().unwrap().headers(PLANET).err().map(|error| error.status());
        ANSWERS.lock().unwrap().push((record.args().to_string(), status));
    }

    fn flush(&self) {}
}

#[test]
fn f099_a_logger_may_call_the_session() {
    if !in_own_process(module_path!(), "f099_a_logger_may_call_the_session") {
        return;
    }
    log::set_logger(&Shipping).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let (fake, clock) = (Fake::new(), std::sync::Arc::new(planetkey::clock::ManualClock::new(NOW)));
    let options =
        options(&fake, &clock).with(|it| it.scopes = Some(vec!["read".into(), "write".into()]));
    SESSION.set(Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).unwrap()).unwrap();
    let session = SESSION.get().unwrap();
    // A warning during the refresh: the session cannot serve its logger yet, and returns an error
    // at once.
    fake.answers(token(
        &serde_json::json!({"access_token": "narrow", "scope": "read", "expires_in": 3600}),
    ));
    assert_eq!(&*session.access_token().unwrap(), "narrow");
    // A failure: the callers that wait get the real error.
    clock.advance(std::time::Duration::from_secs(7200));
    fake.answers(oauth_error(400, "invalid_scope"));
    assert_eq!(session.access_token().unwrap_err().oauth_error(), Some("invalid_scope"));
    eventually(|| ANSWERS.lock().unwrap().len() >= 2);
    let answers = ANSWERS.lock().unwrap().clone();
    assert_eq!(answers[0].1, Some(Status::Unavailable), "{answers:?}");
    assert!(
        answers[1].0.contains("could not be refreshed") && answers[1].1 != Some(Status::Timeout),
        "{answers:?}"
    );
}
