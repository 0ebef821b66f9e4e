//! Where the store is: its URL, taken apart once.

use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::setting;
use crate::text::one_line;
use std::path::PathBuf;
use url::{Host, Url};

const DEFAULT_PORT: u16 = 6379;
/// A prefix of keys is a short name.
const MAX_PREFIX_BYTES: usize = 128;
/// Redis has 16 databases unless it is configured otherwise.
const MAX_DATABASE: u32 = 65_535;

/// What a connection is opened to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// A host and a port, with TLS or without.
    Tcp { host: String, port: u16, tls: bool },
    /// A socket in the file system.
    Unix(PathBuf),
}

/// The URL of a store.
#[derive(Clone, Debug)]
pub struct StoreLocation {
    pub(super) address: Address,
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) database: u32,
    /// The prefix of each key.
    pub(super) prefix: String,
    /// The parameter `ca_file`: a file of CA certificates to trust in addition.
    pub(crate) ca_file: Option<PathBuf>,
    shown: String,
}

impl StoreLocation {
    /// Reads `redis://`, `rediss://` and `redis+unix://`, with user and password, the number of the
    /// database as the path or the parameter `db`, and the parameters `prefix` and `ca_file`. A
    /// socket's path is the path of the URL, so its database is a parameter, and its user and
    /// password may be.
    ///
    /// Errors: INVALID_ARGUMENT. The message does not repeat the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self> {
        setting::check("store", url)?;
        let url = Url::parse(url).map_err(|_| {
            invalid("must be a URL: redis://host:6379, rediss://host:6379 or redis+unix:///path")
        })?;
        let mut parameters = Parameters::of(&url)?;
        let user = decoded(url.username())?;
        let password = url.password().map(decoded).transpose()?;
        let user = Some(user).filter(|user| !user.is_empty()).or(parameters.user.take());
        let password = password.filter(|password| !password.is_empty());
        let password = password.or(parameters.password.take()).map(Secret::from);
        if user.is_some() && password.is_none() {
            return Err(invalid("names a user without a password; add it: redis://user:password@"));
        }
        let (address, database) = match url.scheme() {
            "redis" | "rediss" => {
                let tls = url.scheme() == "rediss";
                (tcp(&url, tls)?, database_of(url.path().trim_matches('/'))?)
            }
            "redis+unix" => (unix(&url)?, None),
            other => {
                return Err(invalid(format!(
                    "has the scheme {}; use redis, rediss or redis+unix",
                    one_line(other, 20)
                )));
            }
        };
        if url.fragment().is_some() {
            return Err(invalid("has a part after #; write # in a password as %23"));
        }
        if parameters.ca_file.is_some() && !matches!(address, Address::Tcp { tls: true, .. }) {
            return Err(invalid("has a ca_file without TLS; use rediss"));
        }
        let database = match (database, parameters.database) {
            (Some(_), Some(_)) => return Err(invalid("names two databases")),
            (path, parameter) => path.or(parameter).unwrap_or(0),
        };
        let shown = shown(&address, database);
        Ok(StoreLocation {
            address,
            user,
            password,
            database,
            prefix: parameters.prefix,
            ca_file: parameters.ca_file,
            shown,
        })
    }

    /// Whether connections use TLS.
    pub(super) fn is_tls(&self) -> bool {
        matches!(self.address, Address::Tcp { tls: true, .. })
    }

    /// The URL without user, password and parameters.
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

fn invalid(what: impl AsRef<str>) -> Error {
    Error::invalid_argument(format!("store {}", what.as_ref()))
}

fn tcp(url: &Url, tls: bool) -> Result<Address> {
    let host = match url.host() {
        Some(Host::Domain(host)) if !host.is_empty() => decoded(host)?,
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        _ => return Err(invalid("names no host: redis://host:6379")),
    };
    Ok(Address::Tcp { host, port: url.port().unwrap_or(DEFAULT_PORT), tls })
}

fn unix(url: &Url) -> Result<Address> {
    if !matches!(url.host_str(), None | Some("" | "localhost")) || url.port().is_some() {
        return Err(invalid("names a host; the path of a socket follows three slashes"));
    }
    let path = decoded(url.path())?;
    if path.len() < 2 {
        return Err(invalid("names no socket: redis+unix:///run/redis/redis.sock"));
    }
    if cfg!(unix) {
        Ok(Address::Unix(PathBuf::from(path)))
    } else {
        Err(invalid("is a Unix socket, which this system does not have"))
    }
}

fn database_of(text: &str) -> Result<Option<u32>> {
    if text.is_empty() {
        return Ok(None);
    }
    let number = text.parse().ok().filter(|number| *number <= MAX_DATABASE);
    number.map(Some).ok_or_else(|| invalid("has a database that is not a number: redis://host/0"))
}

fn shown(address: &Address, database: u32) -> String {
    let database = if database == 0 { String::new() } else { database.to_string() };
    match address {
        Address::Tcp { host, port, tls } => {
            let scheme = if *tls { "rediss" } else { "redis" };
            let host = if host.contains(':') { format!("[{host}]") } else { one_line(host, 200) };
            let slash = if database.is_empty() { "" } else { "/" };
            format!("{scheme}://{host}:{port}{slash}{database}")
        }
        Address::Unix(path) => {
            let parameter = if database.is_empty() { "" } else { "?db=" };
            let path = one_line(&path.to_string_lossy(), 200);
            format!("redis+unix://{path}{parameter}{database}")
        }
    }
}

#[derive(Default)]
struct Parameters {
    prefix: String,
    database: Option<u32>,
    user: Option<String>,
    password: Option<String>,
    ca_file: Option<PathBuf>,
}

impl Parameters {
    fn of(url: &Url) -> Result<Self> {
        let mut parameters = Parameters::default();
        let pairs = url.query().unwrap_or("").split('&').filter(|pair| !pair.is_empty());
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decoded(value)?;
            match name {
                "prefix" => parameters.prefix = checked_prefix(value)?,
                "db" => parameters.database = database_of(&value)?,
                "user" => parameters.user = Some(value).filter(|user| !user.is_empty()),
                "password" => parameters.password = Some(value).filter(|text| !text.is_empty()),
                "ca_file" => parameters.ca_file = Some(PathBuf::from(value)),
                _ => {
                    return Err(invalid(
                        "has an unknown parameter; use prefix, db, user, password and ca_file",
                    ));
                }
            }
        }
        Ok(parameters)
    }
}

/// Braces would decide in which slot of a cluster the keys are, and separate a record from its
/// lock.
fn checked_prefix(prefix: String) -> Result<String> {
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}');
    if prefix.len() > MAX_PREFIX_BYTES || !prefix.chars().all(is_plain) {
        return Err(invalid(
            "has a prefix with other characters than visible ASCII without braces, or a long one",
        ));
    }
    Ok(prefix)
}

/// Text of a URL with its percent-encoding resolved.
fn decoded(text: &str) -> Result<String> {
    let broken = || invalid("has a broken percent-encoding; write % in a password as %25");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let digits = digits.filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.ok_or_else(broken)?);
        rest = after.get(2..).unwrap_or_default();
    }
    String::from_utf8(bytes).map_err(|_| broken())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_url_is_read() {
        let location = StoreLocation::parse(
            "rediss://app:p%40ss%2Fword@store.example:6380/3?prefix=team1:&ca_file=/etc/ca.pem",
        )
        .unwrap_or_else(|error| unreachable!("{error}"));
        let host = "store.example".to_owned();
        assert_eq!(location.address, Address::Tcp { host, port: 6380, tls: true });
        assert_eq!(location.user.as_deref(), Some("app"));
        assert_eq!(location.password.as_ref().map(Secret::expose), Some("p@ss/word"));
        assert_eq!((location.database, location.prefix.as_str()), (3, "team1:"));
        assert_eq!(location.ca_file, Some(PathBuf::from("/etc/ca.pem")));
        assert_eq!(location.shown(), "rediss://store.example:6380/3");
    }

    #[test]
    fn what_is_shown_holds_no_password() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://:secret@[::1]:7000/0", "redis://[::1]:7000"),
            ("redis://h?user=u&password=secret&db=2", "redis://h:6379/2"),
            ("redis+unix:///run/r.sock?db=1&password=secret", "redis+unix:///run/r.sock?db=1"),
            ("redis+unix://u:secret@localhost/run/r.sock", "redis+unix:///run/r.sock"),
        ] {
            let location = StoreLocation::parse(url).map(|location| location.shown().to_owned());
            assert_eq!(location.ok().as_deref(), Some(shown), "{url}");
            let debug = format!("{:?}", StoreLocation::parse(url));
            assert!(!debug.contains("secret"), "{debug}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_without_being_repeated() {
        for url in [
            "",
            "secret",
            "http://secret@host",
            "redis://",
            "redis://secret@host",
            "redis://u:secret@host/first",
            "redis://u:secret@host/1?db=2",
            "redis://u:se%zzcret@host",
            "redis://u:secret@host?prefix=a{b}",
            "redis://u:secret@host?option=1",
            "redis://u:secret@host#x",
            "redis://u:secret@host?ca_file=/x",
            "redis+unix://host/secret.sock",
            "redis+unix:///",
        ] {
            let Err(error) = StoreLocation::parse(url) else { unreachable!("{url} was accepted") };
            assert_eq!(error.status(), crate::error::Status::InvalidArgument, "{url}: {error}");
            assert!(!error.message().contains("secret"), "{error}");
        }
    }
}
