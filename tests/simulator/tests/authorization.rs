//! Authorization code logins: the request, the pages, the redirect and the exchange.

use crate::common::*;
use planetkey_simulator::{OTP, Simulator, USER_CLIENT_ID};
use serde_json::{Value, json};

/// A new authorization code for the usual request.
fn code(simulator: &Simulator) -> String {
    parameter(&log_in(simulator, &authorization_url(simulator, &[])), "code").unwrap()
}

fn login_page(simulator: &Simulator) -> String {
    format!("{}login", simulator.user_issuer())
}

fn text(response: &Response) -> String {
    String::from_utf8(response.body.clone()).unwrap()
}

/// The transaction of a page.
fn transaction(response: &Response) -> String {
    let page = text(response);
    let (_, rest) =
        page.split_once("name=\"transaction\" value=\"").unwrap_or_else(|| panic!("{page}"));
    rest.split_once('"').unwrap().0.to_owned()
}

/// The parameters of the error redirect of an authorization request.
fn refused(simulator: &Simulator, changes: &[(&str, &str)]) -> Value {
    let response = get(&authorization_url(simulator, changes));
    assert_eq!(response.status, 302, "{changes:?} {}", text(&response));
    let location = response.header("location").unwrap();
    assert!(location.starts_with("http://127.0.0.1:4711/callback?"), "{location}");
    let mut parameters: Value =
        query(location).into_iter().map(|(name, value)| (name, json!(value))).collect();
    parameters.as_object_mut().unwrap().remove("error_description");
    parameters
}

#[test]
fn a_user_goes_through_the_pages() {
    let simulator = start();
    let first = get(&authorization_url(&simulator, &[]));
    assert_eq!(
        (first.status, first.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.header("referrer-policy"), Some("no-referrer"));
    let id = transaction(&first);
    let send = |name: &str, value: &str| {
        post_form(&login_page(&simulator), &[("transaction", &id), (name, value)])
    };
    assert!(text(&first).contains("id=\"username\"") && text(&first).contains("id=\"submit\""));
    let second = send("username", "<Ada & \"Co\">");
    assert!(text(&second).contains("id=\"otp\"") && text(&second).contains("id=\"submit\""));
    let third = send("otp", OTP);
    let page = text(&third);
    assert!(page.contains("id=\"allow\"") && page.contains("id=\"deny\""), "{page}");
    assert!(
        page.contains("&lt;Ada &amp; &quot;Co&quot;&gt;") && page.contains(USER_CLIENT_ID),
        "{page}"
    );
    for page in [&first, &second, &third] {
        assert!(
            !text(page).contains("src=") && !text(page).contains("http"),
            "nothing from elsewhere"
        );
    }
    let last = send("decision", "allow");
    assert_eq!(last.status, 302);
    let location = last.header("location").unwrap();
    assert!(location.starts_with("http://127.0.0.1:4711/callback?code="), "{location}");
    assert_eq!(query(location).len(), 3);
    assert_eq!(parameter(location, "state").unwrap(), "xyz");
    assert_eq!(parameter(location, "iss").unwrap(), simulator.user_issuer());
    // Pressing the button again fails.
    assert_eq!(send("decision", "allow").status, 400);
    let response = exchange_code(&simulator, &parameter(location, "code").unwrap(), &[]);
    assert_eq!(claims(&member(&response.json(), "id_token"))["sub"], "user|<Ada & \"Co\">");
    let log = simulator.requests("user.login_page").unwrap();
    assert_eq!((log.len(), &log[1]["form"][1]), (4, &json!(["otp", OTP])));
    assert_eq!(simulator.count("user.authorize").unwrap(), 1);
}

#[test]
fn pages_come_in_order_and_mistakes_can_be_corrected() {
    let simulator = start();
    let id = transaction(&get(&authorization_url(&simulator, &[])));
    let send = |name: &str, value: &str| {
        let response = post_form(&login_page(&simulator), &[("transaction", &id), (name, value)]);
        (
            response.status,
            response.header("location").is_some(),
            text(&response).contains("role=\"alert\""),
        )
    };
    let (good, bad, back) = ((200, false, false), (400, false, true), (302, true, false));
    assert_eq!(
        [send("decision", "allow"), send("otp", OTP), send("username", " ")],
        [bad, bad, bad]
    );
    assert_eq!(send("username", "ada"), good);
    assert_eq!(
        [send("otp", "123457"), send("username", "eve"), send("decision", "allow")],
        [bad, bad, bad]
    );
    assert_eq!(send("otp", OTP), good);
    assert_eq!([send("decision", "maybe"), send("otp", OTP)], [bad, bad]);
    assert_eq!(send("decision", "deny"), back);
    assert_eq!(send("decision", "allow"), bad);
    let unknown =
        post_form(&login_page(&simulator), &[("transaction", "unknown"), ("username", "ada")]);
    assert_eq!(unknown.status, 400);
    assert_eq!(
        (
            get(&login_page(&simulator)).status,
            post_form(&authorization_url(&simulator, &[]), &[]).status
        ),
        (405, 405)
    );
}

#[test]
fn an_unknown_client_or_redirect_uri_gets_no_redirect() {
    let simulator = start();
    simulator.register_client(&json!({"client_id": "bare", "public": true})).unwrap();
    for changes in [
        ("client_id", ""),
        ("client_id", "unknown"),
        ("client_id", "simulator-client"),
        ("client_id", "bare"),
        ("redirect_uri", ""),
        ("redirect_uri", "https://evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:4711/callback/"),
        ("redirect_uri", "http://127.0.0.1:4711/callback?a=b"),
        ("redirect_uri", "http://127.0.0.1:4711@evil.example/callback"),
        ("redirect_uri", "http://127.0.0.2:4711/callback"),
        ("redirect_uri", "http://localhost:8081/callback"),
    ] {
        let response = get(&authorization_url(&simulator, &[changes]));
        assert_eq!((response.status, response.header("location")), (400, None), "{changes:?}");
        assert!(text(&response).contains("role=\"alert\""));
    }
    let doubled = format!(
        "{}&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcallback",
        authorization_url(&simulator, &[])
    );
    assert_eq!(get(&doubled).status, 400);
    for uri in [
        "http://127.0.0.1:1/callback",
        "http://[::1]:65535/callback",
        "http://localhost:8080/callback",
    ] {
        let location = log_in(&simulator, &authorization_url(&simulator, &[("redirect_uri", uri)]));
        assert!(location.starts_with(&format!("{uri}?code=")), "{location}");
    }
}

#[test]
fn other_mistakes_get_an_error_redirect() {
    let simulator = start();
    let limited = json!({
        "client_id": "limited",
        "public": true,
        "redirect_uris": ["http://127.0.0.1:4711/callback"],
        "grant_types": ["refresh_token"],
    });
    simulator.register_client(&limited).unwrap();
    simulator.change_settings(&json!({"scopes": ["planet", "openid"]})).unwrap();
    let fits = ("scope", "planet openid");
    for (change, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", VERIFIER.split_at(40).0), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("scope", "planet admin"), "invalid_scope"),
        (("prompt", "none"), "login_required"),
        (("request", "e30.e30."), "request_not_supported"),
        (("request_uri", "urn:x"), "request_uri_not_supported"),
        (("client_id", "limited"), "unauthorized_client"),
    ] {
        let changes = if change.0 == "scope" { vec![change] } else { vec![fits, change] };
        let expected = json!({"error": error, "state": "xyz", "iss": simulator.user_issuer()});
        assert_eq!(refused(&simulator, &changes), expected, "{change:?}");
    }
    let stateless = json!({"error": "invalid_request", "iss": simulator.user_issuer()});
    assert_eq!(refused(&simulator, &[fits, ("state", "")]), stateless);
    let twice = get(&format!("{}&nonce=other", authorization_url(&simulator, &[fits])));
    assert_eq!(parameter(twice.header("location").unwrap(), "error").unwrap(), "invalid_request");
}

#[test]
fn a_denial_is_a_redirect_with_state_and_issuer() {
    let simulator = start();
    let wanted = json!({"authorization_url": authorization_url(&simulator, &[]), "allow": false});
    let location = member(&simulator.log_in(&wanted).unwrap(), "location");
    assert_eq!(parameter(&location, "error").unwrap(), "access_denied");
    assert_eq!(parameter(&location, "state").unwrap(), "xyz");
    assert_eq!(parameter(&location, "iss").unwrap(), simulator.user_issuer());
    assert_eq!(parameter(&location, "code"), None);
    simulator.change_settings(&json!({"authorization_response_iss": false})).unwrap();
    assert_eq!(parameter(&member(&simulator.log_in(&wanted).unwrap(), "location"), "iss"), None);
}

#[test]
fn a_code_is_exchanged_for_a_session() {
    let simulator = start();
    let before = jsonwebtoken::get_current_timestamp();
    let response = exchange_code(&simulator, &code(&simulator), &[]);
    assert_eq!(
        (response.status, response.header("cache-control")),
        (200, Some("no-store")),
        "{response:?}"
    );
    let tokens = response.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(3600)));
    assert_eq!(tokens["scope"], "openid profile email planet offline_access");
    let id = claims(&member(&tokens, "id_token"));
    assert_eq!((&id["nonce"], &id["aud"]), (&json!("n-0S6"), &json!(USER_CLIENT_ID)));
    assert_eq!((&id["sub"], &id["name"]), (&json!("simulator-user"), &json!("simulator-user")));
    assert_eq!(
        (&id["email"], &id["iss"]),
        (&json!("simulator-user@example.com"), &json!(simulator.user_issuer()))
    );
    assert!((before..=before + 20).contains(&id["auth_time"].as_u64().unwrap()));
    let access = claims(&member(&tokens, "access_token"));
    assert_eq!(
        access["aud"],
        json!(["https://api.planet.com/", format!("{}userinfo", simulator.user_issuer())])
    );
    assert_eq!(planet_status(&simulator, &access_token(&response)), 200);
    let refreshed = refresh(&simulator, &member(&tokens, "refresh_token")).json();
    let id = claims(&member(&refreshed, "id_token"));
    assert_eq!((&id["email"], id.get("nonce")), (&json!("simulator-user@example.com"), None));
    assert_eq!(simulator.count("user.sessions").unwrap(), 1);
}

#[test]
fn tokens_depend_on_the_requested_scope() {
    let simulator = start();
    let ask = |changes: &[(&str, &str)]| {
        let location = log_in(&simulator, &authorization_url(&simulator, changes));
        let response = exchange_code(&simulator, &parameter(&location, "code").unwrap(), &[]);
        assert_eq!(response.status, 200, "{response:?}");
        response.json()
    };
    let plain = ask(&[("scope", ""), ("audience", ""), ("nonce", "")]);
    assert_eq!(plain["scope"], "planet");
    assert_eq!((plain.get("id_token"), plain.get("refresh_token")), (None, None));
    assert_eq!(claims(&member(&plain, "access_token")).get("aud"), None);
    let known = ask(&[("scope", "openid"), ("nonce", "")]);
    let id = claims(&member(&known, "id_token"));
    assert_eq!((id.get("email"), id.get("name"), id.get("nonce")), (None, None, None));
}

#[test]
fn an_exchange_must_match_the_request() {
    let simulator = start();
    let other = json!({"client_id": "other", "public": true, "redirect_uris": [REDIRECT_URI]});
    simulator.register_client(&other).unwrap();
    let wrong = VERIFIER.replace('d', "e");
    for (change, expected) in [
        (("code_verifier", wrong.as_str()), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:4712/callback"), "invalid_grant"),
        (("code_verifier", ""), "invalid_request"),
        (("code_verifier", "short"), "invalid_request"),
        (("redirect_uri", ""), "invalid_request"),
        (("code", ""), "invalid_request"),
        (("code", "unknown"), "invalid_grant"),
        (("client_id", "other"), "invalid_grant"),
    ] {
        let code = code(&simulator);
        let response = exchange_code(&simulator, &code, &[change]);
        assert_eq!(error(&response), failure(400, expected), "{change:?}");
        // An attempt of its client uses up the code. An attempt of another client does not.
        let used = expected == "invalid_grant"
            && (change.0 == "code_verifier" || change.0 == "redirect_uri");
        assert_eq!(
            exchange_code(&simulator, &code, &[]).status,
            if used { 400 } else { 200 },
            "{change:?}"
        );
    }
    let wanted = json!({"authorization_code_lifetime": 0});
    simulator.change_settings(&wanted).unwrap();
    assert_eq!(
        error(&exchange_code(&simulator, &code(&simulator), &[])),
        failure(400, "invalid_grant")
    );
    assert_eq!(simulator.count("user.reuse").unwrap(), 0);
}

#[test]
fn a_reused_code_ends_its_session() {
    let simulator = start();
    let code = code(&simulator);
    let response = exchange_code(&simulator, &code, &[]);
    assert_eq!(planet_status(&simulator, &access_token(&response)), 200);
    assert_eq!(error(&exchange_code(&simulator, &code, &[])), failure(400, "invalid_grant"));
    assert_eq!(planet_status(&simulator, &access_token(&response)), 401);
    let token = member(&response.json(), "refresh_token");
    assert_eq!(error(&refresh(&simulator, &token)), failure(400, "invalid_grant"));
    assert_eq!(simulator.session_of(&token).unwrap()["revoked"], "code_reuse");
}

#[test]
fn clients_must_match_their_registration() {
    let simulator = start();
    let web = json!({
        "client_id": "web",
        "client_secret": "web-secret",
        "server": "user",
        "redirect_uris": ["https://web.example/back?tenant=1"],
        "grant_types": ["authorization_code"],
    });
    simulator.register_client(&web).unwrap();
    let uri = ("redirect_uri", "https://web.example/back?tenant=1");
    let location = log_in(&simulator, &authorization_url(&simulator, &[("client_id", "web"), uri]));
    assert!(location.starts_with("https://web.example/back?tenant=1&code="), "{location}");
    let code = parameter(&location, "code").unwrap();
    let public = exchange_code(&simulator, &code, &[("client_id", "web"), uri]);
    assert_eq!(error(&public), failure(401, "invalid_client"));
    let response = exchange_code(
        &simulator,
        &code,
        &[("client_id", "web"), ("client_secret", "web-secret"), uri],
    );
    assert_eq!(
        (response.status, response.json().get("refresh_token")),
        (200, None),
        "it may not refresh"
    );
    let fields = [
        ("grant_type", "refresh_token"),
        ("refresh_token", "x"),
        ("client_id", "web"),
        ("client_secret", "web-secret"),
    ];
    assert_eq!(
        error(&post_form(&simulator.user_token_endpoint(), &fields)),
        failure(400, "unauthorized_client")
    );
    for wrong in [
        json!({"redirect_uris": ["/callback"]}),
        json!({"redirect_uris": ["https://a.example/#x"]}),
        json!({"grant_types": ["magic"]}),
    ] {
        let mut client = json!({"client_id": "wrong", "public": true});
        client.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        assert!(simulator.register_client(&client).is_err(), "{client}");
    }
}

#[test]
fn scripts_change_the_redirect() {
    let simulator = start();
    let url = authorization_url(&simulator, &[]);
    let changes = json!({
        "set": {"iss": "https://evil.example/", "more": "x y", "state": ["a", "b"]},
        "remove": ["nothing"],
        "repeat": ["code"],
    });
    // The script of the request, whenever its response is sent.
    simulator.script("user.authorize", &json!([{ "authorization_response": changes }])).unwrap();
    let location = log_in(&simulator, &url);
    let values = |name: &str| {
        query(&location)
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (values("iss"), values("more")),
        (vec!["https://evil.example/".to_owned()], vec!["x y".to_owned()])
    );
    assert_eq!(values("state"), ["a", "b"]);
    assert_eq!(values("code").len(), 2);
    // The script of the last form.
    let script = json!([{}, {}, {"authorization_response": {"remove": ["state", "iss"]}}]);
    simulator.script("user.login_page", &script).unwrap();
    let names: Vec<String> =
        query(&log_in(&simulator, &url)).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["code"]);
    // An error at the first page.
    simulator
        .script("user.authorize", &json!([{"authorization_response": {"remove": ["state"]}}]))
        .unwrap();
    assert_eq!(
        refused(&simulator, &[("prompt", "none")]),
        json!({"error": "login_required", "iss": simulator.user_issuer()})
    );
    // A page that is not sent.
    simulator.script("user.login_page", &json!([{"status": 503}])).unwrap();
    assert!(
        simulator
            .log_in(&json!({ "authorization_url": url }))
            .unwrap_err()
            .to_string()
            .contains("503")
    );
    assert!(simulator.script("user.token", &json!([{"authorization_response": {}}])).is_err());
}

#[test]
fn the_control_api_sets_the_subject_of_a_user_name() {
    let simulator = start();
    let url = authorization_url(&simulator, &[]);
    let who = |user: Value| {
        let mut wanted = json!({ "authorization_url": url });
        wanted.as_object_mut().unwrap().extend(user.as_object().unwrap().clone());
        let response = post_json(&format!("{}/login", simulator.control()), &wanted);
        assert_eq!(response.status, 200, "{response:?}");
        let code = parameter(&member(&response.json(), "location"), "code").unwrap();
        let id = claims(&member(&exchange_code(&simulator, &code, &[]).json(), "id_token"));
        ["sub", "name", "email"].map(|name| member(&id, name))
    };
    assert_eq!(who(json!({"username": "ada"})), ["user|ada", "ada", "ada@example.com"]);
    assert_eq!(
        who(json!({"username": "ada@planet.example"})),
        ["user|ada@planet.example", "ada@planet.example", "ada@planet.example"]
    );
    assert_eq!(who(json!({"subject": "user|7"})), ["user|7", "7", "7@example.com"]);
    assert_eq!(
        who(json!({"subject": "auth0|1", "email": "x@y.example"})),
        ["auth0|1", "auth0|1", "x@y.example"]
    );
    assert_eq!(who(json!({"username": "bob", "subject": "s"})), ["s", "bob", "bob@example.com"]);
    assert_eq!(who(json!({"username": "bob"})), ["s", "bob", "bob@example.com"], "until a reset");
    for wrong in [
        json!({ "authorization_url": url, "otp": "000000" }),
        json!({ "authorization_url": url, "user_code": "BCDF-GHJK" }),
        json!({ "authorization_url": "https://evil.example/authorize?x=y" }),
        json!({ "authorization_url": simulator.user_token_endpoint() }),
        json!({ "authorization_url": authorization_url(&simulator, &[("client_id", "unknown")]) }),
        json!({"user_code": "BCDF-GHJK"}),
        json!({}),
    ] {
        let response = post_json(&format!("{}/login", simulator.control()), &wrong);
        assert_eq!(response.status, 400, "{wrong}");
    }
}
