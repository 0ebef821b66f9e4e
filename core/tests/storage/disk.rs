//! Disks that are full, read-only, or failing: faults 66 to 68 and 70.

use super::child_process;
use crate::common::*;
use planetkey::Status;
use planetkey::storage::Step;
use rustix::io::Errno;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Tests a user's session whose refreshed tokens cannot be saved: it works, reports the failure,
/// and is saved as soon as that is possible.
fn survives(step: Step, error: Errno, advice: &str) {
    let logs = logs();
    let home = Home::new();
    home.seed(&json!({}));
    let before = std::fs::read(home.token_file()).unwrap();
    let disk = ScriptedDisk::failing(step, error);
    let session = home.user_on(&disk);
    session.refresh().unwrap();
    assert_eq!(ask(&session), "access-1", "{step:?}");
    assert_eq!(
        std::fs::read(home.token_file()).unwrap(),
        before,
        "{step:?}: the old file is as it was"
    );
    let notes = session.status().notes().join("; ");
    assert!(notes.contains("lives in this process only") && notes.contains(advice), "{notes}");
    assert!(!logs.with(log::Level::Warn, &home.token_file().display().to_string()).is_empty());
    assert!(home.listing().iter().all(|name| !name.ends_with(".tmp")), "{:?}", home.listing());
    // The rotated refresh token is in memory, and is the one that is sent.
    session.refresh().unwrap();
    assert_eq!(
        (home.sent(), ask(&session).as_str()),
        (vec![SEEDED_REFRESH.to_owned(), "refresh-1".to_owned()], "access-2")
    );
    disk.recovers();
    home.advance(29);
    ask(&session);
    assert_eq!(home.refresh_token(), SEEDED_REFRESH, "not before its time");
    home.advance(1);
    ask(&session);
    eventually(|| home.refresh_token() == "refresh-2");
    eventually(|| session.status().notes().is_empty());
    assert_eq!(
        (home.fake.count(), ask(&home.user()).as_str()),
        (2, "access-2"),
        "keeping it cost no request"
    );
}

#[test]
fn f066_a_full_disk_leaves_the_old_file_and_a_session_in_memory() {
    for step in [Step::Create, Step::Write, Step::Sync] {
        survives(step, Errno::NOSPC, "make room");
        survives(step, Errno::DQUOT, "make room");
    }
}

/// The command would lose the only copy of a rotated refresh token when it ends.
#[test]
fn f066_with_must_save_no_token_is_requested_that_could_not_be_saved() {
    for (step, error) in [
        (Step::Directory, Errno::ACCESS),
        (Step::Create, Errno::ROFS),
        (Step::Write, Errno::NOSPC),
        (Step::Sync, Errno::DQUOT),
    ] {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        let disk = ScriptedDisk::failing(step, error);
        let mut options = home.options().with(|it| it.must_save = true);
        options.runtime.disk = Some(disk.clone());
        let session = user(&options);
        let refused = session.access_token().unwrap_err();
        assert_eq!(
            (refused.status(), home.fake.count()),
            (Status::Storage, 0),
            "{step:?}: {refused}"
        );
        assert!(home.listing().iter().all(|name| !name.ends_with(".tmp")), "{:?}", home.listing());
        disk.recovers();
        home.advance(31);
        assert_eq!(
            (ask(&session).as_str(), home.refresh_token().as_str()),
            ("access-1", "refresh-1"),
            "{step:?}"
        );
    }
}

#[test]
fn f067_a_read_only_disk_leaves_a_session_in_memory() {
    survives(Step::Create, Errno::ROFS, "PLANETKEY_STORAGE_ROOT");
    survives(Step::Create, Errno::ACCESS, "storage_root");
    survives(Step::Directory, Errno::ACCESS, "storage_root");
    survives(Step::Rename, Errno::PERM, "storage_root");
}

#[test]
fn f067_without_a_writable_lock_file_the_session_works() {
    for error in [Errno::ROFS, Errno::ACCESS, Errno::NOSPC] {
        let logs = logs();
        let home = Home::new();
        home.seed(&json!({}));
        let session = home.user_on(&ScriptedDisk::failing(Step::Lock, error));
        session.refresh().unwrap();
        assert_eq!(
            (ask(&session).as_str(), home.refresh_token().as_str()),
            ("access-1", "refresh-1")
        );
        let lock = home.file("token.json.lock").display().to_string();
        assert!(
            logs.with(log::Level::Warn, &lock).iter().any(|line| line.contains("cannot be locked"))
        );
    }
}

#[test]
fn f068_a_file_whose_sync_fails_does_not_replace_the_old_one() {
    survives(Step::Sync, Errno::IO, "");
    survives(Step::Write, Errno::IO, "");
}

/// Once the new file has replaced the old one it counts, whether the directory survives a power
/// failure or not.
#[test]
fn f068_a_failed_sync_of_the_directory_is_a_warning() {
    let logs = logs();
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user_on(&ScriptedDisk::failing(Step::SyncDirectory, Errno::IO));
    session.refresh().unwrap();
    assert_eq!((home.refresh_token().as_str(), session.status().notes().len()), ("refresh-1", 0));
    let file = home.token_file().display().to_string();
    assert!(logs.with(log::Level::Warn, &file).iter().any(|line| line.contains("power cut")));
}

/// The content is synced before the rename, and the directory before the session continues.
#[test]
fn f070_a_durable_write_has_its_steps_in_order() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::sound();
    home.user_on(&disk).refresh().unwrap();
    let write =
        [Step::Directory, Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory];
    // The lock, the failure record with the receipt, and the tokens. A token whose receipt does not
    // match yet counts as a token without a receipt.
    assert_eq!(disk.steps(), [&[Step::Lock][..], &write, &write].concat());
}

/// A small file system for one test, unmounted on drop.
struct Mount(PathBuf);

impl Mount {
    /// Returns `None` if this user cannot mount.
    fn new(place: &Path, size: &str) -> Option<Self> {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "none"])
            .arg(place)
            .output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Mount(place.to_owned()))
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status()
            .unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn f066_a_real_full_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let Some(_mount) = Mount::new(directory.path(), "64k") else { return };
    let home = Home::at(directory);
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    let before = std::fs::read(home.token_file()).unwrap();
    let filler = home.path().join("filler");
    let full = std::fs::write(&filler, vec![0; 1024 * 1024]).unwrap_err();
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
    session.refresh().unwrap();
    assert_eq!(
        (ask(&session).as_str(), std::fs::read(home.token_file()).unwrap() == before),
        ("access-1", true)
    );
    assert!(session.status().notes()[0].contains("make room"), "{:?}", session.status().notes());
    assert!(home.listing().iter().all(|name| !name.ends_with(".tmp")));
    std::fs::remove_file(filler).unwrap();
    home.advance(31);
    ask(&session);
    eventually(|| home.refresh_token() == "refresh-1");
    assert_eq!((home.fake.count(), ask(&home.user()).as_str()), (1, "access-1"));
}

#[test]
fn f067_a_real_read_only_file_system() {
    let directory = tempfile::tempdir().unwrap();
    let Some(mount) = Mount::new(directory.path(), "64k") else { return };
    let home = Home::at(directory);
    home.seed(&json!({}));
    mount.remount("ro");
    let (session, m2m) = (home.user(), home.m2m());
    assert_eq!(ask(&session), SEEDED);
    session.refresh().unwrap();
    assert_eq!((ask(&session).as_str(), ask(&m2m).as_str()), ("access-1", "access-2"));
    for session in [&session, &m2m] {
        assert!(
            session.status().notes()[0].contains("PLANETKEY_STORAGE_ROOT"),
            "{:?}",
            session.status().notes()
        );
    }
    let error = session.logout(planetkey::Revoke::No).unwrap_err();
    assert_eq!(error.status(), Status::Storage, "{error}");
    mount.remount("rw");
    home.advance(31);
    ask(&session);
    eventually(|| home.refresh_token() == "refresh-1");
}

/// A limit on file sizes, which every user can set, for systems on which the user cannot mount.
#[test]
fn f066_a_limit_of_file_sizes() {
    let planet = Planet::new();
    let seeded = planet.seed(&json!({}));
    let before = std::fs::read(planet.token_file()).unwrap();
    let player = child_process::of_user(&planet);
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"])
        .arg(player.get_program())
        .args(player.get_args());
    for (name, value) in player.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    let mut process = Child::spawn(&mut shell);
    assert_eq!(process.hear(), "ready");
    assert_eq!(process.ask("ask"), seeded["access_token"].as_str().unwrap());
    assert_eq!(process.ask("refresh"), "refreshed");
    let refreshed = process.ask("ask");
    assert_ne!(refreshed, seeded["access_token"].as_str().unwrap());
    let notes = process.ask("notes");
    assert!(notes.contains("lives in this process only"), "{notes}");
    assert_eq!(std::fs::read(planet.token_file()).unwrap(), before);
    assert_eq!(process.ask("refresh"), "refreshed", "by the refresh token in memory");
    process.end();
    assert_eq!(planet.session_of(&seeded)["rotations"], 2);
}
