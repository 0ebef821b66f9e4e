//! Visits to the interpreter by threads of the core, and the end of the interpreter.
//!
//! Before Python 3.14, the end of the interpreter calls `pthread_exit` on a thread that waits for
//! the GIL. The unwinding would run through frames of Rust, and the process would abort. So the
//! end waits until no thread is on a visit. A thread that does not return in time is parked.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use planetkey_support::exit;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{IntoPyObjectExt, ffi};

/// How often the end checks whether it can continue, and whether Ctrl-C was pressed.
const SLICE_MS: u64 = 20;

/// The number of visits, with the process id: a forked child does not have its parent's visits.
static VISITS: AtomicU64 = AtomicU64::new(0);
/// The process whose interpreter accepts no more visits.
static CLOSED: AtomicU32 = AtomicU32::new(0);

/// The interpreter that imported the module first. -1 before that.
static INTERPRETER: AtomicI64 = AtomicI64::new(-1);

/// Binds the module to this interpreter, because its exception classes and callbacks are objects
/// of one interpreter.
///
/// Errors: ImportError in another interpreter of this process.
pub(crate) fn claim(py: Python<'_>) -> PyResult<()> {
    // SAFETY: this thread is attached to an interpreter, which stays valid meanwhile.
    let this = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if this < 0 {
        return Err(PyErr::fetch(py));
    }
    match INTERPRETER.compare_exchange(-1, this, Ordering::SeqCst, Ordering::SeqCst) {
        Err(first) if first != this => Err(PyImportError::new_err(
            "planetkey works in one interpreter of a process, and another one imported it first; \
             use it there, or in another process",
        )),
        _ => Ok(()),
    }
}

fn count(stamped: u64) -> u64 {
    if stamped >> 32 == u64::from(std::process::id()) { stamped & 0xffff_ffff } else { 0 }
}

fn change(by: impl Fn(u64) -> u64) {
    let stamp = u64::from(std::process::id()) << 32;
    let _ = VISITS
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| Some(stamp | by(count(before))));
}

struct Visit;

impl Visit {
    fn begin() -> Option<Visit> {
        change(|count| count + 1);
        let visit = Visit;
        // After the count, because the end closes first and counts then.
        (CLOSED.load(Ordering::SeqCst) != std::process::id()).then_some(visit)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        change(|count| count.saturating_sub(1));
    }
}

/// Runs `visit` attached to the interpreter. Returns `None` if the interpreter is shutting down.
pub(crate) fn visit<T>(visit: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _visit = Visit::begin()?;
    Python::try_attach(visit)
}

/// `PyGILState_Check`, which the stable ABI does not have.
static CHECK: OnceLock<extern "C" fn() -> c_int> = OnceLock::new();

/// Looks up the function behind [`is_attached`].
pub(crate) fn learn_is_attached(py: Python<'_>) {
    let address = || -> PyResult<usize> {
        let ctypes = py.import("ctypes")?;
        let check = ctypes.getattr("pythonapi")?.getattr("PyGILState_Check")?;
        ctypes
            .call_method1("cast", (check, ctypes.getattr("c_void_p")?))?
            .getattr("value")?
            .extract()
    };
    if let Ok(address @ 1..) = address() {
        // SAFETY: the address of that function, which has this type in every version of Python.
        let _ =
            CHECK.set(unsafe { std::mem::transmute::<usize, extern "C" fn() -> c_int>(address) });
    }
}

/// Whether this thread holds the GIL. `None` before [`learn_is_attached`], or if it is unknown.
pub(crate) fn is_attached() -> Option<bool> {
    CHECK.get().map(|check| check() != 0)
}

/// Parks a thread that Python ends, for the rest of the process. `pyo3` does the same when it takes
/// the GIL itself.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}

/// Calls a method, which may run for any time, on a thread that is on a visit. The arguments are a
/// tuple.
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    arguments: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    type Call = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
    type Unwinding =
        unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
    let method = object.getattr(name)?;
    let arguments = arguments.into_bound_py_any(object.py())?.cast_into::<PyTuple>()?;
    // SAFETY: both types have the same arguments and result. The second one also allows that
    // `pthread_exit` unwinds to this frame, where `Stay` parks it.
    // The black box hides from the compiler that the function was declared as not unwinding.
    let call = unsafe {
        std::mem::transmute::<Call, Unwinding>(std::hint::black_box(
            ffi::PyObject_CallObject as Call,
        ))
    };
    let stay = Stay;
    // SAFETY: the thread is attached, both pointers are borrowed from live objects, and the second
    // is a tuple.
    let result = unsafe { call(method.as_ptr(), arguments.as_ptr()) };
    std::mem::forget(stay);
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), result) }
}

/// Waits until `is_done`, at most until `deadline`. Other threads run Python meanwhile, and signal
/// handlers run in the main thread.
fn wait(py: Python<'_>, deadline: Instant, is_done: impl Fn(u64) -> bool + Sync) -> PyResult<bool> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let slice = u64::try_from(left.as_millis()).unwrap_or(u64::MAX).min(SLICE_MS);
        if py.detach(|| is_done(slice)) {
            return Ok(true);
        }
        if left.is_zero() {
            return Ok(false);
        }
        py.check_signals()?;
    }
}

/// The time of a timeout, at most a day from now.
fn deadline(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(planetkey::clock::LONGEST_TIMEOUT)
}

fn settled_within(timeout_ms: u64) -> bool {
    planetkey::session::settle(Duration::from_millis(timeout_ms))
}

/// Waits for the refreshes of user sessions in this process, until `is_cancelled`. Returns whether
/// all have finished.
pub(crate) fn settle(
    py: Python<'_>,
    timeout: Duration,
    is_cancelled: impl Fn() -> bool + Sync,
) -> PyResult<bool> {
    let is_settled =
        wait(py, deadline(timeout), |slice_ms| settled_within(slice_ms) || is_cancelled())?;
    Ok(is_settled && !is_cancelled())
}

/// The end of the interpreter: waits for refreshes, accepts no more visits, and waits for the last.
pub(crate) fn close(py: Python<'_>) -> PyResult<()> {
    let deadline = deadline(Duration::from_millis(exit::WAIT_MS));
    let settled = wait(py, deadline, settled_within);
    CLOSED.store(std::process::id(), Ordering::SeqCst);
    let left = wait(py, deadline, |slice_ms| {
        let until = Instant::now() + Duration::from_millis(slice_ms);
        while count(VISITS.load(Ordering::SeqCst)) > 0 {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    });
    settled.and(left).map(drop)
}
