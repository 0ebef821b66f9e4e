/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/**
 * @file planetkey.h
 * @brief Authentication to the Planet Insights Platform for C.
 *
 *     planetkey_session *session = NULL;
 *     planetkey_error *error = NULL;
 *     char header[8192];
 *     if (planetkey_session_from_defaults(NULL, &session, &error) == PLANETKEY_STATUS_OK &&
 *         planetkey_session_copy_header(session, url, header, sizeof header, NULL, &error) == PLANETKEY_STATUS_OK) {
 *         // the request to `url` carries `header`
 *     } else {
 *         fprintf(stderr, "%s\n", planetkey_error_message(error));
 *     }
 *     planetkey_error_free(error);
 *     planetkey_session_free(session);
 *
 * **Shape.** A function that can fail returns a ::planetkey_status, which says what the caller should do. What it hands out
 * goes through a pointer parameter, and an error that can be asked for details through the last one, which may be NULL. After
 * a failure the former is NULL (or false), after success the latter is. What the pointers held before is overwritten, not freed.
 *
 * **Handles.** All types are opaque but ::planetkey_storage, which the caller fills in. Whoever gets a handle frees it with the function
 * `_free` of its type; NULL is allowed there. Handles may be freed in any order and on any thread: none depends on another. Accessors
 * lend: what they return lives until the handle is freed. They take NULL too, and return NULL, 0, -1 or false then.
 *
 * **Text** is NUL-terminated UTF-8; nothing longer than 1 MiB is taken. Messages never quote what a parameter held.
 * Times are Unix seconds as int64_t (::PLANETKEY_TIME_NONE when there is none); durations are milliseconds and say so.
 *
 * **Threads.** A `const` handle may be used by any number of threads at once; only ::planetkey_options and ::planetkey_login_options
 * change, and belong to one thread at a time. Calls that need the same new token share one request.
 *
 * **People.** planetkey_session_login() asks a person where it must, through the prompt of its options. Programs with an event loop, or a button to
 * cancel, start a ::planetkey_login and poll it, or wait for it on a thread of its own.
 *
 *     planetkey_login *login = NULL;
 *     if (planetkey_session_start_device_login(session, NULL, &login, &error) == PLANETKEY_STATUS_OK) {
 *         printf("Open %s and enter %s\n", planetkey_login_verification_uri(login), planetkey_login_user_code(login));
 *         status = planetkey_login_wait(login, 0, NULL, &error);
 *     }
 *     planetkey_login_free(login);
 *
 * **Processes.** Tokens are kept on disk, in `.planet` of the home directory, where all processes and Planet's own tools share them: a token
 * is renewed once for all, and a change is noticed within a second. A child made by fork() may use the sessions of its parent. The end of a
 * process waits for the renewals of people's sessions, as planetkey_settle() says. The library stays loaded when dlclose() unloads the last
 * object that links it, because its threads may run on.
 *
 * **Panics.** A bug inside the library becomes ::PLANETKEY_STATUS_INTERNAL; it never unwinds into the caller.
 */


#ifndef PLANETKEY_H
#define PLANETKEY_H

/* Made by cbindgen from ffi/src: change it there, then run UPDATE_HEADER=1 cargo test -p planetkey-ffi --test main header. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32) && !defined(PLANETKEY_STATIC)
#define PLANETKEY_API __declspec(dllimport)
#elif defined(__GNUC__)
#define PLANETKEY_API __attribute__((visibility("default")))
#else
#define PLANETKEY_API
#endif

#if defined(__cplusplus) && __cplusplus >= 201703L
#define PLANETKEY_NODISCARD [[nodiscard]]
#elif defined(__GNUC__)
#define PLANETKEY_NODISCARD __attribute__((warn_unused_result))
#else
#define PLANETKEY_NODISCARD
#endif

/** No time is known, or it does not apply. */
#define PLANETKEY_TIME_NONE (-INT64_C(1))

#define PLANETKEY_VERSION "0.1.0"
#define PLANETKEY_VERSION_MAJOR 0
#define PLANETKEY_VERSION_MINOR 1
#define PLANETKEY_VERSION_PATCH 0
/** The number in the name of the shared library that this header belongs to. */
#define PLANETKEY_ABI_VERSION 0


/**
 * What the caller should do. Numbers are the same in every language, stable and never reused; new ones may be added.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_status : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nothing went wrong.
   */
  PLANETKEY_STATUS_OK = 0,
  /**
   * Fix the call.
   */
  PLANETKEY_STATUS_INVALID_ARGUMENT = 1,
  /**
   * Fix the profile, file, client or scope.
   */
  PLANETKEY_STATUS_MISCONFIGURED = 2,
  /**
   * Ask the user to log in; planetkey_error_reason() says why.
   */
  PLANETKEY_STATUS_LOGIN_REQUIRED = 3,
  /**
   * The user or the server said no.
   */
  PLANETKEY_STATUS_DENIED = 4,
  /**
   * This credential must not go to this URL; the message says which would.
   */
  PLANETKEY_STATUS_HOST_REFUSED = 5,
  /**
   * Try later; planetkey_error_retry_after_ms() may say when.
   */
  PLANETKEY_STATUS_UNAVAILABLE = 6,
  /**
   * The deadline passed.
   */
  PLANETKEY_STATUS_TIMEOUT = 7,
  /**
   * The caller cancelled.
   */
  PLANETKEY_STATUS_CANCELLED = 8,
  /**
   * The server's answer breaks the standard.
   */
  PLANETKEY_STATUS_PROTOCOL = 9,
  /**
   * The session could not be read or kept.
   */
  PLANETKEY_STATUS_STORAGE = 10,
  /**
   * A token failed validation; planetkey_error_reason() says how.
   */
  PLANETKEY_STATUS_TOKEN_INVALID = 11,
  /**
   * Not offered for this kind of session or client.
   */
  PLANETKEY_STATUS_UNSUPPORTED = 12,
  /**
   * A bug in planetkey.
   */
  PLANETKEY_STATUS_INTERNAL = 13,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_status planetkey_status;
#else
typedef int32_t planetkey_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How an API key travels; parameters take it as int32_t.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_api_key_transport : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * As user name of HTTP Basic authentication, with an empty password (RFC 7617): the default.
   */
  PLANETKEY_API_KEY_TRANSPORT_BASIC = 0,
  /**
   * As "Authorization: api-key KEY".
   */
  PLANETKEY_API_KEY_TRANSPORT_HEADER = 1,
  /**
   * As query parameter `api_key`: for map clients that can only be given a URL.
   */
  PLANETKEY_API_KEY_TRANSPORT_QUERY = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_api_key_transport planetkey_api_key_transport;
#else
typedef int32_t planetkey_api_key_transport;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How much a log record matters; parameters take it as int32_t.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_log_level : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Nothing; only as the most detailed level to log.
   */
  PLANETKEY_LOG_LEVEL_OFF = 0,
  /**
   * Something failed that the caller may not notice otherwise.
   */
  PLANETKEY_LOG_LEVEL_ERROR = 1,
  /**
   * Something is wrong and was worked around.
   */
  PLANETKEY_LOG_LEVEL_WARN = 2,
  /**
   * Something worth knowing happened, as a renewal.
   */
  PLANETKEY_LOG_LEVEL_INFO = 3,
  /**
   * For people who look for a fault.
   */
  PLANETKEY_LOG_LEVEL_DEBUG = 4,
  /**
   * Every step.
   */
  PLANETKEY_LOG_LEVEL_TRACE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_log_level planetkey_log_level;
#else
typedef int32_t planetkey_log_level;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * How a person logs in; parameters take it as int32_t.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_login_method : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * In the browser where one can be opened and the client allows it, else by a device code, else by pasting the browser's address back: the
   * default.
   */
  PLANETKEY_LOGIN_METHOD_AUTO = 0,
  /**
   * In the browser of this machine (RFC 6749 4.1, RFC 8252).
   */
  PLANETKEY_LOGIN_METHOD_BROWSER = 1,
  /**
   * On any device, by a code (RFC 8628).
   */
  PLANETKEY_LOGIN_METHOD_DEVICE = 2,
  /**
   * In a browser anywhere, whose last address is pasted back.
   */
  PLANETKEY_LOGIN_METHOD_PASTE = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_login_method planetkey_login_method;
#else
typedef int32_t planetkey_login_method;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a prompt is about.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_prompt_kind : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * The browser was opened, or must be: no answer is needed.
   */
  PLANETKEY_PROMPT_KIND_BROWSER = 1,
  /**
   * A code is to be entered on some device: no answer is needed.
   */
  PLANETKEY_PROMPT_KIND_DEVICE = 2,
  /**
   * The answer is the whole address that the browser ended at. Without one the person gives up.
   */
  PLANETKEY_PROMPT_KIND_PASTE = 3,
  /**
   * Somebody else has logged in than the one whose session is saved: the answer "yes" lets them take its place.
   */
  PLANETKEY_PROMPT_KIND_OTHER_USER = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_prompt_kind planetkey_prompt_kind;
#else
typedef int32_t planetkey_prompt_kind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What became of a refresh token at its server (RFC 7009).
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_revocation : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * There was none, or nobody asked for it.
   */
  PLANETKEY_REVOCATION_NONE = 0,
  /**
   * The server does not accept it any more.
   */
  PLANETKEY_REVOCATION_REVOKED = 1,
  /**
   * The server did not say that it has revoked it: it must be taken to be alive.
   */
  PLANETKEY_REVOCATION_UNKNOWN = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_revocation planetkey_revocation;
#else
typedef int32_t planetkey_revocation;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * Which requests of GDAL's `/vsicurl/` carry a credential; parameters take it as int32_t.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_gdal_scope : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * Those to the session's hosts: the default. GDAL can do that from 3.7 on.
   */
  PLANETKEY_GDAL_SCOPE_HOSTS = 0,
  /**
   * The same, and with an older GDAL those of the names that planetkey_gdal_path() gives.
   */
  PLANETKEY_GDAL_SCOPE_PATHS = 1,
  /**
   * All of them, wherever they go: for programs that read from nowhere else. WMS tiles too.
   */
  PLANETKEY_GDAL_SCOPE_EVERY_HOST = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_gdal_scope planetkey_gdal_scope;
#else
typedef int32_t planetkey_gdal_scope;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * When GDAL learns of a new token; parameters take it as int32_t.
 */
enum
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  planetkey_gdal_header : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /**
   * With every request, so that a dataset that stays open outlives its tokens: the default.
   */
  PLANETKEY_GDAL_HEADER_LIVE = 0,
  /**
   * When a dataset is opened, which keeps that token. GDAL can do that from 3.10 on without handing the token on.
   */
  PLANETKEY_GDAL_HEADER_AT_OPEN = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum planetkey_gdal_header planetkey_gdal_header;
#else
typedef int32_t planetkey_gdal_header;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What one request carries: its URL and its headers. Owned by the caller, immutable; any thread may read it.
 * Its memory is wiped by planetkey_authorization_free().
 */
typedef struct planetkey_authorization planetkey_authorization;

/**
 * Why a call failed. Owned by the caller, immutable, free it with planetkey_error_free(); any thread may read it.
 * No member holds a secret; all text is safe to log.
 */
typedef struct planetkey_error planetkey_error;

/**
 * A session that GDAL asks for the header of its requests, until planetkey_gdal_free(). Any number of threads may use it at once.
 */
typedef struct planetkey_gdal planetkey_gdal;

/**
 * Options of planetkey_gdal_install(), which copies them; what is not set has its default. It changes: one thread at a time.
 */
typedef struct planetkey_gdal_options planetkey_gdal_options;

/**
 * What a login has brought, without any secret. Owned by the caller, immutable, free it with planetkey_logged_in_free(); any thread may
 * read it.
 */
typedef struct planetkey_logged_in planetkey_logged_in;

/**
 * A login of a person that is under way, on any device or in a browser. Any number of threads may use one handle at once. Counted:
 * planetkey_login_clone() counts up, planetkey_login_free() counts down. When it is over, its session is logged in, for everybody who shares it.
 */
typedef struct planetkey_login planetkey_login;

/**
 * Options of a login. They change: one thread at a time. Whoever takes them copies them, so they may be used again or freed at once. What is
 * not set has its default.
 */
typedef struct planetkey_login_options planetkey_login_options;

/**
 * Options of a session. The only handle that changes: one thread at a time. Constructors copy it, so it may be used
 * again or freed at once. What is not set has its default.
 */
typedef struct planetkey_options planetkey_options;

/**
 * What a person must see for a login, and where their answer goes. Lent to a ::planetkey_prompt_callback for the call, and never freed by it. No
 * member holds a secret; none holds control characters but the line breaks of message and QR code.
 */
typedef struct planetkey_prompt planetkey_prompt;

/**
 * A session: an ordered list of credentials, kept fresh, behind one host policy. Any number of threads may use one
 * handle at once. Counted: planetkey_session_clone() counts up, planetkey_session_free() counts down.
 */
typedef struct planetkey_session planetkey_session;

/**
 * What a session is, without any secret, at one moment. Its sources stand in the order in which a URL tries them.
 * Owned by the caller, immutable, free it with planetkey_session_info_free(); any thread may read it.
 */
typedef struct planetkey_session_info planetkey_session_info;

/**
 * Text that a call handed out, often a secret: its memory is wiped by planetkey_string_free().
 * Owned by the caller, immutable; any thread may read it.
 */
typedef struct planetkey_string planetkey_string;

/**
 * Takes a log record.
 *
 * @param[in] user_data what planetkey_set_log_callback() was given.
 * @param[in] level a ::planetkey_log_level.
 * @param[in] target the part of planetkey that speaks, as "planetkey::session"; NUL-terminated, borrowed for the call.
 * @param[in] message one line without its end, NUL-terminated UTF-8, borrowed for the call. Holds no secret.
 *
 * May be called on any thread, by several at once. It must not throw or longjmp. It may call planetkey, which does not log meanwhile
 * on this thread.
 */
typedef void (*planetkey_log_callback)(void *user_data, int32_t level, const char *target, const char *message);

/**
 * Told once that `user_data` is not used any more. It must not throw or longjmp.
 *
 * @param[in] user_data what planetkey_set_log_callback() was given.
 */
typedef void (*planetkey_destroy_callback)(void *user_data);

/**
 * Shows a prompt, and answers it by planetkey_prompt_set_answer() where an answer is needed.
 *
 * @param[in] user_data what planetkey_login_options_set_prompt() was given.
 * @param[in] prompt what to show; lent for the call.
 * @return ::PLANETKEY_STATUS_OK when it was shown. Anything else ends the login, with this ::planetkey_status where it is one and with
 *         ::PLANETKEY_STATUS_CANCELLED where it is not.
 *
 * Called on the thread that called the login, and never while planetkey holds a lock. Where the code or the browser is waited for afterwards, that begins
 * when it returns. Logins of several threads may call it at once. It must not throw or longjmp. It may call planetkey, but must not wait for the login that it is asked for, or complete it.
 */
typedef int32_t (*planetkey_prompt_callback)(void *user_data, const struct planetkey_prompt *prompt);

/**
 * An application's own place for the tokens of a session, instead of `token.json` on disk: what is loaded and saved is the text of that
 * file, a JSON object with secrets in it. planetkey_options_set_storage() copies the struct.
 *
 * Callbacks are called on threads of planetkey, logout's on the caller's; never from two threads at once for one session, and never
 * while planetkey holds a lock of its own. Several sessions of one struct may call at the same time. A callback must not throw or longjmp.
 * It may call planetkey, but a call that would wait for the session that it works for gives ::PLANETKEY_STATUS_UNAVAILABLE. It returns
 * ::PLANETKEY_STATUS_OK, or anything else for a failure: the call that needs it then gives ::PLANETKEY_STATUS_STORAGE, and a session that has
 * its tokens in memory goes on with them.
 */
typedef struct planetkey_storage {
  /**
   * sizeof(planetkey_storage). Later versions have more members at the end; those that are not set must be zero.
   */
  size_t size;
  /**
   * Handed to the callbacks and not looked at. May be NULL.
   */
  void *user_data;
  /**
   * Gives the text that was saved last, of at most 1 MiB of UTF-8, through `text` and its number of bytes through `length`; NULL, as
   * it is before the call, when there is none. Not looked at after a failure. Not NULL.
   */
  int32_t (*load)(void *user_data, char **text, size_t *length);
  /**
   * Frees what `load` gave, once it has been copied. NULL when there is nothing to free.
   */
  void (*free_text)(void *user_data, char *text, size_t length);
  /**
   * Keeps this text, of `length` bytes before its NUL, in place of what was there; NULL after a logout: nothing is to be kept any more. The
   * text is borrowed for the call. After a failure what was there before must still be there. Not NULL.
   */
  int32_t (*save)(void *user_data, const char *text, size_t length);
  /**
   * Keeps everybody else who shares this storage from renewing until `unlock`, waiting for them at most `timeout_ms` milliseconds;
   * ::PLANETKEY_STATUS_TIMEOUT when that was too short. NULL for a storage that one session has for itself.
   */
  int32_t (*lock)(void *user_data, uint32_t timeout_ms);
  /**
   * Ends what `lock` began, on the same thread. NULL without `lock`, and not NULL with it.
   */
  void (*unlock)(void *user_data);
  /**
   * Called once when no options and no session need the storage any more, on whichever thread that is. May be NULL.
   */
  void (*free_user_data)(void *user_data);
} planetkey_storage;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * The URL to request: the one that was asked about, in the query form with `api_key` added, which makes it a secret.
 *
 * @param[in] authorization may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_authorization_url(const struct planetkey_authorization *authorization);

/**
 * How many headers to add to the request: 0 in the query form, else 1.
 *
 * @param[in] authorization may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_authorization_header_count(const struct planetkey_authorization *authorization);

/**
 * The name of a header, "Authorization".
 *
 * @param[in] authorization may be NULL.
 * @param[in] index counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_authorization_header_name(const struct planetkey_authorization *authorization,
                                                size_t index);

/**
 * The value of a header, as "Bearer ..." (RFC 6750 2.1): a secret.
 *
 * @param[in] authorization may be NULL.
 * @param[in] index counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_authorization_header_value(const struct planetkey_authorization *authorization,
                                                 size_t index);

/**
 * A header as one line without its end, "Authorization: Bearer ...", as curl_slist_append() takes it: a secret.
 *
 * @param[in] authorization may be NULL.
 * @param[in] index counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL when there is no such header.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_authorization_header_line(const struct planetkey_authorization *authorization,
                                                size_t index);

/**
 * The kind of credential: "access_token" or "api_key".
 *
 * @param[in] authorization may be NULL.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_authorization_credential(const struct planetkey_authorization *authorization);

/**
 * The access token by itself, as planetkey_session_should_retry() takes it: a secret.
 *
 * @param[in] authorization may be NULL.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL for an API key, and for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_authorization_access_token(const struct planetkey_authorization *authorization);

/**
 * How the credential travels: "bearer", "basic", "header" or "query".
 *
 * @param[in] authorization may be NULL.
 * @return NUL-terminated text, borrowed until planetkey_authorization_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_authorization_transport(const struct planetkey_authorization *authorization);

/**
 * Where the credential came from, for people: "environment: PL_API_KEY".
 *
 * @param[in] authorization may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_authorization_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_authorization_source(const struct planetkey_authorization *authorization);

/**
 * When the access token ends.
 *
 * @param[in] authorization may be NULL.
 * @return Unix seconds; -1 for an API key, and for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_authorization_expires_at(const struct planetkey_authorization *authorization);

/**
 * A number that changes whenever the header of this credential changes, so that a program can keep what it made from it.
 *
 * @param[in] authorization may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
uint64_t planetkey_authorization_generation(const struct planetkey_authorization *authorization);

/**
 * Whether Planet lists this kind of credential as under development for this host.
 *
 * @param[in] authorization may be NULL.
 * @return true or false; false for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_authorization_under_development(const struct planetkey_authorization *authorization);

/**
 * Which source of planetkey_session_status() the credential is.
 *
 * @param[in] authorization may be NULL.
 * @return the source's index, from 0; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_authorization_source_index(const struct planetkey_authorization *authorization);

/**
 * Wipes and frees an authorization. Everything borrowed from it is gone afterwards.
 *
 * @param[in] authorization may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_authorization_free(struct planetkey_authorization *authorization);

/**
 * What the caller should do: the status that the failed call returned.
 *
 * @param[in] error may be NULL.
 * @return the status; ::PLANETKEY_STATUS_OK for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API planetkey_status planetkey_error_status(const struct planetkey_error *error);

/**
 * One line for people, which says what to do next and is safe to log.
 *
 * @param[in] error may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_error_message(const struct planetkey_error *error);

/**
 * A word that refines the status, as "expired" for ::PLANETKEY_STATUS_LOGIN_REQUIRED.
 *
 * @param[in] error may be NULL.
 * @return NUL-terminated text, borrowed until planetkey_error_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_error_reason(const struct planetkey_error *error);

/**
 * The member `error` of the authorization server's answer (RFC 6749 5.2), as "invalid_client".
 *
 * @param[in] error may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_error_oauth_error(const struct planetkey_error *error);

/**
 * The member `error_description` of the authorization server's answer (RFC 6749 5.2): the server's words, on one line.
 *
 * @param[in] error may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_error_oauth_error_description(const struct planetkey_error *error);

/**
 * The HTTP status of the authorization server's answer.
 *
 * @param[in] error may be NULL.
 * @return the number; 0 when there was no answer.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int32_t planetkey_error_http_status(const struct planetkey_error *error);

/**
 * How long to wait before trying again.
 *
 * @param[in] error may be NULL.
 * @return milliseconds; -1 when nobody said.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_error_retry_after_ms(const struct planetkey_error *error);

/**
 * Whether the same call may succeed later without anybody changing anything.
 *
 * @param[in] error may be NULL.
 * @return true or false; false for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_error_retryable(const struct planetkey_error *error);

/**
 * The profile that this is about.
 *
 * @param[in] error may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_error_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_error_profile(const struct planetkey_error *error);

/**
 * Frees an error. Everything borrowed from it is gone afterwards.
 *
 * @param[in] error may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_error_free(struct planetkey_error *error);

extern int atexit(void (*callback)(void));

/**
 * Waits for the renewals of people's sessions that are under way in this process, so that their new refresh tokens are kept. The end of a
 * process, by exit() or by return from main(), does so by itself, for at most 5000 ms, once a session has been opened; this is for programs that
 * end by _exit() or quick_exit(), or are about to exec(). A process that was made by fork() waits for its own renewals only.
 *
 * @param[in] timeout_ms the longest wait in milliseconds; what is more than a day becomes that. 0 only asks.
 * @return true when none is left, false when the time was up.
 *
 * Any thread but one inside a callback of planetkey, which would wait for itself. Blocks, uses no network of its own. Since 0.1.0.
 */
PLANETKEY_API
bool planetkey_settle(uint32_t timeout_ms);

/**
 * Has GDAL ask a session: from now on what is opened as "/vsicurl/https://HOST/...", for the session's hosts and no other, carries its
 * credential, and so do requests by CPLHTTPFetch. A dataset that stays open gets the current token with each request.
 *
 * The library does not link GDAL: it takes every GDAL that is in the process, linked or loaded, also those of Python wheels. Datasets
 * that are open already stay as they are. Names have to spell the host in lower case, without `:443`.
 *
 * While something is installed, GDAL's options CPL_VSIL_CURL_USE_HEAD and, with ::PLANETKEY_GDAL_HEADER_LIVE, CPL_VSIL_CURL_USE_S3_REDIRECT
 * are NO for the whole process, and CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT is not YES, because GDAL would hand the credential on
 * to where a redirect leads. A thread that sets them otherwise gets no credential.
 *
 * A request whose credential cannot be had goes out without one. Then GDAL's error handler, the log and planetkey_gdal_last_error()
 * say why. GDAL remembers a file that was refused: planetkey_gdal_refresh() has it forget that.
 *
 * @param[in] session not NULL. Counted: it may be freed.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] gdal free it with planetkey_gdal_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no GDAL in the process, or one that cannot do what is asked for; the
 *         message says what to do), ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_LOGIN_REQUIRED (the session holds nothing),
 *         ::PLANETKEY_STATUS_INVALID_ARGUMENT (also where another session is installed for one of the hosts, and where the API key travels
 *         in the URL); with ::PLANETKEY_GDAL_HEADER_AT_OPEN as planetkey_session_headers().
 *
 * Any thread. Blocks on the network only with ::PLANETKEY_GDAL_HEADER_AT_OPEN, and only while no valid token is there. GDAL's own threads
 * wait in the same way for a token, until the session's deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_install(const struct planetkey_session *session,
                                        const struct planetkey_gdal_options *options,
                                        struct planetkey_gdal **gdal,
                                        struct planetkey_error **error);

/**
 * Has GDAL forget what it knows of files at the session's hosts: which it could not read, where they were redirected to, and what it
 * has read of them. For after a login, and for when something has changed there. Takes in a GDAL that was loaded since, and hosts
 * that a login has added. With ::PLANETKEY_GDAL_HEADER_AT_OPEN, datasets that are opened from now on get the current token; no other
 * thread may open one meanwhile.
 *
 * No dataset of these hosts should be open: GDAL has forgotten that its file exists, and gives zeros instead of an error when the server
 * refuses it afterwards. planetkey_gdal_install() does the same once.
 *
 * @param[in] gdal not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return as planetkey_gdal_install().
 *
 * Any thread. Blocks as planetkey_gdal_install(). Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_refresh(const struct planetkey_gdal *gdal,
                                        struct planetkey_error **error);

/**
 * The name under which GDAL opens a URL with the session's credential. To be called right before that: it sees to it that there is a
 * credential, because a failure inside GDAL says less, and with ::PLANETKEY_GDAL_HEADER_AT_OPEN hands GDAL the current one. With GDAL 3.7 and
 * later the name is "/vsicurl/" and the URL; with an older one and ::PLANETKEY_GDAL_SCOPE_PATHS it is good in this process only, and whoever
 * else learns it could have GDAL send the credential elsewhere. So could a file that is opened by it and names others, as a VRT does: it must be
 * trusted as its server is.
 *
 * @param[in] gdal not NULL.
 * @param[in] url NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] path free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return as planetkey_session_headers(); ::PLANETKEY_STATUS_HOST_REFUSED also for a host that is not among those installed.
 *
 * Any thread; with ::PLANETKEY_GDAL_HEADER_AT_OPEN no other thread may open a dataset meanwhile, because GDAL reads its options without a lock.
 * Blocks on the network only while no valid token is there, until the session's deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_path(const struct planetkey_gdal *gdal,
                                     const char *url,
                                     struct planetkey_string **path,
                                     struct planetkey_error **error);

/**
 * Why the last request of GDAL that should have carried a credential carried none.
 *
 * @param[in] gdal may be NULL.
 * @return an error to free with planetkey_error_free(); NULL when there was no such request since planetkey_gdal_install() or the last
 *         planetkey_gdal_refresh(), and for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
struct planetkey_error *planetkey_gdal_last_error(const struct planetkey_gdal *gdal);

/**
 * Ends what planetkey_gdal_install() began: GDAL gets its options back and asks no more. Datasets that are still open send their
 * next requests without a credential.
 *
 * @param[in] gdal may be NULL, which does nothing.
 *
 * Any thread, once, before main() ends: GDAL's own end may come before that of static objects. Never blocks on the network. Since 0.1.0.
 */
PLANETKEY_API
void planetkey_gdal_free(struct planetkey_gdal *gdal);

/**
 * New options, with nothing set.
 *
 * @return options to free with planetkey_gdal_options_free(). Never NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD PLANETKEY_API struct planetkey_gdal_options *planetkey_gdal_options_new(void);

/**
 * Which requests of `/vsicurl/` carry a credential. With ::PLANETKEY_GDAL_SCOPE_EVERY_HOST it is that of the one host that
 * planetkey_gdal_options_add_host() names, and every server that GDAL reads from learns it.
 *
 * @param[in,out] options not NULL.
 * @param[in] scope a ::planetkey_gdal_scope; the default is ::PLANETKEY_GDAL_SCOPE_HOSTS.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_options_set_scope(struct planetkey_gdal_options *options,
                                                  int32_t scope,
                                                  struct planetkey_error **error);

/**
 * When GDAL learns of a new token.
 *
 * GDAL remembers where a signed redirect led, and goes there directly as long as the signature lasts. With ::PLANETKEY_GDAL_HEADER_LIVE
 * it would take the header along, so planetkey_gdal_install() switches that off: every request goes to the session's host first. With
 * ::PLANETKEY_GDAL_HEADER_AT_OPEN it stays on and the header stays behind, which is faster where downloads are redirected; but a dataset that
 * stays open keeps its token, and fails once that has expired and the signature too.
 *
 * @param[in,out] options not NULL.
 * @param[in] header a ::planetkey_gdal_header; the default is ::PLANETKEY_GDAL_HEADER_LIVE.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_options_set_header(struct planetkey_gdal_options *options,
                                                   int32_t header,
                                                   struct planetkey_error **error);

/**
 * One of the session's hosts for which GDAL asks it. Without any, all of them.
 *
 * @param[in,out] options not NULL.
 * @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by planetkey_gdal_install().
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_options_add_host(struct planetkey_gdal_options *options,
                                                 const char *host,
                                                 struct planetkey_error **error);

/**
 * Whether requests that GDAL makes by CPLHTTPFetch carry a credential too: those of web services and of PLMosaic. The callback for that
 * (CPLHTTPSetFetchCallback) is the process's: a program that sets one of its own switches this off.
 *
 * @param[in,out] options not NULL.
 * @param[in] fetch true or false; the default is true. Without meaning for ::PLANETKEY_GDAL_SCOPE_EVERY_HOST.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_gdal_options_set_fetch(struct planetkey_gdal_options *options,
                                                  bool fetch,
                                                  struct planetkey_error **error);

/**
 * Frees options. What was installed with them stays.
 *
 * @param[in] options may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_gdal_options_free(struct planetkey_gdal_options *options);

/**
 * The name of what became of a refresh token, the same in all languages: "unknown".
 *
 * @param[in] revocation a ::planetkey_revocation; any number is allowed.
 * @return NUL-terminated text that lives as long as the library; NULL for a number that is none of this version.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_revocation_name(int32_t revocation);

/**
 * Forgets the tokens, in memory and where they are kept, so that every process has to log in again. A client's configuration stays: a
 * machine gets new tokens with the next call.
 *
 * @param[in] session not NULL.
 * @param[in] revoke whether a refresh token is given back to the server first (RFC 7009), as it should be. A server that cannot be reached does not
 *            keep the session from being forgotten here.
 * @param[out] removed whether there were tokens. Set to false on failure. May be NULL.
 * @param[out] revocation what became of the refresh token, a ::planetkey_revocation. Set to ::PLANETKEY_REVOCATION_NONE on failure. May be NULL.
 * @param[out] why_unknown why that is ::PLANETKEY_REVOCATION_UNKNOWN, in one line for people; free it with planetkey_string_free(). Else NULL.
 *             May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session), ::PLANETKEY_STATUS_TIMEOUT (another
 *         process has been renewing the session all the time), ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_LOGIN_REQUIRED (no
 *         credential at all).
 *
 * Any number of threads. Blocks until a renewal that is under way has ended, and with `revoke` on the network for at most 10 seconds, or until the
 * deadline passes. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_logout(const struct planetkey_session *session,
                                          bool revoke,
                                          bool *removed,
                                          int32_t *revocation,
                                          struct planetkey_string **why_unknown,
                                          struct planetkey_error **error);

/**
 * What the authorization server says of the person who is logged in (OpenID Connect Core 5.3): "sub" and, by the scopes, name, e-mail address and more.
 *
 * @param[in] session not NULL.
 * @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session; the server does not offer it),
 *         ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_MISCONFIGURED (the scope `openid` was not granted), ::PLANETKEY_STATUS_TOKEN_INVALID (the
 *         answer is about somebody else), ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL.
 *
 * Any number of threads. Blocks on the network, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_userinfo(const struct planetkey_session *session,
                                            struct planetkey_string **json,
                                            struct planetkey_error **error);

/**
 * The claims of the session's ID token, verified against the server's keys: who logged in, and when. That it has expired says nothing.
 *
 * @param[in] session not NULL.
 * @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session), ::PLANETKEY_STATUS_LOGIN_REQUIRED,
 *         ::PLANETKEY_STATUS_MISCONFIGURED (the scope `openid` was not asked for), ::PLANETKEY_STATUS_TOKEN_INVALID,
 *         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL.
 *
 * Any number of threads. Blocks on the network where the keys are not at hand, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_id_token_claims(const struct planetkey_session *session,
                                                   struct planetkey_string **json,
                                                   struct planetkey_error **error);

/**
 * What the authorization server says of a token (RFC 7662): "active", and more of one that is.
 *
 * @param[in] session not NULL.
 * @param[in] token the token that is asked about, NUL-terminated UTF-8 of at most 1 MiB; NULL means the session's own access token.
 * @param[out] json one JSON object; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, also for a token that is not active; ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session; the server
 *         does not offer it), ::PLANETKEY_STATUS_MISCONFIGURED (the client may not ask), ::PLANETKEY_STATUS_LOGIN_REQUIRED,
 *         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any number of threads. Blocks on the network, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_introspect(const struct planetkey_session *session,
                                              const char *token,
                                              struct planetkey_string **json,
                                              struct planetkey_error **error);

/**
 * Says where planetkey's log records go, in the whole process; without this call they go nowhere. May be called again to
 * change it.
 *
 * @param[in] callback takes the records; NULL ends logging.
 * @param[in] user_data handed to the callbacks and not looked at. May be NULL.
 * @param[in] destroy called once with `user_data` when no thread can be inside `callback` any more, also when this call
 *            fails or `callback` is NULL. May be NULL.
 * @param[in] max_level a ::planetkey_log_level: the most detailed one to log.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_UNSUPPORTED (a Rust program around this
 *         library has a logger of its own).
 *
 * Any thread. Never blocks; a thread inside the former callback may still finish it after the return. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_set_log_callback(planetkey_log_callback callback,
                                            void *user_data,
                                            planetkey_destroy_callback destroy,
                                            int32_t max_level,
                                            struct planetkey_error **error);

/**
 * Makes sure that somebody is logged in. A good session is left as it is, an expired one renewed; only then a person is asked, in the way that
 * planetkey_login_options_set_method() says. A session of a machine or of an API key needs nobody.
 *
 * @param[in] session not NULL.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_LOGIN_REQUIRED (nobody can be asked: the message says what to do; the code was not entered in
 *         time), ::PLANETKEY_STATUS_DENIED (the person or the server said no; reason "other_user" where somebody else logged in),
 *         ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_CANCELLED (the person gave up), what the prompt returned, ::PLANETKEY_STATUS_UNAVAILABLE,
 *         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_UNSUPPORTED
 *         (nobody logs in to this session), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any number of threads. Blocks as long as the person takes; planetkey_session_start_device_login() and
 * planetkey_session_start_browser_login() give a login that can be polled and cancelled. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_login(const struct planetkey_session *session,
                                         const struct planetkey_login_options *options,
                                         struct planetkey_logged_in **logged_in,
                                         struct planetkey_error **error);

/**
 * Starts a login on any device (RFC 8628): show its verification URI and user code, and wait for it or poll it.
 *
 * @param[in] session not NULL.
 * @param[in] options may be NULL for the defaults. Copied. Of the prompts only ::PLANETKEY_PROMPT_KIND_OTHER_USER comes.
 * @param[out] login free it with planetkey_login_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (nobody logs in to this session; the server offers no such login),
 *         ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL,
 *         ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any number of threads. Blocks for one request, until the session's deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_start_device_login(const struct planetkey_session *session,
                                                      const struct planetkey_login_options *options,
                                                      struct planetkey_login **login,
                                                      struct planetkey_error **error);

/**
 * Starts a login in a browser (RFC 6749 4.1 with PKCE, RFC 8252): open its authorization URL, and wait for it or poll it. It opens no browser,
 * and listens on this machine for its return, which is served by whoever waits or polls.
 *
 * @param[in] session not NULL.
 * @param[in] options may be NULL for the defaults. Copied. Of the prompts only ::PLANETKEY_PROMPT_KIND_OTHER_USER comes.
 * @param[out] login free it with planetkey_login_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return as planetkey_session_start_device_login(); ::PLANETKEY_STATUS_UNAVAILABLE too where the port of the client's redirect URI is taken.
 *
 * Any number of threads. Blocks on the network where the server's metadata is needed, until the session's deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_start_browser_login(const struct planetkey_session *session,
                                                       const struct planetkey_login_options *options,
                                                       struct planetkey_login **login,
                                                       struct planetkey_error **error);

/**
 * The code that the person enters, or compares with what the device shows: to be shown in any case (RFC 8628 3.3.1).
 *
 * @param[in] login may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login in a browser.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_login_user_code(const struct planetkey_login *login);

/**
 * The address at which the code is entered, on any device.
 *
 * @param[in] login may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login in a browser.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_login_verification_uri(const struct planetkey_login *login);

/**
 * The address that holds the code already.
 *
 * @param[in] login may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL where the server gives none, and for a login in a browser.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_login_verification_uri_complete(const struct planetkey_login *login);

/**
 * The address to open in a browser of this machine. Show it to this user only: it holds the `state` of the login.
 *
 * @param[in] login may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login on any device.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_login_authorization_url(const struct planetkey_login *login);

/**
 * Where the browser returns to.
 *
 * @param[in] login may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_login_free(); NULL for a login on any device.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_login_redirect_uri(const struct planetkey_login *login);

/**
 * How long the person still has.
 *
 * @param[in] login may be NULL.
 * @return milliseconds; 0 when the time is up, -1 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_login_expires_in_ms(const struct planetkey_login *login);

/**
 * The address to open as a QR code, in lines of text with a quiet zone. Dark on light: meant for a terminal with light letters on a dark ground.
 *
 * @param[in] login may be NULL.
 * @param[in] ascii false: in block characters; true: in ASCII, twice as wide.
 * @return the text; free it with planetkey_string_free(). NULL for an address that does not fit, and for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
struct planetkey_string *planetkey_login_qr_code(const struct planetkey_login *login,
                                                 bool ascii);

/**
 * Goes on with a login without waiting for the person: for event loops.
 *
 * @param[in] login not NULL.
 * @param[out] logged_in who it is, once somebody has logged in; free it with planetkey_logged_in_free(). NULL while nobody has, and on
 *             failure. Not NULL.
 * @param[out] next_poll_ms while nobody has logged in, when to poll again, in milliseconds; what comes earlier asks nobody. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, also while nobody has logged in; else how the login ended, as planetkey_login_wait(), and the same again.
 *
 * Any number of threads. Blocks for one request of a device, and for the requests of a browser that has just returned. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_poll(const struct planetkey_login *login,
                                      struct planetkey_logged_in **logged_in,
                                      uint32_t *next_poll_ms,
                                      struct planetkey_error **error);

/**
 * Waits for the person.
 *
 * @param[in] login not NULL.
 * @param[in] timeout_ms the longest wait in milliseconds; 0 means until the login ends.
 * @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_TIMEOUT (also when `timeout_ms` has passed, and then the login goes on while
 *         planetkey_login_expires_in_ms() is not 0), ::PLANETKEY_STATUS_CANCELLED, ::PLANETKEY_STATUS_DENIED (the person or the server said no;
 *         reason "other_user" where somebody else logged in), ::PLANETKEY_STATUS_LOGIN_REQUIRED (the code was not entered in time),
 *         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_TOKEN_INVALID, ::PLANETKEY_STATUS_MISCONFIGURED, or what the
 *         prompt returned.
 *
 * Any number of threads; all get the same outcome. Blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_wait(const struct planetkey_login *login,
                                      uint32_t timeout_ms,
                                      struct planetkey_logged_in **logged_in,
                                      struct planetkey_error **error);

/**
 * Ends a login with the address that the browser ended at: for browsers that cannot return to this program, as one on another machine.
 *
 * @param[in] login not NULL.
 * @param[in] callback_url the whole address, NUL-terminated UTF-8; not NULL. It holds a code: not to be logged.
 * @param[out] logged_in who it is; free it with planetkey_logged_in_free(). Set to NULL on failure. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (no address of this login, which goes on), ::PLANETKEY_STATUS_UNSUPPORTED (a
 *         login on any device), or how the login ended, as planetkey_login_wait().
 *
 * Any number of threads. Blocks on the network, until the session's deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_complete(const struct planetkey_login *login,
                                          const char *callback_url,
                                          struct planetkey_logged_in **logged_in,
                                          struct planetkey_error **error);

/**
 * Ends a login. Whoever waits for it gets ::PLANETKEY_STATUS_CANCELLED, and so does whoever waits later, unless somebody has logged in before.
 *
 * @param[in] login may be NULL, which does nothing.
 *
 * Any number of threads, also while others wait and inside a prompt. Does not wait for the network. Since 0.1.0.
 */
PLANETKEY_API
void planetkey_login_cancel(const struct planetkey_login *login);

/**
 * One more count of the same handle, as for a thread that is to cancel it.
 *
 * @param[in] login may be NULL.
 * @return the same pointer, to free once more with planetkey_login_free(); NULL for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD PLANETKEY_API struct planetkey_login *planetkey_login_clone(const struct planetkey_login *login);

/**
 * Counts down. The last count ends a login that nobody waits for, and closes its sockets; a call that has begun on another thread goes on.
 *
 * @param[in] login may be NULL, which does nothing.
 *
 * Any thread, once for each count. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
void planetkey_login_free(struct planetkey_login *login);

/**
 * New options of a login, with nothing set.
 *
 * @return options to free with planetkey_login_options_free(). Never NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD PLANETKEY_API struct planetkey_login_options *planetkey_login_options_new(void);

/**
 * How planetkey_session_login() is to go; the others go as their names say.
 *
 * @param[in,out] options not NULL.
 * @param[in] method a ::planetkey_login_method; 0 is the default.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_method(struct planetkey_login_options *options,
                                                    int32_t method,
                                                    struct planetkey_error **error);

/**
 * Whether planetkey_session_login() may open a browser. By default it does where one is likely to be there.
 *
 * @param[in,out] options not NULL.
 * @param[in] open_browser true: also where none seems to be; false: never.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_open_browser(struct planetkey_login_options *options,
                                                          bool open_browser,
                                                          struct planetkey_error **error);

/**
 * The scopes to ask for in place of the client's (RFC 6749 3.3). planetkey_session_login() asks anew where the session lacks one of them.
 *
 * @param[in,out] options not NULL.
 * @param[in] scopes `scope_count` texts, each NUL-terminated UTF-8 and not NULL. May be NULL when `scope_count` is 0, which means the client's. Copied.
 * @param[in] scope_count how many there are.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The scopes are looked at by the login.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_scopes(struct planetkey_login_options *options,
                                                    const char *const *scopes,
                                                    size_t scope_count,
                                                    struct planetkey_error **error);

/**
 * The time that the person has, in total. The deadline of each request is the session's.
 *
 * @param[in,out] options not NULL.
 * @param[in] timeout_ms milliseconds; the default is five minutes in the browser, and as long as the code is good with a device. 0 and more than a
 *            day are refused by the login.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_timeout_ms(struct planetkey_login_options *options,
                                                        uint32_t timeout_ms,
                                                        struct planetkey_error **error);

/**
 * Whether planetkey_session_login() asks a person even where the session is good.
 *
 * @param[in,out] options not NULL.
 * @param[in] force true or false; the default is false.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_force(struct planetkey_login_options *options,
                                                   bool force,
                                                   struct planetkey_error **error);

/**
 * Whether another person may take the place of the one whose session is saved, without a prompt.
 *
 * @param[in,out] options not NULL.
 * @param[in] allow_other_user true or false; the default is false.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_allow_other_user(struct planetkey_login_options *options,
                                                                 bool allow_other_user,
                                                                 struct planetkey_error **error);

/**
 * The page that the browser shows when somebody has logged in, in place of planetkey's own.
 *
 * @param[in,out] options not NULL.
 * @param[in] page HTML as NUL-terminated UTF-8 of at most 1 MiB; NULL means planetkey's own. The browser is told to load nothing and to run no
 *            scripts for it. Copied.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_page(struct planetkey_login_options *options,
                                                  const char *page,
                                                  struct planetkey_error **error);

/**
 * Who shows the prompts of a login and answers them. Without this a login can only open a browser by itself.
 *
 * @param[in,out] options not NULL.
 * @param[in] prompt shows a prompt; NULL means nobody.
 * @param[in] user_data handed to the callbacks and not looked at. May be NULL.
 * @param[in] destroy called once with `user_data` when these options, their copies and their logins need it no more, on whichever thread that is, also
 *            when this call fails or `prompt` is NULL. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_login_options_set_prompt(struct planetkey_login_options *options,
                                                    planetkey_prompt_callback prompt,
                                                    void *user_data,
                                                    planetkey_destroy_callback destroy,
                                                    struct planetkey_error **error);

/**
 * Frees options of a login. Logins that were started with them stay.
 *
 * @param[in] options may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_login_options_free(struct planetkey_login_options *options);

/**
 * Everything as one JSON object, the same in all languages.
 *
 * @param[in] logged_in may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_logged_in_json(const struct planetkey_logged_in *logged_in);

/**
 * Whether a person was asked: not where the session was good, or could be renewed.
 *
 * @param[in] logged_in may be NULL.
 * @return true or false; false for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_logged_in_asked(const struct planetkey_logged_in *logged_in);

/**
 * Who is logged in, by the authorization server's own name for them: `sub` of the ID token, else of the access token where that is a JWT.
 *
 * @param[in] logged_in may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when the tokens do not say.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_logged_in_subject(const struct planetkey_logged_in *logged_in);

/**
 * The e-mail address of whoever is logged in, with the scope `email`.
 *
 * @param[in] logged_in may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when the tokens do not say.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_logged_in_email(const struct planetkey_logged_in *logged_in);

/**
 * How many scopes were granted.
 *
 * @param[in] logged_in may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_logged_in_scope_count(const struct planetkey_logged_in *logged_in);

/**
 * A scope that was granted.
 *
 * @param[in] logged_in may be NULL.
 * @param[in] index counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when there is no such scope.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_logged_in_scope(const struct planetkey_logged_in *logged_in, size_t index);

/**
 * When the access token ends; the session renews it.
 *
 * @param[in] logged_in may be NULL.
 * @return Unix seconds; -1 for an API key, and for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_logged_in_expires_at(const struct planetkey_logged_in *logged_in);

/**
 * The profile whose session it is.
 *
 * @param[in] logged_in may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_logged_in_profile(const struct planetkey_logged_in *logged_in);

/**
 * The file that keeps the session.
 *
 * @param[in] logged_in may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_logged_in_free(); NULL for a session that lives in this process only.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_logged_in_file(const struct planetkey_logged_in *logged_in);

/**
 * Frees what a login has brought. Everything borrowed from it is gone afterwards; the session stays logged in.
 *
 * @param[in] logged_in may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_logged_in_free(struct planetkey_logged_in *logged_in);

/**
 * New options, with nothing set.
 *
 * @return options to free with planetkey_options_free(). Never NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD PLANETKEY_API struct planetkey_options *planetkey_options_new(void);

/**
 * Whether tokens are kept on disk, where all processes and Planet's own tools share them.
 *
 * @param[in,out] options not NULL.
 * @param[in] save true, which is the default; false keeps tokens in memory, and does not look at what is on disk.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_save(struct planetkey_options *options,
                                            bool save,
                                            struct planetkey_error **error);

/**
 * The directory that takes the place of the home directory for `.planet` and `.planet.json`: for homes that cannot be written.
 *
 * @param[in,out] options not NULL.
 * @param[in] storage_root a path as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default: PLANETKEY_STORAGE_ROOT, and without
 *            it the home directory.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. An empty path is refused by the constructors.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_storage_root(struct planetkey_options *options,
                                                    const char *storage_root,
                                                    struct planetkey_error **error);

/**
 * The profile whose directory keeps the tokens of planetkey_session_from_m2m() and planetkey_session_from_client_config(); the other
 * constructors refuse it.
 *
 * @param[in,out] options not NULL.
 * @param[in] profile a name as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default: `planet-m2m-` and the client's id for a
 *            machine, the client's id for everybody else.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by the constructors.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_profile(struct planetkey_options *options,
                                               const char *profile,
                                               struct planetkey_error **error);

/**
 * The application's own storage in place of files, for sessions of one client: planetkey_session_from_defaults() refuses it.
 *
 * @param[in,out] options not NULL.
 * @param[in] storage the callbacks; NULL means the default, files. Copied; its `free_user_data` is called once when these options, their
 *            copies and their sessions need it no more, also when this call fails, but not when `size` is wrong.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (a wrong size, no `load` or no `save`, one of `lock` and
 *         `unlock`), ::PLANETKEY_STATUS_UNSUPPORTED (members of a later version are set).
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_storage(struct planetkey_options *options,
                                               const struct planetkey_storage *storage,
                                               struct planetkey_error **error);

/**
 * The total deadline of each call that may use the network.
 *
 * @param[in,out] options not NULL.
 * @param[in] timeout_ms milliseconds; the default is 30000. 0 and more than a day are refused by the constructors.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_timeout_ms(struct planetkey_options *options,
                                                  uint32_t timeout_ms,
                                                  struct planetkey_error **error);

/**
 * The deployment: which API hosts exist, and which authorization servers' tokens they accept.
 *
 * @param[in,out] options not NULL.
 * @param[in] deployment the name of a preset, the path of a JSON document, or the document itself, as NUL-terminated
 *            UTF-8 of at most 1 MiB. NULL means the default: PLANETKEY_DEPLOYMENT, and without it Planet.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. What it says is looked at by the constructors.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_deployment(struct planetkey_options *options,
                                                  const char *deployment,
                                                  struct planetkey_error **error);

/**
 * One more host that the session's credentials may go to, beside those of the deployment.
 *
 * @param[in,out] options not NULL.
 * @param[in] host an exact host name as NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The name is looked at by the constructors.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_add_allowed_host(struct planetkey_options *options,
                                                    const char *host,
                                                    struct planetkey_error **error);

/**
 * Whether credentials may go over plain http to loopback hosts of the deployment: for tests only.
 *
 * @param[in,out] options not NULL.
 * @param[in] allow_insecure_loopback true or false; the default is false.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_allow_insecure_loopback(struct planetkey_options *options,
                                                               bool allow_insecure_loopback,
                                                               struct planetkey_error **error);

/**
 * A file of certificates (PEM) to trust beside the system's.
 *
 * @param[in,out] options not NULL.
 * @param[in] ca_file a path as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default, the environment's.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The file is read later.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_ca_file(struct planetkey_options *options,
                                               const char *ca_file,
                                               struct planetkey_error **error);

/**
 * The proxy for requests to authorization servers; loopback is never proxied.
 *
 * @param[in,out] options not NULL.
 * @param[in] proxy a URL as NUL-terminated UTF-8 of at most 1 MiB; NULL means the default, the environment's.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT. The URL is looked at by the constructors.
 *
 * One thread at a time. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_options_set_proxy(struct planetkey_options *options,
                                             const char *proxy,
                                             struct planetkey_error **error);

/**
 * Frees options. Sessions made from them stay.
 *
 * @param[in] options may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_options_free(struct planetkey_options *options);

/**
 * What the prompt is about.
 *
 * @param[in] prompt may be NULL.
 * @return a ::planetkey_prompt_kind; 0 for NULL. Later versions may add kinds: show their message.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int32_t planetkey_prompt_kind_of(const struct planetkey_prompt *prompt);

/**
 * The name of a kind of prompt, the same in all languages: "other_user".
 *
 * @param[in] kind a ::planetkey_prompt_kind; any number is allowed.
 * @return NUL-terminated text that lives as long as the library; NULL for a number that is no kind of this version.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_kind_name(int32_t kind);

/**
 * All that must be said, in a few lines that end with a line break.
 *
 * @param[in] prompt may be NULL.
 * @return NUL-terminated UTF-8, borrowed for the callback; NULL only for NULL.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_message(const struct planetkey_prompt *prompt);

/**
 * The address to open.
 *
 * @param[in] prompt may be NULL.
 * @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_url(const struct planetkey_prompt *prompt);

/**
 * The code to enter, or to compare with what the device shows: to be shown in any case (RFC 8628 3.3.1).
 *
 * @param[in] prompt may be NULL.
 * @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_user_code(const struct planetkey_prompt *prompt);

/**
 * The address at which the code is entered.
 *
 * @param[in] prompt may be NULL.
 * @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_verification_uri(const struct planetkey_prompt *prompt);

/**
 * The address that holds the code already.
 *
 * @param[in] prompt may be NULL.
 * @return NUL-terminated UTF-8, borrowed for the callback; NULL when there is none.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_prompt_verification_uri_complete(const struct planetkey_prompt *prompt);

/**
 * How long there is for it.
 *
 * @param[in] prompt may be NULL.
 * @return milliseconds; -1 when there is no limit, and for NULL.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_prompt_expires_in_ms(const struct planetkey_prompt *prompt);

/**
 * Whether a browser was opened at the address.
 *
 * @param[in] prompt may be NULL.
 * @return true or false; false for NULL.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_prompt_browser_opened(const struct planetkey_prompt *prompt);

/**
 * The address as a QR code, in lines of text with a quiet zone. Dark on light: meant for a terminal with light letters on a dark ground.
 *
 * @param[in] prompt may be NULL.
 * @param[in] ascii false: in block characters; true: in ASCII, twice as wide.
 * @return the text; free it with planetkey_string_free(). NULL when there is no address, or none that fits.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
struct planetkey_string *planetkey_prompt_qr_code(const struct planetkey_prompt *prompt,
                                                  bool ascii);

/**
 * Gives the person's answer; the last one counts. Nobody looks at it where the kind of prompt needs none.
 *
 * @param[in] prompt not NULL.
 * @param[in] answer NUL-terminated UTF-8 of at most 1 MiB; NULL means that there is none. Copied.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread, during the callback. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_prompt_set_answer(const struct planetkey_prompt *prompt,
                                             const char *answer,
                                             struct planetkey_error **error);

/**
 * A session of everything that the environment and configuration files offer. A URL gets the first credential that its host accepts.
 * Opening a session writes nothing; tokens are kept on disk once there are any, unless planetkey_options_set_save() says otherwise.
 *
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, also when nothing was found: planetkey_session_is_initialized() tells, and calls return
 *         ::PLANETKEY_STATUS_LOGIN_REQUIRED. ::PLANETKEY_STATUS_MISCONFIGURED (a profile that was named and cannot be read),
 *         ::PLANETKEY_STATUS_INVALID_ARGUMENT (an option; a profile or the application's own storage, which are for one client).
 *
 * Any thread. Reads files, uses no network. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_from_defaults(const struct planetkey_options *options,
                                                 struct planetkey_session **session,
                                                 struct planetkey_error **error);

/**
 * A session of a saved or built-in profile, as "planet-user": what is kept for it is shared with all processes and Planet's own tools.
 *
 * @param[in] name the profile, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, also when nobody has logged in: planetkey_session_is_initialized() tells.
 *         ::PLANETKEY_STATUS_MISCONFIGURED (no such profile, unreadable configuration), ::PLANETKEY_STATUS_LOGIN_REQUIRED (a profile of
 *         an API key without the key), ::PLANETKEY_STATUS_UNSUPPORTED (a kind of client that this version does not offer),
 *         ::PLANETKEY_STATUS_STORAGE, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread. Reads files, uses no network. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_from_profile(const char *name,
                                                const struct planetkey_options *options,
                                                struct planetkey_session **session,
                                                struct planetkey_error **error);

/**
 * A session of one API key.
 *
 * @param[in] api_key the key, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
 * @param[in] transport a ::planetkey_api_key_transport; 0 is the default.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT (also for what cannot be a key), ::PLANETKEY_STATUS_MISCONFIGURED.
 *
 * Any thread. Uses no network. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_from_api_key(const char *api_key,
                                                int32_t transport,
                                                const struct planetkey_options *options,
                                                struct planetkey_session **session,
                                                struct planetkey_error **error);

/**
 * A session of a machine-to-machine client: the client credentials grant (RFC 6749 4.4). Its tokens are kept on disk, the secret is not.
 *
 * @param[in] client_id NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
 * @param[in] client_secret NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
 * @param[in] scopes the scopes to ask for (RFC 6749 3.3): `scope_count` texts, each NUL-terminated UTF-8 and not NULL.
 *            May be NULL when `scope_count` is 0, which leaves the choice to the authorization server. Copied.
 * @param[in] scope_count how many there are.
 * @param[in] audience whom the token is for; NULL means the deployment's. Copied.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_MISCONFIGURED.
 *
 * Any thread. Uses no network: a wrong secret is noticed by the first call that needs a token. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_from_m2m(const char *client_id,
                                            const char *client_secret,
                                            const char *const *scopes,
                                            size_t scope_count,
                                            const char *audience,
                                            const struct planetkey_options *options,
                                            struct planetkey_session **session,
                                            struct planetkey_error **error);

/**
 * A session of any registered client, described by the fields of `auth_client.json`. Its tokens are kept on disk, the description is not.
 *
 * @param[in] json the fields as one JSON object, NUL-terminated UTF-8 of at most 1 MiB; not NULL. Copied.
 * @param[in] options may be NULL for the defaults. Copied.
 * @param[out] session free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_UNSUPPORTED (a kind of client that
 *         this version does not offer), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread. Uses no network. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_from_client_config(const char *json,
                                                      const struct planetkey_options *options,
                                                      struct planetkey_session **session,
                                                      struct planetkey_error **error);

/**
 * The same session with another deadline for calls through the new handle.
 *
 * @param[in] session not NULL.
 * @param[in] timeout_ms milliseconds; what is less than 1 or more than a day becomes that.
 * @param[out] with_timeout free it with planetkey_session_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_with_timeout_ms(const struct planetkey_session *session,
                                                   uint32_t timeout_ms,
                                                   struct planetkey_session **with_timeout,
                                                   struct planetkey_error **error);

/**
 * One more count of the same handle.
 *
 * @param[in] session may be NULL.
 * @return the same pointer, to free once more with planetkey_session_free(); NULL for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
struct planetkey_session *planetkey_session_clone(const struct planetkey_session *session);

/**
 * Counts down; the last count ends the session and wipes its credentials. What was made from it stays.
 *
 * @param[in] session may be NULL, which does nothing.
 *
 * Any thread, once for each count. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_session_free(struct planetkey_session *session);

/**
 * What a request to this URL carries: its URL and headers.
 *
 * @param[in] session not NULL.
 * @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL. `{z}/{x}/{y}` may stand in it.
 * @param[out] authorization free it with planetkey_authorization_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED (no credential of this session may go there), or why no
 *         token could be had: ::PLANETKEY_STATUS_MISCONFIGURED, ::PLANETKEY_STATUS_LOGIN_REQUIRED, ::PLANETKEY_STATUS_DENIED,
 *         ::PLANETKEY_STATUS_UNAVAILABLE, ::PLANETKEY_STATUS_TIMEOUT, ::PLANETKEY_STATUS_PROTOCOL, ::PLANETKEY_STATUS_STORAGE.
 *
 * Any number of threads. Blocks only while no valid token is there, on the network and on other processes that renew the same
 * session, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_authorize(const struct planetkey_session *session,
                                             const char *url,
                                             struct planetkey_authorization **authorization,
                                             struct planetkey_error **error);

/**
 * As planetkey_session_authorize(), for programs that can add headers but cannot change the URL.
 *
 * @param[in] session not NULL.
 * @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] authorization free it with planetkey_authorization_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return as planetkey_session_authorize(), and ::PLANETKEY_STATUS_INVALID_ARGUMENT where the credential travels in the URL.
 *
 * Any number of threads. Blocks on the network only while no valid token is there, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_headers(const struct planetkey_session *session,
                                           const char *url,
                                           struct planetkey_authorization **authorization,
                                           struct planetkey_error **error);

/**
 * planetkey_session_headers() from what is at hand: for programs that must not wait.
 *
 * @param[in] session not NULL.
 * @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] authorization free it with planetkey_authorization_free(). NULL on failure, and where planetkey_session_headers() would
 *             have to wait for a token. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, also without an authorization; ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_LOGIN_REQUIRED (no
 *         credential at all), ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_headers_cached(const struct planetkey_session *session,
                                                  const char *url,
                                                  struct planetkey_authorization **authorization,
                                                  struct planetkey_error **error);

/**
 * planetkey_session_headers() for hot loops: writes "Authorization: Bearer ..." into the caller's buffer, as
 * curl_slist_append() takes it, without a handle.
 *
 * @param[in] session not NULL.
 * @param[in] url the URL to be requested, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] buffer where the line and its NUL go. Holds a secret afterwards. Empty text on failure. May be NULL when `size` is 0.
 * @param[in] size how many bytes there are.
 * @param[out] needed how many bytes the line needs with its NUL; 0 when the line could not be had. May be NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK when the whole line was written; ::PLANETKEY_STATUS_INVALID_ARGUMENT with `needed` set when the
 *         buffer is too small; else as planetkey_session_headers().
 *
 * Any number of threads, each with its own buffer. Blocks on the network only while no valid token is there, until the
 * deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_copy_header(const struct planetkey_session *session,
                                               const char *url,
                                               char *buffer,
                                               size_t size,
                                               size_t *needed,
                                               struct planetkey_error **error);

/**
 * A URL with the API key as parameter `api_key`: for map clients that can only be given a URL. A secret.
 * planetkey_strip_api_key() and planetkey_redact_url() take the key out again.
 *
 * @param[in] session not NULL.
 * @param[in] url NUL-terminated UTF-8 of at most 1 MiB; not NULL. `{z}/{x}/{y}` may stand in it and stays as it is.
 * @param[out] signed_url the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_HOST_REFUSED, ::PLANETKEY_STATUS_UNSUPPORTED (no API key in this session).
 *
 * Any number of threads. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_signed_url(const struct planetkey_session *session,
                                              const char *url,
                                              struct planetkey_string **signed_url,
                                              struct planetkey_error **error);

/**
 * The access token itself, of the first source that has one. planetkey_session_authorize() also checks where it goes.
 *
 * @param[in] session not NULL.
 * @param[out] access_token the token; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no such source), or why no token could be had, as
 *         planetkey_session_authorize() says.
 *
 * Any number of threads. Blocks on the network only while no valid token is there, until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_access_token(const struct planetkey_session *session,
                                                struct planetkey_string **access_token,
                                                struct planetkey_error **error);

/**
 * The API key itself, of the first source that has one.
 *
 * @param[in] session not NULL.
 * @param[out] api_key the key; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no such source).
 *
 * Any number of threads. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_api_key(const struct planetkey_session *session,
                                           struct planetkey_string **api_key,
                                           struct planetkey_error **error);

/**
 * An API answered 401 to this access token: the next call renews it, at most once for each token.
 *
 * @param[in] session not NULL.
 * @param[in] access_token the token that was sent, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[out] renews whether the next call renews. Set to false on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session).
 *
 * Any number of threads. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_invalidate(const struct planetkey_session *session,
                                              const char *access_token,
                                              bool *renews,
                                              struct planetkey_error **error);

/**
 * An API answered so: invalidates the token where the answer says that it is bad (RFC 6750 3), and says whether to repeat the request once.
 *
 * @param[in] session not NULL.
 * @param[in] access_token the token that was sent, NUL-terminated UTF-8 of at most 1 MiB; not NULL.
 * @param[in] http_status the answer's status, 100 to 999.
 * @param[in] www_authenticate the answer's header WWW-Authenticate; NULL when there was none.
 * @param[out] repeat whether to repeat the request, once. Set to false on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session).
 *
 * Any number of threads. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_should_retry(const struct planetkey_session *session,
                                                const char *access_token,
                                                int32_t http_status,
                                                const char *www_authenticate,
                                                bool *repeat,
                                                struct planetkey_error **error);

/**
 * Renews the access token now.
 *
 * @param[in] session not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_UNSUPPORTED (no token source in this session), or why no token could be had, as
 *         planetkey_session_authorize() says.
 *
 * Any number of threads; those that come together make one request, in all processes that share the session: a token that another
 * process has renewed meanwhile counts. Blocks on the network until the deadline. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_refresh(const struct planetkey_session *session,
                                           struct planetkey_error **error);

/**
 * What this session is: kinds of credentials, where they came from, expiry. No secret.
 *
 * @param[in] session not NULL.
 * @param[out] info free it with planetkey_session_info_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_session_status(const struct planetkey_session *session,
                                          struct planetkey_session_info **info,
                                          struct planetkey_error **error);

/**
 * Whether the session can authorize requests without anybody logging in.
 *
 * @param[in] session may be NULL.
 * @return true or false; false for NULL.
 *
 * Any number of threads. Uses no network; may read the session's file. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_session_is_initialized(const struct planetkey_session *session);

/**
 * Everything as one JSON object, the same in all languages and in the command's `status --json`.
 *
 * @param[in] info may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_json(const struct planetkey_session_info *info);

/**
 * The name of the deployment, as "planet".
 *
 * @param[in] info may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_deployment(const struct planetkey_session_info *info);

/**
 * Whether the session could authorize requests without anybody logging in.
 *
 * @param[in] info may be NULL.
 * @return true or false; false for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_session_info_is_initialized(const struct planetkey_session_info *info);

/**
 * How many credential sources the session has.
 *
 * @param[in] info may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_session_info_source_count(const struct planetkey_session_info *info);

/**
 * The kind of a source's credential: "access_token" or "api_key".
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_kind(const struct planetkey_session_info *info, size_t source);

/**
 * Where a source's credential came from, for people: "environment: PL_API_KEY".
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_source(const struct planetkey_session_info *info, size_t source);

/**
 * The profile of a source.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_profile(const struct planetkey_session_info *info, size_t source);

/**
 * The kind of client of a source, as `client_type` in auth_client.json.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_client_type(const struct planetkey_session_info *info, size_t source);

/**
 * The client identifier of a source (RFC 6749 2.2), which is no secret.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_client_id(const struct planetkey_session_info *info, size_t source);

/**
 * The authorization server of a source (RFC 8414: issuer).
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_issuer(const struct planetkey_session_info *info, size_t source);

/**
 * How many scopes a source has.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return the number; 0 when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_session_info_scope_count(const struct planetkey_session_info *info, size_t source);

/**
 * A scope of a source (RFC 6749 3.3).
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @param[in] index counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_session_info_scope(const struct planetkey_session_info *info,
                                         size_t source,
                                         size_t index);

/**
 * When the access token of a source ends.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return Unix seconds; -1 when it is not known, for an API key, and when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API int64_t planetkey_session_info_expires_at(const struct planetkey_session_info *info, size_t source);

/**
 * Whether a source can give a credential without anybody logging in.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return true or false; false when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
bool planetkey_session_info_source_is_initialized(const struct planetkey_session_info *info,
                                                  size_t source);

/**
 * Whether a source holds a valid access token now.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return true or false; false for an API key, and when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API bool planetkey_session_info_token_cached(const struct planetkey_session_info *info, size_t source);

/**
 * How many hosts accept the credential of a source.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return the number; 0 when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_session_info_host_count(const struct planetkey_session_info *info, size_t source);

/**
 * A host that accepts the credential of a source.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @param[in] index counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_session_info_host(const struct planetkey_session_info *info,
                                        size_t source,
                                        size_t index);

/**
 * How the credential of a source travels: "bearer", "basic", "header" or "query".
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return NUL-terminated text, borrowed until planetkey_session_info_free(); NULL when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_transport(const struct planetkey_session_info *info, size_t source);

/**
 * The file that keeps the tokens of a source.
 *
 * @param[in] info may be NULL.
 * @param[in] source counts from 0.
 * @return a path as NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL for an API key, for tokens that are kept in
 *         memory or in the application's own storage, and when there is no such source.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API
const char *planetkey_session_info_file(const struct planetkey_session_info *info,
                                        size_t source);

/**
 * How many notes there are: on what was passed over when the session was opened, and on tokens that could not be kept.
 *
 * @param[in] info may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_session_info_note_count(const struct planetkey_session_info *info);

/**
 * A note on what was passed over, or could not be kept, and why, for people.
 *
 * @param[in] info may be NULL.
 * @param[in] index counts from 0.
 * @return NUL-terminated UTF-8, borrowed until planetkey_session_info_free(); NULL when there is none.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_session_info_note(const struct planetkey_session_info *info, size_t index);

/**
 * Frees it. Everything borrowed from it is gone afterwards.
 *
 * @param[in] info may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_session_info_free(struct planetkey_session_info *info);

/**
 * The name of a status, the same in all languages: "INVALID_ARGUMENT".
 *
 * @param[in] status a ::planetkey_status; any number is allowed.
 * @return NUL-terminated text that lives as long as the library; NULL for a number that is no status of this version.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_status_name(int32_t status);

/**
 * The text.
 *
 * @param[in] string may be NULL.
 * @return NUL-terminated UTF-8, borrowed until planetkey_string_free(); NULL only for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_string_data(const struct planetkey_string *string);

/**
 * The number of bytes of the text, without its NUL.
 *
 * @param[in] string may be NULL.
 * @return the number; 0 for NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API size_t planetkey_string_length(const struct planetkey_string *string);

/**
 * Wipes and frees a text. What planetkey_string_data() gave is gone afterwards.
 *
 * @param[in] string may be NULL, which does nothing.
 *
 * Any thread, once. Never blocks. Since 0.1.0.
 */
PLANETKEY_API void planetkey_string_free(struct planetkey_string *string);

/**
 * A URL without its `api_key` parameters, everything else untouched: what may be stored or shown.
 *
 * @param[in] url NUL-terminated UTF-8, at most 1 MiB; not NULL. Borrowed for the call.
 * @param[out] stripped the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_strip_api_key(const char *url,
                                         struct planetkey_string **stripped,
                                         struct planetkey_error **error);

/**
 * A URL with its user information and the values of `api_key` and other secret parameters replaced: safe to log.
 *
 * @param[in] url NUL-terminated UTF-8, at most 1 MiB; not NULL. Borrowed for the call.
 * @param[out] redacted the text; free it with planetkey_string_free(). Set to NULL on failure. Not NULL.
 * @param[out] error why it failed, NULL after success; free it with planetkey_error_free(). May be NULL.
 * @return ::PLANETKEY_STATUS_OK, ::PLANETKEY_STATUS_INVALID_ARGUMENT.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_NODISCARD
PLANETKEY_API
planetkey_status planetkey_redact_url(const char *url,
                                      struct planetkey_string **redacted,
                                      struct planetkey_error **error);

/**
 * The version of the library that the program runs with, as "0.1.0"; ::PLANETKEY_VERSION is that of the header.
 *
 * @return NUL-terminated text that lives as long as the library. Never NULL.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API const char *planetkey_version(void);

/**
 * The number in the shared library's name (libplanetkey.so.N). It changes when programs have to be compiled again;
 * ::PLANETKEY_ABI_VERSION is that of the header. The C++ header compares both.
 *
 * @return the number.
 *
 * Any thread. Never blocks. Since 0.1.0.
 */
PLANETKEY_API uint32_t planetkey_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* PLANETKEY_H */
