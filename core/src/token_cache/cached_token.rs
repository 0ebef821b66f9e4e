//! One immutable token with its deadlines, shared by all readers.

use crate::authorize::CredentialClass;
use crate::clock::{Clock, Moment, Monotonic, Random, fraction};
use crate::secret::Secret;
use crate::storage::Stored;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A token is no longer handed out this long before it expires: a request takes time to arrive.
const HARD_MARGIN: Duration = Duration::from_secs(5);
/// The beginning of the header (RFC 6750 2.1).
const SCHEME: &str = "Bearer ";

/// One credential, ready to be sent.
pub(crate) struct CachedToken {
    /// The header's value, made once.
    header: Secret,
    /// The position of the token or key in the header.
    prefix: usize,
    /// Increases with every new credential of the same source; 0 until it is published.
    pub(crate) generation: u64,
    /// Unix seconds; `None` for a credential that does not expire.
    pub(crate) expires_at: Option<i64>,
    pub(crate) scopes: Vec<String>,
    /// What it is, if that is not known before it was obtained: the token of a provider.
    pub(crate) kind: Option<CredentialClass>,
    pub(crate) lifetime: Duration,
    /// When it was received or read.
    pub(crate) at: Moment,
    /// The soft deadline: from here on one thread refreshes in the background.
    soft: Moment,
    /// The hard deadline: from here on the token is not sent.
    hard: Moment,
    /// Whether an API rejected it with 401.
    rejected: AtomicBool,
    /// Whether an API rejected it with 401 too soon after it was requested because of another 401.
    rejected_too_soon: AtomicBool,
    /// How many times in a row a token was requested because an API rejected the previous one with
    /// 401.
    rejections: u32,
    /// Its age when it was read.
    age_at_reading: Duration,
}

impl CachedToken {
    /// A credential that does not expire.
    pub(crate) fn fixed(header: Secret) -> Self {
        CachedToken {
            header,
            prefix: 0,
            generation: 1,
            expires_at: None,
            scopes: Vec::new(),
            kind: None,
            lifetime: Duration::MAX,
            at: Moment { monotonic: Monotonic::PAST, unix_ms: 0 },
            soft: Moment::NEVER,
            hard: Moment::NEVER,
            rejected: AtomicBool::new(false),
            rejected_too_soon: AtomicBool::new(false),
            rejections: 0,
            age_at_reading: Duration::ZERO,
        }
    }

    /// A bearer token. The soft deadline is three quarters of its lifetime, moved by up to a tenth
    /// so that many processes do not refresh at the same time.
    pub(crate) fn bearer(stored: &Stored, random: &dyn Random) -> Self {
        let lifetime = stored.tokens.lifetime;
        let window = lifetime.mul_f64(0.25 * (0.6 + 0.8 * fraction(random)));
        let margin = HARD_MARGIN.min(lifetime / 10);
        let (at, left) = (stored.at, stored.remaining);
        let token = stored.tokens.access_token.expose();
        // Large enough from the start, because a text that grows leaves copies in memory.
        let mut header = String::with_capacity(SCHEME.len() + token.len());
        header.push_str(SCHEME);
        header.push_str(token);
        CachedToken {
            header: Secret::from(header),
            prefix: SCHEME.len(),
            generation: 0,
            expires_at: i64::try_from(stored.expires_unix_ms / 1000).ok(),
            scopes: stored.tokens.scopes.clone(),
            kind: None,
            lifetime,
            at,
            soft: at + left.saturating_sub(window.max(margin)),
            hard: at + left.saturating_sub(margin),
            rejected: AtomicBool::new(false),
            rejected_too_soon: AtomicBool::new(false),
            rejections: stored.rejections,
            age_at_reading: lifetime.saturating_sub(left),
        }
    }

    #[inline]
    pub(crate) fn header(&self) -> &str {
        self.header.expose()
    }

    #[inline]
    pub(crate) fn token(&self) -> &str {
        self.header.expose().get(self.prefix..).unwrap_or("")
    }

    /// Whether it may be sent.
    #[inline]
    pub(crate) fn is_usable(&self, now: Moment) -> bool {
        !now.reached(self.hard) && !self.rejected.load(Ordering::Relaxed)
    }

    /// Whether it has expired, whether or not an API rejected it.
    pub(crate) fn is_expired(&self, now: Moment) -> bool {
        now.reached(self.hard)
    }

    /// Whether it should be refreshed although it is still valid.
    #[inline]
    pub(crate) fn is_due(&self, now: Moment) -> bool {
        now.reached(self.soft)
    }

    /// Whether it is valid and need not be refreshed yet.
    pub(super) fn is_fresh(&self, now: Moment) -> bool {
        self.is_usable(now) && !self.is_due(now)
    }

    /// Takes the token out of use; `true` the first time.
    pub(crate) fn reject(&self) -> bool {
        !self.rejected.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.rejected.load(Ordering::Relaxed)
    }

    /// How many times in a row a token was requested because an API rejected the previous one with
    /// 401.
    pub(crate) fn rejections(&self) -> u32 {
        self.rejections
    }

    /// Records that an API rejected it with 401. It stays in use, because it was just requested for
    /// that reason.
    pub(crate) fn note_rejected_too_soon(&self) {
        self.rejected_too_soon.store(true, Ordering::Relaxed);
    }

    /// As [`CachedToken::rejections`], of the token that replaces this one.
    pub(crate) fn rejections_of_next(&self) -> u32 {
        if self.is_rejected() {
            self.rejections.saturating_add(1)
        } else if self.rejected_too_soon.load(Ordering::Relaxed) {
            self.rejections
        } else {
            0
        }
    }

    /// How long ago it was issued, measured on the monotonic clock since it was received or read.
    pub(crate) fn age(&self, clock: &dyn Clock) -> Duration {
        (clock.now().monotonic - self.at.monotonic).saturating_add(self.age_at_reading)
    }
}
