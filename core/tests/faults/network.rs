//! The connection to the server: faults 41, 43 to 47, 50, 51 and 53 to 55.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::http::TransportFailure;
use planetkey::{DEFAULT_TIMEOUT, Options, Session, Status};
use planetkey_simulator::Simulator;
use serde_json::json;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// Opens a session with any server, over real sockets.
fn at(token_endpoint: &str, timeout_ms: Option<u64>) -> Session {
    let options = Options::default().with(|it| {
        it.timeout = (timeout_ms).map(Duration::from_millis);
        it.allow_insecure_loopback = Some(true);
        it.runtime = real_network().0;
    });
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": "https://as.example", "token_endpoint": token_endpoint,
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    });
    Session::from_client_config(&config.to_string(), &options).unwrap()
}

/// Opens a session of the simulator's client, with this deadline.
fn quick(simulator: &Simulator, timeout_ms: Option<u64>) -> Session {
    simulator_session(
        simulator,
        &simulator_options(simulator)
            .with(|it| it.timeout = (timeout_ms).map(Duration::from_millis)),
    )
}

#[test]
fn f041_an_unreachable_server_is_retried_and_then_unavailable() {
    // No process listens on a port that was just released.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for endpoint in
        [format!("http://127.0.0.1:{port}/token"), "https://no-such-host.invalid/token".to_owned()]
    {
        let error = at(&endpoint, None).access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.retryable(), error.http_status()),
            (Status::Unavailable, true, None),
            "{error}"
        );
        assert!(error.message().contains("cannot reach"), "{error}");
    }
    // The request was certainly not sent, so the same call tries again.
    let bench = bench();
    bench
        .fake
        .fails(TransportFailure::NotSent("refused".into()))
        .fails(TransportFailure::NotSent("no route".into()));
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 3);
    assert!(bench.elapsed_ms() > 0);
}

#[test]
fn f043_a_reset_before_the_request_is_retried() {
    let simulator = simulator();
    simulator.script("m2m.token", &json!([{"fault": "reset_before_read"}])).unwrap();
    quick(&simulator, None).access_token().unwrap();
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
}

#[test]
fn f044_a_client_credentials_request_without_a_response_is_repeated() {
    let simulator = simulator();
    for (number, fault) in (1..).zip(["reset_after_read", "close_after_read", "cut"]) {
        simulator.script("m2m.token", &json!([{ "fault": fault }])).unwrap();
        quick(&simulator, None).access_token().unwrap();
        assert_eq!(simulator.count("m2m.token").unwrap(), 2 * number, "{fault}");
    }
    // The attempts end: the error tells the caller that the outcome is unknown.
    simulator
        .script("m2m.token", &json!({"steps": [{"fault": "reset_after_read"}], "repeat": true}))
        .unwrap();
    let error = quick(&simulator, None).access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Unavailable, true));
    assert!(error.message().contains("lost before a response"), "{error}");
    assert_eq!(simulator.count("m2m.token").unwrap(), 9);
}

/// Waits for a real deadline, because only a real socket can show that the deadline holds.
fn ends_by_its_deadline(fault: &str) {
    let simulator = simulator();
    simulator.script("m2m.token", &json!([{ "fault": fault }])).unwrap();
    let error = quick(&simulator, Some(300)).access_token().unwrap_err();
    assert_eq!((error.status(), error.retryable()), (Status::Timeout, true), "{fault}: {error}");
    assert_eq!(simulator.count("m2m.token").unwrap(), 1, "{fault}");
}

#[test]
fn f045_a_stalled_body_ends_at_the_deadline() {
    ends_by_its_deadline("stall_in_body");
}

#[test]
fn f046_a_dripping_body_ends_at_the_deadline() {
    // One byte arrives every 200 ms, for two minutes. No single read takes longer than the
    // deadline.
    ends_by_its_deadline("drip");
}

#[test]
fn f047_a_server_that_never_responds_ends_at_the_deadline() {
    ends_by_its_deadline("stall");
    ends_by_its_deadline("stall_before_read");
    assert_eq!(DEFAULT_TIMEOUT, std::time::Duration::from_secs(30));
    let bench = bench();
    bench.token();
    assert_eq!(bench.fake.seen()[0].timeout, Duration::from_secs(30));
}

/// While the server hangs, threads with a valid token continue.
#[test]
fn f047_threads_with_a_valid_token_are_not_blocked() {
    let simulator = simulator();
    let clock = Arc::new(ManualClock::new(NOW));
    let mut options = simulator_options(&simulator);
    options.runtime.clock = clock.clone();
    let session = simulator_session(&simulator, &options);
    let first = session.access_token().unwrap().to_string();
    simulator.script("m2m.token", &json!([{"hold": "hang"}])).unwrap();
    clock.advance(Duration::from_secs(3300));
    std::thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| assert_eq!(&*session.access_token().unwrap(), first));
        }
    });
    assert!(simulator.wait_held("hang", 1, PATIENCE), "a refresh started in the background");
    assert_eq!(&*session.access_token().unwrap(), first);
    simulator.release("hang");
    eventually(|| session.access_token_cached().unwrap().is_some_and(|token| *token != *first));
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
}

/// No connection is used for a second request, so none can be stale.
#[test]
fn f050_no_stale_connection_is_reused() {
    let simulator = simulator();
    let session = quick(&simulator, None);
    session.access_token().unwrap();
    session.refresh().unwrap();
    // As after a restart of the server, the connection ends when the next request arrives.
    simulator.script("m2m.token", &json!([{"fault": "reset_before_read"}])).unwrap();
    session.refresh().unwrap();
    let connections: Vec<u64> = simulator
        .requests("m2m.token")
        .unwrap()
        .iter()
        .map(|request| request["connection"].as_u64().unwrap())
        .collect();
    assert_eq!(connections.len(), 4);
    let mut unique = connections.clone();
    unique.dedup();
    assert_eq!(unique, connections, "each on a connection of its own");
}

/// Returns a listener with a full queue, which accepts no more connections, or `None` if the system
/// has no such limit.
fn black_hole() -> Option<(SocketAddr, TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..600 {
        match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
            Ok(stream) => waiting.push(stream),
            Err(error) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Some((address, listener, waiting));
            }
            Err(_) => return None,
        }
    }
    None
}

#[test]
fn f051_an_address_that_drops_packets_ends_at_the_deadline() {
    // TCP connects, but TLS gets no response. That still counts as connecting.
    let simulator = simulator();
    simulator.script("tls", &json!([{"fault": "stall_before_read"}])).unwrap();
    let endpoint = format!("{}/token", simulator.tls_issuer());
    let error = at(&endpoint, Some(300)).access_token().unwrap_err();
    assert_eq!(error.status(), Status::Timeout, "{error}");
    if let Some((address, _listener, _waiting)) = black_hole() {
        let error = at(&format!("http://{address}/token"), Some(300)).access_token().unwrap_err();
        assert_eq!(error.status(), Status::Timeout, "{error}");
    }
}

#[test]
fn f053_a_captive_portal_is_named_and_not_followed() {
    let simulator = simulator();
    let step = json!([{"status": 302, "headers": {"Location": "http://portal.hotel.example/login?next=x"}}]);
    simulator.script("m2m.token", &step).unwrap();
    let error = quick(&simulator, None).access_token().unwrap_err();
    assert_eq!((error.status(), error.http_status()), (Status::Protocol, Some(302)));
    assert!(
        error.message().contains("portal.hotel.example")
            && error.message().contains("log in to the network"),
        "{error}"
    );
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
}

#[test]
fn f054_after_hours_offline_the_next_call_works() {
    let bench = bench();
    bench.fake.always(|_| Err(TransportFailure::NotSent("no route to host".into())));
    for _ in 0..200 {
        assert_eq!(bench.session.access_token().unwrap_err().status(), Status::Unavailable);
        bench.advance(60);
    }
    bench.fake.always(|_| Ok(token(&json!({"access_token": "back", "expires_in": 60}))));
    assert_eq!(bench.token(), "back");
    // If the network comes back right after a failure, a second is enough.
    bench.advance(60);
    bench.fake.always(|_| Err(TransportFailure::NotSent("no route to host".into())));
    for _ in 0..50 {
        bench.session.access_token().unwrap_err();
    }
    bench.fake.always(|_| Ok(token(&json!({"access_token": "back-again", "expires_in": 60}))));
    bench.advance(1);
    assert_eq!(bench.token(), "back-again");
}

/// The device login has its own tests of polling. For an M2M client, one call survives the change
/// of networks.
#[test]
fn f055_a_call_survives_a_change_of_networks() {
    let bench = bench();
    bench
        .fake
        .fails(TransportFailure::Ambiguous("connection reset".into()))
        .fails(TransportFailure::NotSent("network is unreachable".into()));
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 3);
    assert!(bench.elapsed_ms() >= 300, "slower each time");
}
