//! Credentials of the options take precedence over the environment, and are never mixed with it.

use crate::common::{KEY, OTHER_CLIENT, OTHER_KEY, OTHER_SECRET, SECRET, Scene, finish};
use planetkey::Status;
use serde_json::json;
use std::path::Path;

#[test]
fn a_client_of_the_options_takes_precedence_over_the_environment() {
    let scene = Scene::new();
    scene.run(["print-access-token"]).line();
    assert_eq!(scene.last_client(), "simulator-client");
    let options = ["--auth-client-id", OTHER_CLIENT, "--auth-client-secret", OTHER_SECRET];
    scene.run(options.into_iter().chain(["print-access-token"])).line();
    assert_eq!(scene.last_client(), OTHER_CLIENT);
    // The environment's key is not used instead.
    scene.run(options.into_iter().chain(["print-api-key"])).failed(Status::Unsupported);
}

#[test]
fn a_key_of_the_options_takes_precedence_over_the_environment() {
    let scene = Scene::new();
    assert_eq!(scene.run(["--auth-api-key", OTHER_KEY, "print-api-key"]).line(), OTHER_KEY);
    scene.run(["--auth-api-key", OTHER_KEY, "print-access-token"]).failed(Status::Unsupported);
    let url = scene.sentinel_hub("/api/v1/catalog");
    scene.run(["--auth-api-key", OTHER_KEY, "header", &url]).failed(Status::HostRefused);
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn a_secret_of_the_environment_can_be_in_a_file() {
    let scene = Scene::new();
    let (key, secret) = (
        scene.file("run/key", format!("{OTHER_KEY}\n")),
        scene.file("run/secret", format!("{OTHER_SECRET}\n")),
    );
    let run = |key: &Path, arguments: &[&str]| {
        let mut command = scene.bare(arguments);
        command.env("PL_API_KEY_FILE", key).env("PL_AUTH_CLIENT_ID", OTHER_CLIENT);
        finish(command.env("PL_AUTH_CLIENT_SECRET_FILE", &secret), b"")
    };
    assert_eq!(run(&key, &["print-api-key"]).line(), OTHER_KEY);
    run(&key, &["print-access-token"]).line();
    assert_eq!(scene.last_client(), OTHER_CLIENT);
    let missing = scene.home.path().join("run/other");
    let failed = run(&missing, &["print-api-key"]);
    let message = failed.failed(Status::Misconfigured);
    assert!(message.contains("PL_API_KEY_FILE") && message.contains("run/other"), "{message}");
    let both = finish(scene.command(["print-api-key"]).env("PL_API_KEY_FILE", &key), b"");
    let message = both.failed(Status::Misconfigured);
    assert!(message.contains("PL_API_KEY and PL_API_KEY_FILE"), "{message}");
}

#[test]
fn among_options_a_profile_comes_first_then_the_client() {
    let scene = Scene::new();
    scene.profile("mine", &json!({"client_type": "static_apikey", "api_key": "PLAKprofile"}));
    let client = ["--auth-client-id", OTHER_CLIENT, "--auth-client-secret", OTHER_SECRET];
    let key = ["--auth-api-key", OTHER_KEY];
    for option in ["--profile", "--auth-profile"] {
        let all = [option, "mine"].into_iter().chain(client).chain(key).chain(["print-api-key"]);
        assert_eq!(scene.run(all).line(), "PLAKprofile");
    }
    scene.run(client.into_iter().chain(key).chain(["print-access-token"])).line();
    assert_eq!(scene.last_client(), OTHER_CLIENT);
}

#[test]
fn half_a_client_is_an_error_even_if_the_environment_has_the_other_half() {
    let scene = Scene::new();
    for half in [
        &["--auth-client-id", "simulator-client"][..],
        &["--auth-client-secret", SECRET],
        &["--auth-client-id", "simulator-client", "--auth-api-key", OTHER_KEY],
    ] {
        let run = scene.run(half.iter().chain(&["print-access-token"]));
        assert!(run.failed(Status::InvalidArgument).contains("never mixed"), "{run:?}");
    }
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn options_may_come_before_or_after_the_command() {
    let scene = Scene::new();
    let expected = format!("Authorization: api-key {OTHER_KEY}");
    let url = scene.planet("/x");
    let options = ["--auth-api-key", OTHER_KEY, "--api-key-transport=header"];
    assert_eq!(scene.run(options.into_iter().chain(["header", &url])).line(), expected);
    assert_eq!(scene.run(["header", &url].into_iter().chain(options)).line(), expected);
    assert_eq!(
        scene
            .run(["--auth-api-key", OTHER_KEY, "header", &url, "--api-key-transport", "header"])
            .line(),
        expected
    );
}

#[test]
fn a_transport_without_a_key_of_the_options_is_an_error() {
    let scene = Scene::new();
    let run = scene.run(["--api-key-transport", "header", "header", &scene.planet("/x")]);
    assert!(run.failed(Status::InvalidArgument).contains("transport"), "{run:?}");
}

#[test]
fn loopback_requires_the_option_or_the_variable() {
    let scene = Scene::new();
    let url = scene.planet("/x");
    let named = ["--auth-api-key", OTHER_KEY, "header", &url];
    // For the key only: a client whose token endpoint uses plain http is refused.
    let command = |arguments: &[&str]| {
        let mut command = scene.command(arguments);
        command.env_remove("PL_AUTH_CLIENT_ID").env_remove("PL_AUTH_CLIENT_SECRET");
        command
    };
    for arguments in [&named[..], &["header", &url]] {
        finish(&mut command(arguments), b"").line();
        let mut without = command(arguments);
        without.env_remove("PLANETKEY_ALLOW_INSECURE_LOOPBACK");
        assert!(
            finish(&mut without, b"")
                .failed(Status::HostRefused)
                .contains("allow_insecure_loopback")
        );
        without.arg("--allow-insecure-loopback");
        finish(&mut without, b"").line();
        let mut no = command(arguments);
        no.env("PLANETKEY_ALLOW_INSECURE_LOOPBACK", "0");
        finish(&mut no, b"").failed(Status::HostRefused);
    }
}

#[test]
fn a_deployment_of_the_options_takes_precedence_over_the_variable() {
    let scene = Scene::new();
    let url = "https://api.planet.com/data/v1/item-types";
    scene.run(["header", url]).failed(Status::HostRefused);
    assert!(
        scene
            .run(["--deployment", "planet", "header", url])
            .line()
            .starts_with("Authorization: Basic ")
    );
    let document = scene.simulator.deployment();
    let mut command = scene.command(["--deployment", &document, "header", &scene.planet("/x")]);
    finish(command.env_remove("PLANETKEY_DEPLOYMENT"), b"").line();
}

#[test]
fn allowed_hosts_can_be_repeated_and_apply_to_the_key_of_the_options() {
    let scene = Scene::new();
    let hosts = ["--allowed-host", "a.example.org", "--allowed-host", "b.example.org"];
    for host in ["a", "b"] {
        let url = format!("https://{host}.example.org/tiles");
        let run = scene.run(["--auth-api-key", OTHER_KEY, "header", &url].into_iter().chain(hosts));
        assert!(run.line().starts_with("Authorization: Basic "));
    }
    let run = scene.run(
        ["--auth-api-key", OTHER_KEY, "header", "https://c.example.org/"].into_iter().chain(hosts),
    );
    run.failed(Status::HostRefused);
    assert!(!scene.run(["status"].into_iter().chain(hosts)).stdout.contains(KEY));
}

#[test]
fn proxy_and_ca_lead_to_the_real_names() {
    let scene = Scene::new();
    let ca = scene.simulator.ca_path();
    let arguments = |proxy: &str| {
        let text = ["--deployment", "planet", "--proxy", proxy, "print-access-token", "--ca-file"];
        text.map(str::to_owned)
            .into_iter()
            .chain([ca.to_str().unwrap().to_owned()])
            .collect::<Vec<_>>()
    };
    scene.run(arguments(scene.simulator.proxy())).line();
    assert_eq!(scene.simulator.count("proxy").unwrap(), 1);
    assert_eq!(scene.last_client(), "simulator-client");
    scene.run(arguments("not a url")).failed(Status::InvalidArgument);
}
