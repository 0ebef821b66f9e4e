//! The status of a session, without a secret.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDateTime, PyDict, PyTuple, PyTzInfo};

/// An aware `datetime` for Unix seconds. A time outside the years of Python becomes the first or
/// the last one of them, so that an absurd expiry is no error.
pub(crate) fn moment<'py>(
    py: Python<'py>,
    unix_seconds: Option<i64>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    /// 0001-01-01T00:00:00Z
    const FIRST: i64 = -62_135_596_800;
    /// 9999-12-31T23:59:59Z
    const LAST: i64 = 253_402_300_799;
    let Some(seconds) = unix_seconds else {
        return Ok(None);
    };
    let seconds = seconds.clamp(FIRST, LAST);
    let utc = PyTzInfo::utc(py)?;
    #[expect(clippy::cast_precision_loss, reason = "the limits are far below 2 to the 53")]
    let timestamp = seconds as f64;
    Ok(Some(PyDateTime::from_timestamp(py, timestamp, Some(&utc))?.into_any()))
}

/// One credential source of a session.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct SourceStatus {
    core: planetkey::SourceStatus,
}

#[pymethods]
impl SourceStatus {
    /// The kind of credential: ``"api_key"`` or ``"access_token"``.
    #[getter]
    fn kind(&self) -> &str {
        self.core.kind.name()
    }

    /// Where it comes from, for example a variable or a profile.
    #[getter]
    fn source(&self) -> &str {
        &self.core.source
    }

    /// The profile, if it comes from one.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.core.profile.as_deref()
    }

    /// The ``client_type`` of the client configuration.
    #[getter]
    fn client_type(&self) -> &str {
        self.core.client_type
    }

    /// The id of the OAuth client.
    #[getter]
    fn client_id(&self) -> Option<&str> {
        self.core.client_id.as_deref()
    }

    /// The issuer: the authorization server.
    #[getter]
    fn issuer(&self) -> Option<&str> {
        self.core.issuer.as_deref()
    }

    /// The scopes: those to request, or those granted once there is a token.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.core.scopes)
    }

    /// When the cached token expires. None if that is unknown.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        moment(py, self.core.expires_at)
    }

    /// Whether it can authorize a request without a login.
    #[getter]
    fn initialized(&self) -> bool {
        self.core.initialized
    }

    /// Whether a valid token is cached.
    #[getter]
    fn token_cached(&self) -> bool {
        self.core.token_cached
    }

    /// The hosts that it may go to.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.core.hosts)
    }

    /// How it is sent: ``"bearer"``, ``"basic"``, ``"header"`` or ``"query"``.
    #[getter]
    fn transport(&self) -> &str {
        self.core.transport.name()
    }

    /// The file that its tokens are saved in. None for an API key and for other storage.
    #[getter]
    fn file(&self) -> Option<&str> {
        self.core.file.as_deref()
    }

    /// The store for its tokens, or its ``storage_command``. None if there is none.
    ///
    /// The keys are ``name``, the URL without its password; ``reachable`` and ``holds``, None until
    /// it was used; and ``problem``, why it could not be used or is not used.
    #[getter]
    fn store<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(store) = &self.core.store else { return Ok(None) };
        let members = PyDict::new(py);
        members.set_item(intern!(py, "name"), &store.name)?;
        members.set_item(intern!(py, "reachable"), store.reachable)?;
        members.set_item(intern!(py, "holds"), store.holds)?;
        members.set_item(intern!(py, "problem"), &store.problem)?;
        Ok(Some(members))
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        planetkey::text::printable(&format!(
            "<planetkey.SourceStatus {} from {}>",
            self.core.kind, self.core.source
        ))
    }
}

/// Which credential a request to one host carries.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct HostStatus {
    core: planetkey::HostStatus,
}

#[pymethods]
impl HostStatus {
    /// The host, with its port if it is this computer.
    #[getter]
    fn host(&self) -> &str {
        &self.core.host
    }

    /// The index of the source in ``SessionStatus.sources``.
    #[getter]
    fn source_index(&self) -> usize {
        self.core.source_index
    }

    /// Whether Planet lists this combination of credential and host as under development.
    #[getter]
    fn under_development(&self) -> bool {
        self.core.under_development
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!("<planetkey.HostStatus {} gets source {}>", self.core.host, self.core.source_index)
    }
}

/// The status of a session, without a secret.
///
/// The attributes of the first source are attributes of the status too.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct SessionStatus {
    core: planetkey::SessionStatus,
}

impl From<planetkey::SessionStatus> for SessionStatus {
    fn from(core: planetkey::SessionStatus) -> Self {
        SessionStatus { core }
    }
}

#[pymethods]
impl SessionStatus {
    /// All credential sources. A URL gets the first one that its host accepts.
    #[getter]
    fn sources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let sources =
            self.core.sources().iter().map(|source| SourceStatus { core: source.clone() });
        let sources = sources.map(|source| Py::new(py, source)).collect::<PyResult<Vec<_>>>()?;
        PyTuple::new(py, sources)
    }

    /// Which credential a request to each host carries.
    #[getter]
    fn hosts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let hosts =
            self.core.hosts().iter().map(|host| Py::new(py, HostStatus { core: host.clone() }));
        PyTuple::new(py, hosts.collect::<PyResult<Vec<_>>>()?)
    }

    /// The name of the deployment.
    #[getter]
    fn deployment(&self) -> &str {
        self.core.deployment()
    }

    /// Messages about sources that are not used, and about tokens that could not be saved.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.core.notes())
    }

    /// Whether the session can authorize a request without a login.
    #[getter]
    fn initialized(&self) -> bool {
        self.core.is_initialized()
    }

    /// The kind of the first source: ``"api_key"`` or ``"access_token"``.
    #[getter]
    fn kind(&self) -> Option<&str> {
        self.core.kind().map(planetkey::CredentialKind::name)
    }

    /// Where the first source comes from.
    #[getter]
    fn source(&self) -> Option<&str> {
        self.core.source()
    }

    /// The profile of the first source.
    #[getter]
    fn profile(&self) -> Option<&str> {
        self.core.profile()
    }

    /// The authorization server of the first source.
    #[getter]
    fn issuer(&self) -> Option<&str> {
        self.core.issuer()
    }

    /// The scopes of the first source.
    #[getter]
    fn scopes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.core.scopes())
    }

    /// When the cached token of the first source expires.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        moment(py, self.core.expires_at())
    }

    /// The file that the tokens of the first source are saved in.
    #[getter]
    fn file(&self) -> Option<&str> {
        self.core.sources().first().and_then(|source| source.file.as_deref())
    }

    /// Returns the whole status as a dictionary for JSON. Its times are Unix seconds.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import(intern!(py, "json"))?
            .call_method1(intern!(py, "loads"), (self.core.to_json().to_string(),))
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        let sources: Vec<_> =
            self.core.sources().iter().map(|source| source.source.as_str()).collect();
        planetkey::text::printable(&format!(
            "<planetkey.SessionStatus on {}: {}>",
            self.core.deployment(),
            sources.join(", ")
        ))
    }
}
