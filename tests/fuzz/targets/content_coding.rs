//! A body with content codings: the first line is `Content-Encoding`, the rest is the body.
#![no_main]

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use libfuzzer_sys::fuzz_target;
use planetkey::http::{Body, MAX_BODY_BYTES, Undecoded, decode};
use planetkey_fuzz::check_line;
use std::io::Read;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let Ok(codings) = std::str::from_utf8(&data[..end]) else { return };
    let body = data.get(end + 1..).unwrap_or_default();
    match decode(codings, Body(body.to_vec())) {
        Ok(decoded) => {
            assert!(decoded.0.len() <= MAX_BODY_BYTES.max(body.len()));
            // An unchanged body has no coding or is JSON. Every other body equals the result of a
            // streaming decoder.
            if decoded.0 != body {
                check_decoded(codings, body, &decoded.0);
            }
        }
        Err(Undecoded::Unreadable(why, back)) => {
            check_line(&why, 200);
            assert_eq!(back.0, body, "the body comes back as it was");
        }
        Err(Undecoded::TooLarge) => {}
    }
});

fn check_decoded(codings: &str, body: &[u8], decoded: &[u8]) {
    let mut second = Vec::new();
    match codings.trim().to_ascii_lowercase().as_str() {
        // The first member; more may follow.
        "gzip" | "x-gzip" => {
            GzDecoder::new(body).read_to_end(&mut second).expect("a member");
            assert!(decoded.starts_with(&second));
        }
        "deflate" => {
            if ZlibDecoder::new(body).read_to_end(&mut second).is_err() {
                second.clear();
                DeflateDecoder::new(body).read_to_end(&mut second).expect("a stream");
            }
            assert_eq!(decoded, second);
        }
        _ => {}
    }
}
