//! The layers of the core, by its imports: a module uses only what is below it, and the files of a folder use each other in no circle.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// From the bottom up. A module uses only what stands before it.
const LAYERS: [&str; 22] = [
    "text",
    "error",
    "secret",
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

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.extension() {
            _ if path.is_dir() => files.extend(rust_files(&path)),
            Some(extension) if extension == "rs" => files.push(path),
            _ => {}
        }
    }
    files
}

/// The code of a file, without comments and without its own tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The names after `prefix`: `crate::a`, and each of `crate::{a, b::c}`.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let is_name = |character: &char| character.is_ascii_alphanumeric() || *character == '_';
    let first_name = |text: &str| text.trim_start().chars().take_while(is_name).collect::<String>();
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices(prefix) {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => names.extend(list.split(',').map(first_name)),
            None => drop(names.insert(first_name(rest))),
        }
    }
    names
}

fn module_of(path: &Path) -> String {
    let relative = path.strip_prefix(sources()).unwrap();
    relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

#[test]
fn a_module_uses_only_the_layers_below_it() {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut upward = Vec::new();
    let mut modules = BTreeSet::new();
    for path in rust_files(&sources()) {
        let module = module_of(&path);
        if module == "lib" {
            continue;
        }
        let own = layer(&module).unwrap_or_else(|| panic!("{module} is in no layer"));
        modules.insert(module.clone());
        let used = names_after(&code(&path), "crate::");
        let higher = used.iter().filter(|name| layer(name).is_some_and(|used| used > own));
        upward.extend(higher.map(|name| format!("{} uses {name}", path.strip_prefix(sources()).unwrap().display())));
    }
    assert_eq!(upward, [""; 0], "a lower layer uses a higher one");
    assert_eq!(modules.len(), LAYERS.len(), "a layer has no module");
}

#[test]
fn the_files_of_a_folder_use_each_other_in_no_circle() {
    let mut circles = Vec::new();
    let mut edges = 0;
    let directories: BTreeSet<PathBuf> =
        rust_files(&sources()).iter().map(|path| path.parent().unwrap().to_owned()).filter(|path| *path != sources()).collect();
    for directory in directories {
        let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        let files: Vec<PathBuf> = rust_files(&directory).into_iter().filter(|path| path.parent().unwrap() == directory).collect();
        let names: BTreeSet<String> = files.iter().map(name).filter(|name| name != "mod").collect();
        let inside = directory.strip_prefix(sources()).unwrap();
        let absolute = format!("crate::{}::", inside.iter().map(|part| part.to_str().unwrap()).collect::<Vec<_>>().join("::"));
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for path in files.iter().filter(|path| name(path) != "mod") {
            let code = code(path);
            let mut used = names_after(&code, "super::");
            used.extend(names_after(&code, &absolute));
            used.retain(|used| names.contains(used) && *used != name(path));
            edges += used.len();
            uses.insert(name(path), used);
        }
        // What uses nothing that is left is taken away; what stays is in a circle, or uses one.
        while let Some(free) =
            uses.iter().find(|(_, used)| used.iter().all(|name| !uses.contains_key(name))).map(|(name, _)| name.clone())
        {
            uses.remove(&free);
        }
        circles.extend(uses.keys().map(|name| format!("{}/{name}", inside.display())));
    }
    assert_eq!(circles, [""; 0], "files use each other in a circle");
    assert!(edges > 50, "this test sees {edges} imports only");
}
