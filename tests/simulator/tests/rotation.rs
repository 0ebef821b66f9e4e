//! Refresh tokens: rotation, reuse, overlap, lifetime and scope.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;

use crate::common::*;
use planetkey_simulator::{Simulator, USER_CLIENT_ID};
use serde_json::{Value, json};

fn seed(simulator: &Simulator) -> Value {
    simulator.seed_session(&json!({})).unwrap()
}

fn settings(simulator: &Simulator, changes: Value) {
    simulator.change_settings(&changes).unwrap();
}

fn refresh_token(response: &Response) -> String {
    assert_eq!(response.status, 200, "{response:?}");
    member(&response.json(), "refresh_token")
}

/// Refreshes as a client with this `User-Agent`.
fn refresh_as(simulator: &Simulator, refresh_token: &str, user_agent: &str) -> Response {
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", USER_CLIENT_ID),
    ]);
    exchange("POST", &simulator.user_token_endpoint(), &[FORM, ("User-Agent", user_agent)], &body)
        .unwrap()
}

/// Active, reason of the revocation, rotations, repeats and reuse.
fn summary(simulator: &Simulator, token: &str) -> Value {
    let session = simulator.session_of(token).unwrap();
    json!([
        session["active"],
        session["revoked"],
        session["rotations"],
        session["repeats"],
        session["reuse"]
    ])
}

#[test]
fn each_token_is_valid_once_and_gives_the_next() {
    let simulator = start();
    let first = member(&seed(&simulator), "refresh_token");
    let mut tokens = vec![first.clone()];
    for _ in 0..3 {
        let next = refresh_token(&refresh(&simulator, tokens.last().unwrap()));
        assert!(!tokens.contains(&next));
        tokens.push(next);
    }
    assert_eq!(summary(&simulator, &first), json!([true, null, 3, 0, 0]));
    assert_eq!(simulator.session_of(&first).unwrap()["refresh_token"], tokens[3]);
    assert_eq!(simulator.count("user.rotations").unwrap(), 3);
}

#[test]
fn a_reused_token_ends_the_whole_session() {
    let simulator = start();
    let seeded = seed(&simulator);
    let other = seed(&simulator);
    let first = member(&seeded, "refresh_token");
    let refreshed = refresh(&simulator, &first);
    let second = refresh_token(&refreshed);
    assert_eq!(planet_status(&simulator, &access_token(&refreshed)), 200);
    assert_eq!(error(&refresh(&simulator, &first)), failure(400, "invalid_grant"));
    // The current token is revoked too, and so are the access tokens of both.
    assert_eq!(error(&refresh(&simulator, &second)), failure(400, "invalid_grant"));
    assert_eq!(planet_status(&simulator, &access_token(&refreshed)), 401);
    assert_eq!(planet_status(&simulator, &member(&seeded, "access_token")), 401);
    let bearer = format!("Bearer {}", access_token(&refreshed));
    assert_eq!(
        get_with(&format!("{}/x", simulator.sentinel_hub_api()), &[("Authorization", &bearer)])
            .status,
        401
    );
    assert_eq!(
        summary(&simulator, &second),
        json!([false, "reuse", 1, 0, 1]),
        "the last one was never used before"
    );
    assert_eq!(error(&refresh(&simulator, &first)), failure(400, "invalid_grant"));
    assert_eq!(simulator.count("user.reuse").unwrap(), 2);
    assert_eq!(simulator.count("user.token.issued").unwrap(), 1);
    // Another session of the same user is not affected.
    assert_eq!(refresh(&simulator, &member(&other, "refresh_token")).status, 200);
    assert_eq!(simulator.count("user.sessions.active").unwrap(), 1);
}

#[test]
fn within_the_overlap_the_same_successor_is_returned() {
    let simulator = start();
    settings(&simulator, json!({"overlap_ms": 3_600_000}));
    let first = member(&seed(&simulator), "refresh_token");
    let one = refresh(&simulator, &first);
    let two = refresh(&simulator, &first);
    assert_eq!(refresh_token(&one), refresh_token(&two));
    assert_ne!(access_token(&one), access_token(&two));
    for response in [&one, &two] {
        assert_eq!(planet_status(&simulator, &access_token(response)), 200);
    }
    assert_eq!(summary(&simulator, &first), json!([true, null, 1, 1, 0]));
    // After the overlap the token is revoked as without one.
    settings(&simulator, json!({"overlap_ms": 0}));
    assert_eq!(refresh(&simulator, &first).status, 400);
    assert_eq!(summary(&simulator, &first), json!([false, "reuse", 1, 1, 1]));
}

#[test]
fn within_the_overlap_an_older_token_gets_the_current_one() {
    let simulator = start();
    settings(&simulator, json!({"overlap_ms": 3_600_000}));
    let first = member(&seed(&simulator), "refresh_token");
    let second = refresh_token(&refresh(&simulator, &first));
    let third = refresh_token(&refresh(&simulator, &second));
    assert_eq!(refresh_token(&refresh(&simulator, &first)), third);
    assert_eq!(summary(&simulator, &first), json!([true, null, 2, 1, 0]));
}

#[test]
fn a_named_client_has_its_own_overlap() {
    let simulator = start();
    settings(&simulator, json!({"overlap_by_user_agent": {"lenient/": 3_600_000}}));
    let first = member(&seed(&simulator), "refresh_token");
    assert_eq!(refresh(&simulator, &first).status, 200);
    assert_eq!(refresh_as(&simulator, &first, "lenient/1.0").status, 200);
    assert_eq!(summary(&simulator, &first), json!([true, null, 1, 1, 0]));
    assert_eq!(refresh_as(&simulator, &first, "strict/1.0").status, 400);
    assert_eq!(summary(&simulator, &first), json!([false, "reuse", 1, 1, 1]));
}

#[test]
fn without_rotation_the_token_stays_valid_and_is_omitted() {
    let simulator = start();
    settings(&simulator, json!({"rotation": false}));
    let token = member(&seed(&simulator), "refresh_token");
    for _ in 0..3 {
        let response = refresh(&simulator, &token);
        assert_eq!((response.status, response.json().get("refresh_token")), (200, None));
    }
    assert_eq!(summary(&simulator, &token), json!([true, null, 0, 0, 0]));
    assert_eq!(simulator.count("user.token.issued").unwrap(), 3);
}

#[test]
fn a_token_expires() {
    let simulator = start();
    let expired = simulator.seed_session(&json!({"refresh_token_lifetime": 0})).unwrap();
    let token = member(&expired, "refresh_token");
    assert_eq!(error(&refresh(&simulator, &token)), failure(400, "invalid_grant"));
    assert_eq!(summary(&simulator, &token), json!([false, null, 0, 0, 0]), "it was not revoked");
    assert_eq!(planet_status(&simulator, &member(&expired, "access_token")), 200);
    // The setting affects only later tokens.
    let token = member(&seed(&simulator), "refresh_token");
    settings(&simulator, json!({"refresh_token_lifetime": 0}));
    let next = refresh_token(&refresh(&simulator, &token));
    assert_eq!(refresh(&simulator, &next).status, 400);
    settings(&simulator, json!({"refresh_token_lifetime": 60}));
    assert_eq!(refresh(&simulator, &member(&seed(&simulator), "refresh_token")).status, 200);
}

#[test]
fn a_token_is_bound_to_client_and_issuer() {
    let simulator = start();
    let token = member(&seed(&simulator), "refresh_token");
    simulator.register_client(&json!({"client_id": "other", "public": true})).unwrap();
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", &*token), ("client_id", "other")];
    let response = post_form(&simulator.user_token_endpoint(), &fields);
    assert_eq!(error(&response), failure(400, "invalid_grant"));
    let elsewhere =
        simulator.seed_session(&json!({"issuer": "https://login.planet.com/"})).unwrap();
    assert_eq!(refresh(&simulator, &member(&elsewhere, "refresh_token")).status, 400);
    assert_eq!(simulator.count("user.reuse").unwrap(), 0);
    assert_eq!(refresh(&simulator, &token).status, 200, "its own client is not affected");
}

#[test]
fn scope_can_narrow_but_not_widen() {
    let simulator = start();
    let wanted = json!({"scope": "openid planet offline_access"});
    let token = member(&simulator.seed_session(&wanted).unwrap(), "refresh_token");
    let narrow = refresh_with(&simulator, &token, &[("scope", "planet")]);
    assert_eq!(narrow.json()["scope"], "planet");
    assert_eq!(narrow.json().get("id_token"), None);
    assert_eq!(claims(&access_token(&narrow))["scope"], "planet");
    // The new refresh token is valid for the whole scope again (RFC 6749 6).
    let token = refresh_token(&narrow);
    for scope in ["planet profile", "email", "PLANET"] {
        let wide = refresh_with(&simulator, &token, &[("scope", scope)]);
        assert_eq!(error(&wide), failure(400, "invalid_scope"), "{scope}");
    }
    let audience = refresh_with(&simulator, &token, &[("audience", "https://other.example/")]);
    assert_eq!(error(&audience), failure(400, "invalid_target"));
    // A refusal does not use up the token.
    let again = refresh_with(&simulator, &token, &[("audience", "https://api.planet.com/")]);
    assert_eq!(again.json()["scope"], "openid planet offline_access");
}

#[test]
fn scripts_change_the_response_after_the_rotation() {
    let simulator = start();
    let first = member(&seed(&simulator), "refresh_token");
    let steps = json!([
        {"status": 503},
        {"token_response": {"expires_in": 5, "claims": {"more": true}, "set": {"refresh_token": ""}}},
    ]);
    simulator.script("user.token", &steps).unwrap();
    assert_eq!(refresh(&simulator, &first).status, 503);
    assert_eq!(summary(&simulator, &first)[2], 0, "a step with its own response does nothing");
    let changed = refresh(&simulator, &first);
    let claims = claims(&access_token(&changed));
    assert_eq!(
        (&changed.json()["expires_in"], &changed.json()["refresh_token"]),
        (&json!(5), &json!(""))
    );
    assert_eq!(
        (&claims["more"], claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap()),
        (&json!(true), 5)
    );
    assert_eq!(summary(&simulator, &first)[2], 1);
    simulator
        .script("user.revoke", &json!([{"status": 503, "headers": {"Retry-After": "7"}}]))
        .unwrap();
    let fields = [("token", &*first), ("client_id", USER_CLIENT_ID)];
    let refused = post_form(&format!("{}oauth/revoke", simulator.user_issuer()), &fields);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("7")));
    assert_eq!(summary(&simulator, &first)[0], true);
    assert!(simulator.script("user.revoke", &json!([{"token_response": {}}])).is_err());
    simulator
        .script("user.metadata", &json!([{"metadata_response": {"set": {"issuer": "x"}}}]))
        .unwrap();
    assert_eq!(
        get(&format!("{}.well-known/openid-configuration", simulator.user_issuer())).json()["issuer"],
        "x"
    );
}

#[test]
fn the_same_access_token_can_be_returned_again() {
    let simulator = start();
    settings(&simulator, json!({"same_token": true}));
    let seeded = seed(&simulator);
    let refreshed = refresh(&simulator, &member(&seeded, "refresh_token"));
    assert_eq!(access_token(&refreshed), member(&seeded, "access_token"));
    assert_ne!(
        member(&seed(&simulator), "access_token"),
        member(&seeded, "access_token"),
        "of one session only"
    );
}

/// Sends a refresh request and returns the socket.
fn send(simulator: &Simulator, refresh_token: &str) -> std::net::TcpStream {
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token),
        ("client_id", USER_CLIENT_ID),
    ]);
    let mut socket = connect(&simulator.user_token_endpoint());
    let text = request_text("POST", &simulator.user_token_endpoint(), &[FORM], &body);
    socket.write_all(text.as_bytes()).unwrap();
    socket
}

#[test]
fn a_response_can_be_lost_after_the_rotation() {
    let simulator = start();
    for (fault, rotated) in [
        ("lose_response", 1),
        ("reset_after_read", 0),
        ("truncate", 1),
        ("close_after_read", 0),
        ("stall_response", 1),
        ("stall", 0),
    ] {
        simulator.reset();
        let token = member(&seed(&simulator), "refresh_token");
        simulator.script("user.token", &json!([{ "fault": fault }])).unwrap();
        let mut socket = send(&simulator, &token);
        if fault.starts_with("stall") {
            assert!(simulator.wait_for("user.token", 1, PATIENCE).unwrap());
            assert!(simulator.wait_for("user.rotations", rotated, PATIENCE).unwrap(), "{fault}");
            socket.set_nonblocking(true).unwrap();
            assert_eq!(socket.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
        } else {
            assert!(read_answer(&mut socket).is_err(), "{fault}");
        }
        assert_eq!(summary(&simulator, &token)[2], rotated, "{fault}");
        let again = refresh(&simulator, &token).status;
        assert_eq!(again, if rotated == 0 { 200 } else { 400 }, "{fault}");
    }
}

#[test]
fn a_request_of_a_closed_connection_is_carried_out() {
    let simulator = start();
    let token = member(&seed(&simulator), "refresh_token");
    simulator.script("user.token", &json!([{"hold": "gate"}])).unwrap();
    let socket = send(&simulator, &token);
    assert!(simulator.wait_held("gate", 1, PATIENCE));
    drop(socket);
    simulator.release("gate");
    assert!(simulator.wait_for("user.rotations", 1, PATIENCE).unwrap());
    assert!(simulator.wait_for("user.token.issued", 1, PATIENCE).unwrap());
}

const CROWD: usize = 64;

/// Many threads send the same token at once, each on its own connection.
fn crowd(simulator: &Simulator, token: &str) -> Vec<Response> {
    let barrier = Barrier::new(CROWD);
    thread::scope(|scope| {
        let one = || {
            barrier.wait();
            refresh(simulator, token)
        };
        let threads: Vec<_> = (0..CROWD).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn a_crowd_of_threads_is_counted_exactly() {
    let simulator = start();
    let delayed = json!({"steps": [{"delay_ms": 50}], "repeat": true});
    simulator.script("user.token", &delayed).unwrap();
    let token = member(&seed(&simulator), "refresh_token");
    let responses = crowd(&simulator, &token);
    assert_eq!(responses.iter().filter(|response| response.status == 200).count(), 1);
    assert_eq!(simulator.count("user.token").unwrap(), 64);
    assert_eq!(simulator.count("user.token.issued").unwrap(), 1);
    assert_eq!(simulator.count("connections").unwrap(), 64);
    assert_eq!(summary(&simulator, &token), json!([false, "reuse", 1, 0, 63]));
    assert_eq!(simulator.requests("user.token").unwrap().len(), 64);
    simulator.reset();
    simulator.script("user.token", &delayed).unwrap();
    settings(&simulator, json!({"overlap_ms": 3_600_000}));
    let token = member(&seed(&simulator), "refresh_token");
    let responses = crowd(&simulator, &token);
    let successors: Vec<_> = responses.iter().map(refresh_token).collect();
    assert!(successors.iter().all(|successor| *successor == successors[0]));
    assert_eq!(summary(&simulator, &token), json!([true, null, 1, 63, 0]));
    assert_eq!(simulator.count("user.token.issued").unwrap(), 64);
}

#[test]
fn a_crowd_of_processes_is_counted_exactly() {
    let simulator = start();
    let token = member(&seed(&simulator), "refresh_token");
    // All requests wait in the hold, so they arrive at once.
    simulator.script("user.token", &json!({"steps": [{"hold": "gate"}], "repeat": true})).unwrap();
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("refresh_token", &token),
        ("client_id", USER_CLIENT_ID),
    ]);
    let children: Vec<_> = (0..32)
        .map(|_| {
            let mut command = Command::new("curl");
            command.args([
                "-sS",
                "--noproxy",
                "*",
                "-o",
                "-",
                "-w",
                "%{http_code}",
                "--data",
                &body,
            ]);
            command.arg(simulator.user_token_endpoint()).stdout(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    assert!(simulator.wait_held("gate", 32, PATIENCE));
    simulator.release("gate");
    let outputs: Vec<_> =
        children.into_iter().map(|child| child.wait_with_output().unwrap().stdout).collect();
    assert_eq!(outputs.iter().filter(|output| output.ends_with(b"200")).count(), 1);
    assert_eq!(outputs.iter().filter(|output| output.ends_with(b"400")).count(), 31);
    assert_eq!(summary(&simulator, &token), json!([false, "reuse", 1, 0, 31]));
    assert_eq!(simulator.count("user.token").unwrap(), 32);
}
