//! `~/.planet/<profile>/`: where Planet's SDK keeps client configurations.

use super::client_config::ClientConfig;
use super::environment::Environment;
use crate::error::{Error, Result, Status};
use crate::platform::{PROFILE_PLANET_M2M, PROFILE_PLANET_USER};

/// The client configuration of a profile.
///
/// Errors: MISCONFIGURED (bad name, no such profile, unreadable), LOGIN_REQUIRED (`planet-user`), UNSUPPORTED (encrypted, or a client
/// type that needs a person).
pub fn read(environment: &dyn Environment, profile: &str) -> Result<ClientConfig> {
    load(environment, profile).map_err(|error| error.with_profile(Some(profile)))
}

fn load(environment: &dyn Environment, profile: &str) -> Result<ClientConfig> {
    check_name(profile)?;
    let name = profile.to_lowercase();
    match name.as_str() {
        PROFILE_PLANET_USER => {
            return Err(Error::new(
                Status::LoginRequired,
                "the profile planet-user needs a person's login, which this version does not offer; use an M2M client or an API key",
            )
            .with_reason("never_logged_in"));
        }
        PROFILE_PLANET_M2M => {
            return Err(Error::misconfigured(
                "the profile planet-m2m is only a form: give your own client id and secret, in code or as PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET",
            ));
        }
        _ => {}
    }
    let home =
        environment.home().ok_or_else(|| Error::misconfigured("there is no home directory to find profiles in; set HOME"))?;
    let directory = home.join(".planet").join(&name);
    if directory.join("auth_client.sops.json").exists() {
        return Err(Error::new(Status::Unsupported, "this profile is encrypted by sops, which this version does not read"));
    }
    let path = directory.join("auth_client.json");
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::misconfigured(format!(
                "there is no profile '{}'; `planet auth profile list` shows those that there are",
                crate::error::one_line(profile, 100)
            )));
        }
        Err(error) => return Err(Error::misconfigured(format!("the profile's auth_client.json cannot be read: {error}"))),
    };
    ClientConfig::from_json(&text)
}

/// A profile's name becomes a directory's name and nothing else.
///
/// Errors: INVALID_ARGUMENT.
pub fn check_name(profile: &str) -> Result<()> {
    let separators = ['/', '\\', ':'];
    let bad = profile.is_empty()
        || profile.len() > 200
        || profile.starts_with('.')
        || profile.contains(separators)
        || profile.chars().any(|c| c.is_control() || c.is_whitespace());
    if bad {
        return Err(Error::invalid_argument(
            "a profile's name must not be empty, start with a dot, or hold separators, white space or control characters",
        ));
    }
    Ok(())
}
