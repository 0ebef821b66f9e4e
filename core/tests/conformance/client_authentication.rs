//! Client authentication: assertions 69 to 77.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use planetkey::clock::{ManualClock, SystemRandom};
use planetkey::http::Form;
use planetkey::oauth::client_authentication::{ClientAuthentication, PrivateKey};
use planetkey::oauth::client_credentials::ClientCredentialsRequest;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::secret::Secret;
use planetkey::{Options, Runtime, Session, Status};
use serde_json::{Value, json};
use std::sync::Arc;

const RSA: &str = include_str!("../data/client-rsa.pem");
const RSA_PUBLIC: &str = include_str!("../data/client-rsa.pub.pem");
const EC: &str = include_str!("../data/client-ec.pem");
const EC_PUBLIC: &str = include_str!("../data/client-ec.pub.pem");
const EC_P384: &str = include_str!("../data/client-ec-p384.pem");

const ENDPOINT: &str = "https://as.example/token";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn config(more: &Value) -> String {
    let mut config = json!({
        "client_type": "oidc_client_credentials_secret",
        "auth_server": "https://as.example",
        "token_endpoint": ENDPOINT,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    });
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config.to_string()
}

fn with_key(pem: &str, more: &Value) -> String {
    let mut all = json!({"client_type": "oidc_client_credentials_pubkey", "client_privkey": pem, "client_secret": null});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    config(&all)
}

/// Returns the only request of a session with this configuration.
fn request(config: &str) -> Seen {
    let fake = Fake::new();
    let mut options = options(&fake, &Arc::new(ManualClock::new(NOW)));
    options.runtime.random = Arc::new(SystemRandom);
    Session::from_client_config(config, &options).unwrap().access_token().unwrap();
    let seen = fake.seen();
    assert_eq!(seen.len(), 1);
    seen.into_iter().next().unwrap()
}

#[test]
fn a069_basic_form_encodes_id_and_secret_first() {
    let (id, secret) = ("my client:ü", "100% +&=:/ä");
    let seen = request(&config(
        &json!({"client_id": id, "client_secret": secret, "token_endpoint_auth_method": "client_secret_basic"}),
    ));
    let wanted = STANDARD.encode("my+client%3A%C3%BC:100%25+%2B%26%3D%3A%2F%C3%A4");
    assert_eq!(seen.authorization, Some(format!("Basic {wanted}")));
    // A server that decodes as the standard says accepts this client.
    let simulator = simulator();
    simulator.register_client(&json!({"client_id": id, "client_secret": secret})).unwrap();
    let more = json!({
        "auth_server": simulator.m2m_issuer(), "token_endpoint": simulator.token_endpoint(), "client_id": id,
        "client_secret": secret, "token_endpoint_auth_method": "client_secret_basic",
    });
    let session =
        Session::from_client_config(&config(&more), &simulator_options(&simulator)).unwrap();
    session.access_token().unwrap();
    assert!(header(&simulator, "m2m.token", 0, "authorization").unwrap().starts_with("Basic "));
}

#[test]
fn a070_exactly_one_authentication_method_per_request() {
    let configs = [
        config(&json!({"token_endpoint_auth_method": "client_secret_basic"})),
        config(&json!({"token_endpoint_auth_method": "client_secret_post"})),
        with_key(RSA, &json!({})),
        with_key(EC, &json!({})),
    ];
    let used: Vec<[bool; 3]> = configs
        .iter()
        .map(|config| {
            let seen = request(config);
            [
                seen.authorization.is_some(),
                seen.field("client_secret").is_some(),
                seen.field("client_assertion").is_some(),
            ]
        })
        .collect();
    assert_eq!(
        used,
        [[true, false, false], [false, true, false], [false, false, true], [false, false, true]]
    );
    // A client with both a secret and a key uses the one that its type names.
    let seen = request(&with_key(RSA, &json!({"client_secret": CLIENT_SECRET})));
    assert!(seen.authorization.is_none() && seen.field("client_secret").is_none(), "{}", seen.body);
}

#[test]
fn a071_the_secret_is_in_the_body_only_if_configured_or_basic_is_not_offered() {
    let secret = Secret::from(CLIENT_SECRET);
    let method = |configured: Option<&str>, supported: Option<&[&str]>| {
        let supported = supported
            .map(|methods| methods.iter().map(|method| (*method).to_owned()).collect::<Vec<_>>());
        match ClientAuthentication::with_secret(
            CLIENT_ID,
            &secret,
            configured,
            supported.as_deref(),
        ) {
            Ok(ClientAuthentication::ClientSecretBasic { .. }) => "basic",
            Ok(ClientAuthentication::ClientSecretPost { .. }) => "post",
            Ok(_) => "other",
            Err(error) => error.status().name(),
        }
    };
    assert_eq!(method(None, None), "basic");
    assert_eq!(method(None, Some(&["client_secret_post", "client_secret_basic"])), "basic");
    assert_eq!(method(None, Some(&["client_secret_post", "private_key_jwt"])), "post");
    assert_eq!(method(Some("client_secret_post"), Some(&["client_secret_basic"])), "post");
    assert_eq!(method(Some("client_secret_basic"), Some(&["client_secret_post"])), "basic");
    assert_eq!(method(None, Some(&["private_key_jwt"])), "MISCONFIGURED");
    assert_eq!(method(Some("private_key_jwt"), None), "MISCONFIGURED");
    // Planet documents the body form for its own server.
    let bench = bench();
    bench.token();
    let seen = bench.fake.seen();
    assert_eq!(
        (seen[0].authorization.as_ref(), seen[0].field("client_secret").as_deref()),
        (None, Some(CLIENT_SECRET))
    );
}

/// The metadata of a server over real sockets decides: if Basic is offered, it is used.
#[test]
fn a071_metadata_decides_the_method_of_other_servers() {
    let simulator = simulator();
    let settings = simulator.settings();
    for (methods, basic) in [
        (json!(["client_secret_basic", "client_secret_post"]), true),
        (json!(["client_secret_post"]), false),
    ] {
        simulator.reset();
        let change = json!([{"metadata_response": {"set": {"token_endpoint_auth_methods_supported": methods}}}]);
        simulator.script("m2m.metadata", &change).unwrap();
        // The built-in Planet does not know this issuer, so its metadata is requested.
        let options =
            simulator_options(&simulator).with(|it| it.deployment = Some("planet".into()));
        let config = json!({
            "client_type": "oidc_client_credentials_secret", "auth_server": simulator.m2m_issuer(),
            "client_id": settings.client_id, "client_secret": settings.client_secret,
        });
        Session::from_client_config(&config.to_string(), &options).unwrap().access_token().unwrap();
        assert_eq!(header(&simulator, "m2m.token", 0, "authorization").is_some(), basic);
        assert_eq!(simulator.count("m2m.metadata").unwrap(), 1);
    }
}

#[test]
fn a072_public_clients_send_their_id_and_no_secret() {
    let public = ClientAuthentication::None { client_id: CLIENT_ID.to_owned() };
    let mut form = Form::default();
    let endpoint = ENDPOINT.parse().unwrap();
    let authorization = public.apply(&mut form, &endpoint, NOW, &SystemRandom).unwrap();
    assert_eq!(authorization, None);
    assert_eq!(form.encode().expose(), format!("client_id={CLIENT_ID}"));
}

/// Returns the header and claims of the request's assertion, verified with the client's public key.
fn assertion(config: &str, public: &str, audience: &str) -> (jsonwebtoken::Header, Value) {
    let seen = request(config);
    assert_eq!(seen.field("client_assertion_type").as_deref(), Some(JWT_BEARER));
    let assertion = seen.field("client_assertion").unwrap();
    let header = jsonwebtoken::decode_header(&assertion).unwrap();
    let key = match header.alg {
        Algorithm::RS256 => DecodingKey::from_rsa_pem(public.as_bytes()).unwrap(),
        Algorithm::ES256 => DecodingKey::from_ec_pem(public.as_bytes()).unwrap(),
        other => panic!("signed with {other:?}"),
    };
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[audience]);
    validation.validate_exp = false;
    let claims = jsonwebtoken::decode::<Value>(&assertion, &key, &validation).unwrap().claims;
    (header, claims)
}

#[test]
fn a073_the_assertion_has_the_required_claims() {
    let mut seen = std::collections::HashSet::new();
    for _ in 0..3 {
        let (_, claims) = assertion(&with_key(RSA, &json!({})), RSA_PUBLIC, ENDPOINT);
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!(CLIENT_ID), &json!(CLIENT_ID)));
        assert_eq!(claims["aud"], ENDPOINT);
        assert_eq!((&claims["iat"], &claims["nbf"]), (&json!(NOW), &json!(NOW)));
        let exp = claims["exp"].as_u64().unwrap();
        assert!(exp > NOW && exp <= NOW + 300, "{claims}");
        let jti = claims["jti"].as_str().unwrap().to_owned();
        assert!(jti.len() >= 22, "at least 128 bits: {jti}");
        assert!(seen.insert(jti), "each assertion has its own jti");
    }
    let configured = with_key(RSA, &json!({"client_assertion_audience": "issuer"}));
    assert_eq!(
        assertion(&configured, RSA_PUBLIC, "https://as.example").1["aud"],
        "https://as.example"
    );
}

#[test]
fn a074_the_type_of_the_key_decides_the_algorithm() {
    let (header, _) = assertion(&with_key(RSA, &json!({"kid": "key-1"})), RSA_PUBLIC, ENDPOINT);
    assert_eq!((header.alg, header.kid.as_deref()), (Algorithm::RS256, Some("key-1")));
    let (header, _) = assertion(&with_key(EC, &json!({})), EC_PUBLIC, ENDPOINT);
    assert_eq!((header.alg, header.kid), (Algorithm::ES256, None));
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)));
    for pem in ["-----BEGIN PUBLIC KEY-----", RSA_PUBLIC, EC_PUBLIC, EC_P384, "secret"] {
        let error = Session::from_client_config(&with_key(pem, &json!({})), &options).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{pem}");
    }
    let encrypted = RSA.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    assert_eq!(PrivateKey::from_pem(&encrypted, None).unwrap_err().status(), Status::Unsupported);
}

/// The simulator verifies signature, audience and replay for both kinds of key.
#[test]
fn a074_a_server_accepts_both_kinds_of_key() {
    let simulator = simulator();
    for (id, private, public) in [("rsa-client", RSA, RSA_PUBLIC), ("ec-client", EC, EC_PUBLIC)] {
        simulator.register_client(&json!({"client_id": id, "public_key_pem": public})).unwrap();
        let more = json!({"auth_server": simulator.m2m_issuer(), "token_endpoint": simulator.token_endpoint(), "client_id": id});
        let session =
            Session::from_client_config(&with_key(private, &more), &simulator_options(&simulator))
                .unwrap();
        session.access_token().unwrap();
        session.refresh().unwrap();
    }
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 4);
}

#[test]
fn a075_invalid_client_is_permanent_and_names_the_client_id() {
    let simulator = simulator();
    let options = simulator_options(&simulator);
    let session = Session::from_m2m("client-a075", CLIENT_SECRET, &options).unwrap();
    for _ in 0..20 {
        let error = session.access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.oauth_error(), error.http_status()),
            (Status::Misconfigured, Some("invalid_client"), Some(401))
        );
        assert!(error.message().contains("client-a075"), "{error}");
        assert!(!format!("{error:?}").contains(CLIENT_SECRET));
        assert!(!error.retryable());
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
}

/// Keycloak uses this error for a wrong secret. With status 400 it has the meaning of the standard.
#[test]
fn a075_unauthorized_client_with_a_401_is_about_the_secret() {
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let session =
        Session::from_client_config(&config(&json!({})), &options(&fake, &clock)).unwrap();
    fake.answers(oauth_error(401, "unauthorized_client"));
    let error = session.access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.oauth_error()),
        (Status::Misconfigured, Some("unauthorized_client"))
    );
    assert!(error.message().contains("check its id and secret"), "{error}");

    let session = Session::from_client_config(
        &config(&json!({"client_id": "another"})),
        &options(&fake, &clock),
    )
    .unwrap();
    fake.answers(oauth_error(400, "unauthorized_client"));
    assert!(session.access_token().unwrap_err().message().contains("may not use this grant"));
}

#[test]
fn a076_client_credentials_are_refused_to_public_clients() {
    let fake = Fake::new();
    let options = options(&fake, &Arc::new(ManualClock::new(NOW)));
    let error = Session::from_client_config(
        &config(&json!({"token_endpoint_auth_method": "none"})),
        &options,
    )
    .unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    let public = ClientAuthentication::None { client_id: CLIENT_ID.to_owned() };
    assert_eq!(
        ClientCredentialsRequest::default().check(&public).unwrap_err().status(),
        Status::InvalidArgument
    );
    assert_eq!(fake.count(), 0);
}

#[test]
fn a077_client_secrets_are_read_and_never_written() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("key.pem");
    std::fs::write(&key, EC).unwrap();
    let profile = home.path().join(".planet").join("machine");
    std::fs::create_dir_all(&profile).unwrap();
    let text = config(&json!({}));
    std::fs::write(profile.join("auth_client.json"), &text).unwrap();
    let variables = [
        (HOME_VARIABLE, home.path().to_str().unwrap()),
        ("PL_AUTH_PROFILE", "machine"),
        ("PL_AUTH_CLIENT_ID", "environment-client"),
        ("PL_AUTH_CLIENT_SECRET", "environment-secret"),
    ];
    let (fake, clock) = (Fake::new(), Arc::new(ManualClock::new(NOW)));
    let options = Options::default().with(|it| {
        it.runtime = Runtime {
            environment: Arc::new(FixedEnvironment::new(variables)),
            ..options(&fake, &clock).runtime
        }
    });
    Session::from_defaults(&options).unwrap().access_token().unwrap();
    Session::from_profile("machine", &options).unwrap().access_token().unwrap();
    let by_file = json!({"client_type": "oidc_client_credentials_pubkey", "client_privkey_file": key.to_str().unwrap(), "client_secret": null});
    Session::from_client_config(&config(&by_file), &options).unwrap().access_token().unwrap();
    // The profile's second session finds the token of the first.
    assert_eq!(fake.count(), 2);
    let files: Vec<_> = walk(home.path());
    // Tokens are saved. The secrets that were used to get them are in no other file than before.
    assert!(files.contains(&profile.join("token.json")), "{files:?}");
    assert!(
        files.contains(&home.path().join(format!(".planet/planet-m2m-{CLIENT_ID}/token.json"))),
        "{files:?}"
    );
    for file in
        files.iter().filter(|file| **file != key && **file != profile.join("auth_client.json"))
    {
        let content = std::fs::read_to_string(file).unwrap();
        for secret in [CLIENT_SECRET, "environment-secret", "PRIVATE KEY"] {
            assert!(!content.contains(secret), "{} holds a secret", file.display());
        }
    }
    assert_eq!(std::fs::read_to_string(profile.join("auth_client.json")).unwrap(), text);
}

fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
