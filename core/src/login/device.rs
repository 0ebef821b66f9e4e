//! The login on any device (RFC 8628).

use super::{LoginOptions, Outcome, Progress, Prompt, PromptKind, cancelled, qr_code};
use crate::error::{Error, Result, Status};
use crate::http::Patience;
use crate::oauth::device_code::{self, DeviceAuthorization, Poll, Schedule};
use crate::session::{Endpoint, Interrupt, LoggedIn, OtherSubject, Person, Wait, deadline_ms, interruptibly, interruptibly_or};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long is slept before somebody is asked whether they still want to wait.
const SLICE: Duration = Duration::from_millis(50);
/// While another thread polls.
const BUSY_POLL_MS: u64 = 250;

struct Shared {
    person: Person,
    options: LoginOptions,
    authorization: DeviceAuthorization,
    scopes: Vec<String>,
    ends_ms: u64,
    cancelled: AtomicBool,
    state: Mutex<State>,
}

struct State {
    schedule: Schedule,
    /// What kept the last poll from being answered, should the time run out.
    trouble: Option<Error>,
    /// Somebody is asking the server, or keeping what it gave.
    polling: bool,
    outcome: Option<Outcome>,
}

/// A login on any device that is under way. Any number of threads; clones are of the same login.
#[derive(Clone)]
pub struct DeviceLogin {
    shared: Arc<Shared>,
    interrupt: Option<Interrupt>,
}

impl std::fmt::Debug for DeviceLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DeviceLogin(at {})", self.shared.authorization.verification_uri)
    }
}

impl DeviceLogin {
    pub(super) fn start(person: &Person, options: &LoginOptions) -> Result<DeviceLogin> {
        let scopes = options.scopes.clone().unwrap_or_else(|| person.client().scopes().to_vec());
        let authorization = interruptibly(person.wait(), "starting the login", {
            let (person, scopes) = (person.clone(), scopes.clone());
            move || {
                let (client, http) = (person.client(), person.http());
                let deadline = deadline_ms(http, person.timeout());
                let endpoint = client.required_endpoint(Endpoint::DeviceAuthorization, http, Patience::Patient, deadline)?;
                let (_, authentication) = client.token_endpoint(http, Patience::Patient, deadline)?;
                device_code::authorize(
                    http,
                    &endpoint,
                    &authentication,
                    &scopes,
                    client.audience(),
                    client.extra(),
                    client.allow_insecure_loopback(),
                    Patience::Patient,
                    deadline,
                )
            }
        })?;
        let now_ms = person.http().clock().now().monotonic_ms;
        let schedule = Schedule::new(&authorization, now_ms);
        let ends_ms = schedule.ends_ms().min(now_ms.saturating_add(options.timeout_ms.unwrap_or(u64::MAX)));
        let shared = Shared {
            person: person.clone(),
            options: options.clone(),
            authorization,
            scopes,
            ends_ms,
            cancelled: AtomicBool::new(false),
            state: Mutex::new(State { schedule, trouble: None, polling: false, outcome: None }),
        };
        Ok(DeviceLogin { shared: Arc::new(shared), interrupt: None })
    }

    /// The same login with a question that is asked while a call waits, about every 50 ms; `true` ends the call, and the login, with CANCELLED.
    pub fn with_interrupt(&self, interrupt: Interrupt) -> DeviceLogin {
        DeviceLogin { interrupt: Some(interrupt), ..self.clone() }
    }

    /// The code that the person enters, or compares.
    pub fn user_code(&self) -> &str {
        &self.shared.authorization.user_code
    }

    /// The address at which it is entered.
    pub fn verification_uri(&self) -> &str {
        &self.shared.authorization.verification_uri
    }

    /// The address that holds the code already, where the server gives one. The code is shown beside it all the same (RFC 8628 3.3.1).
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.shared.authorization.verification_uri_complete.as_deref()
    }

    /// How long there is for it, in milliseconds.
    pub fn expires_in_ms(&self) -> u64 {
        self.shared.ends_ms.saturating_sub(self.now_ms())
    }

    pub(super) fn address(&self) -> &str {
        self.verification_uri_complete().unwrap_or(self.verification_uri())
    }

    /// The address as a QR code, as [`Prompt::qr_code`].
    pub fn qr_code(&self, ascii: bool) -> Option<String> {
        qr_code::text(self.address(), ascii)
    }

    /// What to show.
    pub fn prompt(&self) -> Prompt {
        self.prompt_beside(false)
    }

    /// What to show, perhaps beside a browser at the address.
    pub(super) fn prompt_beside(&self, browser_opened: bool) -> Prompt {
        let (uri, code) = (self.verification_uri(), self.user_code());
        let how = if browser_opened {
            "A browser was opened to log in. You can open its address on any other device, too:"
        } else {
            "To log in, open this address on any device:"
        };
        let message = match self.verification_uri_complete() {
            Some(complete) => {
                format!("{how}\n\n    {complete}\n\nand check that it shows the code {code}. Or open {uri} and enter the code.\n")
            }
            None => format!("{how}\n\n    {uri}\n\nand enter the code {code}.\n"),
        };
        Prompt {
            kind: PromptKind::Device,
            message,
            url: Some(self.address().to_owned()),
            user_code: Some(code.to_owned()),
            verification_uri: Some(uri.to_owned()),
            verification_uri_complete: self.verification_uri_complete().map(str::to_owned),
            expires_in_ms: Some(self.expires_in_ms()),
            browser_opened,
        }
    }

    /// Asks the server if it is time to, at most once. Blocks for that request only: a timer of a program's own may drive the login so.
    ///
    /// Errors: those of the login, as [`DeviceLogin::wait`]; the same again once it is over.
    pub fn poll(&self) -> Result<Progress> {
        self.is_interrupted();
        let mut state = self.lock();
        if let Some(outcome) = self.over(&mut state) {
            return outcome.map(Progress::LoggedIn);
        }
        if state.polling {
            return Ok(Progress::Pending { next_poll_ms: BUSY_POLL_MS });
        }
        if self.now_ms() < state.schedule.next_ms() {
            return Ok(self.pending(&state));
        }
        state.polling = true;
        drop(state);
        let polling = Polling(self);
        let outcome = self.ask();
        drop(polling);
        match outcome {
            Some(outcome) => outcome.map(Progress::LoggedIn),
            None => Ok(self.pending(&self.lock())),
        }
    }

    /// Waits for the person, at most `timeout_ms` or until the code is no longer good.
    ///
    /// Errors: TIMEOUT, CANCELLED, DENIED (the person or the server said no; `other_subject`), LOGIN_REQUIRED (`expired`: the code is no
    /// longer good), UNAVAILABLE (the server could not be reached until then), PROTOCOL, TOKEN_INVALID, MISCONFIGURED. A TIMEOUT of
    /// `timeout_ms` leaves the login under way.
    pub fn wait(&self, timeout_ms: Option<u64>) -> Result<LoggedIn> {
        let started_ms = self.now_ms();
        loop {
            let next_poll_ms = match self.poll()? {
                Progress::LoggedIn(logged_in) => return Ok(logged_in),
                Progress::Pending { next_poll_ms } => next_poll_ms,
            };
            let waited_ms = self.now_ms().saturating_sub(started_ms);
            let left_ms = timeout_ms.map_or(u64::MAX, |timeout_ms| timeout_ms.saturating_sub(waited_ms));
            if left_ms == 0 {
                return Err(Error::new(Status::Timeout, "nobody has logged in yet; the login goes on, wait for it again"));
            }
            let slice = SLICE.min(Duration::from_millis(next_poll_ms.min(left_ms).max(1)));
            self.shared.person.http().clock().sleep(slice);
        }
    }

    /// Ends the login. Whoever waits for it gets CANCELLED. Returns at once.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.shared.person.http().clock().now().monotonic_ms
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks whoever waits whether they still want to. Not to be called with the lock held: the question may call the login back.
    fn is_interrupted(&self) -> bool {
        if self.interrupt.as_ref().is_some_and(|interrupt| interrupt()) {
            self.shared.cancelled.store(true, Ordering::Relaxed);
        }
        self.is_cancelled()
    }

    fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    fn pending(&self, state: &State) -> Progress {
        Progress::Pending { next_poll_ms: state.schedule.next_ms().min(self.shared.ends_ms).saturating_sub(self.now_ms()) }
    }

    /// The outcome, where the login is over or must end now.
    fn over(&self, state: &mut State) -> Option<Outcome> {
        if let Some(outcome) = &state.outcome {
            return Some(outcome.clone());
        }
        if state.polling {
            // Whoever polls ends it, and learns that it is not wanted any more.
            return self.is_cancelled().then(|| Err(cancelled()));
        }
        if self.is_cancelled() {
            return Some(self.end(state, Err(cancelled())));
        }
        if self.now_ms() < self.shared.ends_ms {
            return None;
        }
        let late = state.trouble.clone().unwrap_or_else(|| {
            let message = "nobody entered the code within the time; start the login again for a new one";
            if self.now_ms() >= state.schedule.ends_ms() {
                Error::new(Status::LoginRequired, message).with_reason("expired")
            } else {
                Error::new(Status::Timeout, message)
            }
        });
        Some(self.end(state, Err(late)))
    }

    fn end(&self, state: &mut State, outcome: Outcome) -> Outcome {
        let outcome = outcome.map_err(|error| error.with_profile(self.shared.person.profile()));
        state.outcome = Some(outcome.clone());
        outcome
    }

    fn accept(&self, other: &OtherSubject) -> Result<bool> {
        let answer = self.shared.options.accept(other)?;
        // The person may have taken long for it.
        if self.is_interrupted() { Err(cancelled()) } else { Ok(answer) }
    }

    /// Asks the server, without the lock.
    fn ask(&self) -> Option<Outcome> {
        let question = {
            let this = self.clone();
            Arc::new(move || this.is_interrupted())
        };
        let person = self.shared.person.with_interrupt(question.clone());
        // One request that is not answered must not take all of the time there is.
        let timeout = person.timeout().min(Duration::from_millis(self.expires_in_ms().max(1)));
        let started = Instant::now();
        let wait = Wait { timeout, interrupt: Some(question.as_ref()) };
        let unwanted = self.shared.person.clone();
        let give_back = move |poll| match poll {
            Poll::Granted(tokens) => unwanted.give_back(&tokens),
            Poll::Pending | Poll::SlowDown | Poll::Unreachable { .. } => {}
        };
        let answer = interruptibly_or(wait, "the login", give_back, {
            let shared = self.shared.clone();
            move || {
                let (client, http) = (shared.person.client(), shared.person.http());
                let deadline = deadline_ms(http, timeout);
                let (endpoint, authentication) = client.token_endpoint(http, Patience::Once, deadline)?;
                let device_code = &shared.authorization.device_code;
                device_code::poll(http, &endpoint, &authentication, device_code, &shared.scopes, deadline)
            }
        });
        let answer = match answer {
            // The request's own deadline, not the person's: trouble of the network, which slows the polling down and does not end it.
            Err(error) if error.status() == Status::Timeout => Ok(Poll::Unreachable { retry_after_ms: None, error }),
            answer => answer,
        };
        log::debug!("a poll of the device login took {} ms", started.elapsed().as_millis());
        let poll = match answer {
            Ok(poll) => poll,
            Err(error) => return Some(self.end(&mut self.lock(), Err(error))),
        };
        let now_ms = self.now_ms();
        self.lock().schedule.polled(&poll, now_ms);
        match poll {
            Poll::Granted(tokens) => {
                let outcome = person.keep_login(tokens, None, &|other| self.accept(other));
                return Some(self.end(&mut self.lock(), outcome));
            }
            Poll::Unreachable { error, .. } => {
                self.lock().trouble = Some(error.clone());
                log::info!("the login waits longer because the server could not be asked: {error}");
            }
            Poll::Pending | Poll::SlowDown => self.lock().trouble = None,
        }
        None
    }
}

/// One poll is under way.
struct Polling<'a>(&'a DeviceLogin);

impl Drop for Polling<'_> {
    fn drop(&mut self) {
        self.0.lock().polling = false;
    }
}
