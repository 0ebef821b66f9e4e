//! One refresh, top-down: lock, reread, adopt, request, save. It has no access to the cache's fields and returns a [`RefreshOutcome`].

use super::SavedState;
use super::backoff;
use super::cached_token::CachedToken;
use super::file_unchanged::FileUnchanged;
use super::outcome::{Failed, RefreshOutcome, Save, Unsaved, was_stopped};
use super::single_flight::Purpose;
use crate::client::Client;
use crate::clock::{Moment, fraction};
use crate::credential::TokenSet;
use crate::error::{Error, Reason, Status};
use crate::http::{Http, Patience};
use crate::storage::{Failure, FailureRecord, FileVersion, Lock, Saved, Storage, Stored};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Planet's tools write the file after they have rotated the refresh token: it is reread this long after a refusal.
const REREAD_AFTER_MS: [u64; 3] = [25, 50, 100];
/// A program that changes the file more often than this before one request is not followed any further.
const MAX_FILE_CHANGES: u32 = 5;
/// A refresh token that was sent gets at least this time.
const SHORTEST_EXCHANGE_MS: u64 = crate::http::DEFAULT_TIMEOUT_MS;

/// How one refresh is made.
#[derive(Clone, Copy)]
pub(super) struct RefreshRequest {
    pub(super) patience: Patience,
    pub(super) timeout: Duration,
    /// The caller called `refresh` and may have changed something before.
    pub(super) forced: bool,
    /// The caller waits and has no valid token.
    pub(super) needs_token: bool,
    /// A good token of a later generation, wherever it came from, makes the request unnecessary.
    pub(super) newer_than: u64,
}

impl RefreshRequest {
    pub(super) fn timeout_ms(&self) -> u64 {
        u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn purpose(&self) -> Purpose {
        Purpose { forced: self.forced, needs_token: self.needs_token, timeout_ms: self.timeout_ms() }
    }
}

/// The cache as it is at one moment.
pub(super) struct View {
    pub(super) token: Option<Arc<CachedToken>>,
    pub(super) saved: Arc<SavedState>,
}

/// What was read under the lock.
pub(super) struct Found {
    pub(super) content: Saved,
    version: FileVersion,
    is_readable: bool,
    /// A damaged file was renamed.
    was_renamed: bool,
}

/// Where the refresh token that is sent is from.
#[derive(Clone, Copy)]
enum TokenOrigin {
    /// It could not be saved.
    Memory,
    /// The storage, with the file's version if it has one.
    Storage(Option<FileVersion>),
}

impl TokenOrigin {
    fn in_version(version: FileVersion) -> Self {
        TokenOrigin::Storage(Some(version).filter(|version| *version != FileVersion::Unknown))
    }

    fn version(self) -> Option<FileVersion> {
        match self {
            TokenOrigin::Memory => None,
            TokenOrigin::Storage(version) => version,
        }
    }
}

/// Where a new token is from.
enum Obtained {
    /// The server issued it. `sent`: the refresh token of another process that was sent instead of the one that was read first.
    Issued { issued: TokenSet, sent: Option<(Arc<Stored>, TokenOrigin)> },
    /// Another process saved it.
    Adopted(Arc<Stored>, FileVersion),
    /// The saved session is gone.
    Gone(FileVersion),
}

pub(super) struct Refresh<'a, 'v> {
    pub(super) client: &'a Client,
    pub(super) storage: &'a Arc<dyn Storage>,
    pub(super) http: &'a Http,
    pub(super) profile: Option<&'a str>,
    pub(super) must_save: bool,
    pub(super) request: RefreshRequest,
    pub(super) deadline: Moment,
    pub(super) view: &'v dyn Fn() -> View,
}

impl<'a> Refresh<'a, '_> {
    /// Runs to its end. `lock` holds the storage's lock until the caller has applied the outcome.
    pub(super) fn run(&self, lock: &mut Option<Box<dyn Lock + 'a>>) -> RefreshOutcome {
        self.try_run(lock).unwrap_or_else(RefreshOutcome::Failed)
    }

    fn try_run(&self, lock: &mut Option<Box<dyn Lock + 'a>>) -> std::result::Result<RefreshOutcome, Failed> {
        if let Some(error) = self.nothing_to_refresh() {
            let version = FileVersion::Absent;
            return match (self.view)().saved.version {
                FileVersion::At(_) => Ok(RefreshOutcome::SessionGone { version, error }),
                _ => Err(error.into()),
            };
        }

        // Lock.
        let started = Instant::now();
        *lock = match self.storage.lock(started + self.request.timeout) {
            // An M2M client gets its token without other processes.
            Err(error) if self.client.is_m2m() && matches!(error.status(), Status::Storage | Status::Unavailable) => {
                log::warn!("{error}; other processes may request a token for this client at the same time");
                None
            }
            lock => lock?,
        };
        // Whole milliseconds: a storage without a lock costs no time.
        let waited_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let now = self.now();
        let View { token, saved } = (self.view)();
        if saved.unsaved.is_none()
            && let Some(token) = token.as_ref().filter(|token| token.generation > self.request.newer_than && is_good(token, now))
        {
            return Ok(RefreshOutcome::Unchanged { token: token.clone(), saved: None });
        }

        // Reread.
        let is_dispensable = saved.unsaved.is_some() || self.client.is_m2m();
        let found = read_saved(self.storage.as_ref(), is_dispensable, saved.version, now)?;
        let was_deleted = found.is_readable
            && found.version == FileVersion::Absent
            && saved.unsaved.is_none()
            && matches!(saved.version, FileVersion::At(_));
        let version = (was_deleted || found.was_renamed).then_some(found.version);
        let failed =
            |failed: Failed| Failed { is_gone: failed.is_gone || was_deleted, version: failed.version.or(version), ..failed };
        let saved = SavedState { was_logged_out: saved.was_logged_out || was_deleted, ..saved.as_ref().clone() };
        self.refresh_found(found, token, &saved, waited_ms).map_err(failed)
    }

    /// Adopt, request, save.
    fn refresh_found(
        &self,
        found: Found,
        token: Option<Arc<CachedToken>>,
        saved: &SavedState,
        waited_ms: u64,
    ) -> std::result::Result<RefreshOutcome, Failed> {
        let now = self.now();
        let Found { content, version, is_readable, .. } = found;
        let is_foreign = matches!(content, Saved::Foreign);
        let replaced = content.identity();
        // Tokens that could not be saved are newer than what they should have replaced, and older than what another process saved since.
        let unsaved = saved.unsaved.as_ref().filter(|unsaved| unsaved.replaced == replaced || !is_readable);
        let tokens = match (unsaved, content) {
            (Some(unsaved), _) => {
                if let Some(token) = token.as_ref().filter(|token| is_good(token, now) && !self.request.forced) {
                    let saved = save(self.storage.as_ref(), &unsaved.tokens, unsaved.replaced.clone());
                    return Ok(RefreshOutcome::Unchanged { token: token.clone(), saved: Some(saved) });
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
        if let Some((wait, failure)) = self.storage.failure_record().wait_ms(now.unix_ms)
            && !failure.lets_pass(self.request.needs_token, self.request.timeout_ms())
        {
            return Err(failure.error.clone().with_retry_after(Some(Duration::from_millis(wait))).into());
        }

        // Request.
        let read_version = Some(version).filter(|version| *version != FileVersion::Unknown && is_readable);
        let origin = if unsaved.is_some() { TokenOrigin::Memory } else { TokenOrigin::Storage(read_version) };
        let login_required = |has_tokens: bool| self.login_required(is_foreign, has_tokens, token.as_deref(), saved);
        let (issued, sent_version, replaced) = match self.request(tokens, origin, waited_ms, &login_required) {
            Ok(Obtained::Issued { issued, sent: None }) => (issued, read_version, replaced),
            Ok(Obtained::Issued { issued, sent: Some((sent, origin)) }) => {
                (issued, origin.version(), Saved::Tokens(sent).identity())
            }
            Ok(Obtained::Adopted(tokens, version)) => return Ok(self.adopted(&tokens, version, token.as_deref())),
            Ok(Obtained::Gone(version)) => {
                return Ok(RefreshOutcome::SessionGone { version, error: self.logged_out_meanwhile() });
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
        let save = save(self.storage.as_ref(), &tokens, replaced);
        Ok(RefreshOutcome::Issued { tokens, save, is_refreshable })
    }

    fn now(&self) -> Moment {
        self.http.clock().now()
    }

    /// Without a saved session of a user there is nothing to lock and nothing to send.
    fn nothing_to_refresh(&self) -> Option<Error> {
        let View { token, saved } = (self.view)();
        if self.client.is_m2m() || saved.unsaved.is_some() || self.storage.file_version() != FileVersion::Absent {
            return None;
        }
        // A file whose version cannot be read may exist all the same.
        matches!(self.storage.load(self.now(), false), Ok((_, FileVersion::Absent))).then(|| match saved.version {
            FileVersion::At(_) => self.logged_out_meanwhile(),
            _ => self.login_required(false, false, token.as_deref(), &saved),
        })
    }

    fn makes_request_unnecessary(&self, tokens: &Stored, current: Option<&CachedToken>, now: Moment) -> bool {
        let candidate = self.token_of(tokens);
        let is_new = current.is_none_or(|current| current.token() != candidate.token());
        // A caller without a valid token takes one that is due, too. It is refreshed in the background afterwards.
        is_new && candidate.usable(now) && (!candidate.due(now) || self.request.needs_token)
    }

    /// The tokens that another process saved, as the successor of the current one. Only planetkey notes why they were requested.
    fn adopted(&self, tokens: &Stored, version: FileVersion, current: Option<&CachedToken>) -> RefreshOutcome {
        let is_after_rejection = current.is_some_and(CachedToken::is_rejected);
        let is_refreshable = self.can_refresh(tokens);
        let rejections = tokens.rejections.max(u32::from(is_after_rejection));
        let tokens = Arc::new(tokens.clone().after_rejections(rejections));
        RefreshOutcome::Adopted { tokens, version, is_refreshable }
    }

    fn can_refresh(&self, tokens: &Stored) -> bool {
        let refresh_token = tokens.tokens.refresh_token();
        let is_revoked = |token: &str| self.storage.failure_record().is_marked_revoked(&mark_of(self.client, token));
        self.client.is_m2m() || refresh_token.is_some_and(|token| !is_revoked(token))
    }

    fn token_of(&self, tokens: &Stored) -> CachedToken {
        CachedToken::bearer(tokens, self.http.random())
    }

    fn is_usable(&self, tokens: &Stored) -> bool {
        self.token_of(tokens).usable(self.now())
    }

    /// A login or logout of another process while the response was pending stays: the tokens of this refresh are dropped then.
    /// `version`: the file in which the tokens were found that this refresh replaces, if it has one; `replaced`: their identity.
    ///
    /// Errors: STORAGE, where the other process saved a session whose access token has expired.
    fn overtaken(
        &self,
        version: Option<FileVersion>,
        replaced: Option<&str>,
    ) -> std::result::Result<Option<RefreshOutcome>, Failed> {
        if self.client.is_m2m() || version.is_none_or(|version| self.storage.file_version() == version) {
            return Ok(None);
        }
        // A file that cannot be read now is replaced as if it had not changed: it holds no session that could be lost.
        let Ok((content, version)) = self.storage.load(self.now(), true) else { return Ok(None) };
        let is_another = content.identity().as_deref() != replaced;
        Ok(match content {
            Saved::Tokens(theirs) if is_another && self.is_usable(&theirs) => {
                let is_refreshable = self.can_refresh(&theirs);
                Some(RefreshOutcome::Adopted { tokens: theirs, version, is_refreshable })
            }
            Saved::Tokens(_) if is_another => {
                let message = "another program saved a newer session while the access token was refreshed; try again";
                return Err(Error::new(Status::Storage, message).with_retryable(true).into());
            }
            Saved::Foreign => {
                let error = Error::new(
                    Status::LoginRequired,
                    format!("another client or server saved its session in place of this one; {}", self.log_in_again()),
                );
                Some(RefreshOutcome::SessionGone { version, error: error.with_reason(Reason::NeverLoggedIn) })
            }
            Saved::Nothing if version == FileVersion::Absent => {
                Some(RefreshOutcome::SessionGone { version, error: self.logged_out_meanwhile() })
            }
            Saved::Tokens(_) | Saved::Nothing => None,
        })
    }

    /// Sends the request.
    fn request(
        &self,
        tokens: Option<Arc<Stored>>,
        origin: TokenOrigin,
        waited_ms: u64,
        login_required: &dyn Fn(bool) -> Error,
    ) -> std::result::Result<Obtained, Failed> {
        let left_ms = self.request.timeout_ms().saturating_sub(waited_ms);
        let has_failed = self.storage.failure_record().failures(self.now().unix_ms) > 0;
        let patience = if has_failed { self.request.patience.after_failure() } else { self.request.patience };
        if self.client.is_m2m() {
            let deadline_ms = self.now().plus_ms(left_ms).monotonic_ms;
            return Ok(self
                .client
                .request(self.http, None, patience, deadline_ms)
                .map(|issued| Obtained::Issued { issued, sent: None })?);
        }
        let has_tokens = tokens.is_some();
        let sent = tokens.filter(|tokens| tokens.tokens.refresh_token().is_some()).ok_or_else(|| login_required(has_tokens))?;
        if self.must_save {
            self.storage.check()?;
        }
        // Callers have deadlines of their own. If a request with a refresh token were cut off early, the token may be used up and its
        // successor lost.
        let deadline_ms = self.now().plus_ms(left_ms.max(SHORTEST_EXCHANGE_MS)).monotonic_ms;
        self.exchange_refresh_token(sent, origin, patience, deadline_ms, !has_failed)
    }

    /// The loop of the refresh grant: another process may rotate the refresh token before each send, and after a refusal the file is reread.
    fn exchange_refresh_token(
        &self,
        mut sent: Arc<Stored>,
        mut origin: TokenOrigin,
        patience: Patience,
        deadline_ms: u64,
        mut may_replay: bool,
    ) -> std::result::Result<Obtained, Failed> {
        let first = sent.clone();
        let (mut has_switched, mut file_changes) = (false, 0);
        loop {
            let mark = mark_of(self.client, sent.tokens.refresh_token().unwrap_or(""));
            if self.storage.failure_record().is_marked_revoked(&mark) {
                return Err(Failed { is_revoked: true, ..self.revoked(None).into() });
            }
            let unchanged = FileUnchanged::new(self.storage.clone(), origin.version());
            let http = self.http.with_precondition(unchanged.precondition());
            let error = match self.client.request(&http, Some(&sent.tokens), patience, deadline_ms) {
                Ok(issued) => {
                    let is_another = !Arc::ptr_eq(&first, &sent);
                    return Ok(Obtained::Issued { issued, sent: is_another.then_some((sent, origin)) });
                }
                Err(error) => error,
            };
            if unchanged.was_violated() {
                file_changes += 1;
                match self.storage.load(self.now(), true)? {
                    (Saved::Tokens(newer), version) if self.is_usable(&newer) => return Ok(Obtained::Adopted(newer, version)),
                    (Saved::Tokens(newer), seen) if newer.tokens.refresh_token().is_some() && file_changes < MAX_FILE_CHANGES => {
                        (sent, origin) = (newer, TokenOrigin::in_version(seen));
                        continue;
                    }
                    (Saved::Tokens(_), _) => return Err(error.into()),
                    (Saved::Nothing | Saved::Foreign, version) => return Ok(Obtained::Gone(version)),
                }
            }
            let is_refused = error.oauth_error() == Some("invalid_grant");
            if !is_refused && !error.is_ambiguous() {
                return Err(error.into());
            }
            // Planet's tools take no lock: they may have rotated the refresh token meanwhile. After a complete response the one that was
            // sent is used up: only another one may be sent now.
            match self.reread(&sent, origin, !error.may_replay()) {
                Some((newer, version)) if self.is_usable(&newer) => return Ok(Obtained::Adopted(newer, version)),
                Some((newer, version)) if !has_switched => {
                    has_switched = true;
                    (sent, origin) = (newer, TokenOrigin::in_version(version));
                }
                _ if is_refused => {
                    // As it is now: another process may have marked another token meanwhile.
                    let mut record = self.storage.failure_record();
                    record.mark_revoked(mark);
                    self.storage.save_failure_record(&record);
                    return Err(Failed { is_revoked: true, ..self.revoked(Some(&error)).into() });
                }
                // The server may accept the same refresh token again for a while, for exactly this case. Without it the session is lost.
                _ if error.may_replay() && may_replay && self.now().monotonic_ms < deadline_ms => may_replay = false,
                _ => return Err(error.into()),
            }
        }
    }

    /// The saved tokens, if their refresh token is no longer the one that was sent. Those are older than tokens that could not be saved.
    fn reread(&self, sent: &Stored, origin: TokenOrigin, is_used_up: bool) -> Option<(Arc<Stored>, FileVersion)> {
        if matches!(origin, TokenOrigin::Memory) {
            return None;
        }
        let waits: &[u64] = if is_used_up { &REREAD_AFTER_MS } else { &[0] };
        for wait in waits {
            self.http.clock().sleep(Duration::from_millis(*wait));
            if let Ok((Saved::Tokens(tokens), version)) = self.storage.load(self.now(), true)
                && tokens.tokens.refresh_token().is_some_and(|token| Some(token) != sent.tokens.refresh_token())
            {
                return Some((tokens, version));
            }
        }
        None
    }

    /// Shares server-side failures with other processes. Without this every process would ask a server that is in trouble as often as if it
    /// were alone.
    fn share_failure(&self, failed: Failed, saved: &SavedState) -> Failed {
        let error = &failed.error;
        if !error.has_reached_server() {
            return failed;
        }
        let now = self.now();
        let mut record = self.storage.failure_record();
        let failures = record.failures(now.unix_ms).saturating_add(1);
        let is_noticed = saved.version != FileVersion::Unknown || self.client.is_m2m();
        let Some(wait_ms) = backoff::wait_of(error, failures, fraction(self.http.random()), is_noticed) else { return failed };
        let failure = Failure {
            error: error.clone(),
            lets_callers_pass: self.request.patience == Patience::Once || was_stopped(self.deadline, now),
            timeout_ms: (error.status() == Status::Timeout).then(|| self.request.timeout_ms()),
        };
        record.note_failure(failures, now.unix_ms.saturating_add(wait_ms), failure);
        self.storage.save_failure_record(&record);
        Failed { shared_wait_ms: Some(wait_ms), ..failed }
    }

    fn login_required(&self, is_foreign: bool, has_tokens: bool, last: Option<&CachedToken>, saved: &SavedState) -> Error {
        if let Some(error) = is_foreign.then(|| self.of_another_issuer()).flatten() {
            return error;
        }
        let (reason, what) = if is_foreign {
            (Reason::NeverLoggedIn, "the saved session belongs to another client or server")
        } else if saved.was_logged_out {
            (Reason::LoggedOut, "the session was logged out")
        } else if last.is_some_and(|last| !last.is_over(self.now())) {
            // It may have been issued a moment ago.
            (Reason::Expired, "the access token cannot be renewed without a refresh token, which the scope offline_access brings")
        } else if has_tokens || last.is_some() {
            (Reason::Expired, "the access token has expired and there is no refresh token")
        } else {
            (Reason::NeverLoggedIn, "nobody has logged in")
        };
        Error::new(Status::LoginRequired, format!("{what}; {}", self.log_in_again())).with_reason(reason)
    }

    /// Why a saved session is not used whose token another issuer names: Planet's SDK does, and sends the refresh token to a server that did not
    /// issue it.
    fn of_another_issuer(&self) -> Option<Error> {
        let theirs = crate::text::one_line(&self.storage.other_issuer()?, 200);
        let saved = self.storage.path().map_or_else(|| "the application's storage".to_owned(), |path| path.display().to_string());
        let configuration =
            self.client.config_file().map_or_else(|| "the client's configuration".to_owned(), |file| file.display().to_string());
        let mine = crate::text::one_line(self.client.issuer(), 200);
        let log_in = self.log_in_again();
        let message = format!(
            "the saved session in {saved} is not used: its token is from the issuer '{theirs}', and the server of this client is '{mine}', by \
             {configuration}. If both are one server, set issuer to '{theirs}' there; otherwise {log_in}"
        );
        Some(Error::new(Status::LoginRequired, message).with_reason(Reason::NeverLoggedIn))
    }

    /// The session was deleted by another process.
    fn logged_out_meanwhile(&self) -> Error {
        let message = format!("the session was logged out; {}", self.log_in_again());
        Error::new(Status::LoginRequired, message).with_reason(Reason::LoggedOut)
    }

    fn revoked(&self, error: Option<&Error>) -> Error {
        let description = error.and_then(Error::oauth_error_description);
        let said = description
            .map(|text| format!(" ({})", crate::oauth::endpoint_request::said("invalid_grant", Some(text))))
            .unwrap_or_default();
        let message =
            format!("the authorization server no longer accepts this session's refresh token{said}; {}", self.log_in_again());
        let revoked = Error::new(Status::LoginRequired, message).with_reason(Reason::Revoked);
        match error {
            Some(error) => {
                let revoked = revoked.with_oauth_error("invalid_grant", error.oauth_error_description());
                error.http_status().map_or(revoked.clone(), |http_status| revoked.with_http_status(http_status))
            }
            None => revoked.with_oauth_error("invalid_grant", None),
        }
    }

    fn log_in_again(&self) -> String {
        match self.profile {
            Some(profile) => {
                let profile = crate::text::one_line(profile, 100);
                format!("log in to the profile '{profile}', as by `planetkey login --profile {profile}`")
            }
            None => "log in".to_owned(),
        }
    }
}

fn is_good(token: &CachedToken, now: Moment) -> bool {
    token.usable(now) && !token.due(now)
}

/// What is noted about a refresh token. Another client's attempt with the same token says nothing about it.
pub(super) fn mark_of(client: &Client, refresh_token: &str) -> String {
    FailureRecord::mark(&client.binding().fingerprint, refresh_token)
}

/// Reads the saved session under the lock. A damaged file is renamed. `is_dispensable`: the tokens are in memory, or are obtained without it;
/// then a session that cannot be read is only logged. `version`: as it was known before.
///
/// Errors: as [`Storage::load`] and [`Storage::quarantine`].
pub(super) fn read_saved(
    storage: &dyn Storage,
    is_dispensable: bool,
    version: FileVersion,
    now: Moment,
) -> std::result::Result<Found, Failed> {
    let error = match storage.load(now, true) {
        Ok((content, version)) => return Ok(Found { content, version, is_readable: true, was_renamed: false }),
        Err(error) => error,
    };
    let mut found = Found { content: Saved::Nothing, version, is_readable: false, was_renamed: false };
    if error.reason() == Some(Reason::Corrupt) {
        match storage.quarantine(now) {
            Ok(()) if storage.file_version() != FileVersion::Unknown => {
                (found.version, found.was_renamed) = (FileVersion::Absent, true)
            }
            Ok(()) => {}
            Err(unmoved) if is_dispensable => log::warn!("{unmoved}"),
            Err(unmoved) => return Err(unmoved.into()),
        }
        return match is_dispensable {
            true => Ok(found),
            false => Err(Failed { version: found.was_renamed.then_some(found.version), ..error.into() }),
        };
    }
    if !is_dispensable {
        return Err(error.into());
    }
    log::warn!("{error}");
    Ok(found)
}

/// Saves tokens. If that fails, the session continues in memory.
pub(super) fn save(storage: &dyn Storage, tokens: &Stored, replaced: Option<String>) -> Save {
    match storage.save(tokens) {
        Ok(version) => Save::Saved(version),
        Err(error) => {
            log::warn!("the renewed session lives in this process only: {error}");
            Save::Unsaved(Arc::new(Unsaved { tokens: tokens.clone(), error, replaced }))
        }
    }
}
