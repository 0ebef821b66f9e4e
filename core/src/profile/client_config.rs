//! The fields of Planet's `auth_client.json`: the registration of one client.

pub use super::client_type::{ClientType, Grant, KindOfLogin};

use super::client_type::AuthenticationKind;
use crate::error::{Error, Reason, Result, Status};
use crate::oauth::client_authentication as authentication;
use crate::secret::Secret;
use crate::secret_json::Members;
use crate::setting;
use crate::storage::storage_command::StorageCommand;
use serde_json::Value;
use std::path::PathBuf;

const MAX_CONFIG_BYTES: usize = 1024 * 1024;
/// Fields that may have many lines: PEM text and documents, and the password of a private key,
/// which is not used.
const OF_MANY_LINES: [&str; 3] = ["client_privkey", "client_privkey_password", "deployment"];
/// The member that names the program which saves the session.
pub(crate) const STORAGE_COMMAND: &str = "storage_command";
/// The client types of API keys.
const KEY_TYPES: [&str; 2] = ["static_apikey", "planet_legacy"];
/// The scheme of API keys in `Authorization`, as the SDK names it.
const API_KEY_SCHEME: &str = "api-key";

/// A client that obtains tokens, for itself or for a user.
///
/// The default is an M2M client with a secret and without an id.
#[derive(Clone, Debug, Default)]
pub struct OAuthClient {
    /// How it obtains tokens and authenticates.
    pub client_type: ClientType,
    /// The URL of the authorization server, which is also its issuer unless `issuer` is set. `None`
    /// means the deployment's server for this type.
    pub auth_server: Option<String>,
    /// The issuer identifier, if it differs from `auth_server`.
    pub issuer: Option<String>,
    /// The deployment whose hosts its tokens are for: the name of a preset, the path of a
    /// deployment document, or its JSON text. `None` means the session's.
    pub deployment: Option<String>,
    /// The token endpoint, if the server's metadata must not be requested; likewise the other
    /// endpoints.
    pub token_endpoint: Option<String>,
    /// The base URL of the API that tokens of `token_endpoint` are for, as sentinelhub's
    /// `sh_base_url` names it. Tokens may go to its host only if no known deployment issues them;
    /// those of a known deployment go to its hosts.
    pub base_url: Option<String>,
    /// The endpoint where a browser login starts.
    pub authorization_endpoint: Option<String>,
    /// The endpoint where a device login starts.
    pub device_authorization_endpoint: Option<String>,
    /// The endpoint where tokens are revoked.
    pub revocation_endpoint: Option<String>,
    /// The endpoint where a token is introspected.
    pub introspection_endpoint: Option<String>,
    /// The endpoint where userinfo is requested.
    pub userinfo_endpoint: Option<String>,
    /// The URL of the server's keys, which metadata calls `jwks_uri`.
    pub jwks_endpoint: Option<String>,
    /// The redirect URI for a browser on another machine. If only one of the two redirect URIs is
    /// set, it is used for both.
    pub redirect_uri: Option<String>,
    /// The redirect URI for the browser of this machine.
    pub local_redirect_uri: Option<String>,
    /// The public client identifier.
    pub client_id: String,
    /// The client secret, if the client has one.
    pub client_secret: Option<Secret>,
    /// The private key in PEM, if the client has one.
    pub private_key: Option<PrivateKeySource>,
    /// The key's identifier in the header of the assertion.
    pub kid: Option<String>,
    /// `token_endpoint_auth_method` (RFC 7591), if the server's metadata must not decide.
    pub authentication_method: Option<String>,
    /// Whether assertions name the issuer as their audience instead of the token endpoint.
    pub assertion_audience_is_issuer: bool,
    /// The scopes to request.
    pub scopes: Vec<String>,
    /// The audience to request; `None` means the deployment's.
    pub audience: Option<String>,
    /// Further parameters of the token request.
    pub extra: Vec<(String, String)>,
    /// The URL of the store for its tokens, which may hold a password; `None` means the session's.
    pub store: Option<Secret>,
    /// The program that saves its session instead of files. Only a profile's file names one.
    pub storage_command: Option<StorageCommand>,
    /// The file of this configuration, for messages.
    pub config_file: Option<PathBuf>,
}

impl OAuthClient {
    /// Whether the other one is the same client of the same kind.
    pub(crate) fn is_same_client(&self, other: &OAuthClient) -> bool {
        self.client_id == other.client_id && self.client_type.grant() == other.client_type.grant()
    }
}

/// The source of a private key.
#[derive(Clone, Debug)]
pub enum PrivateKeySource {
    /// The PEM text.
    Pem(Secret),
    /// A file that is read when the session is opened.
    File(PathBuf),
}

/// A client configuration, by what its type obtains.
#[derive(Clone, Debug)]
pub enum ClientConfig {
    /// One of the eleven types that hold tokens.
    OAuth(Box<OAuthClient>),
    /// `static_apikey` and `planet_legacy`: the key, and whether it is sent as `Authorization:
    /// api-key`.
    ApiKey {
        /// The key.
        api_key: Secret,
        /// Whether the profile asks for the `api-key` scheme.
        as_header: bool,
    },
}

impl ClientConfig {
    /// Reads JSON text. Ignores unknown fields, and fields that only a login with a password needs.
    ///
    /// Errors: MISCONFIGURED, naming the field; UNSUPPORTED for a client type that sends no
    /// credential, and for encrypted private keys; LOGIN_REQUIRED for an API key type without the
    /// key.
    pub fn from_json(text: &str) -> Result<Self> {
        if text.len() > MAX_CONFIG_BYTES {
            return Err(Error::misconfigured("the client configuration is longer than 1 MiB"));
        }
        let members =
            serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
                Error::misconfigured(format!(
                    "the client configuration is not a JSON object ({})",
                    position(&error)
                ))
                .with_json_source(error)
            })?;
        ClientConfig::from_members(&Members(members), &|| Ok(None))
    }

    /// As [`ClientConfig::from_json`]. `stored` reads the profile's token file, and is called only
    /// for a key that the configuration lacks.
    pub(super) fn from_members(
        members: &Members,
        stored: &dyn Fn() -> Result<Option<Members>>,
    ) -> Result<Self> {
        let fields = Fields(members);
        let client_type = fields.required("client_type")?;
        if KEY_TYPES.contains(&client_type) && fields.get(STORAGE_COMMAND).is_some() {
            return Err(Error::misconfigured(
                "storage_command in the client configuration is for clients that get tokens, and this one holds an API key; encrypt the profile with sops instead",
            ));
        }
        match client_type {
            "static_apikey" => match fields.optional("api_key")? {
                Some(key) => static_key(key, fields.optional("bearer_token_prefix")?),
                None => {
                    let stored = stored()?.ok_or_else(no_key)?;
                    let key = stored.text("api_key").ok_or_else(no_key)?;
                    static_key(key, stored.text("bearer_token_prefix"))
                }
            },
            "planet_legacy" => match fields.optional("api_key")? {
                Some(key) => Ok(legacy_key(key)),
                None => stored()?
                    .as_ref()
                    .and_then(|stored| stored.text("key"))
                    .map(legacy_key)
                    .ok_or_else(no_key),
            },
            "none" => Err(Error::new(
                Status::Unsupported,
                "a client of type none sends no credential, so there is nothing to save; call the API without planetkey, or name another profile",
            )),
            "oidc_client_validator" => Err(Error::new(
                Status::Unsupported,
                "a client of type oidc_client_validator checks the tokens of others and gets none itself; name another profile",
            )),
            name => match ClientType::from_name(name) {
                Some(client_type) => Ok(ClientConfig::OAuth(Box::new(fields.client(client_type)?))),
                None => Err(Error::misconfigured(format!(
                    "unknown client_type '{}'; use oidc_client_credentials_secret, oidc_device_code, static_apikey or another of Planet's SDK",
                    crate::text::one_line(name, 60)
                ))),
            },
        }
    }
}

fn static_key(key: &str, prefix: Option<&str>) -> Result<ClientConfig> {
    let as_header = match prefix {
        None => false,
        Some(API_KEY_SCHEME) => true,
        Some(_) => {
            return Err(Error::new(
                Status::Unsupported,
                "of static API keys only those with bearer_token_prefix `api-key` can be used; set it to api-key if this is a Planet API key",
            ));
        }
    };
    Ok(ClientConfig::ApiKey { api_key: Secret::from(key), as_header })
}

fn legacy_key(key: &str) -> ClientConfig {
    ClientConfig::ApiKey { api_key: Secret::from(key), as_header: true }
}

fn no_key() -> Error {
    Error::new(
        Status::LoginRequired,
        "no API key is stored for this client; log in with the key, set api_key in the client configuration, or set PL_API_KEY",
    )
    .with_reason(Reason::NeverLoggedIn)
}

/// The position of a JSON error, without quoting the text, which may hold a secret.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn missing(field: &str) -> Error {
    Error::misconfigured(format!("the client configuration needs {field}"))
}

/// Errors: MISCONFIGURED.
fn check(field: &str, value: &str) -> Result<()> {
    let name = format!("{} in the client configuration", crate::text::one_line(field, 60));
    setting::check(&name, value).map_err(|error| Error::misconfigured(error.message()))
}

/// The program that this configuration names for its session.
///
/// Errors: MISCONFIGURED.
pub(super) fn storage_command(members: &Members) -> Result<Option<StorageCommand>> {
    Fields(members).storage_command()
}

struct Fields<'a>(&'a Members);

impl<'a> Fields<'a> {
    fn get(&self, field: &str) -> Option<&'a Value> {
        self.0.0.get(field).filter(|value| !value.is_null())
    }

    fn optional(&self, field: &str) -> Result<Option<&'a str>> {
        match self.get(field) {
            None => Ok(None),
            Some(Value::String(text)) => {
                if !OF_MANY_LINES.contains(&field) {
                    check(field, text)?;
                }
                Ok(Some(text.as_str()).filter(|text| !text.is_empty()))
            }
            Some(_) => Err(Error::misconfigured(format!(
                "{field} in the client configuration must be a string"
            ))),
        }
    }

    fn required(&self, field: &str) -> Result<&'a str> {
        self.optional(field)?.ok_or_else(|| missing(field))
    }

    fn owned(&self, field: &str) -> Result<Option<String>> {
        Ok(self.optional(field)?.map(str::to_owned))
    }

    fn list(&self, field: &str) -> Result<Vec<String>> {
        let wrong = || {
            Error::misconfigured(format!(
                "{field} in the client configuration must be a list of strings"
            ))
        };
        match self.get(field) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => {
                let text = |item: &Value| {
                    let text = item.as_str().ok_or_else(wrong)?;
                    check(field, text).map(|()| text.to_owned())
                };
                items.iter().map(text).collect()
            }
            Some(_) => Err(wrong()),
        }
    }

    fn client(&self, client_type: ClientType) -> Result<OAuthClient> {
        let audiences = self.list("audiences")?;
        if audiences.len() > 1 {
            return Err(Error::misconfigured(
                "audiences in the client configuration must hold one audience at most",
            ));
        }
        let client_secret = match client_type.authentication() {
            AuthenticationKind::Secret => Some(Secret::from(self.required("client_secret")?)),
            AuthenticationKind::None | AuthenticationKind::PrivateKey => None,
        };
        let private_key = match client_type.authentication() {
            AuthenticationKind::PrivateKey => Some(self.private_key()?),
            AuthenticationKind::None | AuthenticationKind::Secret => None,
        };
        let (redirect_uri, local_redirect_uri) =
            (self.owned("redirect_uri")?, self.owned("local_redirect_uri")?);
        Ok(OAuthClient {
            client_type,
            auth_server: self.owned("auth_server")?,
            issuer: self.owned("issuer")?,
            deployment: self.deployment()?,
            base_url: None,
            token_endpoint: self.owned("token_endpoint")?,
            authorization_endpoint: self.owned("authorization_endpoint")?,
            device_authorization_endpoint: self.owned("device_authorization_endpoint")?,
            revocation_endpoint: self.owned("revocation_endpoint")?,
            introspection_endpoint: self.owned("introspection_endpoint")?,
            userinfo_endpoint: self.owned("userinfo_endpoint")?,
            jwks_endpoint: self.owned("jwks_endpoint")?,
            redirect_uri: redirect_uri.clone().or_else(|| local_redirect_uri.clone()),
            local_redirect_uri: local_redirect_uri.or(redirect_uri),
            client_id: self.required("client_id")?.to_owned(),
            client_secret,
            private_key,
            kid: self.owned("kid")?,
            authentication_method: self.authentication_method()?,
            assertion_audience_is_issuer: match self.optional("client_assertion_audience")? {
                None | Some("token_endpoint") => false,
                Some("issuer") => true,
                Some(_) => {
                    return Err(Error::misconfigured(
                        "client_assertion_audience must be token_endpoint or issuer",
                    ));
                }
            },
            scopes: self.list("scopes")?,
            audience: audiences.into_iter().next(),
            extra: self.extra()?,
            store: self.store()?,
            storage_command: self.storage_command()?,
            config_file: None,
        })
    }

    fn store(&self) -> Result<Option<Secret>> {
        let store = self.optional("store")?;
        if store.is_some() && self.get(STORAGE_COMMAND).is_some() {
            return Err(Error::misconfigured(
                "the client configuration names two places for its tokens, store and storage_command; leave one of them out",
            ));
        }
        Ok(store.map(Secret::from))
    }

    fn storage_command(&self) -> Result<Option<StorageCommand>> {
        match self.get(STORAGE_COMMAND) {
            None => Ok(None),
            Some(_) => StorageCommand::new(self.list(STORAGE_COMMAND)?).map(Some),
        }
    }

    fn private_key(&self) -> Result<PrivateKeySource> {
        if self.optional("client_privkey_password")?.is_some() {
            let key = self.optional("client_privkey_file")?.unwrap_or("client_privkey");
            let what =
                format!("client_privkey_password is set for {}", crate::text::one_line(key, 200));
            return Err(authentication::encrypted(&what));
        }
        match (self.optional("client_privkey")?, self.optional("client_privkey_file")?) {
            (Some(pem), _) => Ok(PrivateKeySource::Pem(Secret::from(pem))),
            (None, Some(path)) => Ok(PrivateKeySource::File(PathBuf::from(path))),
            (None, None) => Err(missing("client_privkey or client_privkey_file")),
        }
    }

    /// The field may hold a deployment document or a name.
    fn deployment(&self) -> Result<Option<String>> {
        match self.get("deployment") {
            Some(document @ Value::Object(_)) => Ok(Some(document.to_string())),
            _ => self.owned("deployment"),
        }
    }

    fn authentication_method(&self) -> Result<Option<String>> {
        let known = [
            authentication::CLIENT_SECRET_BASIC,
            authentication::CLIENT_SECRET_POST,
            authentication::PRIVATE_KEY_JWT,
            authentication::NONE,
        ];
        match self.owned("token_endpoint_auth_method")? {
            Some(method) if !known.contains(&method.as_str()) => Err(Error::misconfigured(
                "token_endpoint_auth_method must be client_secret_basic, client_secret_post, private_key_jwt or none (RFC 7591)",
            )),
            method => Ok(method),
        }
    }

    fn extra(&self) -> Result<Vec<(String, String)>> {
        let mut extra = Vec::new();
        for field in ["organization", "project_id"] {
            if let Some(value) = self.owned(field)? {
                extra.push((field.to_owned(), value));
            }
        }
        let wrong =
            || Error::misconfigured("extra in the client configuration must map names to strings");
        match self.get("extra") {
            None => {}
            Some(Value::Object(more)) => {
                for (name, value) in more {
                    let value = value.as_str().ok_or_else(wrong)?;
                    check(name, value)?;
                    extra.push((name.clone(), value.to_owned()));
                }
            }
            Some(_) => return Err(wrong()),
        }
        Ok(extra)
    }
}
