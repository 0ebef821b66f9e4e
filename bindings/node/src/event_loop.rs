//! The event loop of one JavaScript thread, as other threads reach it.
//!
//! Another thread queues a call, wakes the event loop and waits for the answer. JavaScript takes
//! the calls in their order and answers each by its number. What a call and an answer are is
//! decided by the module `calls`.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use napi::Env;
use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use planetkey::{Error, Status};

/// Weak: it does not keep the process alive. The promise of the call that waits does.
type Wake = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

/// A call that JavaScript has to make.
pub(crate) struct Queued<C> {
    /// JavaScript answers under this number.
    pub(crate) number: u64,
    /// The object of JavaScript that the call is for.
    pub(crate) receiver: u32,
    pub(crate) call: C,
}

struct Queue<C, A> {
    last_number: u64,
    queued: VecDeque<Queued<C>>,
    /// The calls whose thread waits, each with its answer once there is one.
    waiting: HashMap<u64, Option<planetkey::Result<A>>>,
}

/// Carries calls `C` to one JavaScript thread and answers `A` back.
///
/// Threads other than that one wait for their answers. They fail with CANCELLED once the JavaScript
/// thread has ended.
pub(crate) struct EventLoop<C, A> {
    wake: OnceLock<Wake>,
    /// JavaScript was woken and has not looked yet.
    is_woken: AtomicBool,
    is_closed: AtomicBool,
    queue: Mutex<Queue<C, A>>,
    answered: Condvar,
}

impl<C: Send + 'static, A: Send + 'static> EventLoop<C, A> {
    /// The event loop of the current thread. `look` is called on it when there are calls to take.
    pub(crate) fn new(env: &Env, look: &Function<'_, (), ()>) -> napi::Result<Arc<Self>> {
        let queue = Queue { last_number: 0, queued: VecDeque::new(), waiting: HashMap::new() };
        let event_loop = Arc::new(EventLoop {
            wake: OnceLock::new(),
            is_woken: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            queue: Mutex::new(queue),
            answered: Condvar::new(),
        });
        let woken = Arc::downgrade(&event_loop);
        let wake =
            look.build_threadsafe_function::<()>().weak::<true>().build_callback(move |_| {
                // Before JavaScript looks, so that a call that is queued from now on wakes it
                // again.
                if let Some(event_loop) = woken.upgrade() {
                    event_loop.is_woken.store(false, Ordering::Release);
                }
                Ok(())
            })?;
        // An event loop is made once, so the cell is empty.
        drop(event_loop.wake.set(wake));
        // A worker that is terminated runs no JavaScript any more, and cannot call `close`.
        env.add_env_cleanup_hook(Arc::downgrade(&event_loop), |event_loop| {
            if let Some(event_loop) = event_loop.upgrade() {
                event_loop.close();
            }
        })?;
        Ok(event_loop)
    }

    /// Queues the call and waits for its answer; `None` after `timeout`.
    ///
    /// Errors: CANCELLED when the JavaScript thread has ended, and the error that JavaScript
    /// answers.
    pub(crate) fn call(
        &self,
        receiver: u32,
        call: C,
        timeout: Duration,
    ) -> planetkey::Result<Option<A>> {
        let deadline = Instant::now() + timeout;
        let mut queue = self.lock();
        queue.last_number += 1;
        let number = queue.last_number;
        queue.waiting.insert(number, None);
        queue.queued.push_back(Queued { number, receiver, call });
        drop(queue);
        self.wake();
        let mut queue = self.lock();
        loop {
            if let Some(answer) = queue.waiting.get_mut(&number).and_then(Option::take) {
                queue.waiting.remove(&number);
                return answer.map(Some);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.is_closed() || left.is_zero() {
                queue.waiting.remove(&number);
                queue.queued.retain(|queued| queued.number != number);
                return if self.is_closed() { Err(ended()) } else { Ok(None) };
            }
            queue = match self.answered.wait_timeout(queue, left) {
                Ok((queue, _)) => queue,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    fn wake(&self) {
        let Some(wake) = self.wake.get() else { return };
        if self.is_woken.swap(true, Ordering::AcqRel) {
            return;
        }
        // With a return value, so that what a terminated worker throws ends here.
        let mode = ThreadsafeFunctionCallMode::NonBlocking;
        if wake.call_with_return_value((), mode, |_, _| Ok(())) == napi::Status::Closing {
            self.close();
        }
    }
}

impl<C, A> EventLoop<C, A> {
    fn lock(&self) -> MutexGuard<'_, Queue<C, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// The JavaScript thread takes no more calls. All that wait fail with CANCELLED.
    pub(crate) fn close(&self) {
        let mut queue = self.lock();
        self.is_closed.store(true, Ordering::Release);
        queue.queued.clear();
        drop(queue);
        self.answered.notify_all();
    }

    /// The next call to make.
    pub(crate) fn next(&self) -> Option<Queued<C>> {
        self.lock().queued.pop_front()
    }

    /// Answers the call of this number; `false` when no thread waits for it any more.
    pub(crate) fn answer(&self, number: u64, answer: planetkey::Result<A>) -> bool {
        let mut queue = self.lock();
        let Some(waiting) = queue.waiting.get_mut(&number) else { return false };
        *waiting = Some(answer);
        drop(queue);
        self.answered.notify_all();
        true
    }
}

fn ended() -> Error {
    Error::new(Status::Cancelled, "the program or worker thread of this session is ending")
}
