//! The record of one client: what its fields mean, and how they are sealed.

use super::scripts::Reply;
use super::sealed::{Keys, Unopened};
use crate::clock::{Moment, Random, millis};
use crate::error::Result;
use crate::secret_json::Members;
use crate::storage::failure_record::{FailureRecord, Receipt};
use crate::storage::token_file;
use crate::storage::{Binding, Saved, Stored, fingerprint, python_json};
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// A reading of the server's clock, with when it was made.
#[derive(Clone, Copy)]
pub(super) struct ServerTime {
    pub(super) server_ms: u64,
    pub(super) at: Instant,
}

impl ServerTime {
    /// The server's time now.
    pub(super) fn now(self) -> u64 {
        self.server_ms.saturating_add(millis(self.at.elapsed()))
    }
}

/// What a script read.
pub(super) struct Record {
    id: Option<String>,
    pub(super) seq: u64,
    tokens: Option<String>,
    wait: Option<String>,
    marks: Vec<String>,
    pub(super) is_logged_out: bool,
    pub(super) time: ServerTime,
}

/// How fields are sealed: the keys, and the name of the record.
pub(super) struct Seal<'a> {
    pub(super) keys: &'a Keys,
    pub(super) record: &'a str,
}

impl Seal<'_> {
    fn place(&self, field: &str) -> String {
        format!("{}\n{field}", self.record)
    }

    /// Seals tokens. `now`: both clocks; `server_ms`: the server's.
    pub(super) fn tokens(
        &self,
        stored: &Stored,
        left: Duration,
        server_ms: u64,
        random: &dyn Random,
    ) -> Result<String> {
        let age = stored.tokens.lifetime.saturating_sub(left);
        let mut members = Members(Map::new());
        let tokens = token_file::to_members(stored);
        members.0.insert("tokens".into(), Value::Object(tokens.0.clone()));
        members.0.insert("received_ms".into(), json!(server_ms.saturating_sub(millis(age))));
        members.0.insert("lifetime_ms".into(), json!(millis(stored.tokens.lifetime)));
        members.0.insert("rejections".into(), json!(stored.rejections));
        let text = Zeroizing::new(python_json::to_bytes(&members.0));
        self.keys.seal(&text, &self.place("tokens"), random)
    }

    /// Seals the wait of a failure record, whose times are the server's.
    pub(super) fn wait(&self, record: &FailureRecord, random: &dyn Random) -> Result<String> {
        self.keys.seal(&record.to_bytes(), &self.place("wait"), random)
    }
}

/// The name of saved tokens in the record, which says nothing about them.
pub(super) fn id_of(identity: &str) -> String {
    fingerprint(&["id", identity])
}

impl Record {
    pub(super) fn of(mut reply: Reply, at: Instant) -> Record {
        let marks = reply.text(4).unwrap_or_default();
        Record {
            id: reply.text(0),
            seq: reply.number(1),
            tokens: reply.text(2),
            wait: reply.text(3),
            marks: marks.split_ascii_whitespace().map(str::to_owned).collect(),
            is_logged_out: reply.text(5).is_some(),
            time: ServerTime { server_ms: reply.server_ms, at },
        }
    }

    /// Whether it is an older state of the session than the one with this number: a replica was
    /// promoted that had missed the last writes. A record that is gone or logged out is not.
    pub(super) fn is_before(&self, seq: u64) -> bool {
        self.id.is_some() && !self.is_logged_out && self.seq < seq
    }

    /// The name of the saved tokens, which may be none.
    pub(super) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or("")
    }

    /// The sealed tokens.
    pub(super) fn sealed(&self) -> Option<&str> {
        self.tokens.as_deref()
    }

    /// The saved tokens.
    pub(super) fn open(
        &self,
        seal: &Seal<'_>,
        binding: &Binding,
        now: Moment,
    ) -> std::result::Result<Saved, Unopened> {
        let Some(sealed) = self.tokens.as_deref().filter(|_| !self.is_logged_out) else {
            return Ok(Saved::Nothing);
        };
        let text = seal.keys.open(sealed, &seal.place("tokens"))?;
        let mut members = Members(python_json::parse(&text).ok_or(Unopened::Damaged)?);
        let number = |name: &str| members.0.get(name).and_then(Value::as_u64);
        let (Some(received_ms), Some(lifetime_ms), Some(rejections)) =
            (number("received_ms"), number("lifetime_ms"), number("rejections"))
        else {
            return Err(Unopened::Damaged);
        };
        let Some(Value::Object(tokens)) = members.0.remove("tokens") else {
            return Err(Unopened::Damaged);
        };
        let tokens = Members(tokens);
        let identity = token_file::identity(&tokens.0);
        // Tokens of the same record that were saved at another time.
        if self.id.as_deref() != Some(&id_of(&identity)) {
            return Err(Unopened::Damaged);
        }
        let age_ms = self.time.now().saturating_sub(received_ms);
        let receipt = Receipt {
            tokens: identity,
            unix_ms: now.unix_ms.saturating_sub(age_ms),
            lifetime_ms,
            binding: binding.fingerprint.clone(),
            rejections: u32::try_from(rejections).unwrap_or(u32::MAX),
        };
        let record = FailureRecord::of_store(Some(receipt), self.marks.clone());
        let content = token_file::from_members(tokens.0.clone(), &record, binding, now);
        Ok(content.into())
    }

    /// What all processes know about failures, with times by this computer's clock.
    pub(super) fn failures(&self, seal: &Seal<'_>, now: Moment) -> FailureRecord {
        let opened = self.wait.as_deref().map(|wait| seal.keys.open(wait, &seal.place("wait")));
        let mut record = match opened {
            Some(Ok(text)) => FailureRecord::from_bytes(&text),
            Some(Err(_)) => {
                log::warn!("the store's record of a failure is damaged and is not used");
                FailureRecord::default()
            }
            None => FailureRecord::default(),
        };
        record.move_wait(self.time.now(), now.unix_ms);
        record.wait_only(self.marks.clone())
    }
}
