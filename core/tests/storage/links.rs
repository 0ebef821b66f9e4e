//! File modes, links and special files instead of a session file: faults 76 and 77.

use crate::common::*;
use planetkey::{Session, Status};
use serde_json::json;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn give_away(path: &Path) {
    std::os::unix::fs::lchown(path, Some(65_534), Some(65_534)).unwrap();
}

fn is_fifo(path: &Path) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&std::fs::symlink_metadata(path).unwrap().file_type())
}

fn make_fifo(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = std::fs::remove_file(path);
    assert!(
        std::process::Command::new("mkfifo")
            .arg("-m")
            .arg("600")
            .arg(path)
            .status()
            .unwrap()
            .success()
    );
}

#[test]
fn f076_widened_permissions_are_warned_about_and_tightened_by_the_next_write() {
    let logs = logs();
    let home = Home::new();
    home.seed(&json!({}));
    home.user().refresh().unwrap();
    for file in [home.token_file(), home.failure_record_file()] {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let session = home.user();
    assert_eq!(ask(&session), "access-1", "it is read nevertheless");
    for file in [home.token_file(), home.failure_record_file()] {
        let warned = logs.with(log::Level::Warn, &file.display().to_string());
        assert!(
            warned
                .iter()
                .any(|line| line.contains("can be read by other users")
                    && line.contains("chmod 600")),
            "{warned:?}"
        );
    }
    assert_eq!(mode(&home.token_file()), 0o644, "reading changes nothing");
    session.refresh().unwrap();
    assert_eq!((mode(&home.token_file()), mode(&home.failure_record_file())), (0o600, 0o600));
}

#[test]
fn i9_03_a_file_that_other_users_may_write_is_refused() {
    let home = Home::new();
    home.seed(&json!({}));
    std::fs::set_permissions(home.token_file(), std::fs::Permissions::from_mode(0o606)).unwrap();
    let error = home.user().access_token().unwrap_err();
    assert_eq!((error.status(), home.fake.count()), (Status::Storage, 0), "{error}");
    assert!(
        error.message().contains("token.json") && error.message().contains("chmod o-w"),
        "{error}"
    );
    std::fs::set_permissions(home.token_file(), std::fs::Permissions::from_mode(0o600)).unwrap();
    let profile = home.token_file().parent().unwrap().to_owned();
    std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = home.user().access_token().unwrap_err();
    assert_eq!((error.status(), home.fake.count()), (Status::Storage, 0), "{error}");
    assert!(
        error.message().contains(profile.to_str().unwrap())
            && error.message().contains("chmod o-w"),
        "{error}"
    );
}

/// Some users save their settings in another directory and link to it.
#[test]
fn f077_a_link_of_the_user_is_followed_and_preserved() {
    let home = Home::new();
    home.seed(&json!({}));
    let settings = home.path().join("settings");
    std::fs::create_dir(&settings).unwrap();
    let (middle, target) = (settings.join("middle"), settings.join("session.json"));
    std::fs::rename(home.token_file(), &target).unwrap();
    symlink("session.json", &middle).unwrap();
    symlink(&middle, home.token_file()).unwrap();
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    session.refresh().unwrap();
    assert!(
        home.token_file().is_symlink()
            && middle.is_symlink()
            && target.is_file()
            && !target.is_symlink()
    );
    assert_eq!(
        (read_json(&target)["refresh_token"].as_str(), mode(&target)),
        (Some("refresh-1"), 0o600)
    );
    assert_eq!(
        listing(&settings),
        ["middle", "session.json"],
        "the temporary file was beside it, and is gone"
    );
    // A change by another process to the target of the link is noticed.
    sdk_write(&target, &sdk_bytes(&seeded(&json!({"access_token": "elsewhere"}))));
    home.advance(1);
    assert_eq!(ask(&session), "elsewhere");
    // A logout deletes the tokens and not only the link.
    assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
    assert!(!target.exists(), "the tokens are gone, and not only the way to them");
    home.seed(&json!({"access_token": "after-logout"}));
    home.advance(1);
    assert_eq!(ask(&session), "after-logout");
}

/// A dangling link is not a session. It is replaced when a session is saved.
#[test]
fn f077_a_dangling_link_is_replaced() {
    let home = Home::new();
    std::fs::create_dir_all(home.m2m_token_file().parent().unwrap()).unwrap();
    symlink(home.path().join("nowhere/token.json"), home.m2m_token_file()).unwrap();
    let m2m = home.m2m();
    assert_eq!(ask(&m2m), "access-1");
    assert!(m2m.status().notes().is_empty(), "{:?}", m2m.status().notes());
    assert_eq!((ask(&home.m2m()).as_str(), home.fake.count()), ("access-1", 1));
}

#[test]
fn f077_a_link_of_another_user_is_refused() {
    if !is_root() {
        return;
    }
    let home = Home::new();
    home.seed(&json!({}));
    let target = home.path().join("target.json");
    std::fs::rename(home.token_file(), &target).unwrap();
    symlink(&target, home.token_file()).unwrap();
    give_away(&home.token_file());
    let refused = |session: &Session| {
        let error = session.access_token().unwrap_err();
        assert_eq!(error.status(), Status::Storage);
        assert!(
            error.message().contains("belongs to another user")
                && error.message().contains("token.json"),
            "{error}"
        );
    };
    refused(&home.user());
    assert_eq!(home.fake.count(), 0, "no token of its target was sent");
    // A link that appears while a session is open: the session continues in memory, and is not
    // written through the link.
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    let victim = home.path().join("victim.json");
    std::fs::rename(home.token_file(), &victim).unwrap();
    let before = std::fs::read(&victim).unwrap();
    symlink(&victim, home.token_file()).unwrap();
    give_away(&home.token_file());
    home.advance(1);
    assert_eq!(ask(&session), SEEDED);
    refused(&home.user());
    assert!(session.refresh().is_err());
    assert_eq!(std::fs::read(&victim).unwrap(), before);
    // The same for the failure record: it is neither read nor written through a link.
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let wait = json!({"form": 1, "not_before": {"unix_ms": (NOW + 60) * 1000, "status": "UNAVAILABLE", "message": "planted"}});
    let victim = home.path().join("victim.json");
    std::fs::write(&victim, wait.to_string()).unwrap();
    symlink(&victim, home.failure_record_file()).unwrap();
    give_away(&home.failure_record_file());
    assert_eq!(
        (ask(&home.user()).as_str(), home.refresh_token().as_str()),
        ("access-1", "refresh-1")
    );
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), wait.to_string());
}

/// A link instead of the lock file would make processes lock or write another file.
#[test]
fn f077_a_link_at_the_lock_file_is_not_followed() {
    let home = Home::new();
    home.seed(&json!({}));
    let victim = home.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    symlink(&victim, home.file("token.json.lock")).unwrap();
    let error = home.user().refresh().unwrap_err();
    assert_eq!(error.status(), Status::Storage, "{error}");
    assert!(error.message().contains("token.json.lock"), "{error}");
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert_eq!(
        (ask(&home.user()).as_str(), home.fake.count()),
        (SEEDED, 0),
        "a valid token needs no lock"
    );
}

#[test]
fn f077_a_hard_link_to_the_file_preserves_its_content() {
    let home = Home::new();
    home.seed(&json!({}));
    let other = home.path().join("other-name");
    std::fs::hard_link(home.token_file(), &other).unwrap();
    let before = std::fs::read(&other).unwrap();
    let session = home.user();
    session.refresh().unwrap();
    assert_eq!(
        (std::fs::read(&other).unwrap() == before, home.refresh_token().as_str()),
        (true, "refresh-1")
    );
    assert_ne!(
        std::fs::metadata(&other).unwrap().ino(),
        std::fs::metadata(home.token_file()).unwrap().ino()
    );
}

/// Every kind of special file, instead of each file: no process hangs, and none writes into it.
#[test]
fn f077_a_pipe_or_a_directory_at_the_token_file_does_not_block() {
    let home = Home::new();
    make_fifo(&home.token_file());
    let error = home.user().access_token().unwrap_err();
    assert!(
        error.status() == Status::Storage && error.message().contains("is not a file"),
        "{error}"
    );
    // An M2M client needs no file, and does not replace a special file.
    make_fifo(&home.m2m_token_file());
    let m2m = home.m2m();
    assert_eq!(ask(&m2m), "access-1");
    assert!(is_fifo(&home.m2m_token_file()));
    assert!(m2m.status().notes()[0].contains("is not a file"), "{:?}", m2m.status().notes());
    // Beside the tokens: a special file instead of the failure record is ignored and not replaced.
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    make_fifo(&home.failure_record_file());
    let session = home.user();
    assert_eq!((ask(&session).as_str(), home.refresh_token().as_str()), ("access-1", "refresh-1"));
    assert!(is_fifo(&home.failure_record_file()));
    // The same for a directory.
    let home = Home::new();
    std::fs::create_dir_all(home.token_file()).unwrap();
    assert_eq!(home.user().access_token().unwrap_err().status(), Status::Storage);
    std::fs::create_dir_all(home.m2m_token_file()).unwrap();
    let m2m = home.m2m();
    assert_eq!(ask(&m2m), "access-1");
    assert!(
        m2m.status().notes()[0].contains("lives in this process only"),
        "{:?}",
        m2m.status().notes()
    );
}

/// A pipe instead of the lock file is refused at once, because a note that is written into a lock
/// must stay in it.
#[test]
fn f077_a_pipe_at_the_lock_file_is_refused_at_once() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let lock = home.file("token.json.lock");
    make_fifo(&lock);
    let session = home.user();
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), home.fake.count()), (Status::Storage, 0), "{error}");
    assert!(error.message().contains("token.json.lock is not a file"), "{error}");
    assert!(is_fifo(&lock));
    std::fs::remove_file(&lock).unwrap();
    home.advance(30);
    assert_eq!(ask_patiently(&session), "access-1");
}

#[test]
fn root_leaves_the_file_to_its_owner() {
    use std::os::unix::fs::{MetadataExt, chown};
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    for path in [home.token_file(), home.token_file().parent().unwrap().to_owned()] {
        chown(path, Some(1000), Some(1000)).unwrap();
    }
    ask(&home.user());
    let owners: Vec<u32> = ["token.json", "token.planetkey.json", "token.json.lock"]
        .iter()
        .map(|f| std::fs::metadata(home.file(f)).unwrap().uid())
        .collect();
    assert_eq!(owners, [1000, 1000, 1000]);
}
