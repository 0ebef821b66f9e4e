//! Eight processes and a server or an API that fails, with a clock that needs no real time (issue
//! 10, 6 and 8).

use crate::common::*;
use planetkey::clock::{Clock, ManualClock};
use planetkey::http::TransportFailure;
use planetkey::{Options, Session, Status};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

const PROCESSES: usize = 8;
const MINUTE: Duration = Duration::from_secs(60);

/// Opens sessions that share nothing but the files, each with other random numbers.
fn processes(home: &Home, open: fn(&Options) -> Session) -> Vec<Session> {
    let numbers = [0x00, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0, 0xff];
    assert_eq!(numbers.len(), PROCESSES);
    let with = |random: u8| {
        let mut options = home.options();
        options.runtime.random = Arc::new(Fixed(random));
        open(&options)
    };
    numbers.into_iter().map(with).collect()
}

/// Each process works every 50 ms for four minutes. Returns the requests of each minute.
fn requests_by_minute(home: &Home, processes: &[Session], work: impl Fn(&Session)) -> Vec<usize> {
    let started = home.clock.now().monotonic;
    let elapsed = || home.clock.now().monotonic - started;
    let mut minutes = Vec::new();
    let mut before = home.fake.count();
    for minute in 1..=4 {
        while elapsed() < minute * MINUTE {
            for session in processes {
                work(session);
            }
            home.clock.advance(Duration::from_millis(50));
        }
        minutes.push(home.fake.count() - before);
        before = home.fake.count();
    }
    minutes
}

fn assert_few(minutes: &[usize], what: &str) {
    assert!(minutes[0] <= 12 && minutes[0] > 1, "{what}: {minutes:?}");
    assert!(minutes[1..].iter().all(|requests| (1..=4).contains(requests)), "{what}: {minutes:?}");
}

fn failing(case: &str) -> Outcome {
    match case {
        "503" => Ok(busy(503, None)),
        "500" => Ok(busy(500, None)),
        "429" => Ok(busy(429, None)),
        "page" => Ok(answer(200, "text/html", "<html>")),
        "temporarily_unavailable" => Ok(oauth_error(400, "temporarily_unavailable")),
        "reset" => Err(TransportFailure::Ambiguous("connection reset".into())),
        "stalled" => Err(TransportFailure::TimedOut(true)),
        _ => panic!("{case}"),
    }
}

#[test]
fn i10_08_eight_processes_send_at_most_twelve_and_later_four_requests_a_minute() {
    for case in ["503", "500", "429", "page", "temporarily_unavailable", "reset", "stalled"] {
        for (who, open) in [("m2m", m2m as fn(&Options) -> Session), ("user", user)] {
            let home = Home::new();
            home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
            home.fake.always(move |_| failing(case));
            let all = processes(&home, open);
            let minutes = requests_by_minute(&home, &all, |session| {
                session.access_token().unwrap_err();
            });
            assert_few(&minutes, &format!("{case}, {who}"));
            // The server recovers: the next attempt follows within half a minute, and serves all
            // processes.
            home.fake.always(|number| Ok(token(&rotated(number + 1000))));
            home.advance(30);
            let before = home.fake.count();
            for session in &all {
                assert!(ask(session).starts_with("access-"), "{case}, {who}");
            }
            assert_eq!(home.fake.count(), before + 1, "{case}, {who}");
        }
    }
}

/// Short-lived processes, too, learn of the failures of the others.
#[test]
fn i10_08_the_waits_grow_across_processes() {
    let home = Home::new();
    home.fake.always(|_| Ok(busy(503, None)));
    let mut waits = Vec::new();
    for _ in 0..8 {
        home.m2m().access_token().unwrap_err();
        let wait = home.m2m().access_token().unwrap_err().retry_after().unwrap().as_millis() as u64;
        waits.push(wait);
        home.clock.advance(Duration::from_millis(wait));
    }
    assert!(waits[..5].windows(2).all(|pair| pair[0] < pair[1]) && waits[7] >= 15_000, "{waits:?}");
    // A successful refresh resets the count.
    home.fake.always(|number| Ok(token(&rotated(number))));
    assert!(ask(&home.m2m()).starts_with("access-"));
    home.advance(7200);
    home.fake.always(|_| Ok(busy(503, None)));
    home.m2m().access_token().unwrap_err();
    let wait = home.m2m().access_token().unwrap_err().retry_after().unwrap().as_millis() as u64;
    assert!(wait <= 1_000, "{wait}");
    // So does time: a failure of an hour ago does not count now.
    for _ in 0..6 {
        home.advance(31);
        home.m2m().access_token().unwrap_err();
    }
    home.advance(3600);
    home.m2m().access_token().unwrap_err();
    let wait = home.m2m().access_token().unwrap_err().retry_after().unwrap().as_millis() as u64;
    assert!(wait <= 1_000, "{wait}");
}

#[test]
fn i10_08_an_api_that_refuses_every_token_causes_few_refreshes() {
    for (who, open) in [("m2m", m2m as fn(&Options) -> Session), ("user", user)] {
        let home = Home::new();
        home.seed(&json!({}));
        let all = processes(&home, open);
        let minutes = requests_by_minute(&home, &all, |session| {
            let token = session.access_token().unwrap();
            repeats(session, &token, 401, None);
            // The request is repeated, and refused again.
            let token = session.access_token().unwrap();
            repeats(session, &token, 401, None);
        });
        assert_few(&minutes, who);
    }
}

/// A token that an API refuses is replaced at once if the API accepts the next token, however often
/// that has happened before.
#[test]
fn i10_08_a_token_that_an_api_rejected_is_replaced_at_once() {
    let home = Home::new();
    let session = home.m2m();
    for number in 0..6 {
        let refused = session.access_token().unwrap();
        assert!(repeats(&session, &refused, 401, None), "{number}");
        // The next token lives its whole lifetime, and is refreshed because it expires.
        let taken = session.access_token().unwrap();
        assert_ne!(*refused, *taken);
        assert_eq!(home.fake.count(), 2 * number + 2);
        home.advance(3600);
    }
}

/// A client that waits twice as long for a response is not blocked by the failure of a client with
/// a shorter deadline.
#[test]
fn i10_08_a_short_deadline_of_one_process_does_not_delay_another() {
    let home = Home::new();
    let hasty = m2m(&home.options().with(|it| it.timeout = Some(Duration::from_millis(200))));
    home.fake.always(|_| Err(TransportFailure::TimedOut(true)));
    assert_eq!(hasty.access_token().unwrap_err().status(), Status::Timeout);
    let second = m2m(&home.options().with(|it| it.timeout = Some(Duration::from_millis(300))));
    let requests = home.fake.count();
    assert_eq!(second.access_token().unwrap_err().status(), Status::Timeout);
    assert_eq!(home.fake.count(), requests, "it has hardly more patience");
    home.fake.always(|_| Ok(token(&json!({"access_token": "access-late", "expires_in": 3600}))));
    assert_eq!(ask(&home.m2m()), "access-late");
}

#[test]
fn i10_06_a_failed_background_refresh_does_not_fail_a_caller() {
    for case in ["503", "page", "reset", "stalled"] {
        let bench = bench();
        bench.token();
        bench.clock.advance(Duration::from_millis(3_594_900));
        bench.fake.then(move || failing(case));
        bench.token();
        bench.fake.wait_requests(2);
        eventually(|| bench.session.refresh().is_err());
        assert_eq!(bench.fake.count(), 2, "{case}");
        // The failure is less than half a second old when the token expires.
        bench.clock.advance(Duration::from_millis(200));
        assert_eq!(bench.token(), "token-2", "{case}");
        assert_eq!(bench.fake.count(), 3, "{case}");
    }
}

#[test]
fn i10_06_a_failed_refresh_with_less_time_does_not_fail_a_caller() {
    let bench = bench();
    bench.token();
    bench.advance(3000);
    bench.fake.close();
    bench.fake.fails(TransportFailure::TimedOut(true));
    bench.token();
    bench.fake.wait_held(1);
    // The token expires during that refresh, and the callers join it.
    bench.advance(600);
    std::thread::scope(|scope| {
        let callers: Vec<_> =
            (0..8).map(|_| scope.spawn(|| bench.session.access_token())).collect();
        // Callers that have not joined before it ends do not change the result.
        bench.fake.open();
        for caller in callers {
            assert_eq!(&*caller.join().unwrap().unwrap(), "token-2");
        }
    });
    assert_eq!(bench.fake.count(), 3, "one attempt for all of them");
}

/// SIGSTOP, or a serverless function that is frozen between two invocations: when the process
/// continues, the deadline of its request has long passed.
#[test]
fn i10_06_a_process_that_was_stopped_gets_a_token_when_it_continues() {
    for in_background in [true, false] {
        let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
        let session = m2m(&options(&fake, &clock));
        if in_background {
            session.access_token().unwrap();
            clock.advance(Duration::from_secs(3000));
        }
        let stopped = clock.clone();
        let requests = fake.count();
        fake.then(move || {
            stopped.advance(Duration::from_secs(3600));
            Err(TransportFailure::TimedOut(true))
        });
        if in_background {
            let _ = session.access_token();
        } else {
            // The caller was stopped as well, and its deadline has passed.
            assert_eq!(session.access_token().unwrap_err().status(), Status::Timeout);
        }
        eventually(|| clock.now().unix_ms >= (NOW + 3600) * 1000);
        eventually(|| session.access_token().is_ok());
        assert_eq!(fake.count(), requests + 2, "{in_background}");
        let token = session.access_token().unwrap();
        assert!(token.starts_with("token-"), "{}", &*token);
    }
}

/// A wait that the server asked for applies to all callers, whichever request received it.
#[test]
fn i10_06_retry_after_of_a_background_refresh_applies_to_callers() {
    let bench = bench();
    bench.token();
    bench.advance(3500);
    bench.fake.answers(busy(429, Some("600")));
    bench.token();
    bench.fake.wait_requests(2);
    eventually(|| bench.session.refresh().is_err());
    bench.advance(100);
    assert_eq!(
        bench.session.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(500_000))
    );
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn an_api_that_refuses_every_token_causes_few_requests_of_four_processes() {
    let home = Home::new();
    home.seed(&json!({}));
    let sessions: Vec<_> = (0..4).map(|_| home.user()).collect();
    for _ in 0..100 {
        for session in &sessions {
            if let Ok(token) = session.access_token() {
                session.invalidate(&token).unwrap();
            }
        }
        home.clock.advance(Duration::from_millis(10));
    }
    assert!(home.fake.count() <= 3, "{} requests in one second", home.fake.count());
}
