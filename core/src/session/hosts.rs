//! The origins to which this session's credentials go in a header. For programs such as GDAL, which
//! configure headers by origin instead of by URL.

use super::{Session, SessionStatus, Target};
use crate::authorize::{is_host_entry, is_loopback_entry};
use crate::credential::Transport;
use crate::error::{Error, Result};

impl Session {
    /// The origins whose requests carry a credential of this session in a header, each with its
    /// slash: `https://api.planet.com/`. With `hosts`, only the origins of these hosts. A loopback
    /// host has two origins, because it may use plain http.
    ///
    /// [`Session::headers`] gives a header for every URL that begins exactly with one of these
    /// origins, unless the URL already holds an `api_key`.
    ///
    /// Errors: INVALID_ARGUMENT for an invalid host name, and if the API key is sent in the URL;
    /// HOST_REFUSED for a host to which no credential of the session may go; LOGIN_REQUIRED if the
    /// session holds no credential.
    pub fn header_origins(&self, hosts: Option<&[String]>) -> Result<Vec<String>> {
        let mut origins = Vec::new();
        let Some(hosts) = hosts else {
            let status = self.status();
            let hosts: Vec<&str> = status.hosts().iter().map(|host| host.host.as_str()).collect();
            if hosts.is_empty() {
                return Err(self.without_hosts(&status));
            }
            for host in hosts {
                // Hosts of other sources may take a header.
                if !self.key_is_sent_in_url(host)? {
                    origins_of(host, &mut origins);
                }
            }
            return if origins.is_empty() { Err(in_url()) } else { Ok(origins) };
        };
        for host in hosts {
            if !is_host_entry(host) {
                return Err(Error::invalid_argument(
                    "hosts takes exact host names in lower case, without scheme, path or wildcard: api.planet.com",
                ));
            }
            if self.key_is_sent_in_url(host)? {
                return Err(in_url());
            }
            origins_of(host, &mut origins);
        }
        Ok(origins)
    }

    /// Errors: as [`Session::authorize`] if no credential may go there.
    fn key_is_sent_in_url(&self, host: &str) -> Result<bool> {
        let url = format!("https://{host}/");
        let target = Target::parse(&url)?;
        Ok(self.choose(&target)?.source.transport() == Transport::Query)
    }

    fn without_hosts(&self, status: &SessionStatus) -> Error {
        // Hosts on this machine need an option, which the error names.
        let refused = status
            .sources()
            .iter()
            .flat_map(|source| &source.hosts)
            .find_map(|host| self.key_is_sent_in_url(host).err());
        match self.sources().next() {
            None => self.empty(),
            Some(_) => refused.unwrap_or_else(|| {
                Error::invalid_argument(
                    "this session's credentials go to no host; list the hosts in allowed_hosts",
                )
            }),
        }
    }
}

fn in_url() -> Error {
    Error::invalid_argument(
        "this session's API key is sent in the URL; open the session with transport basic or header",
    )
}

fn origins_of(host: &str, origins: &mut Vec<String>) {
    let schemes: &[&str] = if is_loopback_entry(host) { &["http", "https"] } else { &["https"] };
    for scheme in schemes {
        let origin = format!("{scheme}://{host}/");
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
}
