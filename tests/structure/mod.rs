//! Which module of a crate imports which, read from the source text. The tests of the crates use
//! it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The imports between the modules of a crate.
pub struct Imports {
    sources: PathBuf,
    files: Vec<PathBuf>,
}

impl Imports {
    /// The imports of the crate whose source files are below `sources`.
    pub fn of(sources: &Path) -> Imports {
        let files = rust_files(sources);
        assert!(!files.is_empty(), "{} has no source files", sources.display());
        Imports { sources: sources.to_owned(), files }
    }

    /// The modules in the crate's root.
    pub fn modules(&self) -> BTreeSet<String> {
        self.children(&self.sources)
    }

    /// The imports of a module that is above the importing one in `layers`, which lists all modules
    /// of the root from the bottom up.
    pub fn upward(&self, layers: &[&str]) -> Vec<String> {
        let listed: BTreeSet<String> = layers.iter().map(|layer| (*layer).to_owned()).collect();
        assert_eq!(listed, self.modules(), "every module is in exactly one layer");
        let layer = |name: &str| layers.iter().position(|layer| *layer == name);
        let mut upward = Vec::new();
        for (module, file) in self.files_of_children(&self.sources) {
            for used in names_after(&code(&file), "crate::") {
                if layer(&used) > layer(&module) {
                    upward.push(format!("{} uses {used}", self.relative(&file)));
                }
            }
        }
        upward
    }

    /// The modules that import each other in a cycle, or import such modules. Every folder is a
    /// graph of its own: its nodes are the files and folders in it. The file that declares them is
    /// no node.
    pub fn cycles(&self) -> Vec<String> {
        let mut cycles = Vec::new();
        for directory in self.directories() {
            let mut uses = self.uses_within(&directory);
            // Remove modules that import nothing of the rest, until none is left or all are in a
            // cycle.
            let is_free = |uses: &BTreeMap<String, BTreeSet<String>>| {
                let free =
                    uses.iter().find(|(_, used)| used.iter().all(|name| !uses.contains_key(name)));
                free.map(|(name, _)| name.clone())
            };
            while let Some(free) = is_free(&uses) {
                uses.remove(&free);
            }
            cycles.extend(uses.keys().map(|name| self.relative(&directory.join(name))));
        }
        cycles
    }

    /// The number of imports that [`Imports::cycles`] looks at.
    pub fn count(&self) -> usize {
        self.directories()
            .iter()
            .flat_map(|directory| self.uses_within(directory).into_values())
            .map(|used| used.len())
            .sum()
    }

    /// The imports of items that the crate's root declares or re-exports: modules are imported
    /// directly.
    pub fn of_the_root(&self) -> Vec<String> {
        let modules = self.modules();
        let mut imports = Vec::new();
        for (_, file) in self.files_of_children(&self.sources) {
            let used = names_after(&code(&file), "crate::")
                .into_iter()
                .filter(|name| !modules.contains(name));
            imports.extend(used.map(|name| format!("{} uses crate::{name}", self.relative(&file))));
        }
        imports
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.sources).unwrap().display().to_string()
    }

    fn directories(&self) -> BTreeSet<PathBuf> {
        self.files.iter().map(|file| file.parent().unwrap().to_owned()).collect()
    }

    /// The modules that are files or folders of a directory.
    fn children(&self, directory: &Path) -> BTreeSet<String> {
        self.files_of_children(directory).into_iter().map(|(name, _)| name).collect()
    }

    /// Each file below a directory with the module of this directory that it belongs to.
    fn files_of_children(&self, directory: &Path) -> Vec<(String, PathBuf)> {
        let child = |file: &PathBuf| {
            let below = file.strip_prefix(directory).ok()?;
            let name = below.iter().next()?.to_str().unwrap().trim_end_matches(".rs").to_owned();
            let declares =
                below.components().count() == 1 && matches!(name.as_str(), "lib" | "main" | "mod");
            (!declares).then(|| (name, file.clone()))
        };
        self.files.iter().filter_map(child).collect()
    }

    fn uses_within(&self, directory: &Path) -> BTreeMap<String, BTreeSet<String>> {
        let children = self.children(directory);
        let inside = directory.strip_prefix(&self.sources).unwrap();
        let absolute: String =
            inside.iter().map(|part| format!("{}::", part.to_str().unwrap())).collect();
        let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (child, file) in self.files_of_children(directory) {
            let code = code(&file);
            let mut used = names_after(&code, &format!("crate::{absolute}"));
            // From a file of this directory `super` is the directory, from one below it is not.
            if file.parent() == Some(directory) {
                used.extend(names_after(&code, "super::"));
            }
            used.retain(|name| children.contains(name) && *name != child);
            uses.entry(child).or_default().extend(used);
        }
        uses
    }
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

/// The code of a file, without its comments and without its tests.
fn code(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    text.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The names after `prefix`: `a` of `crate::a::b`, and each of `crate::{a, b::{c, d}}`.
fn names_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let continues =
        |before: &str| before.ends_with(|character: char| is_name(character) || character == ':');
    for (at, _) in code.match_indices(prefix).filter(|(at, _)| !continues(&code[..*at])) {
        let rest = &code[at + prefix.len()..];
        let list = rest.strip_prefix('{').map_or_else(|| vec![rest], items);
        names.extend(
            list.into_iter()
                .map(|item| item.trim_start().chars().take_while(|c| is_name(*c)).collect()),
        );
    }
    names.remove("");
    names
}

/// The items of a list in braces, after its opening one.
fn items(list: &str) -> Vec<&str> {
    let (mut items, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            '}' => {
                items.push(&list[start..at]);
                break;
            }
            ',' if depth == 0 => {
                items.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}
