//! The format of scripts. Unknown members are errors, so that a misspelt step fails its test.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::keys::Signer;

/// The target of a request: the unit of scripts, counters and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    M2mToken,
    M2mMetadata,
    M2mJwks,
    M2mOther,
    AsToken,
    AsMetadata,
    AsJwks,
    AsOther,
    UserToken,
    UserMetadata,
    UserJwks,
    UserRevoke,
    UserAuthorize,
    UserLoginPage,
    UserDevice,
    UserUserinfo,
    UserIntrospect,
    UserOther,
    PlanetApi,
    SentinelHubApi,
    Proxy,
    Tls,
    Unserved,
}

impl Target {
    pub(crate) const ALL: [(Self, &'static str); 23] = [
        (Self::M2mToken, "m2m.token"),
        (Self::M2mMetadata, "m2m.metadata"),
        (Self::M2mJwks, "m2m.jwks"),
        (Self::M2mOther, "m2m.other"),
        (Self::AsToken, "as.token"),
        (Self::AsMetadata, "as.metadata"),
        (Self::AsJwks, "as.jwks"),
        (Self::AsOther, "as.other"),
        (Self::UserToken, "user.token"),
        (Self::UserMetadata, "user.metadata"),
        (Self::UserJwks, "user.jwks"),
        (Self::UserRevoke, "user.revoke"),
        (Self::UserAuthorize, "user.authorize"),
        (Self::UserLoginPage, "user.login_page"),
        (Self::UserDevice, "user.device"),
        (Self::UserUserinfo, "user.userinfo"),
        (Self::UserIntrospect, "user.introspect"),
        (Self::UserOther, "user.other"),
        (Self::PlanetApi, "planet_api"),
        (Self::SentinelHubApi, "sentinel_hub_api"),
        (Self::Proxy, "proxy"),
        (Self::Tls, "tls"),
        (Self::Unserved, "unserved"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(target, name)| (*target == self).then_some(*name))
            .unwrap_or_default()
    }

    pub(crate) fn parse(name: &str) -> io::Result<Self> {
        Self::ALL
            .iter()
            .find_map(|(target, known)| (*known == name).then_some(*target))
            .ok_or_else(|| invalid(&format!("unknown target {name:?}")))
    }

    pub(crate) fn is_token(self) -> bool {
        matches!(self, Self::M2mToken | Self::AsToken | Self::UserToken)
    }

    /// Whether the log parses the body as a form.
    pub(crate) fn takes_form(self) -> bool {
        self.is_token()
            || matches!(
                self,
                Self::UserRevoke | Self::UserLoginPage | Self::UserDevice | Self::UserIntrospect
            )
    }

    fn is_authorization(self) -> bool {
        matches!(self, Self::UserAuthorize | Self::UserLoginPage)
    }

    fn is_metadata(self) -> bool {
        matches!(self, Self::M2mMetadata | Self::AsMetadata | Self::UserMetadata)
    }
}

/// A failure of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Stall,
    StallBeforeRead,
    ResetBeforeRead,
    ResetAfterRead,
    CloseAfterRead,
    StallInBody,
    Drip,
    Endless,
    Truncate,
    Cut,
    NoLastChunk,
    NoLastLine,
    Huge,
    LoseResponse,
    StallResponse,
    WrongHostCertificate,
    ExpiredCertificate,
    Proxy407,
}

impl Fault {
    const ALL: [(Self, &'static str); 18] = [
        (Self::Stall, "stall"),
        (Self::StallBeforeRead, "stall_before_read"),
        (Self::ResetBeforeRead, "reset_before_read"),
        (Self::ResetAfterRead, "reset_after_read"),
        (Self::CloseAfterRead, "close_after_read"),
        (Self::StallInBody, "stall_in_body"),
        (Self::Drip, "drip"),
        (Self::Endless, "endless"),
        (Self::Truncate, "truncate"),
        (Self::Cut, "cut"),
        (Self::NoLastChunk, "no_last_chunk"),
        (Self::NoLastLine, "no_last_line"),
        (Self::Huge, "huge"),
        (Self::LoseResponse, "lose_response"),
        (Self::StallResponse, "stall_response"),
        (Self::WrongHostCertificate, "wrong_host_certificate"),
        (Self::ExpiredCertificate, "expired_certificate"),
        (Self::Proxy407, "proxy_407"),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(fault, name)| (*fault == self).then_some(*name))
            .unwrap_or_default()
    }

    pub(crate) fn is_before_read(self) -> bool {
        matches!(self, Self::StallBeforeRead | Self::ResetBeforeRead)
    }

    /// Whether the fault is possible at the target.
    fn fits(self, target: Target) -> bool {
        match self {
            Self::WrongHostCertificate | Self::ExpiredCertificate => {
                matches!(target, Target::Proxy | Target::Tls)
            }
            Self::Proxy407 => target == Target::Proxy,
            // Before the handshake there is no response that could fail.
            Self::Stall | Self::StallBeforeRead | Self::ResetBeforeRead => true,
            _ => target != Target::Tls,
        }
    }
}

/// Changes to the usual response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Changes {
    /// Members of the response, set last.
    pub(crate) set: Map<String, Value>,
    pub(crate) remove: Vec<String>,
    /// Parameters of an authorization response that are sent twice.
    pub(crate) repeat: Vec<String>,
    /// Claims of the token; null removes one.
    pub(crate) claims: Map<String, Value>,
    pub(crate) id_token: IdTokenChanges,
    /// The member `expires_in`, and the lifetime of the token if it is a number.
    pub(crate) expires_in: Option<Value>,
}

/// Changes to an ID token before it is signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct IdTokenChanges {
    /// Null removes a claim; the same for the header.
    pub(crate) claims: Map<String, Value>,
    pub(crate) header: Map<String, Value>,
    pub(crate) signer: Signer,
}

/// The compression of a body, whatever the request accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coding {
    Gzip,
    Deflate,
    /// `deflate` without the zlib header, as some servers send it.
    RawDeflate,
}

impl Coding {
    fn parse(name: &str) -> io::Result<Self> {
        match name {
            "gzip" => Ok(Self::Gzip),
            "deflate" => Ok(Self::Deflate),
            "raw_deflate" => Ok(Self::RawDeflate),
            _ => Err(invalid(&format!("unknown content coding {name:?}"))),
        }
    }
}

/// What happens to one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    pub(crate) status: Option<u16>,
    pub(crate) headers: Vec<(String, Option<String>)>,
    /// Literal lines for the header section.
    pub(crate) header_lines: Vec<String>,
    pub(crate) coding: Option<Coding>,
    pub(crate) body: Option<Vec<u8>>,
    /// Sent instead of a response; then the connection is closed.
    pub(crate) raw: Option<Vec<u8>>,
    pub(crate) delay: Option<Duration>,
    pub(crate) hold: Option<String>,
    pub(crate) fault: Option<Fault>,
    pub(crate) changes: Option<Changes>,
}

impl Step {
    /// Whether the step contains the response, so that the request is not verified.
    pub(crate) fn is_explicit(&self) -> bool {
        self.body.is_some() || (self.status.is_some() && self.changes.is_none())
    }

    fn parse(value: &Value, target: Target) -> io::Result<Self> {
        let mut step = Self::default();
        let mut bodies = 0;
        for (key, value) in object(value, "step")? {
            match key.as_str() {
                "status" => {
                    let status = value.as_u64().and_then(|status| u16::try_from(status).ok());
                    step.status = Some(
                        status
                            .filter(|status| (200..=999).contains(status))
                            .ok_or_else(|| invalid("status must be a number from 200 to 999"))?,
                    );
                }
                "headers" => step.headers = parse_headers(value)?,
                "header_lines" => step.header_lines = texts(value, key)?,
                "content_coding" => step.coding = Some(Coding::parse(text(value, key)?)?),
                "body" => {
                    bodies += 1;
                    step.body = Some(text(value, key)?.as_bytes().to_vec());
                }
                "body_base64" => {
                    bodies += 1;
                    step.body = Some(from_base64(value, key)?);
                }
                "json" => {
                    bodies += 1;
                    step.body = Some(value.to_string().into_bytes());
                }
                "raw" => {
                    bodies += 1;
                    step.raw = Some(text(value, key)?.as_bytes().to_vec());
                }
                "raw_base64" => {
                    bodies += 1;
                    step.raw = Some(from_base64(value, key)?);
                }
                "delay_ms" => step.delay = Some(Duration::from_millis(number(value, key)?)),
                "hold" => step.hold = Some(text(value, key)?.to_owned()),
                "fault" => {
                    let name = text(value, key)?;
                    let fault = Fault::ALL
                        .iter()
                        .find_map(|(fault, known)| (*known == name).then_some(*fault))
                        .ok_or_else(|| invalid(&format!("unknown fault {name:?}")))?;
                    if !fault.fits(target) {
                        let place = target.name();
                        return Err(invalid(&format!("{name} cannot happen at {place}")));
                    }
                    step.fault = Some(fault);
                }
                "token_response" if target.is_token() => {
                    step.changes = Some(parse_changes(value, Changeable::Token)?);
                }
                "authorization_response" if target.is_authorization() => {
                    step.changes = Some(parse_changes(value, Changeable::Authorization)?);
                }
                "metadata_response" if target.is_metadata() => {
                    step.changes = Some(parse_changes(value, Changeable::Members)?);
                }
                "introspection_response" if target == Target::UserIntrospect => {
                    step.changes = Some(parse_changes(value, Changeable::Members)?);
                }
                "userinfo_response" if target == Target::UserUserinfo => {
                    step.changes = Some(parse_changes(value, Changeable::Members)?);
                }
                "device_response" if target == Target::UserDevice => {
                    step.changes = Some(parse_changes(value, Changeable::Members)?);
                }
                _ => return Err(unknown(key, "step")),
            }
        }
        if bodies > 1 || (bodies > 0 && step.changes.is_some()) {
            return Err(invalid("a step has one kind of response"));
        }
        Ok(step)
    }
}

/// The kind of response, which decides what can be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Changeable {
    /// A JSON object.
    Members,
    Token,
    /// The parameters of a redirect.
    Authorization,
}

fn parse_changes(value: &Value, response: Changeable) -> io::Result<Changes> {
    let token = response == Changeable::Token;
    let mut changes = Changes::default();
    for (key, value) in object(value, "changes")? {
        match key.as_str() {
            "set" => changes.set = object(value, key)?.clone(),
            "remove" => changes.remove = texts(value, key)?,
            "repeat" if response == Changeable::Authorization => {
                changes.repeat = texts(value, key)?
            }
            "claims" if token => changes.claims = object(value, key)?.clone(),
            "id_token_claims" if token => changes.id_token.claims = object(value, key)?.clone(),
            "id_token_header" if token => changes.id_token.header = object(value, key)?.clone(),
            "id_token_key" if token => changes.id_token.signer = Signer::parse(text(value, key)?)?,
            "expires_in" if token => changes.expires_in = Some(value.clone()),
            _ => return Err(unknown(key, "changes")),
        }
    }
    Ok(changes)
}

fn parse_headers(value: &Value) -> io::Result<Vec<(String, Option<String>)>> {
    let pair = |name: &str, value: &Value| match value {
        Value::Null => Ok((name.to_owned(), None)),
        Value::String(text) => Ok((name.to_owned(), Some(text.clone()))),
        Value::Number(number) => Ok((name.to_owned(), Some(number.to_string()))),
        _ => Err(invalid("a header value must be text, a number or null")),
    };
    match value {
        Value::Object(map) => map.iter().map(|(name, value)| pair(name, value)).collect(),
        Value::Array(list) => list
            .iter()
            .map(|item| match item.as_array().map(Vec::as_slice) {
                Some([Value::String(name), value]) => pair(name, value),
                _ => Err(invalid("a list of headers must contain pairs")),
            })
            .collect(),
        _ => Err(invalid("headers must be an object or a list of pairs")),
    }
}

/// The steps for the next requests to one target.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    repeat: bool,
}

impl Script {
    /// Accepts a list of steps, or `{"steps": [...], "repeat": bool}`.
    pub(crate) fn parse(value: &Value, target: Target) -> io::Result<Self> {
        let mut script = Self::default();
        let list = |value: &Value| -> io::Result<VecDeque<Step>> {
            value
                .as_array()
                .ok_or_else(|| invalid("steps must be a list"))?
                .iter()
                .map(|step| Step::parse(step, target))
                .collect()
        };
        if value.is_array() {
            script.steps = list(value)?;
            return Ok(script);
        }
        for (key, value) in object(value, "script")? {
            match key.as_str() {
                "steps" => script.steps = list(value)?,
                "repeat" => script.repeat = boolean(value, key)?,
                "target" => {}
                _ => return Err(unknown(key, "script")),
            }
        }
        Ok(script)
    }

    pub(crate) fn holds(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.hold.as_deref())
    }

    pub(crate) fn next_fault(&self) -> Option<Fault> {
        self.steps.front().and_then(|step| step.fault)
    }

    pub(crate) fn take(&mut self) -> Option<Step> {
        if self.repeat && self.steps.len() == 1 {
            return self.steps.front().cloned();
        }
        self.steps.pop_front()
    }
}

pub(crate) fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

pub(crate) fn unknown(key: &str, place: &str) -> io::Error {
    invalid(&format!("{place} has no member {key:?} here"))
}

pub(crate) fn object<'a>(value: &'a Value, name: &str) -> io::Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| invalid(&format!("{name} must be an object")))
}

pub(crate) fn text<'a>(value: &'a Value, name: &str) -> io::Result<&'a str> {
    value.as_str().ok_or_else(|| invalid(&format!("{name} must be text")))
}

pub(crate) fn optional_text(value: &Value, name: &str) -> io::Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    text(value, name).map(|text| Some(text.to_owned()))
}

pub(crate) fn texts(value: &Value, name: &str) -> io::Result<Vec<String>> {
    value
        .as_array()
        .ok_or_else(|| invalid(&format!("{name} must be a list of texts")))?
        .iter()
        .map(|item| text(item, name).map(str::to_owned))
        .collect()
}

pub(crate) fn number(value: &Value, name: &str) -> io::Result<u64> {
    value.as_u64().ok_or_else(|| invalid(&format!("{name} must be a whole number")))
}

pub(crate) fn boolean(value: &Value, name: &str) -> io::Result<bool> {
    value.as_bool().ok_or_else(|| invalid(&format!("{name} must be true or false")))
}

fn from_base64(value: &Value, name: &str) -> io::Result<Vec<u8>> {
    STANDARD.decode(text(value, name)?).map_err(|_| invalid(&format!("{name} must be base64")))
}
