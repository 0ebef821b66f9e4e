//! A refresh or a read of the file, while another program logs in, logs out or writes the file.

use crate::common::*;
use planetkey::storage::Step;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// While the refresh of this process waits for the lock, another call checks the file and publishes
/// another process's token. The refresh must then not send a request.
#[test]
fn a_refresh_that_waited_for_the_lock_uses_a_token_found_meanwhile() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::sound();
    let session = home.user_on(&disk);
    assert_eq!(ask(&session), SEEDED);
    let (arrived, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let (a, g) = (arrived.clone(), go.clone());
    disk.does(move |step| {
        if step == Step::Lock && !a.swap(true, Ordering::SeqCst) {
            eventually(|| g.load(Ordering::SeqCst));
        }
        Ok(())
    });
    home.advance(2900);
    assert_eq!(ask(&session), SEEDED); // due: starts in the background, waits at the lock
    eventually(|| arrived.load(Ordering::SeqCst));
    // Another process has refreshed meanwhile.
    home.seed(&json!({"_iat": NOW + 2900, "_exp": NOW + 6500, "access_token": "theirs", "refresh_token": "refresh-theirs"}));
    home.advance(1);
    assert_eq!(ask(&session), "theirs");
    go.store(true, Ordering::SeqCst);
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert_eq!((home.fake.count(), home.refresh_token().as_str()), (0, "refresh-theirs"));
}

#[test]
fn a_login_by_the_sdk_during_a_refresh_stays() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let (file, login) = (
        home.token_file(),
        sdk_bytes(&seeded(&json!({"access_token": "of-bob", "refresh_token": "refresh-of-bob"}))),
    );
    home.fake.then(move || {
        sdk_write(&file, &login);
        Ok(token(&rotated(7)))
    });
    let session = home.user();
    let got = ask(&session);
    assert_eq!((got.as_str(), home.refresh_token().as_str()), ("of-bob", "refresh-of-bob"));
}

#[test]
fn a_reset_during_a_refresh_stays() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let file = home.token_file();
    home.fake.then(move || {
        std::fs::rename(file.parent().unwrap(), file.parent().unwrap().with_extension("reset"))
            .unwrap();
        Ok(token(&rotated(7)))
    });
    let session = home.user();
    let _ = ask(&session);
    assert!(!home.token_file().exists());
}

#[test]
fn a_slow_writer_keeps_its_session_when_the_file_is_renamed() {
    let home = Home::new();
    home.seed(&json!({}));
    let whole = sdk_bytes(&seeded(
        &json!({"access_token": "of-the-sdk", "refresh_token": "rotated-by-the-sdk"}),
    ));
    // Truncated, then stopped for longer than a quarter of a second.
    let mut writer = std::fs::File::create(home.token_file()).unwrap();
    let session = home.user();
    let during = ask(&session);
    std::io::Write::write_all(&mut writer, &whole).unwrap();
    drop(writer);
    home.advance(2);
    assert_eq!(ask(&session), "of-the-sdk", "{during} {:?}", home.listing());
}

/// A logger that is slow at one message, about permissions.
struct Slow(std::sync::Mutex<Option<(Arc<AtomicBool>, Arc<AtomicBool>)>>);

impl log::Log for Slow {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let message = record.args().to_string();
        if message.contains("can be read by other users") && message.contains("token.json") {
            let gate = self.0.lock().unwrap().take();
            if let Some((arrived, go)) = gate {
                arrived.store(true, Ordering::SeqCst);
                eventually(|| go.load(Ordering::SeqCst));
            }
        }
    }
    fn flush(&self) {}
}

static SLOW: Slow = Slow(std::sync::Mutex::new(None));

#[test]
fn a_read_that_began_before_a_logout_does_not_restore_the_token() {
    // A process has one logger.
    if !in_own_process(
        module_path!(),
        "a_read_that_began_before_a_logout_does_not_restore_the_token",
    ) {
        return;
    }
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    home.seed(&json!({}));
    std::fs::set_permissions(home.token_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (arrived, go) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    *SLOW.0.lock().unwrap() = Some((arrived.clone(), go.clone()));
    log::set_logger(&SLOW).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let session = home.user();
    std::thread::scope(|scope| {
        scope.spawn(|| ask(&session));
        eventually(|| arrived.load(Ordering::SeqCst));
        assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
        go.store(true, Ordering::SeqCst);
    });
    let after = session.access_token_cached().unwrap().map(|token| token.to_string());
    assert_eq!((after, home.token_file().exists()), (None, false));
}
