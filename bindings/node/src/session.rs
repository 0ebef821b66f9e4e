//! `planetkey::Session` as an object of JavaScript.

use std::sync::Arc;
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{
    Either, Null, Object, ToNapiValue, retain_current_module_for_unload_safety,
};
use napi_derive::napi;
use planetkey::{ApiKeyTransport, ApiResponse, Immediate, Options, Session};

use crate::calls::{JavaScript, NativeEventLoop};
use crate::error::{guarded, raise};
use crate::login::{NativeBrowserLogin, NativeDeviceLogin, NativeLoginOptions, login_result};
use crate::lookups::lookups;
use crate::options::{NativeOptions, milliseconds};
use crate::own::Own;
use crate::provider::NodeProvider;
use crate::values::{AuthorizationValue, LogoutValue, NOT_KEPT, TokenValue, json};
use crate::wait::{self, Cancellation};

/// A session. Failures throw. Only the functions that return a promise wait, on threads of their
/// own.
#[napi(js_name = "Session")]
pub struct NativeSession {
    session: Session,
    javascript: Arc<JavaScript>,
    timeout: Duration,
}

/// An API's response, with the request that it belongs to.
#[napi(object, object_to_js = false)]
pub struct NativeResponse {
    /// The URL of the request.
    pub url: String,
    /// The `Authorization` header that the request carried.
    pub sent: Option<String>,
    /// The HTTP status of the response.
    pub http_status: u16,
    /// Its `WWW-Authenticate` header.
    pub www_authenticate: Option<String>,
    /// Whether the request can be sent again.
    pub can_repeat: bool,
}

impl NativeResponse {
    fn core(&self) -> ApiResponse<'_> {
        let mut response = ApiResponse::new(&self.url, self.http_status);
        response.sent = self.sent.as_deref();
        response.www_authenticate = self.www_authenticate.as_deref();
        response.can_repeat = self.can_repeat;
        response
    }
}

fn open(
    env: &Env,
    event_loop: &NativeEventLoop,
    options: &NativeOptions,
    body: impl FnOnce(&Options) -> planetkey::Result<Session>,
) -> napi::Result<NativeSession> {
    // A refresh runs on its own thread, which may outlive the worker that loaded the addon.
    retain_current_module_for_unload_safety();
    let javascript = event_loop.javascript();
    let timeout = options.timeout();
    let options = options.core(&javascript);
    call(env, || body(&options)).map(|session| NativeSession { session, javascript, timeout })
}

fn call<T>(env: &Env, body: impl FnOnce() -> planetkey::Result<T>) -> napi::Result<T> {
    guarded(body).map_err(|error| raise(env, &error))
}

#[napi]
impl NativeSession {
    /// What the environment and files offer.
    #[napi(factory)]
    pub fn from_defaults(
        env: Env,
        event_loop: &NativeEventLoop,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, Session::from_defaults)
    }

    /// A saved or built-in profile.
    #[napi(factory)]
    pub fn from_profile(
        env: Env,
        event_loop: &NativeEventLoop,
        name: String,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| Session::from_profile(&name, options))
    }

    /// An API key.
    #[napi(factory)]
    pub fn from_api_key(
        env: Env,
        event_loop: &NativeEventLoop,
        api_key: String,
        transport: Option<String>,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| {
            let transport = transport
                .as_deref()
                .map_or(Ok(ApiKeyTransport::default()), ApiKeyTransport::from_name)?;
            Session::from_api_key(&api_key, transport, options)
        })
    }

    /// An M2M client.
    #[napi(factory, js_name = "fromM2m")]
    pub fn from_m2m(
        env: Env,
        event_loop: &NativeEventLoop,
        client_id: String,
        client_secret: String,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| {
            Session::from_m2m(&client_id, &client_secret, options)
        })
    }

    /// Any registered client, as JSON text.
    #[napi(factory)]
    pub fn from_client_config(
        env: Env,
        event_loop: &NativeEventLoop,
        json: String,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        open(&env, event_loop, &options.0, |options| Session::from_client_config(&json, options))
    }

    /// Tokens of the token provider with this number.
    #[napi(factory)]
    pub fn from_token_provider(
        env: Env,
        event_loop: &NativeEventLoop,
        number: u32,
        options: Own<NativeOptions>,
    ) -> napi::Result<Self> {
        let javascript = event_loop.javascript();
        open(&env, event_loop, &options.0, |options| {
            Session::from_token_provider(Arc::new(NodeProvider { javascript, number }), options)
        })
    }

    /// Functions for hot loops; the module `lookups` describes them.
    #[napi]
    pub fn lookups<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        lookups(env, &self.session)
    }

    /// What follows an API's response. Null: it is final. True: repeat the request once, as soon as
    /// there is an authorization for its URL. Else: repeat it once, with this authorization.
    #[napi]
    pub fn after_response(
        &self,
        env: Env,
        response: Own<NativeResponse>,
    ) -> napi::Result<Option<Either<bool, AuthorizationValue>>> {
        call(&env, || {
            Ok(match self.session.after_api_response_cached(&response.0.core())? {
                Immediate::Authorization(repeat) => {
                    Some(Either::B(AuthorizationValue::new(&repeat, NOT_KEPT, false)))
                }
                Immediate::Nothing => None,
                _ => Some(Either::A(true)),
            })
        })
    }

    /// A valid access token. The caller has waited for `waited_ms` already, here and below.
    #[napi]
    pub fn access_token<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, |session| {
            session.access_token().map(TokenValue::from)
        })
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
        self.start(env, cancellation, waited_ms, move |session| {
            session.authorize(&url).map(AuthorizationValue::from)
        })
    }

    /// The same; null for a URL that no credential of this session may go to.
    #[napi]
    pub fn authorize_if_served<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        url: String,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| {
            let authorization = session.authorize_if_served(&url)?;
            Ok(authorization.map_or(Either::A(Null), |authorization| {
                Either::B(AuthorizationValue::from(authorization))
            }))
        })
    }

    /// The same; INVALID_ARGUMENT if the credential is sent in the URL.
    #[napi]
    pub fn headers<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        url: String,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| {
            session.headers(&url).map(AuthorizationValue::from)
        })
    }

    /// Refreshes the access token now.
    #[napi]
    pub fn refresh<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, Session::refresh)
    }

    /// Logs the user in. Returns JSON text.
    #[napi]
    pub fn login<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        options: Own<NativeLoginOptions>,
    ) -> napi::Result<Object<'env>> {
        let options = call(env, || options.0.core(&self.javascript))?;
        self.start(env, cancellation, 0.0, move |session| session.login(&options).map(login_result))
    }

    /// Starts a login on any device.
    #[napi]
    pub fn start_device_login<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        options: Own<NativeLoginOptions>,
    ) -> napi::Result<Object<'env>> {
        let (options, javascript) =
            (call(env, || options.0.core(&self.javascript))?, Arc::clone(&self.javascript));
        self.start(env, cancellation, 0.0, move |session| {
            session.start_device_login(&options).map(|core| NativeDeviceLogin { core, javascript })
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
        let (options, javascript) =
            (call(env, || options.0.core(&self.javascript))?, Arc::clone(&self.javascript));
        self.start(env, cancellation, 0.0, move |session| {
            session
                .start_browser_login(&options)
                .map(|core| NativeBrowserLogin { core, javascript })
        })
    }

    /// Deletes the tokens.
    #[napi]
    pub fn logout<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        revoke: bool,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| {
            session.logout(revoke.into()).map(LogoutValue::from)
        })
    }

    /// What the server says about the user who is logged in, as JSON text, like the next two.
    #[napi]
    pub fn userinfo<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
    ) -> napi::Result<Object<'env>> {
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

    /// What the server says about a token, or the session's own.
    #[napi]
    pub fn introspect<'env>(
        &self,
        env: &'env Env,
        cancellation: &Cancellation,
        waited_ms: f64,
        token: Option<String>,
    ) -> napi::Result<Object<'env>> {
        self.start(env, cancellation, waited_ms, move |session| {
            session.introspect(token.as_deref()).map(json)
        })
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

    /// Takes a token out of use that an API refused.
    #[napi]
    pub fn invalidate(&self, env: Env, access_token: String) -> napi::Result<bool> {
        call(&env, || self.session.invalidate(&access_token))
    }

    /// What this session is, as JSON text.
    #[napi]
    pub fn status(&self, env: Env) -> napi::Result<String> {
        call(&env, || Ok(self.session.status().to_json().to_string()))
    }

    /// Whether requests can be served without a login.
    #[napi]
    pub fn is_initialized(&self, env: Env) -> napi::Result<bool> {
        call(&env, || Ok(self.session.is_initialized()))
    }

    /// How long a call may wait, in milliseconds.
    #[napi(getter)]
    pub fn timeout_ms(&self) -> f64 {
        self.timeout.as_millis() as f64
    }

    /// The same session with another deadline.
    #[napi]
    pub fn with_timeout_ms(&self, env: Env, timeout_ms: f64) -> napi::Result<NativeSession> {
        let timeout = milliseconds(timeout_ms);
        let session = call(&env, || Ok(self.session.with_timeout(timeout)))?;
        Ok(NativeSession { session, javascript: Arc::clone(&self.javascript), timeout })
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
        let waited = milliseconds(waited_ms);
        let session = if waited.is_zero() {
            self.session.clone()
        } else {
            self.session.with_timeout(self.timeout.saturating_sub(waited))
        };
        wait::start(env, cancellation, Arc::clone(&self.javascript), move |interrupt| {
            body(&session.with_interrupt(interrupt))
        })
    }
}
