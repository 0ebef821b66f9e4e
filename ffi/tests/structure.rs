//! The imports between the modules of the C library, of the GDAL support and of the bindings: none
//! is in a cycle, and none goes to a higher layer.

#[path = "../../tests/structure/mod.rs"]
mod imports;

use std::path::Path;

use imports::Imports;

/// The C library, from the bottom up.
const FFI_LAYERS: [&str; 28] = [
    "text",
    "status",
    "handle",
    "error",
    "boundary",
    "input",
    "string",
    "version",
    "exit",
    "user_data",
    "url",
    "options_handle",
    "log",
    "storage",
    "options",
    "session",
    "provider",
    "session_info",
    "authorization",
    "authorize",
    "prompt",
    "login_options",
    "login_result",
    "login",
    "logout",
    "identity",
    "gdal_options",
    "gdal",
];

/// The GDAL support, from the bottom up.
const GDAL_LAYERS: [&str; 12] = [
    "loaded",
    "functions",
    "names",
    "options",
    "change_lock",
    "library",
    "header_lines",
    "conflict",
    "installation",
    "header_file",
    "fetch",
    "gdal",
];

fn imports_of(package: &str) -> Imports {
    Imports::of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(package).join("src"))
}

#[test]
fn a_module_of_the_c_library_uses_only_the_layers_below_it() {
    assert_eq!(
        imports_of("ffi").upward(&FFI_LAYERS),
        [""; 0],
        "a lower layer imports a higher one"
    );
}

#[test]
fn a_module_of_the_gdal_support_uses_only_the_layers_below_it() {
    assert_eq!(
        imports_of("ffi/gdal").upward(&GDAL_LAYERS),
        [""; 0],
        "a lower layer imports a higher one"
    );
}

#[test]
fn no_modules_import_each_other_in_a_cycle() {
    for (package, least) in [
        ("ffi", 100),
        ("ffi/gdal", 15),
        ("bindings/support", 1),
        ("bindings/cli", 10),
        ("bindings/python", 15),
        ("bindings/node", 10),
    ] {
        let imports = imports_of(package);
        assert_eq!(imports.cycles(), [""; 0], "modules of {package} import each other in a cycle");
        assert!(
            imports.count() >= least,
            "this test sees {} imports of {package} only",
            imports.count()
        );
    }
}

#[test]
fn no_module_imports_from_the_root_of_its_crate() {
    for package in
        ["ffi", "ffi/gdal", "bindings/support", "bindings/cli", "bindings/python", "bindings/node"]
    {
        assert_eq!(
            imports_of(package).of_the_root(),
            [""; 0],
            "modules of {package} import what lib.rs re-exports"
        );
    }
}

/// A crate whose modules import each other in a cycle, and one of them from the root.
#[test]
fn a_cycle_is_found() {
    let directory =
        std::env::temp_dir().join(format!("planetkey-structure-{}", std::process::id()));
    std::fs::create_dir_all(directory.join("c")).unwrap();
    let write = |name: &str, code: &str| std::fs::write(directory.join(name), code).unwrap();
    write("lib.rs", "pub use a::A;");
    write("a.rs", "use crate::{b::{B, D}, c::C};");
    write("b.rs", "fn f() { crate::c::d::g() }");
    write("c/mod.rs", "mod d;");
    write("c/d.rs", "// crate::a::A\nuse crate::b::B;\nuse crate::A;");
    let imports = Imports::of(&directory);
    let (cycles, upward, root) =
        (imports.cycles(), imports.upward(&["b", "c", "a"]), imports.of_the_root());
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(cycles, ["a", "b", "c"]);
    assert_eq!(upward, ["b.rs uses c"]);
    assert_eq!(root, ["c/d.rs uses crate::A"]);
}
