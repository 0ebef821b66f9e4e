//! What to run next. The core's messages name no command, so this one adds it.

use planetkey::{CredentialKind, Error, Reason, Session, Status};

use crate::text::printable;

/// The start of a command in a message.
const COMMAND: &str = "`planetkey ";

/// The message of an error, with the command that helps.
pub(crate) fn message(error: &Error) -> String {
    match advice(error).filter(|_| !error.message().contains(COMMAND)) {
        Some(advice) => format!("{}. {advice}", error.message()),
        None => error.message().to_owned(),
    }
}

fn advice(error: &Error) -> Option<String> {
    match (error.status(), error.reason()) {
        (Status::LoginRequired, _) => Some(format!("Run `{}`.", log_in(error.profile()))),
        (Status::HostRefused, _) => {
            Some("Run `planetkey status` to see what each host gets.".to_owned())
        }
        (_, Some(Reason::NoAccess)) => {
            Some("`planetkey --storage-root DIR` uses another directory.".to_owned())
        }
        (_, Some(Reason::UnknownProfile)) => {
            Some("Run `planetkey profile list` to see all profiles.".to_owned())
        }
        _ => None,
    }
}

/// The command that logs in to a profile.
pub(crate) fn log_in(profile: Option<&str>) -> String {
    let option = profile.map(|profile| format!(" --profile {}", printable(profile)));
    format!("planetkey login{}", option.unwrap_or_default())
}

/// Adds the command that logs in with the scope `openid`, where the session lacks it.
///
/// A login requests the scopes that it names and no others, so the command names all of them.
pub(crate) fn with_openid(error: Error, session: &Session) -> Error {
    if error.reason() != Some(Reason::MissingScope) {
        return error;
    }
    let status = session.status();
    let Some(source) =
        status.sources().iter().find(|source| source.kind == CredentialKind::AccessToken)
    else {
        return error;
    };
    let mut scopes: Vec<&str> = source.scopes.iter().map(String::as_str).collect();
    for scope in ["openid", "profile", "email"] {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    let command = format!(
        "{} --force --scope {}",
        log_in(source.profile.as_deref()),
        printable(&scopes.join(" --scope "))
    );
    Error::new(error.status(), format!("{}. Run `{command}`.", error.message()))
        .with_reason(Reason::MissingScope)
        .with_profile(error.profile())
}
