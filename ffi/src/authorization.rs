//! What one request carries.

use std::ffi::c_char;
use std::ptr::null;

use planetkey::Authorization;
use zeroize::Zeroize;

use crate::boundary;
use crate::handle::{self, Shared};

/// What one request carries: its URL and its headers. Owned by the caller, immutable; any thread may read it.
/// Its memory is wiped by planetkey_authorization_free().
pub struct planetkey_authorization {
    /// Every text with its NUL, one behind the other, so that one allocation holds all of them.
    text: Text,
    url: usize,
    credential: usize,
    transport: usize,
    source: usize,
    /// The end of a header's line.
    access_token: Option<usize>,
    header: Option<Header>,
    expires_at: i64,
    generation: u64,
    under_development: bool,
    source_index: usize,
}

/// Bytes that are wiped all at once; a vector that wipes itself does it byte by byte, which takes longer than everything else.
struct Text(Vec<u8>);

impl Drop for Text {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Where in the text a header stands; its value is the end of its line.
struct Header {
    name: usize,
    line: usize,
    value: usize,
}

impl Shared for planetkey_authorization {
    const NAME: &'static str = "authorization";
}

const SEPARATOR: &str = ": ";

impl planetkey_authorization {
    pub(crate) fn new(authorization: &Authorization) -> Self {
        let texts = [authorization.url(), authorization.credential(), authorization.transport(), authorization.source()];
        let fixed: usize = texts.iter().map(|text| text.len() + 1).sum();
        let headers: usize =
            authorization.headers().map(|(name, value)| 2 * name.len() + value.len() + SEPARATOR.len() + 2).sum();
        // Exactly as large as needed: growing would leave an unwiped copy behind.
        let mut text = Vec::with_capacity(fixed + headers);
        let mut append = |parts: &[&str]| {
            let start = text.len();
            parts.iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
            text.push(0);
            start
        };
        let [url, credential, transport, source] = texts.map(|text| append(&[text]));
        let mut access_token = None;
        let header = authorization.headers().next().map(|(name, value)| {
            let line = append(&[name, SEPARATOR, value]);
            let header = Header { name: append(&[name]), line, value: line + name.len() + SEPARATOR.len() };
            let before_it = authorization.access_token().and_then(|token| value.strip_suffix(token));
            access_token = before_it.map(|before| header.value + before.len());
            header
        });
        planetkey_authorization {
            text: Text(text),
            url,
            credential,
            transport,
            source,
            access_token,
            header,
            expires_at: authorization.expires_at().unwrap_or(-1),
            generation: authorization.generation(),
            source_index: authorization.source_index(),
            under_development: authorization.under_development(),
        }
    }

    fn at(&self, offset: usize) -> Option<*const c_char> {
        self.text.0.get(offset..).map(|text| text.as_ptr().cast())
    }

    /// There is one at most.
    fn header(&self, index: usize) -> Option<&Header> {
        self.header.as_ref().filter(|_| index == 0)
    }
}

/// # Safety
/// `authorization` is NULL or a living handle.
unsafe fn get<V>(
    authorization: *const planetkey_authorization,
    otherwise: V,
    body: impl FnOnce(&planetkey_authorization) -> Option<V>,
) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { authorization.as_ref() }.and_then(body))
}

/// The URL to request: the one that was asked about, in the query form with `api_key` added, which makes it a secret.
///
/// @param[in] authorization may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_url(authorization: *const planetkey_authorization) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.url)) }
}

/// How many headers to add to the request: 0 in the query form, else 1.
///
/// @param[in] authorization may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_count(authorization: *const planetkey_authorization) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, 0, |authorization| Some(usize::from(authorization.header.is_some()))) }
}

/// The name of a header, "Authorization".
///
/// @param[in] authorization may be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_name(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.header(index)?.name)) }
}

/// The value of a header, as "Bearer ..." (RFC 6750 2.1): a secret.
///
/// @param[in] authorization may be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_value(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.header(index)?.value)) }
}

/// A header as one line without its end, "Authorization: Bearer ...", as curl_slist_append() takes it: a secret.
///
/// @param[in] authorization may be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_line(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.header(index)?.line)) }
}

/// The kind of credential: "access_token" or "api_key".
///
/// @param[in] authorization may be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_credential(authorization: *const planetkey_authorization) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.credential)) }
}

/// The access token by itself, as planetkey_session_should_retry() takes it: a secret.
///
/// @param[in] authorization may be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL for an API key, and for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_access_token(authorization: *const planetkey_authorization) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.access_token?)) }
}

/// How the credential travels: "bearer", "basic", "header" or "query".
///
/// @param[in] authorization may be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_transport(authorization: *const planetkey_authorization) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.transport)) }
}

/// Where the credential came from, for people: "environment: PL_API_KEY".
///
/// @param[in] authorization may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_source(authorization: *const planetkey_authorization) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, null(), |authorization| authorization.at(authorization.source)) }
}

/// When the access token ends.
///
/// @param[in] authorization may be NULL.
/// @return Unix seconds; -1 for an API key, and for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_expires_at(authorization: *const planetkey_authorization) -> i64 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, -1, |authorization| Some(authorization.expires_at)) }
}

/// A number that changes whenever the header of this credential changes, so that a program can keep what it made from it.
///
/// @param[in] authorization may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_generation(authorization: *const planetkey_authorization) -> u64 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, 0, |authorization| Some(authorization.generation)) }
}

/// Whether Planet lists this kind of credential as under development for this host.
///
/// @param[in] authorization may be NULL.
/// @return true or false; false for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_under_development(authorization: *const planetkey_authorization) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, false, |authorization| Some(authorization.under_development)) }
}

/// Which source of planetkey_session_status() the credential is.
///
/// @param[in] authorization may be NULL.
/// @return the source's index, from 0; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_source_index(authorization: *const planetkey_authorization) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(authorization, 0, |authorization| Some(authorization.source_index)) }
}

/// Wipes and frees an authorization. Everything borrowed from it is gone afterwards.
///
/// @param[in] authorization may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_free(authorization: *mut planetkey_authorization) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(authorization) }
}
