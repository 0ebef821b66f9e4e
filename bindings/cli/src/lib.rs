//! The `planetkey` command as a library: [`run`] takes arguments and streams and returns the exit code.
//!
//! What was asked for is alone on the output, everything else goes to the error stream, and the exit code is the
//! number of the error's status. The command decides nothing about tokens, hosts or errors: the core does.
//!
//! ```
//! let (mut output, mut errors) = (Vec::new(), Vec::new());
//! let code = planetkey_cli::run(["planetkey", "--version"], &mut &b""[..], &mut output, &mut errors);
//! assert_eq!(code, 0);
//! assert_eq!(output, format!("planetkey {}\n", planetkey::VERSION).as_bytes());
//! ```

#![forbid(unsafe_code)]

mod arguments;
mod logger;
mod session;
mod status;
mod usage;

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::Parser;
use planetkey::{Error, Result, Status};

use arguments::{Arguments, Command};
use usage::Answer;

/// Runs the command. `arguments` start with the name of the program; log records of `--verbose` go to the standard
/// error of the process, because a process has one logger.
///
/// The result is the exit code: 0, or the number of the [`Status`] of the error that `stderr` names.
pub fn run<I, A>(arguments: I, stdin: &mut dyn Read, stdout: &mut dyn Write, stderr: &mut dyn Write) -> u8
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    let done = catch_unwind(AssertUnwindSafe(|| {
        let output = answer(arguments, stdin, stderr)?;
        deliver(&output, stdout)
    }));
    let error = match done {
        Ok(Ok(())) => return 0,
        Ok(Err(error)) => error,
        Err(_) => Error::new(Status::Internal, "planetkey failed in a way that it should not; please report it"),
    };
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(stderr, "planetkey: {error}").and_then(|()| stderr.flush());
    u8::try_from(error.status().number()).unwrap_or(u8::MAX)
}

/// What the command prints, with the line end.
fn answer<I, A>(arguments: I, stdin: &mut dyn Read, stderr: &mut dyn Write) -> Result<String>
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
    let session = session::open(&shared, stdin)?;
    // The log has the notes, too, and so has the status.
    if shared.verbose == 0 && !matches!(command, Command::Status { .. }) {
        for note in session.status().notes() {
            let _ = writeln!(stderr, "planetkey: note: {}", printable(note));
        }
    }
    let mut output = match command {
        Command::PrintAccessToken => session.access_token()?.to_string(),
        Command::PrintApiKey => session.api_key()?,
        Command::Header { url } => {
            let authorization = session.headers(&url)?;
            if shared.verbose > 0 && authorization.under_development() {
                let _ = writeln!(stderr, "planetkey: note: Planet lists this credential as under development for this host");
            }
            let lines = authorization.headers().map(|(name, value)| format!("{name}: {value}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        Command::Url { url } => session.signed_url(&url)?,
        Command::Status { json: true } => format!("{:#}", session.status().to_json()),
        Command::Status { json: false } => status::describe(&session),
    };
    output.push('\n');
    Ok(output)
}

/// Writes all of the output or says why not.
fn deliver(output: &str, stdout: &mut dyn Write) -> Result<()> {
    match stdout.write_all(output.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        // The reader has what it wanted and has gone.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(Error::new(Status::Storage, format!("cannot write the output: {error}"))),
    }
}

/// Text of others without what could forge lines or steer a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
