//! What one request carries.

use std::ffi::{CStr, c_char};
use std::ptr::null;

use planetkey::Authorization;
use zeroize::Zeroize;

use crate::handle::{self, Shared};

/// What one request carries: its URL and its headers. The caller owns it and frees it with
/// planetkey_authorization_free(), which wipes its memory. Immutable; any thread may read it.
pub struct planetkey_authorization {
    /// All texts with their NULs in one allocation. The other members are offsets into it.
    text: Text,
    url: usize,
    credential: usize,
    transport: usize,
    source: usize,
    /// It ends where the header's line ends.
    access_token: Option<usize>,
    header: Option<Header>,
    expires_at: i64,
    generation: u64,
    under_development: bool,
    source_index: usize,
}

/// Bytes that are wiped as one slice. `Zeroizing<Vec<u8>>` wipes byte by byte, which costs more
/// than everything else here.
struct Text(Vec<u8>);

impl Drop for Text {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Offsets of a header in the text. Its value ends where its line ends.
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
        let texts = [
            authorization.url(),
            authorization.credential().name(),
            authorization.transport().name(),
            authorization.source(),
        ];
        let fixed: usize = texts.iter().map(|text| text.len() + 1).sum();
        let headers: usize = authorization
            .headers()
            .map(|(name, value)| 2 * name.len() + value.len() + SEPARATOR.len() + 2)
            .sum();
        // Exactly as large as needed, because growing would leave an unwiped copy behind.
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
            let header =
                Header { name: append(&[name]), line, value: line + name.len() + SEPARATOR.len() };
            let scheme = authorization.access_token().and_then(|token| value.strip_suffix(token));
            access_token = scheme.map(|scheme| header.value + scheme.len());
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

    /// There is at most one header.
    fn header(&self, index: usize) -> Option<&Header> {
        self.header.as_ref().filter(|_| index == 0)
    }

    fn text_at(&self, offset: usize) -> Option<&str> {
        CStr::from_bytes_until_nul(self.text.0.get(offset..)?).ok()?.to_str().ok()
    }

    /// The URL to request.
    pub(crate) fn url(&self) -> &str {
        self.text_at(self.url).unwrap_or_default()
    }

    /// The value of the header. `None` if the URL carries the credential.
    pub(crate) fn header_value(&self) -> Option<&str> {
        self.text_at(self.header.as_ref()?.value)
    }
}

/// Returns the URL to request. If an API key is sent in the query, `api_key` is part of it, and it
/// is a secret.
///
/// @param[in] authorization May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_url(
    authorization: *const planetkey_authorization,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| authorization.at(authorization.url))
    }
}

/// Returns the number of headers to add to the request: 0 if the URL carries the credential,
/// otherwise 1.
///
/// @param[in] authorization May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_count(
    authorization: *const planetkey_authorization,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, 0, |authorization| {
            Some(usize::from(authorization.header.is_some()))
        })
    }
}

/// Returns the name of a header, "Authorization".
///
/// @param[in] authorization May be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL if there is no
///         such header.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_name(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.header(index)?.name)
        })
    }
}

/// Returns the value of a header, as "Bearer ..." (RFC 6750 section 2.1). A secret.
///
/// @param[in] authorization May be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL if there is no
///         such header.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_value(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.header(index)?.value)
        })
    }
}

/// Returns a header as one line without its end, "Authorization: Bearer ...", as
/// curl_slist_append() takes it. A secret.
///
/// @param[in] authorization May be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL if there is no
///         such header.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_header_line(
    authorization: *const planetkey_authorization,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.header(index)?.line)
        })
    }
}

/// Returns the kind of credential: "access_token" or "api_key".
///
/// @param[in] authorization May be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_credential(
    authorization: *const planetkey_authorization,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.credential)
        })
    }
}

/// Returns the access token without the rest of the header, as planetkey_session_invalidate() takes
/// it. A secret.
///
/// @param[in] authorization May be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL for an API key,
///         and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_access_token(
    authorization: *const planetkey_authorization,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.access_token?)
        })
    }
}

/// Returns how the request carries the credential: "bearer", "basic", "header" or "query".
///
/// @param[in] authorization May be NULL.
/// @return NUL-terminated text, borrowed until planetkey_authorization_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_transport(
    authorization: *const planetkey_authorization,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| {
            authorization.at(authorization.transport)
        })
    }
}

/// Returns where the credential came from, for messages: "environment: PL_API_KEY".
///
/// @param[in] authorization May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_source(
    authorization: *const planetkey_authorization,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, null(), |authorization| authorization.at(authorization.source))
    }
}

/// Returns the index of the source of the credential in planetkey_session_get_info().
///
/// @param[in] authorization May be NULL.
/// @return the index, which counts from 0. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_source_index(
    authorization: *const planetkey_authorization,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(authorization, 0, |authorization| Some(authorization.source_index)) }
}

/// Returns when the access token expires.
///
/// @param[in] authorization May be NULL.
/// @return Unix seconds. ::PLANETKEY_TIME_NONE if it is not known, for an API key, and for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_expires_at(
    authorization: *const planetkey_authorization,
) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(authorization, -1, |authorization| Some(authorization.expires_at)) }
}

/// Returns a number that changes whenever the header of this credential changes. Programs that
/// cache something made from the header compare it.
///
/// @param[in] authorization May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_generation(
    authorization: *const planetkey_authorization,
) -> u64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(authorization, 0, |authorization| Some(authorization.generation)) }
}

/// Returns whether Planet lists this kind of credential as under development for this host.
///
/// @param[in] authorization May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_under_development(
    authorization: *const planetkey_authorization,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        handle::get(authorization, false, |authorization| Some(authorization.under_development))
    }
}

/// Wipes and frees an authorization. Text borrowed from it becomes invalid.
///
/// @param[in] authorization NULL does nothing.
///
/// Any thread, once per authorization. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_authorization_free(authorization: *mut planetkey_authorization) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(authorization) }
}
