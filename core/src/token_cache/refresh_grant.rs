//! The request of a user session: sends the refresh token (RFC 6749 6) and resolves the races with
//! programs that take no lock.

use super::cached_token::CachedToken;
use super::file_unchanged::{Announcement, FileUnchanged};
use super::login_required::LoginRequired;
use super::outcome::Failed;
use crate::client::Client;
use crate::clock::Moment;
use crate::credential::TokenSet;
use crate::http::{CallContext, Http};
use crate::storage::{FailureRecord, FileVersion, Saved, Stored, TokenStorage, TornRead};
use std::sync::Arc;
use std::time::Duration;

/// Planet's tools write the file after they have rotated the refresh token: it is reread this long
/// after a refusal.
const REREAD_AFTER: [Duration; 3] =
    [Duration::from_millis(25), Duration::from_millis(50), Duration::from_millis(100)];
/// A program that changes the file more often than this before one request is not followed further.
const MAX_FILE_CHANGES: u32 = 5;

/// The source of the refresh token that is sent.
#[derive(Clone, Copy)]
pub(super) enum TokenSource {
    /// It could not be saved.
    Memory,
    /// The storage, with the file version if it has one.
    Storage(Option<FileVersion>),
}

impl TokenSource {
    pub(super) fn in_version(version: FileVersion) -> Self {
        TokenSource::Storage(Some(version).filter(|version| *version != FileVersion::Unknown))
    }

    pub(super) fn version(self) -> Option<FileVersion> {
        match self {
            TokenSource::Memory => None,
            TokenSource::Storage(version) => version,
        }
    }
}

/// The source of a new token.
pub(super) enum Obtained {
    /// The server issued it. `sent`: the refresh token of another process that was sent instead of
    /// the one that was read first.
    Issued { issued: TokenSet, sent: Option<(Arc<Stored>, TokenSource)> },
    /// Another process saved it.
    Adopted(Arc<Stored>, FileVersion),
    /// The saved session is gone.
    Gone(FileVersion),
}

/// Whether the refresh token may be sent a second time after a response that did not arrive.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Resend {
    /// Once. The server may accept the same token again for some time for exactly this case.
    Once,
    /// Not after a failure that another attempt has seen.
    Never,
}

/// One request with a refresh token.
pub(super) struct RefreshGrant<'a> {
    pub(super) client: &'a Client,
    pub(super) storage: &'a Arc<dyn TokenStorage>,
    pub(super) http: &'a Http,
    pub(super) login_required: LoginRequired<'a>,
}

impl RefreshGrant<'_> {
    /// Sends the refresh token of `sent`. Another process may rotate it before each send. After a
    /// refusal the file is reread. `saved_identity`: that of the tokens in the storage.
    ///
    /// Errors: LOGIN_REQUIRED if it is revoked; those of the request and of [`TokenStorage::load`].
    pub(super) fn exchange(
        &self,
        mut sent: Arc<Stored>,
        mut source: TokenSource,
        mut saved_identity: Option<String>,
        call: &CallContext<'_>,
        mut resend: Resend,
    ) -> std::result::Result<Obtained, Failed> {
        let first = sent.clone();
        let (mut has_switched, mut file_changes) = (false, 0);
        loop {
            let mark = mark_of(self.client, sent.tokens.refresh_token().unwrap_or(""));
            if self.storage.failure_record().is_marked_revoked(&mark) {
                return Err(self.revoked(None));
            }
            let unchanged = FileUnchanged::new(
                self.storage.clone(),
                source.version(),
                Announcement {
                    mark: mark.clone(),
                    replaced: saved_identity.clone(),
                    timeout: call.time_left(),
                },
            );
            let http = self.http.with_precondition(unchanged.precondition());
            let error = match self.client.request(&call.over(&http), Some(&sent.tokens)) {
                Ok(issued) => {
                    let is_another = !Arc::ptr_eq(&first, &sent);
                    return Ok(Obtained::Issued {
                        issued,
                        sent: is_another.then_some((sent, source)),
                    });
                }
                Err(error) => error,
            };
            if unchanged.was_violated() {
                file_changes += 1;
                match self.storage.load(self.now(), TornRead::Retry)? {
                    (Saved::Tokens(newer), version) if self.is_usable(&newer) => {
                        return Ok(Obtained::Adopted(newer, version));
                    }
                    (Saved::Tokens(newer), version)
                        if newer.tokens.refresh_token().is_some()
                            && file_changes < MAX_FILE_CHANGES =>
                    {
                        saved_identity = identity_of(&newer);
                        (sent, source) = (newer, TokenSource::in_version(version));
                        continue;
                    }
                    (Saved::Tokens(_), _) => return Err(error.into()),
                    (Saved::Nothing | Saved::Foreign, version) => {
                        return Ok(Obtained::Gone(version));
                    }
                }
            }
            let is_refused = error.oauth_error() == Some("invalid_grant");
            if !is_refused && !error.is_ambiguous() {
                return Err(error.into());
            }
            // Planet's tools take no lock: they may have rotated the refresh token since. After
            // a complete response the one that was sent is used up: only another one may be sent.
            let rereads = if error.may_replay() { &[Duration::ZERO][..] } else { &REREAD_AFTER };
            match self.reread(&sent, source, rereads) {
                Some((newer, version)) if self.is_usable(&newer) => {
                    return Ok(Obtained::Adopted(newer, version));
                }
                Some((newer, version)) if !has_switched => {
                    has_switched = true;
                    saved_identity = identity_of(&newer);
                    (sent, source) = (newer, TokenSource::in_version(version));
                }
                _ if is_refused => {
                    // Read now, because another process may have marked another token since.
                    let mut record = self.storage.failure_record();
                    record.mark_revoked(mark);
                    self.storage.save_failure_record(&record);
                    return Err(self.revoked(Some(&error)));
                }
                // Without a second attempt the session would be lost.
                _ if error.may_replay() && resend == Resend::Once && call.has_time_left() => {
                    resend = Resend::Never
                }
                _ => return Err(error.into()),
            }
        }
    }

    /// The saved tokens, if their refresh token is no longer the one that was sent. Tokens that
    /// could not be saved are newer than the saved ones.
    fn reread(
        &self,
        sent: &Stored,
        source: TokenSource,
        waits: &[Duration],
    ) -> Option<(Arc<Stored>, FileVersion)> {
        if matches!(source, TokenSource::Memory) {
            return None;
        }
        for wait in waits {
            self.http.clock().sleep(*wait);
            if let Ok((Saved::Tokens(tokens), version)) =
                self.storage.load(self.now(), TornRead::Retry)
                && tokens
                    .tokens
                    .refresh_token()
                    .is_some_and(|token| Some(token) != sent.tokens.refresh_token())
            {
                return Some((tokens, version));
            }
        }
        None
    }

    fn revoked(&self, refusal: Option<&crate::error::Error>) -> Failed {
        Failed { is_revoked: true, ..self.login_required.revoked(refusal).into() }
    }

    fn now(&self) -> Moment {
        self.http.clock().now()
    }

    fn is_usable(&self, tokens: &Stored) -> bool {
        CachedToken::bearer(tokens, self.http.random()).is_usable(self.now())
    }
}

fn identity_of(tokens: &Arc<Stored>) -> Option<String> {
    Saved::Tokens(tokens.clone()).identity()
}

/// The mark of a refresh token. An attempt of another client with the same token says nothing about
/// it.
pub(super) fn mark_of(client: &Client, refresh_token: &str) -> String {
    FailureRecord::mark(&client.binding().fingerprint, refresh_token)
}
