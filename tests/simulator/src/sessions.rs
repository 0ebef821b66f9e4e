//! User sessions: chains of refresh tokens, each the successor of the one before.
//!
//! A rotated refresh token that is sent again shows that two clients hold it. Then the whole
//! session ends, including its access tokens (RFC 9700 4.14.2).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::now;
use crate::user::User;

/// The counters of all sessions.
pub(crate) const COUNTERS: [&str; 5] =
    ["user.sessions", "user.sessions.active", "user.rotations", "user.repeats", "user.reuse"];

/// Every session of a simulator.
#[derive(Default)]
pub(crate) struct Sessions {
    sessions: Vec<Session>,
    refresh_tokens: HashMap<String, RefreshToken>,
    /// The session of each access token.
    access_tokens: HashMap<String, usize>,
}

/// A grant of a user to a client, and its state.
pub(crate) struct Session {
    pub(crate) issuer: String,
    pub(crate) client: String,
    pub(crate) user: User,
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

/// Why a session ended.
#[derive(Clone, Copy)]
pub(crate) enum End {
    /// A token was sent again after its rotation.
    Reuse,
    /// The authorization code that started it was sent again.
    CodeReuse,
    /// The client revoked it.
    Revocation,
    /// The control API revoked it, as a user or an administrator would.
    Control,
}

struct RefreshToken {
    session: usize,
    /// Unix seconds; `None` means never.
    expiry: Option<u64>,
    rotated: Option<Instant>,
}

/// A valid refresh token.
pub(crate) struct Verified {
    pub(crate) session: usize,
    /// The current token, if this one was rotated within the overlap.
    pub(crate) successor: Option<String>,
}

impl Session {
    pub(crate) fn new(
        issuer: String,
        client: String,
        user: User,
        scope: String,
        audience: Option<String>,
        since: u64,
    ) -> Self {
        Self {
            issuer,
            client,
            user,
            scope,
            audience,
            since,
            current: None,
            ended: None,
            rotations: 0,
            repeats: 0,
            reuse: 0,
        }
    }

    /// Only the first reason is recorded.
    fn end(&mut self, end: End) {
        self.ended.get_or_insert(end);
    }
}

impl RefreshToken {
    fn new(session: usize, lifetime: Option<u64>) -> Self {
        Self {
            session,
            expiry: lifetime.map(|lifetime| now().saturating_add(lifetime)),
            rotated: None,
        }
    }

    fn has_expired(&self) -> bool {
        self.expiry.is_some_and(|expiry| expiry <= now())
    }
}

impl Sessions {
    /// Adds a session and returns its number.
    pub(crate) fn open(&mut self, session: Session) -> usize {
        self.sessions.push(session);
        self.sessions.len() - 1
    }

    pub(crate) fn get(&self, number: usize) -> Option<&Session> {
        self.sessions.get(number)
    }

    /// The expiry of a valid refresh token, without using it. The inner `None` means never.
    pub(crate) fn refresh_token_expiry(&self, token: &str) -> Option<Option<u64>> {
        let known = self.refresh_tokens.get(token)?;
        let session = self.sessions.get(known.session)?;
        let good = session.ended.is_none() && known.rotated.is_none() && !known.has_expired();
        good.then_some(known.expiry)
    }

    /// Sets the first refresh token of a session.
    pub(crate) fn begin(&mut self, session: usize, token: &str, lifetime: Option<u64>) {
        self.refresh_tokens.insert(token.to_owned(), RefreshToken::new(session, lifetime));
        if let Some(session) = self.sessions.get_mut(session) {
            session.current = Some(token.to_owned());
        }
    }

    /// Verifies a refresh token that a client sent to an issuer. A token that was rotated longer
    /// ago than the overlap ends its session.
    pub(crate) fn verify(
        &mut self,
        token: &str,
        client: &str,
        issuer: &str,
        overlap: Duration,
    ) -> Option<Verified> {
        let known = self.refresh_tokens.get(token)?;
        let session = self.sessions.get_mut(known.session)?;
        if session.client != client || session.issuer != issuer {
            return None;
        }
        let successor = match known.rotated {
            Some(rotated) if rotated.elapsed() < overlap => session.current.clone(),
            Some(_) => {
                session.reuse += 1;
                session.end(End::Reuse);
                None
            }
            None => None,
        };
        let good = session.ended.is_none() && !known.has_expired();
        good.then_some(Verified { session: known.session, successor })
    }

    /// Counts a response with the same successor.
    pub(crate) fn repeat(&mut self, session: usize) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.repeats += 1;
        }
    }

    /// Replaces a refresh token by its successor.
    pub(crate) fn rotate(&mut self, token: &str, successor: &str, lifetime: Option<u64>) {
        let Some(known) = self.refresh_tokens.get_mut(token) else {
            return;
        };
        known.rotated = Some(Instant::now());
        let number = known.session;
        self.begin(number, successor, lifetime);
        if let Some(session) = self.sessions.get_mut(number) {
            session.rotations += 1;
        }
    }

    pub(crate) fn add_access_token(&mut self, session: usize, token: &str) {
        self.access_tokens.insert(token.to_owned(), session);
    }

    pub(crate) fn is_access_token(&self, token: &str) -> bool {
        self.access_tokens.contains_key(token)
    }

    /// Whether this is an access token of a session that has ended.
    pub(crate) fn is_revoked(&self, access_token: &str) -> bool {
        let session =
            self.access_tokens.get(access_token).and_then(|number| self.sessions.get(*number));
        session.is_some_and(|session| session.ended.is_some())
    }

    /// The session of any of its tokens, including old ones.
    pub(crate) fn find(&self, token: &str) -> Option<usize> {
        let refresh_token = self.refresh_tokens.get(token).map(|known| known.session);
        refresh_token.or_else(|| self.access_tokens.get(token).copied())
    }

    pub(crate) fn end(&mut self, session: usize, end: End) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.end(end);
        }
    }

    fn is_active(&self, session: &Session) -> bool {
        let current = session.current.as_ref().and_then(|token| self.refresh_tokens.get(token));
        session.ended.is_none() && !current.is_some_and(RefreshToken::has_expired)
    }

    /// One of [`COUNTERS`].
    pub(crate) fn count(&self, counter: &str) -> Option<u64> {
        let sessions = &self.sessions;
        Some(match counter {
            "user.sessions" => sessions.len() as u64,
            "user.sessions.active" => {
                sessions.iter().filter(|session| self.is_active(session)).count() as u64
            }
            "user.rotations" => sessions.iter().map(|session| session.rotations).sum(),
            "user.repeats" => sessions.iter().map(|session| session.repeats).sum(),
            "user.reuse" => sessions.iter().map(|session| session.reuse).sum(),
            _ => return None,
        })
    }

    /// All sessions, or the one of a token.
    pub(crate) fn json(&self, token: Option<&str>) -> Vec<Value> {
        let wanted = token.map(|token| self.find(token));
        let sessions = self.sessions.iter().enumerate();
        sessions
            .filter(|(number, _)| wanted.is_none_or(|wanted| wanted == Some(*number)))
            .map(|(number, session)| self.describe(number, session))
            .collect()
    }

    fn describe(&self, number: usize, session: &Session) -> Value {
        let ended = session.ended.map(|end| match end {
            End::Reuse => "reuse",
            End::CodeReuse => "code_reuse",
            End::Revocation => "revocation",
            End::Control => "control",
        });
        json!({
            "session": number + 1,
            "issuer": session.issuer,
            "client_id": session.client,
            "subject": session.user.subject,
            "scope": session.scope,
            "audience": session.audience,
            "active": self.is_active(session),
            "revoked": ended,
            "refresh_token": session.current,
            "rotations": session.rotations,
            "repeats": session.repeats,
            "reuse": session.reuse,
        })
    }
}
