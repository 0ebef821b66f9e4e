//! Every `client_type` of the SDK is used or refused, and every field is checked.

use super::home::*;
use planetkey::profile::client_config::{
    ClientConfig, ClientType, Grant, OAuthClient, PrivateKeySource,
};
use planetkey::profile::load;
use planetkey::{Reason, Result, Status};
use serde_json::{Value, json};

fn read(config: &Value) -> Result<ClientConfig> {
    ClientConfig::from_json(&config.to_string())
}

fn oauth(config: &Value) -> OAuthClient {
    match read(config).unwrap() {
        ClientConfig::OAuth(client) => *client,
        other => panic!("{other:?}"),
    }
}

/// Returns the fields that the SDK requires for a type that holds tokens, with these proofs.
fn full(client_type: &str) -> Value {
    let mut config = json!({"client_type": client_type, "auth_server": "https://as.example/", "client_id": "id"});
    if client_type.starts_with("oidc_auth_code") {
        config["redirect_uri"] = json!("http://localhost:8080/callback");
    }
    if client_type.ends_with("_secret") {
        config["client_secret"] = json!("SECRET-of-the-client");
    }
    if client_type.ends_with("_pubkey") {
        config["client_privkey_file"] = json!("key.pem");
    }
    config
}

#[test]
fn every_client_type_that_obtains_tokens_is_used() {
    let m2m_types = ["oidc_client_credentials_secret", "oidc_client_credentials_pubkey"];
    let names = [
        "oidc_auth_code",
        "oidc_auth_code_secret",
        "oidc_auth_code_pubkey",
        "oidc_device_code",
        "oidc_device_code_secret",
        "oidc_device_code_pubkey",
        "oidc_client_credentials_secret",
        "oidc_client_credentials_pubkey",
        "oidc_resource_owner",
        "oidc_resource_owner_secret",
        "oidc_resource_owner_pubkey",
    ];
    assert_eq!(ClientType::ALL.map(ClientType::name), names);
    for name in names {
        let client = oauth(&full(name));
        assert_eq!(
            (client.client_type.name(), ClientType::from_name(name)),
            (name, Some(client.client_type))
        );
        let grant =
            if m2m_types.contains(&name) { Grant::ClientCredentials } else { Grant::RefreshToken };
        assert_eq!(client.client_type.grant(), grant, "{name}");
        assert_eq!(client.client_secret.is_some(), name.ends_with("_secret"), "{name}");
        assert_eq!(client.private_key.is_some(), name.ends_with("_pubkey"), "{name}");
        assert_eq!(client.redirect_uri.is_some(), name.starts_with("oidc_auth_code"));
        assert_eq!(
            (client.client_id.as_str(), client.auth_server.as_deref()),
            ("id", Some("https://as.example/"))
        );
        for required in ["client_id", "client_secret", "client_privkey_file"] {
            let mut config = full(name);
            if config.as_object_mut().unwrap().remove(required).is_none() {
                continue;
            }
            let error = read(&config).unwrap_err();
            assert_eq!(error.status(), Status::Misconfigured, "{name} without {required}");
            assert!(error.message().contains(required), "{error}");
        }
    }
    assert_eq!(ClientType::from_name("static_apikey"), None);
    assert_eq!(OAuthClient::default().client_type, ClientType::ClientCredentialsSecret);
}

#[test]
fn a_stored_password_is_not_used() {
    for (user, password) in [("username", "password"), ("user_name", "user_password")] {
        let mut config = full("oidc_resource_owner");
        config[user] = json!("someone");
        config[password] = json!("SECRET-password");
        let client = oauth(&config);
        assert_eq!(client.client_type.grant(), Grant::RefreshToken);
        assert!(client.extra.is_empty() && !format!("{client:?}").contains("SECRET-password"));
    }
}

#[test]
fn client_types_that_send_no_credential_are_refused_with_advice() {
    for (config, says) in [
        (json!({"client_type": "none"}), "another profile"),
        (
            json!({"client_type": "oidc_client_validator", "auth_server": "https://as.example/"}),
            "another profile",
        ),
        (
            json!({"client_type": "static_apikey", "api_key": "K", "bearer_token_prefix": "Bearer"}),
            "api-key",
        ),
    ] {
        let error = read(&config).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported, "{config}");
        assert!(error.message().contains(says), "{error}");
    }
    for bad in [
        json!({}),
        json!({"client_type": null}),
        json!({"client_type": ["none"]}),
        json!({"client_type": "pigeon"}),
    ] {
        let error = read(&bad).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured);
        assert!(error.message().contains("client_type"), "{error}");
    }
}

#[test]
fn every_field_of_a_client_configuration_is_read() {
    let mut config = full("oidc_auth_code_secret");
    let endpoints = [
        "token_endpoint",
        "authorization_endpoint",
        "device_authorization_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "userinfo_endpoint",
        "jwks_endpoint",
    ];
    for endpoint in endpoints {
        config[endpoint] = json!(format!("https://as.example/{endpoint}"));
    }
    for (field, value) in [
        ("issuer", json!("https://issuer.example")),
        ("audiences", json!(["https://api.example/"])),
        ("scopes", json!(["planet", "offline_access"])),
        ("organization", json!("org")),
        ("project_id", json!("project")),
        ("extra", json!({"prompt": "login"})),
        ("kid", json!("key-1")),
        ("token_endpoint_auth_method", json!("client_secret_post")),
        ("client_assertion_audience", json!("issuer")),
        ("deployment", json!("copernicus-data-space")),
        ("_comment", json!("a comment")),
        ("authorization_callback_acknowledgement", json!("<html>")),
    ] {
        config[field] = value;
    }
    let client = oauth(&config);
    let found = [
        &client.token_endpoint,
        &client.authorization_endpoint,
        &client.device_authorization_endpoint,
        &client.revocation_endpoint,
        &client.introspection_endpoint,
        &client.userinfo_endpoint,
        &client.jwks_endpoint,
    ];
    assert_eq!(
        found.map(|found| found.clone().unwrap()),
        endpoints.map(|endpoint| format!("https://as.example/{endpoint}"))
    );
    assert_eq!(client.issuer.as_deref(), Some("https://issuer.example"));
    assert_eq!(client.audience.as_deref(), Some("https://api.example/"));
    assert_eq!(client.scopes, ["planet", "offline_access"]);
    let extra = [("organization", "org"), ("project_id", "project"), ("prompt", "login")];
    assert_eq!(client.extra, extra.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(client.kid.as_deref(), Some("key-1"));
    assert_eq!(client.authentication_method.as_deref(), Some("client_secret_post"));
    assert!(client.assertion_audience_is_issuer);
    assert_eq!(client.deployment.as_deref(), Some("copernicus-data-space"));
    config["deployment"] = json!({"name": "mine"});
    assert_eq!(oauth(&config).deployment.as_deref(), Some(r#"{"name":"mine"}"#));
    // The SDK writes both fields; one is enough to read.
    for (given, left_out) in
        [("redirect_uri", "local_redirect_uri"), ("local_redirect_uri", "redirect_uri")]
    {
        let mut config = full("oidc_auth_code");
        config.as_object_mut().unwrap().remove("redirect_uri");
        assert_eq!(oauth(&config).redirect_uri, None, "left out, a login takes its own");
        config[given] = json!("http://127.0.0.1:9/cb");
        config[left_out] = json!(null);
        let client = oauth(&config);
        assert_eq!(client.redirect_uri.as_deref(), Some("http://127.0.0.1:9/cb"));
        assert_eq!(client.local_redirect_uri, client.redirect_uri);
    }
    for field in
        endpoints.into_iter().chain(["issuer", "redirect_uri", "deployment", "auth_server"])
    {
        let mut config = full("oidc_auth_code");
        config[field] = json!(5);
        let error = read(&config).unwrap_err();
        assert!(
            error.status() == Status::Misconfigured && error.message().contains(field),
            "{error}"
        );
    }
    for (field, bad) in [
        ("extra", json!([])),
        ("extra", json!("x")),
        ("audiences", json!("x")),
        ("audiences", json!(["a", "b"])),
    ] {
        let mut config = full("oidc_device_code");
        config[field] = bad;
        assert!(read(&config).unwrap_err().message().contains(field));
    }
    assert!(
        oauth(&json!({"client_type": "oidc_device_code", "client_id": "x", "audiences": []}))
            .audience
            .is_none()
    );
}

#[test]
fn a_private_key_is_text_or_a_file_and_not_encrypted() {
    for name in [
        "oidc_auth_code_pubkey",
        "oidc_device_code_pubkey",
        "oidc_client_credentials_pubkey",
        "oidc_resource_owner_pubkey",
    ] {
        let mut config = full(name);
        assert!(
            matches!(oauth(&config).private_key, Some(PrivateKeySource::File(path)) if path.ends_with("key.pem"))
        );
        config["client_privkey"] = json!("-----BEGIN");
        assert!(
            matches!(oauth(&config).private_key, Some(PrivateKeySource::Pem(pem)) if pem.expose() == "-----BEGIN")
        );
        config["client_privkey_password"] = json!("SECRET-password");
        let error = read(&config).unwrap_err();
        assert_eq!(error.status(), Status::Unsupported);
        assert!(
            error.message().contains("openssl") && !error.message().contains("SECRET-password"),
            "{error}"
        );
    }
}

fn key(config: ClientConfig) -> (String, bool) {
    match config {
        ClientConfig::ApiKey { api_key, as_header } => (api_key.expose().to_owned(), as_header),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_api_key_may_be_in_the_configuration_or_in_the_token_file() {
    let static_key = json!({"client_type": "static_apikey"});
    let legacy = json!({"client_type": "planet_legacy", "legacy_auth_endpoint": "https://api.planet.com/v0/auth/login"});
    for config in [&static_key, &legacy] {
        let error = read(config).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::NeverLoggedIn))
        );
    }
    let with = |config: &Value, field: &str, value: &str| {
        let mut config = config.clone();
        config[field] = json!(value);
        config
    };
    assert_eq!(key(read(&with(&static_key, "api_key", "K")).unwrap()), ("K".into(), false));
    let schemed = with(&with(&static_key, "api_key", "K"), "bearer_token_prefix", "api-key");
    assert_eq!(key(read(&schemed).unwrap()), ("K".into(), true));
    assert_eq!(key(read(&with(&legacy, "api_key", "K")).unwrap()), ("K".into(), true));

    let home = Home::new();
    home.profile("static", &static_key)
        .profile("old", &legacy)
        .profile("kept", &with(&static_key, "api_key", "CONFIG"));
    let open = |name: &str| load::open(&home.root(), name).map(|profile| key(profile.config));
    for name in ["static", "old", "legacy"] {
        let error = open(name).unwrap_err();
        assert_eq!(
            (error.status(), error.profile()),
            (Status::LoginRequired, Some(name)),
            "{error}"
        );
    }
    home.write(
        ".planet/static/token.json",
        r#"{"api_key": "STORED", "bearer_token_prefix": "api-key"}"#,
    );
    home.write(
        ".planet/kept/token.json",
        r#"{"api_key": "STORED", "bearer_token_prefix": "api-key"}"#,
    );
    for name in ["old", "legacy"] {
        home.write(&format!(".planet/{name}/token.json"), r#"{"jwt": "a.b.c", "key": "OLD"}"#);
    }
    assert_eq!(open("static").unwrap(), ("STORED".into(), true));
    assert_eq!(
        open("kept").unwrap(),
        ("CONFIG".into(), false),
        "the configuration goes before the token file"
    );
    assert_eq!(open("old").unwrap(), ("OLD".into(), true));
    assert_eq!(open("LEGACY").unwrap(), ("OLD".into(), true));
    // A token file with other content is not a key.
    home.write(".planet/old/token.json", r#"{"jwt": "a.b.c"}"#);
    assert_eq!(open("old").unwrap_err().status(), Status::LoginRequired);
    home.write(".planet/old/token.json", r#"{"jwt": "SECRET-torn"#);
    let error = open("old").unwrap_err();
    assert!(
        error.status() == Status::Misconfigured && !error.message().contains("SECRET-torn"),
        "{error}"
    );
}

#[test]
fn built_in_profiles_take_precedence_over_directories() {
    let home = Home::new();
    for name in ["planet-user", "planet-m2m", "legacy"] {
        home.profile(name, &m2m("intruder"));
    }
    let root = home.root();
    let user = load::open(&root, "Planet-User").unwrap();
    assert!(user.built_in && user.config_file.is_none() && user.name == "Planet-User");
    let ClientConfig::OAuth(client) = user.config else { panic!() };
    assert_eq!(
        (client.client_type, client.client_id.as_str()),
        (ClientType::DeviceCode, "49lHVBYlXCdfIYqE1B9zeXt0iFHSXees")
    );
    assert_eq!(client.scopes, ["planet", "offline_access"]);
    assert_eq!((client.auth_server, client.audience), (None, None), "the deployment's");
    let error = load::open(&root, "planet-m2m").unwrap_err();
    assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("planet-m2m")));
    assert!(error.message().contains("PL_AUTH_CLIENT_ID"), "{error}");
    assert_eq!(load::open(&root, "legacy").unwrap_err().status(), Status::LoginRequired);
    assert_eq!(
        load::raw_document(&root, "planet-user").unwrap_err().status(),
        Status::Misconfigured
    );
}

#[test]
fn an_error_about_a_profile_names_its_file_and_quotes_nothing() {
    let home = Home::new();
    home.write(".planet/broken/auth_client.json", r#"{"client_secret": "SECRET-broken""#);
    home.write(".planet/list/auth_client.json", r#"["SECRET-list"]"#);
    home.write(".planet/text/auth_client.json", b"\xff\xfe\x00SECRET");
    home.profile(
        "fieldless",
        &json!({"client_type": "oidc_device_code", "client_secret": "SECRET-fieldless"}),
    );
    std::fs::create_dir_all(home.join(".planet/strange/auth_client.json")).unwrap();
    let root = home.root();
    for name in ["broken", "list", "text", "fieldless", "strange"] {
        let error = load::open(&root, name).unwrap_err();
        assert_eq!(
            (error.status(), error.profile()),
            (Status::Misconfigured, Some(name)),
            "{error}"
        );
        let file = home.join(&format!(".planet/{name}/auth_client.json"));
        assert!(error.message().contains(file.to_str().unwrap()), "{error}");
        assert!(!error.message().contains("SECRET"), "{error}");
    }
    let error = load::open(&root, "missing").unwrap_err();
    assert_eq!((error.status(), error.profile()), (Status::Misconfigured, Some("missing")));
    // The members are returned unchanged.
    let config = json!({"client_type": "pigeon", "nested": {"__x": null, "b": [1.0, 10000000000000000000000i128 as f64]}, "x": null});
    home.profile("raw", &config);
    let raw = load::raw_document(&root, "raw").unwrap();
    assert!(raw == members(&config) && format!("{raw:?}") == "[redacted]");
    assert_eq!(load::raw_document(&root, "missing").unwrap_err().profile(), Some("missing"));
}
