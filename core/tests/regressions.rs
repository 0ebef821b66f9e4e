//! Past bugs of sessions on disk, and bugs that were found in time: races between a check of the
//! file, a refresh, a logout and other programs; and tokens sent to the wrong host.

use crate::common::*;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::storage::{FailureRecord, Step};
use planetkey::{
    BrowserLogin, DeviceLogin, LoginOptions, Prompt, PromptKind, Reason, Session, Status,
};
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::Duration;

/// While the refresh of this process waits for the lock, another call checks the file and publishes
/// another process's token. The refresh must then not send a request.
#[test]
fn a_token_that_a_look_finds_spares_the_renewal_that_waits_for_the_lock() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::sound();
    let session = home.person_on(&disk);
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
fn threads_that_start_together_with_a_valid_token_make_no_request() {
    let mut spurious = 0;
    for _ in 0..200 {
        let home = Home::new();
        home.seed(&json!({}));
        let session = home.person();
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

#[test]
fn a_login_by_the_sdk_during_a_renewal_stays() {
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
    let session = home.person();
    let got = ask(&session);
    assert_eq!((got.as_str(), home.refresh_token().as_str()), ("of-bob", "refresh-of-bob"));
}

#[test]
fn a_reset_during_a_renewal_stays() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let file = home.token_file();
    home.fake.then(move || {
        std::fs::rename(file.parent().unwrap(), file.parent().unwrap().with_extension("reset"))
            .unwrap();
        Ok(token(&rotated(7)))
    });
    let session = home.person();
    let _ = ask(&session);
    assert!(!home.token_file().exists());
}

#[test]
fn a_refresh_token_is_sent_with_its_whole_time() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let session = person(&home.options().with(|it| it.timeout = Some(Duration::from_millis(2000))));
    ask(&session);
    assert!(
        home.fake.seen()[0].timeout >= Duration::from_secs(12),
        "{:?}",
        home.fake.seen()[0].timeout
    );
}

#[test]
fn the_secret_of_another_deployments_client_stays_there() {
    let home = Home::new();
    let file = home.path().join(".planet/cdse/auth_client.json");
    home.write(
        &file,
        &json!({"client_type": "oidc_client_credentials_secret", "client_id": "cdse-id", "client_secret": "CDSE-SECRET",
        "deployment": "copernicus-data-space"}),
    );
    let mut options = home.options();
    Session::from_profile("cdse", &options)
        .unwrap()
        .headers("https://sh.dataspace.copernicus.eu/x")
        .unwrap();
    assert!(home.fake.seen()[0].url.contains("copernicus"));
    std::fs::remove_file(home.path().join(".planet/cdse/token.json")).unwrap();
    options.runtime.environment = Arc::new(FixedEnvironment::new([
        (HOME_VARIABLE, home.path().as_os_str().to_owned()),
        ("PL_AUTH_PROFILE", "cdse".into()),
    ]));
    let session = Session::from_defaults(&options).unwrap();
    let at_own_host = session
        .headers("https://sh.dataspace.copernicus.eu/x")
        .map(drop)
        .map_err(|error| error.to_string());
    let _ = session.headers(SENTINEL_HUB);
    let seen = home.fake.seen();
    assert!(
        seen.len() < 2 || !seen[1].url.contains("sentinel-hub"),
        "{at_own_host:?} {} {}",
        seen[1].url,
        seen[1].body
    );
}

fn other_deployment() -> String {
    json!({"name": "staging",
        "authorization_servers": [{"subject": "user", "issuer": "https://login.staging.example/", "token_endpoint": "https://login.staging.example/token"}],
        "resource_servers": [{"hosts": ["api.staging.example"], "user_token": "yes", "m2m_token": "yes", "api_key": "no"}]}).to_string()
}

#[test]
fn planets_tokens_stay_at_planet() {
    let home = Home::new();
    let file = home.path().join(".planet/planet-user/token.json");
    let iss =
        |exp: u64| jwt(&json!({"iss": "https://login.planet.com/", "iat": NOW - 10, "exp": exp}));
    home.write(&file, &seeded(&json!({"access_token": iss(NOW + 3600), "_exp": NOW + 3600})));
    let options = home.options().with(|it| it.deployment = Some(other_deployment()));
    let session = Session::from_defaults(&options).unwrap();
    let sent = session
        .headers("https://api.staging.example/x")
        .map(|a| a.header_value().unwrap().to_owned())
        .map_err(|e| e.to_string());
    // The same for the refresh token.
    home.write(
        &file,
        &seeded(&json!({"access_token": iss(NOW - 1), "_exp": NOW - 1, "_iat": NOW - 3600})),
    );
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let _ = Session::from_defaults(&options).unwrap().headers("https://api.staging.example/x");
    let urls: Vec<_> =
        home.fake.seen().iter().map(|s| (s.url.clone(), s.field("refresh_token"))).collect();
    // From here on Planet's own client.
    home.fake.answers(json_answer(
        200,
        &json!({"issuer": "https://login.planet.com/", "token_endpoint": "https://login.planet.com/token"}),
    ));
    let own = Session::from_profile("planet-user", &home.options()).unwrap();
    let after = ask(&own);
    assert!(
        sent.is_err() && urls.is_empty() && after.starts_with("access"),
        "{sent:?} {urls:?} {after}"
    );
}

#[test]
fn what_was_not_saved_gives_way_to_a_newer_login_in_an_applications_storage() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    vault.does(|call| {
        if call == "save" {
            Err(planetkey::Error::new(Status::Storage, "closed"))
        } else {
            Ok(true)
        }
    });
    let session = person(&home.options().with(|it| it.storage = Some(vault.clone())));
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
fn a_logout_elsewhere_holds_in_an_applications_storage() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    vault.does(|call| {
        if call == "save" {
            Err(planetkey::Error::new(Status::Storage, "closed"))
        } else {
            Ok(true)
        }
    });
    let session = person(&home.options().with(|it| it.storage = Some(vault.clone())));
    assert_eq!(ask(&session), "access-1");
    vault.recovers();
    person(&home.options().with(|it| it.storage = Some(vault.clone())))
        .logout(planetkey::Revoke::No)
        .unwrap();
    home.advance(31);
    ask(&session);
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert!(vault.text.lock().unwrap().is_none(), "{:?}", vault.text.lock().unwrap());
}

#[cfg(unix)]
#[test]
fn a_touched_file_ends_nothing_that_is_in_memory() {
    let home = Home::new();
    home.seed(&json!({}));
    let disk = ScriptedDisk::failing(Step::Write, rustix::io::Errno::NOSPC);
    let session = home.person_on(&disk);
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

#[test]
fn another_clients_refusal_buries_nothing() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert!(person_as("mistyped-client", &home.options()).access_token().is_err());
    assert_eq!(ask(&home.person()), "access-1");
}

#[test]
fn a_machine_does_not_write_over_a_person() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    let options = home.options().with(|it| it.profile = Some(PERSON.to_owned()));
    let _ = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).map(|session| ask(&session));
    assert_eq!(home.tokens()["refresh_token"], SEEDED_REFRESH);
}

#[test]
fn a_machine_does_not_send_a_persons_token() {
    let home = Home::new();
    home.seed(&json!({}));
    let options = home.options().with(|it| it.profile = Some(PERSON.to_owned()));
    let got = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).map(|session| ask(&session));
    assert_ne!(got.unwrap(), SEEDED);
}

#[test]
fn a_login_after_a_revocation_is_found_in_an_applications_storage() {
    let home = Home::new();
    let vault = Vault::holding(&seeded(&json!({"_iat": NOW - 3600, "_exp": NOW})));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let session = person(&home.options().with(|it| it.storage = Some(vault.clone())));
    assert!(session.access_token().is_err());
    *vault.text.lock().unwrap() = Some(
        seeded(&json!({"access_token": "of-a-new-login", "refresh_token": "new"})).to_string(),
    );
    home.advance(120);
    assert_eq!(ask(&session), "of-a-new-login");
}

#[test]
fn a_refresh_token_that_is_refused_again_is_not_forgotten() {
    // More entries than are saved, as another version or a manual edit may leave them.
    let mut memo = FailureRecord::default();
    memo.revoked.extend((0..20).map(|number| number.to_string()));
    memo.mark_revoked("0".to_owned());
    assert!(
        memo.is_marked_revoked("0") && memo.is_marked_revoked("19") && !memo.is_marked_revoked("1")
    );
}

#[test]
fn a_rotated_refresh_token_beside_an_unusable_access_token_is_kept() {
    for members in [
        json!({"access_token": "a", "refresh_token": "refresh-9", "expires_in": 0}),
        json!({"access_token": "a b", "refresh_token": "refresh-9", "expires_in": 3600}),
        json!({"access_token": "a", "refresh_token": "refresh-9", "expires_in": 3600, "token_type": "N_A"}),
    ] {
        let home = Home::new();
        home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
        home.fake.answers(token(&members));
        let session = home.person();
        ask(&session);
        home.advance(31);
        ask(&session);
        assert_eq!(home.sent()[..2], [SEEDED_REFRESH, "refresh-9"], "{members}");
    }
}

#[test]
fn an_api_that_refuses_everything_and_two_processes_are_no_storm() {
    let home = Home::new();
    home.seed(&json!({}));
    let sessions: Vec<_> = (0..4).map(|_| home.person()).collect();
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

#[cfg(unix)]
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
    ask(&home.person());
    let owners: Vec<u32> = ["token.json", "token.planetkey.json", "token.json.lock"]
        .iter()
        .map(|f| std::fs::metadata(home.file(f)).unwrap().uid())
        .collect();
    assert_eq!(owners, [1000, 1000, 1000]);
}

#[test]
fn a_slow_writer_does_not_lose_its_session_to_the_quarantine() {
    let home = Home::new();
    home.seed(&json!({}));
    let whole = sdk_bytes(&seeded(
        &json!({"access_token": "of-the-sdk", "refresh_token": "rotated-by-the-sdk"}),
    ));
    // Truncated, then stopped for longer than a quarter of a second.
    let mut writer = std::fs::File::create(home.token_file()).unwrap();
    let session = home.person();
    let during = ask(&session);
    std::io::Write::write_all(&mut writer, &whole).unwrap();
    drop(writer);
    home.advance(2);
    assert_eq!(ask(&session), "of-the-sdk", "{during} {:?}", home.listing());
}

#[test]
fn a_logout_elsewhere_is_told_as_one() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.person();
    assert_eq!(ask(&session), SEEDED);
    home.person().logout(planetkey::Revoke::No).unwrap();
    let error = session.refresh().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::LoggedOut), "{error}");
}

#[test]
fn after_a_new_login_there_is_renewal_in_the_background_again() {
    let home = Home::new();
    home.seed(&json!({}));
    let session = home.person();
    home.advance(2900);
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert_eq!(ask(&session), SEEDED);
    eventually(|| home.fake.count() == 1 && planetkey::session::settle(std::time::Duration::ZERO));
    home.seed(&json!({"_iat": NOW + 2900, "_exp": NOW + 2900 + 600, "expires_in": 600, "access_token": "new-login", "refresh_token": "new"}));
    home.advance(1);
    assert_eq!(ask(&session), "new-login");
    home.advance(550);
    assert_eq!(ask(&session), "new-login");
    eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
    assert_eq!(home.fake.count(), 2);
}

#[test]
fn logout_leaves_no_other_copy() {
    let home = Home::new();
    home.seed(&json!({}));
    for name in [".token.json.abc123.tmp", "token.json.corrupt-1"] {
        std::fs::copy(home.token_file(), home.file(name)).unwrap();
    }
    std::fs::write(home.file("token.sops.json"), "{}").unwrap();
    std::fs::remove_file(home.file("token.sops.json")).unwrap();
    home.person().logout(planetkey::Revoke::No).unwrap();
    let left: Vec<_> = home
        .listing()
        .into_iter()
        .filter(|n| {
            std::fs::read_to_string(home.file(n)).unwrap_or_default().contains(SEEDED_REFRESH)
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn an_impatient_process_does_not_make_the_patient_ones_fail() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake
        .fails(planetkey::http::TransportFailure::TimedOut(true))
        .fails(planetkey::http::TransportFailure::TimedOut(true));
    let _ = ask(&person(&home.options().with(|it| it.timeout = Some(Duration::from_millis(50)))));
    let patient = home.person();
    let outcome = ask(&patient);
    assert!(outcome.starts_with("access-"), "{outcome}");
}

/// A logger that is slow at one message, about permissions.
#[cfg(unix)]
struct Slow(std::sync::Mutex<Option<(Arc<AtomicBool>, Arc<AtomicBool>)>>);

#[cfg(unix)]
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

#[cfg(unix)]
static SLOW: Slow = Slow(std::sync::Mutex::new(None));

#[cfg(unix)]
#[test]
fn a_look_that_began_before_a_logout_brings_nothing_back() {
    // A process has one logger.
    if !in_a_process_of_its_own(
        module_path!(),
        "a_look_that_began_before_a_logout_brings_nothing_back",
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
    let session = home.person();
    std::thread::scope(|scope| {
        scope.spawn(|| ask(&session));
        eventually(|| arrived.load(Ordering::SeqCst));
        assert!(session.logout(planetkey::Revoke::No).unwrap().removed);
        go.store(true, Ordering::SeqCst);
    });
    let after = session.access_token_cached().unwrap().map(|token| token.to_string());
    assert_eq!((after, home.token_file().exists()), (None, false));
}

#[test]
fn a_machine_with_scopes_leaves_the_sdks_token_without_them() {
    let home = Home::new();
    home.write(&home.machine_file(), &seeded(&json!({"scope": null, "refresh_token": null})));
    let session = Session::from_m2m(
        CLIENT_ID,
        CLIENT_SECRET,
        &home.options().with(|it| it.scopes = Some(vec!["orders".into()])),
    )
    .unwrap();
    assert_ne!(ask(&session), SEEDED);
}

/// A prompt stays open until the user responds. A program that cancels the login meanwhile must not
/// wait for the user.
#[test]
fn a_login_is_cancelled_while_somebody_is_asked_whether_to_replace_another() {
    let simulator = simulator();
    let file = simulator.home().join(".planet/planet-user/token.json");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, simulator.seed_session(&json!({})).unwrap().to_string()).unwrap();
    let before = std::fs::read(&file).unwrap();
    let root = simulator.home().to_string_lossy().into_owned();
    let session = Session::from_profile(
        "planet-user",
        &simulator_options(&simulator).with(|it| it.storage_root = Some(root.into())),
    )
    .unwrap();
    let under_way: Arc<OnceLock<(BrowserLogin, DeviceLogin)>> = Arc::default();
    let with_prompt = |in_browser: bool| {
        let under_way = under_way.clone();
        let prompter = move |prompt: &Prompt| {
            assert_eq!(prompt.kind, PromptKind::OtherUser);
            let (browser, device) = under_way.get().unwrap();
            if in_browser {
                browser.cancel();
                assert_eq!(browser.poll().unwrap_err().status(), Status::Cancelled);
            } else {
                device.cancel();
                assert_eq!(device.wait(None).unwrap_err().status(), Status::Cancelled);
            }
            Ok(Some("yes".to_owned()))
        };
        LoginOptions::default().with(|it| it.prompter = Some(Arc::new(prompter)))
    };
    let browser = session.start_browser_login(&with_prompt(true)).unwrap();
    let device = session.start_device_login(&with_prompt(false)).unwrap();
    under_way.set((browser.clone(), device.clone())).unwrap();
    let went = simulator
        .log_in(&json!({"authorization_url": browser.authorization_url(), "username": "ada"}))
        .unwrap();
    simulator.log_in(&json!({"user_code": device.user_code(), "username": "ada"})).unwrap();
    for outcome in [browser.complete(went["location"].as_str().unwrap()), device.wait(None)] {
        assert_eq!(outcome.unwrap_err().status(), Status::Cancelled);
    }
    assert_eq!(std::fs::read(&file).unwrap(), before);
    // The unused session is revoked, and the caller that cancels does not wait for that.
    let alive = || {
        simulator
            .sessions()
            .into_iter()
            .filter(|family| family["active"] == true)
            .collect::<Vec<_>>()
    };
    eventually(|| alive().len() == 1);
    assert_eq!(alive()[0]["subject"], "simulator-user");
}

/// A signal handler may call the login that its thread waits for, because the prompt runs outside
/// all locks.
#[test]
fn a_question_that_cancels_the_login_itself_does_not_hang() {
    let simulator = simulator();
    let session = Session::from_profile(
        "planet-user",
        &simulator_options(&simulator).with(|it| it.save = Some(false)),
    )
    .unwrap();
    let browser = session.start_browser_login(&LoginOptions::default()).unwrap();
    let device = session.start_device_login(&LoginOptions::default()).unwrap();
    let (one, other) = (browser.clone(), device.clone());
    let interrupt: planetkey::Interrupt = Arc::new(move || {
        one.cancel();
        other.cancel();
        let _ = (one.poll(), other.poll());
        false
    });
    assert_eq!(
        browser.with_interrupt(interrupt.clone()).wait(None).unwrap_err().status(),
        Status::Cancelled
    );
    assert_eq!(
        device.with_interrupt(interrupt).wait(None).unwrap_err().status(),
        Status::Cancelled
    );
}

/// OpenID Connect Core 12.2.
#[test]
fn an_id_token_of_somebody_else_in_a_renewal_is_not_used() {
    let home = Home::new();
    let id_token =
        |subject: &str| jwt(&json!({"iss": "https://login.planet.com/", "sub": subject}));
    home.write(&home.token_file(), &seeded(&json!({"id_token": id_token("ada")})));
    for (theirs, kept) in [("bob", "ada"), ("ada", "ada")] {
        let answer = json!({"access_token": format!("access-{theirs}"), "refresh_token": format!("refresh-{theirs}"),
            "token_type": "Bearer", "expires_in": 3600, "id_token": id_token(theirs)});
        home.fake.answers(token(&answer));
        home.person().refresh().unwrap();
        let text = std::fs::read_to_string(home.token_file()).unwrap();
        assert!(
            text.contains(&id_token(kept)) && text.contains(&format!("refresh-{theirs}")),
            "{text}"
        );
    }
}
