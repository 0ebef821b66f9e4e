//! The programs that this library starts: where it looks them up, what they must not inherit, and
//! how they are run to their end.

mod run;

pub(crate) use run::{Ended, Failure, Finished, Group, Limits, first_line, run};

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// Every environment variable that holds a secret of Planet or Sentinel Hub. Add a variable here
/// when this library, Planet's SDK or sentinelhub-py starts to read a secret from it.
pub const SECRET_VARIABLES: &[&str] = &[
    "PL_API_KEY",
    "PL_AUTH_API_KEY",
    "PL_AUTH_CLIENT_SECRET",
    "PL_AUTH_PASSWORD",
    "PL_AUTH_TOKEN",
    "PLANET_API_KEY",
    "PLANETKEY_STORE_KEY",
    "SH_CLIENT_SECRET",
];

/// A program to start, whose environment holds none of [`SECRET_VARIABLES`], and none that names a
/// file with such a secret. All children of this library are created here.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in SECRET_VARIABLES {
        command.env_remove(name).env_remove(format!("{name}_FILE"));
    }
    command
}

/// As [`command`], to run as this user and group, if they are not those of this process.
#[cfg_attr(not(unix), allow(unused_mut, unused_variables))]
pub(crate) fn command_as(program: impl AsRef<OsStr>, user: Option<(u32, u32)>) -> Command {
    let mut command = command(program);
    #[cfg(unix)]
    if let Some((uid, gid)) = user {
        // Setting the group also drops the supplementary groups.
        std::os::unix::process::CommandExt::gid(&mut command, gid);
        std::os::unix::process::CommandExt::uid(&mut command, uid);
    }
    command
}

/// Starts a child with the signal mask of the host, which it inherits, instead of that of this
/// library's threads.
///
/// Errors: those of the system.
pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Child> {
    crate::threads::with_mask_of_host(|| command.spawn()).and_then(|spawned| spawned)
}

/// Looks up a program along a search path, the content of `PATH`. Relative directories are skipped,
/// so that a file in the working directory is not run.
pub(crate) fn find(name: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    let directories = search_path
        .into_iter()
        .flat_map(std::env::split_paths)
        .filter(|directory| directory.is_absolute());
    directories.map(|directory| directory.join(name)).find(|candidate| is_program(candidate))
}

/// Whether this is an executable file.
pub(crate) fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        path.metadata()
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    path.is_file()
}
