//! When a token is refreshed: rules 1, 2, 3, 7, 8 and 10 of the design's section 7, for sessions in
//! memory.

use crate::common::*;
use planetkey::Status;
use planetkey::clock::ManualClock;
use planetkey::http::TransportFailure;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[test]
fn no_token_is_requested_before_it_is_needed() {
    let bench = bench();
    assert!(bench.session.access_token_cached().unwrap().is_none());
    assert!(bench.session.headers_cached(SENTINEL_HUB).unwrap().is_none());
    assert!(bench.session.authorize_cached(SENTINEL_HUB).unwrap().is_none());
    let status = bench.session.status();
    assert!(
        status.is_initialized()
            && !status.sources()[0].token_cached
            && status.expires_at().is_none()
    );
    assert_eq!(bench.fake.count(), 0);
    bench.token();
    assert_eq!(
        bench.session.headers_cached(SENTINEL_HUB).unwrap().unwrap().header_value(),
        Some("Bearer token-1")
    );
    let status = bench.session.status();
    assert!(status.sources()[0].token_cached);
    assert_eq!(status.expires_at(), Some(i64::try_from(NOW + 3600).unwrap()));
    assert_eq!(bench.fake.count(), 1);
}

/// Three quarters of the lifetime, changed by the jitter, and never before half of it.
#[test]
fn a_token_past_its_soft_deadline_is_refreshed_in_the_background() {
    for (random, soft) in [(0x00, 3060), (0x80, 2699), (0xff, 2340)] {
        let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
        let mut options = options(&fake, &clock);
        options.runtime.random = Arc::new(Fixed(random));
        let bench = Bench { session: m2m(&options), fake, clock };
        bench.token();
        bench.advance(soft - 1);
        for _ in 0..20 {
            assert_eq!(bench.token(), "token-1");
        }
        assert_eq!(bench.fake.count(), 1, "too early by {random}");
        bench.fake.close();
        bench.advance(1);
        for _ in 0..20 {
            assert_eq!(bench.token(), "token-1", "a caller with a valid token does not wait");
        }
        bench.fake.wait_held(1);
        bench.fake.open();
        bench.wait_token("token-2");
        assert_eq!(bench.fake.count(), 2);
    }
}

#[test]
fn the_hard_deadline_is_before_the_expiry() {
    for (life, last, first) in [(3600u64, 3_594_999, 3_595_000), (20, 17_999, 18_000)] {
        let bench = bench();
        bench.fake.always(move |number| match number {
            1 => Ok(token(&json!({"access_token": "first", "expires_in": life}))),
            _ => Err(TransportFailure::NotSent("offline".into())),
        });
        bench.token();
        bench.clock.advance(Duration::from_millis(last));
        assert_eq!(bench.token(), "first");
        bench.clock.advance(Duration::from_millis(first - last));
        assert!(bench.session.access_token_cached().unwrap().is_none());
        // An expired token is never sent, and an error is never swallowed.
        assert_eq!(bench.session.headers(SENTINEL_HUB).unwrap_err().status(), Status::Unavailable);
        assert!(bench.session.authorize_cached(SENTINEL_HUB).unwrap().is_none());
    }
}

#[test]
fn a_failed_background_refresh_is_no_error_of_a_caller() {
    let logs = logs();
    let bench = bench();
    bench.token();
    bench.fake.always(|_| Ok(json_answer(400, &json!({"error": "invalid_scope_of_this_test"}))));
    bench.advance(3000);
    for _ in 0..20 {
        assert_eq!(bench.token(), "token-1");
    }
    bench.fake.wait_requests(2);
    eventually(|| !logs.with(log::Level::Warn, "invalid_scope_of_this_test").is_empty());
    for _ in 0..20 {
        assert_eq!(bench.token(), "token-1");
        bench.advance(20);
    }
    assert_eq!(bench.fake.count(), 2);
}

/// With a valid token one attempt is made. Without one, requests that do no harm are repeated
/// within the deadline.
#[test]
fn only_a_refresh_with_a_waiting_caller_is_retried() {
    let bench = bench();
    bench.fake.answers(busy(503, None));
    bench.token();
    assert_eq!(bench.fake.count(), 2);
    bench.advance(3000);
    bench.fake.answers(busy(503, None));
    bench.token();
    bench.fake.wait_requests(3);
    // The call joins the refresh, or gets its recorded failure.
    assert_eq!(bench.session.refresh().unwrap_err().http_status(), Some(503));
    assert_eq!(bench.fake.count(), 3);
}

#[test]
fn a_retry_stays_within_the_deadline() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let options = options(&fake, &clock).with(|it| it.timeout = Some(Duration::from_millis(1000)));
    let session = m2m(&options);
    let slow = clock.clone();
    fake.then(move || {
        slow.advance(Duration::from_millis(900));
        Err(TransportFailure::NotSent("slow to fail".into()))
    });
    assert_eq!(session.access_token().unwrap_err().status(), Status::Unavailable);
    assert_eq!(fake.count(), 1, "no time was left for another attempt");
    assert_eq!(fake.seen()[0].timeout, Duration::from_secs(1));
}

#[test]
fn every_timeout_is_checked() {
    let fake = Fake::new();
    for (timeout_ms, good) in
        [(0, false), (1, true), (86_400_000, true), (86_400_001, false), (u64::MAX, false)]
    {
        let options = options(&fake, &Arc::new(ManualClock::new(NOW)))
            .with(|it| it.timeout = Some(Duration::from_millis(timeout_ms)));
        let opened = planetkey::Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options);
        assert_eq!(
            opened.map(drop).map_err(|error| error.status()),
            if good { Ok(()) } else { Err(Status::InvalidArgument) }
        );
        let opened =
            planetkey::Session::from_api_key("KEY", planetkey::ApiKeyTransport::Basic, &options);
        assert_eq!(opened.is_ok(), good);
    }
}

#[test]
fn invalidate_refreshes_once_for_all_callers_with_the_401() {
    let bench = bench();
    bench.token();
    let true_answers = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                if bench.session.invalidate("token-1").unwrap() {
                    true_answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(true_answers.load(Ordering::Relaxed), 1);
    assert!(
        bench.session.access_token_cached().unwrap().is_none(),
        "a rejected token is not handed out"
    );
    assert!(!bench.session.status().sources()[0].token_cached);
    assert_eq!(bench.token(), "token-2");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn a_rejected_token_stays_out_of_use_if_the_refresh_fails() {
    let bench = bench();
    bench.token();
    assert!(bench.session.invalidate("token-1").unwrap());
    bench.fake.answers(busy(503, Some("60")));
    for _ in 0..20 {
        assert_eq!(bench.session.access_token().unwrap_err().status(), Status::Unavailable);
    }
    assert_eq!(bench.fake.count(), 2);
    bench.advance(60);
    assert_eq!(bench.token(), "token-2");
}

/// An explicit refresh retries after a permanent failure, because the user may have fixed the
/// cause. It does not override a wait that the server asked for.
#[test]
fn refresh_ignores_a_permanent_failure_and_respects_retry_after() {
    let bench = bench();
    bench.fake.answers(oauth_error(401, "invalid_client"));
    bench.session.access_token().unwrap_err();
    bench.session.access_token().unwrap_err();
    assert_eq!(bench.fake.count(), 1);
    bench.session.refresh().unwrap();
    assert_eq!((bench.token().as_str(), bench.fake.count()), ("token-1", 2));
    bench.fake.answers(busy(429, Some("60")));
    bench.session.refresh().unwrap_err();
    assert_eq!(
        bench.session.refresh().unwrap_err().retry_after(),
        Some(Duration::from_millis(60_000))
    );
    assert_eq!(bench.fake.count(), 3);
    assert_eq!(bench.token(), "token-1", "the cached token stays valid");
}

/// Rule 10. In a process of its own, because other tests own threads.
#[cfg(target_os = "linux")]
#[test]
fn an_idle_session_owns_no_thread() {
    const CHILD: &str = "PLANETKEY_TEST_IDLE_CHILD";
    if std::env::var_os(CHILD).is_none() {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "session::refresh::an_idle_session_owns_no_thread"])
            .env(CHILD, "1")
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        return;
    }
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names = tasks
            .filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")).ok());
        names
            .filter(|name| {
                name.starts_with("planetkey") || name.contains("reqwest") || name.contains("tokio")
            })
            .count()
    };
    let simulator = simulator();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    assert_eq!(threads(), 0);
    simulator.script("m2m.token", &json!([{"hold": "gate"}])).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| session.access_token().unwrap().len());
        assert!(simulator.wait_held("gate", 1, PATIENCE));
        assert!(threads() > 0, "this test can see them");
        simulator.release("gate");
    });
    eventually(|| threads() == 0);
    session.access_token().unwrap();
    assert_eq!(threads(), 0);
    // A body that arrives slowly for two minutes keeps no thread alive beyond the deadline.
    simulator.script("m2m.token", &json!([{"fault": "drip"}])).unwrap();
    let hasty =
        simulator_options(&simulator).with(|it| it.timeout = Some(Duration::from_millis(300)));
    assert_eq!(
        simulator_session(&simulator, &hasty).access_token().unwrap_err().status(),
        Status::Timeout
    );
    eventually(|| threads() == 0);
}

#[test]
fn a_request_with_a_refresh_token_has_the_full_timeout() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let session = user(&home.options().with(|it| it.timeout = Some(Duration::from_millis(2000))));
    ask(&session);
    assert!(
        home.fake.seen()[0].timeout >= Duration::from_secs(12),
        "{:?}",
        home.fake.seen()[0].timeout
    );
}
