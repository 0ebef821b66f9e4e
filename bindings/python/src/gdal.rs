//! GDAL in the process of the interpreter: that of rasterio's wheel, of osgeo, or any other.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use planetkey_gdal::{Header, Options, Scope};
use pyo3::prelude::*;

use crate::adapters::in_thread;
use crate::arguments::{flag, instance, text, texts};
use crate::errors::{detached, guarded, invalid_argument, raise};
use crate::interpreter::{is_attached, learn_is_attached, visit};
use crate::session::Session;

/// A session that authorizes the requests of GDAL, until ``uninstall()``.
///
/// As a context manager, until the end of the block. It stays installed if the program drops this
/// object.
#[pyclass(frozen, module = "planetkey.gdal")]
pub(crate) struct Gdal {
    core: Mutex<Option<Arc<planetkey_gdal::Gdal>>>,
    session: Py<Session>,
}

impl Gdal {
    fn core(&self, py: Python<'_>) -> PyResult<Arc<planetkey_gdal::Gdal>> {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).clone();
        core.ok_or_else(|| {
            invalid_argument(
                py,
                "this session was uninstalled from GDAL; install the session again",
            )
        })
    }
}

/// What is installed until `uninstall`, or until the interpreter ends. The program may have dropped
/// the object.
static INSTALLED: Mutex<Vec<Arc<planetkey_gdal::Gdal>>> = Mutex::new(Vec::new());

fn installed() -> MutexGuard<'static, Vec<Arc<planetkey_gdal::Gdal>>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn uninstall(core: &Arc<planetkey_gdal::Gdal>) {
    installed().retain(|other| !Arc::ptr_eq(other, core));
    // Another thread may still be in a call.
    core.uninstall();
}

/// Uninstalls sessions at the same hosts whose object was dropped, because no program can.
fn replace_dropped(session: &planetkey::Session, options: &Options) {
    let Ok(origins) = session.header_origins(options.hosts.as_deref()) else { return };
    let overlaps = |other: &planetkey_gdal::Gdal| {
        options.scope == Scope::EveryHost
            || other.origins().iter().any(|origin| origins.contains(origin))
    };
    let dropped =
        |other: &&Arc<planetkey_gdal::Gdal>| Arc::strong_count(other) == 1 && overlaps(other);
    let replaced: Vec<_> = installed().iter().filter(dropped).cloned().collect();
    replaced.iter().for_each(uninstall);
}

/// Uninstalls everything, because GDAL's own end must find nothing installed. The caller must not
/// hold the GIL, which threads of GDAL may need.
pub(crate) fn uninstall_all() {
    // A child that was forked while another thread held the lock would block for ever.
    let all = INSTALLED
        .try_lock()
        .map(|mut installed| std::mem::take(&mut *installed))
        .unwrap_or_default();
    all.iter().for_each(|core| core.uninstall());
}

#[pymethods]
impl Gdal {
    /// Clears what GDAL has cached about the session's hosts.
    ///
    /// That includes files that it could not read. Call it after a login, or when something
    /// changed at a host. It also installs the session in a GDAL that was imported later.
    ///
    /// Raises:
    ///     InvalidArgumentError: The session was uninstalled.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        detached(py, || core.refresh())
    }

    /// Returns the name with which GDAL opens this URL with the session's credential.
    ///
    /// Call it immediately before opening. Blocks only if there is no valid token; Ctrl-C works.
    ///
    /// Args:
    ///     url: The URL of the dataset.
    ///
    /// Raises:
    ///     InvalidArgumentError: This is not a URL, or the session was uninstalled.
    ///     Error: As in ``Session.authorize``.
    fn path(&self, py: Python<'_>, url: &Bound<'_, PyAny>) -> PyResult<String> {
        let url = text("url", url)?;
        let core = self.core(py)?;
        // First, because Ctrl-C works here.
        self.session.get().make_ready(py, url)?;
        detached(py, || core.path(url))
    }

    /// Does what ``path`` does, without blocking the event loop.
    ///
    /// Cancelling the task cancels the call.
    fn path_async<'py>(
        slf: &Bound<'py, Self>,
        url: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        in_thread(slf, "path", (url,), None)
    }

    /// Why GDAL's last request without a credential had none.
    ///
    /// None if there was no such request since the installation or the last ``refresh()``.
    #[getter]
    fn last_error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let core = self.core(py)?;
        Ok(guarded(py, || Ok(core.last_error()))?
            .map(|error| raise(py, &error).into_value(py).into_bound(py).into_any()))
    }

    /// Restores the options of GDAL.
    ///
    /// Datasets that are still open send their next requests without a credential.
    fn uninstall(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).take();
        detached(py, || {
            core.iter().for_each(uninstall);
            Ok(())
        })
    }

    fn __enter__(slf: Bound<'_, Self>) -> Bound<'_, Self> {
        slf
    }

    #[pyo3(signature = (*_exception))]
    fn __exit__(&self, py: Python<'_>, _exception: &Bound<'_, PyAny>) -> PyResult<()> {
        self.uninstall(py)
    }

    fn __repr__(&self) -> String {
        match &*self.core.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(core) => format!("<planetkey.gdal.Gdal for {}>", core.origins().join(", ")),
            None => "<planetkey.gdal.Gdal, uninstalled>".to_owned(),
        }
    }
}

/// Installs a session in every GDAL of this process.
///
/// What is opened as ``https://`` or ``/vsicurl/https://`` at one of the session's hosts carries
/// its credential, with the current token for as long as the dataset is open. Import rasterio, or
/// what else contains GDAL, before.
///
/// Args:
///     session: The session.
///     scope: Where GDAL's options are set: for the session's hosts (``"hosts"``), for names from
///         ``Gdal.path`` (``"paths"``), or for all requests (``"every_host"``).
///     header: When the session is asked: before each request (``"live"``), or when a dataset is
///         opened (``"at_open"``).
///     hosts: Only these of the session's hosts.
///     fetch: Whether GDAL's threads may block to get a token.
///
/// Raises:
///     InvalidArgumentError: An argument is wrong, or a session is installed for a host already.
///     UnsupportedError: There is no GDAL, or it cannot do this.
#[pyfunction]
#[pyo3(
    name = "gdal_install",
    signature = (session, *, scope=None, header=None, hosts=None, fetch=None),
    text_signature = "(session, *, scope='hosts', header='live', hosts=None, fetch=True)"
)]
pub(crate) fn install(
    py: Python<'_>,
    session: &Bound<'_, PyAny>,
    scope: Option<&Bound<'_, PyAny>>,
    header: Option<&Bound<'_, PyAny>>,
    hosts: Option<&Bound<'_, PyAny>>,
    fetch: Option<&Bound<'_, PyAny>>,
) -> PyResult<Gdal> {
    let session: &Bound<'_, Session> = instance("session", "a planetkey.Session", session)?;
    let mut options = Options { fetch: flag("fetch", fetch, true)?, ..Options::default() };
    if let Some(name) = scope {
        let name = text("scope", name)?;
        options.scope = guarded(py, || Scope::from_name(name))?;
    }
    if let Some(name) = header {
        let name = text("header", name)?;
        options.header = guarded(py, || Header::from_name(name))?;
    }
    options.hosts = hosts.map(|hosts| texts("hosts", hosts)).transpose()?;
    // A thread of GDAL may hold the GIL, which a refresh needs for its log records and for storage
    // in Python. A thread that does not hold it must not take it, because the holder may wait for
    // that thread.
    learn_is_attached(py);
    options.wait = Some(Arc::new(|call: &mut (dyn FnMut() + Send)| {
        if is_attached() == Some(false) || visit(|py| py.detach(&mut *call)).is_none() {
            call();
        }
    }));
    let core = session.get().core();
    let gdal = detached(py, || {
        replace_dropped(core, &options);
        planetkey_gdal::Gdal::install(core, options)
    })?;
    let gdal = Arc::new(gdal);
    installed().push(Arc::clone(&gdal));
    Ok(Gdal { core: Mutex::new(Some(gdal)), session: session.clone().unbind() })
}
