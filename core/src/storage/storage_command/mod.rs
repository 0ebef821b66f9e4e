//! A program of the user that saves one profile's session in a secret store, as the credential
//! helpers of git and docker do: the last argument is the operation, and JSON passes through the
//! pipes. Plain text is in no file, no argument and no variable.

mod answer;
mod complaint;
mod session;

pub use answer::{Answer, parse_answer};
pub use session::SessionByCommand;
pub(crate) use session::has_receipt;

use crate::child::{self, Ended, Failure, Finished, Group, Limits};
use crate::error::{Error, Result, Status};
use crate::secret_json::Members;
use crate::text::one_line;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// The longest time for one run, also if the caller gives more.
const LONGEST_RUN: Duration = Duration::from_secs(30);
/// The least time for one run, also if the caller's deadline is nearer.
const SHORTEST_RUN: Duration = Duration::from_secs(1);
/// No session is nearly this large.
const MAX_ANSWER_BYTES: u64 = 1024 * 1024;

/// The program that a profile names, and its arguments. No shell runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageCommand {
    program: String,
    arguments: Vec<String>,
}

impl StorageCommand {
    /// From the list in the client configuration.
    ///
    /// Errors: MISCONFIGURED for an empty list, and for a program whose meaning depends on the
    /// working directory.
    pub(crate) fn new(words: Vec<String>) -> Result<Self> {
        let mut words = words.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or_else(|| {
            Error::misconfigured(
                "storage_command in the client configuration is empty; it is the list of a program and its arguments",
            )
        })?;
        let path = Path::new(&program);
        let is_plain_name = path.components().count() == 1 && !program.contains(['/', '\\']);
        if !is_plain_name && !path.is_absolute() && !program.starts_with("~/") {
            return Err(Error::misconfigured(
                "storage_command in the client configuration names its program by a relative path; give the whole path, or a name that is on PATH",
            ));
        }
        Ok(StorageCommand { program, arguments: words.collect() })
    }

    /// The program as the profile names it, in one line.
    fn shown(&self) -> String {
        one_line(&self.program, 200)
    }
}

/// What the program is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Get,
    Store,
    Erase,
}

impl Operation {
    fn name(self) -> &'static str {
        match self {
            Operation::Get => "get",
            Operation::Store => "store",
            Operation::Erase => "erase",
        }
    }
}

/// The environment in which the program of a profile runs.
#[derive(Clone, Debug)]
pub struct Helper {
    command: StorageCommand,
    /// The profile whose session it saves, as its directory is named.
    profile: String,
    search_path: Option<OsString>,
    home: Option<PathBuf>,
    /// The user and group as whom it runs; `None` means those of this process.
    user: Option<(u32, u32)>,
    timeout: Duration,
}

impl Helper {
    /// `search_path`: the content of `PATH`; `home`: the directory that `~` means.
    pub(crate) fn new(
        command: StorageCommand,
        profile: &str,
        search_path: Option<OsString>,
        home: Option<PathBuf>,
    ) -> Self {
        let profile = profile.to_owned();
        Helper { command, profile, search_path, home, user: None, timeout: LONGEST_RUN }
    }

    /// The same, run as the owner of the file that names the program.
    pub(crate) fn for_user(self, user: Option<(u32, u32)>) -> Self {
        Helper { user, ..self }
    }

    /// The same with another limit for a run, of at most 30 seconds.
    pub(crate) fn with_timeout(self, timeout: Duration) -> Self {
        Helper { timeout: timeout.min(LONGEST_RUN), ..self }
    }

    /// What `status()` shows instead of a file.
    pub(crate) fn shown(&self) -> String {
        format!("storage_command {}", self.command.shown())
    }

    /// What is saved. `deadline`: that of the caller, if it is known.
    ///
    /// Errors: STORAGE.
    pub(crate) fn get(&self, deadline: Option<Instant>) -> Result<Answer> {
        self.get_until(self.limit(deadline))
    }

    /// Saves these members of a session. Errors: STORAGE, also if they cannot be read back.
    fn store(&self, session: &Members) -> Result<()> {
        // The server may have used up the previous refresh token, so that this must not be cut off.
        let deadline = Instant::now() + LONGEST_RUN;
        let input = Zeroizing::new(answer::document(&self.profile, Some(session)));
        let Returned { complaint, .. } = self.run(Operation::Store, &input, deadline)?;
        // Some programs shorten what is too long, and report success.
        match self.get_answer(Instant::now() + LONGEST_RUN)? {
            Ok(Answer::Session(saved)) if answer::is_same(&saved, session) => Ok(()),
            _ => {
                let said = complaint.map(|said| format!(" (it said: \"{said}\")"));
                let why = "it reported success, and `get` does not return what it was given";
                let why = format!("{why}{}", said.unwrap_or_default());
                Err(self.failed(Operation::Store, &why))
            }
        }
    }

    /// Deletes what is saved. Errors: STORAGE, also if it can still be read.
    pub(crate) fn erase(&self, deadline: Option<Instant>) -> Result<()> {
        let input = answer::document(&self.profile, None);
        self.run(Operation::Erase, &input, self.limit(deadline))?;
        match self.get_until(self.limit(deadline))? {
            Answer::Nothing => Ok(()),
            Answer::Session(_) => Err(self.failed(
                Operation::Erase,
                "it reported success, and `get` still returns the session",
            )),
        }
    }

    /// Checks that the program works, whatever it returns. Errors: STORAGE.
    pub(crate) fn check_runs(&self) -> Result<()> {
        self.run(Operation::Get, &answer::document(&self.profile, None), self.limit(None)).map(drop)
    }

    /// Whether the program can be found. Errors: STORAGE.
    fn check(&self) -> Result<()> {
        self.program().map(drop)
    }

    fn limit(&self, deadline: Option<Instant>) -> Instant {
        let now = Instant::now();
        let own = now + self.timeout;
        deadline.map_or(own, |deadline| deadline.min(own)).max(now + SHORTEST_RUN.min(self.timeout))
    }

    fn get_until(&self, deadline: Instant) -> Result<Answer> {
        self.get_answer(deadline)?.map_err(|why| self.failed(Operation::Get, why))
    }

    /// What `get` returned, or what is wrong with it.
    fn get_answer(&self, deadline: Instant) -> Result<std::result::Result<Answer, &'static str>> {
        let input = answer::document(&self.profile, None);
        let Returned { output, .. } = self.run(Operation::Get, &input, deadline)?;
        Ok(parse_answer(&output, &self.profile))
    }

    fn run(&self, operation: Operation, input: &[u8], deadline: Instant) -> Result<Returned> {
        let started = Instant::now();
        let mut command = child::command_as(self.program()?, self.user);
        command.args(&self.command.arguments).arg(operation.name());
        let limits = Limits { deadline, output_bytes: MAX_ANSWER_BYTES };
        let finished = child::run("planetkey-storage", command, input, Group::Own, limits);
        let Finished { ended, output, complaint } = finished.map_err(|failure| {
            let why = match &failure {
                Failure::NotStarted(error) => format!("it cannot be started: {error}"),
                Failure::TooLong => {
                    let waited = started.elapsed().as_secs_f64();
                    format!("it did not end within {waited:.1} s and was killed; if it waits for an answer, such as a password that unlocks the store, unlock the store first")
                }
                Failure::TooMuch => "its answer is longer than 1 MiB".to_owned(),
            };
            self.failed(operation, &why).with_retryable(failure.is_temporary())
        })?;
        let complaint = child::first_line(&complaint)
            .map(|line| complaint::without_secrets(&line, &[input, &output]))
            .filter(|line| !line.is_empty());
        if ended.may_have_succeeded() {
            return Ok(Returned { output, complaint });
        }
        let why = match complaint {
            Some(line) => format!("\"{line}\" ({})", how(ended)),
            None => format!("it failed without saying why ({})", how(ended)),
        };
        Err(self.failed(operation, &why))
    }

    fn program(&self) -> Result<PathBuf> {
        let named = &self.command.program;
        let found = match named.strip_prefix("~/") {
            Some(rest) => self.home.as_ref().map(|home| home.join(rest)),
            None if named.contains(['/', '\\']) => Some(PathBuf::from(named)),
            None => child::find(named, self.search_path.as_deref()),
        };
        found.filter(|program| child::is_program(program)).ok_or_else(|| {
            self.error(&format!(
                "the storage_command {} is not an executable program{}; install it, or correct the profile",
                self.command.shown(),
                if named.contains(['/', '\\']) { "" } else { " on PATH" },
            ))
        })
    }

    fn failed(&self, operation: Operation, why: &str) -> Error {
        self.error(&format!(
            "the storage_command {} failed for `{}`: {why}",
            self.command.shown(),
            operation.name(),
        ))
    }

    fn error(&self, message: &str) -> Error {
        Error::new(Status::Storage, one_line(message, 700)).with_profile(Some(&self.profile))
    }
}

/// What a run that succeeded returned.
struct Returned {
    output: Zeroizing<Vec<u8>>,
    /// What it wrote to standard error in spite of that, without secrets.
    complaint: Option<String>,
}

/// How a program ended, for a message.
fn how(ended: Ended) -> String {
    match ended {
        Ended::With(status) => status.to_string(),
        Ended::Unknown => "exit status unknown".to_owned(),
    }
}
