//! Prompts of logins.

use planetkey::{Error, PromptKind, Prompter, QrCodeStyle, Status};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::flag;
use crate::interpreter::visit;
use crate::storage::keep_raised;

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
        Ok(self.core.qr_code(style(ascii)?))
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

/// The characters of a QR code.
pub(crate) fn style(ascii: Option<&Bound<'_, PyAny>>) -> PyResult<QrCodeStyle> {
    let is_ascii = flag("ascii", ascii, false)?;
    Ok(if is_ascii { QrCodeStyle::Ascii } else { QrCodeStyle::Blocks })
}

impl From<planetkey::Prompt> for Prompt {
    fn from(core: planetkey::Prompt) -> Self {
        Prompt { core }
    }
}

/// The callable behind `prompt=`.
pub(crate) struct PythonPrompter(pub(crate) Py<PyAny>);

impl Prompter for PythonPrompter {
    fn prompt(&self, prompt: &planetkey::Prompt) -> planetkey::Result<Option<String>> {
        let failed = |why: &str| {
            Error::new(Status::Cancelled, format!("the prompt failed: {why}; nothing was changed"))
        };
        let called = visit(|py| {
            let answer = Py::new(py, Prompt::from(prompt.clone()))
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
