//! The immutable state that every reader shares.

use crate::clock::{Clock, Moment, Random, fraction};
use crate::secret::Secret;
use crate::storage::Stored;
use std::sync::atomic::{AtomicBool, Ordering};

/// Before its end a token is no longer handed out: a request takes time to arrive.
const HARD_MARGIN_MS: u64 = 5_000;

/// One credential, ready to be sent.
pub(crate) struct Snapshot {
    /// The header's value, made once.
    header: Secret,
    /// Where the token or key starts in it.
    prefix: usize,
    /// Counts up with every new credential of the same source; 0 until it is published.
    pub(crate) generation: u64,
    /// Unix seconds, or nothing for a credential that does not expire.
    pub(crate) expires_at: Option<i64>,
    pub(crate) scopes: Vec<String>,
    pub(crate) lifetime_ms: u64,
    /// When it was received or read.
    pub(crate) at: Moment,
    /// From here on one thread renews in the background.
    soft: Moment,
    /// From here on the token is not sent.
    hard: Moment,
    /// An API answered 401 to it.
    rejected: AtomicBool,
    /// An API answered 401 to it, too soon after it was requested because of a 401 to be renewed once more.
    refused_again: AtomicBool,
    /// How many times in a row a token was requested because an API answered 401 to the one before.
    rejections: u32,
    /// How long it had lived when it was read, in milliseconds.
    age_at_ms: u64,
}

impl Snapshot {
    /// A credential that stays.
    pub(crate) fn fixed(header: Secret) -> Self {
        let never = Moment { monotonic_ms: u64::MAX, unix_ms: u64::MAX };
        Snapshot {
            header,
            prefix: 0,
            generation: 1,
            expires_at: None,
            scopes: Vec::new(),
            lifetime_ms: u64::MAX,
            at: Moment { monotonic_ms: 0, unix_ms: 0 },
            soft: never,
            hard: never,
            rejected: AtomicBool::new(false),
            refused_again: AtomicBool::new(false),
            rejections: 0,
            age_at_ms: 0,
        }
    }

    /// A bearer token. The soft deadline is three quarters of its life, moved by up to a tenth so that many processes do not renew in step.
    pub(crate) fn bearer(stored: &Stored, random: &dyn Random) -> Self {
        let life = stored.tokens.lifetime_ms;
        let window = (life as f64 / 4.0 * (0.6 + 0.8 * fraction(random))) as u64;
        let margin = HARD_MARGIN_MS.min(life / 10);
        let (at, left) = (stored.at, stored.remaining_ms);
        Snapshot {
            header: Secret::from(format!("Bearer {}", stored.tokens.access_token.expose())),
            prefix: "Bearer ".len(),
            generation: 0,
            expires_at: i64::try_from(stored.expires_unix_ms / 1000).ok(),
            scopes: stored.tokens.scopes.clone(),
            lifetime_ms: life,
            at,
            soft: at.plus_ms(left.saturating_sub(window.max(margin))),
            hard: at.plus_ms(left.saturating_sub(margin)),
            rejected: AtomicBool::new(false),
            refused_again: AtomicBool::new(false),
            rejections: stored.rejections,
            age_at_ms: life.saturating_sub(left),
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
    pub(crate) fn usable(&self, now: Moment) -> bool {
        !now.reached(self.hard) && !self.rejected.load(Ordering::Relaxed)
    }

    /// Whether its time is up, whatever an API thinks of it.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        now.reached(self.hard)
    }

    /// Whether it is time to renew, while it is still good.
    #[inline]
    pub(crate) fn due(&self, now: Moment) -> bool {
        now.reached(self.soft)
    }

    /// Takes the token out of use; `true` the first time.
    pub(crate) fn reject(&self) -> bool {
        !self.rejected.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn is_rejected(&self) -> bool {
        self.rejected.load(Ordering::Relaxed)
    }

    /// How many times in a row a token was requested because an API answered 401 to the one before.
    pub(crate) fn rejections(&self) -> u32 {
        self.rejections
    }

    /// An API answered 401 to it, which does not take it out of use: it was requested a moment ago because of the same.
    pub(crate) fn note_refused_again(&self) {
        self.refused_again.store(true, Ordering::Relaxed);
    }

    /// As [`Snapshot::rejections`], of the token that takes the place of this one.
    pub(crate) fn rejections_of_next(&self) -> u32 {
        if self.is_rejected() {
            self.rejections.saturating_add(1)
        } else if self.refused_again.load(Ordering::Relaxed) {
            self.rejections
        } else {
            0
        }
    }

    /// How long ago it was issued: since it was received or read by the clock that does not jump.
    pub(crate) fn age_ms(&self, clock: &dyn Clock) -> u64 {
        clock.now().monotonic_ms.saturating_sub(self.at.monotonic_ms).saturating_add(self.age_at_ms)
    }
}
