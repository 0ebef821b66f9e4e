//! Logins of users.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::Object;
use napi_derive::napi;
use planetkey::clock::LONGEST_TIMEOUT;
use planetkey::login::Method;
use planetkey::{
    BrowserLogin, DeviceLogin, Error, LoginOptions, LoginResult, Prompt, Prompter, Status,
};

use crate::calls::{Answer, Call, JavaScript};
use crate::options::milliseconds;
use crate::prompt::NativePrompt;
use crate::wait::{self, Cancellation};

/// The prompter of this number in `lib/prompts.cjs`.
struct NodePrompter {
    javascript: Arc<JavaScript>,
    number: u32,
}

impl Prompter for NodePrompter {
    fn prompt(&self, prompt: &Prompt) -> planetkey::Result<Option<String>> {
        let timeout = prompt.expires_in.unwrap_or(LONGEST_TIMEOUT);
        match self.javascript.call(self.number, Call::Prompt(Box::new(prompt.clone())), timeout)? {
            Some(Answer::Text(answer)) => Ok(Some(answer.expose().to_owned())),
            Some(Answer::Nothing | Answer::Flag(_) | Answer::Token(_)) => Ok(None),
            None => Err(Error::new(
                Status::Timeout,
                "the time for the login has passed; start it again",
            )),
        }
    }
}

/// The options of a login. Without an option the core's default applies.
#[napi(object, object_to_js = false)]
pub struct NativeLoginOptions {
    /// `auto`, `browser`, `device` or `paste`.
    pub method: Option<String>,
    /// Whether a browser may be opened.
    pub open_browser: Option<bool>,
    /// Instead of the client's scopes.
    pub scopes: Option<Vec<String>>,
    /// The number of the prompter.
    pub prompter: Option<u32>,
    /// How long the user has, in milliseconds.
    pub timeout_ms: Option<f64>,
    /// Log in even if the session is valid.
    pub force: Option<bool>,
    /// Let a different user replace the saved session.
    pub allow_other_user: Option<bool>,
    /// HTML of the page after the login.
    pub page: Option<String>,
}

impl NativeLoginOptions {
    pub(crate) fn core(self, javascript: &Arc<JavaScript>) -> planetkey::Result<LoginOptions> {
        let prompter = |number| {
            Arc::new(NodePrompter { javascript: Arc::clone(javascript), number })
                as Arc<dyn Prompter>
        };
        let mut options = LoginOptions::default();
        options.method = self.method.as_deref().map_or(Ok(Method::default()), Method::from_name)?;
        options.open_browser = self.open_browser;
        options.scopes = self.scopes;
        options.prompter = self.prompter.map(prompter);
        options.timeout = self.timeout_ms.map(milliseconds);
        options.force = self.force.unwrap_or_default();
        options.allow_other_user = self.allow_other_user.unwrap_or_default();
        options.page = self.page;
        Ok(options)
    }
}

/// A LoginResult as JSON text.
pub(crate) fn login_result(result: LoginResult) -> String {
    result.to_json().to_string()
}

/// A pending login on any device.
#[napi(js_name = "DeviceLogin")]
pub struct NativeDeviceLogin {
    pub(crate) core: DeviceLogin,
    pub(crate) javascript: Arc<JavaScript>,
}

#[napi]
impl NativeDeviceLogin {
    /// The code to enter or to compare.
    #[napi(getter)]
    pub fn user_code(&self) -> &str {
        self.core.user_code()
    }

    /// The address at which the code is entered.
    #[napi(getter)]
    pub fn verification_uri(&self) -> &str {
        self.core.verification_uri()
    }

    /// The address that contains the code.
    #[napi(getter)]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete()
    }

    /// How long the login can still be completed, in milliseconds.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> f64 {
        self.core.expires_in().as_millis() as f64
    }

    /// How long to wait before the next poll, in milliseconds.
    #[napi(getter)]
    pub fn poll_interval_ms(&self) -> f64 {
        self.core.poll_interval().as_millis() as f64
    }

    /// What to show.
    #[napi(getter)]
    pub fn prompt(&self) -> NativePrompt {
        NativePrompt::from(self.core.prompt())
    }

    /// Continues the login: its LoginResult as JSON text, or null while it is pending.
    #[napi]
    pub fn poll<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            core.with_interrupt(interrupt).poll().map(|result| result.map(login_result))
        })
    }

    /// Waits until the user has logged in.
    #[napi]
    pub fn wait<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        timeout_ms: Option<f64>,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            core.with_interrupt(interrupt).wait(timeout_ms.map(milliseconds)).map(login_result)
        })
    }

    /// Cancels the login.
    #[napi]
    pub fn cancel<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, &Cancellation::default(), Arc::clone(&self.javascript), move |_| {
            core.cancel();
            Ok(())
        })
    }
}

/// A pending login in a browser.
#[napi(js_name = "BrowserLogin")]
pub struct NativeBrowserLogin {
    pub(crate) core: BrowserLogin,
    pub(crate) javascript: Arc<JavaScript>,
}

#[napi]
impl NativeBrowserLogin {
    /// The address to open.
    #[napi(getter)]
    pub fn authorization_url(&self) -> &str {
        self.core.authorization_url()
    }

    /// The address that the browser is redirected to.
    #[napi(getter)]
    pub fn redirect_uri(&self) -> &str {
        self.core.redirect_uri()
    }

    /// How long the login can still be completed, in milliseconds.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> f64 {
        self.core.expires_in().as_millis() as f64
    }

    /// How long to wait before the next poll, in milliseconds.
    #[napi(getter)]
    pub fn poll_interval_ms(&self) -> f64 {
        self.core.poll_interval().as_millis() as f64
    }

    /// Continues the login: its LoginResult as JSON text, or null while it is pending.
    #[napi]
    pub fn poll<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            core.with_interrupt(interrupt).poll().map(|result| result.map(login_result))
        })
    }

    /// Waits until the user has logged in.
    #[napi]
    pub fn wait<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        timeout_ms: Option<f64>,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            core.with_interrupt(interrupt).wait(timeout_ms.map(milliseconds)).map(login_result)
        })
    }

    /// Completes the login with the address that the browser ended at.
    #[napi]
    pub fn complete<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        callback_url: String,
    ) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            core.with_interrupt(interrupt).complete(&callback_url).map(login_result)
        })
    }

    /// Cancels the login. Its sockets are closed when the promise is settled.
    #[napi]
    pub fn cancel<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let core = self.core.clone();
        wait::start(env, &Cancellation::default(), Arc::clone(&self.javascript), move |_| {
            core.cancel();
            Ok(())
        })
    }
}
