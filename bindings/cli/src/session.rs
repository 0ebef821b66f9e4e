//! From options to a session.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use planetkey::secret::Secret;
use planetkey::{ApiKeyTransport, Error, Named, Options, Result, Session, Status};

use crate::arguments::Shared;

/// No key or secret is so long; whatever is longer is another file.
const SECRET_LIMIT: u64 = 64 * 1024;

/// Opens the session that the options name, or else what environment and files offer.
pub(crate) fn open(shared: &Shared, stdin: &mut dyn Read) -> Result<Session> {
    let options = options(shared)?;
    let from_stdin = |path: &Option<_>| path.as_deref() == Some(Path::new("-"));
    if from_stdin(&shared.auth_client_secret_file) && from_stdin(&shared.auth_api_key_file) {
        return Err(mistake("standard input can hold one of the client's secret and the API key, not both"));
    }
    let secret =
        one_of("--auth-client-secret", shared.auth_client_secret.as_deref(), shared.auth_client_secret_file.as_deref(), stdin)?;
    let key = one_of("--auth-api-key", shared.auth_api_key.as_deref(), shared.auth_api_key_file.as_deref(), stdin)?;
    let transport = shared.api_key_transport.as_deref().map(ApiKeyTransport::from_name).transpose()?;
    let named = Named {
        profile: shared.profile.clone(),
        client_id: shared.auth_client_id.clone(),
        client_secret: secret,
        api_key: key,
        api_key_transport: transport,
    };
    Session::from_named(&named, &options)
}

fn options(shared: &Shared) -> Result<Options> {
    let options = Options {
        timeout_ms: shared.timeout_ms,
        deployment: shared.deployment.clone(),
        allowed_hosts: (!shared.allowed_hosts.is_empty()).then(|| shared.allowed_hosts.clone()),
        allow_insecure_loopback: shared.allow_insecure_loopback.then_some(true),
        ca_file: shared.ca_file.clone(),
        proxy: shared.proxy.clone(),
        ..Options::default()
    };
    Ok(options)
}

/// The value of an option, which is given itself or by a file.
fn one_of(option: &str, value: Option<&str>, file: Option<&Path>, stdin: &mut dyn Read) -> Result<Option<Secret>> {
    match (value, file) {
        (Some(_), Some(_)) => Err(mistake(&format!("{option} and {option}-file exclude each other"))),
        (Some(value), None) => Ok(Some(Secret::from(value))),
        (None, Some(path)) if path == Path::new("-") => {
            read_secret(stdin, &format!("standard input for {option}-file")).map(Some)
        }
        (None, Some(path)) => {
            let name = format!("the file {} of {option}-file", path.display());
            let mut file = File::open(path).map_err(|error| unreadable(&name, &error))?;
            read_secret(&mut file, &name).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// Reads a secret; one line end after it is not part of it.
fn read_secret(source: &mut dyn Read, name: &str) -> Result<Secret> {
    let mut text = String::new();
    let read = source.take(SECRET_LIMIT + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(name, &error))?;
    if text.len() as u64 > SECRET_LIMIT {
        return Err(mistake(&format!("{name} is too long for a secret")));
    }
    let end = text.strip_suffix('\n').map_or(text.len(), |line| line.strip_suffix('\r').unwrap_or(line).len());
    text.truncate(end);
    if text.is_empty() {
        return Err(mistake(&format!("{name} is empty")));
    }
    Ok(Secret::from(text))
}

fn unreadable(name: &str, error: &io::Error) -> Error {
    mistake(&format!("cannot read {name}: {error}"))
}

fn mistake(message: &str) -> Error {
    Error::new(Status::InvalidArgument, message)
}
