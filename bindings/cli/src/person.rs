//! The login of a person: what they see, what they are asked, and how they break it off.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender, SyncSender};
use std::time::{Duration, Instant};

use planetkey::login::{LoginOptions, Method, Prompt, PromptKind, Prompter};
use planetkey::{Error, LoginResult, Named, Options, Result, Revocation, Session, Status};

use crate::arguments::{Login, Person};
use crate::qr_code;
use crate::streams::{Streams, mistake};
use crate::terminal::Terminal;
use crate::text::{printable, validity, wrapped};

/// How often the remaining time is told.
const TICK: Duration = Duration::from_millis(200);
const LONGEST_WAIT_S: u64 = 24 * 3600;

/// Makes sure that the person of this profile is logged in. `counts_down`: whether the remaining time is told meanwhile.
pub(crate) fn log_in(
    login: &Login,
    profile: &str,
    options: &Options,
    counts_down: bool,
    streams: &mut Streams<'_>,
) -> Result<LoginResult> {
    let named = Named { profile: Some(profile.to_owned()), ..Named::default() };
    let mut session = Session::from_named(&named, options)?;
    if let Some(terminal) = streams.people() {
        session = session.with_interrupt(terminal.interrupt());
    }
    // Who names the way sees to it that somebody reads what is said.
    let is_seen = streams.people().is_some() || login.person.device || login.person.browser;
    let place = || options.profiles()?.check_place(profile);
    // Nobody is to log in for nothing. A session that is good needs no place to be written.
    if is_seen && (login.person.force || !session.is_initialized()) {
        place()?;
    }
    let waiting = Waiting { counts_down, ..Waiting::default() };
    let logged_in = ask(&session, login, is_seen, &place, waiting, streams).map_err(|error| advised(error, profile, is_seen))?;
    if logged_in.file.is_none() {
        return Err(not_kept(&session));
    }
    Ok(logged_in)
}

/// The session would end with this process: it is given back.
fn not_kept(session: &Session) -> Error {
    let given_back = session.give_back_unsaved();
    let message = match &given_back {
        Some((why, Revocation::Unknown(_))) => format!(
            "logged in, but the session could not be kept ({}), and it is not known whether its refresh token was revoked, so it may \
             still be good; put that right and log in again",
            why.message()
        ),
        Some((why, _)) => {
            format!(
                "logged in, but the session could not be kept and was given back: {}; put that right and log in again",
                why.message()
            )
        }
        None => "logged in, but there is no file to keep the session in; log in again with another --storage-root".to_owned(),
    };
    Error::new(Status::Storage, message)
}

/// Who it is and where the session is kept, in a sentence.
pub(crate) fn tale(logged_in: &LoginResult) -> String {
    let who = logged_in.email.as_deref().or(logged_in.subject.as_deref());
    let profile = logged_in.profile.as_deref().unwrap_or_default();
    let how = match who {
        Some(who) if logged_in.prompted => format!("logged in as {who}, profile {profile}"),
        Some(who) => format!("{who} is logged in already, profile {profile}"),
        None if logged_in.prompted => format!("logged in, profile {profile}"),
        None => format!("somebody is logged in already, profile {profile}"),
    };
    let file = logged_in.file.as_ref().map(|file| format!("; the session is kept in {}", file.display())).unwrap_or_default();
    match logged_in.expires_at.and_then(validity) {
        Some(valid) if !logged_in.prompted => format!("{how}, {valid}{file} (--force asks all the same)"),
        _ => format!("{how}{file}"),
    }
}

/// What the core was told by nobody is said by the options of this command.
fn advised(error: Error, profile: &str, is_seen: bool) -> Error {
    let advice = match (error.status(), error.reason()) {
        (Status::LoginRequired, _) if !is_seen => format!(
            "somebody must log in, and nobody can be asked here: run `planetkey login --profile {profile}` in a terminal, or with \
             --device where somebody reads what it says"
        ),
        (Status::Cancelled, _) => "the login was broken off; nothing was changed".to_owned(),
        (Status::Denied, Some("other_user")) => {
            format!("{}; --allow-other-user does that", error.message())
        }
        _ => return error,
    };
    let advised = Error::new(error.status(), advice).with_profile(Some(profile));
    match error.reason() {
        Some(reason) => advised.with_reason(reason),
        None => advised,
    }
}

/// What the login says to the thread that holds the streams.
enum Event {
    Prompt(Box<Prompt>, SyncSender<Result<Option<String>>>),
    Done(Box<Result<LoginResult>>),
}

/// Hands prompts over to the thread that holds the streams.
struct Relay(Sender<Event>);

impl Prompter for Relay {
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        let gone = || Error::new(Status::Cancelled, "nobody listens to the login any more");
        let (sender, answer) = mpsc::sync_channel(1);
        self.0.send(Event::Prompt(Box::new(prompt.clone()), sender)).map_err(|_| gone())?;
        answer.recv().map_err(|_| gone())?
    }
}

/// The login on a thread of its own, and this one for who is asked.
///
/// `place`: whether the session can be kept, which is asked again before each question.
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
            // This thread's end is no sign: a request that nobody waits for any more may hold the relay for longer.
            let _ = sender.send(Event::Done(Box::new(session.login(&options))));
        });
        let outcome = loop {
            match events.recv_timeout(TICK) {
                Ok(Event::Prompt(prompt, answer)) => {
                    waiting.erase(streams);
                    let answered = place().and_then(|()| show(&prompt, login.person.show_qr_code, streams));
                    waiting.begin(&prompt);
                    // Who asked may have left.
                    let _ = answer.send(answered);
                }
                Ok(Event::Done(outcome)) => break Some(*outcome),
                Err(RecvTimeoutError::Timeout) => waiting.tick(streams),
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        let is_broken_off = matches!(&outcome, Some(Err(error)) if error.status() == Status::Cancelled);
        waiting.end(is_broken_off, streams);
        match (outcome, thread.join()) {
            (Some(outcome), Ok(())) => outcome,
            (_, Err(panic)) => std::panic::resume_unwind(panic),
            (None, Ok(())) => Err(Error::new(Status::Internal, "the login ended without an outcome; please report it")),
        }
    })
}

fn options(login: &Login, prompter: Option<Arc<dyn Prompter>>) -> Result<LoginOptions> {
    let Person { device, browser, open_browser, no_open_browser, force, allow_other_user, wait_s, .. } = login.person;
    if wait_s.is_some_and(|wait_s| wait_s == 0 || wait_s > LONGEST_WAIT_S) {
        return Err(mistake("--wait-s takes from 1 to 86400 seconds"));
    }
    Ok(LoginOptions {
        method: match (device, browser) {
            (true, _) => Method::Device,
            (_, true) => Method::Browser,
            _ => Method::Auto,
        },
        open_browser: if no_open_browser { Some(false) } else { open_browser.then_some(true) },
        scopes: (!login.scopes.is_empty()).then(|| login.scopes.clone()),
        prompter,
        timeout_ms: wait_s.map(|wait_s| wait_s * 1000),
        force,
        allow_other_user: allow_other_user,
        ..LoginOptions::default()
    })
}

/// Shows a prompt and gets the answer where one is needed.
fn show(prompt: &Prompt, with_qr_code: bool, streams: &mut Streams<'_>) -> Result<Option<String>> {
    let instead = "run it in a terminal, without --json";
    match prompt.kind {
        PromptKind::OtherUser => {
            if streams.people().is_none() || streams.for_program {
                return Ok(None);
            }
            let text = wrapped(&prompt.message);
            let (above, question) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
            if !above.is_empty() {
                streams.show(&format!("{above}\n"));
            }
            streams.ask_line(question, instead).map(Some)
        }
        PromptKind::Paste => {
            streams.show(&format!("{}\n", wrapped(&prompt.message)));
            // It holds a code that is good for a moment; nobody who looks at the screen later needs to see it.
            let pasted = streams.ask_secret("The address, which is not shown:", instead)?;
            Ok(Some(pasted.expose().to_owned()))
        }
        PromptKind::Browser | PromptKind::Device => {
            let message = wrapped(&prompt.message);
            if !with_qr_code || prompt.kind != PromptKind::Device {
                streams.show(&format!("{message}\n"));
                return Ok(None);
            }
            let code = qr_code::of(prompt, streams.people());
            // The line that counts down comes below.
            let lines = code.lines().count() + message.lines().count() + 3;
            if streams.people().and_then(Terminal::rows).is_none_or(|rows| lines <= rows) {
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

/// The line that says how long there still is for it, where people see it.
#[derive(Default)]
struct Waiting {
    counts_down: bool,
    ends: Option<Instant>,
    shown: String,
}

impl Waiting {
    fn begin(&mut self, prompt: &Prompt) {
        if matches!(prompt.kind, PromptKind::Browser | PromptKind::Device) {
            self.ends = prompt.expires_in_ms.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        }
    }

    fn tick(&mut self, streams: &mut Streams<'_>) {
        let Some(ends) = self.ends.filter(|_| self.counts_down && streams.people().is_some()) else { return };
        let left = ends.saturating_duration_since(Instant::now()).as_secs();
        let line = format!("Waiting for you, {}:{:02} left. Ctrl-C ends it.", left / 60, left % 60);
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

    /// As [`Waiting::erase`], with the `^C` that the terminal shows where somebody breaks off.
    fn end(&mut self, is_broken_off: bool, streams: &mut Streams<'_>) {
        if is_broken_off && streams.people().is_some() {
            blank(self.shown.len() + "^C".len(), streams);
            self.shown.clear();
        }
        self.erase(streams);
    }
}

/// Wipes so many characters away, as every terminal can.
fn blank(characters: usize, streams: &mut Streams<'_>) {
    streams.show(&format!("\r{}\r", " ".repeat(characters)));
}

/// A person, as the members of their tokens' claims, one to a line.
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
