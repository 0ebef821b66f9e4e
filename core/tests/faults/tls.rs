//! TLS failures that are not about a certificate, and a process without free file descriptors.

use crate::common::*;
use planetkey::{Options, Reason, Session, Status};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
#[cfg(unix)]
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

/// Serves this many connections with `serve`, each once.
fn server(
    connections: usize,
    serve: impl Fn(TcpStream) + Send + 'static,
) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("https://{}/token", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        for _ in 0..connections {
            serve(listener.accept().unwrap().0);
        }
    });
    (endpoint, thread)
}

fn session(token_endpoint: &str, ca_file: Option<String>) -> Session {
    let options = Options::default().with(|it| {
        it.ca_file = ca_file.map(Into::into);
        it.allow_insecure_loopback = Some(true);
        it.runtime = real_network().0;
    });
    let config = json!({
        "client_type": "oidc_client_credentials_secret", "auth_server": "https://as.example", "token_endpoint": token_endpoint,
        "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
    });
    Session::from_client_config(&config.to_string(), &options).unwrap()
}

/// A self-signed certificate for 127.0.0.1, saved in this directory.
struct Identity {
    certificate: rcgen::Certificate,
    key: rcgen::KeyPair,
    directory: tempfile::TempDir,
}

impl Identity {
    fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).unwrap();
        Identity { certificate, key, directory }
    }

    fn ca_file(&self) -> Option<String> {
        Some(self.directory.path().join("ca.pem").to_string_lossy().into_owned())
    }

    /// Returns the configuration of a server, which may demand a client certificate.
    fn config(&self, demands_certificate: bool) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if demands_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
                Arc::new(roots),
                provider,
            );
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        Arc::new(builder.with_single_cert(vec![self.certificate.der().clone()], key).unwrap())
    }
}

#[test]
fn i10_20_a_refused_handshake_is_not_reported_as_a_certificate_error() {
    for (alert, expected) in
        [(40, "HandshakeFailure"), (70, "ProtocolVersion"), (116, "CertificateRequired")]
    {
        let (endpoint, thread) = server(1, move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, alert]);
        });
        let error = session(&endpoint, None).access_token().unwrap_err();
        assert_eq!(
            (error.status(), error.reason(), error.is_ambiguous()),
            (Status::Misconfigured, Some(Reason::Tls), false),
            "{error}"
        );
        assert!(
            error.message().contains(expected)
                && error.message().contains("refused the TLS connection"),
            "{error}"
        );
        assert!(!error.message().contains("clock"), "{error}");
        thread.join().unwrap();
    }
}

#[test]
fn i10_20_a_demanded_client_certificate_is_named() {
    let identity = Identity::new();
    let config = identity.config(true);
    let (endpoint, thread) = server(1, move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        let _ = Stream::new(&mut connection, &mut stream).read(&mut [0; 4096]);
        // The client reads the alert before the connection ends.
        let _ = stream.read(&mut [0; 4096]);
    });
    let error = session(&endpoint, identity.ca_file()).access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::Misconfigured, Some(Reason::Tls)),
        "{error}"
    );
    assert!(
        error.message().contains("client certificate") && !error.message().contains("clock"),
        "{error}"
    );
    thread.join().unwrap();
}

#[test]
fn i10_20_a_server_without_tls_is_unavailable() {
    // The request was not sent, so it is safe to repeat. There are three attempts.
    let (endpoint, thread) = server(3, |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let error = session(&endpoint, None).access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.retryable(), error.is_ambiguous()),
        (Status::Unavailable, true, false),
        "{error}"
    );
    thread.join().unwrap();
}

#[test]
fn i10_20_a_broken_record_after_the_request_was_read_is_ambiguous() {
    let identity = Identity::new();
    let config = identity.config(false);
    // A client credentials grant is repeated, because that does no harm.
    let (endpoint, thread) = server(3, move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).unwrap();
        let read = Stream::new(&mut connection, &mut stream).read(&mut [0; 4096]).unwrap();
        assert!(read > 0);
        // An application data record that no key can decrypt.
        let _ = stream.write_all(&[&[23_u8, 3, 3, 0, 32][..], &[7; 32]].concat());
        let _ = stream.read(&mut [0; 4096]);
    });
    let error = session(&endpoint, identity.ca_file()).access_token().unwrap_err();
    assert_eq!(
        (error.status(), error.retryable(), error.is_ambiguous()),
        (Status::Unavailable, true, true),
        "{error}"
    );
    assert!(!error.message().contains("identity"), "{error}");
    thread.join().unwrap();
}

#[cfg(unix)]
const CHILD: &str = "PLANETKEY_TEST_CHILD";

#[test]
#[cfg(unix)]
fn i10_21_without_free_file_descriptors_the_error_is_retryable() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "faults::tls::i10_21_child_with_few_files"]).env(CHILD, "1");
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}

/// Does nothing unless the test above started this process, because it uses up the file
/// descriptors.
#[test]
#[cfg(unix)]
fn i10_21_child_with_few_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let simulator = simulator();
    let identity = Identity::new();
    let sessions = [
        simulator_session(&simulator, &simulator_options(&simulator)),
        session("https://127.0.0.1:1/token", None),
        session("https://127.0.0.1:1/token", identity.ca_file()),
    ];
    // A deployment document and a saved session are files, too.
    let planet = Planet::new();
    planet.seed(&serde_json::json!({}));
    let document = planet.home().join("deployment.json");
    std::fs::write(&document, simulator.deployment()).unwrap();
    let in_file =
        planet.options().with(|it| it.deployment = Some(document.to_string_lossy().into_owned()));
    let saved = planet.session();
    let before = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), ..before }).unwrap();
    let mut errors: Vec<_> =
        sessions.iter().map(|session| session.access_token().unwrap_err()).collect();
    errors.push(saved.access_token().unwrap_err());
    errors.push(Session::from_profile("planet-user", &in_file).unwrap_err());
    errors.push(Session::from_m2m("id", "secret", &in_file).unwrap_err());
    setrlimit(Resource::Nofile, before).unwrap();
    for error in errors {
        assert_eq!((error.status(), error.retryable()), (Status::Unavailable, true), "{error}");
    }
    simulator_session(&simulator, &simulator_options(&simulator)).access_token().unwrap();
}
