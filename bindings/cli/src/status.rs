//! The status of a session for people: 80 columns, no secret.

use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use planetkey::{Session, SourceStatus};

use crate::printable;

const WIDTH: usize = 80;
/// Where the values of a source start.
const INDENT: usize = 13;

/// What was found where, and what a request to each host would carry. Uses no network.
pub(crate) fn describe(session: &Session) -> String {
    let status = session.status();
    let mut text = String::new();
    line(&mut text, "deployment", status.deployment());
    let sources = status.sources();
    if sources.is_empty() {
        line(&mut text, "credentials", "none; set PL_API_KEY, or PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET");
    }
    for (index, source) in sources.iter().enumerate() {
        text.push('\n');
        describe_source(&mut text, index + 1, source);
    }
    for note in status.notes() {
        text.push('\n');
        line(&mut text, "note", note);
    }
    let hosts = hosts(sources);
    if !hosts.is_empty() {
        text.push_str("\nWhat a request carries\n");
        let width = hosts.iter().map(|host| host.chars().count()).max().unwrap_or_default();
        for host in hosts {
            let _ = writeln!(text, "  {:width$}  {}", printable(host), carried(session, sources, host));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn describe_source(text: &mut String, number: usize, source: &SourceStatus) {
    let kind = kind(source);
    let _ = writeln!(text, "{number}. {kind}");
    line(text, "   from", &source.source);
    optional(text, "   profile", source.profile.as_deref());
    optional(text, "   client", source.client_id.as_deref());
    optional(text, "   issuer", source.issuer.as_deref());
    if !source.scopes.is_empty() {
        line(text, "   scopes", &source.scopes.join(" "));
    }
    line(text, "   sent as", source.transport);
    if source.kind == "access_token" {
        line(text, "   token", &token(source));
    }
}

fn token(source: &SourceStatus) -> String {
    if !source.initialized {
        return "none; log in first".to_owned();
    }
    match source.expires_at {
        _ if !source.token_cached => "none yet; it is requested when it is needed".to_owned(),
        None => "there, without a known end".to_owned(),
        Some(end) => match end - now() {
            left if left <= 0 => "expired; a new one is requested when it is needed".to_owned(),
            left if left < 120 => format!("valid for {left} seconds"),
            left => format!("valid for {} minutes", left / 60),
        },
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn kind(source: &SourceStatus) -> &'static str {
    if source.kind == "api_key" { "API key" } else { "access token" }
}

/// Every host that takes one of the credentials, once.
fn hosts(sources: &[SourceStatus]) -> Vec<&str> {
    let mut hosts: Vec<&str> = sources.iter().flat_map(|source| &source.hosts).map(String::as_str).collect();
    hosts.sort_unstable();
    hosts.dedup();
    hosts
}

/// What the session gives this host: asked of the session itself, which alone knows the rules.
fn carried(session: &Session, sources: &[SourceStatus], host: &str) -> String {
    // A host with a port is this machine, and a test server on it speaks plain http.
    let scheme = if host.contains(':') { "http" } else { "https" };
    let number = |index: usize| sources.get(index).map_or("", kind);
    match session.authorize_cached(&format!("{scheme}://{host}/")) {
        Ok(Some(authorization)) => {
            let index = authorization.source_index();
            let note = if authorization.under_development() { ", under development" } else { "" };
            format!("{} (no. {}, {}{note})", number(index), index + 1, authorization.transport())
        }
        // Only a token can need the network.
        Ok(None) => {
            let listed = |source: &SourceStatus| source.kind == "access_token" && source.hosts.iter().any(|one| one == host);
            match sources.iter().position(listed) {
                Some(index) => format!("{} (no. {}, bearer)", number(index), index + 1),
                None => "access token (bearer)".to_owned(),
            }
        }
        Err(error) => format!("nothing: {}", error.status()),
    }
}

fn optional(text: &mut String, name: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(text, name, value);
    }
}

/// A name and its value, broken at spaces.
fn line(text: &mut String, name: &str, value: &str) {
    let mut row = format!("{name:INDENT$}");
    let mut empty = true;
    for word in printable(value).split_whitespace() {
        if !empty && row.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{row}");
            row = " ".repeat(INDENT);
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
