//! Refreshes one access token in time, and hands it to readers.
//!
//! [`TokenCache`] owns everything that changes while a token lives. Exactly one function,
//! `TokenCache::apply`, changes it; a refresh, a look at the file, a login and a logout return a
//! `RefreshOutcome` for it.

mod apply;
mod backoff;
mod cached_token;
mod file_unchanged;
mod login_required;
mod look;
mod outcome;
mod pending;
mod reentry;
mod refresh;
mod refresh_grant;
mod saved_session;
#[cfg(all(test, feature = "shuttle"))]
mod shuttle_tests;
mod single_flight;
mod start;
mod sync;
mod user_session;
mod wait;
mod watch;

pub(crate) use cached_token::CachedToken;
pub(crate) use outcome::Unsaved;
pub(crate) use pending::Pending;
pub use pending::settle;
pub(crate) use single_flight::{INTERRUPT_INTERVAL, Wait};
pub(crate) use watch::Watch;

use crate::authorize::CredentialClass;
use crate::client::Client;
use crate::clock::{Moment, Monotonic};
use crate::error::Result;
use crate::http::Http;
use crate::storage::{FileVersion, StoreStatus, TokenStorage};
use single_flight::{FlightState, SingleFlight};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use sync::{ArcSwap, ArcSwapOption, AtomicBool, AtomicU64};

type Flight = SingleFlight<Arc<CachedToken>>;
type State = FlightState<Arc<CachedToken>>;
/// The result that threads waiting for a refresh get.
type Refreshed = Result<Arc<CachedToken>>;

/// What this process knows about the saved session. Replaced as a whole.
#[derive(Clone)]
struct SavedState {
    /// The version of the file that the cached token comes from.
    version: FileVersion,
    /// When this process read a session from that version, if it did not write the file itself.
    read_at: Option<Moment>,
    /// Tokens that could not be saved.
    unsaved: Option<Arc<Unsaved>>,
    /// Whether there was a session that was deleted.
    was_logged_out: bool,
    /// Whether a refresh is possible without a login.
    is_refreshable: bool,
}

/// One access token, with everything that refreshes it in time. Any number of threads may use it.
pub(crate) struct TokenCache {
    token: ArcSwapOption<CachedToken>,
    saved: ArcSwap<SavedState>,
    /// Whether there is neither a token nor a session to refresh. Sessions ask this for each
    /// request, for the user who may log in later.
    is_vacant: AtomicBool,
    flight: ArcSwap<Flight>,
    /// A time on the monotonic clock. Before it no refresh starts in the background.
    background_after: AtomicU64,
    watch: Watch,
    generation: AtomicU64,
    client: Client,
    storage: Arc<dyn TokenStorage>,
    http: Http,
    timeout: Duration,
    profile: Option<String>,
    must_save: bool,
}

impl TokenCache {
    /// `must_save`: fail before a refresh whose new refresh token could not be saved.
    pub(crate) fn new(
        client: Client,
        storage: Arc<dyn TokenStorage>,
        http: Http,
        timeout: Duration,
        profile: Option<String>,
        must_save: bool,
    ) -> Self {
        // A storage without versions is read by refreshes only.
        let has_versions = storage.file_version() != FileVersion::Unknown;
        let saved = SavedState {
            version: if has_versions { FileVersion::Absent } else { FileVersion::Unknown },
            read_at: None,
            unsaved: None,
            was_logged_out: false,
            // An encrypted session is read when a token is needed. That it exists is known.
            is_refreshable: client.is_m2m()
                || !has_versions && storage.path().is_some_and(Path::exists),
        };
        TokenCache {
            token: ArcSwapOption::empty(),
            is_vacant: AtomicBool::new(!saved.is_refreshable),
            saved: ArcSwap::from_pointee(saved),
            flight: ArcSwap::from_pointee(Flight::new(&client.late())),
            background_after: AtomicU64::new(Monotonic::PAST.as_millis()),
            watch: if has_versions { Watch::new() } else { Watch::never() },
            generation: AtomicU64::new(0),
            client,
            storage,
            http,
            timeout,
            profile,
            must_save,
        }
    }

    /// The client whose token this is.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// What its tokens are; `None` for a token provider that has returned no token yet.
    #[inline]
    pub(crate) fn kind(&self) -> Option<CredentialClass> {
        self.client.kind().or_else(|| self.last()?.kind)
    }

    /// The issuer of its tokens; `None` if a token provider's last token names none.
    pub(crate) fn issuer(&self) -> Option<String> {
        match self.client.provider() {
            None => Some(self.client.issuer().to_owned()),
            Some(_) => crate::jwt::issuer(self.last()?.token())
                .map(|issuer| crate::text::one_line(&issuer, 200)),
        }
    }

    /// How the client's server is reached.
    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    /// The profile whose session this is.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// The file that the session is saved in.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.storage.path()
    }

    pub(crate) fn now(&self) -> Moment {
        self.http.clock().now()
    }

    /// The last token, valid or not.
    fn last(&self) -> Option<Arc<CachedToken>> {
        self.token.load_full()
    }

    /// The last token, valid or not, for `status()`.
    pub(crate) fn look_at_last(self: &Arc<Self>) -> Option<Arc<CachedToken>> {
        self.look_if_due();
        self.last()
    }

    /// Whether the last token is valid.
    pub(crate) fn is_usable(&self) -> bool {
        self.is_usable_at(self.now())
    }

    #[inline]
    fn is_usable_at(&self, now: Moment) -> bool {
        self.token.load().as_ref().is_some_and(|token| token.is_usable(now))
    }

    /// Whether requests can be served without a login, at least for some time.
    pub(crate) fn is_initialized(&self) -> bool {
        self.is_initialized_at(self.now())
    }

    /// As [`TokenCache::is_initialized`], at this time.
    #[inline]
    pub(crate) fn is_initialized_at(&self, now: Moment) -> bool {
        if self.is_vacant.load(Ordering::Acquire) {
            return self.is_unread();
        }
        self.saved.load().is_refreshable || self.is_usable_at(now) || self.is_unread()
    }

    /// The token if it is valid. When it is due, a refresh starts in the background.
    #[inline]
    fn valid<'t>(
        self: &Arc<Self>,
        token: &'t Option<Arc<CachedToken>>,
        now: Moment,
    ) -> Option<&'t Arc<CachedToken>> {
        let token = token.as_ref().filter(|token| token.is_usable(now))?;
        if token.is_due(now) {
            self.refresh_in_background(now);
        }
        Some(token)
    }

    /// The valid token without waiting.
    #[inline]
    pub(crate) fn cached(self: &Arc<Self>) -> Option<Arc<CachedToken>> {
        self.with_cached(None, Arc::clone)
    }

    /// As [`TokenCache::cached`], but lends the token without a copy. `now`: the time, if the
    /// caller has read the clock.
    #[inline]
    pub(crate) fn with_cached<T>(
        self: &Arc<Self>,
        now: Option<Moment>,
        use_it: impl FnOnce(&Arc<CachedToken>) -> T,
    ) -> Option<T> {
        let now = now.unwrap_or_else(|| self.now());
        self.look_if_due_at(now);
        self.valid(&self.token.load(), now).map(use_it)
    }

    /// The valid token, refreshed if necessary. Blocks only then.
    #[inline]
    pub(crate) fn current(self: &Arc<Self>, wait: Wait<'_>) -> Refreshed {
        self.with_current(None, wait, Arc::clone)
    }

    /// As [`TokenCache::current`], but lends the token: threads that use one token at the same time
    /// do not even share a counter. `now`: the time, if the caller has read the clock.
    #[inline]
    pub(crate) fn with_current<T>(
        self: &Arc<Self>,
        now: Option<Moment>,
        wait: Wait<'_>,
        use_it: impl FnOnce(&Arc<CachedToken>) -> T,
    ) -> Result<T> {
        let now = now.unwrap_or_else(|| self.now());
        self.look_if_due_at(now);
        let token = self.token.load();
        if let Some(token) = self.valid(&token, now) {
            return Ok(use_it(token));
        }
        drop(token);
        self.wait_for_token(None, wait).map(|token| use_it(&token))
    }

    /// A newer token than the cached one. Blocks.
    pub(crate) fn refresh(self: &Arc<Self>, wait: Wait<'_>) -> Refreshed {
        self.look_if_due();
        self.wait_for_token(Some(self.last_generation()), wait)
    }

    /// Takes a token that an API rejected with 401 out of use; `true` if the next call refreshes
    /// because of it.
    ///
    /// This happens once per generation, and not for a token that is no longer the current one.
    /// After each further rejection in a row the wait is longer, whichever process refreshed.
    pub(crate) fn invalidate(&self, access_token: &str) -> bool {
        let Some(token) = self.last() else { return false };
        if !crate::secret::equal_in_constant_time(token.token(), access_token) {
            return false;
        }
        // A token that was just requested because of a 401 and is rejected again is not the cause:
        // the API is.
        let rejections = token.rejections();
        if rejections > 0 && token.age(self.http.clock()) < backoff::longest(rejections) {
            token.note_rejected_too_soon();
            return false;
        }
        token.reject()
    }

    /// Whether this is its last token, valid or not.
    pub(crate) fn holds(&self, access_token: &str) -> bool {
        self.last()
            .is_some_and(|token| crate::secret::equal_in_constant_time(token.token(), access_token))
    }

    /// Whether an API rejected its last token.
    pub(crate) fn is_rejected(&self) -> bool {
        self.last().is_some_and(|token| token.is_rejected())
    }

    /// Whether it is not known if there is a session, because to read it takes the network.
    pub(crate) fn is_unread(&self) -> bool {
        self.storage.is_unread()
    }

    /// Reads what the store holds. Blocks; uses the network.
    pub(crate) fn contact_store(&self) {
        self.storage.contact_store(self.now());
    }

    /// What is known about the store that it uses.
    pub(crate) fn store_status(&self) -> Option<StoreStatus> {
        self.storage.store_status()
    }

    fn last_generation(&self) -> u64 {
        self.last().map_or(0, |token| token.generation)
    }

    /// The flight of this process. A forked child starts its own.
    fn flight(&self) -> Arc<Flight> {
        let flight = self.flight.load_full();
        if flight.pid == std::process::id() {
            return flight;
        }
        let fresh = Arc::new(Flight::new(&self.client.late()));
        let before = self.flight.compare_and_swap(&flight, fresh.clone());
        if Arc::ptr_eq(&before, &flight) { fresh } else { self.flight.load_full() }
    }
}
