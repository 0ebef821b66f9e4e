//! Carries out the faults of scripts.

use std::time::Duration;

use crate::connection::{Connection, IDLE_LIMIT};
use crate::http::{Framing, Response};
use crate::script::Fault;
use crate::state::{Shared, Ticket};

/// The pause between two bytes of a dripping body, and their number.
const DRIP_PAUSE: Duration = Duration::from_millis(200);
const DRIP_BYTES: usize = 600;

/// The size at which an endless body ends.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;

const HUGE_BYTES: usize = 5_000_000;

/// The excess of the Content-Length of `truncate`.
const TRUNCATED_BYTES: usize = 1_000;

/// Faults on a connection before anything is read.
pub(crate) fn unread(shared: &Shared, ticket: &Ticket, connection: Connection) {
    if !shared.wait_through(ticket) {
        return connection.close();
    }
    if let Some(fault) = ticket.step.as_ref().and_then(|step| step.fault) {
        unanswered(shared, ticket, fault, connection);
    }
}

/// Whether the fault prevents a response.
pub(crate) fn is_unanswered(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::Stall
            | Fault::StallBeforeRead
            | Fault::ResetBeforeRead
            | Fault::ResetAfterRead
            | Fault::CloseAfterRead
    )
}

/// Whether the fault is in how the response is sent.
pub(crate) fn shapes_answer(fault: Fault) -> bool {
    matches!(
        fault,
        Fault::StallInBody
            | Fault::Drip
            | Fault::Endless
            | Fault::Truncate
            | Fault::Cut
            | Fault::NoLastChunk
            | Fault::NoLastLine
            | Fault::Huge
            | Fault::LoseResponse
            | Fault::StallResponse
    )
}

/// Closes the connection without a response.
pub(crate) fn unanswered(shared: &Shared, ticket: &Ticket, fault: Fault, connection: Connection) {
    match fault {
        Fault::ResetBeforeRead | Fault::ResetAfterRead => connection.reset(),
        Fault::StallBeforeRead => {
            // Nothing may be read, so a close of the peer is not noticed.
            shared.pause(ticket, IDLE_LIMIT);
        }
        Fault::Stall => stall(shared, ticket, connection),
        _ => connection.close(),
    }
}

fn stall(shared: &Shared, ticket: &Ticket, connection: Connection) {
    shared.register.mark_stalled(connection.id);
    // A reset before the mark did not shut this connection.
    if !shared.is_current(ticket) {
        return;
    }
    connection.drain();
}

/// Sends a response with the fault and closes the connection.
pub(crate) fn send(
    shared: &Shared,
    ticket: &Ticket,
    fault: Fault,
    response: Response,
    mut connection: Connection,
) {
    let offset = shared.lock().behaviour.date_offset_s;
    let length = response.body.len();
    let head = |framing| response.head(framing, false, offset);
    let sent = match fault {
        // The request was carried out, for example a refresh token rotated, without a response.
        Fault::LoseResponse => return connection.reset(),
        Fault::StallResponse => return stall(shared, ticket, connection),
        Fault::StallInBody => {
            let mut bytes = head(Framing::Length(length.max(2)));
            bytes.extend_from_slice(&response.body[..length / 2]);
            if connection.send(&bytes).is_ok() {
                return stall(shared, ticket, connection);
            }
            return;
        }
        Fault::Truncate => {
            let mut bytes = head(Framing::Length(length + TRUNCATED_BYTES));
            bytes.extend_from_slice(&response.body);
            connection.send(&bytes)
        }
        Fault::Cut => {
            let mut bytes = head(Framing::Length(length.max(2)));
            bytes.extend_from_slice(&response.body[..length / 2]);
            connection.send(&bytes)
        }
        Fault::NoLastChunk | Fault::NoLastLine => {
            let mut bytes = head(Framing::Chunked);
            bytes.extend_from_slice(format!("{length:x}\r\n").as_bytes());
            bytes.extend_from_slice(&response.body);
            if fault == Fault::NoLastLine {
                bytes.extend_from_slice(b"\r\n0\r\n");
            }
            connection.send(&bytes)
        }
        Fault::Huge => {
            // White space before JSON does not change it.
            let padding = HUGE_BYTES.saturating_sub(length);
            let mut bytes = head(Framing::Length(padding + length));
            bytes.resize(bytes.len() + padding, b' ');
            bytes.extend_from_slice(&response.body);
            connection.send(&bytes)
        }
        Fault::Drip => {
            let mut outcome = connection.send(&head(Framing::Length(DRIP_BYTES + length)));
            for _ in 0..DRIP_BYTES {
                if outcome.is_err() || !shared.pause(ticket, DRIP_PAUSE) {
                    break;
                }
                outcome = connection.send(b" ");
            }
            outcome
        }
        Fault::Endless => {
            let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x1_0000], b"\r\n"].concat();
            let mut outcome = connection.send(&head(Framing::Chunked));
            for _ in 0..ENDLESS_BYTES / 0x1_0000 {
                if outcome.is_err() || !shared.is_current(ticket) {
                    break;
                }
                outcome = connection.send(&chunk);
            }
            outcome
        }
        // The others send no response, or belong to a handshake or to the proxy.
        _ => Ok(()),
    };
    if sent.is_ok() {
        connection.close();
    }
}
