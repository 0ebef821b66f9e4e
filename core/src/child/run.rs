//! Runs a program to its end: what it is given and what it returns pass through pipes. Its output
//! and its time are limited.

use super::spawn;
use crate::threads;
use std::io::{self, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

const POLL: Duration = Duration::from_millis(2);
/// How much of what it writes to standard error is read.
const MAX_COMPLAINT_BYTES: u64 = 64 * 1024;

/// Whether a program gets a process group of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// It stays in this process's group, so that it can ask on the terminal.
    Shared,
    /// It is ended together with the programs that it started: all of its group are killed when it
    /// has ended or its time has passed. It cannot read from the terminal.
    #[cfg_attr(not(unix), allow(dead_code))]
    Own,
}

/// The limits of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) deadline: Instant,
    pub(crate) output_bytes: u64,
}

/// How a program ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    /// With this status.
    With(ExitStatus),
    /// In an application that ignores SIGCHLD the system discards the exit status of a child. Only
    /// the output shows whether it succeeded.
    Unknown,
}

impl Ended {
    /// Whether nothing says that it failed.
    pub(crate) fn may_have_succeeded(self) -> bool {
        match self {
            Ended::With(status) => status.success(),
            Ended::Unknown => true,
        }
    }
}

/// Why a program was not run to its end.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The system did not start it, or no thread that serves its pipes.
    NotStarted(io::Error),
    /// Its time had passed, and it was killed.
    TooLong,
    /// It returned more than the limit.
    TooMuch,
}

/// What a program that ended left behind.
pub(crate) struct Finished {
    pub(crate) ended: Ended,
    pub(crate) output: Zeroizing<Vec<u8>>,
    /// What it wrote to standard error, unless it succeeded and returned something. It may hold a
    /// secret.
    pub(crate) complaint: Zeroizing<Vec<u8>>,
}

/// Runs a program with this input. `name` is that of the threads that serve its pipes.
///
/// Blocks until it has ended, at most until the deadline.
pub(crate) fn run(
    name: &'static str,
    mut command: Command,
    input: &[u8],
    group: Group,
    limits: Limits,
) -> Result<Finished, Failure> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    if group == Group::Own {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
    }
    let child = spawn(&mut command).map_err(Failure::NotStarted)?;
    let mut running = Running { child, group };
    // Threads serve the pipes, so that neither side blocks the other.
    if let Some(mut stdin) = running.child.stdin.take() {
        let input = Zeroizing::new(input.to_vec());
        // A program that does not read all of its input has failed, and reports that itself.
        if let Err(error) = threads::spawn(name, move || drop(stdin.write_all(&input))) {
            running.kill();
            return Err(Failure::NotStarted(error));
        }
    }
    let output =
        running.child.stdout.take().map(|pipe| collect(name, pipe, limits.output_bytes + 1));
    let complaint =
        running.child.stderr.take().map(|pipe| collect(name, pipe, MAX_COMPLAINT_BYTES));
    let ended = running.wait(limits.deadline).ok_or(Failure::TooLong)?;
    let output = received(output, limits.deadline).ok_or(Failure::TooLong)?;
    if output.len() as u64 > limits.output_bytes {
        return Err(Failure::TooMuch);
    }
    // It matters only after a failure, and then it must be complete.
    let complaint = match ended.may_have_succeeded() && !output.is_empty() {
        true => Zeroizing::default(),
        false => received(complaint, limits.deadline).ok_or(Failure::TooLong)?,
    };
    Ok(Finished { ended, output, complaint })
}

impl Failure {
    /// Whether a later attempt may succeed.
    pub(crate) fn is_temporary(&self) -> bool {
        match self {
            Failure::NotStarted(error) => error.kind() == io::ErrorKind::WouldBlock,
            Failure::TooLong => true,
            Failure::TooMuch => false,
        }
    }
}

/// The first line with content of what a program wrote to standard error.
pub(crate) fn first_line(complaint: &[u8]) -> Option<Zeroizing<String>> {
    let text = Zeroizing::new(String::from_utf8_lossy(complaint).into_owned());
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    line.map(|line| Zeroizing::new(line.to_owned()))
}

/// Reads a pipe to its end. Sends the first `limit` bytes when the pipe ends.
fn collect(
    name: &'static str,
    mut pipe: impl Read + Send + 'static,
    limit: u64,
) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // If no thread can be started, the sender is dropped, and the receiver reports that nothing
    // arrived.
    let _ = threads::spawn(name, move || {
        // Large enough from the start, because a vector that grows leaves copies in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let _ = pipe.by_ref().take(limit).read_to_end(&mut bytes);
        let _ = io::copy(&mut pipe, &mut io::sink());
        let _ = sender.send(bytes);
    });
    receiver
}

/// The content of a pipe. A child of the program may hold the pipe open, and is not waited for
/// longer than the program itself.
fn received(
    pipe: Option<Receiver<Zeroizing<Vec<u8>>>>,
    deadline: Instant,
) -> Option<Zeroizing<Vec<u8>>> {
    pipe?.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}

/// A program that was started.
struct Running {
    child: Child,
    #[cfg_attr(not(unix), allow(dead_code))]
    group: Group,
}

impl Running {
    /// How it ended; `None` if it had to be killed.
    fn wait(&mut self, deadline: Instant) -> Option<Ended> {
        loop {
            match self.try_wait() {
                Ok(Some(status)) => return Some(Ended::With(status)),
                Err(_) => return Some(Ended::Unknown),
                Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
                Ok(None) => {
                    self.kill();
                    return None;
                }
            }
        }
    }

    /// Its status, if it has ended. Then the rest of its own group is killed.
    fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        #[cfg(unix)]
        if self.group == Group::Own {
            use rustix::process::{WaitId, WaitIdOptions, waitid};
            // As long as it was not waited for, its number is not that of another group.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let Some(pid) = self.pid() else { return self.child.try_wait() };
            if waitid(WaitId::Pid(pid), options)?.is_none() {
                return Ok(None);
            }
            self.kill_group();
        }
        self.child.try_wait()
    }

    fn kill(&mut self) {
        #[cfg(unix)]
        if self.group == Group::Own {
            self.kill_group();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    #[cfg(unix)]
    fn kill_group(&self) {
        if let Some(pid) = self.pid() {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }

    #[cfg(unix)]
    fn pid(&self) -> Option<rustix::process::Pid> {
        i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
    }
}
