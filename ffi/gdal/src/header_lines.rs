//! The header lines of one request.

use planetkey::Authorization;
use zeroize::Zeroizing;

/// Header lines, each with CR and LF. They contain a secret.
pub(crate) type Lines = Zeroizing<Vec<u8>>;

/// The headers of an authorization as lines.
pub(crate) fn lines_of(authorization: &Authorization) -> Lines {
    let mut lines = Lines::default();
    for (name, value) in authorization.headers() {
        // Exactly as large as needed, because growing would leave an unwiped copy behind.
        lines.reserve_exact(name.len() + value.len() + 4);
        for part in [name, ": ", value, "\r\n"] {
            lines.extend_from_slice(part.as_bytes());
        }
    }
    lines
}

/// The headers of an authorization as the NUL-terminated value of GDAL's option
/// `GDAL_HTTP_HEADERS`. `None` if there are no headers.
pub(crate) fn option_of(authorization: &Authorization) -> Option<Zeroizing<Vec<u8>>> {
    let mut lines = lines_of(authorization);
    let end = lines.len().checked_sub(2)?;
    lines.truncate(end);
    lines.push(0);
    Some(lines)
}

/// Whether a header line is an `Authorization`.
pub(crate) fn is_authorization(line: &[u8]) -> bool {
    let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
    name.trim_ascii().eq_ignore_ascii_case(b"authorization")
}
