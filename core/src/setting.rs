//! Checks keys, ids, secrets and names that users set in variables, options and files. A mistake in
//! quoting or pasting is reported before anything is sent, because a server would only respond
//! `invalid_client`, and most such mistakes are invisible.

use crate::error::{Error, Result};
use crate::text::is_invisible;

/// Characters that look like nothing, or like a space.
const NAMES: &[(char, &str)] = &[
    ('\t', "TAB"),
    ('\u{a0}', "NO-BREAK SPACE"),
    ('\u{ad}', "SOFT HYPHEN"),
    ('\u{200b}', "ZERO WIDTH SPACE"),
    ('\u{200c}', "ZERO WIDTH NON-JOINER"),
    ('\u{200d}', "ZERO WIDTH JOINER"),
    ('\u{200e}', "LEFT-TO-RIGHT MARK"),
    ('\u{200f}', "RIGHT-TO-LEFT MARK"),
    ('\u{202a}', "LEFT-TO-RIGHT EMBEDDING"),
    ('\u{202b}', "RIGHT-TO-LEFT EMBEDDING"),
    ('\u{202c}', "POP DIRECTIONAL FORMATTING"),
    ('\u{202d}', "LEFT-TO-RIGHT OVERRIDE"),
    ('\u{202e}', "RIGHT-TO-LEFT OVERRIDE"),
    ('\u{202f}', "NARROW NO-BREAK SPACE"),
    ('\u{2060}', "WORD JOINER"),
    ('\u{2066}', "LEFT-TO-RIGHT ISOLATE"),
    ('\u{2067}', "RIGHT-TO-LEFT ISOLATE"),
    ('\u{2068}', "FIRST STRONG ISOLATE"),
    ('\u{2069}', "POP DIRECTIONAL ISOLATE"),
    ('\u{3000}', "IDEOGRAPHIC SPACE"),
    ('\u{feff}', "ZERO WIDTH NO-BREAK SPACE"),
];

/// Pairs of quotes: those of programs, and those with which word processors replace them.
const QUOTES: &[(char, char, &str)] = &[
    ('"', '"', "a double quote"),
    ('\'', '\'', "a single quote"),
    ('\u{201c}', '\u{201d}', "a typographic double quote"),
    ('\u{201e}', '\u{201c}', "a typographic double quote"),
    ('\u{201d}', '\u{201d}', "a typographic double quote"),
    ('\u{2018}', '\u{2019}', "a typographic single quote"),
    ('\u{2019}', '\u{2019}', "a typographic single quote"),
];

/// Checks a value. `name` says in the message where it was set: `client_secret`, `the environment
/// variable PL_API_KEY`.
///
/// All visible characters, spaces, and quotes that do not enclose the whole value are valid. The
/// message holds nothing of the value. Errors: INVALID_ARGUMENT.
pub fn check(name: &str, value: &str) -> Result<()> {
    match flaw(value) {
        None => Ok(()),
        Some(flaw) => Err(Error::invalid_argument(format!("{name} {flaw}"))),
    }
}

/// The problem with a value and what to do, for a message after its name.
pub(crate) fn flaw(value: &str) -> Option<String> {
    let (first, last) = (value.chars().next()?, value.chars().next_back()?);
    if first == '\u{feff}' {
        return Some("starts with a byte order mark (U+FEFF), which Windows programs write into files; remove it".to_owned());
    }
    if let Some(hidden) = value.chars().find(|c| is_invisible(*c)) {
        let found = match hidden {
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}'
                if value.trim_end().contains(hidden) =>
            {
                "contains a line break".to_owned()
            }
            '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => {
                "contains a line break at its end".to_owned()
            }
            hidden => format!("contains {}", named(hidden)),
        };
        return Some(format!("{found}; remove it, or copy the value again"));
    }
    let around = QUOTES.iter().find(|(opening, closing, _)| {
        value.len() > first.len_utf8() && (*opening, *closing) == (first, last)
    });
    if let Some((_, _, quote)) = around {
        return Some(format!(
            "starts with {quote} and ends with one; remove both: docker's --env-file, for one, keeps quotes as part of the value"
        ));
    }
    // A secret may begin and end with spaces (RFC 6749 A.2). Keys and names of profiles may not,
    // and are checked separately.
    let is_other_space = |c: char| c.is_whitespace() && c != ' ';
    match (is_other_space(first), is_other_space(last)) {
        (true, _) => Some(format!("starts with {}; remove it", named(first))),
        (_, true) => Some(format!("ends with {}; remove it", named(last))),
        _ => None,
    }
}

/// `U+200B ZERO WIDTH SPACE`, or only the code point.
fn named(c: char) -> String {
    let name = NAMES.iter().find(|(known, _)| *known == c).map(|(_, name)| format!(" {name}"));
    let kind = if c.is_control() { "the control character " } else { "" };
    format!("{kind}U+{:04X}{}", u32::from(c), name.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i10_18_legitimate_values_pass() {
        let legitimate = [
            "abc",
            "a\"b",
            "\"abc",
            "abc\"",
            "'abc\"",
            "a b",
            "p%C3%A4ss",
            "pässwörd",
            "=+/&?#{}[]<>|\\`~",
            "\"",
            "x'",
            "``",
            " abc ",
            "«x»",
            "日本",
        ];
        for value in legitimate {
            assert_eq!(flaw(value), None, "{value}");
        }
    }

    #[test]
    fn i10_18_what_was_found_is_named() {
        for (value, found) in [
            ("\"abc\"", "starts with a double quote and ends with one"),
            ("\"\"", "starts with a double quote and ends with one"),
            ("'abc'", "starts with a single quote and ends with one"),
            ("\u{201c}abc\u{201d}", "starts with a typographic double quote"),
            ("\u{201e}abc\u{201c}", "starts with a typographic double quote"),
            ("\u{feff}abc", "starts with a byte order mark"),
            ("\u{feff}\"abc\"", "starts with a byte order mark"),
            ("ab\u{feff}c", "contains U+FEFF ZERO WIDTH NO-BREAK SPACE"),
            ("abc\u{200b}", "contains U+200B ZERO WIDTH SPACE"),
            ("a\u{2062}bc", "contains U+2062"),
            ("a\nbc", "contains a line break;"),
            ("abc\r\n", "contains a line break at its end"),
            ("abc\n\n", "contains a line break at its end"),
            ("abc\u{2028}", "contains a line break at its end"),
            ("a\tbc", "contains the control character U+0009 TAB"),
            ("abc\u{0}", "contains the control character U+0000"),
            ("\u{3000}abc", "starts with U+3000 IDEOGRAPHIC SPACE"),
            ("abc\u{a0}", "ends with U+00A0 NO-BREAK SPACE"),
        ] {
            let flaw = flaw(value).unwrap_or_default();
            assert!(flaw.starts_with(found) && flaw.contains("remove"), "{value:?}: {flaw}");
            assert!(!flaw.contains("abc"), "{flaw}");
        }
    }
}
