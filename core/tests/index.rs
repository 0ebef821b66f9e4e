//! `tests/README.md` against the tests: every test that it names exists, every number has one, and none is left out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The tests of each number, as `path::name`, from the tables of the page.
fn table(page: &str) -> BTreeMap<String, Vec<String>> {
    let mut table = BTreeMap::new();
    for line in page.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        let [number, _, tests] = cells.as_slice() else { continue };
        if is_number(number) {
            let named = tests.split("<br>").map(|test| test.trim().trim_matches('`').to_owned()).collect();
            assert!(table.insert((*number).to_owned(), named).is_none(), "{number} stands there twice");
        }
    }
    table
}

/// `a054` or `f007`.
fn is_number(text: &str) -> bool {
    text.len() == 4 && text.starts_with(['a', 'f']) && text[1..].bytes().all(|byte| byte.is_ascii_digit())
}

/// The test functions of a Rust file: what follows `#[test]`.
fn tests_in(path: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut names = BTreeSet::new();
    let mut marked = false;
    for line in text.lines().map(str::trim) {
        if line == "#[test]" {
            marked = true;
        } else if let Some(rest) = line.strip_prefix("fn ")
            && std::mem::take(&mut marked)
        {
            names.insert(rest.split('(').next().unwrap().to_owned());
        }
    }
    names
}

fn page() -> String {
    std::fs::read_to_string(root().join("tests/README.md")).unwrap()
}

#[test]
fn every_test_that_the_page_names_exists_and_carries_its_number() {
    let table = table(&page());
    for (number, tests) in &table {
        assert!(!tests.is_empty());
        for test in tests {
            let (file, name) = test.rsplit_once("::").unwrap_or_else(|| panic!("{number}: {test:?} is no file::name"));
            assert!(tests_in(&root().join(file)).contains(name), "{number}: there is no test {name} in {file}");
            assert!(name.starts_with(&format!("{number}_")), "{number}: {name}");
        }
    }
}

/// The numbers of the sections that this release answers for.
#[test]
fn no_number_is_missing() {
    let table = table(&page());
    let assertions = (1..=10).chain(52..=59).chain(69..=77).chain(92..=102).map(|number| format!("a{number:03}"));
    // 33 to 36 are about metadata and keys, 52 is not testable.
    let faults = (1..=32).chain(37..=51).chain(53..=55).map(|number| format!("f{number:03}"));
    let missing: Vec<String> = assertions.chain(faults).filter(|number| !table.contains_key(number)).collect();
    assert_eq!(missing, Vec::<String>::new());
}

/// A test whose name carries a number stands on the page, unless it is the other half of one that does.
#[test]
fn every_numbered_test_is_on_the_page() {
    let table = table(&page());
    let named: BTreeSet<&str> = table.values().flatten().map(|test| test.rsplit_once("::").unwrap().1).collect();
    let mut numbered = 0;
    for suite in ["conformance", "faults", "session"] {
        for file in std::fs::read_dir(root().join("core/tests").join(suite)).unwrap() {
            for name in tests_in(&file.unwrap().path()) {
                if !is_number(name.get(..4).unwrap_or("")) || name == "f049_child_that_lives_in_another_environment" {
                    continue;
                }
                numbered += 1;
                assert!(named.contains(name.as_str()), "{name} is not in tests/README.md");
            }
        }
    }
    assert!(numbered > 90, "{numbered}");
}
