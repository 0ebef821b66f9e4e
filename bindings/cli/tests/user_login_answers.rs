//! What users answer to a login, and how they cancel it.

// A terminal that controls the command is made by Linux's setsid.
#![cfg(target_os = "linux")]

use std::net::TcpListener;

use crate::common::terminal::Session;
use crate::common::user::{BROWSER_PROFILE, USER_TOKEN, word_after};
use crate::common::{Scene, finish};
use planetkey::Status;
use serde_json::json;

const ADDRESS: &str = "activate?user_code=";
const INTERRUPT: &str = "\u{3}";

fn login(scene: &Scene, arguments: &[&str]) -> Session {
    Session::start_controlled(&scene.bare(["login"].iter().chain(arguments)))
}

/// A login by device code, after the user has logged in.
fn decided(scene: &Scene, arguments: &[&str], name: &str) -> Session {
    let mut session = login(scene, arguments);
    session.wait_for("enter the code.");
    scene.decides(&word_after(&session.screen, ADDRESS), name, true);
    session
}

#[test]
fn f131_the_whole_address_is_pasted_without_echo() {
    let scene = Scene::new();
    scene.with_browser_client(&["authorization_code", "refresh_token"]);
    for arguments in [
        &["--profile", BROWSER_PROFILE][..],
        &["--profile", BROWSER_PROFILE, "--force", "--no-open-browser"],
    ] {
        let mut session = login(&scene, arguments);
        session.wait_for("The address, which is not shown: ");
        assert!(!session.echoes());
        let url = word_after(&session.screen, "shown is fine):");
        let location = scene.way_back(&url, "ada", true);
        let (_, query) = location.split_once('?').unwrap();
        // An address of another login, or only a part of one: the prompt is repeated.
        let wrong =
            ["http://127.0.0.1/other?code=1", "some-code", &location.replace("state=", "state=x")];
        for (number, wrong) in wrong.into_iter().enumerate() {
            session.types(&format!("{wrong}\r"));
            session.wait_for_times("which is not shown: ", number + 2);
        }
        session.types(&format!("  {location}\r"));
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str()), (0, ""), "{screen}");
        assert!(screen.contains("logged in as user|ada, profile work"), "{screen}");
        let code = query.split('&').find_map(|pair| pair.strip_prefix("code=")).unwrap();
        assert!(!screen.contains(code) && !screen.contains("some-code"), "{screen}");
    }
    assert_eq!(scene.simulator.count("user.sessions").unwrap(), 2);
}

#[test]
fn f108_ctrl_c_cancels_a_login_at_any_step_and_restores_the_terminal() {
    let scene = Scene::new().quick();
    scene.with_browser_client(&["authorization_code", "refresh_token"]);
    let session = scene.saved("user|bob", 0);
    let before = scene.read(USER_TOKEN);
    let broken_off = |mut session: Session| {
        session.types(INTERRUPT);
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str()), (Status::Cancelled.number(), ""), "{screen}");
        // The line with the remaining time was erased.
        let last = screen.trim_end().rsplit("\r").next().unwrap().trim_start_matches('\n');
        assert!(
            last.starts_with("planetkey: CANCELLED: ") && last.contains("nothing was changed"),
            "{screen:?}"
        );
        screen
    };
    // While the command waits for the device or the browser.
    let mut waiting = login(&scene, &["--force"]);
    waiting.wait_for("Waiting for the login, 14:");
    broken_off(waiting);
    let mut waiting = login(&scene, &["--force", "--browser"]);
    waiting.wait_for("Waiting for the login, 4:");
    let url = word_after(&waiting.screen, "to log in:");
    let port: u16 = word_after(&url, "redirect_uri=http%3A%2F%2F127.0.0.1%3A")
        .split('%')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    broken_off(waiting);
    TcpListener::bind(("127.0.0.1", port)).expect("the port is free again");
    // While an address is pasted.
    let mut waiting = login(&scene, &["--profile", BROWSER_PROFILE]);
    waiting.wait_for("The address, which is not shown: ");
    waiting.types("http://127.0.0.1/callback?co");
    broken_off(waiting);
    // While the server does not answer.
    scene.simulator.script("user.device", &json!([{"hold": "gate"}])).unwrap();
    let waiting = login(&scene, &["--force"]);
    assert!(scene.simulator.wait_held("gate", 1, std::time::Duration::from_secs(60)));
    broken_off(waiting);
    scene.simulator.release("gate");
    // At a prompt. The unused tokens are revoked.
    let mut waiting = decided(&scene, &["--force"], "ada");
    waiting.wait_for("(yes or no) ");
    waiting.types("ye");
    broken_off(waiting);
    assert_eq!(scene.read(USER_TOKEN), before);
    assert!(
        scene.simulator.session_of(session["refresh_token"].as_str().unwrap()).unwrap()["active"]
            .as_bool()
            .unwrap()
    );
    assert_eq!(scene.simulator.count("user.sessions.active").unwrap(), 1);
}

#[test]
fn f130_a_different_user_replaces_the_session_only_after_confirmation() {
    let scene = Scene::new().quick();
    let session = scene.saved("user|bob", 0);
    let before = scene.read(USER_TOKEN);
    for answer in ["no", "", "maybe"] {
        let mut asked = decided(&scene, &["--force"], "ada");
        asked.wait_for("user|ada has logged in, but the saved session is that of user|bob. Replace it?\r\n(yes or no) ");
        assert_eq!(scene.read(USER_TOKEN), before, "nothing is overwritten before the answer");
        asked.types(&format!("{answer}\r"));
        let (code, output, screen) = asked.end();
        assert_eq!((code, output.as_str()), (Status::Denied.number(), ""), "{screen}");
        assert!(screen.contains("--allow-other-user"), "{screen}");
        assert_eq!(scene.read(USER_TOKEN), before);
    }
    assert_eq!(
        scene.simulator.count("user.sessions.active").unwrap(),
        1,
        "the unused session is revoked"
    );
    // A program is not prompted.
    let (code, output, screen) = decided(&scene, &["--force", "--json"], "ada").end();
    assert_eq!((code, output.as_str()), (Status::Denied.number(), ""), "{screen}");
    let mut asked = decided(&scene, &["--force"], "ada");
    asked.wait_for("(yes or no) ");
    asked.types("yes\r");
    assert_eq!(asked.end().0, 0);
    assert!(
        finish(&mut scene.bare(["login"]), b"").silent().contains("user|ada is already logged in")
    );
    let (code, _, screen) = decided(&scene, &["--force", "--allow-other-user"], "grace").end();
    assert_eq!((code, screen.contains("Replace it?")), (0, false), "{screen}");
    assert!(
        finish(&mut scene.bare(["login"]), b"")
            .silent()
            .contains("user|grace is already logged in")
    );
    assert!(scene.simulator.session_of(session["refresh_token"].as_str().unwrap()).is_some());
}

#[test]
fn another_default_profile_is_confirmed_before_the_login() {
    let scene = Scene::new().quick();
    scene.file(".planet.json", "{\"PL_AUTH_PROFILE\": \"keys\"}");
    let run = finish(&mut scene.bare(["login", "--device"]), b"");
    let message = run.failed(Status::InvalidArgument);
    assert!(message.contains("--yes") && message.contains("--no"), "{message}");
    for (answer, chosen) in [("n", "keys"), ("y", "planet-user")] {
        let mut session = login(&scene, &["--device", "--force"]);
        session.wait_for("The default profile is keys. Make planet-user the default? [y/N] ");
        assert!(!session.screen.contains(ADDRESS));
        session.types(&format!("{answer}\r"));
        session.wait_for("enter the code.");
        scene.decides(&word_after(&session.screen, ADDRESS), "ada", true);
        let (code, _, screen) = session.end();
        assert_eq!(code, 0, "{screen}");
        assert!(scene.read(".planet.json").contains(chosen), "{answer}");
    }
}
