//! Nanoseconds for a header from a cached valid token: `cargo bench -p planetkey --bench header`.
//!
//! Inside the environment of planetkey-simulator (as `tests/bench/run` does it) the session comes
//! from there; otherwise a simulator is started. Each line is a name, the smallest and the median
//! mean of many batches, separated by tabs. The sessions are saved ones, as by default; the lines
//! that begin with `watch:` hold one against a session in memory.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use planetkey::clock::{Clock, Moment, SystemClock};
use planetkey::{Options, Runtime, Session};
use planetkey_simulator::{Settings, Simulator};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CALLS: u32 = 1_000;
const BATCHES: usize = 1_000;
/// So long that a saved session has looked at its file at least once, and so often.
const SPELL: Duration = Duration::from_millis(1_100);
const SPELLS: usize = 2;
/// Every look moves the clock by a second, and the token must outlive them all.
const LOOKS_IN_A_BATCH: u32 = 20;
const LOOK_BATCHES: usize = 500;
const REWRITES: usize = 200;
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
    report(name, &mut means);
}

fn report(name: &str, means: &mut [f64]) {
    means.sort_by(f64::total_cmp);
    println!("{name}\t{:.1}\t{:.1}", means[0], means[means.len() / 2]);
}

/// The machine's clock, ahead by as many milliseconds as it was told.
#[derive(Default)]
struct AheadClock(AtomicU64);

impl AheadClock {
    fn advance(&self, ms: u64) {
        self.0.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Clock for AheadClock {
    fn now(&self) -> Moment {
        SystemClock.now() + Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn sleep(&self, duration: Duration) {
        SystemClock.sleep(duration);
    }
}

fn with_clock(clock: Arc<dyn Clock>) -> Options {
    Options::default().with(|it| it.runtime = Runtime { clock, ..Runtime::default() })
}

/// The processor time of this thread: in so long a measurement others have their turn, too.
fn processor_ns() -> f64 {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What a session pays for noticing within a second what happens to its file. `open` opens the same
/// session with these options.
fn measure_the_watch(once: bool, open: impl Fn(&Options) -> Session) {
    let header = |session: &Session| session.with_header(black_box(API), str::len).unwrap();

    let memory = open(&Options::default().with(|it| it.save = Some(false)));
    let saved = open(&Options::default());
    // By turns, so that a disturbance of the machine meets both.
    let (spells, spell) = if once { (1, Duration::ZERO) } else { (SPELLS, SPELL) };
    let mut means = [Vec::new(), Vec::new()];
    for _ in 0..spells {
        for (session, means) in [&memory, &saved].into_iter().zip(&mut means) {
            let (start, processor_start, mut calls) = (Instant::now(), processor_ns(), 0u64);
            while calls == 0 || start.elapsed() < spell {
                for _ in 0..CALLS {
                    black_box(header(session));
                }
                calls += u64::from(CALLS);
            }
            means.push((processor_ns() - processor_start) / calls as f64);
        }
    }
    let [in_memory, on_disk] = &mut means;
    report("watch: in memory, processor time, mean of all calls in a second", in_memory);
    report(
        "watch: saved, processor time, mean of all calls in a second with the one that looks",
        on_disk,
    );

    let clock = Arc::new(AheadClock::default());
    let session = open(&with_clock(clock.clone()));
    header(&session);
    let looking = |step_ms: u64| {
        let mut means: Vec<f64> = (0..if once { 1 } else { LOOK_BATCHES })
            .map(|_| {
                let start = Instant::now();
                for _ in 0..LOOKS_IN_A_BATCH {
                    clock.advance(step_ms);
                    black_box(header(&session));
                }
                start.elapsed().as_nanos() as f64 / f64::from(LOOKS_IN_A_BATCH)
            })
            .collect();
        means.sort_by(f64::total_cmp);
        means
    };
    report("watch: a call that does not look, few at a time", &mut looking(0));
    report("watch: the call that looks", &mut looking(1_000));

    let file = session.status().sources()[0].file.clone().unwrap();
    let mut means: Vec<f64> = (0..if once { 1 } else { REWRITES })
        .map(|_| {
            rewrite(Path::new(&file));
            clock.advance(1_000);
            let start = Instant::now();
            black_box(header(&session));
            start.elapsed().as_nanos() as f64
        })
        .collect();
    report("watch: the call that looks and finds the file written again", &mut means);
}

/// Another file with the same bytes takes the place of this one.
fn rewrite(file: &Path) {
    use std::io::Write;
    let mut other = tempfile::NamedTempFile::new_in(file.parent().unwrap()).unwrap();
    other.write_all(&std::fs::read(file).unwrap()).unwrap();
    other.persist(file).unwrap();
}

/// Planet's own hosts, with the simulator's authorization server, which listens on loopback. Kept
/// in its home, not in the user's.
fn session_at(simulator: &Simulator, options: &Options) -> Session {
    let deployment = std::fs::read_to_string(simulator.deployment_path()).unwrap();
    let mut deployment: serde_json::Value = serde_json::from_str(&deployment).unwrap();
    let planet: serde_json::Value =
        serde_json::from_str(include_str!("../src/deployments/planet.json")).unwrap();
    deployment["resource_servers"] = planet["resource_servers"].clone();
    let options = options.clone().with(|it| {
        it.deployment = Some(deployment.to_string());
        it.allow_insecure_loopback = Some(true);
        it.storage_root = Some(simulator.home().to_owned());
    });
    let settings = simulator.settings();
    Session::from_m2m(&settings.client_id, &settings.client_secret, &options).unwrap()
}

fn main() {
    // Without `--bench` this is `cargo test` or a look from the outside: once through is enough.
    let once = !std::env::args().any(|argument| argument == "--bench");
    let batches = if once { 1 } else { BATCHES };
    let simulator = std::env::var_os("PLANETKEY_SIMULATOR").is_none().then(|| {
        Simulator::start(Settings { token_lifetime: 86_400, ..Settings::default() }).unwrap()
    });
    let open = |options: &Options| match &simulator {
        None => Session::from_defaults(options).unwrap(),
        Some(simulator) => session_at(simulator, options),
    };
    let session = open(&Options::default());
    println!("# token\t{} bytes", session.access_token().unwrap().len());

    let clock = SystemClock;
    measure("floor: both clocks", batches, || clock.now());
    measure("access_token()", batches, || session.access_token().unwrap());
    measure("with_header(url)", batches, || session.with_header(black_box(API), str::len).unwrap());
    measure("with_header(tile url)", batches, || {
        session.with_header(black_box(TILE), str::len).unwrap()
    });
    measure("headers(url)", batches, || session.headers(black_box(API)).unwrap());
    measure("authorize(url)", batches, || session.authorize(black_box(API)).unwrap());
    let mut buffer = [0u8; 2048];
    measure("with_header(url) and copy", batches, || {
        session
            .with_header(black_box(API), |header| {
                buffer[..header.len()].copy_from_slice(header.as_bytes())
            })
            .unwrap();
        black_box(&mut buffer)[0]
    });
    // Every processor at once: a counter that all of them write shows here.
    let threads = std::thread::available_parallelism().map_or(1, usize::from).saturating_sub(1);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    black_box(session.with_header(black_box(API), str::len).unwrap());
                }
            });
        }
        measure("with_header(url), all processors", batches, || {
            session.with_header(black_box(API), str::len).unwrap()
        });
        stop.store(true, Ordering::Relaxed);
    });
    measure_the_watch(once, open);
}
