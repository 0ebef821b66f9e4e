//! Prompts on a terminal: secrets are typed without echo, and the terminal is restored afterwards.

#![cfg(unix)]

use std::io::Read;

use crate::common::terminal::Session;
use crate::common::{KEY, OTHER_CLIENT, OTHER_KEY, OTHER_SECRET, Scene};
use planetkey::Status;

fn login(scene: &Scene, arguments: &[&str]) -> Session {
    Session::start(scene.bare(["login"].iter().chain(arguments)), true)
}

#[test]
fn an_api_key_is_typed_without_echo() {
    let scene = Scene::new();
    for arguments in [&["--with-api-key"][..], &["--auth-api-key-file", "-"]] {
        let mut session = login(&scene, arguments);
        session.wait_for("API key: ");
        assert!(!session.echoes());
        session.types(&format!("wrong\u{15}{OTHER_KEY}\r"));
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str()), (0, ""), "{screen}");
        assert!(
            screen.starts_with(
                "API key: \r\nplanetkey: the API key is saved in the profile _PL_API_KEY\r\n"
            ),
            "{screen:?}"
        );
        assert!(!screen.contains(OTHER_KEY) && !screen.contains("wrong"), "{screen:?}");
        assert!(scene.read(".planet/_pl_api_key/auth_client.json").contains(OTHER_KEY));
    }
}

#[test]
fn a_client_secret_is_typed_without_echo_and_the_default_profile_is_prompted_for() {
    for (answer, chosen) in [
        ("y", "planet-m2m-option-client"),
        ("YES", "planet-m2m-option-client"),
        ("n", "keys"),
        ("", "keys"),
        ("yo", "keys"),
    ] {
        let scene = Scene::new();
        scene.file(".planet.json", "{\"PL_AUTH_PROFILE\": \"keys\"}");
        let mut session = login(&scene, &["--auth-client-id", OTHER_CLIENT]);
        session.wait_for("Secret of the client option-client: ");
        session.types(&format!("{OTHER_SECRET}\r"));
        session.wait_for(
            "The default profile is keys. Make planet-m2m-option-client the default? [y/N] ",
        );
        assert_eq!(scene.token_requests(), 0, "first the questions, then the work");
        session.types(&format!("{answer}\r"));
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str(), scene.token_requests()), (0, "", 1), "{screen}");
        assert!(!screen.contains(OTHER_SECRET), "{screen:?}");
        assert!(
            scene.read(".planet/planet-m2m-option-client/auth_client.json").contains(OTHER_SECRET)
        );
        assert!(
            scene.read(".planet.json").contains(&format!("\"{chosen}\"")),
            "{answer:?}: {}",
            scene.read(".planet.json")
        );
    }
}

#[test]
fn cancelling_changes_nothing_and_restores_the_terminal() {
    let scene = Scene::new();
    for keys in ["\u{3}", "sec\u{3}", "\u{4}", "\u{1c}"] {
        let mut session = login(&scene, &["--with-api-key"]);
        session.wait_for("API key: ");
        session.types(keys);
        let (code, output, screen) = session.end();
        assert_eq!((code, output.as_str()), (Status::Cancelled.number(), ""), "{screen}");
        assert!(screen.contains("planetkey: CANCELLED: ") && !screen.contains("sec"), "{screen:?}");
    }
    let mut session = login(&scene, &["--with-api-key"]);
    session.wait_for("API key: ");
    session.types("\r");
    assert_eq!(session.end().0, Status::InvalidArgument.number());
    assert!(!scene.has(".planet") && !scene.has(".planet.json"));
}

#[test]
fn deleting_and_resetting_must_be_confirmed() {
    let scene = Scene::new();
    let config = serde_json::json!({"client_type": "static_apikey", "api_key": KEY});
    for (command, question) in [
        (&["profile", "delete", "keys"][..], "Delete the profile keys with its tokens? [y/N] "),
        (&["reset"], ", with all profiles? [y/N] "),
    ] {
        scene.profile("keys", &config);
        let cancelled = Status::Cancelled.number();
        for (answer, code) in
            [("n\r", cancelled), ("\r", cancelled), ("\u{4}", cancelled), ("y\r", 0)]
        {
            assert!(scene.has(".planet/keys/auth_client.json"), "{command:?} {answer:?}");
            let mut session = Session::start(scene.bare(command), true);
            session.wait_for(question);
            session.types(answer);
            assert_eq!(session.end().0, code, "{command:?} {answer:?}");
        }
        assert!(!scene.has(".planet/keys"), "{command:?}");
    }
}

#[test]
fn there_are_no_prompts_if_a_program_reads_the_error_stream() {
    let scene = Scene::new();
    for (arguments, asks, option) in [
        (&["login", "--with-api-key"][..], false, "--auth-api-key-file"),
        (&["login", "--auth-api-key-file", "-"], false, "--auth-api-key-file"),
        (&["login", "--auth-client-id", "x"], false, "--auth-client-secret-file"),
        (&["login", "--with-api-key", "--json"], true, "--auth-api-key-file"),
        (&["reset"], false, "--yes"),
        (&["reset", "--json"], true, "--yes"),
        (&["profile", "delete", "x"], false, "--yes"),
    ] {
        let mut session = Session::start(scene.bare(arguments), asks);
        let mut message = String::new();
        if let Some(mut stderr) = session.child.stderr.take() {
            stderr.read_to_string(&mut message).unwrap();
        }
        let (code, output, screen) = session.end();
        message.push_str(&screen);
        assert_eq!((code, output.as_str()), (Status::InvalidArgument.number(), ""), "{message}");
        assert!(message.contains(option), "{arguments:?}: {message}");
    }
}

#[test]
fn f133_prompts_are_not_on_standard_output() {
    let scene = Scene::new();
    let mut session =
        Session::start(scene.bare(["--auth-api-key-file", "-", "print-api-key"]), true);
    session.wait_for("API key: ");
    session.types(&format!("{OTHER_KEY}\r"));
    let (code, output, screen) = session.end();
    assert_eq!((code, output, screen.as_str()), (0, format!("{OTHER_KEY}\n"), "API key: \r\n"));
}

/// As a prompt whose answer is not shown.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_at_a_prompt_cancels_and_ends_the_line() {
    let scene = Scene::new();
    scene.file(".planet.json", "{}");
    let mut session = Session::start_controlled(&scene.bare(["reset"]));
    session.wait_for("[y/N] ");
    session.types("\u{3}");
    let (code, output, screen) = session.end();
    assert_eq!((code, output.as_str()), (Status::Cancelled.number(), ""), "{screen}");
    assert!(
        screen.ends_with("\r\nplanetkey: CANCELLED: cancelled; nothing was changed\r\n"),
        "{screen:?}"
    );
    assert!(scene.has(".planet.json"));
}
