//! One refresh, top-down: lock, reread, adopt, request, save. It has no access to the cache's
//! fields and returns a [`RefreshOutcome`].

use super::SavedState;
use super::backoff::{self, LoginNoticed};
use super::cached_token::CachedToken;
use super::login_required::{LoginRequired, NoRefreshToken};
use super::outcome::{Failed, RefreshOutcome, was_stopped};
use super::reentry;
use super::refresh_grant::{Obtained, RefreshGrant, Resend, TokenSource, mark_of};
use super::saved_session::{FoundSession, Need, read_saved, save_over};
use crate::client::{Client, ProviderRequest};
use crate::clock::{Moment, fraction};
use crate::error::{Error, Status};
use crate::http::{CallContext, DEFAULT_TIMEOUT, Http, Retry};
use crate::storage::{Failure, FileVersion, Lock, Purpose, Saved, Stored, TokenStorage, TornRead};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A refresh token that was sent gets at least this time.
const SHORTEST_EXCHANGE: Duration = DEFAULT_TIMEOUT;

type Result<T> = std::result::Result<T, Failed>;

/// How one refresh is made.
#[derive(Clone, Copy)]
pub(super) struct RefreshRequest {
    pub(super) purpose: Purpose,
    pub(super) timeout: Duration,
    /// A fresh token of a later generation makes the request unnecessary.
    pub(super) newer_than: u64,
}

impl RefreshRequest {
    fn retry(&self) -> Retry {
        if self.purpose == Purpose::Background { Retry::Never } else { Retry::WithinDeadline }
    }

    /// Whether a caller without a valid token may try again at once if this refresh fails.
    pub(super) fn lets_callers_pass(&self, deadline: Moment, now: Moment) -> bool {
        self.purpose == Purpose::Background || was_stopped(deadline, now)
    }
}

/// The cache as it is at one moment.
pub(super) struct View {
    pub(super) token: Option<Arc<CachedToken>>,
    pub(super) saved: Arc<SavedState>,
}

pub(super) struct Refresh<'a, 'v> {
    pub(super) client: &'a Client,
    pub(super) storage: &'a Arc<dyn TokenStorage>,
    pub(super) http: &'a Http,
    pub(super) profile: Option<&'a str>,
    pub(super) must_save: bool,
    pub(super) request: RefreshRequest,
    pub(super) deadline: Moment,
    pub(super) view: &'v dyn Fn() -> View,
}

impl<'a> Refresh<'a, '_> {
    /// Runs the refresh. `lock` holds the storage's lock until the caller has applied the outcome.
    pub(super) fn run(&self, lock: &mut Option<Box<dyn Lock + 'a>>) -> RefreshOutcome {
        self.try_run(lock).unwrap_or_else(RefreshOutcome::Failed)
    }

    fn try_run(&self, lock: &mut Option<Box<dyn Lock + 'a>>) -> Result<RefreshOutcome> {
        if let Some(error) = self.nothing_to_refresh() {
            let version = FileVersion::Absent;
            return match (self.view)().saved.version {
                FileVersion::At(_) => Ok(RefreshOutcome::SessionGone { version, error }),
                _ => Err(error.into()),
            };
        }

        // Lock.
        let started = Instant::now();
        *lock = self.lock(started)?;
        // Whole milliseconds: a storage without a lock costs no time.
        let waited = Duration::from_millis(crate::clock::millis(started.elapsed()));
        let now = self.now();
        let View { token, saved } = (self.view)();
        let is_newer = |token: &&Arc<CachedToken>| {
            token.generation > self.request.newer_than && token.is_fresh(now)
        };
        if saved.unsaved.is_none()
            && let Some(token) = token.as_ref().filter(is_newer)
        {
            return Ok(RefreshOutcome::Unchanged { token: token.clone(), saved: None });
        }

        // Reread.
        let is_optional = saved.unsaved.is_some() || self.client.is_m2m();
        let need = if is_optional { Need::Optional } else { Need::Required };
        let found = read_saved(self.storage.as_ref(), need, saved.version, now)?;
        let was_deleted = found.is_readable
            && found.version == FileVersion::Absent
            && saved.unsaved.is_none()
            && matches!(saved.version, FileVersion::At(_));
        let version = (was_deleted || found.was_renamed).then_some(found.version);
        let failed = |failed: Failed| Failed {
            is_gone: failed.is_gone || was_deleted,
            version: failed.version.or(version),
            ..failed
        };
        let saved = SavedState {
            was_logged_out: saved.was_logged_out || was_deleted,
            ..saved.as_ref().clone()
        };
        self.refresh_found(found, token, &saved, waited).map_err(failed)
    }

    /// Adopt, request, save.
    fn refresh_found(
        &self,
        found: FoundSession,
        token: Option<Arc<CachedToken>>,
        saved: &SavedState,
        waited: Duration,
    ) -> Result<RefreshOutcome> {
        let now = self.now();
        let FoundSession { content, version, is_readable, .. } = found;
        let is_foreign = matches!(content, Saved::Foreign);
        let replaced = content.identity();
        // Tokens that could not be saved are newer than what they should have replaced, and older
        // than what another process saved since.
        let unsaved =
            saved.unsaved.as_ref().filter(|unsaved| unsaved.replaced == replaced || !is_readable);
        let tokens = match (unsaved, content) {
            (Some(unsaved), _) => {
                let is_enough = |token: &&Arc<CachedToken>| {
                    token.is_fresh(now) && self.request.purpose != Purpose::Forced
                };
                if let Some(token) = token.as_ref().filter(is_enough) {
                    let replaced = unsaved.replaced.clone();
                    let saved = save_over(self.storage.as_ref(), &unsaved.tokens, replaced);
                    let Some(saved) = saved else { return self.taken_over() };
                    return Ok(RefreshOutcome::Unchanged {
                        token: token.clone(),
                        saved: Some(saved),
                    });
                }
                Some(Arc::new(unsaved.tokens.clone()))
            }
            (None, Saved::Tokens(tokens)) => Some(tokens),
            (None, Saved::Nothing | Saved::Foreign) => None,
        };

        // Adopt.
        if let Some(tokens) = &tokens
            && self.makes_request_unnecessary(tokens, token.as_deref(), now)
        {
            return Ok(self.adopted(tokens, version, token.as_deref()));
        }
        if let Some((wait, failure)) = self.storage.failure_record().wait(now.unix_ms)
            && !failure.lets_pass(self.request.purpose, self.request.timeout)
        {
            return Err(failure.error.clone().with_retry_after(Some(wait)).into());
        }

        // Request.
        let read_version =
            Some(version).filter(|version| *version != FileVersion::Unknown && is_readable);
        let source = if unsaved.is_some() {
            TokenSource::Memory
        } else {
            TokenSource::Storage(read_version)
        };
        let saved_identity = replaced.clone();
        let without_refresh_token = |has_tokens: bool| {
            let why = self.why_no_refresh_token(
                is_foreign,
                has_tokens,
                token.as_deref(),
                saved.was_logged_out,
            );
            self.login_required().without_refresh_token(why)
        };
        let (issued, sent_version, replaced) =
            match self.request(tokens, source, saved_identity, waited, &without_refresh_token) {
                Ok(Obtained::Issued { issued, sent: None }) => (issued, read_version, replaced),
                Ok(Obtained::Issued { issued, sent: Some((sent, source)) }) => {
                    (issued, source.version(), Saved::Tokens(sent).identity())
                }
                Ok(Obtained::Adopted(tokens, version)) => {
                    return Ok(self.adopted(&tokens, version, token.as_deref()));
                }
                Ok(Obtained::Gone(version)) => {
                    return Ok(RefreshOutcome::SessionGone {
                        version,
                        error: self.login_required().logged_out(),
                    });
                }
                Err(failed) => return Err(self.share_failure(failed, saved)),
            };

        // Save.
        if let Some(outcome) = self.overtaken(sent_version, replaced.as_deref())? {
            return Ok(outcome);
        }
        let rejections = token.as_deref().map_or(0, CachedToken::rejections_of_next);
        let tokens = Stored::received(issued, self.now()).after_rejections(rejections);
        let is_refreshable = self.can_refresh(&tokens);
        match save_over(self.storage.as_ref(), &tokens, replaced) {
            Some(save) => Ok(RefreshOutcome::Issued { tokens, save, is_refreshable }),
            None => self.taken_over(),
        }
    }

    fn now(&self) -> Moment {
        self.http.clock().now()
    }

    fn login_required(&self) -> LoginRequired<'a> {
        LoginRequired { client: self.client, storage: self.storage.as_ref(), profile: self.profile }
    }

    /// Takes the storage's lock. An M2M client gets its token also without it.
    ///
    /// Errors: as [`TokenStorage::lock`].
    fn lock(&self, started: Instant) -> Result<Option<Box<dyn Lock + 'a>>> {
        match self.storage.lock_for(started + self.request.timeout, self.request.purpose) {
            Err(error)
                if self.client.is_m2m()
                    && matches!(error.status(), Status::Storage | Status::Unavailable) =>
            {
                log::warn!(
                    "{error}; other processes may request a token for this client at the same time"
                );
                Ok(None)
            }
            lock => Ok(lock?),
        }
    }

    /// Without a saved session of a user there is nothing to lock and nothing to send.
    fn nothing_to_refresh(&self) -> Option<Error> {
        let View { token, saved } = (self.view)();
        if self.client.is_m2m()
            || saved.unsaved.is_some()
            || self.storage.file_version() != FileVersion::Absent
        {
            return None;
        }
        // A file whose version cannot be read may exist nevertheless.
        let is_absent =
            matches!(self.storage.load(self.now(), TornRead::Fail), Ok((_, FileVersion::Absent)));
        is_absent.then(|| match saved.version {
            FileVersion::At(_) => self.login_required().logged_out(),
            _ => {
                let why =
                    self.why_no_refresh_token(false, false, token.as_deref(), saved.was_logged_out);
                self.login_required().without_refresh_token(why)
            }
        })
    }

    fn makes_request_unnecessary(
        &self,
        tokens: &Stored,
        current: Option<&CachedToken>,
        now: Moment,
    ) -> bool {
        let candidate = self.token_of(tokens);
        let is_new = current.is_none_or(|current| current.token() != candidate.token());
        // A caller without a valid token also takes one that is due. It is refreshed in the
        // background afterwards.
        is_new
            && candidate.is_usable(now)
            && (!candidate.is_due(now) || self.request.purpose == Purpose::TokenNeeded)
    }

    /// The tokens that another process saved, as the successor of the current one. Only planetkey
    /// notes why they were requested.
    fn adopted(
        &self,
        tokens: &Stored,
        version: FileVersion,
        current: Option<&CachedToken>,
    ) -> RefreshOutcome {
        let is_after_rejection = current.is_some_and(CachedToken::is_rejected);
        let is_refreshable = self.can_refresh(tokens);
        let rejections = tokens.rejections.max(u32::from(is_after_rejection));
        let tokens = Arc::new(tokens.clone().after_rejections(rejections));
        RefreshOutcome::Adopted { tokens, version, is_refreshable }
    }

    fn can_refresh(&self, tokens: &Stored) -> bool {
        let refresh_token = tokens.tokens.refresh_token();
        let is_revoked = |token: &str| {
            self.storage.failure_record().is_marked_revoked(&mark_of(self.client, token))
        };
        self.client.is_m2m() || refresh_token.is_some_and(|token| !is_revoked(token))
    }

    fn token_of(&self, tokens: &Stored) -> CachedToken {
        CachedToken::bearer(tokens, self.http.random())
    }

    /// If another process logged in or out while the response was pending, the tokens of this
    /// refresh are dropped. `version`: the file in which the replaced tokens were found, if it has
    /// one; `replaced`: their identity.
    ///
    /// Errors: STORAGE if the other process saved a session whose access token expired.
    fn overtaken(
        &self,
        version: Option<FileVersion>,
        replaced: Option<&str>,
    ) -> Result<Option<RefreshOutcome>> {
        if self.client.is_m2m()
            || version.is_none_or(|version| self.storage.file_version() == version)
        {
            return Ok(None);
        }
        // A file that cannot be read now is replaced as if it had not changed: it holds no session
        // that could be lost.
        let Ok((content, version)) = self.storage.load(self.now(), TornRead::Retry) else {
            return Ok(None);
        };
        let is_another = content.identity().as_deref() != replaced;
        Ok(match content {
            Saved::Tokens(theirs) if is_another => {
                return self.theirs(theirs, version).map(Some);
            }
            Saved::Foreign => Some(RefreshOutcome::SessionGone {
                version,
                error: self.login_required().replaced(),
            }),
            Saved::Nothing if version == FileVersion::Absent => Some(RefreshOutcome::SessionGone {
                version,
                error: self.login_required().logged_out(),
            }),
            Saved::Tokens(_) | Saved::Nothing => None,
        })
    }

    /// The session of another process that the storage did not replace with the tokens of this
    /// refresh, which are dropped.
    fn taken_over(&self) -> Result<RefreshOutcome> {
        let (content, version) = self.storage.load(self.now(), TornRead::Retry)?;
        let error = match content {
            Saved::Tokens(theirs) => return self.theirs(theirs, version),
            Saved::Foreign => self.login_required().replaced(),
            Saved::Nothing => self.login_required().logged_out(),
        };
        Ok(RefreshOutcome::SessionGone { version, error })
    }

    /// The session that another process saved while the response was pending.
    ///
    /// Errors: STORAGE if its access token expired.
    fn theirs(&self, theirs: Arc<Stored>, version: FileVersion) -> Result<RefreshOutcome> {
        if !self.token_of(&theirs).is_usable(self.now()) {
            let message = "another program saved a newer session while the access token was refreshed; try again";
            return Err(Error::new(Status::Storage, message).with_retryable(true).into());
        }
        let is_refreshable = self.can_refresh(&theirs);
        Ok(RefreshOutcome::Adopted { tokens: theirs, version, is_refreshable })
    }

    /// Requests a token: with client credentials, or with the refresh token of `tokens`.
    /// `saved_identity`: that of the tokens in the storage.
    fn request(
        &self,
        tokens: Option<Arc<Stored>>,
        source: TokenSource,
        saved_identity: Option<String>,
        waited: Duration,
        without_refresh_token: &dyn Fn(bool) -> Error,
    ) -> Result<Obtained> {
        let left = self.request.timeout.saturating_sub(waited);
        if let Some(provider) = self.client.provider() {
            let token = (self.view)().token.filter(|token| token.is_rejected());
            let request = ProviderRequest {
                timeout: left,
                rejected_token: token.as_ref().map(|token| token.token()),
            };
            let _within = reentry::within_provider(self.client);
            let issued = provider.request(&request, || self.now())?;
            return Ok(Obtained::Issued { issued, sent: None });
        }
        let has_failed = self.storage.failure_record().failures(self.now().unix_ms) > 0;
        let retry =
            if has_failed { self.request.retry().after_failure() } else { self.request.retry() };
        if self.client.is_m2m() {
            let issued = self.client.request(&CallContext::within(self.http, retry, left), None)?;
            return Ok(Obtained::Issued { issued, sent: None });
        }
        let has_tokens = tokens.is_some();
        let sent = tokens
            .filter(|tokens| tokens.tokens.refresh_token().is_some())
            .ok_or_else(|| without_refresh_token(has_tokens))?;
        if self.must_save {
            self.storage.check()?;
        }
        // If a request with a refresh token were cut off early, the token might be used up and its
        // successor lost. Callers have deadlines of their own.
        let call = CallContext::within(self.http, retry, left.max(SHORTEST_EXCHANGE));
        let grant = RefreshGrant {
            client: self.client,
            storage: self.storage,
            http: self.http,
            login_required: self.login_required(),
        };
        grant.exchange(
            sent,
            source,
            saved_identity,
            &call,
            if has_failed { Resend::Never } else { Resend::Once },
        )
    }

    /// Shares server-side failures with other processes. Otherwise each process would send as many
    /// requests to a failing server as if it were alone.
    fn share_failure(&self, failed: Failed, saved: &SavedState) -> Failed {
        let error = &failed.error;
        // A provider's failures concern this session only.
        if !error.has_reached_server() || self.client.provider().is_some() {
            return failed;
        }
        let now = self.now();
        let mut record = self.storage.failure_record();
        let failures = record.failures(now.unix_ms).saturating_add(1);
        let is_noticed = saved.version != FileVersion::Unknown || self.client.is_m2m();
        let noticed = if is_noticed { LoginNoticed::Yes } else { LoginNoticed::No };
        let Some(wait) =
            backoff::wait_after(error, failures, fraction(self.http.random()), noticed)
        else {
            return failed;
        };
        let failure = Failure {
            error: error.clone(),
            lets_callers_pass: self.request.lets_callers_pass(self.deadline, now),
            timeout: (error.status() == Status::Timeout).then_some(self.request.timeout),
        };
        record.note_failure(failures, (now + wait).unix_ms, failure);
        self.storage.save_failure_record(&record);
        Failed { shared_wait: Some(wait), ..failed }
    }

    fn why_no_refresh_token(
        &self,
        is_foreign: bool,
        has_tokens: bool,
        last: Option<&CachedToken>,
        was_logged_out: bool,
    ) -> NoRefreshToken {
        if is_foreign {
            NoRefreshToken::Foreign
        } else if was_logged_out {
            NoRefreshToken::LoggedOut
        } else if last.is_some_and(|last| !last.is_expired(self.now())) {
            NoRefreshToken::NeverIssued
        } else if has_tokens || last.is_some() {
            NoRefreshToken::Expired
        } else {
            NoRefreshToken::NeverLoggedIn
        }
    }
}
