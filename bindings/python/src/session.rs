//! The session.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use planetkey::{ApiKeyTransport, M2mOptions};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyString, PyType};

use crate::adapters;
use crate::arguments::{CommonOptions, integer, json, optional_text, text, texts};
use crate::authorization::{Authorization, header_dict};
use crate::errors::{detached, guarded};
use crate::login::{self, BrowserLogin, DeviceLogin, Given, LoggedIn, LoggedOut};
use crate::pickling::{Recipe, Reduced, reduce};
use crate::status::SessionStatus;
use crate::text_cache::TextCache;
use crate::waiting::{Cancellation, wait_unless};

/// The options of a constructor, by the names of its parameters.
macro_rules! options {
    ($($name:ident),*) => {
        CommonOptions { $($name),* }.read()?
    };
}

/// Credentials, kept fresh. One session serves any number of threads, and a forked child may go on using it.
///
/// It is an ``auth`` for ``requests`` and ``httpx``: give it as ``auth=``. It puts what ``authorize(url)`` gives on every request,
/// and when an API answers 401 because the token is no good, it renews the token and repeats the request once.
// What `session.__class__` says is a subclass; see `adapters::class`.
#[pyclass(frozen, subclass, module = "planetkey")]
pub(crate) struct Session {
    core: planetkey::Session,
    header_values: TextCache,
    access_token: TextCache,
    /// Nothing where secrets stood in the call.
    recipe: Option<Arc<Recipe>>,
    /// The deadline of this handle, where it is not that of the options.
    timeout_ms: Option<u64>,
    /// Whether those who called this handle have gone, where they can.
    is_cancelled: Option<Arc<AtomicBool>>,
}

impl From<planetkey::Session> for Session {
    fn from(core: planetkey::Session) -> Self {
        Session {
            core,
            header_values: TextCache::new(),
            access_token: TextCache::new(),
            recipe: None,
            timeout_ms: None,
            is_cancelled: None,
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

    /// Waits until there is a credential for this URL.
    pub(crate) fn make_ready(&self, py: Python<'_>, url: &str) -> PyResult<()> {
        match guarded(py, || self.core.with_header_cached(url, |_| ()))? {
            Some(()) => Ok(()),
            None => self.wait(py, |session| session.headers(url).map(drop)),
        }
    }

    /// A call that may wait, as [`wait_unless`].
    fn wait<T: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&planetkey::Session) -> planetkey::Result<T> + Send,
    ) -> PyResult<T> {
        wait_unless(py, self.is_cancelled.clone(), |interrupt| call(&self.core.with_interrupt(interrupt)))
    }

    fn authorization(&self, py: Python<'_>, core: planetkey::Authorization) -> Authorization {
        let value = self.header_value(py, &core);
        Authorization::new(core, value)
    }

    fn header_value<'py>(&self, py: Python<'py>, authorization: &planetkey::Authorization) -> Option<Bound<'py, PyString>> {
        let value = authorization.header_value()?;
        let generation = authorization.generation();
        Some(self.header_values.get(py, authorization.source_index(), generation, value))
    }
}

#[pymethods]
impl Session {
    /// What the environment and configuration files offer. Uses no network.
    #[staticmethod]
    #[pyo3(signature = (*, save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_defaults(
        py: Python<'_>,
        save: Option<bool>,
        storage_root: Option<&Bound<'_, PyAny>>,
        storage: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        deployment: Option<&Bound<'_, PyAny>>,
        allowed_hosts: Option<&Bound<'_, PyAny>>,
        allow_insecure_loopback: Option<bool>,
        ca_file: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Session> {
        let options =
            options!(save, storage_root, storage, timeout_ms, deployment, allowed_hosts, allow_insecure_loopback, ca_file, proxy);
        let core = detached(py, || planetkey::Session::from_defaults(&options))?;
        Ok(Session::with_recipe(core, Recipe::new(None, options, storage)))
    }

    /// A saved or built-in profile. Uses no network.
    #[staticmethod]
    #[pyo3(signature = (name, *, save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_profile(
        py: Python<'_>,
        name: &Bound<'_, PyString>,
        save: Option<bool>,
        storage_root: Option<&Bound<'_, PyAny>>,
        storage: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        deployment: Option<&Bound<'_, PyAny>>,
        allowed_hosts: Option<&Bound<'_, PyAny>>,
        allow_insecure_loopback: Option<bool>,
        ca_file: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Session> {
        let options =
            options!(save, storage_root, storage, timeout_ms, deployment, allowed_hosts, allow_insecure_loopback, ca_file, proxy);
        let name = text("name", name)?;
        let core = detached(py, || planetkey::Session::from_profile(name, &options))?;
        Ok(Session::with_recipe(core, Recipe::new(Some(name), options, storage)))
    }

    /// An API key, sent as HTTP Basic, as `Authorization: api-key`, or as the `api_key` query parameter.
    #[staticmethod]
    #[pyo3(
        signature = (key, *, transport=None, save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None),
        text_signature = "(key, *, transport='basic', save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_api_key(
        py: Python<'_>,
        key: &Bound<'_, PyString>,
        transport: Option<&Bound<'_, PyString>>,
        save: Option<bool>,
        storage_root: Option<&Bound<'_, PyAny>>,
        storage: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        deployment: Option<&Bound<'_, PyAny>>,
        allowed_hosts: Option<&Bound<'_, PyAny>>,
        allow_insecure_loopback: Option<bool>,
        ca_file: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Session> {
        let options =
            options!(save, storage_root, storage, timeout_ms, deployment, allowed_hosts, allow_insecure_loopback, ca_file, proxy);
        let key = text("key", key)?;
        let transport = match transport {
            Some(name) => {
                let name = text("transport", name)?;
                guarded(py, || ApiKeyTransport::from_name(name))?
            }
            None => ApiKeyTransport::default(),
        };
        detached(py, || planetkey::Session::from_api_key(key, transport, &options)).map(Session::from)
    }

    /// Machine to machine: the client credentials grant. Uses no network until a token is needed.
    #[staticmethod]
    #[pyo3(signature = (client_id, client_secret, *, scopes=None, audience=None, profile=None, save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_m2m(
        py: Python<'_>,
        client_id: &Bound<'_, PyString>,
        client_secret: &Bound<'_, PyString>,
        scopes: Option<&Bound<'_, PyAny>>,
        audience: Option<&Bound<'_, PyString>>,
        profile: Option<&Bound<'_, PyString>>,
        save: Option<bool>,
        storage_root: Option<&Bound<'_, PyAny>>,
        storage: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        deployment: Option<&Bound<'_, PyAny>>,
        allowed_hosts: Option<&Bound<'_, PyAny>>,
        allow_insecure_loopback: Option<bool>,
        ca_file: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Session> {
        let mut options =
            options!(save, storage_root, storage, timeout_ms, deployment, allowed_hosts, allow_insecure_loopback, ca_file, proxy);
        options.profile = optional_text("profile", profile)?;
        let client_id = text("client_id", client_id)?;
        let client_secret = text("client_secret", client_secret)?;
        let m2m = M2mOptions {
            scopes: scopes.map(|scopes| texts("scopes", scopes)).transpose()?.unwrap_or_default(),
            audience: optional_text("audience", audience)?,
        };
        detached(py, || planetkey::Session::from_m2m(client_id, client_secret, &m2m, &options)).map(Session::from)
    }

    /// Any registered client, by the fields of `auth_client.json`: a mapping or JSON text. Uses no network until a token is needed.
    #[staticmethod]
    #[pyo3(signature = (config, *, profile=None, save=None, storage_root=None, storage=None, timeout_ms=None, deployment=None, allowed_hosts=None, allow_insecure_loopback=None, ca_file=None, proxy=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn from_client_config(
        py: Python<'_>,
        config: &Bound<'_, PyAny>,
        profile: Option<&Bound<'_, PyString>>,
        save: Option<bool>,
        storage_root: Option<&Bound<'_, PyAny>>,
        storage: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        deployment: Option<&Bound<'_, PyAny>>,
        allowed_hosts: Option<&Bound<'_, PyAny>>,
        allow_insecure_loopback: Option<bool>,
        ca_file: Option<&Bound<'_, PyAny>>,
        proxy: Option<&Bound<'_, PyString>>,
    ) -> PyResult<Session> {
        let mut options =
            options!(save, storage_root, storage, timeout_ms, deployment, allowed_hosts, allow_insecure_loopback, ca_file, proxy);
        options.profile = optional_text("profile", profile)?;
        let config = json("config", config)?;
        detached(py, || planetkey::Session::from_client_config(&config, &options)).map(Session::from)
    }

    /// What a request to this URL carries. Waits for the network only when no valid token is at hand.
    fn authorize(&self, py: Python<'_>, url: &Bound<'_, PyString>) -> PyResult<Authorization> {
        let url = text("url", url)?;
        let authorization = match guarded(py, || self.core.authorize_cached(url))? {
            Some(authorization) => authorization,
            None => self.wait(py, |session| session.authorize(url))?,
        };
        Ok(self.authorization(py, authorization))
    }

    /// As ``authorize``, but never waits for the network: None where no valid token is at hand.
    fn authorize_cached(&self, py: Python<'_>, url: &Bound<'_, PyString>) -> PyResult<Option<Authorization>> {
        let url = text("url", url)?;
        let authorization = guarded(py, || self.core.authorize_cached(url))?;
        Ok(authorization.map(|authorization| self.authorization(py, authorization)))
    }

    /// The headers of a request to this URL, a new dictionary. Waits for the network only when no valid token is at hand.
    fn headers<'py>(&self, py: Python<'py>, url: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyDict>> {
        let url = text("url", url)?;
        let cached = guarded(py, || {
            self.core.with_header_cached(url, |header| {
                self.header_values.get(py, header.source_index, header.generation, header.value)
            })
        })?;
        let value = match cached {
            Some(value) => Some(value),
            None => self.header_value(py, &self.wait(py, |session| session.headers(url))?),
        };
        header_dict(py, value.as_ref())
    }

    /// The URL with the API key as its `api_key` parameter.
    fn signed_url(&self, py: Python<'_>, url: &Bound<'_, PyString>) -> PyResult<String> {
        let url = text("url", url)?;
        guarded(py, || self.core.signed_url(url))
    }

    /// The access token itself. Waits for the network only when no valid token is at hand.
    fn access_token<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        let token = match guarded(py, || self.core.access_token_cached())? {
            Some(token) => token,
            None => self.wait(py, |session| session.access_token())?,
        };
        Ok(self.access_token.get(py, 0, token.generation(), &token))
    }

    /// The API key itself.
    fn api_key(&self, py: Python<'_>) -> PyResult<String> {
        guarded(py, || self.core.api_key())
    }

    /// An API answered 401 to this token: the next call renews it. False if the session holds another one by now.
    fn invalidate(&self, py: Python<'_>, access_token: &Bound<'_, PyString>) -> PyResult<bool> {
        let access_token = text("access_token", access_token)?;
        detached(py, || self.core.invalidate(access_token))
    }

    /// Whether to repeat, once, the request that an API answered so; invalidates the token if the answer says so.
    #[pyo3(signature = (access_token, http_status, www_authenticate=None))]
    fn should_retry(
        &self,
        py: Python<'_>,
        access_token: &Bound<'_, PyString>,
        http_status: &Bound<'_, PyInt>,
        www_authenticate: Option<&Bound<'_, PyString>>,
    ) -> PyResult<bool> {
        let access_token = text("access_token", access_token)?;
        let http_status: u16 = integer("http_status", http_status)?;
        let www_authenticate = optional_text("www_authenticate", www_authenticate)?;
        detached(py, || self.core.should_retry(access_token, http_status, www_authenticate.as_deref()))
    }

    /// Renews now, and waits for it.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        self.wait(py, |session| session.refresh())
    }

    /// Makes sure that somebody is logged in: nothing where the session is good, a renewal where that is enough, and only then a person
    /// is asked, through `prompt`.
    #[pyo3(signature = (*, method=None, open_browser=None, scopes=None, prompt=None, timeout_ms=None, force=None, allow_other_subject=None, page=None))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of Python")]
    fn login(
        &self,
        py: Python<'_>,
        method: Option<&Bound<'_, PyString>>,
        open_browser: Option<bool>,
        scopes: Option<&Bound<'_, PyAny>>,
        prompt: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        force: Option<bool>,
        allow_other_subject: Option<bool>,
        page: Option<&Bound<'_, PyString>>,
    ) -> PyResult<LoggedIn> {
        let given = Given { method, open_browser, scopes, prompt, timeout_ms, force, allow_other_subject, page };
        let options = given.read(py)?;
        self.wait(py, |session| session.login(&options)).map(LoggedIn::from)
    }

    /// Starts a login on any device (RFC 8628): the result tells what to show, and is waited for or polled.
    #[pyo3(signature = (*, scopes=None, prompt=None, timeout_ms=None, allow_other_subject=None))]
    fn start_device_login(
        &self,
        py: Python<'_>,
        scopes: Option<&Bound<'_, PyAny>>,
        prompt: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        allow_other_subject: Option<bool>,
    ) -> PyResult<DeviceLogin> {
        let options = Given { scopes, prompt, timeout_ms, allow_other_subject, ..Given::default() }.read(py)?;
        self.wait(py, |session| session.start_device_login(&options)).map(DeviceLogin::from)
    }

    /// Starts a login in a browser: the result tells the address to open, and is waited for or polled. Opens no browser.
    #[pyo3(signature = (*, scopes=None, prompt=None, timeout_ms=None, allow_other_subject=None, page=None))]
    fn start_browser_login(
        &self,
        py: Python<'_>,
        scopes: Option<&Bound<'_, PyAny>>,
        prompt: Option<&Bound<'_, PyAny>>,
        timeout_ms: Option<&Bound<'_, PyInt>>,
        allow_other_subject: Option<bool>,
        page: Option<&Bound<'_, PyString>>,
    ) -> PyResult<BrowserLogin> {
        let options = Given { scopes, prompt, timeout_ms, allow_other_subject, page, ..Given::default() }.read(py)?;
        self.wait(py, |session| session.start_browser_login(&options)).map(BrowserLogin::from)
    }

    /// Forgets the tokens, in memory and where they are kept, for every process, and gives the refresh token back to its server. A
    /// client's configuration stays, so a machine gets new tokens with the next call. Waits for a renewal that is under way.
    #[pyo3(signature = (*, revoke=true))]
    fn logout(&self, py: Python<'_>, revoke: bool) -> PyResult<LoggedOut> {
        self.wait(py, |session| session.logout(revoke)).map(LoggedOut::from)
    }

    /// What the server says of the person who is logged in.
    fn userinfo<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        login::userinfo(py, &self.core)
    }

    /// The claims of the session's ID token, verified.
    fn id_token_claims<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        login::id_token_claims(py, &self.core)
    }

    /// What the server says of a token, the session's own by default.
    #[pyo3(signature = (token=None))]
    fn introspect<'py>(&self, py: Python<'py>, token: Option<&Bound<'py, PyString>>) -> PyResult<Bound<'py, PyDict>> {
        login::introspect(py, &self.core, token)
    }

    /// What this session is. Uses no network and holds no secret.
    fn status(&self, py: Python<'_>) -> PyResult<SessionStatus> {
        detached(py, || Ok(self.core.status())).map(SessionStatus::from)
    }

    /// Whether some source can serve requests without anybody logging in.
    fn is_initialized(&self, py: Python<'_>) -> PyResult<bool> {
        detached(py, || Ok(self.core.is_initialized()))
    }

    /// The same session with another total deadline for calls through the new handle.
    fn with_timeout_ms(&self, timeout_ms: &Bound<'_, PyInt>) -> PyResult<Session> {
        let timeout_ms: u64 = integer("timeout_ms", timeout_ms)?;
        let core = self.core.with_timeout_ms(timeout_ms);
        Ok(Session { recipe: self.recipe.clone(), timeout_ms: Some(timeout_ms), ..Session::from(core) })
    }

    /// The same session, whose calls through the new handle wait until this cancellation at most: for the adapters of event loops.
    fn _until(&self, cancellation: &Bound<'_, Cancellation>) -> Session {
        Session {
            recipe: self.recipe.clone(),
            timeout_ms: self.timeout_ms,
            is_cancelled: Some(cancellation.get().flag()),
            ..Session::from(self.core.clone())
        }
    }

    /// Puts the credential on a request of ``requests``, which repeats it once if an API refuses the token.
    #[pyo3(signature = (request, /))]
    fn __call__<'py>(slf: &Bound<'py, Self>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        adapters::call(slf, request)
    }

    /// What ``httpx`` may read: the body of a request is not needed.
    #[classattr]
    fn requires_request_body() -> bool {
        false
    }

    /// What ``httpx`` may read: the body of a response is not needed.
    #[classattr]
    fn requires_response_body() -> bool {
        false
    }

    /// The same as ``sync_auth_flow``, for classes that combine several ``auth`` objects of ``httpx``. It blocks while it waits for a token.
    fn auth_flow<'py>(slf: &Bound<'py, Self>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        adapters::sync_auth_flow(slf, request)
    }

    /// What ``httpx.Client`` calls: the credential for one request, and the request once more if an API refuses the token.
    fn sync_auth_flow<'py>(slf: &Bound<'py, Self>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        adapters::sync_auth_flow(slf, request)
    }

    /// What ``httpx.AsyncClient`` calls. It never blocks the event loop: a thread waits for a token.
    fn async_auth_flow<'py>(slf: &Bound<'py, Self>, request: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
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
        let sources: Vec<_> = status.sources().iter().map(|source| source.source.as_str()).collect();
        Ok(planetkey::text::printable(&format!("<planetkey.Session on {}: {}>", status.deployment(), sources.join(", "))))
    }

    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Reduced<'py>> {
        reduce(py, self.recipe.as_deref(), self.timeout_ms)
    }
}
