//! An `Authorization` header that the program or its environment set in GDAL's own options.

use std::ffi::CStr;

use planetkey::{Error, Result, Status};

use crate::header_lines::is_authorization;
use crate::library::Library;

const HEADERS: &CStr = c"GDAL_HTTP_HEADERS";

/// Checks that GDAL's own options add no `Authorization` header to a request. GDAL would send both
/// headers, and a server that gets two accepts either or neither.
///
/// Errors: MISCONFIGURED.
pub(crate) fn check_headers(library: &Library, path: Option<&CStr>) -> Result<()> {
    match library
        .option_of(path, HEADERS)
        .is_some_and(|headers| has_authorization(headers.to_bytes()))
    {
        false => Ok(()),
        true => Err(Error::new(
            Status::Misconfigured,
            "GDAL_HTTP_HEADERS sets an Authorization header, and a request must not carry two; remove it from the \
             environment or from GDAL's options",
        )),
    }
}

/// The option has lines, or since GDAL 3.6 items that commas separate and that may be in quotes.
fn has_authorization(headers: &[u8]) -> bool {
    headers.split(|byte| b"\r\n,\"".contains(byte)).any(is_authorization)
}

#[cfg(test)]
mod tests {
    use super::has_authorization;

    #[test]
    fn an_authorization_is_found_in_every_form_of_the_option() {
        for headers in [
            "Authorization: Bearer x",
            "Accept: a\r\nauthorization : x",
            "\"Accept: a\",\"AUTHORIZATION: x\"",
            "X: y,Authorization: x",
        ] {
            assert!(has_authorization(headers.as_bytes()), "{headers}");
        }
        for headers in ["", "Accept: authorization", "X-Authorization: x", "Proxy-Authorization: x"]
        {
            assert!(!has_authorization(headers.as_bytes()), "{headers}");
        }
    }
}
