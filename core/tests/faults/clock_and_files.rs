//! Clocks that are wrong or jump, and sessions that are loaded from disk: faults 56 to 65.

use crate::common::*;
use planetkey::clock::{Clock, ManualClock};
use planetkey::profile::HOME_VARIABLE;
use planetkey::{Reason, Session, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const PLAYER: &str = "faults::clock_and_files::child_process";

/// Returns what Planet's SDK wrote `age` seconds ago on a computer with the right time: the token's
/// own claims and their copies.
fn by_the_sdk(age: u64) -> Value {
    let (iat, exp) = (NOW - age, NOW - age + 3600);
    seeded(
        &json!({"access_token": jwt(&json!({"iat": iat, "exp": exp})), "_iat": iat, "_exp": exp}),
    )
}

/// Opens a session on a computer whose clock shows this time when it is really `NOW`.
fn session_with_clock(home: &Home, unix_seconds: u64) -> (Session, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(unix_seconds));
    (user(&home.options_with(&home.fake, &clock)), clock)
}

fn left(session: &Session, clock: &ManualClock) -> i64 {
    let expires_at = session.access_token().unwrap().expires_at().unwrap();
    expires_at - i64::try_from(clock.now().unix_ms / 1000).unwrap()
}

#[test]
fn f056_with_a_clock_an_hour_behind_a_saved_token_is_used_for_one_lifetime_at_most() {
    let home = Home::new();
    home.write(&home.token_file(), &by_the_sdk(600));
    let (session, clock) = session_with_clock(&home, NOW - 3600);
    assert_eq!(left(&session, &clock), 3600, "not two hours");
    clock.advance(Duration::from_secs(3594));
    session.access_token().unwrap();
    clock.advance(Duration::from_secs(1));
    home.fake.wait_requests(1);
    eventually(|| ask(&session) == "access-1");
    // If an API refuses the token earlier, that costs one refresh.
    let (session, _) = session_with_clock(&home, NOW - 3600);
    let token = session.access_token().unwrap().to_string();
    assert!(session.invalidate(&token).unwrap());
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("access-2", 2));
}

#[test]
fn f057_a_clock_an_hour_ahead_costs_one_request() {
    let home = Home::new();
    home.write(&home.token_file(), &by_the_sdk(60));
    // The server's own clock is right, and so are the claims of its tokens.
    home.fake.always(|number| {
        let members = json!({"access_token": jwt(&json!({"iat": NOW, "exp": NOW + 3600, "jti": number})), "expires_in": 3600});
        Ok(token(&members))
    });
    let (session, clock) = session_with_clock(&home, NOW + 3600);
    for _ in 0..20 {
        session.access_token().unwrap();
        // Other processes on this computer make no request, also a minute later.
        user(&home.options_with(&home.fake, &clock)).access_token().unwrap();
        clock.advance(Duration::from_secs(60));
    }
    assert_eq!(home.fake.count(), 1);
}

#[test]
fn f058_a_jump_forward_by_a_day_costs_all_processes_one_request() {
    let home = Home::new();
    home.seed(&json!({}));
    let sessions = [home.user(), home.user()];
    assert!(sessions.iter().all(|session| ask(session) == SEEDED));
    home.clock.set_unix(NOW + 86_400);
    for _ in 0..20 {
        for session in [&sessions[0], &sessions[1], &home.user()] {
            assert_eq!(ask(session), "access-1");
        }
    }
    assert_eq!(home.fake.count(), 1);
}

#[test]
fn f059_a_jump_back_by_a_day_does_not_prolong_a_saved_token() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    session.refresh().unwrap();
    home.clock.set_unix(NOW - 86_400);
    // The process that has held the token since then knows its age. A process that reads it now
    // knows only its lifetime.
    assert_eq!((ask(&session).as_str(), ask(&home.user()).as_str()), ("access-1", "access-1"));
    assert_eq!(left(&home.user(), &home.clock), 3600);
    home.advance(3595);
    assert_eq!(ask(&session), "access-2");
    assert_eq!(home.fake.count(), 2);
}

/// A wrong clock may have written the saved time before which no process sends a request.
#[test]
fn f059_a_saved_wait_of_a_wrong_clock_is_limited() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let (ahead, _) = session_with_clock(&home, NOW + 86_400);
    home.fake.answers(busy(503, Some("60")));
    assert_eq!(
        ahead.access_token().unwrap_err().retry_after(),
        Some(Duration::from_millis(60_000))
    );
    assert_eq!(ask(&home.user()), "access-1", "not a day later");
    assert_eq!(home.fake.count(), 2);
}

#[test]
fn f060_time_asleep_counts_for_a_saved_token() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    home.clock.suspend(Duration::from_secs(8 * 3600));
    assert!(session.access_token_cached().unwrap().is_none());
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("access-1", 1));
}

/// Two computers share one home directory. The clock of one is an hour ahead.
#[test]
fn f061_a_file_from_the_future_is_used_for_one_lifetime() {
    let home = Home::new();
    home.seed(&json!({}));
    let (ahead, ahead_clock) = session_with_clock(&home, NOW + 3600);
    assert_eq!(ask(&ahead), "access-1", "by its clock the saved token has expired");
    let here = home.user();
    assert_eq!((ask(&here).as_str(), left(&here, &home.clock)), ("access-1", 3600));
    home.advance(3594);
    assert_eq!(ask(&here), "access-1");
    home.advance(1);
    eventually(|| ask(&here) == "access-2");
    // Both computers ask for a day without pause. In the worst case each refreshes for itself.
    for minute in 0..24 * 60 {
        home.advance(60);
        ahead_clock.advance(Duration::from_secs(60));
        for session in [&here, &ahead] {
            let answer = ask(session);
            assert!(answer.starts_with("access-"), "minute {minute}: {answer}");
            // The manual clock advances an hour without real time for a background refresh. The
            // refresh ends before the next minute.
            eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
        }
    }
    let refreshes = home.fake.count();
    assert!((24..=100).contains(&refreshes), "{refreshes} refreshes in a day of two computers");
    // The SDK's times are in the future: the token counts as issued now, with its whole lifetime.
    home.seed(&json!({"_iat": NOW + 90_000, "_exp": NOW + 93_600}));
    let clock = Arc::new(ManualClock::new(NOW));
    let session = user(&home.options_with(&home.fake, &clock));
    assert_eq!(left(&session, &clock), 3600);
}

/// Seconds since the epoch are independent of time zones and summer time. A leap second is one of
/// them.
#[test]
fn f062_the_time_zone_changes_nothing() {
    let home = Home::new();
    // Right before a change to summer time in most of Europe (2027-03-28), and before a leap second
    // (2016-12-31).
    for at in [1_806_195_600u64, 1_483_228_799] {
        home.write(&home.token_file(), &seeded(&json!({"_iat": at - 1800, "_exp": at + 1800})));
        for zone in [
            "UTC",
            "Europe/Berlin",
            "Pacific/Apia",
            "America/St_Johns",
            "right/UTC",
            "XYZ-14:59:59ABC",
        ] {
            let mut command = child(PLAYER, &at.to_string());
            let process = Child::spawn(command.env("TZ", zone).env(HOME_VARIABLE, home.path()));
            assert_eq!(process.hear(), format!("{SEEDED} {}", at + 1800), "{zone}");
            process.end();
        }
    }
    assert_eq!(home.fake.count(), 0);
}

#[test]
fn child_process() {
    let Some(now) = role() else { return };
    let home = Home::new();
    let mut options =
        home.options_with(&home.fake, &Arc::new(ManualClock::new(now.parse().unwrap())));
    options.storage_root = Some(std::env::var(HOME_VARIABLE).unwrap().into());
    let session = user(&options);
    tell(&format!("{} {}", ask(&session), session.access_token().unwrap().expires_at().unwrap()));
}

#[test]
fn f063_absurd_times_in_files_neither_panic_nor_prolong_a_token() {
    let far = [
        json!(u64::MAX),
        json!(i64::MAX),
        json!(1e300),
        json!(-1e300),
        json!(-1),
        json!(0),
        json!("soon"),
        json!([1]),
        json!(2_147_483_648_u64),
    ];
    let home = Home::new();
    for exp in &far {
        for iat in &far {
            for expires_in in [&json!(3600), &Value::Null, &far[0], &far[3], &json!("1e400")] {
                let members = seeded(&json!({"_exp": exp, "_iat": iat, "expires_in": expires_in}));
                home.write(&home.token_file(), &members);
                let session = home.user();
                let longest = i64::try_from(NOW + 10 * 365 * 86_400).unwrap();
                if let Some(token) = session.access_token_cached().unwrap() {
                    let expires_at = token.expires_at().unwrap();
                    assert!((0..=longest).contains(&expires_at), "{members}: {expires_at}");
                }
                assert!(session.status().to_json().is_object());
            }
        }
    }
    // Absurd times in planetkey's own failure record, as an accident or a broken clock may leave
    // them.
    for (unix_ms, lifetime_ms) in [(u64::MAX, u64::MAX), (0, u64::MAX), (u64::MAX, 0), (0, 0)] {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        let session = home.user();
        session.refresh().unwrap();
        let mut record = home.failure_record();
        record["receipt"]["unix_ms"] = json!(unix_ms);
        record["receipt"]["lifetime_ms"] = json!(lifetime_ms);
        record["not_before"] = json!({"unix_ms": u64::MAX, "status": "UNAVAILABLE", "message": "m", "http_status": 99_999});
        home.write(&home.failure_record_file(), &record);
        for clock in [0, NOW, u64::MAX / 2000] {
            let session = user(&home.options_with(&home.fake, &Arc::new(ManualClock::new(clock))));
            assert!(ask(&session).starts_with("access-"), "{unix_ms} {lifetime_ms} at {clock}");
        }
    }
}

/// A rewrite is detected by the inode, the size, or the modification time to the nanosecond. No
/// program can detect a rewrite that preserves all three without a read; the next refresh reads the
/// file and finds it. On Windows there is no inode to compare.
#[cfg(unix)]
#[test]
fn f064_a_rewrite_of_the_same_size_and_time_is_noticed() {
    let home = Home::new();
    home.seed(&json!({}));
    let file = home.token_file();
    let modified = || std::fs::metadata(&file).unwrap().modified().unwrap();
    let keep_time = |time: std::time::SystemTime| {
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap()
    };
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    let first = modified();
    let size = std::fs::metadata(&file).unwrap().len();
    let write = |number: u64| home.seed(&json!({"access_token": format!("access-{number}")}));
    // A rename, as planetkey and careful editors do: size and time are the same, the inode is not.
    std::fs::rename(&file, home.file("old")).unwrap();
    write(7);
    keep_time(first);
    assert_eq!((std::fs::metadata(&file).unwrap().len(), modified()), (size, first));
    home.advance(1);
    assert_eq!(ask(&session), "access-7");
    // In place, within the same second: the nanoseconds differ.
    write(8);
    keep_time(first + Duration::from_nanos(1));
    home.advance(1);
    assert_eq!(ask(&session), "access-8");
    // In place, with a clock that was set back.
    write(9);
    keep_time(first - Duration::from_secs(86_400));
    home.advance(1);
    assert_eq!(ask(&session), "access-9");
    // In place, of the same size, with the modification time restored: a refresh finds it.
    let third = modified();
    home.seed(&json!({"access_token": "access-5", "refresh_token": "refresh-5"}));
    keep_time(third);
    home.advance(1);
    assert_eq!(ask(&session), "access-9");
    session.refresh().unwrap();
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("access-5", 0));
}

/// A device whose clock shows 1970 reads sessions without harm, and the error about a refused
/// certificate says what to check.
#[test]
fn f065_a_clock_that_was_never_set_works_and_is_named_in_tls_errors() {
    let home = Home::new();
    home.write(&home.token_file(), &by_the_sdk(60));
    let (session, clock) = session_with_clock(&home, 0);
    assert_eq!(left(&session, &clock), 3600);
    session.refresh().unwrap();
    let (again, clock) = session_with_clock(&home, 0);
    assert_eq!((ask(&again).as_str(), left(&again, &clock)), ("access-1", 3600));
    // A test cannot set the clock that TLS reads. A certificate that the real clock refuses
    // represents all of them.
    let simulator = simulator();
    simulator.script("proxy", &json!([{"fault": "expired_certificate"}])).unwrap();
    let planet = planet_options(&simulator);
    let options = planet.with(|it| {
        it.runtime = home.options_with(&home.fake, &Arc::new(ManualClock::new(0))).runtime
    });
    let options = options.with(|it| it.runtime.transport = None);
    let m2m = m2m(&options);
    let error = m2m.access_token().unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::Misconfigured, Some(Reason::Tls)));
    assert!(error.message().contains("clock"), "{error}");
}
