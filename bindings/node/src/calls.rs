//! The calls that the addon makes to JavaScript: an application's storage, its token provider, and
//! its prompts.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Either, Function};
use napi_derive::napi;
use planetkey::secret::Secret;
use planetkey::{Error, Prompt, ProvidedToken, Status};

use crate::event_loop::EventLoop;
use crate::own::Own;
use crate::prompt::NativePrompt;
use crate::provided::{NativeFailure, NativeProvidedToken};

/// The JavaScript thread that a session belongs to.
pub(crate) type JavaScript = EventLoop<Call, Answer>;

/// A call of a function of an application's storage, of its token provider, or of its prompt
/// function.
pub(crate) enum Call {
    Load,
    Save(Option<Secret>),
    Lock(Duration),
    Unlock,
    Prompt(Box<Prompt>),
    Token { timeout: Duration, rejected_token: Option<Secret> },
}

/// What the function returned.
pub(crate) enum Answer {
    Nothing,
    Text(Secret),
    Flag(bool),
    Token(ProvidedToken),
}

/// A call as JavaScript takes it.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct CallValue {
    /// JavaScript answers under this number.
    pub number: f64,
    /// The number of the storage, of the prompter or of the token provider.
    pub receiver: u32,
    /// `load`, `save`, `lock` or `unlock` of a storage, `prompt` of a prompter, `token` of a token
    /// provider.
    pub name: &'static str,
    /// The text to save; null deletes what was saved.
    pub text: Option<String>,
    /// How long to wait for the lock or the token, in milliseconds.
    pub timeout_ms: Option<f64>,
    /// The prompt to show.
    pub prompt: Option<NativePrompt>,
    /// The last token, if an API refused it with 401.
    pub rejected_token: Option<String>,
}

/// The event loop of the thread that made this object.
#[napi(js_name = "EventLoop")]
pub struct NativeEventLoop {
    javascript: Arc<JavaScript>,
}

#[napi]
impl NativeEventLoop {
    /// `look` is called on this thread when there are calls to take.
    #[napi(constructor)]
    pub fn new(env: Env, look: Function<'_, (), ()>) -> napi::Result<Self> {
        JavaScript::new(&env, &look).map(|javascript| NativeEventLoop { javascript })
    }

    /// The next call to make, in the order in which they were queued.
    #[napi]
    pub fn next(&self) -> Option<CallValue> {
        let queued = self.javascript.next()?;
        let value = |name| CallValue {
            number: queued.number as f64,
            receiver: queued.receiver,
            name,
            text: None,
            timeout_ms: None,
            prompt: None,
            rejected_token: None,
        };
        Some(match queued.call {
            Call::Load => value("load"),
            Call::Save(text) => {
                CallValue { text: text.map(|text| text.expose().to_owned()), ..value("save") }
            }
            Call::Lock(timeout) => {
                CallValue { timeout_ms: Some(timeout.as_millis() as f64), ..value("lock") }
            }
            Call::Unlock => value("unlock"),
            Call::Token { timeout, rejected_token } => CallValue {
                timeout_ms: Some(timeout.as_millis() as f64),
                rejected_token: rejected_token.map(|token| token.expose().to_owned()),
                ..value("token")
            },
            Call::Prompt(prompt) => {
                CallValue { prompt: Some(NativePrompt::from(*prompt)), ..value("prompt") }
            }
        })
    }

    /// Answers a call; `false` when no thread waits for it any more.
    #[napi]
    pub fn answer(&self, number: f64, value: Option<Either<String, bool>>) -> bool {
        let answer = match value {
            None => Answer::Nothing,
            Some(Either::A(text)) => Answer::Text(Secret::from(text)),
            Some(Either::B(flag)) => Answer::Flag(flag),
        };
        self.javascript.answer(number as u64, Ok(answer))
    }

    /// Answers a call with the error STORAGE.
    #[napi]
    pub fn fail(&self, number: f64, message: String) -> bool {
        self.javascript.answer(number as u64, Err(Error::new(Status::Storage, message)))
    }

    /// Answers a call of a token provider.
    #[napi]
    pub fn provide(&self, number: f64, token: Own<NativeProvidedToken>) -> bool {
        self.javascript.answer(number as u64, Ok(Answer::Token(token.0.core())))
    }

    /// Answers a call of a token provider with an error.
    #[napi]
    pub fn fail_with(&self, number: f64, failure: Own<NativeFailure>) -> bool {
        self.javascript.answer(number as u64, Err(failure.0.core()))
    }

    /// Answers a call with the error CANCELLED.
    #[napi]
    pub fn cancel(&self, number: f64, message: String) -> bool {
        self.javascript.answer(number as u64, Err(Error::new(Status::Cancelled, message)))
    }

    /// This thread takes no more calls.
    #[napi]
    pub fn close(&self) {
        self.javascript.close();
    }
}

impl NativeEventLoop {
    pub(crate) fn javascript(&self) -> Arc<JavaScript> {
        Arc::clone(&self.javascript)
    }
}
