//! ID tokens, userinfo, introspection and keys.

use crate::common::*;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use planetkey_simulator::{Simulator, USER_CLIENT_ID};
use serde_json::{Value, json};

fn seed(simulator: &Simulator, wanted: Value) -> Value {
    simulator.seed_session(&wanted).unwrap()
}

fn userinfo(simulator: &Simulator, token: &str) -> Response {
    let bearer = format!("Bearer {token}");
    get_with(&format!("{}userinfo", simulator.user_issuer()), &[("Authorization", &bearer)])
}

fn introspect(simulator: &Simulator, token: &str, client: &[(&str, &str)]) -> Response {
    let fields = [&[("token", token), ("token_type_hint", "access_token")], client].concat();
    post_form(&format!("{}oauth/introspect", simulator.user_issuer()), &fields)
}

const SDK: (&str, &str) = ("client_id", USER_CLIENT_ID);

/// The token response for a code of the usual request.
fn tokens(simulator: &Simulator) -> Value {
    let location = log_in(simulator, &authorization_url(simulator, &[]));
    exchange_code(simulator, &parameter(&location, "code").unwrap(), &[]).json()
}

fn header(token: &str) -> Value {
    // `claims` decodes the middle part, so the header is put there.
    claims(&format!(".{token}"))
}

/// Whether a published key signed the token.
fn verifies(simulator: &Simulator, token: &str) -> bool {
    let keys = get(&format!("{}.well-known/jwks.json", simulator.user_issuer())).json();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.validate_aud = false;
    let keys = keys["keys"].as_array().unwrap().clone();
    keys.iter().any(|key| {
        let key = DecodingKey::from_rsa_components(&member(key, "n"), &member(key, "e")).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    })
}

#[test]
fn userinfo_contains_the_claims_of_the_scope() {
    let simulator = start();
    let tokens = tokens(&simulator);
    let response = userinfo(&simulator, &member(&tokens, "access_token"));
    let expected = json!({
        "sub": "simulator-user",
        "name": "simulator-user",
        "email": "simulator-user@example.com",
        "email_verified": true,
    });
    assert_eq!((response.status, response.json()), (200, expected));
    let open = seed(&simulator, json!({"scope": "openid", "subject": "user|ada"}));
    assert_eq!(
        userinfo(&simulator, &member(&open, "access_token")).json(),
        json!({"sub": "user|ada"})
    );
    let closed = userinfo(&simulator, &member(&seed(&simulator, json!({})), "access_token"));
    assert_eq!(closed.status, 403);
    assert!(closed.header("www-authenticate").unwrap().contains("insufficient_scope"));
    simulator.revoke(&member(&open, "access_token"));
    let expired = seed(&simulator, json!({"scope": "openid", "lifetime": 0}));
    let elsewhere =
        seed(&simulator, json!({"scope": "openid", "claims": {"aud": "https://api.planet.com/"}}));
    let foreign =
        seed(&simulator, json!({"scope": "openid", "issuer": "https://login.planet.com/"}));
    for token in [&open, &expired, &elsewhere, &foreign] {
        let response = userinfo(&simulator, &member(token, "access_token"));
        assert_eq!(response.status, 401);
        assert!(response.header("www-authenticate").unwrap().contains("invalid_token"));
    }
    let bare = get(&format!("{}userinfo", simulator.user_issuer()));
    assert_eq!(
        (bare.status, bare.header("www-authenticate")),
        (401, Some("Bearer realm=\"userinfo\""))
    );
    assert_eq!(simulator.count("user.userinfo").unwrap(), 8);
    let script = json!([{"userinfo_response": {"set": {"sub": "eve"}, "remove": ["name"]}}]);
    simulator.script("user.userinfo", &script).unwrap();
    let lie = userinfo(&simulator, &member(&tokens, "access_token")).json();
    assert_eq!(
        (&lie["sub"], lie.get("name"), &lie["email_verified"]),
        (&json!("eve"), None, &json!(true))
    );
}

#[test]
fn introspection_reports_active_tokens() {
    let simulator = start();
    let seeded = seed(&simulator, json!({"subject": "user|ada", "refresh_token_lifetime": 60}));
    let access = member(&seeded, "access_token");
    let response = introspect(&simulator, &access, &[SDK]);
    assert_eq!((response.status, response.header("cache-control")), (200, Some("no-store")));
    let told = response.json();
    let claims = claims(&access);
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!((&told["client_id"], &told["username"]), (&json!(USER_CLIENT_ID), &json!("ada")));
    for name in ["iss", "sub", "aud", "iat", "exp", "jti", "scope"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    let first = member(&seeded, "refresh_token");
    let told = introspect(&simulator, &first, &[SDK]).json();
    assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("planet offline_access")));
    assert!(told["exp"].is_u64());
    let second = member(&refresh(&simulator, &first).json(), "refresh_token");
    assert_eq!(introspect(&simulator, &first, &[SDK]).json(), json!({"active": false}), "rotated");
    assert_eq!(simulator.count("user.reuse").unwrap(), 0, "to ask is not to use");
    assert_eq!(introspect(&simulator, &second, &[SDK]).json()["active"], true);
    simulator.revoke_session(&second).unwrap();
    let expired = seed(&simulator, json!({"lifetime": 0, "refresh_token_lifetime": 0}));
    let (old, oldest) = (member(&expired, "access_token"), member(&expired, "refresh_token"));
    for token in [&access, &second, &old, &oldest, "unknown", &token(&simulator)] {
        assert_eq!(introspect(&simulator, token, &[SDK]).json(), json!({"active": false}));
    }
}

#[test]
fn introspection_authenticates_the_client() {
    let simulator = start();
    let access = member(&seed(&simulator, json!({})), "access_token");
    assert_eq!(error(&introspect(&simulator, &access, &[])), failure(401, "invalid_client"));
    assert_eq!(
        error(&introspect(&simulator, &access, &[("client_id", "unknown")])),
        failure(401, "invalid_client")
    );
    simulator.register_client(&json!({"client_id": "mine", "public": true})).unwrap();
    assert_eq!(
        introspect(&simulator, &access, &[("client_id", "mine")]).json(),
        json!({"active": false})
    );
    // A resource server may introspect the tokens of all users.
    simulator
        .register_client(&json!({"client_id": "api", "client_secret": "s", "server": "user"}))
        .unwrap();
    let api = [("client_id", "api"), ("client_secret", "s")];
    assert_eq!(introspect(&simulator, &access, &api).json()["active"], true);
    assert_eq!(error(&introspect(&simulator, "", &[SDK])), failure(400, "invalid_request"));
    let script = json!([{"introspection_response": {"set": {"active": "true"}}}]);
    simulator.script("user.introspect", &script).unwrap();
    assert_eq!(introspect(&simulator, &access, &[SDK]).json()["active"], "true");
    assert_eq!(
        simulator.requests("user.introspect").unwrap()[0]["form"][0],
        json!(["token", access])
    );
}

#[test]
fn scripts_change_id_tokens() {
    let simulator = start();
    let changes = |changes: Value| {
        simulator.script("user.token", &json!([{ "token_response": changes }])).unwrap();
        member(&tokens(&simulator), "id_token")
    };
    let plain = changes(json!({}));
    assert!(verifies(&simulator, &plain));
    let lie =
        changes(json!({"id_token_claims": {"nonce": "other", "aud": ["a", "b"], "exp": null}}));
    let told = claims(&lie);
    assert_eq!(
        (&told["nonce"], &told["aud"], told.get("exp")),
        (&json!("other"), &json!(["a", "b"]), None)
    );
    assert_eq!(told["sub"], "simulator-user");
    let lie = changes(json!({"id_token_header": {"kid": "unknown", "alg": "HS256", "typ": null}}));
    assert_eq!(header(&lie), json!({"kid": "unknown", "alg": "HS256"}));
    let lie = changes(json!({"id_token_key": "other"}));
    assert_eq!(header(&lie), header(&plain));
    assert!(!verifies(&simulator, &lie));
    let lie = changes(json!({"id_token_key": "none"}));
    assert!(lie.ends_with('.') && header(&lie)["alg"] == "none", "{lie}");
    assert!(verifies(&simulator, &member(&tokens(&simulator), "id_token")), "only once");
    for wrong in [json!({"id_token_key": "best"}), json!({"id_token_claims": 1})] {
        assert!(simulator.script("user.token", &json!([{ "token_response": wrong }])).is_err());
    }
}

#[test]
fn id_tokens_are_signed_as_announced() {
    let simulator = start();
    for (name, algorithm, kind) in [
        ("ES256", Algorithm::ES256, "EC"),
        ("EdDSA", Algorithm::EdDSA, "OKP"),
        ("PS256", Algorithm::PS256, "RSA"),
        ("RS256", Algorithm::RS256, "RSA"),
    ] {
        simulator.change_settings(&json!({"id_token_algorithms": [name, "RS256"]})).unwrap();
        let metadata =
            get(&format!("{}.well-known/openid-configuration", simulator.user_issuer())).json();
        assert_eq!(metadata["id_token_signing_alg_values_supported"], json!([name, "RS256"]));
        let token = member(&tokens(&simulator), "id_token");
        let keys = get(&format!("{}.well-known/jwks.json", simulator.user_issuer())).json();
        let named = |key: &&Value| key["kid"] == header(&token)["kid"];
        let key = keys["keys"].as_array().unwrap().iter().find(named).unwrap();
        assert_eq!(
            (&header(&token)["alg"], &key["alg"], &key["kty"]),
            (&json!(name), &json!(name), &json!(kind))
        );
        let mut validation = Validation::new(algorithm);
        validation.validate_aud = false;
        let key = DecodingKey::from_jwk(&serde_json::from_value(key.clone()).unwrap()).unwrap();
        jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
        // Access tokens are signed as before.
        assert_eq!(header(&member(&tokens(&simulator), "access_token"))["alg"], "RS256");
    }
    for wrong in [json!(["HS256"]), json!(["none"]), json!("RS256")] {
        assert!(simulator.change_settings(&json!({"id_token_algorithms": wrong})).is_err());
    }
    simulator.reset();
    assert_eq!(header(&member(&tokens(&simulator), "id_token"))["alg"], "RS256");
}

#[test]
fn keys_are_added_and_retired() {
    let simulator = start();
    let control = format!("{}/keys", simulator.control());
    let start = get(&control).json();
    let old = member(&start, "current");
    assert_eq!(start["published"], json!([old]));
    let before = seed(&simulator, json!({"scope": "openid"}));
    let (access, id) = (member(&before, "access_token"), member(&before, "id_token"));
    let both = post_json(&control, &json!({"add": true})).json();
    let new = member(&both, "current");
    assert_ne!(new, old);
    assert_eq!(both["published"], json!([old, new]));
    let after = seed(&simulator, json!({"scope": "openid"}));
    assert_eq!(header(&member(&after, "id_token"))["kid"], new);
    for token in [&id, &member(&after, "id_token")] {
        assert!(verifies(&simulator, token));
    }
    assert_eq!(planet_status(&simulator, &access), 200);
    let one = simulator.change_keys(&json!({"retire": true})).unwrap();
    assert_eq!(one, json!({"current": new, "published": [new]}));
    assert!(!verifies(&simulator, &id) && verifies(&simulator, &member(&after, "id_token")));
    assert_eq!(planet_status(&simulator, &access), 401);
    assert_eq!(planet_status(&simulator, &token(&simulator)), 200, "the realm has the same keys");
    assert_eq!(post_json(&control, &json!({"forget": true})).status, 400);
    simulator.reset();
    assert_eq!(get(&control).json(), start);
}
