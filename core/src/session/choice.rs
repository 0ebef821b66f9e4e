//! Which credential goes to a URL.

use super::Session;
use super::source::Source;
use crate::authorize::Target;
use crate::clock::Moment;
use crate::credential::Transport;
use crate::deployment::Acceptance;
use crate::error::{Error, Result};
use crate::token_cache::CachedToken;

/// The source of the credential for a target.
pub(super) struct Choice<'s> {
    /// Its index in the session.
    pub(super) index: usize,
    pub(super) source: &'s Source,
    /// Whether Planet lists its credential as under development there.
    pub(super) under_development: bool,
    /// The time, if the choice depended on it. One reading of the clock serves the whole call.
    pub(super) now: Option<Moment>,
}

impl Session {
    /// The first source whose credential the host accepts. One that Planet lists as under
    /// development there is used only if there is no other.
    #[inline]
    pub(super) fn choose(&self, target: &Target<'_>) -> Result<Choice<'_>> {
        // A fast path: most sessions have one source, and most hosts accept it.
        match self.shared.sources.as_slice() {
            [first, others @ ..] => match first.accepts(&self.shared.policy, target) {
                Acceptance::Yes => {
                    Ok(Choice { index: 0, source: first, under_development: false, now: None })
                }
                Acceptance::UnderDevelopment if others.is_empty() => {
                    Ok(self.user_or(first, target))
                }
                _ => self.choose_among_all(target),
            },
            [] => self.choose_among_all(target),
        }
    }

    /// The source of a user who has logged in since the session opened, if the host accepts it;
    /// otherwise the only source, which is under development there.
    fn user_or<'s>(&'s self, only: &'s Source, target: &Target<'_>) -> Choice<'s> {
        let accepted = self
            .shared
            .to_log_in
            .as_ref()
            .filter(|user| user.accepts(&self.shared.policy, target) == Acceptance::Yes);
        let now = accepted.and_then(Source::now);
        match accepted.filter(|user| self.is_to_use(user, now)) {
            Some(source) => Choice { index: 1, source, under_development: false, now },
            None => Choice { index: 0, source: only, under_development: true, now },
        }
    }

    fn choose_among_all(&self, target: &Target<'_>) -> Result<Choice<'_>> {
        let mut under_development = None;
        for (index, source) in self.sources().enumerate() {
            let choice = |under_development| Choice { index, source, under_development, now: None };
            match source.accepts(&self.shared.policy, target) {
                Acceptance::Yes => return Ok(choice(false)),
                Acceptance::UnderDevelopment if under_development.is_none() => {
                    under_development = Some(choice(true))
                }
                _ => {}
            }
        }
        under_development.ok_or_else(|| {
            let held = self.kinds();
            if held.is_empty() {
                return self.empty();
            }
            let hosts: Vec<String> =
                self.sources().flat_map(|source| source.hosts(&self.shared.policy)).collect();
            self.shared.policy.refusal(target, &held, &[], hosts)
        })
    }

    /// As [`Session::choose`], for a credential that is sent in a header.
    #[inline]
    pub(super) fn choose_for_header(&self, target: &Target<'_>) -> Result<Choice<'_>> {
        let chosen = self.choose(target)?;
        if chosen.source.transport() == Transport::Query {
            return Err(Error::invalid_argument(
                "this session's API key is sent in the URL; use signed_url or authorize",
            ));
        }
        if target.has_query_parameter("api_key") {
            return Err(Error::invalid_argument(
                "the URL carries an api_key already, and one request must not carry two credentials; strip it, or use authorize",
            ));
        }
        Ok(chosen)
    }

    /// Checks that a credential may go to the target for which its source was chosen: a token
    /// provider's token shows only now who issued it. Returns whether it is under development
    /// there.
    ///
    /// Errors: HOST_REFUSED.
    #[inline]
    pub(super) fn check(
        &self,
        target: &Target<'_>,
        choice: &Choice<'_>,
        token: &CachedToken,
    ) -> Result<bool> {
        let (policy, source) = (&self.shared.policy, choice.source);
        source
            .accepts_token(policy, target, token, choice.under_development)
            .ok_or_else(|| policy.refusal(target, &[source.kind()], &[], source.hosts(policy)))
    }

    /// The sources in their order, followed by that of a user who has logged in since the session
    /// opened.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        let to_log_in = self.shared.to_log_in.iter();
        self.shared
            .sources
            .iter()
            .chain(to_log_in.filter(|source| self.is_to_use(source, source.now())))
    }

    /// Whether a user has logged in to the client of `to_log_in`, as far as it is known. If it is
    /// not, another credential is used.
    fn is_to_use(&self, to_log_in: &Source, now: Option<Moment>) -> bool {
        !to_log_in.needs_login_at(now) && (self.shared.sources.is_empty() || !to_log_in.is_unread())
    }
}
