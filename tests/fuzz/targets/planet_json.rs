//! `.planet.json`: the input is the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::profile::{FixedEnvironment, Root, names, planet_json, precedence};
use planetkey::setting;
use planetkey::storage::python_json;
use planetkey_fuzz::{check_error, check_hidden, check_line, directory, with_canary};
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::sync::LazyLock;

const SECRETS: [&str; 3] = ["PL_AUTH_CLIENT_SECRET", "PL_API_KEY", "key"];

static PLACE: LazyLock<PathBuf> = LazyLock::new(directory);
static ROOT: LazyLock<Root> =
    LazyLock::new(|| Root::new(&FixedEnvironment::default(), Some(&PLACE)).expect("a directory"));

fuzz_target!(|data: &[u8]| {
    // A file that is not an object is reread for a quarter of a second, because another process may
    // be writing it.
    let Some(document) = python_json::parse(data) else { return };
    write(data);
    let (read, notes) = planet_json::read(&ROOT);
    notes.iter().for_each(|note| check_line(note, 1000));
    let member = |name: &str| used(&document, name);
    assert_eq!(
        (read.profile.as_deref(), read.client_id.as_deref()),
        (member("PL_AUTH_PROFILE"), member("PL_AUTH_CLIENT_ID"))
    );
    for (secret, name) in [
        (&read.client_secret, "PL_AUTH_CLIENT_SECRET"),
        (&read.api_key, "PL_API_KEY"),
        (&read.key, "key"),
    ] {
        assert_eq!(secret.as_ref().map(|secret| secret.expose()), member(name));
    }
    check_found(&document);
    if let Some(profile) = &read.profile {
        check_name(profile);
    }
    check_update(&document);
    if let Some(planted) = with_canary(&document, &SECRETS) {
        write(Value::from(planted).to_string().as_bytes());
        check_hidden(&format!("{:?}", planet_json::read(&ROOT)));
        check_hidden(&format!("{:?}", precedence::find(&FixedEnvironment::default(), &ROOT)));
    }
});

fn write(bytes: &[u8]) {
    std::fs::write(PLACE.join(".planet.json"), bytes).expect("a file");
}

/// A wrong member is no error: the rest of the file is used, and a credential needs all its parts.
/// A valid member. A member that was quoted or pasted wrongly becomes a note.
fn used<'a>(document: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    let text = document.get(name)?.as_str()?;
    (!text.is_empty() && setting::check(name, text).is_ok()).then_some(text)
}

fn check_found(document: &Map<String, Value>) {
    let (found, notes) =
        precedence::find(&FixedEnvironment::default(), &ROOT).expect("a file is never an error");
    notes.iter().for_each(|note| assert!(!note.chars().any(char::is_control), "{note:?}"));
    let has = |name: &str| used(document, name).is_some();
    let count = |part: &str| found.iter().filter(|found| found.source.contains(part)).count();
    assert_eq!(
        count("PL_AUTH_CLIENT_ID"),
        usize::from(has("PL_AUTH_CLIENT_ID") && has("PL_AUTH_CLIENT_SECRET"))
    );
    for found in &found {
        assert!(
            found.token_profile.as_deref().is_none_or(|profile| names::check(profile).is_ok()),
            "{found:?}"
        );
    }
}

/// Checks that a name is one directory below `.planet` or invalid.
fn check_name(profile: &str) {
    match ROOT.profile_directory(profile) {
        Ok(directory) => {
            assert_eq!(directory.parent(), Some(PLACE.join(".planet").as_path()), "{profile:?}");
            let name = directory.file_name().and_then(|name| name.to_str()).expect("a name");
            assert!(
                name.len() <= 255 && names::directory(name).is_ok_and(|again| again == name),
                "{profile:?}: {name:?}"
            );
        }
        Err(error) => check_error(&error),
    }
}

/// Checks that choosing a profile changes only that member.
fn check_update(document: &Map<String, Value>) {
    planet_json::set_profile(&ROOT, "chosen").expect("an object can be changed");
    let written = std::fs::read(PLACE.join(".planet.json")).expect("a file");
    let mut expected = document.clone();
    let already = document.get("PL_AUTH_PROFILE").and_then(Value::as_str) == Some("chosen");
    expected.insert("PL_AUTH_PROFILE".to_owned(), Value::from("chosen"));
    assert!(
        already || written == python_json::to_bytes(&expected),
        "{}",
        String::from_utf8_lossy(&written)
    );
    assert_eq!(planet_json::read(&ROOT).0.profile.as_deref(), Some("chosen"));
    planet_json::set_profile(&ROOT, "chosen").expect("it can be changed again");
    assert_eq!(
        std::fs::read(PLACE.join(".planet.json")).expect("a file"),
        written,
        "choosing it again writes nothing"
    );
}
