//! Client authentication, the grant, metadata and keys.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use planetkey_simulator::Simulator;
use serde_json::{Value, json};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const BEARER_TYPE: (&str, &str) =
    ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");

fn basic(simulator: &Simulator, user: &str, fields: &[(&str, &str)]) -> Response {
    let header = format!("Basic {}", STANDARD.encode(user));
    let headers = [FORM, ("Authorization", header.as_str())];
    exchange("POST", &simulator.token_endpoint(), &headers, &form(fields)).unwrap()
}

#[test]
fn the_token_response_is_like_keycloaks() {
    let simulator = start();
    let response = ask_token(&simulator, &[AUDIENCE, ("scope", "planet openid")]);
    assert_eq!(response.status, 200);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let body = response.json();
    assert_eq!(body["expires_in"], 3600);
    assert_eq!(body["refresh_expires_in"], 0);
    assert_eq!(body["token_type"], "Bearer");
    assert_eq!(body["not-before-policy"], 0);
    assert_eq!(body["scope"], "planet openid");
    let claims = claims(&access_token(&response));
    assert_eq!(claims["iss"], simulator.m2m_issuer());
    assert_eq!(claims["aud"], "https://api.planet.com/");
    assert_eq!(claims["azp"], "simulator-client");
    assert_eq!(claims["scope"], "planet openid");
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert!((3600..=3601).contains(&life));
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 1);
}

#[test]
fn tokens_verify_with_the_published_key() {
    let simulator = start();
    let issued = token(&simulator);
    let metadata =
        get(&format!("{}/.well-known/openid-configuration", simulator.m2m_issuer())).json();
    assert_eq!(metadata["issuer"], simulator.m2m_issuer());
    assert_eq!(metadata["token_endpoint"], simulator.token_endpoint());
    let keys = get(metadata["jwks_uri"].as_str().unwrap()).json();
    let header = jsonwebtoken::decode_header(&issued).unwrap();
    assert_eq!(keys["keys"][0]["kid"], header.kid.unwrap());
    let text = |name: &str| keys["keys"][0][name].as_str().unwrap().to_owned();
    let key = DecodingKey::from_rsa_components(&text("n"), &text("e")).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["https://api.planet.com/"]);
    validation.set_issuer(&[simulator.m2m_issuer()]);
    jsonwebtoken::decode::<Value>(&issued, &key, &validation).unwrap();
}

#[test]
fn metadata_is_at_both_urls_and_each_can_be_missing() {
    let simulator = start();
    let origin = simulator.m2m_issuer().replace("/auth/realms/main", "");
    let rfc8414 = format!("{origin}/.well-known/oauth-authorization-server/auth/realms/main");
    let openid = format!("{origin}/auth/realms/main/.well-known/openid-configuration");
    assert_eq!(get(&rfc8414).json(), get(&openid).json());
    let set = |forms: Value| {
        let changes = json!({ "metadata_forms": forms });
        simulator.change_settings(&changes).unwrap();
    };
    set(json!(["openid"]));
    assert_eq!((get(&rfc8414).status, get(&openid).status), (404, 200));
    set(json!(["rfc8414"]));
    assert_eq!((get(&rfc8414).status, get(&openid).status), (200, 404));
    assert_eq!(simulator.count("m2m.metadata").unwrap(), 6);
    let other = get(&format!("{origin}/auth/realms/other/.well-known/openid-configuration"));
    assert_eq!(other.status, 404);
}

#[test]
fn a_wrong_secret_or_client_is_refused_as_keycloak_does() {
    let simulator = start();
    let expected = json!({
        "error": "invalid_client",
        "error_description": "Invalid client or Invalid client credentials",
    });
    for (id, secret) in [("simulator-client", "wrong"), ("unknown", "wrong")] {
        let fields = [GRANT, ("client_id", id), ("client_secret", secret)];
        let response = post_form(&simulator.token_endpoint(), &fields);
        assert_eq!((response.status, response.json()), (401, expected.clone()));
        assert_eq!(response.header("www-authenticate"), None);
        let response = basic(&simulator, &format!("{id}:{secret}"), &[GRANT]);
        assert_eq!((response.status, response.json()), (401, expected.clone()));
        assert!(response.header("www-authenticate").unwrap().starts_with("Basic "));
    }
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 0);
}

#[test]
fn basic_is_form_decoded_and_unencoded_text_fails() {
    let simulator = start();
    let (id, secret) = ("my client:ü", "100% +&=:/ä");
    let client = json!({"client_id": id, "client_secret": secret});
    simulator.register_client(&client).unwrap();
    let encode =
        |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let encoded = format!("{}:{}", encode(id), encode(secret));
    assert_eq!(basic(&simulator, &encoded, &[GRANT]).status, 200);
    let raw = format!("{id}:{secret}");
    assert_eq!(error(&basic(&simulator, &raw, &[GRANT])), failure(401, "invalid_client"));
    let fields = [GRANT, ("client_id", id), ("client_secret", secret)];
    assert_eq!(post_form(&simulator.token_endpoint(), &fields).status, 200);
}

#[test]
fn exactly_one_authentication_method_per_request() {
    let simulator = start();
    let user = "simulator-client:simulator-client-secret";
    assert_eq!(basic(&simulator, user, &[GRANT]).status, 200);
    let secret = ("client_secret", "simulator-client-secret");
    let two = basic(&simulator, user, &[GRANT, secret]);
    assert_eq!(error(&two), failure(400, "invalid_request"));
    let assertion = ("client_assertion", "a.b.c");
    let two = ask_token(&simulator, &[BEARER_TYPE, assertion]);
    assert_eq!(error(&two), failure(400, "invalid_request"));
    let other = basic(&simulator, user, &[GRANT, ("client_id", "another")]);
    assert_eq!(error(&other), failure(400, "invalid_request"));
}

#[test]
fn a_client_can_be_bound_to_one_method() {
    let simulator = start();
    let client = json!({
        "client_id": "bound",
        "client_secret": "secret",
        "token_endpoint_auth_method": "client_secret_basic",
    });
    simulator.register_client(&client).unwrap();
    assert_eq!(basic(&simulator, "bound:secret", &[GRANT]).status, 200);
    let fields = [GRANT, ("client_id", "bound"), ("client_secret", "secret")];
    let response = post_form(&simulator.token_endpoint(), &fields);
    assert_eq!(error(&response), failure(401, "invalid_client"));
}

#[test]
fn public_clients_get_no_token() {
    let simulator = start();
    let client = json!({"client_id": "public", "public": true});
    simulator.register_client(&client).unwrap();
    let endpoint = simulator.token_endpoint();
    let response = post_form(&endpoint, &[GRANT, ("client_id", "public")]);
    assert_eq!(error(&response), failure(401, "unauthorized_client"));
    let response = post_form(&endpoint, &[GRANT, ("client_id", "simulator-client")]);
    assert_eq!(error(&response), failure(401, "invalid_client"));
}

#[test]
fn malformed_requests_are_refused() {
    let simulator = start();
    let endpoint = simulator.token_endpoint();
    assert_eq!(get(&endpoint).status, 405);
    let body = form(&[GRANT]);
    let json = [("Content-Type", "application/json")];
    let response = exchange("POST", &endpoint, &json, &body).unwrap();
    assert_eq!(error(&response), failure(415, "invalid_request"));
    let twice = ask_token(&simulator, &[("scope", "a"), ("scope", "a")]);
    assert_eq!(error(&twice), failure(400, "invalid_request"));
    let in_url = format!("{endpoint}?client_secret=simulator-client-secret");
    let response = post_form(&in_url, &[GRANT, ("client_id", "simulator-client")]);
    assert_eq!(error(&response), failure(400, "invalid_request"));
    let user = "simulator-client:simulator-client-secret";
    assert_eq!(error(&basic(&simulator, user, &[])), failure(400, "invalid_request"));
    // The M2M realm knows no user sessions.
    for grant in ["password", "refresh_token"] {
        let fields = [("grant_type", grant), ("refresh_token", "x")];
        assert_eq!(
            error(&basic(&simulator, user, &fields)),
            failure(400, "unsupported_grant_type")
        );
    }
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 0);
}

#[test]
fn scopes_are_checked() {
    let simulator = start();
    let ask = |scope: &str| ask_token(&simulator, &[("scope", scope)]);
    assert_eq!(error(&ask("planet offline_access")), failure(400, "invalid_scope"));
    assert_eq!(ask("anything").status, 200);
    let changes = json!({"scopes": ["planet"]});
    simulator.change_settings(&changes).unwrap();
    assert_eq!(ask("planet").status, 200);
    assert_eq!(error(&ask("anything")), failure(400, "invalid_scope"));
}

#[test]
fn settings_change_the_token() {
    let simulator = start();
    let audience = |response: &Response| claims(&access_token(response))["aud"].clone();
    assert_eq!(audience(&ask_token(&simulator, &[])), "account");
    let changes = json!({"token_lifetime": 7, "default_audience": "https://other.example/"});
    simulator.change_settings(&changes).unwrap();
    let response = ask_token(&simulator, &[]);
    assert_eq!(response.json()["expires_in"], 7);
    assert_eq!(audience(&response), "https://other.example/");
    let changes = json!({"default_audience": null});
    simulator.change_settings(&changes).unwrap();
    assert_eq!(audience(&ask_token(&simulator, &[])), Value::Null);
    let changes = json!({"same_token": true});
    simulator.change_settings(&changes).unwrap();
    assert_eq!(token(&simulator), token(&simulator));
    let changes = json!({"same_token": false});
    simulator.change_settings(&changes).unwrap();
    assert_ne!(token(&simulator), token(&simulator));
}

/// A client key with its registration.
struct ClientKey {
    private: EncodingKey,
    algorithm: Algorithm,
}

fn register_key(simulator: &Simulator, id: &str, rsa: bool) -> ClientKey {
    let kind = if rsa { &rcgen::PKCS_RSA_SHA256 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
    let pair = rcgen::KeyPair::generate_for(kind).unwrap();
    let client = json!({"client_id": id, "public_key_pem": pair.public_key_pem(), "kid": "k1"});
    simulator.register_client(&client).unwrap();
    let pem = pair.serialize_pem();
    let (private, algorithm) = if rsa {
        (EncodingKey::from_rsa_pem(pem.as_bytes()), Algorithm::RS256)
    } else {
        (EncodingKey::from_ec_pem(pem.as_bytes()), Algorithm::ES256)
    };
    ClientKey { private: private.unwrap(), algorithm }
}

impl ClientKey {
    fn sign(&self, kid: &str, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(kid.to_owned());
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}

fn assertion_claims(simulator: &Simulator, id: &str, jti: &str) -> Value {
    let now = jsonwebtoken::get_current_timestamp();
    json!({"iss": id, "sub": id, "aud": simulator.m2m_issuer(), "iat": now, "exp": now + 60, "jti": jti})
}

fn assert_with(simulator: &Simulator, assertion: &str) -> Response {
    let fields = [GRANT, BEARER_TYPE, ("client_assertion", assertion)];
    post_form(&simulator.token_endpoint(), &fields)
}

#[test]
fn private_key_jwt_with_both_key_types() {
    let simulator = start();
    for (id, rsa) in [("rsa-client", true), ("ec-client", false)] {
        let key = register_key(&simulator, id, rsa);
        let mut claims = assertion_claims(&simulator, id, "one");
        let assertion = key.sign("k1", &claims);
        assert_eq!(assert_with(&simulator, &assertion).status, 200);
        let replayed = assert_with(&simulator, &assertion);
        assert_eq!(error(&replayed), failure(401, "invalid_client"));
        claims["jti"] = json!("two");
        claims["aud"] = json!([simulator.token_endpoint()]);
        assert_eq!(assert_with(&simulator, &key.sign("k1", &claims)).status, 200);
    }
}

#[test]
fn every_defect_of_an_assertion_is_refused() {
    let simulator = start();
    let key = register_key(&simulator, "client", false);
    let now = jsonwebtoken::get_current_timestamp();
    let defects = [
        ("iss", json!("another"), "iss must be the client"),
        ("aud", json!("https://other.example"), "aud must be"),
        ("aud", Value::Null, "aud must be"),
        ("exp", json!(now - 1), "has expired"),
        ("exp", json!(now + 3600), "more than five minutes"),
        ("exp", Value::Null, "exp is missing"),
        ("iat", json!(now + 600), "in the future"),
        ("iat", Value::Null, "iat is missing"),
        ("jti", Value::Null, "jti is missing"),
    ];
    for (number, (name, value, reason)) in defects.into_iter().enumerate() {
        let mut claims = assertion_claims(&simulator, "client", &number.to_string());
        claims[name] = value;
        let response = assert_with(&simulator, &key.sign("k1", &claims));
        assert_eq!(error(&response), failure(401, "invalid_client"), "{name}");
        let description = response.json()["error_description"].to_string();
        assert!(description.contains(reason), "{name}: {description}");
    }
    let claims = assertion_claims(&simulator, "client", "kid");
    let response = assert_with(&simulator, &key.sign("k2", &claims));
    assert!(response.json()["error_description"].to_string().contains("kid"));
    let stranger = register_key(&simulator, "stranger", false);
    let response = assert_with(&simulator, &stranger.sign("k1", &claims));
    assert!(response.json()["error_description"].to_string().contains("signature"));
    let rsa = register_key(&simulator, "rsa", true);
    let response = assert_with(&simulator, &rsa.sign("k1", &claims));
    assert!(response.json()["error_description"].to_string().contains("algorithm"));
    let fields = [GRANT, ("client_assertion", "a.b.c")];
    let response = post_form(&simulator.token_endpoint(), &fields);
    assert_eq!(error(&response), failure(400, "invalid_request"));
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 0);
}
