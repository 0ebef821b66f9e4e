//! Files that the program `sops` encrypts. Plain text passes only through pipes, never through a
//! file.

use super::python_json;
use crate::child;
use crate::error::{Error, Result, Status};
use crate::text::one_line;
use crate::threads;
use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// `sops` may contact a key service in the cloud. After this time it counts as hanging.
const TIMEOUT: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(2);
/// No profile or session is nearly this large.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;
const MAX_COMPLAINT_BYTES: u64 = 64 * 1024;

/// Whether a file is encrypted when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// As it was before; a new file is plain text.
    AsBefore,
    /// With `sops`.
    Sops,
}

/// The end of an encrypted file's name, as the SDK writes it.
const EXTENSION: &str = ".sops.json";

/// Whether sops has encrypted this file, decided by its name as the SDK does.
pub(crate) fn is_encrypted(path: &Path) -> bool {
    path.to_string_lossy().ends_with(EXTENSION)
}

/// The name of the encrypted form of a JSON file: `token.sops.json` for `token.json`.
pub(crate) fn encrypted_name(plain: &str) -> String {
    format!("{}{EXTENSION}", plain.strip_suffix(".json").unwrap_or(plain))
}

/// The program `sops`, looked up along a search path each time it is needed. Usable from any
/// thread.
#[derive(Clone, Debug)]
pub struct Sops {
    search_path: Option<OsString>,
    timeout: Duration,
    /// The user and group as whom it runs; `None` means those of this process.
    #[cfg_attr(not(unix), allow(dead_code))]
    user: Option<(u32, u32)>,
}

impl Sops {
    /// Looks for the program along these directories: the content of `PATH`.
    pub fn new(search_path: Option<OsString>) -> Self {
        Sops { search_path, timeout: TIMEOUT, user: None }
    }

    /// The same with another limit on how long the program may run.
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Sops { timeout, ..self }
    }

    /// The same, run as the owner of the files.
    pub(crate) fn as_user(&self, user: Option<(u32, u32)>) -> Self {
        Sops { user, ..self.clone() }
    }

    /// The plain text of an encrypted file.
    ///
    /// Blocks; `sops` may use the network to reach a key service. Errors: UNSUPPORTED if the
    /// program does not exist, STORAGE if it fails or does not finish within 30 s.
    pub fn decrypt(&self, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let path = absolute(path);
        self.run(&[OsStr::new("-d"), path.as_os_str()], &[], &path)
    }

    /// Encrypts a plain text that will be saved at this path, which selects the creation rules of
    /// `.sops.yaml`.
    ///
    /// Nothing is written. Blocks; `sops` may use the network to reach a key service. Errors:
    /// UNSUPPORTED if the program does not exist, STORAGE if it fails, does not finish within 30 s,
    /// or does not encrypt.
    pub fn encrypt(&self, path: &Path, clear: &[u8]) -> Result<Vec<u8>> {
        let path = absolute(path);
        let mut arguments: Vec<&OsStr> =
            ["encrypt", "--input-type", "json", "--output-type", "json"].map(OsStr::new).into();
        arguments.extend([OsStr::new("--filename-override"), path.as_os_str()]);
        // Without a file name sops reads the standard input since 3.10; with this name, since 3.9.
        if cfg!(unix) {
            arguments.push(OsStr::new("/dev/stdin"));
        }
        let encrypted = self.run(&arguments, clear, &path)?;
        if !python_json::parse(&encrypted).is_some_and(|document| document.contains_key("sops")) {
            return Err(failed(&path, "its output is not an encrypted JSON document"));
        }
        Ok(encrypted.to_vec())
    }

    fn run(&self, arguments: &[&OsStr], input: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>> {
        let deadline = Instant::now() + self.timeout;
        let mut command = child::command(self.program()?);
        #[cfg(unix)]
        if let Some((uid, gid)) = self.user {
            // Setting the group also drops the supplementary groups.
            std::os::unix::process::CommandExt::gid(&mut command, gid);
            std::os::unix::process::CommandExt::uid(&mut command, uid);
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            child::spawn(&mut command).map_err(|error| failed(path, &error.to_string()))?;
        // Threads serve the pipes, so that neither side blocks the other.
        if let Some(mut stdin) = child.stdin.take() {
            let input = Zeroizing::new(input.to_vec());
            // A program that does not read all of its input has failed, and reports that itself.
            if let Err(error) =
                threads::spawn("planetkey-sops", move || drop(stdin.write_all(&input)))
            {
                let _ = child.kill().and_then(|()| child.wait());
                return Err(failed(path, &error.to_string()).with_retryable(true));
            }
        }
        let output = child.stdout.take().map(|pipe| collect(pipe, MAX_OUTPUT_BYTES + 1));
        let complaint = child.stderr.take().map(|pipe| collect(pipe, MAX_COMPLAINT_BYTES));
        let too_long = || {
            failed(path, &format!("it did not end within {} s", self.timeout.as_secs()))
                .with_retryable(true)
        };
        let Some(succeeded) = wait(&mut child, deadline) else {
            return Err(too_long());
        };
        let output = received(output, deadline).ok_or_else(too_long)?;
        // A successful run always has output. If the application ignores SIGCHLD, this is the only
        // sign of success.
        if !succeeded || output.is_empty() {
            let complaint = received(complaint, deadline).ok_or_else(too_long)?;
            let complaint = String::from_utf8_lossy(&complaint).into_owned();
            let first = complaint.lines().map(str::trim).find(|line| !line.is_empty());
            return Err(failed(path, first.unwrap_or("it failed without saying why")));
        }
        if output.len() as u64 > MAX_OUTPUT_BYTES {
            return Err(failed(path, "its output is longer than 1 MiB"));
        }
        Ok(output)
    }

    fn program(&self) -> Result<PathBuf> {
        let name = if cfg!(windows) { "sops.exe" } else { "sops" };
        // A file that happens to be in the working directory is not run.
        child::find(name, self.search_path.as_deref()).ok_or_else(|| {
            Error::new(
                Status::Unsupported,
                "this profile is encrypted, and the program sops that opens it is not on PATH; install sops, or save the profile unencrypted",
            )
        })
    }
}

/// Makes the path absolute, because one that starts with a hyphen would be read as an option.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

fn failed(path: &Path, why: &str) -> Error {
    Error::new(
        Status::Storage,
        format!("sops failed for {}: {}", path.display(), one_line(why, 300)),
    )
}

/// Reads a pipe to its end. Sends the first `limit` bytes when the pipe ends.
fn collect(mut pipe: impl Read + Send + 'static, limit: u64) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::sync_channel(1);
    // If no thread can be started, the sender is dropped, and the receiver reports that nothing
    // arrived.
    let _ = threads::spawn("planetkey-sops", move || {
        // Large enough from the start, because a vector that grows leaves copies in memory.
        let mut bytes = Zeroizing::new(Vec::with_capacity(64 * 1024));
        let _ = pipe.by_ref().take(limit).read_to_end(&mut bytes);
        let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        let _ = sender.send(bytes);
    });
    receiver
}

/// Whether the program succeeded; `None` if it had to be killed.
fn wait(child: &mut Child, deadline: Instant) -> Option<bool> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            // In an application that ignores SIGCHLD the system discards the exit status of a
            // child. This error then shows that the child has ended.
            Err(_) => return Some(true),
            Ok(None) if Instant::now() < deadline => std::thread::sleep(POLL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return None;
            }
        }
    }
}

/// The content of a pipe. A child of the program may hold the pipe open, and is not waited for
/// longer than the program itself.
fn received(
    pipe: Option<Receiver<Zeroizing<Vec<u8>>>>,
    deadline: Instant,
) -> Option<Zeroizing<Vec<u8>>> {
    pipe?.recv_timeout(deadline.saturating_duration_since(Instant::now())).ok()
}
