//! The paths of profiles and sessions.

use super::names;
use crate::environment::{Environment, HOME_VARIABLE};
use crate::error::{Error, Result};
use crate::file::{self, CheckedPath, Directory};
use crate::setting;
use crate::storage::sops::{self, Sops};
use crate::storage::storage_command::{Helper, StorageCommand, has_receipt};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The variable that names a directory to use instead of the home directory.
pub const STORAGE_ROOT_VARIABLE: &str = "PLANETKEY_STORAGE_ROOT";

const PREFERENCES: &str = ".planet.json";
const PROFILES: &str = ".planet";
const CONFIG: &str = "auth_client.json";
const TOKEN: &str = "token.json";

/// The storage root. It replaces the home directory, so that Planet's SDK uses the same files with
/// `HOME` set to it.
///
/// Determined once, at construction; immutable, and usable from any thread. Information about files
/// is true at the moment of the call.
#[derive(Clone, Debug)]
pub struct Root {
    /// The directory for all writes; `None` without a home directory.
    place: Option<PathBuf>,
    /// The home directory, from which configuration is also read if `place` was named and holds
    /// none.
    home: Option<PathBuf>,
    sentinelhub: Option<PathBuf>,
    /// The directory that `~` means.
    tilde: Option<PathBuf>,
    /// The content of `PATH`.
    search_path: Option<OsString>,
    sops: Sops,
}

impl Root {
    /// Takes the option, else `PLANETKEY_STORAGE_ROOT`, else the home directory. Without any of
    /// them the root has no directory.
    ///
    /// Accesses no file. Errors: INVALID_ARGUMENT for an empty option; those of [`setting::check`].
    pub fn new(environment: &dyn Environment, storage_root: Option<&Path>) -> Result<Root> {
        let named = match storage_root {
            Some(option) if option.as_os_str().is_empty() => {
                return Err(Error::invalid_argument(
                    "storage_root is empty; leave it out or name a directory",
                ));
            }
            Some(option) => {
                option.to_str().map_or(Ok(()), |option| setting::check("storage_root", option))?;
                Some(expanded(environment, "storage_root", option.to_owned())?)
            }
            None => storage_root_of(environment)?,
        };
        let home = environment.home().map(absolute);
        let configuration = path_variable(environment, "XDG_CONFIG_HOME")
            .or(home.as_ref().map(|home| home.join(".config")));
        let sentinelhub =
            configuration.map(absolute).map(|base| base.join("sentinelhub").join("config.toml"));
        let search_path = environment.raw("PATH");
        let sops = Sops::new(search_path.clone());
        let tilde = home.clone();
        let (place, home) = match named.map(absolute) {
            Some(named) => {
                let elsewhere = home.filter(|home| *home != named);
                (Some(named), elsewhere)
            }
            None => (home, None),
        };
        Ok(Root { place, home, sentinelhub, tilde, search_path, sops })
    }

    /// The directory that replaces the home directory.
    ///
    /// Errors: MISCONFIGURED if there is none.
    pub fn place(&self) -> Result<&Path> {
        self.place.as_deref().ok_or_else(|| {
            Error::misconfigured(format!(
                "there is no home directory to find profiles in; set {HOME_VARIABLE} or PLANETKEY_STORAGE_ROOT"
            ))
        })
    }

    /// Checks that `.planet` can hold profiles: it may be missing, but must not be a file.
    ///
    /// Errors: MISCONFIGURED.
    pub(super) fn check_profiles(&self) -> Result<()> {
        match &self.place {
            Some(place) if place.join(PROFILES).exists() && !place.join(PROFILES).is_dir() => {
                Err(not_a_directory(&place.join(PROFILES)))
            }
            Some(place) if place.exists() && !place.is_dir() => Err(not_a_directory(place)),
            _ => Ok(()),
        }
    }

    /// Whether there is a directory at all.
    pub fn has_place(&self) -> bool {
        self.place.is_some()
    }

    /// The directory of a profile, whether it exists or not.
    ///
    /// Errors: INVALID_ARGUMENT (invalid profile name), MISCONFIGURED (no directory).
    pub fn profile_directory(&self, profile: &str) -> Result<PathBuf> {
        let name = names::directory(profile)?;
        Ok(self.profiles()?.join(name))
    }

    /// The file that holds a profile's tokens: `token.sops.json` if it exists, else `token.json`;
    /// `None` without a directory.
    ///
    /// Always in the storage root: if a copy of a session were refreshed, the other copy would end.
    /// Errors: INVALID_ARGUMENT for an invalid profile name.
    pub fn token_file(&self, profile: &str) -> Result<Option<PathBuf>> {
        let name = names::directory(profile)?;
        let directory = self.place.as_ref().map(|place| place.join(PROFILES).join(name));
        Ok(directory.map(|directory| preferred(&directory, TOKEN)))
    }

    /// Whether tokens or an API key are saved for a profile.
    ///
    /// Errors: INVALID_ARGUMENT for an invalid profile name.
    pub fn has_session(&self, profile: &str) -> Result<bool> {
        Ok(self.token_file(profile)?.is_some_and(|file| is_there(&file)))
    }

    /// As [`Root::has_session`]. If a program saves the session, which is not run here: whether
    /// planetkey has saved one with it.
    pub(super) fn has_saved(&self, profile: &str, by_command: bool) -> Result<bool> {
        match self.token_file(profile)? {
            Some(file) if by_command => Ok(has_receipt(&self.checked(&file))),
            Some(file) => Ok(is_there(&file)),
            None => Ok(false),
        }
    }

    /// The program that decrypts encrypted files.
    pub fn sops(&self) -> &Sops {
        &self.sops
    }

    /// The program that saves the session of this profile. `config`: the file that names it, as
    /// whose owner it runs.
    ///
    /// Errors: STORAGE, INVALID_ARGUMENT for an invalid profile name.
    pub(crate) fn helper(
        &self,
        command: &StorageCommand,
        profile: &str,
        config: &Path,
    ) -> Result<Helper> {
        let directory = Directory::nearest(&self.checked(config))
            .map_err(|error| file::failed("cannot be read", config, &error))?;
        let name = names::directory(profile)?;
        let (search_path, tilde) = (self.search_path.clone(), self.tilde.clone());
        Ok(Helper::new(command.clone(), &name, search_path, tilde).for_user(directory.user()))
    }

    /// The `.planet` to write to.
    pub(super) fn profiles(&self) -> Result<PathBuf> {
        Ok(self.place()?.join(PROFILES))
    }

    /// Every `.planet` to read configuration from; the one that is written comes first.
    pub(super) fn profiles_read(&self) -> Vec<PathBuf> {
        self.places().map(|place| place.join(PROFILES)).collect()
    }

    /// The client configuration in the directory with this name: encrypted before plain, the
    /// storage root before the home directory.
    pub(super) fn config_file(&self, directory: &str) -> Option<PathBuf> {
        self.profiles_read().iter().find_map(|profiles| config_in(&profiles.join(directory)))
    }

    /// The `.planet.json` to write.
    pub(super) fn preferences(&self) -> Result<PathBuf> {
        Ok(self.place()?.join(PREFERENCES))
    }

    /// The `.planet.json` to read.
    pub(super) fn preferences_read(&self) -> Option<PathBuf> {
        self.places().map(|place| place.join(PREFERENCES)).find(|file| is_there(file))
    }

    /// The file of sentinelhub-py. It is not Planet's, so it follows the home directory and not the
    /// storage root.
    pub(super) fn sentinelhub(&self) -> Option<CheckedPath> {
        let file = self.sentinelhub.as_deref()?;
        // The path is checked from the home directory on if that is above it, else from
        // XDG_CONFIG_HOME.
        let base = file.ancestors().nth(2)?;
        let home =
            self.places().find(|place| file.starts_with(place)).map_or(base, PathBuf::as_path);
        Some(CheckedPath::below(home, file))
    }

    /// The path as it is opened: it is checked from the storage root on, or from the home directory
    /// on, if it is below one of them.
    pub(crate) fn checked(&self, path: &Path) -> CheckedPath {
        match self.places().find(|place| path.starts_with(place)) {
            Some(place) => CheckedPath::below(place, path),
            None => CheckedPath::from(path),
        }
    }

    /// A directory that contains profiles, as it is opened.
    ///
    /// The result is the path of a file in it, because what is opened is the file's directory.
    pub(super) fn checked_inside(&self, directory: &Path) -> CheckedPath {
        self.checked(&directory.join(CONFIG))
    }

    fn places(&self) -> impl Iterator<Item = &PathBuf> {
        self.place.iter().chain(&self.home)
    }
}

fn not_a_directory(path: &Path) -> Error {
    Error::misconfigured(format!(
        "{} is not a directory; move it away, or set {HOME_VARIABLE} or PLANETKEY_STORAGE_ROOT to a directory",
        path.display()
    ))
}

/// The client configuration in a profile's directory, if there is one.
pub(super) fn config_in(directory: &Path) -> Option<PathBuf> {
    Some(preferred(directory, CONFIG)).filter(|file| is_there(file))
}

/// The two names of a client configuration in this directory: plain and encrypted.
pub(super) fn config_names(directory: &Path) -> (PathBuf, PathBuf) {
    (directory.join(CONFIG), directory.join(sops::encrypted_name(CONFIG)))
}

/// The encrypted form of a file if it exists, else the plain one.
fn preferred(directory: &Path, plain: &str) -> PathBuf {
    let encrypted = directory.join(sops::encrypted_name(plain));
    // In a directory that cannot be searched, use the usual name, so that an error names it.
    if encrypted.try_exists().unwrap_or(false) { encrypted } else { directory.join(plain) }
}

/// A file that cannot be examined counts as existing; reading it then reports the reason.
pub(super) fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or_else(|error| error.kind() != ErrorKind::NotADirectory)
}

/// The storage root that the environment names. A value that was quoted or pasted wrongly is
/// refused, so that no directory is created under such a name.
fn storage_root_of(environment: &dyn Environment) -> Result<Option<PathBuf>> {
    let Some(path) = path_variable(environment, STORAGE_ROOT_VARIABLE) else { return Ok(None) };
    if let Some(flaw) = path.to_str().and_then(setting::flaw) {
        return Err(Error::misconfigured(format!(
            "the environment variable {STORAGE_ROOT_VARIABLE} {flaw}"
        )));
    }
    expanded(environment, STORAGE_ROOT_VARIABLE, path).map(Some)
}

/// A path of any bytes; an empty variable is unset.
fn path_variable(environment: &dyn Environment, name: &str) -> Option<PathBuf> {
    environment.raw(name).filter(|value: &OsString| !value.is_empty()).map(PathBuf::from)
}

/// Replaces a leading `~` by the home directory, because shells do not always expand it.
///
/// Errors: INVALID_ARGUMENT for the home of another user, and if there is no home directory.
pub(crate) fn expanded(
    environment: &dyn Environment,
    name: &str,
    path: PathBuf,
) -> Result<PathBuf> {
    let mut components = path.components();
    let first = components.next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    match first.as_deref() {
        Some("~") => match environment.home() {
            Some(home) => Ok(home.join(components.as_path())),
            None => Err(Error::invalid_argument(format!(
                "{name} starts with ~, and there is no home directory; give the whole path"
            ))),
        },
        Some(first) if first.starts_with('~') => {
            let shown = crate::text::one_line(&path.to_string_lossy(), 200);
            Err(Error::invalid_argument(format!(
                "{name} starts with the home directory of another user, which is not looked up; give the whole path instead of {shown}, or ./ before it"
            )))
        }
        _ => Ok(path),
    }
}

/// Makes a path absolute, because the working directory may change during a session.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
