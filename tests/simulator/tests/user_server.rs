//! The authorization server for users: metadata, keys, clients, tokens and revocation.

use crate::common::*;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use planetkey_simulator::{Simulator, USER_CLIENT_ID};
use serde_json::{Value, json};

fn origin(simulator: &Simulator) -> String {
    simulator.user_issuer().trim_end_matches('/').to_owned()
}

fn seed(simulator: &Simulator, wanted: Value) -> Value {
    simulator.seed_session(&wanted).unwrap()
}

/// The parameters of a refresh request.
fn grant(refresh_token: &str) -> [(&str, &str); 2] {
    [("grant_type", "refresh_token"), ("refresh_token", refresh_token)]
}

fn revoke(simulator: &Simulator, fields: &[(&str, &str)]) -> Response {
    post_form(&format!("{}/oauth/revoke", origin(simulator)), fields)
}

#[test]
fn metadata_at_both_urls_names_the_endpoints() {
    let simulator = start();
    let origin = origin(&simulator);
    let rfc8414 = format!("{origin}/.well-known/oauth-authorization-server");
    let openid = format!("{origin}/.well-known/openid-configuration");
    let metadata = get(&rfc8414).json();
    assert_eq!(get(&openid).json(), metadata);
    assert_eq!(metadata["issuer"], format!("{origin}/"), "with the slash");
    assert_eq!(metadata["token_endpoint"], simulator.user_token_endpoint());
    assert_eq!(metadata["revocation_endpoint"], format!("{origin}/oauth/revoke"));
    assert_eq!(metadata["authorization_endpoint"], simulator.user_authorization_endpoint());
    assert_eq!(
        metadata["device_authorization_endpoint"],
        simulator.user_device_authorization_endpoint()
    );
    let at = |path: &str| json!(format!("{origin}{path}"));
    assert_eq!(
        (&metadata["introspection_endpoint"], &metadata["userinfo_endpoint"]),
        (&at("/oauth/introspect"), &at("/userinfo"))
    );
    assert_eq!(
        metadata["introspection_endpoint_auth_methods_supported"],
        metadata["token_endpoint_auth_methods_supported"]
    );
    let grants =
        ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"];
    assert_eq!(metadata["grant_types_supported"], json!(grants));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&json!("none")));
    assert_eq!(metadata["revocation_endpoint_auth_methods_supported"], json!(methods));
    assert_eq!(get(metadata["jwks_uri"].as_str().unwrap()).status, 200);
    let changes = json!({"metadata_forms": ["openid"], "authorization_response_iss": false});
    simulator.change_settings(&changes).unwrap();
    assert_eq!(get(&openid).json().get("authorization_response_iss_parameter_supported"), None);
    assert_eq!((get(&rfc8414).status, get(&openid).status), (404, 200));
    for path in ["/", "/authorize/", "/oauth", "/oauth/token/more", "/.well-known/other"] {
        assert_eq!(get(&format!("{origin}{path}")).status, 404, "{path}");
    }
    let count = |name: &str| simulator.count(name).unwrap();
    assert_eq!((count("user.metadata"), count("user.jwks"), count("user.other")), (5, 1, 5));
    assert_eq!((count("m2m.metadata"), count("m2m.other")), (0, 0));
}

#[test]
fn a_seeded_session_is_like_a_token_response() {
    let simulator = start();
    let seeded =
        seed(&simulator, json!({"scope": "openid planet offline_access", "subject": "user|1"}));
    let refreshed = refresh(&simulator, &member(&seeded, "refresh_token"));
    assert_eq!(refreshed.status, 200);
    assert_eq!(refreshed.header("cache-control"), Some("no-store"));
    let refreshed = refreshed.json();
    let names =
        |response: &Value| response.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&seeded), names(&refreshed));
    for response in [&seeded, &refreshed] {
        assert_eq!(response["token_type"], "Bearer");
        assert_eq!(response["expires_in"], 3600);
        assert_eq!(response["scope"], "openid planet offline_access");
        let access = claims(&member(response, "access_token"));
        assert_eq!(access["iss"], simulator.user_issuer());
        assert_eq!(access["sub"], "user|1");
        assert_eq!(access["azp"], USER_CLIENT_ID);
        assert_eq!(
            access["aud"],
            json!(["https://api.planet.com/", format!("{}userinfo", simulator.user_issuer())])
        );
        assert_eq!(access["exp"].as_u64().unwrap() - access["iat"].as_u64().unwrap(), 3600);
        let id = claims(&member(response, "id_token"));
        assert_eq!((&id["sub"], &id["aud"]), (&json!("user|1"), &json!(USER_CLIENT_ID)));
    }
    for name in ["access_token", "refresh_token"] {
        assert_ne!(seeded[name], refreshed[name], "{name}");
    }
    // Starting a session is not logged as a request.
    assert_eq!(simulator.count("user.token").unwrap(), 1);
    assert_eq!(simulator.count("user.token.issued").unwrap(), 1);
}

#[test]
fn a_session_has_the_given_members() {
    let simulator = start();
    let plain = seed(&simulator, json!({}));
    assert_eq!(plain["scope"], "planet offline_access");
    assert_eq!(plain.get("id_token"), None);
    assert_eq!(claims(&member(&plain, "access_token"))["aud"], "https://api.planet.com/");
    let brief = seed(&simulator, json!({"scope": "planet"}));
    assert_eq!(brief.get("refresh_token"), None, "nothing without offline_access");
    let now = jsonwebtoken::get_current_timestamp();
    let wanted =
        json!({"lifetime": 60, "age": 50, "audience": null, "claims": {"more": 1, "jti": null}});
    let old = seed(&simulator, wanted);
    assert_eq!(old["expires_in"], 60, "as it was said then");
    let old = claims(&member(&old, "access_token"));
    assert!((now - 50..=now - 49).contains(&old["iat"].as_u64().unwrap()));
    assert_eq!(old["exp"].as_u64().unwrap(), old["iat"].as_u64().unwrap() + 60);
    assert_eq!((&old["more"], old.get("jti"), old.get("aud")), (&json!(1), None, None));
    let expired = seed(&simulator, json!({"lifetime": 0}));
    assert_eq!(planet_status(&simulator, &member(&expired, "access_token")), 401);
    assert_eq!(refresh(&simulator, &member(&expired, "refresh_token")).status, 200);
}

#[test]
fn tokens_verify_with_the_published_key() {
    let simulator = start();
    let issued = seed(&simulator, json!({"scope": "openid"}));
    let keys = get(&format!("{}/.well-known/jwks.json", origin(&simulator))).json();
    let text = |name: &str| member(&keys["keys"][0], name);
    let key = DecodingKey::from_rsa_components(&text("n"), &text("e")).unwrap();
    for (name, audience) in
        [("access_token", "https://api.planet.com/"), ("id_token", USER_CLIENT_ID)]
    {
        let token = member(&issued, name);
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.unwrap(), text("kid"));
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[simulator.user_issuer()]);
        jsonwebtoken::decode::<Value>(&token, &key, &validation).unwrap();
    }
}

#[test]
fn both_apis_accept_a_user() {
    let simulator = start();
    let issued = seed(&simulator, json!({"subject": "user|2"}));
    let bearer = format!("Bearer {}", member(&issued, "access_token"));
    for base in [simulator.planet_api(), simulator.sentinel_hub_api()] {
        let response = get_with(&format!("{base}/x"), &[("Authorization", &bearer)]);
        assert_eq!(response.json()["authenticated_as"], "user|2", "{response:?}");
        assert_eq!(response.json()["credential"], "bearer");
    }
    let other = seed(&simulator, json!({"audience": "https://other.example/"}));
    assert_eq!(planet_status(&simulator, &member(&other, "access_token")), 401);
    simulator.revoke_all();
    assert_eq!(planet_status(&simulator, &member(&issued, "access_token")), 401);
    // A session is independent of its access tokens.
    let refreshed = refresh(&simulator, &member(&issued, "refresh_token"));
    assert_eq!(planet_status(&simulator, &access_token(&refreshed)), 200);
}

#[test]
fn clients_authenticate_as_registered() {
    let simulator = start();
    let endpoint = simulator.user_token_endpoint();
    let seeded = seed(&simulator, json!({}));
    let token = member(&seeded, "refresh_token");
    let ask = |more: &[(&str, &str)]| post_form(&endpoint, &[&grant(&token), more].concat());
    // No client, an unknown one, one without a secret, and one of the other server.
    assert_eq!(error(&ask(&[])), failure(401, "invalid_client"));
    assert_eq!(error(&ask(&[("client_id", "unknown")])), failure(401, "invalid_client"));
    let with_secret = ask(&[("client_id", USER_CLIENT_ID), ("client_secret", "secret")]);
    assert_eq!(error(&with_secret), failure(401, "invalid_client"));
    let machine =
        ask(&[("client_id", "simulator-client"), ("client_secret", "simulator-client-secret")]);
    assert_eq!(error(&machine), failure(401, "invalid_client"));
    let at_the_realm = [("grant_type", "client_credentials"), ("client_id", USER_CLIENT_ID)];
    assert_eq!(
        error(&post_form(&simulator.token_endpoint(), &at_the_realm)),
        failure(401, "invalid_client")
    );
    // None of these attempts used up the token.
    assert_eq!(ask(&[("client_id", USER_CLIENT_ID)]).status, 200);
    for client in [
        json!({"client_id": "mine", "public": true}),
        json!({"client_id": "web", "client_secret": "web-secret", "server": "user"}),
    ] {
        simulator.register_client(&client).unwrap();
        let id = client["client_id"].as_str().unwrap();
        let token = member(&seed(&simulator, json!({ "client_id": id })), "refresh_token");
        let secret = client["client_secret"].as_str().unwrap_or_default();
        let fields = [&grant(&token)[..], &[("client_id", id), ("client_secret", secret)]].concat();
        assert_eq!(post_form(&endpoint, &fields).status, 200, "{id}");
    }
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "web"),
        ("client_secret", "web-secret"),
    ];
    assert_eq!(
        error(&post_form(&simulator.token_endpoint(), &fields)),
        failure(401, "invalid_client")
    );
}

#[test]
fn malformed_requests_are_refused() {
    let simulator = start();
    let endpoint = simulator.user_token_endpoint();
    let id = ("client_id", USER_CLIENT_ID);
    for name in ["client_credentials", "password", "implicit"] {
        let response = post_form(&endpoint, &[("grant_type", name), id]);
        assert_eq!(error(&response), failure(400, "unsupported_grant_type"), "{name}");
    }
    let refused = [
        post_form(&endpoint, &[("grant_type", "authorization_code"), id]),
        post_form(&endpoint, &[("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), id]),
        post_form(&endpoint, &[id]),
        post_form(&endpoint, &[("grant_type", "refresh_token"), id]),
        post_form(&endpoint, &[("grant_type", "refresh_token"), ("refresh_token", ""), id]),
        post_form(&endpoint, &[&grant("x")[..], &[("refresh_token", "y"), id]].concat()),
        post_form(&format!("{endpoint}?a=b"), &[&grant("x")[..], &[id]].concat()),
        revoke(&simulator, &[id]),
    ];
    for response in refused {
        assert_eq!(error(&response), failure(400, "invalid_request"));
    }
    assert_eq!(get(&endpoint).status, 405);
    assert_eq!(get(&format!("{}/oauth/revoke", origin(&simulator))).status, 405);
    assert_eq!(error(&refresh(&simulator, "unknown")), failure(400, "invalid_grant"));
    assert_eq!(simulator.count("user.token.issued").unwrap(), 0);
}

#[test]
fn revoking_a_refresh_token_ends_its_session() {
    let simulator = start();
    let seeded = seed(&simulator, json!({}));
    let first = member(&seeded, "refresh_token");
    let refreshed = refresh(&simulator, &first).json();
    let second = member(&refreshed, "refresh_token");
    let id = ("client_id", USER_CLIENT_ID);
    // An unknown token counts as revoked, and a wrong hint does not matter.
    assert_eq!(revoke(&simulator, &[("token", "unknown"), id]).status, 200);
    simulator.register_client(&json!({"client_id": "other", "public": true})).unwrap();
    let stranger = revoke(&simulator, &[("token", &second), ("client_id", "other")]);
    assert_eq!(error(&stranger), failure(400, "invalid_grant"));
    assert_eq!(error(&revoke(&simulator, &[("token", &second)])), failure(401, "invalid_client"));
    assert_eq!(simulator.count("user.sessions.active").unwrap(), 1);
    let response =
        revoke(&simulator, &[("token", &second), ("token_type_hint", "access_token"), id]);
    assert_eq!((response.status, response.body.len()), (200, 0));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    for token in [&seeded, &refreshed] {
        assert_eq!(planet_status(&simulator, &member(token, "access_token")), 401);
    }
    assert_eq!(error(&refresh(&simulator, &second)), failure(400, "invalid_grant"));
    let session = simulator.session_of(&first).unwrap();
    assert_eq!((&session["revoked"], &session["reuse"]), (&json!("revocation"), &json!(0)));
    // Revoking again is no error.
    assert_eq!(revoke(&simulator, &[("token", &second), id]).status, 200);
    let log = simulator.requests("user.revoke").unwrap();
    assert_eq!(log.len(), 5);
    assert_eq!(
        log[3]["form"],
        json!([
            ["token", second],
            ["token_type_hint", "access_token"],
            ["client_id", USER_CLIENT_ID]
        ])
    );
}

#[test]
fn revoking_an_access_token_does_not_end_the_session() {
    let simulator = start();
    let seeded = seed(&simulator, json!({}));
    let token = member(&seeded, "access_token");
    assert_eq!(revoke(&simulator, &[("token", &token), ("client_id", USER_CLIENT_ID)]).status, 200);
    assert_eq!(planet_status(&simulator, &token), 401);
    assert_eq!(refresh(&simulator, &member(&seeded, "refresh_token")).status, 200);
}
