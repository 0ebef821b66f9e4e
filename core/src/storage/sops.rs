//! Files that the program `sops` encrypts. Plain text passes only through pipes, never through a
//! file.

use super::python_json;
use crate::child::{self, Failure, Finished, Group, Limits};
use crate::error::{Error, Result, Status};
use crate::text::one_line;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// `sops` may contact a key service in the cloud. After this time it counts as hanging.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No profile or session is nearly this large.
const MAX_OUTPUT_BYTES: u64 = 1024 * 1024;

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
        let mut command = child::command_as(self.program()?, self.user);
        command.args(arguments);
        let limits = Limits { deadline, output_bytes: MAX_OUTPUT_BYTES };
        let finished = child::run("planetkey-sops", command, input, Group::Shared, limits);
        let Finished { ended, output, complaint } = finished.map_err(|failure| {
            let why = match &failure {
                Failure::NotStarted(error) => error.to_string(),
                Failure::TooLong => format!("it did not end within {} s", self.timeout.as_secs()),
                Failure::TooMuch => "its output is longer than 1 MiB".to_owned(),
            };
            failed(path, &why).with_retryable(failure.is_temporary())
        })?;
        // A successful run always has output.
        if !ended.may_have_succeeded() || output.is_empty() {
            let why = child::first_line(&complaint);
            let why = why.as_ref().map_or("it failed without saying why", |why| why.as_str());
            return Err(failed(path, why));
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
