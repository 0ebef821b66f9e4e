/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* NULL for every pointer of every function: a status or a harmless value, never a crash. */
#include "simulator.h"
#include "test.h"

/* The call names its last argument `error`; it is made with an error pointer and with NULL. */
#define REFUSED(parameter, call)                                                                                       \
    do {                                                                                                               \
        planetkey_error *made = NULL;                                                                                  \
        planetkey_error **error = &made;                                                                               \
        CHECK((call) == PLANETKEY_STATUS_INVALID_ARGUMENT);                                                            \
        CHECK(planetkey_error_status(made) == PLANETKEY_STATUS_INVALID_ARGUMENT);                                      \
        CHECK_TEXT(planetkey_error_message(made), parameter " must not be NULL");                                      \
        planetkey_error_free(made);                                                                                    \
        error = NULL;                                                                                                  \
        CHECK((call) == PLANETKEY_STATUS_INVALID_ARGUMENT);                                                            \
    } while (0)

/* What stood in an out-parameter before is gone after a failure. */
static char marker;
#define OLD(type) ((type *)(void *)&marker)

static const char *const url = "https://api.planet.com/";

static void frees(void) {
    planetkey_error_free(NULL);
    planetkey_string_free(NULL);
    planetkey_options_free(NULL);
    planetkey_authorization_free(NULL);
    planetkey_session_info_free(NULL);
    planetkey_session_free(NULL);
}

static void f113_accessors_take_null(void) {
    CHECK(planetkey_error_status(NULL) == PLANETKEY_STATUS_OK);
    CHECK(planetkey_error_message(NULL) == NULL);
    CHECK(planetkey_error_reason(NULL) == NULL);
    CHECK(planetkey_error_oauth_error(NULL) == NULL);
    CHECK(planetkey_error_oauth_error_description(NULL) == NULL);
    CHECK(planetkey_error_http_status(NULL) == 0);
    CHECK(planetkey_error_retry_after_ms(NULL) == -1);
    CHECK(!planetkey_error_retryable(NULL));
    CHECK(planetkey_error_profile(NULL) == NULL);

    CHECK(planetkey_string_data(NULL) == NULL);
    CHECK(planetkey_string_length(NULL) == 0);

    CHECK(planetkey_authorization_url(NULL) == NULL);
    CHECK(planetkey_authorization_header_count(NULL) == 0);
    CHECK(planetkey_authorization_header_name(NULL, 0) == NULL);
    CHECK(planetkey_authorization_header_value(NULL, 0) == NULL);
    CHECK(planetkey_authorization_header_line(NULL, 0) == NULL);
    CHECK(planetkey_authorization_credential(NULL) == NULL);
    CHECK(planetkey_authorization_access_token(NULL) == NULL);
    CHECK(planetkey_authorization_transport(NULL) == NULL);
    CHECK(planetkey_authorization_source(NULL) == NULL);
    CHECK(planetkey_authorization_expires_at(NULL) == PLANETKEY_TIME_NONE);
    CHECK(planetkey_authorization_generation(NULL) == 0);
    CHECK(planetkey_authorization_source_index(NULL) == 0);
    CHECK(!planetkey_authorization_under_development(NULL));

    CHECK(planetkey_session_info_json(NULL) == NULL);
    CHECK(planetkey_session_info_deployment(NULL) == NULL);
    CHECK(!planetkey_session_info_is_initialized(NULL));
    CHECK(planetkey_session_info_source_count(NULL) == 0);
    CHECK(planetkey_session_info_kind(NULL, 0) == NULL);
    CHECK(planetkey_session_info_source(NULL, 0) == NULL);
    CHECK(planetkey_session_info_profile(NULL, 0) == NULL);
    CHECK(planetkey_session_info_client_type(NULL, 0) == NULL);
    CHECK(planetkey_session_info_client_id(NULL, 0) == NULL);
    CHECK(planetkey_session_info_issuer(NULL, 0) == NULL);
    CHECK(planetkey_session_info_scope_count(NULL, 0) == 0);
    CHECK(planetkey_session_info_scope(NULL, 0, 0) == NULL);
    CHECK(planetkey_session_info_expires_at(NULL, 0) == PLANETKEY_TIME_NONE);
    CHECK(!planetkey_session_info_source_is_initialized(NULL, 0));
    CHECK(!planetkey_session_info_token_cached(NULL, 0));
    CHECK(planetkey_session_info_host_count(NULL, 0) == 0);
    CHECK(planetkey_session_info_host(NULL, 0, 0) == NULL);
    CHECK(planetkey_session_info_transport(NULL, 0) == NULL);
    CHECK(planetkey_session_info_file(NULL, 0) == NULL);
    CHECK(planetkey_session_info_note_count(NULL) == 0);
    CHECK(planetkey_session_info_note(NULL, 0) == NULL);

    CHECK(!planetkey_session_is_initialized(NULL));
    CHECK(planetkey_session_clone(NULL) == NULL);
}

static void f113_options_refuse_null(void) {
    planetkey_options *options = planetkey_options_new();
    CHECK(options != NULL);
    REFUSED("options", planetkey_options_set_save(NULL, false, error));
    REFUSED("options", planetkey_options_set_storage_root(NULL, "/", error));
    REFUSED("options", planetkey_options_set_profile(NULL, "mine", error));
    REFUSED("options", planetkey_options_set_storage(NULL, NULL, error));
    REFUSED("options", planetkey_options_set_timeout_ms(NULL, 1000, error));
    REFUSED("options", planetkey_options_set_deployment(NULL, "planet", error));
    REFUSED("options", planetkey_options_add_allowed_host(NULL, "example.com", error));
    REFUSED("options", planetkey_options_set_allow_insecure_loopback(NULL, true, error));
    REFUSED("options", planetkey_options_set_ca_file(NULL, "ca.pem", error));
    REFUSED("options", planetkey_options_set_proxy(NULL, "http://127.0.0.1:1", error));
    REFUSED("host", planetkey_options_add_allowed_host(options, NULL, error));
    /* NULL puts the default back. */
    CHECK_OK(planetkey_options_set_storage_root(options, NULL, &error));
    CHECK_OK(planetkey_options_set_profile(options, NULL, &error));
    CHECK_OK(planetkey_options_set_storage(options, NULL, &error));
    CHECK_OK(planetkey_options_set_deployment(options, NULL, &error));
    CHECK_OK(planetkey_options_set_ca_file(options, NULL, &error));
    CHECK_OK(planetkey_options_set_proxy(options, NULL, &error));
    CHECK(planetkey_options_set_timeout_ms(options, 1000, NULL) == PLANETKEY_STATUS_OK);
    planetkey_options_free(options);
}

static void f113_constructors_refuse_null(void) {
    static const char *const nothing[] = {NULL};
    planetkey_session *session = OLD(planetkey_session);
    REFUSED("session", planetkey_session_from_defaults(NULL, NULL, error));
    REFUSED("session", planetkey_session_from_profile("p", NULL, NULL, error));
    REFUSED("session", planetkey_session_from_api_key("k", 0, NULL, NULL, error));
    REFUSED("session", planetkey_session_from_m2m("i", "s", NULL, 0, NULL, NULL, NULL, error));
    REFUSED("session", planetkey_session_from_client_config("{}", NULL, NULL, error));
    REFUSED("name", planetkey_session_from_profile(NULL, NULL, &session, error));
    CHECK(session == NULL);
    session = OLD(planetkey_session);
    REFUSED("api_key", planetkey_session_from_api_key(NULL, 0, NULL, &session, error));
    CHECK(session == NULL);
    session = OLD(planetkey_session);
    REFUSED("client_id", planetkey_session_from_m2m(NULL, "s", NULL, 0, NULL, NULL, &session, error));
    CHECK(session == NULL);
    REFUSED("client_secret", planetkey_session_from_m2m("i", NULL, NULL, 0, NULL, NULL, &session, error));
    REFUSED("scopes", planetkey_session_from_m2m("i", "s", NULL, 1, NULL, NULL, &session, error));
    REFUSED("scopes", planetkey_session_from_m2m("i", "s", nothing, 1, NULL, NULL, &session, error));
    session = OLD(planetkey_session);
    REFUSED("json", planetkey_session_from_client_config(NULL, NULL, &session, error));
    CHECK(session == NULL);
}

static void f113_methods_refuse_null(void) {
    planetkey_session *session = NULL;
    planetkey_session *other = OLD(planetkey_session);
    planetkey_authorization *authorization = OLD(planetkey_authorization);
    planetkey_session_info *info = OLD(planetkey_session_info);
    planetkey_string *string = OLD(planetkey_string);
    char buffer[8] = "before";
    size_t needed = 12345;
    bool answer = true;

    CHECK_OK(planetkey_session_from_api_key("key", PLANETKEY_API_KEY_TRANSPORT_BASIC, NULL, &session, &error));

    REFUSED("session", planetkey_session_with_timeout_ms(NULL, 1, &other, error));
    CHECK(other == NULL);
    REFUSED("with_timeout", planetkey_session_with_timeout_ms(session, 1, NULL, error));

    REFUSED("session", planetkey_session_authorize(NULL, url, &authorization, error));
    CHECK(authorization == NULL);
    authorization = OLD(planetkey_authorization);
    REFUSED("url", planetkey_session_authorize(session, NULL, &authorization, error));
    CHECK(authorization == NULL);
    REFUSED("authorization", planetkey_session_authorize(session, url, NULL, error));

    authorization = OLD(planetkey_authorization);
    REFUSED("session", planetkey_session_headers(NULL, url, &authorization, error));
    CHECK(authorization == NULL);
    REFUSED("url", planetkey_session_headers(session, NULL, &authorization, error));
    REFUSED("authorization", planetkey_session_headers(session, url, NULL, error));

    authorization = OLD(planetkey_authorization);
    REFUSED("session", planetkey_session_headers_cached(NULL, url, &authorization, error));
    CHECK(authorization == NULL);
    REFUSED("url", planetkey_session_headers_cached(session, NULL, &authorization, error));
    REFUSED("authorization", planetkey_session_headers_cached(session, url, NULL, error));

    REFUSED("session", planetkey_session_copy_header(NULL, url, buffer, sizeof buffer, &needed, error));
    CHECK(needed == 0 && buffer[0] == '\0');
    needed = 12345;
    REFUSED("url", planetkey_session_copy_header(session, NULL, buffer, sizeof buffer, &needed, error));
    CHECK(needed == 0);

    REFUSED("session", planetkey_session_signed_url(NULL, url, &string, error));
    CHECK(string == NULL);
    REFUSED("url", planetkey_session_signed_url(session, NULL, &string, error));
    REFUSED("signed_url", planetkey_session_signed_url(session, url, NULL, error));

    string = OLD(planetkey_string);
    REFUSED("session", planetkey_session_access_token(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("access_token", planetkey_session_access_token(session, NULL, error));

    string = OLD(planetkey_string);
    REFUSED("session", planetkey_session_api_key(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("api_key", planetkey_session_api_key(session, NULL, error));

    REFUSED("session", planetkey_session_invalidate(NULL, "t", &answer, error));
    CHECK(!answer);
    REFUSED("access_token", planetkey_session_invalidate(session, NULL, &answer, error));
    REFUSED("renews", planetkey_session_invalidate(session, "t", NULL, error));

    answer = true;
    REFUSED("session", planetkey_session_should_retry(NULL, "t", 401, NULL, &answer, error));
    CHECK(!answer);
    REFUSED("access_token", planetkey_session_should_retry(session, NULL, 401, NULL, &answer, error));
    REFUSED("repeat", planetkey_session_should_retry(session, "t", 401, NULL, NULL, error));

    REFUSED("session", planetkey_session_refresh(NULL, error));

    answer = true;
    REFUSED("session", planetkey_session_logout(NULL, &answer, error));
    CHECK(!answer);
    REFUSED("session", planetkey_session_logout(NULL, NULL, error));

    REFUSED("session", planetkey_session_status(NULL, &info, error));
    CHECK(info == NULL);
    REFUSED("info", planetkey_session_status(session, NULL, error));

    planetkey_session_free(session);
}

static void free_functions(void) {
    planetkey_string *string = OLD(planetkey_string);
    REFUSED("url", planetkey_strip_api_key(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("stripped", planetkey_strip_api_key(url, NULL, error));
    string = OLD(planetkey_string);
    REFUSED("url", planetkey_redact_url(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("redacted", planetkey_redact_url(url, NULL, error));
    CHECK(planetkey_settle(0));
    /* Without a callback nothing is logged. */
    CHECK_OK(planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_OFF, &error));
    CHECK(planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_OFF, NULL) == PLANETKEY_STATUS_OK);
}

int main(void) {
    frees();
    f113_accessors_take_null();
    f113_options_refuse_null();
    f113_constructors_refuse_null();
    f113_methods_refuse_null();
    free_functions();
    return finish();
}
