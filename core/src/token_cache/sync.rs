//! Threads, locks and shared values of the cache: those of the standard library, or those of the
//! schedule explorer shuttle.

#[cfg(not(feature = "shuttle"))]
mod real {
    pub(in crate::token_cache) use std::sync::atomic::{AtomicBool, AtomicU64};
    pub(in crate::token_cache) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(in crate::token_cache) use std::thread_local;

    pub(in crate::token_cache) use crate::threads::{spawn, spawn_for_host};
    pub(in crate::token_cache) use arc_swap::{ArcSwap, ArcSwapOption};
}

#[cfg(feature = "shuttle")]
mod explored {
    pub(in crate::token_cache) use shuttle::sync::atomic::{AtomicBool, AtomicU64};
    pub(in crate::token_cache) use shuttle::sync::{Condvar, Mutex, MutexGuard};
    pub(in crate::token_cache) use shuttle::thread_local;

    use shuttle::thread::{Builder, JoinHandle};
    use std::io;
    use std::sync::{Arc, PoisonError};

    /// As `crate::threads::spawn`.
    pub(in crate::token_cache) fn spawn<T: Send + 'static>(
        name: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<JoinHandle<T>> {
        Builder::new().name(name.to_owned()).spawn(work)
    }

    pub(in crate::token_cache) use spawn as spawn_for_host;

    /// As `arc_swap::ArcSwap`. Other threads may run between two accesses.
    pub(in crate::token_cache) struct ArcSwap<T>(Mutex<Arc<T>>);

    impl<T> ArcSwap<T> {
        pub(in crate::token_cache) fn from_pointee(value: T) -> Self {
            ArcSwap(Mutex::new(Arc::new(value)))
        }

        pub(in crate::token_cache) fn load(&self) -> Arc<T> {
            self.load_full()
        }

        pub(in crate::token_cache) fn load_full(&self) -> Arc<T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub(in crate::token_cache) fn store(&self, value: Arc<T>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }

        pub(in crate::token_cache) fn compare_and_swap(
            &self,
            current: &Arc<T>,
            new: Arc<T>,
        ) -> Arc<T> {
            let mut value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let before = value.clone();
            if Arc::ptr_eq(&before, current) {
                *value = new;
            }
            before
        }
    }

    /// As `arc_swap::ArcSwapOption`. Other threads may run between two accesses.
    pub(in crate::token_cache) struct ArcSwapOption<T>(Mutex<Option<Arc<T>>>);

    impl<T> ArcSwapOption<T> {
        pub(in crate::token_cache) fn empty() -> Self {
            ArcSwapOption(Mutex::new(None))
        }

        pub(in crate::token_cache) fn load(&self) -> Option<Arc<T>> {
            self.load_full()
        }

        pub(in crate::token_cache) fn load_full(&self) -> Option<Arc<T>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
        }

        pub(in crate::token_cache) fn store(&self, value: Option<Arc<T>>) {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
        }
    }
}

#[cfg(feature = "shuttle")]
pub(super) use explored::*;
#[cfg(not(feature = "shuttle"))]
pub(super) use real::*;
