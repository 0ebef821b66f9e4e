//! What the command tells and asks the user.

use std::io::{self, Read, Write};

use planetkey::secret::Secret;
use planetkey::{Error, Result, Session, Status};

use crate::signals::Signals;
use crate::terminal::Terminal;
use crate::text::printable;

/// All streams but the output, which contains the result and nothing else.
pub(crate) struct Streams<'a> {
    pub(crate) stdin: &'a mut dyn Read,
    pub(crate) stderr: &'a mut dyn Write,
    pub(crate) terminal: Option<&'a dyn Terminal>,
    pub(crate) signals: Option<&'a Signals>,
    /// A program reads the output: there are no messages and no prompts.
    pub(crate) for_program: bool,
}

impl<'a> Streams<'a> {
    /// The same session. A signal cancels its calls.
    pub(crate) fn interruptible(&self, session: Session) -> Session {
        self.signals.map_or(session.clone(), |signals| session.with_interrupt(signals.catch()))
    }

    /// Says what was done.
    pub(crate) fn say(&mut self, text: &str) {
        if !self.for_program {
            // Standard error may be closed.
            let _ = writeln!(self.stderr, "planetkey: {}", printable(text));
        }
    }

    /// Shows a note, also if a program reads the output.
    pub(crate) fn note(&mut self, text: &str) {
        let _ = writeln!(self.stderr, "planetkey: note: {}", printable(text));
    }

    /// Shows text with its line breaks, also if a program reads the output.
    pub(crate) fn show(&mut self, text: &str) {
        let _ = self.stderr.write_all(text.as_bytes()).and_then(|()| self.stderr.flush());
    }

    /// The terminal, if the user sees what is written and may answer.
    pub(crate) fn terminal_of_user(&self) -> Option<&'a dyn Terminal> {
        self.terminal.filter(|terminal| terminal.shows_questions())
    }

    /// Asks; only `y` and `yes` are yes. `instead` says what to do without a terminal.
    ///
    /// Errors: INVALID_ARGUMENT without a terminal; CANCELLED.
    pub(crate) fn confirm(&mut self, question: &str, instead: &str) -> Result<bool> {
        let answer = self.ask_line(&format!("{question} [y/N]"), instead)?;
        Ok(["y", "yes"].contains(&answer.trim().to_ascii_lowercase().as_str()))
    }

    /// Asks for a line.
    ///
    /// Errors: INVALID_ARGUMENT without a terminal; CANCELLED.
    pub(crate) fn ask_line(&mut self, question: &str, instead: &str) -> Result<String> {
        let terminal = self.terminal_to_ask(instead)?;
        self.ask(question)?;
        if !terminal.wait_for_line().map_err(|error| unreadable(&error))? {
            self.show("\n");
            return Err(cancelled());
        }
        self.line().map_err(|error| unreadable(&error))
    }

    /// Asks for a secret, which is not shown while it is typed.
    ///
    /// Errors: INVALID_ARGUMENT without a terminal, and for an empty line; CANCELLED.
    pub(crate) fn ask_secret(&mut self, question: &str, instead: &str) -> Result<Secret> {
        let terminal = self.terminal_to_ask(instead)?;
        let typed = terminal.ask_hidden(&printable(question), self.stdin, self.stderr);
        match typed.map_err(|error| unreadable(&error))? {
            Some(secret) if secret.is_empty() => Err(mistake("nothing was typed")),
            Some(secret) => Ok(secret),
            None => Err(cancelled()),
        }
    }

    fn terminal_to_ask(&self, instead: &str) -> Result<&'a dyn Terminal> {
        match self.terminal_of_user() {
            Some(terminal) if !self.for_program => Ok(terminal),
            _ => Err(mistake(&format!("there is no terminal to ask at; {instead}"))),
        }
    }

    fn ask(&mut self, question: &str) -> Result<()> {
        let asked =
            write!(self.stderr, "{} ", printable(question)).and_then(|()| self.stderr.flush());
        asked.map_err(|error| {
            Error::new(Status::Storage, format!("cannot show the question: {error}"))
        })
    }

    /// One line and no more, so that the next question finds what is left.
    fn line(&mut self) -> io::Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.len() < 1024 && self.stdin.read(&mut byte)? == 1 && byte[0] != b'\n' {
            line.push(byte[0]);
        }
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

fn cancelled() -> Error {
    Error::new(Status::Cancelled, "cancelled; nothing was changed")
}

fn unreadable(error: &io::Error) -> Error {
    mistake(&format!("cannot read the answer: {error}"))
}

/// An error of the command line.
pub(crate) fn mistake(message: &str) -> Error {
    Error::new(Status::InvalidArgument, message)
}
