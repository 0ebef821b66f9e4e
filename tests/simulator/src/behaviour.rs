//! The settings that can change while the simulator runs.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::Settings;
use crate::keys;
use crate::script::{boolean, invalid, number, object, optional_text, text, texts, unknown};
use crate::service::{LOGIN_HOST, Service};

/// How the servers behave without a script.
#[derive(Clone, Debug)]
pub(crate) struct Behaviour {
    pub(crate) token_lifetime: u64,
    /// `aud` for a request without audience; `None` omits the claim.
    pub(crate) default_audience: Option<String>,
    /// The scopes that a client may request; `None` means any.
    pub(crate) scopes: Option<Vec<String>>,
    pub(crate) same_token: bool,
    /// Each refresh token is valid once and is replaced.
    pub(crate) rotation: bool,
    /// How long after its rotation a refresh token may be sent again.
    pub(crate) overlap: Duration,
    /// The same by the start of the `User-Agent`.
    pub(crate) overlap_by_user_agent: BTreeMap<String, Duration>,
    /// Lifetime of refresh tokens in seconds; `None` means that they do not expire.
    pub(crate) refresh_token_lifetime: Option<u64>,
    /// Lifetime of authorization codes in seconds.
    pub(crate) authorization_code_lifetime: u64,
    /// Authorization responses carry `iss` (RFC 9207), and the metadata says so.
    pub(crate) authorization_response_iss: bool,
    /// The ID token algorithms in the metadata. The first one signs; RS256 if the list is empty.
    pub(crate) id_token_algorithms: Vec<Algorithm>,
    /// Seconds between two polls of a device; `None` omits the member.
    pub(crate) device_interval: Option<u64>,
    /// Lifetime of device codes in seconds.
    pub(crate) device_expires_in: u64,
    pub(crate) date_offset_s: i64,
    pub(crate) api_keys: Vec<String>,
    /// More issuers whose tokens the API servers accept.
    pub(crate) accepted_issuers: Vec<String>,
    /// `user:password` that a CONNECT must send.
    pub(crate) proxy_credentials: Option<String>,
    /// The hosts that the proxy serves.
    pub(crate) proxy_hosts: BTreeMap<String, Service>,
    pub(crate) metadata_rfc8414: bool,
    pub(crate) metadata_openid: bool,
}

impl Behaviour {
    pub(crate) fn new(settings: &Settings) -> Self {
        let hosts = [
            "api.planet.com",
            "tiles.planet.com",
            "services.sentinel-hub.com",
            LOGIN_HOST,
            "as.example",
        ];
        Self {
            token_lifetime: settings.token_lifetime,
            // As Keycloak does. The Planet API refuses it, so a client must name the API's
            // audience.
            default_audience: Some("account".to_owned()),
            scopes: None,
            same_token: false,
            rotation: true,
            overlap: Duration::ZERO,
            overlap_by_user_agent: BTreeMap::new(),
            refresh_token_lifetime: None,
            authorization_code_lifetime: 60,
            authorization_response_iss: true,
            id_token_algorithms: vec![Algorithm::RS256],
            device_interval: Some(5),
            device_expires_in: 900,
            date_offset_s: 0,
            api_keys: vec![settings.api_key.clone()],
            accepted_issuers: Vec::new(),
            proxy_credentials: None,
            proxy_hosts: hosts
                .iter()
                .map(|host| ((*host).to_owned(), Service::of_host(host)))
                .collect(),
            metadata_rfc8414: true,
            metadata_openid: true,
        }
    }

    /// The overlap for this client.
    pub(crate) fn overlap_for(&self, user_agent: &str) -> Duration {
        let named = self
            .overlap_by_user_agent
            .iter()
            .find(|(name, _)| user_agent.starts_with(name.as_str()));
        named.map_or(self.overlap, |(_, overlap)| *overlap)
    }

    /// Changes the named settings, or nothing if any of them is wrong.
    pub(crate) fn change(&mut self, changes: &Value) -> io::Result<()> {
        let mut next = self.clone();
        for (key, value) in object(changes, "settings")? {
            match key.as_str() {
                "token_lifetime" => next.token_lifetime = number(value, key)?,
                "default_audience" => next.default_audience = optional_text(value, key)?,
                "scopes" if value.is_null() => next.scopes = None,
                "scopes" => next.scopes = Some(texts(value, key)?),
                "same_token" => next.same_token = boolean(value, key)?,
                "rotation" => next.rotation = boolean(value, key)?,
                "overlap_ms" => next.overlap = Duration::from_millis(number(value, key)?),
                "overlap_by_user_agent" => {
                    let overlaps = object(value, key)?.iter();
                    next.overlap_by_user_agent = overlaps
                        .map(|(name, value)| {
                            Ok((name.clone(), Duration::from_millis(number(value, name)?)))
                        })
                        .collect::<io::Result<_>>()?;
                }
                "refresh_token_lifetime" if value.is_null() => next.refresh_token_lifetime = None,
                "refresh_token_lifetime" => next.refresh_token_lifetime = Some(number(value, key)?),
                "authorization_code_lifetime" => {
                    next.authorization_code_lifetime = number(value, key)?
                }
                "authorization_response_iss" => {
                    next.authorization_response_iss = boolean(value, key)?
                }
                "id_token_algorithms" => {
                    next.id_token_algorithms = texts(value, key)?
                        .iter()
                        .map(|name| keys::algorithm(name))
                        .collect::<io::Result<_>>()?;
                }
                "device_interval" if value.is_null() => next.device_interval = None,
                "device_interval" => next.device_interval = Some(number(value, key)?),
                "device_expires_in" => next.device_expires_in = number(value, key)?,
                "date_offset_s" => {
                    next.date_offset_s = value
                        .as_i64()
                        .ok_or_else(|| invalid("date_offset_s must be a whole number"))?;
                }
                "api_keys" => next.api_keys = texts(value, key)?,
                "accepted_issuers" => next.accepted_issuers = texts(value, key)?,
                "proxy_credentials" => next.proxy_credentials = optional_text(value, key)?,
                "proxy_hosts" => next.proxy_hosts = proxy_hosts(value)?,
                "metadata_forms" => {
                    let forms = texts(value, key)?;
                    if forms.iter().any(|form| form != "rfc8414" && form != "openid") {
                        return Err(invalid("metadata_forms are \"rfc8414\" and \"openid\""));
                    }
                    next.metadata_rfc8414 = forms.iter().any(|form| form == "rfc8414");
                    next.metadata_openid = forms.iter().any(|form| form == "openid");
                }
                _ => return Err(unknown(key, "settings")),
            }
        }
        *self = next;
        Ok(())
    }

    pub(crate) fn json(&self) -> Value {
        let hosts: serde_json::Map<String, Value> = self
            .proxy_hosts
            .iter()
            .map(|(host, service)| (host.clone(), json!(service.name())))
            .collect();
        let by_user_agent: serde_json::Map<String, Value> = self
            .overlap_by_user_agent
            .iter()
            .map(|(name, overlap)| (name.clone(), json!(milliseconds(*overlap))))
            .collect();
        let mut forms = Vec::new();
        if self.metadata_rfc8414 {
            forms.push("rfc8414");
        }
        if self.metadata_openid {
            forms.push("openid");
        }
        json!({
            "token_lifetime": self.token_lifetime,
            "default_audience": self.default_audience,
            "scopes": self.scopes,
            "same_token": self.same_token,
            "rotation": self.rotation,
            "overlap_ms": milliseconds(self.overlap),
            "overlap_by_user_agent": by_user_agent,
            "refresh_token_lifetime": self.refresh_token_lifetime,
            "authorization_code_lifetime": self.authorization_code_lifetime,
            "authorization_response_iss": self.authorization_response_iss,
            "id_token_algorithms": self.id_token_algorithms.iter().copied().map(keys::name).collect::<Vec<_>>(),
            "device_interval": self.device_interval,
            "device_expires_in": self.device_expires_in,
            "date_offset_s": self.date_offset_s,
            "api_keys": self.api_keys,
            "accepted_issuers": self.accepted_issuers,
            "proxy_credentials": self.proxy_credentials,
            "proxy_hosts": hosts,
            "metadata_forms": forms,
        })
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A list of host names with their default services, or an object of host name to service.
fn proxy_hosts(value: &Value) -> io::Result<BTreeMap<String, Service>> {
    if value.is_array() {
        let hosts = texts(value, "proxy_hosts")?;
        return Ok(hosts
            .into_iter()
            .map(|host| (host.to_ascii_lowercase(), Service::of_host(&host)))
            .collect());
    }
    object(value, "proxy_hosts")?
        .iter()
        .map(|(host, service)| {
            let service = Service::parse(text(service, host)?)?;
            Ok((host.to_ascii_lowercase(), service))
        })
        .collect()
}
