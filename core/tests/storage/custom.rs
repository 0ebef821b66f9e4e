//! An application's own storage: load, save, and an optional lock.

use crate::common::*;
use planetkey::{Error, Options, Reason, Session, Status};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

fn options(home: &Home, vault: &Arc<Vault>) -> Options {
    home.options().with(|it| it.storage = Some(vault.clone()))
}

fn over() -> serde_json::Value {
    seeded(&json!({"_iat": NOW - 3600, "_exp": NOW}))
}

fn broken() -> Error {
    Error::new(Status::Storage, "the vault is closed")
}

#[test]
fn a_refresh_locks_loads_saves_and_unlocks_in_this_order() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    let session = user(&options(&home, &vault));
    assert_eq!(vault.calls(), Vec::<&str>::new(), "opening a session calls no storage");
    let during = vault.clone();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let at_request = seen.clone();
    home.fake.then(move || {
        at_request.lock().unwrap().extend(during.calls.lock().unwrap().clone());
        Ok(token(&rotated(1)))
    });
    assert_eq!(ask(&session), "access-1");
    assert_eq!(*seen.lock().unwrap(), ["lock", "load"], "the lock spans the request");
    assert_eq!(vault.calls(), ["lock", "load", "save", "unlock"]);
    // The text has the format of Planet's SDK.
    let text = vault.text.lock().unwrap().clone().unwrap();
    assert_eq!(text.as_bytes(), sdk_bytes(&serde_json::from_str(&text).unwrap()));
    assert_eq!(
        (&vault.tokens()["refresh_token"], &vault.tokens()["_exp"]),
        (&json!("refresh-1"), &json!(NOW + 3600))
    );
    // A valid token needs no call to the storage.
    for _ in 0..20 {
        assert_eq!(ask(&session), "access-1");
        home.advance(10);
        assert!(session.status().is_initialized());
    }
    assert_eq!(vault.calls(), Vec::<&str>::new());
    assert!(session.status().sources()[0].file.is_none());
    // A saved token that is valid is used without a request.
    let other = user(&options(&home, &vault));
    assert_eq!((ask(&other).as_str(), vault.calls()), ("access-1", vec!["lock", "load", "unlock"]));
    assert_eq!(home.fake.count(), 1);
    assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
    assert_eq!(vault.calls(), ["lock", "load", "delete", "unlock"]);
    assert!(
        vault.text.lock().unwrap().is_none()
            && !session.logout(planetkey::Revoke::No).unwrap().removed
    );
    assert_eq!(session.access_token().unwrap_err().reason(), Some(Reason::LoggedOut));
}

#[test]
fn a_storage_that_cannot_be_read_is_a_storage_error() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    vault.does(|call| if call == "load" { Err(broken()) } else { Ok(true) });
    let session = user(&options(&home, &vault));
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.message()), (Status::Storage, "the vault is closed"));
    assert_eq!((vault.calls(), home.fake.count()), (vec!["lock", "load", "unlock"], 0));
    vault.recovers();
    home.advance(30);
    assert_eq!(ask(&session), "access-1");
    // An M2M client gets a token although the storage cannot be loaded.
    vault.does(|call| if call == "load" { Err(broken()) } else { Ok(true) });
    let m2m = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options(&home, &vault)).unwrap();
    assert_eq!(ask(&m2m), "access-2");
}

#[test]
fn a_storage_that_cannot_save_leaves_the_session_in_memory() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    vault.does(|call| if call == "save" { Err(broken()) } else { Ok(true) });
    let session = user(&options(&home, &vault));
    assert_eq!(ask(&session), "access-1");
    let note = session.status().notes().join("; ");
    assert!(
        note.contains("lives in this process only") && note.contains("the vault is closed"),
        "{note}"
    );
    assert_eq!(vault.tokens()["refresh_token"], SEEDED_REFRESH);
    session.refresh().unwrap();
    assert_eq!(home.sent(), [SEEDED_REFRESH, "refresh-1"]);
    // The tokens are saved as soon as the storage works again, without another request.
    vault.recovers();
    home.advance(31);
    ask(&session);
    eventually(|| vault.tokens()["refresh_token"] == "refresh-2");
    eventually(|| session.status().notes().is_empty());
    assert_eq!(home.fake.count(), 2);
}

#[test]
fn an_unavailable_lock_is_a_timeout_and_a_failed_one_is_an_error() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    vault.does(|call| Ok(call != "lock"));
    let session = user(&options(&home, &vault));
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Timeout, true));
    assert_eq!(
        (vault.calls(), home.fake.count()),
        (vec!["lock"], 0),
        "what was not locked is not unlocked"
    );
    vault.does(|call| if call == "lock" { Err(broken()) } else { Ok(true) });
    home.advance(30);
    assert_eq!(session.access_token().unwrap_err().status(), Status::Storage);
    assert_eq!(session.logout(planetkey::Revoke::No).unwrap_err().status(), Status::Storage);
    vault.recovers();
    home.advance(60);
    assert_eq!(ask(&session), "access-1");
}

/// The time limit passed to the lock is the rest of the call's deadline.
#[test]
fn the_lock_callback_gets_its_timeout() {
    struct Timed(Mutex<Vec<std::time::Duration>>);
    impl planetkey::storage::Storage for Timed {
        fn load(&self) -> planetkey::Result<Option<planetkey::secret::Secret>> {
            Ok(None)
        }
        fn save(&self, _: Option<&planetkey::secret::Secret>) -> planetkey::Result<()> {
            Ok(())
        }
        fn lock(&self, timeout: std::time::Duration) -> planetkey::Result<bool> {
            self.0.lock().unwrap().push(timeout);
            Ok(true)
        }
    }
    let home = Home::new();
    let timed = Arc::new(Timed(Mutex::default()));
    let options = home.options().with(|it| {
        it.storage = Some(timed.clone());
        it.timeout = Some(Duration::from_millis(7_000));
    });
    let session = user(&options);
    session.access_token().unwrap_err();
    home.advance(10);
    session.with_timeout(std::time::Duration::from_millis(90_000)).access_token().unwrap_err();
    let seconds: Vec<u64> = timed
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|timeout| timeout.as_millis().div_ceil(1000) as u64)
        .collect();
    assert_eq!(seconds, [7, 90]);
}

/// A caller whose deadline passes while the application's lock is not available learns that.
#[test]
fn a_deadline_that_passes_during_the_lock_names_the_lock() {
    struct Locked(Mutex<std::sync::mpsc::Receiver<()>>);
    impl planetkey::storage::Storage for Locked {
        fn load(&self) -> planetkey::Result<Option<planetkey::secret::Secret>> {
            Ok(Some(over().to_string().into()))
        }
        fn save(&self, _: Option<&planetkey::secret::Secret>) -> planetkey::Result<()> {
            Ok(())
        }
        fn lock(&self, _: Duration) -> planetkey::Result<bool> {
            // Until the test ends.
            let _ = self.0.lock().unwrap().recv();
            Ok(false)
        }
    }
    let home = Home::new();
    let (_holder, held) = std::sync::mpsc::channel();
    let locked = Arc::new(Locked(Mutex::new(held)));
    let session = user(&home.options().with(|it| it.storage = Some(locked)));
    let hurried = session.with_timeout(Duration::from_millis(20));
    eventually(|| {
        let error = hurried.access_token().unwrap_err();
        error.status() == Status::Timeout && error.message().contains("application's storage lock")
    });
}

#[test]
fn damaged_text_requires_a_login_and_an_m2m_client_replaces_it() {
    for damaged in ["{\"access", "[]", "5"] {
        let home = Home::new();
        let vault = Vault::with_text(Some(damaged));
        let session = user(&options(&home, &vault));
        for _ in 0..3 {
            let error = session.access_token().unwrap_err();
            assert_eq!(
                (error.status(), error.reason()),
                (Status::LoginRequired, Some(Reason::Corrupt))
            );
            home.advance(2);
        }
        assert_eq!(vault.text.lock().unwrap().as_deref(), Some(damaged), "it is the application's");
        *vault.text.lock().unwrap() = Some(seeded(&json!({})).to_string());
        assert_eq!(ask(&session), SEEDED);
        *vault.text.lock().unwrap() = Some(damaged.to_owned());
        assert_eq!(ask(&m2m(&options(&home, &vault))), "access-1");
        assert_eq!(vault.tokens()["access_token"], "access-1");
    }
    // Both no text and an empty text mean that no session is saved.
    for nothing in [None, Some("")] {
        let home = Home::new();
        let vault = Vault::with_text(nothing);
        assert_eq!(
            user(&options(&home, &vault)).access_token().unwrap_err().reason(),
            Some(Reason::NeverLoggedIn)
        );
    }
}

/// The next call finds a login that the application itself saved, because planetkey cannot watch
/// this storage for changes.
#[test]
fn a_login_by_the_application_is_found() {
    let home = Home::new();
    let vault = Vault::with_text(None);
    let session = user(&options(&home, &vault));
    for number in 0..3 {
        assert!(session.access_token().is_err());
        let name = format!("login-{number}");
        *vault.text.lock().unwrap() = Some(seeded(&json!({"access_token": name})).to_string());
        home.advance(1);
        assert_eq!(ask(&session), name);
        session.logout(planetkey::Revoke::No).unwrap();
    }
}

/// Each storage call ends before the next begins, whatever the threads do.
#[test]
fn a_storage_is_called_by_one_thread_at_a_time() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    let inside = AtomicUsize::new(0);
    let most = Arc::new(AtomicUsize::new(0));
    let record = most.clone();
    vault.does(move |_| {
        record.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        for _ in 0..20 {
            std::thread::yield_now();
        }
        inside.fetch_sub(1, Ordering::SeqCst);
        Ok(true)
    });
    let session = user(&options(&home, &vault));
    std::thread::scope(|scope| {
        for number in 0..16 {
            let (session, vault) = (&session, &vault);
            scope.spawn(move || {
                for _ in 0..10 {
                    match number % 4 {
                        0 => drop(session.logout(planetkey::Revoke::No)),
                        1 => drop(session.refresh()),
                        2 => drop(session.access_token()),
                        _ => *vault.text.lock().unwrap() = Some(over().to_string()),
                    }
                }
            });
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[test]
fn f093_sessions_that_share_a_storage_with_a_lock_send_one_request() {
    /// A vault whose lock is exclusive.
    struct Locking {
        vault: Arc<Vault>,
        locked: Mutex<bool>,
        changed: std::sync::Condvar,
    }
    impl planetkey::storage::Storage for Locking {
        fn load(&self) -> planetkey::Result<Option<planetkey::secret::Secret>> {
            self.vault.load()
        }
        fn save(&self, text: Option<&planetkey::secret::Secret>) -> planetkey::Result<()> {
            self.vault.save(text)
        }
        fn lock(&self, timeout: std::time::Duration) -> planetkey::Result<bool> {
            let locked = self.locked.lock().unwrap();
            let (mut locked, outcome) =
                self.changed.wait_timeout_while(locked, timeout, |locked| *locked).unwrap();
            *locked |= !outcome.timed_out();
            Ok(!outcome.timed_out())
        }
        fn unlock(&self) {
            *self.locked.lock().unwrap() = false;
            self.changed.notify_all();
        }
    }
    let home = Home::new();
    let locking = Arc::new(Locking {
        vault: Vault::holding(&over()),
        locked: Mutex::new(false),
        changed: std::sync::Condvar::new(),
    });
    let sessions: Vec<Session> = (0..8)
        .map(|_| user(&home.options().with(|it| it.storage = Some(locking.clone()))))
        .collect();
    std::thread::scope(|scope| {
        for session in &sessions {
            scope.spawn(|| assert_eq!(ask(session), "access-1"));
        }
    });
    assert_eq!(home.fake.count(), 1);
}

/// A callback that panics is a bug of the application. The lock is released, and every caller gets
/// an error.
#[test]
fn a_callback_that_panics_releases_the_lock() {
    let home = Home::new();
    let vault = Vault::holding(&over());
    vault.does(
        |call| if call == "load" { panic!("a bug in a callback, on purpose") } else { Ok(true) },
    );
    let session = user(&options(&home, &vault));
    assert_eq!(session.access_token().unwrap_err().status(), Status::Internal);
    assert_eq!(vault.calls(), ["lock", "load", "unlock"]);
    vault.recovers();
    home.advance(30);
    assert_eq!(ask(&session), "access-1");
}

/// A callback that uses the session it serves gets the cached token, or an error at once. It never
/// waits for itself.
#[test]
fn f099_a_storage_may_call_the_session() {
    /// In which callback, which call, and its outcome.
    type Answer = (&'static str, &'static str, Option<Status>);
    let home = Home::new();
    let vault = Vault::holding(&over());
    let inner: Arc<OnceLock<Session>> = Arc::default();
    let answers: Arc<Mutex<Vec<Answer>>> = Arc::default();
    let (session_of_callback, record) = (inner.clone(), answers.clone());
    vault.does(move |call| {
        let session: &Session = session_of_callback.get().unwrap();
        let status = |result: planetkey::Result<()>| result.err().map(|error| error.status());
        session.access_token_cached().unwrap();
        session.status();
        session.is_initialized();
        session.invalidate("other").unwrap();
        let waits = [
            ("ask", session.access_token().map(drop)),
            ("refresh", session.refresh()),
            ("logout", session.logout(planetkey::Revoke::No).map(drop)),
        ];
        record.lock().unwrap().extend(waits.map(|(what, result)| (call, what, status(result))));
        Ok(true)
    });
    let session = user(&options(&home, &vault));
    inner.set(session.clone()).unwrap();
    assert_eq!(ask(&session), "access-1");
    // Besides the refresh, this tests logout, which runs on the caller's own thread.
    assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
    let answers = answers.lock().unwrap();
    let calls: std::collections::BTreeSet<&str> = answers.iter().map(|(call, ..)| *call).collect();
    assert_eq!(calls.into_iter().collect::<Vec<_>>(), ["delete", "load", "lock", "save", "unlock"]);
    for (call, what, status) in answers.iter() {
        // A valid token is available to every caller after the refresh and until the logout.
        let is_cached = (*what, *status) == ("ask", None);
        assert!(is_cached || *status == Some(Status::Unavailable), "{what} in {call}: {status:?}");
    }
    drop(answers);
    vault.recovers();
}

/// A process that starts uses a saved token past its soft deadline and refreshes it in the
/// background, as with a file.
#[test]
fn i10_23_a_saved_token_that_is_due_is_used_at_once() {
    let due = seeded(&json!({"_iat": NOW - 2800, "_exp": NOW + 800}));
    for (open, is_m2m) in [(user as fn(&Options) -> Session, false), (m2m, true)] {
        let home = Home::new();
        home.fake.always(|_| Ok(busy(503, None)));
        let mut saved = due.clone();
        if is_m2m {
            saved.as_object_mut().unwrap().remove("refresh_token");
        }
        let vault = Vault::holding(&saved);
        let session = open(&options(&home, &vault));
        assert_eq!(ask(&session), SEEDED);
        // One call starts the background refresh. The saved token stays in use while the refresh
        // fails.
        home.fake.wait_requests(1);
        assert_eq!(ask(&session), SEEDED);
        home.fake.always(|number| Ok(token(&rotated(number + 100))));
        eventually(|| {
            home.advance(1);
            ask(&session).starts_with("access-1")
        });
        assert!(vault.tokens()["access_token"].as_str().unwrap().starts_with("access-1"));
    }
    // A caller that asks for a refresh gets a newer token.
    let home = Home::new();
    let vault = Vault::holding(&due);
    let session = user(&options(&home, &vault));
    session.refresh().unwrap();
    assert_eq!(ask(&session), "access-1");
}

/// If the application's lock fails, an M2M client gets a token that it does not share with other
/// processes. A user's refresh token is not sent without the lock.
#[test]
fn i10_13_without_the_lock_an_m2m_client_gets_a_token_in_memory() {
    let home = Home::new();
    let vault = Vault::with_text(None);
    vault.does(|call| if call == "lock" { Err(broken()) } else { Ok(true) });
    let session = m2m(&options(&home, &vault));
    assert_eq!((ask(&session).as_str(), home.fake.count()), ("access-1", 1));
    assert!(!vault.calls().contains(&"unlock"), "what was not locked is not unlocked");
    let vault = Vault::holding(&over());
    vault.does(|call| if call == "lock" { Err(broken()) } else { Ok(true) });
    let error = user(&options(&home, &vault)).access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.message(), home.fake.count()),
        (Status::Storage, "the vault is closed", 1)
    );
}

#[test]
fn a_newer_login_in_a_custom_storage_replaces_unsaved_tokens() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    vault.does(|call| {
        if call == "save" {
            Err(planetkey::Error::new(Status::Storage, "closed"))
        } else {
            Ok(true)
        }
    });
    let session = user(&home.options().with(|it| it.storage = Some(vault.clone())));
    assert_eq!(ask(&session), "access-1");
    vault.recovers();
    // Another process logs in as a different user.
    *vault.text.lock().unwrap() = Some(
        seeded(&json!({"access_token": "of-bob", "refresh_token": "refresh-of-bob"})).to_string(),
    );
    home.advance(31);
    ask(&session);
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert_eq!(vault.tokens()["refresh_token"], "refresh-of-bob");
}

#[test]
fn a_logout_in_a_custom_storage_discards_unsaved_tokens() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    vault.does(|call| {
        if call == "save" {
            Err(planetkey::Error::new(Status::Storage, "closed"))
        } else {
            Ok(true)
        }
    });
    let session = user(&home.options().with(|it| it.storage = Some(vault.clone())));
    assert_eq!(ask(&session), "access-1");
    vault.recovers();
    user(&home.options().with(|it| it.storage = Some(vault.clone())))
        .logout(planetkey::Revoke::No)
        .unwrap();
    home.advance(31);
    ask(&session);
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert!(vault.text.lock().unwrap().is_none(), "{:?}", vault.text.lock().unwrap());
}

#[test]
fn a_login_after_a_revocation_is_found_in_a_custom_storage() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let session = user(&home.options().with(|it| it.storage = Some(vault.clone())));
    assert!(session.access_token().is_err());
    *vault.text.lock().unwrap() = Some(
        seeded(&json!({"access_token": "of-a-new-login", "refresh_token": "new"})).to_string(),
    );
    home.advance(120);
    assert_eq!(ask(&session), "of-a-new-login");
}

/// Twelve machines share a storage. The server tells the first one to come back in ten minutes.
#[test]
fn retry_after_travels_with_what_is_saved() {
    let vault = Vault::with_text(None);
    let (fake, clock) = (Fake::new(), Arc::new(planetkey::clock::ManualClock::new(NOW)));
    fake.answers(busy(429, Some("600")));
    let machines: Vec<Home> = (0..12).map(|_| Home::new()).collect();
    let sessions: Vec<Session> = machines
        .iter()
        .map(|home| {
            let options = home.options_with(&fake, &clock);
            m2m(&options.with(|it| it.storage = Some(vault.clone())))
        })
        .collect();
    for session in &sessions {
        let error = session.access_token().unwrap_err();
        assert_eq!((error.status(), error.http_status()), (Status::Unavailable, Some(429)));
        assert_eq!(error.retry_after(), Some(Duration::from_secs(600)));
    }
    assert_eq!(fake.count(), 1);
    assert_eq!(vault.tokens().as_object().unwrap().keys().collect::<Vec<_>>(), ["_planetkey"]);
    clock.advance(Duration::from_secs(600));
    for session in &sessions {
        assert_eq!(ask(session), "token-1");
    }
    assert_eq!(fake.count(), 2);
    assert_eq!(vault.tokens()["_planetkey"].get("not_before"), None);
    // The receipt of the token travels, too: its lifetime counts from when it was received.
    clock.advance(Duration::from_secs(3000));
    let home = Home::new();
    let options = home.options_with(&fake, &clock).with(|it| it.storage = Some(vault.clone()));
    let late = m2m(&options).access_token().unwrap().expires_at().unwrap();
    assert_eq!(late, i64::try_from(NOW + 600 + 3600).unwrap());
}

#[test]
fn a_revoked_refresh_token_is_sent_by_one_machine_only() {
    let (first, second) = (Home::new(), Home::new());
    let vault = Vault::holding(&over());
    let refusal = answer(400, "application/json", r#"{"error": "invalid_grant"}"#);
    first.fake.answers(refusal);
    let error = user(&options(&first, &vault)).access_token().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Revoked));
    let error = user(&options(&second, &vault)).access_token().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::Revoked));
    assert_eq!((first.fake.count(), second.fake.count()), (1, 0));
    // The tokens are unchanged: another program may still have a use for them.
    assert_eq!(vault.tokens()["refresh_token"], SEEDED_REFRESH);
    // After a login the mark stays, and does no harm.
    let text = vault.tokens()["_planetkey"].clone();
    let members = seeded(&json!({"refresh_token": "another", "_planetkey": text}));
    *vault.text.lock().unwrap() = Some(members.to_string());
    assert_eq!(ask(&user(&options(&second, &vault))), SEEDED);
}

#[test]
fn a_failure_that_cannot_be_saved_holds_for_its_own_process() {
    let (first, second) = (Home::new(), Home::new());
    let vault = Vault::with_text(None);
    vault.does(|call| if call == "save" { Err(broken()) } else { Ok(true) });
    let open = |home: &Home| m2m(&options(home, &vault));
    let (one, other) = (open(&first), open(&second));
    first.fake.answers(busy(429, Some("600")));
    assert_eq!(one.access_token().unwrap_err().http_status(), Some(429));
    first.advance(300);
    assert_eq!(one.access_token().unwrap_err().retry_after(), Some(Duration::from_secs(300)));
    assert_eq!((first.fake.count(), ask(&other).as_str()), (1, "access-1"));
}

#[test]
fn without_a_lock_an_m2m_client_gets_its_token() {
    let home = Home::new();
    let vault = Vault::with_text(None);
    vault.does(|call| if call == "lock" { Err(broken()) } else { Ok(true) });
    assert_eq!(ask(&m2m(&options(&home, &vault))), "access-1");
    assert_eq!(vault.tokens()["access_token"], "access-1");
}

#[test]
fn from_defaults_has_a_storage_for_its_first_m2m_client() {
    use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
    let home = Home::new();
    let vault = Vault::with_text(None);
    let opened = |variables: &[(&str, &str)]| {
        let mut options = options(&home, &vault);
        let of_home = [(HOME_VARIABLE, home.path().to_str().unwrap())];
        let all = of_home.iter().chain(variables).copied();
        options.runtime.environment = Arc::new(FixedEnvironment::new(all));
        Session::from_defaults(&options).unwrap()
    };
    let client = [("PL_AUTH_CLIENT_ID", "one"), ("PL_AUTH_CLIENT_SECRET", "s")];
    let both = [client[0], client[1], ("SH_CLIENT_ID", "two"), ("SH_CLIENT_SECRET", "s")];
    let session = opened(&both);
    assert_eq!(vault.calls(), Vec::<&str>::new());
    assert_eq!(&*session.access_token().unwrap(), "access-1");
    assert_eq!(vault.tokens()["access_token"], "access-1");
    let files: Vec<bool> =
        session.status().sources().iter().map(|source| source.file.is_some()).collect();
    assert_eq!(files, [false, true], "the second client has its file");
    assert!(session.status().notes().iter().all(|note| !note.contains("storage")));
    // A user session and a key stay where they are.
    vault.calls();
    home.write(&home.path().join(".planet/planet-user/token.json"), &seeded(&json!({})));
    let session = opened(&[("PL_API_KEY", "KEY")]);
    assert!(session.access_token().is_ok() && vault.calls().is_empty());
    assert!(session.status().notes().iter().any(|note| note.contains("storage is not used")));
}
