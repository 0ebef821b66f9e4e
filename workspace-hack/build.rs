//! Without a build script Cargo leaves out the build dependencies.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
