//! Names of profiles: which may become the name of a directory, and which are made for credentials that have none.

use crate::deployment::{PROFILE_LEGACY, PROFILE_PLANET_M2M, PROFILE_PLANET_USER};
use crate::error::{Error, Result};

/// Where a login with an API key is saved, as Planet's SDK spells it.
pub const API_KEY_PROFILE: &str = "_PL_API_KEY";

const MAX_NAME_BYTES: usize = 200;

/// A profile's name becomes the name of one directory and nothing else.
///
/// Errors: INVALID_ARGUMENT.
pub fn check(profile: &str) -> Result<()> {
    let bad = profile.is_empty()
        // What counts is the directory, and some letters are longer in lower case.
        || profile.to_lowercase().len() > MAX_NAME_BYTES
        || profile.starts_with('.')
        || profile.contains(['/', '\\', ':'])
        || profile.chars().any(|c| c.is_control() || c.is_whitespace())
        // Windows drops it, so that two names would share a directory.
        || (cfg!(windows) && profile.ends_with('.'));
    if bad {
        return Err(Error::invalid_argument(
            "a profile's name must not be empty, start with a dot, be longer than 200 bytes, or hold separators, white space or control characters",
        ));
    }
    Ok(())
}

/// The directory of a profile below `.planet`: its name in lower case, so that no two profiles differ by case only.
///
/// Errors: INVALID_ARGUMENT.
pub fn directory(profile: &str) -> Result<String> {
    check(profile)?;
    Ok(profile.to_lowercase())
}

/// Whether this is a profile that is there without any file.
pub fn is_built_in(profile: &str) -> bool {
    [PROFILE_PLANET_USER, PROFILE_PLANET_M2M, PROFILE_LEGACY].contains(&profile.to_lowercase().as_str())
}

/// The directory in which the tokens of a machine-to-machine client without a profile are saved; `None` where its id is no safe name.
pub fn m2m_profile(client_id: &str) -> Option<String> {
    if client_id.is_empty() {
        return None;
    }
    directory(&m2m_login(client_id)).ok()
}

/// The profile of an explicit login with id and secret, as Planet's SDK spells it.
pub(super) fn m2m_login(client_id: &str) -> String {
    format!("{PROFILE_PLANET_M2M}-{client_id}")
}

/// What goes into `.planet.json`: lower case, but for the names that a login makes up, which the SDK writes as they are.
pub(super) fn as_preferred(profile: &str) -> String {
    let lower = profile.to_lowercase();
    let made_up = profile == API_KEY_PROFILE || profile.starts_with(&format!("{PROFILE_PLANET_M2M}-"));
    if made_up { profile.to_owned() } else { lower }
}
