//! Many sessions, and the end of a process: fault 119 and what every binding does before the
//! process ends.

use super::child_process;
use crate::common::*;

/// Measured in a process of its own. The limit is generous: a leak, a thread or an open file for
/// each session would exceed it by far.
#[cfg(target_os = "linux")]
#[test]
fn f119_a_hundred_thousand_sessions_use_little_memory() {
    let home = Home::new();
    let process = Child::spawn(&mut child_process::playing("sessions", &home));
    let number = || process.hear().parse::<usize>().unwrap();
    let (handle, session, threads, files, leaked) =
        (number(), number(), number(), number(), number());
    assert!(handle <= 128, "{handle} bytes for a handle");
    assert!(session <= 16 * 1024, "{session} bytes for a session");
    assert!(threads < 10 && files < 20, "{threads} threads and {files} files");
    assert!(leaked <= 64, "{leaked} bytes are left of a session that was closed");
    process.end();
}

/// A process that ends between the response and the save would lose the session.
#[test]
fn settle_waits_for_a_refresh_that_must_be_saved() {
    let home = Home::new();
    home.seed(&serde_json::json!({}));
    let process = Child::spawn(&mut child_process::playing("settle", &home));
    assert_eq!(process.hear(), "settled");
    process.end();
    assert_eq!(home.refresh_token(), "refresh-1");
}
