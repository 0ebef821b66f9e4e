//! The Python string of a credential, created once for each token instead of for each call.

use std::sync::Mutex;

use pyo3::prelude::*;
use pyo3::types::PyString;

/// More sources than sessions have. Others are not cached.
const MAXIMUM_SLOTS: usize = 16;

struct Entry {
    generation: u64,
    text: Py<PyString>,
}

/// One string for each source of a session. No thread blocks on the lock, also not in a child that
/// was forked while another thread held it.
pub(crate) struct TextCache(Mutex<Vec<Option<Entry>>>);

impl TextCache {
    pub(crate) const fn new() -> Self {
        TextCache(Mutex::new(Vec::new()))
    }

    /// `text` as a Python string. It must be the same for the same source and generation.
    pub(crate) fn get<'py>(
        &self,
        py: Python<'py>,
        source_index: usize,
        generation: u64,
        text: &str,
    ) -> Bound<'py, PyString> {
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
        // The old string is dropped after the lock is released.
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
