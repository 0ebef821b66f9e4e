//! Names that GDAL opens: those of header files, and those of `/vsicurl/`.

use std::ffi::{CStr, CString};
use std::sync::LazyLock;

/// The last part of the name of a header file for requests that must not carry a credential.
pub(crate) const REFUSING: &str = "refusing";
/// The last part of the name of a header file that can be read as soon as the file system exists.
pub(crate) const PROBE: &str = "probe";
/// The last part of the name of the header file of the current fetch.
pub(crate) const FETCH: &str = "fetch";

/// The names of header files begin with a random part. A dataset from elsewhere may name files (a
/// VRT names its sources, and `/vsicurl?header_file=` names a header for any host) and must not be
/// able to guess these. GDAL reads header files from no name that begins with "/vsi".
struct Names {
    prefix: CString,
    probe: CString,
    fetch: CString,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut random = [0_u8; 16];
    // Without random numbers the prefix is empty, and no file system is installed.
    let known = getrandom::fill(&mut random).is_ok();
    let random: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let prefix = if known { format!("/planetkey-{random}/") } else { String::new() };
    let name = |rest: &str| CString::new(format!("{prefix}{rest}")).unwrap_or_default();
    Names { prefix: name(""), probe: name(PROBE), fetch: name(FETCH) }
});

/// How the names of header files begin. Empty if the system gives no random numbers.
pub(crate) fn prefix() -> &'static CStr {
    &NAMES.prefix
}

/// The name of a header file that can be read as soon as the file system exists.
pub(crate) fn probe() -> &'static CStr {
    &NAMES.probe
}

/// The name of the header file of the current fetch.
pub(crate) fn fetch() -> &'static CStr {
    &NAMES.fetch
}

/// The name of the header file of an installation for one of its origins.
pub(crate) fn header_file(installation: u64, origin: usize) -> CString {
    CString::new(format!("{}{installation}/{origin}", NAMES.prefix.to_string_lossy()))
        .unwrap_or_default()
}

/// The name of the header file of an installation for requests that must not carry a credential.
pub(crate) fn refusing_header_file(installation: u64) -> CString {
    CString::new(format!("{}{installation}/{REFUSING}", NAMES.prefix.to_string_lossy()))
        .unwrap_or_default()
}

/// A text as the value of a parameter in a `/vsicurl?` name.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' => {
                escaped.push(char::from(byte))
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// How the names begin that contain a URL of this origin as a parameter, as `urlencode` and
/// [`escaped`] write it.
pub(crate) fn query_names(origin: &str) -> [CString; 3] {
    let encoded = escaped(origin);
    [
        origin.to_owned(),
        encoded.replace('/', "%2F").replace(':', "%3A"),
        encoded.replace(':', "%3A"),
    ]
    .map(|url| CString::new(format!("/vsicurl?url={url}")).unwrap_or_default())
}

/// The `/vsicurl/` name of a URL or origin.
pub(crate) fn vsicurl(url: &str) -> CString {
    CString::new(format!("/vsicurl/{url}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_cannot_be_guessed_and_do_not_belong_to_gdal() {
        let name = header_file(7, 2).into_string().unwrap();
        let random =
            name.strip_prefix("/planetkey-").and_then(|rest| rest.strip_suffix("/7/2")).unwrap();
        assert!(random.len() == 32 && random.bytes().any(|byte| byte != b'0'), "{random}");
    }
}
