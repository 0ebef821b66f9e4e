//! include/planetkey.h is what cbindgen generates from this crate, and contains every promised
//! name.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn crate_directory() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn header_path() -> PathBuf {
    crate_directory().join("../include/planetkey.h")
}

fn version_macros() -> String {
    // All numbers come from Cargo's version.
    format!(
        "#define PLANETKEY_VERSION \"{}\"\n#define PLANETKEY_VERSION_MAJOR {}\n#define PLANETKEY_VERSION_MINOR {}\n\
         #define PLANETKEY_VERSION_PATCH {}\n/** The number in the name of the shared library that this header belongs to. */\n\
         #define PLANETKEY_ABI_VERSION {}\n",
        env!("CARGO_PKG_VERSION"),
        env!("CARGO_PKG_VERSION_MAJOR"),
        env!("CARGO_PKG_VERSION_MINOR"),
        env!("CARGO_PKG_VERSION_PATCH"),
        planetkey_ffi::planetkey_abi_version(),
    )
}

fn generate() -> String {
    let mut config = cbindgen::Config::from_file(crate_directory().join("cbindgen.toml")).unwrap();
    let after_includes = config.after_includes.take().unwrap_or_default();
    config.after_includes =
        Some(format!("{}\n\n{}", after_includes.trim_end_matches('\n'), version_macros()));
    let bindings = cbindgen::Builder::new()
        .with_crate(crate_directory())
        .with_config(config)
        .generate()
        .unwrap();
    let mut header = Vec::new();
    bindings.write(&mut header);
    // clang accepts an attribute of the standard only before one of the compiler, and cbindgen has
    // a fixed order.
    let header = String::from_utf8(header).unwrap();
    let swapped = ["\n", " "].into_iter().fold(header, |header, space| {
        let (api, nodiscard) = ("PLANETKEY_API", "PLANETKEY_NODISCARD");
        header.replace(
            &format!("{api}{space}{nodiscard}{space}"),
            &format!("{nodiscard}{space}{api}{space}"),
        )
    });
    without_tags(&swapped)
}

/// Removes the tags of enumerations for C before C23: a typedef has the name, and C++ allows one
/// name only (-Wc++-compat).
fn without_tags(header: &str) -> String {
    const TYPED: &str = "\n#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L\n  : int32_t\n";
    let mut result = String::new();
    let mut rest = header;
    while let Some(end) = rest.find(TYPED) {
        let start = rest[..end].rfind("\nenum ").unwrap() + "\nenum".len();
        let typed = TYPED.replace("  : int32_t", &format!(" {} : int32_t", &rest[start..end]));
        result.extend([&rest[..start], &typed]);
        rest = &rest[end + TYPED.len()..];
    }
    result + rest
}

/// Everything in a C header that is not a comment.
fn code(header: &str) -> String {
    let mut code = String::new();
    let mut rest = header;
    while let Some(start) = rest.find("/*") {
        code.push_str(&rest[..start]);
        let end = rest[start..].find("*/").expect("a comment ends");
        rest = &rest[start + end + 2..];
    }
    code.push_str(rest);
    code
}

fn names(header: &str) -> BTreeSet<String> {
    code(header)
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with("planetkey_") || word.starts_with("PLANETKEY_"))
        // The include guard, and the macro for static linking, which a program defines.
        .filter(|word| !matches!(*word, "PLANETKEY_H" | "PLANETKEY_STATIC"))
        .map(str::to_owned)
        .collect()
}

fn functions(header: &str) -> BTreeSet<String> {
    let code = code(header);
    let mut functions = BTreeSet::new();
    for (position, _) in code.match_indices('(') {
        let word = code[..position]
            .rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default();
        if word.starts_with("planetkey_") {
            functions.insert(word.to_owned());
        }
    }
    functions
}

fn header() -> String {
    fs::read_to_string(header_path()).unwrap()
}

#[test]
fn header_is_up_to_date() {
    let made = generate();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        fs::write(header_path(), &made).unwrap();
    }
    assert!(
        header() == made,
        "include/planetkey.h differs from the source; run UPDATE_HEADER=1 cargo test --release -p planetkey-ffi --test main header"
    );
}

#[test]
fn the_version_is_that_of_cargo() {
    // SAFETY: the function returns static text.
    let version = unsafe { std::ffi::CStr::from_ptr(planetkey_ffi::planetkey_version()) };
    assert_eq!(version.to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    assert_eq!(planetkey::VERSION, env!("CARGO_PKG_VERSION"));
    assert!(
        header().contains(&format!("#define PLANETKEY_VERSION \"{}\"", env!("CARGO_PKG_VERSION")))
    );
}

/// `ffi/abi/symbols-in-versions` only grows. A line has a name, the version that introduced it, and
/// the version that removed it, if any.
#[test]
fn every_name_is_in_symbols_in_versions() {
    let list = fs::read_to_string(crate_directory().join("abi/symbols-in-versions")).unwrap();
    let number = |version: &str| {
        let parts: Vec<u32> =
            version.split('.').map(|part| part.parse().expect("a number")).collect();
        assert_eq!(parts.len(), 3, "{version}");
        parts
    };
    let mut present = BTreeSet::new();
    let mut introduced_before = number("0.0.0");
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (name, introduced, removed) = match words[..] {
            [name, introduced] => (name, introduced, None),
            [name, introduced, removed] => (name, introduced, Some(removed)),
            _ => panic!("not a valid line: {line}"),
        };
        let introduced = number(introduced);
        assert!(introduced >= introduced_before, "{name}: new names belong at the end");
        assert!(introduced <= number(env!("CARGO_PKG_VERSION")), "{name} is of a later version");
        introduced_before = introduced;
        if removed.is_none() {
            assert!(present.insert(name.to_owned()), "{name} is listed twice");
        }
    }
    let names = names(&header());
    let missing: Vec<_> = names.difference(&present).collect();
    let gone: Vec<_> = present.difference(&names).collect();
    assert!(missing.is_empty(), "append to ffi/abi/symbols-in-versions: {missing:?}");
    assert!(gone.is_empty(), "promised, but missing in the header: {gone:?}");
}

/// The comment of each function names its first version and all parameters.
#[test]
fn every_function_is_documented() {
    let header = header();
    for function in functions(&header) {
        let position = header.find(&format!("{function}(")).unwrap();
        // The last comment before the declaration, because earlier comments may name the function
        // too.
        let position = header[position..]
            .match_indices(&format!("{function}("))
            .map(|(offset, _)| position + offset)
            .find(|position| header[..*position].rfind("*/") > header[..*position].rfind("/*"))
            .unwrap_or_else(|| panic!("{function} is not declared"));
        let start = header[..position].rfind("/**").expect("a comment");
        let comment = &header[start..position];
        assert!(comment.contains("Since "), "{function} does not name its first version");
        let declaration =
            &header[position..position + header[position..].find(';').expect("a declaration ends")];
        let parameters = declaration[declaration.find('(').unwrap() + 1..].trim_end_matches(')');
        for parameter in parameters.split(',').filter(|parameter| parameter.trim() != "void") {
            let name =
                parameter.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap();
            let documented = ["[in]", "[out]", "[in,out]"]
                .iter()
                .any(|way| comment.contains(&format!("@param{way} {name} ")));
            assert!(documented, "{function} does not document {name}");
        }
    }
}

/// tests/c/null.c calls every function with NULL.
#[test]
fn every_function_is_called_with_null_from_c() {
    let source = fs::read_to_string(crate_directory().join("../tests/c/null.c")).unwrap();
    for function in functions(&header()).iter().filter(|name| {
        !matches!(
            name.as_str(),
            "planetkey_version"
                | "planetkey_abi_version"
                | "planetkey_status_name"
                | "planetkey_options_new"
        )
    }) {
        assert!(
            source.contains(&format!("{function}(")),
            "tests/c/null.c does not call {function}"
        );
    }
}

/// The shared library exports the functions of the header and nothing else, and its soname is the
/// one that programs record.
#[cfg(target_os = "linux")]
#[test]
fn shared_library_exports_the_functions_of_the_header() {
    let library = std::env::current_exe().unwrap().parent().unwrap().join("libplanetkey_ffi.so");
    let run = |program: &str, argument: &str| {
        let output = Command::new(program).arg(argument).arg(&library).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let exported: BTreeSet<String> = run("nm", "-D")
        .lines()
        .filter_map(|line| match line.split_whitespace().collect::<Vec<_>>()[..] {
            [_, kind, name] if kind != "U" && kind != "w" => {
                Some(name.split('@').next().unwrap_or(name).to_owned())
            }
            _ => None,
        })
        .collect();
    assert_eq!(exported, functions(&header()));
    let soname = format!("[libplanetkey.so.{}]", planetkey_ffi::planetkey_abi_version());
    assert!(
        run("readelf", "-d").lines().any(|line| line.contains("SONAME") && line.contains(&soname))
    );
}
