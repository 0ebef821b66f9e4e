//! Logins of people.

use std::sync::Arc;

use planetkey::login::Method;
use planetkey::{Error, LoginOptions, Progress, PromptKind, Prompter, Revocation, Status};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyInt, PyString, PyTuple};

use crate::arguments::{integer, optional_text, text, texts};
use crate::errors::guarded;
use crate::interpreter::visit;
use crate::status::moment;
use crate::storage::keep_raised;
use crate::waiting::wait;

/// What a person must see.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct Prompt {
    core: planetkey::Prompt,
}

#[pymethods]
impl Prompt {
    /// What it is about: `"browser"`, `"device"`, `"paste"` or `"other_subject"`.
    #[getter]
    fn kind(&self) -> &str {
        self.core.kind.name()
    }

    /// All that must be said, in a few lines.
    #[getter]
    fn message(&self) -> &str {
        &self.core.message
    }

    /// The address to open.
    #[getter]
    fn url(&self) -> Option<&str> {
        self.core.url.as_deref()
    }

    /// The code to enter or to compare: always to be shown.
    #[getter]
    fn user_code(&self) -> Option<&str> {
        self.core.user_code.as_deref()
    }

    /// The address at which the code is entered.
    #[getter]
    fn verification_uri(&self) -> Option<&str> {
        self.core.verification_uri.as_deref()
    }

    /// The address that holds the code already.
    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete.as_deref()
    }

    /// How long there is for it, in milliseconds.
    #[getter]
    fn expires_in_ms(&self) -> Option<u64> {
        self.core.expires_in_ms
    }

    /// Whether a browser was opened at `url`.
    #[getter]
    fn browser_opened(&self) -> bool {
        self.core.browser_opened
    }

    /// The address as a QR code in lines of text, light on dark.
    #[pyo3(signature = (*, ascii=false))]
    fn qr_code(&self, ascii: bool) -> Option<String> {
        self.core.qr_code(ascii)
    }

    /// It never changes, so a copy is the object itself.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.Prompt {}>", self.core.kind.name())
    }
}

/// The callable behind `prompt=`.
struct PythonPrompter(Py<PyAny>);

impl Prompter for PythonPrompter {
    fn prompt(&self, prompt: &planetkey::Prompt) -> planetkey::Result<Option<String>> {
        let failed = |why: &str| Error::new(Status::Cancelled, format!("the prompt failed: {why}; nothing was changed"));
        let called = visit(|py| {
            let answer = Py::new(py, Prompt { core: prompt.clone() })
                .and_then(|prompt| self.0.bind(py).call1((prompt,)))
                // The caller of the login gets it as it is.
                .map_err(|error| {
                    keep_raised(error);
                    failed("it raised")
                })?;
            let is_answered = matches!(prompt.kind, PromptKind::Paste | PromptKind::OtherSubject);
            match answer.cast::<PyString>().map(|answer| answer.to_str()) {
                Ok(Ok(answer)) => Ok(Some(answer.to_owned())),
                Ok(Err(_)) => Err(failed("its answer holds a lone surrogate, which is no character")),
                Err(_) if answer.is_none() || !is_answered => Ok(None),
                Err(_) => {
                    keep_raised(PyTypeError::new_err("prompt must give a string or None"));
                    Err(failed("it gave no string"))
                }
            }
        });
        called.unwrap_or_else(|| Err(failed("the interpreter ends")))
    }
}

/// The options of a login, as Python gave them; `None` is the default of the core.
#[derive(Default)]
pub(crate) struct Given<'a, 'py> {
    pub(crate) method: Option<&'a Bound<'py, PyString>>,
    pub(crate) open_browser: Option<bool>,
    pub(crate) scopes: Option<&'a Bound<'py, PyAny>>,
    pub(crate) prompt: Option<&'a Bound<'py, PyAny>>,
    pub(crate) timeout_ms: Option<&'a Bound<'py, PyInt>>,
    pub(crate) force: Option<bool>,
    pub(crate) allow_other_subject: Option<bool>,
    pub(crate) page: Option<&'a Bound<'py, PyString>>,
}

impl Given<'_, '_> {
    pub(crate) fn read(&self, py: Python<'_>) -> PyResult<LoginOptions> {
        let method = match self.method {
            Some(name) => {
                let name = text("method", name)?;
                guarded(py, || Method::from_name(name))?
            }
            None => Method::default(),
        };
        let prompter = match self.prompt {
            Some(prompt) if prompt.is_callable() => Some(Arc::new(PythonPrompter(prompt.clone().unbind())) as Arc<dyn Prompter>),
            Some(_) => return Err(PyTypeError::new_err("prompt is a callable that takes a planetkey.Prompt")),
            None => None,
        };
        Ok(LoginOptions {
            method,
            open_browser: self.open_browser,
            scopes: self.scopes.map(|scopes| texts("scopes", scopes)).transpose()?,
            prompter,
            timeout_ms: self.timeout_ms.map(|value| integer("timeout_ms", value)).transpose()?,
            force: self.force.unwrap_or_default(),
            allow_other_subject: self.allow_other_subject.unwrap_or_default(),
            page: optional_text("page", self.page)?,
            browser_opener: None,
        })
    }
}

/// What a login has brought.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct LoggedIn {
    core: planetkey::LoggedIn,
}

impl From<planetkey::LoggedIn> for LoggedIn {
    fn from(core: planetkey::LoggedIn) -> Self {
        LoggedIn { core }
    }
}

#[pymethods]
impl LoggedIn {
    /// Whether somebody was asked; false where the session was good, or could be renewed.
    #[getter]
    fn asked(&self) -> bool {
        self.core.asked
    }

    /// The `sub` of who it is.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.core.subject.as_deref()
    }

    /// Their e-mail address, with the scope `email`.
    #[getter]
    fn email(&self) -> Option<&str> {
        self.core.email.as_deref()
    }

    /// What was granted.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.core.scopes)
    }

    /// When the access token expires.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        moment(py, self.core.expires_at)
    }

    /// The profile whose session it is.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.core.profile.as_deref()
    }

    /// Where the session is kept; None for one that lives in this process only.
    #[getter]
    fn file(&self) -> Option<String> {
        self.core.file.as_ref().map(|file| file.display().to_string())
    }

    /// It never changes, so a copy is the object itself.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        let who = self.core.email.as_deref().or(self.core.subject.as_deref()).unwrap_or("nobody by name");
        planetkey::text::printable(&format!("<planetkey.LoggedIn {who}>"))
    }
}

/// What a logout has done; true where there was a session.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct LoggedOut {
    core: planetkey::LoggedOut,
}

impl From<planetkey::LoggedOut> for LoggedOut {
    fn from(core: planetkey::LoggedOut) -> Self {
        LoggedOut { core }
    }
}

#[pymethods]
impl LoggedOut {
    /// Whether there was a session.
    #[getter]
    fn removed(&self) -> bool {
        self.core.removed
    }

    /// What became of its refresh token: `"revoked"`, `"unknown"` or `"none"`.
    #[getter]
    fn revocation(&self) -> &str {
        self.core.revocation.name()
    }

    /// Why it is unknown.
    #[getter]
    fn why_unknown(&self) -> Option<&str> {
        match &self.core.revocation {
            Revocation::Unknown(error) => Some(error.message()),
            Revocation::NotAsked | Revocation::Revoked => None,
        }
    }

    fn __bool__(&self) -> bool {
        self.core.removed
    }

    /// It never changes, so a copy is the object itself.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.LoggedOut removed={} revocation={}>", self.core.removed, self.core.revocation.name())
    }
}

/// How a login that is under way looks after a poll: when it is done, what it has brought; else how long to wait.
fn polled<'py>(py: Python<'py>, progress: Progress) -> PyResult<Bound<'py, PyAny>> {
    match progress {
        Progress::LoggedIn(core) => Ok(Bound::new(py, LoggedIn { core })?.into_any()),
        Progress::Pending { next_poll_ms } => Ok(next_poll_ms.into_pyobject(py)?.into_any()),
    }
}

/// A login on any device that is under way.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct DeviceLogin {
    core: planetkey::DeviceLogin,
}

impl From<planetkey::DeviceLogin> for DeviceLogin {
    fn from(core: planetkey::DeviceLogin) -> Self {
        DeviceLogin { core }
    }
}

#[pymethods]
impl DeviceLogin {
    /// The code that the person enters, or compares.
    #[getter]
    fn user_code(&self) -> &str {
        self.core.user_code()
    }

    /// The address at which it is entered.
    #[getter]
    fn verification_uri(&self) -> &str {
        self.core.verification_uri()
    }

    /// The address that holds the code already.
    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete()
    }

    /// How long there is for it, in milliseconds.
    #[getter]
    fn expires_in_ms(&self) -> u64 {
        self.core.expires_in_ms()
    }

    /// What to show.
    #[getter]
    fn prompt(&self) -> Prompt {
        Prompt { core: self.core.prompt() }
    }

    /// The address as a QR code in lines of text, light on dark.
    #[pyo3(signature = (*, ascii=false))]
    fn qr_code(&self, ascii: bool) -> Option<String> {
        self.core.qr_code(ascii)
    }

    /// Asks the server if it is time to: what the login has brought, or in how many milliseconds to ask again.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let progress = wait(py, |interrupt| self.core.with_interrupt(interrupt).poll())?;
        polled(py, progress)
    }

    /// Waits for the person, until the code is no longer good or at most so long.
    #[pyo3(signature = (timeout_ms=None))]
    fn wait(&self, py: Python<'_>, timeout_ms: Option<&Bound<'_, PyInt>>) -> PyResult<LoggedIn> {
        let timeout_ms = timeout_ms.map(|value| integer("timeout_ms", value)).transpose()?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).wait(timeout_ms)).map(LoggedIn::from)
    }

    /// Ends the login: whoever waits for it gets `Cancelled`.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.core.cancel());
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.DeviceLogin {} at {}>", self.core.user_code(), self.core.verification_uri())
    }
}

/// A login in a browser that is under way.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct BrowserLogin {
    core: planetkey::BrowserLogin,
}

impl From<planetkey::BrowserLogin> for BrowserLogin {
    fn from(core: planetkey::BrowserLogin) -> Self {
        BrowserLogin { core }
    }
}

#[pymethods]
impl BrowserLogin {
    /// The address to open. Show it to this user only: it holds the ``state`` of the login.
    #[getter]
    fn authorization_url(&self) -> &str {
        self.core.authorization_url()
    }

    /// Where the browser returns to.
    #[getter]
    fn redirect_uri(&self) -> &str {
        self.core.redirect_uri()
    }

    /// How long there is for it, in milliseconds.
    #[getter]
    fn expires_in_ms(&self) -> u64 {
        self.core.expires_in_ms()
    }

    /// Serves the browser if it has come: what the login has brought, or in how many milliseconds to ask again.
    fn poll<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let progress = wait(py, |interrupt| self.core.with_interrupt(interrupt).poll())?;
        polled(py, progress)
    }

    /// Waits for the person, until the login ends or at most so long.
    #[pyo3(signature = (timeout_ms=None))]
    fn wait(&self, py: Python<'_>, timeout_ms: Option<&Bound<'_, PyInt>>) -> PyResult<LoggedIn> {
        let timeout_ms = timeout_ms.map(|value| integer("timeout_ms", value)).transpose()?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).wait(timeout_ms)).map(LoggedIn::from)
    }

    /// Ends the login with the address that the browser ended at.
    fn complete(&self, py: Python<'_>, callback_url: &Bound<'_, PyString>) -> PyResult<LoggedIn> {
        let callback_url = text("callback_url", callback_url)?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).complete(callback_url)).map(LoggedIn::from)
    }

    /// Ends the login and closes its sockets: whoever waits for it gets `Cancelled`.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.core.cancel());
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.BrowserLogin returning to {}>", self.core.redirect_uri())
    }
}

/// Members of JSON as a new dictionary.
pub(crate) fn dict<'py>(py: Python<'py>, members: serde_json::Map<String, serde_json::Value>) -> PyResult<Bound<'py, PyDict>> {
    let text = serde_json::Value::Object(members).to_string();
    let read = py.import(intern!(py, "json"))?.call_method1(intern!(py, "loads"), (text,))?;
    Ok(read.cast_into::<PyDict>()?)
}

/// The methods of `Session` about people.
pub(crate) fn userinfo<'py>(py: Python<'py>, session: &planetkey::Session) -> PyResult<Bound<'py, PyDict>> {
    let members = wait(py, |interrupt| session.with_interrupt(interrupt).userinfo())?;
    dict(py, members)
}

pub(crate) fn id_token_claims<'py>(py: Python<'py>, session: &planetkey::Session) -> PyResult<Bound<'py, PyDict>> {
    let members = wait(py, |interrupt| session.with_interrupt(interrupt).id_token_claims())?;
    dict(py, members)
}

pub(crate) fn introspect<'py>(
    py: Python<'py>,
    session: &planetkey::Session,
    token: Option<&Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyDict>> {
    let token = optional_text("token", token)?;
    let members = wait(py, |interrupt| session.with_interrupt(interrupt).introspect(token.as_deref()))?;
    dict(py, members)
}
