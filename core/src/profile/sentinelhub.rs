//! Reads sentinelhub-py's `config.toml`.

use super::client_config::{ClientConfig, OAuthClient};
use super::paths::Root;
use crate::error::{Error, Result};
use crate::file;
use crate::secret::Secret;
use crate::setting;
use crate::text::one_line;

/// The section that sentinelhub-py uses if none is named.
pub(super) const DEFAULT_PROFILE: &str = "default-profile";

/// The API that sentinelhub-py calls if `sh_base_url` is not set.
const BASE_URL: &str = "https://services.sentinel-hub.com";

/// The settings of a section. sentinelhub-py lets the environment's id and secret each replace that
/// of the section, and sends the secret to the section's server.
#[derive(Clone, Debug, Default)]
pub struct Section {
    client_id: Option<String>,
    client_secret: Option<Secret>,
    token_endpoint: Option<String>,
    base_url: Option<String>,
}

/// The section that `SH_PROFILE` names in `${XDG_CONFIG_HOME:-~/.config}/sentinelhub/config.toml`.
///
/// Errors: MISCONFIGURED if the file or the section is missing or unreadable, or a setting is not a
/// string.
pub fn read(root: &Root, profile: &str) -> Result<Section> {
    let document = load(root, profile)?.ok_or_else(|| {
        wrong("cannot be read: there is no such file, or no home directory", profile)
    })?;
    let section = section(&document, profile)
        .ok_or_else(|| wrong(&format!("has no profile '{}'", one_line(profile, 100)), profile))?;
    Section::from_toml(section, profile)
}

/// The section that sentinelhub-py uses without `SH_PROFILE`. If it is missing, the result is
/// empty, which is not an error.
///
/// Errors: MISCONFIGURED if the file is unreadable, or a setting is not a string.
pub fn read_default(root: &Root) -> Result<Section> {
    let document = load(root, DEFAULT_PROFILE)?;
    match document.as_ref().and_then(|document| section(document, DEFAULT_PROFILE)) {
        Some(section) => Section::from_toml(section, DEFAULT_PROFILE),
        None => Ok(Section::default()),
    }
}

impl Section {
    /// Errors: MISCONFIGURED for a setting that is not a string, because ignoring it would send the
    /// secret to another server.
    fn from_toml(section: &toml::Table, profile: &str) -> Result<Self> {
        let text = |key: &str| match section.get(key) {
            None => Ok(None),
            Some(toml::Value::String(text)) => match setting::flaw(text) {
                Some(flaw) => Err(wrong(&format!("has a wrong {key}: it {flaw}"), profile)),
                None => Ok(Some(text.clone()).filter(|text| !text.is_empty())),
            },
            Some(_) => Err(wrong(&format!("has a {key} that is not a string"), profile)),
        };
        // The former setting takes precedence over the current one, as in sentinelhub-py.
        let token_endpoint = match text("sh_auth_base_url")? {
            Some(base) => Some(format!("{base}/oauth/token")),
            None => text("sh_token_url")?,
        };
        Ok(Section {
            client_id: text("sh_client_id")?,
            client_secret: text("sh_client_secret")?.map(Secret::from),
            token_endpoint,
            base_url: text("sh_base_url")?,
        })
    }

    /// The same section with the environment's id and secret, if they are set.
    #[must_use]
    pub fn with(&self, client_id: Option<String>, client_secret: Option<Secret>) -> Self {
        Section {
            client_id: client_id.or_else(|| self.client_id.clone()),
            client_secret: client_secret.or_else(|| self.client_secret.clone()),
            ..self.clone()
        }
    }

    /// The M2M client; `None` without an id and a secret, as in a section that only names
    /// addresses.
    ///
    /// Errors: MISCONFIGURED for an id without a secret or a secret without an id.
    pub fn client(&self, profile: &str) -> Result<Option<ClientConfig>> {
        let (client_id, client_secret) = match (&self.client_id, &self.client_secret) {
            (None, None) => return Ok(None),
            (Some(_), None) => {
                return Err(wrong(
                    "has an sh_client_id without its sh_client_secret; set both",
                    profile,
                ));
            }
            (None, Some(_)) => {
                return Err(wrong(
                    "has an sh_client_secret without its sh_client_id; set both",
                    profile,
                ));
            }
            (Some(client_id), Some(client_secret)) => (client_id.clone(), client_secret.clone()),
        };
        Ok(Some(ClientConfig::OAuth(Box::new(OAuthClient {
            client_id,
            client_secret: Some(client_secret),
            // sentinelhub-py sends the secret in the body, to any server.
            authentication_method: self
                .token_endpoint
                .as_ref()
                .map(|_| crate::oauth::client_authentication::CLIENT_SECRET_POST.to_owned()),
            token_endpoint: self.token_endpoint.clone(),
            base_url: self
                .token_endpoint
                .as_ref()
                .map(|_| self.base_url.clone().unwrap_or_else(|| BASE_URL.to_owned())),
            ..OAuthClient::default()
        }))))
    }
}

fn wrong(what: &str, profile: &str) -> Error {
    Error::misconfigured(format!("sentinelhub's config.toml {what}")).with_profile(Some(profile))
}

/// `None` if there is no file.
fn load(root: &Root, profile: &str) -> Result<Option<toml::Table>> {
    let Some(path) = root.sentinelhub() else { return Ok(None) };
    let contents = match file::read(&path) {
        Ok(Some(contents)) => contents,
        Ok(None) => return Ok(None),
        Err(error) => {
            return Err(error.in_configuration(error.message()).with_profile(Some(profile)));
        }
    };
    let text = std::str::from_utf8(&contents.bytes).map_err(|_| wrong("is not UTF-8", profile))?;
    // The parser's message would quote the line, which may hold the secret.
    text.parse().map(Some).map_err(|_| wrong("is not valid TOML", profile))
}

fn section<'a>(document: &'a toml::Table, profile: &str) -> Option<&'a toml::Table> {
    document.get(profile).and_then(toml::Value::as_table)
}
