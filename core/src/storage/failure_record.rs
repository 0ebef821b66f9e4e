//! What planetkey must remember beside a session and Planet's SDK does not know: its own file, never the SDK's.

use super::{fingerprint, python_json};
use crate::error::{Error, Reason, Status};
use crate::http::retry_after::MAX_RETRY_AFTER_MS;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The form of the file. One with a higher number is read as far as it is understood, and not rewritten.
const FORM: u64 = 1;
/// Dead refresh tokens remembered, the youngest last: a backup brings back an old one, not all of them.
const REVOKED_LIMIT: usize = 16;
/// Failures are forgotten when nothing has failed for so long after the wait for the last one has ended.
const FAILURES_AGE_MS: u64 = 600_000;

/// The receipt of a token, by the clock of the machine that received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The fingerprint of the stored tokens.
    pub tokens: String,
    /// When it was received, in Unix milliseconds.
    pub unix_ms: u64,
    /// How long it lives from then on, in milliseconds.
    pub lifetime_ms: u64,
    /// The fingerprint of issuer, client, and what was asked for.
    pub binding: String,
    /// How many times in a row a token was requested because an API refused the one before.
    pub rejections: u32,
}

/// A failure that keeps the next attempt waiting.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What everybody gets who asks meanwhile.
    pub error: Error,
    /// It says little about the server to a caller without a valid token: the attempt was made in the background, with less time
    /// and without repetitions, or its process was stopped meanwhile.
    pub lets_callers_pass: bool,
    /// How long the server was waited for, in milliseconds, where it did not answer in time.
    pub timeout_ms: Option<u64>,
}

impl Failure {
    /// Whether an attempt for a caller without a valid token need not wait because of this failure. One that waits at least twice as
    /// long for an answer need not either. What the server asked for holds for everybody.
    pub(crate) fn lets_pass(&self, needs_token: bool, timeout_ms: u64) -> bool {
        let is_longer = self.timeout_ms.is_some_and(|before| timeout_ms / 2 >= before);
        self.error.retry_after().is_none() && needs_token && (self.lets_callers_pass || is_longer)
    }
}

/// The memory beside a session, shared by all processes.
#[derive(Clone, Debug, Default)]
pub struct FailureRecord {
    /// About the tokens that are stored.
    pub receipt: Option<Receipt>,
    /// No renewal before this, in Unix milliseconds, with the failure that is the reason.
    pub not_before: Option<(u64, Failure)>,
    /// How many attempts in a row have failed at the server, whoever made them.
    failures: u32,
    /// Fingerprints of refresh tokens that the server refused for good.
    pub revoked: Vec<String>,
    newer: bool,
}

impl FailureRecord {
    /// The mark of a refresh token. `binding`: the fingerprint of its client and server.
    pub(crate) fn mark(binding: &str, refresh_token: &str) -> String {
        fingerprint(&[binding, refresh_token])
    }

    /// Whether the server revoked this refresh token.
    pub(crate) fn is_revoked(&self, binding: &str, refresh_token: &str) -> bool {
        !self.revoked.is_empty() && self.is_marked_revoked(&FailureRecord::mark(binding, refresh_token))
    }

    /// Whether this refresh token must not be sent again.
    pub fn is_marked_revoked(&self, fingerprint: &str) -> bool {
        self.revoked.iter().any(|dead| dead == fingerprint)
    }

    /// Remembers that the server refused this refresh token.
    pub fn mark_revoked(&mut self, fingerprint: String) {
        // One that is refused again is the youngest, and not the next to be forgotten.
        self.revoked.retain(|dead| *dead != fingerprint);
        self.revoked.push(fingerprint);
        let surplus = self.revoked.len().saturating_sub(REVOKED_LIMIT);
        self.revoked.drain(..surplus);
    }

    /// How long every process must wait, and why.
    pub fn wait_ms(&self, now_unix_ms: u64) -> Option<(u64, &Failure)> {
        let (until, failure) = self.not_before.as_ref()?;
        let left = until.saturating_sub(now_unix_ms);
        // A time beyond this was written by a clock that has been put back since.
        (1..=MAX_RETRY_AFTER_MS).contains(&left).then_some((left, failure))
    }

    /// How many attempts in a row have failed lately.
    pub fn failures(&self, now_unix_ms: u64) -> u32 {
        let is_recent = |(until, _): &(u64, Failure)| {
            now_unix_ms < until.saturating_add(FAILURES_AGE_MS) && *until <= now_unix_ms.saturating_add(MAX_RETRY_AFTER_MS)
        };
        if self.not_before.as_ref().is_some_and(is_recent) { self.failures } else { 0 }
    }

    /// Remembers that so many attempts in a row have failed, and that none is to be made before this, in Unix milliseconds.
    pub fn note_failure(&mut self, failures: u32, until_unix_ms: u64, failure: Failure) {
        self.failures = failures;
        self.not_before = Some((until_unix_ms, failure));
    }

    /// Remembers that these tokens were received and are being saved: nothing fails any more.
    pub(super) fn note_saved(&mut self, receipt: Receipt) {
        self.receipt = Some(receipt);
        self.forget_failures();
    }

    /// Remembers that there are no tokens any more.
    pub(super) fn note_removed(&mut self) {
        self.receipt = None;
        self.forget_failures();
    }

    pub(super) fn forget_failures(&mut self) {
        (self.not_before, self.failures) = (None, 0);
    }

    /// Whether a later version of planetkey wrote it.
    pub(super) fn is_newer(&self) -> bool {
        self.newer
    }

    /// Reads the file; what is not understood is as if it were not there.
    pub(super) fn from_bytes(bytes: &[u8]) -> FailureRecord {
        let Some(members) = python_json::parse(bytes) else { return FailureRecord::default() };
        FailureRecord {
            receipt: members.get("receipt").and_then(receipt),
            not_before: members.get("not_before").and_then(not_before),
            failures: members
                .get("failures")
                .and_then(Value::as_u64)
                .map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX)),
            revoked: match members.get("dead") {
                Some(Value::Array(dead)) => dead.iter().filter_map(|dead| dead.as_str().map(str::to_owned)).collect(),
                _ => Vec::new(),
            },
            newer: members.get("form").and_then(Value::as_u64).is_some_and(|form| form > FORM),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut members = Map::new();
        members.insert("form".into(), json!(FORM));
        if let Some(receipt) = &self.receipt {
            let value = json!({
                "tokens": receipt.tokens,
                "unix_ms": receipt.unix_ms,
                "lifetime_ms": receipt.lifetime_ms,
                "binding": receipt.binding,
                "rejections": receipt.rejections,
            });
            members.insert("receipt".into(), value);
        }
        if let Some((until, Failure { error, lets_callers_pass, timeout_ms })) = &self.not_before {
            let value = json!({
                "unix_ms": until,
                "status": error.status().name(),
                "message": error.message(),
                "reason": error.reason().map(Reason::name),
                "oauth_error": error.oauth_error(),
                "oauth_error_description": error.oauth_error_description(),
                "http_status": error.http_status(),
                "asked_by_server": error.retry_after().is_some(),
                "lets_callers_pass": lets_callers_pass,
                "timeout_ms": timeout_ms,
            });
            members.insert("not_before".into(), value);
            members.insert("failures".into(), json!(self.failures));
        }
        members.insert("dead".into(), json!(self.revoked));
        python_json::to_bytes(&members)
    }
}

fn receipt(value: &Value) -> Option<Receipt> {
    let text = |member: &str| value.get(member)?.as_str().map(str::to_owned);
    let number = |member: &str| value.get(member)?.as_u64();
    Some(Receipt {
        tokens: text("tokens")?,
        unix_ms: number("unix_ms")?,
        lifetime_ms: number("lifetime_ms")?,
        binding: text("binding")?,
        rejections: number("rejections").map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX)),
    })
}

fn not_before(value: &Value) -> Option<(u64, Failure)> {
    let text = |member: &str| value.get(member).and_then(Value::as_str);
    let status = Status::ALL.into_iter().find(|status| Some(status.name()) == text("status"))?;
    let mut error = Error::new(status, text("message")?);
    if let Some(reason) = text("reason").and_then(Reason::from_name).filter(|reason| reason.status() == status) {
        error = error.with_reason(reason);
    }
    if let Some(name) = text("oauth_error") {
        error = error.with_oauth_error(name, text("oauth_error_description"));
    }
    if let Some(http_status) = value.get("http_status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok()) {
        error = error.with_http_status(http_status);
    }
    let is_set = |member: &str| value.get(member).and_then(Value::as_bool).unwrap_or(false);
    if is_set("asked_by_server") {
        // What is left of it is for whoever asks to say.
        error = error.with_retry_after(Some(Duration::ZERO));
    }
    let timeout_ms = value.get("timeout_ms").and_then(Value::as_u64);
    Some((value.get("unix_ms")?.as_u64()?, Failure { error, lets_callers_pass: is_set("lets_callers_pass"), timeout_ms }))
}
