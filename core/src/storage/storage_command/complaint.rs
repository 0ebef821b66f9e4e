//! What a program wrote to standard error, without the secrets that it may have repeated: a script
//! that runs under `set -x` shows everything.

use crate::text::one_line;
use serde_json::Value;
use zeroize::Zeroizing;

const HIDDEN: &str = "[hidden]";
/// A word of at least this length with a letter and a digit may be a token.
const SUSPICIOUS_LENGTH: usize = 20;
/// A shorter value of the session, such as a scope, is not replaced.
const SECRET_LENGTH: usize = 6;
/// The members of a session that are secret.
const SECRET_MEMBERS: [&str; 3] = ["access_token", "refresh_token", "id_token"];
const LONGEST_LINE: usize = 300;

/// The line with every known secret and every word that may be one replaced. `documents`: what the
/// program got and what it returned.
pub(super) fn without_secrets(line: &str, documents: &[&[u8]]) -> String {
    let mut line = Zeroizing::new(line.to_owned());
    for document in documents {
        for secret in secrets(document) {
            line = Zeroizing::new(line.replace(secret.as_str(), HIDDEN));
        }
    }
    let mut shown = String::new();
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || "._~+-=".contains(c);
    let mut rest = line.as_str();
    while !rest.is_empty() {
        let (word, after) = rest.split_at(rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()));
        shown.push_str(if is_suspicious(word) { HIDDEN } else { word });
        let (between, next) = after.split_at(after.find(is_of_word).unwrap_or(after.len()));
        shown.push_str(between);
        rest = next;
    }
    one_line(&shown, LONGEST_LINE)
}

fn is_suspicious(word: &str) -> bool {
    word.len() >= SUSPICIOUS_LENGTH
        && word.contains(|c: char| c.is_ascii_digit())
        && word.contains(|c: char| c.is_ascii_alphabetic())
}

/// The secrets of a document, in whatever place they are.
fn secrets(document: &[u8]) -> Vec<Zeroizing<String>> {
    let mut found = Vec::new();
    if let Ok(mut value) = serde_json::from_slice(document) {
        collect(&value, &mut found);
        crate::secret_json::wipe(&mut value);
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Zeroizing<String>>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text)
                        if SECRET_MEMBERS.contains(&name.as_str())
                            && text.len() >= SECRET_LENGTH =>
                    {
                        found.push(Zeroizing::new(text.clone()));
                    }
                    _ => collect(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_secrets_and_words_like_them_are_hidden() {
        let given =
            br#"{"session":{"access_token":"a/short+one","scope":"planet offline_access"}}"#;
        let shown = |line: &str| without_secrets(line, &[given]);
        assert_eq!(shown("+ printf a/short+one planet"), "+ printf [hidden] planet");
        assert_eq!(shown("token=eyJhbGciOiJIUzI1NiJ9.e30.abc,"), "[hidden],");
        assert_eq!(shown("bad v1.MjAyNC0wMS0wMSBhIHJlZnJlc2g/rest"), "bad [hidden]/rest");
    }

    #[test]
    fn a_message_stays_readable() {
        for line in [
            "gpg: decryption failed: No secret key",
            "secret-tool: Cannot autolaunch D-Bus without X11 $DISPLAY",
            "/usr/local/lib/planetkey/helpers/pass-helper: line 12: pass: command not found",
            "Error: work/planetkey is not in the password store.",
            "org.freedesktop.DBus.Error.ServiceUnknown: no org.freedesktop.secrets",
        ] {
            assert_eq!(without_secrets(line, &[b"", b"garbage"]), line);
        }
        assert_eq!(without_secrets("\u{1b}[31mred\u{202e}", &[]), "[31mred");
        assert_eq!(without_secrets(&"x".repeat(1000), &[]).chars().count(), LONGEST_LINE + 1);
    }
}
