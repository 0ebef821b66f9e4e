//! The HTTP CONNECT proxy, which serves the real host names, and TLS for it and the direct
//! listener.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::connection::Connection;
use crate::faults;
use crate::http::{Request, Response, read_request};
use crate::script::{Changes, Fault, Target};
use crate::service::{Place, Service, refuse, respond, serve_place};
use crate::state::{Shared, Ticket};
use crate::tls::Certificate;

/// Serves a proxy connection and then its tunnel.
pub(crate) fn serve(shared: &Shared, mut connection: Connection) {
    loop {
        if let Some(ticket) = shared.begin_unread(&[Target::Proxy], connection.id) {
            return faults::unread(shared, &ticket, connection);
        }
        let request = match read_request(&mut connection) {
            Ok(request) => request,
            Err(error) => return refuse(shared, connection, error),
        };
        let ticket = shared.begin(Target::Proxy, connection.id, &request);
        if !shared.wait_through(&ticket) {
            return connection.close();
        }
        match tunnel(shared, &ticket, &request) {
            Ok((host, service)) => {
                shared.log_status(&ticket, 200);
                return enter(shared, &ticket, connection, &host, service);
            }
            Err(response) => {
                let make = |_: Option<&Changes>| response;
                match respond(shared, &ticket, &request, connection, make) {
                    Some(kept) => connection = kept,
                    None => return,
                }
            }
        }
    }
}

/// The host of the tunnel, or the response that refuses it.
fn tunnel(
    shared: &Shared,
    ticket: &Ticket,
    request: &Request,
) -> Result<(String, Service), Response> {
    let unauthorized = || {
        Response::new(407).with("Proxy-Authenticate", "Basic realm=\"planetkey simulator proxy\"")
    };
    if let Some(step) = &ticket.step {
        match step.fault {
            Some(Fault::WrongHostCertificate | Fault::ExpiredCertificate) => {}
            Some(Fault::Proxy407) => return Err(unauthorized()),
            Some(_) => return Err(Response::new(502)),
            None if step.is_explicit() || step.raw.is_some() => return Err(Response::new(502)),
            None => {}
        }
    }
    if request.method != "CONNECT" {
        let body = json!({"error": "this proxy only makes tunnels"});
        return Err(Response::json(501, &body));
    }
    let state = shared.lock();
    if let Some(credentials) = &state.behaviour.proxy_credentials {
        let expected = format!("Basic {}", STANDARD.encode(credentials));
        if request.header("proxy-authorization") != Some(expected.as_str()) {
            return Err(unauthorized());
        }
    }
    let (host, port) = request.path.rsplit_once(':').unwrap_or_default();
    let host = host.to_ascii_lowercase();
    match state.behaviour.proxy_hosts.get(&host) {
        Some(service) if port == "443" => Ok((host, *service)),
        _ => {
            let body = json!({"error": "this proxy does not stand in for that host"});
            Err(Response::json(403, &body))
        }
    }
}

fn enter(
    shared: &Shared,
    ticket: &Ticket,
    mut connection: Connection,
    host: &str,
    service: Service,
) {
    if connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
        return;
    }
    let certificate = chosen(ticket);
    let Ok(config) = shared.authority.server(&[host], certificate) else {
        return connection.reset();
    };
    // A client that refuses the certificate closes the connection here.
    if let Ok(connection) = connection.into_tls(config) {
        let place = Place { origin: format!("https://{host}"), service };
        serve_place(shared, &place, connection);
    }
}

fn chosen(ticket: &Ticket) -> Certificate {
    match ticket.step.as_ref().and_then(|step| step.fault) {
        Some(Fault::WrongHostCertificate) => Certificate::WrongHost,
        Some(Fault::ExpiredCertificate) => Certificate::Expired,
        _ => Certificate::Right,
    }
}

/// The handshake of the direct TLS listener, with the script of `tls`.
pub(crate) fn accept_tls(shared: &Arc<Shared>, connection: Connection) -> Option<Connection> {
    let ticket = shared.begin(Target::Tls, connection.id, &Request::default());
    if !shared.wait_through(&ticket) {
        return None;
    }
    let fault = ticket.step.as_ref().and_then(|step| step.fault);
    if let Some(fault) = fault.filter(|fault| faults::is_unanswered(*fault)) {
        faults::unanswered(shared, &ticket, fault, connection);
        return None;
    }
    let config = shared.authority.server(&["localhost", "127.0.0.1"], chosen(&ticket)).ok()?;
    connection.into_tls(config).ok()
}
