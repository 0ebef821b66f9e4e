//! A session that could not be saved: it lives in memory, and these tests show what happens to it
//! there.

use crate::common::*;
use planetkey::storage::Step;
use planetkey::{Reason, Status};
use rustix::io::Errno;
use serde_json::json;

/// Returns a session whose refreshed tokens are in memory only.
fn unsaved(home: &Home) -> (planetkey::Session, std::sync::Arc<ScriptedDisk>) {
    home.seed(&json!({}));
    let disk = ScriptedDisk::failing(Step::Write, Errno::NOSPC);
    let session = home.user_on(&disk);
    session.refresh().unwrap();
    assert_eq!(
        (ask(&session).as_str(), home.refresh_token().as_str()),
        ("access-1", SEEDED_REFRESH)
    );
    (session, disk)
}

fn note(session: &planetkey::Session) -> String {
    session.status().notes().join("; ")
}

#[test]
fn the_status_says_that_the_session_is_in_memory_and_why() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    assert!(
        note(&session).contains("lives in this process only")
            && note(&session).contains("token.json"),
        "{}",
        note(&session)
    );
    assert!(session.status().to_json()["notes"][0].as_str().unwrap().contains("make room"));
    assert!(!note(&session).contains("refresh-1"));
    assert!(session.is_initialized());
    // The note disappears once the session is saved.
    disk.recovers();
    home.advance(30);
    ask(&session);
    eventually(|| note(&session).is_empty());
}

/// The session tries to save every half minute and not more often.
#[test]
fn saving_is_repeated_until_it_succeeds() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    let tries = || disk.steps().iter().filter(|step| **step == Step::Lock).count();
    for half_minutes in 1..=5 {
        for _ in 0..29 {
            home.advance(1);
            ask(&session);
            // An attempt that has started ends before the next second, so that no attempt hides
            // another.
            eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
            assert_eq!(tries(), half_minutes);
        }
        home.advance(1);
        ask(&session);
        eventually(|| tries() == half_minutes + 1);
        // The next half minute starts at the end of this attempt.
        eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    }
    disk.recovers();
    home.advance(30);
    ask(&session);
    eventually(|| home.refresh_token() == "refresh-1");
    assert_eq!(home.fake.count(), 1);
    assert_eq!(ask(&home.user()), "access-1");
}

#[test]
fn a_refresh_meanwhile_uses_the_unsaved_token_and_the_newest_is_saved() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    home.advance(3600);
    assert_eq!(ask(&session), "access-2");
    disk.recovers();
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1", "refresh-2"]);
    assert_eq!((home.refresh_token().as_str(), note(&session).as_str()), ("refresh-3", ""));
}

/// Another process with the old file sends the used refresh token, which is what the note warns
/// about. Its refusal does not affect this session.
#[test]
fn a_login_by_another_process_replaces_unsaved_tokens() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    home.seed(
        &json!({"access_token": "of-a-new-login", "refresh_token": "refresh-of-a-new-login"}),
    );
    home.advance(1);
    assert_eq!((ask(&session).as_str(), note(&session).as_str()), ("of-a-new-login", ""));
    disk.recovers();
    home.advance(60);
    assert_eq!(
        (ask(&session).as_str(), home.refresh_token().as_str()),
        ("of-a-new-login", "refresh-of-a-new-login")
    );
    assert_eq!(home.fake.count(), 1);
}

#[test]
fn a_logout_by_another_process_discards_unsaved_tokens() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    disk.recovers();
    assert!(home.user().logout(planetkey::Revoke::No).unwrap().removed);
    for _ in 0..40 {
        home.advance(1);
        let error = session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::LoggedOut))
        );
    }
    assert!(!home.token_file().exists() && note(&session).is_empty());
    assert_eq!(home.fake.count(), 1);
}

#[test]
fn a_logout_discards_unsaved_tokens() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
    disk.recovers();
    for _ in 0..40 {
        home.advance(1);
        assert_eq!(session.access_token().unwrap_err().reason(), Some(Reason::LoggedOut));
    }
    assert!(!home.token_file().exists());
    assert!(!session.logout(planetkey::Revoke::No).unwrap().removed);
}

/// A logout that fails changes nothing.
#[test]
fn a_logout_that_the_disk_refuses_changes_nothing() {
    let home = Home::new();
    let (session, _disk) = unsaved(&home);
    // No user can remove a directory with the call that removes a file.
    std::fs::rename(home.token_file(), home.file("aside")).unwrap();
    std::fs::create_dir(home.token_file()).unwrap();
    assert_eq!(session.logout(planetkey::Revoke::No).unwrap_err().status(), Status::Storage);
    std::fs::remove_dir(home.token_file()).unwrap();
    std::fs::rename(home.file("aside"), home.token_file()).unwrap();
    assert_eq!(ask(&session), "access-1");
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1"]);
}

/// The file is damaged while the newest tokens are in memory: they replace it.
#[test]
fn a_damaged_file_does_not_discard_unsaved_tokens() {
    let home = Home::new();
    let (session, disk) = unsaved(&home);
    disk.recovers();
    std::fs::write(home.token_file(), "{\"access_token\": \"hal").unwrap();
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1"]);
    assert_eq!((ask(&session).as_str(), home.refresh_token().as_str()), ("access-2", "refresh-2"));
}

/// An M2M client requests another token: nothing is lost, and every call is served.
#[test]
fn an_m2m_client_on_a_full_disk_is_served() {
    let home = Home::new();
    let mut options = home.options();
    options.runtime.disk = Some(ScriptedDisk::failing(Step::Write, Errno::NOSPC));
    let session = m2m(&options);
    for _ in 0..20 {
        assert_eq!(ask(&session), "access-1");
        home.advance(10);
    }
    assert!(note(&session).contains("make room"), "{}", note(&session));
    assert_eq!(home.fake.count(), 1);
}

#[test]
fn a_touched_file_does_not_discard_unsaved_tokens() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::failing(Step::Write, rustix::io::Errno::NOSPC);
    let session = home.user_on(&disk);
    session.refresh().unwrap();
    assert_eq!(ask(&session), "access-1");
    // The same bytes again, as a backup, `cp -p`, `touch` or the SDK writes them.
    home.seed(&json!({}));
    home.advance(1);
    ask(&session);
    disk.recovers();
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1"]);
}
