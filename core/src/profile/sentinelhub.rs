//! sentinelhub-py's `config.toml`, read only.

use super::client_config::{ClientConfig, OAuthClient};
use super::root::Root;
use crate::error::{Error, Result};
use crate::file;
use crate::secret::Secret;
use crate::text::one_line;

/// The section that sentinelhub-py uses where none is named.
pub(super) const DEFAULT_PROFILE: &str = "default-profile";

/// The M2M client of a section in `${XDG_CONFIG_HOME:-~/.config}/sentinelhub/config.toml` that somebody named.
///
/// Errors: MISCONFIGURED when the file, the section or its id and secret are not there.
pub fn read(root: &Root, profile: &str) -> Result<ClientConfig> {
    let wrong = |what: &str| wrong(what, profile);
    let document = load(root, profile)?.ok_or_else(|| wrong("cannot be read: there is no such file, or no home directory"))?;
    let section = section(&document, profile).ok_or_else(|| wrong(&format!("has no profile '{}'", one_line(profile, 100))))?;
    client(section).ok_or_else(|| wrong("has no sh_client_id and sh_client_secret in that profile"))
}

/// The M2M client of the section that sentinelhub-py uses by itself; `None` where there is none, which is no mistake.
///
/// Errors: MISCONFIGURED when the file is unreadable, or has an id without a secret or the reverse.
pub fn read_default(root: &Root) -> Result<Option<ClientConfig>> {
    let document = load(root, DEFAULT_PROFILE)?;
    let Some(section) = document.as_ref().and_then(|document| section(document, DEFAULT_PROFILE)) else { return Ok(None) };
    match (text(section, "sh_client_id"), text(section, "sh_client_secret")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(wrong("has an sh_client_id without its sh_client_secret; set both", DEFAULT_PROFILE)),
        (None, Some(_)) => Err(wrong("has an sh_client_secret without its sh_client_id; set both", DEFAULT_PROFILE)),
        (Some(_), Some(_)) => Ok(client(section)),
    }
}

fn wrong(what: &str, profile: &str) -> Error {
    Error::misconfigured(format!("sentinelhub's config.toml {what}")).with_profile(Some(profile))
}

/// `None` where there is no file.
fn load(root: &Root, profile: &str) -> Result<Option<toml::Table>> {
    let Some(path) = root.sentinelhub() else { return Ok(None) };
    let contents = match file::read(&path) {
        Ok(Some(contents)) => contents,
        Ok(None) => return Ok(None),
        Err(error) => return Err(Error::misconfigured(error.message()).with_profile(Some(profile))),
    };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| wrong("is not UTF-8", profile))?;
    // The parser's message would quote the line, which may hold the secret.
    text.parse().map(Some).map_err(|_| wrong("is not valid TOML", profile))
}

fn section<'a>(document: &'a toml::Table, profile: &str) -> Option<&'a toml::Table> {
    document.get(profile).and_then(toml::Value::as_table)
}

fn text<'a>(section: &'a toml::Table, key: &str) -> Option<&'a str> {
    section.get(key).and_then(toml::Value::as_str).filter(|value| !value.is_empty())
}

fn client(section: &toml::Table) -> Option<ClientConfig> {
    let token_endpoint = text(section, "sh_token_url").map(str::to_owned);
    Some(ClientConfig::OAuth(Box::new(OAuthClient {
        client_id: text(section, "sh_client_id")?.to_owned(),
        client_secret: Some(Secret::from(text(section, "sh_client_secret")?)),
        // sentinelhub-py sends the secret in the body, whatever the server.
        authentication_method: token_endpoint
            .as_ref()
            .map(|_| crate::oauth::client_authentication::CLIENT_SECRET_POST.to_owned()),
        token_endpoint,
        ..OAuthClient::default()
    })))
}
