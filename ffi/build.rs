//! Sets the soname of the shared library, which programs record when they link it. Its number is
//! `planetkey_abi_version()`. Keeps the library loaded until the process ends.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libplanetkey.so.0");
        // A plug-in that links the library may be unloaded while a thread of it refreshes a token.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
