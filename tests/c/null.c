/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* NULL for every pointer of every function gives a status or a default value, and never crashes. */
#include "simulator.h"
#include "test.h"

/* The call names its last argument `error`. It is made with an error pointer and with NULL. */
#define REFUSED(parameter, call)                                                                   \
    do {                                                                                           \
        planetkey_error *made = NULL;                                                              \
        planetkey_error **error = &made;                                                           \
        CHECK((call) == PLANETKEY_STATUS_INVALID_ARGUMENT);                                        \
        CHECK(planetkey_error_status(made) == PLANETKEY_STATUS_INVALID_ARGUMENT);                  \
        CHECK_TEXT(planetkey_error_message(made), parameter " must not be NULL");                  \
        planetkey_error_free(made);                                                                \
        error = NULL;                                                                              \
        CHECK((call) == PLANETKEY_STATUS_INVALID_ARGUMENT);                                        \
    } while (0)

/* A former value of an out-parameter, which a failure must overwrite. */
static char marker;
#define OLD(type) ((type *)(void *)&marker)

static const char *const url = "https://api.planet.com/";

static void freeing_null_does_nothing(void) {
    planetkey_error_free(NULL);
    planetkey_string_free(NULL);
    planetkey_options_free(NULL);
    planetkey_authorization_free(NULL);
    planetkey_session_info_free(NULL);
    planetkey_session_free(NULL);
    planetkey_login_options_free(NULL);
    planetkey_login_free(NULL);
    planetkey_login_result_free(NULL);
    planetkey_logout_result_free(NULL);
    planetkey_gdal_options_free(NULL);
    planetkey_gdal_free(NULL);
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
    CHECK(planetkey_session_info_store(NULL, 0) == NULL);
    CHECK(!planetkey_session_info_store_is_reachable(NULL, 0));
    CHECK(planetkey_session_info_store_holds(NULL, 0) == NULL);
    CHECK(planetkey_session_info_store_problem(NULL, 0) == NULL);
    CHECK(planetkey_session_info_note_count(NULL) == 0);
    CHECK(planetkey_session_info_note(NULL, 0) == NULL);

    CHECK(!planetkey_session_is_initialized(NULL));
    CHECK(planetkey_session_clone(NULL) == NULL);
    CHECK(planetkey_gdal_last_error(NULL) == NULL);
}

static void f113_accessors_of_logins_take_null(void) {
    CHECK(planetkey_prompt_kind_of(NULL) == 0);
    CHECK(planetkey_prompt_message(NULL) == NULL);
    CHECK(planetkey_prompt_url(NULL) == NULL);
    CHECK(planetkey_prompt_user_code(NULL) == NULL);
    CHECK(planetkey_prompt_verification_uri(NULL) == NULL);
    CHECK(planetkey_prompt_verification_uri_complete(NULL) == NULL);
    CHECK(planetkey_prompt_expires_in_ms(NULL) == -1);
    CHECK(!planetkey_prompt_browser_opened(NULL));
    CHECK(planetkey_prompt_qr_code(NULL, true) == NULL);

    CHECK(planetkey_login_user_code(NULL) == NULL);
    CHECK(planetkey_login_verification_uri(NULL) == NULL);
    CHECK(planetkey_login_verification_uri_complete(NULL) == NULL);
    CHECK(planetkey_login_authorization_url(NULL) == NULL);
    CHECK(planetkey_login_redirect_uri(NULL) == NULL);
    CHECK(planetkey_login_expires_in_ms(NULL) == -1);
    CHECK(planetkey_login_qr_code(NULL, false) == NULL);
    CHECK(planetkey_login_clone(NULL) == NULL);
    planetkey_login_cancel(NULL);

    CHECK(planetkey_login_poll_interval_ms(NULL) == 0);
    CHECK(!planetkey_logout_result_removed(NULL));
    CHECK(planetkey_logout_result_revocation(NULL) == PLANETKEY_REVOCATION_NONE);
    CHECK(planetkey_logout_result_revocation_error(NULL) == NULL);
    CHECK(planetkey_login_result_json(NULL) == NULL);
    CHECK(!planetkey_login_result_prompted(NULL));
    CHECK(planetkey_login_result_subject(NULL) == NULL);
    CHECK(planetkey_login_result_email(NULL) == NULL);
    CHECK(planetkey_login_result_scope_count(NULL) == 0);
    CHECK(planetkey_login_result_scope(NULL, 0) == NULL);
    CHECK(planetkey_login_result_expires_at(NULL) == PLANETKEY_TIME_NONE);
    CHECK(planetkey_login_result_profile(NULL) == NULL);
    CHECK(planetkey_login_result_file(NULL) == NULL);

    CHECK_TEXT(planetkey_prompt_kind_name(PLANETKEY_PROMPT_KIND_OTHER_USER), "other_user");
    CHECK(planetkey_prompt_kind_name(0) == NULL && planetkey_prompt_kind_name(INT32_MIN) == NULL);
    CHECK_TEXT(planetkey_revocation_name(PLANETKEY_REVOCATION_UNKNOWN), "unknown");
    CHECK(planetkey_revocation_name(-1) == NULL && planetkey_revocation_name(INT32_MAX) == NULL);
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
    REFUSED("options", planetkey_options_set_store(NULL, "redis://127.0.0.1:1", error));
    REFUSED("host", planetkey_options_add_allowed_host(options, NULL, error));
    /* NULL restores the default. */
    CHECK_OK(planetkey_options_set_storage_root(options, NULL, &error));
    CHECK_OK(planetkey_options_set_profile(options, NULL, &error));
    CHECK_OK(planetkey_options_set_storage(options, NULL, &error));
    CHECK_OK(planetkey_options_set_deployment(options, NULL, &error));
    CHECK_OK(planetkey_options_set_ca_file(options, NULL, &error));
    CHECK_OK(planetkey_options_set_proxy(options, NULL, &error));
    CHECK_OK(planetkey_options_set_store(options, NULL, &error));
    CHECK(planetkey_options_set_timeout_ms(options, 1000, NULL) == PLANETKEY_STATUS_OK);
    planetkey_options_free(options);
}

static int told = 0;

static void tell(void *user_data) { *(int *)user_data += 1; }

static void f113_options_of_logins_refuse_null(void) {
    static const char *const nothing[] = {NULL};
    planetkey_login_options *options = planetkey_login_options_new();
    CHECK(options != NULL);
    REFUSED("options",
            planetkey_login_options_set_method(NULL, PLANETKEY_LOGIN_METHOD_DEVICE, error));
    REFUSED("options", planetkey_login_options_set_open_browser(NULL, false, error));
    REFUSED("options", planetkey_login_options_set_scopes(NULL, NULL, 0, error));
    REFUSED("options", planetkey_login_options_set_timeout_ms(NULL, 1000, error));
    REFUSED("options", planetkey_login_options_set_force(NULL, true, error));
    REFUSED("options", planetkey_login_options_set_allow_other_user(NULL, true, error));
    REFUSED("options", planetkey_login_options_set_page(NULL, "<p>", error));
    REFUSED("options", planetkey_login_options_set_prompt(NULL, NULL, &told, tell, error));
    CHECK(told == 2);
    REFUSED("scopes", planetkey_login_options_set_scopes(options, NULL, 1, error));
    REFUSED("scopes", planetkey_login_options_set_scopes(options, nothing, 1, error));
    REFUSED("prompt", planetkey_prompt_set_answer(NULL, "yes", error));
    /* NULL restores the default. */
    CHECK_OK(planetkey_login_options_set_scopes(options, NULL, 0, &error));
    CHECK_OK(planetkey_login_options_set_page(options, NULL, &error));
    CHECK_OK(planetkey_login_options_set_prompt(options, NULL, &told, tell, &error));
    CHECK(told == 3);
    planetkey_login_options_free(options);
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
    REFUSED("client_id",
            planetkey_session_from_m2m(NULL, "s", NULL, 0, NULL, NULL, &session, error));
    CHECK(session == NULL);
    REFUSED("client_secret",
            planetkey_session_from_m2m("i", NULL, NULL, 0, NULL, NULL, &session, error));
    REFUSED("scopes", planetkey_session_from_m2m("i", "s", NULL, 1, NULL, NULL, &session, error));
    REFUSED("scopes",
            planetkey_session_from_m2m("i", "s", nothing, 1, NULL, NULL, &session, error));
    session = OLD(planetkey_session);
    REFUSED("json", planetkey_session_from_client_config(NULL, NULL, &session, error));
    CHECK(session == NULL);
    session = OLD(planetkey_session);
    REFUSED("callback",
            planetkey_session_from_token_provider(NULL, NULL, NULL, NULL, &session, error));
    CHECK(session == NULL);
    CHECK(planetkey_token_request_timeout_ms(NULL) == 0);
    CHECK(planetkey_token_request_rejected_token(NULL) == NULL);
    REFUSED("request", planetkey_token_request_provide(NULL, "t", 1, error));
    REFUSED("request", planetkey_token_request_provide_until(NULL, "t", 1, error));
    REFUSED("request", planetkey_token_request_fail(NULL, NULL, error));
    REFUSED("request", planetkey_token_request_set_message(NULL, "t", 1, error));
}

static void f113_methods_refuse_null(void) {
    planetkey_session *session = NULL;
    planetkey_session *other = OLD(planetkey_session);
    planetkey_authorization *authorization = OLD(planetkey_authorization);
    planetkey_session_info *info = OLD(planetkey_session_info);
    planetkey_string *string = OLD(planetkey_string);
    planetkey_login *login = OLD(planetkey_login);
    planetkey_login_result *result = OLD(planetkey_login_result);
    char buffer[8] = "before";
    size_t needed = 12345;
    planetkey_logout_result *out = OLD(planetkey_logout_result);
    planetkey_authorization *repeat = OLD(planetkey_authorization);
    bool answer = true;

    CHECK_OK(planetkey_session_from_api_key("key", PLANETKEY_API_KEY_TRANSPORT_BASIC, NULL,
                                            &session, &error));

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

    REFUSED("session",
            planetkey_session_copy_header(NULL, url, buffer, sizeof buffer, &needed, error));
    CHECK(needed == 0 && buffer[0] == '\0');
    needed = 12345;
    REFUSED("url",
            planetkey_session_copy_header(session, NULL, buffer, sizeof buffer, &needed, error));
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
    REFUSED("will_refresh", planetkey_session_invalidate(session, "t", NULL, error));

    authorization = OLD(planetkey_authorization);
    REFUSED("session", planetkey_session_authorize_if_served(NULL, url, &authorization, error));
    CHECK(authorization == NULL);
    authorization = OLD(planetkey_authorization);
    REFUSED("url", planetkey_session_authorize_if_served(session, NULL, &authorization, error));
    CHECK(authorization == NULL);
    REFUSED("authorization", planetkey_session_authorize_if_served(session, url, NULL, error));

    other = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    CHECK_OK(planetkey_session_authorize(
        other, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/"), &authorization, &error));
    planetkey_session_free(other);
    REFUSED("session",
            planetkey_session_after_response(NULL, authorization, 401, NULL, &repeat, error));
    CHECK(repeat == NULL);
    repeat = OLD(planetkey_authorization);
    REFUSED("authorization",
            planetkey_session_after_response(session, NULL, 401, NULL, &repeat, error));
    CHECK(repeat == NULL);
    REFUSED("repeat",
            planetkey_session_after_response(session, authorization, 401, NULL, NULL, error));
    planetkey_authorization_free(authorization);

    REFUSED("session", planetkey_session_refresh(NULL, error));

    REFUSED("session", planetkey_session_logout(NULL, true, &out, error));
    CHECK(out == NULL);
    REFUSED("session", planetkey_session_logout(NULL, true, NULL, error));

    REFUSED("session", planetkey_session_get_info(NULL, &info, error));
    CHECK(info == NULL);
    REFUSED("info", planetkey_session_get_info(session, NULL, error));

    REFUSED("session", planetkey_session_login(NULL, NULL, &result, error));
    CHECK(result == NULL);
    REFUSED("session", planetkey_session_login(NULL, NULL, NULL, error));
    REFUSED("session", planetkey_session_start_device_login(NULL, NULL, &login, error));
    CHECK(login == NULL);
    REFUSED("login", planetkey_session_start_device_login(session, NULL, NULL, error));
    login = OLD(planetkey_login);
    REFUSED("session", planetkey_session_start_browser_login(NULL, NULL, &login, error));
    CHECK(login == NULL);
    REFUSED("login", planetkey_session_start_browser_login(session, NULL, NULL, error));

    string = OLD(planetkey_string);
    REFUSED("session", planetkey_session_userinfo(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("json", planetkey_session_userinfo(session, NULL, error));
    string = OLD(planetkey_string);
    REFUSED("session", planetkey_session_id_token_claims(NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("json", planetkey_session_id_token_claims(session, NULL, error));
    string = OLD(planetkey_string);
    REFUSED("session", planetkey_session_introspect(NULL, NULL, &string, error));
    CHECK(string == NULL);
    REFUSED("json", planetkey_session_introspect(session, "token", NULL, error));

    planetkey_session_free(session);
}

static void f113_logins_refuse_null(void) {
    planetkey_login_result *result = OLD(planetkey_login_result);
    REFUSED("login", planetkey_login_poll(NULL, &result, error));
    CHECK(result == NULL);
    REFUSED("result", planetkey_login_poll(NULL, NULL, error));
    result = OLD(planetkey_login_result);
    REFUSED("login", planetkey_login_wait(NULL, 1, &result, error));
    CHECK(result == NULL);
    REFUSED("login", planetkey_login_wait(NULL, 0, NULL, error));
    result = OLD(planetkey_login_result);
    REFUSED("login", planetkey_login_complete(NULL, url, &result, error));
    CHECK(result == NULL);
    REFUSED("login", planetkey_login_complete(NULL, NULL, NULL, error));
}

static void f113_gdal_refuses_null(void) {
    planetkey_gdal_options *options = planetkey_gdal_options_new();
    planetkey_session *session = NULL;
    planetkey_gdal *gdal = OLD(planetkey_gdal);
    planetkey_string *path = OLD(planetkey_string);
    CHECK(options != NULL);
    REFUSED("options", planetkey_gdal_options_set_scope(NULL, 0, error));
    REFUSED("options", planetkey_gdal_options_set_header(NULL, 0, error));
    REFUSED("options", planetkey_gdal_options_add_host(NULL, "api.planet.com", error));
    REFUSED("host", planetkey_gdal_options_add_host(options, NULL, error));
    REFUSED("options", planetkey_gdal_options_set_fetch(NULL, true, error));
    CHECK_STATUS(planetkey_gdal_options_set_scope(options, 3, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK_STATUS(planetkey_gdal_options_set_header(options, -1, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    REFUSED("session", planetkey_gdal_install(NULL, options, &gdal, error));
    CHECK(gdal == NULL);
    REFUSED("gdal", planetkey_gdal_refresh(NULL, error));
    REFUSED("gdal", planetkey_gdal_path(NULL, url, &path, error));
    CHECK(path == NULL);

    session = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    REFUSED("gdal", planetkey_gdal_install(session, NULL, NULL, error));
    /* This program has no GDAL. */
    gdal = OLD(planetkey_gdal);
    CHECK_STATUS(planetkey_gdal_install(session, options, &gdal, &error),
                 PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(gdal == NULL);
    planetkey_session_free(session);
    planetkey_gdal_options_free(options);
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
    CHECK(planetkey_set_log_callback(NULL, NULL, NULL, PLANETKEY_LOG_LEVEL_OFF, NULL) ==
          PLANETKEY_STATUS_OK);
}

int main(void) {
    freeing_null_does_nothing();
    f113_accessors_take_null();
    f113_accessors_of_logins_take_null();
    f113_options_refuse_null();
    f113_options_of_logins_refuse_null();
    f113_constructors_refuse_null();
    f113_methods_refuse_null();
    f113_logins_refuse_null();
    f113_gdal_refuses_null();
    free_functions();
    return finish();
}
