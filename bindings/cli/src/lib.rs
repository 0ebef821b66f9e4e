//! The `planetkey` command as a library: [`run`] takes arguments and streams and returns the exit
//! code.
//!
//! The result is alone on the output. Everything else goes to the error stream. The exit code is
//! the number of the error's status. The core decides about tokens, hosts and errors; the command
//! adds what to run next.
//!
//! ```
//! let (mut output, mut errors) = (Vec::new(), Vec::new());
//! let arguments = ["planetkey", "--version"];
//! let code = planetkey_cli::run(arguments, &mut &b""[..], &mut output, &mut errors);
//! assert_eq!(code, 0);
//! assert_eq!(output, format!("planetkey {}\n", planetkey::VERSION).as_bytes());
//! ```

#![forbid(unsafe_code)]

mod advice;
mod arguments;
pub mod core_dumps;
mod examples;
mod logger;
mod login;
mod profiles;
mod qr_code;
mod session;
mod signals;
mod status;
mod streams;
mod terminal;
mod text;
mod usage;
mod user_login;

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};

use clap::Parser;
use planetkey::{Error, Result, Session, Status};
use planetkey_support::panic::guarded;
use serde_json::{Map, Value};

use arguments::{Arguments, Command, Shared};
pub use signals::Signals;
use streams::Streams;
pub use terminal::{StandardTerminal, Terminal};
use usage::Answer;

/// Runs the command without a terminal, so that it prompts for nothing. `arguments` start with the
/// name of the program. Log records of `--verbose` go to the standard error of the process, because
/// a process has one logger.
///
/// The result is the exit code: 0, or the number of the [`Status`] of the error that `stderr`
/// names. A program that ends after this calls [`planetkey::session::settle`] first.
pub fn run<I, A>(
    arguments: I,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    run_at(None, None, arguments, stdin, stdout, stderr)
}

/// The commands and options as clap describes them, from which the manual pages and the completions
/// of shells are made.
pub fn command_line() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// As [`run`], where `stdin` is this terminal: questions go to `stderr`, and secrets are typed
/// without being shown. `signals` are those that end what waits; the program settles afterwards,
/// and obeys them.
pub fn run_at<I, A>(
    terminal: Option<&dyn Terminal>,
    signals: Option<&Signals>,
    arguments: I,
    stdin: &mut dyn Read,
    stdout: &mut dyn Write,
    stderr: &mut dyn Write,
) -> u8
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    let mut streams = Streams { stdin, stderr, terminal, signals, for_program: false };
    let done = guarded(|| {
        let output = answer(arguments, &mut streams)?;
        deliver(&output, stdout)
    });
    let error = match done {
        Ok(()) => return 0,
        Err(error) => error,
    };
    // Standard error may be closed.
    let _ = writeln!(stderr, "planetkey: {}: {}", error.status(), advice::message(&error))
        .and_then(|()| stderr.flush());
    u8::try_from(error.status().number()).unwrap_or(u8::MAX)
}

/// What the command prints, with the line end.
fn answer<I, A>(arguments: I, streams: &mut Streams<'_>) -> Result<String>
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    let Arguments { shared, command } = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => match usage::answer(&error) {
            Answer::Text(text) => return Ok(text),
            Answer::Mistake(error) => return Err(error),
        },
    };
    logger::show(shared.verbose);
    streams.for_program = command.is_for_program();
    shared.check()?;
    match command {
        Command::Login(login) => login::run(&login, &shared, streams),
        Command::Profile { command } => profiles::run(&command, &shared, streams),
        Command::Reset { yes, json } => profiles::reset(yes, json, &shared, streams),
        Command::Logout { no_revoke, json } => {
            session::needs_disk(&shared, "log out from")?;
            let session =
                session::open(&shared, streams).map(|session| streams.interruptible(session));
            session::logout(session, !no_revoke, json, streams)
        }
        command => {
            let session = session::open(&shared, streams)?;
            let session = streams.interruptible(session);
            let output = answer_of(&session, &command, &shared, streams);
            // The log and the status contain the notes. They come last, because a refresh may add
            // one.
            if shared.verbose == 0 && !matches!(command, Command::Status { .. }) {
                // Without any credential the error repeats them, perhaps without the name before
                // the colon.
                let is_repeated = |note: &str| {
                    let said = note.split_once(": ").map_or(note, |(_, said)| said);
                    output.as_ref().is_err_and(|error| error.message().contains(said))
                };
                for note in session.status().notes().iter().filter(|note| !is_repeated(note)) {
                    streams.note(note);
                }
            }
            output
        }
    }
}

/// What the commands that use a session print.
fn answer_of(
    session: &Session,
    command: &Command,
    shared: &Shared,
    streams: &mut Streams<'_>,
) -> Result<String> {
    let mut output = match command {
        Command::PrintAccessToken { json: true } => return session::token_document(session),
        Command::PrintAccessToken { json: false } => session.access_token()?.to_string(),
        Command::PrintApiKey => session.api_key()?,
        Command::Header { url } => {
            let authorization = session.headers(url)?;
            if shared.verbose > 0 && authorization.under_development() {
                streams.note("Planet lists this credential as under development for this host");
            }
            let lines = authorization.headers().map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        Command::Url { url } => session.signed_url(url)?,
        Command::Status { json: true } => return Ok(text::json(&status::json(session))),
        Command::Status { json: false } => status::describe(session),
        Command::Refresh { json } => {
            session::needs_disk(shared, "refresh")?;
            return session::refresh(session, *json);
        }
        Command::Userinfo { json } => {
            let claims = session.userinfo().map_err(|error| advice::with_openid(error, session))?;
            return Ok(described(&claims, *json));
        }
        Command::Introspect { token_file, json } => {
            let token =
                token_file.as_deref().map(|file| session::token(file, streams)).transpose()?;
            return Ok(described(
                &session.introspect(token.as_ref().map(|token| token.expose()))?,
                *json,
            ));
        }
        Command::Login(_)
        | Command::Logout { .. }
        | Command::Profile { .. }
        | Command::Reset { .. } => return Ok(String::new()),
    };
    output.push('\n');
    Ok(output)
}

fn described(members: &Map<String, Value>, json: bool) -> String {
    if json { text::json(&Value::Object(members.clone())) } else { user_login::describe(members) }
}

/// Writes all of the output or says why not.
fn deliver(output: &str, stdout: &mut dyn Write) -> Result<()> {
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        // The reader has read what it needs and has exited.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::new(Status::Storage, format!("cannot write the output: {error}"))),
    }
}
