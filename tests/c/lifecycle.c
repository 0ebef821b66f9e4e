/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* What a program does: opens sessions of every kind, sends requests with their authorizations,
 * copies and frees handles in any order. */
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

static long get(const char *variable, const char *path,
                const planetkey_authorization *authorization, const char *expected) {
    char *body = NULL;
    const char *url = variable ? simulator_url(variable, path) : path;
    long status = simulator_get(url, planetkey_authorization_header_line(authorization, 0), &body);
    cJSON *json = cJSON_Parse(body);
    CHECK_TEXT(cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "credential")),
               expected);
    cJSON_Delete(json);
    free(body);
    return status;
}

static void versions(void) {
    CHECK_TEXT(planetkey_version(), PLANETKEY_VERSION);
    CHECK(planetkey_abi_version() == PLANETKEY_ABI_VERSION);
}

static void m2m(void) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_authorization *authorization = NULL;
    planetkey_authorization *again = NULL;
    planetkey_authorization *repeat = NULL;
    planetkey_string *token = NULL;
    planetkey_string *key = NULL;
    char url[1024];
    char line[8192];
    bool answer = false;

    snprintf(url, sizeof url, "%s",
             simulator_url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/api/v1/catalog"));
    CHECK(planetkey_session_is_initialized(session));
    CHECK(simulator_count("m2m.token") == 0);
    CHECK_OK(planetkey_session_authorize(session, url, &authorization, &error));
    CHECK(planetkey_authorization_header_count(authorization) == 1);
    CHECK_TEXT(planetkey_authorization_header_name(authorization, 0), "Authorization");
    CHECK(strncmp(planetkey_authorization_header_value(authorization, 0), "Bearer ", 7) == 0);
    snprintf(line, sizeof line, "Authorization: %s",
             planetkey_authorization_header_value(authorization, 0));
    CHECK_TEXT(planetkey_authorization_header_line(authorization, 0), line);
    CHECK(planetkey_authorization_header_name(authorization, 1) == NULL);
    CHECK(planetkey_authorization_header_value(authorization, (size_t)-1) == NULL);
    CHECK_TEXT(planetkey_authorization_url(authorization), url);
    CHECK_TEXT(planetkey_authorization_credential(authorization), "access_token");
    CHECK_TEXT(planetkey_authorization_access_token(authorization),
               planetkey_authorization_header_value(authorization, 0) + 7);
    CHECK_TEXT(planetkey_authorization_transport(authorization), "bearer");
    CHECK(planetkey_authorization_source(authorization) != NULL);
    CHECK(planetkey_authorization_expires_at(authorization) > 1700000000);
    CHECK(get(NULL, url, authorization, "bearer") == 200);

    CHECK_OK(planetkey_session_headers(
        session, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/"), &again, &error));
    CHECK(get("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/", again, "bearer") == 200);
    CHECK(planetkey_authorization_under_development(again) &&
          !planetkey_authorization_under_development(authorization));
    CHECK(planetkey_authorization_generation(again) ==
          planetkey_authorization_generation(authorization));
    CHECK(simulator_count("m2m.token") == 1);

    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    CHECK_TEXT(planetkey_string_data(token),
               planetkey_authorization_header_value(authorization, 0) + 7);
    CHECK(planetkey_string_length(token) == strlen(planetkey_string_data(token)));
    CHECK_OK(planetkey_session_after_response(session, authorization, 200, NULL, &repeat, &error));
    CHECK(repeat == NULL);
    CHECK_OK(planetkey_session_after_response(session, authorization, 401, NULL, &repeat, &error));
    CHECK(get(NULL, url, repeat, "bearer") == 200);
    CHECK(planetkey_authorization_generation(repeat) !=
          planetkey_authorization_generation(authorization));
    planetkey_authorization_free(repeat);
    CHECK_OK(planetkey_session_authorize_if_served(session, url, &repeat, &error));
    CHECK(get(NULL, url, repeat, "bearer") == 200);
    planetkey_authorization_free(repeat);
    CHECK_OK(
        planetkey_session_authorize_if_served(session, "https://example.com/", &repeat, &error));
    CHECK(repeat == NULL);
    CHECK_STATUS(planetkey_session_authorize_if_served(session, "example.com", &repeat, &error),
                 PLANETKEY_STATUS_INVALID_ARGUMENT);
    CHECK(repeat == NULL);
    CHECK_OK(planetkey_session_invalidate(session, "a token of another session", &answer, &error));
    CHECK(!answer);
    planetkey_authorization_free(again);
    CHECK_OK(planetkey_session_authorize(session, url, &again, &error));
    CHECK(simulator_count("m2m.token") == 2);
    CHECK(planetkey_authorization_generation(again) !=
          planetkey_authorization_generation(authorization));
    CHECK_OK(planetkey_session_refresh(session, &error));
    CHECK(simulator_count("m2m.token") == 3);
    CHECK_STATUS(planetkey_session_api_key(session, &key, &error), PLANETKEY_STATUS_UNSUPPORTED);
    CHECK(key == NULL);

    /* Handles made from a session do not depend on it. */
    planetkey_session_free(session);
    CHECK(get(NULL, url, again, "bearer") == 200);
    planetkey_authorization_free(authorization);
    planetkey_authorization_free(again);
    planetkey_string_free(token);
}

static void api_key(void) {
    static const struct {
        planetkey_api_key_transport transport;
        const char *name;
        const char *seen;
        size_t headers;
    } forms[] = {
        {PLANETKEY_API_KEY_TRANSPORT_BASIC, "basic", "api_key_basic", 1},
        {PLANETKEY_API_KEY_TRANSPORT_HEADER, "header", "api_key_header", 1},
        {PLANETKEY_API_KEY_TRANSPORT_QUERY, "query", "api_key_query", 0},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; ++i) {
        planetkey_session *session = simulator_api_key_session(forms[i].transport);
        planetkey_authorization *authorization = NULL;
        planetkey_string *text = NULL;
        planetkey_string *token = NULL;
        char url[1024];
        snprintf(url, sizeof url, "%s",
                 simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/basemaps/v1/mosaics?page=2"));

        CHECK_OK(planetkey_session_authorize(session, url, &authorization, &error));
        CHECK_TEXT(planetkey_authorization_credential(authorization), "api_key");
        CHECK(planetkey_authorization_access_token(authorization) == NULL);
        CHECK_TEXT(planetkey_authorization_transport(authorization), forms[i].name);
        CHECK(planetkey_authorization_header_count(authorization) == forms[i].headers);
        CHECK(planetkey_authorization_expires_at(authorization) == PLANETKEY_TIME_NONE);
        CHECK(get(NULL, planetkey_authorization_url(authorization), authorization, forms[i].seen) ==
              200);
        planetkey_authorization_free(authorization);

        CHECK_OK(planetkey_session_api_key(session, &text, &error));
        CHECK_TEXT(planetkey_string_data(text), simulator_variable("PL_API_KEY"));
        planetkey_string_free(text);

        CHECK_OK(planetkey_session_signed_url(session, url, &text, &error));
        CHECK(strstr(planetkey_string_data(text), "api_key=") != NULL);
        {
            planetkey_string *plain = NULL;
            CHECK_OK(planetkey_redact_url(planetkey_string_data(text), &plain, &error));
            CHECK(strstr(planetkey_string_data(plain), simulator_variable("PL_API_KEY")) == NULL);
            planetkey_string_free(plain);
            CHECK_OK(planetkey_strip_api_key(planetkey_string_data(text), &plain, &error));
            CHECK_TEXT(planetkey_string_data(plain), url);
            planetkey_string_free(plain);
        }
        planetkey_string_free(text);

        CHECK_STATUS(planetkey_session_authorize(
                         session, simulator_url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/api/v1/"),
                         &authorization, &error),
                     PLANETKEY_STATUS_HOST_REFUSED);
        CHECK(authorization == NULL);
        CHECK_STATUS(planetkey_session_access_token(session, &token, &error),
                     PLANETKEY_STATUS_UNSUPPORTED);
        planetkey_session_free(session);
    }
    CHECK(simulator_count("sentinel_hub_api") == 0);
}

static void defaults(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_session_info *info = NULL;
    planetkey_authorization *authorization = NULL;
    cJSON *json;

    CHECK_OK(planetkey_session_from_defaults(options, &session, &error));
    planetkey_options_free(options);
    CHECK_OK(planetkey_session_authorize(
        session, simulator_url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/api/v1/"), &authorization,
        &error));
    CHECK_TEXT(planetkey_authorization_credential(authorization), "access_token");
    CHECK(get("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/api/v1/", authorization, "bearer") == 200);
    CHECK(planetkey_authorization_source_index(authorization) == 0);
    planetkey_authorization_free(authorization);
    CHECK_OK(planetkey_session_authorize(
        session, simulator_url("PLANETKEY_SIMULATOR_PLANET_API", "/data/v1/"), &authorization,
        &error));
    CHECK_TEXT(planetkey_authorization_credential(authorization), "api_key");
    CHECK(planetkey_authorization_source_index(authorization) == 1);
    CHECK(!planetkey_authorization_under_development(authorization));
    planetkey_authorization_free(authorization);

    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    planetkey_session_free(session);
    CHECK_TEXT(planetkey_session_info_deployment(info), "planet-simulator");
    CHECK(planetkey_session_info_is_initialized(info));
    CHECK(planetkey_session_info_source_count(info) == 2);
    CHECK_TEXT(planetkey_session_info_kind(info, 0), "access_token");
    CHECK_TEXT(planetkey_session_info_client_id(info, 0), simulator_variable("PL_AUTH_CLIENT_ID"));
    CHECK_TEXT(planetkey_session_info_issuer(info, 0),
               simulator_variable("PLANETKEY_SIMULATOR_M2M"));
    CHECK(planetkey_session_info_token_cached(info, 0));
    CHECK(planetkey_session_info_source_is_initialized(info, 0));
    CHECK(planetkey_session_info_expires_at(info, 0) > 1700000000);
    CHECK(planetkey_session_info_host_count(info, 0) == 2);
    CHECK(planetkey_session_info_host(info, 0, 0) != NULL);
    CHECK(planetkey_session_info_host(info, 0, 2) == NULL);
    CHECK_TEXT(planetkey_session_info_transport(info, 0), "bearer");
    CHECK_TEXT(planetkey_session_info_client_type(info, 1), "static_apikey");
    CHECK_TEXT(planetkey_session_info_kind(info, 1), "api_key");
    CHECK_TEXT(planetkey_session_info_transport(info, 1), "basic");
    CHECK(planetkey_session_info_expires_at(info, 1) == PLANETKEY_TIME_NONE);
    CHECK(planetkey_session_info_client_id(info, 1) == NULL);
    CHECK(planetkey_session_info_issuer(info, 1) == NULL);
    CHECK(planetkey_session_info_scope_count(info, 1) == 0);
    CHECK(planetkey_session_info_scope(info, 1, 0) == NULL);
    CHECK(planetkey_session_info_profile(info, 1) == NULL);
    CHECK(strstr(planetkey_session_info_source(info, 1), "PL_API_KEY") != NULL);
    CHECK(planetkey_session_info_kind(info, 2) == NULL);
    CHECK(planetkey_session_info_transport(info, 2) == NULL);
    CHECK(planetkey_session_info_client_type(info, 2) == NULL);
    CHECK(planetkey_session_info_note(info, planetkey_session_info_note_count(info)) == NULL);
    CHECK(planetkey_session_info_source(info, 2) == NULL);
    json = cJSON_Parse(planetkey_session_info_json(info));
    CHECK(cJSON_IsObject(json));
    CHECK(strstr(planetkey_session_info_json(info), simulator_variable("PL_API_KEY")) == NULL);
    CHECK(strstr(planetkey_session_info_json(info), simulator_variable("PL_AUTH_CLIENT_SECRET")) ==
          NULL);
    cJSON_Delete(json);
    planetkey_session_info_free(info);
}

static void scopes_and_client_config(void) {
    const char *const scopes[] = {"one", "two"};
    planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_session_info *info = NULL;
    planetkey_string *token = NULL;
    char config[2048];

    CHECK_OK(planetkey_session_from_m2m(simulator_variable("PL_AUTH_CLIENT_ID"),
                                        simulator_variable("PL_AUTH_CLIENT_SECRET"), scopes, 2,
                                        "https://api.planet.com/", options, &session, &error));
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK(planetkey_session_info_scope_count(info, 0) == 2);
    CHECK_TEXT(planetkey_session_info_scope(info, 0, 1), "two");
    planetkey_session_info_free(info);
    planetkey_string_free(token);
    planetkey_session_free(session);

    snprintf(config, sizeof config,
             "{\"client_type\":\"oidc_client_credentials_secret\",\"auth_server\":\"%s\",\"client_"
             "id\":\"%s\",\"client_secret\":\"%s\"}",
             simulator_variable("PLANETKEY_SIMULATOR_M2M"), simulator_variable("PL_AUTH_CLIENT_ID"),
             simulator_variable("PL_AUTH_CLIENT_SECRET"));
    CHECK_OK(planetkey_session_from_client_config(config, options, &session, &error));
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    CHECK(planetkey_string_length(token) > 20);
    CHECK_OK(planetkey_session_get_info(session, &info, &error));
    CHECK_TEXT(planetkey_session_info_client_type(info, 0), "oidc_client_credentials_secret");
    planetkey_session_info_free(info);
    planetkey_string_free(token);
    planetkey_session_free(session);
    planetkey_options_free(options);
}

static void copies(void) {
    planetkey_session *session = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    planetkey_session *copy = planetkey_session_clone(session);
    planetkey_session *hurried = NULL;
    planetkey_string *key = NULL;
    CHECK(copy == session);
    CHECK_OK(planetkey_session_with_timeout_ms(session, 5000, &hurried, &error));
    planetkey_session_free(session);
    CHECK_OK(planetkey_session_api_key(copy, &key, &error));
    planetkey_string_free(key);
    planetkey_session_free(copy);
    CHECK_OK(planetkey_session_api_key(hurried, &key, &error));
    planetkey_string_free(key);
    planetkey_session_free(hurried);
}

static void deadline(void) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    CHECK_OK(planetkey_session_with_timeout_ms(session, 100, &hurried, &error));
    simulator_script("m2m.token", "[{\"hold\":\"gate\"}]", 1);
    CHECK_STATUS(planetkey_session_access_token(hurried, &token, &error), PLANETKEY_STATUS_TIMEOUT);
    CHECK(token == NULL);
    simulator_release("gate");
    CHECK_OK(planetkey_session_access_token(session, &token, &error));
    planetkey_string_free(token);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
}

int main(void) {
    void (*const tests[])(void) = {versions, m2m,     api_key, defaults, scopes_and_client_config,
                                   copies,   deadline};
    simulator_start();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; ++i) {
        simulator_reset();
        tests[i]();
    }
    simulator_end();
    return finish();
}
