//! No secret appears in a log, an error, a `Debug` output, a status or a URL of the core: rule 11
//! of the design's section 7.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::credential::ApiKey;
use planetkey::secret::Secret;
use planetkey::{ApiKeyTransport, Session, Status};
use serde_json::json;
use std::sync::Arc;

/// Checks everything that any crate logs at the most verbose level, over real sockets, through
/// success, refusal, retry and redirect.
#[test]
fn no_log_record_holds_a_secret() {
    let logs = logs();
    let simulator = simulator();
    simulator
        .register_client(&json!({"client_id": "quiet", "client_secret": "SECRET-of-secrecy-test"}))
        .unwrap();
    let options = simulator_options(&simulator);
    let session = Session::from_m2m("quiet", "SECRET-of-secrecy-test", &options).unwrap();
    let token = session.access_token().unwrap().to_string();
    simulator
        .script("m2m.token", &json!([{"status": 503}, {"fault": "reset_after_read"}]))
        .unwrap();
    session.refresh().unwrap();
    simulator
        .script(
            "m2m.token",
            &json!([{"json": {"error": "invalid_client", "echo": "SECRET-of-secrecy-test"}}]),
        )
        .unwrap();
    let error = session.refresh().unwrap_err();
    let basic = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": simulator.m2m_issuer(), "client_id": "quiet",
        "client_secret": "SECRET-of-secrecy-test", "token_endpoint_auth_method": "client_secret_basic",
    });
    let basic = Session::from_client_config(&basic.to_string(), &options).unwrap();
    basic.access_token().unwrap();
    let last = simulator.requests("m2m.token").unwrap().len() - 1;
    let encoded =
        header(&simulator, "m2m.token", last, "authorization").unwrap().replace("Basic ", "");
    let debug = format!(
        "{error:?} {session:?} {:?} {:?}",
        session.status(),
        session.headers(simulator.sentinel_hub_api()).unwrap()
    );
    for secret in [
        "SECRET-of-secrecy-test",
        token.as_str(),
        &session.access_token().unwrap(),
        encoded.as_str(),
    ] {
        assert_eq!(logs.with(log::Level::Trace, secret), Vec::<String>::new());
        assert!(!debug.contains(secret), "{debug}");
        assert!(!session.status().to_json().to_string().contains(secret));
    }
    assert!(
        !logs.with(log::Level::Trace, simulator.m2m_issuer().as_str()).is_empty(),
        "the logger works"
    );
}

#[test]
fn debug_shows_no_secret() {
    let bench = bench();
    let token = bench.session.access_token().unwrap();
    let authorization = bench.session.headers(SENTINEL_HUB).unwrap();
    let key = ApiKey::new("SECRET-KEY").unwrap();
    let shown = format!(
        "{token:?} {authorization:?} {key:?} {:?} {:?}",
        Secret::from("SECRET-KEY"),
        bench.session
    );
    assert!(
        !shown.contains("token-1")
            && !shown.contains("SECRET-KEY")
            && !shown.contains(CLIENT_SECRET),
        "{shown}"
    );
}

/// The parsers of configurations report where they failed, and never quote the text there.
#[test]
fn errors_about_a_configuration_do_not_quote_it() {
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)));
    for config in [
        r#"{"client_type": "oidc_client_credentials_secret", "client_secret": "SECRET-CONFIG""#,
        r#"{"client_type": "oidc_client_credentials_secret", "client_secret": ["SECRET-CONFIG"]}"#,
        r#"{"client_type": "static_apikey", "api_key": "SECRET-CONFIG\n"}"#,
        r#"{"client_type": "static_apikey", "api_key": {"SECRET-CONFIG": 1}}"#,
        r#"{"client_type": "oidc_client_credentials_pubkey", "client_id": "x", "client_privkey": "-----BEGIN SECRET-CONFIG"}"#,
        "SECRET-CONFIG",
        "[\"SECRET-CONFIG\"]",
    ] {
        let error = Session::from_client_config(config, &options).unwrap_err();
        assert!(
            matches!(error.status(), Status::Misconfigured | Status::InvalidArgument),
            "{error}"
        );
        assert!(!format!("{error:?}").contains("SECRET-CONFIG"), "{error}");
    }
    for transport in [ApiKeyTransport::Basic, ApiKeyTransport::Header, ApiKeyTransport::Query] {
        let error = Session::from_api_key("SECRET-CONFIG:", transport, &options).unwrap_err();
        assert!(!format!("{error:?}").contains("SECRET-CONFIG"));
    }
}

/// The proxy's password is part of its URL, as the message about HTTP 407 asks for.
#[test]
fn debug_does_not_show_the_password_of_a_proxy() {
    let transport = planetkey::http::ReqwestTransport {
        ca_files: Vec::new(),
        proxy: Some("http://user:SECRET-of-proxy@proxy.example:3128".into()),
        ..Default::default()
    };
    assert!(!format!("{transport:?}").contains("SECRET-of-proxy"));
}
