//! Logins of people.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;
use planetkey::login::Method;
use planetkey::{BrowserLogin, DeviceLogin, Error, LoginOptions, LoginResult, Progress, Prompt, Prompter, Status};

use crate::event_loop::{Answer, Call, Line};
use crate::options::whole;
use crate::wait::{self, Cancellation};

/// The longest time that a login may take.
const A_DAY_MS: u64 = 24 * 3600 * 1000;

/// What a person must see.
#[napi(js_name = "Prompt")]
pub struct NativePrompt {
    core: Prompt,
}

impl From<Prompt> for NativePrompt {
    fn from(core: Prompt) -> Self {
        NativePrompt { core }
    }
}

#[napi]
impl NativePrompt {
    /// `browser`, `device`, `paste` or `other_user`.
    #[napi(getter)]
    pub fn kind(&self) -> &'static str {
        self.core.kind.name()
    }

    /// All that must be said.
    #[napi(getter)]
    pub fn message(&self) -> &str {
        &self.core.message
    }

    /// The address to open.
    #[napi(getter)]
    pub fn url(&self) -> Option<&str> {
        self.core.url.as_deref()
    }

    /// The code to enter or to compare.
    #[napi(getter)]
    pub fn user_code(&self) -> Option<&str> {
        self.core.user_code.as_deref()
    }

    /// Where it is entered.
    #[napi(getter)]
    pub fn verification_uri(&self) -> Option<&str> {
        self.core.verification_uri.as_deref()
    }

    /// The address that holds it already.
    #[napi(getter)]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete.as_deref()
    }

    /// How long there is for it.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> Option<f64> {
        self.core.expires_in_ms.map(|milliseconds| milliseconds as f64)
    }

    /// Whether a browser was opened.
    #[napi(getter)]
    pub fn browser_opened(&self) -> bool {
        self.core.browser_opened
    }

    /// The address as a QR code.
    #[napi]
    pub fn qr_code(&self, ascii: bool) -> Option<String> {
        self.core.qr_code(ascii)
    }
}

/// The prompter of this number in `lib/prompts.cjs`.
struct NodePrompter {
    line: Arc<Line>,
    number: u32,
}

impl Prompter for NodePrompter {
    fn prompt(&self, prompt: &Prompt) -> planetkey::Result<Option<String>> {
        let patience = Duration::from_millis(prompt.expires_in_ms.unwrap_or(A_DAY_MS));
        match self.line.ask(self.number, Call::Prompt(Box::new(prompt.clone())), patience)? {
            Some(Answer::Text(answer)) => Ok(Some(answer.expose().to_owned())),
            Some(Answer::Nothing | Answer::Flag(_)) => Ok(None),
            None => Err(Error::new(Status::Timeout, "nobody logged in within the time; start the login again")),
        }
    }
}

/// What a login takes; absent means the core's default.
#[napi(object, object_to_js = false)]
pub struct NativeLoginOptions {
    /// `auto`, `browser`, `device` or `paste`.
    pub method: Option<String>,
    /// Whether a browser may be opened.
    pub open_browser: Option<bool>,
    /// In place of the client's.
    pub scopes: Option<Vec<String>>,
    /// The number of who asks the person.
    pub prompter: Option<u32>,
    /// The person's time.
    pub timeout_ms: Option<f64>,
    /// Ask in any case.
    pub force: Option<bool>,
    /// Let somebody else take the session over.
    pub allow_other_user: Option<bool>,
    /// HTML of the last page.
    pub page: Option<String>,
}

impl NativeLoginOptions {
    pub(crate) fn core(self, line: &Arc<Line>) -> planetkey::Result<LoginOptions> {
        let prompter = |number| Arc::new(NodePrompter { line: Arc::clone(line), number }) as Arc<dyn Prompter>;
        Ok(LoginOptions {
            method: self.method.as_deref().map_or(Ok(Method::default()), Method::from_name)?,
            open_browser: self.open_browser,
            scopes: self.scopes,
            prompter: self.prompter.map(prompter),
            timeout_ms: self.timeout_ms.map(whole),
            force: self.force.unwrap_or_default(),
            allow_other_user: self.allow_other_user.unwrap_or_default(),
            page: self.page,
            browser_opener: None,
        })
    }
}

/// What a login has brought, as JSON text.
pub(crate) fn logged_in(logged_in: LoginResult) -> String {
    logged_in.to_json().to_string()
}

/// How far a login is: one or the other.
#[napi(object, object_from_js = false, use_nullable = true)]
pub struct ProgressValue {
    /// JSON text.
    pub logged_in: Option<String>,
    /// When to ask again.
    pub next_poll_ms: Option<f64>,
}

impl From<Progress> for ProgressValue {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::LoggedIn(core) => ProgressValue { logged_in: Some(logged_in(core)), next_poll_ms: None },
            Progress::Pending { next_poll_ms } => ProgressValue { logged_in: None, next_poll_ms: Some(next_poll_ms as f64) },
        }
    }
}

/// A login on any device that is under way.
#[napi(js_name = "DeviceLogin")]
pub struct NativeDeviceLogin {
    pub(crate) core: DeviceLogin,
    pub(crate) line: Arc<Line>,
}

#[napi]
impl NativeDeviceLogin {
    /// The code to enter or to compare.
    #[napi(getter)]
    pub fn user_code(&self) -> &str {
        self.core.user_code()
    }

    /// Where it is entered.
    #[napi(getter)]
    pub fn verification_uri(&self) -> &str {
        self.core.verification_uri()
    }

    /// The address that holds it already.
    #[napi(getter)]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete()
    }

    /// How long there is for it.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> f64 {
        self.core.expires_in_ms() as f64
    }

    /// What to show.
    #[napi(getter)]
    pub fn prompt(&self) -> NativePrompt {
        NativePrompt::from(self.core.prompt())
    }

    /// How far it is.
    #[napi]
    pub fn poll<'env>(&self, env: &'env Env, cancellation: &Cancellation) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| {
            core.with_interrupt(interrupt).poll().map(ProgressValue::from)
        })
    }

    /// Waits for the person.
    #[napi]
    pub fn wait<'env>(&self, env: &'env Env, cancellation: &Cancellation, timeout_ms: Option<f64>) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| {
            core.with_interrupt(interrupt).wait(timeout_ms.map(whole)).map(logged_in)
        })
    }

    /// Ends it.
    #[napi]
    pub fn cancel<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, &Cancellation::default(), Arc::clone(&self.line), move |_| {
            core.cancel();
            Ok(())
        })
    }
}

/// A login in a browser that is under way.
#[napi(js_name = "BrowserLogin")]
pub struct NativeBrowserLogin {
    pub(crate) core: BrowserLogin,
    pub(crate) line: Arc<Line>,
}

#[napi]
impl NativeBrowserLogin {
    /// The address to open.
    #[napi(getter)]
    pub fn authorization_url(&self) -> &str {
        self.core.authorization_url()
    }

    /// Where the browser returns to.
    #[napi(getter)]
    pub fn redirect_uri(&self) -> &str {
        self.core.redirect_uri()
    }

    /// How long there is for it.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> f64 {
        self.core.expires_in_ms() as f64
    }

    /// How far it is.
    #[napi]
    pub fn poll<'env>(&self, env: &'env Env, cancellation: &Cancellation) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| {
            core.with_interrupt(interrupt).poll().map(ProgressValue::from)
        })
    }

    /// Waits for the person.
    #[napi]
    pub fn wait<'env>(&self, env: &'env Env, cancellation: &Cancellation, timeout_ms: Option<f64>) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| {
            core.with_interrupt(interrupt).wait(timeout_ms.map(whole)).map(logged_in)
        })
    }

    /// Ends it with the address that the browser ended at.
    #[napi]
    pub fn complete<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        callback_url: String,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| {
            core.with_interrupt(interrupt).complete(&callback_url).map(logged_in)
        })
    }

    /// Ends it; its sockets are closed when the promise is settled.
    #[napi]
    pub fn cancel<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, &Cancellation::default(), Arc::clone(&self.line), move |_| {
            core.cancel();
            Ok(())
        })
    }
}
