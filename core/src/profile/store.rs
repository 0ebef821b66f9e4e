//! Writes profiles, for the profile, login and reset commands.

use super::client_config::storage_command;
use super::load::{find, missing, read_members};
use super::paths::{Root, config_in, config_names, is_there};
use super::{built_in, names, planet_json};
use crate::clock::Clock;
use crate::credential::ApiKey;
use crate::deployment::{Deployment, SCOPE_OFFLINE_ACCESS};
use crate::error::{Error, Result, Status};
use crate::file::{self, Directory, EntryKind};
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::setting;
use crate::storage::sops::{Encryption, is_encrypted};
use crate::storage::storage_command::Helper;
use crate::storage::{FileStorage, TokenStorage, atomic_file, python_json};
use serde_json::json;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for another process that refreshes a session before the session is deleted.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// The profiles of a storage root. Usable from any thread. If two callers change the same file at
/// the same time, the last write wins.
#[derive(Clone, Debug)]
pub struct Profiles {
    root: Root,
    deployment: Deployment,
}

/// An M2M client to save.
#[derive(Clone, Debug, Default)]
pub struct M2mLogin {
    /// The client's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The scopes to request; none by default.
    pub scopes: Vec<String>,
    /// The profile to save it in; by default `planet-m2m-<client id>`.
    pub profile: Option<String>,
}

/// A file or directory that was renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The old path.
    pub from: PathBuf,
    /// The new path.
    pub to: PathBuf,
}

impl Profiles {
    /// The profiles in this root. The deployment defines the server of a built-in profile and of a
    /// new client.
    pub fn new(root: Root, deployment: Deployment) -> Self {
        Profiles { root, deployment }
    }

    /// The storage root of the profiles.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// The profile that `.planet.json` selects.
    pub fn selected(&self) -> Option<String> {
        planet_json::read(&self.root).0.profile
    }

    /// Selects the profile to use if none is named. It is written in lower case, as Planet's SDK
    /// does, except for the names that a login derives.
    ///
    /// Errors: as [`super::load::open`] except LOGIN_REQUIRED; STORAGE.
    pub fn set_default(&self, name: &str) -> Result<()> {
        match super::load::open(&self.root, name) {
            Err(error) if error.status() != Status::LoginRequired => return Err(error),
            _ => {}
        }
        planet_json::set_profile(&self.root, &names::as_preferred(name))
    }

    /// Copies a client configuration byte for byte, including unknown fields; tokens are not
    /// copied. An encrypted configuration stays encrypted. Returns the new file.
    ///
    /// Errors: INVALID_ARGUMENT (the new name is invalid, in use, or built in), otherwise as
    /// [`super::load::open`]; STORAGE.
    pub fn copy(&self, from: &str, to: &str, encryption: Encryption) -> Result<PathBuf> {
        let directory = self.root.profile_directory(to)?;
        if names::is_built_in(to) {
            return Err(Error::invalid_argument(
                "a built-in profile cannot be replaced; choose another name",
            ));
        }
        if config_in(&directory).is_some() {
            let message = format!(
                "there is a profile '{}' already; delete it first, or choose another name",
                shown(to)
            );
            return Err(Error::invalid_argument(message));
        }
        if names::is_built_in(from) {
            return self.write(
                &directory,
                &python_json::to_bytes(&self.document(from)?.0),
                encryption,
            );
        }
        let file = self.file(from)?;
        let bytes = atomic_file::read(&self.root.checked(&file))?.ok_or_else(|| missing(from))?;
        if is_encrypted(&file) {
            let (_, encrypted) = config_names(&directory);
            file::replace(&self.root.checked(&encrypted), &bytes)?;
            return Ok(encrypted);
        }
        let (_, members) = find(&self.root, from)?;
        // Byte order marks and zero bytes, which only this program tolerates, are not copied;
        // neither is a write in progress.
        let is_plain = serde_json::from_slice(&bytes)
            .is_ok_and(|read: serde_json::Map<_, _>| Members(read) == members);
        if is_plain {
            self.write(&directory, &bytes, encryption)
        } else {
            self.write(&directory, &python_json::to_bytes(&members.0), encryption)
        }
    }

    /// Deletes a profile with its tokens and all files saved with them. If `.planet.json` selects
    /// it, the selection is deleted. The profile's `storage_command` erases its session.
    ///
    /// Blocks while another process refreshes its tokens. Errors: INVALID_ARGUMENT (invalid name,
    /// built in), MISCONFIGURED (no such profile, or only in the home directory, which is not
    /// written if another storage root is set), TIMEOUT, STORAGE.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.remove(name).map_err(|error| error.with_profile(Some(name)))
    }

    fn remove(&self, name: &str) -> Result<()> {
        let directory = self.root.profile_directory(name)?;
        if names::is_built_in(name) {
            return Err(Error::invalid_argument(
                "a built-in profile cannot be deleted; log out to end its session",
            ));
        }
        if config_in(&directory).is_none() && !self.root.has_session(name)? {
            return match self.root.config_file(&names::directory(name)?) {
                Some(_) => Err(Error::misconfigured(
                    "this profile is in the home directory, which is only read while another storage root is set; leave that out to delete it",
                )),
                None => Err(missing(name)),
            };
        }
        match planet_json::clear_profile(&self.root, name) {
            // A file that is not valid selects nothing, and must not prevent the deletion of a
            // secret.
            Err(error) if error.status() == Status::Misconfigured => {
                log::warn!("{}", error.message())
            }
            cleared => cleared?,
        }
        // A profile that cannot be read names no program, and must not prevent its deletion.
        let helper = self.helper(name).unwrap_or_else(|error| {
            log::warn!("{error}");
            None
        });
        // Take the lock, because a process that refreshes the session now would save it again.
        let token = self.root.checked(&directory.join("token.json"));
        let tokens = FileStorage::new(token, String::new(), self.root.sops(), None);
        let lock = tokens.lock(Instant::now() + LOCK_PATIENCE)?;
        if let Some(helper) = helper {
            helper.erase(None).map_err(|error| {
                let message = format!(
                    "{}; nothing was deleted: repair the program, or remove the storage_command from the profile if its session is gone",
                    error.message()
                );
                Error::new(Status::Storage, message)
            })?;
        }
        if let Some(opened) = tokens.directory()? {
            remove_files(&opened, &["token.", ".token."])?;
            remove_files(&opened, &["auth_client.", ".auth_client."])?;
        }
        drop(lock);
        // The directory stays if it holds files that do not belong to the profile, such as a
        // private key.
        if let Ok(Some(profiles)) = Directory::open(&self.root.checked(&directory)) {
            let _ = profiles.remove_directory(directory.file_name().unwrap_or_default());
        }
        Ok(())
    }

    /// Saves an API key, as a login with one does. Returns the profile's name. The selected profile
    /// does not change.
    ///
    /// Errors: INVALID_ARGUMENT (invalid API key), MISCONFIGURED (no directory), STORAGE,
    /// UNSUPPORTED (no program `sops`).
    pub fn save_api_key(&self, api_key: &Secret, encryption: Encryption) -> Result<String> {
        self.save_api_key_as(None, api_key, encryption)
    }

    /// As [`Profiles::save_api_key`], in a profile that the caller may name.
    ///
    /// Errors: as [`Profiles::save_api_key`] and [`Profiles::api_key_profile`].
    pub fn save_api_key_as(
        &self,
        profile: Option<&str>,
        api_key: &Secret,
        encryption: Encryption,
    ) -> Result<String> {
        let api_key = ApiKey::new(api_key.expose())?;
        let name = self.api_key_profile(profile)?;
        let mut members = self.same_client(&name, &api_key_client())?;
        members.0.insert("api_key".to_owned(), json!(api_key.expose()));
        self.write(
            &self.root.profile_directory(&name)?,
            &python_json::to_bytes(&members.0),
            encryption,
        )?;
        Ok(name)
    }

    /// The profile in which a login saves an API key: the given one, or `_PL_API_KEY`. Writes
    /// nothing.
    ///
    /// Errors: INVALID_ARGUMENT (invalid name, a built-in profile, a profile of another client),
    /// MISCONFIGURED (no directory, unreadable).
    pub fn api_key_profile(&self, profile: Option<&str>) -> Result<String> {
        let name = profile.unwrap_or(names::API_KEY_PROFILE);
        self.same_client(name, &api_key_client()).map(|_| name.to_owned())
    }

    /// Saves an M2M client of the deployment's server, as a login with id and secret does. Returns
    /// the profile's name. Other members of an earlier profile of this client are preserved.
    ///
    /// Errors: as [`Profiles::m2m_profile`]; STORAGE, UNSUPPORTED (no program `sops`).
    pub fn save_m2m(&self, login: &M2mLogin, encryption: Encryption) -> Result<String> {
        let (name, members) = self.m2m_document(login)?;
        self.write(
            &self.root.profile_directory(&name)?,
            &python_json::to_bytes(&members.0),
            encryption,
        )?;
        Ok(name)
    }

    /// Checks, before a login prompts the user, whether a session can be saved in this profile, as
    /// far as that is possible without saving one. Runs its `storage_command`, if there is one.
    ///
    /// Leaves no file. Errors: INVALID_ARGUMENT (invalid profile name), MISCONFIGURED (no
    /// directory), STORAGE.
    pub fn check_place(&self, name: &str) -> Result<()> {
        let directory = self.root.profile_directory(name)?;
        self.root.check_profiles()?;
        file::check_writable(&self.root.checked_inside(&directory))?;
        // What the program returns may be damaged, and is replaced.
        self.helper(name)?.map_or(Ok(()), |helper| helper.check_runs())
    }

    /// The program that saves the session of this profile, if its configuration names one.
    ///
    /// Errors: MISCONFIGURED, STORAGE.
    fn helper(&self, name: &str) -> Result<Option<Helper>> {
        if names::is_built_in(name) {
            return Ok(None);
        }
        let Some(file) = self.root.config_file(&names::directory(name)?) else { return Ok(None) };
        let Some(members) = read_members(&self.root, &file)? else { return Ok(None) };
        let command = storage_command(&members).map_err(|error| error.with_file(Some(&file)))?;
        command.map(|command| self.root.helper(&command, name, &file)).transpose()
    }

    /// The profile in which a login saves this client: `planet-m2m-<client id>` unless it names
    /// another. Writes nothing.
    ///
    /// Errors: INVALID_ARGUMENT (an empty id or secret, `offline_access`, an id that is not a valid
    /// directory name while no profile is named, a built-in profile, a profile of another client),
    /// MISCONFIGURED (no directory, no such server, unreadable).
    pub fn m2m_profile(&self, login: &M2mLogin) -> Result<String> {
        self.m2m_document(login).map(|(name, _)| name)
    }

    /// The profile of a login and its new content.
    pub(crate) fn m2m_document(&self, login: &M2mLogin) -> Result<(String, Members)> {
        let M2mLogin { client_id, client_secret, scopes, profile } = login;
        if client_id.is_empty() || client_secret.is_empty() {
            return Err(Error::invalid_argument(
                "a machine-to-machine client needs its id and its secret",
            ));
        }
        for (name, value) in
            [("client_id", client_id.as_str()), ("client_secret", client_secret.expose())]
        {
            setting::check(name, value)?;
        }
        if scopes.iter().any(|scope| scope == SCOPE_OFFLINE_ACCESS) {
            return Err(Error::invalid_argument(
                "a machine-to-machine client must not ask for offline_access; leave it out",
            ));
        }
        let name = match profile {
            Some(profile) => profile.clone(),
            None => names::m2m_profile(client_id).map(|_| names::m2m_login(client_id)).ok_or_else(|| {
                Error::invalid_argument("this client id cannot be the name of a directory; name a profile to save it in")
            })?,
        };
        let client = built_in::m2m_document(&self.deployment, client_id)?;
        let mut members = self.same_client(&name, &client)?;
        members.0.insert("client_secret".to_owned(), json!(client_secret.expose()));
        if !scopes.is_empty() || !members.0.contains_key("scopes") {
            members.0.insert("scopes".to_owned(), json!(scopes));
        }
        Ok((name, members))
    }

    /// The content of the profile in which a login is saved: the existing one if it belongs to this
    /// client, else the client's identity.
    fn same_client(&self, name: &str, client: &Members) -> Result<Members> {
        let directory = self.root.profile_directory(name)?;
        if names::is_built_in(name) {
            return Err(Error::invalid_argument(
                "a built-in profile cannot be replaced; choose another name",
            ));
        }
        let before = match config_in(&directory) {
            Some(file) => {
                read_members(&self.root, &file).map_err(|error| error.with_profile(Some(name)))?
            }
            None => None,
        };
        let Some(mut before) = before else { return Ok(client.clone()) };
        let read = |members: &Members, member: &str| {
            members.text(member).map(|text| text.trim_end_matches('/').to_owned())
        };
        let is_same = |member: &str| read(&before, member) == read(client, member);
        // A configuration without a server uses the deployment's.
        let is_same_server = before.text("auth_server").is_none() || is_same("auth_server");
        if !is_same("client_type") || !is_same("client_id") || !is_same_server {
            let message = format!(
                "the profile '{}' is of another client; delete it first, or choose another name",
                shown(name)
            );
            return Err(Error::invalid_argument(message));
        }
        // The client's identity is preserved as it is written, except for what makes an API key
        // usable.
        if let Some(prefix) = client.0.get("bearer_token_prefix") {
            before.0.insert("bearer_token_prefix".to_owned(), prefix.clone());
        }
        Ok(before)
    }

    /// Renames all configuration: `.planet.json` and `.planet` get the time appended to their
    /// names, as in `.planet-2026-01-31-235959`, in UTC. Nothing is deleted or revoked. Returns
    /// what was renamed, which is empty if there was nothing.
    ///
    /// Errors: MISCONFIGURED (no directory), STORAGE.
    pub fn reset(&self, clock: &dyn Clock) -> Result<Vec<Renamed>> {
        let time = timestamp(clock.now().unix_ms / 1000);
        let mut moved = Vec::new();
        for from in [self.root.preferences()?, self.root.profiles()?] {
            let checked = self.root.checked(&from);
            let what = "cannot be renamed";
            let Some(directory) = Directory::open_checked(&checked, what)? else { continue };
            let failed = |error: std::io::Error| file::failed(what, &from, &error);
            let from_name = from.file_name().unwrap_or_default();
            // A dangling link also counts as missing.
            if directory.kind(from_name).map_err(failed)?.is_none() || !is_there(&from) {
                continue;
            }
            let to_name = free_name(&directory, from_name, &time).map_err(failed)?;
            directory.rename(from_name, &to_name).map_err(failed)?;
            let to = from.with_file_name(to_name);
            moved.push(Renamed { from, to });
        }
        Ok(moved)
    }

    /// The members of a profile's configuration, whether built in or not.
    pub(super) fn document(&self, name: &str) -> Result<Members> {
        let built_in = built_in::document(&names::directory(name)?, &self.deployment);
        let document =
            built_in.unwrap_or_else(|| find(&self.root, name).map(|(_, members)| members));
        document.map_err(|error| error.with_profile(Some(name)))
    }

    /// The client configuration file of a profile that is not built in.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf> {
        let directory = names::directory(name)?;
        self.root.place()?;
        self.root.config_file(&directory).ok_or_else(|| missing(name).with_profile(Some(name)))
    }

    /// Writes a client configuration. Plain text is never written next to the encrypted form.
    fn write(&self, directory: &Path, clear: &[u8], encryption: Encryption) -> Result<PathBuf> {
        let (plain, encrypted) = config_names(directory);
        if encryption == Encryption::AsBefore && !is_there(&encrypted) {
            file::replace(&self.root.checked(&plain), clear)?;
            return Ok(plain);
        }
        let checked = self.root.checked(&encrypted);
        let user = Directory::nearest(&checked)
            .map_err(|error| file::failed("cannot be written", &encrypted, &error))?
            .user();
        file::replace(&checked, &self.root.sops().as_user(user).encrypt(&encrypted, clear)?)?;
        atomic_file::remove(&self.root.checked(&plain))?;
        Ok(encrypted)
    }
}

fn shown(name: &str) -> String {
    crate::text::one_line(name, 100)
}

/// The identity of a client with an API key.
fn api_key_client() -> Members {
    let mut members = Members::default();
    for (name, value) in [("bearer_token_prefix", "api-key"), ("client_type", "static_apikey")] {
        members.0.insert(name.to_owned(), json!(value));
    }
    members
}

/// Removes the files of a directory whose names start with one of these prefixes.
fn remove_files(directory: &Directory, prefixes: &[&str]) -> Result<()> {
    let failed =
        |error: std::io::Error| file::failed("cannot be emptied", directory.path(), &error);
    for name in directory.names().map_err(failed)? {
        if !prefixes.iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            continue;
        }
        let removed = match directory.kind(&name).map_err(failed)? {
            // A lease, which replaces locks on file systems without them, is a directory.
            Some(EntryKind::Directory) => remove_lease(directory, &name),
            Some(_) => directory.remove_file(&name),
            None => Ok(()),
        };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

fn remove_lease(directory: &Directory, name: &OsStr) -> std::io::Result<()> {
    let inside = directory.enter(name)?;
    for name in inside.names()? {
        inside.remove_file(&name)?;
    }
    directory.remove_directory(name)
}

/// A name that does not exist yet, so that two resets within a second do not collide.
fn free_name(directory: &Directory, from: &OsStr, time: &str) -> std::io::Result<OsString> {
    let name = |suffix: String| {
        let mut name = from.to_owned();
        name.push(suffix);
        name
    };
    let first = name(format!("-{time}"));
    for candidate in std::iter::once(first.clone())
        .chain((2..1000).map(|number| name(format!("-{time}-{number}"))))
    {
        if directory.kind(&candidate)?.is_none() {
            return Ok(candidate);
        }
    }
    Ok(first)
}

/// `YYYY-MM-DD-HHMMSS` in UTC.
fn timestamp(unix_seconds: u64) -> String {
    crate::clock::rfc3339(unix_seconds).replace('T', "-").replace([':', 'Z'], "")
}
