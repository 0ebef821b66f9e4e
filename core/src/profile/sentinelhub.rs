//! sentinelhub-py's `config.toml`, read only.

use super::client_config::{ClientConfig, MachineClient};
use super::environment::{Environment, variable};
use crate::error::{Error, Result};
use crate::secret::Secret;

/// The M2M client of a profile in `${XDG_CONFIG_HOME:-~/.config}/sentinelhub/config.toml`.
///
/// Errors: MISCONFIGURED when the file, the profile or its id and secret are not there.
pub fn read(environment: &dyn Environment, profile: &str) -> Result<ClientConfig> {
    let base = match variable(environment, "XDG_CONFIG_HOME")? {
        Some(base) => std::path::PathBuf::from(base),
        None => environment
            .home()
            .map(|home| home.join(".config"))
            .ok_or_else(|| Error::misconfigured("there is no home directory; set HOME"))?,
    };
    let wrong = |what: String| Error::misconfigured(format!("sentinelhub's config.toml {what}")).with_profile(Some(profile));
    let text = std::fs::read_to_string(base.join("sentinelhub").join("config.toml"))
        .map_err(|error| wrong(format!("cannot be read for the profile that SH_PROFILE names: {error}")))?;
    // The parser's message would quote the line, which may hold the secret.
    let document: toml::Table = text.parse().map_err(|_| wrong("is not valid TOML".into()))?;
    let section = document
        .get(profile)
        .and_then(toml::Value::as_table)
        .ok_or_else(|| wrong(format!("has no profile '{}'", crate::error::one_line(profile, 100))))?;
    let text = |key: &str| section.get(key).and_then(toml::Value::as_str).filter(|value| !value.is_empty());
    let (Some(client_id), Some(client_secret)) = (text("sh_client_id"), text("sh_client_secret")) else {
        return Err(wrong("has no sh_client_id and sh_client_secret in that profile".into()));
    };
    let token_endpoint = text("sh_token_url").map(str::to_owned);
    Ok(ClientConfig::Machine(Box::new(MachineClient {
        client_id: client_id.to_owned(),
        client_secret: Some(Secret::from(client_secret)),
        // sentinelhub-py sends the secret in the body, whatever the server.
        authentication_method: token_endpoint
            .as_ref()
            .map(|_| crate::oauth::client_authentication::CLIENT_SECRET_POST.to_owned()),
        token_endpoint,
        ..MachineClient::default()
    })))
}
