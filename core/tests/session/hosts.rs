//! Where a session's credentials go, for programs that ask by origin.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::{ApiKeyTransport, Session, Status};
use std::sync::Arc;

fn session(transport: ApiKeyTransport, allowed: &[&str], loopback: bool) -> Session {
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW))).with(|it| {
        it.allowed_hosts = Some(allowed.iter().map(|host| (*host).to_owned()).collect());
        it.allow_insecure_loopback = Some(loopback);
    });
    Session::from_api_key("KEY", transport, &options).unwrap()
}

fn of(session: &Session, hosts: &[&str]) -> Result<Vec<String>, Status> {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    session.header_origins(Some(&hosts)).map_err(|error| error.status())
}

#[test]
fn every_host_of_the_session_has_an_origin_with_a_final_slash() {
    let session = session(ApiKeyTransport::Basic, &["mine.example"], false);
    let origins = session.header_origins(None).unwrap();
    let expected: Vec<String> =
        session.status().hosts().iter().map(|host| format!("https://{}/", host.host)).collect();
    assert_eq!(origins, expected);
    assert!(
        origins.contains(&"https://api.planet.com/".to_owned())
            && origins.contains(&"https://mine.example/".to_owned())
    );
    // No origin may be one where an API key must not go.
    assert!(!origins.iter().any(|origin| origin.contains("sentinel-hub")));
    // A URL that begins with one of the origins gets a header.
    for origin in &origins {
        assert!(
            session.headers(&format!("{origin}a/b.tif")).unwrap().header_value().is_some(),
            "{origin}"
        );
    }
}

#[test]
fn hosts_can_be_restricted_and_not_extended() {
    let session = session(ApiKeyTransport::Header, &[], false);
    assert_eq!(
        of(&session, &["api.planet.com", "api.planet.com"]).unwrap(),
        ["https://api.planet.com/"]
    );
    assert_eq!(of(&session, &[]).unwrap(), [""; 0]);
    for host in ["services.sentinel-hub.com", "evil.example", "127.0.0.1:80", "localhost"] {
        assert_eq!(of(&session, &[host]).unwrap_err(), Status::HostRefused, "{host}");
    }
    for host in [
        "",
        "https://api.planet.com",
        "api.planet.com/",
        "*.planet.com",
        "API.planet.com",
        "api.planet.com:444",
        "a b",
    ] {
        assert_eq!(
            of(&session, &["api.planet.com", host]).unwrap_err(),
            Status::InvalidArgument,
            "{host}"
        );
    }
}

#[test]
fn a_loopback_host_may_use_plain_http() {
    let session = session(ApiKeyTransport::Basic, &["127.0.0.1:8080"], true);
    let both = ["http://127.0.0.1:8080/", "https://127.0.0.1:8080/"];
    assert_eq!(of(&session, &["127.0.0.1:8080"]).unwrap(), both);
    let all = session.header_origins(None).unwrap();
    assert!(both.iter().all(|origin| all.contains(&(*origin).to_owned())), "{all:?}");
    assert!(
        all.iter()
            .filter(|origin| origin.starts_with("http:"))
            .all(|origin| origin.contains("127.0.0.1:8080"))
    );
}

#[test]
fn a_deployment_on_loopback_requires_the_option_named_by_the_error() {
    let deployment = r#"{"name": "here", "authorization_servers": [], "resource_servers": [
        {"hosts": ["127.0.0.1:8080"], "user_token": "yes", "m2m_token": "yes", "api_key": "yes"}]}"#;
    let options = |loopback| {
        options(&Fake::new(), &Arc::new(ManualClock::new(NOW))).with(|it| {
            it.deployment = Some(deployment.to_owned());
            it.allow_insecure_loopback = Some(loopback);
        })
    };
    let session = |loopback| {
        Session::from_api_key("KEY", ApiKeyTransport::Basic, &options(loopback)).unwrap()
    };
    let error = session(false).header_origins(None).unwrap_err();
    assert_eq!(error.status(), Status::HostRefused);
    assert!(error.message().contains("allow_insecure_loopback"), "{}", error.message());
    assert_eq!(session(true).header_origins(None).unwrap().len(), 2);
}

#[test]
fn an_api_key_in_the_url_has_no_origins() {
    let session = session(ApiKeyTransport::Query, &[], false);
    assert_eq!(session.header_origins(None).unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(of(&session, &["api.planet.com"]).unwrap_err(), Status::InvalidArgument);
}

#[test]
fn a_session_without_a_credential_requires_a_login() {
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)));
    let session = Session::from_defaults(&options).unwrap();
    assert_eq!(session.header_origins(None).unwrap_err().status(), Status::LoginRequired);
    assert_eq!(of(&session, &["api.planet.com"]).unwrap_err(), Status::LoginRequired);
}
