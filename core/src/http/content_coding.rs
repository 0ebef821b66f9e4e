//! Content codings (RFC 9110 8.4). Requests ask for `identity`, but CDNs and proxies may still
//! compress, and the response may hold the only copy of a refresh token.

use super::{Body, MAX_BODY_BYTES};
use flate2::{Crc, Decompress, FlushDecompress, Status, bufread::GzDecoder};

/// More codings than any server applies to one body.
const MAX_CODINGS: usize = 4;
/// CRC-32 and length at the end of a gzip member (RFC 1952 2.3.1).
const GZIP_TRAILER: usize = 8;

/// Why a body has no decoded form.
#[derive(Debug)]
pub enum Undecoded {
    /// The decoded body is larger than [`MAX_BODY_BYTES`].
    TooLarge,
    /// The body does not match the header, or its coding is not supported: the reason for a
    /// message, and the body as it arrived.
    Unreadable(String, Body),
}

/// What is wrong with one coding.
enum Wrong {
    TooLarge,
    Damaged,
    Unsupported,
}

/// Removes the content codings from a body. `codings` is the `Content-Encoding` header: gzip and
/// deflate, in any order and number up to 4.
///
/// A JSON object is returned unchanged whatever the header says, because it is not encoded. Uses 1
/// MiB regardless of the size that a body claims, and wipes it.
pub fn decode(codings: &str, body: Body) -> Result<Body, Undecoded> {
    let named = codings.split(',').map(|coding| coding.trim().to_ascii_lowercase());
    let named: Vec<String> =
        named.filter(|coding| !coding.is_empty() && coding != "identity").collect();
    if named.is_empty() || body.0.is_empty() || body.is_json_object() {
        return Ok(body);
    }
    let shown = crate::text::one_line(&named.join(", "), 60);
    let unsupported = || {
        format!("with the Content-Encoding {shown}, which is not supported (gzip and deflate are)")
    };
    if named.len() > MAX_CODINGS {
        return Err(Undecoded::Unreadable(unsupported(), body));
    }
    let mut decoded: Option<Body> = None;
    for coding in named.iter().rev() {
        let encoded = decoded.as_ref().unwrap_or(&body);
        let outcome = match coding.as_str() {
            "gzip" | "x-gzip" => gunzip(&encoded.0),
            // The standard requires the zlib header; some servers omit it.
            "deflate" => inflate_whole(&encoded.0, true).or_else(|wrong| match wrong {
                Wrong::Damaged => inflate_whole(&encoded.0, false),
                wrong => Err(wrong),
            }),
            _ => Err(Wrong::Unsupported),
        };
        decoded = Some(match outcome {
            Ok(decoded) => decoded,
            Err(Wrong::TooLarge) => return Err(Undecoded::TooLarge),
            Err(Wrong::Damaged) => {
                return Err(Undecoded::Unreadable(
                    format!("damaged or not encoded as its Content-Encoding {shown} says"),
                    body,
                ));
            }
            Err(Wrong::Unsupported) => return Err(Undecoded::Unreadable(unsupported(), body)),
        });
    }
    Ok(decoded.unwrap_or(body))
}

/// A buffer for decoded bytes, one byte longer than allowed.
fn room() -> Body {
    Body(vec![0; MAX_BODY_BYTES + 1])
}

/// The first bytes of the buffer; the buffer itself is wiped.
fn cut(room: &Body, length: usize) -> Result<Body, Wrong> {
    if length > MAX_BODY_BYTES {
        return Err(Wrong::TooLarge);
    }
    Ok(Body(room.0.get(..length).unwrap_or_default().to_vec()))
}

fn inflate_whole(encoded: &[u8], has_zlib_header: bool) -> Result<Body, Wrong> {
    let mut room = room();
    let (_, length) = inflate(&mut Decompress::new(has_zlib_header), encoded, &mut room.0)?;
    cut(&room, length)
}

/// Decodes one stream in one step, so that the decoder writes only into `room` and copies nothing
/// into a window of its own. Returns the numbers of bytes read and written.
fn inflate(
    decoder: &mut Decompress,
    encoded: &[u8],
    room: &mut [u8],
) -> Result<(usize, usize), Wrong> {
    let status =
        decoder.decompress(encoded, room, FlushDecompress::Finish).map_err(|_| Wrong::Damaged)?;
    let number = |total: u64| usize::try_from(total).unwrap_or(usize::MAX);
    let (read, written) = (number(decoder.total_in()), number(decoder.total_out()));
    match status {
        Status::StreamEnd => Ok((read, written)),
        _ if written >= room.len() => Err(Wrong::TooLarge),
        _ => Err(Wrong::Damaged),
    }
}

/// Decodes the members of a gzip file (RFC 1952). Data after the first member that is not a member
/// is ignored, as gzip does.
fn gunzip(encoded: &[u8]) -> Result<Body, Wrong> {
    let mut room = room();
    let (mut left, mut length) = (encoded, 0);
    let mut decoder = Decompress::new(false);
    loop {
        let member = GzDecoder::new(left);
        if member.header().is_none() {
            return if length > 0 || left.len() < encoded.len() {
                cut(&room, length)
            } else {
                Err(Wrong::Damaged)
            };
        }
        let deflated = member.into_inner();
        decoder.reset(false);
        let place = room.0.get_mut(length..).unwrap_or_default();
        let (read, written) = inflate(&mut decoder, deflated, place)?;
        let mut checksum = Crc::new();
        checksum.update(place.get(..written).unwrap_or_default());
        let trailer =
            deflated.get(read..read.saturating_add(GZIP_TRAILER)).ok_or(Wrong::Damaged)?;
        if trailer != [checksum.sum().to_le_bytes(), checksum.amount().to_le_bytes()].concat() {
            return Err(Wrong::Damaged);
        }
        length += written;
        left = deflated.get(read + GZIP_TRAILER..).unwrap_or_default();
    }
}
