//! Links the addon as Node wants it.
fn main() {
    napi_build::setup();
}
