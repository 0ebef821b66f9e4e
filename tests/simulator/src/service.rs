//! Serves a connection: finds the server of a request, applies the script, and responds.

use std::io;
use std::sync::Arc;

use serde_json::json;

use crate::authorization_server::{AuthorizationServer, Call, Endpoint, GENERIC, M2M, USER};
use crate::connection::Connection;
use crate::faults;
use crate::http::{Framing, ReadError, Request, Response, read_request};
use crate::script::{Changes, Step, Target, invalid};
use crate::state::{Shared, Ticket};
use crate::{control, proxy, resource_server};

/// The real host name of the authorization server for users.
pub(crate) const LOGIN_HOST: &str = "login.planet.com";

/// The connection number in the log. Connections count from one.
const NO_CONNECTION: u64 = 0;

/// What a host serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    M2m,
    User,
    GenericAs,
    PlanetApi,
    SentinelHubApi,
    /// The host is reachable but has no service.
    Nothing,
}

impl Service {
    const ALL: [(Self, &'static str); 6] = [
        (Self::M2m, "m2m"),
        (Self::User, "user"),
        (Self::GenericAs, "as"),
        (Self::PlanetApi, "planet_api"),
        (Self::SentinelHubApi, "sentinel_hub_api"),
        (Self::Nothing, "nothing"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(service, name)| (*service == self).then_some(*name))
            .unwrap_or_default()
    }

    pub(crate) fn parse(name: &str) -> io::Result<Self> {
        Self::ALL
            .iter()
            .find_map(|(service, known)| (*known == name).then_some(*service))
            .ok_or_else(|| invalid(&format!("unknown service {name:?}")))
    }

    /// The default service of a host behind the proxy.
    pub(crate) fn of_host(host: &str) -> Self {
        match host {
            "as.example" => Self::GenericAs,
            LOGIN_HOST => Self::User,
            _ if host.ends_with(".planet.com") => Self::PlanetApi,
            _ if host.ends_with(".sentinel-hub.com") => Self::SentinelHubApi,
            _ => Self::Nothing,
        }
    }

    fn authorization_server(self) -> Option<&'static AuthorizationServer> {
        match self {
            // The M2M realm is on the host of the API, as at Planet.
            Self::M2m | Self::SentinelHubApi => Some(&M2M),
            Self::User => Some(&USER),
            Self::GenericAs => Some(&GENERIC),
            Self::PlanetApi | Self::Nothing => None,
        }
    }

    /// The targets whose faults before reading apply to a new connection.
    fn first_targets(self) -> Vec<Target> {
        match self {
            Self::PlanetApi => vec![Target::PlanetApi],
            Self::SentinelHubApi => vec![Target::SentinelHubApi],
            _ => self.authorization_server().map(AuthorizationServer::targets).unwrap_or_default(),
        }
    }
}

/// A service at an origin.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Scheme, host and port, without a final slash.
    pub(crate) origin: String,
    pub(crate) service: Service,
}

enum Route {
    Endpoint(&'static AuthorizationServer, Endpoint),
    Api,
    Nothing,
}

impl Place {
    fn route(&self, path: &str) -> (Target, Route) {
        if let Some(server) = self.service.authorization_server() {
            if let Some(endpoint) = server.endpoint(path) {
                return (server.target(endpoint), Route::Endpoint(server, endpoint));
            }
            if self.service != Service::SentinelHubApi {
                return (server.target(Endpoint::Other), Route::Nothing);
            }
        }
        match self.service {
            Service::PlanetApi => (Target::PlanetApi, Route::Api),
            Service::SentinelHubApi => (Target::SentinelHubApi, Route::Api),
            _ => (Target::Unserved, Route::Nothing),
        }
    }

    fn respond(
        &self,
        shared: &Shared,
        route: &Route,
        request: &Request,
        changes: Option<&Changes>,
    ) -> Response {
        match route {
            Route::Endpoint(server, endpoint) => {
                Call { server, shared, origin: &self.origin, endpoint: *endpoint, request, changes }
                    .respond()
            }
            Route::Api => resource_server::respond(shared, self.service, request),
            Route::Nothing => Response::json(404, &json!({"error": "nothing is served here"})),
        }
    }
}

/// What a listener serves.
pub(crate) enum Entrance {
    Plain(Place),
    Tls(Place),
    Proxy,
    Control,
}

/// Serves a connection until it is closed.
pub(crate) fn serve(shared: &Arc<Shared>, entrance: &Entrance, connection: Connection) {
    match entrance {
        Entrance::Plain(place) => serve_place(shared, place, connection),
        Entrance::Tls(place) => {
            if let Some(connection) = proxy::accept_tls(shared, connection) {
                serve_place(shared, place, connection);
            }
        }
        Entrance::Proxy => proxy::serve(shared, connection),
        Entrance::Control => control::serve(shared, connection),
    }
}

pub(crate) fn serve_place(shared: &Shared, place: &Place, mut connection: Connection) {
    let targets = place.service.first_targets();
    let mut first = true;
    loop {
        // On a persistent connection such a fault applies when the next request arrives.
        if connection.is_plain() {
            if !first && !connection.wait_readable() {
                return connection.close();
            }
            if let Some(ticket) = shared.begin_unread(&targets, connection.id) {
                return faults::unread(shared, &ticket, connection);
            }
        }
        first = false;
        let request = match read_request(&mut connection) {
            Ok(request) => request,
            Err(error) => return refuse(shared, connection, error),
        };
        let (target, route) = place.route(&request.path);
        let ticket = shared.begin(target, connection.id, &request);
        if !shared.wait_through(&ticket) {
            return connection.close();
        }
        let make = |changes: Option<&Changes>| place.respond(shared, &route, &request, changes);
        match respond(shared, &ticket, &request, connection, make) {
            Some(kept) => connection = kept,
            None => return,
        }
    }
}

/// Responds by the ticket's step, or with `make`. Returns the connection if it stays open.
pub(crate) fn respond(
    shared: &Shared,
    ticket: &Ticket,
    request: &Request,
    mut connection: Connection,
    make: impl FnOnce(Option<&Changes>) -> Response,
) -> Option<Connection> {
    let usual = Step::default();
    let step = ticket.step.as_ref().unwrap_or(&usual);
    if let Some(fault) = step.fault
        && faults::is_unanswered(fault)
    {
        faults::unanswered(shared, ticket, fault, connection);
        return None;
    }
    if let Some(raw) = &step.raw {
        let _ = connection.send(raw);
        connection.close();
        return None;
    }
    let response = shape(shared, ticket, make);
    if let Some(fault) = step.fault
        && faults::shapes_answer(fault)
    {
        faults::send(shared, ticket, fault, response, connection);
        return None;
    }
    let offset = shared.lock().behaviour.date_offset_s;
    let length = Framing::Length(response.body.len());
    let mut bytes = response.head(length, request.keep_alive, offset);
    if request.method != "HEAD" {
        bytes.extend_from_slice(&response.body);
    }
    if connection.send(&bytes).is_err() {
        return None;
    }
    if request.keep_alive {
        return Some(connection);
    }
    connection.close();
    None
}

/// The response by the ticket's step, or of `make`.
fn shape(
    shared: &Shared,
    ticket: &Ticket,
    make: impl FnOnce(Option<&Changes>) -> Response,
) -> Response {
    let usual = Step::default();
    let step = ticket.step.as_ref().unwrap_or(&usual);
    let mut response = if step.is_explicit() {
        let mut response = Response::new(step.status.unwrap_or(200));
        if let Some(body) = &step.body {
            response = response.with("Content-Type", "application/json").with_body(body.clone());
        }
        response
    } else {
        make(step.changes.as_ref())
    };
    if let Some(status) = step.status {
        response.status = status;
    }
    if let Some(coding) = step.coding {
        response.encode(coding);
    }
    response.override_headers(&step.headers);
    response.add_lines(&step.header_lines);
    shared.log_status(ticket, response.status);
    response
}

/// A request without a connection: counted, logged and scripted like any other.
pub(crate) fn visit(shared: &Shared, place: &Place, request: &Request) -> io::Result<Response> {
    let (target, route) = place.route(&request.path);
    let ticket = shared.begin(target, NO_CONNECTION, request);
    if !shared.wait_through(&ticket) {
        return Err(invalid("the simulator was reset meanwhile"));
    }
    if ticket.step.as_ref().is_some_and(|step| step.raw.is_some() || step.fault.is_some()) {
        return Err(invalid(&format!("the script of {} has a connection fault", target.name())));
    }
    Ok(shape(shared, &ticket, |changes| place.respond(shared, &route, request, changes)))
}

/// Closes a connection on which no request could be read.
pub(crate) fn refuse(shared: &Shared, mut connection: Connection, error: ReadError) {
    if let ReadError::Refused(status, message) = error {
        let response = Response::json(status, &json!({ "error": message }));
        let offset = shared.lock().behaviour.date_offset_s;
        let mut bytes = response.head(Framing::Length(response.body.len()), false, offset);
        bytes.extend_from_slice(&response.body);
        let _ = connection.send(&bytes);
    }
    connection.close();
}
