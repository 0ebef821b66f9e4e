//! Lists profiles and shows their contents, without secrets.

use super::client_config::STORAGE_COMMAND;
use super::load::read_members;
use super::names;
use super::paths::config_in;
use super::planet_json::is_same;
use super::store::Profiles;
use crate::deployment::{PROFILE_LEGACY, PROFILE_PLANET_USER};
use crate::error::{Error, Result, Status};
use crate::jwt;
use crate::secret_json::Members;
use crate::storage::python_json;
use crate::storage::sops::is_encrypted;
use serde_json::{Value, json};
use std::fs::{self, DirEntry, ReadDir};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// An existing profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is built in and needs no file.
    pub built_in: bool,
    /// Whether `.planet.json` selects it.
    pub selected: bool,
}

/// A summary of a profile, without a secret.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Its name.
    pub name: String,
    /// Whether it is built in and needs no file.
    pub built_in: bool,
    /// Whether `.planet.json` selects it.
    pub selected: bool,
    /// The client type, as in auth_client.json.
    pub client_type: Option<String>,
    /// The client id, if the client obtains tokens.
    pub client_id: Option<String>,
    /// The issuer of its tokens, if the configuration names it.
    pub issuer: Option<String>,
    /// Whether tokens or an API key are saved for it; for a profile with a `storage_command`, which
    /// is not run, whether planetkey has saved tokens with it.
    pub has_session: bool,
    /// Unix seconds at which the saved access token expires. The session may still be refreshable
    /// then.
    pub expires_at: Option<i64>,
    /// The client configuration's file; `None` for a built-in profile.
    pub file: Option<PathBuf>,
    /// Why other fields are missing because a file could not be read, or why the saved session
    /// cannot be used.
    pub problem: Option<String>,
}

impl Summary {
    /// The summary as JSON: the same object in every language.
    pub fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "built_in": self.built_in,
            "selected": self.selected,
            "client_type": self.client_type,
            "client_id": self.client_id,
            "issuer": self.issuer,
            "has_session": self.has_session,
            "expires_at": self.expires_at,
            "file": self.file.as_deref().map(Path::to_string_lossy),
            "problem": self.problem,
        })
    }
}

impl Profiles {
    /// The existing profiles: `planet-user`, `legacy` if its key is saved, and the directories that
    /// hold a client configuration, in the order of the file system. Each is read when the iterator
    /// reaches it, however many there are.
    ///
    /// Errors, of each step: STORAGE.
    pub fn list(&self) -> Listing {
        let mut built_in = vec![PROFILE_PLANET_USER];
        if self.root().has_session(PROFILE_LEGACY).unwrap_or(false) {
            built_in.push(PROFILE_LEGACY);
        }
        Listing {
            built_in: built_in.into_iter(),
            directories: self.root().profiles_read(),
            next: 0,
            entries: None,
            selected: self.selected(),
        }
    }

    /// Summarizes one profile. Reads its files, and decrypts encrypted ones with `sops`, which may
    /// use the network.
    ///
    /// Errors: INVALID_ARGUMENT (invalid profile name), MISCONFIGURED (no such profile). Any other
    /// error becomes its `problem`.
    pub fn summary(&self, name: &str) -> Result<Summary> {
        let built_in = names::is_built_in(name);
        let file = if built_in { None } else { Some(self.file(name)?) };
        let (members, problem) = match self.document(name) {
            Ok(members) => (members, None),
            Err(error) => (Members::default(), Some(error.message().to_owned())),
        };
        let text = |member: &str| members.text(member).map(str::to_owned);
        let (expires_at, unusable) = match self.expires_at(name) {
            Ok(expires_at) => (expires_at, None),
            Err(error) => (None, Some(error.message().to_owned())),
        };
        let has_command = members.0.contains_key(STORAGE_COMMAND);
        Ok(Summary {
            name: name.to_owned(),
            built_in,
            selected: self.selected().is_some_and(|selected| is_same(&selected, name)),
            client_type: text("client_type"),
            client_id: text("client_id"),
            issuer: text("issuer").or_else(|| text("auth_server")),
            has_session: members.text("api_key").is_some()
                || self.root().has_saved(name, has_command)?,
            expires_at,
            file,
            problem: problem.or(unusable),
        })
    }

    /// One profile as JSON: `name`, `built_in`, `selected`, `file`, and the members of its client
    /// configuration as `config`. Unless `reveal` is set, secrets and values that might be secret
    /// are replaced by `[redacted]`.
    ///
    /// Errors: as [`super::load::open`].
    pub fn show(&self, name: &str, reveal: bool) -> Result<Value> {
        let mut config = Value::Object(self.document(name)?.0.clone());
        if !reveal {
            redact(&mut config);
        }
        let built_in = names::is_built_in(name);
        let file = if built_in { None } else { Some(self.file(name)?) };
        Ok(json!({
            "name": name,
            "built_in": built_in,
            "selected": self.selected().is_some_and(|selected| is_same(&selected, name)),
            "file": file.as_deref().map(Path::to_string_lossy),
            "config": config,
        }))
    }

    /// The access token's own `exp` takes precedence over the expiry saved with it, as in the SDK.
    ///
    /// Errors: what is wrong with the file. An encrypted file is not decrypted, so it is no error.
    fn expires_at(&self, name: &str) -> Result<Option<i64>> {
        let Some(file) = self.root().token_file(name)? else { return Ok(None) };
        let tokens = match read_members(self.root(), &file) {
            Ok(Some(tokens)) => tokens,
            Ok(None) => return Ok(None),
            Err(_) if is_encrypted(&file) => return Ok(None),
            Err(error) => return Err(error),
        };
        if python_json::is_damaged_session(&tokens.0) {
            return Err(Error::new(
                Status::Storage,
                format!("{} is damaged; log in again", file.display()),
            ));
        }
        let stated = || tokens.0.get("_exp").and_then(Value::as_f64).map(|seconds| seconds as i64);
        Ok(tokens.text("access_token").and_then(|token| match jwt::times(token).exp {
            Some(exp) => i64::try_from(exp).ok(),
            None => stated(),
        }))
    }
}

/// Iterates over the profiles; see [`Profiles::list`].
#[derive(Debug)]
pub struct Listing {
    built_in: std::vec::IntoIter<&'static str>,
    directories: Vec<PathBuf>,
    /// The index of the directory after the one that `entries` lists.
    next: usize,
    entries: Option<ReadDir>,
    selected: Option<String>,
}

impl Iterator for Listing {
    type Item = Result<Listed>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(name) = self.built_in.next() {
            return Some(Ok(self.listed(name.to_owned(), true)));
        }
        loop {
            match self.entries.as_mut().and_then(Iterator::next) {
                Some(Ok(entry)) => {
                    if let Some(name) = self.profile(&entry) {
                        return Some(Ok(self.listed(name, false)));
                    }
                }
                Some(Err(error)) => return Some(Err(unreadable(&error))),
                None => match fs::read_dir(self.directories.get(self.next)?) {
                    Ok(entries) => {
                        self.entries = Some(entries);
                        self.next += 1;
                    }
                    Err(error) => {
                        self.entries = None;
                        self.next += 1;
                        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) {
                            return Some(Err(unreadable(&error)));
                        }
                    }
                },
            }
        }
    }
}

impl Listing {
    fn listed(&self, name: String, built_in: bool) -> Listed {
        let selected = self.selected.as_ref().is_some_and(|selected| is_same(selected, &name));
        Listed { name, built_in, selected }
    }

    /// The profile of a directory entry, if its name leads to that profile.
    fn profile(&self, entry: &DirEntry) -> Option<String> {
        let on_disk = entry.file_name().into_string().ok()?;
        let name = names::directory(&on_disk).ok()?;
        let (this, before) = self.directories.get(..self.next)?.split_last()?;
        let is_reached = name == on_disk || is_same_directory(&entry.path(), &this.join(&name));
        let is_hidden = names::is_built_in(&name)
            || before.iter().any(|before| config_in(&before.join(&name)).is_some());
        (is_reached && !is_hidden && config_in(&entry.path()).is_some()).then_some(name)
    }
}

/// Whether two paths are one directory. Names that differ only by case may be, on some file
/// systems.
fn is_same_directory(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(Status::Storage, format!("the directory of the profiles cannot be read: {error}"))
}

const REDACTED: &str = "[redacted]";

/// Members whose names look secret but whose values are not.
const PUBLIC: [&str; 7] = [
    "token_endpoint",
    "token_endpoint_auth_method",
    "jwks_endpoint",
    "client_privkey_file",
    "bearer_token_prefix",
    "authorization_callback_acknowledgement",
    "authorization_callback_acknowledgement_file",
];

/// A value is hidden if its name contains one of these words. A future field is hidden rather than
/// shown.
const SUSPICIOUS: [&str; 9] =
    ["secret", "password", "passphrase", "key", "token", "jwt", "credential", "private", "cookie"];

fn redact(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let lower = name.to_lowercase();
                let is_secret = !PUBLIC.contains(&lower.as_str())
                    && SUSPICIOUS.iter().any(|word| lower.contains(word));
                match value {
                    Value::Null | Value::Bool(_) => {}
                    _ if is_secret => *value = Value::from(REDACTED),
                    _ => redact(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}
