//! The error taxonomy as data: `tests/vectors/errors.json` lists what the core does, and the tests
//! of every language compare with that file.

use planetkey::{Error, Reason, Status};
use std::path::PathBuf;

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/errors.json")
}

#[test]
fn the_vectors_match_the_statuses_and_reasons_of_the_core() {
    let wanted = format!("{}\n", serde_json::to_string_pretty(&planetkey::catalogue()).unwrap());
    if std::env::var_os("UPDATE_VECTORS").is_some_and(|value| value == "1") {
        std::fs::create_dir_all(file().parent().unwrap()).unwrap();
        std::fs::write(file(), &wanted).unwrap();
    }
    let present = std::fs::read_to_string(file()).unwrap();
    assert_eq!(
        present, wanted,
        "tests/vectors/errors.json is out of date; run this test with UPDATE_VECTORS=1"
    );
}

/// The table of the design, section 4. Numbers are stable and never reused.
#[test]
fn status_numbers_and_names_are_stable() {
    let design = [
        (1, "INVALID_ARGUMENT"),
        (2, "MISCONFIGURED"),
        (3, "LOGIN_REQUIRED"),
        (4, "DENIED"),
        (5, "HOST_REFUSED"),
        (6, "UNAVAILABLE"),
        (7, "TIMEOUT"),
        (8, "CANCELLED"),
        (9, "PROTOCOL"),
        (10, "STORAGE"),
        (11, "TOKEN_INVALID"),
        (12, "UNSUPPORTED"),
        (13, "INTERNAL"),
    ];
    let core: Vec<(i32, &str)> =
        Status::ALL.iter().map(|status| (status.number(), status.name())).collect();
    assert_eq!(core, design);
    for status in Status::ALL {
        assert_eq!(Status::from_number(status.number()), Some(status));
        assert!(!status.advice().is_empty());
    }
    for number in [-1, 0, 14, i32::MAX, i32::MIN] {
        assert_eq!(Status::from_number(number), None);
    }
}

#[test]
fn login_required_has_the_reasons_of_the_design() {
    let of_login = Reason::ALL.iter().filter(|reason| reason.status() == Status::LoginRequired);
    let names: Vec<&str> = of_login.map(|reason| reason.name()).collect();
    assert_eq!(names, ["never_logged_in", "expired", "revoked", "logged_out", "corrupt"]);
    for reason in Reason::ALL {
        assert_eq!(
            Reason::from_name(reason.name()),
            Some(*reason),
            "each name belongs to one reason"
        );
        assert_eq!(reason.to_string(), reason.name());
    }
    assert_eq!(Reason::from_name("EXPIRED"), None);
}

#[test]
fn untrusted_text_becomes_one_short_printable_line() {
    let evil = "first\r\nsecond\u{1b}[31m\u{202e}\u{2028}third\0";
    let error =
        Error::new(Status::Protocol, evil).with_oauth_error(evil, Some(&"long ".repeat(1000)));
    for text in
        [error.message(), error.oauth_error().unwrap(), &error.to_string(), &format!("{error:?}")]
    {
        assert!(text.contains("first") && text.contains("third"), "{text}");
        assert!(
            !text.chars().any(|c| c.is_control() || ('\u{2028}'..='\u{202e}').contains(&c)),
            "{text:?}"
        );
    }
    assert!(error.oauth_error_description().unwrap().chars().count() <= 401);
    assert_eq!(error.to_string(), format!("PROTOCOL: {}", error.message()));
}

#[test]
fn an_error_names_its_cause() {
    use std::error::Error as _;
    let error = Error::new(Status::Storage, "the file cannot be read");
    assert!(error.source().is_none());
    let error =
        error.with_source(std::io::Error::from(std::io::ErrorKind::PermissionDenied)).clone();
    let source = error.source().and_then(|source| source.downcast_ref::<std::io::Error>());
    assert_eq!(source.map(std::io::Error::kind), Some(std::io::ErrorKind::PermissionDenied));
}

#[test]
fn only_temporary_failures_are_retryable() {
    for status in Status::ALL {
        let wanted = matches!(status, Status::Unavailable | Status::Timeout);
        assert_eq!(Error::new(status, "x").retryable(), wanted, "{status}");
    }
    assert!(Error::new(Status::Protocol, "x").with_retryable(true).retryable());
}

/// Every character of the categories that are invisible or control a terminal, and those that are
/// blank in other ways.
#[test]
fn i9_14a_a_message_holds_no_invisible_character() {
    use unicode_general_category::{GeneralCategory, get_general_category};
    let blank = "\u{2800}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{3164}\u{ffa0}\u{fe0f}\u{e0100}\u{2065}\u{e0fff}";
    let is_bad = |c: char| {
        use GeneralCategory::{Control, Format, LineSeparator, ParagraphSeparator};
        matches!(get_general_category(c), Control | Format | LineSeparator | ParagraphSeparator)
            || blank.contains(c)
    };
    let mut count = 0;
    for c in ('\0'..=char::MAX).filter(|c| is_bad(*c)) {
        count += 1;
        assert!(planetkey::text::is_invisible(c), "U+{:04X}", u32::from(c));
        let text = format!("before{c}after");
        let error = Error::new(Status::Protocol, &text)
            .with_oauth_error(&text, Some(&text))
            .with_profile(Some(&text));
        for shown in [
            error.message(),
            error.oauth_error().unwrap(),
            error.oauth_error_description().unwrap(),
            error.profile().unwrap(),
        ] {
            assert_eq!(shown, "before after", "U+{:04X}", u32::from(c));
        }
        let json = serde_json::to_string(&text).unwrap();
        let shown = planetkey::text::printable_json(&json);
        assert!(!shown.chars().any(is_bad), "{shown:?}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }
    assert!(count > 230, "{count}");
    // Letters, marks, right-to-left scripts, other spaces and symbols are not removed.
    let text = "Zürich 日本語 العربية עברית e\u{301} \u{a0}\u{3000}\u{1f30d} ¿ẞ";
    assert_eq!(planetkey::text::printable(text), text);
}
