//! Opens the session that the options name; `refresh` and `logout`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use planetkey::clock::rfc3339;
use planetkey::secret::Secret;
use planetkey::setting;
use planetkey::storage::read_secret_file;
use planetkey::storage::sops::Encryption;
use planetkey::{
    ApiKeyTransport, CredentialKind, Error, LogoutResult, Named, Options, Result, Revocation,
    Session, Status,
};
use serde_json::json;

use crate::arguments::Shared;
use crate::streams::{Streams, mistake};
use crate::terminal::SECRET_LIMIT;

/// Opens the session that the options name, else what the environment and files offer.
pub(crate) fn open(shared: &Shared, streams: &mut Streams<'_>) -> Result<Session> {
    let transport =
        shared.api_key_transport.as_deref().map(ApiKeyTransport::from_name).transpose()?;
    let secrets = Secrets::read(shared, streams)?;
    let named = Named {
        profile: shared.profile.clone(),
        client_id: shared.auth_client_id.clone(),
        client_secret: secrets.client_secret,
        api_key: secrets.api_key,
        api_key_transport: transport,
    };
    Session::from_named(&named, &options(shared))
}

/// The options of the core.
pub(crate) fn options(shared: &Shared) -> Options {
    let mut options = Options::default();
    options.save = shared.no_save.then_some(false);
    options.must_save = true;
    options.storage_root = shared.storage_root.as_deref().map(PathBuf::from);
    options.timeout = shared.timeout_ms.map(Duration::from_millis);
    options.deployment = shared.deployment.clone();
    options.allowed_hosts =
        (!shared.allowed_hosts.is_empty()).then(|| shared.allowed_hosts.clone());
    options.allow_insecure_loopback = shared.allow_insecure_loopback.then_some(true);
    options.ca_file = shared.ca_file.as_deref().map(PathBuf::from);
    options.proxy = shared.proxy.clone();
    options.store = shared.store.clone();
    options
}

/// Refreshes the access token.
pub(crate) fn refresh(session: &Session, json: bool) -> Result<String> {
    session.refresh().map_err(|error| {
        about_keys(
            error,
            "an API key is not refreshed; to replace it run `planetkey login --with-api-key`",
        )
    })?;
    if !json {
        return Ok(String::new());
    }
    let status = session.status();
    let source = status.sources().iter().find(|source| source.kind == CredentialKind::AccessToken);
    let object = json!({
        "profile": source.and_then(|source| source.profile.as_deref()),
        "expires_at": source.and_then(|source| source.expires_at),
    });
    Ok(crate::text::json(&object))
}

/// The access token as a program reads it. docs/reference/token-document.md describes the form,
/// which is stable: members are added, and none is changed or removed.
pub(crate) fn token_document(session: &Session) -> Result<String> {
    let token = session.access_token()?;
    let expires_at = token.expires_at();
    let expiry = expires_at.and_then(|seconds| u64::try_from(seconds).ok()).map(rfc3339);
    let object = json!({
        "version": 1,
        "access_token": &*token,
        "token_type": "Bearer",
        "expires_at": expires_at,
        "expiry": expiry,
        "headers": {"Authorization": format!("Bearer {}", &*token)},
    });
    Ok(crate::text::json(&object))
}

/// Deletes the tokens and revokes the refresh token. Without a session there is nothing to do.
pub(crate) fn logout(
    opened: Result<Session>,
    revoke: bool,
    json: bool,
    streams: &mut Streams<'_>,
) -> Result<String> {
    let nothing = LogoutResult::default();
    let out = match opened.and_then(|session| session.logout(revoke.into())) {
        Err(error) if error.status() == Status::LoginRequired => nothing,
        out => out.map_err(|error| {
            about_keys(error, "an API key has no session; to delete a saved one run `planetkey profile delete NAME`")
        })?,
    };
    let why = out.revocation_error().map(|error| error.message().to_owned());
    streams.say(match (out.removed, &out.revocation) {
        (false, _) => "no user was logged in",
        (true, Revocation::Revoked) => "logged out, and the refresh token was revoked",
        (true, _) => "logged out",
    });
    if let Some(why) = &why {
        streams.note(&format!("the refresh token may still be valid, because the server did not confirm the revocation: {why}"));
    }
    if !json {
        return Ok(String::new());
    }
    let object = json!({"removed": out.removed, "revocation": out.revocation.name(), "revocation_error": why});
    Ok(crate::text::json(&object))
}

/// Replaces the core's advice, which is for programs.
fn about_keys(error: Error, message: &str) -> Error {
    if error.status() == Status::Unsupported {
        Error::new(Status::Unsupported, message)
    } else {
        error
    }
}

/// Whether a client is encrypted when it is saved, by the option `--sops`.
pub(crate) const fn encryption(sops: bool) -> Encryption {
    if sops { Encryption::Sops } else { Encryption::AsBefore }
}

/// For commands about saved sessions.
pub(crate) fn needs_disk(shared: &Shared, command: &str) -> Result<()> {
    if shared.no_save {
        Err(mistake(&format!(
            "--no-save excludes saved sessions, so there is nothing to {command}"
        )))
    } else {
        Ok(())
    }
}

/// The secrets that the options name.
#[derive(Default)]
pub(crate) struct Secrets {
    pub(crate) client_secret: Option<Secret>,
    pub(crate) api_key: Option<Secret>,
}

impl Secrets {
    pub(crate) fn read(shared: &Shared, streams: &mut Streams<'_>) -> Result<Self> {
        let from_stdin = |path: &Option<_>| path.as_deref() == Some(Path::new("-"));
        if from_stdin(&shared.auth_client_secret_file) && from_stdin(&shared.auth_api_key_file) {
            return Err(mistake(
                "standard input can hold one of the client's secret and the API key, not both",
            ));
        }
        let value = shared.auth_client_secret.as_deref();
        let file = shared.auth_client_secret_file.as_deref();
        let client_secret = one_of("--auth-client-secret", "Client secret:", value, file, streams)?;
        let value = shared.auth_api_key.as_deref();
        let api_key = one_of(
            "--auth-api-key",
            "API key:",
            value,
            shared.auth_api_key_file.as_deref(),
            streams,
        )?;
        Ok(Secrets { client_secret, api_key })
    }
}

/// The value of an option, given directly or in a file.
fn one_of(
    option: &str,
    question: &str,
    value: Option<&str>,
    file: Option<&Path>,
    streams: &mut Streams<'_>,
) -> Result<Option<Secret>> {
    match (value, file) {
        (Some(_), Some(_)) => {
            Err(mistake(&format!("{option} and {option}-file exclude each other")))
        }
        (Some(value), None) => Ok(Some(Secret::from(value))),
        (None, Some(path)) if path == Path::new("-") => match streams.terminal {
            // Typed text must not be shown.
            Some(_) => {
                streams.ask_secret(question, &format!("name a file with {option}-file")).map(Some)
            }
            None => {
                read_secret(streams.stdin, &format!("standard input for {option}-file")).map(Some)
            }
        },
        (None, Some(path)) => {
            let name = format!("the file {} of {option}-file", path.display());
            if is_descriptor(path) {
                let mut file = File::open(path).map_err(|error| unreadable(&name, &error))?;
                return read_secret(&mut file, &name).map(Some);
            }
            let bytes = read_secret_file(path)
                .map_err(|error| mistake(&format!("cannot read {name}: {}", error.message())))?;
            read_secret(&mut bytes.as_slice(), &name).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// Whether a path names a descriptor that the shell opened, like `<(command)`.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc/self/fd")
}

/// The token in a file, for a command about another token than the session's.
pub(crate) fn token(file: &Path, streams: &mut Streams<'_>) -> Result<Secret> {
    let token = one_of("--token", "Token:", None, Some(file), streams)?;
    token.ok_or_else(|| mistake("--token-file names no file"))
}

/// Reads a secret; one line end after it is not part of it.
fn read_secret(source: &mut dyn Read, name: &str) -> Result<Secret> {
    let mut text = String::new();
    let read = source.take(SECRET_LIMIT as u64 + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(name, &error))?;
    if text.len() > SECRET_LIMIT {
        return Err(mistake(&format!("{name} is too long for a secret")));
    }
    let end = text
        .strip_suffix('\n')
        .map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(end);
    let secret = Secret::from(text);
    if secret.is_empty() {
        return Err(mistake(&format!("{name} is empty")));
    }
    setting::check(name, secret.expose())?;
    Ok(secret)
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    mistake(&format!("cannot read {name}: {error}"))
}
