//! The host of a request, read literally.
//!
//! A URL that a parser would have to repair is refused, because the caller's HTTP client may repair
//! it differently.

use crate::error::{Error, Result, Status};
use std::borrow::Cow;

pub(super) const MAX_URL_BYTES: usize = 64 * 1024;
const MAX_AUTHORITY_BYTES: usize = 255;
const HTTPS: &str = "https://";

/// The host of a URL, verified to be the host that every parser reads.
pub(crate) struct Target<'a> {
    /// The URL as given.
    pub(crate) url: &'a str,
    authority: Cow<'a, str>,
    /// Whether it is this machine.
    pub(crate) loopback: bool,
    /// A URL without a question mark has no parameters.
    question_mark: bool,
    /// The index in the list of hosts, if [`Target::at_host`] read the URL.
    listed: Option<usize>,
}

impl<'a> Target<'a> {
    /// Reads a URL. Every request calls this, so the usual form, in lower case, is read without an
    /// allocation.
    ///
    /// Errors: INVALID_ARGUMENT if it is not an absolute http(s) URL; HOST_REFUSED for an authority
    /// that is not literally a host name, alone or with `:443`, and for plain http to another
    /// machine.
    pub(crate) fn parse(url: &'a str) -> Result<Self> {
        if url.len() > MAX_URL_BYTES {
            return Err(Error::invalid_argument("the URL is longer than 64 KiB"));
        }
        let Some((https, rest)) = split_scheme(url) else {
            return Err(Error::invalid_argument(
                "the URL must start with https:// and hold nothing before it",
            ));
        };
        let (unprintable, question_mark) = scan(url);
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
        // libcurl before 7.51 ends the authority only at a slash, and sends the request to the host
        // after the `@`.
        let after = rest.get(end..).unwrap_or("");
        if !after.starts_with('/')
            && after.split('/').next().is_some_and(|first| first.contains('@'))
        {
            return Err(refused(
                "some programs read the part before the @ as user information; write a / after the host, or percent-encode the @ as %40",
            ));
        }
        let authority =
            if upper_case { Cow::Owned(host.to_ascii_lowercase()) } else { Cow::Borrowed(host) };
        let loopback = is_loopback_authority(&authority);
        if !loopback {
            if !is_host_name(&authority) {
                return Err(refused(
                    "its host is not literally a host name: user information, ports, escapes, trailing dots and look-alike letters are refused",
                ));
            }
            if !https {
                return Err(refused(
                    "credentials travel over https only; change http:// to https://",
                ));
            }
        }
        Ok(Target { url, authority, loopback, question_mark, listed: None })
    }

    /// As [`Target::parse`], for `https://` and one of these hosts, each with its slash; `None` for
    /// every other URL.
    ///
    /// The hosts must be accepted by [`is_host_entry`], and must not be this machine. Then their
    /// bytes need no second check.
    #[inline]
    pub(crate) fn at_host(url: &'a str, hosts: &[String]) -> Option<Self> {
        let rest = url.strip_prefix(HTTPS)?;
        let (listed, host) = hosts
            .iter()
            .enumerate()
            .find(|(_, host)| rest.as_bytes().starts_with(host.as_bytes()))?;
        let authority = rest.get(..host.len() - 1)?;
        let (unprintable, question_mark) = scan(url);
        let is_plain = !unprintable && url.len() <= MAX_URL_BYTES;
        is_plain.then_some(Target {
            url,
            authority: Cow::Borrowed(authority),
            loopback: false,
            question_mark,
            listed: Some(listed),
        })
    }

    /// The index of its host in the list that was passed to [`Target::at_host`].
    #[inline]
    pub(super) fn listed(&self) -> Option<usize> {
        self.listed
    }

    /// The host in lower case, without `:443`.
    #[inline]
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Whether the URL has a query parameter of this name.
    #[inline]
    pub(crate) fn has_query_parameter(&self, name: &str) -> bool {
        self.question_mark
            && super::api_key::query(self.url).is_some_and(|query| {
                query.split('&').any(|pair| super::api_key::is_named(pair, name))
            })
    }
}

fn refused(why: &str) -> Error {
    Error::new(Status::HostRefused, format!("no credential goes to this URL: {why}"))
}

/// Whether a URL holds white space or a control character, and whether it holds a question mark.
fn scan(url: &str) -> (bool, bool) {
    // There is no early exit, because this form processes many bytes at once.
    url.bytes().fold((false, false), |(bad, question), byte| {
        (bad | (byte <= b' ') | (byte == 0x7f), question | (byte == b'?'))
    })
}

/// Whether it is https, and what follows `://`.
fn split_scheme(url: &str) -> Option<(bool, &str)> {
    if let Some(rest) = url.strip_prefix(HTTPS) {
        return Some((true, rest));
    }
    for (scheme, https) in [(HTTPS, true), ("http://", false)] {
        if url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)) {
            return url.get(scheme.len()..).map(|rest| (https, rest));
        }
    }
    None
}

/// Letters, digits, hyphens and inner dots, with a letter in the last label: not an address, and
/// nothing that a parser would repair.
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
    letter
        && previous != b'-'
        && !host.get(last_label..).is_some_and(|label| label.starts_with("0x"))
    // A look-alike in Punycode is a valid host name here, but it is not in any list.
}

/// `localhost`, `127.0.0.1` or `[::1]`, alone or with a decimal port.
pub(crate) fn is_loopback_authority(authority: &str) -> bool {
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| match authority.strip_prefix(host) {
        Some("") => true,
        Some(port) => port.strip_prefix(':').is_some_and(|digits| {
            !digits.is_empty()
                && digits.len() <= 5
                && digits.bytes().all(|byte| byte.is_ascii_digit())
        }),
        None => false,
    })
}

/// Whether an entry of a host list is literal, so that it can equal [`Target::authority`].
///
/// The WHATWG parser must also return exactly the same host.
pub(crate) fn is_host_entry(entry: &str) -> bool {
    if is_loopback_authority(entry) {
        return true;
    }
    entry.len() <= 253
        && is_host_name(entry)
        && url::Url::parse(&format!("https://{entry}/"))
            .is_ok_and(|url| url.host_str() == Some(entry) && url.path() == "/")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const URL: &str = "https://api.planet.com/data/v1/item-types?query=a%20b&c#fragment@x";

    /// What callers can read from a URL.
    fn facts(target: &Target<'_>) -> (String, String, bool, bool) {
        (target.url.to_owned(), target.authority.to_string(), target.loopback, target.question_mark)
    }

    #[test]
    fn a_host_of_the_list_is_read_as_the_parser_reads_it() {
        let hosts = ["api.planet.com/".to_owned(), "tiles.planet.com/".to_owned()];
        assert!(Target::at_host(URL, &hosts).is_some());
        let too_long = format!("{URL}{}", "a".repeat(MAX_URL_BYTES));
        let mut urls =
            vec![too_long, URL.replace(".com/", ".com:443/"), URL.replace("api.", "tiles.")];
        // Every byte of the URL as every other one, left out, doubled, and the end of the URL.
        for at in 0..URL.len() {
            let (before, after) = URL.split_at(at);
            let rest = after.get(1..).unwrap();
            urls.extend((0..=0x7f_u8).map(|byte| format!("{before}{}{rest}", char::from(byte))));
            urls.extend([
                before.to_owned(),
                format!("{before}{rest}"),
                format!("{before}{}{after}", &after[..1]),
            ]);
            urls.extend(
                ["ä", "@evil.example/", ":443", "\u{3002}", "\u{2028}"]
                    .map(|more| format!("{before}{more}{after}")),
            );
        }
        let mut listed = 0;
        for url in &urls {
            if let Some(target) = Target::at_host(url, &hosts) {
                let parsed = Target::parse(url);
                assert_eq!(parsed.as_ref().map(facts).ok(), Some(facts(&target)), "{url:?}");
                let host = target.listed().and_then(|index| hosts.get(index)).unwrap();
                assert_eq!(host.strip_suffix('/'), Some(target.authority()), "{url:?}");
                listed += 1;
            }
        }
        assert!(listed > urls.len() / 4, "{listed} of {}", urls.len());
    }

    #[test]
    fn each_byte_of_a_url_is_looked_at() {
        for length in 0..50 {
            for at in 0..length {
                for byte in 0..=0x7f_u8 {
                    let mut text = "a".repeat(length);
                    text.replace_range(at..=at, char::from(byte).encode_utf8(&mut [0; 4]));
                    assert_eq!(
                        scan(&text),
                        (byte <= b' ' || byte == 0x7f, byte == b'?'),
                        "{text:?}"
                    );
                }
            }
            assert_eq!(scan(&"é".repeat(length)), (false, false));
        }
    }
}
