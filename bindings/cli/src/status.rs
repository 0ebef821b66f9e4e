//! The status of a session as text: 80 columns, no secret.

use std::fmt::Write;

use planetkey::{CredentialKind, HostStatus, LoginResult, Session, SourceStatus, StoreStatus};
use serde_json::Value;

use crate::text::{line, optional, printable, validity};

/// The store of a source, and what it holds.
fn stored(store: &StoreStatus) -> String {
    let state = match (&store.problem, store.holds) {
        (Some(problem), _) => format!("not used: {problem}"),
        (None, Some(holds)) => format!("holds {holds}"),
        (None, None) => "not read yet".to_owned(),
    };
    format!("{}, {state}", store.name)
}

/// What was found where, and what a request to each host carries. Uses no network, except for a
/// store.
pub(crate) fn describe(session: &Session) -> String {
    session.contact_stores();
    let status = session.status();
    let mut text = String::new();
    line(&mut text, "deployment", status.deployment());
    let sources = status.sources();
    if sources.is_empty() {
        line(
            &mut text,
            "credentials",
            "none; run `planetkey login`, or set PL_API_KEY, or PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET",
        );
    }
    let logged_in = session.logged_in();
    for (index, source) in sources.iter().enumerate() {
        text.push('\n');
        describe_source(&mut text, index + 1, source, logged_in.as_ref());
    }
    for note in status.notes() {
        text.push('\n');
        line(&mut text, "note", note);
    }
    let hosts = status.hosts();
    if !hosts.is_empty() {
        text.push_str("\nWhat a request carries\n");
        let width = hosts.iter().map(|host| host.host.chars().count()).max().unwrap_or_default();
        for host in hosts {
            let _ =
                writeln!(text, "  {:width$}  {}", printable(&host.host), carried(sources, host));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// The same as JSON, and who is logged in.
pub(crate) fn json(session: &Session) -> Value {
    session.contact_stores();
    let mut status = session.status().to_json();
    status["logged_in"] = session.logged_in().map_or(
        Value::Null,
        |logged_in| serde_json::json!({"profile": logged_in.profile, "subject": logged_in.subject, "email": logged_in.email}),
    );
    status
}

fn describe_source(
    text: &mut String,
    number: usize,
    source: &SourceStatus,
    logged_in: Option<&LoginResult>,
) {
    let kind = kind(source);
    let _ = writeln!(text, "{number}. {kind}");
    line(text, "   from", &source.source);
    optional(text, "   profile", source.profile.as_deref());
    if let Some(logged_in) = logged_in
        .filter(|logged_in| logged_in.profile == source.profile && logged_in.profile.is_some())
    {
        optional(text, "   user", logged_in.email.as_deref().or(logged_in.subject.as_deref()));
    }
    optional(text, "   client", source.client_id.as_deref());
    optional(text, "   issuer", source.issuer.as_deref());
    if !source.scopes.is_empty() {
        line(text, "   scopes", &source.scopes.join(" "));
    }
    line(text, "   sent as", source.transport.name());
    if source.kind == CredentialKind::AccessToken {
        line(text, "   token", &token(source));
        optional(text, "   saved in", source.file.as_deref());
        if let Some(store) = &source.store {
            line(text, "   store", &stored(store));
        }
    }
}

fn token(source: &SourceStatus) -> String {
    if !source.initialized {
        return "none; login required".to_owned();
    }
    let expired = || "expired; a new one is requested when it is needed".to_owned();
    match source.expires_at {
        None if source.token_cached => "cached, expiry unknown".to_owned(),
        None => "none yet; it is requested when it is needed".to_owned(),
        Some(end) if source.token_cached => validity(end).unwrap_or_else(expired),
        Some(_) => expired(),
    }
}

fn kind(source: &SourceStatus) -> &'static str {
    if source.kind == CredentialKind::ApiKey { "API key" } else { "access token" }
}

fn carried(sources: &[SourceStatus], host: &HostStatus) -> String {
    let (kind, transport) = sources
        .get(host.source_index)
        .map_or(("", ""), |source| (kind(source), source.transport.name()));
    let note = if host.under_development { ", under development" } else { "" };
    format!("{kind} (no. {}, {transport}{note})", host.source_index + 1)
}
