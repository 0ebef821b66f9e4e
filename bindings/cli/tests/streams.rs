//! Secrets from files and standard input, and closed outputs.

use std::process::Stdio;

use crate::common::{OTHER_CLIENT, OTHER_KEY, OTHER_SECRET, Scene, finish};
use planetkey::Status;

fn client(file: &str) -> [&str; 5] {
    ["--auth-client-id", OTHER_CLIENT, "--auth-client-secret-file", file, "print-access-token"]
}

#[test]
fn a_secret_comes_from_a_file_with_or_without_a_line_end() {
    let scene = Scene::new();
    for end in ["", "\n", "\r\n"] {
        let file = scene.file("secret", format!("{OTHER_SECRET}{end}"));
        scene.afresh(client(file.to_str().unwrap())).line();
        assert_eq!(scene.last_client(), OTHER_CLIENT);
        let file = scene.file("key", format!("{OTHER_KEY}{end}"));
        assert_eq!(
            scene.run(["--auth-api-key-file", file.to_str().unwrap(), "print-api-key"]).line(),
            OTHER_KEY
        );
    }
    assert_eq!(scene.token_requests(), 3);
}

#[test]
fn a_secret_comes_from_standard_input() {
    let scene = Scene::new();
    let input = format!("{OTHER_SECRET}\n");
    finish(&mut scene.command(client("-")), input.as_bytes()).line();
    assert_eq!(scene.last_client(), OTHER_CLIENT);
    let mut command = scene.command(["--auth-api-key-file", "-", "print-api-key"]);
    assert_eq!(finish(&mut command, OTHER_KEY.as_bytes()).line(), OTHER_KEY);
}

#[test]
fn secrets_that_cannot_be_read_are_named_by_their_option() {
    let scene = Scene::new();
    let missing = scene.home.path().join("missing");
    let directory = scene.home.path().to_owned();
    let empty = scene.file("empty", "\n");
    let binary = scene.file("binary", [b'a', 0xff]);
    let long = scene.file("long", "a".repeat(70_000));
    for path in [missing, directory, empty, binary, long] {
        let run = scene.run(client(path.to_str().unwrap()));
        let message = run.failed(Status::InvalidArgument);
        assert!(message.contains("--auth-client-secret-file"), "{message}");
    }
    // A file of several lines is probably the wrong file, and its content is not shown.
    let lines = scene.file("lines", format!("{OTHER_SECRET}\n{OTHER_KEY}\n"));
    scene.run(client(lines.to_str().unwrap())).failed(Status::InvalidArgument);
    let run = finish(&mut scene.command(client("-")), b"");
    assert!(run.failed(Status::InvalidArgument).contains("standard input"), "{run:?}");
    assert_eq!(scene.token_requests(), 0);
}

#[test]
fn a_value_and_its_file_exclude_each_other() {
    let scene = Scene::new();
    let file = scene.file("key", OTHER_KEY);
    let run = scene.run([
        "--auth-api-key",
        OTHER_KEY,
        "--auth-api-key-file",
        file.to_str().unwrap(),
        "print-api-key",
    ]);
    assert!(run.failed(Status::InvalidArgument).contains("exclude each other"), "{run:?}");
    let both = [
        "--auth-client-id",
        "x",
        "--auth-client-secret-file",
        "-",
        "--auth-api-key-file",
        "-",
        "status",
    ];
    let run = finish(&mut scene.command(both), b"x");
    assert!(run.failed(Status::InvalidArgument).contains("standard input"), "{run:?}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let scene = Scene::new();
    for arguments in
        [&["print-api-key"][..], &["status"], &["status", "--json"], &["--help"], &["--version"]]
    {
        let (reader, writer) = std::io::pipe().unwrap();
        // Closed before the command starts, so that its first write fails.
        drop(reader);
        let mut command = scene.command(arguments);
        let output =
            command.stdin(Stdio::null()).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments:?}");
    }
}

#[test]
fn errors_on_a_closed_stream_have_their_exit_code() {
    let scene = Scene::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = scene.command(["nonsense"]).stdin(Stdio::null()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(Status::InvalidArgument.number()));
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let scene = Scene::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = scene.command(["print-api-key"]);
    let output = command.stdin(Stdio::null()).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(Status::Storage.number()));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("planetkey: STORAGE: cannot write the output: "), "{message}");
    assert!(!message.contains(crate::common::KEY));
}
