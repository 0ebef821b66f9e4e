/* SPDX-License-Identifier: Apache-2.0 OR MIT */
/* Every status of tests/vectors/errors.json, whose path is the argument, exists in C, and errors
 * contain the server's response. */
#include <stdlib.h>

#include "simulator.h"
#include "test.h"

static cJSON *read_json(const char *path) {
    static char text[1 << 16];
    FILE *file = fopen(path, "rb");
    size_t length = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) {
        fclose(file);
    }
    text[length] = '\0';
    return cJSON_Parse(text);
}

static void statuses(const char *path) {
#define STATUS(name)                                                                               \
    { PLANETKEY_STATUS_##name, #name }
    static const struct {
        planetkey_status status;
        const char *name;
    } known[] = {STATUS(OK),
                 STATUS(INVALID_ARGUMENT),
                 STATUS(MISCONFIGURED),
                 STATUS(LOGIN_REQUIRED),
                 STATUS(DENIED),
                 STATUS(HOST_REFUSED),
                 STATUS(UNAVAILABLE),
                 STATUS(TIMEOUT),
                 STATUS(CANCELLED),
                 STATUS(PROTOCOL),
                 STATUS(STORAGE),
                 STATUS(TOKEN_INVALID),
                 STATUS(UNSUPPORTED),
                 STATUS(INTERNAL)};
    static const int count = (int)(sizeof known / sizeof known[0]);
    cJSON *vectors = read_json(path);
    cJSON *list = cJSON_GetObjectItemCaseSensitive(vectors, "statuses");
    cJSON *item;
    CHECK(cJSON_GetArraySize(list) == count);
    cJSON_ArrayForEach(item, list) {
        int number = cJSON_GetObjectItemCaseSensitive(item, "number")->valueint;
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "name"));
        int found = 0;
        CHECK_TEXT(planetkey_status_name(number), name);
        for (int i = 0; i < count; ++i) {
            if ((int)known[i].status == number) {
                CHECK_TEXT(known[i].name, name);
                ++found;
            }
        }
        CHECK(found == 1);
    }
    cJSON_Delete(vectors);
    CHECK(planetkey_status_name(-1) == NULL);
    CHECK(planetkey_status_name(count) == NULL);
    CHECK(planetkey_status_name(INT32_MAX) == NULL);
    CHECK(planetkey_status_name(INT32_MIN) == NULL);
}

struct expected {
    planetkey_status status;
    const char *oauth_error;
    const char *oauth_error_description;
    int http_status;
    int64_t retry_after_ms;
    bool retryable;
};

static void answer(const char *steps, uint32_t timeout_ms, struct expected expected) {
    planetkey_session *session = simulator_m2m_session();
    planetkey_session *hurried = NULL;
    planetkey_string *token = NULL;
    planetkey_error *error = NULL;
    int failed = checks_failed;
    CHECK_OK(planetkey_session_with_timeout_ms(session, timeout_ms, &hurried, &error));
    simulator_reset();
    simulator_script("m2m.token", steps, 1);
    CHECK(planetkey_session_access_token(hurried, &token, &error) == expected.status);
    CHECK(token == NULL);
    CHECK(planetkey_error_status(error) == expected.status);
    CHECK(planetkey_error_message(error) != NULL && planetkey_error_message(error)[0] != '\0');
    CHECK_TEXT(planetkey_error_oauth_error(error), expected.oauth_error);
    CHECK_TEXT(planetkey_error_oauth_error_description(error), expected.oauth_error_description);
    CHECK(planetkey_error_http_status(error) == expected.http_status);
    CHECK(planetkey_error_retry_after_ms(error) == expected.retry_after_ms);
    CHECK(planetkey_error_retryable(error) == expected.retryable);
    CHECK(planetkey_error_message(error) != NULL &&
          strstr(planetkey_error_message(error), simulator_variable("PL_AUTH_CLIENT_SECRET")) ==
              NULL);
    if (checks_failed > failed) {
        fprintf(stderr, "    with %s\n    %s: %s\n", steps,
                planetkey_status_name((int32_t)planetkey_error_status(error)),
                planetkey_error_message(error));
    }
    planetkey_error_free(error);
    planetkey_session_free(hurried);
    planetkey_session_free(session);
}

static void answers(void) {
    answer("[{\"status\":401,\"json\":{\"error\":\"invalid_client\",\"error_description\":"
           "\"Invalid client or Invalid client credentials\"}}]",
           30000,
           (struct expected){PLANETKEY_STATUS_MISCONFIGURED, "invalid_client",
                             "Invalid client or Invalid client credentials", 401, -1, false});
    answer(
        "[{\"status\":400,\"json\":{\"error\":\"invalid_scope\"}}]", 30000,
        (struct expected){PLANETKEY_STATUS_MISCONFIGURED, "invalid_scope", NULL, 400, -1, false});
    answer("[{\"status\":503,\"headers\":{\"Retry-After\":\"120\"},\"body\":\"busy\"}]", 30000,
           (struct expected){PLANETKEY_STATUS_UNAVAILABLE, NULL, NULL, 503, 120000, true});
    answer("[{\"status\":200,\"headers\":{\"Content-Type\":\"text/html\"},\"body\":\"<html>\"}]",
           30000, (struct expected){PLANETKEY_STATUS_PROTOCOL, NULL, NULL, 200, -1, true});
    answer("[{\"fault\":\"stall\"}]", 2000,
           (struct expected){PLANETKEY_STATUS_TIMEOUT, NULL, NULL, 0, -1, true});
}

static void without_a_server(void) {
    planetkey_options *options = simulator_options();
    planetkey_session *session = NULL;
    planetkey_authorization *authorization = NULL;
    planetkey_error *error = NULL;

    /* The message for a refused host names the hosts or the credential that would work. */
    session = simulator_api_key_session(PLANETKEY_API_KEY_TRANSPORT_BASIC);
    CHECK(planetkey_session_authorize(session, "https://example.com/", &authorization, &error) ==
          PLANETKEY_STATUS_HOST_REFUSED);
    CHECK(strstr(planetkey_error_message(error),
                 strstr(simulator_variable("PLANETKEY_SIMULATOR_PLANET_API"), "127.")) != NULL);
    CHECK(!planetkey_error_retryable(error));
    CHECK(planetkey_error_profile(error) == NULL);
    planetkey_error_free(error);
    error = NULL;
    CHECK(planetkey_session_authorize(session,
                                      simulator_url("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", "/"),
                                      &authorization, &error) == PLANETKEY_STATUS_HOST_REFUSED);
    CHECK(strstr(planetkey_error_message(error), "PL_AUTH_CLIENT_ID") != NULL);
    planetkey_error_free(error);
    planetkey_session_free(session);

    /* The profile that an error is about. */
    error = NULL;
    CHECK(planetkey_session_from_profile("no-such-profile", options, &session, &error) ==
          PLANETKEY_STATUS_MISCONFIGURED);
    CHECK_TEXT(planetkey_error_profile(error), "no-such-profile");
    planetkey_error_free(error);
    planetkey_options_free(options);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: errors tests/vectors/errors.json\n");
        return 2;
    }
    simulator_start();
    statuses(argv[1]);
    answers();
    without_a_server();
    simulator_end();
    return finish();
}
