//! Sessions. A session is an ordered list of credential sources behind one host policy.

mod after_response;
mod api_key_source;
mod authorization;
mod builder;
mod cancel;
mod choice;
mod constructors;
mod delegation;
mod hosts;
mod local_storage;
mod login_m2m;
mod logout;
mod opening;
mod options;
mod revocation;
mod source;
mod status;
mod store;
mod user_source;
mod userinfo;

pub use crate::token_cache::settle;
pub use after_response::ApiResponse;
pub use authorization::{AccessToken, Authorization, Header, Immediate};
pub use builder::SessionBuilder;
pub use constructors::Named;
pub use delegation::DelegatedToken;
pub use logout::{LogoutResult, Revoke};
pub(crate) use options::check_timeout;
pub use options::{DEFAULT_TIMEOUT, Options, Runtime};
pub use revocation::Revocation;
pub use status::{HostStatus, SessionStatus, SourceStatus};
pub use user_source::LoginResult;

use crate::authorize::{HostPolicy, Target, api_key, template};
pub(crate) use crate::client::Endpoint;
use crate::credential::ApiKeyTransport;
use crate::deployment::Acceptance;
use crate::error::{Error, Reason, Result, Status};
use crate::secret::Secret;
pub(crate) use crate::token_cache::Pending;
pub(crate) use crate::token_cache::Wait;
use crate::token_cache::{CachedToken, TokenCache};
pub(crate) use cancel::{interruptibly, interruptibly_or};
use choice::Choice;
use source::Source;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use user_source::{OtherUser, UserSource};

/// Returns whether the waiting caller has cancelled.
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

struct Shared {
    sources: Vec<Source>,
    /// The user's client that a login would fill, if no other source belongs to a user. It is used
    /// as soon as a user has logged in, in this or another process.
    to_log_in: Option<Source>,
    policy: HostPolicy,
    deployment: String,
    notes: Vec<String>,
}

/// Credentials that are refreshed before they expire. Cheap to clone. Any number of threads may use
/// one session and its clones at once.
///
/// A call blocks and uses the network only if no valid token is cached, and then returns within the
/// session's timeout. After `fork` the child may continue to use the session: it takes only the
/// token from its parent.
#[derive(Clone)]
pub struct Session {
    shared: Arc<Shared>,
    timeout: Duration,
    interrupt: Option<Interrupt>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let labels: Vec<&str> =
            self.shared.sources.iter().map(|source| source.label.as_ref()).collect();
        write!(f, "Session({} at {})", labels.join("; "), self.shared.deployment)
    }
}

impl Session {
    /// The same session with another deadline for the calls through this handle. A deadline below a
    /// millisecond becomes one, and one above a day becomes a day.
    pub fn with_timeout(&self, timeout: Duration) -> Session {
        Session { timeout: options::nearest_timeout(timeout), ..self.clone() }
    }

    /// The same session with a callback that a waiting call asks about every 50 ms. `true` ends the
    /// call with CANCELLED. The refresh itself continues for other callers.
    pub fn with_interrupt(&self, interrupt: Interrupt) -> Session {
        Session { interrupt: Some(interrupt), ..self.clone() }
    }

    fn wait(&self) -> Wait<'_> {
        Wait { timeout: self.timeout, interrupt: self.interrupt.as_deref() }
    }

    /// The credential that a request to this URL carries.
    ///
    /// Errors: INVALID_ARGUMENT, HOST_REFUSED, and if the token must be refreshed: MISCONFIGURED,
    /// LOGIN_REQUIRED, DENIED, UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn authorize(&self, url: &str) -> Result<Authorization> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose(&target)?;
        let snapshot = choice.source.current(choice.now, self.wait())?;
        let under_development = self.check(&target, &choice, &snapshot)?;
        Ok(authorization(&target, &choice, snapshot, under_development))
    }

    /// As [`Session::authorize`] with a cached token, but never blocks: `None` if it would have to.
    pub fn authorize_cached(&self, url: &str) -> Result<Option<Authorization>> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose(&target)?;
        let Some(snapshot) = choice.source.cached(choice.now) else { return Ok(None) };
        let under_development = self.check(&target, &choice, &snapshot)?;
        Ok(Some(authorization(&target, &choice, snapshot, under_development)))
    }

    /// The headers of a request whose URL does not change.
    ///
    /// Errors: as [`Session::authorize`]; also INVALID_ARGUMENT if the credential is sent in the
    /// URL, or if the URL already holds one.
    pub fn headers(&self, url: &str) -> Result<Authorization> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose_for_header(&target)?;
        let snapshot = choice.source.current(choice.now, self.wait())?;
        let under_development = self.check(&target, &choice, &snapshot)?;
        Ok(Authorization::new(&choice, snapshot, Secret::from(url), under_development))
    }

    /// As [`Session::headers`] with a cached token, but never blocks: `None` if it would have to.
    pub fn headers_cached(&self, url: &str) -> Result<Option<Authorization>> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose_for_header(&target)?;
        let Some(snapshot) = choice.source.cached(choice.now) else { return Ok(None) };
        let under_development = self.check(&target, &choice, &snapshot)?;
        Ok(Some(Authorization::new(&choice, snapshot, Secret::from(url), under_development)))
    }

    /// Passes the header value for this URL to `use_it` without a copy. This is the fastest way to
    /// get the value that [`Session::headers`] returns.
    ///
    /// Errors: as [`Session::headers`].
    pub fn with_header<T>(&self, url: &str, use_it: impl FnOnce(&str) -> T) -> Result<T> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose_for_header(&target)?;
        choice.source.with_current(choice.now, self.wait(), |snapshot| {
            self.check(&target, &choice, snapshot)?;
            Ok(use_it(snapshot.header()))
        })?
    }

    /// As [`Session::with_header`] with a cached token, but never blocks: `None` if it would have
    /// to.
    pub fn with_header_cached<T>(
        &self,
        url: &str,
        use_it: impl FnOnce(Header<'_>) -> T,
    ) -> Result<Option<T>> {
        let target = self.shared.policy.target(url)?;
        let choice = self.choose_for_header(&target)?;
        let used = choice.source.with_cached(choice.now, |token| {
            Ok(use_it(Header {
                value: token.header(),
                source_index: choice.index,
                generation: token.generation,
                under_development: self.check(&target, &choice, token)?,
            }))
        });
        used.transpose()
    }

    /// The URL with the API key as its `api_key` parameter. Uses no network.
    ///
    /// The host may contain one placeholder of a map client: `{0-3}`, `{switch:0,1,2,3}`, or `{s}`,
    /// which means 0 to 3. Each host that the placeholder expands to must accept the key.
    ///
    /// Errors: INVALID_ARGUMENT, HOST_REFUSED, UNSUPPORTED if the session holds no API key.
    pub fn signed_url(&self, url: &str) -> Result<String> {
        let expansions = template::expansions(url)?;
        let targets: Vec<Target<'_>> =
            expansions.iter().map(|url| Target::parse(url)).collect::<Result<_>>()?;
        let mut keys = self
            .shared
            .sources
            .iter()
            .filter_map(|source| Some((source, source.api_key()?)))
            .peekable();
        if keys.peek().is_none() {
            return Err(self.without_key());
        }
        let policy = &self.shared.policy;
        let refusing = |source: &Source| {
            targets.iter().find(|target| source.accepts(policy, target) == Acceptance::No)
        };
        match keys.find(|(source, _)| refusing(source).is_none()) {
            Some((_, source)) => {
                Ok(api_key::signed_url(url, &source.current()?.key).expose().to_owned())
            }
            None => {
                let refused = self
                    .shared
                    .sources
                    .iter()
                    .filter(|source| source.api_key().is_some())
                    .find_map(refusing);
                let target = refused
                    .or(targets.first())
                    .ok_or_else(|| Error::invalid_argument("the URL has no host"))?;
                let hosts = policy.hosts_for(crate::authorize::CredentialClass::ApiKey);
                Err(policy.refusal(
                    target,
                    &[crate::authorize::CredentialClass::ApiKey],
                    &self.kinds(),
                    hosts,
                ))
            }
        }
    }

    /// The access token itself. The caller decides where to send it; [`Session::headers`] checks
    /// the host first.
    ///
    /// Errors: UNSUPPORTED if the session holds no tokens, and as [`Session::authorize`] if it must
    /// be refreshed.
    pub fn access_token(&self) -> Result<AccessToken> {
        self.tokens()?.current(self.wait()).map(AccessToken)
    }

    /// As [`Session::access_token`] with a cached token, but never blocks: `None` if it would have
    /// to.
    pub fn access_token_cached(&self) -> Result<Option<AccessToken>> {
        Ok(self.tokens()?.cached().map(AccessToken))
    }

    /// The API key itself.
    ///
    /// Errors: UNSUPPORTED if the session holds no API key; LOGIN_REQUIRED if it holds no
    /// credential.
    pub fn api_key(&self) -> Result<String> {
        let source = self
            .shared
            .sources
            .iter()
            .find_map(Source::api_key)
            .ok_or_else(|| self.without_key())?;
        source.current().map(|held| held.key.expose().to_owned())
    }

    /// Reports that an API responded with 401 to this token. Returns `true` if the next call
    /// refreshes it, which happens once per token.
    ///
    /// Errors: INVALID_ARGUMENT for an empty token; UNSUPPORTED if the session holds no tokens.
    pub fn invalidate(&self, access_token: &str) -> Result<bool> {
        if access_token.is_empty() {
            return Err(Error::invalid_argument("give the access token that the API refused"));
        }
        self.tokens()?;
        Ok(self.token_caches().any(|cache| cache.invalidate(access_token)))
    }

    /// Refreshes the access token now. Concurrent callers share one refresh.
    ///
    /// Errors: UNSUPPORTED if the session holds no tokens, and as [`Session::authorize`].
    pub fn refresh(&self) -> Result<()> {
        self.tokens()?.refresh(self.wait()).map(drop)
    }

    /// Describes this session. Uses no network, and holds no secret.
    pub fn status(&self) -> SessionStatus {
        let shared = &self.shared;
        let sources: Vec<&Source> = self.sources().collect();
        let mut hosts: Vec<String> =
            sources.iter().flat_map(|source| source.hosts(&shared.policy)).collect();
        hosts.sort();
        hosts.dedup();
        let hosts = hosts.into_iter().filter_map(|host| self.host_status(host)).collect();
        SessionStatus::new(&sources, hosts, &shared.policy, &shared.deployment, &shared.notes)
    }

    /// Reads what the stores of this session hold, so that [`Session::status`] says it. Blocks for
    /// two seconds at most for each; uses the network.
    pub fn contact_stores(&self) {
        self.token_caches().for_each(|cache| cache.contact_store());
    }

    fn host_status(&self, host: String) -> Option<HostStatus> {
        let url = format!("https://{host}/");
        let choice = self.choose(&Target::parse(&url).ok()?).ok()?;
        let (source_index, under_development) = (choice.index, choice.under_development);
        Some(HostStatus { host, source_index, under_development })
    }

    /// Whether the session holds a credential that can be used without a login. Uses no network.
    pub fn is_initialized(&self) -> bool {
        self.sources().any(|source| !source.needs_login())
    }

    fn kinds(&self) -> Vec<crate::authorize::CredentialClass> {
        self.sources().map(Source::kind).collect()
    }

    fn token_caches(&self) -> impl Iterator<Item = &Arc<TokenCache>> {
        self.sources().filter_map(Source::tokens)
    }

    fn tokens(&self) -> Result<&Arc<TokenCache>> {
        self.token_caches().next().ok_or_else(|| match self.shared.sources.is_empty() {
            true => self.empty(),
            false => Error::new(
                Status::Unsupported,
                "this session holds an API key and no access token; use api_key, headers or authorize",
            ),
        })
    }

    fn without_key(&self) -> Error {
        match self.shared.sources.is_empty() {
            true => self.empty(),
            false => Error::new(
                Status::Unsupported,
                "this session holds no API key; set PL_API_KEY, or use headers or authorize",
            ),
        }
    }

    fn empty(&self) -> Error {
        let passed_over: String =
            self.shared.notes.iter().map(|note| format!(" ({note})")).collect();
        Error::new(
            Status::LoginRequired,
            format!(
                "no credential was found{passed_over}; log in, or set PL_API_KEY, or PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET"
            ),
        )
        .with_reason(Reason::NeverLoggedIn)
    }
}

fn authorization(
    target: &Target<'_>,
    choice: &Choice<'_>,
    snapshot: Arc<CachedToken>,
    under_development: bool,
) -> Authorization {
    // One mechanism per request (RFC 6750 2): a key is removed from the URL if a header carries the
    // credential.
    let in_url =
        choice.source.api_key().filter(|source| source.transport == ApiKeyTransport::Query);
    let url = match in_url.and_then(|source| source.current().ok()) {
        Some(held) => api_key::signed_url(target.url, &held.key),
        _ if target.has_query_parameter("api_key") => {
            Secret::from(api_key::strip_api_key(target.url))
        }
        _ => Secret::from(target.url),
    };
    Authorization::new(choice, snapshot, url, under_development)
}
