//! The Python string of a credential, made once per generation instead of once per call.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// More sources than any session has; those beyond are simply not cached.
const MAXIMUM_SLOTS: usize = 16;

struct Entry {
    generation: u64,
    text: Py<PyString>,
}

/// One string for each source of a session. The lock is only ever tried, so nobody waits for it: not a thread
/// without the GIL, and not a child forked while another thread held it.
pub(crate) struct TextCache(Mutex<Vec<Option<Entry>>>);

impl TextCache {
    pub(crate) const fn new() -> Self {
        TextCache(Mutex::new(Vec::new()))
    }

    /// `text` as a Python string; within one generation of a source `text` must not change.
    pub(crate) fn get<'py>(&self, py: Python<'py>, source_index: usize, generation: u64, text: &str) -> Bound<'py, PyString> {
        if let Ok(slots) = self.0.try_lock()
            && let Some(Some(entry)) = slots.get(source_index)
            && entry.generation == generation
        {
            return entry.text.bind(py).clone();
        }
        let string = PyString::new(py, text);
        self.put(source_index, Entry { generation, text: string.clone().unbind() });
        string
    }

    fn put(&self, source_index: usize, entry: Entry) {
        // What is replaced is dropped after the lock.
        let mut replaced = None;
        if source_index < MAXIMUM_SLOTS
            && let Ok(mut slots) = self.0.try_lock()
        {
            if slots.len() <= source_index {
                slots.resize_with(source_index + 1, || None);
            }
            if let Some(slot) = slots.get_mut(source_index) {
                replaced = slot.replace(entry);
            }
        }
        drop(replaced);
    }
}
