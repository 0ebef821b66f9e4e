//! Visits to the interpreter by threads that are not its own, and its end.
//!
//! Before Python 3.14 a thread that waits for the GIL while the interpreter ends is ended by `pthread_exit`, wherever it stands. The
//! unwinding would run through Rust's frames, and the process would abort. So nobody is inside when the interpreter ends; whoever
//! will not leave in time stays where it is.

use std::ffi::c_int;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use planetkey_support::exit;
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use pyo3::{IntoPyObjectExt, ffi};

/// How often the end looks whether it can go on, and whether somebody has pressed Ctrl-C.
const SLICE_MS: u64 = 20;

/// How many visits there are, stamped with the process: those of a parent are not in its forked child.
static VISITS: AtomicU64 = AtomicU64::new(0);
/// The process whose interpreter takes no more visits.
static CLOSED: AtomicU32 = AtomicU32::new(0);

/// The interpreter that imported the module first; -1 before that.
static INTERPRETER: AtomicI64 = AtomicI64::new(-1);

/// Binds the module to this interpreter: its exception classes and callbacks are objects of one interpreter.
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
            "planetkey works in one interpreter of a process, and another one has imported it; use it there, or in a process of its own",
        )),
        _ => Ok(()),
    }
}

fn count(stamped: u64) -> u64 {
    if stamped >> 32 == u64::from(std::process::id()) { stamped & 0xffff_ffff } else { 0 }
}

fn change(by: impl Fn(u64) -> u64) {
    let stamp = u64::from(std::process::id()) << 32;
    let _ = VISITS.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |before| Some(stamp | by(count(before))));
}

struct Visit;

impl Visit {
    fn begin() -> Option<Visit> {
        change(|count| count + 1);
        let visit = Visit;
        // After the count: the end closes first and counts then.
        (CLOSED.load(Ordering::SeqCst) != std::process::id()).then_some(visit)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        change(|count| count.saturating_sub(1));
    }
}

/// Runs `visit` attached to the interpreter; nothing when the interpreter ends or has ended.
pub(crate) fn visit<T>(visit: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    let _visit = Visit::begin()?;
    Python::try_attach(visit)
}

/// `PyGILState_Check`, which the stable ABI does not have.
static CHECK: OnceLock<extern "C" fn() -> c_int> = OnceLock::new();

/// Makes [`is_attached`] know.
pub(crate) fn learn_is_attached(py: Python<'_>) {
    let address = || -> PyResult<usize> {
        let ctypes = py.import("ctypes")?;
        let check = ctypes.getattr("pythonapi")?.getattr("PyGILState_Check")?;
        ctypes.call_method1("cast", (check, ctypes.getattr("c_void_p")?))?.getattr("value")?.extract()
    };
    if let Ok(address @ 1..) = address() {
        // SAFETY: the address of that function of the running interpreter, of this type in every version.
        let _ = CHECK.set(unsafe { std::mem::transmute::<usize, extern "C" fn() -> c_int>(address) });
    }
}

/// Whether this thread holds the GIL; nothing where nobody has asked to know, or it cannot be known.
pub(crate) fn is_attached() -> Option<bool> {
    CHECK.get().map(|check| check() != 0)
}

/// Holds a thread that Python ends, for the rest of the process; `pyo3` does the same where it takes the GIL itself.
struct Stay;

impl Drop for Stay {
    fn drop(&mut self) {
        while !std::thread::panicking() {
            std::thread::park();
        }
    }
}

/// Calls a method, which may run Python for as long as it likes, on a thread that is on a visit. The arguments are a tuple.
pub(crate) fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &str,
    arguments: impl IntoPyObject<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    type Call = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
    type Unwinding = unsafe extern "C-unwind" fn(*mut ffi::PyObject, *mut ffi::PyObject) -> *mut ffi::PyObject;
    let method = object.getattr(name)?;
    let arguments = arguments.into_bound_py_any(object.py())?.cast_into::<PyTuple>()?;
    // SAFETY: both types say the same of arguments and result, and the second allows more: that `pthread_exit` unwinds as far as this
    // frame, where `Stay` holds it.
    // The black box keeps the compiler from seeing that the function was declared as one that does not unwind.
    let call = unsafe { std::mem::transmute::<Call, Unwinding>(std::hint::black_box(ffi::PyObject_CallObject as Call)) };
    let stay = Stay;
    // SAFETY: the thread is attached, both pointers are borrowed from live objects, and the second is a tuple.
    let result = unsafe { call(method.as_ptr(), arguments.as_ptr()) };
    std::mem::forget(stay);
    // SAFETY: a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(object.py(), result) }
}

/// Waits until `is_done`, at most until `deadline`, while other threads run Python and signal handlers run in the main thread.
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

fn deadline(timeout_ms: u64) -> Instant {
    // No program ends a day later.
    Instant::now() + Duration::from_millis(timeout_ms.min(24 * 3600 * 1000))
}

/// Waits for the renewals of this process that are under way and cannot be made up for; whether none is left.
pub(crate) fn settle(py: Python<'_>, timeout_ms: u64) -> PyResult<bool> {
    wait(py, deadline(timeout_ms), planetkey::session::settle)
}

/// The end of the interpreter: settles, lets no thread in any more, and waits for those that are inside.
pub(crate) fn close(py: Python<'_>) -> PyResult<()> {
    let deadline = deadline(exit::WAIT_MS);
    let settled = wait(py, deadline, planetkey::session::settle);
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
