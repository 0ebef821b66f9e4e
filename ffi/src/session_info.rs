//! What a session is.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::{SessionStatus, SourceStatus};

use crate::boundary;
use crate::handle::{self, Shared};
use crate::input::c_string;

/// What a session is, without any secret, at one moment. Its sources stand in the order in which a URL tries them.
/// Owned by the caller, immutable, free it with planetkey_session_info_free(); any thread may read it.
pub struct planetkey_session_info {
    json: CString,
    deployment: CString,
    initialized: bool,
    sources: Vec<Source>,
    notes: Vec<CString>,
}

struct Source {
    kind: CString,
    source: CString,
    profile: Option<CString>,
    client_type: CString,
    client_id: Option<CString>,
    issuer: Option<CString>,
    scopes: Vec<CString>,
    expires_at: i64,
    initialized: bool,
    token_cached: bool,
    hosts: Vec<CString>,
    transport: CString,
    file: Option<CString>,
}

impl Shared for planetkey_session_info {
    const NAME: &'static str = "info";
}

impl planetkey_session_info {
    pub(crate) fn new(status: &SessionStatus) -> Self {
        planetkey_session_info {
            json: c_string(&status.to_json().to_string()),
            deployment: c_string(status.deployment()),
            initialized: status.is_initialized(),
            sources: status.sources().iter().map(Source::new).collect(),
            notes: list(status.notes()),
        }
    }
}

impl Source {
    fn new(status: &SourceStatus) -> Self {
        let optional = |text: &Option<String>| text.as_deref().map(c_string);
        Source {
            kind: c_string(status.kind),
            source: c_string(&status.source),
            profile: optional(&status.profile),
            client_type: c_string(status.client_type),
            client_id: optional(&status.client_id),
            issuer: optional(&status.issuer),
            scopes: list(&status.scopes),
            expires_at: status.expires_at.unwrap_or(-1),
            initialized: status.initialized,
            token_cached: status.token_cached,
            hosts: list(&status.hosts),
            transport: c_string(status.transport),
            file: optional(&status.file),
        }
    }
}

fn list(texts: &[String]) -> Vec<CString> {
    texts.iter().map(|text| c_string(text)).collect()
}

/// # Safety
/// `info` is NULL or a living handle.
unsafe fn get<V>(
    info: *const planetkey_session_info,
    otherwise: V,
    body: impl FnOnce(&planetkey_session_info) -> Option<V>,
) -> V {
    // SAFETY: by the promise above.
    boundary::value(otherwise, || unsafe { info.as_ref() }.and_then(body))
}

/// # Safety
/// As for [`get`].
unsafe fn get_source<V>(
    info: *const planetkey_session_info,
    index: usize,
    otherwise: V,
    body: impl FnOnce(&Source) -> Option<V>,
) -> V {
    // SAFETY: the promise is handed on.
    unsafe { get(info, otherwise, |info| info.sources.get(index).and_then(body)) }
}

fn pointer(text: &Option<CString>) -> Option<*const c_char> {
    text.as_ref().map(|text| text.as_ptr())
}

/// Everything as one JSON object, the same in all languages and in the command's `status --json`.
///
/// @param[in] info may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_json(info: *const planetkey_session_info) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, null(), |info| Some(info.json.as_ptr())) }
}

/// The name of the deployment, as "planet".
///
/// @param[in] info may be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL only for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_deployment(info: *const planetkey_session_info) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, null(), |info| Some(info.deployment.as_ptr())) }
}

/// Whether the session could authorize requests without anybody logging in.
///
/// @param[in] info may be NULL.
/// @return true or false; false for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_is_initialized(info: *const planetkey_session_info) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, false, |info| Some(info.initialized)) }
}

/// How many credential sources the session has.
///
/// @param[in] info may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source_count(info: *const planetkey_session_info) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, 0, |info| Some(info.sources.len())) }
}

/// The kind of a source's credential: "access_token" or "api_key".
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_kind(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| Some(source.kind.as_ptr())) }
}

/// Where a source's credential came from, for people: "environment: PL_API_KEY".
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| Some(source.source.as_ptr())) }
}

/// The profile of a source.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_profile(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| pointer(&source.profile)) }
}

/// The kind of client of a source, as `client_type` in auth_client.json.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_client_type(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| Some(source.client_type.as_ptr())) }
}

/// The client identifier of a source (RFC 6749 2.2), which is no secret.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_client_id(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| pointer(&source.client_id)) }
}

/// The authorization server of a source (RFC 8414: issuer).
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_issuer(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| pointer(&source.issuer)) }
}

/// How many scopes a source has.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return the number; 0 when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_scope_count(info: *const planetkey_session_info, source: usize) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, 0, |source| Some(source.scopes.len())) }
}

/// A scope of a source (RFC 6749 3.3).
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_scope(
    info: *const planetkey_session_info,
    source: usize,
    index: usize,
) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| source.scopes.get(index).map(|text| text.as_ptr())) }
}

/// When the access token of a source ends.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return Unix seconds; -1 when it is not known, for an API key, and when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_expires_at(info: *const planetkey_session_info, source: usize) -> i64 {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, -1, |source| Some(source.expires_at)) }
}

/// Whether a source can give a credential without anybody logging in.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return true or false; false when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source_is_initialized(
    info: *const planetkey_session_info,
    source: usize,
) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, false, |source| Some(source.initialized)) }
}

/// Whether a source holds a valid access token now.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return true or false; false for an API key, and when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_token_cached(info: *const planetkey_session_info, source: usize) -> bool {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, false, |source| Some(source.token_cached)) }
}

/// How many hosts accept the credential of a source.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return the number; 0 when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_host_count(info: *const planetkey_session_info, source: usize) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, 0, |source| Some(source.hosts.len())) }
}

/// A host that accepts the credential of a source.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_host(
    info: *const planetkey_session_info,
    source: usize,
    index: usize,
) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| source.hosts.get(index).map(|text| text.as_ptr())) }
}

/// How the credential of a source travels: "bearer", "basic", "header" or "query".
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_transport(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| Some(source.transport.as_ptr())) }
}

/// The file that keeps the tokens of a source.
///
/// @param[in] info may be NULL.
/// @param[in] source counts from 0.
/// @return a path as NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL for an API key, for tokens that are kept in
///         memory or in the application's own storage, and when there is no such source.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_file(info: *const planetkey_session_info, source: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get_source(info, source, null(), |source| pointer(&source.file)) }
}

/// How many notes there are: on what was passed over when the session was opened, and on tokens that could not be kept.
///
/// @param[in] info may be NULL.
/// @return the number; 0 for NULL.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_note_count(info: *const planetkey_session_info) -> usize {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, 0, |info| Some(info.notes.len())) }
}

/// A note on what was passed over, or could not be kept, and why, for people.
///
/// @param[in] info may be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
///
/// Any thread. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_note(info: *const planetkey_session_info, index: usize) -> *const c_char {
    // SAFETY: the promise of the caller is handed on.
    unsafe { get(info, null(), |info| info.notes.get(index).map(|text| text.as_ptr())) }
}

/// Frees it. Everything borrowed from it is gone afterwards.
///
/// @param[in] info may be NULL, which does nothing.
///
/// Any thread, once. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_free(info: *mut planetkey_session_info) {
    // SAFETY: the promise of the caller is handed on.
    unsafe { handle::release(info) }
}
