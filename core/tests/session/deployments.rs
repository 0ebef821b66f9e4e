//! The built-in Planet over real names and real TLS, without a deployment document; and the other
//! preset.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::{ApiKeyTransport, Session, Status};
use serde_json::json;
use std::sync::Arc;

/// The request as Planet documents it: all parameters in the body, at the documented endpoint,
/// without discovery.
#[test]
fn the_m2m_request_has_exactly_the_documented_form() {
    let simulator = simulator();
    let settings = simulator.settings();
    let options = planet_options(&simulator);
    let session =
        Session::from_m2m(&settings.client_id, &settings.client_secret, &options).unwrap();
    assert_eq!(session.status().deployment(), "planet");
    assert_eq!(
        session.status().issuer(),
        Some("https://services.sentinel-hub.com/auth/realms/main")
    );
    session.access_token().unwrap();
    let mut fields = form(&simulator, "m2m.token", 0);
    fields.sort();
    let mut wanted = [
        ("audience", "https://api.planet.com/"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret),
        ("grant_type", "client_credentials"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    wanted.sort();
    assert_eq!(fields, wanted);
    let request = &simulator.requests("m2m.token").unwrap()[0];
    assert_eq!(
        (&request["method"], &request["path"]),
        (&"POST".into(), &"/auth/realms/main/protocol/openid-connect/token".into())
    );
    assert!(request["query"].is_null());
    let named = |name: &str| header(&simulator, "m2m.token", 0, name);
    assert_eq!(named("host").as_deref(), Some("services.sentinel-hub.com"));
    assert_eq!(named("content-type").as_deref(), Some("application/x-www-form-urlencoded"));
    assert_eq!(named("accept").as_deref(), Some("application/json"));
    assert!(named("user-agent").unwrap().starts_with("planetkey/"));
    for absent in ["authorization", "cookie", "referer"] {
        assert_eq!(named(absent), None);
    }
    assert_eq!(simulator.count("m2m.metadata").unwrap(), 0, "no discovery");
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert_eq!(simulator.count("proxy").unwrap(), 1);
    assert_eq!(simulator.requests("proxy").unwrap()[0]["path"], "services.sentinel-hub.com:443");
}

/// One token works at both domains by their real names. The API key works at the one that accepts
/// it.
#[test]
fn both_domains_accept_the_header() {
    let simulator = simulator();
    let settings = simulator.settings();
    let options = planet_options(&simulator);
    let m2m = Session::from_m2m(&settings.client_id, &settings.client_secret, &options).unwrap();
    let key = Session::from_api_key(&settings.api_key, ApiKeyTransport::Basic, &options).unwrap();
    let ca = reqwest::Certificate::from_pem(simulator.ca_pem().as_bytes()).unwrap();
    let client = reqwest::blocking::Client::builder()
        .proxy(reqwest::Proxy::all(simulator.proxy()).unwrap())
        .tls_certs_only([ca])
        .build()
        .unwrap();
    let get = |session: &Session, url: &str| {
        let authorization = session.headers(url).unwrap();
        client
            .get(url)
            .header("Authorization", authorization.header_value().unwrap())
            .send()
            .unwrap()
            .status()
            .as_u16()
    };
    for url in [SENTINEL_HUB, PLANET, "https://tiles.planet.com/basemaps/v1/{z}/{x}/{y}"] {
        assert_eq!(get(&m2m, url), 200, "{url}");
    }
    assert_eq!(get(&key, PLANET), 200);
    let refused = key.headers(SENTINEL_HUB).unwrap_err();
    assert_eq!(refused.status(), Status::HostRefused);
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert_eq!(simulator.count("sentinel_hub_api").unwrap(), 1);
}

#[test]
fn scopes_and_audience_are_sent_as_given() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let options_of_m2m = options(&fake, &clock).with(|it| {
        it.scopes = Some(vec!["planet".into(), "B-a".into()]);
        it.audience = Some("https://other.example/".into());
    });
    Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options_of_m2m).unwrap().access_token().unwrap();
    let seen = fake.seen();
    assert_eq!(seen[0].field("scope").as_deref(), Some("planet B-a"));
    assert_eq!(seen[0].field("audience").as_deref(), Some("https://other.example/"));
}

#[test]
fn offline_access_and_bad_scopes_are_refused_before_any_request() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    for bad in ["offline_access", "", "two words", "quote\"", "back\\slash", "ünicode", "line\n"] {
        let options_of_m2m =
            options(&fake, &clock).with(|it| it.scopes = Some(vec!["planet".into(), bad.into()]));
        let error = Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options_of_m2m).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument, "{bad:?}");
    }
    for (id, secret) in [
        ("", "secret"),
        ("id", ""),
        ("id\n", "secret"),
        ("id", "secret\r\n"),
        (&*"x".repeat(70_000), "secret"),
    ] {
        let error = Session::from_m2m(id, secret, &options(&fake, &clock)).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
    }
    assert_eq!(fake.count(), 0);
}

#[test]
fn copernicus_data_space_is_a_preset() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let options =
        options(&fake, &clock).with(|it| it.deployment = Some("copernicus-data-space".into()));
    let session = m2m(&options);
    let authorization =
        session.headers("https://sh.dataspace.copernicus.eu/api/v1/catalog").unwrap();
    assert_eq!(authorization.header_value(), Some("Bearer token-1"));
    assert!(!authorization.under_development());
    let seen = fake.seen();
    assert_eq!(
        seen[0].url,
        "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"
    );
    assert_eq!((seen[0].field("audience"), seen[0].authorization.as_ref()), (None, None));
    for url in [PLANET, SENTINEL_HUB] {
        assert_eq!(session.headers(url).unwrap_err().status(), Status::HostRefused);
    }
}

#[test]
fn the_secret_of_another_deployments_client_is_sent_only_there() {
    let home = Home::new();
    let file = home.path().join(".planet/cdse/auth_client.json");
    home.write(
        &file,
        &json!({"client_type": "oidc_client_credentials_secret", "client_id": "cdse-id", "client_secret": "CDSE-SECRET",
        "deployment": "copernicus-data-space"}),
    );
    let mut options = home.options();
    Session::from_profile("cdse", &options)
        .unwrap()
        .headers("https://sh.dataspace.copernicus.eu/x")
        .unwrap();
    assert!(home.fake.seen()[0].url.contains("copernicus"));
    std::fs::remove_file(home.path().join(".planet/cdse/token.json")).unwrap();
    options.runtime.environment = Arc::new(FixedEnvironment::new([
        (HOME_VARIABLE, home.path().as_os_str().to_owned()),
        ("PL_AUTH_PROFILE", "cdse".into()),
    ]));
    let session = Session::from_defaults(&options).unwrap();
    let at_own_host = session
        .headers("https://sh.dataspace.copernicus.eu/x")
        .map(drop)
        .map_err(|error| error.to_string());
    let _ = session.headers(SENTINEL_HUB);
    let seen = home.fake.seen();
    assert!(
        seen.len() < 2 || !seen[1].url.contains("sentinel-hub"),
        "{at_own_host:?} {} {}",
        seen[1].url,
        seen[1].body
    );
}

fn other_deployment() -> String {
    json!({"name": "staging",
        "authorization_servers": [{"subject": "user", "issuer": "https://login.staging.example/", "token_endpoint": "https://login.staging.example/token"}],
        "resource_servers": [{"hosts": ["api.staging.example"], "user_token": "yes", "m2m_token": "yes", "api_key": "no"}]}).to_string()
}

#[test]
fn tokens_of_planet_are_not_sent_to_another_deployment() {
    let home = Home::new();
    let file = home.path().join(".planet/planet-user/token.json");
    let iss =
        |exp: u64| jwt(&json!({"iss": "https://login.planet.com/", "iat": NOW - 10, "exp": exp}));
    home.write(&file, &seeded(&json!({"access_token": iss(NOW + 3600), "_exp": NOW + 3600})));
    let options = home.options().with(|it| it.deployment = Some(other_deployment()));
    let session = Session::from_defaults(&options).unwrap();
    let sent = session
        .headers("https://api.staging.example/x")
        .map(|a| a.header_value().unwrap().to_owned())
        .map_err(|e| e.to_string());
    // The same for the refresh token.
    home.write(
        &file,
        &seeded(&json!({"access_token": iss(NOW - 1), "_exp": NOW - 1, "_iat": NOW - 3600})),
    );
    home.fake.answers(oauth_error(400, "invalid_grant"));
    let _ = Session::from_defaults(&options).unwrap().headers("https://api.staging.example/x");
    let urls: Vec<_> =
        home.fake.seen().iter().map(|s| (s.url.clone(), s.field("refresh_token"))).collect();
    // From here on Planet's own client.
    home.fake.answers(json_answer(
        200,
        &json!({"issuer": "https://login.planet.com/", "token_endpoint": "https://login.planet.com/token"}),
    ));
    let own = Session::from_profile("planet-user", &home.options()).unwrap();
    let after = ask(&own);
    assert!(
        sent.is_err() && urls.is_empty() && after.starts_with("access"),
        "{sent:?} {urls:?} {after}"
    );
}
