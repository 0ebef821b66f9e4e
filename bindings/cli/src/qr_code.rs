//! The QR code of a device login.

use std::env;

use planetkey::QrCodeStyle;
use planetkey::login::Prompt;

use crate::terminal::Terminal;

/// White on black, independent of the terminal's colours: cameras need dark on light.
const WHITE_ON_BLACK: &str = "\x1b[97;40m";
/// The user code, and the line that counts down.
const LINES_BELOW: usize = 2;
const USUAL: &str = "\x1b[0m";

/// The lines of the code, or why there is none. `terminal`: where it is shown.
pub(crate) fn of(prompt: &Prompt, terminal: Option<&dyn Terminal>) -> String {
    let style = if shows_blocks() { QrCodeStyle::Blocks } else { QrCodeStyle::Ascii };
    let Some(code) = prompt.qr_code(style) else {
        return "The address is too long for a QR code.\n".to_owned();
    };
    let width = code.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    if let Some(columns) = terminal.map(Terminal::columns)
        && columns < width
    {
        return format!("The QR code needs {width} columns, and this terminal has {columns}.\n");
    }
    let height = code.lines().count() + LINES_BELOW;
    if let Some(rows) = terminal.and_then(Terminal::rows)
        && rows < height
    {
        return format!("The QR code needs {height} lines, and this terminal has {rows}.\n");
    }
    let is_coloured = terminal.is_some() && shows_colours();
    let lines = code.lines().map(|line| match is_coloured {
        true => format!("{WHITE_ON_BLACK}{line}{USUAL}\n"),
        false => format!("{line}\n"),
    });
    lines.collect()
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether the locale has block characters.
fn shows_blocks() -> bool {
    if cfg!(windows) {
        return true;
    }
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .find_map(variable)
        .unwrap_or_default()
        .to_ascii_lowercase();
    variable("TERM").as_deref() != Some("dumb")
        && (locale.contains("utf-8") || locale.contains("utf8"))
}

fn shows_colours() -> bool {
    variable("NO_COLOR").is_none() && variable("TERM").is_some_and(|terminal| terminal != "dumb")
}
