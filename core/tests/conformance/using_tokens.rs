//! Using tokens and keys: assertions 92 to 102.

use crate::common::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use planetkey::authorize::challenge;
use planetkey::clock::ManualClock;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::{ApiKeyTransport, CredentialKind, Session, Status, Transport};
use serde_json::json;
use std::sync::Arc;

fn key_session(key: &str, transport: ApiKeyTransport) -> planetkey::Result<Session> {
    Session::from_api_key(key, transport, &options(&Fake::new(), &Arc::new(ManualClock::new(NOW))))
}

const TRANSPORTS: [ApiKeyTransport; 3] =
    [ApiKeyTransport::Basic, ApiKeyTransport::Header, ApiKeyTransport::Query];

#[test]
fn a092_bearer_tokens_go_in_the_authorization_header_only() {
    let bench = bench();
    let authorization =
        bench.session.authorize("https://services.sentinel-hub.com/a?b=c#d").unwrap();
    assert_eq!(authorization.url(), "https://services.sentinel-hub.com/a?b=c#d");
    assert_eq!(authorization.headers().collect::<Vec<_>>(), [("Authorization", "Bearer token-1")]);
    assert_eq!(
        (authorization.credential(), authorization.transport()),
        (CredentialKind::AccessToken, Transport::Bearer)
    );
    let seen = &bench.fake.seen()[0];
    assert!(!seen.url.contains("token-") && !seen.body.contains("token-1"));
}

#[test]
fn a093_one_mechanism_per_request() {
    let bench = bench();
    let signed = "https://services.sentinel-hub.com/a?x=1&api_key=OLD&y=2";
    let authorization = bench.session.authorize(signed).unwrap();
    assert_eq!(authorization.url(), "https://services.sentinel-hub.com/a?x=1&y=2");
    assert!(authorization.header_value().is_some());
    assert_eq!(bench.session.headers(signed).unwrap_err().status(), Status::InvalidArgument);
    for transport in TRANSPORTS {
        let session = key_session("KEY", transport).unwrap();
        for url in [
            "https://api.planet.com/a?api_key=OLD",
            "https://api.planet.com/a?api%5Fkey=OLD",
            "https://api.planet.com/a",
        ] {
            let authorization = session.authorize(url).unwrap();
            let in_url = authorization.url().matches("KEY").count();
            let in_header = authorization.headers().count();
            assert_eq!(in_url + in_header, 1, "{transport:?} {url}");
            assert!(!authorization.url().contains("OLD"));
        }
        if transport != ApiKeyTransport::Query {
            session.headers("https://api.planet.com/a?api_key=OLD").unwrap_err();
        } else {
            assert_eq!(
                session.headers("https://api.planet.com/a").unwrap_err().status(),
                Status::InvalidArgument
            );
        }
    }
}

#[test]
fn a094_no_header_for_hosts_outside_the_list() {
    let bench = bench();
    for url in [
        "https://example.com/",
        "https://www.planet.com/",
        "https://sentinel-hub.com/",
        "https://login.planet.com/",
    ] {
        for refused in [bench.session.headers(url), bench.session.authorize(url)] {
            let error = refused.unwrap_err();
            assert_eq!(error.status(), Status::HostRefused, "{url}");
            assert!(
                error.message().contains("services.sentinel-hub.com"),
                "the message says where it would go: {error}"
            );
        }
        assert_eq!(bench.session.headers_cached(url).unwrap_err().status(), Status::HostRefused);
        assert_eq!(bench.session.authorize_cached(url).unwrap_err().status(), Status::HostRefused);
        assert_eq!(
            bench.session.with_header(url, str::len).unwrap_err().status(),
            Status::HostRefused
        );
    }
    assert_eq!(bench.fake.count(), 0, "a refused host costs no token");
}

/// A caller asks again for every hop of a redirect. For a foreign host the result is a refusal, so
/// no credential can follow the redirect.
#[test]
fn a095_a_redirect_to_another_origin_gets_no_token() {
    let simulator = simulator();
    let options = simulator_options(&simulator);
    let session = simulator_session(&simulator, &options);
    let client = reqwest::blocking::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let url = format!("{}/redirect?to=https://evil.example/steal", simulator.sentinel_hub_api());
    let hop = session.authorize(&url).unwrap();
    let answer =
        client.get(hop.url()).header("Authorization", hop.header_value().unwrap()).send().unwrap();
    assert_eq!(answer.status(), 302);
    let location = answer.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(location, "https://evil.example/steal");
    assert_eq!(session.authorize(&location).unwrap_err().status(), Status::HostRefused);
}

#[test]
fn a096_a_401_refreshes_once_per_generation_and_a_403_never() {
    let bench = bench();
    let session = &bench.session;
    let first = bench.token();
    let scope = Some(r#"Bearer error="insufficient_scope", scope="planet""#);
    assert!(!repeats(session, &first, 403, scope));
    assert!(!repeats(session, &first, 401, scope));
    assert!(!repeats(session, &first, 200, None));
    assert_eq!(bench.token(), first);
    let expired = Some(r#"Bearer realm="x", error="invalid_token""#);
    assert!(repeats(session, &first, 401, expired));
    // Many threads that used the same token: one refresh.
    assert!(!session.invalidate(&first).unwrap());
    let second = bench.token();
    assert_ne!(first, second);
    assert!(repeats(session, &first, 401, None), "there is another token: repeating makes sense");
    assert!(!session.invalidate(&first).unwrap(), "an old token does not refresh the new one");
    assert_eq!(bench.token(), second);
    // The API rejects the new token as well: the token is not the cause, and no second refresh
    // follows at once.
    assert!(!repeats(session, &second, 401, Some("Bearer")));
    assert_eq!(bench.token(), second);
    assert_eq!(bench.fake.count(), 2);
    // Much later the same token may have been revoked.
    bench.advance(60);
    assert!(session.invalidate(&second).unwrap());
    assert_ne!(bench.token(), second);
    assert_eq!(bench.fake.count(), 3);
    assert_eq!(session.invalidate("").unwrap_err().status(), Status::InvalidArgument);
    assert!(!session.invalidate("some other token").unwrap());
}

/// The same with an API that returns 401 because the token was revoked.
#[test]
fn a096_a_revoked_token_is_replaced() {
    let simulator = simulator();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str| {
        let url = format!("{}{path}", simulator.sentinel_hub_api());
        let authorization = session.headers(&url).unwrap();
        let answer = client
            .get(&url)
            .header("Authorization", authorization.header_value().unwrap())
            .send()
            .unwrap();
        let challenge = answer
            .headers()
            .get("www-authenticate")
            .map(|value| value.to_str().unwrap().to_owned());
        (
            answer.status().as_u16(),
            challenge,
            authorization.header_value().unwrap().replace("Bearer ", ""),
        )
    };
    assert_eq!(get("/a").0, 200);
    simulator.revoke_all();
    let (status, challenge, token) = get("/a");
    assert_eq!(status, 401);
    assert!(repeats(&session, &token, status, challenge.as_deref()));
    assert_eq!(get("/a").0, 200);
    let (status, challenge, token) = get("/forbidden");
    assert_eq!(status, 403);
    assert!(!repeats(&session, &token, status, challenge.as_deref()));
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
}

/// Two M2M clients in one session: the other client's token is no reason to repeat a request with
/// this one.
#[test]
fn a096_a_401_invalidates_only_the_token_of_its_client() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    let profile = home.path().join(".planet/elsewhere");
    std::fs::create_dir_all(&profile).unwrap();
    let elsewhere = json!({
        "client_type": "oidc_client_credentials_secret", "client_id": "one", "client_secret": "secret",
        "token_endpoint": "https://as.example/token",
    });
    std::fs::write(profile.join("auth_client.json"), elsewhere.to_string()).unwrap();
    let mut options = options(&fake, &Arc::new(ManualClock::new(NOW)));
    options.runtime.environment = Arc::new(FixedEnvironment::new([
        (HOME_VARIABLE, home.path().to_str().unwrap()),
        ("PL_AUTH_PROFILE", "elsewhere"),
        ("PL_AUTH_CLIENT_ID", "two"),
        ("PL_AUTH_CLIENT_SECRET", "secret"),
    ]));
    let session = Session::from_defaults(&options).unwrap();
    // Planet's host accepts the second client's token only. The session's own token is the first
    // client's.
    let other = session.headers(SENTINEL_HUB).unwrap().header_value().unwrap().to_owned();
    let first = session.access_token().unwrap().to_string();
    assert_ne!(other, format!("Bearer {first}"));
    assert!(session.invalidate(&first).unwrap());
    let second = session.access_token().unwrap().to_string();
    assert_ne!(first, second);
    assert!(
        !repeats(&session, &second, 401, None),
        "just refreshed: repeating would send it again"
    );
    assert!(repeats(&session, &first, 401, None), "there is a newer one");
    assert_eq!(
        session.headers(SENTINEL_HUB).unwrap().header_value().unwrap(),
        other,
        "the token of the other client was not refused"
    );
}

#[test]
fn a097_challenges_of_every_form_are_read() {
    let parsed = challenge::parse(
        r#"Negotiate a87421bc==, NewScheme realm="a, b = \"c\"", x=y , BEARER realm="planet",error = "invalid_token", error_description="expired, sorry", Basic realm="r""#,
    );
    let schemes: Vec<&str> = parsed.iter().map(|challenge| challenge.scheme.as_str()).collect();
    assert_eq!(schemes, ["negotiate", "newscheme", "bearer", "basic"]);
    assert_eq!(parsed[0].parameter(""), Some("a87421bc=="));
    assert_eq!(parsed[1].parameter("realm"), Some("a, b = \"c\""));
    assert_eq!(parsed[1].parameter("x"), Some("y"));
    assert_eq!(parsed[2].parameter("error"), Some("invalid_token"));
    assert_eq!(parsed[2].parameter("error_description"), Some("expired, sorry"));
    assert_eq!(parsed[3].parameter("realm"), Some("r"));
    // An unreadable challenge does not affect the others.
    for odd in [
        "",
        ",,,",
        "Bearer",
        "Bearer error=",
        "\"",
        "Bearer realm=\"open",
        "=x",
        "Bearer error=\"\\",
        "ü, Bearer",
    ] {
        for cut in 0..=odd.len() {
            if odd.is_char_boundary(cut) {
                challenge::parse(&odd[..cut]);
            }
        }
    }
    assert_eq!(challenge::parse("Bearer, Basic realm=\"x\"").len(), 2);
    let bench = bench();
    let first = bench.token();
    let invalid_request = "Basic realm=\"a, Bearer\", Bearer error=\"invalid_request\"";
    assert!(!repeats(&bench.session, &first, 401, Some(invalid_request)));
    let invalid_token = "Basic realm=\"x\", Bearer error=\"invalid_token\"";
    assert!(repeats(&bench.session, &first, 401, Some(invalid_token)));
}

#[test]
fn a098_only_the_query_form_puts_a_credential_into_a_url() {
    let bench = bench();
    let url = "https://services.sentinel-hub.com/wms?x={z}/{x}/{y}";
    assert_eq!(bench.session.authorize(url).unwrap().url(), url);
    assert_eq!(bench.session.headers(url).unwrap().url(), url);
    assert_eq!(bench.session.signed_url(url).unwrap_err().status(), Status::Unsupported);
    for transport in [ApiKeyTransport::Basic, ApiKeyTransport::Header] {
        let session = key_session("KEY", transport).unwrap();
        assert_eq!(session.authorize(PLANET).unwrap().url(), PLANET);
    }
    let session = key_session("KEY", ApiKeyTransport::Query).unwrap();
    assert_eq!(session.authorize(PLANET).unwrap().url(), format!("{PLANET}?api_key=KEY"));
    assert_eq!(session.authorize(PLANET).unwrap().headers().count(), 0);
    // Errors, status and Debug show a URL without its key.
    let error = session.authorize("https://evil.example/?api_key=SECRET-a098").unwrap_err();
    assert!(
        !format!("{error} {error:?} {session:?} {}", session.status().to_json())
            .contains("SECRET-a098")
    );
    let debug = format!("{:?}", session.authorize(PLANET).unwrap());
    assert!(!debug.contains("KEY"), "{debug}");
}

/// An access token of any form is passed on. Only the times in its claims are read.
#[test]
fn a099_access_tokens_are_opaque() {
    for (number, token_text) in [
        "opaque".to_owned(),
        "a.b.c".to_owned(),
        "..".to_owned(),
        "e30.e30.e30".to_owned(),
        "!".replace('!', "~"),
        jwt(&json!({"iss": "https://elsewhere.example", "aud": ["unknown"], "nbf": NOW + 999, "scope": 5, "exp": "never"})),
        jwt(&json!({"exp": NOW + 60})),
        jwt(&json!({"exp": 1e30, "iat": -5})),
        jwt(&json!([1, 2, 3])),
    ]
    .into_iter()
    .enumerate()
    {
        let bench = bench();
        bench.fake.answers(token(&json!({"access_token": token_text, "expires_in": 60})));
        assert_eq!(bench.token(), token_text, "number {number}");
        assert_eq!(bench.session.access_token().unwrap().expires_at(), Some(i64::try_from(NOW + 60).unwrap()));
    }
}

/// This library does not validate access tokens and does not claim to: it passes on a token that
/// every validator would reject, and none of its statuses is named after validation.
#[test]
fn a100_access_tokens_are_not_validated() {
    let bench = bench();
    let unsigned = jwt(
        &json!({"iss": "https://wrong.example", "aud": "wrong", "typ": "JWT", "exp": NOW + 3600}),
    );
    bench.fake.answers(token(&json!({"access_token": unsigned, "expires_in": 3600})));
    let authorization = bench.session.headers(SENTINEL_HUB).unwrap();
    assert_eq!(authorization.header_value(), Some(format!("Bearer {unsigned}").as_str()));
    assert!(bench.session.status().to_json().get("validated").is_none());
}

#[test]
fn a101_an_api_key_is_the_user_name_of_basic_with_an_empty_password() {
    let value = |key: &str, transport| {
        key_session(key, transport)
            .unwrap()
            .headers(PLANET)
            .unwrap()
            .header_value()
            .unwrap()
            .to_owned()
    };
    assert_eq!(value("KEY", ApiKeyTransport::Basic), format!("Basic {}", STANDARD.encode("KEY:")));
    assert_eq!(
        value("schlüssel", ApiKeyTransport::Basic),
        format!("Basic {}", STANDARD.encode("schlüssel:"))
    );
    assert_eq!(value("KEY", ApiKeyTransport::Header), "api-key KEY");
    for transport in TRANSPORTS {
        for bad in [
            "",
            "a:b",
            ":",
            "a\n",
            "\ra",
            "a b",
            "a\tb",
            "\u{0}",
            "a\u{85}",
            "a\u{a0}b",
            &"x".repeat(4097),
        ] {
            let error = key_session(bad, transport).unwrap_err();
            assert_eq!(error.status(), Status::InvalidArgument, "{bad:?}");
            assert!(
                bad.is_empty() || bad.len() < 2 || !error.message().contains(bad),
                "the key is not in the message"
            );
        }
    }
    key_session("schlüssel", ApiKeyTransport::Header).unwrap_err();
    // A server accepts each form.
    let simulator = simulator();
    let client = reqwest::blocking::Client::builder().no_proxy().build().unwrap();
    for (transport, wanted) in
        TRANSPORTS.into_iter().zip(["api_key_basic", "api_key_header", "api_key_query"])
    {
        let session = Session::from_api_key(
            &simulator.settings().api_key,
            transport,
            &simulator_options(&simulator),
        )
        .unwrap();
        let authorization =
            session.authorize(&format!("{}/data?x=1", simulator.planet_api())).unwrap();
        let mut request = client.get(authorization.url());
        for (name, value) in authorization.headers() {
            request = request.header(name, value);
        }
        let answer: serde_json::Value =
            serde_json::from_slice(&request.send().unwrap().bytes().unwrap()).unwrap();
        assert_eq!(answer["credential"], wanted);
    }
}

#[test]
fn a102_an_api_key_never_goes_to_sentinel_hub() {
    let hosts = ["services", "services-uswest2", "creodias", "code-de"]
        .map(|name| format!("{name}.sentinel-hub.com"));
    for transport in TRANSPORTS {
        for host in &hosts {
            // Not even if the caller lists the host.
            let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)))
                .with(|it| it.allowed_hosts = Some(hosts.to_vec()));
            let session = Session::from_api_key("KEY", transport, &options).unwrap();
            let url = format!("https://{host}/api");
            let errors = [
                session.authorize(&url).map(drop),
                session.authorize_cached(&url).map(drop),
                session.headers(&url).map(drop),
                session.headers_cached(&url).map(drop),
                session.with_header(&url, |_| ()),
                session.signed_url(&url).map(drop),
            ];
            for error in errors {
                let error = error.unwrap_err();
                assert_eq!(error.status(), Status::HostRefused, "{host}");
                assert!(
                    error.message().contains("PL_AUTH_CLIENT_ID"),
                    "the message says what would go: {error}"
                );
            }
            session.authorize(PLANET).unwrap();
        }
    }
}
