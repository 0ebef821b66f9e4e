//! Single flight: which thread refreshes if many want to. Rule 4 within a process, and faults 91,
//! 92 and 96 to 99.

use crate::common::*;
use planetkey::{Error, Session, Status};
use serde_json::json;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

const THREADS: usize = 32;

/// Lets [`THREADS`] threads ask for the token, and opens the gate when all of them wait.
fn all_at_once(bench: &Bench) -> Vec<Result<String, Error>> {
    bench.fake.close();
    let waiting = Arc::new(AtomicUsize::new(0));
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            // Only a thread that waits calls the interrupt.
            let (asked, waiting) = (AtomicBool::new(false), waiting.clone());
            let interrupt = Arc::new(move || {
                if !asked.swap(true, Ordering::Relaxed) {
                    waiting.fetch_add(1, Ordering::Relaxed);
                }
                false
            });
            let (session, results) = (bench.session.with_interrupt(interrupt), &results);
            scope.spawn(move || {
                let result = session.access_token().map(|token| token.to_string());
                results.lock().unwrap().push(result);
            });
        }
        eventually(|| waiting.load(Ordering::Relaxed) == THREADS);
        bench.fake.open();
    });
    results.into_inner().unwrap()
}

#[test]
fn f091_thirty_two_threads_at_expiry_send_one_request() {
    let bench = bench();
    for wanted in ["token-1", "token-2", "token-3"] {
        let tokens: Vec<String> = all_at_once(&bench).into_iter().map(Result::unwrap).collect();
        assert_eq!(tokens, vec![wanted; THREADS]);
        bench.advance(3600);
    }
    assert_eq!(bench.fake.count(), 3);
}

/// Between the soft deadline and the expiry no thread waits for another. Nevertheless a token that
/// was just refreshed is not refreshed again.
#[test]
fn threads_at_the_soft_deadline_send_one_request() {
    let bench = bench();
    bench.token();
    for round in 2..=300 {
        bench.advance(2701);
        let newer = format!("token-{round}");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| eventually(|| bench.token() == newer));
            }
        });
        // Any other request that has started is counted by the next round at the latest.
        assert_eq!(bench.fake.count(), round);
    }
}

/// A caller with a longer deadline than the session's gets a refresh with that longer deadline.
#[test]
fn a_longer_deadline_is_that_of_the_request() {
    let bench = bench();
    bench.session.with_timeout(std::time::Duration::from_millis(120_000)).access_token().unwrap();
    assert_eq!(bench.fake.seen()[0].timeout, std::time::Duration::from_secs(120));
    bench.advance(3600);
    bench.session.with_timeout(std::time::Duration::from_millis(5_000)).access_token().unwrap();
    assert_eq!(
        bench.fake.seen()[1].timeout,
        std::time::Duration::from_secs(30),
        "a shorter one ends the call, not the refresh"
    );
}

#[test]
fn f092_thirty_two_threads_share_one_failure() {
    let bench = bench();
    bench.fake.answers(busy(503, Some("60")));
    let results = all_at_once(&bench);
    let errors: Vec<Error> = results.into_iter().map(Result::unwrap_err).collect();
    for error in &errors {
        assert_eq!((error.status(), error.message()), (Status::Unavailable, errors[0].message()));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(60_000)));
    }
    assert_eq!(bench.fake.count(), 1);
    // Not before the time that the server named, and then with success.
    bench.advance(59);
    assert_eq!(
        bench.session.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(1000))
    );
    assert_eq!(bench.fake.count(), 1);
    bench.advance(1);
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 2);
}

/// If a server names no time to come back, the wait grows with each failure.
#[test]
fn f092_each_failure_waits_longer_than_the_one_before() {
    let bench = bench();
    bench.fake.always(|_| Ok(answer(200, "text/html", "<html>")));
    let mut waits = Vec::new();
    for attempt in 1..=8 {
        assert_eq!(bench.session.access_token().unwrap_err().status(), Status::Protocol);
        assert_eq!(bench.fake.count(), attempt);
        let wait =
            bench.session.access_token().unwrap_err().retry_after().unwrap().as_millis() as u64;
        assert_eq!(bench.fake.count(), attempt, "nothing is sent before its time");
        waits.push(wait);
        bench.clock.advance(std::time::Duration::from_millis(wait));
    }
    assert!(waits[..5].windows(2).all(|pair| pair[0] < pair[1]), "{waits:?}");
    assert!(waits[0] >= 500 && waits.iter().all(|wait| *wait <= 30_000), "{waits:?}");
}

#[test]
fn f096_a_panic_in_a_refresh_is_internal_for_all_callers_and_the_session_works() {
    let bench = bench();
    bench.fake.then(|| panic!("a bug in the transport, on purpose"));
    for result in all_at_once(&bench) {
        assert_eq!(result.unwrap_err().status(), Status::Internal);
    }
    assert_eq!(bench.fake.count(), 1);
    bench.advance(30);
    assert_eq!(bench.token(), "token-1");
    // The same while a token is valid: no caller gets an error.
    bench.fake.then(|| panic!("again"));
    bench.advance(3000);
    assert_eq!(bench.token(), "token-1");
    bench.fake.wait_requests(3);
    // The call joins the refresh, or gets its recorded failure.
    assert_eq!(bench.session.refresh().unwrap_err().status(), Status::Internal);
    assert_eq!(bench.token(), "token-1");
    bench.advance(600);
    assert_eq!(bench.token(), "token-2");
}

/// Returns a handle whose wait ends when the flag is set.
fn cancellable(session: &Session) -> (Session, Arc<AtomicBool>, Arc<AtomicBool>) {
    let (asked, cancel) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (seen, raised) = (asked.clone(), cancel.clone());
    let interrupt = Arc::new(move || {
        seen.store(true, Ordering::Relaxed);
        raised.load(Ordering::Relaxed)
    });
    (session.with_interrupt(interrupt), asked, cancel)
}

#[test]
fn f097_the_first_caller_times_out_and_the_others_get_the_token() {
    let bench = bench();
    bench.fake.close();
    let (leader, leader_waits, leave) = cancellable(&bench.session);
    let (waiter, waiter_waits, _) = cancellable(&bench.session);
    thread::scope(|scope| {
        let first = scope.spawn(move || leader.access_token().map(drop));
        eventually(|| leader_waits.load(Ordering::Relaxed));
        let second = scope.spawn(move || waiter.access_token().map(|token| token.to_string()));
        eventually(|| waiter_waits.load(Ordering::Relaxed));
        leave.store(true, Ordering::Relaxed);
        let error = first.join().unwrap().unwrap_err();
        assert_eq!((error.status(), error.retryable()), (Status::Cancelled, false));
        bench.fake.open();
        assert_eq!(second.join().unwrap().unwrap(), "token-1");
    });
    assert_eq!(bench.fake.count(), 1);
    assert_eq!(bench.token(), "token-1");
}

#[test]
fn f098_a_caller_with_a_shorter_deadline_times_out_and_the_refresh_continues() {
    let bench = bench();
    bench.fake.close();
    thread::scope(|scope| {
        let patient = scope.spawn(|| bench.token());
        bench.fake.wait_held(1);
        let hasty = bench.session.with_timeout(std::time::Duration::from_millis(20));
        for result in
            [hasty.access_token().map(drop), hasty.headers(SENTINEL_HUB).map(drop), hasty.refresh()]
        {
            let error = result.unwrap_err();
            assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
            let message = error.message();
            assert!(message.starts_with("the authorization server "), "{message}");
            assert!(message.contains(" issued no access token within the deadline"), "{message}");
        }
        bench.fake.open();
        assert_eq!(patient.join().unwrap(), "token-1");
    });
    assert_eq!(bench.fake.count(), 1);
    // The short deadline applies to that handle alone, and a cached token needs no time.
    assert_eq!(
        &*bench.session.with_timeout(std::time::Duration::from_millis(1)).access_token().unwrap(),
        "token-1"
    );
}

/// A callback during a wait may use the session: the interrupt here, a logger by the same rule.
#[test]
fn f099_a_callback_may_call_the_session() {
    let bench = bench();
    bench.fake.close();
    let inner = bench.session.clone();
    let fake = bench.fake.clone();
    let session = bench.session.with_interrupt(Arc::new(move || {
        assert!(inner.access_token_cached().unwrap().is_none());
        assert!(!inner.invalidate("other").unwrap());
        assert!(inner.status().is_initialized());
        fake.open();
        false
    }));
    assert_eq!(&*session.access_token().unwrap(), "token-1");
}

#[test]
fn the_interrupt_callback_is_called_only_while_waiting() {
    let bench = bench();
    bench.token();
    let session = bench.session.with_interrupt(Arc::new(|| panic!("no call waits here")));
    assert_eq!(&*session.access_token().unwrap(), "token-1");
    session.headers(SENTINEL_HUB).unwrap();
    session.authorize(PLANET).unwrap();
    session.signed_url(PLANET).unwrap_err();
}

#[test]
fn the_request_of_a_cancelled_call_serves_the_next_call() {
    let bench = bench();
    bench.fake.close();
    let session = bench.session.with_interrupt(Arc::new(|| true));
    assert_eq!(session.access_token().unwrap_err().status(), Status::Cancelled);
    bench.fake.wait_held(1);
    bench.fake.open();
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 1);
}

#[test]
fn concurrent_refreshes_share_one_request() {
    let bench = bench();
    bench.token();
    bench.fake.close();
    let waiting = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            let (session, asked, _) = cancellable(&bench.session);
            let waiting = &waiting;
            scope.spawn(move || session.refresh().unwrap());
            scope.spawn(move || {
                eventually(|| asked.load(Ordering::Relaxed));
                waiting.fetch_add(1, Ordering::Relaxed);
            });
        }
        eventually(|| waiting.load(Ordering::Relaxed) == THREADS);
        bench.fake.open();
    });
    assert_eq!(bench.token(), "token-2");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn clones_share_a_refresh_and_separate_sessions_do_not() {
    let bench = bench();
    let copy = bench.session.clone();
    assert_eq!(bench.token(), "token-1");
    assert_eq!(&*copy.access_token().unwrap(), "token-1");
    assert_eq!(&*m2m(&options(&bench.fake, &bench.clock)).access_token().unwrap(), "token-2");
    assert_eq!(copy.access_token().unwrap().generation(), 1);
    // A token that a caller holds does not change.
    let held = bench.session.access_token().unwrap();
    bench.fake.answers(token(&json!({"access_token": "newer", "expires_in": 60})));
    copy.refresh().unwrap();
    assert_eq!((&*held, held.generation()), ("token-1", 1));
    assert_eq!(
        (bench.token().as_str(), bench.session.access_token().unwrap().generation()),
        ("newer", 2)
    );
}

#[test]
fn threads_that_start_together_with_a_valid_token_make_no_request() {
    let mut spurious = 0;
    for _ in 0..200 {
        let home = Home::new();
        home.seed(&json!({}));
        let session = home.user();
        let barrier = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    ask(&session);
                });
            }
        });
        eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
        spurious += usize::from(home.fake.count() > 0);
    }
    assert_eq!(spurious, 0, "of 200 rounds");
}
