//! The real host names behind a proxy, the built-in Planet and no deployment document: faults 42, 48 and 49.

use crate::common::*;
use planetkey::profile::SystemEnvironment;
use planetkey::{M2mOptions, Options, Runtime, Session, Status};
use planetkey_simulator::Simulator;
use serde_json::json;
use std::process::Command;
use std::sync::Arc;

fn session(simulator: &Simulator, options: &Options) -> Session {
    let settings = simulator.settings();
    Session::from_m2m(&settings.client_id, &settings.client_secret, &M2mOptions::default(), options).unwrap()
}

#[test]
fn f042_a_certificate_that_proves_nothing_is_refused_before_the_secret_is_sent() {
    let simulator = simulator();
    for fault in ["wrong_host_certificate", "expired_certificate"] {
        simulator.reset();
        simulator.script("proxy", &json!({"steps": [{ "fault": fault }], "repeat": true})).unwrap();
        let session = session(&simulator, &planet_options(&simulator));
        for _ in 0..5 {
            let error = session.access_token().unwrap_err();
            assert_eq!(
                (error.status(), error.reason(), error.retryable()),
                (Status::Misconfigured, Some("tls"), false),
                "{error}"
            );
            assert!(error.message().contains("ca_file") && error.message().contains("proxy"), "{error}");
        }
        assert_eq!(simulator.count("proxy").unwrap(), 1, "{fault}: no retry, and no attempt for each call");
        assert_eq!(simulator.count("m2m.token").unwrap(), 0);
    }
    // Without the CA that signed them, the simulator's names are as bad.
    simulator.reset();
    let untrusted = Options { ca_file: None, ..planet_options(&simulator) };
    assert_eq!(session(&simulator, &untrusted).access_token().unwrap_err().reason(), Some("tls"));
    // With it, and nothing wrong, the same request succeeds.
    session(&simulator, &planet_options(&simulator)).access_token().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
}

#[test]
fn f048_a_proxy_that_wants_a_password_is_a_typed_error() {
    let simulator = simulator();
    simulator.change_settings(&json!({"proxy_credentials": "user:SECRET-f048"})).unwrap();
    let open = session(&simulator, &planet_options(&simulator));
    for _ in 0..5 {
        let error = open.access_token().unwrap_err();
        assert_eq!((error.status(), error.reason()), (Status::Misconfigured, Some("proxy_authentication")), "{error}");
        assert_eq!((error.http_status(), error.retryable()), (Some(407), false));
    }
    assert_eq!(simulator.count("proxy").unwrap(), 1, "no retry");
    let with = |credentials: &str| Options {
        proxy: Some(simulator.proxy().replace("http://", &format!("http://{credentials}@"))),
        ..planet_options(&simulator)
    };
    let error = session(&simulator, &with("user:wrong-f048")).access_token().unwrap_err();
    assert_eq!(error.reason(), Some("proxy_authentication"));
    assert!(!format!("{error:?}").contains("wrong-f048"), "{error}");
    session(&simulator, &with("user:SECRET-f048")).access_token().unwrap();
    // A proxy that cannot do it at all.
    simulator.reset();
    simulator.script("proxy", &json!([{"status": 502}, {"status": 502}, {"status": 502}])).unwrap();
    assert_eq!(session(&simulator, &planet_options(&simulator)).access_token().unwrap_err().status(), Status::Unavailable);
}

/// Loopback never goes through a proxy, be it given by option or by environment.
#[test]
fn f049_loopback_is_never_proxied() {
    let simulator = simulator();
    let options = Options { proxy: Some(simulator.proxy().to_owned()), ..simulator_options(&simulator) };
    simulator_session(&simulator, &options).access_token().unwrap();
    assert_eq!(simulator.count("proxy").unwrap(), 0);
    let output = child("f049_child_that_lives_in_another_environment", &simulator);
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    // The child asked the loopback server twice and Planet twice, and only Planet came through the proxy.
    assert_eq!(simulator.count("m2m.token").unwrap(), 5);
    assert_eq!(simulator.count("proxy").unwrap(), 2);
}

const CHILD: &str = "PLANETKEY_TEST_CHILD";

/// Runs one test of this file in a process whose environment is its own.
fn child(test: &str, simulator: &Simulator) -> std::process::Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("proxy::{test}")]).env(CHILD, "1");
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy"] {
        command.env_remove(name);
    }
    command
        .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, simulator.proxy())))
        .envs(simulator.environment())
        .output()
        .unwrap()
}

/// Does nothing unless [`child`] started it: then the process is its own, and its environment may be changed.
#[test]
fn f049_child_that_lives_in_another_environment() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let text = |name: &str| std::env::var(name).unwrap();
    let open = |deployment: &str, ca: bool| {
        let options = Options {
            deployment: Some(deployment.to_owned()),
            allow_insecure_loopback: Some(true),
            ca_file: ca.then(|| text("PLANETKEY_SIMULATOR_CA")),
            runtime: Runtime { environment: Arc::new(SystemEnvironment), ..Runtime::default() },
            ..Options::default()
        };
        let (id, secret) = (text("PL_AUTH_CLIENT_ID"), text("PL_AUTH_CLIENT_SECRET"));
        Session::from_m2m(&id, &secret, &M2mOptions::default(), &options).unwrap()
    };
    let (loopback, planet) = (open(&text("PLANETKEY_DEPLOYMENT"), false), open("planet", true));
    loopback.access_token().unwrap();
    planet.access_token().unwrap();
    // The environment changes under a session that is open: the next request goes the new way.
    // SAFETY: this process runs this one test, and no other thread reads the environment meanwhile.
    unsafe { std::env::set_var("HTTPS_PROXY", "http://127.0.0.1:1") };
    let error = planet.refresh().unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error}");
    loopback.refresh().unwrap();
    // SAFETY: as above.
    unsafe { std::env::set_var("HTTPS_PROXY", text("PLANETKEY_SIMULATOR_PROXY")) };
    open("planet", true).access_token().unwrap();
}

#[test]
fn a_proxy_that_no_request_can_go_through_is_a_mistake() {
    let named = |proxy: &str| {
        let options = Options { proxy: Some(proxy.into()), runtime: real_network().0, ..Options::default() };
        Session::from_api_key("KEY", planetkey::ApiKeyTransport::Basic, &options)
    };
    for proxy in ["socks5://localhost:1080", "socks5h://user:SECRET@localhost:1080", "ftp://localhost:1"] {
        let error = named(proxy).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(error.message().contains("http://host:port") && !error.message().contains("SECRET"), "{error}");
    }
    named("http://localhost:1080").unwrap();
    named("https://localhost:1080").unwrap();
}
