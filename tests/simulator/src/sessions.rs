//! Sessions of users: families of refresh tokens, each token the successor of the one before.
//!
//! A refresh token that was rotated and comes again shows that two hold it: the whole family ends,
//! its access tokens included (RFC 9700 4.14.2).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::now;
use crate::person::Person;

/// What all families of a simulator add up to, by the names of the counters.
pub(crate) const COUNTERS: [&str; 5] = ["user.families", "user.families.alive", "user.rotations", "user.repeats", "user.reuse"];

/// Every family of a simulator.
#[derive(Default)]
pub(crate) struct Sessions {
    families: Vec<Family>,
    refresh_tokens: HashMap<String, RefreshToken>,
    /// The family of each access token.
    access_tokens: HashMap<String, usize>,
}

/// What a user granted a client, and what became of it.
pub(crate) struct Family {
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) person: Person,
    pub(crate) scope: String,
    pub(crate) audience: Option<String>,
    /// When the user logged in.
    pub(crate) since: u64,
    current: Option<String>,
    ended: Option<End>,
    rotations: u64,
    repeats: u64,
    reuse: u64,
}

/// Why a family is no more.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// A token came again after its rotation.
    Reuse,
    /// The authorization code that began it came again.
    CodeReuse,
    /// The client revoked it.
    Revocation,
    /// The control API revoked it, as a user or an administrator would.
    Control,
}

struct RefreshToken {
    family: usize,
    /// Unix seconds; none means never.
    expiry: Option<u64>,
    rotated: Option<Instant>,
}

/// A refresh token that is good.
pub(crate) struct Shown {
    pub(crate) family: usize,
    /// It was rotated a moment ago: the token that is current now.
    pub(crate) successor: Option<String>,
}

impl Family {
    pub(crate) fn new(
        issuer: String,
        client: String,
        person: Person,
        scope: String,
        audience: Option<String>,
        since: u64,
    ) -> Self {
        Self { issuer, client, person, scope, audience, since, current: None, ended: None, rotations: 0, repeats: 0, reuse: 0 }
    }

    /// The first reason stays.
    fn end(&mut self, end: End) {
        self.ended.get_or_insert(end);
    }
}

impl RefreshToken {
    fn new(family: usize, life: Option<u64>) -> Self {
        Self { family, expiry: life.map(|life| now().saturating_add(life)), rotated: None }
    }

    fn has_expired(&self) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now())
    }
}

impl Sessions {
    /// Takes a family in and gives its number.
    pub(crate) fn open(&mut self, family: Family) -> usize {
        self.families.push(family);
        self.families.len() - 1
    }

    pub(crate) fn family(&self, number: usize) -> Option<&Family> {
        self.families.get(number)
    }

    /// When a refresh token that is good expires, without showing it; the inner none means never.
    pub(crate) fn refresh_token_expiry(&self, token: &str) -> Option<Option<u64>> {
        let known = self.refresh_tokens.get(token)?;
        let family = self.families.get(known.family)?;
        let good = family.ended.is_none() && known.rotated.is_none() && !known.has_expired();
        good.then_some(known.expiry)
    }

    /// The first refresh token of a family.
    pub(crate) fn begin(&mut self, family: usize, token: &str, life: Option<u64>) {
        self.refresh_tokens.insert(token.to_owned(), RefreshToken::new(family, life));
        if let Some(family) = self.families.get_mut(family) {
            family.current = Some(token.to_owned());
        }
    }

    /// Verifies a refresh token that a client shows at an issuer; one that was rotated longer ago
    /// than the overlap ends its family.
    pub(crate) fn show(&mut self, token: &str, client: &str, issuer: &str, overlap: Duration) -> Option<Shown> {
        let known = self.refresh_tokens.get(token)?;
        let family = self.families.get_mut(known.family)?;
        if family.client != client || family.issuer != issuer {
            return None;
        }
        let successor = match known.rotated {
            Some(rotated) if rotated.elapsed() < overlap => family.current.clone(),
            Some(_) => {
                family.reuse += 1;
                family.end(End::Reuse);
                None
            }
            None => None,
        };
        let good = family.ended.is_none() && !known.has_expired();
        good.then_some(Shown { family: known.family, successor })
    }

    /// The same successor was given once more.
    pub(crate) fn repeat(&mut self, family: usize) {
        if let Some(family) = self.families.get_mut(family) {
            family.repeats += 1;
        }
    }

    /// A refresh token was used up and another takes its place.
    pub(crate) fn rotate(&mut self, token: &str, successor: &str, life: Option<u64>) {
        let Some(known) = self.refresh_tokens.get_mut(token) else {
            return;
        };
        known.rotated = Some(Instant::now());
        let number = known.family;
        self.begin(number, successor, life);
        if let Some(family) = self.families.get_mut(number) {
            family.rotations += 1;
        }
    }

    pub(crate) fn add_access_token(&mut self, family: usize, token: &str) {
        self.access_tokens.insert(token.to_owned(), family);
    }

    pub(crate) fn is_access_token(&self, token: &str) -> bool {
        self.access_tokens.contains_key(token)
    }

    /// Whether this is an access token of a family that has ended.
    pub(crate) fn is_revoked(&self, access_token: &str) -> bool {
        let family = self.access_tokens.get(access_token).and_then(|number| self.families.get(*number));
        family.is_some_and(|family| family.ended.is_some())
    }

    /// The family of any of its tokens, old ones included.
    pub(crate) fn find(&self, token: &str) -> Option<usize> {
        let refresh_token = self.refresh_tokens.get(token).map(|known| known.family);
        refresh_token.or_else(|| self.access_tokens.get(token).copied())
    }

    pub(crate) fn end(&mut self, family: usize, end: End) {
        if let Some(family) = self.families.get_mut(family) {
            family.end(end);
        }
    }

    fn is_alive(&self, family: &Family) -> bool {
        let current = family.current.as_ref().and_then(|token| self.refresh_tokens.get(token));
        family.ended.is_none() && !current.is_some_and(RefreshToken::has_expired)
    }

    /// One of [`COUNTERS`].
    pub(crate) fn count(&self, counter: &str) -> Option<u64> {
        let families = &self.families;
        Some(match counter {
            "user.families" => families.len() as u64,
            "user.families.alive" => families.iter().filter(|family| self.is_alive(family)).count() as u64,
            "user.rotations" => families.iter().map(|family| family.rotations).sum(),
            "user.repeats" => families.iter().map(|family| family.repeats).sum(),
            "user.reuse" => families.iter().map(|family| family.reuse).sum(),
            _ => return None,
        })
    }

    /// All families, or the one of a token.
    pub(crate) fn json(&self, token: Option<&str>) -> Vec<Value> {
        let wanted = token.map(|token| self.find(token));
        let families = self.families.iter().enumerate();
        families
            .filter(|(number, _)| wanted.is_none_or(|wanted| wanted == Some(*number)))
            .map(|(number, family)| self.describe(number, family))
            .collect()
    }

    fn describe(&self, number: usize, family: &Family) -> Value {
        let ended = family.ended.map(|end| match end {
            End::Reuse => "reuse",
            End::CodeReuse => "code_reuse",
            End::Revocation => "revocation",
            End::Control => "control",
        });
        json!({
            "family": number + 1,
            "issuer": family.issuer,
            "client_id": family.client,
            "subject": family.person.subject,
            "scope": family.scope,
            "audience": family.audience,
            "alive": self.is_alive(family),
            "revoked": ended,
            "refresh_token": family.current,
            "rotations": family.rotations,
            "repeats": family.repeats,
            "reuse": family.reuse,
        })
    }
}
