//! One credential source of a session: an API key, or tokens that are refreshed.

use super::api_key_source::ApiKeySource;
use crate::authorize::{CredentialClass, HostPolicy, Target};
use crate::clock::Moment;
use crate::credential::Transport;
use crate::deployment::{Acceptance, Subject};
use crate::error::Result;
use crate::storage::StoreStatus;
use crate::token_cache::{CachedToken, TokenCache, Wait};
use std::sync::Arc;

/// What a token provider may return. The hosts of any other token accept these, too.
const ANY_TOKEN: [CredentialClass; 2] =
    [CredentialClass::Token(Subject::User), CredentialClass::Token(Subject::M2m)];

pub(crate) enum Credential {
    Static(ApiKeySource),
    Tokens(Arc<TokenCache>),
}

/// A credential and its origin.
pub(crate) struct Source {
    pub(crate) credential: Credential,
    /// Where it was found, for users: `environment: PL_API_KEY`.
    pub(crate) label: Arc<str>,
    pub(crate) profile: Option<String>,
    /// The store that is named and not used for it, with the reason.
    pub(crate) unused_store: Option<StoreStatus>,
}

impl Source {
    /// What the credential is; `None` for a token provider that has returned no token yet.
    #[inline]
    fn known_kind(&self) -> Option<CredentialClass> {
        match &self.credential {
            Credential::Static(_) => Some(CredentialClass::ApiKey),
            Credential::Tokens(cache) => cache.kind(),
        }
    }

    /// What the credential is, for messages.
    pub(crate) fn kind(&self) -> CredentialClass {
        self.known_kind().unwrap_or(CredentialClass::Token(Subject::User))
    }

    /// Whether the credential may go to this target. Before a token provider has returned a token,
    /// whether any token may go there.
    #[inline]
    pub(crate) fn accepts(&self, policy: &HostPolicy, target: &Target<'_>) -> Acceptance {
        let accepted = match self.known_kind() {
            Some(kind) => policy.accepts(target, kind),
            None => ANY_TOKEN
                .into_iter()
                .map(|kind| policy.accepts(target, kind))
                .find(|acceptance| *acceptance != Acceptance::No)
                .unwrap_or(Acceptance::No),
        };
        match accepted {
            Acceptance::No => self.own_acceptance(policy, target),
            accepted => accepted,
        }
    }

    /// Whether this credential of the source may go to the target, and whether it is under
    /// development there; `None` if it may not. `chosen`: what [`Source::accepts`] said before the
    /// credential was obtained.
    #[inline]
    pub(crate) fn accepts_token(
        &self,
        policy: &HostPolicy,
        target: &Target<'_>,
        token: &CachedToken,
        chosen: bool,
    ) -> Option<bool> {
        let Some(kind) = token.kind else { return Some(chosen) };
        match policy.accepts(target, kind) {
            Acceptance::Yes => Some(false),
            Acceptance::UnderDevelopment => Some(true),
            Acceptance::No => None,
        }
    }

    fn own_acceptance(&self, policy: &HostPolicy, target: &Target<'_>) -> Acceptance {
        let own = self.tokens().map_or(&[][..], |cache| cache.client().hosts());
        match own.iter().find(|(host, _)| host == target.authority()) {
            Some((_, acceptance)) if policy.may_speak_to(target) => *acceptance,
            _ => Acceptance::No,
        }
    }

    /// The hosts that accept the credential.
    pub(crate) fn hosts(&self, policy: &HostPolicy) -> Vec<String> {
        let mut hosts: Vec<String> = match self.known_kind() {
            Some(kind) => policy.hosts_for(kind),
            None => ANY_TOKEN.into_iter().flat_map(|kind| policy.hosts_for(kind)).collect(),
        };
        let own = self.tokens().map_or(&[][..], |cache| cache.client().hosts());
        hosts.extend(own.iter().map(|(host, _)| host.clone()));
        hosts.sort();
        hosts.dedup();
        hosts
    }

    /// The credential that is available without waiting. `now`: the time, if it is known.
    #[inline]
    pub(crate) fn cached(&self, now: Option<Moment>) -> Option<Arc<CachedToken>> {
        match &self.credential {
            Credential::Static(source) => source.current().ok().map(|held| held.snapshot.clone()),
            Credential::Tokens(cache) => cache.with_cached(now, Arc::clone),
        }
    }

    /// As [`Source::cached`], but lends the credential without a copy.
    #[inline]
    pub(crate) fn with_cached<T>(
        &self,
        now: Option<Moment>,
        use_it: impl FnOnce(&CachedToken) -> T,
    ) -> Option<T> {
        match &self.credential {
            Credential::Static(source) => source.with_current(use_it).ok(),
            Credential::Tokens(cache) => cache.with_cached(now, |token| use_it(token)),
        }
    }

    /// Whether the source can serve requests without a login.
    pub(crate) fn is_initialized(&self) -> bool {
        match &self.credential {
            Credential::Static(source) => source.is_available(),
            Credential::Tokens(cache) => cache.is_initialized(),
        }
    }

    /// Whether the source needs a login before it can serve a request.
    pub(crate) fn needs_login(&self) -> bool {
        self.needs_login_at(self.now())
    }

    /// As [`Source::needs_login`], at the time of [`Source::now`].
    #[inline]
    pub(crate) fn needs_login_at(&self, now: Option<Moment>) -> bool {
        match (&self.credential, now) {
            (Credential::Tokens(cache), Some(now)) => {
                cache.look_if_due_at(now);
                !cache.is_initialized_at(now)
            }
            _ => !self.is_initialized(),
        }
    }

    /// The time on the clock of its tokens; `None` for an API key.
    #[inline]
    pub(crate) fn now(&self) -> Option<Moment> {
        self.tokens().map(|cache| cache.now())
    }

    /// Whether a credential is available. Unlike [`Source::cached`], this starts no refresh.
    pub(crate) fn is_usable(&self) -> bool {
        match &self.credential {
            Credential::Static(source) => source.is_available(),
            Credential::Tokens(cache) => cache.is_usable(),
        }
    }

    /// The current credential, refreshed if necessary. `now`: the time, if it is known.
    #[inline]
    pub(crate) fn current(&self, now: Option<Moment>, wait: Wait<'_>) -> Result<Arc<CachedToken>> {
        match &self.credential {
            Credential::Static(source) => source.current().map(|held| held.snapshot.clone()),
            Credential::Tokens(cache) => cache.with_current(now, wait, Arc::clone),
        }
    }

    /// As [`Source::current`], but lends the credential without a copy.
    #[inline]
    pub(crate) fn with_current<T>(
        &self,
        now: Option<Moment>,
        wait: Wait<'_>,
        use_it: impl FnOnce(&CachedToken) -> T,
    ) -> Result<T> {
        match &self.credential {
            Credential::Static(source) => source.with_current(use_it),
            Credential::Tokens(cache) => cache.with_current(now, wait, |token| use_it(token)),
        }
    }

    /// Whether only a look into the store can tell whether it can serve requests without a login.
    pub(crate) fn is_unread(&self) -> bool {
        self.tokens().is_some_and(|cache| cache.is_unread())
    }

    /// What is known about the store that is named for it.
    pub(crate) fn store(&self) -> Option<StoreStatus> {
        self.unused_store.clone().or_else(|| self.tokens()?.store_status())
    }

    /// How requests carry the credential.
    pub(crate) fn transport(&self) -> Transport {
        self.api_key().map_or(Transport::Bearer, |source| source.transport.into())
    }

    pub(crate) fn api_key(&self) -> Option<&ApiKeySource> {
        match &self.credential {
            Credential::Static(source) => Some(source),
            Credential::Tokens(_) => None,
        }
    }

    pub(crate) fn tokens(&self) -> Option<&Arc<TokenCache>> {
        match &self.credential {
            Credential::Static(_) => None,
            Credential::Tokens(cache) => Some(cache),
        }
    }
}
