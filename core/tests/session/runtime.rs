//! Callers inside an async runtime: HTTP must not meet the runtime on their thread.

use crate::common::*;

#[test]
fn f109_a_caller_inside_an_async_runtime() {
    let logs = logs();
    let simulator = simulator();
    let session = simulator_session(&simulator, &simulator_options(&simulator));
    let single = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let several = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    for runtime in [single, several] {
        let inside = session.clone();
        let token = runtime.block_on(async move {
            inside.refresh().unwrap();
            inside.access_token().unwrap().to_string()
        });
        assert_eq!(token, *session.access_token().unwrap());
        let task = session.clone();
        let url = format!("{}/data/v1", simulator.planet_api());
        runtime.block_on(async { tokio::spawn(async move { task.headers(&url).unwrap() }).await.unwrap() });
    }
    assert_eq!(simulator.count("m2m.token").unwrap(), 2);
    // A debug build of reqwest panics inside a runtime; this one must not be there either.
    let (outside, inside) = logs.blocking_client();
    assert!(outside > 0 && inside == 0, "{outside} {inside}");
}
