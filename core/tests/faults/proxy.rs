//! The real host names behind a proxy, with the built-in Planet and no deployment document: faults
//! 42, 48 and 49.

use crate::common::*;
use planetkey::profile::{FixedEnvironment, SystemEnvironment};
use planetkey::{Options, Reason, Runtime, Session, Status};
use planetkey_simulator::Simulator;
use serde_json::json;
use std::process::Command;
use std::sync::Arc;

fn session(simulator: &Simulator, options: &Options) -> Session {
    let settings = simulator.settings();
    Session::from_m2m(&settings.client_id, &settings.client_secret, options).unwrap()
}

#[test]
fn f042_an_invalid_certificate_is_refused_before_the_secret_is_sent() {
    let simulator = simulator();
    for fault in ["wrong_host_certificate", "expired_certificate"] {
        simulator.reset();
        simulator.script("proxy", &json!({"steps": [{ "fault": fault }], "repeat": true})).unwrap();
        let session = session(&simulator, &planet_options(&simulator));
        for _ in 0..5 {
            let error = session.access_token().unwrap_err();
            assert_eq!(
                (error.status(), error.reason(), error.retryable()),
                (Status::Misconfigured, Some(Reason::Tls), false),
                "{error}"
            );
            assert!(
                error.message().contains("ca_file") && error.message().contains("proxy"),
                "{error}"
            );
        }
        assert_eq!(
            simulator.count("proxy").unwrap(),
            1,
            "{fault}: no retry, and no attempt for each call"
        );
        assert_eq!(simulator.count("m2m.token").unwrap(), 0);
    }
    // Without the simulator's CA its certificates are refused, too.
    simulator.reset();
    let untrusted = planet_options(&simulator).with(|it| it.ca_file = None);
    assert_eq!(
        session(&simulator, &untrusted).access_token().unwrap_err().reason(),
        Some(Reason::Tls)
    );
    // With the CA and a valid certificate, the same request succeeds.
    session(&simulator, &planet_options(&simulator)).access_token().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
}

#[test]
fn f048_a_proxy_that_requires_a_password_is_a_typed_error() {
    let simulator = simulator();
    simulator.change_settings(&json!({"proxy_credentials": "user:SECRET-f048"})).unwrap();
    let open = session(&simulator, &planet_options(&simulator));
    for _ in 0..5 {
        let error = open.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Misconfigured, Some(Reason::ProxyAuthentication)),
            "{error}"
        );
        assert_eq!((error.http_status(), error.retryable()), (Some(407), false));
    }
    assert_eq!(simulator.count("proxy").unwrap(), 1, "no retry");
    let with = |credentials: &str| {
        planet_options(&simulator).with(|it| {
            it.proxy = Some(simulator.proxy().replace("http://", &format!("http://{credentials}@")))
        })
    };
    let error = session(&simulator, &with("user:wrong-f048")).access_token().unwrap_err();
    assert_eq!(error.reason(), Some(Reason::ProxyAuthentication));
    assert!(!format!("{error:?}").contains("wrong-f048"), "{error}");
    session(&simulator, &with("user:SECRET-f048")).access_token().unwrap();
    // The proxy cannot reach the server.
    simulator.reset();
    simulator.script("proxy", &json!([{"status": 502}, {"status": 502}, {"status": 502}])).unwrap();
    assert_eq!(
        session(&simulator, &planet_options(&simulator)).access_token().unwrap_err().status(),
        Status::Unavailable
    );
}

/// Requests to loopback addresses never use a proxy, whether an option or the environment names it.
#[test]
fn f049_loopback_is_never_proxied() {
    let simulator = simulator();
    let options =
        simulator_options(&simulator).with(|it| it.proxy = Some(simulator.proxy().to_owned()));
    simulator_session(&simulator, &options).access_token().unwrap();
    assert_eq!(simulator.count("proxy").unwrap(), 0);
    let output = child("f049_child_with_another_environment", &simulator);
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    // The child sent two requests to the loopback server and two to Planet. Only those to Planet
    // used the proxy.
    assert_eq!(simulator.count("m2m.token").unwrap(), 5);
    assert_eq!(simulator.count("proxy").unwrap(), 2);
}

const CHILD: &str = "PLANETKEY_TEST_CHILD";

/// Runs one test of this file in a process with its own environment.
fn child(test: &str, simulator: &Simulator) -> std::process::Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("faults::proxy::{test}")]).env(CHILD, "1");
    for name in [
        "HTTP_PROXY",
        "http_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "ALL_PROXY",
        "all_proxy",
        "NO_PROXY",
        "no_proxy",
    ] {
        command.env_remove(name);
    }
    command
        .envs(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, simulator.proxy())))
        .envs(simulator.environment())
        .output()
        .unwrap()
}

/// Does nothing unless [`child`] started this process. Then the test may change the environment of
/// the process.
#[test]
fn f049_child_with_another_environment() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let text = |name: &str| std::env::var(name).unwrap();
    let open = |deployment: &str, ca: bool| {
        let options = Options::default().with(|it| {
            it.deployment = Some(deployment.to_owned());
            it.allow_insecure_loopback = Some(true);
            it.ca_file = ca.then(|| text("PLANETKEY_SIMULATOR_CA").into());
            it.runtime = Runtime { environment: Arc::new(SystemEnvironment), ..Runtime::default() };
        });
        let (id, secret) = (text("PL_AUTH_CLIENT_ID"), text("PL_AUTH_CLIENT_SECRET"));
        Session::from_m2m(&id, &secret, &options).unwrap()
    };
    let (loopback, planet) = (open(&text("PLANETKEY_DEPLOYMENT"), false), open("planet", true));
    loopback.access_token().unwrap();
    planet.access_token().unwrap();
    // i9_11: the environment changes while a session is open. That session does not change. The
    // next session uses the new environment.
    for (name, value) in [
        ("HTTPS_PROXY", "http://127.0.0.1:1"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
    ] {
        // SAFETY: this process runs this one test, and no other thread reads the environment
        // meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
    planet.refresh().unwrap();
    loopback.refresh().unwrap();
    let error = open("planet", true).access_token().unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error}");
    assert!(error.message().contains("http://127.0.0.1:1 of HTTPS_PROXY"), "{error}");
}

/// Opens a session with these variables, and without an option for the proxy or the CA file.
fn in_environment(simulator: &Simulator, variables: &[(&str, &str)]) -> Session {
    let environment = FixedEnvironment::new(variables.iter().copied());
    let runtime = Runtime { environment: Arc::new(environment), ..real_network().0 };
    session(
        simulator,
        &planet_options(simulator).with(|it| {
            it.ca_file = None;
            it.proxy = None;
            it.save = Some(false);
            it.runtime = runtime;
        }),
    )
}

#[test]
fn i9_11_proxy_and_certificates_come_from_the_given_environment() {
    let simulator = simulator();
    let ca = simulator.ca_path().to_string_lossy().into_owned();
    let proxy = simulator.proxy().to_owned();
    for name in ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        for ca_name in ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"] {
            in_environment(&simulator, &[(name, &proxy), (ca_name, &ca)]).access_token().unwrap();
        }
    }
    assert_eq!(simulator.count("proxy").unwrap(), 12);
    let error = in_environment(&simulator, &[("HTTPS_PROXY", &proxy)]).access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::Misconfigured, Some(Reason::Tls)),
        "{error}"
    );
}

#[test]
fn i10_12_the_error_about_unusable_certificates_names_variable_and_file() {
    let simulator = simulator();
    let pem = std::fs::read_to_string(simulator.ca_path()).unwrap();
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        std::fs::write(home.path().join(name), bytes).unwrap();
        home.path().join(name).to_string_lossy().into_owned()
    };
    let proxy = simulator.proxy().to_owned();
    let with = |path: &str| {
        in_environment(&simulator, &[("HTTPS_PROXY", &proxy), ("REQUESTS_CA_BUNDLE", path)])
            .access_token()
    };
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    for broken in [
        "/nowhere/ca.pem".to_owned(),
        file("empty.pem", b""),
        file("broken.pem", b"-----BEGIN CERTIFICATE-----\nMIIB!!!\n-----END CERTIFICATE-----\n"),
        file(
            "cut.pem",
            format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", &body[..64])
                .as_bytes(),
        ),
    ] {
        let error = with(&broken).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Misconfigured, Some(Reason::Tls)),
            "{error}"
        );
        assert!(
            error.message().contains("REQUESTS_CA_BUNDLE") && error.message().contains(&broken),
            "{error}"
        );
    }
    assert_eq!(simulator.count("proxy").unwrap(), 0);
    for good in [
        file("bom.pem", format!("\u{feff}{pem}").as_bytes()),
        file(
            "latin1.pem",
            &[b"caf\xe9\r\n".as_slice(), pem.replace('\n', "\r\n").as_bytes()].concat(),
        ),
        file("x509.pem", pem.replace("CERTIFICATE-----", "X509 CERTIFICATE-----").as_bytes()),
        file("trusted.pem", pem.replace("CERTIFICATE-----", "TRUSTED CERTIFICATE-----").as_bytes()),
        // A directory that also contains other files.
        home.path().to_string_lossy().into_owned(),
    ] {
        with(&good).map(drop).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
}

#[test]
fn i10_12_an_unusable_proxy_variable_fails_only_requests_that_need_it() {
    let simulator = simulator();
    for variables in [
        [("HTTPS_PROXY", "http://user:SECRET@:99999")],
        [("https_proxy", "socks5://user:SECRET@host")],
    ] {
        let error = in_environment(&simulator, &variables).access_token().unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{error}");
        assert!(
            error.message().contains(variables[0].0) && !error.message().contains("SECRET"),
            "{error}"
        );
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 0);
}

#[test]
fn an_unusable_proxy_option_is_an_error() {
    let named = |proxy: &str| {
        let options = Options::default().with(|it| {
            it.proxy = Some(proxy.into());
            it.runtime = real_network().0;
        });
        Session::from_api_key("KEY", planetkey::ApiKeyTransport::Basic, &options)
    };
    for proxy in
        ["socks5://localhost:1080", "socks5h://user:SECRET@localhost:1080", "ftp://localhost:1"]
    {
        let error = named(proxy).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        assert!(
            error.message().contains("http://host:port") && !error.message().contains("SECRET"),
            "{error}"
        );
    }
    named("http://localhost:1080").unwrap();
    named("https://localhost:1080").unwrap();
}
