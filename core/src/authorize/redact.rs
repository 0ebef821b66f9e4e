//! Removes the secrets from a URL, for logs and messages.

use super::api_key::{PARAMETER, is_named};

const REDACTED: &str = "REDACTED";
/// Parameters whose value is a secret. A name matches if it contains these letters and digits, in
/// any case.
const SECRET_NAMES: [&str; 6] =
    ["apikey", "accesstoken", "refreshtoken", "idtoken", "clientsecret", "password"];
/// How often percent-encoding is decoded, and how many levels of URLs inside URLs are examined.
const DEPTH: usize = 3;
/// More passes than any text needs.
const MAX_PASSES: usize = 8;

/// The URL with its user information and the values of secret parameters replaced by `REDACTED`:
/// safe to log.
///
/// Parameters are found in the path, the query and the fragment, after `?`, `&`, `;`, `#` and `/`,
/// in any case and with a percent-encoded name. A parameter that holds a URL with a secret is
/// replaced as a whole. Accepts any text, including one that is not a URL.
pub fn redact_url(url: &str) -> String {
    let mut clean = redacted(url, DEPTH);
    // A redacted value may have held the slash that ended the authority, so look again until
    // nothing changes.
    for _ in 0..MAX_PASSES {
        let again = redacted(&clean, DEPTH);
        if again == clean {
            break;
        }
        clean = again;
    }
    clean
}

fn redacted(url: &str, depth: usize) -> String {
    let (mut clean, mut rest) = without_user(url);
    let mut part = '/';
    while !rest.is_empty() {
        let end = rest.find(['?', '&', ';', '#', '/']).unwrap_or(rest.len());
        let (segment, after) = rest.split_at(end);
        let name = segment.split('=').next().unwrap_or("");
        let value = value_of(rest, name, part);
        let is_secret = match value {
            Some(value) => is_secret(name) || depth > 0 && holds_secret_url(value, depth - 1),
            None => part == '?' && is_named(segment, PARAMETER),
        };
        rest = if is_secret {
            clean.push_str(if is_named(name, PARAMETER) { PARAMETER } else { name });
            clean.push('=');
            clean.push_str(REDACTED);
            value.map_or(after, |value| rest.get(name.len() + 1 + value.len()..).unwrap_or(""))
        } else {
            clean.push_str(segment);
            after
        };
        if let Some(separator) = rest.chars().next() {
            clean.push(separator);
            match (separator, part) {
                ('#', _) => part = '#',
                ('?', '/') => part = '?',
                _ => {}
            }
            rest = rest.get(separator.len_utf8()..).unwrap_or("");
        }
    }
    clean
}

/// The value after a name. In a path the next segment ends it; in a query and a fragment the next
/// `&` does. A `;` never ends it, because many servers read it as part of the value.
fn value_of<'a>(rest: &'a str, name: &str, part: char) -> Option<&'a str> {
    let value = rest.get(name.len()..)?.strip_prefix('=')?;
    let end = match part {
        '/' => value.find(['/', '?', '#', '&']),
        '?' => value.find(['&', '#']),
        _ => value.find('&'),
    };
    value.get(..end.unwrap_or(value.len()))
}

/// The part before the host with user information replaced, and the rest.
///
/// Covers the behavior of all parsers: some end the authority only at a slash, and some treat
/// backslashes as slashes.
fn without_user(url: &str) -> (String, &str) {
    let is_slash = |c: char| matches!(c, '/' | '\\') || c <= ' ';
    let scheme = url
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.') || c <= ' '))
        .unwrap_or(0);
    let start = match url.get(scheme..).and_then(|rest| rest.strip_prefix(':')) {
        Some(rest) if rest.starts_with(is_slash) => {
            url.len() - rest.trim_start_matches(is_slash).len()
        }
        _ => url.len() - url.trim_start_matches(is_slash).len(),
    };
    let (before, rest) = url.split_at(start);
    let authority = rest.split(['/', '\\']).next().unwrap_or("");
    match authority.rfind('@') {
        Some(at) => (format!("{before}{REDACTED}"), rest.get(at..).unwrap_or("")),
        None => (before.to_owned(), rest),
    }
}

fn is_secret(name: &str) -> bool {
    let letters: String = decoded(name)
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    SECRET_NAMES.iter().any(|secret| letters.contains(secret))
}

/// Whether a value is a URL, or encoded text, that contains a secret.
fn holds_secret_url(value: &str, depth: usize) -> bool {
    let clear = decoded(value);
    (clear != value || clear.contains("://")) && redacted(&clear, depth) != clear
}

/// Decodes percent-encoding repeatedly, up to a limit.
fn decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..DEPTH {
        if !text.contains('%') {
            break;
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            match (first, hex(0), hex(1)) {
                (b'%', Some(high), Some(low)) => {
                    bytes.push(u8::try_from(high * 16 + low).unwrap_or_default());
                    rest = after.get(2..).unwrap_or_default();
                }
                _ => {
                    bytes.push(*first);
                    rest = after;
                }
            }
        }
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}
