//! Locks that are missing, held, deleted or stale: faults 78 to 82 and 104.

use super::child_process;
use crate::common::*;
use planetkey::storage::Step;
use planetkey::{Revoke, Session, Status};
use rustix::io::Errno;
use serde_json::json;
use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

/// A deadline that a test waits for in full.
const SOON_MS: u64 = 60;

fn expired() -> Home {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home
}

fn impatient(home: &Home) -> Session {
    user(&home.options().with(|it| it.timeout = Some(Duration::from_millis(SOON_MS))))
}

/// Opens a session on a file system without locks.
fn without_locks(home: &Home, timeout_ms: Option<u64>) -> Session {
    let mut options =
        home.options().with(|it| it.timeout = (timeout_ms).map(Duration::from_millis));
    options.runtime.disk = Some(ScriptedDisk::failing(Step::Lock, Errno::NOLCK));
    user(&options)
}

fn hold(path: &Path) -> File {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file =
        File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap();
    file.lock().unwrap();
    file
}

/// Returns the error of the lock, after the refresh itself has failed and not only its caller.
fn lock_error(session: &Session) -> planetkey::Error {
    let error = || session.access_token().unwrap_err();
    eventually(|| error().message().contains("token.json.lock"));
    error()
}

fn unix_ms() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

fn lease(home: &Home) -> std::path::PathBuf {
    home.file("token.json.lease")
}

fn make_lease(home: &Home, until_unix_ms: u64) {
    std::fs::create_dir_all(lease(home)).unwrap();
    std::fs::write(lease(home).join("until_unix_ms"), until_unix_ms.to_string()).unwrap();
}

#[test]
fn f078_without_locks_a_lease_directory_excludes_other_processes() {
    let home = expired();
    let session = without_locks(&home, None);
    let (seen, place) = (Arc::new(Mutex::new(Vec::new())), lease(&home));
    let during = seen.clone();
    home.fake.then(move || {
        let until: u64 = std::fs::read_to_string(place.join("until_unix_ms"))
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        during.lock().unwrap().push(until);
        Ok(token(&rotated(1)))
    });
    assert_eq!(ask(&session), "access-1");
    let until = seen.lock().unwrap()[0];
    assert!(
        until > unix_ms() && until < unix_ms() + 300_000,
        "it is void some time after the deadline of its maker"
    );
    assert!(!lease(&home).exists(), "it goes with its maker");
    // While another process holds the lease, no other process gets it. A valid token needs no
    // lease.
    home.advance(3600);
    make_lease(&home, unix_ms() + 60_000);
    let other = without_locks(&home, Some(SOON_MS));
    assert_eq!(other.access_token().unwrap_err().status(), Status::Timeout);
    assert!(lock_error(&other).message().contains("another process"));
    assert_eq!(home.fake.count(), 1);
    std::fs::remove_dir_all(lease(&home)).unwrap();
    home.advance(30);
    assert!(ask_patiently(&other).starts_with("access-"));
    assert_eq!(home.fake.count(), 2);
}

/// Threads and sessions on a file system without locks make one request.
#[test]
fn f078_without_locks_one_of_many_refreshes() {
    let home = expired();
    let sessions: Vec<Session> = (0..8).map(|_| without_locks(&home, None)).collect();
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| assert_eq!(ask(session), "access-1"));
        }
    });
    assert_eq!((home.fake.count(), lease(&home).exists()), (1, false));
}

#[test]
fn f078_a_lease_of_a_terminated_process_expires() {
    let home = expired();
    make_lease(&home, unix_ms() - 1);
    assert_eq!(ask(&without_locks(&home, None)), "access-1");
    assert!(!lease(&home).exists());
    // The process ended after it created the directory and before it wrote the lease into it. The
    // age of the directory counts.
    home.advance(3600);
    std::fs::create_dir(lease(&home)).unwrap();
    let impatient = without_locks(&home, Some(SOON_MS));
    assert_eq!(impatient.access_token().unwrap_err().status(), Status::Timeout);
    // Wait until the refresh of `impatient` has failed, too, before the lease expires.
    lock_error(&impatient);
    File::open(lease(&home))
        .unwrap()
        .set_modified(SystemTime::now() - std::time::Duration::from_secs(120))
        .unwrap();
    assert_eq!(ask(&without_locks(&home, None)), "access-2");
    assert_eq!(
        listing(home.token_file().parent().unwrap()),
        ["token.json", "token.json.lock", "token.planetkey.json"]
    );
}

/// A process that was stopped until another process replaced its lease does not delete the other's
/// lease.
#[test]
fn f078_a_lease_of_another_process_is_not_released() {
    let home = expired();
    let session = without_locks(&home, None);
    let (place, theirs) = (lease(&home), unix_ms() + 600_000);
    home.fake.then(move || {
        std::fs::write(place.join("until_unix_ms"), theirs.to_string()).unwrap();
        Ok(token(&rotated(1)))
    });
    assert_eq!(ask(&session), "access-1");
    assert_eq!(
        std::fs::read_to_string(lease(&home).join("until_unix_ms")).unwrap(),
        theirs.to_string()
    );
}

#[test]
fn f079_a_lock_that_is_never_released_is_a_timeout() {
    let home = expired();
    let held = hold(&home.file("token.json.lock"));
    let session = impatient(&home);
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
    assert!(lock_error(&session).message().contains("another process"));
    // The deadline can be shorter for one call. A caller with a valid token needs no lock.
    let hurried = home.user().with_timeout(Duration::from_millis(20));
    assert_eq!(hurried.refresh().unwrap_err().status(), Status::Timeout);
    // The refresh itself still waits for the lock. Its callers learn what for, also at a logout.
    let names_lock = |error: planetkey::Error| {
        let message = error.message();
        message.contains("another process") && message.contains("token.json.lock")
    };
    eventually(|| names_lock(hurried.refresh().unwrap_err()));
    assert!(names_lock(hurried.logout(Revoke::No).unwrap_err()));
    home.seed(&json!({"access_token": "valid"}));
    assert_eq!(ask(&home.user()), "valid");
    assert_eq!(home.fake.count(), 0);
    drop(held);
    home.advance(30);
    session.with_timeout(std::time::Duration::from_millis(30_000)).refresh().unwrap();
}

/// The file system holds the lock of a process that ended. The note in the file names that process,
/// and its time has expired.
#[test]
fn f079_an_expired_lock_of_a_terminated_process_is_ignored() {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let gone = {
        let mut process = std::process::Command::new("true").spawn().unwrap();
        process.wait().unwrap();
        process.id()
    };
    let me = std::process::id();
    for (pid, host, until, passes) in [
        (gone, host.as_str(), unix_ms() - 1, true),
        (gone, host.as_str(), unix_ms() + 60_000, false),
        (gone, "another-host", unix_ms() - 1, false),
        (me, host.as_str(), unix_ms() - 1, false),
    ] {
        let home = expired();
        let lock = home.file("token.json.lock");
        let _held = hold(&lock);
        let note = json!({"pid": pid, "host": host, "until_unix_ms": until});
        std::fs::write(&lock, note.to_string()).unwrap();
        let session = impatient(&home);
        // The lock has the same deadline as the caller, so the test checks how the refresh itself
        // ended.
        let _ = session.access_token();
        if passes {
            eventually(|| session.access_token_cached().unwrap().is_some());
            assert_eq!(ask(&session), "access-1", "{note}");
        } else {
            let error = lock_error(&session);
            assert!(
                error.status() == Status::Timeout
                    && error.message().contains(&format!("process {pid}")),
                "{note}: {error}"
            );
            assert_eq!(home.fake.count(), 0);
        }
    }
}

/// Asks as another process would, during a refresh of this process.
fn elsewhere(session: Session) -> String {
    std::thread::spawn(move || ask(&session)).join().unwrap()
}

/// A lock that every process gets at once: two sessions refresh with the same token, and the later
/// one finds what the other has saved.
#[test]
fn f080_with_locks_that_do_not_exclude_rereading_saves_the_session() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    let open = || user(&home.options().with(|it| it.storage = Some(vault.clone())));
    let (first, second) = (open(), open());
    // While the server handles the first request, the second session refreshes and saves.
    let meanwhile = second.clone();
    home.fake.then(move || {
        assert_eq!(elsewhere(meanwhile), "access-1");
        Ok(oauth_error(400, "invalid_grant"))
    });
    assert_eq!(ask(&first), "access-1");
    assert_eq!(home.sent(), [SEEDED_REFRESH; 2]);
    assert_eq!(vault.tokens()["refresh_token"], "refresh-1");
    // Both sessions continue to work.
    first.refresh().unwrap();
    second.refresh().unwrap();
    assert_eq!(
        (ask(&second).as_str(), home.sent().len()),
        ("access-2", 3),
        "it takes what the first has got"
    );
    assert_eq!(vault.tokens()["refresh_token"], "refresh-2");
}

/// The same with files and a real server: a second use of the refresh token would revoke the
/// session.
#[test]
fn f080_a_file_system_with_ineffective_locks() {
    let home = expired();
    let mut options = home.options();
    // The lock fails and the session continues without it. That has the same effect as a lock that
    // every process gets.
    options.runtime.disk = Some(ScriptedDisk::failing(Step::Lock, Errno::ROFS));
    let (first, second) = (user(&options), user(&options));
    let meanwhile = second.clone();
    home.fake.then(move || {
        assert_eq!(elsewhere(meanwhile), "access-1");
        Ok(oauth_error(400, "invalid_grant"))
    });
    assert_eq!(ask(&first), "access-1");
    assert_eq!((home.sent().len(), home.refresh_token().as_str()), (2, "refresh-1"));
    assert_eq!(home.failure_record()["dead"], json!([]), "no token was marked revoked");
}

/// The lock file is deleted between open and lock. A lock on a deleted file excludes no other
/// process.
#[test]
fn f081_a_deleted_lock_file_is_opened_again() {
    let home = expired();
    let disk = ScriptedDisk::sound();
    let mut options = home.options().with(|it| it.timeout = Some(Duration::from_millis(SOON_MS)));
    options.runtime.disk = Some(disk.clone());
    let session = user(&options);
    let (lock, other) = (home.file("token.json.lock"), Arc::new(Mutex::new(None)));
    let holder = other.clone();
    disk.does(move |step| {
        let mut holder = holder.lock().unwrap();
        if step == Step::Lock && holder.is_none() {
            std::fs::remove_file(&lock).unwrap();
            // Another process locks the new file first.
            *holder = Some(hold(&lock));
        }
        Ok(())
    });
    assert_eq!(session.access_token().unwrap_err().status(), Status::Timeout);
    lock_error(&session);
    assert_eq!(home.fake.count(), 0, "no refresh started while another process held the new file");
    let steps = disk.steps().iter().filter(|step| **step == Step::Lock).count();
    assert!(steps >= 2, "{steps}");
    *other.lock().unwrap() = Some(hold(&home.file("another file")));
    home.advance(30);
    assert_eq!(ask_patiently(&session), "access-1");
}

/// The operating system releases the lock when its holder ends. No cleanup and no wait are needed.
#[test]
fn f082_the_lock_of_a_killed_holder_is_free_at_once() {
    let planet = Planet::new();
    let seeded = planet.seed_expired();
    planet.simulator.script("user.token", &json!([{"fault": "stall"}])).unwrap();
    let mut holder = Child::spawn(&mut child_process::of_user(&planet));
    assert_eq!(holder.hear(), "ready");
    holder.tell("ask");
    assert!(planet.simulator.wait_for("user.token", 1, PATIENCE).unwrap());
    let note =
        std::fs::read_to_string(planet.home().join(".planet/planet-user/token.json.lock")).unwrap();
    assert!(note.contains(&format!("\"pid\":{}", holder.id())), "{note}");
    holder.kill();
    // The deadline allows the time of one request. A grace period of a minute would exceed it.
    let session = Session::from_profile(
        "planet-user",
        &planet.options().with(|it| it.timeout = Some(Duration::from_millis(10_000))),
    )
    .unwrap();
    session.access_token().unwrap();
    assert_eq!(planet.requests(), 2);
    planet.assert_alive(&seeded, 1);
}

/// A program that the application starts during a refresh does not inherit the lock.
#[test]
fn f104_a_child_started_during_a_refresh_inherits_no_lock() {
    let home = expired();
    let open = Arc::new(Mutex::new(None));
    let (files, lock) = (open.clone(), home.file("token.json.lock"));
    home.fake.then(move || {
        let here = std::fs::read_dir("/proc/self/fd").unwrap();
        let targets: Vec<_> =
            here.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok()).collect();
        assert!(targets.contains(&lock), "the lock is held now");
        let output = std::process::Command::new("sh")
            .args(["-c", "readlink /proc/$$/fd/* || true"])
            .output()
            .unwrap();
        *files.lock().unwrap() = Some(String::from_utf8(output.stdout).unwrap());
        Ok(token(&rotated(1)))
    });
    assert_eq!(ask(&home.user()), "access-1");
    let files = open.lock().unwrap().take().unwrap();
    assert!(files.contains("pipe:") && !files.contains("token"), "{files}");
}
