//! Gives the shared library the name that programs record when they link it; the number is `planetkey_abi_version()`.
//! The library stays loaded until the process ends.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libplanetkey.so.0");
        // A plug-in that links the library may be unloaded while a thread of the library refreshes a token.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
