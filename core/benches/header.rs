//! Nanoseconds for a header from a cached valid token: `cargo bench -p planetkey --bench header`.
//!
//! Inside the environment of planetkey-simulator (as `tests/bench/run` does it) the session comes from there; otherwise a simulator is started.
//! Each line is a name, the smallest and the median mean of many batches, separated by tabs.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use planetkey::clock::{Clock, SystemClock};
use planetkey::{Options, Session};
use planetkey_simulator::{Settings, Simulator};
use std::hint::black_box;
use std::time::Instant;

const CALLS: u32 = 1_000;
const BATCHES: usize = 1_000;
const API: &str = "https://api.planet.com/basemaps/v1/mosaics";
const TILE: &str = "https://tiles.planet.com/basemaps/v1/planet-tiles/global_monthly_2024_01_mosaic/gmap/12/654/1583.png";

fn measure<T>(name: &str, batches: usize, mut call: impl FnMut() -> T) {
    let mut means: Vec<f64> = (0..batches)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..CALLS {
                black_box(call());
            }
            start.elapsed().as_nanos() as f64 / f64::from(CALLS)
        })
        .collect();
    means.sort_by(f64::total_cmp);
    println!("{name}\t{:.1}\t{:.1}", means[0], means[means.len() / 2]);
}

/// Planet's own hosts, with the simulator's authorization server, which listens on loopback.
fn session_at(simulator: &Simulator) -> Session {
    let deployment = std::fs::read_to_string(simulator.deployment_path()).unwrap();
    let mut deployment: serde_json::Value = serde_json::from_str(&deployment).unwrap();
    let planet: serde_json::Value = serde_json::from_str(include_str!("../src/deployments/planet.json")).unwrap();
    deployment["resource_servers"] = planet["resource_servers"].clone();
    let options = Options { deployment: Some(deployment.to_string()), allow_insecure_loopback: Some(true), ..Options::default() };
    let settings = simulator.settings();
    Session::from_m2m(&settings.client_id, &settings.client_secret, &Default::default(), &options).unwrap()
}

fn main() {
    // Without `--bench` this is `cargo test` or a look from the outside: once through is enough.
    let batches = if std::env::args().any(|argument| argument == "--bench") { BATCHES } else { 1 };
    let simulator;
    let session = if std::env::var_os("PLANETKEY_SIMULATOR").is_some() {
        Session::from_defaults(&Options::default()).unwrap()
    } else {
        simulator = Simulator::start(Settings { token_life: 86_400, ..Settings::default() }).unwrap();
        session_at(&simulator)
    };
    println!("# token\t{} bytes", session.access_token().unwrap().len());

    let clock = SystemClock;
    measure("floor: both clocks", batches, || clock.now());
    measure("access_token()", batches, || session.access_token().unwrap());
    measure("with_header(url)", batches, || session.with_header(black_box(API), str::len).unwrap());
    measure("with_header(tile url)", batches, || session.with_header(black_box(TILE), str::len).unwrap());
    measure("headers(url)", batches, || session.headers(black_box(API)).unwrap());
    measure("authorize(url)", batches, || session.authorize(black_box(API)).unwrap());
    let mut buffer = [0u8; 2048];
    measure("with_header(url) and copy", batches, || {
        session.with_header(black_box(API), |header| buffer[..header.len()].copy_from_slice(header.as_bytes())).unwrap();
        black_box(&mut buffer)[0]
    });
    // Every processor at once: a counter that all of them write shows here.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    black_box(session.with_header(black_box(API), str::len).unwrap());
                }
            });
        }
        measure("with_header(url), all processors", batches, || session.with_header(black_box(API), str::len).unwrap());
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
