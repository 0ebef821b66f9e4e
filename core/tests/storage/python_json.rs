//! Compares the bytes of the SDK's files with Python's own `json`:
//! `json.dumps(document, indent=2, sort_keys=True)`.

use planetkey::storage::python_json;
use std::io::Write;
use std::process::{Command, Stdio};

/// What the SDK does before it writes, and what it writes. Each document and each result is one
/// line.
const PYTHON: &str = "
import json, sys
for line in sys.stdin:
    document = json.loads(line)
    kept = {name: value for name, value in document.items() if not name.startswith('__') and value is not None}
    print(json.dumps(json.dumps(kept, indent=2, sort_keys=True)))
";

/// A pseudo-random generator with the same sequence in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn of<'a, T: ?Sized>(&mut self, items: &[&'a T]) -> &'a T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    /// Returns a number in any spelling that JSON allows.
    fn number(&mut self) -> String {
        const SPELLED: [&str; 30] = [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "1.0",
            "-1.50",
            "1e5",
            "1E+5",
            "1e-5",
            "0.0001",
            "0.00001",
            "123456789012345678",
            "1e15",
            "1e16",
            "1e17",
            "9999999999999998.0",
            "9007199254740993",
            "123456789012345678901234567890",
            "-98765432109876543210987654321",
            "1.7976931348623157e308",
            "5e-324",
            "2.2250738585072014e-308",
            "1e22",
            "1e23",
            "0.1",
            "0.30000000000000004",
            "1800000000.5",
            "3600.0",
            "1e-400",
            "100e-2",
        ];
        match self.below(4) {
            0 => self.of(&SPELLED).to_owned(),
            1 => (self.next() as i64).to_string(),
            2 => self.below(10_000).to_string(),
            _ => {
                let number = f64::from_bits(self.next());
                if !number.is_finite() {
                    return "1.5".to_owned();
                }
                if self.below(2) == 0 { format!("{number:e}") } else { format!("{number:?}") }
            }
        }
    }

    /// Returns a quoted string, escaped in one of the ways that JSON allows.
    fn string(&mut self) -> String {
        const PARTS: [&str; 26] = [
            "a",
            "Z",
            "token",
            " ",
            "/",
            "\\/",
            "\\\\",
            "\\\"",
            "\\n",
            "\\r",
            "\\t",
            "\\b",
            "\\f",
            "\\u0000",
            "\\u001f",
            "\\u007f",
            "\u{7f}",
            "é",
            "\\u00e9",
            "\u{2028}",
            "\\u2029",
            "日本",
            "😀",
            "\\ud83d\\ude00",
            "\u{ffff}",
            "\u{10ffff}",
        ];
        let length = self.below(8);
        let text: String = (0..length).map(|_| self.of(&PARTS)).collect();
        format!("\"{text}\"")
    }

    fn value(&mut self, depth: u64) -> String {
        const SPACES: [&str; 4] = ["", " ", "\t", "  "];
        let kind = self.below(if depth > 4 { 5 } else { 9 });
        let inside = match kind {
            0 => self.number(),
            1 => self.string(),
            2 => self.of(&["true", "false", "null", "[]", "{}", "[ ]", "{ }"]).to_owned(),
            3 | 4 => self.of(&["[[]]", "{\"a\": {}}", "[{}]", "\"\"", "[null]"]).to_owned(),
            5 | 6 => {
                let items: Vec<String> =
                    (0..self.below(4)).map(|_| self.value(depth + 1)).collect();
                format!("[{}]", items.join(","))
            }
            _ => self.object(depth + 1),
        };
        format!("{}{inside}{}", self.of(&SPACES), self.of(&SPACES))
    }

    fn object(&mut self, depth: u64) -> String {
        const NAMES: [&str; 12] = [
            "\"access_token\"",
            "\"_iat\"",
            "\"__hidden\"",
            "\"_exp\"",
            "\"Z\"",
            "\"a\"",
            "\"é\"",
            "\"\u{ffff}\"",
            "\"😀\"",
            "\"\"",
            "\"10\"",
            "\"9\"",
        ];
        let members: Vec<String> = (0..self.below(7))
            .map(|_| {
                let name =
                    if self.below(3) == 0 { self.string() } else { self.of(&NAMES).to_owned() };
                format!("{name}:{}", self.value(depth))
            })
            .collect();
        format!("{{{}}}", members.join(", "))
    }
}

#[test]
fn the_bytes_equal_those_of_pythons_json() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let documents: Vec<String> = (0..600).map(|_| dice.object(0)).collect();
    let mut python = Command::new("python3")
        .args(["-c", PYTHON])
        .env("PYTHONIOENCODING", "utf-8")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = python.stdin.take().unwrap();
    let input = documents.join("\n") + "\n";
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let lines: Vec<String> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), documents.len());
    let (mut floats, mut escapes) = (0, 0);
    for (document, wanted) in documents.iter().zip(&lines) {
        let members =
            python_json::parse(document.as_bytes()).unwrap_or_else(|| panic!("{document}"));
        let written = String::from_utf8(python_json::to_bytes(&members)).unwrap();
        assert_eq!(&written, wanted, "{document}");
        // The output parses to the same document, and is written the same way again.
        let again = python_json::parse(written.as_bytes()).unwrap();
        assert_eq!(python_json::to_bytes(&again), written.as_bytes());
        floats += written.matches("e+").count() + written.matches("e-").count();
        escapes += written.matches("\\u").count();
    }
    assert!(floats > 50 && escapes > 200, "{floats} {escapes}: the documents are worth their name");
}
