//! The JSON of Planet's SDK, byte for byte: `json.dumps(document, indent=2, sort_keys=True)`
//! (docs/explanation/planet-sdk-behaviour.md, section 2.1).

use crate::secret_json::Members;
use serde_json::ser::{Formatter, PrettyFormatter};
use serde_json::{Map, Value};
use std::io::{self, Write};

/// Reads a JSON object. Accepts a byte order mark, any white space, and zero bytes at the end.
///
/// `None` for anything else: an empty file, an incomplete document, a list.
pub fn parse(bytes: &[u8]) -> Option<Map<String, Value>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match serde_json::from_slice(bytes.get(..end)?) {
        Ok(Value::Object(document)) => Some(document),
        _ => None,
    }
}

/// As [`parse`], for a session. A token member that is not a string makes the document as unusable
/// as an incomplete one.
pub(super) fn parse_session(bytes: &[u8]) -> Option<Map<String, Value>> {
    parse(bytes).filter(|document| !is_damaged_session(document))
}

/// Whether a token member is not a string.
pub(crate) fn is_damaged_session(document: &Map<String, Value>) -> bool {
    let is_damaged = |member: &str| {
        document.get(member).is_some_and(|value| !value.is_string() && !value.is_null())
    };
    is_damaged("access_token") || is_damaged("refresh_token")
}

/// Writes as the SDK does: two spaces, keys sorted by code point at every level, ASCII only, no
/// final line break. Top-level members that are null or start with two underscores are left out.
pub fn to_bytes(document: &Map<String, Value>) -> Vec<u8> {
    let saved = saved(document);
    measured(|writer| {
        let mut serializer =
            serde_json::Serializer::with_formatter(writer, Python(PrettyFormatter::new()));
        // Writing to memory does not fail, and every key is a string.
        let _ = serde::Serialize::serialize(&saved.0, &mut serializer);
    })
}

/// What [`to_bytes`] writes of a document.
pub(super) fn saved(document: &Map<String, Value>) -> Members {
    let mut saved: Map<String, Value> = document
        .iter()
        .filter(|(name, value)| !name.starts_with("__") && !value.is_null())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    remove_number_members(&mut saved);
    Members(saved)
}

/// Writes a document in one line, with a line break at its end.
pub(super) fn to_line(document: &Members) -> Vec<u8> {
    measured(|mut writer| {
        let _ = serde_json::to_writer(&mut writer, &document.0);
        let _ = writer.write_all(b"\n");
    })
}

/// What is written. A buffer that grows leaves copies of its content in memory, so the size is
/// measured first.
fn measured(write: impl Fn(&mut dyn Write)) -> Vec<u8> {
    let mut length = Length(0);
    write(&mut length);
    let mut bytes = Vec::with_capacity(length.0);
    write(&mut bytes);
    bytes
}

struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Removes members with the name that serde_json uses for numbers of any length. After sorting, an
/// object may begin with such a member, and is then read as a number or not at all. No client needs
/// one, and a server that sends one must not end the session.
fn remove_number_members(members: &mut Map<String, Value>) {
    members.remove("$serde_json::private::Number");
    members.values_mut().for_each(remove_number_members_in);
}

fn remove_number_members_in(value: &mut Value) {
    match value {
        Value::Object(members) => remove_number_members(members),
        Value::Array(items) => items.iter_mut().for_each(remove_number_members_in),
        _ => {}
    }
}

/// The differences between Python's `json` and serde_json.
struct Python(PrettyFormatter<'static>);

impl Formatter for Python {
    fn write_number_str<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &str,
    ) -> io::Result<()> {
        writer.write_all(python_number(value).as_bytes())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(python_number(&format!("{value:?}")).as_bytes())
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for character in fragment.chars() {
            if (' '..='~').contains(&character) {
                writer.write_all(&[character as u8])?;
                continue;
            }
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
        }
        Ok(())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// A number as Python prints what it read: integers digit by digit, all others as the shortest
/// float.
fn python_number(text: &str) -> String {
    if !text.contains(['.', 'e', 'E']) {
        return if text == "-0" { "0".to_owned() } else { text.to_owned() };
    }
    let Ok(number) = text.parse::<f64>() else { return text.to_owned() };
    // Python would write `Infinity`, which is not JSON, so that no other reader could read the
    // file. Python reads this text as the same number.
    if number.is_infinite() {
        return text.to_owned();
    }
    // Rust and Python use the same shortest digits, but differ in when and how they write an
    // exponent.
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if number != 0.0 && !(-4..16).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    let plain = format!("{number}");
    if plain.contains('.') { plain } else { format!("{plain}.0") }
}
