//! The data that only planetkey needs about a session. It has its own file, separate from the
//! SDK's.

use super::{Purpose, fingerprint, python_json};
use crate::clock::millis;
use crate::error::{Error, Reason, Status};
use crate::http::retry_after::MAX_RETRY_AFTER;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The version of the file's format. A file with a higher number is read as far as it is
/// understood, and not rewritten.
const FORM: u64 = 1;
/// How many revoked refresh tokens are recorded, the newest last. A restored backup brings back an
/// old one, not all of them.
const REVOKED_LIMIT: usize = 16;
/// Failures no longer count if nothing failed for this long after the last wait, in milliseconds.
pub(super) const FAILURES_AGE_MS: u64 = 600_000;

/// The receipt of a token, by the clock of the computer that received it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The fingerprint of the stored tokens.
    pub tokens: String,
    /// When it was received, in Unix milliseconds.
    pub unix_ms: u64,
    /// Its lifetime from then on, in milliseconds.
    pub lifetime_ms: u64,
    /// The fingerprint of issuer, client, and what was requested.
    pub binding: String,
    /// How many times in a row a token was requested because an API rejected the previous one.
    pub rejections: u32,
}

/// A failure after which the next attempt must wait.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The error for all callers until then.
    pub error: Error,
    /// Whether a caller without a valid token may try again at once: the attempt that failed ran in
    /// the background, with less time and without retries, or its process was stopped during it.
    pub lets_callers_pass: bool,
    /// How long the attempt waited, if the server did not respond in time.
    pub timeout: Option<Duration>,
}

impl Failure {
    /// Whether an attempt need not wait because of this failure. `timeout`: how long it may take.
    ///
    /// Only an attempt for a caller without a valid token passes: if the failed one ran in the
    /// background, or had at most half the time. All attempts honour `Retry-After`.
    pub(crate) fn lets_pass(&self, purpose: Purpose, timeout: Duration) -> bool {
        let is_longer = self.timeout.is_some_and(|before| timeout / 2 >= before);
        let may_pass = purpose == Purpose::TokenNeeded && self.error.retry_after().is_none();
        may_pass && (self.lets_callers_pass || is_longer)
    }
}

/// What all processes know about the failures of a session.
#[derive(Clone, Debug, Default)]
pub struct FailureRecord {
    /// The receipt of the saved tokens.
    pub receipt: Option<Receipt>,
    /// No refresh before this, in Unix milliseconds, with the failure that is the reason.
    pub not_before: Option<(u64, Failure)>,
    /// How many attempts in a row failed at the server, of all processes.
    failures: u32,
    /// The marks of revoked refresh tokens.
    pub revoked: Vec<String>,
    is_newer: bool,
}

impl FailureRecord {
    /// The mark of a refresh token. `binding`: the fingerprint of its client and server.
    pub(crate) fn mark(binding: &str, refresh_token: &str) -> String {
        fingerprint(&[binding, refresh_token])
    }

    /// Whether the server revoked this refresh token.
    pub(crate) fn is_revoked(&self, binding: &str, refresh_token: &str) -> bool {
        !self.revoked.is_empty()
            && self.is_marked_revoked(&FailureRecord::mark(binding, refresh_token))
    }

    /// Whether the server revoked the refresh token with this mark. It must not be sent again.
    pub fn is_marked_revoked(&self, mark: &str) -> bool {
        self.revoked.iter().any(|revoked| revoked == mark)
    }

    /// Records that the server revoked the refresh token with this mark.
    pub fn mark_revoked(&mut self, mark: String) {
        // One that is marked again is the newest, and not the next to be dropped.
        self.revoked.retain(|revoked| *revoked != mark);
        self.revoked.push(mark);
        let surplus = self.revoked.len().saturating_sub(REVOKED_LIMIT);
        self.revoked.drain(..surplus);
    }

    /// How long every process must wait, and why.
    pub fn wait(&self, now_unix_ms: u64) -> Option<(Duration, &Failure)> {
        let (until, failure) = self.not_before.as_ref()?;
        let left = Duration::from_millis(until.saturating_sub(now_unix_ms));
        // A time beyond this was written before the clock was set back.
        (!left.is_zero() && left <= MAX_RETRY_AFTER).then_some((left, failure))
    }

    /// How many attempts in a row failed recently.
    pub fn failures(&self, now_unix_ms: u64) -> u32 {
        let is_recent = |(until, _): &(u64, Failure)| {
            now_unix_ms < until.saturating_add(FAILURES_AGE_MS)
                && *until <= now_unix_ms.saturating_add(millis(MAX_RETRY_AFTER))
        };
        if self.not_before.as_ref().is_some_and(is_recent) { self.failures } else { 0 }
    }

    /// Records that this many attempts in a row failed, and that the next one waits until this
    /// time, in Unix milliseconds.
    pub fn note_failure(&mut self, failures: u32, until_unix_ms: u64, failure: Failure) {
        self.failures = failures;
        self.not_before = Some((until_unix_ms, failure));
    }

    /// Records that these tokens were received and are being saved.
    pub(super) fn note_saved(&mut self, receipt: Receipt) {
        self.receipt = Some(receipt);
        self.clear_failures();
    }

    /// Records that the tokens were deleted.
    pub(super) fn note_removed(&mut self) {
        self.receipt = None;
        self.clear_failures();
    }

    /// What a store says about tokens: their receipt, and marks.
    #[cfg(feature = "store")]
    pub(super) fn of_store(receipt: Option<Receipt>, revoked: Vec<String>) -> Self {
        FailureRecord { receipt, revoked, ..FailureRecord::default() }
    }

    /// The wait alone, with these marks.
    #[cfg(feature = "store")]
    pub(super) fn wait_only(&self, revoked: Vec<String>) -> Self {
        FailureRecord { receipt: None, revoked, ..self.clone() }
    }

    /// Moves the wait from one clock to another, which show these times at the same moment.
    #[cfg(feature = "store")]
    pub(super) fn move_wait(&mut self, from_unix_ms: u64, to_unix_ms: u64) {
        if let Some((until, _)) = &mut self.not_before {
            let left = until.saturating_sub(from_unix_ms);
            let age = from_unix_ms.saturating_sub(*until);
            *until = to_unix_ms.saturating_add(left).saturating_sub(age);
        }
    }

    /// Adds what another record says: the later wait, and its marks.
    #[cfg(feature = "store")]
    pub(super) fn merge(&mut self, other: FailureRecord) {
        let until = |record: &FailureRecord| record.not_before.as_ref().map_or(0, |(ms, _)| *ms);
        if until(&other) > until(self) {
            (self.not_before, self.failures) = (other.not_before, other.failures);
        }
        for mark in other.revoked {
            self.mark_revoked(mark);
        }
    }

    pub(super) fn clear_failures(&mut self) {
        (self.not_before, self.failures) = (None, 0);
    }

    /// Whether a later version of planetkey wrote it.
    pub(super) fn is_newer(&self) -> bool {
        self.is_newer
    }

    /// Reads the file. Members that are not understood count as absent.
    pub(super) fn from_bytes(bytes: &[u8]) -> FailureRecord {
        python_json::parse(bytes)
            .map_or_else(FailureRecord::default, |members| FailureRecord::from_members(&members))
    }

    /// Reads the members of the file.
    pub(super) fn from_members(members: &Map<String, Value>) -> FailureRecord {
        FailureRecord {
            receipt: members.get("receipt").and_then(receipt),
            not_before: members.get("not_before").and_then(not_before),
            failures: members
                .get("failures")
                .and_then(Value::as_u64)
                .map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX)),
            revoked: match members.get("dead") {
                Some(Value::Array(marks)) => {
                    marks.iter().filter_map(|mark| mark.as_str().map(str::to_owned)).collect()
                }
                _ => Vec::new(),
            },
            is_newer: members.get("form").and_then(Value::as_u64).is_some_and(|form| form > FORM),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        python_json::to_bytes(&self.to_members())
    }

    pub(super) fn to_members(&self) -> Map<String, Value> {
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
        if let Some((until, Failure { error, lets_callers_pass, timeout })) = &self.not_before {
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
                "timeout_ms": timeout.map(millis),
            });
            members.insert("not_before".into(), value);
            members.insert("failures".into(), json!(self.failures));
        }
        members.insert("dead".into(), json!(self.revoked));
        members
    }

    /// Adds what this process knows and could not save: the marks of `mine`, and its wait if it is
    /// longer.
    pub(super) fn with_unsaved(mut self, mine: &FailureRecord) -> FailureRecord {
        let until =
            |record: &FailureRecord| record.not_before.as_ref().map_or(0, |(until, _)| *until);
        if until(mine) > until(&self) {
            (self.not_before, self.failures) = (mine.not_before.clone(), mine.failures);
        }
        self.with_marks_of(mine)
    }

    /// Adds the marks of `mine`.
    pub(super) fn with_marks_of(mut self, mine: &FailureRecord) -> FailureRecord {
        for mark in &mine.revoked {
            if !self.is_marked_revoked(mark) {
                self.mark_revoked(mark.clone());
            }
        }
        self
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
        rejections: number("rejections")
            .map_or(0, |number| u32::try_from(number).unwrap_or(u32::MAX)),
    })
}

fn not_before(value: &Value) -> Option<(u64, Failure)> {
    let text = |member: &str| value.get(member).and_then(Value::as_str);
    let status = Status::ALL.into_iter().find(|status| Some(status.name()) == text("status"))?;
    let mut error = Error::new(status, text("message")?);
    if let Some(reason) =
        text("reason").and_then(Reason::from_name).filter(|reason| reason.status() == status)
    {
        error = error.with_reason(reason);
    }
    if let Some(name) = text("oauth_error") {
        error = error.with_oauth_error(name, text("oauth_error_description"));
    }
    if let Some(http_status) = value
        .get("http_status")
        .and_then(Value::as_u64)
        .and_then(|status| u16::try_from(status).ok())
    {
        error = error.with_http_status(http_status);
    }
    let is_set = |member: &str| value.get(member).and_then(Value::as_bool).unwrap_or(false);
    if is_set("asked_by_server") {
        // The reader computes the rest of the wait.
        error = error.with_retry_after(Some(Duration::ZERO));
    }
    let timeout = value.get("timeout_ms").and_then(Value::as_u64).map(Duration::from_millis);
    Some((
        value.get("unix_ms")?.as_u64()?,
        Failure { error, lets_callers_pass: is_set("lets_callers_pass"), timeout },
    ))
}
