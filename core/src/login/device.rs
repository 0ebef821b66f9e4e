//! The device login (RFC 8628).

use super::pending::{LoginInProgress, SLICE, Turn, not_yet};
use super::{LoginOptions, Outcome, Prompt, PromptKind, QrCodeStyle, qr_code};
use crate::clock::{Monotonic, SHORTEST_TIMEOUT};
use crate::error::{Error, Reason, Result, Status};
use crate::http::{CallContext, Retry};
use crate::oauth::device_code::{self, DeviceAuthorization, Poll, Schedule};
use crate::session::{Endpoint, Interrupt, LoginResult, UserSource, interruptibly};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The poll interval while another thread polls.
const BUSY_POLL: Duration = Duration::from_millis(250);

struct Polling {
    schedule: Schedule,
    /// Why the last poll got no response. Reported if the time runs out.
    trouble: Option<Error>,
}

impl Polling {
    /// The error of a login that timed out.
    fn late(&self, now: Monotonic) -> Error {
        self.trouble.clone().unwrap_or_else(|| {
            let message =
                "the code was not entered within the time; start the login again for a new one";
            if now >= self.schedule.expires() {
                Error::new(Status::LoginRequired, message).with_reason(Reason::Expired)
            } else {
                Error::new(Status::Timeout, message)
            }
        })
    }
}

/// A device login in progress. Any number of threads may use it, and clones are handles of the same
/// login.
#[derive(Clone)]
pub struct DeviceLogin {
    login: LoginInProgress,
    authorization: Arc<DeviceAuthorization>,
    polling: Arc<Mutex<Polling>>,
}

impl std::fmt::Debug for DeviceLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceLogin(at {})", self.authorization.verification_uri)
    }
}

impl DeviceLogin {
    pub(super) fn start(user: &UserSource, options: &LoginOptions) -> Result<DeviceLogin> {
        let scopes = options.scopes_of(user);
        let authorization = interruptibly(user.wait(), "starting the login", {
            let (user, scopes) = (user.clone(), scopes.clone());
            move || {
                let client = user.client();
                let call = CallContext::within(user.http(), Retry::WithinDeadline, user.timeout());
                let endpoint = client.required_endpoint(Endpoint::DeviceAuthorization, &call)?;
                let (_, authentication) = client.token_endpoint(&call)?;
                device_code::authorize(
                    &call,
                    &endpoint,
                    &authentication,
                    &scopes,
                    client.audience(),
                    client.extra(),
                    client.insecure_loopback(),
                )
            }
        })?;
        let now = user.http().clock().now().monotonic;
        let schedule = Schedule::new(&authorization, now);
        let expires = schedule.expires().min(now + options.timeout.unwrap_or(Duration::MAX));
        let polling = Polling { schedule, trouble: None };
        Ok(DeviceLogin {
            login: LoginInProgress::new(user, options, scopes, expires),
            authorization: Arc::new(authorization),
            polling: Arc::new(Mutex::new(polling)),
        })
    }

    /// The same login with a callback that a waiting call asks about every 50 ms. `true` ends the
    /// call and the login with CANCELLED.
    pub fn with_interrupt(&self, interrupt: Interrupt) -> DeviceLogin {
        DeviceLogin { login: self.login.with_interrupt(interrupt), ..self.clone() }
    }

    fn polling(&self) -> MutexGuard<'_, Polling> {
        self.polling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The code that the user enters or compares.
    pub fn user_code(&self) -> &str {
        &self.authorization.user_code
    }

    /// The address at which the user enters it.
    pub fn verification_uri(&self) -> &str {
        &self.authorization.verification_uri
    }

    /// The address that includes the code, if the server sends one. The code is still shown with it
    /// (RFC 8628 3.3.1).
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.authorization.verification_uri_complete.as_deref()
    }

    /// The time that is left for the login.
    pub fn expires_in(&self) -> Duration {
        self.login.expires_in()
    }

    pub(super) fn address(&self) -> &str {
        self.verification_uri_complete().unwrap_or(self.verification_uri())
    }

    /// The address as a QR code, as [`Prompt::qr_code`].
    pub fn qr_code(&self, style: QrCodeStyle) -> Option<String> {
        qr_code::text(self.address(), style)
    }

    /// What to show the user.
    pub fn prompt(&self) -> Prompt {
        self.prompt_beside(false)
    }

    /// What to show the user, possibly besides a browser at the address.
    pub(super) fn prompt_beside(&self, browser_opened: bool) -> Prompt {
        let (uri, code) = (self.verification_uri(), self.user_code());
        let how = if browser_opened {
            "A browser was opened to log in. You can open its address on any other device, too:"
        } else {
            "To log in, open this address on any device:"
        };
        let message = match self.verification_uri_complete() {
            Some(complete) => {
                format!(
                    "{how}\n\n    {complete}\n\nand check that it shows the code {code}. Or open {uri} and enter the code.\n"
                )
            }
            None => format!("{how}\n\n    {uri}\n\nand enter the code {code}.\n"),
        };
        Prompt {
            url: Some(self.address().to_owned()),
            user_code: Some(code.to_owned()),
            verification_uri: Some(uri.to_owned()),
            verification_uri_complete: self.verification_uri_complete().map(str::to_owned),
            expires_in: Some(self.expires_in()),
            browser_opened,
            ..Prompt::new(PromptKind::Device, message)
        }
    }

    /// Asks the server once, unless it is too early to ask; `None` while the login is pending.
    ///
    /// For a program that drives the login with its own timer: call this again after
    /// [`DeviceLogin::poll_interval`]. Blocks for one request. Errors: those of the login, as
    /// [`DeviceLogin::wait`]. Once the login has ended, every call returns the same outcome.
    pub fn poll(&self) -> Result<Option<LoginResult>> {
        let login = &self.login;
        login.is_interrupted();
        let polling = self.polling();
        match login.turn(|now| polling.late(now)) {
            Turn::Ended(outcome) => return outcome.map(Some),
            Turn::Free if login.now() >= polling.schedule.next() => {}
            Turn::Free | Turn::Busy => return Ok(None),
        }
        let busy = login.busy();
        drop(polling);
        let outcome = self.ask();
        drop(busy);
        outcome.transpose()
    }

    /// How long to wait before the next [`DeviceLogin::poll`]. A call that comes earlier sends no
    /// request. Zero once the login has ended.
    pub fn poll_interval(&self) -> Duration {
        let login = &self.login;
        if login.is_busy() {
            return BUSY_POLL;
        }
        if login.has_ended() {
            return Duration::ZERO;
        }
        self.polling().schedule.next().min(login.expires()) - login.now()
    }

    /// Waits for the user to log in, at most `timeout` or until the code expires.
    ///
    /// Errors: TIMEOUT, CANCELLED, DENIED (the user or the server refused; `other_user`),
    /// LOGIN_REQUIRED (`expired`: the code has expired), UNAVAILABLE (the server could not be
    /// reached until then), PROTOCOL, TOKEN_INVALID, MISCONFIGURED. After a TIMEOUT of `timeout` the
    /// login is still in progress.
    pub fn wait(&self, timeout: Option<Duration>) -> Result<LoginResult> {
        let started = self.login.now();
        loop {
            if let Some(logged_in) = self.poll()? {
                return Ok(logged_in);
            }
            let waited = self.login.now() - started;
            let left = timeout.map_or(Duration::MAX, |timeout| timeout.saturating_sub(waited));
            if left.is_zero() {
                return Err(not_yet());
            }
            let next = self.poll_interval().min(left);
            let slice = SLICE.min(next).max(Duration::from_millis(1));
            self.login.user().http().clock().sleep(slice);
        }
    }

    /// Cancels the login. A waiting caller gets CANCELLED. Returns at once.
    pub fn cancel(&self) {
        self.login.cancel();
    }

    /// Polls the token endpoint, without the lock.
    fn ask(&self) -> Option<Outcome> {
        let login = &self.login;
        // A request without a response must not use up all of the login's time.
        let timeout = login.user().timeout().min(self.expires_in().max(SHORTEST_TIMEOUT));
        let started = Instant::now();
        let revoke = |poll, user: &UserSource| match poll {
            Poll::Granted(tokens) => user.revoke_unwanted(&tokens.members),
            Poll::Unusable { received, .. } => user.revoke_unwanted(&received),
            Poll::Pending | Poll::SlowDown | Poll::Unreachable { .. } => {}
        };
        let authorization = Arc::clone(&self.authorization);
        let answer = login.request(timeout, revoke, move |this, call| {
            let call = call.with_retry(Retry::Never);
            let (endpoint, authentication) = this.user().client().token_endpoint(&call)?;
            let device_code = &authorization.device_code;
            device_code::poll(&call, &endpoint, &authentication, device_code, this.scopes())
        });
        let answer = match answer {
            // This is the deadline of the request, not of the login. It is a network problem, which
            // slows polling down and does not end the login.
            Err(error) if error.status() == Status::Timeout => {
                Ok(Poll::Unreachable { retry_after: None, error })
            }
            answer => answer,
        };
        log::debug!("a poll of the device login took {} ms", started.elapsed().as_millis());
        let poll = match answer {
            Ok(poll) => poll,
            Err(error) => return Some(login.end(Err(error))),
        };
        let now = login.now();
        self.polling().schedule.polled(&poll, now);
        match poll {
            Poll::Granted(tokens) => {
                let outcome = login.save(tokens, None);
                return Some(login.end(outcome));
            }
            Poll::Unusable { error, received } => {
                login.user().revoke_unwanted(&received);
                return Some(login.end(Err(error)));
            }
            Poll::Unreachable { error, .. } => {
                self.polling().trouble = Some(error.clone());
                log::info!(
                    "the login waits longer because the server could not be reached: {error}"
                );
            }
            Poll::Pending | Poll::SlowDown => self.polling().trouble = None,
        }
        None
    }
}
