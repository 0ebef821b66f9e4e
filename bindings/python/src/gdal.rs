//! GDAL in the process of the interpreter: that of rasterio's wheel, of osgeo, of whatever else brings one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use planetkey_gdal::{Header, Options, Scope};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::arguments::{text, texts};
use crate::errors::{detached, guarded, invalid_argument, raise};
use crate::interpreter::{is_attached, learn_is_attached, visit};
use crate::session::Session;

/// A session that GDAL asks for the header of its requests, until `uninstall()`; as a context manager until the end of the block. It also
/// lasts when the program drops this object.
#[pyclass(frozen, module = "planetkey.gdal")]
pub(crate) struct Gdal {
    core: Mutex<Option<Arc<planetkey_gdal::Gdal>>>,
    session: Py<Session>,
}

impl Gdal {
    fn core(&self, py: Python<'_>) -> PyResult<Arc<planetkey_gdal::Gdal>> {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).clone();
        core.ok_or_else(|| invalid_argument(py, "this has been uninstalled; install the session again"))
    }
}

/// What is installed, also when the program drops the object: until `uninstall`, or until the interpreter ends.
static INSTALLED: Mutex<Vec<Arc<planetkey_gdal::Gdal>>> = Mutex::new(Vec::new());

fn installed() -> MutexGuard<'static, Vec<Arc<planetkey_gdal::Gdal>>> {
    INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn uninstall(core: &Arc<planetkey_gdal::Gdal>) {
    installed().retain(|other| !Arc::ptr_eq(other, core));
    // Another thread may still be in a call.
    core.uninstall();
}

/// What no program can uninstall any more, because it dropped the object, makes room for another session at the same hosts.
fn replace_dropped(session: &planetkey::Session, options: &Options) {
    let Ok(origins) = session.header_origins(options.hosts.as_deref()) else { return };
    let overlaps = |other: &planetkey_gdal::Gdal| {
        options.scope == Scope::EveryHost || other.origins().iter().any(|origin| origins.contains(origin))
    };
    let dropped = |other: &&Arc<planetkey_gdal::Gdal>| Arc::strong_count(other) == 1 && overlaps(other);
    let replaced: Vec<_> = installed().iter().filter(dropped).cloned().collect();
    replaced.iter().for_each(uninstall);
}

/// The interpreter ends, and GDAL's own end must find nothing installed. The caller does not hold the GIL, which threads of GDAL may need.
pub(crate) fn uninstall_all() {
    // A child that was forked while another thread held the lock would wait for ever.
    let all = INSTALLED.try_lock().map(|mut installed| std::mem::take(&mut *installed)).unwrap_or_default();
    all.iter().for_each(|core| core.uninstall());
}

#[pymethods]
impl Gdal {
    /// Has GDAL forget which files it could not read and what else it knows of the session's hosts: after a login, or when something has
    /// changed there. Takes in a GDAL that was imported since.
    fn refresh(&self, py: Python<'_>) -> PyResult<()> {
        let core = self.core(py)?;
        detached(py, || core.refresh())
    }

    /// The name under which GDAL opens this URL with the session's credential, to be asked for right before. Waits for the network
    /// only when no valid token is at hand.
    fn path(&self, py: Python<'_>, url: &Bound<'_, PyString>) -> PyResult<String> {
        let url = text("url", url)?;
        let core = self.core(py)?;
        // Here, where Ctrl-C ends the wait.
        self.session.get().make_ready(py, url)?;
        detached(py, || core.path(url))
    }

    /// Why the last request of GDAL that should have carried a credential carried none; `None` when there was no such request
    /// since the installation or the last `refresh()`.
    #[getter]
    fn last_error<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let core = self.core(py)?;
        Ok(guarded(py, || Ok(core.last_error()))?.map(|error| raise(py, &error).into_value(py).into_bound(py).into_any()))
    }

    /// GDAL gets its options back and asks no more. Datasets that are still open send their next requests without a credential.
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

/// Has every GDAL in this process ask a session: what is opened as `https://` or `/vsicurl/https://` at one of the session's hosts carries
/// its credential, with the current token for as long as the dataset stays open. Import rasterio, or whatever brings GDAL, before.
#[pyfunction]
#[pyo3(
    name = "gdal_install",
    signature = (session, *, scope=None, header=None, hosts=None, fetch=true),
    text_signature = "(session, *, scope='hosts', header='live', hosts=None, fetch=True)"
)]
pub(crate) fn install(
    py: Python<'_>,
    session: &Bound<'_, Session>,
    scope: Option<&Bound<'_, PyString>>,
    header: Option<&Bound<'_, PyString>>,
    hosts: Option<&Bound<'_, PyAny>>,
    fetch: bool,
) -> PyResult<Gdal> {
    let mut options = Options { fetch, ..Options::default() };
    if let Some(name) = scope {
        let name = text("scope", name)?;
        options.scope = guarded(py, || Scope::from_name(name))?;
    }
    if let Some(name) = header {
        let name = text("header", name)?;
        options.header = guarded(py, || Header::from_name(name))?;
    }
    options.hosts = hosts.map(|hosts| texts("hosts", hosts)).transpose()?;
    // A thread of GDAL may hold the GIL, which a renewal needs for its log records and for storage in Python. Another one must not ask for it:
    // whoever holds it may be waiting for that thread.
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
