//! The program: files, environment and exit codes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::common::*;
use planetkey_simulator::{Settings, Simulator};
use serde_json::{Value, json};

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_planetkey-simulator"))
}

#[test]
fn the_files_contain_all_urls_and_credentials() {
    let simulator = start();
    let deployment: Value =
        serde_json::from_str(&fs::read_to_string(simulator.deployment_path()).unwrap()).unwrap();
    let expected = json!({
        "name": "planet-simulator",
        "authorization_servers": [
            {
                "subject": "user",
                "issuer": simulator.user_issuer(),
                "audience": "https://api.planet.com/",
            },
            {
                "subject": "m2m",
                "issuer": simulator.m2m_issuer(),
                "token_endpoint": simulator.token_endpoint(),
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "audience": "https://api.planet.com/",
            },
        ],
        "resource_servers": [
            {
                "hosts": [authority(simulator.planet_api())],
                "user_token": "yes", "m2m_token": "under_development", "api_key": "yes",
            },
            {
                "hosts": [authority(simulator.sentinel_hub_api())],
                "user_token": "yes", "m2m_token": "yes", "api_key": "no",
            },
        ],
    });
    assert_eq!(deployment, expected);
    assert_eq!(fs::read_to_string(simulator.ca_path()).unwrap(), simulator.ca_pem());
    let directory = simulator.ca_path().parent().map(Path::to_owned).unwrap();
    drop(simulator);
    assert!(!directory.exists(), "a temporary directory goes with its simulator");
}

#[test]
fn a_named_directory_is_not_removed() {
    let parent = start();
    let directory = parent.ca_path().parent().unwrap().join("named");
    let settings = Settings { directory: Some(directory.clone()), ..Settings::default() };
    let named = Simulator::start(settings.clone()).unwrap();
    let home = named.home().to_owned();
    fs::write(home.join("kept"), "session").unwrap();
    drop(named);
    let mut left: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["ca.pem", "deployment.json", "environment.sh"], "the home goes");
    // A second run gets a new home.
    let again = Simulator::start(settings).unwrap();
    assert_ne!(again.home(), home);
    assert!(again.home().starts_with(fs::canonicalize(&directory).unwrap()));
    assert_eq!(fs::read_dir(again.home()).unwrap().count(), 0);
}

#[test]
fn the_home_is_private_and_a_reset_empties_it() {
    let simulator = start();
    let home = simulator.home().to_owned();
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&fs::metadata(&home).unwrap()) & 0o777, 0o700);
    let outside = home.parent().unwrap().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "stays").unwrap();
    fs::create_dir_all(home.join(".planet/planet-user")).unwrap();
    fs::write(home.join(".planet/planet-user/token.json"), "{}").unwrap();
    fs::write(home.join(".planet.json"), "{}").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(&outside, home.join("link")).unwrap();
    simulator.reset();
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
    assert!(outside.join("file").exists(), "links are not followed");
    drop(simulator);
    assert!(!home.exists());
}

#[test]
fn a_command_runs_in_the_environment() {
    let output = command()
        .args(["--client-secret", "it's a $ecret", "--", "sh", "-c"])
        .arg("env; test -f \"$PLANETKEY_DEPLOYMENT\" && test -f \"$PLANETKEY_SIMULATOR_CA\" && test -d \"$HOME\" && exit 23")
        .env("PL_AUTH_PROFILE", "mine")
        .env("SH_CLIENT_ID", "mine")
        .env("PLANETKEY_STORAGE_ROOT", "mine")
        .env("XDG_CONFIG_HOME", "mine")
        .env("HOME", "mine")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(23));
    let text = String::from_utf8(output.stdout).unwrap();
    let value = |name: &str| {
        let start = format!("{name}=");
        text.lines().find_map(|line| line.strip_prefix(&start))
    };
    assert_eq!(value("PL_AUTH_CLIENT_SECRET"), Some("it's a $ecret"));
    assert_eq!(value("PLANETKEY_ALLOW_INSECURE_LOOPBACK"), Some("1"));
    for name in [
        "PL_API_KEY",
        "PL_AUTH_CLIENT_ID",
        "PLANETKEY_SIMULATOR",
        "PLANETKEY_SIMULATOR_PLANET_API",
        "PLANETKEY_SIMULATOR_SENTINEL_HUB_API",
        "PLANETKEY_SIMULATOR_M2M",
        "PLANETKEY_SIMULATOR_PROXY",
        "PLANETKEY_SIMULATOR_TLS",
    ] {
        assert!(value(name).is_some_and(|value| !value.ends_with('/')), "{name}");
    }
    // An issuer is compared byte for byte.
    assert!(value("PLANETKEY_SIMULATOR_USER").is_some_and(|value| value.ends_with('/')));
    for name in Simulator::removed_environment() {
        assert_eq!(value(name), None);
    }
    let home = PathBuf::from(value("HOME").unwrap());
    assert!(home.is_absolute() && !home.exists(), "{home:?}");
    let ca = PathBuf::from(value("PLANETKEY_SIMULATOR_CA").unwrap());
    assert!(!ca.exists(), "the temporary directory is gone");
}

#[test]
fn a_command_inherits_the_standard_streams() {
    let mut child =
        command().args(["--", "cat"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), b"through").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.stdout, b"through");
    assert!(output.status.success());
}

#[test]
fn a_missing_or_killed_command_is_reported() {
    let output = command().args(["--", "no-such-program-anywhere"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("no-such-program-anywhere"));
    let killed = command().args(["--", "sh", "-c", "kill -TERM $$"]).status().unwrap();
    assert_eq!(killed.code(), Some(128 + 15));
}

#[test]
fn it_serves_until_standard_input_closes() {
    let parent = start();
    let directory = parent.ca_path().parent().unwrap().join("served");
    let mut child = command()
        .args([
            "--until-stdin-closes",
            "--token-lifetime",
            "77",
            "--api-key",
            "it's",
            "--directory",
        ])
        .arg(&directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let description: Value = serde_json::from_str(&line).unwrap();
    let text = |name: &str| description[name].as_str().unwrap().to_owned();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", &text("client_id")),
        ("client_secret", &text("client_secret")),
    ];
    let issued = post_form(&text("token_endpoint"), &fields);
    assert_eq!(issued.json()["expires_in"], 77);
    let sourced = Command::new("sh")
        .args([
            "-c",
            ". \"$1\"; printf %s \"$PL_API_KEY |$PL_AUTH_PROFILE|$XDG_CONFIG_HOME|$HOME\"",
            "sh",
        ])
        .arg(text("environment"))
        .env("PL_AUTH_PROFILE", "mine")
        .env("XDG_CONFIG_HOME", "mine")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(sourced.stdout).unwrap(), format!("it's |||{}", text("home")));
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    line.clear();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "", "one line is all it prints");
}

#[test]
fn a_port_can_be_chosen() {
    let first = start();
    let port: u16 = authority(first.control()).rsplit(':').next().unwrap().parse().unwrap();
    let output =
        command().args(["--control-port", &port.to_string(), "--", "true"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "the port is taken");
    drop(first);
    let output = command()
        .args(["--control-port", &port.to_string(), "--", "sh", "-c", "echo $PLANETKEY_SIMULATOR"])
        .output()
        .unwrap();
    let expected = format!("http://127.0.0.1:{port}\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
