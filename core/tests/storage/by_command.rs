//! Sessions that a profile's `storage_command` saves: what the program gets, and how it may fail.

use crate::common::*;
use planetkey::profile::Profiles;
use planetkey::{Options, Reason, Revoke, Session, Status};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Saves the document in a file beside itself, which nothing else reads, and records its calls.
const HELPER: &str = r#"
for last; do :; done
printf '%s\n' "$*" >> "$0.calls"
case $last in
    get) cat >> "$0.input"; if [ -s "$0.secret" ]; then cat "$0.secret"; else echo '{}'; fi ;;
    store) cat > "$0.secret" ;;
    erase) cat > /dev/null; rm -f "$0.secret" ;;
esac
"#;

struct Bench {
    home: Home,
    programs: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let bench = Bench { home: Home::new(), programs: tempfile::tempdir().unwrap() };
        bench.helper_is(HELPER);
        let mut config = user_config(USER_CLIENT);
        config["storage_command"] = bench.command();
        bench.profile(&config);
        bench
    }

    fn command(&self) -> Value {
        json!([self.program(), "--for", "work"])
    }

    fn profile(&self, config: &Value) {
        self.home.write(&self.home.file("auth_client.json"), config);
    }

    fn program(&self) -> PathBuf {
        self.programs.path().join("helper")
    }

    fn helper_is(&self, script: &str) {
        let new = self.programs.path().join("new");
        std::fs::write(&new, format!("#!/bin/sh\n{script}")).unwrap();
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(new, self.program()).unwrap();
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.program().with_extension(extension)
    }

    fn calls(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.beside("calls")).unwrap_or_default();
        let _ = std::fs::remove_file(self.beside("calls"));
        calls.lines().map(|call| call.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    }

    fn secret(&self) -> Option<Value> {
        let text = std::fs::read(self.beside("secret")).ok()?;
        Some(serde_json::from_slice(&text).unwrap())
    }

    fn holds(&self, session: &Value) {
        let document = json!({"version": 1, "profile": USER_PROFILE, "session": session});
        std::fs::write(self.beside("secret"), document.to_string()).unwrap();
    }

    fn options(&self) -> Options {
        self.home.options()
    }

    fn user(&self) -> Session {
        Session::from_profile(USER_PROFILE, &self.options()).unwrap()
    }

    fn profiles(&self) -> Profiles {
        self.options().profiles().unwrap()
    }

    /// Whether a file of the home holds this text.
    fn is_on_disk(&self, text: &str) -> bool {
        fn walk(directory: &Path, text: &str) -> bool {
            std::fs::read_dir(directory).unwrap().any(|entry| {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, text),
                    false => String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains(text),
                }
            })
        }
        walk(self.home.path(), text)
    }
}

fn over() -> Value {
    seeded(&json!({"_iat": NOW - 3600, "_exp": NOW}))
}

#[test]
fn the_program_saves_the_session_and_no_file_holds_it() {
    let bench = Bench::new();
    bench.holds(&over());
    let session = bench.user();
    let status = session.status().sources()[0].clone();
    let store = status.store.unwrap();
    assert_eq!(store.name, format!("storage_command {}", bench.program().display()));
    assert_eq!((store.reachable, store.holds, status.file), (None, None, None));
    assert!(session.is_initialized(), "it may hold a session");
    assert_eq!(bench.calls(), [""; 0], "opening a session runs nothing");

    assert_eq!(ask(&session), "access-1");
    assert_eq!(bench.calls(), ["get", "store", "get"], "what was stored is read back");
    let saved = bench.secret().unwrap();
    assert_eq!((&saved["version"], &saved["profile"]), (&json!(1), &json!(USER_PROFILE)));
    assert_eq!(
        (&saved["session"]["refresh_token"], &saved["session"]["_exp"]),
        (&json!("refresh-1"), &json!(NOW + 3600))
    );
    let input = std::fs::read_to_string(bench.beside("input")).unwrap();
    let request = json!({"version": 1, "profile": USER_PROFILE});
    for line in input.lines() {
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), request);
    }
    assert_eq!(
        bench.home.listing(),
        ["auth_client.json", "token.json.lock", "token.planetkey.json"]
    );
    assert!(!bench.is_on_disk("access-1") && !bench.is_on_disk("refresh-1"));
    let store = session.status().sources()[0].store.clone().unwrap();
    assert_eq!((store.reachable, store.holds, store.problem), (Some(true), Some("session"), None));

    // Another process uses the saved token, and a logout is one for all of them.
    let other = bench.user();
    assert_eq!((ask(&other).as_str(), bench.home.fake.count()), ("access-1", 1));
    assert_eq!(bench.calls(), ["get"]);
    assert!(other.logout(Revoke::No).unwrap().removed);
    assert_eq!(bench.calls(), ["get", "erase", "get"]);
    assert_eq!(bench.secret(), None);
    assert_eq!(other.access_token().unwrap_err().reason(), Some(Reason::LoggedOut));
    let error = bench.user().access_token().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::NeverLoggedIn), "{error}");
    assert!(!other.logout(Revoke::No).unwrap().removed);
}

#[test]
fn the_lock_of_the_directory_prevents_a_second_refresh() {
    let bench = Bench::new();
    bench.holds(&over());
    let sessions: Vec<Session> = (0..4).map(|_| bench.user()).collect();
    std::thread::scope(|scope| {
        let asked: Vec<_> = sessions.iter().map(|one| scope.spawn(|| ask_patiently(one))).collect();
        for one in asked {
            assert_eq!(one.join().unwrap(), "access-1");
        }
    });
    assert_eq!((bench.home.fake.count(), bench.home.sent()), (1, vec!["refresh-0".to_owned()]));
}

#[test]
fn a_program_that_fails_is_a_storage_error_and_nothing_is_sent() {
    let failures: &[(&str, &[&str])] = &[
        ("exit 3", &["without saying why", "exit status: 3"]),
        (
            "printf '\\n \\033[1mlocked\\r\\nmore\\n' >&2; exit 1",
            &["\"[1mlocked\"", "exit status: 1"],
        ),
        ("kill -9 $$", &["signal: 9"]),
        ("exit 0", &["returned nothing", "must print {}"]),
        ("echo SECRET-garbage", &["not a JSON object"]),
        ("echo '[\"SECRET-list\"]'", &["not a JSON object"]),
        ("echo '{\"access_token\": \"SECRET-token\"}'", &["no version"]),
        ("echo '{\"version\": 1, \"profile\": \"SECRET-other\"}'", &["another profile"]),
        ("head -c 2000000 /dev/zero", &["longer than 1 MiB"]),
        ("cat >&2; echo SECRET-token-of-20-characters >&2; exit 1", &["exit status: 1"]),
        ("echo 'no SECRET-token-of-20-characters' >&2; exit 1", &["\"no [hidden]\""]),
    ];
    for (script, wanted) in failures {
        let bench = Bench::new();
        bench.helper_is(script);
        let error = bench.user().access_token().unwrap_err();
        assert_eq!((error.status(), error.profile()), (Status::Storage, Some(USER_PROFILE)));
        for text in
            ["storage_command", bench.program().to_str().unwrap(), "`get`"].iter().chain(*wanted)
        {
            assert!(error.message().contains(text), "{script}: {error} lacks {text}");
        }
        assert!(
            !error.message().contains("SECRET") && !error.message().contains("more"),
            "{error}"
        );
        assert!(!error.message().chars().any(char::is_control), "{error}");
        assert_eq!(bench.home.fake.count(), 0);
        assert!(!bench.home.token_file().exists());
    }
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    for (command, wanted) in [
        (json!(["planetkey-no-such-helper", "work"]), "on PATH"),
        (json!(["/nowhere/helper"]), "not an executable program;"),
        (json!(["~/no-such-helper"]), "not an executable program;"),
    ] {
        let bench = Bench::new();
        let mut config = user_config(USER_CLIENT);
        config["storage_command"] = command.clone();
        bench.profile(&config);
        let error = bench.user().access_token().unwrap_err();
        assert_eq!(error.status(), Status::Storage);
        let program = command[0].as_str().unwrap();
        assert!(error.message().contains(program) && error.message().contains(wanted), "{error}");
    }
}

/// The process whose number a script wrote ends.
fn assert_ends(number: &Path) {
    eventually(|| std::fs::read_to_string(number).is_ok_and(|text| text.ends_with('\n')));
    let number = std::fs::read_to_string(number).unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", number.trim()));
    eventually(|| std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z ")));
}

#[test]
fn a_program_that_hangs_is_killed_with_its_children() {
    let bench = Bench::new();
    bench.helper_is("sleep 3600 & echo $! > \"$0.child\"; wait");
    let options = bench.options().with(|it| it.timeout = Some(Duration::from_secs(2)));
    let session = Session::from_profile(USER_PROFILE, &options).unwrap();
    let error = session.access_token().unwrap_err();
    // The caller's own deadline may pass first.
    assert!([Status::Storage, Status::Timeout].contains(&error.status()), "{error}");
    assert_ends(&bench.beside("child"));
    assert_eq!(bench.home.fake.count(), 0);
}

/// A process in the background holds the pipes open and is not waited for.
#[test]
fn what_a_program_leaves_running_is_killed() {
    let bench = Bench::new();
    bench.helper_is("sleep 3600 & echo $! > \"$0.child\"; echo '{}'");
    let error = bench.user().access_token().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::NeverLoggedIn), "{error}");
    assert_ends(&bench.beside("child"));
}

#[test]
fn an_m2m_client_gets_its_token_whatever_the_program_does() {
    let bench = Bench::new();
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "storage_command": bench.command(),
    });
    bench.profile(&config);
    bench.home.seed(&json!({"access_token": "of-an-earlier-version", "refresh_token": null}));
    bench.helper_is("echo 'the vault is locked' >&2; exit 1");
    let session = bench.user();
    assert_eq!(ask(&session), "access-1");
    let notes = session.status().notes().join("\n");
    assert!(
        notes.contains("this process only") && notes.contains("the vault is locked"),
        "{notes}"
    );
    assert!(!bench.is_on_disk("access-1"));
    assert!(bench.home.token_file().exists(), "nothing replaces it yet");
    bench.helper_is(HELPER);
    let other = bench.user();
    assert_eq!(ask(&other), "access-2", "a token in a file is not used");
    assert_eq!(bench.secret().unwrap()["session"]["access_token"], "access-2");
    assert!(!bench.home.token_file().exists(), "the program has replaced it");
    assert_eq!((ask(&bench.user()).as_str(), bench.home.fake.count()), ("access-2", 2));
}

#[test]
fn a_store_that_loses_what_it_is_given_is_noticed() {
    for (script, wanted) in [
        (
            "case $3 in get) cat \"$0.secret\" ;; *) exit 0 ;; esac",
            "does not return what it was given",
        ),
        ("case $3 in get) cat \"$0.secret\" ;; *) echo full >&2; exit 1 ;; esac", "\"full\""),
        (
            "case $3 in get) cat \"$0.secret\" ;; *) set -x; read -r all; : \"$all\"; exit 1 ;; esac",
            "exit status: 1",
        ),
    ] {
        let bench = Bench::new();
        bench.holds(&over());
        bench.helper_is(script);
        let session = bench.user();
        assert_eq!(ask(&session), "access-1", "it is in memory");
        let notes = session.status().notes().join("\n");
        assert!(notes.contains(wanted) && notes.contains("`store`"), "{notes}");
        assert!(!notes.contains("access-1") && !notes.contains("refresh-1"), "{notes}");
        assert!(!bench.is_on_disk("refresh-1"), "there is no plain text instead");
        // Another process does not get the used refresh token accepted; this one saves it later.
        bench.helper_is(HELPER);
        home_saves(&bench, &session);
    }
}

/// A refresh saves what could not be saved before.
fn home_saves(bench: &Bench, session: &Session) {
    session.refresh().unwrap();
    assert_eq!(bench.secret().unwrap()["session"]["refresh_token"], "refresh-2");
    assert!(!session.status().notes().join("\n").contains("this process only"));
}

#[test]
fn an_erase_that_erases_nothing_is_noticed() {
    let bench = Bench::new();
    bench.holds(&seeded(&json!({})));
    bench.helper_is("case $3 in get) cat \"$0.secret\" ;; esac");
    let error = bench.user().logout(Revoke::No).unwrap_err();
    assert_eq!(error.status(), Status::Storage);
    assert!(error.message().contains("still returns the session"), "{error}");
}

#[test]
fn a_session_in_a_file_beside_is_not_used() {
    let bench = Bench::new();
    bench.home.seed(&json!({}));
    let session = bench.user();
    let error = session.access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::LoginRequired, Some(Reason::NeverLoggedIn))
    );
    let file = bench.home.token_file();
    assert!(
        error.message().contains(file.to_str().unwrap()) && error.message().contains("log in"),
        "{error}"
    );
    // If the program holds one, that is used. The next one that is saved replaces the file.
    bench.holds(&over());
    assert_eq!(ask(&bench.user()), "access-1");
    assert_eq!((bench.home.sent(), file.exists()), (vec!["refresh-0".to_owned()], false));
    bench.home.seed(&json!({}));
    assert!(bench.user().logout(Revoke::No).unwrap().removed);
    assert!(!file.exists() && bench.secret().is_none());
}

#[test]
fn only_the_file_of_a_profile_names_a_program() {
    let bench = Bench::new();
    let mut config = user_config(USER_CLIENT);
    config["storage_command"] = bench.command();
    let refused = Session::from_client_config(&config.to_string(), &bench.options()).unwrap_err();
    assert_eq!(refused.status(), Status::InvalidArgument);
    assert!(refused.message().contains("option storage"), "{refused}");
    // A client of the call that saves in the directory of the profile saves as the profile does.
    bench.holds(&over());
    assert_eq!(ask(&user(&bench.options())), "access-1");
    assert_eq!(bench.calls(), ["get", "store", "get"]);
    let other = bench.options().with(|it| it.profile = Some(USER_PROFILE.to_owned()));
    let refused = Session::from_client_config(&user_config("another").to_string(), &other);
    assert_eq!(refused.unwrap_err().status(), Status::InvalidArgument);
    assert!(!bench.home.token_file().exists());
    // The call's own options precede the profile.
    let memory = bench.options().with(|it| it.save = Some(false));
    let session = Session::from_profile(USER_PROFILE, &memory).unwrap();
    assert!(session.status().sources()[0].store.is_none() && !session.is_initialized());
    let vault = Vault::holding(&seeded(&json!({})));
    let own = bench.options().with(|it| it.storage = Some(vault.clone()));
    assert_eq!(ask(&Session::from_profile(USER_PROFILE, &own).unwrap()), SEEDED);
    assert_eq!(bench.calls(), [""; 0]);
}

#[test]
fn a_wrong_member_is_misconfigured() {
    let bench = Bench::new();
    for (member, wanted) in [
        (json!("helper --for work"), "list of strings"),
        (json!(["helper", 7]), "list of strings"),
        (json!([]), "is empty"),
        (json!([""]), "is empty"),
        (json!(["./helper"]), "relative path"),
        (json!(["programs/helper"]), "relative path"),
        (json!(["helper\n", "get"]), "line"),
    ] {
        let mut config = user_config(USER_CLIENT);
        config["storage_command"] = member.clone();
        bench.profile(&config);
        let error = Session::from_profile(USER_PROFILE, &bench.options()).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{member}: {error}");
        assert!(error.message().contains("storage_command"), "{error}");
        assert!(error.message().contains(wanted), "{member}: {error}");
    }
    let mut both = user_config(USER_CLIENT);
    both["storage_command"] = bench.command();
    both["store"] = json!("redis://localhost");
    let key =
        json!({"client_type": "static_apikey", "api_key": "K", "storage_command": ["helper"]});
    for (config, wanted) in [(both, "two places"), (key, "holds an API key")] {
        bench.profile(&config);
        let error = Session::from_profile(USER_PROFILE, &bench.options()).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(error.message().contains(wanted), "{error}");
    }
}

#[test]
fn profiles_know_the_program() {
    let bench = Bench::new();
    let profiles = bench.profiles();
    assert!(!profiles.summary(USER_PROFILE).unwrap().has_session);
    profiles.check_place(USER_PROFILE).unwrap();
    bench.holds(&over());
    assert_eq!(ask(&bench.user()), "access-1");
    assert!(profiles.summary(USER_PROFILE).unwrap().has_session, "planetkey saved one");
    // It is chosen as the default profile, too, although there is no file.
    bench.home.write(
        &bench.home.path().join(".planet.json"),
        &json!({"PL_AUTH_PROFILE": USER_PROFILE, "key": "K"}),
    );
    let session = Session::from_defaults(&bench.options()).unwrap();
    assert_eq!(session.status().profile(), Some(USER_PROFILE));
    // Nothing is deleted if the session cannot be erased.
    bench.helper_is("echo closed >&2; exit 1");
    let error = profiles.check_place(USER_PROFILE).unwrap_err();
    assert!(error.message().contains("closed"), "{error}");
    let error = profiles.delete(USER_PROFILE).unwrap_err();
    assert_eq!(error.status(), Status::Storage);
    assert!(error.message().contains("nothing was deleted"), "{error}");
    assert!(bench.home.file("auth_client.json").exists() && bench.secret().is_some());
    bench.helper_is(HELPER);
    profiles.delete(USER_PROFILE).unwrap();
    assert!(!bench.home.file("auth_client.json").exists() && bench.secret().is_none());
}

/// As `secret-tool` does with what is longer than 8 KiB.
#[test]
fn what_a_program_said_about_a_lost_session_is_in_the_message() {
    let bench = Bench::new();
    bench.holds(&over());
    bench.helper_is(
        "case $3 in get) cat \"$0.secret\" ;; *) head -c 50 > \"$0.secret\"; echo 'too long' >&2 ;; esac",
    );
    let session = bench.user();
    assert_eq!(ask(&session), "access-1");
    let notes = session.status().notes().join("\n");
    assert!(notes.contains("`store`") && notes.contains("(it said: \"too long\")"), "{notes}");
}
