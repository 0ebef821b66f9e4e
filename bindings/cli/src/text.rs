//! Text for terminals: 80 columns, and no control characters.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use planetkey::text::printable_json;
use serde_json::Value;

const WIDTH: usize = 80;
/// Where values start.
const INDENT: usize = 13;

pub(crate) use planetkey::text::printable;

/// A JSON document for the output, with its line end.
pub(crate) fn json(document: &Value) -> String {
    printable_json(&format!("{document:#}\n"))
}

/// Text of the core, broken at spaces. Indented lines stay whole, because users copy them.
pub(crate) fn wrapped(message: &str) -> String {
    let mut text = String::new();
    for line in message.lines() {
        if line.starts_with(' ') {
            let _ = writeln!(text, "{}", printable(line));
        } else {
            line_at(&mut text, 0, "", line);
        }
    }
    text
}

/// A name and its value, broken at spaces.
pub(crate) fn line(text: &mut String, name: &str, value: &str) {
    line_at(text, INDENT, name, value);
}

/// As [`line`], with values that start in another column.
pub(crate) fn line_at(text: &mut String, indent: usize, name: &str, value: &str) {
    let mut row = format!("{name:indent$}");
    let mut empty = true;
    for word in printable(value).split_whitespace() {
        if !empty && row.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{row}");
            row = " ".repeat(indent);
            empty = true;
        }
        if !empty {
            row.push(' ');
        }
        row.push_str(word);
        empty = false;
    }
    let _ = writeln!(text, "{}", row.trim_end());
}

/// As [`line`], if there is a value.
pub(crate) fn optional(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(text, name, value);
    }
}

/// How long something that expires at this Unix second is still valid; `None` if it has expired.
pub(crate) fn validity(expires_at: i64) -> Option<String> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    match expires_at.saturating_sub(i64::try_from(since.as_secs()).unwrap_or(i64::MAX)) {
        left if left <= 0 => None,
        left if left < 120 => Some(format!("valid for {left} seconds")),
        left if left < 120 * 60 => Some(format!("valid for {} minutes", left / 60)),
        left if left < 72 * 3600 => Some(format!("valid for {} hours", left / 3600)),
        left => Some(format!("valid for {} days", left / 86_400)),
    }
}
