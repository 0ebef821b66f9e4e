//! Callers inside an async runtime: the blocking HTTP client must not run on their thread.

use crate::common::*;

#[test]
fn f109_a_caller_may_be_inside_an_async_runtime() {
    let logs = logs();
    let simulator = simulator();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // A thread that is inside the runtime and does not drive it, as in a runtime with several
    // threads.
    let several = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (runtime, is_driven) in [(single, true), (several, false)] {
        let inside = session.clone();
        let ask = move || {
            inside.refresh().unwrap();
            inside.access_token().unwrap().to_string()
        };
        let token = match is_driven {
            true => runtime.block_on(async { ask() }),
            false => std::thread::scope(|scope| {
                let worker = scope.spawn(|| {
                    let _entered = runtime.enter();
                    ask()
                });
                worker.join().unwrap()
            }),
        };
        assert_eq!(token, *session.access_token().unwrap());
        let task = session.clone();
        let url = format!("{}/data/v1", simulator.planet_api());
        runtime.block_on(async {
            tokio::spawn(async move { task.headers(&url).unwrap() }).await.unwrap()
        });
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    // A debug build of reqwest's blocking client panics inside a runtime. No build may run it
    // there.
    let (outside, inside) = logs.blocking_client();
    assert!(outside > 0 && inside == 0, "{outside} {inside}");
}
