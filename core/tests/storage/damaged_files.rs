//! Files that are damaged, of another version, changed by an editor, or restored from a backup:
//! faults 71 to 73, 85, 90 and 115.

use crate::common::*;
use planetkey::storage::Step;
use planetkey::{Reason, Session, Status};
use rustix::io::Errno;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

fn what(session: &Session) -> (Status, String) {
    let error = session.access_token().unwrap_err();
    (error.status(), error.reason().map_or("-", planetkey::Reason::name).to_owned())
}

fn corrupt() -> (Status, String) {
    (Status::LoginRequired, "corrupt".to_owned())
}

/// Returns how the failure record stores a refused refresh token.
fn buried(refresh_token: &str) -> String {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW, "refresh_token": refresh_token}));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    home.user().access_token().unwrap_err();
    home.failure_record()["dead"][0].as_str().unwrap().to_owned()
}

/// Returns the contents of the damaged files that were renamed.
fn renamed(home: &Home) -> Vec<Vec<u8>> {
    let names = home.listing().into_iter().filter(|name| name.starts_with("token.json.corrupt-"));
    names.map(|name| std::fs::read(home.file(&name)).unwrap()).collect()
}

#[test]
fn f071_a_damaged_file_is_renamed_and_requires_a_login() {
    let whole = sdk_bytes(&seeded(&json!({})));
    let half = &whole[..whole.len() / 2];
    let kinds: [&[u8]; 8] = [
        b"",
        half,
        b"[]",
        b"null",
        b"\xff\xfe\x00garbage",
        b"{\"access_token\": \"x\"} and more",
        b"{\"access_token\": 1}",
        b"{\"access_token\": \"x\", \"refresh_token\": {}}",
    ];
    for damaged in kinds {
        let home = Home::new();
        home.seed(&json!({}));
        std::fs::write(home.token_file(), damaged).unwrap();
        let session = home.user();
        assert_eq!(what(&session), corrupt(), "{damaged:?}");
        // An empty file holds nothing that could be lost, and another program may be about to fill
        // it. It is not renamed.
        let kept = if damaged.is_empty() { Vec::new() } else { vec![damaged.to_vec()] };
        assert_eq!(
            (renamed(&home), home.token_file().exists()),
            (kept.clone(), damaged.is_empty())
        );
        // The damage stays the reason of the error, and is detected once.
        home.advance(5);
        assert_eq!((what(&session), renamed(&home).len()), (corrupt(), kept.len()));
        assert_eq!(home.fake.count(), 0);
        home.seed(&json!({"access_token": "of-a-new-login"}));
        home.advance(1);
        assert_eq!((ask(&session).as_str(), renamed(&home).len()), ("of-a-new-login", kept.len()));
    }
}

/// A process with a valid token continues to use it. A damaged file does not make a token invalid.
#[test]
fn f071_a_damaged_file_does_not_end_a_valid_token() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    std::fs::write(home.token_file(), "{\"access").unwrap();
    for _ in 0..20 {
        home.advance(1);
        assert_eq!(ask(&session), SEEDED);
    }
    assert!(renamed(&home).is_empty(), "no call has needed it yet");
    // The token is due: the refresh detects the damage and renames the file. The token stays valid
    // until it expires.
    home.advance(2700);
    assert_eq!(ask(&session), SEEDED);
    eventually(|| !renamed(&home).is_empty());
    for _ in 0..20 {
        home.advance(10);
        assert_eq!(ask(&session), SEEDED);
    }
    home.advance(1000);
    assert_eq!((what(&session), home.fake.count()), (corrupt(), 0));
}

#[test]
fn f071_an_m2m_client_replaces_a_damaged_file() {
    for (number, damaged) in ["", "{\"access_token\": \"hal", "[1, 2]"].into_iter().enumerate() {
        let home = Home::new();
        home.write(&home.m2m_token_file(), &seeded(&json!({})));
        std::fs::write(home.m2m_token_file(), damaged).unwrap();
        assert_eq!(ask(&home.m2m()), "access-1", "{number}");
        assert_eq!(read_json(&home.m2m_token_file())["access_token"], "access-1");
        let names = listing(home.m2m_token_file().parent().unwrap());
        assert_eq!(
            names.iter().any(|name| name.starts_with("token.json.corrupt-")),
            !damaged.is_empty(),
            "{names:?}"
        );
        assert_eq!((ask(&home.m2m()).as_str(), home.fake.count()), ("access-1", 1));
    }
    // If the damaged file cannot be renamed, an M2M client is served nevertheless.
    let home = Home::new();
    home.write(&home.m2m_token_file(), &seeded(&json!({})));
    std::fs::write(home.m2m_token_file(), "{\"hal").unwrap();
    let directory = home.m2m_token_file().parent().unwrap().to_owned();
    if make_immutable(&directory, true) {
        assert_eq!(ask(&home.m2m()), "access-1");
        make_immutable(&directory, false);
    }
}

/// Removes the right to change a directory from every user, including root. Returns `false` if that
/// is not possible.
fn make_immutable(directory: &std::path::Path, immutable: bool) -> bool {
    let flag = if immutable { "+i" } else { "-i" };
    std::process::Command::new("chattr")
        .arg(flag)
        .arg(directory)
        .output()
        .is_ok_and(|output| output.status.success())
}

/// A file that cannot be a session is left unchanged, because another program may need it.
#[test]
fn f071_a_file_of_megabytes_is_not_read() {
    let home = Home::new();
    home.seed(&json!({"padding": "x".repeat(1024 * 1024)}));
    let error = home.user().access_token().unwrap_err();
    assert_eq!(error.status(), Status::Storage);
    assert!(error.message().contains("1 MiB") && home.token_file().exists(), "{error}");
}

#[test]
fn f072_a_failure_record_of_a_newer_version_is_used_and_not_rewritten() {
    let home = Home::new();
    home.seed(&json!({"a_member_of_tomorrow": {"deep": [1.0, null]}, "_new": true}));
    let session = home.user();
    session.refresh().unwrap();
    // Unknown members stay in the SDK's file.
    let tokens = home.tokens();
    assert_eq!(
        (&tokens["a_member_of_tomorrow"], &tokens["_new"]),
        (&json!({"deep": [1.0, null]}), &json!(true))
    );
    let mut newer = home.failure_record();
    newer["form"] = json!(2);
    newer["tomorrow"] = json!({"x": 1});
    newer["not_before"] = json!({"unix_ms": (NOW + 60) * 1000, "status": "UNAVAILABLE", "message": "later", "what": "else"});
    newer["dead"] = json!([buried("buried-by-a-newer-version")]);
    home.write(&home.failure_record_file(), &newer);
    let before = std::fs::read(home.failure_record_file()).unwrap();
    // The known members of a newer version's failure record are used.
    assert_eq!(
        home.user().refresh().unwrap_err().retry_after(),
        Some(Duration::from_millis(60_000))
    );
    home.advance(60);
    home.user().refresh().unwrap();
    home.seed(
        &json!({"_exp": NOW, "_iat": NOW - 3600, "refresh_token": "buried-by-a-newer-version"}),
    );
    home.advance(1);
    assert_eq!(what(&home.user()), (Status::LoginRequired, "revoked".to_owned()));
    home.fake.answers(busy(503, Some("600")));
    home.seed(&json!({"_exp": NOW, "_iat": NOW - 3600}));
    home.user().access_token().unwrap_err();
    home.user().logout(planetkey::Revoke::No).unwrap();
    assert_eq!(
        std::fs::read(home.failure_record_file()).unwrap(),
        before,
        "it is the newer version's"
    );
    assert_eq!(home.fake.count(), 3);
}

#[test]
fn f073_byte_order_marks_line_ends_and_zero_bytes_in_a_session_are_accepted() {
    let text = String::from_utf8(sdk_bytes(&seeded(&json!({})))).unwrap();
    let kinds = [
        format!("\u{feff}{text}"),
        text.replace('\n', "\r\n"),
        format!("{text}\n\n"),
        format!("{text}\0\0\0\0"),
        format!("\u{feff}\r\n{}\r\n\0", text.replace('\n', "\r\n")),
        seeded(&json!({})).to_string(),
    ];
    for touched in kinds {
        let home = Home::new();
        home.seed(&json!({}));
        std::fs::write(home.token_file(), &touched).unwrap();
        let session = home.user();
        assert_eq!(ask(&session), SEEDED, "{touched:?}");
        session.refresh().unwrap();
        // The next write has the SDK's format again, which the SDK can read.
        let written = std::fs::read(home.token_file()).unwrap();
        assert!(
            written.starts_with(b"{\n  \"_exp\": ")
                && written.ends_with(b"}")
                && !written.contains(&b'\r')
        );
    }
}

/// Deletes only old files, only temporary files of planetkey, and only in a process that holds the
/// lock.
#[test]
fn f085_old_temporary_files_of_crashes_are_deleted() {
    let home = Home::new();
    home.seed(&json!({}));
    let now = SystemTime::now();
    let files = [
        (".token.json.abc123.tmp", 3700, false),
        (".token.planetkey.json.abc123.tmp", 3700, false),
        (".token.json.young.tmp", 60, true),
        (".token.json.future.tmp", 0, true),
        (".auth_client.json.abc123.tmp", 3700, true),
        ("token.json.bak", 3700, true),
        (".token.json.kept", 3700, true),
    ];
    for (name, age, _) in files {
        std::fs::write(home.file(name), "x").unwrap();
        let time = if name.contains("future") {
            now + Duration::from_secs(86_400)
        } else {
            now - Duration::from_secs(age)
        };
        std::fs::File::options()
            .write(true)
            .open(home.file(name))
            .unwrap()
            .set_modified(time)
            .unwrap();
    }
    let listings: Arc<Mutex<Vec<(Step, usize)>>> = Arc::default();
    let (seen, place) = (listings.clone(), home.token_file().parent().unwrap().to_owned());
    let disk = ScriptedDisk::new(move |step| {
        let stale = listing(&place).iter().filter(|name| name.contains("abc123")).count();
        seen.lock().unwrap().push((step, stale));
        Ok(())
    });
    let session = home.user_on(&disk);
    ask(&session);
    assert_eq!(home.listing().len(), files.len() + 1, "reading sweeps nothing");
    session.refresh().unwrap();
    for (name, _, stays) in files {
        assert_eq!(home.file(name).exists(), stays, "{name}");
    }
    assert_eq!(
        listings.lock().unwrap()[0],
        (Step::Lock, 3),
        "nothing is swept before the lock is held"
    );
}

#[test]
fn f090_an_old_file_from_a_backup_requires_a_login_without_a_loop() {
    let planet = Planet::new();
    let seeded = planet.seed(&json!({}));
    let backup = std::fs::read(planet.token_file()).unwrap();
    let session = planet.session();
    session.refresh().unwrap();
    session.refresh().unwrap();
    planet.assert_alive(&seeded, 2);
    // The backup's access token has expired, and its refresh token was used long ago.
    let mut old: Value = serde_json::from_slice(&backup).unwrap();
    old["access_token"] = json!("opaque-and-expired");
    old["_iat"] = json!(NOW - 1_000_000_000);
    old["_exp"] = json!(NOW - 999_996_400);
    let old = sdk_bytes(&old);
    std::fs::write(planet.token_file(), &old).unwrap();
    for _ in 0..3 {
        let error = planet.session().access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::Revoked))
        );
    }
    assert_eq!(
        (planet.requests(), planet.simulator.count("user.reuse").unwrap()),
        (3, 1),
        "sent once"
    );
    // A tool restores the file again and again. The failure record remembers the revoked token.
    for _ in 0..3 {
        std::fs::remove_file(planet.token_file()).unwrap();
        std::fs::write(planet.token_file(), &old).unwrap();
        assert_eq!(planet.session().refresh().unwrap_err().reason(), Some(Reason::Revoked));
    }
    assert_eq!(planet.requests(), 3);
    planet.seed_expired();
    planet.session().access_token().unwrap();
    assert_eq!(planet.requests(), 4);
}

/// A restored file whose token is recorded as revoked costs no request, also if it appears while a
/// session is open.
#[test]
fn f090_a_restored_revoked_token_is_not_sent() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let backup = std::fs::read(home.token_file()).unwrap();
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let session = home.user();
    assert_eq!(what(&session).1, "revoked");
    home.seed(&json!({"access_token": "new-login", "refresh_token": "refresh-new"}));
    home.advance(1);
    assert_eq!(ask(&session), "new-login");
    session.refresh().unwrap();
    std::fs::write(home.token_file(), &backup).unwrap();
    home.advance(1);
    for _ in 0..5 {
        assert_eq!(what(&session).1, "revoked");
        assert_eq!(session.refresh().unwrap_err().reason(), Some(Reason::Revoked));
        home.advance(60);
    }
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-new"]);
}

/// Another version of planetkey wrote the failure record. Older versions wrote fewer members, or
/// none.
#[test]
fn f115_files_of_another_version_are_read() {
    let fingerprint = buried(SEEDED_REFRESH);
    let memos = [
        json!({}),
        json!({"form": 0}),
        json!({"form": "one", "dead": "none", "receipt": 5, "not_before": []}),
        json!({"form": 1, "receipt": {"tokens": "?"}, "not_before": {"unix_ms": 1, "status": "UNKNOWN", "message": "m"}}),
        json!({"form": 1, "dead": [1, null, "x"]}),
        json!({"form": 99, "dead": []}),
    ];
    for record in memos {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        home.write(&home.failure_record_file(), &record);
        assert_eq!(ask(&home.user()), "access-1", "{record}");
        assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("access-1", 1), "{record}");
    }
    // A token that an older version recorded as revoked stays revoked.
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.write(&home.failure_record_file(), &json!({"dead": [fingerprint]}));
    assert_eq!((what(&home.user()).1.as_str(), home.fake.count()), ("revoked", 0));
    // A damaged failure record is ignored and written anew.
    home.fake.answers(oauth_error(400, "invalid_grant"));
    std::fs::write(home.failure_record_file(), "{\"dead\": [").unwrap();
    assert_eq!((what(&home.user()).1.as_str(), home.fake.count()), ("revoked", 1));
    assert_eq!(home.failure_record()["dead"][0], json!(fingerprint));
    // A failure record that cannot be written costs one more request, but no session.
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::sound();
    let session = home.user_on(&disk);
    let first = Mutex::new(true);
    disk.does(move |step| match step {
        Step::Create if std::mem::take(&mut *first.lock().unwrap()) => Err(Errno::IO.into()),
        _ => Ok(()),
    });
    session.refresh().unwrap();
    assert_eq!(
        (home.refresh_token().as_str(), home.failure_record_file().exists()),
        ("refresh-1", false)
    );
    assert_eq!((ask(&home.user()).as_str(), home.fake.count()), ("access-1", 1));
}

/// The status reports a session that cannot be used, and does not change its file.
#[test]
fn the_status_says_why_a_session_cannot_be_used() {
    let note = |home: &Home| home.user().status().notes().to_vec();
    let home = Home::new();
    assert_eq!(note(&home), <[String; 0]>::default());
    home.seed(&json!({}));
    assert_eq!(note(&home), <[String; 0]>::default());
    for damaged in [&b"garbage"[..], b"", b"{\"access_token\": 1}"] {
        std::fs::write(home.token_file(), damaged).unwrap();
        let notes = note(&home);
        assert!(
            notes.len() == 1
                && notes[0].contains("token.json is damaged, or another program is writing it"),
            "{notes:?}"
        );
        assert_eq!(std::fs::read(home.token_file()).unwrap(), damaged);
    }
    std::fs::remove_file(home.token_file()).unwrap();
    std::fs::create_dir(home.token_file()).unwrap();
    assert!(note(&home)[0].contains("is not a file; move it away"), "{:?}", note(&home));
    std::fs::remove_dir(home.token_file()).unwrap();
    std::os::unix::fs::symlink("token.json", home.token_file()).unwrap();
    assert!(note(&home)[0].contains("token.json cannot be read"), "{:?}", note(&home));
    // With another credential present, the damaged session is skipped. The note does not claim that
    // it expired.
    let profile = home.path().join(".planet/planet-user");
    std::fs::create_dir_all(&profile).unwrap();
    std::fs::write(profile.join("token.json"), "garbage").unwrap();
    let mut options = home.options();
    let variables = [
        (planetkey::profile::HOME_VARIABLE, home.path().as_os_str()),
        ("PL_API_KEY", "KEY".as_ref()),
    ];
    options.runtime.environment = Arc::new(planetkey::profile::FixedEnvironment::new(variables));
    let notes = Session::from_defaults(&options).unwrap().status().notes().to_vec();
    assert!(notes.len() == 1 && notes[0].contains("is damaged"), "{notes:?}");
}
