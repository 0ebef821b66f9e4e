//! Names of profiles: which are valid as a directory name, and which are derived for credentials
//! without a profile.

use crate::deployment::{PROFILE_LEGACY, PROFILE_PLANET_M2M, PROFILE_PLANET_USER};
use crate::error::{Error, Result};
use crate::text::is_space_or_control;

/// The profile in which a login with an API key is saved, as Planet's SDK spells it.
pub const API_KEY_PROFILE: &str = "_PL_API_KEY";

const MAX_NAME_BYTES: usize = 200;

/// Checks that a profile's name is usable as the name of one directory.
///
/// Errors: INVALID_ARGUMENT.
pub fn check(profile: &str) -> Result<()> {
    let bad = profile.is_empty()
        // The directory's name counts, and some letters are longer in lower case.
        || profile.to_lowercase().len() > MAX_NAME_BYTES
        || profile.starts_with('.')
        || profile.contains(['/', '\\', ':'])
        || profile.chars().any(is_space_or_control)
        // Windows drops a final dot, so that two names would share a directory.
        || (cfg!(windows) && profile.ends_with('.'));
    if bad {
        return Err(Error::invalid_argument(
            "a profile's name must not be empty, start with a dot, be longer than 200 bytes, or hold separators, white space or control characters",
        ));
    }
    Ok(())
}

/// The directory of a profile in `.planet`: its name in lower case, so that no two profiles differ
/// only by case.
///
/// Errors: INVALID_ARGUMENT.
pub fn directory(profile: &str) -> Result<String> {
    check(profile)?;
    Ok(profile.to_lowercase())
}

/// Whether this is a built-in profile, which needs no file.
pub fn is_built_in(profile: &str) -> bool {
    [PROFILE_PLANET_USER, PROFILE_PLANET_M2M, PROFILE_LEGACY]
        .contains(&profile.to_lowercase().as_str())
}

/// The directory in which the tokens of an M2M client without a profile are saved; `None` if its id
/// is not a safe name.
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

/// The name to write into `.planet.json`: in lower case, except for the names that a login derives,
/// which the SDK writes unchanged.
pub(super) fn as_preferred(profile: &str) -> String {
    let lower = profile.to_lowercase();
    let made_up =
        profile == API_KEY_PROFILE || profile.starts_with(&format!("{PROFILE_PLANET_M2M}-"));
    if made_up { profile.to_owned() } else { lower }
}
