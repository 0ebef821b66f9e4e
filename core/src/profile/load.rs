//! `~/.planet/<profile>/`: where Planet's SDK saves client configurations.

use super::client_config::{ClientConfig, Grant, OAuthClient, STORAGE_COMMAND};
use super::paths::Root;
use super::{built_in, names};
use crate::error::{Error, Reason, Result, Status};
use crate::file::{self, Directory};
use crate::secret_json::Members;
use crate::setting;
use crate::storage::sops::is_encrypted;
use crate::storage::storage_command::Helper;
use crate::storage::{atomic_file, python_json};
use crate::text::one_line;
use std::path::{Path, PathBuf};

/// A named client configuration.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The name as the caller gave it.
    pub name: String,
    /// The client configuration.
    pub config: ClientConfig,
    /// The file of the configuration; `None` for a built-in profile.
    pub config_file: Option<PathBuf>,
    /// Whether it is built in and needs no file.
    pub built_in: bool,
}

/// Reads a profile: a built-in one, else the directory with its name in lower case.
///
/// Writes nothing. An encrypted configuration is decrypted by the program `sops`, which blocks and
/// may use the network. A broken one is read again for a short time, because Planet's tools rewrite
/// files in place. Errors: INVALID_ARGUMENT (invalid profile name), MISCONFIGURED (no such profile,
/// unreadable; the message names the file), LOGIN_REQUIRED (an API key that is not saved),
/// UNSUPPORTED (a client type that sends no credential, no program `sops`), STORAGE (`sops` fails).
pub fn open(root: &Root, name: &str) -> Result<Profile> {
    load(root, name).map_err(|error| error.with_profile(Some(name)))
}

fn load(root: &Root, name: &str) -> Result<Profile> {
    let directory = names::directory(name)?;
    let stored = || match root.token_file(&directory)? {
        Some(file) => {
            let members = read_members(root, &file)?;
            for member in ["api_key", "key"] {
                let value =
                    members.as_ref().and_then(|members| members.text(member)).unwrap_or_default();
                setting::check(&format!("{member} in {}", file.display()), value)
                    .map_err(|error| error.in_configuration(error.message()))?;
            }
            Ok(members)
        }
        None => Ok(None),
    };
    if let Some(config) = built_in::config(&directory, &stored) {
        return Ok(Profile {
            name: name.to_owned(),
            config: config?,
            config_file: None,
            built_in: true,
        });
    }
    let (file, members) = find(root, name)?;
    let mut config =
        ClientConfig::from_members(&members, &stored).map_err(|error| named(error, &file))?;
    if let ClientConfig::OAuth(client) = &mut config {
        client.config_file = Some(file.clone());
    }
    Ok(Profile { name: name.to_owned(), config, config_file: Some(file), built_in: false })
}

/// Whether the directory of this profile belongs to one M2M client, according to its name or its
/// client configuration.
///
/// Reads the configuration, but decrypts none.
pub(crate) fn is_of_m2m_client(root: &Root, name: &str, client_id: &str) -> bool {
    if names::m2m_profile(client_id).as_deref() == Some(name) {
        return true;
    }
    let Ok(Some(file)) = names::directory(name).map(|directory| root.config_file(&directory))
    else {
        return false;
    };
    if is_encrypted(&file) {
        return false;
    }
    let Ok(Some(members)) = read_members(root, &file) else { return false };
    match ClientConfig::from_members(&members, &|| Ok(None)) {
        Ok(ClientConfig::OAuth(client)) => {
            client.client_id == client_id && client.client_type.grant() == Grant::ClientCredentials
        }
        _ => false,
    }
}

/// The program that saves the session of the profile in this directory, if its client configuration
/// names one.
///
/// For a client that is not from that file: it must not save in plain text what the profile does
/// not. A configuration that cannot be read names none. Errors: INVALID_ARGUMENT if the profile is
/// that of another client; STORAGE.
pub(crate) fn storage_helper(
    root: &Root,
    name: &str,
    client: &OAuthClient,
) -> Result<Option<Helper>> {
    if names::is_built_in(name) {
        return Ok(None);
    }
    let Ok((file, members)) = find(root, name) else { return Ok(None) };
    if !members.0.contains_key(STORAGE_COMMAND) {
        return Ok(None);
    }
    match ClientConfig::from_members(&members, &|| Ok(None)).map_err(|error| named(error, &file))? {
        ClientConfig::OAuth(own) if own.is_same_client(client) => {
            own.storage_command.map(|command| root.helper(&command, name, &file)).transpose()
        }
        _ => Err(Error::invalid_argument(
            "the profile has a storage_command and holds the tokens of another client; choose another name, or use from_profile",
        )),
    }
}

/// The members of a profile's client configuration, as its file holds them.
///
/// Errors: as [`open`]; also MISCONFIGURED for a built-in profile, which has no file.
pub fn raw_document(root: &Root, name: &str) -> Result<Members> {
    if names::is_built_in(name) {
        return Err(Error::misconfigured("a built-in profile has no file").with_profile(Some(name)));
    }
    find(root, name).map(|(_, members)| members).map_err(|error| error.with_profile(Some(name)))
}

/// The file of a profile that is not built in, with its content.
pub(super) fn find(root: &Root, name: &str) -> Result<(PathBuf, Members)> {
    let directory = names::directory(name)?;
    root.place()?;
    let file = match root.config_file(&directory) {
        Some(file) => file,
        None => return Err(root.check_profiles().err().unwrap_or_else(|| missing(name))),
    };
    let members = read_members(root, &file)?.ok_or_else(|| missing(name))?;
    Ok((file, members))
}

pub(super) fn missing(name: &str) -> Error {
    Error::misconfigured(format!("there is no profile '{}'; check the name", one_line(name, 100)))
        .with_reason(Reason::UnknownProfile)
}

/// A JSON object, plain or encrypted; `None` if there is no file.
pub(super) fn read_members(root: &Root, path: &Path) -> Result<Option<Members>> {
    if is_encrypted(path) {
        let checked = root.checked(path);
        let Some(directory) = Directory::open_checked(&checked, "cannot be read")? else {
            return Ok(None);
        };
        if file::read_at(&directory, &checked)?.is_none() {
            return Ok(None);
        }
        let clear = root.sops().as_user(directory.user()).decrypt(path)?;
        return match python_json::parse(&clear) {
            Some(members) => Ok(Some(Members(members))),
            None => Err(Error::misconfigured(format!(
                "{} does not hold a JSON object when decrypted",
                path.display()
            ))),
        };
    }
    match atomic_file::read_settled(&root.checked(path)) {
        Ok(members) => Ok(members.map(Members)),
        Err(error) if error.retryable() => Err(error),
        Err(error) => Err(error.in_configuration(error.message())),
    }
}

/// Adds the file to an error about the configuration. An error that asks the user to log in does
/// not need it.
fn named(error: Error, file: &Path) -> Error {
    match error.status() {
        Status::Misconfigured | Status::Unsupported => error.with_file(Some(file)),
        _ => error,
    }
}
