//! Pending logins of users.

use pyo3::intern;
use pyo3::prelude::*;

use crate::adapters::{function, in_thread_of_login};
use crate::arguments::{duration, text};
use crate::login_result::LoginResult;
use crate::prompt::{Prompt, style};
use crate::waiting::wait;

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
        Prompt::from(self.core.prompt())
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
        Ok(self.core.qr_code(style(ascii)?))
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
