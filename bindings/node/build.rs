//! Links the addon as Node needs it.
fn main() {
    napi_build::setup();
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Node unloads an addon with the last worker that uses it. A thread of the addon may still
        // run.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
