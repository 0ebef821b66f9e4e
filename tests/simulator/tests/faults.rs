//! Every fault, observed on a raw socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::common::*;
use planetkey_simulator::Simulator;
use serde_json::{Value, json};

fn with_fault(step: Value) -> Simulator {
    let simulator = start();
    simulator.script("m2m.token", &json!([step])).unwrap();
    simulator
}

/// Sends a valid token request. The test reads the response.
fn send_token_request(simulator: &Simulator) -> TcpStream {
    let url = simulator.token_endpoint();
    let settings = simulator.settings();
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret),
    ]);
    let mut socket = connect(&url);
    let text = request_text("POST", &url, &[FORM], &body);
    socket.write_all(text.as_bytes()).unwrap();
    socket
}

fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn announced_length(head: &str) -> usize {
    let (_, rest) = head.split_once("Content-Length: ").unwrap();
    rest.split("\r\n").next().unwrap().parse().unwrap()
}

fn rest(socket: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    bytes
}

/// Checks that the request after the fault succeeds.
fn assert_recovered(simulator: &Simulator) {
    assert_eq!(ask_token(simulator, &[]).status, 200);
}

#[test]
fn stall_reads_and_sends_nothing() {
    let simulator = with_fault(json!({"fault": "stall"}));
    let mut socket = send_token_request(&simulator);
    assert!(simulator.wait_for("m2m.token", 1, PATIENCE).unwrap());
    let logged = simulator.requests("m2m.token").unwrap();
    assert_eq!(logged[0]["form"][0][0], "grant_type");
    assert_eq!(logged[0]["status"], Value::Null);
    assert_recovered(&simulator);
    simulator.reset();
    assert_eq!(rest(&mut socket), b"");
}

#[test]
fn a_stalled_connection_ends_when_the_peer_closes() {
    let simulator = with_fault(json!({"fault": "stall"}));
    let socket = send_token_request(&simulator);
    assert!(simulator.wait_for("m2m.token", 1, PATIENCE).unwrap());
    drop(socket);
    // Stopping the simulator must not wait for this connection.
    drop(simulator);
}

#[test]
fn stall_before_read_reads_nothing() {
    let simulator = with_fault(json!({"fault": "stall_before_read"}));
    let mut socket = send_token_request(&simulator);
    assert!(simulator.wait_for("m2m.token", 1, PATIENCE).unwrap());
    let logged = simulator.requests("m2m.token").unwrap();
    assert_eq!(logged[0]["method"], "");
    assert_eq!(logged[0]["fault"], "stall_before_read");
    simulator.reset();
    // Unread bytes can turn the close into a reset.
    let mut bytes = Vec::new();
    let _ = socket.read_to_end(&mut bytes);
    assert_eq!(bytes, b"");
}

#[test]
fn reset_before_read_needs_no_request() {
    let simulator = with_fault(json!({"fault": "reset_before_read"}));
    let mut socket = connect(&simulator.token_endpoint());
    let error = socket.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert_eq!(simulator.count("m2m.token").unwrap(), 1);
    assert_recovered(&simulator);
}

#[test]
fn reset_before_read_affects_the_next_request_of_a_persistent_connection() {
    let simulator = start();
    let mut socket = send_token_request(&simulator);
    assert_eq!(read_answer(&mut socket).unwrap().status, 200);
    let script = json!([{"fault": "reset_before_read"}]);
    simulator.script("m2m.token", &script).unwrap();
    socket.write_all(b"P").unwrap();
    let error = socket.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn reset_after_read_has_the_whole_request() {
    let simulator = with_fault(json!({"fault": "reset_after_read"}));
    let mut socket = send_token_request(&simulator);
    let error = socket.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let logged = simulator.requests("m2m.token").unwrap();
    assert_eq!(logged[0]["form"].as_array().unwrap().len(), 3);
    assert_recovered(&simulator);
}

#[test]
fn close_after_read_is_an_orderly_close() {
    let simulator = with_fault(json!({"fault": "close_after_read"}));
    let mut socket = send_token_request(&simulator);
    assert_eq!(rest(&mut socket), b"");
    assert_eq!(simulator.count("m2m.token.issued").unwrap(), 0);
    assert_recovered(&simulator);
}

#[test]
fn stall_in_body_sends_half() {
    let simulator = with_fault(json!({"fault": "stall_in_body"}));
    let mut socket = send_token_request(&simulator);
    let length = announced_length(&read_head(&mut socket));
    let mut half = vec![0; length / 2];
    socket.read_exact(&mut half).unwrap();
    assert!(half.starts_with(b"{\"access_token\""));
    simulator.reset();
    assert_eq!(rest(&mut socket), b"");
}

#[test]
fn drip_sends_a_byte_at_a_time() {
    let simulator = with_fault(json!({"fault": "drip"}));
    let mut socket = send_token_request(&simulator);
    let length = announced_length(&read_head(&mut socket));
    let mut byte = [0];
    socket.read_exact(&mut byte).unwrap();
    assert_eq!(&byte, b" ");
    simulator.reset();
    assert!(1 + rest(&mut socket).len() < length);
}

#[test]
fn endless_exceeds_any_limit() {
    let simulator = with_fault(json!({"fault": "endless"}));
    let mut socket = send_token_request(&simulator);
    let head = read_head(&mut socket);
    assert!(head.contains("Transfer-Encoding: chunked"));
    let mut much = vec![0; 8 * 1024 * 1024];
    socket.read_exact(&mut much).unwrap();
    assert!(much.starts_with(b"10000\r\n "));
}

#[test]
fn truncate_announces_more_than_it_sends() {
    let simulator = with_fault(json!({"fault": "truncate"}));
    let mut socket = send_token_request(&simulator);
    let length = announced_length(&read_head(&mut socket));
    let body = rest(&mut socket);
    assert_eq!(body.len() + 1_000, length);
    serde_json::from_slice::<Value>(&body).unwrap();
}

#[test]
fn cut_sends_half_a_body() {
    let simulator = with_fault(json!({"fault": "cut"}));
    let mut socket = send_token_request(&simulator);
    let length = announced_length(&read_head(&mut socket));
    let body = rest(&mut socket);
    assert_eq!(body.len(), length / 2);
    serde_json::from_slice::<Value>(&body).unwrap_err();
}

#[test]
fn chunked_bodies_can_lack_their_end() {
    for (fault, end) in [("no_last_chunk", "}"), ("no_last_line", "}\r\n0\r\n")] {
        let simulator = with_fault(json!({ "fault": fault }));
        let mut socket = send_token_request(&simulator);
        assert!(read_head(&mut socket).contains("Transfer-Encoding: chunked"));
        let sent = String::from_utf8(rest(&mut socket)).unwrap();
        assert!(sent.ends_with(end), "{fault}: {sent:?}");
    }
}

#[test]
fn header_lines_are_sent_literally() {
    let simulator = with_fault(json!({"header_lines": ["X : y", "no colon"]}));
    let mut socket = send_token_request(&simulator);
    assert!(read_head(&mut socket).ends_with("\r\nX : y\r\nno colon\r\n\r\n"));
}

#[test]
fn a_body_is_compressed_whatever_the_request_accepts() {
    use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
    for (coding, name) in [("gzip", "gzip"), ("deflate", "deflate"), ("raw_deflate", "deflate")] {
        let simulator = with_fault(json!({ "content_coding": coding }));
        let mut socket = send_token_request(&simulator);
        let response = read_answer(&mut socket).unwrap();
        assert_eq!(response.header("content-encoding"), Some(name));
        let mut text = String::new();
        let body = response.body.as_slice();
        match coding {
            "gzip" => GzDecoder::new(body).read_to_string(&mut text),
            "deflate" => ZlibDecoder::new(body).read_to_string(&mut text),
            _ => DeflateDecoder::new(body).read_to_string(&mut text),
        }
        .unwrap();
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["token_type"], "Bearer");
    }
}

#[test]
fn huge_is_five_megabytes_of_json() {
    let simulator = with_fault(json!({"fault": "huge"}));
    let mut socket = send_token_request(&simulator);
    let response = read_answer(&mut socket).unwrap();
    assert_eq!(response.body.len(), 5_000_000);
    assert_eq!(response.json()["token_type"], "Bearer");
}

#[test]
fn a_fault_can_have_its_own_response() {
    let step =
        json!({"status": 503, "headers": {"Retry-After": 9}, "body": "[1]", "fault": "truncate"});
    let simulator = with_fault(step);
    let mut socket = send_token_request(&simulator);
    let head = read_head(&mut socket);
    assert!(head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
    assert!(head.contains("Retry-After: 9\r\n"));
    assert_eq!(announced_length(&head), 1_003);
    assert_eq!(rest(&mut socket), b"[1]");
}

#[test]
fn raw_bytes_can_be_anything() {
    let simulator = with_fault(json!({"raw": "HTTP/1.1 2"}));
    let mut socket = send_token_request(&simulator);
    assert_eq!(rest(&mut socket), b"HTTP/1.1 2");
    let script = json!([{"raw_base64": "AAH/"}]);
    simulator.script("m2m.token", &script).unwrap();
    let mut socket = send_token_request(&simulator);
    assert_eq!(rest(&mut socket), [0, 1, 255]);
}

#[test]
fn invalid_requests_are_refused() {
    let simulator = start();
    let url = simulator.planet_api();
    let status = |bytes: &[u8]| {
        let mut socket = connect(url);
        // The response may come before the whole request is sent.
        let _ = socket.write_all(bytes);
        read_answer(&mut socket).unwrap().status
    };
    assert_eq!(status(b"\x16\x03\x01 garbage\r\n\r\n"), 400);
    assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), 400);
    let head = "POST / HTTP/1.1\r\nHost: x\r\n";
    assert_eq!(status(format!("{head}Content-Length: 9999999\r\n\r\n").as_bytes()), 413);
    assert_eq!(status(format!("{head}Content-Length: -1\r\n\r\n").as_bytes()), 400);
    let both = format!("{head}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(status(both.as_bytes()), 400);
    assert_eq!(status(format!("{head}Transfer-Encoding: gzip\r\n\r\n").as_bytes()), 501);
    let long = format!("{head}X: {}\r\n\r\n", "x".repeat(70_000));
    assert_eq!(status(long.as_bytes()), 431);
    assert_eq!(simulator.count("planet_api").unwrap(), 0);
}

#[test]
fn chunked_bodies_and_continue_are_understood() {
    let simulator = start();
    let url = simulator.token_endpoint();
    let settings = simulator.settings();
    let body = form(&[
        ("grant_type", "client_credentials"),
        ("client_id", &settings.client_id),
        ("client_secret", &settings.client_secret),
    ]);
    let (one, two) = body.split_at(7);
    let mut socket = connect(&url);
    let headers = [FORM, ("Transfer-Encoding", "chunked"), ("Expect", "100-continue")];
    let head = request_text("POST", &url, &headers, "");
    socket.write_all(head.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut socket).unwrap().status, 100);
    let chunks = format!(
        "{:x}\r\n{one}\r\n{:X};extension\r\n{two}\r\n0\r\nTrailer: x\r\n\r\n",
        one.len(),
        two.len()
    );
    socket.write_all(chunks.as_bytes()).unwrap();
    assert_eq!(read_answer(&mut socket).unwrap().status, 200);
}
