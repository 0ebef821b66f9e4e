//! Endpoints and transport: assertions 1 to 10.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::deployment::InsecureLoopback;
use planetkey::http::HttpMethod;
use planetkey::oauth::metadata;
use planetkey::{Reason, Session, Status};
use planetkey_simulator::Simulator;
use serde_json::{Value, json};
use std::sync::Arc;

/// Returns a client configuration for any authorization server.
fn config(server: &str, more: &Value) -> String {
    let mut config = json!({
        "client_type": "oidc_client_credentials_secret",
        "auth_server": server,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config.to_string()
}

fn open(server: &str, more: &Value, loopback: bool) -> planetkey::Result<Session> {
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)))
        .with(|it| it.allow_insecure_loopback = Some(loopback));
    Session::from_client_config(&config(server, more), &options)
}

#[test]
fn a001_endpoints_are_https_or_loopback_by_option() {
    for server in [
        "http://as.example/realm",
        "http://10.0.0.1/",
        "ftp://as.example/",
        "http://127.0.0.1.evil.example/",
    ] {
        for loopback in [false, true] {
            assert_eq!(
                open(server, &json!({}), loopback).unwrap_err().status(),
                Status::Misconfigured,
                "{server}"
            );
            let more = json!({"token_endpoint": server});
            assert_eq!(
                open("https://as.example", &more, loopback).unwrap_err().status(),
                Status::Misconfigured,
                "{server}"
            );
        }
    }
    for server in ["http://127.0.0.1:8080/realm", "http://localhost/realm", "http://[::1]:80/realm"]
    {
        let error = open(server, &json!({}), false).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(error.message().contains("allow_insecure_loopback"), "{error}");
        open(server, &json!({}), true).unwrap();
    }
    open("https://as.example/realm", &json!({}), false).unwrap();
    // The same for the endpoints in a server's metadata.
    let document =
        json!({"issuer": "https://as.example", "token_endpoint": "http://as.example/token"});
    assert_eq!(
        metadata::parse(&document, "https://as.example", InsecureLoopback::Allowed)
            .unwrap_err()
            .status(),
        Status::Protocol
    );
}

/// Opens a session with the TLS listener of the simulator, with its CA or without.
fn tls_session(simulator: &Simulator, ca: bool) -> Session {
    let settings = simulator.settings();
    let more = json!({"client_id": settings.client_id, "client_secret": settings.client_secret});
    let options = simulator_options(simulator).with(|it| {
        // The only option whose name could suggest fewer checks.
        it.ca_file = ca.then(|| simulator.ca_path().to_owned());
        it.allow_insecure_loopback = Some(true);
    });
    Session::from_client_config(&config(&simulator.tls_issuer(), &more), &options).unwrap()
}

#[test]
fn a002_certificate_and_host_name_are_verified() {
    let simulator = simulator();
    let refused = |session: &Session| {
        let error = session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::Misconfigured, Some(Reason::Tls)),
            "{error}"
        );
        assert!(
            error.message().contains("ca_file") && error.message().contains("clock"),
            "{error}"
        );
    };
    refused(&tls_session(&simulator, false));
    for fault in ["wrong_host_certificate", "expired_certificate"] {
        simulator.script("tls", &json!([{ "fault": fault }])).unwrap();
        refused(&tls_session(&simulator, true));
    }
    assert_eq!(
        simulator.count("m2m.token").unwrap() + simulator.count("m2m.metadata").unwrap(),
        0,
        "nothing was sent"
    );
    tls_session(&simulator, true).access_token().unwrap();
}

#[test]
fn a003_token_requests_are_post_forms_in_utf8() {
    let simulator = simulator();
    let client = json!({"client_id": "Größe & Co=1", "client_secret": "pässwörd +%"});
    simulator.register_client(&client).unwrap();
    let session =
        Session::from_m2m("Größe & Co=1", "pässwörd +%", &simulator_options(&simulator)).unwrap();
    session.access_token().unwrap();
    let request = simulator.requests("m2m.token").unwrap()[0].clone();
    assert_eq!(request["method"], "POST");
    assert_eq!(
        header(&simulator, "m2m.token", 0, "content-type").as_deref(),
        Some("application/x-www-form-urlencoded")
    );
    let fields = form(&simulator, "m2m.token", 0);
    assert!(fields.contains(&("client_id".into(), "Größe & Co=1".into())), "{fields:?}");
    assert!(fields.contains(&("client_secret".into(), "pässwörd +%".into())), "{fields:?}");
}

#[test]
fn a004_no_parameter_is_sent_twice() {
    for name in
        ["grant_type", "scope", "audience", "client_id", "client_secret", "client_assertion"]
    {
        let more = json!({"extra": {name: "other"}, "scopes": ["planet"], "audiences": ["https://api.planet.com/"]});
        let error = open("https://as.example", &more, false).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{name}");
        assert!(error.message().contains(name), "{error}");
    }
    // `organization` has a field of its own, so it can also occur twice.
    let more = json!({"organization": "a", "extra": {"organization": "b"}});
    assert_eq!(
        open("https://as.example", &more, false).unwrap_err().status(),
        Status::InvalidArgument
    );
    let bench = bench();
    bench.token();
    let body = &bench.fake.seen()[0].body;
    let mut names: Vec<&str> =
        body.split('&').map(|pair| pair.split('=').next().unwrap()).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{body}");
}

#[test]
fn a005_empty_parameters_are_left_out() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let more = json!({
        "token_endpoint": "https://as.example/token",
        "token_endpoint_auth_method": "client_secret_post",
        "scopes": [], "audiences": [""], "organization": "", "extra": {"empty": "", "full": "yes"},
    });
    let session =
        Session::from_client_config(&config("https://as.example", &more), &options(&fake, &clock))
            .unwrap();
    session.access_token().unwrap();
    let seen = fake.seen();
    assert_eq!(seen[0].field("full").as_deref(), Some("yes"));
    for name in ["scope", "audience", "organization", "empty"] {
        assert_eq!(seen[0].field(name), None, "{}", seen[0].body);
    }
}

#[test]
fn a006_the_secret_is_never_in_a_url() {
    let simulator = simulator();
    let settings = simulator.settings();
    for method in ["client_secret_basic", "client_secret_post"] {
        let more = json!({
            "client_id": settings.client_id, "client_secret": settings.client_secret, "token_endpoint_auth_method": method,
        });
        let config = config(&simulator.m2m_issuer(), &more);
        Session::from_client_config(&config, &simulator_options(&simulator))
            .unwrap()
            .access_token()
            .unwrap();
        // The same with metadata.
        let other = config.replace("127.0.0.1", "localhost");
        let _ = Session::from_client_config(&other, &simulator_options(&simulator))
            .unwrap()
            .access_token();
    }
    let log = simulator.all_requests();
    assert!(log.len() >= 4);
    for request in log {
        assert!(request["query"].is_null(), "{request}");
        assert!(!request["path"].as_str().unwrap().contains(&settings.client_secret));
    }
}

#[test]
fn a007_redirects_of_the_token_endpoint_are_not_followed() {
    let simulator = simulator();
    for status in [301, 302, 303, 307, 308] {
        let target = format!("{}/trap", simulator.planet_api());
        simulator
            .script("m2m.token", &json!([{"status": status, "headers": {"Location": target}}]))
            .unwrap();
        let error = simulator_session(&simulator, &simulator_options(&simulator))
            .access_token()
            .unwrap_err();
        assert_eq!(
            (error.status(), error.http_status()),
            (Status::Protocol, Some(status)),
            "{error}"
        );
        assert!(error.message().contains("redirects to 127.0.0.1"), "{error}");
    }
    assert_eq!(simulator.count("planet_api").unwrap(), 0, "the secret was sent to another host");
    assert_eq!(simulator.count("m2m.token").unwrap(), 5, "no second try");
}

#[test]
fn a008_a_response_that_is_not_json_is_an_error_without_its_body() {
    let logs = logs();
    let simulator = simulator();
    let page = "<html>a page with a SECRET-IN-BODY-a008</html>";
    simulator
        .script(
            "m2m.token",
            &json!([{"body": page, "headers": {"Content-Type": "text/html; charset=utf-8"}}]),
        )
        .unwrap();
    let error =
        simulator_session(&simulator, &simulator_options(&simulator)).access_token().unwrap_err();
    assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(200)));
    assert!(error.message().contains("200") && error.message().contains("text/html"), "{error}");
    assert!(!format!("{error} {error:?}").contains("SECRET-IN-BODY"));
    assert_eq!(logs.with(log::Level::Trace, "SECRET-IN-BODY-a008"), Vec::<String>::new());
    assert_eq!(header(&simulator, "m2m.token", 0, "accept").as_deref(), Some("application/json"));
}

#[test]
fn a009_unknown_members_are_ignored() {
    let bench = bench();
    let more = json!({"access_token": "t", "expires_in": 60, "x": {"y": [1, null]}, "refresh_expires_in": 0, "not-before-policy": 0, "": ""});
    bench.fake.answers(token(&more));
    assert_eq!(bench.token(), "t");
    let document = json!({"issuer": "https://as.example", "token_endpoint": "https://as.example/t", "new": {"thing": 1}, "jwks_uri": 5});
    let metadata =
        metadata::parse(&document, "https://as.example", InsecureLoopback::Refused).unwrap();
    assert_eq!(metadata.token_endpoint.as_deref(), Some("https://as.example/t"));
}

/// A client is registered at two servers. Each server gets its own secret, and neither's token goes
/// to a host of the other.
#[test]
fn a010_credentials_of_one_server_never_go_to_another() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let open = |server: &str, secret: &str| {
        let more = json!({"client_secret": secret, "token_endpoint": format!("{server}/token"), "token_endpoint_auth_method": "client_secret_post"});
        let options = options(&fake, &clock)
            .with(|it| it.allowed_hosts = Some(vec!["api.other.example".into()]));
        Session::from_client_config(&config(server, &more), &options).unwrap()
    };
    let (one, two) =
        (open("https://one.example", "secret-one"), open("https://two.example", "secret-two"));
    assert_ne!(&*one.access_token().unwrap(), &*two.access_token().unwrap());
    let seen = fake.seen();
    assert_eq!(
        (seen[0].url.as_str(), seen[0].field("client_secret").as_deref()),
        ("https://one.example/token", Some("secret-one"))
    );
    assert_eq!(
        (seen[1].url.as_str(), seen[1].field("client_secret").as_deref()),
        ("https://two.example/token", Some("secret-two"))
    );
    // Planet's hosts accept tokens of Planet's servers only. The hosts that the call lists accept
    // this one.
    for url in [PLANET, SENTINEL_HUB] {
        assert_eq!(one.headers(url).unwrap_err().status(), Status::HostRefused);
    }
    one.headers("https://api.other.example/").unwrap();
    assert_eq!(seen.len(), 2);
}

/// A server whose metadata names another issuer gets no secret at all (the other half of assertion
/// 10).
#[test]
fn a010_a_server_with_another_name_gets_no_secret() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let document =
        json!({"issuer": "https://other.example", "token_endpoint": "https://other.example/token"});
    fake.answers(json_answer(200, &document));
    let session = Session::from_client_config(
        &config("https://as.example", &json!({})),
        &options(&fake, &clock),
    )
    .unwrap();
    let error = session.access_token().unwrap_err();
    assert_eq!((error.status(), error.reason()), (Status::Protocol, Some(Reason::IssuerMismatch)));
    let seen = fake.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].method, seen[0].body.as_str(), &seen[0].authorization),
        (HttpMethod::Get, "", &None)
    );
}
