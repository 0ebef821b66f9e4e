//! `login`: uses a valid session, else refreshes it, and prompts the user only if that is not
//! possible.

use super::browser::Redirect;
use super::{BrowserLogin, DeviceLogin, LoginOptions, Method, Prompt, PromptKind};
use crate::error::{Error, Reason, Result, Status};
use crate::http::{CallContext, Retry};
use crate::profile::client_config::KindOfLogin;
use crate::session::{Endpoint, LoginResult, Session, UserSource, interruptibly};

impl Session {
    /// Makes sure that a user is logged in. A valid session is left unchanged and an expired one is
    /// refreshed. Otherwise the user is prompted: in the browser if one can be opened and the
    /// client allows it, else with a device code, else by pasting the browser's address. A session
    /// of an M2M client or an API key needs no user.
    ///
    /// Blocks until the user has logged in, up to `options.timeout`, or until the session's
    /// interrupt ends it; uses the network. Errors: LOGIN_REQUIRED if no user can be prompted (the
    /// message says what to run), DENIED, TIMEOUT, CANCELLED, UNAVAILABLE, MISCONFIGURED, PROTOCOL,
    /// TOKEN_INVALID, INVALID_ARGUMENT.
    pub fn login(&self, options: &LoginOptions) -> Result<LoginResult> {
        options.check()?;
        let user = match self.user_source() {
            Ok(user) => user,
            Err(_) if self.is_initialized() => return self.without_user(),
            Err(error) => return Err(error),
        };
        if !options.force
            && let Some(current) = current(&user, options)?
        {
            return Ok(current);
        }
        log_in(&user, options).map_err(|error| error.with_profile(user.profile()))
    }

    /// Starts a device login (RFC 8628). The returned handle says what to show the user; wait for
    /// it or poll it.
    ///
    /// Blocks for one request; uses the network. Errors: UNSUPPORTED (this session has no user
    /// login; the server has no such endpoint), MISCONFIGURED, UNAVAILABLE, TIMEOUT, CANCELLED,
    /// PROTOCOL, INVALID_ARGUMENT.
    pub fn start_device_login(&self, options: &LoginOptions) -> Result<DeviceLogin> {
        options.check()?;
        let user = self.user_source()?;
        DeviceLogin::start(&user, options).map_err(|error| error.with_profile(user.profile()))
    }

    /// Starts a browser login (RFC 6749 4.1 with PKCE). The returned handle holds the address to
    /// open and listens for the browser's redirect; wait for it or poll it. Opens no browser
    /// itself.
    ///
    /// Blocks if metadata must be requested; uses the network. Errors: as
    /// [`Session::start_device_login`]; also UNAVAILABLE if the port of the client's redirect URI
    /// is in use.
    pub fn start_browser_login(&self, options: &LoginOptions) -> Result<BrowserLogin> {
        options.check()?;
        let user = self.user_source()?;
        BrowserLogin::start(&user, options, Redirect::Received)
            .map_err(|error| error.with_profile(user.profile()))
    }

    /// M2M clients and API keys need no prompt.
    fn without_user(&self) -> Result<LoginResult> {
        match self.access_token() {
            Ok(token) => {
                Ok(LoginResult { expires_at: token.expires_at(), ..LoginResult::default() })
            }
            Err(error) if error.status() == Status::Unsupported => Ok(LoginResult::default()),
            Err(error) => Err(error),
        }
    }
}

/// The current session, if it is valid and has the requested scopes.
fn current(user: &UserSource, options: &LoginOptions) -> Result<Option<LoginResult>> {
    // A session that cannot be refreshed ends soon, even if its access token is still valid.
    if user.has_no_session() || user.is_revoked() {
        return Ok(None);
    }
    match user.current() {
        Ok(current) => {
            let lacks = |scope: &String| !current.scopes.iter().any(|granted| granted == scope);
            Ok(Some(current.clone()).filter(|_| !options.scopes.iter().flatten().any(lacks)))
        }
        Err(error) if error.status() == Status::LoginRequired => Ok(None),
        // Some servers refuse a refresh token with another error than invalid_grant.
        Err(error) if matches!(error.http_status(), Some(400 | 401 | 403)) => {
            log::info!("the saved session could not be refreshed, so a login is started: {error}");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn log_in(user: &UserSource, options: &LoginOptions) -> Result<LoginResult> {
    let client = user.client();
    let kind = client.kind_of_login().ok_or_else(|| {
        Error::new(
            Status::Unsupported,
            "this client logs in with a password, which planetkey never sends; register a client for the browser or device login",
        )
    })?;
    let has_redirect =
        kind == KindOfLogin::AuthorizationCode || client.local_redirect_uri().is_some();
    let has_prompter = options.prompter.is_some();
    match options.method {
        Method::Browser => return in_browser(user, options)?.ok_or_else(unopened),
        Method::Device => return on_device(user, options),
        Method::Paste => return by_paste(user, options),
        Method::Auto => {}
    }
    if has_redirect
        && options.open_browser != Some(false)
        && (options.open_browser == Some(true) || options.opener().can_open())
    {
        if let Some(logged_in) = in_browser(user, options)? {
            return Ok(logged_in);
        }
        log::info!("no browser could be opened; another way is tried");
    }
    if has_prompter && (kind == KindOfLogin::DeviceCode || offers_device_codes(user)?) {
        match on_device(user, options) {
            // The client is registered for the browser login only.
            Err(error)
                if has_redirect
                    && matches!(
                        error.oauth_error(),
                        Some("unauthorized_client" | "unsupported_grant_type")
                    ) => {}
            outcome => return outcome,
        }
    }
    if has_redirect && has_prompter {
        return by_paste(user, options);
    }
    Err(no_prompter(user))
}

fn offers_device_codes(user: &UserSource) -> Result<bool> {
    let this = user.clone();
    let offered = interruptibly(user.wait(), "starting the login", move || {
        let call = CallContext::within(this.http(), Retry::WithinDeadline, this.timeout());
        this.client().endpoint(Endpoint::DeviceAuthorization, &call)
    });
    match offered {
        // The server publishes no metadata, and the endpoints in use are configured.
        Err(error) if error.status() == Status::Misconfigured => Ok(false),
        offered => Ok(offered?.is_some()),
    }
}

fn unopened() -> Error {
    Error::new(
        Status::LoginRequired,
        "no browser could be opened on this machine; log in with a device code, or set BROWSER to the program that opens addresses",
    )
    .with_reason(Reason::NeverLoggedIn)
}

fn no_prompter(user: &UserSource) -> Error {
    let profile = user
        .profile()
        .map(|profile| format!(" to the profile '{}'", crate::text::one_line(profile, 100)));
    let message = format!(
        "login required, but no prompt handler was provided; pass one, or log in{} with another program",
        profile.unwrap_or_default()
    );
    Error::new(Status::LoginRequired, message).with_reason(Reason::NeverLoggedIn)
}

/// `None` if no browser could be opened, unless the method is `browser` and a prompter can ask the
/// user to open one.
fn in_browser(user: &UserSource, options: &LoginOptions) -> Result<Option<LoginResult>> {
    let mut login = BrowserLogin::start(user, options, Redirect::Received)?;
    if let Some(interrupt) = user.interrupt() {
        login = login.with_interrupt(interrupt);
    }
    if !options.open(login.authorization_url()) {
        // The user may open the address by hand, if a prompter can show it.
        if options.method != Method::Browser || options.prompter.is_none() {
            login.cancel();
            return Ok(None);
        }
        options.prompt(&login.prompt())?;
        return login.wait(None).map(Some);
    }
    options.prompt(&login.prompt_beside(true))?;
    login.wait(None).map(Some)
}

fn on_device(user: &UserSource, options: &LoginOptions) -> Result<LoginResult> {
    if options.prompter.is_none() {
        return Err(no_prompter(user));
    }
    let mut login = DeviceLogin::start(user, options)?;
    if let Some(interrupt) = user.interrupt() {
        login = login.with_interrupt(interrupt);
    }
    let browser_opened = options.open(login.address());
    options.prompt(&login.prompt_beside(browser_opened))?;
    login.wait(None)
}

fn by_paste(user: &UserSource, options: &LoginOptions) -> Result<LoginResult> {
    if options.prompter.is_none() {
        return Err(no_prompter(user));
    }
    let mut login = BrowserLogin::start(user, options, Redirect::Pasted)?;
    if let Some(interrupt) = user.interrupt() {
        login = login.with_interrupt(interrupt);
    }
    let mut problem: Option<Error> = None;
    loop {
        let prompt: Prompt = login.paste_prompt(problem.as_ref());
        debug_assert!(prompt.kind == PromptKind::Paste);
        let Some(answer) = options.prompt(&prompt)? else { return Err(super::cancelled()) };
        match login.complete(&answer) {
            // After a copying mistake the user is asked again.
            Err(error) if error.status() == Status::InvalidArgument => problem = Some(error),
            outcome => return outcome,
        }
    }
}
