//! Logins of users.

use std::sync::Arc;

use planetkey::login::Method;
use planetkey::{Error, LoginOptions, PromptKind, Prompter, Status};
use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyAny, PyDict, PyString, PyTuple};

use crate::adapters::{function, in_thread_of_login};
use crate::arguments::{boolean, duration, flag, text, texts, unexpected, wrong_type};
use crate::errors::guarded;
use crate::interpreter::visit;
use crate::status::moment;
use crate::storage::keep_raised;
use crate::waiting::wait;

/// What a user must see to log in, or what they are asked.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct Prompt {
    core: planetkey::Prompt,
}

#[pymethods]
impl Prompt {
    /// What the prompt is about: ``"browser"``, ``"device"``, ``"paste"`` or ``"other_user"``.
    ///
    /// ``"paste"`` expects the address that the browser ended at. ``"other_user"`` expects
    /// ``"yes"`` if the new login may replace the saved session of a different user. The others
    /// expect no answer.
    #[getter]
    fn kind(&self) -> &str {
        self.core.kind.name()
    }

    /// The whole text to show, in a few lines.
    #[getter]
    fn message(&self) -> &str {
        &self.core.message
    }

    /// The address to open.
    #[getter]
    fn url(&self) -> Option<&str> {
        self.core.url.as_deref()
    }

    /// The code to enter or to compare. Show it in any case (RFC 8628, 3.3.1).
    #[getter]
    fn user_code(&self) -> Option<&str> {
        self.core.user_code.as_deref()
    }

    /// The address at which the user enters the code.
    #[getter]
    fn verification_uri(&self) -> Option<&str> {
        self.core.verification_uri.as_deref()
    }

    /// The address that contains the code.
    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete.as_deref()
    }

    /// How many seconds the user has.
    #[getter]
    fn expires_in(&self) -> Option<f64> {
        self.core.expires_in.map(|left| left.as_secs_f64())
    }

    /// Whether planetkey opened a browser at ``url``.
    #[getter]
    fn browser_opened(&self) -> bool {
        self.core.browser_opened
    }

    /// The address as a QR code in lines of text, light on dark.
    ///
    /// Args:
    ///     ascii: Use only ASCII characters. The code is then twice as large.
    ///
    /// Returns:
    ///     The lines, or None if there is no address or it is too long.
    #[pyo3(signature = (*, ascii=None), text_signature = "($self, *, ascii=False)")]
    fn qr_code(&self, ascii: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
        Ok(self.core.qr_code(flag("ascii", ascii, false)?))
    }

    /// Returns the object itself, because it never changes.
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
        let failed = |why: &str| {
            Error::new(Status::Cancelled, format!("the prompt failed: {why}; nothing was changed"))
        };
        let called = visit(|py| {
            let answer = Py::new(py, Prompt { core: prompt.clone() })
                .and_then(|prompt| self.0.bind(py).call1((prompt,)))
                // The login raises this exception instead of the error.
                .map_err(|error| {
                    keep_raised(error);
                    failed("it raised")
                })?;
            let is_answered = matches!(prompt.kind, PromptKind::Paste | PromptKind::OtherUser);
            match answer.cast::<PyString>().map(|answer| answer.to_str()) {
                Ok(Ok(answer)) => Ok(Some(answer.to_owned())),
                Ok(Err(_)) => Err(failed("its answer contains a lone surrogate")),
                Err(_) if answer.is_none() || !is_answered => Ok(None),
                Err(_) => {
                    keep_raised(PyTypeError::new_err("prompt must return a string or None"));
                    Err(failed("it returned no string"))
                }
            }
        });
        called.unwrap_or_else(|| Err(failed("the interpreter is shutting down")))
    }
}

/// The options of a login, from its keyword arguments. `None` means the default of the core.
/// `function` and `allowed` are the function's name and the names that it takes.
pub(crate) fn login_options(
    py: Python<'_>,
    function: &str,
    allowed: &[&str],
    given: Option<&Bound<'_, PyDict>>,
) -> PyResult<LoginOptions> {
    let mut options = LoginOptions::default();
    for (name, value) in given.into_iter().flatten() {
        let name = name.cast::<PyString>()?.to_str()?;
        if !allowed.contains(&name) {
            return Err(unexpected(function, name));
        }
        if value.is_none() {
            continue;
        }
        match name {
            "method" => {
                let name = text(name, &value)?;
                options.method = guarded(py, || Method::from_name(name))?;
            }
            "open_browser" => options.open_browser = Some(boolean(name, &value)?),
            "scopes" => options.scopes = Some(texts(name, &value)?),
            "prompt" if value.is_callable() => {
                options.prompter = Some(Arc::new(PythonPrompter(value.unbind())));
            }
            "prompt" => {
                let expected = "a callable that takes a planetkey.Prompt";
                return Err(wrong_type(name, expected, &value));
            }
            "timeout" => options.timeout = Some(duration(name, &value)?),
            "force" => options.force = boolean(name, &value)?,
            "allow_other_user" => options.allow_other_user = boolean(name, &value)?,
            "page" => options.page = Some(text(name, &value)?.to_owned()),
            _ => return Err(unexpected(function, name)),
        }
    }
    Ok(options)
}

/// The result of a login.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct LoginResult {
    core: planetkey::LoginResult,
}

impl From<planetkey::LoginResult> for LoginResult {
    fn from(core: planetkey::LoginResult) -> Self {
        LoginResult { core }
    }
}

#[pymethods]
impl LoginResult {
    /// Whether the user was prompted. False if the saved session was valid or refreshed.
    #[getter]
    fn prompted(&self) -> bool {
        self.core.prompted
    }

    /// The ``sub`` of the user.
    #[getter]
    fn subject(&self) -> Option<&str> {
        self.core.subject.as_deref()
    }

    /// The user's e-mail address, with the scope ``email``.
    #[getter]
    fn email(&self) -> Option<&str> {
        self.core.email.as_deref()
    }

    /// The scopes that the server granted.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.core.scopes)
    }

    /// When the access token expires.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        moment(py, self.core.expires_at)
    }

    /// The profile of the session.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.core.profile.as_deref()
    }

    /// The file that the session is saved in. None if it is in memory only.
    #[getter]
    fn file(&self) -> Option<String> {
        self.core.file.as_ref().map(|file| file.display().to_string())
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        let user = self.core.email.as_deref().or(self.core.subject.as_deref());
        let user = user.unwrap_or("of a user without a name");
        planetkey::text::printable(&format!("<planetkey.LoginResult {user}>"))
    }
}

/// The result of a logout. It is true if there was a session.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct LogoutResult {
    core: planetkey::LogoutResult,
}

impl From<planetkey::LogoutResult> for LogoutResult {
    fn from(core: planetkey::LogoutResult) -> Self {
        LogoutResult { core }
    }
}

#[pymethods]
impl LogoutResult {
    /// Whether there was a session.
    #[getter]
    fn removed(&self) -> bool {
        self.core.removed
    }

    /// What happened to the refresh token: ``"revoked"``, ``"unknown"`` or ``"none"``.
    #[getter]
    fn revocation(&self) -> &str {
        self.core.revocation.name()
    }

    /// Why it is unknown whether the refresh token was revoked.
    #[getter]
    fn revocation_error(&self) -> Option<&str> {
        self.core.revocation_error().map(planetkey::Error::message)
    }

    fn __bool__(&self) -> bool {
        self.core.removed
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        let (removed, revocation) = (self.core.removed, self.core.revocation.name());
        format!("<planetkey.LogoutResult removed={removed} revocation={revocation}>")
    }
}

/// A pending login with a code that the user enters on any device (RFC 8628).
///
/// ``Session.start_device_login()`` starts it. Show the user ``prompt.message``, then call
/// ``wait()``. It is a context manager, for ``with`` and ``async with``, that cancels the login
/// if it is still pending at the end of the block. Any number of threads may use it.
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
    /// The code that the user enters or compares.
    #[getter]
    fn user_code(&self) -> &str {
        self.core.user_code()
    }

    /// The address at which the user enters the code.
    #[getter]
    fn verification_uri(&self) -> &str {
        self.core.verification_uri()
    }

    /// The address that contains the code, if the server gives one.
    #[getter]
    fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete()
    }

    /// How many seconds the user has.
    #[getter]
    fn expires_in(&self) -> f64 {
        self.core.expires_in().as_secs_f64()
    }

    /// How many seconds to wait before the next ``poll()``.
    ///
    /// The server may make it longer with each poll. An earlier poll sends no request.
    #[getter]
    fn poll_interval(&self) -> f64 {
        self.core.poll_interval().as_secs_f64()
    }

    /// What to show the user.
    #[getter]
    fn prompt(&self) -> Prompt {
        Prompt { core: self.core.prompt() }
    }

    /// The address as a QR code in lines of text, light on dark.
    ///
    /// Args:
    ///     ascii: Use only ASCII characters. The code is then twice as large.
    ///
    /// Returns:
    ///     The lines, or None if the address is too long.
    #[pyo3(signature = (*, ascii=None), text_signature = "($self, *, ascii=False)")]
    fn qr_code(&self, ascii: Option<&Bound<'_, PyAny>>) -> PyResult<Option<String>> {
        Ok(self.core.qr_code(flag("ascii", ascii, false)?))
    }

    /// Asks the server once whether the user has logged in, if ``poll_interval`` has passed.
    ///
    /// For programs with a timer of their own; all others call ``wait()``. Blocks for one request
    /// at most, and Ctrl-C cancels the login.
    ///
    /// Returns:
    ///     The result, or None while the login is pending.
    ///
    /// Raises:
    ///     Error: The login failed, as in ``wait()``. Every later call raises the same.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<LoginResult>> {
        let result = wait(py, |interrupt| self.core.with_interrupt(interrupt).poll())?;
        Ok(result.map(LoginResult::from))
    }

    /// Does what ``poll`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the login.
    fn poll_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_thread_of_login(slf, "poll", ())
    }

    /// Waits until the user has logged in.
    ///
    /// Blocks. Other threads run meanwhile, and Ctrl-C cancels the login.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as a number or a ``timedelta``. By default until the code
    ///         expires.
    ///
    /// Returns:
    ///     The result. Later calls return the same.
    ///
    /// Raises:
    ///     TimeoutError: ``timeout`` passed. The login is still pending.
    ///     CancelledError: The login was cancelled.
    ///     DeniedError: The user or the server refused.
    ///     LoginRequiredError: The code expired.
    ///     UnavailableError: The server could not be reached until then.
    ///     ProtocolError: The server's response breaks the standard.
    ///     TokenInvalidError: The ID token failed validation.
    ///     MisconfiguredError: The server does not accept the client or its scopes.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<LoginResult> {
        let timeout = timeout.map(|value| duration("timeout", value)).transpose()?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).wait(timeout))
            .map(LoginResult::from)
    }

    /// Does what ``wait`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the login. To wait for a limited time only, use ``timeout``.
    #[pyo3(signature = (timeout=None))]
    fn wait_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread_of_login(slf, "wait", (timeout,))
    }

    /// Cancels the login. Calls that wait for it raise ``CancelledError``.
    ///
    /// Does nothing if the login has finished.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.core.cancel());
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.cancel(py);
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        entered(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _exception: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        left(slf)
    }

    fn __repr__(&self) -> String {
        let (code, uri) = (self.core.user_code(), self.core.verification_uri());
        format!("<planetkey.DeviceLogin {code} at {uri}>")
    }
}

/// A pending login in a browser.
///
/// ``Session.start_browser_login()`` starts it. Open ``authorization_url`` in a browser on this
/// computer, then call ``wait()``; or call ``complete()`` with the address that a browser
/// elsewhere ended at. It is a context manager, for ``with`` and ``async with``, that cancels the
/// login if it is still pending at the end of the block. Any number of threads may use it.
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
    /// The address to open. Show it to this user only: it contains the login's ``state``.
    #[getter]
    fn authorization_url(&self) -> &str {
        self.core.authorization_url()
    }

    /// The address that the browser returns to.
    #[getter]
    fn redirect_uri(&self) -> &str {
        self.core.redirect_uri()
    }

    /// How many seconds the user has.
    #[getter]
    fn expires_in(&self) -> f64 {
        self.core.expires_in().as_secs_f64()
    }

    /// How many seconds to wait before the next ``poll()``.
    #[getter]
    fn poll_interval(&self) -> f64 {
        self.core.poll_interval().as_secs_f64()
    }

    /// Responds to the browser if it has returned.
    ///
    /// For programs with a timer of their own; all others call ``wait()``. Blocks for the token
    /// request only if the browser has just returned, and Ctrl-C cancels the login.
    ///
    /// Returns:
    ///     The result, or None while the login is pending.
    ///
    /// Raises:
    ///     Error: The login failed, as in ``wait()``. Every later call raises the same.
    fn poll(&self, py: Python<'_>) -> PyResult<Option<LoginResult>> {
        let result = wait(py, |interrupt| self.core.with_interrupt(interrupt).poll())?;
        Ok(result.map(LoginResult::from))
    }

    /// Does what ``poll`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the login.
    fn poll_async<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        in_thread_of_login(slf, "poll", ())
    }

    /// Waits until the user has logged in.
    ///
    /// Blocks. Other threads run meanwhile, and Ctrl-C cancels the login.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as a number or a ``timedelta``. By default until the login
    ///         expires.
    ///
    /// Returns:
    ///     The result. Later calls return the same.
    ///
    /// Raises:
    ///     TimeoutError: ``timeout`` passed, and the login is still pending; or it expired.
    ///     CancelledError: The login was cancelled.
    ///     DeniedError: The user or the server refused.
    ///     UnavailableError: The server could not be reached.
    ///     ProtocolError: The server's response breaks the standard.
    ///     TokenInvalidError: The ID token failed validation.
    ///     MisconfiguredError: The server does not accept the client or its scopes.
    #[pyo3(signature = (timeout=None))]
    fn wait(&self, py: Python<'_>, timeout: Option<&Bound<'_, PyAny>>) -> PyResult<LoginResult> {
        let timeout = timeout.map(|value| duration("timeout", value)).transpose()?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).wait(timeout))
            .map(LoginResult::from)
    }

    /// Does what ``wait`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the login. To wait for a limited time only, use ``timeout``.
    #[pyo3(signature = (timeout=None))]
    fn wait_async<'py>(
        slf: &Bound<'py, Self>,
        timeout: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread_of_login(slf, "wait", (timeout,))
    }

    /// Finishes the login with the address that the browser ended at.
    ///
    /// For a browser that cannot return to this program. Blocks for the token request, and Ctrl-C
    /// cancels the login.
    ///
    /// Args:
    ///     callback_url: The whole address, or what follows its question mark.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not an address of this login, which is still pending.
    ///     Error: The login failed, as in ``wait()``.
    fn complete(&self, py: Python<'_>, callback_url: &Bound<'_, PyAny>) -> PyResult<LoginResult> {
        let callback_url = text("callback_url", callback_url)?;
        wait(py, |interrupt| self.core.with_interrupt(interrupt).complete(callback_url))
            .map(LoginResult::from)
    }

    /// Does what ``complete`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the login.
    fn complete_async<'py>(
        slf: &Bound<'py, Self>,
        callback_url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread_of_login(slf, "complete", (callback_url,))
    }

    /// Cancels the login and closes its sockets.
    ///
    /// Calls that wait for it raise ``CancelledError``. Does nothing if the login has finished.
    /// Returns within a moment.
    fn cancel(&self, py: Python<'_>) {
        py.detach(|| self.core.cancel());
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) {
        self.cancel(py);
    }

    fn __aenter__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        entered(slf)
    }

    #[pyo3(signature = (*_exception))]
    fn __aexit__<'py>(
        slf: &Bound<'py, Self>,
        _exception: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        left(slf)
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.BrowserLogin returning to {}>", self.core.redirect_uri())
    }
}

/// The coroutine of `__aenter__`.
fn entered<'py>(login: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    function(login.py(), "entered")?.call1((login,))
}

/// The coroutine of `__aexit__`. A cancel may block while another thread responds to a browser.
fn left<'py>(login: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    function(login.py(), "cancel")?.call1((login.getattr(intern!(login.py(), "cancel"))?,))
}

/// Members of JSON as a new dictionary.
pub(crate) fn dict(
    py: Python<'_>,
    members: serde_json::Map<String, serde_json::Value>,
) -> PyResult<Bound<'_, PyDict>> {
    let text = serde_json::Value::Object(members).to_string();
    let read = py.import(intern!(py, "json"))?.call_method1(intern!(py, "loads"), (text,))?;
    Ok(read.cast_into::<PyDict>()?)
}
