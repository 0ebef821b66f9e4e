//! Where a request goes, read literally.
//!
//! Whatever a parser would have to repair is refused, because the caller's HTTP client may repair it another way.

use crate::error::{Error, Result, Status};
use std::borrow::Cow;

pub(super) const MAX_URL_BYTES: usize = 64 * 1024;
const MAX_AUTHORITY_BYTES: usize = 255;

/// The host of a URL, proven to be what every parser makes of it.
pub(crate) struct Target<'a> {
    /// The URL as given.
    pub(crate) url: &'a str,
    authority: Cow<'a, str>,
    /// Whether it is this machine.
    pub(crate) loopback: bool,
    /// Where there is no question mark, nobody need look for parameters.
    question_mark: bool,
}

impl<'a> Target<'a> {
    /// Reads a URL. Every request passes here, so the usual one, in lower case, is read without an allocation.
    ///
    /// Errors: INVALID_ARGUMENT for what is no absolute http(s) URL; HOST_REFUSED for an authority that is not literally a host name,
    /// alone or with `:443`, and for plain http elsewhere than on this machine.
    pub(crate) fn parse(url: &'a str) -> Result<Self> {
        if url.len() > MAX_URL_BYTES {
            return Err(Error::invalid_argument("the URL is longer than 64 KiB"));
        }
        let Some((https, rest)) = split_scheme(url) else {
            return Err(Error::invalid_argument("the URL must start with https:// and hold nothing before it"));
        };
        // No early end: this form looks at many bytes at once.
        let (unprintable, question_mark) = url
            .bytes()
            .fold((false, false), |(bad, question), byte| (bad | (byte <= b' ') | (byte == 0x7f), question | (byte == b'?')));
        if unprintable {
            return Err(refused("it holds white space or a control character; percent-encode it"));
        }
        let mut upper_case = false;
        let end = rest.bytes().position(|byte| {
            upper_case |= byte.is_ascii_uppercase();
            matches!(byte, b'/' | b'?' | b'#')
        });
        let end = end.unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or("");
        if authority.is_empty() {
            return Err(Error::invalid_argument("the URL has no host"));
        }
        let host = match authority.strip_suffix(":443") {
            Some(host) if https => host,
            _ => authority,
        };
        if host.len() > MAX_AUTHORITY_BYTES {
            return Err(refused("its host name is too long"));
        }
        // libcurl before 7.51 ends the authority at a slash only, and sends the request to what follows the `@`.
        let after = rest.get(end..).unwrap_or("");
        if !after.starts_with('/') && after.split('/').next().is_some_and(|first| first.contains('@')) {
            return Err(refused(
                "some programs read the part before the @ as user information; write a / after the host, or percent-encode the @ as %40",
            ));
        }
        let authority = if upper_case { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) };
        let loopback = is_loopback_authority(&authority);
        if !loopback {
            if !is_host_name(&authority) {
                return Err(refused(
                    "its host is not literally a host name: user information, ports, escapes, trailing dots and look-alike letters are refused",
                ));
            }
            if !https {
                return Err(refused("credentials travel over https only; change http:// to https://"));
            }
        }
        Ok(Target { url, authority, loopback, question_mark })
    }

    /// In lower case, without `:443`.
    #[inline]
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the URL has a query parameter of this name.
    #[inline]
    pub(crate) fn has_query_parameter(&self, name: &str) -> bool {
        self.question_mark
            && super::api_key::query(self.url)
                .is_some_and(|query| query.split('&').any(|pair| super::api_key::is_named(pair, name)))
    }
}

fn refused(why: &str) -> Error {
    Error::new(Status::HostRefused, format!("no credential goes to this URL: {why}"))
}

/// Whether it is https, and what follows `://`.
fn split_scheme(url: &str) -> Option<(bool, &str)> {
    if let Some(rest) = url.strip_prefix("https://") {
        return Some((true, rest));
    }
    for (scheme, https) in [("https://", true), ("http://", false)] {
        if url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return url.get(scheme.len()..).map(|rest| (https, rest));
        }
    }
    None
}

/// Letters, digits, hyphens and inner dots, at least one of them a letter in the last label: no address, nothing to repair.
fn is_host_name(host: &str) -> bool {
    let mut last_label = 0;
    let mut letter = false;
    let mut previous = b'.';
    for (at, byte) in host.bytes().enumerate() {
        match byte {
            b'a'..=b'z' => letter = true,
            b'0'..=b'9' => {}
            b'-' if previous != b'.' => {}
            b'.' if previous != b'.' && previous != b'-' => (last_label, letter) = (at + 1, false),
            _ => return false,
        }
        previous = byte;
    }
    letter && previous != b'-' && !host.get(last_label..).is_some_and(|label| label.starts_with("0x"))
    // Punycode of a look-alike is a host name like any other here; it is simply not on any list.
}

/// `localhost`, `127.0.0.1` or `[::1]`, alone or with a decimal port.
pub(crate) fn is_loopback_authority(authority: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| match authority.strip_prefix(host) {
        Some("") => true,
        Some(port) => port
            .strip_prefix(':')
            .is_some_and(|digits| !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|byte| byte.is_ascii_digit())),
        None => false,
    })
}

/// Whether an entry of a host list is literal: what [`Target::authority`] can be equal to.
///
/// The WHATWG parser is the second opinion: it must give the very same host back.
pub(crate) fn is_host_entry(entry: &str) -> bool {
    if is_loopback_authority(entry) {
        return true;
    }
    entry.len() <= 253
        && is_host_name(entry)
        && url::Url::parse(&format!("https://{entry}/")).is_ok_and(|url| url.host_str() == Some(entry) && url.path() == "/")
}
