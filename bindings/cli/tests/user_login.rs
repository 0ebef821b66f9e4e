//! Logins of users: what they see, how they log in, and what is saved.

// A terminal that controls the command is made by Linux's setsid.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use crate::common::terminal::Session;
use crate::common::user::{BROWSER_PROFILE, USER_TOKEN, visit, word_after};
use crate::common::{KEY, Scene, finish};
use planetkey::Status;
use serde_json::{Value, json};

const ADDRESS: &str = "activate?user_code=";
const BROWSER_TOKEN: &str = ".planet/work/token.json";
const ALL_GRANTS: [&str; 3] =
    ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"];

fn login(scene: &Scene, arguments: &[&str]) -> Session {
    Session::start(scene.bare(["login"].iter().chain(arguments)), true)
}

/// Completes a login by device code as this user. Returns what the screen showed.
fn with_a_code(scene: &Scene, mut session: Session, name: &str) -> (i32, String, String) {
    session.wait_for("enter the code.");
    scene.decides(&word_after(&session.screen, ADDRESS), name, true);
    session.end()
}

/// A program that records the address that it is told to open.
fn browser(scene: &Scene) -> String {
    let opened = scene.home.path().join("opened");
    let script = scene.file(
        "bin/browser",
        format!(
            "#!/bin/sh\nprintf '%s' \"$1\" > '{0}.new'\nmv '{0}.new' '{0}'\n",
            opened.display()
        ),
    );
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script.display().to_string()
}

/// The address that the browser was given, once it was started.
fn opened(scene: &Scene) -> String {
    while !scene.has("opened") {
        std::thread::yield_now();
    }
    scene.read("opened")
}

#[test]
fn f121_without_a_browser_an_address_and_a_code_are_shown() {
    let scene = Scene::new().quick();
    let (code, output, screen) = with_a_code(&scene, login(&scene, &[]), "ada");
    assert_eq!((code, output.as_str()), (0, ""), "{screen}");
    let file = scene.home.path().join(USER_TOKEN);
    let end = format!(
        "planetkey: logged in as user|ada, profile planet-user; the session is saved in {}\r\n\
         planetkey: planet-user is now the default profile\r\n",
        file.display()
    );
    assert!(screen.ends_with(&end), "{screen}");
    assert_eq!(scene.read(".planet.json"), "{\n  \"PL_AUTH_PROFILE\": \"planet-user\"\n}");
    let token = scene.saved_session(USER_TOKEN)["access_token"].as_str().unwrap().to_owned();
    assert_eq!(finish(&mut scene.bare(["print-access-token"]), b"").line(), token);
}

#[test]
fn f121_a_browser_that_cannot_be_started_is_not_used() {
    let scene = Scene::new().quick();
    scene.with_browser_client(&ALL_GRANTS);
    let mut command = scene.bare(["login", "--profile", BROWSER_PROFILE]);
    command.env("BROWSER", "/nowhere/browser");
    let (code, _, screen) = with_a_code(&scene, Session::start(command, true), "ada");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(scene.simulator.count("user.authorize").unwrap(), 0);
    assert!(scene.has(BROWSER_TOKEN));
    // --open-browser shows the address, too.
    let mut command = scene.bare(["login", "--browser", "--force", "--profile", BROWSER_PROFILE]);
    let mut session = Session::start_controlled(command.env("BROWSER", "/nowhere/browser"));
    session.wait_for("Open this address in a browser on this machine");
    session.wait_for("code_challenge_method=S256\r\n");
    let url = word_after(&session.screen, "to log in:");
    assert!(visit(&scene.way_back(&url, "ada", true)).contains("You are logged in"));
    assert_eq!(session.end().0, 0);
}

#[test]
fn the_browser_is_opened_and_redirected_back() {
    let scene = Scene::new();
    scene.with_browser_client(&["authorization_code", "refresh_token"]);
    for arguments in [
        &["login", "--profile", BROWSER_PROFILE][..],
        &["login", "--browser", "--profile", "planet-user", "-n"],
    ] {
        let mut command = scene.bare(arguments);
        command.env("BROWSER", browser(&scene));
        let mut session = Session::start(command, true);
        session.wait_for("A browser was opened to log in.");
        let url = opened(&scene);
        assert!(session.screen.contains(&url), "{}", session.screen);
        let page = visit(&scene.way_back(&url, "ada", true));
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("You are logged in"), "{page}");
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str()), (0, ""), "{screen}");
        assert!(screen.contains("logged in as user|ada"), "{screen}");
        std::fs::remove_file(scene.home.path().join("opened")).unwrap();
    }
    assert!(scene.has(BROWSER_TOKEN) && scene.has(USER_TOKEN));
}

#[test]
fn a_device_login_opens_a_browser_if_possible_and_allowed() {
    let scene = Scene::new().quick();
    for (arguments, opens) in [
        (&["login"][..], true),
        (&["login", "--device", "--force"], true),
        (&["login", "--force", "--no-open-browser"], false),
    ] {
        let mut command = scene.bare(arguments);
        command.env("BROWSER", browser(&scene));
        let (code, _, screen) = with_a_code(&scene, Session::start(command, true), "ada");
        assert_eq!((code, screen.contains("A browser was opened")), (0, opens), "{screen}");
        assert_eq!(scene.has("opened"), opens, "{arguments:?}");
        if opens {
            assert!(opened(&scene).contains(&word_after(&screen, ADDRESS)));
            std::fs::remove_file(scene.home.path().join("opened")).unwrap();
        }
    }
}

#[test]
fn f129_a_denial_has_its_own_exit_code() {
    let scene = Scene::new().quick();
    let mut session = login(&scene, &[]);
    session.wait_for("enter the code.");
    scene.decides(&word_after(&session.screen, ADDRESS), "ada", false);
    let (code, output, screen) = session.end();
    assert_eq!((code, output.as_str()), (Status::Denied.number(), ""), "{screen}");
    assert!(screen.contains("planetkey: DENIED: "), "{screen}");

    let mut session = login(&scene, &["--browser"]);
    session.wait_for("code_challenge_method=S256\r\n");
    let url = word_after(&session.screen, "to log in:");
    assert!(visit(&scene.way_back(&url, "ada", false)).contains("Not logged in"));
    let (code, output, screen) = session.end();
    assert_eq!((code, output.as_str()), (Status::Denied.number(), ""), "{screen}");
    assert!(!scene.has(".planet.json") && !scene.has(USER_TOKEN));
}

#[test]
fn f132_the_qr_code_has_an_ascii_form_for_other_locales() {
    let scene = Scene::new();
    let shown = |variables: &[(&str, &str)]| {
        let mut command = scene.bare(["login", "--show-qr-code"]);
        command.envs(variables.iter().copied());
        let mut session = Session::start_controlled(&command);
        session.wait_for("enter the code.");
        session.types("\u{3}");
        let (_, _, screen) = session.end();
        let (code, address) = screen.split_once("To log in").unwrap();
        assert!(
            address.contains(&word_after(&screen, ADDRESS)),
            "the code is shown beside it: {screen}"
        );
        assert!(
            !code.is_empty() && code.lines().all(|line| line.chars().count() <= 80 + 9),
            "{code}"
        );
        code.to_owned()
    };
    for variables in [&[("LANG", "C.UTF-8")][..], &[("LANG", "C"), ("LC_ALL", "de_DE.utf8")]] {
        let code = shown(variables);
        assert!(code.contains('\u{2588}') && !code.contains('\x1b'), "{code:?}");
    }
    let coloured = shown(&[("LANG", "C.UTF-8"), ("TERM", "xterm")]);
    assert!(
        coloured.starts_with("\x1b[97;40m\u{2588}") && coloured.contains("\x1b[0m"),
        "{coloured:?}"
    );
    for variables in [
        &[][..],
        &[("LANG", "de_DE.ISO-8859-1"), ("TERM", "xterm"), ("NO_COLOR", "1")],
        &[("LANG", "C.UTF-8"), ("LC_ALL", "POSIX")],
        &[("LANG", "C.UTF-8"), ("TERM", "dumb")],
    ] {
        let code = shown(variables);
        assert!(code.is_ascii() && code.contains("##") && !code.contains('\x1b'), "{code:?}");
    }
    // Only if the option is given.
    let mut session = Session::start_controlled(&scene.bare(["login"]));
    session.wait_for("enter the code.");
    session.types("\u{3}");
    assert!(!session.end().2.contains("##"));
}

#[test]
fn f133_the_prompts_of_a_login_are_not_on_standard_output() {
    let scene = Scene::new().quick();
    let (code, output, screen) =
        with_a_code(&scene, login(&scene, &["--json", "--show-qr-code"]), "ada");
    assert_eq!(code, 0, "{screen}");
    assert!(!screen.contains("planetkey: "), "a program reads how it went: {screen}");
    let told: Value = serde_json::from_str(&output).unwrap();
    let file = scene.home.path().join(USER_TOKEN);
    let wanted = json!({
        "prompted": true, "subject": "user|ada", "email": null, "scopes": ["planet", "offline_access"], "profile": "planet-user",
        "file": file, "client_type": "oidc_device_code", "default": true, "expires_at": told["expires_at"], "store": null,
    });
    assert_eq!(told, wanted);
    assert!(told["expires_at"].is_i64() && !output.contains("eyJ"), "{output}");
    let run = finish(&mut scene.bare(["print-access-token"]), b"");
    assert_eq!(run.line(), scene.saved_session(USER_TOKEN)["access_token"].as_str().unwrap());
    // A command that prints does not prompt.
    finish(&mut scene.bare(["logout"]), b"").silent();
    let run = finish(&mut scene.bare(["print-access-token"]), b"");
    run.failed(Status::LoginRequired);
}

#[test]
fn without_a_terminal_the_error_says_what_to_run() {
    let scene = Scene::new();
    for arguments in [
        &["login"][..],
        &["login", "--json"],
        &["login", "--no-open-browser"],
        &["login", "--force"],
    ] {
        let run = finish(&mut scene.bare(arguments), b"");
        let message = run.failed(Status::LoginRequired);
        assert!(
            message.contains("planetkey login --profile planet-user")
                && message.contains("--device"),
            "{message}"
        );
    }
    // There are no prompts either if a program would read them.
    let mut session = Session::start(scene.bare(["login"]), false);
    let mut message = String::new();
    session.child.stderr.take().unwrap().read_to_string(&mut message).unwrap();
    assert_eq!(session.end().0, Status::LoginRequired.number(), "{message}");
    assert_eq!(scene.simulator.count("user.device").unwrap(), 0);
    assert!(!scene.has(".planet.json"));
}

/// No camera reads half a QR code: on a low screen it comes last, with the code to compare, or it
/// is not shown.
#[test]
fn a_qr_code_stays_visible_on_a_low_screen() {
    for rows in [24, 12, 60] {
        let scene = Scene::new().quick();
        let mut command = scene.bare(["login", "--device", "--show-qr-code"]);
        command.env("LC_ALL", "C.UTF-8").env("TERM", "xterm").env("NO_COLOR", "1");
        let mut session = Session::start_sized(command, true, rows);
        session.wait_for("Waiting for the login");
        let lines: Vec<&str> = session.screen.lines().collect();
        let seen = &lines[lines.len().saturating_sub(rows.into())..];
        let is_of_the_code = |line: &&&str| line.contains('█') || line.contains('▀');
        let whole = lines.iter().filter(is_of_the_code).count();
        assert_eq!(seen.iter().filter(is_of_the_code).count(), whole, "{rows}: {}", session.screen);
        assert_eq!(whole > 0, rows > 12, "{rows}: {}", session.screen);
        let code = word_after(&session.screen, "shows the code ");
        assert!(seen.iter().any(|line| line.contains(&code)), "{rows}: {}", session.screen);
        assert_eq!(
            session.screen.contains("lines, and this terminal has 12."),
            rows == 12,
            "{}",
            session.screen
        );
        scene.decides(&code, "ada", true);
        assert_eq!(session.end().0, 0);
    }
}

#[test]
fn with_the_device_option_the_code_is_shown_without_a_terminal() {
    let scene = Scene::new().quick();
    let mut command = scene.bare(["login", "--device", "--show-qr-code"]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let address = lines.find(|line| line.contains(ADDRESS)).unwrap();
    scene.decides(&word_after(&address, ADDRESS), "ada", true);
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success(), "{rest:?}");
    assert!(
        rest.iter().all(|line| !line.contains("Waiting")),
        "no line that changes, but on a terminal: {rest:?}"
    );
    assert!(rest.iter().any(|line| line.contains("logged in as user|ada")), "{rest:?}");
}

#[test]
fn a_valid_session_is_unchanged_and_an_expired_one_refreshed_without_a_prompt() {
    let scene = Scene::new().quick();
    for (age, refreshes) in [(0, 0), (7200, 1)] {
        let session = scene.saved("user|ada", age);
        let run = finish(&mut scene.bare(["login"]), b"");
        assert!(
            run.silent().starts_with(
                "planetkey: user|ada is already logged in, profile planet-user, valid for "
            ),
            "{run:?}"
        );
        assert!(run.stderr.contains("(--force logs in again)"), "{run:?}");
        let family =
            scene.simulator.session_of(session["refresh_token"].as_str().unwrap()).unwrap();
        assert_eq!((&family["active"], &family["rotations"]), (&json!(true), &json!(refreshes)));
    }
    let run = finish(&mut scene.bare(["login", "--json"]), b"");
    assert_eq!(
        (&run.json()["prompted"], &run.json()["subject"]),
        (&json!(false), &json!("user|ada"))
    );
    assert_eq!(scene.simulator.count("user.device").unwrap(), 0);
    // A scope that was not granted, and --force, need a prompt.
    let session = login(&scene, &["--scope", "planet", "--scope", "openid", "--scope", "email"]);
    let (code, _, screen) = with_a_code(&scene, session, "ada");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("logged in as ada@example.com"), "{screen}");
    let (code, _, screen) = with_a_code(&scene, login(&scene, &["--force"]), "ada");
    assert_eq!(code, 0, "{screen}");
    assert_eq!(scene.saved_session(USER_TOKEN)["scope"], "planet offline_access");
}

#[test]
fn the_profile_depends_on_the_options() {
    let scene = Scene::new().quick();
    // A key of the environment is saved, unless an option of user logins is given.
    let mut command = scene.bare(["login", "--device"]);
    command.env("PL_API_KEY", KEY);
    let (code, _, screen) = with_a_code(&scene, Session::start(command, true), "ada");
    assert_eq!(code, 0, "{screen}");
    assert!(
        screen.contains("profile planet-user")
            && screen
                .contains("the credential of the environment (PL_API_KEY) takes precedence over"),
        "{screen}"
    );
    // A default profile of an API key stays as it is.
    let before = "{\"PL_AUTH_PROFILE\": \"keys\"}";
    scene.profile("keys", &json!({"client_type": "static_apikey", "api_key": KEY}));
    scene.file(".planet.json", before);
    let (code, _, screen) = with_a_code(&scene, login(&scene, &["--force", "--no"]), "ada");
    assert_eq!((code, scene.read(".planet.json").as_str()), (0, before), "{screen}");
    // A user's default profile is logged in to, with its own client.
    scene.with_browser_client(&ALL_GRANTS);
    scene.file(".planet.json", format!("{{\"PL_AUTH_PROFILE\": \"{BROWSER_PROFILE}\"}}"));
    let (code, _, screen) = with_a_code(&scene, login(&scene, &[]), "ada");
    assert_eq!((code, scene.has(BROWSER_TOKEN)), (0, true), "{screen}");
    let mut command = scene.bare(["login", "--force", "-n"]);
    command.env("PL_AUTH_PROFILE", "planet-user");
    let (code, _, screen) = with_a_code(&scene, Session::start(command, true), "ada");
    assert_eq!(code, 0, "{screen}");
    assert!(screen.contains("profile planet-user"), "{screen}");
}

#[test]
fn the_options_of_user_logins_require_a_user_profile() {
    let scene = Scene::new();
    scene.profile("keys", &json!({"client_type": "static_apikey", "api_key": KEY}));
    for arguments in [
        &["--device", "--browser"][..],
        &["--open-browser", "--no-open-browser"],
        &["--device", "--with-api-key"],
        &["--force", "--auth-client-id", "x"],
        &["--profile", "keys", "--show-qr-code"],
        &["--no-verify"],
        &["--sops"],
        &["--device", "--no-save"],
        &["--device", "--wait-s", "0"],
        &["--device", "--wait-s", "86401"],
        &["--device", "--scope", "a b"],
    ] {
        let run = finish(&mut scene.bare(["login"].iter().chain(arguments)), b"");
        assert_eq!(
            (run.code, run.stdout.as_str()),
            (Status::InvalidArgument.number(), ""),
            "{arguments:?}: {run:?}"
        );
    }
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn the_login_ends_after_its_timeout() {
    let scene = Scene::new();
    for way in ["--device", "--browser"] {
        let run = finish(&mut scene.bare(["login", way, "--wait-s", "1"]), b"");
        assert_eq!((run.code, run.stdout.as_str()), (Status::Timeout.number(), ""), "{run:?}");
    }
    assert!(!scene.has(".planet.json"));
}

/// The user is not prompted for a session that cannot be saved.
#[test]
fn the_directory_is_checked_before_the_prompt() {
    let scene = Scene::new().quick();
    let file = scene.file("file", "");
    let told = finish(
        &mut scene.bare(["login", "--device", "--storage-root", file.to_str().unwrap()]),
        b"",
    );
    assert!(told.failed(Status::Misconfigured).contains("is not a directory"), "{told:?}");
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
    // For a valid session nothing needs to be written.
    scene.saved("user|ada", 0);
    finish(&mut scene.bare(["login", "--device"]), b"").silent();
}

/// Without HOME the user database names the home directory. A user without an entry there has none.
#[cfg(unix)]
#[test]
fn without_a_home_directory_the_login_says_what_to_set() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    const NO_ENTRY: u32 = 54_321;
    let directory = tempfile::tempdir().unwrap();
    // Another user must reach the command.
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let program = directory.path().join("planetkey");
    std::fs::copy(env!("CARGO_BIN_EXE_planetkey"), &program).unwrap();
    if std::fs::metadata("/proc/self")
        .is_ok_and(|process| std::os::unix::fs::MetadataExt::uid(&process) != 0)
    {
        eprintln!(
            "not run: only root can run the command as a user without an entry in the user database"
        );
        return;
    }
    for home in [None, Some("")] {
        let mut command = std::process::Command::new(&program);
        command.args(["login", "--device"]).env_clear().envs(home.map(|home| ("HOME", home)));
        let told = finish(command.uid(NO_ENTRY).gid(NO_ENTRY), b"");
        assert!(
            told.failed(Status::Misconfigured).contains("set HOME or PLANETKEY_STORAGE_ROOT"),
            "{told:?}"
        );
    }
}

/// The directory is lost during the login: the new tokens are revoked.
#[test]
fn a_session_that_cannot_be_saved_is_revoked() {
    let scene = Scene::new().quick();
    scene.file(".planet.json", "{\"PL_AUTH_PROFILE\": \"planet-user\"}");
    let mut session = login(&scene, &[]);
    session.wait_for("enter the code.");
    scene.file(".planet", "");
    scene.decides(&word_after(&session.screen, ADDRESS), "ada", true);
    let (code, _, screen) = session.end();
    assert_eq!(code, Status::Storage.number(), "{screen}");
    assert!(
        screen.contains("could not be saved and was revoked") && screen.contains("log in again"),
        "{screen}"
    );
    // The refresh token, then the access token.
    assert_eq!(scene.simulator.count("user.revoke").unwrap(), 2);
}

#[test]
fn i10_07_id_tokens_are_signed_as_announced_and_the_tokens_of_a_failed_login_are_revoked() {
    let scopes = ["--scope", "planet", "--scope", "offline_access", "--scope", "openid"];
    for algorithm in ["ES256", "EdDSA", "PS256"] {
        let scene = Scene::new().quick();
        scene.simulator.change_settings(&json!({"id_token_algorithms": [algorithm]})).unwrap();
        let (code, _, screen) = with_a_code(&scene, login(&scene, &scopes), "ada");
        assert_eq!((code, scene.has(USER_TOKEN)), (0, true), "{algorithm}: {screen}");
        assert_eq!(scene.simulator.count("user.revoke").unwrap(), 0);
    }
    for (members, status, found) in [
        (json!({"id_token_key": "other"}), Status::TokenInvalid, "signature"),
        (json!({"set": {"token_type": "mac"}}), Status::Protocol, "'mac'"),
    ] {
        let scene = Scene::new().quick();
        scene
            .simulator
            .script("user.token", &json!({"steps": [{"token_response": members}], "repeat": true}))
            .unwrap();
        let (code, _, screen) = with_a_code(&scene, login(&scene, &scopes), "ada");
        assert_eq!(code, status.number(), "{screen}");
        assert!(screen.contains(found), "{screen}");
        // The command does not end before.
        assert_eq!(scene.simulator.count("user.revoke").unwrap(), 2, "{screen}");
        assert_eq!(scene.simulator.sessions()[0]["revoked"], "revocation");
        assert!(!scene.has(USER_TOKEN));
    }
}
