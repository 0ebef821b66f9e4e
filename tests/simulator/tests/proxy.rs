//! Real host names behind the proxy, and the direct TLS listener.

use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::common::*;
use planetkey_simulator::{Simulator, USER_CLIENT_ID};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::json;

type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A handshake that trusts only the simulator's CA.
fn handshake(simulator: &Simulator, host: &str, socket: TcpStream) -> io::Result<Stream> {
    let certificate = CertificateDer::from_pem_slice(simulator.ca_pem().as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, socket);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    assert_eq!(stream.conn.alpn_protocol(), Some(b"http/1.1".as_slice()));
    Ok(stream)
}

fn connect_request(target: &str, headers: &str) -> String {
    format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{headers}\r\n")
}

/// Requests a tunnel. Returns the socket and the proxy's response.
fn open(simulator: &Simulator, target: &str, headers: &str) -> (TcpStream, Response) {
    let mut socket = connect(simulator.proxy());
    let request = connect_request(target, headers);
    socket.write_all(request.as_bytes()).unwrap();
    let response = read_answer(&mut socket).unwrap();
    (socket, response)
}

fn tunnel(simulator: &Simulator, host: &str) -> io::Result<Stream> {
    let (socket, response) = open(simulator, &format!("{host}:443"), "");
    assert_eq!(response.status, 200);
    handshake(simulator, host, socket)
}

fn fetch(simulator: &Simulator, url: &str, headers: &[(&str, &str)]) -> Response {
    let mut stream = tunnel(simulator, authority(url)).unwrap();
    let text = request_text("GET", url, headers, "");
    stream.write_all(text.as_bytes()).unwrap();
    read_answer(&mut stream).unwrap()
}

#[test]
fn discovery_token_and_api_over_real_names() {
    let simulator = start();
    let issuer = "https://services.sentinel-hub.com/auth/realms/main";
    let url = format!("{issuer}/.well-known/openid-configuration");
    let metadata = fetch(&simulator, &url, &[]).json();
    assert_eq!(metadata["issuer"], issuer);
    let endpoint = format!("{issuer}/protocol/openid-connect/token");
    assert_eq!(metadata["token_endpoint"], endpoint);
    let settings = simulator.settings();
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret),
        AUDIENCE,
    ]);
    let mut stream = tunnel(&simulator, "services.sentinel-hub.com").unwrap();
    let text = request_text("POST", &endpoint, &[FORM], &body);
    stream.write_all(text.as_bytes()).unwrap();
    let issued = access_token(&read_answer(&mut stream).unwrap());
    assert_eq!(claims(&issued)["iss"], issuer);
    let bearer = format!("Bearer {issued}");
    for (host, service) in [
        ("services.sentinel-hub.com", "sentinel_hub_api"),
        ("api.planet.com", "planet_api"),
        ("tiles.planet.com", "planet_api"),
    ] {
        let url = format!("https://{host}/x");
        let response = fetch(&simulator, &url, &[("Authorization", &bearer)]);
        assert_eq!(response.json()["service"], service);
    }
    let log = simulator.requests("proxy").unwrap();
    assert_eq!(log.len(), 5);
    assert_eq!(log[0]["method"], "CONNECT");
    assert_eq!(log[0]["path"], "services.sentinel-hub.com:443");
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
}

#[test]
fn a_generic_authorization_server_is_found_by_its_metadata() {
    let simulator = start();
    let issuer = "https://as.example/realm";
    let url = "https://as.example/.well-known/oauth-authorization-server/realm";
    let metadata = fetch(&simulator, url, &[]).json();
    assert_eq!(metadata["issuer"], issuer);
    let endpoint = metadata["token_endpoint"].as_str().unwrap();
    let settings = simulator.settings();
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret),
        AUDIENCE,
    ]);
    let mut stream = tunnel(&simulator, "as.example").unwrap();
    let text = request_text("POST", endpoint, &[FORM], &body);
    stream.write_all(text.as_bytes()).unwrap();
    let issued = access_token(&read_answer(&mut stream).unwrap());
    assert_eq!(claims(&issued)["iss"], issuer);
    let count = |name: &str| simulator.count(name).unwrap();
    assert_eq!((count("as.metadata"), count("as.token")), (1, 1));
    assert_eq!((count("as.token.issued"), count("m2m.token.issued")), (1, 0));
    // Planet does not know this issuer.
    let bearer = format!("Bearer {issued}");
    let response = fetch(&simulator, "https://api.planet.com/", &[("Authorization", &bearer)]);
    assert_eq!(response.status, 401);
}

#[test]
fn a_user_session_over_real_names() {
    let simulator = start();
    let issuer = "https://login.planet.com/";
    let seeded = simulator.seed_session(&json!({ "issuer": issuer })).unwrap();
    for url in [
        "https://login.planet.com/.well-known/openid-configuration",
        "https://login.planet.com/.well-known/oauth-authorization-server",
    ] {
        let metadata = fetch(&simulator, url, &[]).json();
        assert_eq!(metadata["issuer"], issuer);
        assert_eq!(metadata["token_endpoint"], "https://login.planet.com/oauth/token");
    }
    let first = member(&seeded, "refresh_token");
    // The same server under another host name is another issuer.
    assert_eq!(error(&refresh(&simulator, &first)), failure(400, "invalid_grant"));
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &first),
        ("client_id", USER_CLIENT_ID),
    ]);
    let mut stream = tunnel(&simulator, "login.planet.com").unwrap();
    let text = request_text("POST", "https://login.planet.com/oauth/token", &[FORM], &body);
    stream.write_all(text.as_bytes()).unwrap();
    let response = read_answer(&mut stream).unwrap();
    assert_eq!(response.status, 200, "{response:?}");
    let issued = access_token(&response);
    assert_eq!(claims(&issued)["iss"], issuer);
    let bearer = format!("Bearer {issued}");
    for host in ["services.sentinel-hub.com", "api.planet.com"] {
        let response =
            fetch(&simulator, &format!("https://{host}/x"), &[("Authorization", &bearer)]);
        assert_eq!(response.json()["authenticated_as"], "simulator-user");
    }
    let session = simulator.session_of(&first).unwrap();
    assert_eq!((&session["active"], &session["rotations"]), (&json!(true), &json!(1)));
}

#[test]
fn a_login_over_real_names() {
    let simulator = start();
    let issuer = "https://login.planet.com/";
    let metadata =
        fetch(&simulator, &format!("{issuer}.well-known/openid-configuration"), &[]).json();
    let plain = authorization_url(&simulator, &[]);
    let url = format!(
        "{}?{}",
        member(&metadata, "authorization_endpoint"),
        plain.split_once('?').unwrap().1
    );
    assert_eq!(fetch(&simulator, &url, &[]).status, 200);
    let location = log_in(&simulator, &url);
    assert_eq!(parameter(&location, "iss").unwrap(), issuer);
    // The listener is another issuer, so its attempt is refused.
    let code = parameter(&location, "code").unwrap();
    assert_eq!(error(&exchange_code(&simulator, &code, &[])), failure(400, "invalid_grant"));
    let mut stream = tunnel(&simulator, "login.planet.com").unwrap();
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT_URI),
        ("code_verifier", VERIFIER),
        ("client_id", USER_CLIENT_ID),
    ];
    let text = request_text("POST", &member(&metadata, "token_endpoint"), &[FORM], &form(&fields));
    stream.write_all(text.as_bytes()).unwrap();
    let tokens = read_answer(&mut stream).unwrap().json();
    assert_eq!(claims(&member(&tokens, "id_token"))["iss"], issuer);
    let bearer = format!("Bearer {}", member(&tokens, "access_token"));
    let user =
        fetch(&simulator, &member(&metadata, "userinfo_endpoint"), &[("Authorization", &bearer)]);
    assert_eq!(user.json()["sub"], "simulator-user");
    let mut stream = tunnel(&simulator, "login.planet.com").unwrap();
    let endpoint = member(&metadata, "device_authorization_endpoint");
    let text = request_text("POST", &endpoint, &[FORM], &form(&[("client_id", USER_CLIENT_ID)]));
    stream.write_all(text.as_bytes()).unwrap();
    let device = read_answer(&mut stream).unwrap().json();
    assert_eq!(device["verification_uri"], "https://login.planet.com/activate");
    assert_eq!(
        simulator.log_in(&json!({"user_code": device["user_code"]})).unwrap(),
        json!({"approved": true})
    );
}

#[test]
fn the_proxy_serves_only_its_hosts() {
    let simulator = start();
    for target in ["evil.example:443", "api.planet.com:80", "api.planet.com"] {
        assert_eq!(open(&simulator, target, "").1.status, 403, "{target}");
    }
    let mut socket = connect(simulator.proxy());
    socket
        .write_all(b"GET http://api.planet.com/ HTTP/1.1\r\nHost: api.planet.com\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut socket).unwrap().status, 501);
    let hosts = json!({"proxy_hosts": {"login.planet.com": "nothing"}});
    simulator.change_settings(&hosts).unwrap();
    let response = fetch(&simulator, "https://login.planet.com/authorize", &[]);
    assert_eq!(response.status, 404);
    assert_eq!(simulator.count("unserved").unwrap(), 1);
    let hosts = json!({"proxy_hosts": {"evil.example": "planet_api"}});
    simulator.change_settings(&hosts).unwrap();
    assert_eq!(fetch(&simulator, "https://evil.example/", &[]).status, 401);
    assert_eq!(open(&simulator, "api.planet.com:443", "").1.status, 403);
    let hosts = json!({"proxy_hosts": ["tiles3.planet.com"]});
    simulator.change_settings(&hosts).unwrap();
    assert_eq!(fetch(&simulator, "https://tiles3.planet.com/", &[]).status, 401);
    assert!(simulator.change_settings(&json!({"proxy_hosts": {"x": "y"}})).is_err());
}

#[test]
fn the_proxy_can_require_credentials() {
    let simulator = start();
    let script = json!([{"fault": "proxy_407"}]);
    simulator.script("proxy", &script).unwrap();
    let (mut socket, response) = open(&simulator, "api.planet.com:443", "");
    assert_eq!(response.status, 407);
    assert!(response.header("proxy-authenticate").unwrap().starts_with("Basic "));
    // The connection stays open for another attempt.
    let request = connect_request("api.planet.com:443", "");
    socket.write_all(request.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut socket).unwrap().status, 200);
    let changes = json!({"proxy_credentials": "user:password"});
    simulator.change_settings(&changes).unwrap();
    assert_eq!(open(&simulator, "api.planet.com:443", "").1.status, 407);
    let right = "Proxy-Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n";
    assert_eq!(open(&simulator, "api.planet.com:443", right).1.status, 200);
    let script = json!([{"status": 503}]);
    simulator.script("proxy", &script).unwrap();
    assert_eq!(open(&simulator, "api.planet.com:443", right).1.status, 503);
}

#[test]
fn scripts_select_bad_certificates() {
    let simulator = start();
    let script = json!([{"fault": "wrong_host_certificate"}, {"fault": "expired_certificate"}]);
    simulator.script("proxy", &script).unwrap();
    let reason = |result: io::Result<Stream>| result.err().unwrap().to_string();
    let wrong = reason(tunnel(&simulator, "api.planet.com"));
    assert!(wrong.contains("not valid for name"), "{wrong}");
    let expired = reason(tunnel(&simulator, "api.planet.com"));
    assert!(expired.contains("expired"), "{expired}");
    tunnel(&simulator, "api.planet.com").unwrap();
    simulator.script("tls", &script).unwrap();
    let direct = || {
        let socket = connect(&simulator.tls_issuer());
        handshake(&simulator, "localhost", socket)
    };
    assert!(reason(direct()).contains("not valid for name"));
    assert!(reason(direct()).contains("expired"));
    direct().unwrap();
    assert_eq!(simulator.count("planet_api").unwrap(), 0);
}

#[test]
fn faults_before_the_handshake() {
    let simulator = start();
    let script = json!([{"fault": "reset_before_read"}]);
    simulator.script("tls", &script).unwrap();
    simulator.script("proxy", &script).unwrap();
    let socket = connect(&simulator.tls_issuer());
    assert!(handshake(&simulator, "localhost", socket).is_err());
    let mut socket = connect(simulator.proxy());
    assert!(read_answer(&mut socket).is_err());
    assert_eq!(simulator.count("tls").unwrap(), 1);
    assert_eq!(simulator.count("proxy").unwrap(), 1);
}

#[test]
fn faults_behind_tls() {
    let simulator = start();
    let script = json!([{"fault": "reset_before_read"}, {"fault": "reset_after_read"}, {"fault": "truncate"}]);
    simulator.script("m2m.metadata", &script).unwrap();
    let url = "https://services.sentinel-hub.com/auth/realms/main/.well-known/openid-configuration";
    let ask = || {
        let mut stream = tunnel(&simulator, "services.sentinel-hub.com").unwrap();
        let text = request_text("GET", url, &[], "");
        stream.write_all(text.as_bytes()).unwrap();
        read_answer(&mut stream)
    };
    for _ in 0..2 {
        assert_eq!(ask().unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    assert_eq!(ask().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(ask().unwrap().status, 200);
}

#[test]
fn the_realm_over_tls() {
    let simulator = start();
    let url = format!("{}/.well-known/openid-configuration", simulator.tls_issuer());
    for host in ["localhost", "127.0.0.1"] {
        let socket = connect(&url);
        let mut stream = handshake(&simulator, host, socket).unwrap();
        let text = request_text("GET", &url, &[], "");
        stream.write_all(text.as_bytes()).unwrap();
        let response = read_answer(&mut stream).unwrap();
        assert_eq!(response.json()["issuer"], simulator.tls_issuer());
    }
    assert_eq!(simulator.count("tls").unwrap(), 2);
    assert_eq!(simulator.count("m2m.metadata").unwrap(), 2);
}
