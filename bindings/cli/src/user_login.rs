//! The login of a user: what the user sees and answers, and how the user cancels.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use planetkey::clock::LONGEST_TIMEOUT;
use planetkey::login::{LoginOptions, Method, Prompt, PromptKind, Prompter};
use planetkey::{Error, LoginResult, Named, Options, Reason, Result, Revocation, Session, Status};

use crate::advice;
use crate::arguments::{Login, UserLogin};
use crate::qr_code;
use crate::streams::{Streams, mistake};
use crate::terminal::Terminal;
use crate::text::{printable, validity, wrapped};

/// How often the remaining time is shown.
const TICK: Duration = Duration::from_millis(200);

/// Logs the user of this profile in. `counts_down`: whether the remaining time is shown meanwhile.
pub(crate) fn log_in(
    login: &Login,
    profile: &str,
    options: &Options,
    counts_down: bool,
    streams: &mut Streams<'_>,
) -> Result<LoginResult> {
    let named = Named { profile: Some(profile.to_owned()), ..Named::default() };
    let mut session = Session::from_named(&named, options)?;
    if let Some(terminal) = streams.terminal_of_user() {
        session = session.with_interrupt(terminal.interrupt());
    }
    // A caller who names the method has somewhere to show the prompts.
    let is_seen = streams.terminal_of_user().is_some() || login.user.device || login.user.browser;
    let place = || options.profiles()?.check_place(profile);
    // Check first that the session can be saved. A valid session is not saved again.
    if is_seen && (login.user.force || !session.is_initialized()) {
        place()?;
    }
    let waiting = Waiting { counts_down, ..Waiting::default() };
    let logged_in = ask(&session, login, is_seen, &place, waiting, streams)
        .map_err(|error| advised(error, profile, is_seen))?;
    if logged_in.file.is_none() && logged_in.store.is_none() {
        return Err(not_saved(&session));
    }
    Ok(logged_in)
}

/// The session could not be saved and would end with this process, so it is revoked.
fn not_saved(session: &Session) -> Error {
    let revoked = session.revoke_unsaved();
    let message = match &revoked {
        Some((why, Revocation::Unknown(_))) => format!(
            "logged in, but the session could not be saved ({}), and its refresh token may still be valid, because the server did not \
             confirm the revocation; correct the cause and log in again",
            why.message()
        ),
        Some((why, _)) => {
            format!(
                "logged in, but the session could not be saved and was revoked: {}; correct the cause and log in again",
                why.message()
            )
        }
        None => "logged in, but there is no file to save the session in; log in again with another --storage-root".to_owned(),
    };
    Error::new(Status::Storage, message)
}

/// Who is logged in and where the session is saved, in one sentence.
pub(crate) fn summary(logged_in: &LoginResult) -> String {
    let who = logged_in.email.as_deref().or(logged_in.subject.as_deref());
    let profile = logged_in.profile.as_deref().unwrap_or_default();
    let how = match who {
        Some(who) if logged_in.prompted => format!("logged in as {who}, profile {profile}"),
        Some(who) => format!("{who} is already logged in, profile {profile}"),
        None if logged_in.prompted => format!("logged in, profile {profile}"),
        None => format!("already logged in, profile {profile}"),
    };
    let file = logged_in
        .file
        .as_ref()
        .map(|file| file.display().to_string())
        .or_else(|| logged_in.store.as_ref().map(|store| format!("the store {store}")))
        .map(|place| format!("; the session is saved in {place}"))
        .unwrap_or_default();
    match logged_in.expires_at.and_then(validity) {
        Some(valid) if !logged_in.prompted => {
            format!("{how}, {valid}{file} (--force logs in again)")
        }
        _ => format!("{how}{file}"),
    }
}

/// Adds the options of this command to an error.
fn advised(error: Error, profile: &str, is_seen: bool) -> Error {
    let advice = match (error.status(), error.reason()) {
        (Status::LoginRequired, _) if !is_seen => format!(
            "login required, and there is no terminal to prompt at. Run `{}` in a terminal, or with --device if a user reads its output",
            advice::log_in(Some(profile))
        ),
        (Status::Cancelled, _) => "the login was cancelled; nothing was changed".to_owned(),
        (Status::Denied, Some(Reason::OtherUser)) => {
            format!("{}; use --allow-other-user to replace it", error.message())
        }
        _ => return error,
    };
    let advised = Error::new(error.status(), advice).with_profile(Some(profile));
    match error.reason() {
        Some(reason) => advised.with_reason(reason),
        None => advised,
    }
}

/// What the login tells the thread that holds the streams.
enum Event {
    Prompt(Box<Prompt>, SyncSender<Result<Option<String>>>),
    Done(Box<Result<LoginResult>>),
}

/// Passes prompts to the thread that holds the streams.
struct Relay(Sender<Event>);

impl Prompter for Relay {
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        let gone = || Error::new(Status::Cancelled, "the login was cancelled");
        let (sender, answer) = mpsc::sync_channel(1);
        self.0.send(Event::Prompt(Box::new(prompt.clone()), sender)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

/// Runs the login on another thread, and shows its prompts on this one.
///
/// `place` checks that the session can be saved, again before each prompt.
fn ask(
    session: &Session,
    login: &Login,
    is_seen: bool,
    place: &dyn Fn() -> Result<()>,
    mut waiting: Waiting,
    streams: &mut Streams<'_>,
) -> Result<LoginResult> {
    let (sender, events) = mpsc::channel();
    let relay = is_seen.then(|| Arc::new(Relay(sender.clone())) as Arc<dyn Prompter>);
    let options = options(login, relay)?;
    std::thread::scope(|scope| {
        let thread = scope.spawn(move || {
            // The end of this thread does not close the channel: an abandoned request may hold the
            // relay longer.
            let _ = sender.send(Event::Done(Box::new(session.login(&options))));
        });
        let outcome = loop {
            match events.recv_timeout(TICK) {
                Ok(Event::Prompt(prompt, answer)) => {
                    waiting.erase(streams);
                    let answered =
                        place().and_then(|()| show(&prompt, login.user.show_qr_code, streams));
                    waiting.begin(&prompt);
                    // The login may have ended.
                    let _ = answer.send(answered);
                }
                Ok(Event::Done(outcome)) => break Some(*outcome),
                Err(RecvTimeoutError::Timeout) => waiting.tick(streams),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        let is_cancelled =
            matches!(&outcome, Some(Err(error)) if error.status() == Status::Cancelled);
        waiting.end(is_cancelled, streams);
        match (outcome, thread.join()) {
            (Some(outcome), Ok(())) => outcome,
            (_, Err(panic)) => std::panic::resume_unwind(panic),
            (None, Ok(())) => Err(Error::new(
                Status::Internal,
                "the login ended without a result; please report this as a bug",
            )),
        }
    })
}

fn options(login: &Login, prompter: Option<Arc<dyn Prompter>>) -> Result<LoginOptions> {
    let UserLogin {
        device,
        browser,
        open_browser,
        no_open_browser,
        force,
        allow_other_user,
        wait_s,
        ..
    } = login.user;
    if wait_s.is_some_and(|wait_s| wait_s == 0 || Duration::from_secs(wait_s) > LONGEST_TIMEOUT) {
        return Err(mistake("--wait-s takes from 1 to 86400 seconds"));
    }
    let mut options = LoginOptions::default();
    options.method = match (device, browser) {
        (true, _) => Method::Device,
        (_, true) => Method::Browser,
        _ => Method::Auto,
    };
    options.open_browser = if no_open_browser { Some(false) } else { open_browser.then_some(true) };
    options.scopes = (!login.scopes.is_empty()).then(|| login.scopes.clone());
    options.prompter = prompter;
    options.timeout = wait_s.map(Duration::from_secs);
    options.force = force;
    options.allow_other_user = allow_other_user;
    Ok(options)
}

/// Shows a prompt and reads the answer if it needs one.
fn show(prompt: &Prompt, with_qr_code: bool, streams: &mut Streams<'_>) -> Result<Option<String>> {
    let instead = "run it in a terminal, without --json";
    match prompt.kind {
        PromptKind::OtherUser => {
            if streams.terminal_of_user().is_none() || streams.for_program {
                return Ok(None);
            }
            let text = wrapped(&prompt.message);
            let (above, question) =
                text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
            if !above.is_empty() {
                streams.show(&format!("{above}\n"));
            }
            streams.ask_line(question, instead).map(Some)
        }
        PromptKind::Paste => {
            streams.show(&format!("{}\n", wrapped(&prompt.message)));
            // It contains a code that stays valid for a moment, so it must not stay on the screen.
            let pasted = streams.ask_secret("The address, which is not shown:", instead)?;
            Ok(Some(pasted.expose().to_owned()))
        }
        _ => {
            let message = wrapped(&prompt.message);
            if !with_qr_code || prompt.kind != PromptKind::Device {
                streams.show(&format!("{message}\n"));
                return Ok(None);
            }
            let code = qr_code::of(prompt, streams.terminal_of_user());
            // The line that counts down is below.
            let lines = code.lines().count() + message.lines().count() + 3;
            if streams.terminal_of_user().and_then(Terminal::rows).is_none_or(|rows| lines <= rows)
            {
                // First, because it is large and the code to compare must stay in view.
                streams.show(&format!("{code}\n{message}\n"));
            } else {
                // Last, because no camera reads half of it; the code to compare once more below.
                let user_code = prompt.user_code.as_deref().unwrap_or_default();
                streams.show(&format!("{message}\n{code}Code: {user_code}\n"));
            }
            Ok(None)
        }
    }
}

/// The line that shows how much time is left.
#[derive(Default)]
struct Waiting {
    counts_down: bool,
    ends: Option<Instant>,
    shown: String,
}

impl Waiting {
    fn begin(&mut self, prompt: &Prompt) {
        if matches!(prompt.kind, PromptKind::Browser | PromptKind::Device) {
            self.ends = prompt.expires_in.and_then(|left| Instant::now().checked_add(left));
        }
    }

    fn tick(&mut self, streams: &mut Streams<'_>) {
        let Some(ends) =
            self.ends.filter(|_| self.counts_down && streams.terminal_of_user().is_some())
        else {
            return;
        };
        let left = ends.saturating_duration_since(Instant::now()).as_secs();
        let line =
            format!("Waiting for the login, {}:{:02} left. Ctrl-C cancels.", left / 60, left % 60);
        if line != self.shown {
            self.erase(streams);
            streams.show(&line);
            self.shown = line;
        }
    }

    fn erase(&mut self, streams: &mut Streams<'_>) {
        if !self.shown.is_empty() {
            blank(self.shown.len(), streams);
            self.shown.clear();
        }
    }

    /// As [`Waiting::erase`], with the `^C` that the terminal shows after Ctrl-C.
    fn end(&mut self, is_cancelled: bool, streams: &mut Streams<'_>) {
        if is_cancelled && streams.terminal_of_user().is_some() {
            blank(self.shown.len() + "^C".len(), streams);
            self.shown.clear();
        }
        self.erase(streams);
    }
}

/// Overwrites so many characters with spaces, which every terminal can.
fn blank(characters: usize, streams: &mut Streams<'_>) {
    streams.show(&format!("\r{}\r", " ".repeat(characters)));
}

/// A user, by the claims, one to a line.
pub(crate) fn describe(members: &serde_json::Map<String, serde_json::Value>) -> String {
    let indent = members.keys().map(|name| name.chars().count()).max().unwrap_or_default() + 2;
    let mut text = String::new();
    for (name, value) in members {
        let value = match value {
            serde_json::Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        crate::text::line_at(&mut text, indent, &printable(name), &value);
    }
    text
}
