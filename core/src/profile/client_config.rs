//! The fields of Planet's `auth_client.json`: one client's registration.

use crate::error::{Error, Result, Status};
use crate::oauth::client_authentication as authentication;
use crate::secret::Secret;
use serde_json::{Map, Value};
use std::path::PathBuf;

const MAX_CONFIG_BYTES: usize = 1024 * 1024;

/// A client that gets tokens for itself, by the client credentials grant.
#[derive(Clone, Debug, Default)]
pub struct MachineClient {
    /// The authorization server: its issuer, unless `issuer` says otherwise. Empty means the deployment's M2M server.
    pub auth_server: Option<String>,
    /// The issuer identifier, where it differs from `auth_server`.
    pub issuer: Option<String>,
    /// The token endpoint, where metadata is not to be asked.
    pub token_endpoint: Option<String>,
    /// The public identifier.
    pub client_id: String,
    /// The secret, of a client that has one.
    pub client_secret: Option<Secret>,
    /// The private key in PEM, of a client that has one.
    pub private_key: Option<PrivateKeySource>,
    /// The key's identifier in the assertion's header.
    pub kid: Option<String>,
    /// `token_endpoint_auth_method` (RFC 7591), where the server's metadata is not to decide.
    pub authentication_method: Option<String>,
    /// Whether assertions name the issuer as their audience and not the token endpoint.
    pub assertion_audience_is_issuer: bool,
    /// What to ask for.
    pub scopes: Vec<String>,
    /// The audience to ask for; `None` means the deployment's.
    pub audience: Option<String>,
    /// Further parameters of the token request.
    pub extra: Vec<(String, String)>,
}

/// Where a private key is.
#[derive(Clone, Debug)]
pub enum PrivateKeySource {
    /// The PEM text.
    Pem(Secret),
    /// A file that is read when the session is opened.
    File(PathBuf),
}

/// What a client configuration amounts to.
#[derive(Clone, Debug)]
pub enum ClientConfig {
    /// `oidc_client_credentials_secret`, `oidc_client_credentials_pubkey`.
    Machine(Box<MachineClient>),
    /// `static_apikey`, and `planet_legacy` with a key: the key, and whether it travels as `Authorization: api-key`.
    ApiKey {
        /// The key.
        api_key: Secret,
        /// Whether the profile asks for the `api-key` scheme.
        as_header: bool,
    },
}

impl ClientConfig {
    /// Reads JSON text; unknown fields are left alone.
    ///
    /// Errors: MISCONFIGURED, naming the field; UNSUPPORTED for a client type that needs a person or a password.
    pub fn from_json(text: &str) -> Result<Self> {
        if text.len() > MAX_CONFIG_BYTES {
            return Err(Error::misconfigured("the client configuration is longer than 1 MiB"));
        }
        let fields: Map<String, Value> = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|error| {
            Error::misconfigured(format!("the client configuration is not a JSON object ({})", position(&error)))
        })?;
        let fields = Fields(&fields);
        let client_type = fields.required("client_type")?;
        match client_type {
            "oidc_client_credentials_secret" => {
                let secret = Secret::from(fields.required("client_secret")?);
                Ok(ClientConfig::Machine(Box::new(MachineClient { client_secret: Some(secret), ..fields.machine()? })))
            }
            "oidc_client_credentials_pubkey" => {
                let key = match (fields.optional("client_privkey")?, fields.optional("client_privkey_file")?) {
                    (Some(pem), _) => PrivateKeySource::Pem(Secret::from(pem)),
                    (None, Some(path)) => PrivateKeySource::File(PathBuf::from(path)),
                    (None, None) => return Err(missing("client_privkey or client_privkey_file")),
                };
                if fields.optional("client_privkey_password")?.is_some() {
                    return Err(Error::new(
                        Status::Unsupported,
                        "encrypted private keys are not read; decrypt the key with `openssl pkcs8` and remove client_privkey_password",
                    ));
                }
                Ok(ClientConfig::Machine(Box::new(MachineClient { private_key: Some(key), ..fields.machine()? })))
            }
            "static_apikey" => {
                let as_header = match fields.optional("bearer_token_prefix")? {
                    None => false,
                    Some("api-key") => true,
                    Some(_) => {
                        return Err(Error::new(
                            Status::Unsupported,
                            "of static API keys only those with bearer_token_prefix `api-key` can be used",
                        ));
                    }
                };
                Ok(ClientConfig::ApiKey { api_key: Secret::from(fields.required("api_key")?), as_header })
            }
            "planet_legacy" => Ok(ClientConfig::ApiKey { api_key: Secret::from(fields.required("api_key")?), as_header: true }),
            known if is_known(known) => Err(Error::new(
                Status::Unsupported,
                format!("a client of type {known} cannot be used without a person's login; use an M2M client or an API key"),
            )),
            other => Err(Error::misconfigured(format!(
                "unknown client_type '{}'; use oidc_client_credentials_secret, oidc_client_credentials_pubkey or static_apikey",
                crate::error::one_line(other, 60)
            ))),
        }
    }
}

/// The types of the SDK that need a person, a password, or send nothing.
fn is_known(client_type: &str) -> bool {
    ["oidc_auth_code", "oidc_device_code", "oidc_resource_owner"]
        .iter()
        .any(|base| client_type.strip_prefix(base).is_some_and(|rest| matches!(rest, "" | "_secret" | "_pubkey")))
        || matches!(client_type, "oidc_client_validator" | "none")
}

/// Where JSON broke off, without quoting it: it may hold a secret.
fn position(error: &serde_json::Error) -> String {
    format!("line {}, column {}", error.line(), error.column())
}

fn missing(field: &str) -> Error {
    Error::misconfigured(format!("the client configuration needs {field}"))
}

struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn optional(&self, field: &str) -> Result<Option<&'a str>> {
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Error::misconfigured(format!("{field} in the client configuration must be a string"))),
        }
    }

    fn required(&self, field: &str) -> Result<&'a str> {
        self.optional(field)?.ok_or_else(|| missing(field))
    }

    fn owned(&self, field: &str) -> Result<Option<String>> {
        Ok(self.optional(field)?.map(str::to_owned))
    }

    fn list(&self, field: &str) -> Result<Vec<String>> {
        let wrong = || Error::misconfigured(format!("{field} in the client configuration must be a list of strings"));
        match self.0.get(field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    fn machine(&self) -> Result<MachineClient> {
        let audiences = self.list("audiences")?;
        if audiences.len() > 1 {
            return Err(Error::misconfigured("audiences in the client configuration must hold one audience at most"));
        }
        let method = self.owned("token_endpoint_auth_method")?;
        if let Some(method) = method.as_deref()
            && ![
                authentication::CLIENT_SECRET_BASIC,
                authentication::CLIENT_SECRET_POST,
                authentication::PRIVATE_KEY_JWT,
                authentication::NONE,
            ]
            .contains(&method)
        {
            return Err(Error::misconfigured(
                "token_endpoint_auth_method must be client_secret_basic, client_secret_post, private_key_jwt or none (RFC 7591)",
            ));
        }
        let mut extra = Vec::new();
        for field in ["organization", "project_id"] {
            if let Some(value) = self.owned(field)? {
                extra.push((field.to_owned(), value));
            }
        }
        if let Some(Value::Object(more)) = self.0.get("extra") {
            for (name, value) in more {
                let value = value
                    .as_str()
                    .ok_or_else(|| Error::misconfigured("extra in the client configuration must map names to strings"))?;
                extra.push((name.clone(), value.to_owned()));
            }
        }
        let assertion_audience_is_issuer = match self.optional("client_assertion_audience")? {
            None | Some("token_endpoint") => false,
            Some("issuer") => true,
            Some(_) => return Err(Error::misconfigured("client_assertion_audience must be token_endpoint or issuer")),
        };
        Ok(MachineClient {
            auth_server: self.owned("auth_server")?,
            issuer: self.owned("issuer")?,
            token_endpoint: self.owned("token_endpoint")?,
            client_id: self.required("client_id")?.to_owned(),
            client_secret: None,
            private_key: None,
            kid: self.owned("kid")?,
            authentication_method: method,
            assertion_audience_is_issuer,
            scopes: self.list("scopes")?,
            audience: audiences.into_iter().next(),
            extra,
        })
    }
}
