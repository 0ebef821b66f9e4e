//! The layers of the core: a module imports only modules below it, and no files import each other
//! in a cycle.

#[path = "../../tests/structure/mod.rs"]
mod imports;

use std::path::Path;

use imports::Imports;

/// From the bottom up. A module imports only modules that are listed before it.
const LAYERS: [&str; 23] = [
    "text",
    "error",
    "secret",
    "secret_json",
    "clock",
    "user_namespace",
    "threads",
    "child",
    "file",
    "setting",
    "environment",
    "deployment",
    "jwt",
    "credential",
    "http",
    "oauth",
    "authorize",
    "storage",
    "profile",
    "client",
    "token_cache",
    "session",
    "login",
];

fn core() -> Imports {
    Imports::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn a_module_uses_only_the_layers_below_it() {
    assert_eq!(core().upward(&LAYERS), [""; 0], "a lower layer imports a higher one");
}

#[test]
fn the_imports_between_files_have_no_cycle() {
    let core = core();
    assert_eq!(core.cycles(), [""; 0], "files import each other in a cycle");
    assert!(core.count() > 50, "this test sees {} imports only", core.count());
}

#[test]
fn no_module_imports_from_the_root_of_the_crate() {
    assert_eq!(core().of_the_root(), [""; 0], "modules import what lib.rs re-exports");
}
