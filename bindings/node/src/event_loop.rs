//! The thread that runs JavaScript, as other threads reach it: what they ask of it waits here until that thread looks.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use napi::Env;
use napi::bindgen_prelude::{Either, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi_derive::napi;
use planetkey::secret::Secret;
use planetkey::{Error, Prompt, Status};

use crate::login::NativePrompt;

/// It does not keep the process alive: whoever awaits a call does.
type Wake = ThreadsafeFunction<(), (), (), napi::Status, false, true>;

/// A call of an application's storage, or of the function that asks a person.
pub(crate) enum Call {
    Load,
    Save(Option<Secret>),
    Lock(Duration),
    Unlock,
    Prompt(Box<Prompt>),
}

/// What JavaScript gave back.
pub(crate) enum Answer {
    Nothing,
    Text(Secret),
    Flag(bool),
}

/// A call as JavaScript takes it.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct CallValue {
    /// To be answered under this number.
    pub number: f64,
    /// Of this storage, or of this prompter.
    pub receiver: u32,
    /// `load`, `save`, `lock` or `unlock` of a storage, `prompt` of a prompter.
    pub name: &'static str,
    /// What to save; null removes it.
    pub text: Option<String>,
    /// How long to wait for the lock.
    pub timeout_ms: Option<f64>,
    /// What to show.
    pub prompt: Option<NativePrompt>,
}

#[derive(Default)]
struct State {
    last: u64,
    asked: VecDeque<(u64, u32, Call)>,
    /// Who waits, with what there is for them.
    waiting: HashMap<u64, Option<planetkey::Result<Answer>>>,
}

/// One thread of JavaScript. From any thread but that one calls wait for it; they fail with CANCELLED once it has ended.
pub(crate) struct Line {
    wake: OnceLock<Wake>,
    /// JavaScript has been told to look and has not begun yet.
    told: AtomicBool,
    closed: AtomicBool,
    state: Mutex<State>,
    answered: Condvar,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Nobody will look any more.
    fn close(&self) {
        let mut state = self.lock();
        self.closed.store(true, Ordering::Release);
        state.asked.clear();
        drop(state);
        self.answered.notify_all();
    }

    fn wake(&self) {
        let Some(wake) = self.wake.get() else { return };
        if self.told.swap(true, Ordering::AcqRel) {
            return;
        }
        // With an answer that nobody needs, what a terminated worker throws stays here.
        if wake.call_with_return_value((), ThreadsafeFunctionCallMode::NonBlocking, |_, _| Ok(())) == napi::Status::Closing {
            self.close();
        }
    }

    /// Has the call made there and waits for its answer; `None` when the time is up.
    ///
    /// Errors: CANCELLED when the thread has ended, and what JavaScript fails with.
    pub(crate) fn ask(&self, receiver: u32, call: Call, timeout: Duration) -> planetkey::Result<Option<Answer>> {
        let deadline = Instant::now() + timeout;
        let mut state = self.lock();
        state.last += 1;
        let number = state.last;
        state.waiting.insert(number, None);
        state.asked.push_back((number, receiver, call));
        drop(state);
        self.wake();
        let mut state = self.lock();
        loop {
            if let Some(answer) = state.waiting.get_mut(&number).and_then(Option::take) {
                state.waiting.remove(&number);
                return answer.map(Some);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if self.is_closed() || left.is_zero() {
                state.waiting.remove(&number);
                state.asked.retain(|(asked, ..)| *asked != number);
                return if self.is_closed() { Err(ended()) } else { Ok(None) };
            }
            state = self.answered.wait_timeout(state, left).map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    fn give(&self, number: f64, answer: planetkey::Result<Answer>) -> bool {
        let mut state = self.lock();
        let Some(waiting) = state.waiting.get_mut(&(number as u64)) else { return false };
        *waiting = Some(answer);
        drop(state);
        self.answered.notify_all();
        true
    }
}

fn ended() -> Error {
    Error::new(Status::Cancelled, "the program or worker thread that this session belongs to is ending")
}

/// The thread that made this.
#[napi]
pub struct EventLoop {
    line: Arc<Line>,
}

#[napi]
impl EventLoop {
    /// `look` is called on this thread when there is something to take.
    #[napi(constructor)]
    pub fn new(env: Env, look: Function<'_, (), ()>) -> napi::Result<Self> {
        let line = Arc::new(Line {
            wake: OnceLock::new(),
            told: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            state: Mutex::default(),
            answered: Condvar::new(),
        });
        let told = Arc::downgrade(&line);
        let wake = look.build_threadsafe_function::<()>().weak::<true>().build_callback(move |_| {
            // Before it looks, so that what is asked from now on is not missed.
            if let Some(line) = told.upgrade() {
                line.told.store(false, Ordering::Release);
            }
            Ok(())
        })?;
        // A line is made once, so the place is free.
        drop(line.wake.set(wake));
        // For a worker that is terminated, which runs no JavaScript any more.
        env.add_env_cleanup_hook(Arc::downgrade(&line), |line| {
            if let Some(line) = line.upgrade() {
                line.close();
            }
        })?;
        Ok(EventLoop { line })
    }

    /// The next call to make, in the order in which they were asked for.
    #[napi]
    pub fn next(&self) -> Option<CallValue> {
        let (number, receiver, call) = self.line.lock().asked.pop_front()?;
        let made = |name| CallValue { number: number as f64, receiver, name, text: None, timeout_ms: None, prompt: None };
        Some(match call {
            Call::Load => made("load"),
            Call::Save(text) => CallValue { text: text.map(|text| text.expose().to_owned()), ..made("save") },
            Call::Lock(timeout) => CallValue { timeout_ms: Some(timeout.as_millis() as f64), ..made("lock") },
            Call::Unlock => made("unlock"),
            Call::Prompt(prompt) => CallValue { prompt: Some(NativePrompt::from(*prompt)), ..made("prompt") },
        })
    }

    /// Answers a call; `false` when nobody waits for it any more.
    #[napi]
    pub fn answer(&self, number: f64, value: Option<Either<String, bool>>) -> bool {
        let answer = match value {
            None => Answer::Nothing,
            Some(Either::A(text)) => Answer::Text(Secret::from(text)),
            Some(Either::B(flag)) => Answer::Flag(flag),
        };
        self.line.give(number, Ok(answer))
    }

    /// A call failed, with STORAGE.
    #[napi]
    pub fn fail(&self, number: f64, message: String) -> bool {
        self.line.give(number, Err(Error::new(Status::Storage, message)))
    }

    /// A call gets no answer, and what it was made for ends with CANCELLED.
    #[napi]
    pub fn cancel(&self, number: f64, message: String) -> bool {
        self.line.give(number, Err(Error::new(Status::Cancelled, message)))
    }

    /// This thread makes no calls any more.
    #[napi]
    pub fn close(&self) {
        self.line.close();
    }
}

impl EventLoop {
    pub(crate) fn line(&self) -> Arc<Line> {
        Arc::clone(&self.line)
    }
}
