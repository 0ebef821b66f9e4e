//! Cleans text of servers, files and users before it is shown in messages, prompts, logs and
//! command output.

/// Characters that are invisible or that change how the text around them is shown, sorted.
///
/// All of the Unicode categories Cc, Cf, Zl and Zp (as of Unicode 17), all code points with the
/// property Default_Ignorable_Code_Point, including the unassigned ones, and the blank Braille
/// pattern U+2800. A test compares the table with the categories.
const INVISIBLE: &[(char, char)] = &[
    // Cc. Line feed and carriage return forge lines, and escape controls a terminal.
    ('\u{0}', '\u{1f}'),
    ('\u{7f}', '\u{9f}'),
    // The soft hyphen.
    ('\u{ad}', '\u{ad}'),
    // The combining grapheme joiner.
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    // The Arabic letter mark.
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    // Hangul fillers; more at U+3164 and U+FFA0.
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    // Mongolian variation selectors and vowel separator.
    ('\u{180b}', '\u{180f}'),
    // Zero-width characters and direction marks.
    ('\u{200b}', '\u{200f}'),
    // Line and paragraph separator, direction embeddings and overrides.
    ('\u{2028}', '\u{202e}'),
    // Word joiner, invisible operators, direction isolates.
    ('\u{2060}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3164}', '\u{3164}'),
    // Variation selectors.
    ('\u{fe00}', '\u{fe0f}'),
    // The byte order mark.
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    // Unassigned code points, and the interlinear annotations.
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{1343f}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d173}', '\u{1d17a}'),
    // Tags, more variation selectors, and the unassigned code points between and after them.
    ('\u{e0000}', '\u{e0fff}'),
];

/// Whether a character is invisible, or changes how the text around it is shown, as a direction
/// override does.
pub fn is_invisible(c: char) -> bool {
    INVISIBLE.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Whether a name or an address must not hold this character: it is white space, or controls a
/// terminal.
pub(crate) fn is_space_or_control(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// Untrusted text as one line, with each invisible character replaced by a space.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect()
}

/// As [`printable`], trimmed and truncated to at most `limit` characters.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line: String =
        text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).take(limit).collect();
    if text.chars().nth(limit).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}

/// JSON text with its invisible characters escaped (RFC 8259 7): the same document, safe to show in
/// a terminal. Line breaks between its members are preserved.
pub fn printable_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        // In strings JSON itself escapes control characters below U+0020; outside of strings they
        // are line breaks.
        if c >= '\u{7f}' && is_invisible(c) {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}
