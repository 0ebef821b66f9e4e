//! The results of logins and logouts.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::status::moment;

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

    /// The store that holds the session, without its password. None for a file or memory.
    #[getter]
    fn store(&self) -> Option<&str> {
        self.core.store.as_deref()
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
