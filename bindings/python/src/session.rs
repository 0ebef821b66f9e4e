//! The session. Its methods are in one `impl`, because Python's must be.

use std::sync::Arc;
use std::time::Duration;

use planetkey::session::DelegatedToken;
use planetkey::{ApiKeyTransport, ApiResponse, Immediate};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyType};

use crate::adapters::{self, cached_or_in_thread, in_thread};
use crate::arguments::{common_options, duration, flag, integer, json, optional_text, text, texts};
use crate::authorization::{Authorization, header_dict};
use crate::errors::{detached, guarded};
use crate::login::{BrowserLogin, DeviceLogin};
use crate::login_options::login_options;
use crate::login_result::{LoginResult, LogoutResult};
use crate::pickling::{Recipe, Reduced, reduce};
use crate::provider::PythonProvider;
use crate::response::{Response, carried};
use crate::status::SessionStatus;
use crate::text_cache::TextCache;
use crate::waiting::wait;

/// Credentials that stay fresh, and the hosts that they may go to.
///
/// Any number of threads may use one session, and so may a forked child. It is an ``auth`` of
/// ``requests`` and ``httpx``: pass it as ``auth=``. It authorizes every request as
/// ``authorize(url)`` does. If an API refuses the token with a 401, it refreshes the token and
/// repeats the request once.
///
/// Open one with a class method that starts with ``from_``. All of them take these options:
///
/// Args:
///     save: Whether to save tokens. By default they are saved, except for API keys. With False
///         they stay in memory.
///     storage_root: The directory that contains ``.planet``. By default
///         ``PLANETKEY_STORAGE_ROOT``, or else the home directory.
///     storage: An object that saves the tokens instead of files. See ``TokenStorage``.
///     timeout: Seconds, as a number or a ``timedelta``, within which every call that uses the
///         network ends, including its retries. From 0.001 to 86400; 30 by default.
///     deployment: The name of a deployment, the path of its file, or its JSON as a mapping or a
///         string. By default ``PLANETKEY_DEPLOYMENT``, or else ``planet``.
///     allowed_hosts: More hosts that the credential may go to: exact names, over https.
///     allow_insecure_loopback: Whether hosts on this computer may be used over plain http.
///     ca_file: A PEM file with the certificates to trust, in addition to the system's.
///     proxy: The URL of an HTTP proxy. By default that of the environment.
///     store: The URL of a store that speaks the Redis protocol: ``redis://``, ``rediss://`` or
///         ``redis+unix://``. All machines that name it share one token. By default the store of
///         the profile, or else ``PLANETKEY_STORE``.
// `session.__class__` is a subclass; see `adapters::class`.
#[pyclass(frozen, subclass, module = "planetkey")]
pub(crate) struct Session {
    core: planetkey::Session,
    header_values: TextCache,
    access_token: TextCache,
    /// How to open it again. `None` if the call contained secrets.
    recipe: Option<Arc<Recipe>>,
    /// The deadline of this handle, if it is not that of the options.
    timeout: Option<Duration>,
}

impl From<planetkey::Session> for Session {
    fn from(core: planetkey::Session) -> Self {
        Session {
            core,
            header_values: TextCache::new(),
            access_token: TextCache::new(),
            recipe: None,
            timeout: None,
        }
    }
}

impl Session {
    fn with_recipe(core: planetkey::Session, recipe: Recipe) -> Self {
        Session { recipe: Some(Arc::new(recipe)), ..Session::from(core) }
    }

    pub(crate) fn core(&self) -> &planetkey::Session {
        &self.core
    }

    /// Blocks until there is a credential for this URL.
    pub(crate) fn make_ready(&self, py: Python<'_>, url: &str) -> PyResult<()> {
        match guarded(py, || self.core.with_header_cached(url, |_| ()))? {
            Some(()) => Ok(()),
            None => self.wait(py, |session| session.headers(url).map(drop)),
        }
    }

    /// A call that may block, as [`wait`].
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&planetkey::Session) -> planetkey::Result<T> + Send,
    ) -> PyResult<T> {
        wait(py, |interrupt| call(&self.core.with_interrupt(interrupt)))
    }

    fn authorization(&self, py: Python<'_>, core: planetkey::Authorization) -> Authorization {
        let value = self.header_value(py, &core);
        Authorization::new(core, value)
    }

    fn header_value<'py>(
        &self,
        py: Python<'py>,
        authorization: &planetkey::Authorization,
    ) -> Option<Bound<'py, PyString>> {
        let value = authorization.header_value()?;
        let generation = authorization.generation();
        Some(self.header_values.get(py, authorization.source_index(), generation, value))
    }

    /// What a call of the core found that never blocks.
    fn immediate(&self, py: Python<'_>, found: Immediate) -> Cached<Option<Authorization>> {
        match found {
            Immediate::Authorization(authorization) => {
                Some((Some(self.authorization(py, authorization)),))
            }
            Immediate::WouldBlock => None,
            _ => Some((None,)),
        }
    }

    /// The value of the header, if there is a valid token.
    fn cached_header_value<'py>(
        &self,
        py: Python<'py>,
        url: &str,
    ) -> PyResult<Option<Bound<'py, PyString>>> {
        guarded(py, || {
            self.core.with_header_cached(url, |header| {
                self.header_values.get(py, header.source_index, header.generation, header.value)
            })
        })
    }
}

/// The result of a call that never blocks, in a tuple. `None` if it would block.
type Cached<T> = Option<(T,)>;

/// Members of JSON as a new dictionary.
fn dict(
    py: Python<'_>,
    members: serde_json::Map<String, serde_json::Value>,
) -> PyResult<Bound<'_, PyDict>> {
    let text = serde_json::Value::Object(members).to_string();
    let read = py.import(intern!(py, "json"))?.call_method1(intern!(py, "loads"), (text,))?;
    Ok(read.cast_into::<PyDict>()?)
}

#[pymethods]
impl Session {
    /// Opens a session on everything that the environment and configuration files offer.
    ///
    /// Profiles, M2M clients and API keys are found in this order, first in the environment, then
    /// in ``~/.planet`` and the configuration of ``sentinelhub``. Each URL gets the first
    /// credential that its host accepts. Reads files; uses no network.
    ///
    /// Args:
    ///     **options: The options of every constructor; see ``Session``.
    ///
    /// Raises:
    ///     InvalidArgumentError: An option is wrong.
    ///     MisconfiguredError: A variable or file is wrong.
    #[staticmethod]
    #[pyo3(
        signature = (**options),
        text_signature = "(*, save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None, store=None)"
    )]
    fn from_defaults(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<Session> {
        let given = common_options("Session.from_defaults", options)?;
        let core = detached(py, || planetkey::Session::from_defaults(&given))?;
        Ok(Session::with_recipe(core, Recipe::new(None, given, options)?))
    }

    /// Opens a session on a saved or built-in profile.
    ///
    /// Reads files; uses no network.
    ///
    /// Args:
    ///     name: The profile's name, for example ``"planet-user"``.
    ///     **options: The options of every constructor; see ``Session``.
    ///
    /// Raises:
    ///     InvalidArgumentError: An option is wrong.
    ///     MisconfiguredError: There is no such profile, or its files are wrong.
    #[staticmethod]
    #[pyo3(
        signature = (name, **options),
        text_signature = "(name, *, save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None, store=None)"
    )]
    fn from_profile(
        py: Python<'_>,
        name: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Session> {
        let given = common_options("Session.from_profile", options)?;
        let name = text("name", name)?;
        let core = detached(py, || planetkey::Session::from_profile(name, &given))?;
        Ok(Session::with_recipe(core, Recipe::new(Some(name), given, options)?))
    }

    /// Opens a session on an API key.
    ///
    /// Args:
    ///     key: The API key.
    ///     transport: How the key is sent: as HTTP Basic (``"basic"``), as ``Authorization:
    ///         api-key`` (``"header"``), or in the URL as ``api_key`` (``"query"``).
    ///     **options: The options of every constructor; see ``Session``.
    ///
    /// Raises:
    ///     InvalidArgumentError: The key or an option is wrong.
    #[staticmethod]
    #[pyo3(
        signature = (key, *, transport=None, **options),
        text_signature = "(key, *, transport='basic', save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None, store=None)"
    )]
    fn from_api_key(
        py: Python<'_>,
        key: &Bound<'_, PyAny>,
        transport: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Session> {
        let options = common_options("Session.from_api_key", options)?;
        let key = text("key", key)?;
        let transport = match transport {
            Some(name) => {
                let name = text("transport", name)?;
                guarded(py, || ApiKeyTransport::from_name(name))?
            }
            None => ApiKeyTransport::default(),
        };
        detached(py, || planetkey::Session::from_api_key(key, transport, &options))
            .map(Session::from)
    }

    /// Opens a session of an M2M client: the client credentials grant of OAuth.
    ///
    /// Uses no network until a token is needed.
    ///
    /// Args:
    ///     client_id: The client's id.
    ///     client_secret: The client's secret. It is not saved.
    ///     scopes: The scopes to request. By default the server's.
    ///     audience: The audience to request.
    ///     profile: The profile whose directory the tokens are saved in. By default
    ///         ``planet-m2m-`` and the client's id.
    ///     **options: The options of every constructor; see ``Session``.
    ///
    /// Raises:
    ///     InvalidArgumentError: An argument is wrong.
    #[staticmethod]
    #[pyo3(
        signature = (
            client_id, client_secret, *, scopes=None, audience=None, profile=None, **options
        ),
        text_signature = "(client_id, client_secret, *, scopes=None, audience=None, profile=None, save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None, store=None)"
    )]
    fn from_m2m(
        py: Python<'_>,
        client_id: &Bound<'_, PyAny>,
        client_secret: &Bound<'_, PyAny>,
        scopes: Option<&Bound<'_, PyAny>>,
        audience: Option<&Bound<'_, PyAny>>,
        profile: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Session> {
        let mut options = common_options("Session.from_m2m", options)?;
        options.profile = optional_text("profile", profile)?;
        let client_id = text("client_id", client_id)?;
        let client_secret = text("client_secret", client_secret)?;
        options.scopes = scopes.map(|scopes| texts("scopes", scopes)).transpose()?;
        options.audience = optional_text("audience", audience)?;
        detached(py, || planetkey::Session::from_m2m(client_id, client_secret, &options))
            .map(Session::from)
    }

    /// Opens a session with tokens that something else obtains: a broker, a scheduler, a vault.
    ///
    /// The tokens are cached in memory and refreshed as those of every other source: all threads
    /// share one call of the provider, and before a token expires the provider is called in the
    /// background. The tokens are never saved. A JWT goes to the hosts that accept tokens of its
    /// issuer, and any other token to those that accept a user's. Opening the session does not call
    /// the provider.
    ///
    /// Args:
    ///     provider: A callable that returns a token and the seconds until it expires, or a mapping
    ///         or an object with ``access_token`` and ``expires_in`` or ``expires_at``. It may
    ///         return an awaitable. See ``TokenProvider``.
    ///     **options: The options of every constructor; see ``Session``. Not ``storage``.
    ///
    /// Raises:
    ///     InvalidArgumentError: An option is wrong.
    #[staticmethod]
    #[pyo3(
        signature = (provider, **options),
        text_signature = "(provider, *, save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None)"
    )]
    fn from_token_provider(
        py: Python<'_>,
        provider: &Bound<'_, PyAny>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Session> {
        let options = common_options("Session.from_token_provider", options)?;
        let provider = Arc::new(PythonProvider::new(provider)?);
        detached(py, || planetkey::Session::from_token_provider(provider, &options))
            .map(Session::from)
    }

    /// Opens a session of any registered client.
    ///
    /// Uses no network until a token is needed.
    ///
    /// Args:
    ///     config: The fields of ``auth_client.json``, as a mapping or as JSON.
    ///     profile: The profile whose directory the tokens are saved in.
    ///     **options: The options of every constructor; see ``Session``.
    ///
    /// Raises:
    ///     InvalidArgumentError: An argument is wrong.
    ///     MisconfiguredError: The configuration is wrong.
    #[staticmethod]
    #[pyo3(
        signature = (config, *, profile=None, **options),
        text_signature = "(config, *, profile=None, save=None, storage_root=None, storage=None, timeout=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None, store=None)"
    )]
    fn from_client_config(
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        profile: Option<&Bound<'_, PyAny>>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Session> {
        let mut options = common_options("Session.from_client_config", options)?;
        options.profile = optional_text("profile", profile)?;
        let config = json("config", config)?;
        detached(py, || planetkey::Session::from_client_config(&config, &options))
            .map(Session::from)
    }

    /// Returns what a request to this URL carries: its headers and its URL.
    ///
    /// Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.
    ///
    /// Args:
    ///     url: The URL of the request. It may be a template with ``{z}/{x}/{y}``.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL.
    ///     HostRefusedError: No credential of this session may go to this URL.
    ///     LoginRequiredError: The user must log in.
    ///     MisconfiguredError: The server does not accept the client or its scopes.
    ///     UnavailableError: The server cannot be used now.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    ///     StorageError: The saved session could not be read.
    fn authorize(&self, py: Python<'_>, url: &Bound<'_, PyAny>) -> PyResult<Authorization> {
        let url = text("url", url)?;
        let authorization = match guarded(py, || self.core.authorize_cached(url))? {
            Some(authorization) => authorization,
            None => self.wait(py, |session| session.authorize(url))?,
        };
        Ok(self.authorization(py, authorization))
    }

    /// Does what ``authorize`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn authorize_async<'py>(
        slf: &Bound<'py, Self>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cached_or_in_thread(slf, "_authorize_cached", "authorize", (url,))
    }

    /// The result of `authorize`, or `None` if that would block.
    fn _authorize_cached(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
    ) -> PyResult<Cached<Authorization>> {
        Ok(self.authorize_cached(py, url)?.map(|authorization| (authorization,)))
    }

    /// Returns what ``authorize`` returns, or None if no credential may go to this URL.
    ///
    /// For programs and adapters that also send requests to other hosts. Blocks only if there is
    /// no valid token. Other threads run meanwhile, and Ctrl-C works.
    ///
    /// Args:
    ///     url: The URL of the request.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL.
    ///     Error: As in ``authorize``, except ``HostRefusedError``.
    fn authorize_if_served(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Authorization>> {
        if let Some((authorization,)) = self._authorize_if_served_cached(py, url)? {
            return Ok(authorization);
        }
        let url = text("url", url)?;
        let authorization = self.wait(py, |session| session.authorize_if_served(url))?;
        Ok(authorization.map(|authorization| self.authorization(py, authorization)))
    }

    /// Does what ``authorize_if_served`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn authorize_if_served_async<'py>(
        slf: &Bound<'py, Self>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cached_or_in_thread(slf, "_authorize_if_served_cached", "authorize_if_served", (url,))
    }

    /// The result of `authorize_if_served`, or `None` if that would block.
    fn _authorize_if_served_cached(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
    ) -> PyResult<Cached<Option<Authorization>>> {
        let url = text("url", url)?;
        let authorization = guarded(py, || self.core.authorize_if_served_cached(url))?;
        Ok(self.immediate(py, authorization))
    }

    /// Whether a credential of this session may go to this URL. Never blocks.
    fn _is_served(&self, py: Python<'_>, url: &Bound<'_, PyAny>) -> PyResult<bool> {
        let url = text("url", url)?;
        let served = guarded(py, || self.core.authorize_if_served_cached(url))?;
        Ok(!matches!(served, Immediate::Nothing))
    }

    /// Returns what ``authorize`` returns, or None if there is no valid token.
    ///
    /// Never blocks for the network or for another thread.
    ///
    /// Args:
    ///     url: The URL of the request.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL.
    ///     HostRefusedError: No credential of this session may go to this URL.
    fn authorize_cached(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
    ) -> PyResult<Option<Authorization>> {
        let url = text("url", url)?;
        let authorization = guarded(py, || self.core.authorize_cached(url))?;
        Ok(authorization.map(|authorization| self.authorization(py, authorization)))
    }

    /// Returns the headers of a request to this URL, as a new dictionary.
    ///
    /// Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.
    ///
    /// Args:
    ///     url: The URL of the request.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL, or the API key is sent in the URL.
    ///     Error: As in ``authorize``.
    fn headers<'py>(
        &self,
        py: Python<'py>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let url = text("url", url)?;
        let value = match self.cached_header_value(py, url)? {
            Some(value) => Some(value),
            None => self.header_value(py, &self.wait(py, |session| session.headers(url))?),
        };
        header_dict(py, value.as_ref())
    }

    /// Does what ``headers`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn headers_async<'py>(
        slf: &Bound<'py, Self>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cached_or_in_thread(slf, "_headers_cached", "headers", (url,))
    }

    /// The result of `headers`, or `None` if that would block.
    fn _headers_cached<'py>(
        &self,
        py: Python<'py>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Cached<Bound<'py, PyDict>>> {
        let value = self.cached_header_value(py, text("url", url)?)?;
        value.map(|value| Ok((header_dict(py, Some(&value))?,))).transpose()
    }

    /// Returns the URL with the API key as its ``api_key`` parameter.
    ///
    /// For tile clients that cannot set headers. Never blocks.
    ///
    /// Args:
    ///     url: The URL of the request. It may be a template with ``{z}/{x}/{y}``.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL.
    ///     HostRefusedError: The key must not go to this URL.
    ///     UnsupportedError: The session has no API key.
    fn signed_url(&self, py: Python<'_>, url: &Bound<'_, PyAny>) -> PyResult<String> {
        let url = text("url", url)?;
        guarded(py, || self.core.signed_url(url))
    }

    /// Returns the access token itself. It is a secret.
    ///
    /// Blocks only if there is no valid token. Other threads run meanwhile, and Ctrl-C works.
    ///
    /// Raises:
    ///     UnsupportedError: The session has API keys only.
    ///     Error: As in ``authorize``.
    fn access_token<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let token = match guarded(py, || self.core.access_token_cached())? {
            Some(token) => token,
            None => self.wait(py, |session| session.access_token())?,
        };
        Ok(self.access_token.get(py, 0, token.generation(), &token))
    }

    /// Does what ``access_token`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn access_token_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        cached_or_in_thread(slf, "_access_token_cached", "access_token", ())
    }

    /// The result of `access_token`, or `None` if that would block.
    fn _access_token_cached<'py>(&self, py: Python<'py>) -> PyResult<Cached<Bound<'py, PyString>>> {
        let token = guarded(py, || self.core.access_token_cached())?;
        Ok(token.map(|token| (self.access_token.get(py, 0, token.generation(), &token),)))
    }

    /// Returns the API key itself. It is a secret.
    ///
    /// Raises:
    ///     UnsupportedError: The session has no API key.
    fn api_key(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || self.core.api_key())
    }

    /// Takes a token out of use that an API refused. The next call refreshes it.
    ///
    /// Args:
    ///     access_token: The token that was refused.
    ///
    /// Returns:
    ///     False if the session has another token already.
    ///
    /// Raises:
    ///     UnsupportedError: The session has API keys only.
    fn invalidate(&self, py: Python<'_>, access_token: &Bound<'_, PyAny>) -> PyResult<bool> {
        let access_token = text("access_token", access_token)?;
        detached(py, || self.core.invalidate(access_token))
    }

    /// Decides what follows an API's response: whether to repeat the request, and with what.
    ///
    /// A 401 takes the access token out of use, unless its Bearer challenge names an error other
    /// than ``invalid_token`` (RFC 6750, 3.1). Any other status is final. Blocks while the token is
    /// refreshed. Other threads run meanwhile, and Ctrl-C works.
    ///
    /// Args:
    ///     authorization: What the request carried.
    ///     http_status: The HTTP status of the response.
    ///     www_authenticate: The ``WWW-Authenticate`` header of the response. Several values are
    ///         joined by commas.
    ///
    /// Returns:
    ///     The authorization to repeat the request with, once. None if the response is final.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not an HTTP status.
    ///     Error: The refresh failed, as in ``authorize``.
    #[pyo3(signature = (authorization, http_status, www_authenticate=None))]
    fn after_response(
        &self,
        py: Python<'_>,
        authorization: &Bound<'_, PyAny>,
        http_status: &Bound<'_, PyAny>,
        www_authenticate: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Authorization>> {
        let authorization = carried(authorization)?;
        let http_status: u16 = integer("http_status", http_status)?;
        let www_authenticate = optional_text("www_authenticate", www_authenticate)?;
        let repeat = self.wait(py, |session| {
            session.after_response(authorization, http_status, www_authenticate.as_deref())
        })?;
        Ok(repeat.map(|repeat| self.authorization(py, repeat)))
    }

    /// Does what ``after_response`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    #[pyo3(signature = (authorization, http_status, www_authenticate=None))]
    fn after_response_async<'py>(
        slf: &Bound<'py, Self>,
        authorization: &Bound<'py, PyAny>,
        http_status: &Bound<'py, PyAny>,
        www_authenticate: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = (authorization, http_status, www_authenticate);
        cached_or_in_thread(slf, "_after_response_cached", "after_response", arguments)
    }

    /// The result of `after_response`, or `None` if that would block.
    #[pyo3(signature = (authorization, http_status, www_authenticate=None))]
    fn _after_response_cached(
        &self,
        py: Python<'_>,
        authorization: &Bound<'_, PyAny>,
        http_status: &Bound<'_, PyAny>,
        www_authenticate: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Cached<Option<Authorization>>> {
        let authorization = carried(authorization)?;
        let www_authenticate = optional_text("www_authenticate", www_authenticate)?;
        let mut response =
            ApiResponse::new(authorization.url(), integer("http_status", http_status)?);
        response.sent = authorization.header_value();
        response.www_authenticate = www_authenticate.as_deref();
        let repeat = guarded(py, || self.core.after_api_response_cached(&response))?;
        Ok(self.immediate(py, repeat))
    }

    /// `after_response` for adapters of HTTP clients that follow redirects: the request that got
    /// the response may have another URL and `Authorization` header than the first one.
    fn _after_api_response(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
        sent: Option<&Bound<'_, PyAny>>,
        http_status: &Bound<'_, PyAny>,
        www_authenticate: Option<&Bound<'_, PyAny>>,
        can_repeat: bool,
    ) -> PyResult<Option<Authorization>> {
        let response = Response::read(url, sent, http_status, www_authenticate, can_repeat)?;
        let repeat = self.wait(py, |session| session.after_api_response(&response.as_core()))?;
        Ok(repeat.map(|repeat| self.authorization(py, repeat)))
    }

    /// `_after_api_response` without blocking the event loop.
    fn _after_api_response_async<'py>(
        slf: &Bound<'py, Self>,
        url: &Bound<'py, PyAny>,
        sent: Option<&Bound<'py, PyAny>>,
        http_status: &Bound<'py, PyAny>,
        www_authenticate: Option<&Bound<'py, PyAny>>,
        can_repeat: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let arguments = (url, sent, http_status, www_authenticate, can_repeat);
        cached_or_in_thread(slf, "_after_api_response_cached", "_after_api_response", arguments)
    }

    /// The result of `_after_api_response`, or `None` if that would block.
    fn _after_api_response_cached(
        &self,
        py: Python<'_>,
        url: &Bound<'_, PyAny>,
        sent: Option<&Bound<'_, PyAny>>,
        http_status: &Bound<'_, PyAny>,
        www_authenticate: Option<&Bound<'_, PyAny>>,
        can_repeat: bool,
    ) -> PyResult<Cached<Option<Authorization>>> {
        let response = Response::read(url, sent, http_status, www_authenticate, can_repeat)?;
        let repeat = guarded(py, || self.core.after_api_response_cached(&response.as_core()))?;
        Ok(self.immediate(py, repeat))
    }

    /// The access token for another process, and the seconds until it expires. `rejected_token`: the
    /// one that an API refused there.
    fn _delegated_token(
        &self,
        py: Python<'_>,
        rejected_token: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<(String, f64)> {
        let rejected = rejected_token.map(|token| text("rejected_token", token)).transpose()?;
        self.wait(py, |session| session.delegated_token(rejected)).map(delegated)
    }

    /// `_delegated_token` without blocking the event loop.
    fn _delegated_token_async<'py>(
        slf: &Bound<'py, Self>,
        rejected_token: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        cached_or_in_thread(slf, "_delegated_token_cached", "_delegated_token", (rejected_token,))
    }

    /// The result of `_delegated_token`, or `None` if that would block.
    fn _delegated_token_cached(
        &self,
        py: Python<'_>,
        rejected_token: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Cached<(String, f64)>> {
        let rejected = rejected_token.map(|token| text("rejected_token", token)).transpose()?;
        let token = guarded(py, || self.core.delegated_token_cached(rejected))?;
        Ok(token.map(|token| (delegated(token),)))
    }

    /// Where another process may send the tokens, as JSON.
    fn _delegation_policy(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || self.core.delegation_policy()).map(|policy| policy.to_string())
    }

    /// Refreshes the access token now.
    ///
    /// Blocks. Threads that call it at the same time share one request. Other threads run
    /// meanwhile, and Ctrl-C works.
    ///
    /// Raises:
    ///     UnsupportedError: The session has API keys only.
    ///     Error: As in ``authorize``.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, |session| session.refresh())
    }

    /// Does what ``refresh`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call. A refresh in progress finishes in the background.
    fn refresh_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "refresh", (), None)
    }

    /// Logs the user in if that is necessary.
    ///
    /// Does nothing if the saved session is valid, and refreshes it if that is enough. Otherwise
    /// it prompts the user: it opens a browser if there is one, or shows a code for any device,
    /// or asks for the address that a browser ended at. Blocks until the user has logged in;
    /// Ctrl-C cancels.
    ///
    /// Args:
    ///     method: ``"auto"``, ``"browser"``, ``"device"`` or ``"paste"``.
    ///     open_browser: Whether to open a browser. By default if there is one.
    ///     scopes: The scopes to request. By default those of the client.
    ///     prompt: A callable that shows a ``Prompt`` to the user, and returns the answer if one
    ///         is expected. It runs on the thread of this call.
    ///     timeout: Seconds, as a number or a ``timedelta``, that the user has.
    ///     force: Prompt the user also if the saved session is valid.
    ///     allow_other_user: Whether a different user may replace the saved session. By default
    ///         the prompt asks.
    ///     page: HTML to show in the browser after the login.
    ///
    /// Raises:
    ///     InvalidArgumentError: An argument is wrong.
    ///     LoginRequiredError: A prompt is necessary, but there is none; or the code expired.
    ///     DeniedError: The user or the server refused, or a different user logged in.
    ///     UnsupportedError: The client cannot log in in this way.
    ///     Error: As in ``DeviceLogin.wait`` and ``BrowserLogin.wait``.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, method=None, open_browser=None, scopes=None, prompt=None, timeout=None, force=None, allow_other_user=None, page=None)"
    )]
    fn login(&self, py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<LoginResult> {
        let allowed = [
            "method",
            "open_browser",
            "scopes",
            "prompt",
            "timeout",
            "force",
            "allow_other_user",
            "page",
        ];
        let options = login_options(py, "Session.login", &allowed, options)?;
        self.wait(py, |session| session.login(&options)).map(LoginResult::from)
    }

    /// Does what ``login`` does, without blocking the event loop.
    ///
    /// ``prompt`` runs on another thread, so it may block. Cancelling the task cancels the login,
    /// after ``prompt`` has returned.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, method=None, open_browser=None, scopes=None, prompt=None, timeout=None, force=None, allow_other_user=None, page=None)"
    )]
    fn login_async<'py>(
        slf: &Bound<'py, Self>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "login", (), options)
    }

    /// Starts a login with a code that the user enters on any device (RFC 8628).
    ///
    /// Blocks for the request of the code.
    ///
    /// Args:
    ///     scopes: The scopes to request. By default those of the client.
    ///     prompt: A callable that answers whether a different user may replace the saved session.
    ///     timeout: Seconds, as a number or a ``timedelta``, that the user has. At most until the
    ///         code expires.
    ///     allow_other_user: Whether a different user may replace the saved session.
    ///
    /// Raises:
    ///     UnsupportedError: The client or the server does not offer this login.
    ///     MisconfiguredError: The server does not accept the client or its scopes.
    ///     UnavailableError: The server cannot be used now.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, scopes=None, prompt=None, timeout=None, allow_other_user=None)"
    )]
    fn start_device_login(
        &self,
        py: Python<'_>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<DeviceLogin> {
        let allowed = ["scopes", "prompt", "timeout", "allow_other_user"];
        let options = login_options(py, "Session.start_device_login", &allowed, options)?;
        self.wait(py, |session| session.start_device_login(&options)).map(DeviceLogin::from)
    }

    /// Does what ``start_device_login`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, scopes=None, prompt=None, timeout=None, allow_other_user=None)"
    )]
    fn start_device_login_async<'py>(
        slf: &Bound<'py, Self>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "start_device_login", (), options)
    }

    /// Starts a login in a browser. It does not open the browser.
    ///
    /// Blocks for the server's metadata.
    ///
    /// Args:
    ///     scopes: The scopes to request. By default those of the client.
    ///     prompt: A callable that answers whether a different user may replace the saved session.
    ///     timeout: Seconds, as a number or a ``timedelta``, that the user has.
    ///     allow_other_user: Whether a different user may replace the saved session.
    ///     page: HTML to show in the browser after the login.
    ///
    /// Raises:
    ///     UnsupportedError: The client or the server does not offer this login.
    ///     MisconfiguredError: The client has no redirect URI that this computer can serve.
    ///     UnavailableError: The server cannot be used now, or the port is in use.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, scopes=None, prompt=None, timeout=None, allow_other_user=None, page=None)"
    )]
    fn start_browser_login(
        &self,
        py: Python<'_>,
        options: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<BrowserLogin> {
        let allowed = ["scopes", "prompt", "timeout", "allow_other_user", "page"];
        let options = login_options(py, "Session.start_browser_login", &allowed, options)?;
        self.wait(py, |session| session.start_browser_login(&options)).map(BrowserLogin::from)
    }

    /// Does what ``start_browser_login`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    #[pyo3(
        signature = (**options),
        text_signature = "($self, *, scopes=None, prompt=None, timeout=None, allow_other_user=None, page=None)"
    )]
    fn start_browser_login_async<'py>(
        slf: &Bound<'py, Self>,
        options: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "start_browser_login", (), options)
    }

    /// Deletes the tokens, in memory and where they are saved, for every process.
    ///
    /// It revokes the refresh token first (RFC 7009). A server that cannot be reached does not
    /// prevent the logout; the result says so. The configuration of a client stays, so an M2M
    /// client requests new tokens with its next call. Blocks until a refresh in progress has
    /// finished; Ctrl-C cancels.
    ///
    /// Args:
    ///     revoke: Whether to revoke the refresh token.
    ///
    /// Raises:
    ///     UnsupportedError: The session has API keys only.
    ///     TimeoutError: The session's timeout passed.
    ///     StorageError: The tokens could not be deleted.
    #[pyo3(signature = (*, revoke=None), text_signature = "($self, *, revoke=True)")]
    fn logout(&self, py: Python<'_>, revoke: Option<&Bound<'_, PyAny>>) -> PyResult<LogoutResult> {
        let revoke = flag("revoke", revoke, true)?;
        self.wait(py, |session| session.logout(revoke.into())).map(LogoutResult::from)
    }

    /// Does what ``logout`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    #[pyo3(signature = (*, revoke=None), text_signature = "($self, *, revoke=True)")]
    fn logout_async<'py>(
        slf: &Bound<'py, Self>,
        revoke: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = PyDict::new(slf.py());
        options.set_item("revoke", revoke)?;
        in_thread(slf, "logout", (), Some(&options))
    }

    /// Returns what the server says of the user (OpenID Connect Core, 5.3).
    ///
    /// ``sub``, and by scope the name, the e-mail address and more. Blocks; Ctrl-C cancels.
    ///
    /// Raises:
    ///     UnsupportedError: The session is not a user's, or the server has no userinfo endpoint.
    ///     LoginRequiredError: The user must log in.
    ///     MisconfiguredError: The scope ``openid`` was not granted.
    ///     TokenInvalidError: The response is about a different user.
    ///     UnavailableError: The server cannot be used now.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    fn userinfo<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, self.wait(py, |session| session.userinfo())?)
    }

    /// Does what ``userinfo`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn userinfo_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "userinfo", (), None)
    }

    /// Returns the claims of the session's ID token, verified with the server's keys.
    ///
    /// The ID token may be older than the access token, so its expiry means nothing. Blocks if
    /// the keys are not cached; Ctrl-C cancels.
    ///
    /// Raises:
    ///     UnsupportedError: The session is not a user's, or the server has no keys.
    ///     LoginRequiredError: The user must log in.
    ///     MisconfiguredError: The scope ``openid`` was not requested.
    ///     TokenInvalidError: The token failed validation.
    ///     UnavailableError: The server cannot be used now.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    fn id_token_claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        dict(py, self.wait(py, |session| session.id_token_claims())?)
    }

    /// Does what ``id_token_claims`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn id_token_claims_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "id_token_claims", (), None)
    }

    /// Returns what the server says of a token (RFC 7662).
    ///
    /// Blocks; Ctrl-C cancels.
    ///
    /// Args:
    ///     token: The token. By default the session's access token.
    ///
    /// Returns:
    ///     A dictionary with ``active``, and for an active token its scope, expiry and more.
    ///
    /// Raises:
    ///     InvalidArgumentError: The token is empty.
    ///     UnsupportedError: The session has API keys only, or the server has no introspection.
    ///     MisconfiguredError: The server does not let this client introspect.
    ///     UnavailableError: The server cannot be used now.
    ///     TimeoutError: The session's timeout passed.
    ///     ProtocolError: The server's response breaks the standard.
    #[pyo3(signature = (token=None))]
    fn introspect<'py>(
        &self,
        py: Python<'py>,
        token: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let token = optional_text("token", token)?;
        dict(py, self.wait(py, |session| session.introspect(token.as_deref()))?)
    }

    /// Does what ``introspect`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    #[pyo3(signature = (token=None))]
    fn introspect_async<'py>(
        slf: &Bound<'py, Self>,
        token: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "introspect", (token,), None)
    }

    /// Returns what this session is, without a secret. Reads files; uses no network.
    fn status(&self, py: Python<'_>) -> PyResult<SessionStatus> {
        detached(py, || Ok(self.core.status())).map(SessionStatus::from)
    }

    /// Returns whether the session can authorize a request without a login.
    ///
    /// Reads files; uses no network.
    fn is_initialized(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || Ok(self.core.is_initialized()))
    }

    /// Returns the same session with another timeout.
    ///
    /// Both share their tokens.
    ///
    /// Args:
    ///     timeout: Seconds, as a number or a ``timedelta``, within which every call through the
    ///         new handle ends. More than a day means a day, less than a millisecond means one.
    ///
    /// Raises:
    ///     InvalidArgumentError: ``timeout`` is negative, not a number or too large.
    fn with_timeout(&self, timeout: &Bound<'_, PyAny>) -> PyResult<Session> {
        let timeout = duration("timeout", timeout)?;
        let core = self.core.with_timeout(timeout);
        let recipe = self.recipe.clone();
        Ok(Session { recipe, timeout: Some(timeout), ..Session::from(core) })
    }

    /// Authorizes a request of ``requests`` or ``httpx``.
    ///
    /// Those packages call it if the session is their ``auth``. A request of ``requests`` is
    /// repeated once if an API refuses the token.
    #[pyo3(signature = (request, /))]
    fn __call__<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        adapters::call(slf, request)
    }

    /// For ``httpx``: the session does not need the body of a request.
    #[classattr]
    fn requires_request_body() -> bool {
        false
    }

    /// For ``httpx``: the session does not need the body of a response.
    #[classattr]
    fn requires_response_body() -> bool {
        false
    }

    /// Does what ``sync_auth_flow`` does.
    ///
    /// For classes that combine several ``auth`` objects of ``httpx``. Blocks if there is no valid
    /// token.
    fn auth_flow<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        adapters::sync_auth_flow(slf, request)
    }

    /// Authorizes a request of ``httpx.Client``.
    ///
    /// Repeats it once if an API refuses the token. Blocks if there is no valid token.
    fn sync_auth_flow<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        adapters::sync_auth_flow(slf, request)
    }

    /// Authorizes a request of ``httpx.AsyncClient``, without blocking the event loop.
    fn async_auth_flow<'py>(
        slf: &Bound<'py, Self>,
        request: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        adapters::async_auth_flow(slf, request)
    }

    #[classmethod]
    fn __init_subclass__(class: &Bound<'_, PyType>) -> PyResult<()> {
        adapters::check_subclass(class)
    }

    #[getter]
    fn __class__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        adapters::class(slf)
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let status = detached(py, || Ok(self.core.status()))?;
        let sources: Vec<_> =
            status.sources().iter().map(|source| source.source.as_str()).collect();
        let shown =
            format!("<planetkey.Session on {}: {}>", status.deployment(), sources.join(", "));
        Ok(planetkey::text::printable(&shown))
    }

    /// Returns the session itself.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        reduce(py, self.recipe.as_deref(), self.timeout)
    }
}

/// A delegated token for Python.
fn delegated(token: DelegatedToken) -> (String, f64) {
    (token.access_token.expose().to_owned(), token.expires_in.as_secs_f64())
}
