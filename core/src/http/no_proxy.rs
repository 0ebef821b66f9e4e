//! `NO_PROXY`: the hosts that are reached without a proxy, as curl and Requests read it.

use std::net::IpAddr;
use url::{Host, Url};

/// The entries of the variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    All,
    /// A domain with its subdomains, in lower case; with a port, only that port.
    Domain(String, Option<u16>),
    Address(IpAddr, Option<u16>),
    /// An address, and the number of its leading bits that must match.
    Network(IpAddr, u32),
}

impl NoProxy {
    /// Entries are separated by commas and white space. Invalid entries are ignored.
    pub(super) fn from_text(text: &str) -> Self {
        let entries = text.split(|character: char| character == ',' || character.is_whitespace());
        NoProxy(entries.filter(|entry| !entry.is_empty()).filter_map(Entry::from_text).collect())
    }

    /// Whether this URL is requested without a proxy.
    pub(super) fn exempts(&self, url: &Url) -> bool {
        let host = match url.host() {
            Some(Host::Domain(name)) => Err(name.trim_end_matches('.').to_ascii_lowercase()),
            Some(Host::Ipv4(address)) => Ok(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Ok(IpAddr::V6(address)),
            None => return false,
        };
        let is_port = |port: &Option<u16>| port.is_none() || *port == url.port_or_known_default();
        self.0.iter().any(|entry| match (entry, &host) {
            (Entry::All, _) => true,
            (Entry::Domain(domain, port), Err(name)) => {
                is_port(port)
                    && (name == domain
                        || name
                            .strip_suffix(domain.as_str())
                            .is_some_and(|rest| rest.ends_with('.')))
            }
            (Entry::Address(address, port), Ok(host)) => is_port(port) && host == address,
            (Entry::Network(network, bits), Ok(host)) => is_inside(*host, *network, *bits),
            _ => false,
        })
    }
}

impl Entry {
    fn from_text(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Entry::All);
        }
        if let Some((network, bits)) = text.split_once('/') {
            let network: IpAddr = bare(network).parse().ok()?;
            let bits = bits.parse().ok().filter(|bits| *bits <= width(network))?;
            return Some(Entry::Network(network, bits));
        }
        if let Ok(address) = bare(text).parse() {
            return Some(Entry::Address(address, None));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (text, None),
        };
        if let Ok(address) = bare(host).parse() {
            return Some(Entry::Address(address, port));
        }
        let domain = host.trim_start_matches("*.").trim_matches('.').to_lowercase();
        // URLs hold the ASCII form of a name.
        let domain = match Host::parse(&domain) {
            Ok(Host::Domain(domain)) => domain,
            _ => return None,
        };
        Some(Entry::Domain(domain, port))
    }
}

/// Removes the brackets that an IPv6 address may have.
fn bare(address: &str) -> &str {
    address.strip_prefix('[').and_then(|address| address.strip_suffix(']')).unwrap_or(address)
}

fn width(address: IpAddr) -> u32 {
    if address.is_ipv4() { 32 } else { 128 }
}

fn is_inside(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    };
    let differing = number(address) ^ number(network);
    width(address) == width(network)
        && differing.checked_shr(width(address) - bits).unwrap_or(0) == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn exempts(list: &str, url: &str) -> bool {
        NoProxy::from_text(list).exempts(&url.parse().unwrap())
    }

    #[test]
    fn i10_12_no_proxy_is_read_as_curl_and_requests_read_it() {
        let url = "https://api.planet.com/x";
        for list in [
            "api.planet.com",
            "planet.com",
            ".planet.com",
            "*.planet.com",
            "API.Planet.COM",
            "a.example, planet.com",
            "a.example planet.com",
            " planet.com ,",
            "planet.com.",
            "planet.com:443",
            "*",
            "a.example,*",
        ] {
            assert!(exempts(list, url), "{list}");
        }
        for list in [
            "",
            ",",
            "net.com",
            "xplanet.com",
            "api.planet.com.evil.example",
            "planet.com:8443",
            "10.0.0.0/8",
            "planet.com:x",
        ] {
            assert!(!exempts(list, url), "{list}");
        }
    }

    #[test]
    fn i10_12_no_proxy_knows_addresses_and_networks() {
        for list in ["10.1.2.3", "10.0.0.0/8", "10.1.2.3:443", "10.1.2.3/32", "0.0.0.0/0"] {
            assert!(exempts(list, "https://10.1.2.3/"), "{list}");
        }
        for list in
            ["10.1.2.4", "10.1.2.3:8443", "11.0.0.0/8", "10.1.2.2/32", "::/0", "10.0.0.0/33"]
        {
            assert!(!exempts(list, "https://10.1.2.3/"), "{list}");
        }
        for list in ["fd00::1", "[fd00::1]", "[fd00::1]:443", "fd00::/8", "::/0"] {
            assert!(exempts(list, "https://[fd00::1]/"), "{list}");
        }
        assert!(!exempts("fd00::2,fe80::/10,0.0.0.0/0", "https://[fd00::1]/"));
    }
}
