//! `planetkey::Session` as an object of JavaScript.

use std::sync::Arc;

use napi::Env;
use napi::bindgen_prelude::{
    Function, FunctionCallContext, JsObjectValue, Object, ToNapiValue, retain_current_module_for_unload_safety,
};
use napi_derive::napi;
use planetkey::{ApiKeyTransport, Options, Session};

use crate::error::{guarded, raise};
use crate::event_loop::{EventLoop, Line};
use crate::login::{NativeBrowserLogin, NativeDeviceLogin, NativeLoginOptions, logged_in};
use crate::options::{NativeOptions, whole};
use crate::own::{Own, property};
use crate::values::{AuthorizationValue, LogoutValue, TokenValue, header_key, json, key};
use crate::wait::{self, Cancellation};

/// A session. Everything that fails throws; nothing here waits for anything but the threads of the calls that give a promise.
#[napi(js_name = "Session")]
pub struct NativeSession {
    session: Session,
    line: Arc<Line>,
    timeout_ms: u64,
}

/// The key of what cannot be kept, or is not there.
const ASK: f64 = -1.0;

fn open(
    env: &Env,
    event_loop: &EventLoop,
    options: &NativeOptions,
    body: impl FnOnce(&Options) -> planetkey::Result<Session>,
) -> napi::Result<NativeSession> {
    // A renewal runs on a thread of its own, which may live longer than the worker that loaded the addon.
    retain_current_module_for_unload_safety();
    let line = event_loop.line();
    let timeout_ms = options.timeout_ms();
    let options = options.core(&line);
    call(env, || body(&options)).map(|session| NativeSession { session, line, timeout_ms })
}

fn call<T>(env: &Env, body: impl FnOnce() -> planetkey::Result<T>) -> napi::Result<T> {
    guarded(body).map_err(|error| raise(env, &error))
}

#[napi]
impl NativeSession {
    /// What environment and files offer.
    #[napi(factory)]
    pub fn from_defaults(env: Env, event_loop: &EventLoop, options: Own<NativeOptions>) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, Session::from_defaults)
    }

    /// A saved or built-in profile.
    #[napi(factory)]
    pub fn from_profile(env: Env, event_loop: &EventLoop, name: String, options: Own<NativeOptions>) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| Session::from_profile(&name, options))
    }

    /// An API key.
    #[napi(factory)]
    pub fn from_api_key(
        env: Env,
        event_loop: &EventLoop,
        api_key: String,
        transport: Option<String>,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| {
            let transport = transport.as_deref().map_or(Ok(ApiKeyTransport::default()), ApiKeyTransport::from_name)?;
            Session::from_api_key(&api_key, transport, options)
        })
    }

    /// A machine-to-machine client.
    #[napi(factory, js_name = "fromM2m")]
    pub fn from_m2m(
        env: Env,
        event_loop: &EventLoop,
        client_id: String,
        client_secret: String,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |core| Session::from_m2m(&client_id, &client_secret, &options.0.m2m(), core))
    }

    /// Any registered client, as JSON text.
    #[napi(factory)]
    pub fn from_client_config(env: Env, event_loop: &EventLoop, json: String, options: Own<NativeOptions>) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| Session::from_client_config(&json, options))
    }

    /// Functions for hot loops. Each answers with a number that stays the same as long as what JavaScript kept for it is
    /// still right; a negative number tells it to ask in full. No string is made.
    #[napi]
    pub fn cached_keys<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let session = self.session.clone();
        let access_token: Function<'_, (), f64> =
            env.create_function_from_closure("accessTokenKey", move |context: FunctionCallContext| {
                let token = session.access_token_cached();
                let key = token.map(|token| token.map_or(ASK, |token| token.generation() as f64));
                key.map_err(|error| raise(context.env, &error))
            })?;
        let access_token = property(env, "accessToken", access_token)?;
        let session = self.session.clone();
        let headers: Function<'_, (String,), f64> =
            env.create_function_from_closure("headersKey", move |context: FunctionCallContext| {
                let key = session.with_header_cached(&context.get::<String>(0)?, header_key);
                key.map(|key| key.unwrap_or(ASK)).map_err(|error| raise(context.env, &error))
            })?;
        let headers = property(env, "headers", headers)?;
        let session = self.session.clone();
        let authorize: Function<'_, (String,), f64> =
            env.create_function_from_closure("authorizeKey", move |context: FunctionCallContext| {
                let url = context.get::<String>(0)?;
                let authorization = session.authorize_cached(&url);
                // What is kept does not say which URL it was for.
                let kept = authorization.map(|authorization| authorization.filter(|authorization| authorization.url() == url));
                let key = kept.map(|authorization| authorization.map_or(ASK, |authorization| key(&authorization)));
                key.map_err(|error| raise(context.env, &error))
            })?;
        let authorize = property(env, "authorize", authorize)?;
        let mut functions = Object::new(env)?;
        functions.define_properties(&[access_token, headers, authorize])?;
        Ok(functions)
    }

    /// The cached access token.
    #[napi]
    pub fn access_token_cached(&self, env: Env) -> napi::Result<Option<TokenValue>> {
        call(&env, || Ok(self.session.access_token_cached()?.map(TokenValue::from)))
    }

    /// What a request to this URL carries, if nothing has to be waited for.
    #[napi]
    pub fn authorize_cached(&self, env: Env, url: String) -> napi::Result<Option<AuthorizationValue>> {
        call(&env, || Ok(self.session.authorize_cached(&url)?.map(AuthorizationValue::from)))
    }

    /// The same, refused where headers alone do not do.
    #[napi]
    pub fn headers_cached(&self, env: Env, url: String) -> napi::Result<Option<AuthorizationValue>> {
        call(&env, || Ok(self.session.headers_cached(&url)?.map(AuthorizationValue::from)))
    }

    /// A valid access token. `waited_ms` of the deadline are already gone, here and below.
    #[napi]
    pub fn access_token<'env>(&self, env: &'env Env, cancellation: &Cancellation, waited_ms: f64) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, |session| session.access_token().map(TokenValue::from))
    }

    /// What a request to this URL carries.
    #[napi]
    pub fn authorize<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        url: String,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| session.authorize(&url).map(AuthorizationValue::from))
    }

    /// The same, refused where headers alone do not do.
    #[napi]
    pub fn headers<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        url: String,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| session.headers(&url).map(AuthorizationValue::from))
    }

    /// Renews now.
    #[napi]
    pub fn refresh<'env>(&self, env: &'env Env, cancellation: &Cancellation, waited_ms: f64) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, Session::refresh)
    }

    /// Makes sure that somebody is logged in; gives JSON text.
    #[napi]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        options: Own<NativeLoginOptions>,
    ) -> napi::Result<Object<'env>> {
        let options = call(env, || options.0.core(&self.line))?;
        self.start(env, cancellation, 0.0, move |session| session.login(&options).map(logged_in))
    }

    /// Starts a login on any device.
    #[napi]
    pub fn start_device_login<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        options: Own<NativeLoginOptions>,
    ) -> napi::Result<Object<'env>> {
        let (options, line) = (call(env, || options.0.core(&self.line))?, Arc::clone(&self.line));
        self.start(env, cancellation, 0.0, move |session| {
            session.start_device_login(&options).map(|core| NativeDeviceLogin { core, line })
        })
    }

    /// Starts a login in a browser.
    #[napi]
    pub fn start_browser_login<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        options: Own<NativeLoginOptions>,
    ) -> napi::Result<Object<'env>> {
        let (options, line) = (call(env, || options.0.core(&self.line))?, Arc::clone(&self.line));
        self.start(env, cancellation, 0.0, move |session| {
            session.start_browser_login(&options).map(|core| NativeBrowserLogin { core, line })
        })
    }

    /// Forgets the tokens.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        revoke: bool,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| session.logout(revoke).map(LogoutValue::from))
    }

    /// What the server says of the person who is logged in; gives JSON text, as the next two do.
    #[napi]
    pub fn userinfo<'env>(&self, env: &'env Env, cancellation: &Cancellation, waited_ms: f64) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, |session| session.userinfo().map(json))
    }

    /// The verified claims of the session's ID token.
    #[napi]
    pub fn id_token_claims<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, |session| session.id_token_claims().map(json))
    }

    /// What the server says of a token, or of the session's own.
    #[napi]
    pub fn introspect<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        token: Option<String>,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| session.introspect(token.as_deref()).map(json))
    }

    /// The URL with the API key in it.
    #[napi]
    pub fn signed_url(&self, env: Env, url: String) -> napi::Result<String> {
        call(&env, || self.session.signed_url(&url))
    }

    /// The API key itself.
    #[napi]
    pub fn api_key(&self, env: Env) -> napi::Result<String> {
        call(&env, || self.session.api_key())
    }

    /// An API answered 401 with this token.
    #[napi]
    pub fn invalidate(&self, env: Env, access_token: String) -> napi::Result<bool> {
        call(&env, || self.session.invalidate(&access_token))
    }

    /// An API answered so: whether to repeat the request once.
    #[napi]
    pub fn should_retry(
        &self,
        env: Env,
        access_token: String,
        http_status: u16,
        www_authenticate: Option<String>,
    ) -> napi::Result<bool> {
        call(&env, || self.session.should_retry(&access_token, http_status, www_authenticate.as_deref()))
    }

    /// What this session is, as JSON text.
    #[napi]
    pub fn status(&self, env: Env) -> napi::Result<String> {
        call(&env, || Ok(self.session.status().to_json().to_string()))
    }

    /// Whether a call could succeed.
    #[napi]
    pub fn is_initialized(&self, env: Env) -> napi::Result<bool> {
        call(&env, || Ok(self.session.is_initialized()))
    }

    /// How long a call may wait.
    #[napi(getter)]
    pub fn timeout_ms(&self) -> f64 {
        self.timeout_ms as f64
    }

    /// The same session with another deadline.
    #[napi]
    pub fn with_timeout_ms(&self, env: Env, timeout_ms: f64) -> napi::Result<NativeSession> {
        let timeout_ms = whole(timeout_ms);
        let session = call(&env, || Ok(self.session.with_timeout_ms(timeout_ms)))?;
        Ok(NativeSession { session, line: Arc::clone(&self.line), timeout_ms })
    }
}

impl NativeSession {
    fn start<'env, T: ToNapiValue + Send + 'static>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        body: impl FnOnce(&Session) -> planetkey::Result<T> + Send + 'static,
    ) -> napi::Result<Object<'env>> {
        let session = match whole(waited_ms) {
            0 => self.session.clone(),
            waited => self.session.with_timeout_ms(self.timeout_ms.saturating_sub(waited)),
        };
        wait::start(env, cancellation, Arc::clone(&self.line), move |interrupt| body(&session.with_interrupt(interrupt)))
    }
}
