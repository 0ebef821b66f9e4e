//! The README's example runs as printed.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

#[test]
fn the_shell_example_runs_as_printed() {
    let readme = include_str!("../README.md");
    let (_, rest) = readme.split_once("```sh\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_planetkey-simulator"));
    let mut path = vec![program.parent().unwrap().to_owned()];
    path.extend(env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<PathBuf>>());
    let output = Command::new("sh")
        .args(["-e", "-c", example])
        .env("PATH", env::join_paths(path).unwrap())
        .env_remove("NO_PROXY")
        .env_remove("no_proxy")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}{errors}");
    let responses: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>().unwrap();
    let [_, planet, sentinel_hub, refreshed, approved, counters] = responses.as_slice() else {
        panic!("six responses, not {text}");
    };
    assert_eq!(planet["service"], "planet_api");
    assert_eq!(sentinel_hub["service"], "sentinel_hub_api");
    for response in [planet, sentinel_hub] {
        assert_eq!(response["credential"], "bearer");
    }
    assert!(refreshed["access_token"].is_string() && refreshed["refresh_token"].is_string());
    assert_eq!(approved["approved"], true);
    assert_eq!(
        (&counters["user.sessions"], &counters["user.rotations"]),
        (&Value::from(1), &Value::from(1))
    );
    assert_eq!(counters["m2m.token"], 2);
    assert_eq!(counters["m2m.token.issued"], 1);
}
