//! URL templates with a placeholder in the host: `https://tiles{0-3}.planet.com/{z}/{x}/{y}.png`.
//! Map clients replace it before they send a request.

use super::target::MAX_URL_BYTES;
use crate::error::{Error, Result, Status};

/// No client spreads its requests over more hosts.
const MAX_EXPANSIONS: usize = 36;
/// The values of `{s}`, if the client does not define them: the hosts of Planet's tiles.
const SUBDOMAINS: [&str; 4] = ["0", "1", "2", "3"];

/// The URLs that a client makes of the template. Without a placeholder in the host, the URL itself.
///
/// Errors: HOST_REFUSED for a placeholder other than `{0-3}`, `{s}` and `{switch:0,1,2,3}`.
pub(crate) fn expansions(url: &str) -> Result<Vec<String>> {
    if url.len() > MAX_URL_BYTES {
        // The URL is refused later because of its length.
        return Ok(vec![url.to_owned()]);
    }
    let start = url.find("://").map_or(0, |at| at + 3);
    let rest = url.get(start..).unwrap_or("");
    let authority = rest.get(..rest.find(['/', '?', '#']).unwrap_or(rest.len())).unwrap_or("");
    let Some((before, after)) = authority.split_once('{') else { return Ok(vec![url.to_owned()]) };
    let Some((placeholder, after)) = after.split_once('}') else { return Err(refused()) };
    let values = values(placeholder)?;
    let (scheme, path) =
        (url.get(..start).unwrap_or(""), rest.get(authority.len()..).unwrap_or(""));
    // A second placeholder stays in the host, which is then not a valid host name.
    Ok(values.into_iter().map(|value| format!("{scheme}{before}{value}{after}{path}")).collect())
}

fn values(placeholder: &str) -> Result<Vec<String>> {
    if placeholder == "s" {
        return Ok(SUBDOMAINS.map(str::to_owned).to_vec());
    }
    if let Some(list) = placeholder.strip_prefix("switch:") {
        let values: Vec<String> = list.split(',').map(str::to_owned).collect();
        let is_label = |value: &String| {
            !value.is_empty()
                && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        return if values.len() <= MAX_EXPANSIONS && values.iter().all(is_label) {
            Ok(values)
        } else {
            Err(refused())
        };
    }
    match *placeholder.as_bytes() {
        [first, b'-', last]
            if first <= last
                && (first.is_ascii_digit() && last.is_ascii_digit()
                    || first.is_ascii_lowercase() && last.is_ascii_lowercase()) =>
        {
            Ok((first..=last).map(|byte| char::from(byte).to_string()).collect())
        }
        _ => Err(refused()),
    }
}

fn refused() -> Error {
    Error::new(
        Status::HostRefused,
        "no credential goes to this URL: a placeholder in its host must be {0-3}, {s} (0 to 3) or {switch:0,1,2,3}",
    )
}
