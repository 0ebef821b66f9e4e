//! Which credentials there are, highest first: the environment's part of design section 5.

use super::client_config::{ClientConfig, MachineClient};
use super::environment::{Environment, variable};
use super::{directory, sentinelhub};
use crate::error::Result;
use crate::secret::Secret;

/// A credential and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// What it is.
    pub config: ClientConfig,
    /// Where it comes from, for people: `environment: PL_API_KEY`.
    pub source: String,
    /// The profile it belongs to.
    pub profile: Option<String>,
}

/// All that the environment offers, in order, with notes about what was passed over.
///
/// Reads files of named profiles; writes nothing and uses no network. Errors: MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED for a profile
/// that the environment names and that cannot be used: another credential is never chosen in its place.
pub fn from_environment(environment: &dyn Environment) -> Result<(Vec<Found>, Vec<String>)> {
    let mut found = Vec::new();
    let mut notes = Vec::new();
    if let Some(profile) = variable(environment, "PL_AUTH_PROFILE")? {
        let config = directory::read(environment, &profile)?;
        found.push(Found { config, source: "environment: PL_AUTH_PROFILE".into(), profile: Some(profile) });
    }
    machine_client(environment, "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET", &mut found, &mut notes)?;
    for name in ["PL_API_KEY", "PLANET_API_KEY"] {
        if let Some(key) = variable(environment, name)? {
            let config = ClientConfig::ApiKey { api_key: Secret::from(key), as_header: false };
            found.push(Found { config, source: format!("environment: {name}"), profile: None });
        }
    }
    machine_client(environment, "SH_CLIENT_ID", "SH_CLIENT_SECRET", &mut found, &mut notes)?;
    if let Some(profile) = variable(environment, "SH_PROFILE")? {
        let config = sentinelhub::read(environment, &profile)?;
        found.push(Found { config, source: "environment: SH_PROFILE".into(), profile: Some(profile) });
    }
    Ok((found, notes))
}

/// An id and a secret of the same level, never mixed with another.
fn machine_client(
    environment: &dyn Environment,
    id_name: &str,
    secret_name: &str,
    found: &mut Vec<Found>,
    notes: &mut Vec<String>,
) -> Result<()> {
    match (variable(environment, id_name)?, variable(environment, secret_name)?) {
        (Some(client_id), Some(client_secret)) => {
            let client =
                MachineClient { client_id, client_secret: Some(Secret::from(client_secret)), ..MachineClient::default() };
            let source = format!("environment: {id_name}, {secret_name}");
            found.push(Found { config: ClientConfig::Machine(Box::new(client)), source, profile: None });
        }
        (None, None) => {}
        (id, _) => {
            let (present, absent) = if id.is_some() { (id_name, secret_name) } else { (secret_name, id_name) };
            notes.push(format!("{present} is set without {absent} and was passed over; set both"));
        }
    }
    Ok(())
}
