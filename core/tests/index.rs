//! Compares `tests/README.md` with the tests: every test that it names exists, every number has a
//! test, and no numbered test is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the tests of each number, as `path::name`, from the tables of the page.
fn table(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut table = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests] = cells.as_slice() else { continue };
        if is_number(number) {
            let named =
                tests.split("<br>").map(|test| test.trim().trim_matches('`').to_owned()).collect();
            assert!(table.insert((*number).to_owned(), named).is_none(), "{number} is there twice");
        }
    }
    table
}

/// Whether the text is a number like `a054` or `f007`.
fn is_number(text: &str) -> bool {
    text.len() == 4
        && text.starts_with(['a', 'f'])
        && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the numbered tests of a file in any language: names like `f091_...` or `test_f091_...`,
/// or in JavaScript the title `'f091 ...'` with underscores.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text =
        std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if path.extension().is_some_and(|extension| extension == "mjs") {
        let titles = text.split("test('").skip(1).filter_map(|rest| rest.split('\'').next());
        let names = titles.map(|title| title.replace(|c| !is_part(c), "_"));
        return names.filter(|name| numbered(name).is_some()).collect();
    }
    let mut names = BTreeSet::new();
    for (start, _) in
        text.char_indices().filter(|(start, c)| is_part(*c) && !text[..*start].ends_with(is_part))
    {
        let name: &str = text[start..].split(|c| !is_part(c)).next().unwrap();
        if numbered(name).is_some() {
            names.insert(name.to_owned());
        }
    }
    names
}

/// Returns the number in a test's name.
fn numbered(name: &str) -> Option<&str> {
    let name = name.strip_prefix("test_").unwrap_or(name);
    let number = name.get(..4).filter(|number| is_number(number))?;
    (name.as_bytes().get(4) == Some(&b'_') && name.len() > 6).then_some(number)
}

/// Directories and files that may contain numbered tests.
const SUITES: [&str; 17] = [
    "core/tests/conformance",
    "core/tests/faults",
    "core/tests/login",
    "core/tests/session",
    "core/tests/storage",
    "core/tests/profiles",
    "core/tests",
    "core/src/storage",
    "ffi/src",
    "bindings/cli/tests",
    "bindings/python/tests",
    "bindings/node/test",
    "tests/c",
    "tests/processes",
    "tests/peers",
    "tests/browser",
    "tests/peers/node",
];

fn page() -> String {
    std::fs::read_to_string(root().join("tests/README.md")).unwrap()
}

#[test]
fn every_test_of_the_page_exists_and_has_its_number() {
    let table = table(&page());
    for (number, tests) in &table {
        assert!(!tests.is_empty());
        for test in tests {
            let (file, name) = test
                .rsplit_once("::")
                .unwrap_or_else(|| panic!("{number}: {test:?} is no file::name"));
            assert!(
                tests_in(&root().join(file)).contains(name),
                "{number}: there is no test {name} in {file}"
            );
            assert_eq!(numbered(name), Some(number.as_str()), "{name}");
        }
    }
}

/// All numbers of the sections that this release covers have a test.
#[test]
fn every_number_has_a_test() {
    let table = table(&page());
    let assertions = (1..=119).map(|number| format!("a{number:03}"));
    // 52, 120 and 126 cannot have a test.
    let faults = (1..=51)
        .chain(53..=119)
        .chain(121..=125)
        .chain(127..=133)
        .map(|number| format!("f{number:03}"));
    let missing: Vec<String> =
        assertions.chain(faults).filter(|number| !table.contains_key(number)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// The page lists every test with a number in its name.
#[test]
fn every_numbered_test_is_on_the_page() {
    let table = table(&page());
    let named: BTreeSet<&str> =
        table.values().flatten().map(|test| test.rsplit_once("::").unwrap().1).collect();
    let mut missing = BTreeSet::new();
    for suite in SUITES {
        for file in std::fs::read_dir(root().join(suite)).unwrap().map(|file| file.unwrap().path())
        {
            let is_program = ["rs", "py", "mjs", "c", "cpp"]
                .iter()
                .any(|kind| file.extension().is_some_and(|is| is == *kind));
            if file.is_file() && is_program {
                let names = tests_in(&file);
                missing.extend(
                    names
                        .into_iter()
                        .filter(|name| !named.contains(name.as_str()))
                        .map(|name| format!("{}::{name}", file.display())),
                );
            }
        }
    }
    assert_eq!(missing, BTreeSet::new());
    assert!(named.len() > 200, "{}", named.len());
}
