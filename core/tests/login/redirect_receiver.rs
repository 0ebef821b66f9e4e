//! The loopback receiver (RFC 8252 7.3, 8.3).

use super::scene::*;
use planetkey::Status;
use planetkey::login::LoginOptions;
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a018_the_system_browser_is_used() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    // A login only produces an address for the user's own browser, and sends no authorization
    // request itself.
    assert!(login.authorization_url().starts_with(&scene.simulator.user_authorization_endpoint()));
    let requests = scene.simulator.all_requests();
    assert!(requests.iter().all(|request| request["target"] == "user.metadata"), "{requests:?}");
}

#[test]
fn a027_a_state_is_sent_also_if_the_server_does_not_announce_pkce() {
    let scene = Scene::new();
    let step = json!({"steps": [{"metadata_response": {"remove": ["code_challenge_methods_supported"]}}], "repeat": true});
    scene.simulator.script("user.metadata", &step).unwrap();
    let login = start(&scene.desktop());
    let location = scene.browse(&login, json!({}));
    let (port, forged) = get(&location.replace("state=", "state=x"));
    assert_eq!(status(&exchange(&login, port, &forged)), 400);
    assert!(is_pending(&login));
    let (port, request) = get(&location);
    assert_eq!(status(&exchange(&login, port, &request)), 200);
    assert!(matches!(login.poll(), Ok(Some(_))));
}

#[test]
fn a029_offline_access_is_requested_only_if_configured() {
    let scene = Scene::new();
    let asked = |session: &planetkey::Session| {
        let url = url::Url::parse(start(session).authorization_url()).unwrap();
        url.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned()
    };
    assert_eq!(asked(&scene.desktop_with(&json!({"scopes": ["planet"]}))), "planet");
    assert_eq!(
        asked(&scene.desktop_with(&json!({"scopes": ["planet", "offline_access"]}))),
        "planet offline_access"
    );
}

#[test]
fn a031_the_redirect_uri_is_a_loopback_literal() {
    let scene = Scene::new();
    assert!(start(&scene.desktop()).redirect_uri().starts_with("http://127.0.0.1:"));
    assert!(
        start(&scene.desktop_with(&json!({"redirect_uri": V6})))
            .redirect_uri()
            .starts_with("http://[::1]:")
    );
    let elsewhere = scene.desktop_with(&json!({"redirect_uri": "https://app.example/callback"}));
    let refusal = elsewhere.start_browser_login(&LoginOptions::default()).unwrap_err();
    assert_eq!(refusal.status(), Status::Unsupported, "{refusal}");
    assert!(refusal.message().contains("pasting"), "{refusal}");
}

#[test]
fn a032_the_port_is_ephemeral_unless_registered() {
    let scene = Scene::new();
    let (first, second) = (start(&scene.desktop()), start(&scene.desktop()));
    assert_ne!(port(&first), port(&second));
    let zero = start(&scene.desktop_with(&json!({"redirect_uri": "http://127.0.0.1:0/callback"})));
    assert_ne!(port(&zero), 0);
    let fixed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let registered = format!("http://127.0.0.1:{fixed}/callback");
    let login = start(&scene.desktop_with(&json!({"redirect_uri": registered})));
    assert_eq!(login.redirect_uri(), registered);
}

#[test]
fn a033_the_receiver_listens_on_loopback_only() {
    let scene = Scene::new();
    for redirect_uri in [V4, NAME] {
        let login = start(&scene.desktop_with(&json!({"redirect_uri": redirect_uri})));
        let port = port(&login);
        // Another loopback address is not served: 127.0.0.2 would be if the receiver listened on
        // all addresses.
        assert!(TcpStream::connect(("127.0.0.2", port)).is_err(), "{redirect_uri}");
    }
}

#[test]
fn a034_localhost_listens_on_both_address_families() {
    let scene = Scene::new();
    let login = start(&scene.desktop_with(&json!({"redirect_uri": NAME})));
    assert!(login.redirect_uri().starts_with("http://localhost:"));
    let port = port(&login);
    for host in ["127.0.0.1", "::1"] {
        if host == "::1" && TcpListener::bind((host, 0)).is_err() {
            continue;
        }
        let mut stream = TcpStream::connect((host, port)).unwrap();
        std::io::Write::write_all(
            &mut stream,
            format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").as_bytes(),
        )
        .unwrap();
        assert_eq!(status(&answer(&login, stream)), 404, "{host}");
    }
}

#[test]
fn f128_a_redirect_over_the_other_address_family_arrives() {
    let scene = Scene::new();
    let login = start(&scene.desktop_with(&json!({"redirect_uri": NAME})));
    let (port, request) = get(&scene.browse(&login, json!({})));
    let host = if TcpListener::bind(("::1", 0)).is_ok() { "::1" } else { "127.0.0.1" };
    let mut stream = TcpStream::connect((host, port)).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    assert_eq!(status(&answer(&login, stream)), 200);
}

#[test]
fn a035_the_sockets_close_after_the_response() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    assert_eq!(status(&exchange(&login, port, &request)), 200);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn a036_only_a_get_of_the_exact_path_is_the_redirect() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let location = scene.browse(&login, json!({}));
    let (port, request) = get(&location);
    for (changed, expected) in [
        (request.replacen("GET /callback", "GET /callback/", 1), 404),
        (request.replacen("GET /callback", "GET /Callback", 1), 404),
        (request.replacen("GET /callback", "GET /%63allback", 1), 404),
        (request.replacen("GET", "HEAD", 1), 405),
        (request.replacen("GET", "OPTIONS", 1), 405),
        (request.replacen("GET", "POST", 1), 405),
        ("GET /callback HTTP/1.1\r\nHost".to_owned() + "\r\n\r\n", 400),
        ("\u{16}\u{3}\u{1} hello\r\n\r\n".to_owned(), 400),
    ] {
        assert_eq!(status(&exchange(&login, port, &changed)), expected, "{changed}");
        assert!(is_pending(&login), "{changed}");
    }
    assert_eq!(scene.simulator.count("user.token").unwrap(), 0);
    assert_eq!(status(&exchange(&login, port, &request)), 200);
}

/// RFC 9112 3.2.2: a server accepts the absolute form, which a local proxy sends.
#[test]
fn i10_17_a_redirect_in_absolute_form_is_accepted() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    for (place, expected) in
        [("http://evil.example", 400), ("http://127.0.0.1", 400), ("http://localhost:1", 400)]
    {
        assert_eq!(
            status(&exchange(
                &login,
                port,
                &request.replacen("GET /", &format!("GET {place}/"), 1)
            )),
            expected,
            "{place}"
        );
        assert!(is_pending(&login), "{place}");
    }
    let absolute = request.replacen("GET /", &format!("GET HTTP://127.0.0.1:{port}/"), 1);
    assert_eq!(status(&exchange(&login, port, &absolute)), 200);
    assert!(matches!(login.poll(), Ok(Some(_))));
}

#[test]
fn f124_other_requests_to_the_port_change_nothing() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    // Connections that a browser opens in advance, without a request.
    let silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    assert!(is_pending(&login));
    for request in [
        format!("GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        format!(
            "OPTIONS /callback HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"
        ),
        format!("GET /callback HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nPurpose: prefetch\r\n\r\n"),
    ] {
        assert!((400..=405).contains(&status(&exchange(&login, port, &request))), "{request}");
        assert!(is_pending(&login));
    }
    // In two parts, as a slow browser sends it.
    let (first, second) = request.split_at(20);
    let mut slow = send(port, first);
    assert!(is_pending(&login));
    std::io::Write::write_all(&mut slow, second.as_bytes()).unwrap();
    assert_eq!(status(&answer(&login, slow)), 200);
    assert!(matches!(login.poll(), Ok(Some(_))));
    drop(silent);
}

#[test]
fn a037_a_wrong_state_is_refused_and_the_login_continues() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let port = port(&login);
    for query in
        ["", "?code=c", "?code=c&state=", "?code=c&state=guess", "?state=guess&state=guess&code=c"]
    {
        let request = format!("GET /callback{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        assert_eq!(status(&exchange(&login, port, &request)), 400, "{query}");
        assert!(is_pending(&login), "{query}");
    }
}

#[test]
fn a038_an_error_without_the_state_does_not_end_the_login() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let port = port(&login);
    for query in ["error=access_denied", "error=access_denied&state=guess"] {
        let request = format!("GET /callback?{query} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n");
        assert_eq!(status(&exchange(&login, port, &request)), 400);
        assert!(is_pending(&login));
    }
}

#[test]
fn f125_a_forged_response_from_a_web_page_is_ignored() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let location = scene.browse(&login, json!({}));
    let (port, request) = get(&location);
    for forged in [
        "code=attackers&state=1",
        "error=server_error&error_description=call%20me",
        "code=a&state=b&iss=https://evil.example",
    ] {
        let forged = format!(
            "GET /callback?{forged} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: https://evil.example\r\n\r\n"
        );
        let answer = exchange(&login, port, &forged);
        assert_eq!(status(&answer), 400);
        assert!(!answer.contains("call me") && !answer.contains("evil"), "{answer}");
    }
    assert_eq!(status(&exchange(&login, port, &request)), 200);
    assert_eq!(scene.simulator.count("user.token").unwrap(), 1);
}

#[test]
fn a039_a_duplicate_parameter_makes_the_response_invalid() {
    for parameter in ["code", "iss"] {
        let scene = Scene::new();
        let login = start(&scene.desktop());
        let location = scene.browse(&login, json!({}));
        let (port, request) = get(&format!("{location}&{parameter}=again"));
        assert_eq!(status(&exchange(&login, port, &request)), 200);
        assert_eq!(login.poll().unwrap_err().status(), Status::Protocol, "{parameter}");
        assert_eq!(scene.simulator.count("user.token").unwrap(), 0);
    }
}

#[test]
fn a040_another_host_name_is_refused() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let (port, request) = get(&scene.browse(&login, json!({})));
    let own = format!("Host: 127.0.0.1:{port}\r\n");
    for host in [
        format!("Host: evil.example:{port}\r\n"),
        format!("Host: localhost:{port}\r\n"),
        "Host: 127.0.0.1\r\n".to_owned(),
        format!("Host: 127.0.0.1:{}\r\n", port.wrapping_add(1)),
        String::new(),
        format!("{own}{own}"),
    ] {
        assert_eq!(status(&exchange(&login, port, &request.replace(&own, &host))), 400, "{host}");
        assert!(is_pending(&login), "{host}");
    }
    assert_eq!(status(&exchange(&login, port, &request)), 200);
}

#[test]
fn a041_the_page_repeats_nothing_and_loads_nothing() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let location = scene.browse(&login, json!({}));
    let (port, request) = get(&format!("{location}&note=%3Cscript%3Ealert(1)%3C/script%3E"));
    let answer = exchange(&login, port, &request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    for header in [
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "default-src 'none'",
    ] {
        assert!(head.contains(header), "{header} in {head}");
    }
    let code = location.split("code=").nth(1).unwrap().split('&').next().unwrap();
    assert!(!body.contains("script") && !body.contains(code) && !body.contains("http"), "{body}");
    assert!(body.contains("You are logged in"), "{body}");

    let own = LoginOptions::default()
        .with(|it| it.page = Some("<p>Welcome back to the atlas".to_owned()));
    let login = scene.desktop().start_browser_login(&own).unwrap();
    let (port, request) = get(&scene.browse(&login, json!({})));
    assert!(exchange(&login, port, &request).ends_with("<p>Welcome back to the atlas"));
}

#[test]
fn a042_a_response_counts_only_at_the_receiver_of_its_login() {
    let scene = Scene::new();
    let (mine, other) = (start(&scene.desktop()), start(&scene.desktop()));
    let location = scene.browse(&mine, json!({}));
    let (own_port, request) = get(&location);
    let other_port = port(&other);
    let misled =
        request.replace(&format!("127.0.0.1:{own_port}"), &format!("127.0.0.1:{other_port}"));
    assert_eq!(status(&exchange(&other, other_port, &misled)), 400);
    assert!(is_pending(&other));
    assert_eq!(status(&exchange(&mine, own_port, &request)), 200);
}

#[test]
fn a043_a_login_has_a_deadline_can_be_cancelled_and_closes_its_sockets() {
    let scene = Scene::new();
    let late = LoginOptions::default().with(|it| it.timeout = Some(Duration::from_millis(1)));
    let session = scene.desktop_with(&json!({}));
    let mut options = scene.options();
    let (runtime, clock) = crate::common::real_network();
    options.runtime = runtime;
    let config = json!({"client_type": "oidc_auth_code", "client_id": "desktop"}).to_string();
    let timed = planetkey::Session::from_client_config(&config, &options).unwrap();
    let login = timed.start_browser_login(&late).unwrap();
    clock.advance(std::time::Duration::from_millis(1));
    assert_eq!(login.wait(None).unwrap_err().status(), Status::Timeout);
    assert!(TcpStream::connect(("127.0.0.1", port(&login))).is_err());

    let login = start(&session);
    assert_eq!(
        login.wait(Some(Duration::from_millis(1))).unwrap_err().status(),
        Status::Timeout,
        "the timeout of the caller, and the login continues"
    );
    assert!(is_pending(&login));
    login.cancel();
    assert!(TcpStream::connect(("127.0.0.1", port(&login))).is_err());
    assert_eq!(login.wait(None).unwrap_err().status(), Status::Cancelled);

    let login = start(&session);
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = login.with_interrupt({
        let stop = stop.clone();
        Arc::new(move || stop.load(Ordering::SeqCst))
    });
    let waiting = std::thread::spawn(move || interrupted.wait(None));
    stop.store(true, Ordering::SeqCst);
    assert_eq!(waiting.join().unwrap().unwrap_err().status(), Status::Cancelled);
    assert!(TcpStream::connect(("127.0.0.1", port(&login))).is_err());

    let port = {
        let dropped = start(&session);
        port(&dropped)
    };
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
}

#[test]
fn f122_after_a_cancelled_login_the_port_is_free() {
    let scene = Scene::new();
    let login = start(&scene.desktop());
    let port = port(&login);
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    assert!(is_pending(&login));
    login.cancel();
    TcpListener::bind(("127.0.0.1", port)).unwrap();
}

#[test]
fn f127_a_registered_port_in_use_is_unavailable() {
    let scene = Scene::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let session =
        scene.desktop_with(&json!({"redirect_uri": format!("http://127.0.0.1:{port}/callback")}));
    let error = session.start_browser_login(&LoginOptions::default()).unwrap_err();
    assert_eq!(error.status(), Status::Unavailable);
    assert!(error.message().contains(&format!("port {port}")), "{error}");
}
