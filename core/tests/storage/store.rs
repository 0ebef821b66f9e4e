//! Tokens in a store that several machines share: what takes clocks that a test can move. The other
//! tests of the store are in `tests/store`.

use crate::common::*;
use planetkey::Session;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Debian's redis-server, on a socket, until it is dropped.
struct Store {
    directory: TempDir,
    server: Child,
}

impl Store {
    /// `None` where it is not installed; with `PLANETKEY_DEMAND_ALL=1` that is a failure.
    fn start() -> Option<Store> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("store.sock");
        let arguments = ["--port", "0", "--save", "", "--unixsocket"];
        let server = Command::new("redis-server")
            .args(arguments)
            .arg(&socket)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .spawn();
        let Ok(server) = server else {
            assert_ne!(
                std::env::var("PLANETKEY_DEMAND_ALL").as_deref(),
                Ok("1"),
                "no redis-server"
            );
            eprintln!("skipped, because redis-server is not installed");
            return None;
        };
        let store = Store { directory, server };
        let deadline = Instant::now() + Duration::from_secs(30);
        while UnixStream::connect(&socket).is_err() {
            assert!(Instant::now() < deadline, "redis-server does not start");
            std::thread::yield_now();
        }
        Some(store)
    }

    fn url(&self) -> String {
        format!("redis+unix://{}", self.directory.path().join("store.sock").display())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn machine(home: &Home, store: &str) -> Session {
    let options = home.options().with(|it| it.store = Some(store.to_owned()));
    Session::from_m2m(CLIENT_ID, CLIENT_SECRET, &options).unwrap()
}

#[test]
fn the_clocks_of_machines_may_differ_by_hours() {
    let Some(store) = Store::start() else { return };
    let first = Home::new();
    let token = ask(&machine(&first, &store.url()));
    assert_eq!(first.fake.count(), 1);
    for hours in [-20_i64, -1, 1, 20] {
        let other = Home::new();
        other.clock.set_unix(NOW.checked_add_signed(hours * 3600).unwrap());
        let session = machine(&other, &store.url());
        assert_eq!((ask(&session), other.fake.count()), (token.clone(), 0), "{hours} hours");
        let expires = session.status().expires_at().unwrap();
        let left = expires - i64::try_from(NOW).unwrap() - hours * 3600;
        assert!((3590..=3600).contains(&left), "{left} seconds are left, at {hours} hours");
        assert!(is_below(other.path(), "token.json"), "the next process needs no store");
    }
}

fn is_below(directory: &Path, name: &str) -> bool {
    std::fs::read_dir(directory).unwrap().flatten().any(|entry| {
        entry.file_name() == name || entry.path().is_dir() && is_below(&entry.path(), name)
    })
}
