//! The authorization of one request.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::status::moment;

/// What a request to one URL carries: send ``headers`` to ``url``.
///
/// It contains a credential. Its ``repr`` shows none, and it cannot be pickled.
#[pyclass(frozen, module = "planetkey")]
pub(crate) struct Authorization {
    core: planetkey::Authorization,
    header_value: Option<Py<PyString>>,
}

/// A new dictionary with the header, or an empty one.
pub(crate) fn header_dict<'py>(
    py: Python<'py>,
    value: Option<&Bound<'py, PyString>>,
) -> PyResult<Bound<'py, PyDict>> {
    let headers = PyDict::new(py);
    if let Some(value) = value {
        headers.set_item(intern!(py, "Authorization"), value)?;
    }
    Ok(headers)
}

impl Authorization {
    pub(crate) fn core(&self) -> &planetkey::Authorization {
        &self.core
    }

    pub(crate) fn new(
        core: planetkey::Authorization,
        header_value: Option<Bound<'_, PyString>>,
    ) -> Self {
        Authorization { core, header_value: header_value.map(Bound::unbind) }
    }
}

#[pymethods]
impl Authorization {
    /// The headers to send: a new dictionary, empty if the URL carries the API key.
    #[getter]
    fn headers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        header_dict(py, self.header_value.as_ref().map(|value| value.bind(py)))
    }

    /// The URL to send the request to: the one given, or that with its ``api_key`` parameter.
    #[getter]
    fn url(&self) -> &str {
        self.core.url()
    }

    /// The kind of credential: ``"access_token"`` or ``"api_key"``.
    #[getter]
    fn credential(&self) -> &'static str {
        self.core.credential().name()
    }

    /// The access token itself. None for an API key.
    #[getter]
    fn access_token(&self) -> Option<&str> {
        self.core.access_token()
    }

    /// How it is sent: ``"bearer"``, ``"basic"``, ``"header"`` or ``"query"``.
    #[getter]
    fn transport(&self) -> &'static str {
        self.core.transport().name()
    }

    /// Where the credential comes from, for example a variable or a profile.
    #[getter]
    fn source(&self) -> &str {
        self.core.source()
    }

    /// When the credential expires. None if that is unknown.
    #[getter]
    fn expires_at<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        moment(py, self.core.expires_at())
    }

    /// Whether Planet lists this combination of credential and host as under development.
    #[getter]
    fn under_development(&self) -> bool {
        self.core.under_development()
    }

    /// Returns the object itself, because it never changes.
    fn __copy__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    fn __deepcopy__<'py>(slf: Bound<'py, Self>, _memo: &Bound<'py, PyAny>) -> Bound<'py, Self> {
        slf
    }

    fn __repr__(&self) -> String {
        format!(
            "<planetkey.Authorization {} as {} for {}>",
            self.core.credential().name(),
            self.core.transport().name(),
            planetkey::redact_url(self.core.url()),
        )
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a planetkey.Authorization contains a credential and cannot be pickled; pass its headers instead",
        ))
    }
}
