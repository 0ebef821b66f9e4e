//! The browser login: authorization code with PKCE (RFC 6749 4.1, RFC 7636, RFC 8252).

use super::pending::{LoginInProgress, SLICE, Turn, not_yet};
use super::redirect_page::Page;
use super::redirect_receiver::{self, Loopback};
use super::{LoginOptions, Outcome, Prompt, PromptKind};
use crate::clock::Monotonic;
use crate::error::{Error, Result, Status};
use crate::http::{CallContext, Retry};
use crate::oauth::authorization_code::{self, Attempt, AuthorizationResponse, Parameters};
use crate::oauth::token_endpoint::Received;
use crate::secret::Secret;
use crate::session::{Endpoint, Interrupt, LoginResult, UserSource, interruptibly};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The redirect URI of a client that configures none.
const DEFAULT_REDIRECT_URI: &str = "http://127.0.0.1/callback";
/// How long the user has by default.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const POLL_INTERVAL: Duration = Duration::from_millis(250);
/// No address that a browser shows is longer.
const MAX_PASTED_BYTES: usize = 64 * 1024;

struct Browser {
    attempt: Attempt,
    issuer: String,
    /// Whether the server announces that its authorization responses hold `iss` (RFC 9207).
    iss_required: bool,
}

/// The error of a login that timed out.
fn late(_: Monotonic) -> Error {
    Error::new(Status::Timeout, "no user logged in within the time; start the login again")
}

/// A browser login in progress. Any number of threads may use it, and clones are handles of the
/// same login. Its sockets close when it ends, is cancelled, or the last handle is dropped.
#[derive(Clone)]
pub struct BrowserLogin {
    login: LoginInProgress,
    browser: Arc<Browser>,
    /// The receiver of the browser's redirect, while it listens.
    receiver: Arc<Mutex<Option<Loopback>>>,
}

impl std::fmt::Debug for BrowserLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BrowserLogin(at {})", self.browser.issuer)
    }
}

/// How the address that the browser is redirected to reaches this program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirect {
    /// This program listens at the address.
    Received,
    /// The user pastes the address.
    Pasted,
}

/// What an authorization request needs to know about the server.
struct Server {
    endpoint: url::Url,
    issuer: String,
    iss_required: bool,
}

fn server(user: &UserSource) -> Result<Server> {
    let this = user.clone();
    interruptibly(user.wait(), "starting the login", move || {
        let client = this.client();
        let call = CallContext::within(this.http(), Retry::WithinDeadline, this.timeout());
        let metadata = client.metadata_if_any(&call)?;
        Ok(Server {
            endpoint: client.required_endpoint(Endpoint::Authorization, &call)?,
            issuer: metadata
                .as_ref()
                .map_or_else(|| client.issuer().to_owned(), |metadata| metadata.issuer.clone()),
            iss_required: metadata
                .is_some_and(|metadata| metadata.authorization_response_iss_parameter_supported),
        })
    })
}

fn close(receiver: &mut Option<Loopback>) {
    if let Some(receiver) = receiver.take() {
        receiver.close();
    }
}

impl BrowserLogin {
    pub(super) fn start(
        user: &UserSource,
        options: &LoginOptions,
        redirect: Redirect,
    ) -> Result<BrowserLogin> {
        let receive = redirect == Redirect::Received;
        let client = user.client();
        let server = server(user)?;
        let configured = if receive { client.local_redirect_uri() } else { client.redirect_uri() };
        let configured = configured.unwrap_or(DEFAULT_REDIRECT_URI);
        // The user who pastes needs a redirect URI that the server accepts. If nothing listens
        // there, the browser still shows the address in its address bar.
        let receiver = match receive || redirect_receiver::is_local(configured)? {
            true => match Loopback::bind(configured) {
                Err(error) if !receive && error.status() == Status::Unavailable => None,
                bound => Some(bound?),
            },
            false => None,
        };
        let redirect_uri = receiver.as_ref().map_or(configured, Loopback::redirect_uri).to_owned();
        let receiver = receiver.filter(|_| receive);
        let scopes = options.scopes_of(user);
        let parameters = Parameters {
            endpoint: &server.endpoint,
            client_id: client.client_id(),
            redirect_uri: &redirect_uri,
            scopes: &scopes,
            audience: client.audience(),
            extra: client.extra(),
        };
        let attempt = Attempt::new(&parameters, user.http().random())?;
        let now = user.http().clock().now();
        let timeout = options.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let browser = Browser { attempt, issuer: server.issuer, iss_required: server.iss_required };
        Ok(BrowserLogin {
            login: LoginInProgress::new(user, options, scopes, now.monotonic + timeout),
            browser: Arc::new(browser),
            receiver: Arc::new(Mutex::new(receiver)),
        })
    }

    /// The same login with a callback that a waiting call asks about every 50 ms. `true` ends the
    /// call and the login with CANCELLED.
    pub fn with_interrupt(&self, interrupt: Interrupt) -> BrowserLogin {
        BrowserLogin { login: self.login.with_interrupt(interrupt), ..self.clone() }
    }

    fn receiver(&self) -> MutexGuard<'_, Option<Loopback>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`LoginInProgress::turn`]. The sockets are closed when the login has ended.
    fn turn(&self, receiver: &mut Option<Loopback>) -> Turn {
        let turn = self.login.turn(late);
        if self.login.has_ended() {
            close(receiver);
        }
        turn
    }

    /// Ends the login, with its sockets closed.
    fn end(&self, receiver: &mut Option<Loopback>, outcome: Outcome) -> Outcome {
        let outcome = self.login.end(outcome);
        close(receiver);
        outcome
    }

    /// The address to open in a browser, for this login only. Show it to this user only: it holds
    /// the `state` of the login, and a redirect that comes from another user of this machine is
    /// recognised and refused on Linux only.
    pub fn authorization_url(&self) -> &str {
        self.browser.attempt.url()
    }

    /// The redirect URI of this login.
    pub fn redirect_uri(&self) -> &str {
        self.browser.attempt.redirect_uri()
    }

    /// The time that is left for the login.
    pub fn expires_in(&self) -> Duration {
        self.login.expires_in()
    }

    /// What to show the user, who opens the address.
    pub fn prompt(&self) -> Prompt {
        self.prompt_beside(false)
    }

    /// What to show the user, possibly besides a browser at the address.
    pub(super) fn prompt_beside(&self, browser_opened: bool) -> Prompt {
        let what = if browser_opened {
            "A browser was opened to log in. If you do not see it, open this address on this machine:"
        } else {
            "Open this address in a browser on this machine to log in:"
        };
        Prompt { browser_opened, ..self.prompt_of(PromptKind::Browser, what) }
    }

    /// What to ask the user who pastes the address. `problem`: why the previous answer was not
    /// accepted.
    pub fn paste_prompt(&self, problem: Option<&Error>) -> Prompt {
        let again = problem.map(|problem| format!("{}\n", problem.message())).unwrap_or_default();
        let what = format!(
            "{again}Open this address in a browser, log in, and paste the whole address that the browser ends at (a page that cannot be \
             shown is fine):"
        );
        self.prompt_of(PromptKind::Paste, &what)
    }

    fn prompt_of(&self, kind: PromptKind, what: &str) -> Prompt {
        let url = self.authorization_url().to_owned();
        let message = format!("{what}\n\n    {url}\n");
        Prompt { url: Some(url), expires_in: Some(self.expires_in()), ..Prompt::new(kind, message) }
    }

    /// Serves the browser's redirect if it has arrived; `None` while the login is pending.
    ///
    /// For a program that drives the login with its own timer: call this again after
    /// [`BrowserLogin::poll_interval`]. Blocks for the token request if the browser has just
    /// returned. Errors: those of the login, as [`BrowserLogin::wait`]. Once the login has ended,
    /// every call returns the same outcome.
    pub fn poll(&self) -> Result<Option<LoginResult>> {
        self.step(Duration::ZERO).transpose()
    }

    /// How long to wait before the next [`BrowserLogin::poll`]. Zero once the login has ended.
    pub fn poll_interval(&self) -> Duration {
        if self.login.has_ended() { Duration::ZERO } else { POLL_INTERVAL }
    }

    /// Waits for the user to log in, at most `timeout` or until the login ends.
    ///
    /// Errors: TIMEOUT, CANCELLED, DENIED (the user or the server refused; `other_user`), PROTOCOL,
    /// TOKEN_INVALID, MISCONFIGURED, UNAVAILABLE. After a TIMEOUT of `timeout` the login is still
    /// in progress. Any other error ends it and closes its sockets.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<LoginResult> {
        let started = Instant::now();
        loop {
            if let Some(outcome) = self.step(SLICE) {
                return outcome;
            }
            if timeout.is_some_and(|timeout| started.elapsed() >= timeout) {
                return Err(not_yet());
            }
        }
    }

    /// Completes the login with the address that the browser ended at, for a browser that cannot
    /// return to this program.
    ///
    /// Blocks for the token request. Errors: INVALID_ARGUMENT if the address does not belong to
    /// this login, which stays in progress; otherwise as [`BrowserLogin::wait`].
    pub fn complete(&self, callback_url: &str) -> Result<LoginResult> {
        let mut receiver = loop {
            self.login.is_interrupted();
            let mut receiver = self.receiver();
            match self.turn(&mut receiver) {
                Turn::Ended(outcome) => return outcome,
                Turn::Free => break receiver,
                Turn::Busy => drop(receiver),
            }
            std::thread::sleep(SLICE);
        };
        let query = self.pasted(callback_url)?;
        match self.response(&query) {
            AuthorizationResponse::NotOurs(_) => Err(Error::invalid_argument(
                "this address is of another login; paste the one that this login ended at",
            )),
            AuthorizationResponse::Refused(error) => self.end(&mut receiver, Err(error)),
            AuthorizationResponse::Code(code) => self.redeem_unlocked(receiver, &code, |_| {}),
        }
    }

    /// Cancels the login. A waiting caller gets CANCELLED, unless the user has logged in before.
    /// The sockets are closed when this returns. Does not wait for a prompt that is shown.
    pub fn cancel(&self) {
        self.login.cancel();
        // A thread that serves the receiver notices the cancellation within one slice and releases
        // the lock.
        let mut receiver = self.receiver();
        let _ = self.turn(&mut receiver);
        close(&mut receiver);
    }

    fn step(&self, slice: Duration) -> Option<Outcome> {
        self.login.is_interrupted();
        let mut receiver = self.receiver();
        let listening = match self.turn(&mut receiver) {
            Turn::Ended(outcome) => return Some(outcome),
            Turn::Free => receiver.as_mut(),
            Turn::Busy => None,
        };
        let Some(listening) = listening else {
            drop(receiver);
            // Another thread, or `complete`, is finishing the login.
            std::thread::sleep(slice);
            return None;
        };
        let arrived = listening.serve(slice)?;
        let show = |page| {
            redirect_receiver::answer(arrived.stream, page, self.login.options().page.as_deref())
        };
        match self.response(&arrived.query) {
            AuthorizationResponse::NotOurs(why) => {
                drop(receiver);
                show(Page::NotOurs);
                log::debug!("a request that is not this login's was refused: {why}");
                None
            }
            AuthorizationResponse::Refused(error) => {
                show(if error.status() == Status::Denied { Page::Refused } else { Page::Failed });
                Some(self.end(&mut receiver, Err(error)))
            }
            AuthorizationResponse::Code(code) => Some(self.redeem_unlocked(receiver, &code, show)),
        }
    }

    /// Finishes the login with a code, without the lock. `show` gets the page for the outcome.
    fn redeem_unlocked(
        &self,
        receiver: MutexGuard<'_, Option<Loopback>>,
        code: &Secret,
        show: impl FnOnce(Page),
    ) -> Outcome {
        let busy = self.login.busy();
        drop(receiver);
        let outcome = self.redeem(code);
        show(if outcome.is_ok() { Page::LoggedIn } else { Page::Failed });
        let outcome = self.end(&mut self.receiver(), outcome);
        drop(busy);
        outcome
    }

    fn response(&self, query: &Secret) -> AuthorizationResponse {
        self.browser.attempt.response(
            query.expose(),
            &self.browser.issuer,
            self.browser.iss_required,
        )
    }

    /// The query of the pasted text: a whole address, or the part after its question mark.
    fn pasted(&self, text: &str) -> Result<Secret> {
        let text = text.trim();
        let wrong = || {
            Error::invalid_argument(format!(
                "paste the whole address that the browser ended at; it begins with {}",
                crate::text::one_line(self.redirect_uri(), 200)
            ))
        };
        if text.len() > MAX_PASTED_BYTES {
            return Err(wrong());
        }
        let (address, query) = text.split_once('?').ok_or_else(wrong)?;
        let is_here = address.is_empty()
            || address.trim_end_matches('/') == self.redirect_uri().trim_end_matches('/');
        let query = query.split('#').next().unwrap_or_default();
        if is_here { Ok(Secret::from(query)) } else { Err(wrong()) }
    }

    /// Exchanges the code. It is never sent a second time, whatever the outcome.
    fn redeem(&self, code: &Secret) -> Result<LoginResult> {
        let revoke =
            |received: Received, user: &UserSource| user.revoke_unwanted(received.members());
        let (browser, code) = (Arc::clone(&self.browser), code.clone());
        let received =
            self.login.request(self.login.user().timeout(), revoke, move |this, call| {
                let (endpoint, authentication) = this.user().client().token_endpoint(call)?;
                let attempt = &browser.attempt;
                authorization_code::redeem(
                    call,
                    &endpoint,
                    &authentication,
                    attempt,
                    &code,
                    this.scopes(),
                )
            })?;
        let tokens = match received {
            Received::Usable(tokens) => tokens,
            Received::Unusable(error, members) => {
                self.login.user().revoke_unwanted(&members);
                return Err(error);
            }
        };
        self.login.save(tokens, Some(self.browser.attempt.nonce()))
    }
}
