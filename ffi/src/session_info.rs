//! What a session is: the accessors of one handle, from the session to the store of a source.
//! They are one file, because each is a few lines and its documentation.

use std::ffi::{CString, c_char};
use std::ptr::null;

use planetkey::{SessionStatus, SourceStatus};

use crate::boundary;
use crate::error::planetkey_error;
use crate::handle::{self, Shared};
use crate::session::{core, planetkey_session};
use crate::status::planetkey_status;
use crate::text::{c_string, c_strings, optional_c_string, pointer};

/// What a session is at one moment, without any secret. Its sources are in the order in which a URL
/// tries them. The caller owns it and frees it with planetkey_session_info_free(). Immutable; any
/// thread may read it.
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
    store: Option<CString>,
    store_is_reachable: bool,
    store_holds: Option<CString>,
    store_problem: Option<CString>,
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
            notes: c_strings(status.notes()),
        }
    }
}

impl Source {
    fn new(status: &SourceStatus) -> Self {
        let optional = |text: &Option<String>| optional_c_string(text.as_deref());
        let store = status.store.as_ref();
        Source {
            kind: c_string(status.kind.name()),
            source: c_string(&status.source),
            profile: optional(&status.profile),
            client_type: c_string(status.client_type),
            client_id: optional(&status.client_id),
            issuer: optional(&status.issuer),
            scopes: c_strings(&status.scopes),
            expires_at: status.expires_at.unwrap_or(-1),
            initialized: status.initialized,
            token_cached: status.token_cached,
            hosts: c_strings(&status.hosts),
            transport: c_string(status.transport.name()),
            file: optional(&status.file),
            store: optional_c_string(store.map(|store| store.name.as_str())),
            store_is_reachable: store.is_some_and(|store| store.reachable == Some(true)),
            store_holds: optional_c_string(store.and_then(|store| store.holds)),
            store_problem: optional_c_string(store.and_then(|store| store.problem.as_deref())),
        }
    }
}

/// # Safety
/// As for [`handle::get`].
unsafe fn get_source<V>(
    info: *const planetkey_session_info,
    index: usize,
    otherwise: V,
    body: impl FnOnce(&Source) -> Option<V>,
) -> V {
    // SAFETY: by the promise above.
    unsafe { handle::get(info, otherwise, |info| info.sources.get(index).and_then(body)) }
}

/// Describes a session: its credential sources, where they came from, when their tokens expire. The
/// description contains no secret.
///
/// @param[in] session Not NULL.
/// @param[out] info the description, NULL on failure. Free with planetkey_session_info_free(). Not
///            NULL.
/// @param[out] error the error, NULL on success. Free with planetkey_error_free(). May be NULL.
/// @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
///
/// Thread-safe. Sends no requests; may read the session's file. Since 0.1.0.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn planetkey_session_get_info(
    session: *const planetkey_session,
    info: *mut *mut planetkey_session_info,
    error: *mut *mut planetkey_error,
) -> planetkey_status {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        boundary::give("info", info, error, || {
            Ok(planetkey_session_info::new(&core(session)?.status()))
        })
    }
}

/// Returns everything as one JSON object, which is the same in all languages and in the command's
/// `status --json`.
///
/// @param[in] info May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_json(
    info: *const planetkey_session_info,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, null(), |info| Some(info.json.as_ptr())) }
}

/// Returns the name of the deployment, as "planet".
///
/// @param[in] info May be NULL.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL only for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_deployment(
    info: *const planetkey_session_info,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, null(), |info| Some(info.deployment.as_ptr())) }
}

/// Returns whether the session could authorize requests without a login.
///
/// @param[in] info May be NULL.
/// @return true or false. false for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_is_initialized(
    info: *const planetkey_session_info,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, false, |info| Some(info.initialized)) }
}

/// Returns the number of credential sources.
///
/// @param[in] info May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source_count(
    info: *const planetkey_session_info,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, 0, |info| Some(info.sources.len())) }
}

/// Returns the kind of credential of a source: "access_token" or "api_key".
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(). NULL if there is no
///         such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_kind(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| Some(source.kind.as_ptr())) }
}

/// Returns where the credential of a source came from, for messages: "environment: PL_API_KEY".
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is no
///         such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| Some(source.source.as_ptr())) }
}

/// Returns the profile of a source.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is
///         none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_profile(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.profile)) }
}

/// Returns the type of client of a source: `client_type` of auth_client.json.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(). NULL if there is no
///         such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_client_type(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| Some(source.client_type.as_ptr())) }
}

/// Returns the client identifier of a source (RFC 6749 section 2.2), which is no secret.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is
///         none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_client_id(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.client_id)) }
}

/// Returns the issuer identifier of the authorization server of a source (RFC 8414 section 2).
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is
///         none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_issuer(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.issuer)) }
}

/// Returns the number of scopes of a source.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return the number. 0 if there is no such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_scope_count(
    info: *const planetkey_session_info,
    source: usize,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, 0, |source| Some(source.scopes.len())) }
}

/// Returns a scope of a source (RFC 6749 section 3.3).
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is no
///         such scope.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_scope(
    info: *const planetkey_session_info,
    source: usize,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        get_source(info, source, null(), |source| {
            source.scopes.get(index).map(|text| text.as_ptr())
        })
    }
}

/// Returns when the access token of a source expires.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return Unix seconds. ::PLANETKEY_TIME_NONE if it is not known, for an API key, and if there is
///         no such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_expires_at(
    info: *const planetkey_session_info,
    source: usize,
) -> i64 {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, -1, |source| Some(source.expires_at)) }
}

/// Returns whether a source can give a credential without a login.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return true or false. false if there is no such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_source_is_initialized(
    info: *const planetkey_session_info,
    source: usize,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, false, |source| Some(source.initialized)) }
}

/// Returns whether a source has a valid access token in memory.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return true or false. false for an API key, and if there is no such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_token_cached(
    info: *const planetkey_session_info,
    source: usize,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, false, |source| Some(source.token_cached)) }
}

/// Returns the number of hosts that accept the credential of a source.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return the number. 0 if there is no such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_host_count(
    info: *const planetkey_session_info,
    source: usize,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, 0, |source| Some(source.hosts.len())) }
}

/// Returns a host that accepts the credential of a source.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is no
///         such host.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_host(
    info: *const planetkey_session_info,
    source: usize,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe {
        get_source(info, source, null(), |source| source.hosts.get(index).map(|text| text.as_ptr()))
    }
}

/// Returns how a request carries the credential of a source: "bearer", "basic", "header" or
/// "query".
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated text, borrowed until planetkey_session_info_free(). NULL if there is no
///         such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_transport(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| Some(source.transport.as_ptr())) }
}

/// Returns the file in which the tokens of a source are saved.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return a path as NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL for
///         an API key, for tokens in memory or in the application's own storage, and if there is no
///         such source.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_file(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.file)) }
}

/// Returns the store in which the tokens of a source are saved, or the `storage_command` of its
/// profile.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return its URL without user, password and parameters, or "storage_command" and the program, as
///         NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is
///         none.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_store(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.store)) }
}

/// Returns whether the store of a source could be used when it was used last.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return true or false. false also before it was used for the first time; then
///         planetkey_session_info_store_problem() returns NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_store_is_reachable(
    info: *const planetkey_session_info,
    source: usize,
) -> bool {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, false, |source| Some(source.store_is_reachable)) }
}

/// Returns what the store of a source holds for it.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return "nothing", "token", "session", or what else was found there, as NUL-terminated text,
///         borrowed until planetkey_session_info_free(). NULL if it was not read yet, and if there
///         is no store.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_store_holds(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.store_holds)) }
}

/// Returns why the store of a source could not be used, or is not used.
///
/// @param[in] info May be NULL.
/// @param[in] source counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is no
///         problem, and if there is no store.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_store_problem(
    info: *const planetkey_session_info,
    source: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { get_source(info, source, null(), |source| pointer(&source.store_problem)) }
}

/// Returns the number of notes: about credentials that were ignored when the session was opened,
/// and about tokens that could not be saved.
///
/// @param[in] info May be NULL.
/// @return the number. 0 for NULL.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_note_count(
    info: *const planetkey_session_info,
) -> usize {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, 0, |info| Some(info.notes.len())) }
}

/// Returns a note: what was ignored or could not be saved, and why.
///
/// @param[in] info May be NULL.
/// @param[in] index counts from 0.
/// @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(). NULL if there is no
///         such note.
///
/// Thread-safe. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_note(
    info: *const planetkey_session_info,
    index: usize,
) -> *const c_char {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::get(info, null(), |info| info.notes.get(index).map(|text| text.as_ptr())) }
}

/// Frees the description of a session. Text borrowed from it becomes invalid.
///
/// @param[in] info NULL does nothing.
///
/// Any thread, once per description. Never blocks. Since 0.1.0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn planetkey_session_info_free(info: *mut planetkey_session_info) {
    // SAFETY: the caller keeps to the documentation of this function.
    unsafe { handle::release(info) }
}
