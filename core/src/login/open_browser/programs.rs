//! The programs that open addresses on Linux and the other free systems.
//!
//! The crate webbrowser is not used, because it gives its programs the whole environment and also
//! looks them up in relative directories.

use crate::child;
use crate::text::is_space_or_control;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// xdg-settings writes nothing but a name.
const MAX_NAME_BYTES: u64 = 4096;

/// Text browsers use the terminal in which the login shows its prompt, and the login cannot serve
/// their redirect while they run.
const TEXT_BROWSERS: [&str; 9] =
    ["lynx", "links", "links2", "elinks", "w3m", "eww", "netrik", "retawq", "curl"];

/// A program and its arguments, with `URL` for the address.
type Line = &'static [&'static str];

const URL: &str = "\0url";
const XDG: &[Line] = &[&["xdg-open", URL]];
const KDE: &[Line] = &[&["kde-open", URL], &["kde-open5", URL], &["kfmclient", "newTab", URL]];
const GNOME: &[Line] = &[&["gio", "open", URL], &["gvfs-open", URL], &["gnome-open", URL]];
const MATE: &[Line] = &[&["gio", "open", URL], &["gvfs-open", URL], &["mate-open", URL]];
const XFCE: &[Line] = &[&["exo-open", URL], &["gio", "open", URL], &["gvfs-open", URL]];
const WSL: &[Line] = &[&["wslview", URL], &["rundll32.exe", "url.dll,FileProtocolHandler", URL]];
const LAST: &[Line] = &[&["x-www-browser", URL]];

/// Opens an http(s) address: by the programs of `BROWSER`, else by the desktop's default browser.
pub(super) fn open(url: &str) -> Result<(), &'static str> {
    // No URL holds these characters, and no program gets an address that its own parser would have
    // to repair.
    if url.chars().any(|c| is_space_or_control(c) || matches!(c, '"' | '\'' | '\\' | '`')) {
        return Err("the address holds characters that no URL may have");
    }
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let path = std::env::var_os("PATH");
    let browser = variable("BROWSER");
    for entry in browser.split(':').filter(|entry| !entry.trim().is_empty()) {
        if by_entry(entry, url, path.as_ref()) {
            return Ok(());
        }
    }
    if !super::has_screen() {
        return Err("BROWSER names no program that can be started, and there is no screen");
    }
    if has_default_browser(path.as_ref()) && by_lines(XDG, url, path.as_ref()) {
        return Ok(());
    }
    if by_lines(of_desktop(&variable), url, path.as_ref())
        || is_wsl() && by_powershell(url, path.as_ref())
    {
        return Ok(());
    }
    if by_lines(LAST, url, path.as_ref()) {
        return Ok(());
    }
    Err(
        "no program that opens addresses was found; name one in BROWSER, by its absolute path or in an absolute directory of PATH",
    )
}

/// Runs one entry of `BROWSER`: words in which `%s` is the address, `%c` a colon and `%%` a percent
/// sign. Without `%s` the address comes last.
fn by_entry(entry: &str, url: &str, path: Option<&OsString>) -> bool {
    let mut has_url = false;
    let mut words = entry
        .split_ascii_whitespace()
        .map(|word| expanded(word, url, &mut has_url))
        .collect::<Vec<_>>()
        .into_iter();
    let Some(program) = words.next().and_then(|name| found(&name, path)) else { return false };
    let arguments = words.chain((!has_url).then(|| url.to_owned())).collect();
    start(&program, arguments)
}

fn expanded(word: &str, url: &str, has_url: &mut bool) -> String {
    let mut text = String::new();
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (c, rest.clone().next()) {
            ('%', Some('s')) => {
                text.push_str(url);
                *has_url = true;
            }
            ('%', Some('c')) => text.push(':'),
            ('%', Some('%')) => text.push('%'),
            _ => {
                text.push(c);
                continue;
            }
        }
        rest.next();
    }
    text
}

fn by_lines(lines: &[Line], url: &str, path: Option<&OsString>) -> bool {
    lines.iter().any(|line| {
        let (name, arguments) = line.split_first().unwrap_or((&"", &[]));
        let arguments = arguments
            .iter()
            .map(|word| if *word == URL { url.to_owned() } else { (*word).to_owned() })
            .collect();
        found(name, path).is_some_and(|program| start(&program, arguments))
    })
}

/// PowerShell gets its command encoded, so that no part of the address is read as code.
fn by_powershell(url: &str, path: Option<&OsString>) -> bool {
    let script: Vec<u8> = format!("Start-Process -FilePath '{url}'")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let arguments =
        ["-NoLogo", "-NoProfile", "-NonInteractive", "-EncodedCommand"].map(str::to_owned);
    let arguments = arguments.into_iter().chain([STANDARD.encode(script)]).collect();
    found("powershell.exe", path).is_some_and(|program| start(&program, arguments))
}

fn of_desktop(variable: &dyn Fn(&str) -> String) -> &'static [Line] {
    let desktop = format!("{} {}", variable("XDG_CURRENT_DESKTOP"), variable("DESKTOP_SESSION"))
        .to_ascii_lowercase();
    let is_set = |name| !variable(name).is_empty();
    match desktop {
        // Inside a sandbox xdg-open asks the system outside, and there is no xdg-settings.
        _ if variable("container").eq_ignore_ascii_case("flatpak") || is_set("SNAP") => XDG,
        _ if ["gnome", "cinnamon", "unity"].iter().any(|name| desktop.contains(name)) => GNOME,
        _ if desktop.contains("kde")
            || is_set("KDE_FULL_SESSION")
            || is_set("KDE_SESSION_VERSION") =>
        {
            KDE
        }
        _ if desktop.contains("mate") => MATE,
        _ if desktop.contains("xfce") => XFCE,
        _ if is_wsl() => WSL,
        _ => &[],
    }
}

/// Whether Windows programs can be started.
fn is_wsl() -> bool {
    std::fs::read_to_string("/proc/sys/fs/binfmt_misc/WSLInterop")
        .is_ok_and(|text| text.contains("enabled"))
}

/// Whether xdg-open would find a graphical browser: without one it tries text browsers.
fn has_default_browser(path: Option<&OsString>) -> bool {
    let Some(program) = found("xdg-settings", path) else { return false };
    let mut command = child::command(program);
    command
        .args(["get", "default-web-browser"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let Ok(mut child) = child::spawn(&mut command) else { return false };
    let mut name = String::new();
    if let Some(stdout) = child.stdout.take() {
        let _ = stdout.take(MAX_NAME_BYTES).read_to_string(&mut name);
    }
    let _ = child.wait();
    let name = name.trim().trim_end_matches(".desktop");
    !name.is_empty() && !TEXT_BROWSERS.contains(&name)
}

/// A program by its absolute path, or by its name in an absolute directory of `PATH`.
fn found(name: &str, path: Option<&OsString>) -> Option<PathBuf> {
    let program = match Path::new(name) {
        absolute if absolute.is_absolute() => {
            Some(absolute.to_owned()).filter(|program| child::is_program(program))
        }
        _ if name.contains('/') => None,
        _ => child::find(name, path.map(OsString::as_os_str)),
    };
    // `x-www-browser` and similar names are links to the browser that the user chose.
    let is_text = |program: &Path| TEXT_BROWSERS.iter().any(|browser| program.ends_with(browser));
    program.filter(|program| {
        !is_text(program) && !program.canonicalize().is_ok_and(|target| is_text(&target))
    })
}

/// Starts the program in the background, without the streams of this program.
fn start(program: &Path, arguments: Vec<String>) -> bool {
    let mut command = child::command(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    child::spawn(&mut command)
        .inspect_err(|error| log::info!("{} could not be started: {error}", program.display()))
        .is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn words_of_browser_take_the_address_once() {
        for (word, text, is_there) in [
            ("%s", "https://a/?b=%63", true),
            ("--app=%s%%", "--app=https://a/?b=%63%", true),
            ("%%s%c9%z%", "%s:9%z%", false),
            ("plain", "plain", false),
        ] {
            let mut has_url = false;
            assert_eq!(
                (expanded(word, "https://a/?b=%63", &mut has_url), has_url),
                (text.to_owned(), is_there)
            );
        }
    }

    #[test]
    fn i9_14e_programs_are_found_in_absolute_directories_only_and_text_browsers_never() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["mybrowser", "lynx"] {
            let program = directory.path().join(name);
            std::fs::write(&program, "#!/bin/sh\n").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        // The tests run in the directory of the package, so the relative path starts there.
        let up = "../".repeat(std::env::current_dir().unwrap().components().count());
        let relative =
            format!("{up}{}", directory.path().display().to_string().trim_start_matches('/'));
        assert!(Path::new(&relative).join("mybrowser").is_file());
        let absolute = directory.path().join("mybrowser").display().to_string();
        let path = |text: &str| Some(OsString::from(text));
        for (name, path, is_found) in [
            ("mybrowser", path(&relative), false),
            ("mybrowser", path(&format!(":.:{relative}")), false),
            ("mybrowser", path(&format!("{relative}:{}", directory.path().display())), true),
            (&format!("{relative}/mybrowser"), None, false),
            (&absolute, None, true),
            ("lynx", path(&directory.path().display().to_string()), false),
            ("mybrowser", None, false),
        ] {
            assert_eq!(found(name, path.as_ref()).is_some(), is_found, "{name} {path:?}");
        }
    }
}
