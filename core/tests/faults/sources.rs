//! What caused an error: the error of the operating system, of TLS or of JSON, without a secret.

use crate::common::*;
use planetkey::{Error, Options, Session, Status};
use serde_json::json;
use std::error::Error as _;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;

/// A value that no error may contain, wherever it came from: the server, a file or the caller.
const CANARY: &str = "CANARY-4b1d";

fn at(token_endpoint: &str) -> Session {
    let options = Options::default().with(|it| {
        it.allow_insecure_loopback = Some(true);
        it.runtime = real_network().0;
    });
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": "https://as.example",
        "token_endpoint": token_endpoint, "client_id": CLIENT_ID, "client_secret": CANARY,
    });
    Session::from_client_config(&config.to_string(), &options).unwrap()
}

/// Returns the source of this type. No error of the chain holds the canary, and the message has the
/// words of the source at most once.
fn source<T: std::error::Error + 'static>(error: &Error) -> &T {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(this) = next {
        assert!(!format!("{this} {this:?}").contains(CANARY), "{this:?}");
        next = this.source();
    }
    let source = error.source().unwrap_or_else(|| panic!("no source: {error}"));
    assert!(error.message().matches(&source.to_string()).count() <= 1, "{error}");
    source.downcast_ref().unwrap_or_else(|| panic!("another source: {source:?}"))
}

#[test]
fn a_refused_connection_has_the_error_of_the_system() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = at(&format!("http://127.0.0.1:{port}/{CANARY}?x={CANARY}"));
    let error = error.access_token().unwrap_err();
    assert_eq!(error.status(), Status::Unavailable, "{error}");
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(ErrorKind::ConnectionRefused), "{error:?}");
    assert!(!format!("{source:?}").contains(CANARY), "the address is not in it");
}

#[test]
fn a_server_without_tls_has_the_error_of_the_tls_library() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}/token", listener.local_addr().unwrap());
    // The client connects again a few times.
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(format!("HTTP/1.1 400 {CANARY}\r\n\r\n").as_bytes());
        }
    });
    let error = at(&endpoint).access_token().unwrap_err();
    source::<rustls::Error>(&error);
}

#[test]
fn a_response_that_is_no_json_has_the_place_of_the_mistake() {
    let bench = bench();
    bench
        .fake
        .always(|_| Ok(answer(200, "application/json", format!("{{\"{CANARY}\": {CANARY}}}"))));
    let error = bench.session.access_token().unwrap_err();
    assert_eq!(error.status(), Status::Protocol, "{error}");
    assert_eq!(source::<serde_json::Error>(&error).line(), 1);
}

#[test]
fn a_configuration_that_is_no_json_has_the_place_of_the_mistake() {
    let configured =
        |json: &str| Session::from_client_config(json, &Options::default()).unwrap_err();
    let error = configured(&format!("{{\n  \"client_secret\": {CANARY}\n}}"));
    assert_eq!(source::<serde_json::Error>(&error).line(), 2);
    let error = Session::from_api_key(
        "KEY",
        planetkey::ApiKeyTransport::Basic,
        &Options::default().with(|it| it.deployment = Some(format!("{{\"{CANARY}\""))),
    )
    .unwrap_err();
    assert_eq!(source::<serde_json::Error>(&error).line(), 1);
    // The parser would repeat a value of a wrong type.
    let error = configured(&format!("\"{CANARY}\""));
    assert!(error.source().is_none(), "{:?}", error.source());
    assert!(!error.to_string().contains(CANARY));
}
